"""Lists of labels in the file formats in which people publish them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from noiseproof.errors import DataError, LabelError, suggest
from noiseproof.noise import check_labels
from noiseproof.untrusted import read_json, read_npy, read_text, read_torch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_EXPECTED = (
    "expected .json (a list of integers, or an object of lists), .pt or .pth (a tensor, a list or a dictionary of "
    "them), .npy (one-dimensional integers), or .csv or .txt (an integer per line, index,label pairs, or columns "
    "under a header)"
)


def label_list(path: str | Path, column: str | None = None) -> NDArray[np.int64]:
    """Labels from a file, in the order of the samples. Nothing in the file is run.

    ============== =============================================================================================
    file           what is in it
    ============== =============================================================================================
    .json          a list of integers, or an object of such lists
    .pt, .pth      a tensor, an array or a list of integers, or a dictionary of them
    .npy           one-dimensional integers
    .csv, .txt     an integer per line; pairs of the sample's index and its label; or columns under a header,
                   separated by commas, semicolons, tabs or spaces. Rows with an index (a column called index, or
                   without a name, as pandas writes it) are put into its order.
    ============== =============================================================================================

    Args:
        path: the file; its ending tells the format.
        column: which of several lists in the file.

    Raises:
        DataError: the file is missing or damaged, holds anything else, or has no such column.
    """
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise DataError(f"{path} is no label list that can be read: {_EXPECTED}")
    try:
        content = read(path)
    except DataError:
        raise
    except (OSError, ValueError, EOFError, RecursionError, csv.Error) as error:
        raise DataError(f"cannot read labels from {path}: {error}") from error
    if isinstance(content, dict):
        content = _choose(content, column, path)
    elif column is not None:
        raise DataError(f"{path} is one list without names: column {column!r} cannot be chosen; leave it out")
    return _integers(content, path)


def _read_json(path: Path) -> Any:
    return read_json(path)


def _read_torch(path: Path) -> Any:
    return read_torch(path, "labels")


def _read_numpy(path: Path) -> Any:
    return read_npy(path)


def _read_text(path: Path) -> list[int] | dict[str, list[int] | list[str]]:
    lines = [
        (number, line.strip())
        for number, line in enumerate(read_text(path).splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise DataError(f"{path} holds no labels: {_EXPECTED}")
    rows = [(number, _fields(line, _separator(lines[0][1]))) for number, line in lines]
    head = rows[0][1]
    for number, row in rows:
        if len(row) != len(head):
            raise DataError(f"{path}, line {number}: {len(row)} fields where the first line has {len(head)}")
    if any(map(_is_number, head)):
        if len(head) > 2:
            raise DataError(f"{path} has {len(head)} columns of numbers and no header: {_EXPECTED}")
        columns = [_column(rows, place, path) for place in range(len(head))]
        return columns[0] if len(head) == 1 else _in_order(columns[1], columns[0], path)
    if len(set(head)) < len(head):
        raise DataError(f"{path}: the header {', '.join(head)} names a column twice")
    body = rows[1:]
    index = next((place for place, name in enumerate(head) if name.casefold() in ("", "index")), None)
    order = None if index is None else _column(body, index, path)
    named: dict[str, list[int] | list[str]] = {}
    for place, name in enumerate(head):
        if place == index:
            continue
        texts = [row[place] for _, row in body]
        # A column of file names beside the labels is no error until it is asked for.
        values = _column(body, place, path) if all(map(_is_integer, texts)) else texts
        named[name] = values if order is None else _in_order(values, order, path)
    return named


def _separator(line: str) -> str | None:
    return next((mark for mark in ",;\t" if mark in line), None)


def _fields(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.split()
    return [field.strip() for field in next(csv.reader([line], delimiter=separator, skipinitialspace=True))]


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _column(rows: Sequence[tuple[int, list[str]]], place: int, path: Path) -> list[int]:
    for number, row in rows:
        if not _is_integer(row[place]):
            raise DataError(f"{path}, line {number}: {row[place]!r} is no integer")
    return [int(row[place]) for _, row in rows]


def _in_order(values: Sequence[Any], index: Sequence[int], path: Path) -> list[Any]:
    if sorted(index) != list(range(len(values))):
        raise DataError(
            f"{path}: its index runs from {min(index, default=0)} to {max(index, default=0)} over {len(values)} rows; "
            f"expected each of 0 … {len(values) - 1} once, to tell which sample a label belongs to"
        )
    ordered: list[Any] = [None] * len(values)
    for place, value in zip(index, values, strict=True):
        ordered[place] = value
    return ordered


def _choose(content: Mapping[Any, Any], column: str | None, path: Path) -> Any:
    named = {str(name): values for name, values in content.items()}
    if column in named:
        return named[column]
    few = sorted(named)[:20]
    if column is not None:
        raise DataError(f"{path} has no column {column!r}{suggest(column, few)}")
    if len(named) == 1:
        return next(iter(named.values()))
    more = f" and {len(named) - len(few)} more" if len(named) > len(few) else ""
    raise DataError(f"{path} holds the columns {', '.join(few)}{more}: name the one to read")


def _integers(values: Any, path: Path) -> NDArray[np.int64]:
    if isinstance(values, list | tuple):
        for place, value in enumerate(values):
            if type(value) is not int:
                raise DataError(f"{path}: entry {place} is {value!r:.60}, expected an integer label")
    elif not isinstance(values, np.ndarray | torch.Tensor):
        raise DataError(f"{path} holds a {type(values).__name__}: {_EXPECTED}")
    try:
        array = np.asarray(values)
        if array.size == 0:
            raise DataError(f"{path} holds no labels: {_EXPECTED}")
        highest = int(array.max()) if array.dtype.kind in "iu" else 1
        if highest > np.iinfo(np.int64).max:
            raise DataError(f"{path}: {highest} is too high for a label")
        return check_labels(array, max(highest + 1, 2))
    except (LabelError, TypeError, RuntimeError) as error:
        raise DataError(f"{path}: {error}") from error


_READERS = {
    ".json": _read_json,
    ".pt": _read_torch,
    ".pth": _read_torch,
    ".npy": _read_numpy,
    ".csv": _read_text,
    ".txt": _read_text,
}
