"""CPU time of a training step with each loss, beside the same step of another version of this package.

    python benchmarks/steps.py --before DIR [--loss NAME ...] [--rounds 15] [--steps 40] [--out FILE.json]

DIR is a checkout of the other version, such as one that ``git worktree add DIR COMMIT`` makes. A step is forward,
backward and SGD of a network with two hidden layers of 256 for 128 samples of 64 numbers and ten classes, small enough
for the loss to be seen beside it. The two versions take turns, some steps of one and then of the other, each in a
process of its own with one thread. The last figure is the median of the ratios of two turns, one after the other.
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
from typing import Any

import torch
from torch import nn

from noiseproof.losses import REGISTRY, make_loss
from noiseproof.provenance import environment


def measured(name: str, steps: int) -> float:
    """The median seconds of a step with a loss."""
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(128, 64, generator=random)
    labels = torch.randint(10, (128,), generator=random)
    network = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    optimizer, loss = torch.optim.SGD(network.parameters(), lr=1e-3), make_loss(name)
    taken = []
    for step in range(steps + 10):
        began = time.process_time()
        optimizer.zero_grad()
        loss(network(inputs), labels).backward()
        optimizer.step()
        if step >= 10:  # the first ones warm up
            taken.append(time.process_time() - began)
    return statistics.median(taken)


class Version:
    """A process with one version of the package.

    Args:
        folder: its checkout.
        steps: of a turn.
    """

    def __init__(self, folder: Path, steps: int) -> None:
        variables = {**os.environ, "PYTHONPATH": str(folder.resolve() / "src")}
        command = [sys.executable, __file__, f"--steps={steps}", "--turns"]
        self._process = subprocess.Popen(  # noqa: S603 - this file
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=variables
        )
        self.environment: dict[str, Any] = self._answer()

    def seconds(self, name: str) -> float:
        """Of a step with a loss, as found in one turn."""
        assert self._process.stdin is not None
        print(name, file=self._process.stdin, flush=True)
        return float(self._answer())

    def end(self) -> None:
        """Stop the process."""
        self._process.communicate()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def take_turns(steps: int) -> None:
    """Say where this is, and measure the losses that are named on standard input."""
    torch.set_num_threads(1)
    print(json.dumps(environment(torch.device("cpu"))), flush=True)
    for line in sys.stdin:
        print(measured(line.strip(), steps), flush=True)


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--before", type=Path, help="a checkout of the other version")
    which.add_argument("--turns", action="store_true", help="be one of the two processes")
    parser.add_argument("--loss", action="append", metavar="NAME", help="may be repeated (default: all)")
    parser.add_argument("--rounds", type=int, default=15, help="default: 15")
    parser.add_argument("--steps", type=int, default=40, help="of a turn (default: 40)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    if options.turns:
        take_turns(options.steps)
        return

    folders = {"before": options.before, "now": Path(__file__).resolve().parent.parent}
    versions = {name: Version(folder, options.steps) for name, folder in folders.items()}
    rows = []
    for name in options.loss or list(REGISTRY):
        turns = [{which: version.seconds(name) for which, version in versions.items()} for _ in range(options.rounds)]
        row = {which: statistics.median(turn[which] for turn in turns) for which in versions}
        ratio = statistics.median(turn["now"] / turn["before"] for turn in turns)
        rows.append({"loss": name, **row, "ratio": ratio})
        print(
            f"{name:<14}{row['before'] * 1e6:>8.0f} µs before{row['now'] * 1e6:>8.0f} µs now{ratio:>7.2f}", flush=True
        )
    where = {which: version.environment for which, version in versions.items()}
    for version in versions.values():
        version.end()
    if options.out is not None:
        options.out.write_text(json.dumps({"environments": where, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
