from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noiseproof.auditing import confident_joint, noise_bracket
from noiseproof.errors import LabelError


def joint_by_loops(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Northcutt et al., equations 1 to 3, sample by sample."""
    classes = p.shape[1]
    joint = np.zeros((classes, classes))
    thresholds = {}
    for k in range(classes):
        own = [p[i, k] for i in range(len(p)) if labels[i] == k]
        if own:
            thresholds[k] = sum(own) / len(own)
    for i in range(len(p)):
        reached = [k for k in thresholds if p[i, k] >= thresholds[k]]
        if reached:
            joint[labels[i], max(reached, key=lambda k: (p[i, k], -k))] += 1
    for k in range(classes):
        total = sum(label == k for label in labels)
        if joint[k].sum() == 0:
            joint[k, k] = 1
        joint[k] = joint[k] / joint[k].sum() * total
    return joint


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 40))
def test_the_confident_joint_is_that_of_plain_loops(seed: int, classes: int, count: int) -> None:
    random = np.random.default_rng(seed)
    p = random.dirichlet(np.ones(classes), count)
    labels = random.integers(0, classes, count)
    found = confident_joint(p, labels)
    np.testing.assert_allclose(found, joint_by_loops(p, labels), atol=1e-9)
    np.testing.assert_allclose(found.sum(1), np.bincount(labels, minlength=classes))
    bracket = noise_bracket(p, labels)
    assert 0 <= bracket.low <= bracket.high == np.mean([row.argmax() != label for row, label in zip(p, labels)])  # noqa: B905
    assert bracket.low == pytest.approx(min(bracket.high, 1 - np.trace(found) / count))


def test_perfect_predictions_find_the_noise_that_there_is() -> None:
    true = np.arange(300) % 3
    labels = true.copy()
    labels[:30] = (labels[:30] + 1) % 3
    bracket = noise_bracket(np.eye(3)[true], labels)
    assert (bracket.low, bracket.high) == (pytest.approx(0.1), pytest.approx(0.1))


@pytest.mark.parametrize(
    ("p", "labels"),
    [
        (np.ones((3, 2)), [0, 1]),
        (np.ones(3), [0, 1, 1]),
        (np.ones((0, 2)), []),
        (np.array([[np.nan, 1.0]]), [0]),
        (np.ones((2, 2)), [0, 2]),
        (np.ones((2, 2)), [-1, 0]),
    ],
)
def test_what_is_no_prediction_is_refused(p: np.ndarray, labels: list[int]) -> None:
    with pytest.raises(LabelError, match="expected finite|is none of"):
        noise_bracket(p, np.array(labels, int))
