"""Values and gradients against formulas of 60 digits that are written differently from the library's.

The bar, for every loss, type and kind of input: the error is at most that of the naive formula in the same type plus a
rounding's worth, and nothing is NaN or infinite where the truth is a number of that type.
"""

from __future__ import annotations

import functools
import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from loss_cases import CASES, case_name
from naive_losses import NAIVE
from noiseproof.losses import REGISTRY, Loss, make_loss, normalized
from noiseproof.losses.definitions import AMSE, GCE
from noiseproof.losses.published import JALCE, NCE
from reference_losses import OF_LOGITS, REFERENCES, value_and_gradient

pytestmark = pytest.mark.usefixtures("unmeasured")

# A few roundings of numbers of size 1: the computation is in float32 for both half types.
TOLERANCE = {torch.float64: 4e-15, torch.float32: 2e-6, torch.bfloat16: 2**-8, torch.float16: 2**-10}

# These divide a difference from 1 into something, or multiply what nearly cancels by Lambda = 10.
AMPLIFIES = {"nlnl": 8.0, "ldr-kl": 8.0}
CLASSES = 10


def _kinds() -> dict[str, Tensor]:
    """Logits of each kind; all but the last are exact in bfloat16 and float16, so that the truth is the same one."""
    random = np.random.default_rng(0)

    def scaled(scale: float) -> np.ndarray[Any, Any]:
        return np.clip(random.normal(size=(3, CLASSES)) * scale, -1e4, 1e4)

    masked = scaled(3)
    masked[:, -1] = -math.inf
    confident = scaled(1)
    confident[0, 0] = 40.0  # in the label
    confident[1, 5] = 30.0  # in another class
    confident[2, 5] = 90.0
    extreme = np.full((3, CLASSES), -1e4)
    extreme[0, 0] = extreme[1, 7] = 1e4
    extreme[2, 2:4] = 1e4
    kinds = {
        "flat": scaled(0.1),
        "ordinary": scaled(3),
        "peaked": scaled(12),
        "huge": scaled(3e3),
        "masked": masked,
        "confident": confident,
        "extreme": extreme,
        "equal": np.zeros((1, CLASSES)),
        "equal and large": np.full((1, CLASSES), 1e4),
    }
    exact = {name: torch.tensor(logits).bfloat16().double() for name, logits in kinds.items()}
    exact["two classes"] = torch.tensor([[0.5, -0.25], [30.0, -30.0], [-8.0, 9.0]], dtype=torch.float64)
    exact["far from zero"] = (scaled(3).round(2) + 1e4).round(2)  # type: ignore[assignment]
    exact["far from zero"] = torch.tensor(np.float32(exact["far from zero"])).double()
    return exact


KINDS = _kinds()


@functools.cache
def truth(name: str, parameters: tuple[tuple[str, float], ...], kind: str) -> list[tuple[float, list[float]]]:
    logits = KINDS[kind]
    rows = [value_and_gradient(name, dict(parameters), row.tolist(), i % 2) for i, row in enumerate(logits)]
    return [(float(value), [float(one) for one in gradient]) for value, gradient in rows]


def _evaluate(loss: Any, logits: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.clone().requires_grad_()
    values = loss(logits, torch.arange(len(logits)) % 2)
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    return values.detach().double(), gradient.double()


def _error(found: Tensor, true: Tensor) -> float:
    error = (found - true).abs().max().item()
    return error if math.isfinite(error) else math.inf


def test_every_loss_has_a_reference_and_a_naive_formula() -> None:
    own = {name for name, loss in REGISTRY.items() if loss.__module__.startswith("noiseproof.")}
    assert own == {*REFERENCES, *OF_LOGITS}
    assert own == set(NAIVE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_accuracy_bar(loss: Loss, kind: str) -> None:
    rows = truth(loss.name, tuple(loss.hyperparameters.items()), kind)
    logits = KINDS[kind]
    for dtype, rounding in TOLERANCE.items():
        tolerance = rounding * AMPLIFIES.get(loss.name, 1.0)
        if kind == "far from zero" and torch.finfo(dtype).bits == 16:
            continue  # no such numbers
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            naive_values, naive_gradients = _evaluate(
                lambda z, y: NAIVE[loss.name](z, y, **loss.hyperparameters), logits.to(dtype)
            )
        values, gradients = _evaluate(loss.with_options(reduction="none"), logits.to(dtype))
        for row, (value, slopes) in enumerate(rows):
            gradient = torch.tensor(slopes, dtype=torch.float64)
            if abs(value) > torch.finfo(dtype).max or gradient.abs().max() > torch.finfo(dtype).max:
                continue
            true = torch.tensor(value, dtype=torch.float64)
            assert _error(values[row], true) <= _error(naive_values[row], true) + tolerance * max(1.0, abs(value)), (
                dtype
            )
            bar = _error(naive_gradients[row], gradient) + tolerance * max(1.0, gradient.abs().max().item())
            assert _error(gradients[row], gradient) <= bar, dtype


def _amse_without_nan(logits: Tensor, y: Tensor, a: float, q: float) -> Tensor:
    p = torch.softmax(logits, 1)
    own = p.gather(1, y[:, None])
    return ((a - own) ** q + (p**q).sum(1, keepdim=True) - own**q).squeeze(1) / p.shape[1]


@pytest.mark.parametrize("num_classes", [600, 5000])
@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_many_classes(loss: Loss, num_classes: int) -> None:
    """Other code runs there; the truth is the naive formula in float64, where its floors do not matter."""
    logits = (torch.randn(3, num_classes, generator=torch.Generator().manual_seed(0)) + 3).double()
    naive = _amse_without_nan if loss.name == "amse" else NAIVE[loss.name]
    true_values, true_gradients = _evaluate(lambda z, y: naive(z, y, **loss.hyperparameters), logits)
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 2e-5)):
        values, gradients = _evaluate(loss.with_options(reduction="none"), logits.to(dtype))
        torch.testing.assert_close(values, true_values, rtol=tolerance, atol=tolerance)
        size = true_gradients.abs().max().item()
        assert (gradients - true_gradients).abs().max().item() <= tolerance * size + 1e-9


@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_vocabulary_of_200_000(loss: Loss) -> None:
    logits = torch.randn(2, 200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values, gradients = _evaluate(loss, logits.float())
    true_values, true_gradients = _evaluate(loss, logits.float().double())
    assert gradients.isfinite().all()
    torch.testing.assert_close(values, true_values, rtol=2e-5, atol=1e-6)
    assert (gradients - true_gradients).abs().max() <= 2e-5 * true_gradients.abs().max() + 1e-9


@pytest.mark.parametrize("spec", ["gce", "gce(q=0.05)", "mae", "rce", "agce", "aul", "ael", "amse", "jal-ce"])
@pytest.mark.parametrize("gap", [20.0, 40.0, 80.0])
def test_samples_that_are_far_off_keep_their_gradient(spec: str, gap: float) -> None:
    """Published code floors the probability at 1e-8 and gives such samples none."""
    logits = torch.zeros(1, CLASSES)
    logits[0, 0] = -gap
    loss = make_loss(spec)
    _, true = value_and_gradient(loss.name, loss.hyperparameters, logits[0].tolist(), 0)
    _, found = _evaluate(loss, logits)
    assert found[0, 0].item() == pytest.approx(float(true[0]), rel=2e-5)
    assert found[0, 0] < 0


@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_limits_hold(loss: Loss) -> None:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(32, 10, dtype=torch.float64, generator=random) * 3
    for limit in type(loss).limits:
        special = type(loss)(**limit.parameters, reduction="none")
        other = make_loss(limit.equals, reduction="none")
        tolerance = max(limit.tolerance, 1e-12)
        for first, second in zip(_evaluate(special, logits), _evaluate(other, logits), strict=True):
            torch.testing.assert_close(first, second, rtol=tolerance, atol=tolerance)


def test_amse_at_q_1_has_no_gradient_in_a() -> None:
    logits = torch.randn(5, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gradients = [_evaluate(AMSE(a=a, q=1), logits)[1] for a in (1.0, 2.0, 30.0)]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-15)
    torch.testing.assert_close(gradients[0], gradients[2], rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("spec", "total"),
    [
        ("nce", 1.0),
        ("nfl", 1.0),
        ("normalized(gce(q=0.5))", 1.0),
        ("normalized(mae)", 1.0),
        ("nnce", 5.0),
        ("nnfl", 5.0),
        ("negative(gce(q=0.5), p_min=1e-3)", 5.0),
        ("mae", 10.0),
    ],
)
def test_the_sum_over_labels_of_a_symmetric_loss_is_constant(spec: str, total: float) -> None:
    loss = make_loss(spec, reduction="none")
    logits = torch.randn(7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 5
    found = torch.stack([loss(logits, torch.full((7,), k)) for k in range(6)]).sum(0)
    torch.testing.assert_close(found, torch.full((7,), total, dtype=torch.float64), rtol=1e-12, atol=0)


def test_amse_is_a_steep_mae_plus_what_no_label_moves() -> None:
    """AMSE at q = 2 is (2a/K)(1 - p_y) + |p|^2/K + (a^2 - 2a)/K."""
    logits = torch.randn(9, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(9)
    p = torch.softmax(logits, -1)
    expected = 6.0 * (1 - p[labels, labels]) + (p**2).sum(1) / 10 + (900 - 60) / 10
    torch.testing.assert_close(AMSE(a=30, reduction="none")(logits, labels), expected, rtol=1e-13, atol=0)


def test_autocast_computes_in_float32() -> None:
    logits = torch.randn(64, 10, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(64) % 10
    for loss in (JALCE(), NCE(), GCE()):
        half = logits.bfloat16().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(half, labels)
            value.backward()
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(loss(half.detach().float(), labels).item(), rel=1e-6)
        assert half.grad is not None
        assert half.grad.dtype == torch.bfloat16


def test_negative_learning_draws_complementary_labels() -> None:
    loss = make_loss("nlnl", reduction="none")
    logits = torch.randn(1, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).repeat(6000, 1)
    logits.requires_grad_()
    torch.manual_seed(0)
    values = loss(logits, torch.full((6000,), 2))
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    mean = make_loss("nlnl(sampled=false)")(logits[:1], torch.tensor([2]))
    assert len(values.unique()) == 5  # never the label
    assert values.mean().item() == pytest.approx(mean.item(), rel=0.02)
    p = torch.softmax(logits[0], -1).detach()
    drawn = (gradient[0] > 0).nonzero().item()
    assert gradient[0, drawn].item() == pytest.approx(p[drawn].item(), rel=1e-12)  # dL/dz = p p/(1-p) + p
    torch.manual_seed(0)
    assert torch.equal(values, loss(logits, torch.full((6000,), 2)))


@pytest.mark.parametrize("spec", ["normalized(amse)", "normalized(ce + mae)"])
def test_operators_take_losses_of_the_label_alone(spec: str) -> None:
    with pytest.raises(Exception, match="expected a loss of the label's probability alone"):
        make_loss(spec)
    assert normalized(GCE()).spec == "normalized(gce(q=0.7))"
