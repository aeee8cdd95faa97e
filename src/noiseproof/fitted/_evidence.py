"""What a person who checks a label is shown of the sample: its values, its text or its picture."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.data import missing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from noiseproof.data import Table

Shown = tuple[str, str, str, str]
"""A column, the value in it, and what is typical of the given and of the suggested class."""

_COLUMNS = 8
"""Columns that are shown of a row: those that tell most between the two classes."""

_LONG = 60
"""Characters of a text on average from which a column is read rather than compared."""

_SIDE, _QUALITY = 96, 75
"""Pixels of the long side of a thumbnail, and how well it is kept."""

_CUT = 400
"""Characters of a text that are shown."""


def values_of(
    table: Table, codes: dict[str, NDArray[np.int32]], num_classes: int, rows: NDArray[np.int64]
) -> list[list[Shown]]:
    """The columns of each row that speak most for another class, beside what is typical of both classes.

    Args:
        table: all samples, with the columns that are shown.
        codes: the classes of all samples: ``given`` and ``suggested``.
        num_classes: how many classes there are.
        rows: which samples.
    """
    given, suggested = codes["given"], codes["suggested"][rows]
    columns = [
        _Numbers(values, given, num_classes) if values.dtype.kind == "f" else _Categories(values, given, num_classes)
        for values in table.columns.values()
        if not _is_long(values)
    ]
    names = [name for name, values in table.columns.items() if not _is_long(values)]
    if not columns:
        return [[] for _ in rows]
    contrast = np.stack([column.contrast(rows, given[rows], suggested) for column in columns], 1)
    order = np.argsort(-contrast, axis=1, kind="stable")[:, :_COLUMNS]
    return [
        [
            (names[place], columns[place].shown(row), columns[place].typical(own), columns[place].typical(other))
            for place in places
        ]
        for row, own, other, places in zip(
            rows.tolist(), given[rows].tolist(), suggested.tolist(), order.tolist(), strict=True
        )
    ]


def texts_of(table: Table, rows: NDArray[np.int64]) -> list[str] | None:
    """The text of each row, where the table has a column of long texts."""
    long = [name for name, values in table.columns.items() if _is_long(values)]
    if not long:
        return None
    return [
        "\n".join(str(table.columns[name][row])[:_CUT] for name in long if table.columns[name][row] is not None)
        for row in rows.tolist()
    ]


def thumbnails_of(images: Sequence[Path] | NDArray[np.uint8]) -> list[str | None]:
    """A small JPEG of each image as a ``data:`` address; ``None`` for one that cannot be read.

    Args:
        images: files, or bytes ``(n, height, width[, channels])``.
    """
    return [_thumbnail(image) for image in images]


def _thumbnail(image: Path | NDArray[np.uint8]) -> str | None:
    from PIL import Image  # an extra, which only images need

    buffer = io.BytesIO()
    try:
        _small(image).save(buffer, "JPEG", quality=_QUALITY)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _small(image: Path | NDArray[np.uint8]) -> Any:
    from PIL import Image

    if isinstance(image, np.ndarray):
        small = Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image)
    else:
        with Image.open(image) as file:
            file.draft("RGB", (2 * _SIDE, 2 * _SIDE))
            small = file.convert("RGB")
    small.thumbnail((_SIDE, _SIDE))
    return small


def _is_long(values: NDArray[Any]) -> bool:
    if values.dtype.kind == "f":
        return False
    known = [value for value in values[:1000] if value is not None]
    return bool(known) and sum(map(len, known)) > _LONG * len(known)


class _Numbers:
    """A column of numbers."""

    def __init__(self, values: NDArray[np.float64], labels: NDArray[np.int32], num_classes: int) -> None:
        self._values = values
        known = ~np.isnan(values)
        self._middle = np.full(num_classes, np.nan)
        for place in range(num_classes):
            of_class = values[known & (labels == place)]
            if len(of_class):
                self._middle[place] = np.median(of_class)
        quarters = np.quantile(values[known], [0.25, 0.75]) if known.any() else np.zeros(2)
        self._scale = float(quarters[1] - quarters[0]) or float(np.std(values[known])) if known.any() else 1.0

    def contrast(self, rows: NDArray[np.int64], given: Any, suggested: Any) -> NDArray[np.float64]:
        """By how much nearer each value is to the suggested class, in quartile ranges."""
        values = self._values[rows]
        away = np.abs(values - self._middle[given]) - np.abs(values - self._middle[suggested])
        return np.nan_to_num(away / (self._scale or 1.0), nan=-1.0)

    def shown(self, row: int) -> str:
        return _number(self._values[row])

    def typical(self, place: int) -> str:
        return _number(self._middle[place])


class _Categories:
    """A column of text."""

    def __init__(self, values: NDArray[Any], labels: NDArray[np.int32], num_classes: int) -> None:
        self._values = values
        gaps = missing(values)
        texts = np.where(gaps, "", values.astype(object)).astype(str)
        self._names, codes = np.unique(texts, return_inverse=True)
        self._codes = codes.astype(np.int64)
        size = num_classes * len(self._names)
        counts = np.bincount(labels * len(self._names) + self._codes, minlength=size).reshape(num_classes, -1)
        self._share = counts / np.maximum(counts.sum(1, keepdims=True), 1)

    def contrast(self, rows: NDArray[np.int64], given: Any, suggested: Any) -> NDArray[np.float64]:
        """By how much more frequent each value is in the suggested class."""
        codes = self._codes[rows]
        found: NDArray[np.float64] = self._share[suggested, codes] - self._share[given, codes]
        return found

    def shown(self, row: int) -> str:
        return self._text(int(self._codes[row]))

    def typical(self, place: int) -> str:
        best = int(self._share[place].argmax())
        return f"{self._text(best)} ({100 * self._share[place, best]:.0f} %)"

    def _text(self, code: int) -> str:
        return str(self._names[code])[:_LONG] or "–"


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.4g}"
