"""Losses behind a linear layer with very many classes, without its logits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from noiseproof.errors import LabelError
from noiseproof.losses.base import Loss
from noiseproof.losses.kernel.batch import as_target, kept_labels, needs_plain_formula, precision_of
from noiseproof.losses.kernel.evaluate import block_rows
from noiseproof.losses.kernel.head import NOTHING, Head, LinearLoss, Products, Targets, solve, solve_plainly
from noiseproof.losses.kernel.reductions import Reductions
from noiseproof.losses.make import make_loss

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


def linear_loss(
    features: Tensor,
    weight: Tensor,
    target: Tensor | tuple[Tensor, Tensor],
    loss: Loss | str,
    *,
    bias: Tensor | None = None,
    scale: float = 1.0,
    softcap: float | None = None,
    sample_weight: Tensor | None = None,
    group: ProcessGroup | None = None,
    rows: int | None = None,
) -> Tensor:
    r"""The loss of a linear layer's logits, :math:`z = s\,(x W^\top + b)`, without all of them at once.

    The rows are gone through in chunks, so that the memory is that of the gradients and of one chunk. Value and
    gradients are those of ``loss(F.linear(features, weight, bias) * scale, target)`` up to rounding, for every loss.
    Only gradients that are wanted are computed. A second derivative, :mod:`torch.func` and forward-mode differentiation
    make all logits.

    Args:
        features: ``(..., D)``, any floating-point type.
        weight: ``(classes, D)``, of the type of the features; under autocast both are cast.
        target: class indices ``(...)``, class probabilities ``(..., classes)``, or a teacher: its features ``(..., E)``
            and weights ``(classes, E)``, whose softmax are the probabilities. A teacher gets no gradient.
        loss: a loss, whose options hold (reduction, ignore_index, class weights, label smoothing), or the text of one.
        bias: ``(classes,)``.
        scale: what logits are multiplied by, such as the inverse of a temperature.
        softcap: a bound :math:`c` that logits are bent to stay below, :math:`c\tanh(z/c)`.
        sample_weight: ``(...)``, how much each sample counts; see :meth:`Loss.forward`.
        group: processes that each have some of the classes, in the order of their ranks: ``weight``, ``bias`` and
            probabilities are those of the own classes, features and class indices are the same everywhere. So are the
            value and the gradient of the features that come out.
        rows: how many rows a chunk has; by default as many as are worth it. It changes time and memory only.

    Returns:
        A scalar, or with ``reduction="none"`` one value per sample, ``(...)``, in the type of the features.

    Raises:
        LabelError: shapes or types that do not fit, labels that are no class, or a number that is out of its range.

    Example:
        >>> features, weight = torch.zeros(4, 8), torch.zeros(1000, 8)
        >>> linear_loss(features, weight, torch.tensor([1, 2, 3, 999]), "ce")
        tensor(6.9078)
    """
    if not isinstance(loss, str | Loss):
        raise LabelError(f"loss is a {type(loss).__name__}: expected a loss of noiseproof, or the text of one")
    features, head = _checked(features, weight, bias, scale, softcap, rows)
    is_cast = torch.is_autocast_enabled(features.device.type)
    targets = _checked_targets(target, features.shape[:-1], len(weight), sample_weight)
    with torch.autocast(features.device.type, enabled=False):
        value = _evaluated(features, head, targets, loss, group)
    if is_cast:
        return value.to(torch.float32) if value.dtype is torch.float64 else value
    return value.to(features.dtype)


def _evaluated(features: Tensor, head: Head, targets: Targets, loss: Loss | str, group: ProcessGroup | None) -> Tensor:
    if torch.compiler.is_compiling() and group is None:
        from noiseproof.losses.kernel.compiled import compiled_loss  # which is of no use without a compiler

        return compiled_loss(loss, features, head, targets)
    made = make_loss(loss) if isinstance(loss, str) else loss
    if not torch.is_grad_enabled():
        return solve(made, _classes(head.weight, group), features, head, targets, NOTHING)[0]
    tensors = [each for each in (features, *head[:2], *targets, made.weight) if each is not None]
    constants = [each for each in (*targets, made.weight) if each is not None]
    if not needs_plain_formula(*tensors) and not any(each.requires_grad for each in constants):
        value: Tensor = LinearLoss.apply(  # type: ignore[no-untyped-call]
            features, *head[:2], made, _classes(head.weight, group), head, targets
        )
        return value
    if group is None:
        return solve_plainly(made, features, head, targets)
    raise LabelError(
        "linear_loss over shards of the classes, where something looks through its operations (as torch.func) "
        "or a target or weight wants a gradient: expected group=None"
    )


class LinearStatistics(NamedTuple):
    """What a linear layer's logits say of each sample; each ``(...)``.

    Attributes:
        log_p: the log-probability of the label; NaN where it is ignored.
        logsumexp: the logarithm of the sum of the exponentiated logits.
        entropy: of the probabilities, in nats.
        top: the likeliest class.
    """

    log_p: Tensor
    logsumexp: Tensor
    entropy: Tensor
    top: Tensor


@torch.no_grad()
def linear_statistics(
    features: Tensor,
    weight: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    scale: float = 1.0,
    softcap: float | None = None,
    ignore_index: int = -100,
    group: ProcessGroup | None = None,
    rows: int | None = None,
) -> LinearStatistics:
    """What a linear layer's logits say of each sample, without all of them at once and without gradients.

    Args:
        features: as for :func:`linear_loss`, and so are the others.
        weight: likewise.
        target: class indices ``(...)``.
        bias: likewise.
        scale: likewise.
        softcap: likewise.
        ignore_index: the class index of samples without a label.
        group: likewise.
        rows: likewise.

    Returns:
        The numbers in float32, or in float64 for features of that type.

    Raises:
        LabelError: as :func:`linear_loss`.
    """
    made = make_loss("ce", ignore_index=ignore_index)
    features, head = _checked(features, weight, bias, scale, softcap, rows)
    classes = _classes(weight, group)
    flat, shape = features.reshape(-1, features.shape[-1]), features.shape[:-1]
    if not isinstance(target, Tensor) or target.is_floating_point():
        what = target.dtype if isinstance(target, Tensor) else f"a {type(target).__name__}"
        raise LabelError(f"targets are {what}: expected a tensor of class indices")
    label, _ = as_target(made, target, torch.Size([*shape, len(weight)]), len(shape), torch.float32)
    assert label is not None  # noqa: S101 - those are labels
    label, kept = kept_labels(made, label, classes.size, readable=True)
    found: list[tuple[Tensor, ...]] = []
    with torch.autocast(features.device.type, enabled=False):
        for chunk in Products(head, flat, classes.widest, NOTHING, 1.0):
            step = block_rows(chunk.scores, classes.widest)
            for start in range(0, len(chunk.scores), step):
                scores = chunk.scores[start : start + step]
                head.bend(scores)
                first = chunk.part.start + start
                of_rows = label[first : first + len(scores)]
                total, (_, top) = classes.logsumexp(scores), classes.top(scores)
                log_p = classes.at(scores, of_rows) - total
                powers = (scores - total).exp_()
                entropy = total - classes.sum(torch.where(powers > 0, powers * scores, 0.0))
                found.append((log_p, total, entropy, top))
    if not found:
        nothing = precision_of(flat, made)
        found = [(*(flat.new_zeros(0, 1, dtype=nothing) for _ in range(3)), label)]
    log_p, total, entropy, top = (torch.cat(parts).squeeze(-1) for parts in zip(*found, strict=True))
    if kept is not None:
        log_p = torch.where(kept.squeeze(-1), log_p, torch.nan)
    return LinearStatistics(*(each.reshape(shape) for each in (log_p, total, entropy, top)))


def _classes(weight: Tensor, group: ProcessGroup | None) -> Reductions:
    if group is None:
        return Reductions(len(weight))
    from torch.distributed import ProcessGroup

    from noiseproof.losses.kernel.shards import SplitReductions  # which not every build of torch has the means for

    if not isinstance(group, ProcessGroup):
        raise LabelError(f"group is a {type(group).__name__}: expected a torch.distributed.ProcessGroup, or None")
    return SplitReductions(group, len(weight), weight.device)


def _checked(
    features: Tensor, weight: Tensor, bias: Tensor | None, scale: float, softcap: float | None, rows: int | None
) -> tuple[Tensor, Head]:
    """Features and a head, in one type."""
    if not (isinstance(features, Tensor) and isinstance(weight, Tensor)):
        raise LabelError(
            f"features are a {type(features).__name__} and weights a {type(weight).__name__}: expected tensors"
        )
    if weight.ndim != 2 or features.ndim < 1 or features.shape[-1] != weight.shape[1] or len(weight) < 1:
        raise LabelError(
            f"features have shape {tuple(features.shape)} and weights {tuple(weight.shape)}: expected (..., D) and "
            "(classes, D)"
        )
    if bias is not None and (not isinstance(bias, Tensor) or bias.shape != weight.shape[:1]):
        raise LabelError(f"bias {bias!r:.60}: expected a tensor with a number for each of {len(weight)} classes")
    device = features.device.type
    if torch.is_autocast_enabled(device):
        half = torch.get_autocast_dtype(device)
        features, weight = features.to(half), weight.to(half)
        bias = None if bias is None else bias.to(half)
    types = [each.dtype for each in (features, weight, bias) if each is not None]
    if not features.is_floating_point() or {*types} != {features.dtype}:
        raise LabelError(
            f"features, weights and bias are {', '.join(map(str, types))}: expected one floating-point type"
        )
    if not _is_positive(scale):
        raise LabelError(
            f"scale {scale!r:.60}: expected a positive number; one that is learned multiplies the features"
        )
    if softcap is not None and not _is_positive(softcap):
        raise LabelError(f"softcap {softcap!r:.60}: expected a positive number, or None")
    if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or rows < 1):
        raise LabelError(f"rows {rows!r:.60}: expected a whole number from 1 on, or None")
    return features, Head(weight, bias, float(scale), float(softcap or 0.0), rows or 0)


def _is_positive(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 < number < math.inf


def _checked_targets(
    target: Tensor | tuple[Tensor, Tensor], shape: torch.Size, num_classes: int, sample_weight: Tensor | None
) -> Targets:
    if isinstance(target, Tensor):
        return Targets(target, None, sample_weight)
    if not (isinstance(target, tuple) and len(target) == 2 and all(isinstance(each, Tensor) for each in target)):
        raise LabelError(
            f"targets are a {type(target).__name__}: expected a tensor, or two, a teacher's features and weights"
        )
    features, weight = target
    if not features.is_floating_point() or features.dtype != weight.dtype:
        raise LabelError(
            f"a teacher's features are {features.dtype}, its weights {weight.dtype}: expected one floating-point type"
        )
    if features.shape[:-1] != shape or weight.ndim != 2 or features.shape[-1:] != weight.shape[1:]:
        raise LabelError(
            f"a teacher's features have shape {tuple(features.shape)} and weights {tuple(weight.shape)}: expected "
            f"{(*shape, 'E')} and ({num_classes}, 'E')"
        )
    if len(weight) != num_classes:
        raise LabelError(f"a teacher has {len(weight)} classes: expected {num_classes}, as the weights have")
    return Targets(features, weight, sample_weight)
