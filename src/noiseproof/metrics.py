"""What rules the choice of a model, and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

ACCURACY, BALANCED = "accuracy", "balanced accuracy"

METRICS = (ACCURACY, BALANCED)


def metric_of(probabilities: NDArray[Any], labels: NDArray[Any], metric: str) -> float:
    """Accuracy, or balanced accuracy: the mean over the classes that occur of the share that is predicted.

    Args:
        probabilities: ``(N, classes)``.
        labels: ``(N,)``, from 0.
        metric: one of :data:`METRICS`.
    """
    hits = probabilities.argmax(1) == labels
    if metric == ACCURACY:
        return float(hits.mean())
    shares = [float(hits[labels == label].mean()) for label in sorted({*labels.tolist()})]
    return sum(shares) / len(shares)
