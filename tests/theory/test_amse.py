"""Thresholds of AMSE against the published ones, the condition itself, and brute force over the simplex."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noiseproof.errors import LabelError, SpecError
from noiseproof.noise import asymmetric_matrix, symmetric_matrix
from noiseproof.theory import (
    amse_threshold,
    amse_threshold_asymmetric,
    amse_threshold_matrix,
    amse_threshold_symmetric,
    needed_a,
    part_dependent_share,
    risk_minimizer,
)

weights = st.lists(st.floats(0.02, 1.0), min_size=2, max_size=4).map(np.array)


def margin(w: np.ndarray) -> float:
    ordered = np.sort(w)[::-1]
    return float((ordered[0] - ordered[1]) / w.sum())


def simplex(size: int) -> np.ndarray:
    """Points of a grid, and points ever nearer to each vertex on the way to every other one and to the middle."""
    step = {2: 400, 3: 60, 4: 24}[size]
    grid = [np.array(p) / step for p in np.ndindex(*[step + 1] * size) if sum(p) == step]
    for vertex in range(size):
        for toward in [*np.eye(size), np.full(size, 1 / size)]:
            grid += [(1 - d) * np.eye(size)[vertex] + d * toward for d in np.geomspace(1e-9, 0.05, 30)]
    return np.unique(np.array(grid), axis=0)


SIMPLEX = {size: simplex(size) for size in (2, 3, 4)}


def least_at_vertex(w: np.ndarray, a: float, q: float) -> bool:
    """Whether no point of the simplex has a lower AMSE risk than the heaviest class alone."""
    p = SIMPLEX[len(w)]
    risk = (w * (a - p) ** q + (w.sum() - w) * p**q).sum(1)
    vertex = (w * (a - np.eye(len(w))) ** q + (w.sum() - w) * np.eye(len(w))).sum(1)[int(np.argmax(w))]
    return bool(risk.min() >= vertex - 1e-12 * max(1.0, abs(vertex)))


# Facts of the paper's supplement (9 and 4.73) and what was computed for other rates, in high precision.
@pytest.mark.parametrize(
    ("q", "num_classes", "expected"),
    [
        (1.5, 10, (1.078, 1.577, 4.425, 53.63)),
        (2, 10, (1.286, 1.8, 3, 9)),
        (3, 10, (1.564, 1.978, 2.628, 4.7394)),
        (4, 10, (1.734, 2.108, 2.673, 4.655)),
        (1.5, 100, (1.064, 1.455, 3.334, 18.42)),
        (2, 100, (1.253, 1.678, 2.538, 5.211)),
        (3, 100, (1.506, 1.830, 2.256, 3.095)),
        (4, 100, (1.639, 1.893, 2.184, 2.685)),
    ],
)
def test_thresholds_for_symmetric_noise(q: float, num_classes: int, expected: tuple[float, ...]) -> None:
    found = [amse_threshold_symmetric(rate, num_classes, q) for rate in (0.2, 0.4, 0.6, 0.8)]
    assert found == pytest.approx(expected, rel=4e-4)
    if q == 2:
        closed = [(num_classes - 1) / (num_classes - 1 - rate * num_classes) for rate in (0.2, 0.4, 0.6, 0.8)]
        assert found == pytest.approx(closed, rel=1e-13)


def test_thresholds_for_pair_flips() -> None:
    for rate in (0.1, 0.2, 0.3, 0.4):
        assert amse_threshold_asymmetric(rate) == pytest.approx(1 / (1 - 2 * rate), rel=1e-13)
    assert amse_threshold_asymmetric(0.4, q=3) == pytest.approx(5.828, abs=1e-3)
    assert amse_threshold_asymmetric(0.4, q=1.5) == pytest.approx(6.76, abs=1e-3)
    assert amse_threshold_asymmetric(0.5) == math.inf
    assert amse_threshold_asymmetric(0.0) == 1.0


@pytest.mark.parametrize("w", [[0.5, 0.3, 0.2], [0.4, 0.35, 0.15, 0.1], [0.9, 0.1], [0.6, 0.4, 0.0]])
def test_bisection_agrees_with_the_closed_forms(w: list[float]) -> None:
    for q in (2.0, 3.0):
        assert amse_threshold(w, q + 1e-13) == pytest.approx(amse_threshold(w, q), rel=1e-9)


@given(w=weights, q=st.floats(1.05, 8.0))
def test_the_condition_turns_at_the_threshold(w: np.ndarray, q: float) -> None:
    a = amse_threshold(w, q)
    if a > 1e9 or margin(w) < 1e-6:
        return
    m = int(np.argmax(w))
    others = np.delete(w, m)

    def excess(value: float) -> float:
        return w[m] * (1 - 1 / value) ** (q - 1) - others.max() - others.sum() * value ** (1 - q)

    assert excess(a * (1 + 1e-9)) >= -1e-14 * w[m]
    assert excess(max(1.0, a * (1 - 1e-9))) <= 1e-14 * w[m]


@settings(max_examples=400)
@given(w=weights, q=st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0]))
def test_brute_force_agrees_on_both_sides(w: np.ndarray, q: float) -> None:
    a = amse_threshold(w, q)
    if margin(w) < 0.02 or a > 200:
        return
    assert least_at_vertex(w, 1 + 1.02 * (a - 1), q)
    # Close to q = 1 the lower point is nearer to the vertex than the grid.
    if q >= 2 and a > 1.05:
        assert not least_at_vertex(w, 1 + 0.9 * (a - 1), q)


@settings(max_examples=60)
@given(w=weights, a=st.floats(1.0, 40.0))
def test_the_minimizer_at_q_2_is_sparsemax(w: np.ndarray, a: float) -> None:
    if margin(w) < 1e-3:
        return
    found = risk_minimizer(f"amse(a={a!r}, q=2)", w)
    assert found.exact
    np.testing.assert_allclose(found.p, sparsemax(a * w / w.sum()), atol=1e-9)


def sparsemax(scores: np.ndarray) -> np.ndarray:
    ordered = np.sort(scores)[::-1]
    sums = np.cumsum(ordered)
    size = np.flatnonzero(1 + np.arange(1, len(scores) + 1) * ordered > sums)[-1]
    return np.maximum(scores - (sums[size] - 1) / (size + 1), 0)


def test_the_minimizer_against_a() -> None:
    w = symmetric_matrix(0.8, 10)[0]
    for a, true in ((1, 0.2), (2, 0.3), (5, 0.6), (8.99, 0.999), (9.01, 1.0)):
        assert risk_minimizer(f"amse(a={a})", w).p[0] == pytest.approx(true, abs=1e-9)


@pytest.mark.parametrize("spec", ["amse", "jal-ce", "jal-fl"])
def test_what_losses_with_amse_need(spec: str) -> None:
    for w in (symmetric_matrix(0.6, 10)[0], asymmetric_matrix(0.3, {0: 1}, 5)[0]):
        assert needed_a(spec, w) == pytest.approx(amse_threshold(w), rel=1e-8)


def test_matrices() -> None:
    found = amse_threshold_matrix(asymmetric_matrix(0.4, {0: 1, 2: 3}, 4), prior=[1, 1, 2, 0])
    assert found.per_class.tolist() == pytest.approx([5, 1, 5, 1])
    assert found.overall == pytest.approx(5)
    assert found.covered(4.9) == 0.25
    assert found.covered(5.1) == 1.0
    lost = amse_threshold_matrix([[0.4, 0.6], [0.2, 0.8]])
    assert lost.per_class[0] == math.inf
    assert lost.overall == math.inf
    assert amse_threshold_matrix(symmetric_matrix(0.8, 10), q=3).overall == pytest.approx(4.7394, abs=1e-4)
    with pytest.raises(LabelError, match="row-stochastic"):
        amse_threshold_matrix([[0.4, 0.5], [0.2, 0.8]])
    with pytest.raises(LabelError, match="prior of shape"):
        amse_threshold_matrix(np.eye(3), prior=[1, 1])


def test_part_dependent_noise() -> None:
    """Truncated normal rates: 0.14, 15.9 and 84.1 % of the instances are beyond a half at 20, 40 and 60 %."""
    beyond = [1 - part_dependent_share(rate) for rate in (0.2, 0.4, 0.6)]
    assert beyond == pytest.approx([0.0014, 0.159, 0.841], abs=5e-4)
    covered = [part_dependent_share(rate, 30) for rate in (0.2, 0.4, 0.6)]
    assert covered == pytest.approx([0.998, 0.798, 0.122], abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0.5],), LabelError, "at least two classes"),
        (([0.5, -0.1],), LabelError, "finite numbers >= 0"),
        (([0.0, 0.0],), LabelError, "one of them positive"),
        (([0.5, math.nan],), LabelError, "finite numbers"),
        (([0.5, 0.1], 0.0), SpecError, r"q must lie in \(0, inf\)"),
    ],
)
def test_bad_input_is_explained(arguments: tuple[object, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        amse_threshold(*arguments)  # type: ignore[arg-type]
