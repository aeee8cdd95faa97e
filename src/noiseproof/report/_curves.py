"""Accuracy and memorisation per epoch."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from noiseproof.bench import method_labels, noise_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from noiseproof.train import Epoch, Record

# Okabe and Ito's colours, which people with any colour vision can tell apart, darkest first.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A8A00")

_PANELS = (
    ("test_accuracy", "Test accuracy (%)"),
    ("validation_accuracy", "Accuracy on noisy validation (%)"),
    ("wrong_labels_learnt", "Wrong training labels learnt (%)"),
)


def draw_curves(records: Sequence[Record]) -> bytes:
    """A PNG: a row per noise, a panel per measure, a line per method, shaded from the lowest to the highest seed.

    A dot marks, for each seed, the epoch chosen on noisy validation data and its test accuracy.
    """
    noises = list(dict.fromkeys(noise_label(record.recipe) for record in records))
    methods_of = method_labels(records)
    methods = list(dict.fromkeys(methods_of[record.id] for record in records))
    panels = [panel for panel in _PANELS if any(getattr(e, panel[0]) is not None for r in records for e in r.epochs)]
    figure = Figure(figsize=(4.6 * len(panels), 3.6 * len(noises) + 0.5), dpi=130, layout="constrained")
    axes: Any = figure.subplots(len(noises), len(panels), squeeze=False)
    for row, noise in zip(axes, noises, strict=True):
        for axis, (measure, label) in zip(row, panels, strict=True):
            for number, method in enumerate(methods):
                runs = [r for r in records if methods_of[r.id] == method and noise_label(r.recipe) == noise]
                _draw_method(axis, runs, measure, method, COLOURS[number % len(COLOURS)])
            axis.set(xlabel="epoch", title=label if len(noises) == 1 else f"{label}\n{noise}")
            axis.set_ylim(0, 100)
            axis.grid(alpha=0.25)
            axis.spines[["top", "right"]].set_visible(False)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(methods), 6), frameon=False)
    return png(figure)


def png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw_method(axis: Axes, runs: Sequence[Record], measure: str, method: str, colour: str) -> None:
    values = curves(runs, measure)
    if not len(values):
        return
    length = values.shape[1]
    epochs = np.arange(1, length + 1)
    axis.plot(epochs, values.mean(0), color=colour, label=method, linewidth=1.6)
    axis.fill_between(epochs, values.min(0), values.max(0), color=colour, alpha=0.13, linewidth=0)
    chosen = [run.selected for run in runs if run.selected is not None]
    if measure == "test_accuracy" and chosen:
        heights = [_percent(epoch, measure) for epoch in chosen]
        axis.plot([epoch.epoch for epoch in chosen], heights, "o", color=colour, markersize=4, markeredgecolor="white")


def curves(runs: Sequence[Record], measure: str) -> NDArray[np.float64]:
    """``(runs, epochs)``: a measure in percent, up to the epoch that all of these runs have reached."""
    lines = [[_percent(epoch, measure) for epoch in run.epochs] for run in runs if run.epochs]
    length = min((len(line) for line in lines), default=0)
    return np.array([line[:length] for line in lines if length])


def _percent(epoch: Epoch, measure: str) -> float:
    value = getattr(epoch, measure)
    return float("nan") if value is None else 100 * value
