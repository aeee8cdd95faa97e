"""Between what bounds the share of wrong labels lies, as far as predictions can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.errors import LabelError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class NoiseBracket:
    """Two estimates of the share of wrong labels, from predictions for samples that were not learned from.

    Both depend on how good the predictions are: a weak model makes both too high. So neither is a fact, and for most
    models and kinds of noise the truth lies between them or below.

    Attributes:
        low: the share off the diagonal of the confident joint.
        high: the share of labels that the predicted class differs from.
    """

    low: float
    high: float


def confident_joint(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    r"""How many samples with a given label are, as far as predictions can tell, of each class.

    A sample counts for the likeliest of the classes :math:`k` with :math:`p_k \ge t_k`, where :math:`t_k` is the mean
    of :math:`p_k` over the samples with the label :math:`k`; if there is none, it does not count. Each row is then
    scaled so that it sums to the number of samples with its label.

    Args:
        probabilities: ``(N, classes)``, for samples that were not learned from.
        labels: ``(N,)``, the given ones.

    Returns:
        ``(classes, classes)``, ``C[given, suggested]``.

    Raises:
        LabelError: labels that are no classes, or other shapes.

    Source:
        Northcutt, Jiang, Chuang: Confident Learning. JAIR 2021.
    """
    p, labels = _checked(probabilities, labels)
    count, classes = p.shape
    totals = np.bincount(labels, minlength=classes)
    own = np.bincount(labels, weights=p[np.arange(count), labels], minlength=classes)
    threshold = np.where(totals > 0, own / np.maximum(totals, 1), np.inf)
    above = p >= threshold
    suggested = np.where(above, p, -1.0).argmax(1)
    counted = above.any(1)
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[counted], suggested[counted]), 1.0)
    empty = joint.sum(1) == 0
    joint[empty, empty] = 1.0  # nothing is known of them, and so nothing speaks against them
    scaled: NDArray[np.float64] = joint * (totals / joint.sum(1))[:, None]
    return scaled


def noise_bracket(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NoiseBracket:
    """Two estimates of the share of wrong labels.

    Args:
        probabilities: ``(N, classes)``, for samples that were not learned from.
        labels: ``(N,)``, the given ones.

    Raises:
        LabelError: labels that are no classes, or other shapes.
    """
    p, labels = _checked(probabilities, labels)
    joint = confident_joint(p, labels)
    high = float((p.argmax(1) != labels).mean())
    return NoiseBracket(min(1 - float(np.trace(joint) / joint.sum()), high), high)


def _checked(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    p = np.asarray(probabilities, np.float64)
    labels = np.asarray(labels, np.int64)
    if p.ndim != 2 or labels.shape != p.shape[:1] or not len(p) or not np.isfinite(p).all():
        raise LabelError(
            f"probabilities have shape {p.shape} and labels {labels.shape}: expected finite numbers, (N, classes), and "
            "one label for each row"
        )
    if labels.min() < 0 or labels.max() >= p.shape[1]:
        raise LabelError(f"label {labels.min() if labels.min() < 0 else labels.max()} is none of {p.shape[1]} classes")
    return p, labels
