"""Values and gradients against float64 formulas that are written differently from the library's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loss_cases import CASES, case_name
from noiseproof.losses import REGISTRY, Loss
from reference_losses import REFERENCES, value_and_gradient

TOLERANCE = {torch.float64: 1e-12, torch.float32: 5e-6, torch.bfloat16: 1e-2, torch.float16: 2e-3}


def test_every_loss_has_a_reference() -> None:
    own = {name for name, loss in REGISTRY.items() if loss.__module__.startswith("noiseproof.")}
    assert own == set(REFERENCES)


@pytest.mark.parametrize("scale", [0.1, 2.0, 12.0])
@pytest.mark.parametrize("num_classes", [2, 10, 37])
@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_value_and_gradient_equal_the_formula(loss: Loss, num_classes: int, scale: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(6, num_classes)) * scale
    labels = random.integers(num_classes, size=6)
    if scale == 12.0:
        logits[0] = 0.0  # all equal
    tensor = torch.tensor(logits, requires_grad=True)
    values = loss.with_options(reduction="none")(tensor, torch.tensor(labels))
    (gradients,) = torch.autograd.grad(values.sum(), tensor)
    for row in range(6):
        value, gradient = value_and_gradient(loss.name, loss.hyperparameters, logits[row], int(labels[row]))
        size = max(1.0, np.abs(gradient).max())
        assert values[row].item() == pytest.approx(value, rel=1e-12, abs=1e-12)
        assert np.abs(gradients[row].numpy() - gradient).max() <= 1e-12 * size


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_error_is_within_the_bound_of_the_type(loss: Loss, dtype: torch.dtype) -> None:
    logits = (torch.randn(64, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 4).to(dtype)
    labels = torch.arange(64) % 10
    low, high = logits.clone().requires_grad_(), logits.double().requires_grad_()
    value, truth = loss(low, labels), loss(high, labels)
    value.backward()
    truth.backward()
    assert value.dtype == dtype
    assert low.grad is not None
    assert high.grad is not None
    tolerance = TOLERANCE[dtype]
    assert abs(value.item() - truth.item()) <= tolerance * max(1.0, abs(truth.item()))
    assert (low.grad.double() - high.grad).abs().max() <= tolerance * max(1.0, high.grad.abs().max().item())


@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_closed_form_equals_autograd_on_the_plain_formula(loss: Loss) -> None:
    labels = torch.arange(8) % 5
    for target in (labels, torch.softmax(torch.randn(8, 5, dtype=torch.float64), -1)):
        logits = (torch.randn(8, 5, dtype=torch.float64) * 3).requires_grad_()
        assert torch.autograd.gradcheck(loss, (logits, target))
        assert torch.autograd.gradgradcheck(loss, (logits, target))


@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_limits_hold(loss: Loss) -> None:
    from noiseproof.losses import make_loss

    logits = torch.randn(32, 10, dtype=torch.float64) * 3
    labels = torch.arange(32) % 10
    for limit in type(loss).limits:
        special = type(loss)(**limit.parameters)(logits, labels)
        other = make_loss(limit.equals)(logits, labels)
        assert special.item() == pytest.approx(other.item(), rel=max(limit.tolerance, 1e-12))


@pytest.mark.parametrize("name", ["nce", "normalized(gce(q=0.5))", "normalized(mae)"])
def test_a_normalised_loss_sums_to_one_over_labels(name: str) -> None:
    from noiseproof.losses import make_loss

    loss = make_loss(name, reduction="none")
    logits = torch.randn(7, 6, dtype=torch.float64) * 5
    total = torch.stack([loss(logits, torch.full((7,), k)) for k in range(6)]).sum(0)
    torch.testing.assert_close(total, torch.ones(7, dtype=torch.float64), rtol=1e-12, atol=0)


def test_amse_is_a_steep_mae_plus_what_no_label_moves() -> None:
    """AMSE at q = 2 is (2a/K)(1 - p_y) + |p|^2/K + (a^2 - 2a)/K."""
    from noiseproof.losses import AMSE

    logits = torch.randn(9, 10, dtype=torch.float64)
    labels = torch.arange(9)
    p = torch.softmax(logits, -1)
    expected = 6.0 * (1 - p[labels, labels]) + (p**2).sum(1) / 10 + (900 - 60) / 10
    torch.testing.assert_close(AMSE(a=30, reduction="none")(logits, labels), expected, rtol=1e-13, atol=0)
