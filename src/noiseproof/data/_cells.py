"""The cells of a text file, bounded: tables of values, and lists of image files, are read by this alone."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from noiseproof.data._files import IMAGE_ENDINGS
from noiseproof.errors import DataError
from noiseproof.untrusted import MOST_VALUES, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT_TABLES = (".csv", ".tsv", ".txt")
"""Endings of text files that are read as rows of cells."""

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
    first = next((line for line in text.splitlines() if line.strip()), "")
    marks = "\t,;" if path.suffix.lower() == ".tsv" else ",;\t"
    rows = list(_rows(text, next((mark for mark in marks if mark in first), None), path))
    if not rows:
        raise DataError(f"{path} is empty")
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise DataError(f"{path}, line {number + 1}: {len(row)} cells where {len(rows[0])} were expected")
    return rows


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
