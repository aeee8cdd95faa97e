"""Verdicts against brute force over the simplex, and the published ratios and rates."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conftest import UNMEASURED
from loss_cases import CASES, case_name
from noiseproof.errors import SpecError
from noiseproof.losses import REGISTRY, LabelLoss, Loss, make_loss, parameter
from noiseproof.noise import asymmetric_matrix, symmetric_matrix
from noiseproof.theory import (
    asymmetry_ratio,
    guaranteed,
    guarantees,
    is_asymmetric,
    is_symmetric,
    largest_pair_rate,
    largest_symmetric_rate,
    needed_a,
    noisy_risk,
    risk_minimizer,
)
from noiseproof.theory._risk import expected, risks, vertex_risk


def _simplex(size: int) -> torch.Tensor:
    step = {2: 200, 3: 40}[size]
    grid = [np.array(p) / step for p in np.ndindex(*[step + 1] * size) if sum(p) == step]
    for vertex in range(size):
        for toward in [*np.eye(size), np.full(size, 1 / size)]:
            grid += [(1 - d) * np.eye(size)[vertex] + d * toward for d in np.geomspace(1e-7, 0.02, 15)]
    return torch.tensor(np.array(grid))


SIMPLEX = {size: _simplex(size).clamp(min=1e-300).log() for size in (2, 3)}
weights = st.lists(st.floats(0.05, 1.0), min_size=2, max_size=3).map(np.array)


@pytest.mark.parametrize("loss", CASES, ids=case_name)
@settings(max_examples=30)
@example(w=np.array([0.51953125, 0.65171568]))
@given(w=weights)
def test_verdicts_agree_with_brute_force(loss: Loss, w: np.ndarray) -> None:
    ordered = np.sort(w)[::-1]
    if ordered[0] - ordered[1] < 0.05:
        return
    heaviest = int(np.argmax(w))
    whole, _ = expected(loss, w)
    verdict = is_asymmetric(whole, w) if len(w) == 2 and loss.name not in _SEARCHED else None
    proved = guaranteed(whole, w)
    if verdict is not None and verdict.asymmetric is not None:
        assert proved == verdict.asymmetric
    values = risks(whole, SIMPLEX[len(w)], w)
    vertex = vertex_risk(whole, w, heaviest)
    lowest = values.min().item()
    if proved:
        assert lowest >= vertex - 1e-9 * max(1.0, abs(vertex))
    elif verdict is not None and verdict.asymmetric is False and "way from" in verdict.reason:
        assert lowest < vertex  # however little: that of AMSE with q = 1.5 and a = 20 is 1e-10 of the risk


# Their verdicts need a search, which a test of thousands of weights has no time for.
_SEARCHED = {"bi-tempered", "ldr-kl", "ce+lc", "ce-eps", "fl-eps", "ce-eps+mae", "fl-eps+mae", "nlnl"}


def test_no_loss_of_logits_or_of_the_largest_class_is_called_safe() -> None:
    w = symmetric_matrix(0.6, 3)[0]
    for name in _SEARCHED:
        verdict = is_asymmetric(name, [0.5, 0.3, 0.2])
        assert verdict.asymmetric is not True, name
        assert not guaranteed(name, w), name
    assert is_asymmetric("bi-tempered", w).asymmetric is False
    assert "lower at p = " in is_asymmetric("bi-tempered", w).reason
    assert str(is_asymmetric("ldr-kl", [0.5, 0.3, 0.2])).startswith("not ")


@pytest.mark.parametrize(
    ("spec", "ratio"),
    [
        ("agce(a=0.6, q=0.6)", 1.6 / 0.6),
        ("aul(a=5.5, p=3)", 5.5 / 4.5),
        ("aul(a=6.3, p=1.5)", 6.3 / 5.3),
        ("ael(a=2.5)", math.exp(1 / 2.5)),
        ("ael(a=1.5)", math.exp(1 / 1.5)),
    ],
)
def test_the_ratio_of_weights_that_a_loss_needs(spec: str, ratio: float) -> None:
    """((a+1)/a)^(1-q), (a/(a-1))^(p-1) and e^(1/a)."""
    loss = make_loss(spec)
    exponent = {"agce": 1 - loss.hyperparameters.get("q", 0), "aul": loss.hyperparameters.get("p", 0) - 1}
    rho = ratio ** exponent.get(loss.name, 1.0)
    assert asymmetry_ratio(loss) == pytest.approx(1 / rho, rel=1e-12)
    assert largest_symmetric_rate(loss, 10) == pytest.approx(9 / (9 + rho), abs=2e-9)
    assert largest_symmetric_rate(loss, 100) == pytest.approx(99 / (99 + rho), abs=2e-9)
    assert largest_pair_rate(loss) == pytest.approx(1 / (1 + rho), abs=2e-9)
    assert is_asymmetric(loss, [rho * 1.0001, 1, 0.5]).asymmetric is True
    assert is_asymmetric(loss, [rho * 0.9999, 1, 0.5]).asymmetric is False


@pytest.mark.parametrize(
    "spec", ["mae", "rce", "gce(q=1)", "agce(a=6, q=1.5)", "agce(a=1.8, q=3)", "aul(a=5.5, p=0.5)"]
)
def test_losses_that_tolerate_whatever_can_be(spec: str) -> None:
    assert asymmetry_ratio(spec) == 1.0
    assert largest_symmetric_rate(spec, 10) == pytest.approx(0.9)
    assert largest_pair_rate(spec) == 0.5
    assert is_asymmetric(spec, [0.5001, 0.4999]).asymmetric is True
    assert is_asymmetric(spec, [0.5, 0.5]).asymmetric is False


@pytest.mark.parametrize("spec", ["ce", "fl", "gce", "gce(q=0.999)", "sce", "nlnl"])
def test_losses_that_are_never_asymmetric(spec: str) -> None:
    for w in ([0.9, 0.1], [0.8, 0.15, 0.05]):
        assert is_asymmetric(spec, w).asymmetric is False
    assert largest_symmetric_rate(spec, 10) == 0.0


def test_amse_covers_the_published_rates() -> None:
    """(1 - 1/a)(K-1)/K and (1 - 1/a)/2 at q = 2."""
    for a in (5, 10, 20, 30):
        for spec in (f"amse(a={a})", f"jal-ce(a={a})"):
            assert largest_symmetric_rate(spec, 10) == pytest.approx((1 - 1 / a) * 0.9, abs=2e-9)
            assert largest_pair_rate(spec) == pytest.approx((1 - 1 / a) / 2, abs=2e-9)


def test_normalized_losses_alone_do_not_single_out_the_heaviest_class() -> None:
    verdict = is_asymmetric("nce", [0.6, 0.25, 0.15])
    assert verdict.asymmetric is False
    assert verdict.weak
    # Half of the mass on the second class: as low a risk as at the heaviest.
    w = np.array([0.6, 0.25, 0.15])
    assert noisy_risk("nce", [0.5, 0.5, 0.0], w) == pytest.approx(0.15, abs=0.002)
    assert is_asymmetric("nce", [0.6, 0.4]).asymmetric is True
    for spec in ("nce+rce", "jal-ce", "anl-ce", "nce+agce"):
        assert is_asymmetric(spec, w).asymmetric is True


def test_label_smoothing_is_a_noise_of_its_own() -> None:
    w, share = np.array([0.5, 0.3, 0.2]), 0.4
    met = (1 - share) * w + share / 3
    for spec in ("mae", "gce", "amse(a=8)", "amse(a=9)", "jal-ce(a=9)", "nlnl(sampled=false)"):
        smoothed = make_loss(spec, label_smoothing=share)
        assert is_asymmetric(smoothed, w) == is_asymmetric(spec, met)
        assert guaranteed(smoothed, w) == guaranteed(spec, met)
        assert noisy_risk(smoothed, [0.2, 0.5, 0.3], w) == pytest.approx(noisy_risk(spec, [0.2, 0.5, 0.3], met))
        np.testing.assert_allclose(risk_minimizer(smoothed, w).p, risk_minimizer(spec, met).p)
    assert needed_a("amse(label_smoothing=0.4)", w) == pytest.approx(1 / 0.12)
    assert is_symmetric("mae(label_smoothing=0.4)")
    assert asymmetry_ratio("mae(label_smoothing=0.4)") is None
    with pytest.raises(SpecError, match="without class weights"):
        is_asymmetric(make_loss("mae", weight=torch.ones(3)), w)


def test_nothing_depends_on_assertions() -> None:
    code = "import noiseproof; print(noiseproof.theory.is_asymmetric('ce-eps', [0.5, 0.3, 0.2]).asymmetric)"
    for flags in ([], ["-O"]):
        command = [sys.executable, *flags, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=UNMEASURED)
        assert done.stdout == "False\n"


def test_what_is_symmetric() -> None:
    symmetric = {name for name in REGISTRY if is_symmetric(name, 7)}
    assert symmetric == {
        *("mae", "rce", "nce", "nfl", "nnce", "nnfl", "nce+mae", "nce+rce", "nfl+mae", "nfl+rce", "anl-ce", "anl-fl")
    }


@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_minimizers_are_no_worse_than_brute_force(loss: Loss) -> None:
    w = np.array([0.5, 0.3, 0.2])
    whole, _ = expected(loss, w)
    found = risk_minimizer(whole, w)
    assert found.p.sum() == pytest.approx(1)
    assert found.risk <= risks(whole, SIMPLEX[3], w).min().item() + 2e-3 * max(1.0, abs(found.risk))


def test_the_minimizer_of_cross_entropy_is_the_posterior() -> None:
    found = risk_minimizer("ce", [0.5, 0.3, 0.2])
    assert found.exact
    np.testing.assert_allclose(found.p, [0.5, 0.3, 0.2], atol=1e-9)


def test_a_loss_of_ones_own_has_a_theory() -> None:
    try:

        class Squared(LabelLoss, name="squared-distance-of-the-label"):
            """(1 - p_y)^power."""

            power: float = parameter(default=2.0, domain="[1, inf)")

            def value(self, label):  # type: ignore[no-untyped-def]
                return (1 - label.p) ** self.power

            def slope(self, label):  # type: ignore[no-untyped-def]
                return -self.power * (1 - label.p) ** (self.power - 1) * label.p

        assert is_asymmetric("squared-distance-of-the-label", [0.9, 0.1]).asymmetric is False
        assert "squared-distance-of-the-label(power=2)" in {row.loss for row in guarantees(np.eye(3)).rows}
    finally:
        del REGISTRY["squared-distance-of-the-label"]


def test_guarantees_for_a_noise() -> None:
    T = asymmetric_matrix(0.4, {0: 1, 2: 3}, 4)
    found = guarantees(T, ["mae", "ce", "jal-ce(a=4)", "jal-ce"], prior=[1, 1, 2, 0])
    rows = {row.loss: row for row in found.rows}
    assert rows["mae"].classes == (0, 1, 2, 3)
    assert rows["ce"].classes == (1, 3)
    assert rows["jal-ce(alpha=1, beta=1, a=4)"].share == 0.25
    assert rows["jal-ce(alpha=1, beta=1, a=30)"].needed_a == pytest.approx(5, rel=1e-8)
    assert found.lost == ()
    flipped = guarantees([[0.4, 0.6, 0], [0, 1, 0], [0.5, 0, 0.5]], ["mae"])
    assert flipped.lost == (0, 2)
    assert flipped.rows[0].classes == (1,)
    assert needed_a("mae", [0.6, 0.4]) is None
    assert needed_a("amse", [0.5, 0.5]) == math.inf


@pytest.mark.data
def test_human_labels(cifar_dir) -> None:  # type: ignore[no-untyped-def]
    from noiseproof.data import cifarn
    from noiseproof.theory import amse_threshold_matrix

    worst = amse_threshold_matrix(cifarn(cifar_dir, "worst").matrix)
    assert worst.overall == pytest.approx(3.72, abs=5e-3)
    hundred = amse_threshold_matrix(cifarn(cifar_dir, "noisy").matrix)
    assert np.isinf(hundred.per_class).sum() == 3
    covered = [hundred.covered(a) for a in (5, 10, 20, 30)]
    assert covered == pytest.approx([0.85, 0.93, 0.94, 0.95], abs=5e-3)
