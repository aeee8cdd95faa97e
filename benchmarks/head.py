"""Time and memory of losses behind a linear layer with very many classes, beside all of its logits.

    python benchmarks/head.py [--shape N,C,D ...] [--loss NAME ...] [--rounds 3] [--out FILE.json]

Every number is a ratio to ``F.cross_entropy(F.linear(features, weight), target)``, forward and backward with gradients
of features and weights, in float32 and one thread. Time is CPU time: all take turns, and the ratio is that of the
medians. Memory is the most that a step takes beyond what was there before it, each measured in a process of its own.
The matrix products alone, and PyTorch's own ``F.linear_cross_entropy`` where there is one, stand beside them.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from noiseproof.losses import REGISTRY, linear_loss
from noiseproof.provenance import environment
from noiseproof.train import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPES = ("2048,32000,512", "256,1000000,64")
ALL, PRODUCTS, THEIRS = "all logits", "products alone", "torch, "
CHUNKS = (32, 64, 128, 256, 512)
"""Rows of a chunk that PyTorch's own is tried with."""


class Data:
    """Features and weights that want gradients, and labels."""

    def __init__(self, shape: str) -> None:
        count, classes, width = map(int, shape.split(","))
        random = torch.Generator().manual_seed(0)
        self.features = torch.randn(count, width, generator=random).requires_grad_()
        self.weight = torch.randn(classes, width, generator=random).mul_(width**-0.5).requires_grad_()
        self.labels = torch.randint(classes, (count,), generator=random)


def _own_of_torch(data: Data, rows: int) -> Tensor:
    options = nn.LinearCrossEntropyOptions(batch_chunk_size=rows)
    found: Tensor = functional.linear_cross_entropy(data.features, data.weight, data.labels, options=options)
    return found


def _products(data: Data) -> None:
    """What a step multiplies at least, in the chunks that ours has."""
    features, weight = data.features.detach(), data.weight.detach()
    rows = max(64, weight.shape[1] // 2)
    by_features, by_weight = torch.empty_like(features), torch.zeros_like(weight)
    buffer = torch.empty(rows, len(weight))
    for start in range(0, len(features), rows):
        part = features[start : start + rows]
        scores = torch.mm(part, weight.t(), out=buffer[: len(part)])
        torch.mm(scores, weight, out=by_features[start : start + rows])
        by_weight.addmm_(scores.t(), part)


def _backward(value: Callable[[Data], Tensor], data: Data) -> None:
    data.features.grad = data.weight.grad = None
    value(data).backward()  # type: ignore[no-untyped-call]


def contenders(losses: list[str]) -> dict[str, Callable[[Data], None]]:
    """A step of each, by name."""
    values: dict[str, Callable[[Data], Tensor]] = {
        ALL: lambda data: functional.cross_entropy(functional.linear(data.features, data.weight), data.labels)
    }
    if hasattr(nn, "LinearCrossEntropyOptions"):
        values |= {f"{THEIRS}{rows} rows": functools.partial(_own_of_torch, rows=rows) for rows in CHUNKS}
    for name in losses:
        values[name] = lambda data, name=name: linear_loss(data.features, data.weight, data.labels, name)
    return {PRODUCTS: _products, **{name: functools.partial(_backward, value) for name, value in values.items()}}


def seconds(shape: str, steps: dict[str, Callable[[Data], None]], rounds: int) -> dict[str, float]:
    """The median CPU time of a step of each."""
    data = Data(shape)
    found: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            began = time.process_time()
            step(data)
            if turn:  # the first one warms up
                found[name].append(time.process_time() - began)
    return {name: statistics.median(values) for name, values in found.items()}


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def memory(shape: str, name: str) -> int:
    """The most bytes that a step takes beyond what was there, in this process."""
    data = Data(shape)
    step = contenders([] if name in (ALL, PRODUCTS) or name.startswith(THEIRS) else [name])[name]
    small = Data("64,1000,16")  # what is taken once, such as threads and code
    step(small)
    # What the system has put aside meanwhile would count when it comes back.
    for held in (data.features, data.weight):
        held.detach().sum()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    step(data)
    return _status("VmHWM") - before


def measure(shape: str, losses: list[str], rounds: int) -> list[dict[str, Any]]:
    """Ratios of all contenders."""
    steps = contenders(losses)
    taken = seconds(shape, steps, rounds)
    peaks = {}
    for name in steps:
        command = [sys.executable, __file__, "--shape", shape, "--memory", name]
        peaks[name] = int(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603 - this file
    rows = []
    for name in steps:
        row = {
            "name": name,
            "shape": shape,
            "seconds": taken[name],
            "ratio": taken[name] / taken[ALL],
            "megabytes": peaks[name] / 2**20,
            "memory_ratio": peaks[name] / peaks[ALL],
        }
        rows.append(row)
        print(f"{name:<16}{shape:>18}{row['seconds']:>9.2f} s{row['ratio']:>7.2f}{row['megabytes']:>9.0f} MB"
              f"{row['memory_ratio']:>7.2f}", flush=True)  # fmt: skip
    return rows


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", action="append", metavar="N,C,D", help="may be repeated (default: two)")
    parser.add_argument("--loss", action="append", metavar="NAME", help="may be repeated (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--memory", metavar="NAME", help="print what a step of this one takes, and end")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures and where they come from as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    shapes = options.shape or list(SHAPES)
    if options.memory is not None:
        print(memory(shapes[0], options.memory))
        return
    rows = [row for shape in shapes for row in measure(shape, options.loss or list(REGISTRY), options.rounds)]
    if options.out is not None:
        content = {"environment": environment(torch.device("cpu")), "rows": rows}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
