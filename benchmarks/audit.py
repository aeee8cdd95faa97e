"""How well audits find wrong labels, beside cleanlab's scores of cross-validated probabilities.

    python benchmarks/audit.py [--tables DIR] [--images DIR] [--work DIR] [--set NAME ...] [--noise NAME ...]
        [--seeds 3] [--budget 30s] [--only audits|rivals] [--jobs N] [--out FILE.json]

Tables: real ones of at least 600 rows (from DIR/NAME.parquet) and scikit-learn's digits, with noise on all labels:
symmetric .2 and .4, asymmetric .3 and instance-dependent .3, three seeds. `noiseproof.fit` has 30 seconds, and
`model.audit()` ranks the labels. The rivals are cleanlab's three scores (the best of them counts) of the probabilities
of five folds: of HistGradientBoosting, and of the network that `fit` trains, with plain CE, at its last epoch and at
its best noisy epoch. They get the preprocessing of `fit`.

Images: 10,000 of CIFAR-10 with the human labels of CIFAR-10N (aggre, random1, worst), as the vectors of the packaged
frozen network. `noiseproof.fit` has 5 minutes; `noiseproof.audit(labels, features=…)` trains nothing. The rival is
logistic regression on the same vectors, five folds.

AP and AUROC are over all labels; wrong ones are positive. What is finished in `--work` is not done again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from fit_rivals import TABLES_NETWORK, as_dataset
from fit_sets import FURTHER, TABLES, Job, noisy, read
from noiseproof import audit
from noiseproof.data import cifar10, cifarn, from_table
from noiseproof.embeddings import embed, frozen_network
from noiseproof.files import write_atomically
from noiseproof.fitting import fit
from noiseproof.prediction import load
from noiseproof.provenance import environment
from noiseproof.train import keep_freed_memory, train

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

SETS = ("letter", "spam", "dna", "income", "digits", "soybean", "vehicle", "pima", "breastcancer")
NOISES = ("symmetric .2", "symmetric .4", "asymmetric .3", "instance .3")
IMAGES, HUMAN = "cifar10", ("aggre", "random1", "worst")
IMAGE_ROWS, FOLDS = 10_000, 5
DESIGN = ("letter", "dna", "vehicle", "digits")
"""What the default score was chosen on."""


class Known:
    """Inputs with noisy labels of which is known which are wrong."""

    def __init__(self, job: Job, options: argparse.Namespace) -> None:
        self.features: NDArray[np.float32] | None = None
        if job.name == IMAGES:
            data = cifar10(options.images)
            index = np.sort(np.random.default_rng(0).permutation(len(data.train))[:IMAGE_ROWS])
            self.inputs: Any = np.asarray(data.train.inputs)[index]
            clean = data.train.labels[index]
            labels = cifarn(options.images / "CIFAR-10_human.pt", job.noise).labels[index]
        else:
            self.inputs, clean = read(job.name, options.tables)
            labels = noisy(job, self.inputs, clean, int(clean.max()) + 1)
        self.names = [f"class {label:02d}" for label in labels]
        self.labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        self.classes = int(self.labels.max()) + 1
        self.wrong = labels != clean

    def measured(self, score: NDArray[Any]) -> dict[str, float]:
        """AP and AUROC of a score that is high for wrong labels."""
        return {
            "ap": float(average_precision_score(self.wrong, score)),
            "auroc": float(roc_auc_score(self.wrong, score)),
        }

    def vectors(self) -> NDArray[np.float32]:
        """Of images, by the packaged frozen network."""
        network = frozen_network("efficientnet-lite0")
        from noiseproof.fitting import look

        images = network.embedding(look(self.inputs, self.names, features=True).dataset.preprocessing).images
        return embed(network, self.inputs, images, device=torch.device("cpu")).features

    def encoded(self) -> NDArray[np.float32]:
        """Of a table, as `fit` learns from it."""
        encoding = from_table(self.inputs, self.names).encoding
        assert encoding is not None
        found: NDArray[np.float32] = encoding.encode(self.inputs)
        return found


def audits(job: Job, options: argparse.Namespace) -> dict[str, Any]:
    """What noiseproof finds."""
    known = Known(job, options)
    began = time.perf_counter()
    model = fit(known.inputs, known.names, budget="5m" if job.name == IMAGES else options.budget, seed=job.part)
    fitted = time.perf_counter()
    score = model.audit().table["score"]
    ended = time.perf_counter()
    result = {"fit, audit": {**known.measured(score), "seconds": ended - began, "audit_seconds": ended - fitted}}
    if job.name == IMAGES:
        vectors = known.vectors()
        began = time.perf_counter()
        score = audit(known.labels, features=vectors, classes=range(known.classes)).table["score"]
        result["audit of features"] = {**known.measured(score), "seconds": time.perf_counter() - began}
    return result


def rivals(job: Job, options: argparse.Namespace) -> dict[str, Any]:
    """What cleanlab's scores find of cross-validated probabilities."""
    from cleanlab.rank import get_label_quality_scores  # type: ignore[import-untyped]

    torch.set_num_threads(1)
    keep_freed_memory()
    known = Known(job, options)
    result: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, p, seconds in _probabilities(job, known):
            scores = {
                method: known.measured(1 - get_label_quality_scores(known.labels, p, method=method))
                for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
            }
            ours = audit(known.labels, probabilities=p, classes=range(known.classes)).table["score"]
            result[name] = {"scores": scores, "log-margin": known.measured(ours), "seconds": seconds}
    return result


def _probabilities(job: Job, known: Known) -> Iterator[tuple[str, NDArray[np.float64], float]]:
    if job.name == IMAGES:
        inputs = known.vectors()
        inputs = (inputs - inputs.mean(0)) / np.maximum(inputs.std(0), 1e-6)
        yield _crossed("logistic regression", inputs, known, job.part, _logistic)
        return
    inputs = known.encoded()
    yield _crossed("boosting", inputs, known, job.part, _boosted)
    for epoch in ("last", "selected"):
        yield _crossed(
            f"network, {epoch}", inputs, known, job.part, lambda *parts, epoch=epoch: _network(*parts, epoch)
        )


def _crossed(
    name: str, inputs: NDArray[Any], known: Known, seed: int, predict: Callable[..., NDArray[Any]]
) -> tuple[str, NDArray[np.float64], float]:
    began = time.process_time()
    p = np.zeros((len(inputs), known.classes))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for rows, others in folds.split(inputs, known.labels):
        p[others] = predict(inputs[rows], known.labels[rows], inputs[others], known.classes)
    return name, p, time.process_time() - began


def _boosted(X: NDArray[Any], y: NDArray[np.int64], others: NDArray[Any], classes: int) -> NDArray[Any]:
    return _spread(HistGradientBoostingClassifier(random_state=0).fit(X, y), others, classes)


def _logistic(X: NDArray[Any], y: NDArray[np.int64], others: NDArray[Any], classes: int) -> NDArray[Any]:
    return _spread(LogisticRegression(max_iter=1000).fit(X, y), others, classes)


def _spread(model: Any, others: NDArray[Any], classes: int) -> NDArray[Any]:
    found = np.zeros((len(others), classes))
    found[:, model.classes_] = model.predict_proba(others)
    return found


def _network(
    X: NDArray[Any], y: NDArray[np.int64], others: NDArray[Any], classes: int, epoch: str
) -> NDArray[np.float32]:
    """Plain CE, for as long as the rivals of `fit`; the best epoch is that of a fifth that is held out."""
    dataset = as_dataset(X, y, classes)
    if epoch == "selected":
        folds = StratifiedKFold(5, shuffle=True, random_state=1)
        dataset = replace(dataset, held_out=np.sort(next(iter(folds.split(y, y)))[1]))
    with tempfile.TemporaryDirectory() as folder:
        record = train(TABLES_NETWORK.recipe("ce", len(y)), folder, data=dataset)
        return load(str(record.folder), epoch=epoch).predict_proba(others)  # type: ignore[arg-type]


class Measurement:
    """What is done of the jobs."""

    def __init__(self, jobs: list[Job], options: argparse.Namespace) -> None:
        self._jobs, self._options = jobs, options

    def do(self, what: Callable[[Job, argparse.Namespace], dict[str, Any]], processes: int) -> None:
        """Do a part of every job, in so many processes at once; 0 for this one."""
        missing = [job for job in self._jobs if not self._file(job, what.__name__).exists()]
        if not processes:
            for job in missing:
                self._keep(job, what.__name__, what(job, self._options))
        elif missing:
            with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
                futures = {pool.submit(what, job, self._options): job for job in missing}
                for future in as_completed(futures):
                    self._keep(futures[future], what.__name__, future.result())

    def results(self) -> dict[Job, dict[str, Any]]:
        """Of the jobs of which both parts are done."""
        found = {}
        for job in self._jobs:
            files = [self._file(job, what) for what in ("audits", "rivals")]
            if all(file.exists() for file in files):
                ours, others = (json.loads(file.read_text(encoding="utf-8")) for file in files)
                found[job] = {"ours": ours, "rivals": others}
        return found

    def _file(self, job: Job, what: str) -> Path:
        return Path(self._options.work) / f"{job.id}.{what}.json"

    def _keep(self, job: Job, what: str, result: dict[str, Any]) -> None:
        write_atomically(self._file(job, what), json.dumps(result).encode())
        print(f"{job.id}: {json.dumps(result)}", flush=True)


def best_of_three(rival: dict[str, Any], measure: str) -> float:
    """Of cleanlab's scores."""
    return max(float(each[measure]) for each in rival["scores"].values())


def cells(results: dict[Job, dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over the seeds, by set and noise."""
    found = []
    for name, kind in dict.fromkeys((job.name, job.noise) for job in results):
        parts = [result for job, result in results.items() if (job.name, job.noise) == (name, kind)]
        cell: dict[str, Any] = {"set": name, "noise": kind, "seeds": len(parts), "ap": {}, "auroc": {}, "seconds": {}}
        for measure in ("ap", "auroc"):
            for ours in parts[0]["ours"]:
                cell[measure][ours] = float(np.mean([part["ours"][ours][measure] for part in parts]))
            for rival in parts[0]["rivals"]:
                values = [best_of_three(part["rivals"][rival], measure) for part in parts]
                cell[measure][rival] = float(np.mean(values))
                own = [part["rivals"][rival]["log-margin"][measure] for part in parts]
                cell[measure][f"{rival}, log-margin"] = float(np.mean(own))
        for kind_, each in (("ours", parts[0]["ours"]), ("rivals", parts[0]["rivals"])):
            for what in each:
                cell["seconds"][what] = float(np.mean([part[kind_][what]["seconds"] for part in parts]))
        found.append(cell)
    return found


def bars(found: list[dict[str, Any]]) -> dict[str, Any]:
    """What the bars are held against: how far the first column is ahead of the others."""
    summary: dict[str, Any] = {}
    for group, chosen in {
        "tables": [cell for cell in found if cell["set"] != IMAGES],
        "tables that chose nothing": [cell for cell in found if cell["set"] not in (IMAGES, *DESIGN)],
        "images": [cell for cell in found if cell["set"] == IMAGES],
    }.items():
        if chosen:
            summary[group] = {"cells": len(chosen)}
            for measure in ("ap", "auroc"):
                names = list(chosen[0][measure])
                summary[group][measure] = {
                    name: float(np.mean([cell[measure][name] for cell in chosen])) for name in names
                }
            firsts = [name for name in ("boosting", "network, last", "logistic regression") if name in chosen[0]["ap"]]
            by_set: dict[str, list[float]] = {}
            for cell in chosen:
                ahead = cell["ap"]["fit, audit"] - max(cell["ap"][name] for name in firsts)
                by_set.setdefault(cell["set"], []).append(ahead)
            summary[group]["ahead of the best of boosting and the last epoch, by set"] = {
                name: float(np.mean(values)) for name, values in by_set.items()
            }
    return summary


def markdown(found: list[dict[str, Any]]) -> str:
    """The table of all cells."""
    lines = ["AP of wrong labels (of the rivals, the best of cleanlab's three scores).", ""]
    for is_image in (False, True):
        chosen = [cell for cell in found if (cell["set"] == IMAGES) == is_image]
        if chosen:
            names = [name for name in chosen[0]["ap"] if "log-margin" not in name]
            lines += [f"| set, noise | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
            for cell in chosen:
                values = " | ".join(f"{cell['ap'][name]:.3f}" for name in names)
                lines.append(f"| {cell['set']}, {cell['noise']} | {values} |")
            means = " | ".join(f"{np.mean([cell['ap'][name] for cell in chosen]):.3f}" for name in names)
            lines += [f"| mean | {means} |", ""]
    return "\n".join(lines)


def main() -> None:
    """Do what is missing of the measurement, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, help="where the Parquet files are")
    parser.add_argument("--images", type=Path, help="where CIFAR-10 and its human labels are")
    parser.add_argument("--work", type=Path, default=Path("runs/audit"), help="what is done (default: %(default)s)")
    parser.add_argument("--set", action="append", choices=[*SETS, IMAGES], help="may be repeated")
    parser.add_argument("--noise", action="append", help="may be repeated (default: all)")
    parser.add_argument("--seeds", type=int, default=3, help="of tables (default: 3)")
    parser.add_argument("--budget", default="30s", help="of each fit of a table (default: 30s)")
    parser.add_argument("--only", choices=("audits", "rivals"), help="one of the two parts")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="rivals at once (default: all cores)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write figures as JSON, and a table beside it")
    options = parser.parse_args()

    assert {*SETS} <= {*TABLES, *FURTHER}
    keep_freed_memory()
    options.work.mkdir(parents=True, exist_ok=True)
    sets = options.set or [*(SETS if options.tables else ()), *((IMAGES,) if options.images else ())]
    jobs = [
        Job(name, kind, seed)
        for seed in range(1, options.seeds + 1)
        for name in sets
        for kind in (HUMAN if name == IMAGES else NOISES)
        if (options.noise is None or kind in options.noise) and (name != IMAGES or seed == 1)
    ]
    measurement = Measurement(jobs, options)
    if options.only != "rivals":
        measurement.do(audits, 0)
    if options.only != "audits":
        measurement.do(rivals, options.jobs)
    found = cells(measurement.results())
    if not found:
        print("no job has both parts: no figures yet")
        return
    summary = bars(found)
    print(markdown(found))
    print(json.dumps(summary, indent=1))
    if options.out is not None:
        where = environment(torch.device("cpu"))
        content = {"environment": where, "bars": summary, "cells": found}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        options.out.with_suffix(".md").write_text(markdown(found), encoding="utf-8")


if __name__ == "__main__":
    main()
