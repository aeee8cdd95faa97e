"""Draws that stay what they were, whatever the blocks; very many classes; and memory."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noise_draws import TABLE, drawn, pins
from noiseproof import noise
from noiseproof.errors import LabelError, NoiseWarning
from noiseproof.noise import _arrays, _counts, _draws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MILLION = 1_000_000
CASES = json.loads(TABLE.read_text(encoding="utf-8"))


def test_seeds_draw_what_they_always_drew() -> None:
    changed = [case for case in CASES if pins({k: v for k, v in case.items() if k != "pins"}) != case["pins"]]
    assert not changed


@contextlib.contextmanager
def blocks(size: int, part: int = 4, most_dense: int = 2_000) -> Iterator[None]:
    """Blocks of another size, and no list of all entries for more classes than ``most_dense``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_arrays, "BLOCK", size)
        patch.setattr(_draws, "_PART", part)
        for module in (_draws, _counts):
            patch.setattr(module, "MOST_DENSE", most_dense)
        yield


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_blocks_change_nothing(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from([case for case in CASES if case["count"] <= 5000]))
    most_dense = data.draw(st.sampled_from([2_000, 3]))
    with blocks(2**20, 1, most_dense):
        whole = drawn(case)
    with blocks(data.draw(st.integers(1, 700)), data.draw(st.integers(1, 500)), most_dense):
        again = drawn(case)
    assert (again.labels == whole.labels).all()
    assert again.rate == whole.rate
    assert again.realized_matrix == whole.realized_matrix


def labels_of(draw: st.DrawFn | Any, classes: int) -> NDArray[np.int64]:
    return np.array(draw(st.lists(st.integers(0, classes - 1), max_size=150)), dtype=int)


@st.composite
def structured(draw: st.DrawFn) -> noise.TransitionMatrix:
    """A constant, and entries here and there."""
    size = draw(st.integers(2, 9))
    constant = draw(st.sampled_from([0.0, 0.05, 1 / 8, 0.01]))
    entries = draw(st.dictionaries(st.tuples(*[st.integers(0, size - 1)] * 2), st.floats(0, 0.1), max_size=12))
    entries = {(i, j): value for (i, j), value in entries.items() if i != j}
    rows, columns = np.array([*entries], int).reshape(-1, 2).T
    values = np.array([*entries.values()], float)
    others = constant * (size - 1) + np.bincount(rows, values - constant, size)
    others = np.where(np.abs(others) < 1e-12, 0, others)
    scale = 1 / max(1.0, float(others.max()))
    return noise.TransitionMatrix.of_parts(
        1 - scale * others, constant=scale * constant, rows=rows, columns=columns, values=scale * values
    )


@settings(max_examples=200, deadline=None)
@given(structured(), st.integers(0, 2**32), st.data())
def test_exact_counts_are_nearest_where_targets_are_drawn_themselves(
    matrix: noise.TransitionMatrix, seed: int, data: st.DataObject
) -> None:
    labels, T = labels_of(data.draw, len(matrix)), matrix.dense()
    with warnings.catch_warnings(), blocks(64, 4, 1):
        warnings.simplefilter("ignore", NoiseWarning)
        noisy = noise.from_matrix(labels, matrix, seed=seed)
        published = noise.from_matrix(labels, matrix, seed=seed, mode="published")
    for c in range(len(T)):
        members, keep = labels == c, 1 - T[c, c]
        flips = np.bincount(noisy.labels[members], minlength=len(T))
        flips[c] = 0
        assert abs(flips.sum() - members.sum() * keep) <= 0.5 + 1e-6
        if flips.sum():
            shares = flips.sum() * np.where(np.arange(len(T)) == c, 0, T[c]) / keep
            assert np.abs(flips - shares).max() < 1 + 1e-6
            assert not flips[T[c] == 0].any()
        floors = np.floor(T[c] * members.sum()).astype(int)
        counted = np.bincount(published.labels[members], minlength=len(T))
        assert (np.delete(counted, c) == np.delete(floors, c)).all()


@settings(max_examples=200, deadline=None)
@given(structured(), st.data())
def test_a_label_is_the_same_by_search_and_by_arithmetic(matrix: noise.TransitionMatrix, data: st.DataObject) -> None:
    levels = np.array(data.draw(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=50)))
    labels = np.arange(len(levels), dtype=np.uint8) % len(matrix)
    edges = np.cumsum(matrix.dense(), axis=1)[labels]
    clear = (np.abs(levels[:, None] - edges) > 1e-9).all(1)
    found = _draws._by_arithmetic(matrix)(labels, levels)
    assert (found[clear] == _draws._by_search(matrix)(labels, levels)[clear]).all()
    assert ((found >= 0) & (found < len(matrix))).all()


def test_targets_that_are_drawn_themselves_are_alike_likely() -> None:
    """Of 11 classes each gets a share of every other one's flips; 3 of 10 and 7 of 10 take one more than the rest."""
    for count, flips in ((30, 3), (70, 7), (230, 23)):
        labels, found = np.repeat(np.arange(11), count), np.zeros((11, 11), int)
        with blocks(100, 4, 1):
            for seed in range(100):
                noisy = noise.symmetric(labels, 0.1, num_classes=11, seed=seed)
                np.add.at(found, (noisy.clean, noisy.labels), 1)
        off = found[~np.eye(11, dtype=bool)]
        expected = 100 * flips / 10
        assert off.sum() == 100 * flips * 11
        assert np.abs(off - expected).max() < 5 * np.sqrt(expected)
        assert off.std() < 1.2 * np.sqrt(expected)


@pytest.mark.parametrize("mode", ["exact", "iid", "published"])
def test_a_million_classes(mode: noise.Mode) -> None:
    labels = np.concatenate([np.repeat([0, 7, MILLION - 1], 1000), np.arange(0, MILLION, 1000)])
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoiseWarning)
        noisy = noise.symmetric(labels, 0.4, num_classes=MILLION, seed=1, mode=mode)
        ring = {place: (place + 1) % MILLION for place in (0, 7, MILLION - 1)}
        paired = noise.asymmetric(labels, 0.4, ring, num_classes=MILLION, seed=1, mode=mode)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 250e6
    assert noisy.labels.dtype == np.uint32
    assert noisy.matrix.shape == (MILLION, MILLION)
    frequent = noisy.labels[:3000]
    if mode == "published":  # less than one flip for each pair of classes
        assert noisy.rate == 0
    else:
        assert (frequent != labels[:3000]).mean() == pytest.approx(0.4, abs=0.001 if mode == "exact" else 0.04)
        assert len(np.unique(frequent[frequent != labels[:3000]])) > 1100
    pairs = {(int(a), int(b)) for a, b in zip(paired.clean[paired.mask], paired.labels[paired.mask], strict=True)}
    assert pairs == {*ring.items()}
    assert paired.class_rates[7] == pytest.approx(0.4, abs=0 if mode != "iid" else 0.05)


def test_a_million_classes_of_which_all_have_samples() -> None:
    labels = np.random.default_rng(0).integers(0, MILLION, 400_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoiseWarning)  # of classes without samples
        noisy = noise.symmetric(labels, 0.4, num_classes=MILLION, seed=1, mode="iid")
        again = noise.symmetric(noisy.labels, 0.2, num_classes=MILLION, seed=2, mode="iid")
    assert noisy.rate == pytest.approx(0.4, abs=0.005)
    moved = noisy.labels[noisy.mask].astype(float)
    assert moved.mean() == pytest.approx(MILLION / 2, rel=0.01)
    assert moved.std() == pytest.approx(MILLION / np.sqrt(12), rel=0.01)
    both = again.measured_against(noisy.clean)
    assert both.expected_rate == pytest.approx(both.rate, abs=0.005)
    assert "realized 52." in str(both) or "realized 51." in str(both)


@pytest.mark.parametrize("mode", ["exact", "iid", "published"])
@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int16])
def test_memory_is_a_few_bytes_for_each_label(mode: noise.Mode, kind: type) -> None:
    labels = (np.arange(2_000_000) % 10).astype(kind)
    with blocks(2**14), warnings.catch_warnings():
        warnings.simplefilter("ignore", NoiseWarning)
        noise.symmetric(labels[:1000], 0.4, num_classes=10, mode=mode)
        tracemalloc.start()
        noisy = noise.symmetric(labels, 0.4, num_classes=10, mode=mode)
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8 * len(labels)
    assert kept < 2.1 * len(labels)
    assert noisy.labels.dtype == noisy.clean.dtype == np.uint8


def test_labels_are_kept_in_the_smallest_type_and_never_shared_with_what_can_be_written() -> None:
    for classes, kind in ((256, np.uint8), (257, np.uint16), (65_536, np.uint16), (65_537, np.uint32)):
        assert noise.symmetric([0, 1] * 10, 0.0, num_classes=classes).labels.dtype == kind
    given = np.array([0, 1, 2] * 10, np.uint8)
    view = given[:]
    view.flags.writeable = False
    noisy = noise.symmetric(view, 0.0, num_classes=3)
    given[:] = 2
    assert noisy.clean.tolist() == [0, 1, 2] * 10
    assert noise.NoisyLabels(noisy.labels, noisy.clean, np.eye(3), "a", "b").labels is noisy.labels


def test_published_rates_that_differ_late_are_told_apart() -> None:
    with pytest.warns(NoiseWarning, match=r"counts give 39\.996% instead of 40\.000%"):
        noise.symmetric(np.arange(1_000_000) % 10, 0.4, num_classes=10, mode="published")


@settings(max_examples=150, deadline=None)
@given(structured(), structured(), st.data())
def test_a_matrix_is_what_its_array_is(
    matrix: noise.TransitionMatrix, second: noise.TransitionMatrix, data: st.DataObject
) -> None:
    T, size = matrix.dense(), len(matrix)
    same = noise.TransitionMatrix.of(T)
    assert same == matrix
    assert matrix == same
    np.testing.assert_array_equal(np.asarray(same), T)
    np.testing.assert_array_equal([*matrix], T)
    assert [[matrix[i, j] for j in range(size)] for i in range(size)] == T.tolist()
    np.testing.assert_array_equal(matrix.diagonal, np.diag(T))
    np.testing.assert_array_equal(matrix.largest_other, (T - np.diag(np.full(size, np.inf))).max(1))
    v = np.array(data.draw(st.lists(st.floats(-5, 5), min_size=size, max_size=size)))
    np.testing.assert_allclose(matrix @ v, T @ v, atol=1e-12)
    np.testing.assert_allclose(v @ matrix, v @ T, atol=1e-12)
    assert (matrix == second) == np.array_equal(T, second.dense())
    place = np.array(data.draw(st.permutations(range(size))))
    moved = np.empty_like(T)
    moved[np.ix_(place, place)] = T
    np.testing.assert_array_equal(matrix.placed(place, size).dense(), moved)
    more = np.eye(size + 2)
    more[np.ix_(place + 2, place + 2)] = T
    np.testing.assert_array_equal(matrix.placed(place + 2, size + 2).dense(), more)
    first = np.eye(size)[::-1] * 0.5 + np.eye(size) * 0.5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("noiseproof.noise._transition.MOST_DENSE", 1)
        patch.setattr(noise.TransitionMatrix, "dense", None)
        with pytest.MonkeyPatch.context() as allowed:
            allowed.setattr("noiseproof.noise._transition.MOST_DENSE", 100)
            before = noise.TransitionMatrix.of(first)
        both = matrix.after(before)
    np.testing.assert_allclose(both.dense(), first @ T, atol=1e-12)


def test_counted_matrices_of_many_classes_are_those_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    clean, labels = random.integers(0, 40, 5000), random.integers(0, 45, 5000)
    whole = noise.NoisyLabels.observed(labels, clean, 50, "a").matrix
    monkeypatch.setattr(_arrays, "MOST_DENSE", 1)
    monkeypatch.setattr(_arrays, "BLOCK", 77)
    assert noise.NoisyLabels.observed(labels, clean, 50, "a").matrix == whole
    counts = np.zeros((50, 50))
    np.add.at(counts, (clean, labels), 1)
    np.testing.assert_array_equal(whole.dense()[:40], counts[:40] / counts[:40].sum(1, keepdims=True))
    np.testing.assert_array_equal(whole.dense()[40:], np.eye(50)[40:])
    nothing = noise.NoisyLabels.observed([], [], 50, "a").matrix
    assert nothing == noise.TransitionMatrix.of_parts(np.ones(50))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"diagonal": [[1.0]]}, "the diagonal has shape"),
        ({"diagonal": [1.0]}, "num_classes 1"),
        ({"diagonal": [1.0, 0.5]}, "row 1 of the transition matrix sums to 0.5"),
        ({"diagonal": [1.0, float("nan")]}, r"T\[1, 1\] = nan"),
        ({"diagonal": [1.0, 0.9], "rows": [1], "columns": [0], "values": [0.2]}, "sums to 1.1"),
        ({"diagonal": [1.0, 1.2], "rows": [1], "columns": [0], "values": [-0.2]}, r"T\[1, 0\] = -0.2"),
        ({"diagonal": [1.0, 0.9], "rows": [1], "columns": [2], "values": [0.1]}, "expected classes 0 … 1"),
        ({"diagonal": [1.0, 0.9], "rows": [-1], "columns": [0], "values": [0.1]}, "expected classes 0 … 1"),
        ({"diagonal": [1.0, 0.9], "rows": [1.0], "columns": [0], "values": [0.1]}, "as integers"),
        ({"diagonal": [1.0, 0.9], "rows": [1], "columns": [0], "values": [0.1, 0.2]}, "as many rows"),
        (
            {"diagonal": [1.0, 0.9], "rows": [1, 1], "columns": [0, 0], "values": [0.1, 0.1]},
            r"T\[1, 0\] is there twice",
        ),
        ({"diagonal": [1.0, 0.9], "rows": [1], "columns": [1], "values": [0.1]}, r"T\[1, 1\] is there twice"),
        ({"diagonal": [0.5, 0.5], "constant": 2.0}, "the constant of the transition matrix is 2.0"),
        ({"diagonal": [0.5, 0.5], "constant": float("nan")}, "constant of the transition matrix is nan"),
    ],
)
def test_parts_that_make_no_matrix_are_named(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(LabelError, match=message):
        noise.TransitionMatrix.of_parts(**parts)


def test_what_cannot_be_asked_of_a_matrix_is_named() -> None:
    matrix = noise.symmetric_matrix(0.2, 5)
    assert repr(matrix) == "TransitionMatrix(5 classes: 5 entries, all others 0.05)"
    assert matrix[-1, -2] == 0.05
    for index in (5, -6, (0, 5), (0, 1, 2), 0.5, slice(2)):
        with pytest.raises(IndexError, match=r"^T\["):
            matrix[index]  # type: ignore[call-overload]
    with pytest.raises(LabelError, match=r"a product of T with shape \(4,\): expected a vector of 5"):
        matrix @ np.ones(4)
    with pytest.raises(ValueError, match="always a copy"):
        np.array(matrix, copy=False)
    with pytest.raises(ValueError, match="read-only"):
        matrix.values[0] = 1
    assert matrix != noise.symmetric_matrix(0.2, 6)
    assert matrix != "matrix"
    large = noise.symmetric_matrix(0.2, 3_000)
    assert large != noise.symmetric_matrix(0.3, 3_000)
    with pytest.raises(LabelError, match="cannot be that of 3,001 classes"):
        large.placed(np.arange(3_000), 3_001)
    with pytest.raises(LabelError, match="expected a first one without a constant"):
        large.after(large)
