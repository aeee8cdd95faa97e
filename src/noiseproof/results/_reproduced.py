"""Published tables and figures, and what is known of them from the runs that are finished."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiseproof.formats import TextTable, csv_text
from noiseproof.results._compare import Comparison, Order, compare_order
from noiseproof.results._tables import Cell, data_notes
from noiseproof.train import Runs, folder_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from noiseproof.literature import PublishedFigure
    from noiseproof.train import Recipe, Record


@dataclass(frozen=True)
class Target:
    """One cell of a published table.

    Attributes:
        row: the method.
        column: the data, the noise and, where there are several, the test set and the metric.
        test: what published figures call the data set that is tested on.
        further: the name of this test set in records; empty for the test set of the training data.
        metric: ``"top1"`` or ``"top5"``.
        recipes: the runs behind it, one per seed.
        figure: the published accuracy, ``None`` where none is known.
    """

    row: str
    column: str
    test: str
    further: str
    metric: str
    recipes: tuple[Recipe, ...]
    figure: PublishedFigure | None

    @property
    def key(self) -> str:
        """The name that patterns of cells are matched with, such as ``jal-ce/symmetric-0.8``."""
        return f"{self.row}/{self.column}".lower().replace(" ", "-")


@dataclass(frozen=True)
class Reproduction:
    """A published table or figure, cell by cell.

    Attributes:
        name: the name on the command line.
        title: for tables and pages.
        drawing: ``"curves"``, ``"amse"`` (panels by q, lines by a) or ``"against-a"``.
        lite: whether the runs follow the lite protocol, in which only differences between methods compare.
        targets: the cells, row by row.
        rank: the place of each run among those that no cell has a seed of yet, by the recipes' ids.
    """

    name: str
    title: str
    drawing: str
    lite: bool
    targets: tuple[Target, ...]
    rank: Mapping[str, int]

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """All runs, each once."""
        return tuple({recipe.id: recipe for target in self.targets for recipe in target.recipes}.values())

    def choose(self, left: Sequence[Recipe], records: Mapping[str, Record]) -> Recipe:
        """The run of ``left`` that tells most.

        First those that were begun. Then a run is worth by how much it shrinks the squared standard error of its
        cell, ``s²/n − s²/(n+1)``: without bound for the first seed of a cell, where the file says which cells come
        first; after that the cells with the largest spread ``s`` over the fewest seeds ``n``.
        """
        waiting = {recipe.id for recipe in left}
        worths: dict[str, tuple[float, int]] = {}
        for target in self.targets:
            count = sum(recipe.id not in waiting for recipe in target.recipes)
            spread = compare(target, records, self.lite).measured_std or 0.0
            gain = math.inf if not count else spread**2 / (count * (count + 1))
            for recipe in target.recipes:
                worths.setdefault(recipe.id, (gain, -count))
        return max(left, key=lambda recipe: (recipe.id in records, *worths[recipe.id], -self.rank[recipe.id]))


def measure(record: Record, target: Target) -> float | None:
    """The share that the last epoch of a finished run gets right, ``None`` if it was not measured."""
    if record.status != "finished" or record.last is None:
        return None
    if target.further:
        return record.last.extra_tests.get(target.further, {}).get("accuracy" if target.metric == "top1" else "top5")
    return record.last.test_accuracy if target.metric == "top1" else record.last.test_top5


def compare(target: Target, records: Mapping[str, Record], lite: bool) -> Comparison:
    """What is measured of a cell, beside what was published."""
    runs = [records[recipe.id] for recipe in target.recipes if recipe.id in records]
    values = [measure(run, target) for run in runs]
    cell = Cell(
        tuple(100 * value for value in values if value is not None), sum(run.status == "diverged" for run in runs)
    )
    return Comparison(target.row, target.column, cell, target.figure, comparable=not lite)


@dataclass(frozen=True)
class Reproduced:
    """A reproduction with what is known of it so far.

    Attributes:
        reproduction: what was to be reproduced.
        comparisons: one per cell, in the order of the targets.
        orders: the order of the methods, for each column that has two methods both published and run.
        records: the runs that there are.
    """

    reproduction: Reproduction
    comparisons: tuple[Comparison, ...]
    orders: tuple[Order, ...]
    records: tuple[Record, ...]

    def overview(self) -> TextTable:
        """A row per method and a column per noise: measured over published, with the verdict."""
        rows = list(dict.fromkeys(one.row for one in self.comparisons))
        columns = list(dict.fromkeys(one.column for one in self.comparisons))
        known = {(one.row, one.column): one for one in self.comparisons}
        texts = [
            (row, *(_overview_text(known[row, column]) if (row, column) in known else "" for column in columns))
            for row in rows
        ]
        caption = f"{self.reproduction.title}: measured (n seeds) / published, last epoch, accuracy in %"
        return TextTable(caption, ("method", *columns), tuple(texts), self.notes())

    def details(self) -> TextTable:
        """A row per cell: measured, published with a mark for its source, and their difference."""
        sources = list(dict.fromkeys(_source(one.figure) for one in self.comparisons if one.figure is not None))
        marks = {source: "" if len(sources) == 1 else f" {chr(97 + number)}" for number, source in enumerate(sources)}
        rows = [
            (
                one.row,
                one.column,
                _measured(one),
                "–" if one.figure is None else f"{one.figure}{marks[_source(one.figure)]}",
                _signed(one.difference, 2),
                _signed(None if self.reproduction.lite else one.errors, 1),
                one.verdict,
            )
            for one in self.comparisons
        ]
        notes = tuple(f"Published{mark}: {source}." for source, mark in marks.items())
        head = ("method", "column", "measured (n)", "published", "points", "s.e.", "verdict")
        return TextTable(f"{self.reproduction.title}: every cell", head, tuple(rows), notes)

    def notes(self) -> tuple[str, ...]:
        """What a reader must know: how verdicts are made, the protocol, and what is not as it was published."""
        notes = [f"Order of methods, {order}." for order in self.orders]
        if self.reproduction.lite:
            notes.append(
                "Lite protocol: another network and far fewer steps than the published one, so that absolute figures "
                "and the published ones do not compare; the order of the methods does."
            )
        else:
            notes.append(
                "A cell agrees if the difference is within three standard errors, sqrt(s_m²/n_m + s_p²/n_p); where one "
                "side has no standard deviation that of the other stands in, and it is open if neither has."
            )
        return (*notes, *data_notes(self.records))

    def csv(self) -> str:
        """A line per cell with everything that is known of it."""
        rows: list[list[object]] = [
            ["method", "column", "test", "metric", "mean", "std", "n", "diverged", "published_mean", "published_std",
             "published_trials", "published_epoch", "source", "protocol", "difference", "standard_error", "verdict",
             "runs"]
        ]  # fmt: skip
        for target, one in zip(self.reproduction.targets, self.comparisons, strict=True):
            figure = one.figure
            published = (
                [None] * 6
                if figure is None
                else [figure.mean, figure.std, figure.trials, figure.epoch, figure.source, figure.protocol]
            )
            rows.append(
                [one.row, one.column, target.test, target.metric, _plain(one.cell.mean), _plain(one.cell.std),
                 len(one.cell.values), one.cell.diverged, *published, _plain(one.difference), _plain(one.error),
                 one.verdict, " ".join(recipe.id for recipe in target.recipes)]
            )  # fmt: skip
        return csv_text(rows)


def reproduced(reproduction: Reproduction, records: Mapping[str, Record]) -> Reproduced:
    """Put what was measured beside what was published."""
    comparisons = tuple(compare(target, records, reproduction.lite) for target in reproduction.targets)
    columns = dict.fromkeys(one.column for one in comparisons)
    orders = (compare_order(column, [one for one in comparisons if one.column == column]) for column in columns)
    runs = tuple(records[recipe.id] for recipe in reproduction.recipes if recipe.id in records)
    return Reproduced(reproduction, comparisons, tuple(order for order in orders if order is not None), runs)


def planned_runs(reproduction: Reproduction, records: Mapping[str, Record], runs: str | Path) -> list[dict[str, Any]]:
    """Every run in the order in which it would be made now, with its recipe, its cells and its status.

    A recipe that was run on several inputs is there once for each of them.
    """
    left = [r for r in reproduction.recipes if r.id not in records or records[r.id].status == "running"]
    waiting = {recipe.id for recipe in left}
    ordered = [recipe for recipe in reproduction.recipes if recipe.id not in waiting]
    while left:
        ordered.append(reproduction.choose(left, records))
        left.remove(ordered[-1])
    cells: dict[str, list[str]] = {}
    for target in reproduction.targets:
        for recipe in target.recipes:
            cells.setdefault(recipe.id, []).append(target.key)
    planned = []
    for recipe in ordered:
        known: list[Record | None] = [*Runs(runs).of(recipe)]
        planned += [
            {
                "run": recipe.id,
                "status": "missing" if record is None else record.status,
                "folder": str(record.folder if record and record.folder else Path(runs) / folder_name(recipe)),
                "cells": cells[recipe.id],
                "recipe": recipe.model_dump(mode="json"),
            }
            for record in known or [records.get(recipe.id)]
        ]
    return planned


def _overview_text(one: Comparison) -> str:
    return f"{_measured(one)} / {one.figure or '–'} {one.verdict}"


def _measured(one: Comparison) -> str:
    return f"{one.cell} ({len(one.cell.values)})" if one.cell.values else str(one.cell)


def _source(figure: PublishedFigure) -> str:
    return figure.source + ("" if figure.epoch == "last" else ", best test epoch")


def _signed(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:+.{digits}f}"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
