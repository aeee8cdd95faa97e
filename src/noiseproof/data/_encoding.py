"""How the columns of a table become the features that a network gets, as plain values that are stored with it.

:meth:`TableEncoding.fit` says of which kind each column of the training table is. A row becomes the same features
whatever rows are beside it.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from noiseproof.data._columns import (
    MOST_LEVELS,
    PERIODS,
    CategoryColumn,
    DateColumn,
    LeftOut,
    NumberColumn,
    as_seconds,
    phase,
    seconds_of,
)
from noiseproof.data._scores import MOST_QUANTILES, NormalScores
from noiseproof.data._table import Table, missing
from noiseproof.errors import DataError, DataWarning, shorten, suggest
from noiseproof.untrusted import is_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_COLUMNS = 1_000_000
"""Of a table."""

_MOST_STORED = 1_000_000
"""Quantiles of all columns together: the file that holds them is read back under bounds."""

_FEWEST, _RAREST = 3, 0.001
"""Categories of fewer rows, and of a smaller share of them, are taken together."""

_FEW_TEXTS = 50
"""Up to so many different texts are categories even if most of them come once."""

_ID_NAMES = ("id", "index", "rownames", "row_names", "unnamed: 0", "__index_level_0__")
"""Columns that count rows, in any case; the last one is how pandas writes its index to Parquet."""

_Column: TypeAlias = NumberColumn | CategoryColumn | DateColumn | LeftOut


@dataclass(frozen=True)
class TableEncoding:
    """What makes features of a table.

    Attributes:
        columns: of the training table, in its order, each a :class:`NumberColumn`, :class:`CategoryColumn`,
            :class:`DateColumn` or :class:`LeftOut`. All have a ``name``, a ``kind``, a ``note`` and ``features``.

    Raises:
        DataError: a name that is there twice, more than a million columns, or none that is used.
    """

    columns: tuple[_Column, ...]

    def __post_init__(self) -> None:
        names = self.column_names
        if len(names) > MOST_COLUMNS or len({*names}) < len(names) or not self.width:
            raise DataError(f"no encoding of a table: {self!r:.200}")

    @classmethod
    def fit(cls, table: Table) -> TableEncoding:
        """The encoding of a training table.

        ========= ====================================================================================================
        number    scores of a standard normal variable by rank (:class:`NormalScores`)
        category  a feature for each value; those of fewer than three rows, or 0.1 % of them, are one together, and so
                  is what goes beyond 100 features
        date      text that is ISO 8601 throughout: as numbers, and by the time of year, the day of the week and the
                  time of day where these vary
        left out  columns that are constant; free text (all values differ, or more than 50 and most of them); ids
                  (whole numbers without a gap between them and none twice, or a column called id, index or rownames
                  whose values all differ); text of which all values are rare
        ========= ====================================================================================================

        Raises:
            DataError: the table has no rows, too many columns, or none to learn from.

        Warns:
            DataWarning: columns of free text are left out, or text stands among numbers.
        """
        if not len(table):
            raise DataError(f"{table.source} has no rows: expected some to learn from")
        if len(table.columns) > MOST_COLUMNS:
            raise DataError(f"{table.source} has {len(table.columns):,} columns: expected at most {MOST_COLUMNS:,}")
        most = min(MOST_QUANTILES, max(2, _MOST_STORED // len(table.columns)))
        columns = tuple(_fit_column(name, column, most) for name, column in table.columns.items())
        if not any(column.features for column in columns):
            reasons = [f"{column.name} is left out: {column.note}" for column in columns]
            raise DataError(f"{table.source} has no column to learn from ({shorten(reasons)})")
        free = [column.name for column in columns if column.kind == "left out" and column.reason == "free text"]
        if free:
            _warn(f"{table.source}: nothing is learned from free text, or names of rows, as {shorten(free)} has")
        for column in columns:
            if column.kind in ("category", "left out"):
                _warn_about_numbers(column.name, table.columns[column.name], table.source)
        return cls(columns)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the training table's columns."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """``(width,)``: what the features are called."""
        return tuple(name for column in self.columns for name in column.features)

    @property
    def width(self) -> int:
        """The number of features."""
        return len(self.feature_names)

    def select(self, table: Table) -> Table:
        """The columns of ``table`` that features are made of.

        Raises:
            DataError: one is not there.
        """
        used = [column.name for column in self.columns if column.features]
        if not table.named and self.column_names != tuple(table.columns):
            raise DataError(
                f"{table.source} has {len(table.columns)} columns without names, and the training table has the "
                f"columns {shorten(self.column_names)}: give "
                + (
                    f"{len(self.columns)} columns in this order"
                    if self.column_names == tuple(map(str, range(len(self.columns))))
                    else "a data frame, whose columns have names"
                )
            )
        lacking = [name for name in used if name not in table.columns]
        if lacking:
            near = suggest(lacking[0], list(table.columns)[:50])
            raise DataError(f"{table.source} lacks the columns {shorten(lacking)} of the training table{near}")
        return Table({name: table.columns[name] for name in used}, table.source, table.named)

    def encode(self, table: Table) -> NDArray[np.float32]:
        """``(N, width)``: the features of each row. Columns that are not used do not count.

        Raises:
            DataError: a column is missing, or holds something else than in training.

        Warns:
            DataWarning: values that no training row has, or gaps where it has none.
        """
        columns = self.select(table).columns
        out = np.zeros((len(table), self.width), np.float32)
        unseen: list[str] = []
        new_gaps: list[str] = []
        start = 0
        for column in self.columns:
            if column.kind == "left out":
                continue
            values, end = columns[column.name], start + len(column.features)
            found = column.write(values, out[:, start:end], table.source)
            start = end
            if found:
                unseen.append(f"{column.name}: {found.total()} rows, {shorten([f'{value!r:.60}' for value in found])}")
            if not column.gaps and (gaps := int(missing(values).sum())):
                new_gaps.append(f"{column.name}: {gaps} rows")
        if unseen:
            _warn(f"{table.source}: values that are new to the network tell it nothing ({shorten(unseen)})")
        if new_gaps:
            _warn(f"{table.source}: gaps in columns that had none in training are filled ({shorten(new_gaps)})")
        return out


def _fit_column(name: str, column: NDArray[Any], most: int) -> _Column:
    gaps = missing(column)
    known = column[~gaps]
    note = f"{gaps.mean():.2g} of the rows have a gap" if gaps.any() else ""
    counts = Counter(known.tolist())
    if len(counts) + gaps.any() < 2:
        return LeftOut(name, "constant", f"always {next(iter(counts))!r:.60}" if counts else "all gaps")
    all_differ = len(counts) == len(known) > 1
    if all_differ and name.casefold() in _ID_NAMES:
        return LeftOut(name, "id", "called so, and all its values differ")
    if column.dtype.kind == "f":
        if all_differ and _are_consecutive(known):
            return LeftOut(name, "id", "whole numbers without a gap between them, and none twice")
        return NumberColumn(name, NormalScores.of(known, most), bool(gaps.any()), note)
    if all(seconds_of(value) is not None for value in counts):
        return _date_column(name, as_seconds(column, name), most, note)
    if all_differ or (len(counts) > _FEW_TEXTS and len(counts) > len(known) / 2):
        return LeftOut(name, "free text", f"{len(counts)} different values in {len(known)} rows")
    return _category_column(name, counts, len(column), bool(gaps.any()), note)


def _date_column(name: str, seconds: NDArray[np.float64], most: int, note: str) -> DateColumn:
    known = seconds[~np.isnan(seconds)]
    periods = tuple(period for period in PERIODS if len(np.unique(phase(known, period))) > 1)
    return DateColumn(name, NormalScores.of(known, most), periods, len(known) < len(seconds), note)


def _category_column(name: str, counts: Counter[str], rows: int, gaps: bool, note: str) -> CategoryColumn | LeftOut:
    fewest = max(_FEWEST, _RAREST * rows)
    # The most frequent first; of as many rows, in plain order.
    common = sorted((value for value, count in counts.items() if count >= fewest), key=lambda v: (-counts[v], v))
    if len(common) + (len(common) < len(counts)) + gaps > MOST_LEVELS:
        common = common[: MOST_LEVELS - 1 - gaps]
    rare = len(counts) - len(common)
    if len(common) + bool(rare) + gaps < 2:
        return LeftOut(name, "rare", f"no value has {math.ceil(fewest)} rows")
    if rare:
        note = "; ".join(filter(None, [note, f"{rare} rare values are one together"]))
    return CategoryColumn(name, tuple(sorted(common)), bool(rare), gaps, note)


def _are_consecutive(numbers: NDArray[np.float64]) -> bool:
    """Whether numbers that all differ are whole and follow each other, in any order."""
    return bool((numbers == np.floor(numbers)).all() and numbers.max() - numbers.min() == len(numbers) - 1)


def _warn_about_numbers(name: str, column: NDArray[Any], where: str) -> None:
    """A column of numbers with a mark for gaps in it is read as text."""
    if column.dtype.kind == "f":
        return
    rest = Counter(value for value in column if value is not None and not is_number(value))
    known = int((~missing(column)).sum())
    if 0 < rest.total() < known / 2:
        _warn(
            f"{where}: {name} is taken as text because of {rest.total()} of {known} values "
            f"({shorten([f'{value!r:.60}' for value in rest])}), and the others are numbers: if these mark gaps, leave "
            "them empty"
        )


def _warn(text: str) -> None:
    warnings.warn(text, DataWarning, stacklevel=3)
