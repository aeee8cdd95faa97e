"""Whether bfloat16 moves an accuracy: cells of a published table in float32 and in bfloat16, the same seeds.

    python benchmarks/precision.py --data-dir DIR [--lite] [--cells PATTERN] [--seeds 5] [--runs DIR] [--out FILE]
    python benchmarks/precision.py --data-dir DIR --device cuda --fast --jobs 2

A difference is paired: initial weights, order, augmentation and labels of a seed are the same in both. It is set beside
the seed noise, the standard deviation over seeds in float32. Runs that are in --runs already are taken from there, and
an interrupted one goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from pathlib import Path
from typing import Any

from noiseproof.bench import load_reproduction
from noiseproof.cli._display import GridDisplay
from noiseproof.run import Machine, run_recipes
from noiseproof.train import keep_freed_memory

_PRECISIONS = ("32-true", "bf16-mixed")


def main() -> None:
    """Run the cells in both precisions and print the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="where CIFAR-10 is")
    parser.add_argument("--lite", action="store_true", help="the lite protocol, for a CPU with bfloat16 instructions")
    parser.add_argument("--table", default="jal-cifar10", help="published table (default: jal-cifar10)")
    parser.add_argument(
        "--cells", action="append", metavar="PATTERN", help="default: JAL-CE at symmetric 0.8 and CE at symmetric 0.4"
    )
    parser.add_argument("--seeds", type=int, default=5, help="default: 5")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="default: runs")
    parser.add_argument("--device", default="auto", help="default: auto")
    parser.add_argument("--fast", action="store_true", help="with compiled updates")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once (default: 1)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures to this JSON file")
    options = parser.parse_args()

    keep_freed_memory()
    tables = {
        precision: load_reproduction(
            options.table,
            lite=options.lite,
            cells=options.cells or ["jal-ce/symmetric-0.8", "ce/symmetric-0.4"],
            seeds=options.seeds,
            changes={"precision": precision},
        )
        for precision in _PRECISIONS
    }
    machine = Machine(options.data_dir, device=options.device, jobs=options.jobs, fast=options.fast)
    recipes = [recipe for table in tables.values() for recipe in table.recipes]
    with GridDisplay() as display:
        records = run_recipes(recipes, options.runs, machine, watch=display)

    cells: dict[str, dict[str, Any]] = {}
    for plain, rounded in zip(*(table.targets for table in tables.values()), strict=True):
        values = [
            [100 * records[recipe.id].last.test_accuracy for recipe in target.recipes]  # type: ignore[union-attr, operator]
            for target in (plain, rounded)
        ]
        differences = [second - first for first, second in zip(*values, strict=True)]
        cells[plain.key] = {
            **dict(zip(_PRECISIONS, values, strict=True)),
            "difference": statistics.fmean(differences),
            "standard_error": statistics.stdev(differences) / math.sqrt(len(differences)),
            "seed_noise": statistics.stdev(values[0]),
        }
    print(f"{'cell':<24}{'float32':>15}{'bfloat16':>15}{'difference':>17}{'seed noise':>12}")
    for key, cell in cells.items():
        means = [f"{statistics.fmean(cell[each]):.2f} ± {statistics.stdev(cell[each]):.2f}" for each in _PRECISIONS]
        difference = f"{cell['difference']:+.2f} ± {cell['standard_error']:.2f}"
        print(f"{key:<24}{means[0]:>15}{means[1]:>15}{difference:>17}{cell['seed_noise']:>12.2f}")
    if options.out is not None:
        first = records[recipes[0].id]
        result = {
            "what": f"{'lite ' * options.lite}{options.table}, {options.seeds} seeds, accuracy of the last epoch in %",
            "environment": first.environments[-1]["environment"],
            "data": first.data["notes"],
            "cells": cells,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
