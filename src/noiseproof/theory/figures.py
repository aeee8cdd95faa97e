"""Pictures of the theory; they need matplotlib, from ``pip install 'noiseproof[report]'``."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.figure import Figure

from noiseproof.noise import symmetric_matrix
from noiseproof.theory._amse import amse_threshold_symmetric
from noiseproof.theory._risk import risk_minimizer

_STYLES = (("#000000", "-"), ("#0072B2", "--"), ("#D55E00", "-."), ("#009E73", ":"), ("#CC79A7", (0, (5, 1))))


def draw_minimizers(rate: float, num_classes: int, exponents: tuple[float, ...] = (1.5, 2.0, 3.0)) -> bytes:
    """A PNG: the true class's probability where AMSE's noisy risk is least, against ``a``, under symmetric noise."""
    weights = symmetric_matrix(rate, num_classes)[0]
    figure = Figure(figsize=(6.0, 3.8), dpi=130, layout="constrained")
    axis = figure.subplots()
    ends = [amse_threshold_symmetric(rate, num_classes, q) for q in exponents]
    highest = min(60.0, 1.3 * max([end for end in ends if np.isfinite(end)], default=10.0))
    for (color, style), q, end in zip(_STYLES, exponents, ends, strict=False):
        values = np.geomspace(1.0, highest, 40)
        true = [risk_minimizer(f"amse(a={a:.12g}, q={q:g})", weights).p[0] for a in values]
        axis.plot(values, true, color=color, linestyle=style, label=f"q = {q:g}")
        if end <= highest:
            axis.plot([end], [1.0], "o", color=color, markersize=5)
            axis.annotate(f"{end:.3g}", (end, 1.0), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8)
    axis.set(
        xscale="log",
        xlabel="a",
        ylabel="probability of the true class",
        ylim=(0, 1.12),
        title=f"Where AMSE's risk is least: {num_classes} classes, {rate:.0%} symmetric noise",
    )
    axis.set_xticks(ticks := [t for t in (1, 2, 3, 5, 10, 20, 30, 50) if t <= highest], [str(t) for t in ticks])
    axis.minorticks_off()
    return _png(figure, axis)


def draw_thresholds(num_classes: int, exponents: tuple[float, ...] = (1.5, 2.0, 3.0, 4.0)) -> bytes:
    """A PNG: the threshold of AMSE's ``a`` against the rate of symmetric noise."""
    figure = Figure(figsize=(6.0, 3.8), dpi=130, layout="constrained")
    axis = figure.subplots()
    bound = (num_classes - 1) / num_classes
    rates = np.linspace(0, bound, 300, endpoint=False)
    for (color, style), q in zip(_STYLES, exponents, strict=False):
        thresholds = [amse_threshold_symmetric(float(rate), num_classes, q) for rate in rates]
        axis.plot(rates, thresholds, color=color, linestyle=style, label=f"q = {q:g}")
    axis.axvline(bound, color="#888888", linewidth=0.8)
    axis.annotate("no loss beyond", (bound + 0.012, 10), rotation=90, va="center", fontsize=8, color="#555555")
    axis.set(
        yscale="log",
        ylim=(1, 100),
        xlim=(0, 1),
        xlabel="rate of symmetric noise",
        ylabel="smallest sufficient a",
        title=f"AMSE's threshold, {num_classes} classes",
    )
    axis.set_yticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    return _png(figure, axis)


def _png(figure: Figure, axis: object) -> bytes:
    axis.grid(alpha=0.25)  # type: ignore[attr-defined]
    axis.legend(frameon=False)  # type: ignore[attr-defined]
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
