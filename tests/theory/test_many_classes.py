"""Structured transition matrices against their arrays in every function of theory, and a million classes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from noiseproof import theory
from noiseproof.errors import LabelError
from noiseproof.losses import make_loss
from noiseproof.noise import TransitionMatrix, asymmetric_matrix, symmetric_matrix
from noiseproof.theory._asymmetry import guaranteed, needed_a
from noiseproof.theory._risk import MOST_SEARCHED, risks
from noiseproof.theory._weights import Weights, kinds_of_rows, pair_weights, symmetric_weights

MILLION = 1_000_000
LOSSES = ["mae", "ce", "gce", "jal-ce", "amse(a=3)", "nce", "nce+rce", "agce(a=6, q=1.5)", "rce", "ael"]


@pytest.mark.parametrize(
    "matrix",
    [
        symmetric_matrix(0.6, 7),
        symmetric_matrix(0.95, 7),
        asymmetric_matrix(0.4, {0: 1, 3: 2, 2: 3}, 5),
        TransitionMatrix.of_parts([0.7, 0.55, 0.7, 0.7], constant=0.1, rows=[1, 1], columns=[0, 2], values=[0.3, 0.05]),
    ],
    ids=str,
)
def test_a_structured_matrix_is_answered_as_its_array_is(matrix: TransitionMatrix) -> None:
    array, prior = matrix.dense(), np.arange(1, len(matrix) + 1)
    for q in (0.5, 1.7, 2.0):
        one, other = (theory.amse_threshold_matrix(T, q, prior) for T in (matrix, array))
        np.testing.assert_array_equal(one.per_class, other.per_class)
        alone = [theory.amse_threshold(row, q) if row.argmax() == place else np.inf for place, row in enumerate(array)]
        np.testing.assert_allclose(one.per_class, alone, rtol=1e-12)
        np.testing.assert_array_equal(one.prior, other.prior)
    assert theory.guarantees(matrix, LOSSES, prior) == theory.guarantees(array, LOSSES, prior)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.3, 1.0]), min_size=2, max_size=9).filter(any))
def test_weights_are_what_their_array_is(listed: list[float]) -> None:
    array = np.array(listed)
    known, ordered = Weights.of(array), np.sort(array)[::-1]
    assert np.repeat(known.values, known.counts).tolist() == ordered.tolist()
    assert (known.size, known.most, known.second, known.least) == (len(array), ordered[0], ordered[1], ordered[-1])
    assert known.total == pytest.approx(array.sum())
    assert known.rest == pytest.approx(ordered[1:].sum())
    smoothed = known.smoothed(0.3)
    np.testing.assert_allclose(np.repeat(smoothed.values, smoothed.counts), 0.7 * ordered + 0.3 * array.mean())
    for loss in ("jal-ce", "mae", "ce"):
        assert guaranteed(loss, known) == guaranteed(loss, array)
        assert needed_a(loss, known) == needed_a(loss, array)


def test_rows_of_the_usual_noises_are_those_of_their_matrices() -> None:
    for size in (2, 3, 50):
        for made, row in (
            (symmetric_weights(0.3, size), symmetric_matrix(0.3, size)[0]),
            (pair_weights(0.3, size), asymmetric_matrix(0.3, {0: 1}, size)[0]),
        ):
            assert np.repeat(made.values, made.counts).tolist() == sorted(row, reverse=True)
    with pytest.raises(LabelError, match="num_classes 1"):
        theory.largest_symmetric_rate("mae", 1)


def test_kinds_of_rows_are_rows_in_any_order() -> None:
    random = np.random.default_rng(0)
    rows = random.dirichlet(np.ones(6), 3)[random.integers(0, 3, 6)]
    T = np.array([random.permutation(row) for row in rows])
    kinds, which = kinds_of_rows(TransitionMatrix.of(T))
    assert len(kinds) == len({tuple(sorted(row)) for row in rows})
    for place, kind in enumerate(which):
        np.testing.assert_array_equal(np.repeat(kinds[kind].values, kinds[kind].counts), np.sort(T[place])[::-1])


def test_a_million_classes() -> None:
    tracemalloc.start()
    symmetric = symmetric_matrix(0.4, MILLION)
    paired = asymmetric_matrix(0.4, {0: 1, 5: MILLION - 1, 7: 3}, MILLION)
    row = symmetric[0]
    a = (MILLION - 1) / (MILLION - 1 - 0.4 * MILLION)
    assert theory.amse_threshold(row) == pytest.approx(a)
    assert theory.needed_a("jal-ce", row) == pytest.approx(a)
    assert theory.amse_threshold_matrix(symmetric).overall == pytest.approx(a)
    assert theory.amse_threshold_matrix(paired).overall == pytest.approx(5)
    assert theory.amse_threshold_matrix(paired).covered(4) == pytest.approx(1 - 3 / MILLION)
    assert theory.is_asymmetric("jal-ce", row).asymmetric is True
    assert theory.is_asymmetric("ce", row).asymmetric is False
    assert theory.is_symmetric("mae", MILLION)
    assert not theory.is_symmetric("ce", MILLION)
    assert theory.largest_symmetric_rate("mae", MILLION) == pytest.approx(1 - 1 / MILLION)
    assert theory.largest_symmetric_rate("jal-ce(a=30)", MILLION) == pytest.approx(29 / 30, abs=1e-5)
    assert theory.largest_pair_rate("jal-ce(a=30)", MILLION) == pytest.approx(29 / 60, abs=1e-5)
    found = theory.guarantees(paired, ["mae", "ce", "jal-ce(a=4)"])
    assert [len(each.classes) for each in found.rows] == [MILLION, MILLION - 3, MILLION - 3]
    assert found.lost == ()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 600e6


def test_minimizers_over_a_million_classes() -> None:
    row = symmetric_matrix(0.4, MILLION)[3]
    for loss in ("mae", "amse(a=5)"):
        assert theory.risk_minimizer(loss, row).p[3] == pytest.approx(1)
        assert theory.risk_minimizer(loss, row).exact
    np.testing.assert_allclose(theory.risk_minimizer("ce", row).p, row, rtol=1e-6)
    verdict = theory.is_asymmetric("bi-tempered", row)
    assert str(verdict) == "not decided: over more than 10,000 classes no lower risk is searched for"
    with pytest.raises(LabelError, match="1,000,000 weights: the least risk of bi-tempered.*at most 10,000 classes"):
        theory.risk_minimizer("bi-tempered", row)
    assert MOST_SEARCHED == 10_000


@pytest.mark.parametrize("loss", ["mae", "agce(a=6, q=1.5)", "rce"])
def test_vertices_of_concave_losses_compare_as_their_risks(loss: str) -> None:
    w = np.array([0.2, 0.5, 0.3])
    logits = torch.tensor(np.log(np.maximum(np.eye(3), 1e-300)))
    corners = risks(make_loss(loss, reduction="none"), logits, w)
    assert corners.argmin() == 1
    assert theory.is_asymmetric(loss, w).asymmetric is True
    assert theory.risk_minimizer(loss, w).p.tolist() == [0, 1, 0]
    assert theory.risk_minimizer(loss, w).risk == pytest.approx(corners[1].item())
