"""Transition matrices from files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from noiseproof.classes import Classes, read_labels
from noiseproof.errors import LabelError
from noiseproof.noise._transition import TransitionMatrix
from noiseproof.untrusted import is_number, read_npy, read_text

if TYPE_CHECKING:
    from collections.abc import Sequence


def read_matrix(path: str | Path, class_names: Sequence[str] | None = None) -> TransitionMatrix:
    """A transition matrix from a ``.npy`` or a comma-separated text file.

    A text may name the classes in a first row, in a first column or in both. With ``class_names`` the rows and columns
    are then put into their order.

    Raises:
        LabelError: it cannot be read, is no row-stochastic matrix, or its names are not those of the classes.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            return TransitionMatrix.of(read_npy(path))
        rows = [next(csv.reader([line])) for line in read_text(path).splitlines() if line.strip()]
        values, over, before = _without_names([[cell.strip() for cell in row] for row in rows])
        array = np.array([[float(cell) for cell in row] for row in values])
    except (ValueError, csv.Error) as error:
        raise LabelError(f"cannot read a transition matrix from {path}: {error}") from error
    matrix = TransitionMatrix.of(array)
    if over is None and before is None:
        return matrix
    over, before = over or before, before or over
    try:
        classes = Classes(tuple(before or ()))
        if class_names is None:
            class_names = classes.names
        elif len(class_names) != len(classes):
            raise LabelError(f"it has {len(classes)} classes, and the data {len(class_names)}: expected as many")
        known = Classes(tuple(class_names))
        places = [known.resolve(read_labels(names or []), "class") for names in (before, over)]
        if any(len({*place.tolist()}) < len(place) for place in places):
            raise LabelError("a class is there twice: expected each once")
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from error
    ordered = np.empty_like(array)
    ordered[np.ix_(*places)] = array
    return TransitionMatrix.of(ordered)


def _without_names(rows: list[list[str]]) -> tuple[list[list[str]], list[str] | None, list[str] | None]:
    """The cells of a matrix without the names over its columns and before its rows, and these names."""
    lengths = {len(row) for row in rows}
    if not rows or len(lengths) > 1:
        raise LabelError(f"rows of {', '.join(map(str, sorted(lengths))) or 'no'} cells: expected as many in each")
    height, width = len(rows), len(rows[0])
    if height == width and not is_number(rows[0][0]):
        return [row[1:] for row in rows[1:]], rows[0][1:], [row[0] for row in rows[1:]]
    if height == width + 1:
        return rows[1:], rows[0], None
    if width == height + 1:
        return [row[1:] for row in rows], None, [row[0] for row in rows]
    return rows, None, None
