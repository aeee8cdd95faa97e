"""Seconds for a grid of lite CIFAR-10 runs: one after another with all threads, and several at once.

    python benchmarks/grid.py --data-dir DIR [--runs 8] [--epochs 2] [--rounds 2] [--jobs N ...] [--out FILE.json]

Each way makes the same runs from the start; the ways take turns. The time is that of the whole command, the start of
worker processes included, so that short runs (few epochs) make several at once look worse than long ones do.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch

from noiseproof.bench import load_grid
from noiseproof.provenance import environment
from noiseproof.run import Machine, run_recipes
from noiseproof.train import keep_freed_memory


def main() -> None:
    """Run the grid in every way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="where CIFAR-10 is")
    parser.add_argument("--runs", type=int, default=8, help="how many runs (default: 8)")
    parser.add_argument("--epochs", type=int, default=2, help="of each run (default: 2; the recipe has 15)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each way is timed (default: 2)")
    parser.add_argument("--jobs", type=int, action="append", metavar="N", help="may be repeated (default: 2)")
    parser.add_argument("--device", default="cpu", help="default: cpu")
    parser.add_argument("--fast", action="store_true", help="with compiled updates")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures to this JSON file")
    options = parser.parse_args()

    changes = {
        "method": "jal-ce",
        "noise": {"kind": "symmetric", "rate": 0.4, "mode": "exact"},
        "epochs": options.epochs,
        "grid": {"seeds": list(range(1, options.runs + 1))},
    }
    recipes = load_grid("cifar10-lite", changes).recipes
    ways = [1, *(options.jobs or [2])]
    seconds: dict[int, list[float]] = {way: [] for way in ways}
    keep_freed_memory()
    for _ in range(options.rounds):
        for way in ways:
            machine = Machine(options.data_dir, device=options.device, jobs=way, fast=options.fast)
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                records = run_recipes(recipes, Path(folder), machine)
                seconds[way].append(time.perf_counter() - began)
            assert all(record.status == "finished" for record in records.values())
    ratios = {
        way: statistics.median(alone / taken for alone, taken in zip(seconds[1], times, strict=True))
        for way, times in seconds.items()
    }
    print(f"{'jobs':<8}{'seconds':>10}{'times as fast as 1':>22}")
    for way in ways:
        print(f"{way:<8}{statistics.median(seconds[way]):>10.1f}{ratios[way]:>22.3f}")
    if options.out is not None:
        found = {
            "what": f"{options.runs} runs of cifar10-lite, {options.epochs} epochs each",
            "environment": environment(torch.device(options.device)),
            "fast": options.fast,
            "seconds": seconds,
            "ratio": ratios,
        }
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
