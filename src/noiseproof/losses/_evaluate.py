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

_BLOCK = 1 << 18
"""Entries of a block of rows: several arrays of this size stay in a core's cache while a step walks through them."""

_BLOCK_OF_A_DEVICE = 1 << 26
"""The same where no cache is to be kept and every operation has a price of its own: as much as memory allows."""

_SMALL = 1 << 14
"""Entries below which an operation costs more than what it does to each of them."""

_HALF = (torch.float16, torch.bfloat16)


def evaluate(loss: Loss, logits: Tensor, target: Tensor) -> Tensor:
    """The reduced loss of ``logits`` for ``target``; :meth:`noiseproof.losses.Loss.forward` documents both."""
    rows, label, coefficients, shape = _as_rows(logits, target)
    plain = _needs_plain_formula()

    def attempt(*, masked: bool) -> Tensor:
        if label is None or not masked:
            return _run(_weigh(loss, rows, label, coefficients, None), rows, plain)
        kept = label != loss.ignore_index
        return _run(_weigh(loss, rows, torch.where(kept, label, 0), None, kept), rows, plain)

    # To look for ignored labels would cost every step; on the CPU gathering at one fails, and only then they are
    # looked for.
    concrete = not plain and not torch.compiler.is_compiling()
    trusting = loss.ignore_index < 0 and rows.device.type == "cpu" and concrete
    try:
        reduced = attempt(masked=not trusting)
    except (RuntimeError, IndexError):
        if label is None or not concrete:
            raise
        _refuse_labels_out_of_range(loss, label, rows.shape[-1])
        if not trusting:
            raise
        reduced = attempt(masked=True)
    if reduced.dtype != logits.dtype and not torch.is_autocast_enabled(logits.device.type):
        reduced = reduced.to(logits.dtype)
    return reduced.reshape(shape) if loss.reduction == "none" else reduced


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one evaluation of a loss needs besides the logits."""

    loss: Loss
    label: Tensor | None
    """``(rows, 1)``."""
    coefficients: Tensor | None
    """``(rows, classes)``, in place of labels."""
    row_weight: Tensor | None
    """``(rows, 1)``: class weights, and 0 for ignored rows."""
    divisor: Tensor | int
    """What the sum over the rows is divided by."""

    @property
    def scale(self) -> float:
        """What the gradient of a row's loss is multiplied by, where that is a number."""
        return 1.0 / self.divisor if isinstance(self.divisor, int) else 1.0

    def rows(self, logits: Tensor, part: slice | None = None, *, with_slope: bool) -> Rows:
        """Some of the rows, or all of them, with the loss."""
        label, coefficients = self.label, self.coefficients
        if part is not None:
            logits = logits[part]
            label = None if label is None else label[part]
            coefficients = None if coefficients is None else coefficients[part]
        logits = logits.float() if logits.dtype in _HALF else logits
        rows = Rows(logits, label, coefficients, with_slope=with_slope)
        self.loss.accumulate(rows, 1.0)
        return rows

    def reduce(self, values: Tensor) -> Tensor:
        """The values of all rows, ``(rows, 1)``, as the loss is to return them."""
        if self.row_weight is not None:
            values = values * self.row_weight
        if self.loss.reduction == "none":
            return values.squeeze(-1)
        if isinstance(self.divisor, Tensor):
            return values.sum() / self.divisor
        return values.sum() if self.divisor == 1 else values.mean()

    def plain(self, logits: Tensor) -> Tensor:
        """The reduced loss as a plain formula, for autograd to differentiate as often as it likes."""
        return self.reduce(self.rows(logits, with_slope=False).value())


def _run(batch: _Batch, rows: Tensor, plain: bool) -> Tensor:
    wants_gradient = torch.is_grad_enabled() and rows.requires_grad
    target_wants_gradient = batch.coefficients is not None and batch.coefficients.requires_grad
    if plain or target_wants_gradient or not wants_gradient:
        return batch.plain(rows)
    result: Tensor = _ClosedForm.apply(rows, batch)  # type: ignore[no-untyped-call]
    return result


class _ClosedForm(torch.autograd.Function):
    """The loss with its gradient written in the forward, from the same row statistics.

    Large inputs are walked through in blocks of rows that stay in the cache, so that the logits are read once and the
    gradient is written once.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, batch: _Batch) -> Tensor:
        device = logits.device.type
        if torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                values, gradient, left = _walk(logits, batch)
        else:
            values, gradient, left = _walk(logits, batch)
        ctx.batch = batch
        ctx.left = left
        ctx.save_for_backward(logits, gradient)
        return batch.reduce(values)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        logits, gradient = ctx.saved_tensors
        compiling = torch.compiler.is_compiling()
        if torch.is_grad_enabled() and not compiling:
            # Someone differentiates twice: the plain formula gives autograd the graph that this step has not.
            (again,) = torch.autograd.grad(ctx.batch.plain(logits), logits, grad_output, create_graph=True)
            return again, None
        if grad_output.ndim:
            return gradient * grad_output.unsqueeze(-1), None
        if ctx.left != 1:
            return gradient * (grad_output * ctx.left), None
        large = not compiling and gradient.numel() >= _SMALL
        if large and grad_output.device.type == "cpu" and float(grad_output) == 1.0:
            return gradient, None  # the usual case, and the copy would cost as much as half the loss
        return gradient * grad_output, None


def _walk(logits: Tensor, batch: _Batch) -> tuple[Tensor, Tensor, float]:
    """The values ``(rows, 1)``, the gradient by the logits, and what is left to multiply the gradient by."""
    count, num_classes = logits.shape
    row_weight = batch.row_weight
    if isinstance(batch.divisor, Tensor):
        weight = torch.ones_like(logits[:, :1]) if row_weight is None else row_weight
        # Where every row is ignored the mean is 0/0, but no logit has any influence on it.
        row_weight = torch.where(weight == 0, 0.0, weight / batch.divisor)
    block = _BLOCK if logits.device.type == "cpu" else _BLOCK_OF_A_DEVICE
    step = max(1, block // num_classes)
    # A compiler makes its own blocks, and fuses the conversion of half precision.
    if torch.compiler.is_compiling() or (count <= 2 * step and logits.dtype not in _HALF):
        rows = batch.rows(logits, with_slope=True)
        scale, left = (1.0, batch.scale) if logits.numel() < _SMALL else (batch.scale, 1.0)
        gradient = rows.gradient(scale)
        if row_weight is not None:
            gradient *= row_weight
        return rows.value(), gradient.to(logits.dtype), left
    gradient = torch.empty_like(logits, memory_format=torch.contiguous_format)
    values = []
    for start in range(0, count, step):
        part = slice(start, start + step)
        rows = batch.rows(logits, part, with_slope=True)
        target = gradient[part]
        written = rows.gradient(batch.scale, out=target if target.dtype == rows.logits.dtype else None)
        if row_weight is not None:
            written *= row_weight[part]
        if written is not target:
            target.copy_(written)
        values.append(rows.value())
    return torch.cat(values) if values else logits.new_zeros(0, 1, dtype=torch.float32), gradient, 1.0


def _weigh(loss: Loss, rows: Tensor, label: Tensor | None, coefficients: Tensor | None, kept: Tensor | None) -> _Batch:
    """Apply ``weight``, ``label_smoothing`` and the ignored rows to the targets, each as PyTorch defines it."""
    precision = torch.float32 if rows.dtype in _HALF else rows.dtype
    weight = None if loss.weight is None else loss.weight.to(precision)
    row_weight: Tensor | None = None if kept is None else kept.to(precision)
    kept = row_weight
    if weight is not None and label is not None:
        row_weight = weight[label] if kept is None else weight[label] * kept
    divisor: Tensor | int = 1
    if loss.reduction == "mean":
        divisor = rows.shape[0] if row_weight is None else row_weight.sum()
        if not rows.shape[0]:
            divisor = rows.new_zeros((), dtype=precision)  # the mean over nothing is 0/0, as PyTorch has it
    if label is None or loss.label_smoothing:
        if label is not None:
            # The class weights go into the coefficients; the rows keep only their being ignored.
            coefficients = torch.zeros_like(rows, dtype=precision, requires_grad=False).scatter_(-1, label, 1.0)
            label, row_weight = None, kept
        assert coefficients is not None  # noqa: S101 - _as_rows gives labels or probabilities
        if loss.label_smoothing:
            spread = torch.full_like(coefficients, 1 / rows.shape[-1])
            coefficients = torch.lerp(coefficients, spread, loss.label_smoothing)
        if weight is not None:
            coefficients = coefficients * weight
    return _Batch(loss, label, coefficients, row_weight, divisor)


def _needs_plain_formula() -> bool:
    """Whether something looks through the operations that the closed form would hide from it."""
    return torch._C._are_functorch_transforms_active()  # noqa: SLF001 - no public way


def _as_rows(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, torch.Size]:
    """Logits as ``(rows, classes)``, the target as labels ``(rows, 1)`` or as probabilities, and its shape."""
    if not logits.is_floating_point():
        raise LabelError(f"logits are {logits.dtype}: expected floating-point scores before the softmax")
    class_dim = 0 if logits.ndim == 1 else 1
    if logits.ndim == 0 or logits.shape[class_dim] < 2:
        raise LabelError(
            f"logits have shape {tuple(logits.shape)}: expected (classes,) or (N, classes, …) with at least two classes"
        )
    num_classes = logits.shape[class_dim]
    expected = logits.shape[:class_dim] + logits.shape[class_dim + 1 :]
    rows = logits if logits.ndim == 2 else logits.movedim(class_dim, -1).reshape(-1, num_classes)
    if target.is_floating_point():
        if target.shape != logits.shape:
            raise LabelError(
                f"probability targets have shape {tuple(target.shape)}: expected that of the logits, "
                f"{tuple(logits.shape)}; class indices must be integers, not {target.dtype}"
            )
        precision = torch.float32 if rows.dtype in _HALF else rows.dtype
        return rows, None, target.to(precision).movedim(class_dim, -1).reshape(-1, num_classes), expected
    if target.dtype is not torch.int64:
        if target.dtype is torch.bool or target.is_complex():
            raise LabelError(f"targets are {target.dtype}: expected class indices or class probabilities")
        target = target.long()
    if target.shape != expected:
        raise LabelError(
            f"class-index targets have shape {tuple(target.shape)}: expected {tuple(expected)} for logits of shape "
            f"{tuple(logits.shape)}"
        )
    return rows, target.reshape(-1, 1), None, expected


def _refuse_labels_out_of_range(loss: Loss, label: Tensor, num_classes: int) -> None:
    wrong = label[((label < 0) | (label >= num_classes)) & (label != loss.ignore_index)]
    if len(wrong):
        raise LabelError(
            f"target {int(wrong[0])} is no class: expected 0 … {num_classes - 1} for logits of {num_classes} classes, "
            f"or ignore_index={loss.ignore_index}"
        )
