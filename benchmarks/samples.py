"""What keeping a record of each sample costs a run.

    python benchmarks/samples.py [--rounds 7] [--out results/samples.json]

The same runs with and without `samples = "scores"`, in turns in one process: the digits' recipe, and `cnn8(width=0.25)`
on images of CIFAR-10's shape. Times are CPU seconds of the whole run, checkpoints included; a ratio is the median of
those of neighboring runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from noiseproof.data import Dataset, Part
from noiseproof.provenance import environment
from noiseproof.train import make_recipe, train


def images(count: int) -> Dataset:
    """Random images of CIFAR-10's shape."""
    random = np.random.default_rng(0)
    parts = [
        Part(random.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8), np.arange(size, dtype=np.int64) % 10)
        for size in (count, 100)
    ]
    names = tuple(f"class {number}" for number in range(10))
    return Dataset("cifar10", *parts, names, (125.0,) * 3, (60.0,) * 3)


SETTINGS: dict[str, tuple[dict[str, Any], Dataset | None]] = {
    "digits": ({"extends": "digits", "epochs": 20}, None),
    "cnn8(width=0.25)": (
        {"extends": "cifar10", "model": "cnn8(width=0.25)", "epochs": 2, "validation": 0.1, "noise": {"kind": "none"}},
        images(2000),
    ),
}
"""Recipes, with their data where these are not the recipe's own."""


def seconds(recipe: dict[str, Any], dataset: Dataset | None, samples: str) -> float:
    """The CPU time of a run."""
    with tempfile.TemporaryDirectory() as folder:
        asked = make_recipe({**recipe, "samples": samples})
        began = time.process_time()
        train(asked, Path(folder) / "run", device="cpu", workers=0, dataset=dataset)
        return time.process_time() - began


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="pairs of runs (default: 7)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write what was measured as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for name, (recipe, dataset) in SETTINGS.items():
        seconds(recipe, dataset, "scores")
        pairs = []
        for number in range(options.rounds):
            order = ("none", "scores") if number % 2 else ("scores", "none")
            taken = {samples: seconds(recipe, dataset, samples) for samples in order}
            pairs.append((taken["scores"], taken["none"]))
        ratio = statistics.median(scores / none for scores, none in pairs)
        found[name] = {"ratio": ratio, "seconds": statistics.median(none for _, none in pairs), "pairs": pairs}
        print(f"{name:<20}{found[name]['seconds']:8.2f} s without, {ratio - 1:+.1%} with", flush=True)
    if options.out is not None:
        content = {"environment": environment(torch.device("cpu")), "rounds": options.rounds, "runs": found}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
