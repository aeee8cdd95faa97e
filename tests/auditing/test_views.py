"""What a training, and features, say of samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from noiseproof.auditing import DYNAMICS, Dynamics, audit, views
from noiseproof.auditing.views import nearest, ridge_view, standardized_features, together
from noiseproof.errors import LabelError, SpecError


def planted(count: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of three classes, labels of which every sixth is wrong, and which ones."""
    random = np.random.default_rng(seed)
    clean = random.integers(0, 3, count)
    features = random.normal(size=(count, 5))
    features[np.arange(count), clean] += 4
    wrong = np.arange(count) % 6 == 0
    return features, np.where(wrong, (clean + 1) % 3, clean), wrong


def test_ridge_leaves_each_sample_out_exactly() -> None:
    features, labels, _ = planted(40)
    scaled = standardized_features(features, 40)
    found = ridge_view(scaled, labels, 3)
    for left_out in range(0, 40, 7):
        rest = np.arange(40) != left_out
        model = Ridge(alpha=1e-3 * 40 * 5, solver="cholesky").fit(scaled[rest], np.eye(3)[labels[rest]])
        expected = np.maximum(model.predict(scaled[[left_out]])[0], 0.01)
        assert found[left_out] == pytest.approx(expected / expected.sum(), abs=1e-4)


def test_nearest_are_those_of_the_largest_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_BLOCK", 300)  # several blocks
    scaled = standardized_features(planted(50)[0], 50)
    found = nearest(scaled, 4)
    for place in range(50):
        cosines = [
            -2.0 if other == place else float(scaled[place] @ row / np.linalg.norm(scaled[place]) / np.linalg.norm(row))
            for other, row in enumerate(scaled)
        ]
        assert found.rows[place].tolist() == np.argsort(cosines)[::-1][:4].tolist()
        assert found.closeness[place] == pytest.approx(sorted(cosines)[::-1][:4], abs=1e-5)


def test_of_many_samples_some_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_MOST_ASKED", 20)
    scaled = standardized_features(planted(50)[0], 50)
    found = nearest(scaled, 30)
    assert found.rows.shape == (50, 19)
    assert len(np.unique(found.rows)) <= 20
    assert (found.rows != np.arange(50)[:, None]).all()
    assert (nearest(scaled, 30).rows == found.rows).all()


def test_nearest_view_counts_labels() -> None:
    features, labels, _ = planted(60)
    found = nearest(standardized_features(features, 60), 10)
    p = found.view(labels, 3)
    for place in range(60):
        counts = np.bincount(labels[found.rows[place]], minlength=3)
        assert p[place] == pytest.approx((counts + 1 / 3) / 11)


def test_contradicting_neighbors() -> None:
    features, labels, _ = planted(60)
    around = nearest(standardized_features(features, 60), 10)
    for place, rows in enumerate(around.contradicting(labels)):
        expected = [row for row in around.rows[place] if labels[row] != labels[place]][:3]
        assert rows.tolist() == [*expected, -1, -1, -1][:3]
    few = nearest(standardized_features(features[:3], 3))
    assert few.contradicting(labels[:3]).shape == (3, 3)


def test_features_find_planted_errors() -> None:
    features, labels, wrong = planted()
    found = audit(labels, features=features, keys=[f"s{place}" for place in range(240)])
    assert wrong[found.order[:40]].mean() > 0.9
    table = found.table
    assert {"neighbor_1", "neighbor_2", "neighbor_3"} <= {*table}
    worst = int(found.order[0])
    first = table["neighbor_1"][worst]
    assert first is None or labels[int(first[1:])] != labels[worst]
    as_text = audit([f"class {label}" for label in labels], features=torch.from_numpy(features))
    assert (as_text.table["rank"] == found.table["rank"]).all()
    assert as_text.classes.tolist() == ["class 0", "class 1", "class 2"]


def epochs_of(labels: np.ndarray, wrong: np.ndarray, count: int = 10, *, learned: bool) -> np.ndarray:
    """A network that sees the right class first and, if it learns by heart, the given label at last."""
    clean = np.where(wrong, (labels + 2) % 3, labels)
    p = np.full((count, len(labels), 3), 0.1)
    for epoch in range(count):
        seen = labels if learned and epoch >= count // 2 else clean
        p[epoch, np.arange(len(labels)), seen] = 0.8
    return p


@pytest.mark.parametrize("learned", [False, True])
def test_dynamics_find_planted_errors(learned: bool) -> None:
    _, labels, wrong = planted()
    p = epochs_of(labels, wrong, learned=learned)
    said = Dynamics.of_epochs(p, labels, memorized=learned)
    found = audit(labels, dynamics=said)
    assert (wrong[found.order[:40]]).all()
    assert found.table["epochs_wrong"][wrong] == pytest.approx(0.5 if learned else 1.0)
    assert found.table["epochs_wrong"][~wrong].max() == 0
    assert (found.table["suggested"][wrong] == (labels[wrong] + 2) % 3).all()
    if not learned:
        assert (audit(labels, dynamics=p).table["score"] == found.table["score"]).all()


def test_what_was_learned_by_heart_counts_by_its_bounded_logarithm() -> None:
    labels = np.array([0, 0])
    p = np.array([[[0.2, 0.7, 0.1], [0.9, 0.05, 0.05]], [[0.8, 0.1, 0.1], [np.nan, np.nan, np.nan]]])
    view = Dynamics.of_epochs(p, labels, memorized=True).view(labels)
    first = (0.21 * 0.81) ** 0.5 - 0.01
    assert view[0] == pytest.approx([first, (1 - first) * 0.8, (1 - first) * 0.2])
    assert view[1] == pytest.approx([0.9, 0.05, 0.05])


def test_samples_that_were_never_seen_are_undecided() -> None:
    labels = np.array([0, 1])
    p = np.full((3, 2, 2), np.nan)
    p[:, 0] = [0.9, 0.1]
    found = audit(labels, dynamics=p)
    assert found.table["score"].tolist() == pytest.approx([0.1, 0.5])
    assert found.table["epochs_wrong"].tolist() == [0, 0.5]


def test_views_together_are_a_mean_of_logarithms() -> None:
    one, other = np.array([[0.9, 0.1, 0.0]]), np.array([[0.2, 0.3, 0.5]])
    expected = np.sqrt([0.9 * 0.2, 0.1 * 0.3, 0.01 * 0.5])
    assert together([one, other])[0] == pytest.approx(expected / expected.sum())
    assert together([one]) is one


def test_all_evidence_at_once() -> None:
    features, labels, wrong = planted()
    p = epochs_of(labels, wrong, learned=False)
    found = audit(labels, probabilities=p[0], dynamics=p, features=features)
    assert wrong[found.order[:40]].all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing to judge labels by"),
        ({"features": np.zeros((3, 2))}, r"float64 of shape \(3, 2\): expected numbers, \(4, features\)"),
        ({"features": np.zeros((4, 2))}, "all features are constant"),
        ({"features": np.array([[1.0], [2], [np.nan], [4]])}, "feature 0 of row 2 is nan"),
        ({"dynamics": np.zeros((4, 2))}, r"shape \(4, 2\): expected probabilities \(epochs, N, classes\)"),
        ({"dynamics": np.zeros((0, 4, 2))}, r"shape \(0, 4, 2\)"),
        ({"dynamics": np.zeros((2, 3, 2))}, "4 labels for 3 rows"),
    ],
)
def test_evidence_that_cannot_be_used(arguments: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(LabelError, match=message):
        audit([0, 1, 0, 1], **arguments)


def test_one_class_has_nothing_to_be_told_from() -> None:
    with pytest.raises(LabelError, match="all 3 labels are 'a': expected at least two classes"):
        audit(["a", "a", "a"], features=np.arange(3.0)[:, None])


@pytest.mark.parametrize("name", sorted(DYNAMICS))
@pytest.mark.parametrize("learned", [False, True])
def test_scores_of_a_training_find_planted_errors(name: str, learned: bool) -> None:
    _, labels, wrong = planted()
    found = audit(labels, dynamics=epochs_of(labels, wrong, learned=learned), score=name)
    assert wrong[found.order[:40]].all()
    assert 0 <= found.table["score"].min() <= found.table["score"].max() <= 1


def test_the_margin_is_the_mean_difference_of_logits() -> None:
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(4, 6, 3)), np.arange(6) % 3
    p = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    p[0, 2] = np.nan
    said = Dynamics.of_epochs(p, labels)
    for place in range(6):
        epochs = range(1 if place == 2 else 0, 4)
        others = [max(logits[epoch, place, k] for k in range(3) if k != labels[place]) for epoch in epochs]
        own = [logits[epoch, place, labels[place]] for epoch in epochs]
        assert said.margins[place] == pytest.approx(np.mean(own) - np.mean(others), abs=1e-5)


def test_a_score_of_a_training_needs_one() -> None:
    with pytest.raises(SpecError, match="the score wrong-share is of what a training said epoch by epoch"):
        audit([0, 1], probabilities=np.eye(2), score="wrong-share")
    with pytest.raises(SpecError, match="unknown score 'wrong'; did you mean 'wrong-share'"):
        audit([0, 1], probabilities=np.eye(2), score="wrong")
