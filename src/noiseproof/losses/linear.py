"""Losses behind a linear layer with very many classes, without its logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from noiseproof.errors import LabelError
from noiseproof.losses.kernel.batch import (
    HALF,
    as_target,
    as_weights,
    can_read,
    kept_labels,
    needs_plain_formula,
    precision_of,
    weigh,
)
from noiseproof.losses.kernel.evaluate import block_rows
from noiseproof.losses.kernel.head import Head, LinearLoss, Products
from noiseproof.losses.kernel.reductions import Reductions
from noiseproof.losses.make import make_loss

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.distributed import ProcessGroup

    from noiseproof.losses.base import Loss


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
    made = make_loss(loss) if isinstance(loss, str) else loss
    head = _checked_head(features, weight, bias, scale, softcap, rows)
    classes = _classes(weight, group)
    flat = features.reshape(-1, features.shape[-1])
    shape = features.shape[:-1]
    device = features.device.type
    half = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else features.dtype
    like = weight.new_empty(0, dtype=torch.float32 if half in HALF else half)
    label, soft = _target(made, target, shape, classes, like)
    tensors = [each for each in (features, weight, bias, label, sample_weight, made.weight) if isinstance(each, Tensor)]
    plain = needs_plain_formula(*tensors) or (isinstance(soft, Tensor) and soft.requires_grad)
    own = None if sample_weight is None else as_weights(sample_weight, shape, like, made)
    plain = plain or any(each is not None and each.requires_grad for each in (own, made.weight))
    kept: Tensor | None = None
    index: Tensor | None = None
    if label is not None:
        label, kept = kept_labels(made, label, classes.size, readable=not plain or can_read(label))
    if kept is not None and not plain:
        # Ignored rows need no products.
        index = kept.squeeze(-1).nonzero().squeeze(-1)
        assert label is not None  # noqa: S101 - only labels are ignored
        flat, label, kept = flat[index], label[index], None
        own = None if own is None else own[index]
    batch = weigh(made, len(flat), classes, like, label, soft, kept, own)
    if plain and classes.is_split:
        raise LabelError("group: shards of the classes have no plain formula for torch.func and second derivatives")
    value: Tensor
    if plain:
        logits = head.logits(flat)
        with torch.autocast(device, enabled=False):
            value = batch.plain(logits)
    else:
        value = LinearLoss.apply(flat, weight, bias, head, batch)  # type: ignore[no-untyped-call]
    if made.reduction == "none":
        if index is not None:
            value = value.new_zeros(shape.numel()).index_copy(0, index, value)
        value = value.reshape(shape)
    return value.to(features.dtype) if not made.needs_float64 or half not in HALF else value.to(torch.float32)


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
    head = _checked_head(features, weight, bias, scale, softcap, rows)
    classes = _classes(weight, group)
    flat, shape = features.reshape(-1, features.shape[-1]), features.shape[:-1]
    label, _ = as_target(made, target, torch.Size([*shape, len(weight)]), len(shape), torch.float32)
    if label is None:
        raise LabelError(f"targets are {target.dtype}: expected class indices")
    label, kept = kept_labels(made, label, classes.size, readable=True)
    found: list[tuple[Tensor, ...]] = []
    products = Products(head, flat, classes.widest, (False, False, False), 1.0)
    with torch.autocast(features.device.type, enabled=False):
        for chunk in products:
            step = block_rows(chunk.scores, classes.widest)
            for start in range(0, len(chunk.scores), step):
                scores = chunk.scores[start : start + step]
                head.bend(scores)
                first = chunk.part.start + start
                of_rows = label[first : first + len(scores)]
                total, top = classes.logsumexp(scores), classes.top(scores)
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
    from noiseproof.losses.kernel.shards import SplitReductions  # which not every build of torch has the means for

    return SplitReductions(group, len(weight), weight.device)


def _checked_head(
    features: Tensor, weight: Tensor, bias: Tensor | None, scale: float, softcap: float | None, rows: int | None
) -> Head:
    if not (isinstance(features, Tensor) and isinstance(weight, Tensor)):
        raise LabelError(
            f"features are a {type(features).__name__} and weights a {type(weight).__name__}: expected tensors"
        )
    if weight.ndim != 2 or features.ndim < 1 or features.shape[-1] != weight.shape[1]:
        raise LabelError(
            f"features have shape {tuple(features.shape)} and weights {tuple(weight.shape)}: expected (..., D) and "
            "(classes, D)"
        )
    cast = torch.is_autocast_enabled(features.device.type)
    if not features.is_floating_point() or (features.dtype != weight.dtype and not cast):
        raise LabelError(
            f"features are {features.dtype} and weights {weight.dtype}: expected one floating-point type (or autocast)"
        )
    if bias is not None and (bias.shape != weight.shape[:1] or not bias.is_floating_point()):
        raise LabelError(
            f"bias is {bias.dtype} of shape {tuple(bias.shape)}: expected a number for each of {len(weight)} classes"
        )
    if not 0 < scale < float("inf"):
        raise LabelError(f"scale {scale}: expected a positive number")
    if softcap is not None and not 0 < softcap < float("inf"):
        raise LabelError(f"softcap {softcap}: expected a positive number, or None")
    if rows is not None and rows < 1:
        raise LabelError(f"rows {rows}: expected at least 1, or None")
    return Head(weight, bias, float(scale), float(softcap or 0.0), rows or 0)


def _target(
    loss: Loss, target: Tensor | tuple[Tensor, Tensor], shape: torch.Size, classes: Reductions, like: Tensor
) -> tuple[Tensor | None, Tensor | Callable[[slice | None], Tensor] | None]:
    """Labels ``(rows, 1)``, or probabilities ``(rows, classes)`` or what makes those of some rows."""
    precision, num_classes = precision_of(like, loss), classes.own_size
    if isinstance(target, Tensor):
        return as_target(loss, target, torch.Size([*shape, num_classes]), len(shape), precision)
    features, weight = target
    if features.shape[:-1] != shape or weight.ndim != 2 or features.shape[-1:] != weight.shape[1:]:
        raise LabelError(
            f"a teacher's features have shape {tuple(features.shape)} and weights {tuple(weight.shape)}: expected "
            f"{(*shape, 'E')} and ({num_classes}, 'E')"
        )
    if len(weight) != num_classes:
        raise LabelError(f"a teacher has {len(weight)} classes: expected {num_classes}, as the weights have")
    flat, fixed = features.detach().reshape(-1, features.shape[-1]), weight.detach()

    def probabilities(part: slice | None) -> Tensor:
        logits = functional.linear(flat if part is None else flat[part], fixed)
        return classes.softmax(logits.to(precision))

    return None, probabilities
