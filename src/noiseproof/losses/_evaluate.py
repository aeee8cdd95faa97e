"""How a loss meets a batch: shapes, label kinds, weights and reduction as ``torch.nn.CrossEntropyLoss`` has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from noiseproof.errors import LabelError
from noiseproof.losses._rows import Rows

if TYPE_CHECKING:
    from noiseproof.losses._base import Loss


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch as rows: what one evaluation of a loss needs besides the logits."""

    loss: Loss
    label: Tensor | None  # (rows, 1)
    coefficients: Tensor | None  # (rows, classes)
    row_weight: Tensor | None  # (rows, 1): class weights and ignored rows
    total_weight: Tensor | int  # what the mean divides by

    def rows(self, logits: Tensor, *, with_slope: bool) -> Rows:
        rows = Rows(logits, self.label, self.coefficients, with_slope=with_slope)
        self.loss.accumulate(rows, 1.0)
        return rows

    def plain(self, logits: Tensor) -> Tensor:
        """The reduced loss as a plain formula, for autograd to differentiate as often as it likes."""
        return self.reduce(self.rows(logits, with_slope=False))

    def reduce(self, rows: Rows) -> Tensor:
        values = rows.value
        assert isinstance(values, Tensor)  # noqa: S101 - every loss adds a term
        if self.row_weight is not None:
            values = values * self.row_weight
        if self.loss.reduction == "none":
            return values.squeeze(-1)
        return values.sum() / self.total_weight if self.loss.reduction == "mean" else values.sum()


def evaluate(loss: Loss, logits: Tensor, target: Tensor) -> Tensor:
    """The reduced loss of ``logits`` for ``target``; :meth:`noiseproof.losses.Loss.forward` documents both."""
    rows, label, coefficients, shape = _as_rows(logits, target)
    try:
        batch = _weigh(loss, rows, label, coefficients)
        target_needs_gradient = batch.coefficients is not None and batch.coefficients.requires_grad
        if torch.is_grad_enabled() and rows.requires_grad and not target_needs_gradient:
            reduced: Tensor = _ClosedForm.apply(rows, batch)  # type: ignore[no-untyped-call]
        else:
            reduced = batch.plain(rows)
    except (RuntimeError, IndexError) as error:
        # Looking at the labels beforehand would cost every step; gathering at them looks anyway.
        if label is not None:
            _refuse_labels_out_of_range(loss, label, rows.shape[-1], error)
        raise
    return reduced.to(logits.dtype).reshape(shape if loss.reduction == "none" else ())


def _weigh(loss: Loss, rows: Tensor, label: Tensor | None, coefficients: Tensor | None) -> _Batch:
    """Apply ``ignore_index``, ``weight`` and ``label_smoothing`` to the targets, each as PyTorch defines it."""
    weight = None if loss.weight is None else loss.weight.to(rows.dtype)
    kept: Tensor | None = None
    row_weight: Tensor | None = None
    if label is not None:
        mask = label != loss.ignore_index
        if mask.device.type != "cpu" or not bool(mask.all()):
            label = torch.where(mask, label, 0)
            kept = row_weight = mask.to(rows.dtype)
        if weight is not None:
            row_weight = weight[label] if kept is None else weight[label] * kept
    total_weight = rows.shape[0] if row_weight is None else row_weight.sum()
    if label is None or loss.label_smoothing:
        if label is not None:
            # The class weights go into the coefficients; the rows keep only their being ignored.
            coefficients = torch.zeros_like(rows, requires_grad=False).scatter_(-1, label, 1.0)
            label, row_weight = None, kept
        assert coefficients is not None  # noqa: S101 - _as_rows gives labels or probabilities
        if loss.label_smoothing:
            coefficients = torch.lerp(
                coefficients, torch.full_like(coefficients, 1 / rows.shape[-1]), loss.label_smoothing
            )
        if weight is not None:
            coefficients = coefficients * weight
    return _Batch(loss, label, coefficients, row_weight, total_weight)


class _ClosedForm(torch.autograd.Function):
    """The loss with its gradient written in the forward, from the same row statistics."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, batch: _Batch) -> Tensor:
        rows = batch.rows(logits, with_slope=True)
        gradient = rows.gradient()
        if batch.row_weight is not None:
            gradient *= batch.row_weight
        if batch.loss.reduction == "mean":
            gradient /= batch.total_weight
        ctx.batch = batch
        ctx.save_for_backward(logits, gradient)
        return batch.reduce(rows)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        logits, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():
            # Someone differentiates twice: the plain formula gives autograd the graph that this step has not.
            (gradient,) = torch.autograd.grad(ctx.batch.plain(logits), logits, grad_output, create_graph=True)
            return gradient, None
        return gradient * (grad_output.unsqueeze(-1) if grad_output.ndim else grad_output), None


def _as_rows(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, torch.Size]:
    """Logits as ``(rows, classes)`` in float32 or wider, and the target as labels or as probabilities."""
    if not logits.is_floating_point():
        raise LabelError(f"logits are {logits.dtype}: expected floating-point scores before the softmax")
    if logits.ndim == 0 or logits.shape[_class_dim(logits)] < 2:
        raise LabelError(
            f"logits have shape {tuple(logits.shape)}: expected (classes,) or (N, classes, …) with at least two classes"
        )
    class_dim = _class_dim(logits)
    expected = logits.shape[:class_dim] + logits.shape[class_dim + 1 :]
    num_classes = logits.shape[class_dim]
    wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    rows = wide if wide.ndim == 2 else wide.movedim(class_dim, -1).reshape(-1, num_classes)
    if target.is_floating_point():
        if target.shape != logits.shape:
            raise LabelError(
                f"probability targets have shape {tuple(target.shape)}: expected that of the "
                f"logits, {tuple(logits.shape)}; class indices must be integers, not {target.dtype}"
            )
        probabilities = target.to(rows.dtype).movedim(class_dim, -1).reshape(-1, num_classes)
        return rows, None, probabilities, expected
    if target.dtype is not torch.int64:
        if target.dtype is torch.bool or target.is_complex():
            raise LabelError(f"targets are {target.dtype}: expected class indices or class probabilities")
        target = target.long()
    if target.shape != expected:
        raise LabelError(
            f"class-index targets have shape {tuple(target.shape)}: expected {tuple(expected)} "
            f"for logits of shape {tuple(logits.shape)}"
        )
    return rows, target.reshape(-1, 1), None, expected


def _class_dim(logits: Tensor) -> int:
    return 0 if logits.ndim == 1 else 1


def _refuse_labels_out_of_range(loss: Loss, label: Tensor, num_classes: int, cause: Exception) -> None:
    wrong = label[((label < 0) | (label >= num_classes)) & (label != loss.ignore_index)]
    if len(wrong):
        raise LabelError(
            f"target {int(wrong[0])} is no class: expected 0 … {num_classes - 1} for logits of {num_classes} classes, "
            f"or ignore_index={loss.ignore_index}"
        ) from cause
