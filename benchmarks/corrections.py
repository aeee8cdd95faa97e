"""What corrections of labels bring: of the most suspicious ones, and of as many at random.

    python benchmarks/corrections.py --images DIR [--work DIR] [--noise worst|aggre ...] [--seeds 5] [--rows 10000]
        [--tests 10000] [--count 200 ...] [--budget 2m] [--out FILE.json]

Each seed draws 10,000 of the 50,000 published training images of CIFAR-10, with the human labels of CIFAR-10N.
`noiseproof.fit` learns from the vectors of the packaged frozen network, `model.audit()` orders the labels, and of the
200, 500 and 2,000 most suspicious ones, or of as many at random, a file of corrections says what a person decides who
knows the clean labels: another class, or to keep the label. The data are fitted again with this file. Accuracies are
those on the 10,000 published test images.

Fits with corrections repeat the plan of the one before: what differs are the labels. What the frozen network said of an
image is kept in `--work` under the checksum of the very pixels that it got, so that it is asked once. A fit has some 20
seconds more of its budget for training than without.

Intervals are those of Student's t at 95 %, of differences within each seed. What is finished in `--work` is not done
again; nothing else should run beside it, since the budget of the first fit is a time.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import math
import shutil
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import stats
from torch import nn

from audit_scores import measured
from fit_sets import Job, class_names, class_numbers
from measurement import Measurement
from noiseproof import __version__
from noiseproof.auditing.corrections import COLUMNS
from noiseproof.data import Unlabeled, cifar10, cifarn
from noiseproof.embeddings import DEFAULT, embed, frozen_network
from noiseproof.files import write_atomically
from noiseproof.fitted import PLAN
from noiseproof.fitting import fit, look
from noiseproof.provenance import environment
from noiseproof.train import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from measurement import Part
    from noiseproof.auditing import Audit
    from noiseproof.fitted import Model
    from noiseproof.fitting import Given

ORDERS = ("suspicious", "random")


class Remembering(nn.Module):
    """A network that learns nothing, and is asked once about the same pixels.

    Args:
        network: the network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.known: dict[bytes, NDArray[np.float32]] = {}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Vectors ``(n, features)`` of images ``(n, 3, size, size)``."""
        pixels = images.permute(0, 2, 3, 1).contiguous().numpy()
        keys = [hashlib.sha256(each.data).digest() for each in pixels]
        new = [place for place, key in enumerate(keys) if key not in self.known]
        if new:
            vectors = self.network(images[new]).numpy()
            self.known |= {keys[place]: vector for place, vector in zip(new, vectors, strict=True)}
        return torch.from_numpy(np.stack([self.known[key] for key in keys]))

    def read(self, path: Path) -> None:
        """Know what :meth:`write` wrote."""
        table = np.load(path, allow_pickle=False)
        self.known |= {key.tobytes(): vector for key, vector in zip(table["key"], table["vector"], strict=True)}

    def write(self, path: Path) -> None:
        """Keep all that is known."""
        vectors = np.stack([*self.known.values()])
        table = np.empty(len(vectors), [("key", "u1", 32), ("vector", "f4", vectors.shape[1])])
        table["key"] = np.frombuffer(b"".join(self.known), np.uint8).reshape(len(vectors), 32)
        table["vector"] = vectors
        write_array(path, table)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """As ``numpy.save``, whole or not at all."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    write_atomically(path, content.getbuffer())


class Labeled:
    """What is learned from, and what tests it.

    Args:
        job: a set of human labels, and the seed that draws the images.
        options: of the command.
    """

    def __init__(self, job: Job, options: argparse.Namespace) -> None:
        data = cifar10(options.images)
        assert data.test is not None
        index = np.sort(np.random.default_rng(job.part).permutation(len(data.train))[: options.rows])
        self.images, self.clean = np.asarray(data.train.inputs)[index], data.train.labels[index]
        self.labels = cifarn(options.images, job.noise).labels[index]
        rows = np.arange(options.tests)
        self.tests, self.test = np.asarray(data.test.inputs)[rows], data.test.labels[rows]
        self.notes = [*data.notes]
        network = frozen_network(DEFAULT)
        remembering = Remembering(network.module)
        self.network = replace(network, module=remembering)
        path = options.work / f"vectors-train-{job.part}-{network.sha256[:8]}.npy"
        if not path.exists():
            self._embed(self.images)
            remembering.write(path)
        remembering.read(path)
        path = options.work / f"vectors-test-{network.sha256[:8]}.npy"
        if not path.exists():
            write_array(path, self._embed(self.tests))
        self.test_vectors = np.load(path, allow_pickle=False)

    def _embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        shape = self.network.embedding(self.given().dataset.preprocessing).images
        return embed(self.network, images, shape, device=torch.device("cpu")).features

    def given(self, corrections: Path | None = None) -> Given:
        """The images with their human labels, perhaps corrected, as `fit` gets them."""
        return look(self.images, class_names(self.labels), corrections=corrections, features=self.network)

    def accuracy(self, model: Model) -> float:
        """The share of test images that a model gets right."""
        probabilities = model.predictor.probabilities(Unlabeled(self.test_vectors, range(len(self.test)), {}))
        return float((class_numbers(model)[probabilities.argmax(1)] == self.test).mean())


def before(job: Job, options: argparse.Namespace) -> dict[str, Any]:
    """The fit without corrections, its audit, and the files of corrections that follow from it."""
    data = Labeled(job, options)
    began = time.perf_counter()
    model = fit(data.given(), budget=options.budget, seed=job.part)
    seconds = time.perf_counter() - began
    shutil.copyfile(model.folder / PLAN, _plan(job, options))
    audit, wrong = model.audit(), data.labels != data.clean
    chosen = {"suspicious": audit.order, "random": np.random.default_rng([job.part, 1]).permutation(len(wrong))}
    for name, order in chosen.items():
        for count in options.count:
            text = corrections_text(audit, order[:count], class_names(data.clean), name)
            write_atomically(_file(name, count, job, options), text.encode())
    return {
        "accuracy": data.accuracy(model),
        "wrong": float(wrong.mean()),
        "found": {
            name: {count: int(wrong[order[:count]].sum()) for count in options.count} for name, order in chosen.items()
        },
        "audit": measured(wrong, audit.table["score"]),
        "seconds": seconds,
        "notes": data.notes,
    }


def after(order: str, count: int, job: Job, options: argparse.Namespace) -> dict[str, Any]:
    """The fit with corrections."""
    data = Labeled(job, options)
    given = data.given(_file(order, count, job, options))
    trusted = given.dataset.trusted
    assert trusted is not None
    assert trusted.sum() == count, f"{trusted.sum()} of {count} corrections apply"
    began = time.perf_counter()
    model = fit(given, budget=options.budget, seed=job.part, plan=_plan(job, options))
    seconds = time.perf_counter() - began
    return {"accuracy": data.accuracy(model), "seconds": seconds}


def corrections_text(audit: Audit, rows: NDArray[np.int64], clean: Sequence[str], queue: str) -> str:
    """A file of corrections, as a person who knows the clean labels of these rows would save it."""
    assert audit.hashes is not None
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows.tolist():
        given = audit.table["given"][row]
        writer.writerow(
            {
                "key": audit.table["key"][row],
                "row_hash": audit.hashes[row, :8].tobytes().hex(),
                "given": given,
                "decided": clean[row],
                "action": "keep" if clean[row] == given else "relabel",
                "queue": queue,
                "reviewer": "clean labels",
                "labels_sha256": audit.labels_sha256,
                "noiseproof": __version__,
            }
        )
    return text.getvalue()


def _plan(job: Job, options: argparse.Namespace) -> Path:
    found: Path = options.work / f"{job.id}.{PLAN}"
    return found


def _file(order: str, count: int, job: Job, options: argparse.Namespace) -> Path:
    found: Path = options.work / f"{job.id}.{_part(order, count)}.csv"
    return found


def _part(order: str, count: int) -> str:
    return f"{order}-{count}"


def interval(values: Sequence[float]) -> dict[str, Any]:
    """The mean, and to either side of it Student's interval at 95 %; ``None`` for a single value."""
    count = len(values)
    half = stats.t.ppf(0.975, count - 1) * np.std(values, ddof=1) / math.sqrt(count) if count > 1 else None
    return {"mean": float(np.mean(values)), "half": None if half is None else float(half)}


def cells(results: dict[Job, dict[str, dict[str, Any]]], counts: Sequence[int]) -> list[dict[str, Any]]:
    """By label set, in percent, what each number of corrections brings, of the seeds that are done."""
    found = []
    for noise in dict.fromkeys(job.noise for job in results):
        parts = [result for job, result in results.items() if job.noise == noise]
        first = np.array([part["before"]["accuracy"] for part in parts])
        cell: dict[str, Any] = {
            "noise": noise,
            "seeds": len(parts),
            "notes": parts[0]["before"]["notes"],
            "wrong": 100 * float(np.mean([part["before"]["wrong"] for part in parts])),
            "before": 100 * float(first.mean()),
            "audit": {
                measure: float(np.mean([part["before"]["audit"][measure] for part in parts]))
                for measure in ("ap", "auroc")
            },
            "corrections": [],
        }
        for count in counts:
            accuracy = {
                order: 100 * np.array([part[_part(order, count)]["accuracy"] for part in parts]) for order in ORDERS
            }
            cell["corrections"].append(
                {
                    "count": count,
                    "accuracy": {order: float(values.mean()) for order, values in accuracy.items()},
                    "gain": {order: interval(values - 100 * first) for order, values in accuracy.items()},
                    "ahead": interval(accuracy["suspicious"] - accuracy["random"]),
                    "were wrong": {
                        order: 100
                        * float(np.mean([part["before"]["found"][order][str(count)] for part in parts]))
                        / count
                        for order in ORDERS
                    },
                }
            )
        cell["seconds"] = float(np.mean([part[name]["seconds"] for part in parts for name in part]))
        found.append(cell)
    return found


def markdown(found: list[dict[str, Any]]) -> str:
    """The table."""
    lines = []
    for cell in found:
        lines += [
            f"CIFAR-10N {cell['noise']}, {cell['wrong']:.1f} % of the labels wrong, {cell['seeds']} "
            f"seed{'s'[: cell['seeds'] > 1]}. Accuracy before: {cell['before']:.2f} %.",
            "",
            "| corrections | wrong among the suspicious, random ones (%) | accuracy, suspicious (%) | accuracy, random "
            "(%) | suspicious ahead by |",
            "| ---: | ---: | ---: | ---: | ---: |",
        ]
        for each in cell["corrections"]:
            precision = ", ".join(f"{each['were wrong'][order]:.1f}" for order in ORDERS)
            accuracies = [f"{each['accuracy'][order]:.2f} ({_shown(each['gain'][order])})" for order in ORDERS]
            lines.append(f"| {each['count']:,} | {precision} | {' | '.join(accuracies)} | {_shown(each['ahead'])} |")
        lines.append("")
    return "\n".join(lines)


def _shown(found: dict[str, Any]) -> str:
    return f"{found['mean']:+.2f}" + ("" if found["half"] is None else f" ± {found['half']:.2f}")


def main() -> None:
    """Do what is missing of the measurement, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="where CIFAR-10 and its human labels are")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/corrections"), help="what is done (default: %(default)s)"
    )
    parser.add_argument("--noise", action="append", help="label set, may be repeated (default: worst and aggre)")
    parser.add_argument("--seeds", type=int, default=5, help="(default: 5)")
    parser.add_argument("--rows", type=int, default=10_000, help="images to learn from (default: 10000)")
    parser.add_argument("--tests", type=int, default=10_000, help="images to test with (default: 10000)")
    parser.add_argument("--count", type=int, action="append", help="may be repeated (default: 200, 500 and 2000)")
    parser.add_argument("--budget", default="2m", help="of each first fit (default: 2m)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write figures as JSON, and a table beside it")
    options = parser.parse_args()
    options.count = options.count or [200, 500, 2000]

    keep_freed_memory()
    # All label sets of a seed come before the next seed, so that an unfinished measurement has every label set.
    jobs = [
        Job("cifar10", noise, seed)
        for seed in range(1, options.seeds + 1)
        for noise in options.noise or ("worst", "aggre")
    ]
    parts: dict[str, Part] = {
        "before": before,
        **{_part(order, count): partial(after, order, count) for count in options.count for order in ORDERS},
    }
    measurement = Measurement(options)
    measurement.do(jobs, parts)
    found = cells(measurement.results(jobs, [*parts]), options.count)
    print(markdown(found))
    if options.out is not None:
        content = {"environment": environment(torch.device("cpu")), "cells": found}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        options.out.with_suffix(".md").write_text(markdown(found), encoding="utf-8")


if __name__ == "__main__":
    main()
