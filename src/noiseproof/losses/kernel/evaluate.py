"""A loss of a batch for autograd: the gradient in closed form, block by block."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.jit._trace import TracerWarning

from noiseproof.losses.kernel.batch import (
    HALF,
    Batch,
    as_rows,
    as_target,
    as_weights,
    can_read,
    class_dim_of,
    is_batched,
    is_looked_through,
    is_repeatable,
    is_traced,
    kept_labels,
    needs_plain_formula,
    precision_of,
    weigh,
    without,
)
from noiseproof.losses.kernel.form import number_of
from noiseproof.losses.kernel.reductions import Reductions
from noiseproof.losses.kernel.replay import called, recording

if TYPE_CHECKING:
    from noiseproof.losses.base import Loss

_BLOCK = 1 << 18
"""Entries of a block of rows: several arrays of this size stay in a core's cache while a step walks through them."""

_BLOCK_OF_A_DEVICE = 1 << 26
"""The same where no cache is to be kept and every operation has a price of its own: as much as memory allows."""

_SMALL = 1 << 14
"""Entries below which an operation costs more than what it does to each of them."""


def evaluate(loss: Loss, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
    """The reduced loss of ``logits`` for ``target``; :meth:`noiseproof.losses.Loss.forward` documents all three."""
    if sample_weight is None and not torch.compiler.is_compiling() and _is_usual(loss, logits, target):
        # Labels that are no class, and those that are ignored, make looking them up fail.
        with contextlib.suppress(RuntimeError, IndexError):
            value: Tensor = _usual(logits, target, loss)
            return value
    if is_traced():
        # The numbers that are read while a function is traced are shapes; what depends on the batch is computed.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TracerWarning)
            return _evaluate(loss, logits, target, sample_weight)
    return _evaluate(loss, logits, target, sample_weight)


def _is_usual(loss: Loss, logits: Tensor, target: Tensor) -> bool:
    """Whether a batch needs the least to be seen to: at ten classes, that takes longer than a loss."""
    has_usual_options = loss.__dict__.get(USUAL)
    if has_usual_options is None:
        has_usual_options = loss.__dict__[USUAL] = _has_usual_options(loss)
    return (
        has_usual_options
        and not is_looked_through()
        and type(logits) is Tensor
        and type(target) is Tensor
        and target.dtype is torch.int64
        and logits.ndim == 2
        and target.shape == logits.shape[:1]
        and 0 < logits.numel() < _USUAL
        and logits.dtype in _EXACT
        and logits.shape[1] > 1
        and logits.is_cpu
        and target.is_cpu
        and logits.requires_grad
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not is_batched(logits)
        and not is_batched(target)
    )


def _has_usual_options(loss: Loss) -> bool:
    return (
        loss.reduction == "mean"
        and loss.weight is None
        and loss.ignore_index < 0
        and not loss.label_smoothing
        and not loss.needs_float64
        and not loss.draws
    )


def _evaluate(loss: Loss, logits: Tensor, target: Tensor, sample_weight: Tensor | None) -> Tensor:
    rows = as_rows(logits, target)
    device = logits.device.type
    if device != "meta" and torch.is_autocast_enabled(device):
        with torch.autocast(device, enabled=False):
            reduced = _run(*_prepare(loss, logits, rows, target, sample_weight), rows)
            if reduced.dtype is torch.float64 and loss.needs_float64:
                reduced = reduced.to(logits.dtype if logits.dtype not in HALF else torch.float32)
    else:
        reduced = _run(*_prepare(loss, logits, rows, target, sample_weight), rows)
        if reduced.dtype != logits.dtype:
            reduced = reduced.to(logits.dtype)
    if loss.reduction == "none" and logits.ndim != 2:
        reduced = reduced.reshape(without(logits.shape, class_dim_of(logits)))
    return reduced


def evaluate_with_gradient(
    loss: Loss, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The value of :func:`evaluate`, and the derivative of its sum by the logits."""
    rows = as_rows(logits, target).detach()
    with torch.no_grad(), torch.autocast(logits.device.type, enabled=False):
        batch, plain = _prepare(loss, logits, rows, target, sample_weight)
        if plain:
            value, pull_back, *_ = torch.func.vjp(batch.plain, rows)
            (gradient,) = pull_back(torch.ones_like(value))
        else:
            values, gradient, left = _walk(rows, batch)
            value = batch.reduce(values)
            gradient = _scaled(gradient, torch.as_tensor(left, dtype=gradient.dtype), rows.dtype)
    if logits.ndim != 2:
        dim, shape = class_dim_of(logits), without(logits.shape, class_dim_of(logits))
        gradient = gradient.reshape(*shape, rows.shape[-1]).movedim(-1, dim)
        value = value.reshape(shape) if loss.reduction == "none" else value
    return value.to(logits.dtype), gradient.to(logits.dtype)


def _prepare(
    loss: Loss, logits: Tensor, rows: Tensor, target: Tensor, sample_weight: Tensor | None
) -> tuple[Batch, bool]:
    """The targets with all weights, and whether only the plain formula will do."""
    label, soft = as_target(loss, target, logits.shape, class_dim_of(logits), precision_of(logits, loss))
    weight = loss.weight
    plain = needs_plain_formula(logits, target) if weight is None else needs_plain_formula(logits, target, weight)
    own: Tensor | None = None
    if sample_weight is not None:
        own = as_weights(sample_weight, without(logits.shape, class_dim_of(logits)), rows, loss)
        plain = plain or needs_plain_formula(own)
    kept: Tensor | None = None
    if label is not None:
        readable = logits.is_cpu and not plain and not torch.compiler.is_compiling()
        label, kept = kept_labels(loss, label, rows.shape[-1], readable=readable or can_read(label))
    return weigh(loss, rows.shape[0], Reductions(rows.shape[1]), rows, label, soft, kept, own), plain


def _run(batch: Batch, plain: bool, rows: Tensor) -> Tensor:
    wants_gradient = torch.is_grad_enabled() and rows.requires_grad
    if plain or not wants_gradient or batch.wants_gradient:
        return batch.plain(rows)
    result: Tensor = _ClosedForm.apply(rows, batch)  # type: ignore[no-untyped-call]
    return result


_USUAL = 1 << 17
"""Entries up to which what happens around a loss counts."""

USUAL = "_usual"
"""The attribute of a loss that says whether its options need the least to be seen to, until one is set."""

_EXACT = (torch.float32, torch.float64)


class _ClosedForm(torch.autograd.Function):
    """The loss with its gradient written in the forward, from the same row statistics.

    Large inputs are walked through in blocks of rows that stay in the cache, so that the logits are read once and the
    gradient is written once. The gradient waits in the precision of the computation: what it will be multiplied with
    is known in the backward only, and in half precision most of it could be rounded to 0 before. Large ones in half
    precision are multiplied with what is expected and rounded at once; where something else comes, they are computed
    anew.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, batch: Batch) -> Tensor:
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
                return gradient.clone() if may_ask_again() else gradient, None
            if guess.scale is not None:
                gradient, left = guess.compute_anew(logits, ctx.batch)
        factor = grad_output.unsqueeze(-1) if grad_output.ndim else grad_output
        if rest:
            factor = factor * left
        elif left != 1:
            factor = factor * (left if compiling else number_of(left, factor.dtype))
        elif not compiling and gradient.numel() >= _SMALL and is_one(factor):
            # The usual case, where a copy would cost as much as half the loss.
            if gradient.dtype != logits.dtype:
                return gradient.to(logits.dtype), None
            if not may_ask_again():
                return gradient, None
        return _scaled(gradient, factor, logits.dtype), None


class _Usual(torch.autograd.Function):
    """:class:`_ClosedForm` for the mean over a small batch of which nothing else needs to be seen to."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, loss: Loss) -> Tensor:
        key = (logits.shape, logits.dtype)
        plan = recording(loss, key)
        found = None if plan is None else plan(logits, target)
        if found is None:

            def solved(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
                values, gradient = _usual_batch(loss, logits, target).compute(logits, None, 1 / len(logits))
                return values.mean(), gradient

            found = called(loss, key, solved, (logits, target)) if is_repeatable(loss) else solved(logits, target)
        value, gradient = found
        ctx.loss = loss
        ctx.save_for_backward(logits, target, gradient)
        return value

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None]:
        logits, target, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():
            value = _usual_batch(ctx.loss, logits, target).plain(logits)
            (again,) = torch.autograd.grad(value, logits, grad_output, create_graph=True)
            return again, None, None
        if is_one(grad_output):
            return gradient.clone() if may_ask_again() else gradient, None, None
        return gradient * grad_output, None, None


_usual: Any = super(torch.autograd.Function, _Usual).apply
"""Without a look for function transforms, which was taken before."""


def _usual_batch(loss: Loss, logits: Tensor, target: Tensor) -> Batch:
    count, num_classes = logits.shape
    return Batch(loss, target.view(-1, 1), None, 0.0, None, None, None, count, Reductions(num_classes))


def may_ask_again() -> bool:
    """Whether the graph is kept for another backward, which must not find what the user made of the first."""
    return torch._C._autograd._get_current_graph_task_keep_graph()  # noqa: SLF001 - no public way


def is_one(grad_output: Tensor) -> bool:
    """Whether a gradient is the number 1, as far as that can be read without waiting for a device."""
    return not grad_output.ndim and _common_number(grad_output) == 1


def _common_number(grad_output: Tensor) -> float | None:
    """The number that a gradient consists of, where it is one and can be read without waiting for a device."""
    if not grad_output.is_cpu or needs_plain_formula(grad_output):
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

    def compute_anew(self, logits: Tensor, batch: Batch) -> tuple[Tensor, float | Tensor]:
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


def _guess(logits: Tensor, batch: Batch) -> _Guess | None:
    """A guess of what the gradient will be multiplied with, where it is worth one."""
    if logits.dtype not in HALF or torch.compiler.is_compiling() or not logits.is_cpu:
        return None
    if logits.shape[0] <= 2 * block_rows(logits, logits.shape[1]):
        return None
    expected = _SCALES.setdefault(batch.loss, _Scales()).expected
    return _Guess(expected, batch.versions, torch.get_rng_state())


def _scaled(gradient: Tensor, factor: Tensor, dtype: torch.dtype) -> Tensor:
    """``gradient * factor``, rounded once."""
    if gradient.dtype == dtype:
        return gradient * factor
    if torch.compiler.is_compiling() or needs_plain_formula(factor):
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


def block_rows(logits: Tensor, num_classes: int) -> int:
    """How many rows a block has."""
    return max(1, (_BLOCK if logits.is_cpu else _BLOCK_OF_A_DEVICE) // num_classes)


def _walk(logits: Tensor, batch: Batch, guess: _Guess | None = None) -> tuple[Tensor, Tensor, float | Tensor]:
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
    step = block_rows(logits, logits.shape[1])
    if compiling or count <= 2 * step:  # a compiler makes its own blocks
        values, gradient = batch.solve(logits, None, scale)
        if factor is not None:
            gradient *= factor
    else:
        guessed = None if guess is None or guess.scale is None else left * guess.scale
        dtype = precision_of(logits, batch.loss) if guessed is None else logits.dtype
        gradient = torch.empty_like(logits, dtype=dtype, memory_format=torch.contiguous_format)
        values = logits.new_empty(count, 1, dtype=precision_of(logits, batch.loss))
        for start in range(0, count, step):
            part = slice(start, start + step)
            out = gradient[part] if guessed is None else None
            values[part], written = batch.solve(logits[part], part, scale, out)
            if factor is not None:
                written *= factor[part]
            if guessed is not None:
                gradient[part] = written if isinstance(guessed, float) and guessed == 1 else written.mul_(guessed)
    if batch.kept is not None:
        if can_read(batch.kept):
            gradient.index_fill_(0, (~batch.kept).squeeze(-1).nonzero().squeeze(-1), 0.0)
        else:
            gradient.masked_fill_(~batch.kept, 0.0)
    return values, gradient, left
