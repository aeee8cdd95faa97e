"""Weights of samples: every loss, every reduction, together with everything else that weighs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from noiseproof.errors import LabelError
from noiseproof.losses import REGISTRY, make_loss

NAMES = sorted(name for name, loss in REGISTRY.items() if loss.__module__.startswith("noiseproof.") and name != "nlnl")
CLASSES = 5


def batch(rows: int = 7, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    logits = torch.randn(rows, CLASSES, dtype=dtype)
    weights = torch.rand(rows, dtype=torch.float64) * 3
    weights[0] = 0
    return logits, torch.randint(CLASSES, (rows,)), weights


def gradient(value: Tensor, of: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(value, of)
    return found


@pytest.mark.parametrize("name", ["ce", "jal-ce", "anl-fl", "ce-eps"])
def test_with_probabilities_and_further_dimensions(name: str) -> None:
    logits, _, weights = batch()
    target = torch.softmax(torch.randn_like(logits), 1)
    loss = make_loss(name)
    each = make_loss(name, reduction="none")(logits, target)
    torch.testing.assert_close(loss(logits, target, weights), (each * weights).sum() / weights.sum())
    many, labels = torch.randn(3, CLASSES, 2, 4), torch.randint(CLASSES, (3, 2, 4))
    own = torch.rand(3, 2, 4)
    each = make_loss(name, reduction="none")(many, labels)
    torch.testing.assert_close(loss(many, labels, own), (each * own).sum() / own.sum())
    one = loss(many[0, :, 0, 0], labels[0, 0, 0], own[0, 0, 0])
    torch.testing.assert_close(one, each[0, 0, 0])


@pytest.mark.parametrize("name", ["ce", "gce", "jal-ce"])
def test_the_weights_have_a_gradient_and_can_be_differentiated_twice(name: str) -> None:
    logits, target, weights = batch()
    arguments = logits.requires_grad_(), (weights + 0.1).requires_grad_()
    loss = make_loss(name)
    assert torch.autograd.gradcheck(lambda z, w: loss(z, target, w), arguments)
    assert torch.autograd.gradgradcheck(lambda z, w: loss(z, target, w), arguments)


@pytest.mark.parametrize("name", ["ce", "nce+rce", "jal-fl"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_large_inputs_and_half_precision(name: str, dtype: torch.dtype, scale: float) -> None:
    logits = torch.randn(1200, 1000).to(dtype)
    target, weights = torch.randint(1000, (1200,)), torch.rand(1200)
    loss = make_loss(name)
    for _ in range(3):  # the second and the third time it is known what the gradient is multiplied with
        given = logits.clone().requires_grad_()
        (scale * loss(given, target, weights)).backward()
        exact = logits.double().requires_grad_()
        (scale * loss(exact, target, weights.double())).backward()
        assert given.grad is not None
        assert exact.grad is not None
        tolerance = {"rtol": 1e-2, "atol": 1e-6 * scale} if dtype is torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-8}
        torch.testing.assert_close(given.grad.double(), exact.grad, **tolerance)


def test_weights_that_all_count_alike_change_nothing() -> None:
    logits, target, _ = batch()
    for name in NAMES:
        loss = make_loss(name)
        torch.testing.assert_close(loss(logits, target, torch.full((7,), 2.5)), loss(logits, target))


def test_no_sample_that_counts_has_no_gradient() -> None:
    logits, target, _ = batch()
    given = logits.requires_grad_()
    value = make_loss("jal-ce")(given, target, torch.zeros(7))
    assert value.isnan()
    assert (gradient(value, given) == 0).all()


def test_under_compile_and_functional_transforms() -> None:
    logits, target, weights = batch()
    loss = make_loss("gce")
    by_row = torch.func.vmap(torch.func.grad(lambda z, t, w: make_loss("gce", reduction="sum")(z, t, w)))
    given = logits.clone().requires_grad_()
    total = make_loss("gce", reduction="sum")(given, target, weights)
    torch.testing.assert_close(by_row(logits, target, weights), gradient(total, given))
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(logits, target, weights), loss(logits, target, weights))


@pytest.mark.parametrize("shape", [(), (1,), (7, 1), (8,)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    logits, target, _ = batch()
    with pytest.raises(LabelError, match=r"sample_weight is torch.float32 of shape .*: expected a number for each"):
        make_loss("ce")(logits, target, torch.ones(shape))
