"""Lists of labels in the file formats in which people publish them."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.classes import Labels, read_labels
from noiseproof.data._files import IMAGE_ENDINGS
from noiseproof.errors import DataError, LabelError, suggest
from noiseproof.untrusted import is_number, read_json, read_lines, read_npy, read_torch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_EXPECTED = (
    "expected .json (a list of labels, an object of lists, or of names and labels), .pt or .pth (a tensor, a list or a "
    "dictionary of them), .npy (one-dimensional), or .csv or .txt (a label per line, pairs of a sample's index or name "
    "and its label, or columns under a header)"
)

_NUMBERED = ("", "index", "idx", "id", "unnamed: 0", "position", "number", "row", "sample", "sample_id", "image_id")
NAME_COLUMNS = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "image_name", "image_id",
    "image_file", "img", "img_path", "img_name", "name", "key", "id", "sample", "sample_id", "index", "",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "labels", "class", "classes", "class_name", "label_name", "target", "category", "y", "noisy", "clean",
    "noisy_label", "noisy_labels", "clean_label", "clean_labels",
)  # fmt: skip
"""How columns of labels are called, by which a first line is known as a header."""

_WHOLE = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True)
class LabelList:
    """Labels from a file, and which samples they belong to where the file says so.

    Attributes:
        path: the file.
        labels: in the order of the file.
        names: of the samples, one per label; ``None`` where the file names none.
        numbers: of the samples, likewise.
    """

    path: Path
    labels: Labels
    names: tuple[str, ...] | None = None
    numbers: NDArray[np.int64] | None = None

    def in_order(self) -> Labels:
        """The labels in the order of the samples' numbers, or of the file where it has none.

        Raises:
            DataError: the numbers are not 0, 1, 2, … in some order.
        """
        if self.numbers is None:
            return self.labels
        order = np.argsort(self.numbers, kind="stable")
        if (self.numbers[order] != np.arange(len(order))).any():
            raise DataError(
                f"{self.path}: its index runs from {self.numbers.min()} to {self.numbers.max()} over {len(order)} "
                f"rows; expected each of 0 … {len(order) - 1} once, to tell which sample a label belongs to"
            )
        return self.labels.take(order)


def label_list(path: str | Path, column: str | None = None) -> NDArray[np.int64] | NDArray[np.str_]:
    """Labels from a file, in the order of the samples: int64 where all are whole numbers, text otherwise.

    Nothing in the file is run. Where it names the samples, by files say, the labels are in the order of the file;
    :func:`noiseproof.data.noises.listed_noise` puts them to the samples of a data set.

    ============== =============================================================================================
    file           what is in it
    ============== =============================================================================================
    .json          a list of labels, an object of such lists, an object of names and labels, or a list of objects
    .pt, .pth      a tensor, an array or a list of labels, or a dictionary of them
    .npy           one-dimensional numbers or text
    .csv, .txt     a label per line; pairs of the sample's index or name and its label; or columns under a header,
                   separated by commas, semicolons, tabs or spaces. Rows with an index (a column called index or id,
                   or without a name, as pandas writes it) are put into its order.
    ============== =============================================================================================

    The first line of a text is a header if it holds a usual name of a column, the one that is asked for, or other text
    above numbers or names of images; a label if it comes again.

    Args:
        path: the file; its ending tells the format.
        column: which of several lists in the file.

    Raises:
        DataError: the file is missing or damaged, holds anything else, has no such column, or a first line of which
            nothing tells whether it is a header.
    """
    return read_label_list(path, column).in_order().values


def read_label_list(path: str | Path, column: str | None = None) -> LabelList:
    """As :func:`label_list`, with what the file says about the samples.

    Raises:
        DataError: as for :func:`label_list`.
    """
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise DataError(f"{path} is no label list that can be read: {_EXPECTED}")
    try:
        return read(path, column)
    except (LabelError, csv.Error) as error:
        raise DataError(f"cannot read labels from {path}: {error}") from error


def _read_json(path: Path, column: str | None) -> LabelList:
    content = read_json(path)
    if isinstance(content, list) and content and all(isinstance(entry, dict) for entry in content):
        first: dict[str, Any] = content[0]
        if any(entry.keys() != first.keys() for entry in content):
            raise DataError(f"{path} is a list of objects with different keys: expected the same in all")
        content = {key: [entry[key] for entry in content] for key in first}
    elif (
        isinstance(content, dict) and content and not any(isinstance(entry, list | dict) for entry in content.values())
    ):
        content = {"id": list(content), "label": list(content.values())}
    return _from_content(content, path, column)


def _read_torch(path: Path, column: str | None) -> LabelList:
    return _from_content(read_torch(path, "labels"), path, column)


def _read_numpy(path: Path, column: str | None) -> LabelList:
    return _from_content(read_npy(path), path, column)


def _from_content(content: Any, path: Path, column: str | None) -> LabelList:
    if isinstance(content, dict):
        return _from_columns({str(name): values for name, values in content.items()}, path, column)
    if column is not None:
        raise DataError(f"{path} is one list without names: column {column!r} cannot be chosen; leave it out")
    return LabelList(path, _labels(content, path))


def _labels(values: Any, path: Path) -> Labels:
    if not isinstance(values, list | tuple | np.ndarray):
        raise DataError(f"{path} holds a {type(values).__name__}: {_EXPECTED}")
    labels = read_labels(values)
    if not len(labels):
        raise DataError(f"{path} holds no labels: {_EXPECTED}")
    return labels


def _from_columns(columns: Mapping[str, Any], path: Path, column: str | None) -> LabelList:
    """The labels and what tells the samples, of several lists under names."""
    if column is not None and column not in columns:
        raise DataError(f"{path} has no column {column!r}{suggest(column, sorted(columns)[:20])}")
    keys = {name: kind for name, values in columns.items() if name != column and (kind := _kind_of_key(name, values))}
    others = [name for name in columns if name not in keys]
    if column is None and not others:
        others = [list(keys)[-1]]  # a list of nothing else, such as one column called "name"
        del keys[others[0]]
    if column is None and len(others) > 1:
        few = sorted(others)[:20]
        more = f" and {len(others) - len(few)} more" if len(others) > len(few) else ""
        raise DataError(f"{path} holds the columns {', '.join(few)}{more}: name the one to read")
    labels = _labels(columns[others[0] if column is None else column], path)
    names = next((columns[name] for name, kind in keys.items() if kind == "names"), None)
    numbers = next((columns[name] for name, kind in keys.items() if kind == "numbers"), None)
    for key in (names, numbers):
        if key is not None and len(key) != len(labels):
            raise DataError(f"{path}: {len(key)} samples are named, and {len(labels)} have labels: expected as many")
    return LabelList(
        path,
        labels,
        None if names is None else tuple(names),
        None if numbers is None else np.array([int(number) for number in numbers], np.int64),
    )


def _kind_of_key(name: str, values: Any) -> str | None:
    """Whether a column tells the samples, by ``"names"`` or by ``"numbers"``."""
    if not isinstance(values, list | tuple | np.ndarray) or np.ndim(np.asarray(values[:1])) != 1 or not len(values):
        return None
    called = name.strip().casefold()
    if called in _NUMBERED and all(_is_whole(value) for value in values):
        return "numbers"
    if isinstance(values, np.ndarray) or not all(isinstance(value, str) for value in values):
        return None
    if called in NAME_COLUMNS and len(set(values)) == len(values):
        return "names"
    return "names" if sum(map(_is_file, values)) > len(values) / 2 else None


def _is_whole(value: Any) -> bool:
    if isinstance(value, str):
        return _WHOLE.fullmatch(value) is not None
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_file(value: str) -> bool:
    return value.lower().endswith(IMAGE_ENDINGS)


def _read_text(path: Path, column: str | None) -> LabelList:
    lines = [(number, line) for number, line in read_lines(path) if not line.startswith("#")]
    if not lines:
        raise DataError(f"{path} holds no labels: {_EXPECTED}")
    separator = _separator([line for _, line in lines[:20]])
    rows = [_fields(line, separator) for _, line in lines]
    head = rows[0]
    for (number, _), row in zip(lines, rows, strict=True):
        if len(row) != len(head):
            raise DataError(f"{path}, line {number}: {len(row)} fields where the first line has {len(head)}")
    if _is_header(rows, column, path):
        if len({*head}) < len(head):
            raise DataError(f"{path}: the header {', '.join(head)} names a column twice")
        if len(rows) == 1:
            raise DataError(f"{path} holds no labels below its header: {_EXPECTED}")
        columns = {name: [row[place] for row in rows[1:]] for place, name in enumerate(head)}
        for place, name in enumerate(head):
            if name.strip().casefold() in ("index", "") and name != column:
                for (number, _), row in zip(lines[1:], rows[1:], strict=True):
                    if not _is_whole(row[place]) and any(map(_is_whole, columns[name])):
                        raise DataError(f"{path}, line {number}: {row[place]!r} is no integer")
        return _from_columns(columns, path, column)
    if column is not None:
        raise DataError(f"{path} has no header: column {column!r} cannot be chosen; leave it out")
    if len(head) > 2:
        raise DataError(f"{path} has {len(head)} columns and no header: {_EXPECTED}")
    if len(head) == 1:
        return LabelList(path, _labels([row[0] for row in rows], path))
    first, second = ([row[place] for row in rows] for place in (0, 1))
    if not any(map(_is_file, first)) and sum(map(_is_file, second)) > len(second) / 2:
        first, second = second, first
    if all(map(_is_whole, first)):
        return LabelList(path, _labels(second, path), numbers=np.array([int(number) for number in first], np.int64))
    if separator is None and len({*first}) < len(first) and not any(map(_is_file, first)):
        raise DataError(
            f"{path}: {head[0]!r} and {head[1]!r} could be a sample's name and its label, but names come again: if "
            "each line is one label, put a line 'label' above them; if not, separate the two by a tab or a comma"
        )
    return LabelList(path, _labels(second, path), names=tuple(first))


def _is_header(rows: Sequence[Sequence[str]], column: str | None, path: Path) -> bool:
    """Whether the first row names the columns.

    Raises:
        DataError: nothing tells.
    """
    head, body = rows[0], rows[1:]
    if any(map(is_number, head)) or any(map(_is_file, head)):
        return False
    comes_again = [head[place] in [row[place] for row in body] for place in range(len(head))]
    usual = {name.casefold() for name in head} & {*NAME_COLUMNS, *_NUMBERED, *LABEL_COLUMNS}
    if column in head or (usual and not any(comes_again)):  # "y" is a label too, beside "n"
        return True
    for place in range(len(head)):
        below = [row[place] for row in body]
        if below and (all(map(is_number, below)) or all(map(_is_file, below))):
            return True
        if comes_again[place]:
            return False
    raise DataError(
        f"{path}: its first line, {', '.join(head)[:60]!r}, could be a label or the name of a column: put a line "
        "'label' above it, or name the column to read"
    )


def _separator(lines: Sequence[str]) -> str | None:
    """What separates the fields of all lines; ``None`` for white space, "" for nothing: one label with spaces in it."""
    for mark in ",;\t":
        if mark in lines[0]:
            return mark
    counts = {len(line.split()) for line in lines}
    return None if len(counts) == 1 else ""


def _fields(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.split()
    if not separator:
        return [line]
    return [field.strip() for field in next(csv.reader([line], delimiter=separator, skipinitialspace=True))]


_READERS = {
    ".json": _read_json,
    ".pt": _read_torch,
    ".pth": _read_torch,
    ".npy": _read_numpy,
    ".csv": _read_text,
    ".txt": _read_text,
}
