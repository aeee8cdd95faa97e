"""Which inputs are equal."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.data._table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 1024
"""Rows that are copied at a time."""


def duplicates(inputs: Table | NDArray[Any]) -> NDArray[np.int64]:
    """``(N,)``: a number for each row, the same for equal rows. They count from 0 in the order of the rows.

    Gaps are equal to gaps, and 0 to -0. Rows are told apart by their BLAKE2b, of 128 bits.

    Args:
        inputs: a table, of which all columns count (:meth:`TableEncoding.select` has those that are learned from), or
            an array ``(N, ...)``.
    """
    if isinstance(inputs, Table):
        inputs = np.column_stack([_codes(column) for column in inputs.columns.values()])
    known: dict[bytes, int] = {}
    groups = np.empty(len(inputs), np.int64)
    for start in range(0, len(inputs), _BLOCK):
        for place, row in enumerate(np.ascontiguousarray(_of_one_form(inputs[start : start + _BLOCK])), start):
            groups[place] = known.setdefault(hashlib.blake2b(row, digest_size=16).digest(), len(known))
    return groups


def _codes(column: NDArray[Any]) -> NDArray[np.int64]:
    """A column as numbers that are equal where its values are."""
    if column.dtype.kind == "f":
        return _of_one_form(column).view(np.int64)
    numbers: dict[str | None, int] = {}
    return np.fromiter((numbers.setdefault(value, len(numbers)) for value in column), np.int64, len(column))


def _of_one_form(values: NDArray[Any]) -> NDArray[Any]:
    """Equal numbers have equal bytes: there is one zero and one NaN."""
    return np.where(np.isnan(values), np.nan, values + 0.0) if values.dtype.kind == "f" else values
