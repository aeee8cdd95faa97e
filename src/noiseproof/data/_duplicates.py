"""Which inputs are equal, and by what a row is known again."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.data._files import ImageFiles
from noiseproof.data._table import Table, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

_BLOCK = 1024
"""Rows that are copied at a time."""

_DIGEST = 16
"""Bytes of a hash."""


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
    for place, row in enumerate(_rows(inputs)):
        groups[place] = known.setdefault(_digest(row), len(known))
    return groups


def row_hashes(inputs: Table | ImageFiles | NDArray[Any]) -> NDArray[np.uint8]:
    """``(N, 16)``: the BLAKE2b of each row, the same for equal rows of whatever table, array or folder.

    Of a table, the names of its columns, in order, are a part of each row, and so is whether a value is a number. An
    array ``(N, columns)`` counts as the table that it is. Of image files, whose names do not count, the contents do, or
    the sizes of files that are too large to be read for this.

    Args:
        inputs: a table, image files, or an array ``(N, ...)``.
    """
    rows: Iterable[Any]
    if isinstance(inputs, ImageFiles):
        rows = _rows((inputs.sizes.astype(np.uint64) if inputs.hashes is None else inputs.hashes)[:, None])
    elif isinstance(inputs, Table) or inputs.ndim == 2:
        rows = _cells(table_of(inputs))
    else:
        rows = _rows(inputs)
    found = np.empty((len(inputs), _DIGEST), np.uint8)
    for place, row in enumerate(rows):
        found[place] = np.frombuffer(_digest(row), np.uint8)
    return found


def _digest(row: Any) -> bytes:
    return hashlib.blake2b(row, digest_size=_DIGEST).digest()


def _rows(inputs: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for start in range(0, len(inputs), _BLOCK):
        yield from np.ascontiguousarray(_of_one_form(inputs[start : start + _BLOCK]))


def _cells(table: Table) -> Iterator[bytes]:
    names = list(table.columns)
    columns = [
        [value.hex() for value in _of_one_form(column).tolist()] if column.dtype.kind == "f" else column.tolist()
        for column in table.columns.values()
    ]
    is_number = [column.dtype.kind == "f" for column in table.columns.values()]
    for row in zip(*columns, strict=True):
        yield json.dumps([names, is_number, row]).encode()


def _codes(column: NDArray[Any]) -> NDArray[np.int64]:
    """A column as numbers that are equal where its values are."""
    if column.dtype.kind == "f":
        return _of_one_form(column).view(np.int64)
    numbers: dict[str | None, int] = {}
    return np.fromiter((numbers.setdefault(value, len(numbers)) for value in column), np.int64, len(column))


def _of_one_form(values: NDArray[Any]) -> NDArray[Any]:
    """Equal numbers have equal bytes: there is one zero and one NaN."""
    return np.where(np.isnan(values), np.nan, values + 0.0) if values.dtype.kind == "f" else values
