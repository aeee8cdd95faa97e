"""How good the models of `fit` are on tables with wrong labels, beside an oracle and what else there is.

    python benchmarks/fit.py --tables DIR [--work DIR] [--set NAME ...] [--noise NAME ...] [--budget 30s] [--all]
        [--out FILE.json]

The tables are real ones (from DIR/NAME.parquet) and scikit-learn's digits; noise is put on the training labels. Of
the larger ones a quarter of the rows, stratified by clean label and drawn anew for each of two seeds, is the test; the
small ones are cut into four folds, and every row is tested once. `fit` never sees the test. Rivals get its features:

(a) the same network with plain CE, at its last epoch and at the epoch with the best held-out noisy accuracy;
(b) GCE at its default, last epoch;
(c) the oracle: of nine losses (each at its best noisy epoch) the one with the highest clean accuracy over the seeds or
    folds on one half of the test rows, scored on the other half, and the reverse;
(d) scikit-learn's HistGradientBoosting and logistic regression;
(e) cleanlab's CleanLearning, three folds, around (a)'s network and around HistGradientBoosting, on the first seed or
    fold, where cleanlab is installed.

A cell is one set with one noise: seeds averaged, folds pooled. What is finished in `--work` is not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split

from noiseproof import noise
from noiseproof.data import Dataset, Part, Table, from_table, read_table, table_of
from noiseproof.fitting import fit
from noiseproof.prediction import load
from noiseproof.provenance import environment
from noiseproof.train import keep_freed_memory, train

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = ("soybean", "vehicle", "pima", "breastcancer", "housevotes84", "glass", "ionosphere")
"""Tables so small that every row is tested once."""

TABLES = {
    "letter": ("letterrecognition", "lettr", 3000),
    "spam": ("spam", "type", None),
    "dna": ("dna", "Class", None),
    "income": ("income", "INCOME", 4000),
    "digits": ("", "", None),
    "soybean": ("soybean", "Class", None),
    "vehicle": ("vehicle", "Class", None),
    "pima": ("pimaindiansdiabetes2", "diabetes", None),
    "imbalanced": ("letterrecognition", "lettr", 3000),
}
FURTHER = {
    "breastcancer": ("breastcancer", "Class", None),
    "housevotes84": ("housevotes84", "Class", None),
    "glass": ("glass", "Type", None),
    "ionosphere": ("ionosphere", "Class", None),
}
NOISES = ("none", "symmetric .4", "asymmetric .3", "instance .3")
NINE = ("ce", "gce(q=0.5)", "gce", "nce+rce", "anl-ce", "jal-ce(a=2)", "jal-ce(a=5)", "jal-ce(a=10)", "jal-ce(a=30)")
NETWORK, EPOCHS = "mlp(hidden=256, depth=2)", 50
RARE = 0.05
"""Of one class in ten of the imbalanced set, so much is kept."""


@dataclass(frozen=True)
class Job:
    """One fit and its rivals: a set, a noise, and which rows are the test."""

    name: str
    noise: str
    part: int

    @property
    def id(self) -> str:
        """For the name of its file."""
        return f"{self.name}-{self.noise.replace(' ', '')}-{self.part}"


@dataclass(frozen=True, eq=False)
class Cut:
    """A job's data. ``labels`` are noisy where they are trained on, and clean in ``test``."""

    table: Table
    labels: NDArray[np.int64]
    test_table: Table
    test: NDArray[np.int64]
    classes: int


def read(name: str, folder: Path) -> tuple[Table, NDArray[np.int64]]:
    """A set: its table without labels, and its clean labels as numbers."""
    if name == "digits":
        digits = load_digits()
        return table_of(digits.data), digits.target.astype(np.int64)
    file, label, rows = {**TABLES, **FURTHER}[name]
    table = read_table(folder / f"{file}.parquet", as_text=[label])
    labels = np.unique(table[label], return_inverse=True)[1].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(table))
    if name == "imbalanced":
        rare = labels % 10 == 0
        order = order[~rare[order] | (np.random.default_rng(1).random(len(order)) < RARE)]
    index = np.sort(order[:rows])
    named = [label, *(["rownames"] if "rownames" in table.columns else [])]
    kept = table.without(named).take(index)
    return kept, np.unique(labels[index], return_inverse=True)[1].astype(np.int64)


def cut(job: Job, folder: Path) -> Cut:
    """The job's data, with noise on the training labels."""
    table, clean = read(job.name, folder)
    rows = np.arange(len(clean))
    if job.name in FOLDS:
        folds = StratifiedKFold(4, shuffle=True, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a class with fewer rows than folds
            train_rows, test_rows = list(folds.split(rows, clean))[job.part]
    else:
        train_rows, test_rows = train_test_split(rows, test_size=0.25, stratify=clean, random_state=job.part)
    classes = int(clean.max()) + 1
    labels = _noisy(job, table, clean, classes)[train_rows]
    return Cut(table.take(train_rows), labels, table.take(test_rows), clean[test_rows], classes)


def _noisy(job: Job, table: Table, clean: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    kind, _, rate = job.noise.partition(" ")
    seed = 100 + job.part
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "none":
            return clean
        if kind == "symmetric":
            return noise.symmetric(clean, float(rate), num_classes=classes, seed=seed).labels
        if kind == "asymmetric":
            mapping = {k: (k + 1) % classes for k in range(classes)}
            return noise.asymmetric(clean, float(rate), mapping, num_classes=classes, seed=seed).labels
        return noise.instance_dependent(
            _plain(table), clean, float(rate), num_classes=classes, seed=seed, variant="pdn"
        ).labels


def _plain(table: Table) -> NDArray[np.float64]:
    """Standardized numbers, categories as one column each, gaps 0: what instance-dependent noise depends on."""
    columns = []
    for values in table.columns.values():
        if values.dtype == object:
            columns += [(values == value).astype(float) for value in sorted({*values.tolist()} - {None})]
        else:
            spread = np.nanstd(values)
            columns.append(np.nan_to_num((values - np.nanmean(values)) / (spread or 1.0)))
    return np.stack(columns, 1)


class Plain(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """(a)'s network with CE as an estimator, for CleanLearning."""

    def __init__(self, epochs: int = EPOCHS) -> None:
        self.epochs = epochs

    def fit(self, X: NDArray[np.float32], y: NDArray[np.int64], sample_weight: Any = None) -> Plain:
        """Train."""
        self.classes_ = np.unique(y)
        weight = None if sample_weight is None else np.asarray(sample_weight, np.float32)
        dataset = _dataset(X, np.searchsorted(self.classes_, y), len(self.classes_))
        self._folder = tempfile.TemporaryDirectory()
        record = train(
            recipe_of("ce", len(y), self.epochs), self._folder.name, data=replace(dataset, sample_weight=weight)
        )
        self._predictor = load(str(record.folder), epoch="last")
        return self

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities."""
        return self._predictor.predict_proba(np.asarray(X, np.float32)).astype(np.float64)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.int64]:
        """Classes."""
        found: NDArray[np.int64] = self.classes_[self.predict_proba(X).argmax(1)]
        return found


def _dataset(features: NDArray[np.float32], labels: NDArray[np.int64], classes: int) -> Dataset:
    width = features.shape[1]
    names = tuple(map(str, range(classes)))
    return Dataset("table", Part(features, labels), None, names, (0.0,) * width, (1.0,) * width)


def recipe_of(loss: str, samples: int, epochs: int = EPOCHS, seed: int = 1) -> dict[str, Any]:
    """The recipe of a rival: `fit`'s network and optimizer."""
    return {
        "data": "memory",
        "model": NETWORK,
        "method": {"name": loss, "loss": loss},
        "epochs": epochs,
        "batch_size": 128 if samples >= 500 else 64 if samples >= 250 else 32,
        "optimizer": "adamw",
        "lr": 1e-3,
        "schedule": "constant",
        "clip_norm": 5.0,
        "seed": seed,
    }


def run_job(job: Job, options: argparse.Namespace) -> dict[str, Any]:
    """The accuracies of everything on a job, and which test rows each gets right."""
    data = cut(job, options.tables)
    result: dict[str, Any] = {"rows": len(data.test), "hits": {}}
    names = [f"class {label:02d}" for label in data.labels]

    began = time.perf_counter()
    model = fit(data.table, names, budget=options.budget)
    result["fit_seconds"] = time.perf_counter() - began
    probabilities = model.predict_proba(data.test_table)
    # A class that is wholly lost to noise is none of the model's.
    known = np.array([int(name.split()[1]) for name in model.predictor.class_names])
    hits = known[probabilities.argmax(1)] == data.test
    result["hits"]["fit"] = _bits(hits)
    result["fit"] = {
        "confidence": float(probabilities.max(1).mean()),
        "chosen": model.summary["chosen"],
        "members": [member["name"] for member in model.summary["members"]],
        "trees": model.summary["trees"],
        "temperature": model.summary["temperature"],
        "bracket": model.summary["bracket"],
    }

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = from_table(data.table, names)
        encoding = whole.encoding
        assert encoding is not None
        features, tests = encoding.encode(data.table), encoding.encode(data.test_table)
        _nine(features, tests, data, result)
        _others(job, features, tests, data, result)
    return result


def _nine(features: NDArray[np.float32], tests: NDArray[np.float32], data: Cut, result: dict[str, Any]) -> None:
    """The nine losses: the accuracy on both halves of the test rows at the best noisy epoch of each; (a) and (b)."""
    dataset = _dataset(features, data.labels, data.classes)
    folds = StratifiedKFold(5, shuffle=True, random_state=1)
    held_out = np.sort(next(iter(folds.split(features, data.labels)))[1])
    half = np.arange(len(data.test)) % 2 == 0
    halves = {name: Part(tests[rows], data.test[rows]) for name, rows in (("first", half), ("second", ~half))}
    dataset = replace(dataset, held_out=held_out, extra_tests=halves)
    result["nine"] = {}
    for loss in NINE:
        with tempfile.TemporaryDirectory() as folder:
            record = train(recipe_of(loss, len(data.labels)), folder, data=dataset)
            best = record.selected
            assert best is not None
            result["nine"][loss] = [best.extra_tests[name]["accuracy"] for name in halves]
            ends = {"ce": ("last", "selected"), "gce": ("last",)}.get(loss, ())
            for epoch in ends:
                predicted = load(folder, epoch=epoch).predict_proba(tests).argmax(1)  # type: ignore[arg-type]
                result["hits"][f"{loss}, {epoch}"] = _bits(predicted == data.test)


def _others(
    job: Job, features: NDArray[np.float32], tests: NDArray[np.float32], data: Cut, result: dict[str, Any]
) -> None:
    estimators: dict[str, Any] = {
        "boosting": HistGradientBoostingClassifier(random_state=0),
        "logistic": LogisticRegression(max_iter=1000),
    }
    if job.part == (0 if job.name in FOLDS else 1):
        try:
            from cleanlab.classification import CleanLearning
        except ModuleNotFoundError:
            pass
        else:
            estimators["cleanlab, network"] = CleanLearning(Plain(), cv_n_folds=3, seed=0)
            trees = HistGradientBoostingClassifier(random_state=0)
            estimators["cleanlab, boosting"] = CleanLearning(trees, cv_n_folds=3, seed=0)
    # Labels without gaps, as all of these take them.
    there, labels = np.unique(data.labels, return_inverse=True)
    for name, estimator in estimators.items():
        try:
            predicted = there[np.asarray(estimator.fit(features, labels).predict(tests), np.int64)]
        except ValueError as error:  # cleanlab wants several samples of every class
            result.setdefault("failed", {})[name] = str(error)[:200]
            continue
        result["hits"][name] = _bits(predicted == data.test)


def _bits(hits: NDArray[np.bool_]) -> str:
    return "".join("1" if hit else "0" for hit in hits.tolist())


def cells(results: dict[str, dict[str, Any]], jobs: list[Job]) -> list[dict[str, Any]]:
    """Of each set and noise the accuracies in percent, and by how much `fit` is ahead, with paired standard errors."""
    found = []
    for name, kind in dict.fromkeys((job.name, job.noise) for job in jobs):
        parts = [results[job.id] for job in jobs if (job.name, job.noise) == (name, kind) and job.id in results]
        if not parts:
            continue
        ours = [_array(part["hits"]["fit"]) for part in parts]
        cell: dict[str, Any] = {"set": name, "noise": kind, "fit": 100 * float(np.concatenate(ours).mean())}
        cell["confidence"] = 100 * float(np.mean([part["fit"]["confidence"] for part in parts]))
        cell["oracle"] = 100 * _oracle(parts)
        cell["rivals"] = {}
        for rival in dict.fromkeys(rival for part in parts for rival in part["hits"] if rival != "fit"):
            pairs = [
                (_array(part["hits"]["fit"]), _array(part["hits"][rival])) for part in parts if rival in part["hits"]
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


def _array(bits: str) -> NDArray[np.float64]:
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


def main() -> None:
    """Do what is missing of the measurement, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="where the Parquet files are")
    parser.add_argument("--work", type=Path, default=Path("runs/fit"), help="what is done (default: %(default)s)")
    parser.add_argument("--set", action="append", choices=[*TABLES, *FURTHER], help="may be repeated")
    parser.add_argument("--noise", action="append", choices=NOISES, help="may be repeated (default: all)")
    parser.add_argument("--all", action="store_true", help="further tables of the folder too")
    parser.add_argument("--budget", default="30s", help="of each fit (default: 30s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write figures as JSON, and a table beside it")
    options = parser.parse_args()

    keep_freed_memory()
    options.work.mkdir(parents=True, exist_ok=True)
    sets = options.set or [*TABLES, *(FURTHER if options.all else ())]
    # By noise last, so that an unfinished measurement has every kind.
    jobs = [
        Job(name, kind, part)
        for place in range(4)
        for name in sets
        for kind in options.noise or NOISES
        for part in [place if name in FOLDS else place + 1]
        if name in FOLDS or place < 2
    ]
    results: dict[str, dict[str, Any]] = {}
    for number, job in enumerate(jobs, 1):
        file = options.work / f"{job.id}.json"
        if file.exists():
            results[job.id] = json.loads(file.read_text(encoding="utf-8"))
            continue
        began = time.perf_counter()
        results[job.id] = run_job(job, options)
        file.write_text(json.dumps(results[job.id]), encoding="utf-8")
        hits = {name: _array(bits).mean() for name, bits in results[job.id]["hits"].items()}
        shown = ", ".join(f"{name} {100 * value:.1f}" for name, value in hits.items())
        print(f"{number} of {len(jobs)}: {job.id}: {shown} ({time.perf_counter() - began:.0f} s)", flush=True)
    found = cells(results, jobs)
    summary = bars(found)
    print(markdown(found, summary))
    print(json.dumps(summary, indent=1))
    if options.out is not None:
        where = environment(torch.device("cpu"))
        content = {"environment": where, "budget": options.budget, "bars": summary, "cells": found}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        options.out.with_suffix(".md").write_text(markdown(found, summary), encoding="utf-8")


if __name__ == "__main__":
    main()
