"""The weights that a theory of label noise is about: how likely each noisy label is, given the true one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from noiseproof.errors import LabelError
from noiseproof.noise import asymmetric_matrix, symmetric_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def check_weights(weights: ArrayLike) -> NDArray[np.float64]:
    """The weights of the labels as an array.

    Raises:
        LabelError: not a list of at least two finite numbers ≥ 0 that are not all 0.
    """
    array = np.asarray(weights, dtype=np.float64)
    if array.ndim != 1 or len(array) < 2:
        raise LabelError(f"weights of shape {array.shape}: expected one number for each of at least two classes")
    if not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise LabelError(f"weights {array.tolist()}: expected finite numbers >= 0, one of them positive")
    return array


def check_prior(prior: ArrayLike | None, num_classes: int) -> NDArray[np.float64]:
    """The shares of the classes, which sum to 1; all alike where none are given.

    Raises:
        LabelError: not one number ≥ 0 per class, or all of them 0.
    """
    shares = np.ones(num_classes) if prior is None else np.asarray(prior, dtype=np.float64)
    if shares.shape != (num_classes,) or (shares < 0).any() or not shares.sum() > 0:
        raise LabelError(f"prior of shape {shares.shape}: expected {num_classes} shares >= 0, not all of them 0")
    return shares / shares.sum()


def dominant(weights: NDArray[np.float64]) -> tuple[int, float, float, float]:
    """The heaviest class, its weight, the second largest weight, and the sum of all but the largest."""
    heaviest = int(np.argmax(weights))
    others = np.delete(weights, heaviest)
    return heaviest, float(weights[heaviest]), float(others.max()), float(others.sum())


def symmetric_weights(rate: float, num_classes: int) -> NDArray[np.float64]:
    """The weights of the noisy labels of a class under symmetric noise, the true one first."""
    return symmetric_matrix(rate, num_classes)[0]


def pair_weights(rate: float, num_classes: int = 2) -> NDArray[np.float64]:
    """The weights of the noisy labels of a class that is flipped to one other class, the true one first."""
    return asymmetric_matrix(rate, {0: 1}, num_classes)[0]
