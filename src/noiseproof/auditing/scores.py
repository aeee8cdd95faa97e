"""How suspicious labels are: each score is a function of arrays, registered by its name.

All are between 0 (surely right) and 1 (surely wrong). What they agree on is the order, not the numbers: a score of 0.9
is no probability.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.registry import Registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_LEAST = 1e-6
"""Below it a probability says nothing but that it is small."""

BOUND = 0.01
"""What is added to a probability so that no single epoch decides, and what one counts as at least, so that no view of a
sample does."""


SCORES = Registry.of_functions("score", "scores")
"""Scores of probabilities ``(N, classes)`` and labels ``(N,)``, by name; the user's own included."""


def log_margin(probabilities: Floats, labels: NDArray[np.int64]) -> Floats:
    r"""By how much another class is likelier: :math:`p_o / (p_y + p_o)`, with the likeliest other class :math:`o`.

    This orders as :math:`\log p_y - \log p_o` does.

    Args:
        probabilities: ``(N, classes)``, for samples that were not learned from, or the mean over a training.
        labels: ``(N,)``, the given ones.
    """
    own, other = own_and_other(probabilities, labels)
    total = own + other
    return np.divide(other, total, out=np.full_like(total, 0.5), where=total > 0)


def self_confidence(probabilities: Floats, labels: NDArray[np.int64]) -> Floats:
    r"""How little the given label is believed: :math:`1 - p_y`. Arguments as for :func:`log_margin`."""
    found: Floats = 1 - probabilities[np.arange(len(labels)), labels]
    return found


def normalized_margin(probabilities: Floats, labels: NDArray[np.int64]) -> Floats:
    r"""The margin between probabilities: :math:`(1 - p_y + p_o) / 2`. Arguments as for :func:`log_margin`."""
    own, other = own_and_other(probabilities, labels)
    return (1 - own + other) / 2


def weighted_entropy(probabilities: Floats, labels: NDArray[np.int64]) -> Floats:
    r"""How undecided the model is beside how far it believes the label.

    With the entropy :math:`H` in units of its largest value, :math:`x = H / p_y` and :math:`1 - \log(1 + x) / x`.
    Arguments as for :func:`log_margin`.

    Source:
        Kuan, Mueller: Model-agnostic label quality scoring to detect real-world label errors. ICML 2022 workshop.
    """
    own = np.maximum(probabilities[np.arange(len(labels)), labels], _LEAST)
    safe = np.maximum(probabilities, np.finfo(probabilities.dtype).tiny)
    entropy = -(safe * np.log(safe)).sum(1) / math.log(probabilities.shape[1])
    x = np.maximum(entropy / own, _LEAST)
    return 1 - np.log1p(x) / x


for _name, _score in {
    "log-margin": log_margin,
    "self-confidence": self_confidence,
    "normalized-margin": normalized_margin,
    "weighted-entropy": weighted_entropy,
}.items():
    SCORES.add(_name, _score)


def ranks(score: NDArray[Any]) -> NDArray[np.int64]:
    """``(N,)``: 1 for the highest score; of equal ones the first is higher."""
    found = np.empty(len(score), np.int64)
    found[np.argsort(-score, kind="stable")] = np.arange(1, len(score) + 1)
    return found


def own_and_other(probabilities: Floats, labels: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """``(N,)`` each: the probability of the given label, and the largest other one."""
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    others = probabilities.copy()
    others[rows, labels] = -1
    return own, others.max(1)


def adjusted(probabilities: Floats, thresholds: Floats) -> Floats:
    """Probabilities relative to how far each class is believed on average, so that no class is suspicious as such.

    Args:
        probabilities: ``(N, classes)``.
        thresholds: ``(classes,)``, the mean probability of each class over the samples that have it as their label.
    """
    moved = probabilities + (thresholds.max() - thresholds).astype(probabilities.dtype)
    found: Floats = moved / moved.sum(1, keepdims=True)
    return found


def bounded_doubt(label_probabilities: Floats) -> Floats:
    r"""How little the label was believed in training: :math:`-\log(p_y + 0.01)`, the mean over epochs, scaled to 0 … 1.

    No epoch counts for more than a certain amount, so that what a network says when it has learned its labels by heart
    takes little away from what it said before.

    Args:
        label_probabilities: ``(epochs, N)``, the probability of the given label; NaN where a sample was not seen.
    """
    logs = np.log(label_probabilities + BOUND)
    mean = _mean_of_seen(logs, math.log(1 / 2 + BOUND))
    top, bottom = math.log(1 + BOUND), math.log(BOUND)
    found: Floats = (top - mean) / (top - bottom)
    return found


def wrong_share(predictions: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """In what share of the epochs another class was predicted.

    Args:
        predictions: ``(epochs, N)``, the predicted class; negative where a sample was not seen.
        labels: ``(N,)``, the given ones.
    """
    seen = predictions >= 0
    wrong = (predictions != labels) & seen
    counts = seen.sum(0)
    return np.where(counts > 0, wrong.sum(0) / np.maximum(counts, 1), 0.5)


def area_under_margin(margins: Floats) -> Floats:
    """How far the given label's logit was below the largest other one, on average over the epochs: a sigmoid of it.

    Args:
        margins: ``(N,)``, the mean margin; NaN where a sample was not seen.

    Source:
        Pleiss, Zhang, Elenberg, Weinberger: Identifying Mislabeled Data using the Area Under the Margin Ranking.
        NeurIPS 2020.
    """
    found: Floats = 1 / (1 + np.exp(np.clip(np.nan_to_num(margins), -500, 500)))
    return found


def _mean_of_seen(values: Floats, otherwise: float) -> Floats:
    """The mean over epochs of what is no NaN; samples that were never seen get another value."""
    seen = ~np.isnan(values)
    counts = seen.sum(0)
    sums = np.where(seen, values, 0).sum(0)
    found: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), otherwise)
    return found
