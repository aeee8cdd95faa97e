"""The cells of a text file, bounded: tables of values, and lists of image files, are read by this alone."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from noiseproof.data._files import IMAGE_ENDINGS
from noiseproof.errors import DataError
from noiseproof.untrusted import MOST_VALUES, open_file, read_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

TEXT_TABLES = (".csv", ".tsv", ".txt")
"""Endings of text files that are read as rows of cells."""

_WORD = re.compile(r"\S+")
_QUOTED = re.compile(r' *"((?:[^"]+|"")*)"?')
_PATH = re.compile(r"(?P<path>.+(?:" + "|".join(map(re.escape, IMAGE_ENDINGS)) + r"))(?=\s|$)", re.IGNORECASE)


def read_cells(path: Path, *, errors: str = "strict") -> list[list[str]]:
    """The rows of a text file, each with as many cells, without white space around them.

    The first line tells what separates cells: a comma, else a semicolon, else a tab (which comes first in a file that
    ends in ``.tsv``), else white space. Blank lines are no rows.

    Args:
        path: the file.
        errors: as for :func:`noiseproof.untrusted.read_text`.

    Raises:
        DataError: the file cannot be read, has no rows, rows of different lengths, or more than 10 million cells.
    """
    text = read_text(path, errors=errors)
    rows = list(_rows(text, _mark(text, path), path))
    if not rows:
        raise DataError(f"{path} is empty")
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise DataError(f"{path}, line {number + 1}: {len(row)} cells where {len(rows[0])} were expected")
    return rows


def rewrite_cells(path: Path, column: int, values: Mapping[int, str], dropped: Collection[int]) -> bytes:
    """The file with other values in one column and without some rows. Every other byte is as it was.

    Args:
        path: the file.
        column: the number of the column.
        values: new ones, by the number of their row among those of :func:`read_cells`.
        dropped: the numbers of rows that are left out.

    Raises:
        DataError: the file cannot be read, or a value cannot stand in it.
    """
    rows, text = read_cells(path), read_text(path)
    mark = _mark(text, path)
    parts: list[str] = []
    end = number = 0
    for start, cell, stop, after in _lines_of(text, mark, column):
        if cell < 0:  # a blank line is no row
            continue
        raw = text[cell:stop]
        if number >= len(rows) or _value(raw, mark) != rows[number][column]:
            raise DataError(
                f"{path}, row {number}: cannot tell where the cell {raw[:60]!r} begins and ends; save the table again, "
                "with quotes around its cells"
            )
        if number in dropped:
            parts.append(text[end:start])
            end = after
        elif number in values:
            parts += [text[end:cell], _written(values[number], raw, mark, f"{path}, row {number}")]
            end = stop
        number += 1
    with open_file(path) as file:
        start_mark = b"\xef\xbb\xbf" if file.read(3) == b"\xef\xbb\xbf" else b""
    return start_mark + "".join([*parts, text[end:]]).encode()


def _lines_of(text: str, mark: str | None, column: int) -> Iterator[tuple[int, int, int, int]]:
    """Where a line begins, where its cell of a column begins and ends (-1 in a blank line), and where the next is."""
    place = 0
    if mark is None:
        for line in text.splitlines(keepends=True):
            match = _PATH.match(line.strip())
            first = len(line) - len(line.lstrip())
            cells = [] if match is None else [(first, first + match.end())]
            cells += [word.span() for word in _WORD.finditer(line, cells[0][1] if cells else 0)]
            start, stop = cells[column] if column < len(cells) else (-1, -1)
            yield place, place + start if cells else -1, place + stop, place + len(line)
            place += len(line)
        return
    pattern = re.compile(rf' *"(?:[^"]+|"")*"?[^{mark}\r\n]*|[^{mark}\r\n]*')
    while place < len(text):
        begin, cells = place, []
        while True:
            match = pattern.match(text, place)
            place = begin if match is None else match.end()
            cells.append((begin if match is None else match.start(), place))
            if text[place : place + 1] != mark:
                break
            place += 1
        place += 2 if text[place : place + 2] == "\r\n" else 1
        is_blank = len(cells) == 1 and not _value(text[slice(*cells[0])], mark)
        start, stop = cells[column] if column < len(cells) and not is_blank else (-1, -1)
        yield begin, start, stop, min(place, len(text))


def _value(raw: str, mark: str | None) -> str:
    """What a cell says."""
    quoted = None if mark is None else _QUOTED.match(raw)
    if quoted is None:
        return raw.strip()
    return (quoted[1].replace('""', '"') + raw[quoted.end() :]).strip()


def _written(value: str, raw: str, mark: str | None, where: str) -> str:
    """Another value in the place of a cell, with its quotes and white space."""
    stripped = raw.strip()
    before = raw[: len(raw) - len(raw.lstrip())]
    after = raw[len(before) + len(stripped) :]
    if mark is None:
        if len(value.split()) != 1:
            raise DataError(
                f"{where}: {value[:60]!r} has white space, which separates the cells of this table: save it with commas"
            )
    elif stripped.startswith('"') or any(sign in value for sign in (mark, '"', "\r", "\n")):
        value = '"' + value.replace('"', '""') + '"'
        before = before if not before.strip(" ") else ""  # quotes are such at the beginning of a cell, or after spaces
    return f"{before}{value}{after}"


def _mark(text: str, path: Path) -> str | None:
    """What separates the cells; ``None`` for white space."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    marks = "\t,;" if path.suffix.lower() == ".tsv" else ",;\t"
    return next((mark for mark in marks if mark in first), None)


def _rows(text: str, mark: str | None, path: Path) -> Iterator[list[str]]:
    cells = 0
    try:
        lines: Iterator[list[str]] = (_words(line) for line in text.splitlines() if line.strip())
        if mark is not None:
            lines = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True)
        for row in lines:
            cells += len(row)
            if cells > MOST_VALUES:
                raise DataError(f"{path} has more than {MOST_VALUES:,} cells: save it as .parquet, or numbers as .npz")
            row = [cell.strip() for cell in row]
            if row not in ([], [""]):
                yield row
    except csv.Error as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _words(line: str) -> list[str]:
    """Cells that white space separates, where a path may have some too."""
    match = _PATH.match(line.strip())
    if match is None:
        return line.split()
    return [match["path"], *line.strip()[match.end() :].split()]
