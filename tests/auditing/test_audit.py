"""Audits of labels by anybody's predictions."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import noiseproof
from noiseproof.auditing import (
    SCORES,
    Correction,
    Corrections,
    _audit,
    _folder,
    audit,
    confident_joint,
    match_corrections,
    noise_bracket,
    transition_matrix,
)
from noiseproof.auditing.checks import draw_checks
from noiseproof.auditing.scores import adjusted, area_under_margin, bounded_doubt, wrong_share
from noiseproof.errors import DataError, DataWarning, LabelError, SpecError


def sample(count: int = 60, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that mostly agree with them."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    logits = random.normal(size=(count, classes))
    logits[np.arange(count), labels] += 1.5
    powers = np.exp(logits)
    return labels, powers / powers.sum(1, keepdims=True)


def naive(name: str, p: list[float], y: int) -> float:
    """Scores of one sample, by their formulas."""
    own, other = p[y], max(value for k, value in enumerate(p) if k != y)
    if name == "log-margin":
        return 1 / (1 + math.exp(math.log(own) - math.log(other)))
    if name == "self-confidence":
        return 1 - own
    if name == "normalized-margin":
        return 1 - (own - other + 1) / 2
    x = -sum(value * math.log(value) for value in p) / math.log(len(p)) / own
    return 1 - math.log(x + 1) / x


@pytest.mark.parametrize("name", sorted(SCORES))
def test_scores_are_their_formulas(name: str) -> None:
    labels, p = sample()
    found = audit(labels, probabilities=p, score=name).table["score"]
    assert found == pytest.approx([naive(name, row.tolist(), y) for row, y in zip(p, labels, strict=True)], abs=1e-6)
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("name", sorted(SCORES))
def test_a_sure_label_is_less_suspicious_than_a_doubtful_one(name: str) -> None:
    p = np.array([[0.98, 0.01, 0.01], [0.4, 0.35, 0.25], [0.01, 0.98, 0.01]])
    sure, doubtful, wrong = audit([0, 0, 0], probabilities=p, score=name).table["score"]
    assert sure < doubtful < wrong


def test_rows_are_in_the_order_given() -> None:
    labels, p = sample()
    found = audit(labels, probabilities=p, keys=[f"k{number}" for number in range(60)])
    table = found.table
    assert table["key"].tolist()[:2] == ["k0", "k1"]
    assert (table["given"] == labels).all()
    order = np.argsort(table["rank"])
    assert sorted(table["rank"]) == [*range(1, 61)]
    assert (np.diff(table["score"][order]) <= 0).all()
    for place, (row, label) in enumerate(zip(p, labels, strict=True)):
        others = sorted((k for k in range(4) if k != label), key=lambda k: -row[k])
        assert [table["suggested"][place], table["second"][place]] == others[:2]
        expected = [row[label], row[others[0]], row[others[1]]]
        assert [table[name][place] for name in ("p_given", "p_suggested", "p_second")] == pytest.approx(expected)
    frame = pd.DataFrame(table)
    assert frame.shape == (60, 9)
    assert "60 labels of 4 classes" in repr(found)
    assert len(found) == 60


def test_rates_are_those_of_the_functions() -> None:
    labels, p = sample(200)
    found = audit(labels, probabilities=p)
    bracket, joint = noise_bracket(p, labels), confident_joint(p, labels)
    assert (found.noise_rate.low, found.noise_rate.high) == pytest.approx((bracket.low, bracket.high))
    assert found.transition_matrix == pytest.approx(transition_matrix(joint))
    assert found.transition_matrix.sum(1) == pytest.approx(np.ones(4))
    per_class = found.per_class
    assert per_class["given"].tolist() == np.bincount(labels).tolist()
    assert per_class["suspected"] == pytest.approx(joint.sum(1) - np.diag(joint))
    assert per_class["missed"] == pytest.approx(joint.sum(0) - np.diag(joint))


def test_a_transition_matrix_is_that_of_a_joint() -> None:
    joint = np.array([[30.0, 10.0, 0.0], [20.0, 40.0, 0.0], [0.0, 0.0, 0.0]])
    expected = [[0.6, 0.4, 0.0], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0]]
    assert transition_matrix(joint) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("values", [1, 50, 10**6])
def test_the_size_of_blocks_changes_nothing(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    labels, p = sample()
    expected = audit(labels, probabilities=p, adjust=True)
    monkeypatch.setattr(_audit, "_BLOCK_VALUES", values)
    found = audit(labels, probabilities=p, adjust=True)
    for name, column in expected.table.items():
        assert (found.table[name] == column).all()
    assert found.transition_matrix == pytest.approx(expected.transition_matrix)


@given(
    arrays(np.float64, (7, 3), elements=st.floats(0.01, 1)),
    arrays(np.int64, 7, elements=st.integers(0, 2)),
    st.booleans(),
)
def test_scales_of_rows_do_not_count(p: np.ndarray, labels: np.ndarray, adjust: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # where sums differ
        once, twice = (audit(labels, probabilities=p * factor, adjust=adjust).table["score"] for factor in (1.0, 2.0))
    assert once == pytest.approx(twice, abs=1e-6)


def test_adjusted_probabilities_count_from_their_class() -> None:
    p = np.array([[0.6, 0.4], [0.9, 0.1]])
    found = adjusted(p, np.array([0.9, 0.4]))
    expected = np.array([[0.6, 0.9], [0.9, 0.6]]) / 1.5
    assert found == pytest.approx(expected)


NAMES = ["ape", "bee", "cat"]


def frame(p: np.ndarray, names: list[str]) -> Any:
    return pd.DataFrame({"key": range(len(p)), **{f"p:{name}": p[:, place] for place, name in enumerate(names)}})


def test_classes_are_found_by_names() -> None:
    _, p = sample(6, 3)
    text = ["cat", "ape", "bee", "ape", "cat", "bee"]
    expected = audit([2, 0, 1, 0, 2, 1], probabilities=p).table["score"]
    found = audit(text, probabilities=p)
    assert (found.table["score"] == expected).all()
    assert found.classes.tolist() == NAMES
    turned = frame(p[:, ::-1], NAMES[::-1])
    assert (audit(text, probabilities=turned).table["score"] == expected).all()
    assert (audit(text, probabilities=p[:, ::-1], classes=NAMES[::-1]).table["score"] == expected).all()
    assert (
        audit(text, probabilities=turned.drop(columns="key").rename(columns=lambda n: n[2:])).table["score"] == expected
    ).all()
    tensors = audit(torch.tensor([2, 0, 1, 0, 2, 1]), probabilities=torch.tensor(p))
    assert (tensors.table["score"] == expected).all()
    numbers = audit([30, 10, 20, 10, 30, 20], probabilities=p, classes=[10, 20, 30])
    assert numbers.classes.tolist() == [10, 20, 30]
    assert (numbers.table["score"] == expected).all()


def test_labels_that_no_prediction_has_and_classes_without_samples() -> None:
    _, p = sample(4, 3)
    with pytest.warns(DataWarning, match=r"1 of 4 labels have no column of probabilities \(dog\)"):
        found = audit(["ape", "dog", "bee", "ape"], probabilities=frame(p, NAMES))
    assert found.classes.tolist() == [*NAMES, "dog"]
    assert found.table["score"][1] == 1
    assert found.table["p_given"][1] == 0
    assert found.per_class["given"].tolist() == [2, 1, 0, 1]


def test_two_classes_have_no_third() -> None:
    found = audit([0, 1], probabilities=[[0.7, 0.3], [0.6, 0.4]])
    assert found.table["suggested"].tolist() == [1, 0]
    assert found.table["second"].tolist() == [None, None]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_kinds_of_numbers(kind: Any) -> None:
    labels, p = sample()
    found = audit(labels, probabilities=p.astype(kind)).table
    assert found["score"] == pytest.approx(audit(labels, probabilities=p).table["score"], abs=2e-3)
    assert found["score"].dtype == np.float32


@pytest.mark.parametrize(
    ("labels", "p", "options", "message"),
    [
        ([0, 1], [[0.5, 0.5]], {}, "2 labels for 1 rows"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], {}, "label 2 at 1: .* 0 to 1; give classes="),
        ([0, -1], [[0.5, 0.5], [0.5, 0.5]], {}, "label -1 at 1"),
        (["a", "b"], [[0.2, 0.3, 0.5]] * 2, {}, "2 different labels .a, b. and 3 columns"),
        ([0, 1], [[0.5, 0.5], [0.5, np.nan]], {}, r"probability nan in row 1, column 1 \(1\): expected"),
        ([0, 1], [[0.5, 0.5], [2.0, -1.0]], {}, r"row 1, column 1 \(1\): .*logits"),
        ([0, 1], [[0.5, 0.5], [1e308, 1.7e308]], {}, r"row 1 are up to 1.7e\+308, and their sum is too large"),
        ([0.0, 1.0], [[0.5, 0.5]] * 2, {"classes": ["no", "yes"]}, "no label has a column .*are 0.*, 1.*, .* no, yes"),
        ([0, 1], [[0.5, 0.5]] * 2, {"keys": ["a", ""]}, "sample 1 has the key ''"),
        ([0, 1], [[0.5, 0.5]] * 2, {"keys": [np.nan, "b"]}, "sample 0 has the key nan"),
        ([0, 1], [[0.5, 0.5], [0.0, 0.0]], {}, "row 1 are all 0"),
        ([0, 1], [0.5, 0.5], {}, "of shape \\(2,\\)"),
        ([0, 1], [["x", "y"]] * 2, {}, "expected numbers"),
        ([0, 1], np.zeros((2, 1)), {}, "at least two classes"),
        ([], np.zeros((0, 2)), {}, "of shape \\(0, 2\\)"),
        ([0, 1], [[0.5, 0.5]] * 2, {"classes": ["a"]}, "1 classes for 2 columns"),
        ([0, 1], [[0.5, 0.5]] * 2, {"classes": ["a", "a"]}, "'a' is there twice"),
        ([0, 1], [[0.5, 0.5]] * 2, {"keys": [1]}, "1 keys for 2 labels"),
        ([0, None], [[0.5, 0.5]] * 2, {}, "label 1 is None"),
    ],
)
def test_what_does_not_fit_is_an_error(labels: Any, p: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(LabelError, match=message):
        audit(labels, probabilities=p, **options)


def test_a_score_that_there_is_not() -> None:
    with pytest.raises(SpecError, match="unknown score 'log-margn'; did you mean 'log-margin'"):
        audit([0, 1], probabilities=[[0.5, 0.5]] * 2, score="log-margn")


def test_columns_of_text_are_no_probabilities() -> None:
    _, p = sample(4, 3)
    wrong = pd.DataFrame({"name": list("abcd"), "ape": p[:, 0], "bee": p[:, 1]})
    with pytest.raises(LabelError, match="the column 'name' holds no numbers.*p:CLASS"):
        audit(["ape", "bee", "ape", "bee"], probabilities=wrong)


def test_the_public_function() -> None:
    labels, p = sample()
    assert (
        noiseproof.audit(labels, probabilities=p).table["score"] == audit(labels, probabilities=p).table["score"]
    ).all()


def test_scores_of_a_training() -> None:
    own = np.array([[0.9, 0.1, np.nan], [0.8, 0.0, np.nan]])
    top, bottom = math.log(1.01), math.log(0.01)
    means = [(math.log(0.91) + math.log(0.81)) / 2, (math.log(0.11) + math.log(0.01)) / 2, math.log(0.51)]
    assert bounded_doubt(own) == pytest.approx([(top - mean) / (top - bottom) for mean in means])
    predictions = np.array([[0, 1, -1, 2], [1, 1, -1, -1]])
    assert wrong_share(predictions, np.array([0, 0, 0, 2])).tolist() == [0.5, 1.0, 0.5, 0.0]
    assert area_under_margin(np.array([0.0, np.nan, 1e9])) == pytest.approx([0.5, 0.5, 0.0])


def decision(audit_: Any, row: int, **changes: Any) -> Correction:
    values: dict[str, Any] = {"decided": audit_.table["suggested"][row], "action": "relabel"} | changes
    return Correction(str(row), "", str(audit_.table["given"][row]), **values)


def test_a_second_round_counts_what_was_drawn_in_the_order_of_the_draws() -> None:
    labels, p = sample(400)
    found = audit([f"c{label}" for label in labels], probabilities=p, classes=["c0", "c1", "c2", "c3"])
    draws = draw_checks(found.table["score"])
    strata = draws.num_strata

    def drawn(place: int, **changes: Any) -> Correction:
        queue = f"calibrate {draws.stratum[place] + 1} of {strata}"
        return decision(found, draws.rows[place], queue=queue, draw_probability=draws.probability[place], **changes)

    given = found.table["given"]
    ones = [
        drawn(0),
        drawn(1, action="keep", decided=str(given[draws.rows[1]])),
        decision(found, draws.rows[2]),  # of another queue, in its turn
        drawn(3, action="unsure", decided=None),
        decision(found, draws.rows[50]),  # of another queue, before its turn
    ]
    undrawn = int(np.setdiff1d(np.arange(400), draws.rows)[0])
    checked = _folder._checked(draws, match_corrections(found, Corrections.of([*ones, decision(found, undrawn)])))
    assert checked.rows.tolist() == sorted([*draws.rows[:4].tolist(), draws.rows[50], undrawn])
    assert checked.waiting.tolist() == [[50, 1, 0]]
    assert checked.counts.sum(0).tolist() == [4, 2, 1]
    for place, counts in enumerate([(1, 1, 0), (1, 0, 0), (1, 1, 0), (1, 0, 1)]):
        same = draws.stratum[:4] == draws.stratum[place]
        assert same.sum() > 1 or checked.counts[draws.stratum[place]].tolist() == [*counts]
    other = replace(drawn(0), draw_probability=0.5)  # of another audit
    assert _folder._checked(draws, match_corrections(found, Corrections.of([other]))).counts.sum() == 0


def test_rows_of_different_sums_are_told() -> None:
    with pytest.warns(DataWarning, match="rows of probabilities sum to 3 to 12: .*logits"):
        audit([0, 1], probabilities=[[2.0, 1.0], [4.0, 8.0]])
    audit([0, 1], probabilities=[[20.0, 80.0], [40.0, 60.0]])  # of a hundred


def test_rows_of_pandas_are_in_one_order() -> None:
    labels, p = pd.Series(["ape", "bee"], index=["x", "y"]), pd.DataFrame([[0.9, 0.1], [0.2, 0.8]], ["y", "x"])
    with pytest.raises(LabelError, match="row 0 is 'x' in the index of the labels and 'y' in that of the prob"):
        audit(labels, probabilities=p)
    audit(labels.reset_index(drop=True), probabilities=p.set_axis(["ape", "bee"], axis=1))  # names of two kinds


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda p: p.max(1), "cannot be called: .*positional argument"),
        (lambda p, labels: 0.5, r"gives float64 of shape \(\) for 60 samples"),
        (lambda p, labels: p[:, 0] * np.nan, "expected a finite number for each"),
    ],
)
def test_a_score_that_is_none_is_an_error(score: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCORES, "my-score", score)
    labels, p = sample()
    with pytest.raises(SpecError, match=message):
        audit(labels, probabilities=p, score="my-score")


def test_corrections_of_other_labels_are_refused(tmp_path: Path) -> None:
    labels, p = sample()
    found = audit(labels, probabilities=p, keys=[f"k{row}" for row in range(60)])
    others = Corrections.of([Correction("photo.jpg", "", "0", "1", "relabel")])
    with pytest.raises(DataError, match=r"no correction fits these labels: .*photo.jpg: there is no such key"):
        _folder.write_audit(found, tmp_path / "x", title="x", corrections=others)
    assert not (tmp_path / "x").exists()


def test_an_audit_without_its_page_is_not_finished(tmp_path: Path) -> None:
    labels, p = sample()
    _folder.write_audit(audit(labels, probabilities=p), tmp_path / "x", title="x", asked="a")
    assert _folder.check_audit(tmp_path / "x", "a")
    (tmp_path / "x" / "index.html").unlink()
    assert not _folder.check_audit(tmp_path / "x", "a")
