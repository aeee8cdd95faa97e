"""How large the parameter ``a`` of AMSE must be for a noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from noiseproof.errors import SpecError
from noiseproof.noise import TransitionMatrix, dominated
from noiseproof.theory._weights import (
    Weights,
    check_prior,
    check_weights,
    kinds_of_rows,
    pair_weights,
    symmetric_weights,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def amse_threshold(weights: ArrayLike, q: float = 2.0) -> float:
    r"""The smallest ``a`` for which AMSE(a, q) is asymmetric on weights: least at the heaviest class alone.

    With the weights :math:`w_m > w_n \ge \dots` and their sum :math:`W` the condition is, for q > 1,

    .. math:: w_m (a-1)^{q-1} \ge w_n a^{q-1} + W - w_m,

    and :math:`w_m > w_n` for q ≤ 1 (Joint Asymmetric Loss, ICCV 2025, Theorem 4.1). At q = 2 this is
    :math:`a \ge W/(w_m - w_n)`.

    Args:
        weights: ``(classes,)``, how likely each noisy label is; they need not sum to 1.
        q: the exponent, > 0.

    Returns:
        The threshold, at least 1: exact for q ≤ 1, q = 2 and q = 3, to 1e-12 elsewhere; ``inf`` when no ``a`` is
        large enough, because no class is heavier than all others (or the threshold exceeds what a float holds).

    Raises:
        LabelError: weights that are none.
        SpecError: q is not a positive number.
    """
    return _threshold(Weights.of(check_weights(weights)), q)


def _threshold(weights: Weights, q: float) -> float:
    if not 0 < q < math.inf:
        raise SpecError(f"q must lie in (0, inf), got {q}")
    most, second, rest = weights.most, weights.second, weights.rest
    if most <= second:
        return math.inf
    if q <= 1 or rest == 0:
        return 1.0
    if q == 2:
        return (most + rest) / (most - second)
    if q == 3:
        # w_m (a-1)^2 - w_n a^2 - rest = 0; dividing by w_n as the paper does would fail where it is 0.
        margin = most - second
        return (most + math.sqrt(most * most - margin * (most - rest))) / margin
    return _root(most, second, rest, q)


def _root(most: float, second: float, rest: float, q: float) -> float:
    """Where ``w_m (1 - 1/a)^(q-1) - w_n - rest a^(1-q)``, which grows with a, crosses 0, by bisection on log a."""

    def holds(log_a: float) -> bool:
        return most * (-math.expm1(-log_a)) ** (q - 1) >= second + rest * math.exp((1 - q) * log_a)

    low, high = 0.0, 1.0
    while not holds(high):
        low, high = high, 2 * high
        if high > 1e6:
            return math.inf
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (low, middle) if holds(middle) else (middle, high)
    return math.exp(high) if high < 709 else math.inf


def amse_threshold_symmetric(rate: float, num_classes: int, q: float = 2.0) -> float:
    """The threshold of :func:`amse_threshold` for symmetric noise: ``(K-1)/(K-1-rate K)`` at q = 2."""
    return _threshold(symmetric_weights(rate, num_classes), q)


def amse_threshold_asymmetric(rate: float, q: float = 2.0) -> float:
    """The threshold of :func:`amse_threshold` for a class flipped to one other: ``1/(1-2 rate)`` at q = 2."""
    return _threshold(pair_weights(rate), q)


@dataclass(frozen=True)
class MatrixThresholds:
    """The thresholds of ``a`` for the classes of a transition matrix.

    Attributes:
        per_class: ``(classes,)``, ``inf`` for a class that no ``a`` saves.
        prior: ``(classes,)``, the share of each class.
    """

    per_class: NDArray[np.float64]
    prior: NDArray[np.float64]

    @property
    def overall(self) -> float:
        """The largest threshold of the classes with a positive prior."""
        return float(self.per_class[self.prior > 0].max())

    def covered(self, a: float) -> float:
        """The share of the data whose classes ``a`` covers."""
        return float(self.prior[self.per_class <= a].sum())


def amse_threshold_matrix(
    T: ArrayLike | TransitionMatrix, q: float = 2.0, prior: ArrayLike | None = None
) -> MatrixThresholds:
    """The thresholds of :func:`amse_threshold` for each row of a transition matrix.

    A row whose heaviest entry is not its own class has no threshold: there the noisy majority is another class.

    Args:
        T: ``(classes, classes)``, row-stochastic, ``T[true, noisy]``; an array, or a
            :class:`~noiseproof.noise.TransitionMatrix` of any number of classes.
        q: the exponent of AMSE.
        prior: the shares of the classes; all alike by default. They do not enter the thresholds.

    Raises:
        LabelError: T is not row-stochastic, or the prior does not fit it.
    """
    matrix = TransitionMatrix.of(T)
    shares = check_prior(prior, len(matrix))
    kinds, which = kinds_of_rows(matrix)
    thresholds = np.array([_threshold(kind, q) for kind in kinds])
    return MatrixThresholds(np.where(dominated(matrix), thresholds[which], math.inf), shares)
