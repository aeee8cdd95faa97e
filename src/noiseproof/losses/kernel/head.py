"""A loss behind a linear layer, without the logits of all rows at once.

The rows go through in chunks. Of each, one product with the weights gives the logits in a buffer that is used again;
:mod:`.form` writes the gradient over them, a few rows at a time while they are in the cache; and two products take it
back to the features and the weights. That is as much arithmetic as with all logits, and the memory of one chunk.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from noiseproof.errors import LabelError
from noiseproof.losses.kernel.batch import HALF, as_target, as_weights, can_read, kept_labels, precision_of, weigh
from noiseproof.losses.kernel.evaluate import block_rows, is_one, may_ask_again
from noiseproof.losses.kernel.form import value_of
from noiseproof.losses.kernel.reductions import Reductions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from noiseproof.losses.base import Loss
    from noiseproof.losses.kernel.batch import Batch

_FEWEST_ROWS = 64
"""Of a chunk: the weights are read for each, and fewer rows would not be worth it."""

_BUFFER_OF_A_DEVICE = 1 << 28
"""Entries of the logits of a chunk where memory is fast and every product has a price of its own."""

_FEWEST_ROWS_OF_A_DEVICE = 256


class Head(NamedTuple):
    """A linear layer, and what is done to the scores that it gives.

    Attributes:
        weight: ``(classes, D)``.
        bias: ``(classes,)``.
        scale: what scores are multiplied by.
        softcap: the bound that they are bent to stay below, as ``softcap * tanh(scores / softcap)``; 0 for none.
        rows: of a chunk; 0 for as many as are worth it.
    """

    weight: Tensor
    bias: Tensor | None
    scale: float = 1.0
    softcap: float = 0.0
    rows: int = 0

    def logits(self, features: Tensor) -> Tensor:
        """``(N, classes)``, all at once, for autograd to look through."""
        logits = functional.linear(features, self.weight, self.bias)
        if self.scale != 1:
            logits = logits * self.scale
        return logits if not self.softcap else torch.tanh(logits / self.softcap) * self.softcap

    def chunks(self, count: int, widest: int) -> Iterator[slice]:
        """The rows of each chunk.

        Args:
            count: how many rows there are.
            widest: how many classes a process has at most.
        """
        width = self.weight.shape[1]
        rows = self.rows
        if not rows and self.weight.is_cpu:
            rows = max(_FEWEST_ROWS, width // 2)  # so that the buffer is never more than half of the weights
        elif not rows:
            rows = max(_FEWEST_ROWS_OF_A_DEVICE, _BUFFER_OF_A_DEVICE // widest)
        for start in range(0, count, rows):
            yield slice(start, min(start + rows, count))

    def bend(self, logits: Tensor) -> Tensor | None:
        """Scale and bend scores in place. The derivative by the scores, without the scale; ``None`` for 1."""
        if self.scale != 1:
            logits.mul_(self.scale)
        if not self.softcap:
            return None
        bent = logits.div_(self.softcap).tanh_()
        slope = bent.square().neg_().add_(1)
        logits.mul_(self.softcap)
        return slope


class Chunk(NamedTuple):
    """Some rows and their scores."""

    part: slice
    features: Tensor
    scores: Tensor
    """``(rows, classes)``, in the precision of the computation, to be overwritten."""


class Products:
    """The scores of a head, chunk by chunk, and the products that take their gradients back.

    Args:
        head: the layer.
        features: ``(N, D)``.
        widest: how many classes a process has at most.
        wanted: whether features, weight and bias want a gradient.
        scale: what the gradients are multiplied by.

    Attributes:
        before: how much of ``scale`` gradients of scores must have when they are taken back. In half precision a mean
            over many rows would round to 0: the numbers are multiplied where they are float32 again.
        of_features: ``(N, D)``, the gradient so far; ``None`` where none is wanted.
        of_weight: ``(classes, D)``, likewise.
        of_bias: ``(classes,)``, likewise.
    """

    def __init__(
        self, head: Head, features: Tensor, widest: int, wanted: tuple[bool, bool, bool], scale: float
    ) -> None:
        self._head, self._weight, self._widest = head, head.weight, widest
        self._features = features
        self._is_half = self._weight.dtype in HALF
        self.before, self._after = (1.0, scale) if self._is_half else (scale, 1.0)
        precision = torch.float32 if self._is_half else self._weight.dtype
        self.of_features = features.new_empty(features.shape, dtype=precision) if wanted[0] else None
        self.of_weight = self._weight.new_empty(self._weight.shape, dtype=precision) if wanted[1] else None
        self.of_bias = self._weight.new_zeros(len(self._weight), dtype=precision) if wanted[2] else None
        if self.of_weight is not None and not len(features):
            self.of_weight.zero_()

    def __iter__(self) -> Iterator[Chunk]:
        buffer: Tensor | None = None
        weight, bias = self._weight, self._head.bias
        across = weight.t()
        for part in self._head.chunks(len(self._features), self._widest):
            features = self._features[part]
            if self._is_half:
                scores = torch.mm(features, across).float()
                if bias is not None:
                    scores += bias
            else:
                if buffer is None:
                    buffer = weight.new_empty(len(features), len(weight))
                scores = buffer[: len(features)]
                if bias is None:
                    torch.mm(features, across, out=scores)
                else:
                    torch.addmm(bias, features, across, out=scores)
            yield Chunk(part, features, scores)

    def take_back(self, chunk: Chunk) -> None:
        """Add what the gradient of a chunk, written over its scores, gives to features, weight and bias."""
        part, features, gradient = chunk
        if self.of_bias is not None:
            self.of_bias.add_(gradient.sum(0), alpha=self._after)
        if self._is_half:
            gradient = gradient.to(self._weight.dtype)
        if self.of_features is not None:
            if self._is_half:
                torch.mul(torch.mm(gradient, self._weight), self._after, out=self.of_features[part])
            else:
                torch.mm(gradient, self._weight, out=self.of_features[part])
        if self.of_weight is None:
            return
        if self._is_half:
            product = torch.mm(gradient.t(), features).float()
            self.of_weight = (
                product.mul_(self._after) if not part.start else self.of_weight.add_(product, alpha=self._after)
            )
        elif not part.start:
            torch.mm(gradient.t(), features, out=self.of_weight)
        else:
            self.of_weight.addmm_(gradient.t(), features)


def walk(
    head: Head, features: Tensor, batch: Batch, wanted: tuple[bool, bool, bool], row_factor: Tensor | None = None
) -> tuple[Tensor, tuple[Tensor | None, Tensor | None, Tensor | None]]:
    """The values ``(N, 1)``, and the gradients that are wanted by features, weight and bias.

    Args:
        head: the layer.
        features: ``(N, D)``.
        batch: the targets of these rows.
        wanted: whether features, weight and bias want a gradient.
        row_factor: ``(N, 1)``, what the value of each row is multiplied by afterwards.
    """
    with_slope = any(wanted)
    factor = batch.factor
    if row_factor is not None:
        factor = row_factor if factor is None else factor * row_factor
    products = Products(head, features, batch.classes.widest, wanted, batch.scale)
    # One array: what is kept of each block would lie between those of the next, whose memory is then not used again.
    values = features.new_empty(len(features), 1, dtype=precision_of(features, batch.loss))
    for chunk in products:
        step = block_rows(chunk.scores, batch.classes.widest)
        for start in range(0, len(chunk.scores), step):
            part = slice(start, min(start + step, len(chunk.scores)))
            scores = chunk.scores[part]
            bent = head.bend(scores)
            place = slice(chunk.part.start + part.start, chunk.part.start + part.stop)
            if not with_slope:
                rows, form = batch.rows(scores, place, with_slope=False)
                values[place] = value_of(form, rows)
                continue
            same = precision_of(scores, batch.loss) is scores.dtype
            out = scores if same else None
            values[place], gradient = batch.solve(scores, place, products.before * head.scale, out)
            if factor is not None:
                gradient *= factor[place] if factor.ndim else factor
            if bent is not None:
                gradient *= bent
            if gradient is not scores:
                scores.copy_(gradient)
        if with_slope:
            products.take_back(chunk)
    of_features = products.of_features
    if of_features is not None:
        of_features = batch.classes.over_processes(of_features)
    return values, (of_features, products.of_weight, products.of_bias)


class Targets(NamedTuple):
    """What the logits of a head are compared with.

    Attributes:
        target: class indices ``(...)``, probabilities ``(..., classes)``, or features ``(..., E)`` of a teacher.
        teacher: ``(classes, E)``, its weights.
        sample_weight: ``(...)``.
    """

    target: Tensor
    teacher: Tensor | None = None
    sample_weight: Tensor | None = None


Gradients: TypeAlias = "tuple[Tensor | None, Tensor | None, Tensor | None]"
"""By features, weight and bias, as far as they are wanted."""

NOTHING = (False, False, False)


def solve(
    loss: Loss,
    classes: Reductions,
    features: Tensor,
    head: Head,
    targets: Targets,
    wanted: tuple[bool, bool, bool],
    up: Tensor | None = None,
) -> tuple[Tensor, Gradients]:
    """The reduced loss, and the gradients that are wanted.

    Args:
        loss: the loss.
        classes: what sums up over the classes.
        features: ``(..., D)``.
        head: the layer.
        targets: what its logits are compared with.
        wanted: whether features, weight and bias want a gradient.
        up: ``(...)``, what each sample's value is multiplied by afterwards.

    Raises:
        LabelError: targets that do not fit.
    """
    flat, shape = features.reshape(-1, features.shape[-1]), features.shape[:-1]
    label, soft, kept, own = _seen_to(loss, classes, flat, shape, head, targets, readable=True)
    up = None if up is None else up.reshape(-1, 1)
    index: Tensor | None = None
    if label is not None and kept is not None:
        # Ignored rows need no products.
        index = kept.squeeze(-1).nonzero().squeeze(-1)
        flat, label = flat[index], label[index]
        own = None if own is None else own[index]
        up = None if up is None else up[index]
    batch = weigh(loss, len(flat), classes, flat, label, soft, None, own)
    values, (of_features, of_weight, of_bias) = walk(head, flat, batch, wanted, up)
    value = batch.reduce(values)
    if loss.reduction == "none":
        value = value if index is None else value.new_zeros(shape.numel()).index_copy(0, index, value)
        value = value.reshape(shape)
    if of_features is not None:
        if index is not None:
            of_features = of_features.new_zeros(shape.numel(), flat.shape[1]).index_copy(0, index, of_features)
        of_features = of_features.reshape(features.shape)
    return value, (of_features, of_weight, of_bias)


def solve_plainly(loss: Loss, features: Tensor, head: Head, targets: Targets) -> Tensor:
    """The reduced loss of all logits at once, for what looks through operations."""
    classes = Reductions(len(head.weight))
    flat, shape = features.reshape(-1, features.shape[-1]), features.shape[:-1]
    label, soft, kept, own = _seen_to(loss, classes, flat, shape, head, targets, readable=can_read(targets.target))
    value = weigh(loss, len(flat), classes, flat, label, soft, kept, own).plain(head.logits(flat))
    return value.reshape(shape) if loss.reduction == "none" else value


def _seen_to(
    loss: Loss, classes: Reductions, flat: Tensor, shape: torch.Size, head: Head, targets: Targets, *, readable: bool
) -> tuple[Tensor | None, Tensor | Callable[[slice | None], Tensor] | None, Tensor | None, Tensor | None]:
    """Labels or probabilities, which rows are kept, and the weights of the samples, as :func:`weigh` takes them.

    Probabilities are ``(rows, classes)``, or what makes those of some rows.

    Args:
        loss: the loss.
        classes: what sums up over the classes.
        flat: ``(rows, D)``.
        shape: of the samples.
        head: the layer.
        targets: what its logits are compared with.
        readable: whether labels can be read.
    """
    target, teacher, sample_weight = targets
    own = None if sample_weight is None else as_weights(sample_weight, shape, flat, loss)
    precision = precision_of(head.weight, loss)
    if teacher is None:
        label, soft = as_target(loss, target, torch.Size([*shape, classes.own_size]), len(shape), precision)
        if label is None:
            return None, soft, None, own
        label, kept = kept_labels(loss, label, classes.size, readable=readable)
        return label, None, kept, own
    given = target.detach().reshape(-1, target.shape[-1])

    def probabilities(part: slice | None) -> Tensor:
        logits = functional.linear(given if part is None else given[part], teacher.detach())
        return classes.softmax(logits.to(precision))

    return None, probabilities, None, own


class LinearLoss(torch.autograd.Function):
    """A reduced loss of features and a head, with gradients that are computed with the value where that can be.

    Where the reduction is none, they wait for what each value is multiplied with, and the backward walks again.
    """

    @staticmethod
    def forward(  # noqa: D102 - torch documents it
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        loss: Loss,
        classes: Reductions,
        head: Head,
        targets: Targets,
    ) -> Tensor:
        ctx.loss, ctx.classes, ctx.settings, ctx.targets = loss, classes, head[2:], targets
        ctx.wanted = tuple(ctx.needs_input_grad[:3])
        waits = loss.reduction == "none"
        ctx.drawn = random_state(features) if waits else None
        value, gradients = solve(loss, classes, features, head, targets, NOTHING if waits else ctx.wanted)
        ctx.save_for_backward(features, weight, bias, *gradients)
        return value

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102 - torch documents it
        features, weight, bias, *gradients = ctx.saved_tensors
        head = Head(weight, bias, *ctx.settings)
        found: Sequence[Tensor | None]
        if torch.is_grad_enabled():
            found = _twice(ctx, features, head, grad_output)
        elif ctx.drawn is not None:
            with drawing_again(ctx.drawn, features):
                _, found = solve(ctx.loss, ctx.classes, features, head, ctx.targets, ctx.wanted, grad_output)
        elif is_one(grad_output) and not may_ask_again():
            found = gradients
        else:
            found = [each if each is None else each * grad_output for each in gradients]
        rounded = [each if each is None else each.to(weight.dtype) for each in found]
        return (*rounded, None, None, None, None)


def _twice(ctx: Any, features: Tensor, head: Head, grad_output: Tensor) -> list[Tensor | None]:
    """Gradients that can be differentiated: of the plain formula, which autograd can look through."""
    if ctx.classes.is_split:
        raise LabelError(
            "a second derivative of linear_loss over shards of the classes: expected a first one (create_graph=False), "
            "or all classes in one process (group=None)"
        )
    value = solve_plainly(ctx.loss, features, head, ctx.targets)
    inputs = [each for each, wants in zip((features, head.weight, head.bias), ctx.wanted, strict=True) if wants]
    found = iter(torch.autograd.grad(value, inputs, grad_output, create_graph=True))  # type: ignore[arg-type]
    return [next(found) if wants else None for wants in ctx.wanted]


def random_state(like: Tensor) -> Tensor:
    """What draws come from on a device."""
    return torch.cuda.get_rng_state(like.device) if like.is_cuda else torch.get_rng_state()


@contextlib.contextmanager
def drawing_again(state: Tensor, like: Tensor) -> Iterator[None]:
    """Let what is drawn be what was drawn before."""
    with torch.random.fork_rng(devices=[like.device] if like.is_cuda else []):
        if like.is_cuda:
            torch.cuda.set_rng_state(state, like.device)
        else:
            torch.set_rng_state(state)
        yield
