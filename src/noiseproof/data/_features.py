"""Tables of numbers: checked, measured and standardized in float64, whatever type they are stored in.

A column such as 1.7e9 + x loses x in float32: its mean has to be subtracted first. Everything goes a block of rows at a
time, so that no second table of float64 is ever made.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.errors import DataError, DataWarning, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BLOCK_NUMBERS = 2**17
"""How many numbers are held as float64 at a time: 1 MiB."""

_LARGEST = 1e100
"""The squares of larger numbers do not add up."""

_ODD = 1e20
"""Numbers of this size are hardly ever measured: they mark gaps, or are left over from a division by zero."""

_FINEST = 1000
"""A column should vary by more than so many of the steps that float64 has at its size."""


def check_features(array: NDArray[Any], where: str) -> None:
    """Refuse numbers that cannot be standardized.

    Raises:
        DataError: a number that is not finite or above 1e100.

    Warns:
        DataWarning: numbers above 1e20.
    """
    odd: set[int] = set()
    for start, block in _blocks(array):
        reach = np.maximum(-block.min(0), block.max(0))  # NaN where there is one
        if (reach < _ODD).all():
            continue
        for column in np.flatnonzero(~(reach < _ODD)):
            size = np.abs(block[:, column])
            row = np.flatnonzero(~(size <= _LARGEST))
            if len(row):
                value = block[row[0], column]
                wanted = f"numbers up to {_LARGEST:g}" if np.isfinite(value) else "finite numbers; fill gaps first"
                raise DataError(f"{where}[{start + row[0]}, {column}] is {value:g}: expected {wanted}")
            odd.add(int(column))
    if odd:
        warnings.warn(
            f"{where}: column {shorten([str(column) for column in sorted(odd)])} holds numbers of {_ODD:g} or more. "
            "They are taken as they are; if they mark gaps, fill those first: beside them all else is nothing",
            DataWarning,
            stacklevel=4,
        )


def moments(array: NDArray[Any], where: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of every column (of images: channel) in float64; 1 where all numbers are equal.

    Args:
        array: ``(..., columns)``, with at least one row.
        where: what it is, for errors.

    Raises:
        DataError: a column of integers so large that float64 cannot tell them apart.
    """
    table = array.reshape(-1, array.shape[-1])
    # Differences from the first row: equal numbers give zeros, and large ones lose nothing.
    first = table[0].astype(np.float64)
    total = np.zeros(len(first))
    reach = np.zeros(len(first))
    for _, block in _blocks(table):
        block -= first
        total += block.sum(0)
        np.maximum(reach, np.maximum(-block.min(0), block.max(0)), out=reach)
    shift = total / len(table)
    mean = first + shift
    # In units of the largest difference no square over- or underflows.
    unit = np.where(reach > 0, reach, 1.0)
    squares = np.zeros(len(first))
    for _, block in _blocks(table):
        block -= first
        block -= shift
        block /= unit
        squares += np.einsum("ij,ij->j", block, block)
    std = np.where(reach > 0, unit * np.sqrt(squares / len(table)), 1.0)
    _check_steps(table, mean, np.where(reach > 0, std, 0.0), where)
    return mean, std


def _check_steps(table: NDArray[Any], mean: NDArray[np.float64], std: NDArray[np.float64], where: str) -> None:
    if table.dtype.kind not in "iu" or table.dtype.itemsize < 8:
        return
    for column in np.flatnonzero(std < _FINEST * np.spacing(np.abs(mean))):
        low, high = int(table[:, column].min()), int(table[:, column].max())
        if low < high:
            raise DataError(
                f"{where}[:, {column}] holds integers from {low} to {high}, which are too large to tell them apart in "
                f"float64: subtract {low} first, in the file"
            )


def standardized(array: NDArray[Any], mean: NDArray[np.float64], std: NDArray[np.float64]) -> NDArray[np.float32]:
    """``(array - mean) / std`` of ``(N, columns)``, computed in float64 and then rounded to float32."""
    result = np.empty(array.shape, np.float32)
    for start, block in _blocks(array):
        block -= mean
        block /= std
        result[start : start + len(block)] = block
    return result


def check_reach(array: NDArray[Any], mean: NDArray[np.float64], std: NDArray[np.float64], where: str) -> None:
    """Refuse numbers so far from those of the training set that they are infinite once they are standardized.

    Raises:
        DataError: there are some.
    """
    for start, block in _blocks(array):
        far = np.abs(block - mean) / std > np.finfo(np.float32).max
        if far.any():
            wrong = np.argwhere(far)
            row, column = wrong[0]
            raise DataError(
                f"{where}[{start + row}, {column}] is {block[row, column]:g}, where the training set has "
                f"{mean[column]:g} ± {std[column]:g}: too far to be standardized"
            )


def _blocks(table: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Rows as float64, a block at a time, each with the number of its first row."""
    rows = max(1, _BLOCK_NUMBERS // max(1, table.shape[1]))
    for start in range(0, len(table), rows):
        yield start, table[start : start + rows].astype(np.float64)
