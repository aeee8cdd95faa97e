"""Values with gradients, without autograd."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from loss_cases import BY_NAME, case_name
from noiseproof.errors import LabelError
from noiseproof.losses import Loss, make_loss

WEIGHT = torch.tensor([0.5, 2.0, 1.0, 0.25, 1.5], dtype=torch.float64)


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def by_autograd(loss: Loss, logits: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, *others)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


@pytest.mark.parametrize("loss", list(BY_NAME.values()), ids=case_name)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_it_is_what_autograd_gives(loss: Loss, reduction: str) -> None:
    labels = torch.tensor([0, 1, -100, 3, 4, 0])
    for options in ({}, {"weight": WEIGHT}, {"label_smoothing": 0.1}):
        each = loss.with_options(reduction=reduction, **options)
        for others in ((labels,), (labels, torch.rand(6)), (draw(6, 5).softmax(1),)):
            found = each.value_and_grad(draw(6, 5), *others)
            for one, other in zip(found, by_autograd(each, draw(6, 5), *others), strict=True):
                torch.testing.assert_close(one, other)
                assert not one.requires_grad


@pytest.mark.parametrize("shape", [(5,), (6, 5, 3), (2, 5, 3, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shapes_and_types(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    logits = draw(*shape).to(dtype).requires_grad_()
    labels = torch.ones(shape[:-1] if len(shape) == 1 else (shape[0], *shape[2:]), dtype=torch.int64)
    loss = make_loss("jal-ce", reduction="none")
    value, gradient = loss.value_and_grad(logits, labels)
    assert (value.shape, gradient.shape, value.dtype, gradient.dtype) == (labels.shape, shape, dtype, dtype)
    torch.testing.assert_close(gradient, by_autograd(loss, logits.detach(), labels)[1])


def test_under_a_transform_and_with_wrong_labels() -> None:
    loss = make_loss("jal-ce", reduction="none")
    logits, labels = draw(4, 6, 5), torch.arange(24).reshape(4, 6) % 5
    found = torch.func.vmap(loss.value_and_grad)(logits, labels)
    for one, other in zip(found, by_autograd(loss, logits.reshape(-1, 5), labels.reshape(-1)), strict=True):
        torch.testing.assert_close(one.reshape(other.shape), other)
    with pytest.raises(LabelError, match="target 5 is no class"):
        loss.value_and_grad(logits[0], labels[0] + 1)


def test_boosted_scores_fit_the_labels() -> None:
    labels = torch.arange(60) % 3
    scores = torch.zeros(60, 3, dtype=torch.float64)
    loss = make_loss("gce", reduction="sum")
    first, _ = loss.value_and_grad(scores, labels)
    for _ in range(50):
        value, gradient = loss.value_and_grad(scores, labels)
        scores -= gradient
    assert value < first / 10
