"""The kinds of columns that a table can have, each as what was measured of it and what makes features of new values."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from noiseproof.classes import number_text
from noiseproof.data._scores import NormalScores  # noqa: TC001 - what reads a predictor looks it up
from noiseproof.data._table import missing
from noiseproof.errors import DataError
from noiseproof.untrusted import is_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_LEVELS = 100
"""Features of a column of categories."""

PERIODS = ("year", "week", "day")
"""Of dates and times."""

_DAY = 86400.0
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)


@dataclass(frozen=True)
class NumberColumn:
    """Numbers: their scores, 0 for a gap, and whether there is a gap where training rows had some.

    Attributes:
        name: of the column.
        scores: of the training numbers.
        gaps: whether training rows had some.
        note: what was found in it.
    """

    name: str
    scores: NormalScores
    gaps: bool
    note: str = ""
    kind: Literal["number"] = "number"

    @property
    def features(self) -> tuple[str, ...]:
        """What its features are called."""
        return (self.name, *_gap_feature(self.name, self.gaps))

    def write(self, column: NDArray[Any], out: NDArray[np.float32], where: str) -> Counter[str]:
        """Write features of ``(N,)`` values into ``(N, len(features))`` zeros; returns values never seen."""
        _write_numbers(_as_numbers(column, f"{where}: {self.name}"), self.scores, out, self.gaps)
        return Counter()


@dataclass(frozen=True)
class CategoryColumn:
    """Text with few different values: a feature for each, which is 1 or 0; of two values one, which is -1 or 1.

    Rare values are one together, and so are gaps where training rows had some. Any other value is 0 in all features.

    Attributes:
        name: of the column.
        values: those that have a feature of their own, in order.
        rare: whether training rows had others.
        gaps: whether training rows had some.
        note: what was found in it.

    Raises:
        DataError: a value that is there twice, or fewer than two or more than a hundred levels.
    """

    name: str
    values: tuple[str, ...]
    rare: bool
    gaps: bool
    note: str = ""
    kind: Literal["category"] = "category"

    def __post_init__(self) -> None:
        levels = len(self.values) + self.rare + self.gaps
        if not 2 <= levels <= MOST_LEVELS or len({*self.values}) < len(self.values):
            raise DataError(f"no categories: {self!r:.200}")

    @property
    def features(self) -> tuple[str, ...]:
        """What its features are called."""
        levels = [f"{self.name}={value}" for value in self.values]
        levels += [f"{self.name} is rare"] * self.rare + [*_gap_feature(self.name, self.gaps)]
        return tuple(levels[1:] if len(levels) == 2 else levels)

    def write(self, column: NDArray[Any], out: NDArray[np.float32], where: str) -> Counter[str]:  # noqa: ARG002
        """As :meth:`NumberColumn.write`."""
        places: dict[Any, int] = {value: place for place, value in enumerate(self.values)}
        if column.dtype.kind == "f":
            # A text file says of a column where only numbers are left that it holds such.
            numbers = [(float(value), place) for value, place in places.items() if is_number(value)]
            places = dict(reversed(numbers))
        rare = len(self.values) if self.rare else -1
        levels = np.fromiter((places.get(value, rare) for value in column), np.int64, len(column))
        gaps = missing(column)
        levels[gaps] = len(self.values) + self.rare if self.gaps else -1
        if out.shape[1] == 1:
            out[:, 0] = np.where(levels < 0, 0, 2 * levels - 1)
        else:
            known = np.flatnonzero(levels >= 0)
            out[known, levels[known]] = 1
        unseen = column[(levels < 0) & ~gaps].tolist()
        return Counter(value if isinstance(value, str) else number_text(value) for value in unseen)


@dataclass(frozen=True)
class DateColumn:
    """Dates and times: scores of the seconds since 1970, and sine and cosine of each period in which they vary.

    Attributes:
        name: of the column.
        scores: of the training rows' seconds.
        periods: ``"year"``, ``"week"`` (by whole days), ``"day"``.
        gaps: whether training rows had some.
        note: what was found in it.

    Raises:
        DataError: a period that is none.
    """

    name: str
    scores: NormalScores
    periods: tuple[str, ...]
    gaps: bool
    note: str = ""
    kind: Literal["date"] = "date"

    def __post_init__(self) -> None:
        if self.periods != tuple(period for period in PERIODS if period in self.periods):
            raise DataError(f"no periods: {self.periods!r:.200}")

    @property
    def features(self) -> tuple[str, ...]:
        """What its features are called."""
        waves = [f"{self.name}: {wave} of {period}" for period in self.periods for wave in ("sine", "cosine")]
        return (self.name, *_gap_feature(self.name, self.gaps), *waves)

    def write(self, column: NDArray[Any], out: NDArray[np.float32], where: str) -> Counter[str]:
        """As :meth:`NumberColumn.write`."""
        seconds = as_seconds(column, f"{where}: {self.name}")
        _write_numbers(seconds, self.scores, out, self.gaps)
        for number, period in enumerate(self.periods):
            angle = 2 * math.pi * phase(seconds, period)
            place = 1 + self.gaps + 2 * number
            out[:, place] = np.nan_to_num(np.sin(angle))
            out[:, place + 1] = np.nan_to_num(np.cos(angle))
        return Counter()


@dataclass(frozen=True)
class LeftOut:
    """A column that nothing is learned from.

    Attributes:
        name: of the column.
        reason: what kind of column it is.
        note: how that is seen.
    """

    name: str
    reason: Literal["constant", "free text", "id", "rare"]
    note: str = ""
    kind: Literal["left out"] = "left out"

    @property
    def features(self) -> tuple[str, ...]:
        """None."""
        return ()


def _gap_feature(name: str, gaps: bool) -> tuple[str, ...]:
    return (f"{name} is missing",) if gaps else ()


def _write_numbers(numbers: NDArray[np.float64], scores: NormalScores, out: NDArray[np.float32], gaps: bool) -> None:
    out[:, 0] = np.nan_to_num(scores(numbers))
    if gaps:
        out[:, 1] = np.isnan(numbers)


def _as_numbers(column: NDArray[Any], where: str) -> NDArray[np.float64]:
    if column.dtype.kind == "f":
        return column
    numbers = np.full(len(column), np.nan)
    for row, value in enumerate(column):
        if value is not None:
            if not is_number(value) or not math.isfinite(float(value)):
                raise DataError(
                    f"{where} is {value!r:.60} in row {row}: expected a number, as in training; leave a gap where "
                    "there is none"
                )
            numbers[row] = float(value)
    return numbers


def as_seconds(column: NDArray[Any], where: str) -> NDArray[np.float64]:
    """Seconds since 1970, NaN for a gap."""
    known: dict[Any, float] = {}
    seconds = np.full(len(column), np.nan)
    for row in np.flatnonzero(~missing(column)):
        value = column[row]
        if value not in known:
            found = seconds_of(value) if isinstance(value, str) else None
            if found is None:
                shown = repr(value) if isinstance(value, str) else number_text(value)
                raise DataError(
                    f"{where} is {shown:.60} in row {row}: expected a date such as 2024-05-31 or a time such as "
                    "2024-05-31T12:30, as in training; leave a gap where there is none"
                )
            known[value] = found
        seconds[row] = known[value]
    return seconds


def seconds_of(text: str) -> float | None:
    """Seconds from 1970 to an ISO 8601 date or time, of UTC where it names no zone; ``None`` where it is none."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    day, minute, second, fraction, zone = match.groups()
    zone = "+00:00" if zone in (None, "Z") else f"{zone[:3]}:{zone[-2:]}"
    try:
        moment = dt.datetime.fromisoformat(f"{day}T{minute or '00:00'}:{second or '00'}{zone}")
    except ValueError:  # a month 13
        return None
    return (moment - _EPOCH).total_seconds() + float(f"0.{fraction or 0}")


def phase(seconds: NDArray[np.float64], period: str) -> NDArray[np.float64]:
    """How much of its period has passed at each moment, 0 … 1; NaN of NaN."""
    if period == "day":
        return seconds % _DAY / _DAY
    days = np.floor(seconds / _DAY)
    if period == "week":
        return (days + 3) % 7 / 7  # 1970 began on a Thursday
    dates = np.nan_to_num(days).astype(np.int64).astype("datetime64[D]")
    years = dates.astype("datetime64[Y]")
    start, end = (year.astype("datetime64[D]").astype(np.float64) for year in (years, years + 1))
    return (seconds / _DAY - start) / (end - start)
