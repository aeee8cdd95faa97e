"""Accuracy and memorization per epoch; and what all pictures have in common."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure

from noiseproof.formats import printable, shortened
from noiseproof.results import cells_of

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Mapping, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from noiseproof.train import Epoch, Record

# Okabe and Ito's colors, which people with any color vision can tell apart, darkest first.
COLORS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A8A00")
LINES = ("-", "--", ":")
"""Of as many methods as there are colors, and of those after them."""

_PANELS = (
    ("test_accuracy", "Test accuracy (%)"),
    ("validation_accuracy", "Accuracy on noisy validation (%)"),
    ("memorization", "Memorization (%)"),
)

_LETTER, _HANDLE = 0.085, 0.55
"""Inches that a letter takes in a legend, and the line beside a name."""


def plain_text() -> contextlib.AbstractContextManager[None]:
    """Where pictures are drawn: no text in them is a formula, not even between two dollar signs."""
    return mpl.rc_context({"text.parse_math": False, "text.usetex": False})


def picture_text(text: str, length: int) -> str:
    """A name for a picture: what the font lacks is shown as Python writes it, and long names by both of their ends."""
    known = font_manager.get_font(font_manager.findfont(font_manager.FontProperties())).get_charmap()
    shown = "".join(c if ord(c) in known else c.encode("unicode_escape").decode("ascii") for c in printable(text))
    return shortened(shown, length)


def draw_curves(records: Sequence[Record]) -> bytes:
    """A PNG: a row per noise, a panel per measure, a line per method, shaded from the lowest to the highest seed.

    A dot marks, for each seed, the epoch chosen on noisy validation data and its test accuracy.
    """
    cells = cells_of(records)
    methods = list(dict.fromkeys(method for method, _ in cells))
    noises = list(dict.fromkeys(noise for _, noise in cells))
    panels = [panel for panel in _PANELS if any(getattr(e, panel[0]) is not None for r in records for e in r.epochs)]
    lines: dict[str, Artist] = {}
    with plain_text():
        figure = Figure(figsize=(4.6 * len(panels), 3.6 * len(noises) + 0.5), dpi=130, layout="constrained")
        axes: Any = figure.subplots(len(noises), len(panels), squeeze=False)
        for row, noise in zip(axes, noises, strict=True):
            for axis, (measure, label) in zip(row, panels, strict=True):
                for number, method in enumerate(methods):
                    runs = cells.get((method, noise), [])
                    style = {"color": COLORS[number % len(COLORS)], "linestyle": LINES[number // len(COLORS) % 3]}
                    if (line := _draw_method(axis, runs, measure, style)) is not None:
                        lines[method] = line
                axis.set(xlabel="epoch", title=label if len(noises) == 1 else f"{label}\n{picture_text(noise, 48)}")
                axis.set_ylim(0, 100)
                axis.grid(alpha=0.25)
                axis.spines[["top", "right"]].set_visible(False)
        add_legend(figure, {method: lines[method] for method in methods if method in lines})
        return png(figure)


def add_legend(figure: Figure, lines: Mapping[str, Artist]) -> None:
    """Below a figure: the names of its lines, in as many columns as have room."""
    names = [picture_text(name, 40) for name in lines]
    width = _HANDLE + _LETTER * max(map(len, names), default=0)
    columns = min(max(int(figure.get_figwidth() / width), 1), 6, max(len(names), 1))
    # Matplotlib leaves out names that begin with an underscore, so each has its number first.
    numbers = [str(number) for number in range(len(names))]
    legend = figure.legend(list(lines.values()), numbers, loc="outside lower center", ncols=columns, frameon=False)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)


def png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw_method(axis: Axes, runs: Sequence[Record], measure: str, style: dict[str, str]) -> Artist | None:
    values = curves(runs, measure)
    if not len(values):
        return None
    length = values.shape[1]
    epochs = np.arange(1, length + 1)
    (line,) = axis.plot(epochs, values.mean(0), linewidth=1.6, **style)  # type: ignore[arg-type]
    color = style["color"]
    axis.fill_between(epochs, values.min(0), values.max(0), color=color, alpha=0.13, linewidth=0)
    chosen = [run.selected for run in runs if run.selected is not None]
    if measure == "test_accuracy" and chosen:
        heights = [_percent(epoch, measure) for epoch in chosen]
        axis.plot([epoch.epoch for epoch in chosen], heights, "o", color=color, markersize=4, markeredgecolor="white")
    return line


def curves(runs: Sequence[Record], measure: str) -> NDArray[np.float64]:
    """``(runs, epochs)``: a measure in percent, up to the epoch that all of these runs have reached."""
    lines = [[_percent(epoch, measure) for epoch in run.epochs] for run in runs if run.epochs]
    length = min((len(line) for line in lines), default=0)
    return np.array([line[:length] for line in lines if length])


def _percent(epoch: Epoch, measure: str) -> float:
    value = getattr(epoch, measure)
    return float("nan") if value is None else 100 * value
