"""Every loss of the registry as a function, called like :func:`torch.nn.functional.cross_entropy`.

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

import functools
import inspect
import re
from typing import TYPE_CHECKING, Any

import torch

from noiseproof.losses.base import REGISTRY, Loss

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def function_name(loss: str) -> str:
    """The name of the function of a loss: ``nce_rce`` for ``nce+rce``."""
    return re.sub(r"\W", "_", loss)


def _loss_of(name: str) -> type[Loss] | None:
    return next((loss for key, loss in REGISTRY.items() if function_name(key) == name), None)


@functools.lru_cache(maxsize=256, typed=True)
def _cached(loss: Callable[..., Loss], **arguments: Any) -> Loss:
    return loss(**arguments)


def _is_value(argument: object) -> bool:
    """Whether an argument is what a parameter or an option can be; what is not goes to its own error."""
    return isinstance(argument, int | float | str)


def _make(name: str, loss: type[Loss]) -> Callable[..., Tensor]:
    def function(
        input: Tensor,  # noqa: A002 - as torch names it
        target: Tensor,
        weight: Tensor | None = None,
        **arguments: Any,
    ) -> Tensor:
        # The compiler does not look into caches, and needs none: it makes the module once.
        cached = not torch.compiler.is_compiling() and all(map(_is_value, arguments.values()))
        module = _cached(loss, **arguments) if cached else loss(**arguments)  # type: ignore[arg-type]
        if weight is not None:
            module = module.with_options(weight=weight)
        result: Tensor = module(input, target)
        return result

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"The loss of the logits ``input`` for ``target``: see :class:`{loss.__module__}.{loss.__qualname__}`."
    )
    inputs = [inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD) for key in ("input", "target")]
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*inputs, *inspect.signature(loss).parameters.values()]
    )
    return function


def __getattr__(name: str) -> Callable[..., Tensor]:
    loss = _loss_of(name)
    if loss is None:
        raise AttributeError(f"module {__name__!r} has no function {name!r}: it has one for every registered loss")
    return _make(name, loss)


def __dir__() -> list[str]:
    return sorted([*globals(), *map(function_name, REGISTRY)])
