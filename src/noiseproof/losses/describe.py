"""What a loss says of itself in ``help()`` and in editors, written from its definition.

The author writes what the loss is, and below ``Args:`` what each parameter means. Everything else, the domains and
defaults of the parameters too, follows from the definition.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import TYPE_CHECKING

import torch

from noiseproof import losses
from noiseproof.losses.base import Combination, LabelLoss, Sum
from noiseproof.losses.calls import function_name
from noiseproof.spec import format_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from noiseproof.losses.base import Limit, Loss
    from noiseproof.spec import Parameter

_WIDTH = 116
"""Of 120 columns, since a docstring is indented once."""

_ALLOWED = re.compile(r"(?:^|; )(?:(?:in [(\[]\S+, \S+[)\]]|True or False), )?\S+ by default\.$")
"""What is written after the meaning of a parameter."""


def summary(loss: type[Loss]) -> str:
    """What the author says of a loss: the part of its docstring above the arguments."""
    text = inspect.cleandoc(loss.__doc__ or "")
    return re.split(r"^Args:$", text, maxsplit=1, flags=re.MULTILINE)[0].rstrip()


def meanings(loss: type[Loss]) -> dict[str, str]:
    """What the author says of each parameter: the texts below ``Args:``, without domain and default."""
    _, _, after = inspect.cleandoc(loss.__doc__ or "").partition("\nArgs:\n")
    section = re.split(r"^\S", after, maxsplit=1, flags=re.MULTILINE)[0]
    entries = re.findall(r"^    (\w+): ?(.*(?:\n     +\S.*)*)", section, re.MULTILINE)
    found = {key: _ALLOWED.sub("", re.sub(r"\s+", " ", text)).rstrip(".") for key, text in entries}
    return {key: found[key] for key in loss.declared if found.get(key)}


def parameter_texts(loss: type[Loss]) -> dict[str, str]:
    """The meaning, the domain and the default of each parameter."""
    meant = meanings(loss)
    return {key: _parameter_text(meant.get(key, ""), parameter) for key, parameter in loss.declared.items()}


def python_arguments(loss: type[Loss]) -> str:
    """The parameters with their defaults, as arguments in Python."""
    return ", ".join(f"{key}={_python(value.default)}" for key, value in loss.declared.items())


def limit_text(limit: Limit) -> str:
    """What a loss is at some values of its parameters."""
    at = ", ".join(f"{key} = {_python(value)}" for key, value in limit.parameters.items())
    if not limit.tolerance:
        return f"``{limit.equals}`` at {at}"
    return f"nearly ``{limit.equals}`` at {at} (relative difference: {limit.tolerance:g})"


def describe(loss: type[Loss], *, run: bool) -> str:
    """The docstring of a loss.

    Args:
        loss: a class that has what its author says in its docstring.
        run: whether the loss can be made and called, so that an example shows its value and a combination its parts.
    """
    shape = [f"- input: {_input(loss)}.", f"- target: {_TARGET}.", f"- output: {_OUTPUT}."]
    made, called = f"loss = {loss.__name__}({python_arguments(loss)})", f"loss({_BATCH})"
    if run:
        example = _run(["import torch", f"from {_module(loss)} import {loss.__name__}", made], called, loss)
    else:
        parts = ["loss.parts.spec  # the other losses that it is made of"] if issubclass(loss, Combination) else []
        example = _section("Example:", ["", "import torch", made, called, *parts])
    return _joined(
        _head(loss),
        _section("Args", _entries({**parameter_texts(loss), **_OPTIONS})),
        _section("Shape", shape),
        _section("Equals", _equals(loss, run=run)),
        example,
        _section("References", _references(loss)),
    )


def describe_function(loss: type[Loss], *, run: bool) -> str:
    """The docstring of the function of a loss; ``run`` as for :func:`describe`."""
    called = f"F.{function_name(loss.name)}({', '.join(filter(None, [_BATCH, python_arguments(loss)]))})"
    lines = ["import torch", "from noiseproof.losses import functional as F"]
    weight, *others = _OPTIONS.items()
    inputs = {"input": f"{_input(loss)}.", "target": f"{_TARGET}."}
    return _joined(
        _head(loss),
        _section("Args", _entries({**inputs, **dict([weight]), **parameter_texts(loss), **dict(others)})),
        _section("Returns", [f"{_OUTPUT[0].upper()}{_OUTPUT[1:]}."]),
        _section("Equals", _equals(loss, run=run)),
        _run(lines, called, loss) if run else _section("Example:", ["", *lines, called]),
        _section("References", _references(loss)),
    )


_OPTIONS = {
    "weight": "how much a sample of each class counts, ``(K,)``; all alike by default.",
    "ignore_index": "the label of samples that do not count; -100 by default.",
    "reduction": '``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.',
    "label_smoothing": "the share of each label that is spread over all classes; in [0, 1], 0 by default.",
}
_TARGET = "class indices y, of the logits' shape without K, or class probabilities of the logits' shape"
_OUTPUT = 'a scalar, or with ``reduction="none"`` one value per label'
_FIXED = "\N{NO-BREAK SPACE}"
"""A space at which no line ends, while lines are made."""

_DIGITS = 3
_BATCH = "torch.zeros(8, 10), torch.arange(8)"


def _head(loss: type[Loss]) -> str:
    return summary(loss) or f"{loss.title or f'The loss ``{loss.name}``'}."


def _input(loss: type[Loss]) -> str:
    softmax = "; p is their softmax" if issubclass(loss, (LabelLoss, Combination)) else ""
    return f"logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes{softmax}"


def _parameter_text(meaning: str, parameter: Parameter) -> str:
    default = f"{_python(parameter.default)} by default."
    if parameter.domain is None:
        return f"{meaning}; {default}" if meaning else f"True or False, {default}"
    domain = str(parameter.domain).replace(" ", _FIXED)
    return "; ".join(filter(None, [meaning, f"in {domain}, {default}"]))


def _python(value: float) -> str:
    return str(value) if isinstance(value, bool) else format_value(value)


def _module(loss: type[Loss]) -> str:
    """The module from which the documentation imports a loss of the package."""
    return losses.__name__ if loss.__name__ in losses.__all__ else loss.__module__


def _run(lines: list[str], called: str, loss: type[Loss]) -> str:
    """An example with its value, of which only digits are shown that are the same on every machine."""
    value = round(loss()(torch.zeros(8, 10), torch.arange(8)).item(), _DIGITS)
    return _section(
        "Example", [*(f">>> {line}" for line in lines), f">>> round({called}.item(), {_DIGITS})", f"{value}"]
    )


def _equals(loss: type[Loss], *, run: bool) -> list[str]:
    limits = [f"- {limit_text(limit)}" for limit in loss.limits]
    if not run or not issubclass(loss, Combination):
        return limits
    parts = loss().parts
    terms = [term for _, term in parts.terms] if isinstance(parts, Sum) else []
    names = " and ".join(f"``{term.name}`` is {term.title[:1].lower()}{term.title[1:]}" for term in terms)
    whole = f"- ``{parts.spec}``{' with the default parameters' if loss.declared else ''}"
    return [f"{whole}, where {names}" if names else whole, *limits]


def _references(loss: type[Loss]) -> list[str]:
    # No line ends before the last word, which is the number of a section or an equation.
    return [re.sub(r" (?=\S+$)", _FIXED, f"{loss.citation}.")] if loss.citation else []


def _joined(*parts: str) -> str:
    return "\n\n".join(filter(None, parts))


def _entries(texts: dict[str, str]) -> list[str]:
    return [f"{key}: {text}" for key, text in texts.items()]


def _section(title: str, lines: Iterable[str]) -> str:
    """A section with every line wrapped and indented; none if there are no lines."""
    wrapped = [
        textwrap.fill(
            line,
            _WIDTH,
            initial_indent="    ",
            subsequent_indent="        " if re.match(r"\w+: ", line) else "      " if line.startswith("- ") else "    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines
    ]
    return "\n".join([f"{title}:", *wrapped]).replace(_FIXED, " ") if wrapped else ""
