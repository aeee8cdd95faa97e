"""Losses from text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from noiseproof.errors import SpecError
from noiseproof.losses.base import REGISTRY, Combination, Loss, Sum, refuse_nothing
from noiseproof.losses.operators import OPERATORS
from noiseproof.losses.presets import published_parameters
from noiseproof.spec import Call, Domain, Parameter, format_call, parse_call, parse_expression
from noiseproof.spec import Sum as ParsedSum

if TYPE_CHECKING:
    from collections.abc import Iterator


def make_loss(spec: str | Loss, *, preset: str | None = None, source: str = "code", **options: Any) -> Loss:
    """Make a loss from a name, a name with parameters or an expression.

    Args:
        spec: ``"jal-ce"``, ``"jal-ce(alpha=1, beta=1, a=30)"``, ``"nce + 0.5*amse(a=10)"``,
            ``"normalized(ce) + mae"``, ``"ce(label_smoothing=0.1)"``, or a loss, which gets the options. Label
            smoothing is the one option that a text may have; all terms of a sum must have the same.
        preset: a data set whose published parameters replace the defaults of a named loss, such as ``"cifar10"`` or
            ``"cifar10-asymmetric"``; see :func:`published_parameters`.
        source: whose values the preset has, such as what published ``"code"`` runs or what the ``"paper"`` says; one
            of :data:`noiseproof.losses.presets.SOURCES`.
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
        GeneralizedCrossEntropyLoss(q=0.9)
    """
    if isinstance(spec, Loss):
        if preset is not None:
            raise SpecError(f"preset {preset!r}: expected the name of a loss, not a loss that has its parameters")
        return spec.with_options(**options) if options else spec
    if preset is not None:
        spec = _with_preset(spec, preset, source)
    _refuse_options(spec)
    published = _published(spec)
    loss = published if published is not None else _build(parse_expression(spec))
    _refuse_ambiguous(spec, loss)
    refuse_nothing(loss, loss)
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
    for _, term in _joined(parsed):
        if isinstance(term, ParsedSum):
            yield from _named(term)
        elif term.name in OPERATORS:
            for operand in term.operands:
                yield from _named(operand)
        else:
            yield REGISTRY.find(term.name, OPERATORS)


def _with_preset(spec: str, preset: str, source: str) -> str:
    try:
        call = parse_call(spec)
    except SpecError:
        call = None
    if call is None or call.operands or call.name in OPERATORS:
        raise SpecError(f"preset {preset!r}: expected the name of a loss, not the expression {spec!r}")
    REGISTRY.find(call.name)
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
        (weight, _build(term) if isinstance(term, ParsedSum) else _build_call(term)) for weight, term in _joined(parsed)
    ]
    if len(terms) == 1 and terms[0][0] == 1.0:
        return terms[0][1]
    return Sum(terms)


def _joined(parsed: ParsedSum) -> list[tuple[float, Call | ParsedSum]]:
    """The terms, where a name with a plus whose second half is no loss by itself (``ce+lc``) is one term."""
    terms: list[tuple[float, Call | ParsedSum]] = []
    for weight, term in parsed.terms:
        first = terms[-1][1] if terms else None
        if isinstance(term, Call) and isinstance(first, Call) and not first.parameters and weight == 1:
            name = f"{first.name}+{term.name}"
            if term.name not in {*REGISTRY, *OPERATORS} and name in REGISTRY:
                terms[-1] = (terms[-1][0], Call(name, term.parameters, term.operands))
                continue
        terms.append((weight, term))
    return terms


def _build_call(call: Call) -> Loss:
    if call.name in OPERATORS:
        return _build_operator(call)
    kind = REGISTRY.find(call.name, OPERATORS)
    if call.operands:
        raise SpecError(f"{call.name}(…) takes parameters by name, such as {kind().spec}")
    return _from_call(call)


def _build_operator(call: Call) -> Loss:
    declared = {"p_min"} if call.name == "negative" else set()
    if len(call.operands) != 1 or not call.parameters.keys() <= {*declared, _SMOOTHING}:
        takes = (
            "one loss and p_min, such as negative(ce, p_min=1e-8)" if declared else "one loss, such as normalized(ce)"
        )
        raise SpecError(f"{call.name}(…) takes {takes}")
    operator: Any = OPERATORS[call.name]
    arguments = _checked_arguments(call)
    smoothing = arguments.pop(_SMOOTHING, None)
    made: Loss = operator(_build(call.operands[0]), **arguments)
    if smoothing is None or smoothing == made.label_smoothing:
        return made
    if made.label_smoothing:
        raise SpecError(
            f"{call.name}(…, label_smoothing={smoothing:g}) has a loss with label_smoothing={made.label_smoothing:g} "
            "inside: write it once"
        )
    return made.with_options(label_smoothing=smoothing)


def _from_call(call: Call) -> Loss:
    return REGISTRY.find(call.name)(**_checked_arguments(call))


_SMOOTHING = "label_smoothing"


def _checked_arguments(call: Call) -> dict[str, Any]:
    arguments: dict[str, Any] = dict(call.parameters)
    if _SMOOTHING in arguments:
        share = Parameter(0.0, Domain("[0, 1]")).check(call.name, _SMOOTHING, arguments[_SMOOTHING])
        arguments[_SMOOTHING] = float(share)
    return arguments


def _refuse_options(spec: str) -> None:
    """Refuse the options that say how a loss is used: a text would be the same loss under several names."""
    found = re.search(r"\b(weight|ignore_index|reduction)\s*=", spec)
    if found is not None:
        raise SpecError(
            f"{found[1]} has no place in the text of a loss: give it beside the text, make_loss(…, {found[1]}=…). "
            "Only label_smoothing is a part of what a loss is."
        )


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
