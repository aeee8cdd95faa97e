"""Texts of limited length."""

from __future__ import annotations

import csv
import io
import itertools
from typing import TYPE_CHECKING

from noiseproof.errors import DataError
from noiseproof.untrusted._bounds import MOST_TEXT, MOST_VALUES, foreign, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_text(path: Path, *, errors: str = "strict") -> str:
    """A text in UTF-8, with or without a mark at its beginning.

    Args:
        path: the file.
        errors: ``"surrogateescape"`` lets bytes pass that are no UTF-8, as in names of files.

    Raises:
        DataError: it cannot be read, is too large, or is no text.
    """
    content = read_bytes(path, MOST_TEXT)
    if b"\0" in content[:4096]:
        raise DataError(f"{path} is no UTF-8 text: it has zero bytes (perhaps it is UTF-16; save it as UTF-8)")
    if (other := foreign(content[:200])) and content:
        raise DataError(f"cannot read {path}: {other}")
    try:
        return content.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text: {error}") from error


def read_lines(path: Path, *, errors: str = "strict") -> Iterator[tuple[int, str]]:
    """The lines of a text that are not blank, without white space around them, with their numbers from 1.

    Raises:
        DataError: as :func:`read_text`, or there are too many.
    """
    text = read_text(path, errors=errors).replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") > MOST_VALUES:
        raise DataError(f"{path} has {text.count(chr(10)):,} lines: expected at most {MOST_VALUES:,}")
    return _lines(text)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    place = 0
    for number in itertools.count(1):
        if place >= len(text):
            return
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        line = text[place:end].strip()
        place = end + 1
        if line:
            yield number, line


def csv_rows(text: str, where: object, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The rows of a text with separated cells that are not blank, each with the number of its last line.

    Args:
        text: what is read.
        where: what it is, for messages.
        delimiter: what separates cells.

    Raises:
        DataError: quotes that are not closed and the like, or too many cells.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    count = 0
    try:
        for row in reader:
            count += len(row)
            if count > MOST_VALUES:
                raise DataError(f"{where} has more than {MOST_VALUES:,} cells: expected at most as many")
            if any(map(str.strip, row)):
                yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"cannot read {where}, line {reader.line_num}: {error}") from error


def is_number(text: str) -> bool:
    """Whether a cell of a text is a number, as Python writes them."""
    try:
        float(text)
    except ValueError:
        return False
    return True
