"""Losses from text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from noiseproof.errors import SpecError, suggest
from noiseproof.losses._base import REGISTRY, Combination, Loss, Sum
from noiseproof.losses.operators import OPERATORS
from noiseproof.losses.presets import published_parameters
from noiseproof.spec import Call, format_call, parse_call, parse_expression
from noiseproof.spec import Sum as ParsedSum
from noiseproof.user_code import HINT

if TYPE_CHECKING:
    from collections.abc import Iterator


def make_loss(spec: str | Loss, *, preset: str | None = None, source: str = "code", **options: Any) -> Loss:
    """Make a loss from a name, a name with parameters or an expression.

    Args:
        spec: ``"jal-ce"``, ``"jal-ce(alpha=1, beta=1, a=30)"``, ``"nce + 0.5*amse(a=10)"``,
            ``"normalized(ce) + mae"``, or a loss, which gets the options.
        preset: a data set whose published parameters replace the defaults of a named loss, such as ``"cifar10"`` or
            ``"cifar10-asymmetric"``; see :func:`published_parameters`.
        source: whose values the preset has, such as what published ``"code"`` runs or what the ``"paper"`` says; one
            of :data:`noiseproof.losses.SOURCES`.
        options: ``weight``, ``ignore_index``, ``reduction``, ``label_smoothing``; see :class:`Loss`.

    Returns:
        An :class:`torch.nn.Module`, called like :class:`torch.nn.CrossEntropyLoss`: ``loss(logits, target)``.

    Raises:
        SpecError: an unknown name or parameter, a value outside its domain, a preset that the loss has not, or text
            that cannot be read; also ``"nce + mae"``, whose factor before MAE cannot be told (see the message).

    Example:
        >>> import torch
        >>> loss = make_loss("nce + 0.5*amse(a=10)")
        >>> loss(torch.zeros(4, 10), torch.tensor([1, 2, 3, 4])).item()
        5.005000114440918
        >>> make_loss("gce", preset="cifar10", source="paper")
        GCE(q=0.9)
    """
    if isinstance(spec, Loss):
        if preset is not None:
            raise SpecError(f"preset {preset!r}: expected the name of a loss, not a loss that has its parameters")
        return spec.with_options(**options) if options else spec
    if preset is not None:
        spec = _with_preset(spec, preset, source)
    published = _published(spec)
    loss = published if published is not None else _build(parse_expression(spec))
    _refuse_ambiguous(spec, loss)
    return loss.with_options(**options) if options else loss


def loss_classes(spec: str) -> tuple[type[Loss], ...]:
    """The registered classes that a text names, each once; operators are none.

    Raises:
        SpecError: as :func:`make_loss`.
    """
    if _published(spec) is not None:
        return (REGISTRY[parse_call(spec).name],)
    return tuple(dict.fromkeys(_named(parse_expression(spec))))


def _named(parsed: ParsedSum) -> Iterator[type[Loss]]:
    for _, term in parsed.terms:
        if isinstance(term, ParsedSum):
            yield from _named(term)
        elif term.name in OPERATORS:
            for operand in term.operands:
                yield from _named(operand)
        elif term.name in REGISTRY:
            yield REGISTRY[term.name]
        else:
            raise _unknown(term.name)


def _unknown(name: str) -> SpecError:
    return SpecError(f"unknown loss {name!r}{suggest(name, [*REGISTRY, *OPERATORS])}; {HINT}")


def _with_preset(spec: str, preset: str, source: str) -> str:
    try:
        call = parse_call(spec)
    except SpecError:
        call = None
    if call is None or call.operands or call.name in OPERATORS:
        raise SpecError(f"preset {preset!r}: expected the name of a loss, not the expression {spec!r}")
    if call.name not in REGISTRY:
        raise _unknown(call.name)
    return format_call(call.name, {**published_parameters(call.name, preset, source), **call.parameters})


def _published(spec: str) -> Loss | None:
    """The loss of a text that is, as a whole, a registered name with a plus inside; no expression has such names."""
    match = re.match(r"\s*(\w[\w-]*\+[\w+-]+)\s*(\(|$)", spec)
    if match is None or match[1].lower() not in REGISTRY:
        return None
    call = parse_call(spec)
    return _from_call(call)


def _build(parsed: ParsedSum) -> Loss:
    terms = [
        (weight, _build(term) if isinstance(term, ParsedSum) else _build_call(term)) for weight, term in parsed.terms
    ]
    if len(terms) == 1 and terms[0][0] == 1.0:
        return terms[0][1]
    return Sum(terms)


def _build_call(call: Call) -> Loss:
    if call.name in OPERATORS:
        declared = {"p_min"} if call.name == "negative" else set()
        if len(call.operands) != 1 or not call.parameters.keys() <= declared:
            takes = (
                "one loss and p_min, such as negative(ce, p_min=1e-8)"
                if declared
                else "one loss, such as normalized(ce)"
            )
            raise SpecError(f"{call.name}(…) takes {takes}")
        operator: Any = OPERATORS[call.name]
        return operator(_build(call.operands[0]), **call.parameters)
    if call.name not in REGISTRY:
        raise _unknown(call.name)
    if call.operands:
        raise SpecError(f"{call.name}(…) takes parameters by name, such as {REGISTRY[call.name]().spec}")
    return _from_call(call)


def _from_call(call: Call) -> Loss:
    parameters: dict[str, Any] = dict(call.parameters)
    return REGISTRY[call.name](**parameters)


def _refuse_ambiguous(spec: str, loss: Loss) -> None:
    """Refuse an expression that is written like a published name but means something else."""
    name = re.sub(r"\s", "", spec).lower()
    if not isinstance(loss, Sum) or name not in REGISTRY:
        return
    published = REGISTRY[name]()
    if isinstance(published, Combination) and loss.spec != published.expression().spec:
        raise SpecError(
            f"{spec!r} can be read in two ways: {name!r}, without spaces, is the published combination "
            f"{published.expression().spec}; as a plain sum write {loss.spec!r}"
        )
