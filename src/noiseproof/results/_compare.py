"""Measured against published: differences in points and in standard errors, verdicts, and the order of methods."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noiseproof.literature import PublishedFigure
    from noiseproof.results._tables import Cell

AGREES, DIFFERS, OPEN, NOT_RUN = "agrees", "differs", "open", "not run"
"""The verdicts. ``open``: there is no published figure, or no spread on either side to judge by."""

_LARGEST_AGREEMENT = 3.0
"""In standard errors."""

_APART = 2.0
"""In standard errors: two methods that are nearer to each other than this have no order."""


@dataclass(frozen=True)
class Comparison:
    """A measured cell beside the published one.

    Attributes:
        row: the method.
        column: the data and noise.
        cell: what was measured.
        figure: what was published, ``None`` if nothing was.
        comparable: whether both follow one protocol; without that only the order of methods can be compared.
    """

    row: str
    column: str
    cell: Cell
    figure: PublishedFigure | None
    comparable: bool = True

    @property
    def difference(self) -> float | None:
        """Measured minus published, in percentage points."""
        if self.figure is None or self.cell.mean is None:
            return None
        return self.cell.mean - self.figure.mean

    @property
    def error(self) -> float | None:
        """The standard error of the difference: ``sqrt(s_m² / n_m + s_p² / n_p)`` in percentage points.

        Where one side has no standard deviation (a single seed, or none printed) that of the other side stands in.
        """
        if self.figure is None or not self.cell.values:
            return None
        measured, published = self.measured_std, self.published_std
        if measured is None or published is None:
            return None
        return math.sqrt(measured**2 / len(self.cell.values) + published**2 / self.figure.trials)

    @property
    def errors(self) -> float | None:
        """The difference in standard errors."""
        if self.difference is None or not self.error:
            return None
        return self.difference / self.error

    @property
    def measured_std(self) -> float | None:
        """The measured standard deviation, or the published one in its place."""
        return self.cell.std if self.cell.std is not None else self.figure.std if self.figure else None

    @property
    def published_std(self) -> float | None:
        """The published standard deviation, or the measured one in its place."""
        return self.figure.std if self.figure and self.figure.std is not None else self.cell.std

    @property
    def verdict(self) -> str:
        """``"agrees"`` within three standard errors, else ``"differs"``; ``"open"`` or ``"not run"``."""
        if not self.cell.values:
            return DIFFERS if self.cell.diverged else NOT_RUN
        if self.errors is None or not self.comparable:
            return OPEN
        return AGREES if abs(self.errors) <= _LARGEST_AGREEMENT else DIFFERS


@dataclass(frozen=True)
class Order:
    """How far the measured order of methods in a column is the published one, pair by pair.

    A pair is apart if its published means differ by more than two standard errors; the others have no order that could
    be reproduced.

    Attributes:
        column: the data and noise.
        same: pairs that are apart in the published column and in the same order here.
        close: pairs that are apart there, in another order here, but by less than two standard errors.
        reversed: pairs that are apart there and in the opposite order here: ``(above here, above there)``.
        tied: pairs that are not apart in the published column.
    """

    column: str
    same: int
    close: tuple[tuple[str, str], ...]
    reversed: tuple[tuple[str, str], ...]
    tied: int

    def __str__(self) -> str:
        apart = self.same + len(self.close) + len(self.reversed)
        text = f"{self.column}: {self.same} of {apart} pairs of methods in the published order"
        if self.close:
            text += f", {len(self.close)} the other way within two standard errors ({_pairs(self.close)})"
        if self.reversed:
            text += f", {len(self.reversed)} reversed ({_pairs(self.reversed)})"
        return text + (f"; {self.tied} pairs are not apart in the published table" if self.tied else "")


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{first} above {second}" for first, second in pairs)


def compare_order(column: str, comparisons: Sequence[Comparison]) -> Order | None:
    """The order of the methods in one column; ``None`` for fewer than two that were both published and run."""
    known = [one for one in comparisons if one.figure is not None and one.cell.mean is not None]
    if len(known) < 2:
        return None
    same, tied = 0, 0
    close: list[tuple[str, str]] = []
    wrong: list[tuple[str, str]] = []
    for one, other in itertools.combinations(known, 2):
        assert one.figure is not None and other.figure is not None  # noqa: S101, PT018 - chosen so above
        assert one.cell.mean is not None and other.cell.mean is not None  # noqa: S101, PT018
        published = one.figure.mean - other.figure.mean
        if abs(published) <= _APART * _spread(one.published_std, other.published_std, one.figure.trials):
            tied += 1
            continue
        measured = one.cell.mean - other.cell.mean
        here, there = (other.row, one.row) if published > 0 else (one.row, other.row)
        if published * measured > 0:
            same += 1
        elif abs(measured) <= _APART * _spread(one.measured_std, other.measured_std, len(one.cell.values)):
            close.append((here, there))
        else:
            wrong.append((here, there))
    return Order(column, same, tuple(close), tuple(wrong), tied)


def _spread(first: float | None, second: float | None, count: int) -> float:
    """The standard error of the difference of two means; a spread that nobody knows counts as none."""
    return math.sqrt(((first or 0.0) ** 2 + (second or 0.0) ** 2) / count)
