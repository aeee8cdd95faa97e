"""CPU time of a training step with each loss, beside the same step of another version of this package.

    python benchmarks/steps.py --before DIR [--loss NAME ...] [--rounds 7] [--steps 60] [--out FILE.json]

DIR is a checkout of the other version, such as one that ``git worktree add DIR COMMIT`` makes. A step is forward,
backward and SGD of a network with two hidden layers of 256 for 128 samples of 64 numbers and ten classes, small enough
for the loss to be seen beside it. The two versions take turns, each time in a process of its own with one thread, and
every figure is a ratio of medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn

from noiseproof.losses import REGISTRY, make_loss
from noiseproof.provenance import environment


def measured(names: list[str], steps: int) -> dict[str, float]:
    """The median seconds of a step with each loss, of this process."""
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(128, 64, generator=random)
    labels = torch.randint(10, (128,), generator=random)
    found = {}
    for name in names:
        network = nn.Sequential(
            nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
        )  # fmt: skip
        optimizer, loss = torch.optim.SGD(network.parameters(), lr=1e-3), make_loss(name)
        taken = []
        for step in range(steps + 10):
            began = time.process_time()
            optimizer.zero_grad()
            loss(network(inputs), labels).backward()
            optimizer.step()
            if step >= 10:  # the first ones warm up
                taken.append(time.process_time() - began)
        found[name] = statistics.median(taken)
    return found


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="a checkout of the other version")
    parser.add_argument("--loss", action="append", metavar="NAME", help="may be repeated (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="default: 7")
    parser.add_argument("--steps", type=int, default=60, help="of a turn (default: 60)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    names = options.loss or list(REGISTRY)
    if options.before is None:  # a turn
        torch.set_num_threads(1)
        where = environment(torch.device("cpu"))
        print(json.dumps({"environment": where, "seconds": measured(names, options.steps)}))
        return

    folders = {"before": options.before, "now": Path(__file__).resolve().parent.parent}
    arguments = [f"--loss={name}" for name in names]
    turns: dict[str, list[dict[str, dict[str, float]]]] = {version: [] for version in folders}
    for _ in range(options.rounds):
        for version, folder in folders.items():
            variables = {**os.environ, "PYTHONPATH": str(folder.resolve() / "src")}
            command = [sys.executable, __file__, f"--steps={options.steps}", *arguments]
            done = subprocess.run(command, check=True, capture_output=True, env=variables)  # noqa: S603 - this file
            turns[version].append(json.loads(done.stdout))
    rows = []
    for name in names:
        before, now = (statistics.median(turn["seconds"][name] for turn in turns[version]) for version in folders)
        rows.append({"loss": name, "before": before, "now": now, "ratio": now / before})
        print(f"{name:<14}{before * 1e6:>8.0f} µs before{now * 1e6:>8.0f} µs now{now / before:>7.2f}")
    if options.out is not None:
        where = {version: turns[version][0]["environment"] for version in folders}
        options.out.write_text(json.dumps({"environments": where, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
