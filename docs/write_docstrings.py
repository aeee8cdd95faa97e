"""Write into the source what the definitions of the losses give: their docstrings, and the functions of ``functional``.

What an author wrote stays: what a loss is, and what each parameter means. Run it where a definition has changed; until
then a test fails::

    python docs/write_docstrings.py
"""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.files import write_atomically
from noiseproof.losses import REGISTRY, functional
from noiseproof.losses.calls import OPTIONS, function_name
from noiseproof.losses.describe import describe, describe_function

if TYPE_CHECKING:
    from noiseproof.losses import Loss

_HEAD = '''# Written by docs/write_docstrings.py from the definitions; change those, and run it.
"""Every loss of the package as a function, called like :func:`torch.nn.functional.cross_entropy`.

The function of a loss is named as the loss, with ``_`` for ``-`` and ``+``; a loss of your own has one too.

>>> import torch
>>> from noiseproof.losses import functional as F
>>> logits, target = torch.zeros(4, 10), torch.tensor([1, 2, 3, 4])
>>> F.jal_ce(logits, target, a=10, reduction="sum")
tensor(39.6400)
>>> F.nce_rce(logits, target, A=-9.21).shape
torch.Size([])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from noiseproof.losses import comparisons, definitions, published
from noiseproof.losses.base import REGISTRY
from noiseproof.losses.calls import call, explained, function_name, function_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
'''

_TAIL = """
def __getattr__(name: str) -> Callable[..., Tensor]:
    function = function_of(name)
    if function is None:
        raise AttributeError(f"module {__name__!r} has no function {name!r}: it has one for every registered loss")
    return function


def __dir__() -> list[str]:
    return sorted({*globals(), *map(function_name, REGISTRY)})
"""

_TYPES = {
    "ignore_index": "int = -100",
    "reduction": 'Literal["mean", "sum", "none"] = "mean"',
    "label_smoothing": "float = 0.0",
}


def written() -> dict[Path, str]:
    """What each file of the losses should be."""
    own = [loss for loss in REGISTRY.values() if loss.__module__.startswith("noiseproof.")]
    files = {_file(loss): _file(loss).read_text(encoding="utf-8") for loss in own}
    for loss in own:
        files[_file(loss)] = _with_docstring(files[_file(loss)], loss)
    functions = "\n\n".join(map(_function, own))
    return {**files, Path(functional.__file__): f"{_HEAD}\n\n{functions}\n{_TAIL}"}


def _file(loss: type[Loss]) -> Path:
    return Path(inspect.getfile(loss))


def _with_docstring(source: str, loss: type[Loss]) -> str:
    """The text of a module, with what its definition gives in the place of the docstring of a class."""
    (found,) = (
        node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == loss.__name__
    )
    old, lines = found.body[0], source.splitlines()
    lines[old.lineno - 1 : old.end_lineno] = _literal(describe(loss, run=True))
    return "\n".join(lines) + "\n"


def _literal(text: str) -> list[str]:
    """A docstring in the body of a class or a function, line by line."""
    first, *rest = text.splitlines()
    raw = "r" if "\\" in text else ""
    return [f'    {raw}"""{first}', *(f"    {line}".rstrip() for line in rest), '    """']


def _function(loss: type[Loss]) -> str:
    definition = f"{loss.__module__.rpartition('.')[2]}.{loss.__name__}"
    own = {
        key: f"{'bool' if value.domain is None else 'float'} = {value.default!r}"
        for key, value in loss.declared.items()
    }
    return "\n".join(
        [
            f"@explained({definition})",
            f"def {function_name(loss.name)}(",
            *("    input: Tensor,", "    target: Tensor,", "    weight: Tensor | None = None,", "    *,"),
            *(f"    {key}: {annotation}," for key, annotation in {**own, **_TYPES}.items()),
            ") -> Tensor:",
            *_literal(describe_function(loss, run=True)),
            "    return call(",
            *(f"        {argument}," for argument in (definition, "input", "target", "weight", *OPTIONS, *own)),
            "    )\n",
        ]
    )


def main() -> None:
    """Change the files that are not as they should be, and name them."""
    for path, text in written().items():
        if path.read_text(encoding="utf-8") != text:
            write_atomically(path, text.encode())
            sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
