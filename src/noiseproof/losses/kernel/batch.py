"""A batch as ``torch.nn.CrossEntropyLoss`` takes it: shapes, kinds of labels, weights and reduction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from noiseproof.errors import LabelError
from noiseproof.losses.kernel.form import gradient_of, value_of
from noiseproof.losses.kernel.replay import called, recording
from noiseproof.losses.kernel.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from noiseproof.losses.base import Loss
    from noiseproof.losses.kernel.form import Form
    from noiseproof.losses.kernel.reductions import Reductions

HALF = (torch.float16, torch.bfloat16)

_PLAIN_TYPES = (Tensor, nn.Parameter)


@dataclass(slots=True)  # a frozen one takes twice as long to make
class Batch:
    """What one evaluation of a loss needs besides the logits.

    What is as large as the logits is made for a block of rows at a time.
    """

    loss: Loss
    label: Tensor | None
    """``(rows, 1)``."""
    soft: Tensor | Callable[[slice | None], Tensor] | None
    """``(rows, classes)``, probabilities in place of labels; or what makes those of some of the rows."""
    smoothing: float
    """The share of each label that is spread over all classes."""
    class_weight: Tensor | None
    """``(classes,)``, where each label of a row has a weight of its own; else the weights are in ``row_weight``."""
    kept: Tensor | None
    """``(rows, 1)``: false for ignored rows, whose logits may be anything. ``None``: none is ignored."""
    row_weight: Tensor | None
    """``(rows, 1)``: class weights times weights of samples, 0 for ignored rows."""
    divisor: Tensor | int
    """What the sum over the rows is divided by."""
    classes: Reductions
    """What sums up over the classes."""

    @property
    def versions(self) -> list[int]:
        """How often the targets were changed in place."""
        return [target._version for target in self._tensors]  # noqa: SLF001

    @property
    def wants_gradient(self) -> bool:
        """Whether something else than the logits does."""
        return any(other.requires_grad for other in self._tensors)

    @property
    def _tensors(self) -> list[Tensor]:
        others = (self.label, self.soft, self.class_weight, self.row_weight)
        return [other for other in others if isinstance(other, Tensor)]

    @property
    def scale(self) -> float:
        """What the gradient of every row is multiplied by, where that is a number."""
        return 1.0 / self.divisor if isinstance(self.divisor, int) else 1.0

    @property
    def factor(self) -> Tensor | None:
        """What the gradient of a row is multiplied by besides: ``(rows, 1)``, one number, or nothing."""
        if not isinstance(self.divisor, Tensor):
            return self.row_weight
        # Where no row counts the mean is 0/0, but no logit has any influence on it.
        weight = torch.ones_like(self.divisor) if self.row_weight is None else self.row_weight
        return torch.where((weight == 0) | (self.divisor == 0), 0.0, weight / self.divisor)

    def rows(self, logits: Tensor, part: slice | None = None, *, with_slope: bool) -> tuple[Rows, Form]:
        """Logits of some of the rows, or of all, and what the loss comes to there."""
        loss = self.loss
        precision = precision_of(logits, loss)
        logits = logits if logits.dtype is precision else logits.to(precision)
        label, coefficients = self._targets(logits, part)
        sharp = loss.sharpness(self.classes.size) > 1
        rows = Rows(logits, label, coefficients, with_slope=with_slope, sharp=sharp, classes=self.classes)
        return rows, loss.form(rows)

    def _targets(self, logits: Tensor, part: slice | None) -> tuple[Tensor | None, Tensor | None]:
        """Labels, or how much the loss for each label counts."""
        label = self.label if self.label is None or part is None else self.label[part]
        share, size = self.smoothing, self.classes.size
        if label is not None and not share:
            return label, None
        if label is not None:
            of_label = logits.new_full((), 1 - share + share / size)
            coefficients = torch.where(self.classes.marks(label), of_label, share / size)
        else:
            assert self.soft is not None  # noqa: S101 - there are labels or probabilities
            if isinstance(self.soft, Tensor):
                coefficients = self.soft if part is None else self.soft[part]
            else:
                coefficients = self.soft(part)
            if share:
                coefficients = torch.lerp(coefficients, torch.full_like(coefficients, 1 / size), share)
        return None, coefficients if self.class_weight is None else coefficients * self.class_weight

    def solve(
        self, logits: Tensor, part: slice | None = None, scale: float = 1.0, out: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The values ``(rows, 1)`` of some of the rows, or of all, and a multiple of their gradient by the logits.

        Args:
            logits: of these rows.
            part: which ones they are.
            scale: what the gradient is multiplied by.
            out: where it is written; the logits themselves are allowed.
        """
        label = self.label
        if label is None or self.smoothing or self.classes.is_split or not is_repeatable(self.loss):
            return self.compute(logits, part, scale, out)
        key = (logits.shape, logits.dtype, logits.device, scale, out is None, out is logits)
        inputs = (logits, label if part is None else label[part], out)
        plan = recording(self.loss, key)
        found = None if plan is None else plan(*inputs)
        if found is None:

            def computed(logits: Tensor, label: Tensor, out: Tensor | None) -> tuple[Tensor, Tensor]:
                return replace(self, label=label).compute(logits, None, scale, out)

            found = called(self.loss, key, computed, inputs)
        return found[0], found[1]

    def compute(
        self, logits: Tensor, part: slice | None = None, scale: float = 1.0, out: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """What :meth:`solve` gives, without recordings."""
        rows, form = self.rows(logits, part, with_slope=True)
        gradient = gradient_of(form, rows, scale, out)
        return value_of(form, rows), gradient

    def reduce(self, values: Tensor) -> Tensor:
        """The values of all rows, ``(rows, 1)``, as the loss is to return them."""
        if self.row_weight is not None:
            values = values * self.row_weight
        if self.kept is not None:
            values = torch.where(self.kept, values, 0.0)
        if self.loss.reduction == "none":
            return values.squeeze(-1)
        if self.kept is None and isinstance(self.divisor, int):
            return values.sum() if self.divisor == 1 else values.mean()
        return values.sum() / self.divisor

    def plain(self, logits: Tensor) -> Tensor:
        """The reduced loss as a plain formula, for autograd to differentiate as often as it likes."""
        if self.kept is not None:
            # Autograd multiplies with 0 where a value is not used, and 0 times NaN is NaN.
            logits = torch.where(self.kept, logits, 0.0)
        rows, form = self.rows(logits, with_slope=False)
        return self.reduce(value_of(form, rows))


def is_repeatable(loss: Loss) -> bool:
    """Whether what a loss calls may be recorded."""
    return not torch.compiler.is_compiling() and loss.is_fixed


def as_rows(logits: Tensor, target: Tensor) -> Tensor:
    """Logits as ``(rows, classes)``.

    Raises:
        LabelError: they are no scores of classes.
    """
    if not (isinstance(logits, Tensor) and isinstance(target, Tensor)):
        raise LabelError(
            f"logits are a {type(logits).__name__} and targets a {type(target).__name__}: expected tensors, such as "
            "torch.as_tensor(array)"
        )
    if not logits.is_floating_point():
        raise LabelError(f"logits are {logits.dtype}: expected floating-point scores before the softmax")
    class_dim = class_dim_of(logits)
    if logits.ndim == 0 or logits.shape[class_dim] < 2:
        raise LabelError(
            f"logits have shape {tuple(logits.shape)}: expected (classes,) or (N, classes, …) with at least two classes"
        )
    return logits if logits.ndim == 2 else logits.movedim(class_dim, -1).reshape(-1, logits.shape[class_dim])


def as_target(
    loss: Loss, target: Tensor, shape: torch.Size, class_dim: int, precision: torch.dtype
) -> tuple[Tensor | None, Tensor | None]:
    """The target as labels ``(rows, 1)``, or as probabilities ``(rows, classes)``.

    Args:
        loss: the loss, for what it ignores.
        target: class indices, or probabilities.
        shape: that of logits.
        class_dim: where the classes are in it.
        precision: the type of probabilities.

    Raises:
        LabelError: another shape or type.
    """
    if target.is_floating_point():
        if target.shape != shape:
            raise LabelError(
                f"probability targets have shape {tuple(target.shape)}: expected that of the logits, {tuple(shape)}; "
                f"class indices must be integers, not {target.dtype}"
            )
        if loss.ignore_index >= 0:
            raise LabelError(
                f"ignore_index={loss.ignore_index} with probability targets: only class indices can be ignored; "
                "leave it negative"
            )
        return None, target.to(precision).movedim(class_dim, -1).reshape(-1, shape[class_dim])
    if target.dtype is not torch.int64:
        if target.dtype is torch.bool or target.is_complex():
            raise LabelError(f"targets are {target.dtype}: expected class indices or class probabilities")
        target = target.long()
    expected = without(shape, class_dim)
    if target.shape != expected:
        raise LabelError(
            f"class-index targets have shape {tuple(target.shape)}: expected {tuple(expected)} for logits of shape "
            f"{tuple(shape)}"
        )
    return target.reshape(-1, 1), None


def class_dim_of(logits: Tensor) -> int:
    """Which dimension of logits is that of the classes, as PyTorch has it."""
    return 0 if logits.ndim == 1 else 1


def without(shape: torch.Size, dim: int) -> torch.Size:
    """A shape without one of its dimensions."""
    return shape[:dim] + shape[dim + 1 :]


def kept_labels(loss: Loss, label: Tensor, num_classes: int, *, readable: bool) -> tuple[Tensor, Tensor | None]:
    """Labels that are classes, and where some rows are ignored (or may be), which are not.

    Raises:
        LabelError: a label is no class, and labels can be read.
    """
    ignored = loss.ignore_index
    if not readable:
        kept = label != ignored
        return torch.where(kept, label, 0), kept
    if not label.numel():
        return label, None
    ends = label.aminmax()
    low, high = int(ends[0]), int(ends[1])
    if low >= 0 and high < num_classes and not low <= ignored <= high:
        return label, None
    kept = label != ignored
    wrong = label[kept & ((label < 0) | (label >= num_classes))]
    if len(wrong):
        raise LabelError(
            f"target {int(wrong[0])} is no class: expected 0 … {num_classes - 1} for logits of {num_classes} classes, "
            f"or ignore_index={ignored}"
        )
    return (label, None) if bool(kept.all()) else (torch.where(kept, label, 0), kept)


def weigh(
    loss: Loss,
    count: int,
    classes: Reductions,
    like: Tensor,
    label: Tensor | None,
    soft: Tensor | Callable[[slice | None], Tensor] | None,
    kept: Tensor | None,
    own: Tensor | None,
) -> Batch:
    """Apply ``weight``, ``label_smoothing`` and the ignored rows to the targets, each as PyTorch defines it.

    Args:
        loss: the loss, with its options.
        count: how many rows there are.
        classes: what sums up over the classes.
        like: something of the type and on the device of the logits.
        label: see :class:`Batch`.
        soft: likewise.
        kept: likewise.
        own: the weights of the samples, which come on top.

    Raises:
        LabelError: weights of another number of classes.
    """
    precision = precision_of(like, loss)
    weight = loss.weight
    if weight is not None:
        if len(weight) != classes.size:
            raise LabelError(
                f"weight has {len(weight)} numbers, one for each class, but the logits {classes.size} classes"
            )
        weight = weight.to(precision)
    row_weight: Tensor | None = None
    if weight is not None and label is not None:
        row_weight = weight[label]
        if kept is not None:
            row_weight = torch.where(kept, row_weight, 0.0)
    if own is not None and kept is not None:
        own = torch.where(kept, own, 0.0)
    divisor: Tensor | int = 1
    if loss.reduction == "mean":
        if own is not None:
            divisor = own.sum() if row_weight is None else (row_weight * own).sum()
        elif row_weight is not None:
            divisor = row_weight.sum()
        elif kept is not None:
            divisor = int(kept.sum()) if can_read(kept) else kept.sum()
        else:
            divisor = count
        if isinstance(divisor, int) and not divisor:
            divisor = like.new_zeros((), dtype=precision)  # the mean over nothing is 0/0, as PyTorch has it
    if label is None or loss.label_smoothing:
        row_weight = None  # the weights of the classes are those of the single labels
        weight = None if weight is None else classes.own(weight)
    else:
        weight = None
    if own is not None:
        row_weight = own if row_weight is None else row_weight * own
    return Batch(loss, label, soft, loss.label_smoothing, weight, kept, row_weight, divisor, classes)


def as_weights(sample_weight: Any, shape: torch.Size, like: Tensor, loss: Loss) -> Tensor:
    """The weights of the samples as ``(rows, 1)``.

    Raises:
        LabelError: another shape or type than one floating-point number for each sample.
    """
    if not isinstance(sample_weight, Tensor):
        sample_weight = torch.as_tensor(sample_weight, device=like.device)
    if sample_weight.shape != shape or sample_weight.is_complex():
        raise LabelError(
            f"sample_weight is {sample_weight.dtype} of shape {tuple(sample_weight.shape)}: expected a number for each "
            f"sample, of shape {tuple(shape)}"
        )
    weights: Tensor = sample_weight.to(precision_of(like, loss)).reshape(-1, 1)
    return weights


def precision_of(logits: Tensor, loss: Loss) -> torch.dtype:
    """The type that a loss of these logits is computed in."""
    if loss.needs_float64:
        return torch.float64
    return torch.float32 if logits.dtype in HALF else logits.dtype


def is_traced() -> bool:
    """Whether :func:`torch.jit.trace` looks on."""
    return not torch.compiler.is_compiling() and torch._C._is_tracing()  # noqa: SLF001 - typed, unlike torch.jit's


def needs_plain_formula(*tensors: Tensor) -> bool:
    """Whether something looks through the operations that the closed form would hide from it, or that it cannot do.

    That are function transforms, forward-mode differentiation, tracing, subclasses of tensors, and tensors without
    numbers.
    """
    if is_looked_through():
        return True
    if torch.compiler.is_compiling():
        return False
    for tensor in tensors:  # noqa: SIM110 - at ten classes a generator is seen in the time of a loss
        if type(tensor) not in _PLAIN_TYPES or tensor.is_meta or is_batched(tensor):
            return True
    return False


def is_looked_through() -> bool:
    """Whether function transforms, forward-mode differentiation, tracing or a mode look on."""
    if torch._C._are_functorch_transforms_active():  # noqa: SLF001 - no public way
        return True
    return not torch.compiler.is_compiling() and (
        torch.autograd.forward_ad._current_level >= 0  # noqa: SLF001
        or torch._C._is_tracing()  # noqa: SLF001 - typed, unlike torch.jit's
        or torch._C._len_torch_dispatch_stack() > 0  # noqa: SLF001
    )


is_batched = torch._C._functorch.is_legacy_batchedtensor  # noqa: SLF001
"""Whether a tensor stands for a batch of them, as with ``is_grads_batched``."""


def can_read(tensor: Tensor) -> bool:
    """Whether the numbers of a tensor can be read, without waiting for a device."""
    if (
        torch.compiler.is_compiling()
        or not tensor.is_cpu
        or type(tensor) not in _PLAIN_TYPES
        or is_traced()
        or torch._C._len_torch_dispatch_stack() > 0  # noqa: SLF001
    ):
        return False
    inner = tensor
    while torch._C._functorch.is_functorch_wrapped_tensor(inner):  # noqa: SLF001
        if torch._C._functorch.is_batchedtensor(inner):  # noqa: SLF001
            return False
        inner = torch._C._functorch.get_unwrapped(inner)  # noqa: SLF001
    return True
