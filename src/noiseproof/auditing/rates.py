"""Between what bounds the share of wrong labels lies, as far as predictions can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.errors import LabelError

if TYPE_CHECKING:
    from numpy.typing import NDArray


_WIDE = 0.1
"""A bracket that is wider says more about predictions than about labels."""


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

    def sentence(self) -> str:
        """What it says, with the words that say what limits it."""
        low, high = 100 * self.low, 100 * self.high
        span = f"Around {low:.0f} %" if f"{low:.0f}" == f"{high:.0f}" else f"Between {low:.0f} and {high:.0f} %"
        text = (
            f"{span} of the labels may be wrong. This is no estimate: it comes from how well predictions and labels "
            "agree, and hard samples look like wrong labels"
        )
        if self.high - self.low > _WIDE:
            text += "; how wide the range is says that the predictions are the limit here"
        return text


class JointCounts:
    """The confident joint, from one block of samples after another.

    First :meth:`look` at all blocks, which finds how far each class is believed on average; then :meth:`count` them.

    Args:
        num_classes: how many classes there are.
    """

    def __init__(self, num_classes: int) -> None:
        self.totals = np.zeros(num_classes)
        self._believed = np.zeros(num_classes)
        self._differ = 0
        self._joint = np.zeros(num_classes**2)

    def look(self, probabilities: NDArray[Any], labels: NDArray[np.int64]) -> None:
        """Note the probabilities ``(n, classes)`` of the given labels ``(n,)``, and which of these are predicted."""
        classes = len(self.totals)
        own = probabilities[np.arange(len(labels)), labels]
        self.totals += np.bincount(labels, minlength=classes)
        self._believed += np.bincount(labels, weights=own, minlength=classes)
        self._differ += int((probabilities.argmax(1) != labels).sum())

    @property
    def means(self) -> NDArray[np.float64]:
        """``(classes,)``: the mean probability of each class over the samples with its label; 0 without any."""
        return self._believed / np.maximum(self.totals, 1)

    def count(self, probabilities: NDArray[Any], labels: NDArray[np.int64]) -> None:
        """Count samples by their given label and the likeliest class that is believed at least as far as on average."""
        classes = len(self.totals)
        bounds = np.where(self.totals > 0, self.means, np.inf).astype(probabilities.dtype)
        above = np.where(probabilities >= bounds, probabilities, -1)
        suggested = above.argmax(1)
        counted = above[np.arange(len(labels)), suggested] >= 0
        self._joint += np.bincount(labels[counted] * classes + suggested[counted], minlength=classes**2)

    @property
    def joint(self) -> NDArray[np.float64]:
        """``(classes, classes)``, ``C[given, suggested]``: each row sums to the number of samples with its label."""
        classes = len(self.totals)
        joint = self._joint.reshape(classes, classes).copy()
        empty = joint.sum(1) == 0
        joint[empty, empty] = 1.0  # nothing is known of them, and so nothing speaks against them
        scaled: NDArray[np.float64] = joint * (self.totals / joint.sum(1))[:, None]
        return scaled

    @property
    def bracket(self) -> NoiseBracket:
        """Between what the share of wrong labels may lie."""
        joint, high = self.joint, self._differ / self.totals.sum()
        return NoiseBracket(min(1 - float(np.trace(joint) / joint.sum()), float(high)), float(high))


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
    return _counted(probabilities, labels).joint


def noise_bracket(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NoiseBracket:
    """Two estimates of the share of wrong labels.

    Args:
        probabilities: ``(N, classes)``, for samples that were not learned from.
        labels: ``(N,)``, the given ones.

    Raises:
        LabelError: labels that are no classes, or other shapes.
    """
    return _counted(probabilities, labels).bracket


def transition_matrix(joint: NDArray[np.float64]) -> NDArray[np.float64]:
    """``T[true, noisy]``, the share of each given label among the samples of a class, from a joint ``C[given, true]``.

    A class of which there is no sample keeps its label.
    """
    counts = joint.T
    totals = counts.sum(1, keepdims=True)
    return np.where(totals > 0, counts / np.where(totals > 0, totals, 1), np.eye(len(joint)))


def _counted(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> JointCounts:
    p, labels = _checked(probabilities, labels)
    counts = JointCounts(p.shape[1])
    counts.look(p, labels)
    counts.count(p, labels)
    return counts


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
