"""The figures of `benchmarks/fit.py`: accuracies of every cell, and what the bars are held against."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fit_sets import Job

NINE = ("ce", "gce(q=0.5)", "gce", "nce+rce", "anl-ce", "jal-ce(a=2)", "jal-ce(a=5)", "jal-ce(a=10)", "jal-ce(a=30)")
"""The losses of the oracle."""


def bits(hits: NDArray[np.bool_]) -> str:
    """Which rows are right, as zeros and ones."""
    return "".join("1" if hit else "0" for hit in hits.tolist())


def cells(results: dict[str, dict[str, Any]], jobs: list[Job]) -> list[dict[str, Any]]:
    """Of each set and noise the accuracies in percent, and by how much `fit` is ahead, with paired standard errors."""
    found = []
    for name, kind in dict.fromkeys((job.name, job.noise) for job in jobs):
        parts = [results[job.id] for job in jobs if (job.name, job.noise) == (name, kind) and job.id in results]
        if not parts:
            continue
        ours = [array(part["hits"]["fit"]) for part in parts]
        cell: dict[str, Any] = {"set": name, "noise": kind, "fit": 100 * float(np.concatenate(ours).mean())}
        cell["confidence"] = 100 * float(np.mean([part["fit"]["confidence"] for part in parts]))
        cell["oracle"] = 100 * _oracle(parts)
        cell["rivals"] = {}
        for rival in dict.fromkeys(rival for part in parts for rival in part["hits"] if rival != "fit"):
            pairs = [
                (array(part["hits"]["fit"]), array(part["hits"][rival])) for part in parts if rival in part["hits"]
            ]
            difference = np.concatenate([one - other for one, other in pairs])
            cell["rivals"][rival] = {
                "accuracy": 100 * float(np.concatenate([other for _, other in pairs]).mean()),
                "ahead": 100 * float(difference.mean()),
                "standard_error": 100 * float(difference.std(ddof=1) / np.sqrt(len(difference))),
            }
        cell["seconds"] = statistics.median(part["fit_seconds"] for part in parts)
        found.append(cell)
    return found


def array(bits: str) -> NDArray[np.float64]:
    """What :func:`bits` made, as numbers."""
    return np.frombuffer(bits.encode(), np.uint8).astype(np.float64) - ord("0")


def _oracle(parts: list[dict[str, Any]]) -> float:
    """Chosen on one half of the test rows and scored on the other, both ways."""
    means = {loss: np.mean([part["nine"][loss] for part in parts], 0) for loss in NINE}
    scored = [means[max(NINE, key=lambda loss: means[loss][half])][1 - half] for half in (0, 1)]
    return float(np.mean(scored))


def bars(found: list[dict[str, Any]]) -> dict[str, Any]:
    """What the bars are held against."""
    ahead = {(cell["set"], cell["noise"]): cell["fit"] - cell["oracle"] for cell in found}
    by_noise = {}
    for kind in dict.fromkeys(cell["noise"] for cell in found):
        values = [value for (_, noise_kind), value in ahead.items() if noise_kind == kind]
        error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
        by_noise[kind] = {"ahead": float(np.mean(values)), "standard_error": error}
    rivals = {}
    for rival in dict.fromkeys(rival for cell in found for rival in cell["rivals"]):
        all_cells = [cell["rivals"][rival] for cell in found if rival in cell["rivals"]]
        noisy = [cell["rivals"][rival] for cell in found if rival in cell["rivals"] and cell["noise"] != "none"]
        clean = [cell["rivals"][rival] for cell in found if rival in cell["rivals"] and cell["noise"] == "none"]
        rivals[rival] = {
            "ahead": float(np.mean([each["ahead"] for each in all_cells])),
            "noisy_cells": len(noisy),
            "not_below": sum(each["ahead"] >= -each["standard_error"] for each in noisy),
            "clean": {
                "ahead": float(np.mean([each["ahead"] for each in clean])) if clean else None,
                "worst_beyond_error": min((each["ahead"] + each["standard_error"] for each in clean), default=None),
            },
        }
    return {
        "cells": len(found),
        "fit": float(np.mean([cell["fit"] for cell in found])),
        "oracle": float(np.mean([cell["oracle"] for cell in found])),
        "confidence_above_accuracy": float(np.mean([cell["confidence"] - cell["fit"] for cell in found])),
        "against_oracle": by_noise,
        "against": rivals,
    }


def markdown(found: list[dict[str, Any]], summary: dict[str, Any]) -> str:
    """The table of all cells."""
    rivals = [*dict.fromkeys(rival for cell in found for rival in cell["rivals"])]
    lines = [
        "Accuracy on clean test rows (%); in brackets by how much `fit` is ahead, ± a paired standard error.",
        "",
        "| set, noise | fit | oracle | " + " | ".join(rivals) + " |",
        "| --- |" + " ---: |" * (2 + len(rivals)),
    ]
    for cell in found:
        texts = []
        for rival in rivals:
            each = cell["rivals"].get(rival)
            texts.append(
                "–" if each is None else f"{each['accuracy']:.1f} ({each['ahead']:+.1f} ± {each['standard_error']:.1f})"
            )
        lines.append(
            f"| {cell['set']}, {cell['noise']} | {cell['fit']:.1f} | {cell['oracle']:.1f} | {' | '.join(texts)} |"
        )
    lines += ["", f"Mean of {summary['cells']} cells: fit {summary['fit']:.2f}, oracle {summary['oracle']:.2f}.", ""]
    return "\n".join(lines)
