"""How a number of a table becomes a feature: the one place to change it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from noiseproof.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_QUANTILES = 1000
"""Of a column of numbers."""

_MOST_ROWS = 1 << 40
"""Ranks beyond that have no score in float64."""

_LARGEST = 1e300
"""Differences of larger numbers are infinite; so large ones are taken for this."""


@dataclass(frozen=True)
class NormalScores:
    """Numbers by their place among those of the training rows, on the scale of a standard normal variable.

    A number v has the score Φ⁻¹(r(v)), where r(v) is the share of training numbers below v and half the share of those
    equal to it. Between stored numbers scores are linear; below the smallest and above the largest they stay.

    Attributes:
        values: numbers of the training rows, increasing: all different ones, or quantiles of them.
        ranks: 2 N r of each, which is whole.
        count: N, the training numbers.

    Raises:
        DataError: these cannot be those of any numbers.
    """

    values: tuple[float, ...]
    ranks: tuple[int, ...]
    count: int

    def __post_init__(self) -> None:
        fits = (
            0 < len(self.values) == len(self.ranks) <= MOST_QUANTILES
            and all(-_LARGEST <= value <= _LARGEST for value in self.values)
            and _increase(self.values)
            and _increase(self.ranks)
            and self.ranks[0] > 0
            and self.ranks[-1] < 2 * self.count <= _MOST_ROWS
        )
        if not fits:
            raise DataError(f"no quantiles: {self!r:.200}")

    @classmethod
    def of(cls, numbers: NDArray[np.float64], most: int) -> NormalScores:
        """From ``(N,)`` numbers without gaps, at least one; ``most`` are stored."""
        values, counts = np.unique(np.clip(numbers, -_LARGEST, _LARGEST), return_counts=True)
        ranks = 2 * np.cumsum(counts) - counts
        if len(values) > most:
            kept = np.unique(np.searchsorted(ranks, np.linspace(ranks[0], ranks[-1], most)))
            values, ranks = values[kept], ranks[kept]
        values += 0.0  # there is no -0.0
        return cls(tuple(values.tolist()), tuple(ranks.tolist()), len(numbers))

    def __call__(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """The score of each number, ``(N,)``; NaN of NaN."""
        values, scores = self._knots
        numbers = np.clip(numbers, values[0], values[-1])
        if len(values) == 1:
            return numbers - values[0]
        upper = np.clip(np.searchsorted(values, numbers), 1, len(values) - 1)
        lower = upper - 1
        share = (numbers - values[lower]) / (values[upper] - values[lower])
        found: NDArray[np.float64] = scores[lower] + share * (scores[upper] - scores[lower])
        return found

    @cached_property
    def _knots(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        score = NormalDist().inv_cdf
        return np.array(self.values), np.array([score(rank / (2 * self.count)) for rank in self.ranks])


def _increase(values: Sequence[float]) -> bool:
    return all(before < after for before, after in itertools.pairwise(values))
