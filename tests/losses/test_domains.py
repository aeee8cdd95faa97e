"""Values and gradients where parameters and logits go to the ends of their domains."""

from __future__ import annotations

import math
import random

import pytest
import torch
from torch import Tensor

from accuracy import Case, bars, search
from noiseproof.losses import REGISTRY, make_loss
from reference_losses import OF_LOGITS, REFERENCES, value_and_gradient

pytestmark = pytest.mark.usefixtures("unmeasured")

# Where formulas cancel, divide by what vanishes or take a power of it: a label that leads, trails, is tied or masked.
ROWS = [
    ([3.0, 0.0, -1.0, 0.5], 0),
    ([30.0, 0.0], 0),
    ([30.0, 0.0], 1),
    ([0.0, 0.0, 0.0], 1),
    ([5.0, 5.0, -40.0], 0),
    ([-12.0, 1.0, 4.0, 4.5, 300.0], 0),
    ([10003.0, 10000.0, 9999.0, 10000.5], 0),
    ([-200.0, -190.0, -300.0], 1),
]
BORDERS = [
    *("ldr-kl(c=2, Lambda=0.1)", "ldr-kl(c=2, Lambda=0.01)", "ldr-kl(Lambda=1000)", "ldr-kl(Lambda=1e6)"),
    *("ldr-kl(c=2, Lambda=1e-30)", "ldr-kl(c=0, Lambda=1e30)", "ldr-kl(c=1e6, Lambda=3)"),
    *("ce-eps", "fl-eps", "ce-eps(m=1e15)", "ce-eps(m=1e-5, floor=0)", "fl-eps(gamma=30)", "fl-eps(m=0.1, floor=0.99)"),
    *("amse(a=1, q=0.5)", "amse(q=0.001)", "amse(a=1, q=1e-9)", "amse(a=1.0000001, q=0.1)", "amse(a=2, q=60)"),
    *("aul(a=1.00000001, p=0.5)", "aul(a=1.0000000000000002, p=0.01)", "aul(a=1.1, p=50)", "aul(a=1e9, p=0.3)"),
    *("agce(a=6, q=50)", "agce(a=0, q=1e-9)", "agce(a=1e-300, q=0.1)", "agce(a=1e25, q=1)", "agce(a=1e-5, q=0.5)"),
    *("nlnl(floor=0, sampled=false)", "nlnl(sampled=false)", "nlnl(floor=0.9, sampled=false)"),
    *("bi-tempered(t2=1.00001)", "bi-tempered(t1=0.9999999, t2=1.0000000000000002)", "bi-tempered(t1=0, t2=4)"),
    *("nfl(gamma=150)", "nfl(gamma=1e6)", "fl(gamma=1000)", "fl(gamma=1e30, detached=false)", "nfl(gamma=0.001)"),
    *(
        "nnfl(gamma=1000, p_min=0.1)",
        "nnce(p_min=0.199)",
        "nnce(p_min=1e-300)",
        "ce+lc(delta=1e6)",
        "ce+lc(delta=1e-9)",
    ),
    *("ce+lc(delta=1e6, as_coded=false)", "ael(a=1e-9)", "ael(a=1e20)", "gce(q=1e-300)", "rce(A=-1e9)"),
]


def _evaluate(spec: str, logits: Tensor, label: int) -> tuple[Tensor, Tensor]:
    logits = logits.clone().unsqueeze(0).requires_grad_()
    value = make_loss(spec)(logits, torch.tensor([label]))
    (gradient,) = torch.autograd.grad(value, logits)
    return value.detach().double(), gradient[0].double()


@pytest.mark.parametrize("spec", BORDERS)
def test_at_the_borders(spec: str) -> None:
    """A tighter bar than that of the search: relative to the largest slope, wherever the label does not lead by far."""
    loss = make_loss(spec)
    for logits, label in ROWS:
        if loss.hyperparameters.get("p_min", 0.0) * len(logits) >= 1:
            continue
        value, slopes = value_and_gradient(loss.name, loss.hyperparameters, logits, label)
        true = torch.tensor([float(slope) for slope in slopes], dtype=torch.float64)
        for dtype, rounding in ((torch.float64, 1e-13), (torch.float32, 1e-4)):
            largest = torch.finfo(dtype).max / 10
            found, gradient = _evaluate(spec, torch.tensor(logits, dtype=dtype), label)
            if abs(value) < largest:
                assert abs(found.item() - float(value)) <= rounding * max(abs(float(value)), 0.1)
            if true.abs().max() < largest:
                assert gradient.isfinite().all()
                assert (gradient - true).abs().max() <= rounding * max(true.abs().max().item(), 0.1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("spec", ["ce-eps", "fl-eps"])
def test_a_leading_label_of_the_epsilon_softmax_keeps_its_digits(spec: str, dtype: torch.dtype) -> None:
    logits = [3.0, 0.5, -1.0, 0.25]
    value, slopes = value_and_gradient(spec, make_loss(spec).hyperparameters, logits, 0)
    found, gradient = _evaluate(spec, torch.tensor(logits, dtype=dtype), 0)
    assert found.item() == pytest.approx(float(value), rel=1e-5)
    assert gradient.tolist() == pytest.approx([float(slope) for slope in slopes], rel=1e-5)


@pytest.mark.parametrize("name", sorted({*REFERENCES, *OF_LOGITS}))
def test_random_logits_and_parameters(name: str) -> None:
    """A small search of ``benchmarks/accuracy.py``."""
    cases = search(name, random.Random(f"suite {name}"))
    for _ in range(12):
        worst, case = next(cases)
        assert worst <= 1, str(case)


@pytest.mark.parametrize(
    ("spec", "dtype", "logits", "label"),
    [
        # Slopes and values near the largest float32, with and without a power of a + p that is beyond it.
        ("aul(a=3093.1482258025353, p=11)", torch.float32, [-0.1061, -0.0921, 0.1629, 0.0507, 0.0235, -0.0193], 2),
        ("aul(a=300, p=16)", torch.float32, [0.3, 0.1, -0.2], 0),
        ("agce(a=3093.1482258025353, q=11)", torch.float32, [-0.1061, -0.0921, 0.1629, 0.0507, 0.0235, -0.0193], 2),
        ("amse(a=30, q=47)", torch.float64, [5.675, -2.969, 6.674, 9.246, 8.979], 0),
        ("amse(a=30, q=24)", torch.float32, [5.675, -2.969, 6.674, 9.246, 8.979], 0),
        (
            "agce(a=0.6, q=56)",
            torch.float32,
            [
                -4.260323524475098,
                2.3645896911621094,
                0.5815979242324829,
                -0.5109452605247498,
                6.648649215698242,
                -1.147773027420044,
                2.793883800506592,
                -1.6932077407836914,
                -7.731858253479004,
                -2.396395206451416,
            ],
            4,
        ),
        ("aul(a=1.8143274417884758, p=189.07793656412517)", torch.float64, [0.0] * 10, 5),
        (
            "fl-eps(m=5e-324, floor=1e-08, gamma=5e-324)",
            torch.float32,
            [5.449143409729004, -1.5971986055374146, 27.166929244995117],
            2,
        ),
        ("amse(a=30, q=2)", torch.float32, [-1.448895812034607, 3.0645928382873535], 1),
        ("nfl(gamma=1e30)", torch.float64, [-38.869918296956286, 3.752307304120001, -30.610390009818477], 0),
        ("sce(alpha=5e-324, beta=3, A=-1e9)", torch.float64, [0.4, -0.8, -math.inf], 2),
        ("bi-tempered(t1=0.9999999999999999, t2=1.2)", torch.float64, [2.5, -1.25, 0.75, -math.inf, 3.0], 3),
        ("agce+mae(alpha=5000, beta=1, a=0, q=1e300)", torch.float32, [7.7, 3.9, 162.9, -4.6, 22.4], 2),
        ("aul(a=17, p=207)", torch.float64, [-1.29, 6.24, 231.6, 0.56], 2),
        (
            "agce(a=0.8925851735141708, q=401.16485939003286)",
            torch.float64,
            [
                -0.03418946238341083,
                -0.05724572304804843,
                -0.4198361352025061,
                -1.7050843680751024,
                -2.316641852408148,
                1.4082071468161401,
                1.4192945608853782,
                -0.34999441200440734,
                1.124380705223509,
                -1.769721493332306,
            ],
            6,
        ),
        ("amse(a=1, q=1e300)", torch.float32, [4.844, 1.86, 19.012, 2.984, 3.55, 5.575, 3.215], 2),
        # The leading probability is 1 in float64, and its power 0.
        ("amse(a=1, q=1e300)", torch.float64, [-103.2, 25.7, -117.0, 46.4, -70.6, 38.9, 148.4, -86.1, 91.6], 2),
        ("gce(q=5e-324)", torch.float32, [0.28, -math.inf], 1),
        # A float32 has no such q, and 0 times the logarithm of 0 is NaN.
        ("agce+mae(alpha=1, beta=1e-15, a=0, q=5e-324)", torch.float32, [-0.375, -math.inf, 0.5], 1),
        ("bi-tempered(t1=1, t2=4)", torch.float64, [2.5, -1.25, 0.75, -math.inf, 3.0], 3),
        # A weight brings the term back into what a float32 holds.
        (
            "nce+aul(alpha=5e-324, beta=4.89998747573949e-06, a=6729711.349898148, p=7.391616901506847)",
            torch.float32,
            [-3.455353021621704, -4.4823102951049805],
            1,
        ),
        (
            "nfl+aul(alpha=1, beta=5e-324, gamma=336389.1558773434, a=17345961.44448098, p=15.40460770954755)",
            torch.float32,
            [-2794.970458984375, -2925.191162109375],
            0,
        ),
        ("amse(a=30, q=171.17467586295024)", torch.float32, [-667.9660034179688, -463.7080993652344, -math.inf], 1),
    ],
)
def test_what_searches_found(spec: str, dtype: torch.dtype, logits: list[float], label: int) -> None:
    case = Case(make_loss(spec, reduction="none"), torch.tensor(logits, dtype=dtype), label)
    assert bars(case) <= 1


LARGE = "nce+aul(alpha=1, beta=1e-40, a=1e6, p=7.5)"  # the values of the second term are about 1e39 before its weight


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("spec", [LARGE, "1e-40*aul(a=1e6, p=7.5) + ce", "1e-45*normalized(agce(a=1e6, q=7.5)) + mae"])
def test_numbers_beyond_float32_on_the_way_leave_the_types_as_they_are(spec: str, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(6, 4, generator=generator).to(dtype).requires_grad_()
    target, weight = torch.tensor([0, 1, 2, 3, -100, 1]), torch.rand(6, generator=generator)
    exact = logits.detach().double().requires_grad_()
    loss = make_loss(spec)
    assert loss.needs_float64
    for options in ({}, {"weight": torch.tensor([0.5, 1, 2, 1])}, {"label_smoothing": 0.1}):
        with_options = loss.with_options(**options)
        value = with_options(logits, target, weight)
        true = with_options(exact, target, weight)
        assert value.dtype == dtype
        (gradient,) = torch.autograd.grad(value, logits)
        (slopes,) = torch.autograd.grad(true, exact)
        assert gradient.dtype == dtype
        rounding = 2 * torch.finfo(dtype).eps
        torch.testing.assert_close(value.double(), true.to(dtype).double(), rtol=rounding, atol=0)
        torch.testing.assert_close(gradient.double(), slopes.to(dtype).double(), rtol=rounding, atol=1e-7)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            automatic = with_options(logits, target, weight)
        assert automatic.dtype is torch.float32
        assert automatic.item() == pytest.approx(true.item(), rel=1e-6)


def test_published_parameters_are_computed_in_the_type_of_the_logits() -> None:
    assert not any(loss().needs_float64 for loss in REGISTRY.values())


@pytest.mark.parametrize("floor", [0.0, 1e-5])
def test_negative_learning_against_a_certain_class(floor: float) -> None:
    """The drawn label is the only other one, and has nearly all of the probability."""
    for gap in (11.0, 30.0, 2000.0):
        for dtype, rounding in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
            logits = torch.tensor([[gap, 0.0]], dtype=dtype, requires_grad=True)
            value = make_loss(f"nlnl(floor={floor})")(logits, torch.tensor([1]))
            (gradient,) = torch.autograd.grad(value, logits)
            true, slopes = value_and_gradient("nlnl", {"floor": floor, "sampled": False}, [gap, 0.0], 1)
            assert value.item() == pytest.approx(float(true), rel=rounding)
            assert gradient[0].tolist() == pytest.approx([float(slope) for slope in slopes], rel=rounding, abs=1e-12)


@pytest.mark.parametrize("target", ["labels", "probabilities"])
@pytest.mark.parametrize("spec", BORDERS)
def test_probability_targets_mean_the_same(spec: str, target: str) -> None:
    logits = torch.tensor([[3.0, 0.0, -1.0, 0.5], [0.1, 9.0, 0.2, 9.0]], dtype=torch.float64, requires_grad=True)
    loss = make_loss(spec, reduction="none")
    labels = torch.tensor([[0, 1, 2, 3]] * 2)
    if target == "labels":
        given = torch.nn.functional.one_hot(labels[:, 1], 4).double()
        expected = loss(logits, labels[:, 1])
    else:
        given = torch.tensor([[0.5, 0.2, 0.0, 0.3], [0.0, 0.9, 0.1, 0.0]], dtype=torch.float64)
        expected = torch.stack([loss(logits, labels[:, k]) * given[:, k] for k in range(4)]).sum(0)
    found = loss(logits, given)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    (mine,) = torch.autograd.grad(found.sum(), logits)
    (each,) = torch.autograd.grad(expected.sum(), logits)
    torch.testing.assert_close(mine, each, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("spec", ["agce(a=0)", "agce(a=0, q=2)", "agce+mae(a=0)", "ce", "gce", "nce"])
def test_a_masked_label_has_the_limit_under_transforms(spec: str) -> None:
    logits, target = torch.tensor([[1.0, -torch.inf, 0.5]], dtype=torch.float64), torch.tensor([1])
    loss = make_loss(spec)
    found = torch.func.grad(lambda given: loss(given, target))(logits)
    plain = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(plain, target), plain)
    torch.testing.assert_close(found, gradient)


@pytest.mark.parametrize("spec", sorted(REGISTRY))
def test_a_masked_label_has_the_limit(spec: str) -> None:
    logits = torch.tensor([[1.0, -torch.inf, 0.5], [1.0, 2.0, 0.5]], requires_grad=True)
    value = make_loss(spec, reduction="none")(logits, torch.tensor([1, 1]))
    assert not value.isnan().any()
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    assert gradient.isfinite().all()
    if spec in ("nce", "nfl"):
        assert value[0] == 1
