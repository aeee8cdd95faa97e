"""How a loss meets a batch: shapes, label kinds, weights and reduction as ``torch.nn.CrossEntropyLoss`` has them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from noiseproof.errors import LabelError
from noiseproof.losses.kernel.rows import Rows, number_of

if TYPE_CHECKING:
    from noiseproof.losses.base import Loss

_BLOCK = 1 << 18
"""Entries of a block of rows: several arrays of this size stay in a core's cache while a step walks through them."""

_BLOCK_OF_A_DEVICE = 1 << 26
"""The same where no cache is to be kept and every operation has a price of its own: as much as memory allows."""

_SMALL = 1 << 14
"""Entries below which an operation costs more than what it does to each of them."""

_HALF = (torch.float16, torch.bfloat16)

_PLAIN_TYPES = (Tensor, nn.Parameter)


def evaluate(loss: Loss, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
    """The reduced loss of ``logits`` for ``target``; :meth:`noiseproof.losses.Loss.forward` documents all three."""
    if _is_traced():
        # The numbers that are read while a function is traced are shapes; what depends on the batch is computed.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TracerWarning)
            return _evaluate(loss, logits, target, sample_weight)
    return _evaluate(loss, logits, target, sample_weight)


def _evaluate(loss: Loss, logits: Tensor, target: Tensor, sample_weight: Tensor | None) -> Tensor:
    rows, label, coefficients, shape = _as_rows(loss, logits, target)
    weight = loss.weight
    plain = _needs_plain_formula(logits, target) if weight is None else _needs_plain_formula(logits, target, weight)
    own: Tensor | None = None
    if sample_weight is not None:
        own = _as_weights(sample_weight, shape, rows, loss)
        plain = plain or _needs_plain_formula(own)
    kept: Tensor | None = None
    if label is not None:
        readable = logits.is_cpu and not plain and not torch.compiler.is_compiling()
        label, kept = _kept_labels(loss, label, rows.shape[-1], readable=readable or _can_read(label))
    device = logits.device.type
    autocast = device != "meta" and torch.is_autocast_enabled(device)
    if autocast:
        with torch.autocast(device, enabled=False):
            reduced = _run(_weigh(loss, weight, rows, label, coefficients, kept, own), rows, plain)
            if reduced.dtype is torch.float64 and loss.needs_float64:
                reduced = reduced.to(logits.dtype if logits.dtype not in _HALF else torch.float32)
    else:
        reduced = _run(_weigh(loss, weight, rows, label, coefficients, kept, own), rows, plain)
        if reduced.dtype != logits.dtype:
            reduced = reduced.to(logits.dtype)
    return reduced.reshape(shape) if loss.reduction == "none" and len(shape) != 1 else reduced


def _as_weights(sample_weight: Any, shape: torch.Size, rows: Tensor, loss: Loss) -> Tensor:
    """The weights of the samples as ``(rows, 1)``.

    Raises:
        LabelError: another shape or type than one floating-point number for each sample.
    """
    if not isinstance(sample_weight, Tensor):
        sample_weight = torch.as_tensor(sample_weight, device=rows.device)
    if sample_weight.shape != shape or sample_weight.is_complex():
        raise LabelError(
            f"sample_weight is {sample_weight.dtype} of shape {tuple(sample_weight.shape)}: expected a number for each "
            f"sample, of shape {tuple(shape)}"
        )
    weights: Tensor = sample_weight.to(_precision(rows, loss)).reshape(-1, 1)
    return weights


@dataclass(slots=True)  # a frozen one takes twice as long to make
class _Batch:
    """What one evaluation of a loss needs besides the logits."""

    loss: Loss
    label: Tensor | None
    """``(rows, 1)``."""
    coefficients: Tensor | None
    """``(rows, classes)``, in place of labels."""
    kept: Tensor | None
    """``(rows, 1)``: false for ignored rows, whose logits may be anything. ``None``: none is ignored."""
    row_weight: Tensor | None
    """``(rows, 1)``: class weights times weights of samples, 0 for ignored rows."""
    divisor: Tensor | int
    """What the sum over the rows is divided by."""

    @property
    def versions(self) -> list[int]:
        """How often the targets were changed in place."""
        targets = (self.label, self.coefficients, self.row_weight)
        return [target._version for target in targets if target is not None]  # noqa: SLF001

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

    def rows(self, logits: Tensor, part: slice | None = None, *, with_slope: bool) -> Rows:
        """Some of the rows, or all of them, with the loss."""
        label, coefficients = self.label, self.coefficients
        if part is not None:
            logits = logits[part]
            label = None if label is None else label[part]
            coefficients = None if coefficients is None else coefficients[part]
        precision = _precision(logits, self.loss)
        logits = logits if logits.dtype is precision else logits.to(precision)
        rows = Rows(logits, label, coefficients, with_slope=with_slope)
        self.loss.accumulate(rows, 1.0)
        return rows

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
        return self.reduce(self.rows(logits, with_slope=False).value())


def _run(batch: _Batch, rows: Tensor, plain: bool) -> Tensor:
    wants_gradient = torch.is_grad_enabled() and rows.requires_grad
    # The class weights, where they want one, have handed it on.
    others_want_gradient = (batch.coefficients is not None and batch.coefficients.requires_grad) or (
        batch.row_weight is not None and batch.row_weight.requires_grad
    )
    if plain or others_want_gradient or not wants_gradient:
        return batch.plain(rows)
    result: Tensor = _ClosedForm.apply(rows, batch)  # type: ignore[no-untyped-call]
    return result


class _ClosedForm(torch.autograd.Function):
    """The loss with its gradient written in the forward, from the same row statistics.

    Large inputs are walked through in blocks of rows that stay in the cache, so that the logits are read once and the
    gradient is written once. The gradient waits in the precision of the computation: what it will be multiplied with
    is known in the backward only, and in half precision most of it could be rounded to 0 before. Large ones in half
    precision are multiplied with what is expected and rounded at once; where something else comes, they are computed
    anew.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, batch: _Batch) -> Tensor:
        ctx.guess = _guess(logits, batch)
        values, gradient, left = _walk(logits, batch, ctx.guess)
        ctx.batch = batch
        ctx.left = None if isinstance(left, Tensor) else left
        ctx.save_for_backward(logits, gradient, *([left] if isinstance(left, Tensor) else []))
        return batch.reduce(values)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        logits, gradient, *rest = ctx.saved_tensors
        compiling = torch.compiler.is_compiling()
        if torch.is_grad_enabled() and not compiling:
            # Someone differentiates twice: the plain formula gives autograd the graph that this step has not.
            (again,) = torch.autograd.grad(ctx.batch.plain(logits), logits, grad_output, create_graph=True)
            return again, None
        left = rest[0] if rest else ctx.left
        guess: _Guess | None = ctx.guess
        if guess is not None:
            scale = _common_number(grad_output)
            _SCALES.setdefault(ctx.batch.loss, _Scales()).came(scale)
            if guess.scale is not None and guess.scale == scale:
                return gradient.clone() if _may_ask_again() else gradient, None
            if guess.scale is not None:
                gradient, left = guess.compute_anew(logits, ctx.batch)
        factor = grad_output.unsqueeze(-1) if grad_output.ndim else grad_output
        if rest:
            factor = factor * left
        elif left != 1:
            factor = factor * (left if compiling else number_of(left, factor.dtype))
        elif not compiling and gradient.numel() >= _SMALL and not factor.ndim and _common_number(factor) == 1:
            # The usual case, where a copy would cost as much as half the loss.
            if gradient.dtype != logits.dtype:
                return gradient.to(logits.dtype), None
            if not _may_ask_again():
                return gradient, None
        return _scaled(gradient, factor, logits.dtype), None


def _may_ask_again() -> bool:
    """Whether the graph is kept for another backward, which must not find what the user made of the first."""
    return torch._C._autograd._get_current_graph_task_keep_graph()  # noqa: SLF001 - no public way


def _common_number(grad_output: Tensor) -> float | None:
    """The number that a gradient consists of, where it is one and can be read without waiting for a device."""
    if not grad_output.is_cpu or _needs_plain_formula(grad_output):
        return None
    if not grad_output.ndim:
        return float(grad_output)
    low, high = (float(end) for end in grad_output.aminmax())
    return low if low == high else None


@dataclass(slots=True)
class _Scales:
    """What the gradient of a loss has been multiplied with so far."""

    last: float | None = 1.0
    expected: float | None = 1.0
    """``None`` where it changes from step to step."""

    def came(self, scale: float | None) -> None:
        """Learn from a backward: loss scaling, accumulation and weights of terms are the same for many steps."""
        self.expected = scale if scale == self.last else None
        self.last = scale


_SCALES: WeakKeyDictionary[Loss, _Scales] = WeakKeyDictionary()
"""They decide what is computed when, never the result."""


@dataclass(slots=True)
class _Guess:
    """What the gradient of a large input in half precision was multiplied with before it was rounded."""

    scale: float | None
    """``None``: it was not rounded, and waits in float32."""
    versions: list[int]
    """Of the targets when they were read."""
    generator_state: Tensor
    """What the loss draws, it must draw again."""

    def compute_anew(self, logits: Tensor, batch: _Batch) -> tuple[Tensor, float | Tensor]:
        """The gradient in float32, and what is left to multiply it by.

        Raises:
            RuntimeError: the targets have been changed in the meantime.
        """
        if batch.versions != self.versions:
            raise RuntimeError(
                "the targets were changed in place between the forward and the backward of a loss, which needs them: "
                "change a copy, or call backward() before"
            )
        with torch.random.fork_rng(devices=[]), torch.autocast("cpu", enabled=False):
            torch.set_rng_state(self.generator_state)
            _, gradient, left = _walk(logits, batch)
        return gradient, left


def _guess(logits: Tensor, batch: _Batch) -> _Guess | None:
    """A guess of what the gradient will be multiplied with, where it is worth one."""
    if logits.dtype not in _HALF or torch.compiler.is_compiling() or not logits.is_cpu:
        return None
    if logits.shape[0] <= 2 * _step(logits):
        return None
    expected = _SCALES.setdefault(batch.loss, _Scales()).expected
    return _Guess(expected, batch.versions, torch.get_rng_state())


def _scaled(gradient: Tensor, factor: Tensor, dtype: torch.dtype) -> Tensor:
    """``gradient * factor``, rounded once."""
    if gradient.dtype == dtype:
        return gradient * factor
    if torch.compiler.is_compiling() or _needs_plain_formula(factor):
        return (gradient * factor).to(dtype)
    result = torch.empty_like(gradient, dtype=dtype)
    if gradient.device.type != "cpu":
        return torch.mul(gradient, factor, out=result)
    count, num_classes = gradient.shape
    step = max(1, _BLOCK // num_classes)  # here out= would make an array of the product
    for start in range(0, count, step):
        part = slice(start, start + step)
        result[part] = gradient[part] * (factor[part] if factor.ndim else factor)
    return result


def _step(logits: Tensor) -> int:
    """How many rows a block has."""
    return max(1, (_BLOCK if logits.is_cpu else _BLOCK_OF_A_DEVICE) // logits.shape[-1])


def _walk(logits: Tensor, batch: _Batch, guess: _Guess | None = None) -> tuple[Tensor, Tensor, float | Tensor]:
    """The values ``(rows, 1)``, the gradient by the logits, and what is left to multiply the gradient by.

    With a guess of the latter the gradient is multiplied by it and by what is left, and rounded.
    """
    count = logits.shape[0]
    on_cpu, compiling = logits.is_cpu, torch.compiler.is_compiling()
    scale, factor = batch.scale, batch.factor
    left: float | Tensor = 1.0
    if factor is not None and (compiling or not on_cpu or not factor.ndim):
        left, factor = factor, None  # the backward multiplies there anyway
    elif logits.numel() < _SMALL:
        scale, left = 1.0, scale
    step = _step(logits)
    if compiling or count <= 2 * step:  # a compiler makes its own blocks
        rows = batch.rows(logits, with_slope=True)
        gradient = rows.gradient(scale)
        if factor is not None:
            gradient *= factor
        values = rows.value()
    else:
        guessed = None if guess is None or guess.scale is None else left * guess.scale
        dtype = _precision(logits, batch.loss) if guessed is None else logits.dtype
        gradient = torch.empty_like(logits, dtype=dtype, memory_format=torch.contiguous_format)
        parts = []
        for start in range(0, count, step):
            part = slice(start, start + step)
            rows = batch.rows(logits, part, with_slope=True)
            written = rows.gradient(scale, out=gradient[part] if guessed is None else None)
            if factor is not None:
                written *= factor[part]
            if guessed is not None:
                gradient[part] = written if isinstance(guessed, float) and guessed == 1 else written.mul_(guessed)
            parts.append(rows.value())
        values = torch.cat(parts)
    if batch.kept is not None:
        if _can_read(batch.kept):
            gradient.index_fill_(0, (~batch.kept).squeeze(-1).nonzero().squeeze(-1), 0.0)
        else:
            gradient.masked_fill_(~batch.kept, 0.0)
    return values, gradient, left


def _weigh(
    loss: Loss,
    weight: Tensor | None,
    rows: Tensor,
    label: Tensor | None,
    coefficients: Tensor | None,
    kept: Tensor | None,
    own: Tensor | None,
) -> _Batch:
    """Apply ``weight``, ``label_smoothing`` and the ignored rows to the targets, each as PyTorch defines it.

    The weights of the samples, ``own``, come on top.
    """
    count, num_classes = rows.shape
    precision = _precision(rows, loss)
    if weight is not None:
        if len(weight) != num_classes:
            raise LabelError(
                f"weight has {len(weight)} numbers, one for each class, but the logits {num_classes} classes"
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
            divisor = int(kept.sum()) if _can_read(kept) else kept.sum()
        else:
            divisor = count
        if isinstance(divisor, int) and not divisor:
            divisor = rows.new_zeros((), dtype=precision)  # the mean over nothing is 0/0, as PyTorch has it
    if label is None or loss.label_smoothing:
        share = loss.label_smoothing
        if label is not None:
            # The class weights go into the coefficients.
            chosen = label == torch.arange(num_classes, device=label.device)
            of_label = rows.new_full((), 1 - share + share / num_classes, dtype=precision)
            coefficients = torch.where(chosen, of_label, share / num_classes)
            label, row_weight = None, None
        else:
            assert coefficients is not None  # noqa: S101 - _as_rows gives labels or probabilities
            if share:
                coefficients = torch.lerp(coefficients, torch.full_like(coefficients, 1 / num_classes), share)
        if weight is not None:
            coefficients = coefficients * weight
    if own is not None:
        row_weight = own if row_weight is None else row_weight * own
    return _Batch(loss, label, coefficients, kept, row_weight, divisor)


def _precision(logits: Tensor, loss: Loss) -> torch.dtype:
    """The type that a loss of these logits is computed in."""
    if loss.needs_float64:
        return torch.float64
    return torch.float32 if logits.dtype in _HALF else logits.dtype


def _is_traced() -> bool:
    return not torch.compiler.is_compiling() and torch._C._is_tracing()  # noqa: SLF001 - typed, unlike torch.jit's


def _needs_plain_formula(*tensors: Tensor) -> bool:
    """Whether something looks through the operations that the closed form would hide from it, or that it cannot do.

    That are function transforms, forward-mode differentiation, tracing, subclasses of tensors, and tensors without
    numbers.
    """
    if torch._C._are_functorch_transforms_active():  # noqa: SLF001 - no public way
        return True
    if torch.compiler.is_compiling():
        return False
    if (
        torch.autograd.forward_ad._current_level >= 0  # noqa: SLF001
        or torch._C._is_tracing()  # noqa: SLF001 - typed, unlike torch.jit's
        or torch._C._len_torch_dispatch_stack() > 0  # noqa: SLF001
    ):
        return True
    for tensor in tensors:  # a loop, since at ten classes a generator is seen in the time of a loss
        is_batched = torch._C._functorch.is_legacy_batchedtensor  # noqa: SLF001 - is_grads_batched
        if type(tensor) not in _PLAIN_TYPES or tensor.is_meta or is_batched(tensor):
            return True
    return False


def _can_read(tensor: Tensor) -> bool:
    """Whether the numbers of a tensor can be read, without waiting for a device."""
    if (
        torch.compiler.is_compiling()
        or not tensor.is_cpu
        or type(tensor) not in _PLAIN_TYPES
        or _is_traced()
        or torch._C._len_torch_dispatch_stack() > 0  # noqa: SLF001
    ):
        return False
    inner = tensor
    while torch._C._functorch.is_functorch_wrapped_tensor(inner):  # noqa: SLF001
        if torch._C._functorch.is_batchedtensor(inner):  # noqa: SLF001
            return False
        inner = torch._C._functorch.get_unwrapped(inner)  # noqa: SLF001
    return True


def _kept_labels(loss: Loss, label: Tensor, num_classes: int, *, readable: bool) -> tuple[Tensor, Tensor | None]:
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


def _as_rows(loss: Loss, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, torch.Size]:
    """Logits as ``(rows, classes)``, the target as labels ``(rows, 1)`` or as probabilities, and its shape."""
    if not (isinstance(logits, Tensor) and isinstance(target, Tensor)):
        raise LabelError(
            f"logits are a {type(logits).__name__} and targets a {type(target).__name__}: expected tensors, such as "
            "torch.as_tensor(array)"
        )
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
        if loss.ignore_index >= 0:
            raise LabelError(
                f"ignore_index={loss.ignore_index} with probability targets: only class indices can be ignored; "
                "leave it negative"
            )
        return rows, None, target.to(_precision(rows, loss)).movedim(class_dim, -1).reshape(-1, num_classes), expected
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
