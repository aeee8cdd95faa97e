"""The weights that a theory of label noise is about: how likely each noisy label is, given the true one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from noiseproof.errors import LabelError
from noiseproof.noise import check_classes, check_rate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from noiseproof.noise import TransitionMatrix


@dataclass(frozen=True, eq=False)
class Weights:
    """How likely the noisy labels are, whichever they are: of a million, most have one of a few weights.

    Attributes:
        values: the weights that occur, the largest first.
        counts: how many labels have each.
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, weights: NDArray[np.float64], counts: NDArray[np.int64] | None = None) -> Weights:
        """The weights of labels, or those of so many labels each."""
        values, index, found = np.unique(weights, return_inverse=True, return_counts=True)
        if counts is not None:
            found = np.bincount(index, counts, len(values)).astype(np.int64)
        there = np.flatnonzero(found)[::-1]
        return cls(values[there], found[there])

    @cached_property
    def size(self) -> int:
        """The number of labels."""
        return int(self.counts.sum())

    @cached_property
    def total(self) -> float:
        """The sum of the weights."""
        return float(self.values @ self.counts)

    @property
    def most(self) -> float:
        """The largest weight."""
        return float(self.values[0])

    @property
    def second(self) -> float:
        """The largest weight of all labels but one that has the largest."""
        return float(self.values[0 if self.counts[0] > 1 else 1])

    @property
    def least(self) -> float:
        """The smallest weight."""
        return float(self.values[-1])

    @cached_property
    def rest(self) -> float:
        """The sum of the weights of all labels but one that has the largest."""
        others = self.counts.copy()
        others[0] -= 1
        return float(self.values @ others)

    def smoothed(self, share: float) -> Weights:
        """The weights where a share of each label's goes to all labels alike."""
        return Weights((1 - share) * self.values + share * self.total / self.size, self.counts)


def check_weights(weights: ArrayLike) -> NDArray[np.float64]:
    """The weights of the labels as an array.

    Raises:
        LabelError: not a list of at least two finite numbers ≥ 0 that are not all 0.
    """
    array = np.asarray(weights, dtype=np.float64)
    if array.ndim != 1 or len(array) < 2:
        raise LabelError(f"weights of shape {array.shape}: expected one number for each of at least two classes")
    if not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise LabelError(f"weights {array.tolist()!r:.200}: expected finite numbers >= 0, one of them positive")
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


def kinds_of_rows(matrix: TransitionMatrix, digits: int | None = None) -> tuple[list[Weights], NDArray[np.int64]]:
    """The rows of a transition matrix that are not alike but for the order.

    Args:
        matrix: the matrix.
        digits: to how many decimals their entries are looked at; all of them by default.

    Returns:
        The kinds of rows, and ``(classes,)``, which of them each row has.
    """
    kinds: list[Weights] = []
    which = np.empty(len(matrix), np.int64)
    for rows, entries in matrix.rows_alike():
        values = np.sort(matrix.values[entries], axis=1)
        constant = matrix.constant
        if digits is not None:
            values, constant = values.round(digits), round(constant, digits)
        texts = np.ascontiguousarray(values).view(np.dtype((np.void, values.itemsize * values.shape[1])))[:, 0]
        _, firsts, index = np.unique(texts, return_index=True, return_inverse=True)
        which[rows] = index + len(kinds)
        counts = np.append(np.ones(values.shape[1], np.int64), len(matrix) - values.shape[1])
        kinds += [Weights.of(np.append(values[first], constant), counts) for first in firsts]
    return kinds, which


def symmetric_weights(rate: float, num_classes: int) -> Weights:
    """A row of :func:`noiseproof.noise.symmetric_matrix`."""
    rate, others = check_rate(rate), check_classes(num_classes) - 1
    return Weights.of(np.array([1 - rate, rate / others]), np.array([1, others]))


def pair_weights(rate: float, num_classes: int = 2) -> Weights:
    """A row of :func:`noiseproof.noise.asymmetric_matrix`, of a class that is flipped."""
    rate, others = check_rate(rate), check_classes(num_classes) - 2
    return Weights.of(np.array([1 - rate, rate, 0.0]), np.array([1, 1, others]))
