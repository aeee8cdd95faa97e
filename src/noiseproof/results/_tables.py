"""Tables from finished runs: accuracies as mean ± sample standard deviation over seeds, with their number."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from noiseproof.formats import TextTable, csv_text
from noiseproof.results._cells import cell_labels, cells_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from noiseproof.train import Record


@dataclass(frozen=True)
class Cell:
    """The values of one cell, in percent, one per seed."""

    values: tuple[float, ...] = ()
    diverged: int = 0
    """How many runs of the cell ended with an undefined loss; they have no value."""

    @property
    def mean(self) -> float | None:
        """The mean over seeds, ``None`` without a value."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def std(self) -> float | None:
        """The sample standard deviation over seeds, ``None`` for fewer than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def __str__(self) -> str:
        text = "–" if self.mean is None else f"{self.mean:.2f}"
        if self.std is not None:
            text += f" ± {self.std:.2f}"
        return text + (f" ({self.diverged} diverged)" if self.diverged else "")


@dataclass(frozen=True)
class Table:
    """A table with its caption.

    Attributes:
        caption: what is measured, on what, how, and over how many seeds.
        columns: the heads of the columns after the method's.
        rows: the methods with their cells, in the order of the grid.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    notes: tuple[str, ...] = field(default=())

    def text(self) -> TextTable:
        """The table with its cells as text, and with a last column for the number of seeds."""
        rows = []
        for method, cells in self.rows:
            counts = sorted({len(cell.values) for cell in cells})
            ragged = len(counts) > 1
            texts = [f"{cell} (n={len(cell.values)})" if ragged else str(cell) for cell in cells]
            rows.append((method, *texts, "–".join(str(count) for count in (counts[0], counts[-1])[: len(counts)])))
        return TextTable(self.caption, ("method", *self.columns, "n"), tuple(rows), self.notes)


_Measure = tuple[str, "Callable[[Record], float | None]"]

_MEASURES: tuple[_Measure, ...] = (
    ("test accuracy, last epoch (%)", lambda record: record.last.test_accuracy if record.last else None),
    (
        "test accuracy, epoch chosen on noisy validation (%)",
        lambda record: record.selected.test_accuracy if record.selected else None,
    ),
    (
        "memorization, last epoch (%)",
        lambda record: record.last.memorization if record.last else None,
    ),
)


_NOISY: _Measure = (
    "accuracy on noisy validation, last epoch (%)",
    lambda record: record.last.validation_accuracy if record.last else None,
)


def _further_measures(records: Sequence[Record]) -> list[_Measure]:
    """Where there are further test sets: their accuracies, and top-5 accuracies of all test sets."""
    names = _further_sets(records)
    if not names:
        return []

    def further(name: str, key: str) -> Callable[[Record], float | None]:
        return lambda record: record.last.extra_tests.get(name, {}).get(key) if record.last else None

    measures: list[_Measure] = [
        ("test top-5 accuracy, last epoch (%)", lambda record: record.last.test_top5 if record.last else None)
    ]
    for name in names:
        measures.append((f"{name} accuracy, last epoch (%)", further(name, "accuracy")))
        measures.append((f"{name} top-5 accuracy, last epoch (%)", further(name, "top5")))
    return measures


def _further_sets(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(name for record in records if record.last for name in record.last.extra_tests))


def make_tables(title: str, records: Sequence[Record]) -> list[Table]:
    """Tables of a grid: with one noise a single table of all measures, else a table of noises per measure.

    Only runs that are finished or diverged are counted; a cell without any shows a dash. Runs of one cell differ in
    nothing but their seeds.

    Raises:
        RunError: a cell has two runs of one seed.
    """
    ended = [record for record in records if record.status != "running"]
    known = [*_MEASURES[:1], *_further_measures(ended), *_MEASURES[1:]]
    if not any(record.last and record.last.test_accuracy is not None for record in ended):
        known = [_NOISY, *known]  # all that can be measured without a test set
    measures = [measure for measure in known if any(measure[1](record) is not None for record in ended)] or known[:1]
    cells = cells_of(records)
    methods = list(dict.fromkeys(method for method, _ in cells))
    noises = list(dict.fromkeys(noise for _, noise in cells))

    def cell(method: str, noise: str, measure: _Measure) -> Cell:
        runs = cells.get((method, noise), [])
        values = [measure[1](run) for run in runs if run.status == "finished"]
        diverged = sum(run.status == "diverged" for run in runs)
        return Cell(tuple(100 * value for value in values if value is not None), diverged)

    notes = data_notes(records)
    if len(noises) == 1:
        rows = tuple((method, tuple(cell(method, noises[0], measure) for measure in measures)) for method in methods)
        caption = f"{title}: {noises[0]}. {_how(records)}"
        return [Table(caption, tuple(name for name, _ in measures), rows, notes)]
    return [
        Table(
            f"{title}: {measure[0]}. {_how(records)}",
            tuple(noises),
            tuple((method, tuple(cell(method, noise, measure) for noise in noises)) for method in methods),
            notes,
        )
        for measure in measures
    ]


def _how(records: Sequence[Record]) -> str:
    from noiseproof.train import protocol_of

    seeds = sorted({record.recipe["seed"] for record in records})
    protocols = dict.fromkeys(protocol_of(record.recipe) for record in records)
    listed = ", ".join(str(seed) for seed in seeds)
    count = f"Mean ± sample standard deviation over {len(seeds)} seeds" if len(seeds) > 1 else "One seed"
    return f"{count} ({listed}). {'; '.join(protocols)}."


def data_notes(records: Sequence[Record]) -> tuple[str, ...]:
    """What a reader must know about the data and the noise: realized rates, and whether data are the published ones."""
    notes = []
    found: dict[str, list[float]] = {}
    for record, (_, label) in zip(records, cell_labels(records), strict=True):
        found.setdefault(label, []).extend([record.noise["rate"]] if record.noise else [])
    for label, rates in found.items():
        if rates:
            low, high = min(rates), max(rates)
            realized = f"{low:.2%}" if high - low < 5e-5 else f"{low:.2%} to {high:.2%}"
            notes.append(f"{label}: {realized} of the training labels are wrong (realized).")
    notes += dict.fromkeys(
        f"Data: {note}." for record in records for note in (*record.data.get("notes", ()), *unreadable_note(record))
    )
    return tuple(notes)


def unreadable_note(record: Record) -> tuple[str, ...]:
    """What a table must say of images that were skipped, if there were any."""
    if not record.unreadable:
        return ()
    counts = ", ".join(f"{count} of {part}" for part, count in record.unreadable.items())
    return (f"images that could not be read and were skipped: {counts}",)


def tables_csv(tables: Sequence[Table]) -> str:
    """All cells of the tables in long form: caption, method, column, mean, std, n, diverged."""
    rows: list[list[object]] = [["table", "method", "column", "mean", "std", "n", "diverged"]]
    for table in tables:
        for method, cells in table.rows:
            for column, cell in zip(table.columns, cells, strict=True):
                numbers = ["" if number is None else f"{number:.4f}" for number in (cell.mean, cell.std)]
                rows.append([table.caption, method, column, *numbers, len(cell.values), cell.diverged])
    return csv_text(rows)


def runs_csv(records: Sequence[Record]) -> str:
    """One line per run with where it comes from: the form in which results are kept and compared."""
    further = [(name, key) for name in _further_sets(records) for key in ("accuracy", "top5")]
    environment = ("noiseproof", "commit", "python", "torch", "system", "device", "threads", "step")
    rows: list[list[object]] = [
        ["run", "status", "data", "noise", "requested_rate", "rate", "method", "loss", "l1", "l2", "source", "model",
         "epochs", "seed", "last_test", "chosen_epoch", "chosen_test", "memorization",
         *(f"last_{name}_{key}" for name, key in further), "data_sha256", "seconds", *environment]
    ]  # fmt: skip
    for record, (_, label) in zip(records, cell_labels(records), strict=True):
        recipe, noise = record.recipe, record.noise or {}
        last, chosen = record.last, record.selected
        method, where = recipe["method"], record.environments[-1]["environment"] if record.environments else {}
        rows.append(
            [record.id, record.status, recipe["data"]["name"], label, noise.get("requested_rate"),
             _rounded(noise.get("rate")), method["name"], method["loss"], method["l1"], method["l2"],
             method["source"], recipe["model"], recipe["epochs"], recipe["seed"],
             _rounded(last.test_accuracy if last else None), chosen.epoch if chosen else None,
             _rounded(chosen.test_accuracy if chosen else None),
             _rounded(last.memorization if last else None),
             *(_rounded(last.extra_tests.get(name, {}).get(key) if last else None) for name, key in further),
             record.data.get("fingerprint", "")[:16],
             "" if record.seconds is None else round(record.seconds), *[where.get(key) for key in environment]]
        )  # fmt: skip
    return csv_text(rows)


def _rounded(share: float | None) -> str:
    return "" if share is None else f"{share:.6f}"
