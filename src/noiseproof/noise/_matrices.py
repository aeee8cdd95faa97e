"""Transition matrices ``T[true, noisy]``, row-stochastic."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.errors import LabelError, NoiseWarning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


MOST_CLASSES = 2_000
"""Noise can be put on so many classes: its matrix is kept with the labels, and grows with their square."""


def check_classes(num_classes: int) -> None:
    """Refuse a number of classes whose matrix would be too large, before memory is taken for it.

    Raises:
        LabelError: it is.
    """
    if num_classes > MOST_CLASSES:
        raise LabelError(
            f"{num_classes:,} classes: noise is kept with its transition matrix, which would have {num_classes**2:,} "
            f"numbers; expected at most {MOST_CLASSES:,} classes"
        )


def symmetric_matrix(rate: float, num_classes: int) -> NDArray[np.float64]:
    """``1 - rate`` on the diagonal, ``rate / (num_classes - 1)`` elsewhere: the own class is excluded.

    Raises:
        LabelError: a rate outside [0, 1].
    """
    rate = check_rate(rate)
    check_classes(num_classes)
    matrix = np.full((num_classes, num_classes), rate / (num_classes - 1))
    np.fill_diagonal(matrix, 1 - rate)
    return matrix


def asymmetric_matrix(rate: float, mapping: Mapping[Any, Any], num_classes: int) -> NDArray[np.float64]:
    """Each class of ``mapping`` becomes its target with probability ``rate``; the others keep their label.

    Raises:
        LabelError: a rate outside [0, 1], or a mapping that names no class or maps one to itself.
    """
    rate = check_rate(rate)
    check_classes(num_classes)
    matrix = np.eye(num_classes)
    for source, target in mapping.items():
        for label in (source, target):
            if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < num_classes:
                raise LabelError(f"mapping {source!r} -> {target!r}: expected classes 0 … {num_classes - 1}")
        if source == target:
            raise LabelError(f"mapping {source} -> {target}: a class cannot be flipped to itself; leave it out")
        matrix[source, source], matrix[source, target] = 1 - rate, rate
    return matrix


def check_rate(rate: float) -> float:
    """``rate`` as a float in [0, 1].

    Raises:
        LabelError: it is none.
    """
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.number):
        raise LabelError(f"rate {rate!r}: expected a number in [0, 1]")
    value = float(rate)
    if math.isnan(value) or not 0 <= value <= 1:
        hint = f"; for {value:g} % write {value / 100:g}" if 1 < value <= 100 else ""
        raise LabelError(f"rate {value:g}: expected a share in [0, 1]{hint}")
    return value


def check_matrix(matrix: ArrayLike) -> NDArray[np.float64]:
    """``matrix`` as a float64 array.

    Raises:
        LabelError: it holds anything but numbers, is not square, has negative or undefined entries, or a row does not
            sum to 1.
    """
    try:
        given = np.asarray(matrix)
        if given.dtype.kind not in "biufO":  # NumPy would drop imaginary parts, and read text
            raise TypeError(f"{given.dtype}, not numbers")
        array = given.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise LabelError(f"transition matrix: {error}; expected (classes, classes) numbers") from error
    if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) < 2:
        raise LabelError(f"transition matrix of shape {array.shape}: expected (classes, classes), at least 2 x 2")
    check_classes(len(array))
    if not np.isfinite(array).all() or (array < 0).any():
        row, column = np.argwhere(~np.isfinite(array) | (array < 0))[0]
        raise LabelError(f"T[{row}, {column}] = {array[row, column]}: expected a probability in [0, 1]")
    sums = array.sum(1)
    wrong = np.flatnonzero(np.abs(sums - 1) > 1e-6)
    if len(wrong):
        transposed = np.abs(array.sum(0) - 1).max() <= 1e-6
        hint = " Its columns do: T[true, noisy] is the transpose of what was given." if transposed else ""
        raise LabelError(
            f"row {wrong[0]} of the transition matrix sums to {sums[wrong[0]]:.6g} (and {len(wrong) - 1} more rows "
            f"do not sum to 1): expected row-stochastic T[true, noisy].{hint}"
        )
    return array


def dominated(matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
    """``(classes,)``: whether a class's true label is likelier than every other noisy one."""
    return np.diag(matrix) > _off_diagonal(matrix).max(1)


def _off_diagonal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return matrix - np.diag(np.full(len(matrix), np.inf))


def warn_if_not_dominant(
    matrix: NDArray[np.float64], counts: NDArray[np.int64], names: Sequence[str] | None = None
) -> None:
    """Warn about classes whose true label is not the most likely noisy one: no loss can be relied on there."""
    own, others = np.diag(matrix), _off_diagonal(matrix)
    lost = np.flatnonzero(~dominated(matrix) & (counts > 0))
    if len(lost):
        worst = lost[0]
        target = int(others[worst].argmax())
        own_name, target_name = (str(label) if names is None else names[label] for label in (worst, target))
        warnings.warn(
            f"clean labels do not dominate in {len(lost)} of {len(matrix)} classes: class {own_name} keeps its label "
            f"with probability {own[worst]:.3g} but becomes {target_name} with {others[worst, target]:.3g}. "
            "No loss is guaranteed to learn those classes from these labels.",
            NoiseWarning,
            stacklevel=4,
        )
