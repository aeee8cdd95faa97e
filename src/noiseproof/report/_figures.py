"""The pictures of reproductions: accuracy per epoch beside the published figures, and accuracy against a."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from noiseproof.losses import make_loss
from noiseproof.report._curves import COLORS, LINES, add_legend, curves, picture_text, plain_text, png
from noiseproof.theory import amse_threshold_asymmetric, amse_threshold_symmetric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from noiseproof.results import Comparison, Reproduced, Target
    from noiseproof.train import Recipe, Record


def draw(result: Reproduced) -> bytes | None:
    """A PNG of a reproduction, ``None`` as long as no run has an epoch."""
    records = {record.id: record for record in result.records if record.epochs}
    if not records:
        return None
    drawers = {"curves": _draw_curves, "amse": _draw_by_exponent, "against-a": _draw_against_a}
    with plain_text():
        return png(drawers[result.reproduction.drawing](result, records))


def _draw_curves(result: Reproduced, records: dict[str, Record]) -> Figure:
    """A panel per column, a line per method; a mark at the right end is the published figure of the last epoch."""
    targets = [target for target in result.reproduction.targets if target.metric == "top1"]
    columns = list(dict.fromkeys(target.column for target in targets))
    rows = list(dict.fromkeys(target.row for target in targets))
    figure, axes = _panels(len(columns))
    for axis, column in zip(axes, columns, strict=False):
        for target in (target for target in targets if target.column == column):
            number = rows.index(target.row)
            style = {"color": COLORS[number % len(COLORS)], "linestyle": LINES[number // len(COLORS) % 3]}
            _draw_line(axis, target, records, target.row, style, mark_published=not result.reproduction.lite)
        _finish(axis, picture_text(column, 48))
    _legend(figure, axes)
    return figure


def _draw_by_exponent(result: Reproduced, records: dict[str, Record]) -> Figure:
    """A panel per q, a line per a, as the published figure has it; titles say what theory asks of a."""
    targets = result.reproduction.targets
    exponents = sorted({_parameter(target.recipes[0], "q") for target in targets})
    values = sorted({_parameter(target.recipes[0], "a") for target in targets})
    figure, axes = _panels(len(exponents))
    for axis, q in zip(axes, exponents, strict=False):
        for target in (target for target in targets if _parameter(target.recipes[0], "q") == q):
            a = _parameter(target.recipes[0], "a")
            style = {"color": COLORS[values.index(a) % len(COLORS)], "linestyle": "-"}
            _draw_line(axis, target, records, f"a = {a:g}", style, mark_published=False)
        needed = _threshold(targets[0].recipes[0], next(iter(records.values())), q)
        _finish(axis, f"q = {q:g}: " + ("every a will do" if q <= 1 else f"theory asks for a ≥ {needed:.3g}"))
    _legend(figure, axes)
    return figure


def _draw_against_a(result: Reproduced, records: dict[str, Record]) -> Figure:
    """A panel per column: accuracy against a, with the theory's threshold and the published figures."""
    columns = list(dict.fromkeys(target.column for target in result.reproduction.targets))
    figure, axes = _panels(len(columns))
    for axis, column in zip(axes, columns, strict=False):
        pairs = [
            pair
            for pair in zip(result.reproduction.targets, result.comparisons, strict=True)
            if pair[0].column == column
        ]
        _draw_means(axis, pairs)
        recipe = pairs[0][0].recipes[0]
        needed = _threshold(recipe, next(iter(records.values())), 2.0)
        axis.axvline(needed, color="#D55E00", linestyle="--", label="threshold of theory")
        axis.annotate(
            f"a = {needed:.3g}", (needed, 0.02), xycoords=("data", "axes fraction"), xytext=(4, 0),
            textcoords="offset points", color="#D55E00", fontsize=9,
        )  # fmt: skip
        title = picture_text(column, 48)
        axis.set(xscale="log", xlabel="a", ylabel="Test accuracy, last epoch (%)", title=title)
        ticks = sorted(_parameter(target.recipes[0], "a") for target, _ in pairs)
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    _legend(figure, axes)
    return figure


def _draw_means(axis: Axes, pairs: Sequence[tuple[Target, Comparison]]) -> None:
    known = [(_parameter(target.recipes[0], "a"), one.cell) for target, one in pairs if one.cell.values]
    if known:
        values, cells = zip(*known, strict=True)
        means, spreads = [cell.mean or 0.0 for cell in cells], [cell.std or 0.0 for cell in cells]
        axis.errorbar(values, means, spreads, fmt="o-", color="black", capsize=3, label="measured")
    figures = [(_parameter(target.recipes[0], "a"), one.figure) for target, one in pairs if one.figure is not None]
    if figures and pairs[0][1].comparable:
        axis.plot([a for a, _ in figures], [figure.mean for _, figure in figures], "D", color="#0072B2",
                  label="published")  # fmt: skip


def _draw_line(
    axis: Axes, target: Target, records: dict[str, Record], label: str, style: dict[str, str], *, mark_published: bool
) -> None:
    runs = [records[recipe.id] for recipe in target.recipes if recipe.id in records]
    values = curves(runs, "test_accuracy")
    if not len(values):
        return
    epochs = np.arange(1, values.shape[1] + 1)
    axis.plot(epochs, values.mean(0), label=label, linewidth=1.4, **style)  # type: ignore[arg-type]
    axis.fill_between(epochs, values.min(0), values.max(0), color=style["color"], alpha=0.12, linewidth=0)
    if mark_published and target.figure is not None:
        axis.plot([target.recipes[0].epochs], [target.figure.mean], "<", color=style["color"], clip_on=False)


def _parameter(recipe: Recipe, name: str) -> float:
    return float(make_loss(recipe.method.loss).hyperparameters[name])


def _threshold(recipe: Recipe, record: Record, q: float) -> float:
    """The ``a`` from which on AMSE is asymmetric for every class under the recipe's noise."""
    rate = recipe.noise.known_rate or 0.0
    if recipe.noise.kind == "symmetric":
        return amse_threshold_symmetric(rate, int(record.data["classes"]), q)
    return amse_threshold_asymmetric(rate, q) if recipe.noise.kind == "asymmetric" else math.nan


def _panels(count: int) -> tuple[Figure, list[Any]]:
    across = 2 if count == 4 else min(count, 3)
    down = math.ceil(count / across)
    figure = Figure(figsize=(4.6 * across, 3.6 * down + 0.6), dpi=130, layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, sharey=True).ravel().tolist()
    for axis in axes[count:]:
        axis.set_visible(False)
    return figure, axes[:count]


def _finish(axis: Axes, title: str) -> None:
    axis.set(xlabel="epoch", ylabel="Test accuracy (%)", title=title)
    axis.tick_params(labelleft=True)  # panels share their scale, and each shows it
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    entries: dict[str, Any] = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        entries.update(zip(labels, handles, strict=True))
    add_legend(figure, entries)
