"""How good the models of `fit` are on data with wrong labels, beside an oracle and what else there is.

    python benchmarks/fit.py [--tables DIR] [--images DIR] [--work DIR] [--set NAME ...] [--noise NAME ...] [--all]
        [--budget 30s] [--image-budget 5m] [--no-features] [--only fits|rivals] [--jobs N] [--out FILE.json]

The tables are real ones (from DIR/NAME.parquet) and scikit-learn's digits; noise is put on the training labels. Of
the larger ones a quarter of the rows, stratified by clean label and drawn anew for each of two seeds, is the test; the
small ones are cut into four folds, and every row is tested once. Of images, 5,000 of the published training images are
learned from, and all published test images are the test: CIFAR-10 with its human labels (DIR/cifar-10-batches-py,
DIR/CIFAR-10_human.pt), and Fashion-MNIST (DIR/fashion-mnist/*.gz). `fit` never sees the test. Rivals get its features:

(a) the same network with plain CE, at its last epoch and at the epoch with the best held-out noisy accuracy;
(b) GCE at its default, last epoch;
(c) the oracle: of nine losses (each at its best noisy epoch) the one with the highest clean accuracy over the seeds or
    folds on one half of the test rows, scored on the other half, and the reverse;
(d) scikit-learn's HistGradientBoosting and logistic regression;
(e) cleanlab's CleanLearning, three folds, around (a)'s network and around HistGradientBoosting, on the first seed or
    fold, where cleanlab is installed.

A cell is one set with one noise: seeds averaged, folds pooled. What is finished in `--work` is not done again. First
come all fits, one after another, since their budgets are times: nothing else should run beside them. Rivals have
numbers of epochs, and are computed in several processes at once.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

import torch

from fit_bars import array, bars, bits, cells, markdown
from fit_rivals import rivals
from fit_sets import FOLDS, FURTHER, IMAGE_FOLDERS, IMAGES, NOISES, TABLES, Cut, Job, class_numbers, cut
from measurement import Measurement
from noiseproof.fitting import fit
from noiseproof.provenance import environment
from noiseproof.train import keep_freed_memory


def fitted(data: Cut, budget: str, features: bool | None) -> dict[str, Any]:
    """The accuracy of `fit`, and how its model came to be."""
    began = time.perf_counter()
    model = fit(data.inputs, data.names, budget=budget, features=features)
    seconds = time.perf_counter() - began
    probabilities = model.predict_proba(data.tests)
    # A class that is wholly lost to noise is none of the model's.
    return {
        "hits": {"fit": bits(class_numbers(model)[probabilities.argmax(1)] == data.test)},
        "fit_seconds": seconds,
        "fit": {
            "confidence": float(probabilities.max(1).mean()),
            "chosen": model.summary["chosen"],
            "members": [member["name"] for member in model.summary["members"]],
            "trees": model.summary["trees"],
            "temperature": model.summary["temperature"],
            "bracket": model.summary["bracket"],
        },
    }


def the_fit(job: Job, options: argparse.Namespace) -> dict[str, Any]:
    """What there is to say of `fit` on a job."""
    budget = options.image_budget if job.name in IMAGES else options.budget
    return fitted(cut(job, options.tables, options.images), budget, options.features)


def the_rivals(job: Job, options: argparse.Namespace) -> dict[str, Any]:
    """What there is to say of the rivals on a job."""
    torch.set_num_threads(1)
    keep_freed_memory()
    first = job.part == (0 if job.name in FOLDS else 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = cut(job, options.tables, options.images)
        return rivals(data, with_cleanlab=first, features=options.features)


def shown(result: dict[str, Any]) -> str:
    """The accuracies."""
    return ", ".join(f"{name} {100 * array(hits).mean():.1f}" for name, hits in result["hits"].items())


def main() -> None:
    """Do what is missing of the measurement, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, help="where the Parquet files are")
    parser.add_argument("--images", type=Path, help="where the images are")
    parser.add_argument("--work", type=Path, default=Path("runs/fit"), help="what is done (default: %(default)s)")
    parser.add_argument("--set", action="append", choices=[*TABLES, *FURTHER, *IMAGES], help="may be repeated")
    parser.add_argument("--noise", action="append", help="may be repeated (default: all)")
    parser.add_argument("--all", action="store_true", help="further tables of the folder too")
    parser.add_argument("--budget", default="30s", help="of each fit of a table (default: 30s)")
    parser.add_argument("--image-budget", default="5m", help="of each fit of images (default: 5m)")
    parser.add_argument(
        "--no-features", dest="features", action="store_const", const=False, help="learn from the pixels of images"
    )
    parser.add_argument("--only", choices=("fits", "rivals"), help="one of the two parts")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="rivals at once (default: all cores)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write figures as JSON, and a table beside it")
    options = parser.parse_args()

    keep_freed_memory()
    tables = [*TABLES, *(FURTHER if options.all else ())] if options.tables else []
    images = [name for name, folder in IMAGE_FOLDERS.items() if options.images and (options.images / folder).exists()]
    sets = options.set or [*tables, *images]
    # The first seeds and folds of all come first, so that an unfinished measurement has every set and noise.
    jobs = [
        Job(name, kind, place if name in FOLDS else place + 1)
        for place in range(4)
        for name in sets
        for kind in IMAGES.get(name, NOISES)
        if place < (4 if name in FOLDS else 1 if name in IMAGES else 2)
        and (options.noise is None or kind in options.noise)
    ]
    measurement = Measurement(options, shown)
    if options.only != "rivals":
        measurement.do(jobs, {"fit": the_fit})
    if options.only != "fits":
        measurement.do(jobs, {"rivals": the_rivals}, options.jobs)
    results = {}
    for job, parts in measurement.results(jobs, ["fit", "rivals"]).items():
        ours, others = parts["fit"], parts["rivals"]
        results[job.id] = {**ours, **others, "hits": {**ours["hits"], **others["hits"]}}
    found = cells(results, jobs)
    if not found:
        print("no job has both parts: no figures yet")
        return
    summary = bars(found)
    print(markdown(found, summary))
    print(json.dumps(summary, indent=1))
    if options.out is not None:
        where = environment(torch.device("cpu"))
        content = {"environment": where, "bars": summary, "cells": found}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        options.out.with_suffix(".md").write_text(markdown(found, summary), encoding="utf-8")


if __name__ == "__main__":
    main()
