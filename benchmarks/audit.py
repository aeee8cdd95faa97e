"""How well audits find wrong labels, beside cleanlab's scores of cross-validated probabilities.

    python benchmarks/audit.py [--tables DIR] [--images DIR] [--work DIR] [--set NAME ...] [--noise NAME ...]
        [--seeds 3] [--budget 30s] [--epochs 20] [--rows 50000] [--only audits|rivals|PART] [--jobs N] [--out FILE.json]

Tables: real ones of at least 600 rows (from DIR/NAME.parquet) and scikit-learn's digits, with noise on all labels:
symmetric .2 and .4, asymmetric .3 and instance-dependent .3, three seeds. `noiseproof.fit` has 30 seconds, and
`model.audit()` ranks the labels. The rivals are cleanlab's three scores (the best of them counts) of the probabilities
of five folds: of HistGradientBoosting, and of the network that `fit` trains, with plain CE, at its last epoch and at
its best noisy epoch. They get the preprocessing of `fit`.

Images with features (`--set cifar10`): 10,000 of CIFAR-10 with the human labels of CIFAR-10N (aggre, random1, worst),
as the vectors of the packaged frozen network. `noiseproof.fit` has 5 minutes; `noiseproof.audit(labels, features=…)`
trains nothing. The rival is logistic regression on the same vectors, five folds.

Images without features (`--set pixels`): all 50,000 with these labels, cnn8(width=0.25) with crops and flips, and a
million sample updates for every contender: one run of 20 epochs with CE, GCE, JAL-CE(a=10) or NCE+RCE, audited by what
it kept of each sample; or the mean of a CE and a JAL-CE run of 10 epochs. The rivals are cleanlab's scores of three
folds of 10 epochs with CE, and the probabilities that the one CE run gives its own samples after its last epoch. Runs
have one thread each, and go on where they were. Every score is measured, so that a default can be chosen.

AP and AUROC are over all labels; wrong ones are positive. What is finished in `--work` is not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from audit_pixels import CONTENDERS, CROSSED, DEFAULT, PARTS, PIXELS, crossed, pixel_bars, pixel_cells, pixel_markdown
from audit_scores import best_of_three, measured, rival_scores
from fit_rivals import TABLES_NETWORK, as_dataset
from fit_sets import FURTHER, TABLES, Job, class_names, noisy, read
from measurement import Measurement
from noiseproof import audit
from noiseproof.data import cifar10, cifarn, from_table
from noiseproof.embeddings import embed, frozen_network
from noiseproof.fitting import fit, look
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
        self.names = class_names(labels)
        self.labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        self.classes = int(self.labels.max()) + 1
        self.wrong = labels != clean

    def vectors(self) -> NDArray[np.float32]:
        """Of images, by the packaged frozen network."""
        network = frozen_network("efficientnet-lite0")
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
    result = {"fit, audit": {**measured(known.wrong, score), "seconds": ended - began, "audit_seconds": ended - fitted}}
    if job.name == IMAGES:
        vectors = known.vectors()
        began = time.perf_counter()
        score = audit(known.labels, features=vectors, classes=range(known.classes)).table["score"]
        result["audit of features"] = {**measured(known.wrong, score), "seconds": time.perf_counter() - began}
    return result


def rivals(job: Job, options: argparse.Namespace) -> dict[str, Any]:
    """What cleanlab's scores find of cross-validated probabilities."""
    torch.set_num_threads(1)
    keep_freed_memory()
    known = Known(job, options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            name: rival_scores(p, known.labels, known.wrong, seconds) for name, p, seconds in _probabilities(job, known)
        }


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


def cells(results: dict[Job, dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Means over the seeds, by set and noise."""
    found = []
    for name, kind in dict.fromkeys((job.name, job.noise) for job in results):
        parts = [result for job, result in results.items() if (job.name, job.noise) == (name, kind)]
        cell: dict[str, Any] = {"set": name, "noise": kind, "seeds": len(parts), "ap": {}, "auroc": {}, "seconds": {}}
        for measure in ("ap", "auroc"):
            for ours in parts[0]["audits"]:
                cell[measure][ours] = float(np.mean([part["audits"][ours][measure] for part in parts]))
            for rival in parts[0]["rivals"]:
                values = [best_of_three(part["rivals"][rival], measure) for part in parts]
                cell[measure][rival] = float(np.mean(values))
                own = [part["rivals"][rival]["log-margin"][measure] for part in parts]
                cell[measure][f"{rival}, log-margin"] = float(np.mean(own))
        for side in ("audits", "rivals"):
            for what in parts[0][side]:
                cell["seconds"][what] = float(np.mean([part[side][what]["seconds"] for part in parts]))
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
    parser.add_argument("--set", action="append", choices=[*SETS, IMAGES, PIXELS], help="may be repeated")
    parser.add_argument("--noise", action="append", help="may be repeated (default: all)")
    parser.add_argument("--seeds", type=int, default=3, help="of tables (default: 3)")
    parser.add_argument("--budget", default="30s", help="of each fit of a table (default: 30s)")
    parser.add_argument("--epochs", type=int, default=20, help="of one run on pixels (default: 20)")
    parser.add_argument("--rows", type=int, default=50_000, help="images of the runs on pixels (default: all 50000)")
    parser.add_argument(
        "--only", choices=("audits", "rivals", *CONTENDERS, CROSSED), help="one side, or part of pixels"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="rivals and runs at once (default: all cores)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write figures as JSON, and a table beside it")
    options = parser.parse_args()

    assert {*SETS} <= {*TABLES, *FURTHER}
    keep_freed_memory()
    sets = options.set or [*(SETS if options.tables else ()), *((IMAGES, PIXELS) if options.images else ())]
    every = [
        Job(name, kind, seed)
        for seed in range(1, options.seeds + 1)
        for name in sets
        for kind in (HUMAN if name in (IMAGES, PIXELS) else NOISES)
        if (options.noise is None or kind in options.noise) and (name not in (IMAGES, PIXELS) or seed == 1)
    ]
    jobs, runs = ([job for job in every if (job.name == PIXELS) == is_run] for is_run in (False, True))
    measurement = Measurement(options)
    if options.only in (None, "audits"):
        measurement.do(jobs, {"audits": audits})
    if options.only in (None, "rivals"):
        measurement.do(jobs, {"rivals": rivals}, options.jobs)
    parts = {**PARTS, CROSSED: crossed}
    measurement.do(runs, {name: part for name, part in parts.items() if _is_asked(name, options.only)}, options.jobs)

    found = cells(measurement.results(jobs, ["audits", "rivals"]))
    images = pixel_cells(measurement.results(runs, [*parts]))
    if not found and not images:
        print("no job has all parts: no figures yet")
        return
    summary, text = bars(found), markdown(found) if found else ""
    if images:
        summary[PIXELS] = pixel_bars(images)
        text += pixel_markdown(images, summary[PIXELS])
    print(text)
    said = {PIXELS: {name: scores[DEFAULT] for name, scores in summary[PIXELS].items()}} if images else {}
    print(json.dumps({**summary, **said}, indent=1))
    if options.out is not None:
        where = environment(torch.device("cpu"))
        content = {"environment": where, "bars": summary, "cells": [*found, *images]}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        options.out.with_suffix(".md").write_text(text, encoding="utf-8")


def _is_asked(part: str, only: str | None) -> bool:
    """Whether a part of the runs on pixels is to be done."""
    return only in (None, part, "rivals" if part == CROSSED else "audits")


if __name__ == "__main__":
    main()
