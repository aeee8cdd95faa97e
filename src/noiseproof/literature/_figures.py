"""The accuracies that papers report, with where each was printed."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib import resources

from noiseproof.errors import DataError


@dataclass(frozen=True)
class PublishedFigure:
    """One published accuracy.

    Attributes:
        dataset: what was tested on: ``"cifar10"``, ``"webvision-mini"``, ``"ilsvrc12-50"``, …
        noise: ``"symmetric"``, ``"asymmetric"``, ``"instance"``, ``"human-worst"``, …, ``"none"`` or ``"real"``.
        rate: the nominal noise rate; ``None`` for noise that nobody chose.
        method: the name of the row.
        metric: ``"top1"`` or ``"top5"``.
        mean: in percent.
        std: the sample standard deviation over trials in percentage points, ``None`` where none was printed.
        trials: how many runs the mean is over.
        epoch: ``"last"``, or ``"best"`` for the epoch with the best test accuracy.
        source: the publication.
        protocol: whose training recipe.
    """

    dataset: str
    noise: str
    rate: float | None
    method: str
    metric: str
    mean: float
    std: float | None
    trials: int
    epoch: str
    source: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.mean:.2f}" if self.std is None else f"{self.mean:.2f} ± {self.std:.2f}"


def published_figures() -> tuple[PublishedFigure, ...]:
    """Every published accuracy that noiseproof knows, 445 in all, in the order of their tables."""
    return _read()


def published_figure(
    sources: tuple[str, ...], dataset: str, noise: str, rate: float | None, method: str, metric: str
) -> PublishedFigure | None:
    """The figure of a cell from the first of ``sources`` that has one, ``None`` if none has."""
    key = (dataset, noise, rate, method, metric)
    return next((figure for source in sources if (figure := _by_cell().get((source, *key))) is not None), None)


def check_source(source: str) -> str:
    """``source`` if some figure comes from it.

    Raises:
        DataError: none does.
    """
    known = dict.fromkeys(figure.source for figure in _read())
    if source not in known:
        raise DataError(f"no published figure comes from {source!r} (known: {'; '.join(known)})")
    return source


@functools.cache
def _by_cell() -> dict[tuple[object, ...], PublishedFigure]:
    return {(f.source, f.dataset, f.noise, f.rate, f.method, f.metric): f for f in _read()}


@functools.cache
def _read() -> tuple[PublishedFigure, ...]:
    text = resources.files("noiseproof.literature").joinpath("figures.csv").read_text(encoding="utf-8")
    return tuple(
        PublishedFigure(
            row["dataset"],
            row["noise"],
            float(row["rate"]) if row["rate"] else None,
            row["method"],
            row["metric"],
            float(row["mean"]),
            float(row["std"]) if row["std"] else None,
            int(row["trials"]),
            row["epoch"],
            row["source"],
            row["protocol"],
        )
        for row in csv.DictReader(text.splitlines())
    )
