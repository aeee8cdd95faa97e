"""The third protocol of `benchmarks/audit.py`: images without features, an equal number of updates for every contender.

Every run is a recipe, in the folder ``runs`` of ``options.work``: killed and started again, it goes on where it was.
"""

from __future__ import annotations

import multiprocessing
import warnings
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold

from audit_scores import best_of_three, measured, rival_scores
from noiseproof import audit
from noiseproof.auditing.scores import SCORES, area_under_margin, bounded_doubt, wrong_share
from noiseproof.auditing.views import together
from noiseproof.fitted.audits import Told
from noiseproof.fitting import audited_folder
from noiseproof.prediction import load
from noiseproof.train import keep_freed_memory, load_dataset, make_noise, make_recipe, train

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from fit_sets import Job
    from measurement import Part
    from noiseproof.data import Dataset

PIXELS = "pixels"
"""The name of the set."""

NETWORK = "cnn8(width=0.25)"
FOLDS = 3
METHODS = {"ce": "ce", "gce": "gce", "jal": "jal-ce(a=10)", "nce+rce": "nce+rce"}
CONTENDERS: dict[str, tuple[str, ...]] = {**{name: (name,) for name in METHODS}, "ce-and-jal": ("ce", "jal")}
"""The runs that an audit is of, by their methods. Two runs have half of the epochs each."""

CROSSED, DEFAULT, LAST = "cross-validation", "audit", "last, log-margin"
"""The rivals' part, and of a contender's scores that of `noiseproof audit`, and the rival's that is of one CE run."""


@dataclass(frozen=True, eq=False)
class Images:
    """CIFAR-10 with labels of CIFAR-10N.

    Attributes:
        dataset: without a test set, which costs time and says nothing of audits.
        labels: ``(N,)``, the given ones.
        wrong: ``(N,)``, which of them are wrong.
    """

    dataset: Dataset
    labels: NDArray[np.int64]
    wrong: NDArray[np.bool_]

    @classmethod
    def of(cls, job: Job, options: argparse.Namespace) -> Images:
        """Of a job, whose noise is the column of the human labels."""
        recipe = make_recipe(recipe_of(job, options, "ce", 1))
        dataset = replace(load_dataset(recipe.data, options.images), test=None)
        noisy = make_noise(recipe, dataset, options.images)
        assert noisy is not None
        return cls(dataset, noisy.labels.astype(np.int64), noisy.mask)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.labels)


def recipe_of(job: Job, options: argparse.Namespace, method: str, epochs: int) -> dict[str, Any]:
    """The published recipe with a small network and few epochs."""
    return {
        "extends": "cifar10",
        "data": {"name": "cifar10", "train_size": options.rows},
        "noise": {"kind": "human", "column": job.noise},
        "model": NETWORK,
        "method": METHODS[method],
        "epochs": epochs,
        "samples": "scores",
        "seed": job.part,
    }


def trained(
    job: Job, options: argparse.Namespace, dataset: Dataset, method: str, epochs: int, fold: int | None = None
) -> Told:
    """What a run says, a part of which may be there. It ends with the measurement, even where that was killed."""
    name = f"{job.id}-{method}-{epochs}" + ("" if fold is None else f"-fold{fold}")
    folder, parent = options.work / "runs" / name, multiprocessing.parent_process()
    train(
        recipe_of(job, options, method, epochs),
        folder,
        data_dir=options.images,
        dataset=dataset,
        device="cpu",
        should_stop=lambda: parent is not None and not parent.is_alive(),
    )
    told = Told.read(folder)
    assert told is not None, f"{folder} has not finished"
    return told


def contender(name: str, job: Job, options: argparse.Namespace) -> dict[str, Any]:
    """What every score finds after the runs of a contender."""
    _alone()
    data, methods = Images.of(job, options), CONTENDERS[name]
    epochs = options.epochs // len(methods)
    runs = [trained(job, options, data.dataset, method, epochs) for method in methods]
    found = _scores_of(runs, data)
    return {
        "scores": {score: measured(data.wrong, values) for score, values in found.items()},
        "seconds": sum(told.record.seconds or 0 for told in runs),
        "agreed": [told.agreed for told in runs],
        "notes": data.dataset.notes,
    }


def crossed(job: Job, options: argparse.Namespace) -> dict[str, Any]:
    """What cleanlab's scores find of cross-validated probabilities, after half of the epochs in each fold."""
    _alone()
    data = Images.of(job, options)
    p, seconds = np.zeros((data.count, data.dataset.num_classes)), 0.0
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=job.part)
    for number, (_, others) in enumerate(folds.split(data.labels, data.labels)):
        held_out = replace(data.dataset, held_out=np.sort(others))
        told = trained(job, options, held_out, "ce", options.epochs // (FOLDS - 1), number)
        p[others] = load(str(told.record.folder), epoch="last").predict_proba(data.dataset.train.inputs[others])
        seconds += told.record.seconds or 0
    return rival_scores(p, data.labels, data.wrong, seconds)


PARTS: Mapping[str, Part] = {name: partial(contender, name) for name in CONTENDERS}


def _alone() -> None:
    """One thread for this process, beside others."""
    torch.set_num_threads(1)
    keep_freed_memory()
    warnings.simplefilter("ignore")


def _scores_of(runs: Sequence[Told], data: Images) -> dict[str, NDArray[Any]]:
    """Every score ``(N,)``: of runs together, logarithms of probabilities and all else are averaged."""
    views: list[dict[str, NDArray[Any]]] = []
    sums: list[dict[str, NDArray[Any]]] = []
    for told in runs:
        said = told.dynamics(data.count, data.dataset.num_classes, memorized=False)
        last = load(str(told.record.folder), epoch="last").predict_proba(data.dataset.train.inputs)
        views.append(
            {
                "late": said.late,
                "mean": said.mean,
                "by heart": replace(said, memorized=True).view(data.labels),
                "last": last,
                "late and last": together([said.late, last]),
            }
        )
        part = told.parts["train"]
        margins = np.zeros(data.count)
        margins[part.index] = part.sums.margins / np.maximum(part.sums.passes, 1)
        half = len(said.label_probabilities) // 2
        sums.append(
            {
                "bounded doubt": bounded_doubt(said.label_probabilities),
                "late bounded doubt": bounded_doubt(said.label_probabilities[half:]),
                "share of wrong predictions": wrong_share(said.predictions, data.labels),
                "area under the margin": area_under_margin(margins),
                "last pass, self-confidence": 1 - said.label_probabilities[-1],
            }
        )
    joined = {name: together([each[name] for each in views]) for name in views[0]}
    if len(runs) == 1:
        made = audited_folder(Path(str(runs[0].record.folder))).audit("log-margin", False)
    else:
        made = audit(data.labels, probabilities=joined["late"], classes=range(data.dataset.num_classes))
    return {
        DEFAULT: made.table["score"],
        **{f"{view}, {name}": SCORES.find(name)(p, data.labels) for view, p in joined.items() for name in SCORES},
        **{name: np.mean([each[name] for each in sums], 0) for name in sums[0]},
    }


def pixel_cells(results: Mapping[Job, Mapping[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """AP and AUROC by noise and contender; the rivals are cross-validation, and one CE run at its last epoch."""
    found = []
    for job, parts in results.items():
        cell: dict[str, Any] = {"set": PIXELS, "noise": job.noise, "ap": {}, "auroc": {}}
        for measure in ("ap", "auroc"):
            values = cell[measure]
            for name in CONTENDERS:
                values[name] = parts[name]["scores"][DEFAULT][measure]
            values[CROSSED] = best_of_three(parts[CROSSED], measure)
            values[f"{CROSSED}, log-margin"] = parts[CROSSED]["log-margin"][measure]
            for score in (LAST, "last, self-confidence"):
                values[f"one CE run, {score}"] = parts["ce"]["scores"][score][measure]
        cell["notes"] = parts["ce"]["notes"]
        cell["seconds"] = {name: part["seconds"] for name, part in parts.items()}
        cell["scores"] = {name: parts[name]["scores"] for name in CONTENDERS}
        found.append(cell)
    return found


def pixel_bars(found: list[dict[str, Any]]) -> dict[str, Any]:
    """By contender and score, the means over the noises and how far they are ahead of the rivals."""
    summary: dict[str, Any] = {}
    for name in CONTENDERS:
        summary[name] = {}
        for score in found[0]["scores"][name]:
            own = {
                measure: np.array([cell["scores"][name][score][measure] for cell in found])
                for measure in ("ap", "auroc")
            }
            ahead = {
                f"{measure} ahead of {rival}": own[measure] - [cell[measure][rival] for cell in found]
                for measure, rival in (("ap", CROSSED), ("auroc", CROSSED), ("ap", f"one CE run, {LAST}"))
            }
            summary[name][score] = {
                **{measure: float(values.mean()) for measure, values in own.items()},
                **{what: float(values.mean()) for what, values in ahead.items()},
                "least ap ahead": {what: float(values.min()) for what, values in ahead.items() if what[:3] == "ap "},
            }
    return summary


def pixel_markdown(found: list[dict[str, Any]], summary: dict[str, Any]) -> str:
    """AP by noise, and AP and AUROC by score."""
    names = list(found[0]["ap"])
    lines = [f"| images, noise | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
    for cell in found:
        values = " | ".join(f"{cell['ap'][name]:.3f}" for name in names)
        lines.append(f"| {cell['noise']} | {values} |")
    lines += [
        "",
        f"AP / AUROC of every score, means of {len(found)} label sets:",
        "",
        f"| score | {' | '.join(CONTENDERS)} |",
        "| --- |" + " ---: |" * len(CONTENDERS),
    ]
    for score in found[0]["scores"]["ce"]:
        means = [summary[name][score] for name in CONTENDERS]
        values = " | ".join(f"{each['ap']:.3f} / {each['auroc']:.3f}" for each in means)
        lines.append(f"| {score} | {values} |")
    return "\n".join([*lines, ""])
