"""A loss behind a linear layer as one operator that ``torch.compile`` does not look into.

The compiler would unroll the chunks. It sees shapes only; inside, the loop of :mod:`.head` runs as it does without it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from noiseproof.losses.kernel.batch import HALF, precision_of
from noiseproof.losses.kernel.head import (
    NOTHING,
    Head,
    Targets,
    drawing_again,
    random_state,
    solve,
    solve_plainly,
)
from noiseproof.losses.kernel.reductions import Reductions
from noiseproof.losses.make import make_loss

if TYPE_CHECKING:
    from noiseproof.losses.base import Loss

_LOSSES: dict[int, Loss] = {}
"""What operators name by a number, since only tensors and numbers go into them."""


_CPU_STATE, _CUDA_STATE = torch.get_rng_state().numel(), 16
"""Bytes of what random numbers come from."""


def _number_of(loss: Loss | str) -> int:
    made = make_loss(loss) if isinstance(loss, str) else loss
    _LOSSES[id(made)] = made
    return id(made)


# The compiler calls this once and takes what it gives for a constant; the decorator would import the whole compiler.
_number_of._dynamo_marked_constant = True  # type: ignore[attr-defined]  # noqa: SLF001


def compiled_loss(loss: Loss | str, features: Tensor, head: Head, targets: Targets) -> Tensor:
    """What :func:`noiseproof.losses.linear_loss` gives, in a function that is compiled."""
    number = _number_of(loss)
    weight = None if isinstance(loss, str) else loss.weight
    if any(each is not None and each.requires_grad for each in (*targets, weight)):
        return solve_plainly(make_loss(loss) if isinstance(loss, str) else loss, features, head, targets)
    inputs = (features, *head[:2])
    wanted = [torch.is_grad_enabled() and each is not None and each.requires_grad for each in inputs]
    value, *_ = _linear_loss(features, *head, *targets, None, None, number, wanted)
    return value


@torch.library.custom_op("noiseproof::linear_loss", mutates_args=())
def _linear_loss(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    scale: float,
    softcap: float,
    rows: int,
    target: Tensor,
    teacher: Tensor | None,
    sample_weight: Tensor | None,
    up: Tensor | None,
    drawn: Tensor | None,
    loss: int,
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The value; gradients, empty where not wanted; and what draws came from, empty where they need not come again."""
    made = _LOSSES[loss]
    waits = made.reduction == "none" and up is None
    head, targets = Head(weight, bias, scale, softcap, rows), Targets(target, teacher, sample_weight)
    state = random_state(features) if waits else features.new_empty(0, dtype=torch.uint8)
    with contextlib.nullcontext() if drawn is None else drawing_again(drawn, features):
        each = NOTHING if waits else (wanted[0], wanted[1], wanted[2])
        value, gradients = solve(made, Reductions(len(weight)), features, head, targets, each, up)
    found = [features.new_empty(0) if gradient is None else gradient for gradient in gradients]
    return value.clone(), found[0], found[1], found[2], state


@_linear_loss.register_fake
def _shapes(
    features: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    up, _, loss, wanted = rest[-4:]
    made = _LOSSES[loss]
    waits = made.reduction == "none" and up is None
    shape = features.shape[:-1] if made.reduction == "none" else ()
    value = features.new_empty(shape, dtype=precision_of(features, made))
    precision = torch.float32 if features.dtype in HALF else features.dtype
    found = [
        features.new_empty(0) if waits or not wants or like is None else like.new_empty(like.shape, dtype=precision)
        for like, wants in zip((features, weight, bias), wanted, strict=True)
    ]
    size = (_CUDA_STATE if features.is_cuda else _CPU_STATE) if waits else 0
    state = torch.empty(size, dtype=torch.uint8, device="cpu" if waits else features.device)
    return value, found[0], found[1], found[2], state


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *tensors, loss, wanted = inputs
    ctx.loss, ctx.wanted, ctx.numbers = loss, wanted, tensors[3:6]
    ctx.waits = _LOSSES[loss].reduction == "none"
    ctx.save_for_backward(*tensors[:3], *tensors[6:9], *output[1:])


def _backward(ctx: Any, grad_value: Tensor, *_: Any) -> tuple[Any, ...]:
    features, weight, bias, *targets, of_features, of_weight, of_bias, state = ctx.saved_tensors
    found = [of_features, of_weight, of_bias]
    if ctx.waits:
        up = grad_value.contiguous()
        _, *found, _ = _linear_loss(features, weight, bias, *ctx.numbers, *targets, up, state, ctx.loss, ctx.wanted)
    else:
        found = [gradient * grad_value for gradient in found]
    rounded = [gradient.to(weight.dtype) if wants else None for gradient, wants in zip(found, ctx.wanted, strict=True)]
    return (*rounded, *[None] * 10)


_linear_loss.register_autograd(_backward, setup_context=_keep)
