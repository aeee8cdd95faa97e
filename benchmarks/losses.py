"""Time and memory of the losses, forward and backward, beside cross-entropy and the naive formulas.

    python benchmarks/losses.py [--loss NAME ...] [--shape N,K ...] [--compile] [--rounds 30] [--out FILE.json]
    python benchmarks/losses.py --device cuda --dtype bfloat16 --compile --shape 512,32000 --shape 4096,128256

Every number is a ratio to ``F.cross_entropy`` on the same logits in the same run, in one thread: all take turns, step
by step, and the ratio is that of the medians. Time is that of the processor, which other work beside it changes
little, and of the clock on a GPU. The last column is the ratio to a copy of the logits on their device, which reads and
writes as many bytes as a step must at least. Memory is the largest sum of what the step has allocated and not yet
freed, the gradient included, as PyTorch's profiler or the GPU's allocator sees it.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler talks at every start and stop

import torch
from torch import Tensor
from torch.nn import functional

from naive_losses import NAIVE
from noiseproof.losses import REGISTRY, make_loss
from noiseproof.provenance import environment

Step = Callable[[Tensor, Tensor], Tensor]

SHAPES = ((128, 10), (256, 1000), (512, 32000))


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loss", action="append", metavar="NAME", help="may be repeated (default: all)")
    parser.add_argument("--shape", action="append", metavar="N,K", help="may be repeated (default: three)")
    parser.add_argument("--compile", action="store_true", help="compile all three")
    parser.add_argument("--device", default="cpu", help="default: cpu")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"), help="of the logits")
    parser.add_argument("--rounds", type=int, default=30, help="default: 30")
    parser.add_argument("--threads", type=int, default=1, help="default: 1")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures and where they come from as JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shapes = [tuple(map(int, text.split(","))) for text in options.shape or ()] or list(SHAPES)
    rows = []
    print(
        f"{'loss':<14}{'shape':>14}{'CE (µs)':>10}{'time / CE':>11}{'naive / CE':>12}{'memory / CE':>13}"
        f"{'time / copy':>13}"
    )
    for rows_count, classes in shapes:
        for name in options.loss or REGISTRY:
            logits = torch.randn(rows_count, classes, generator=torch.Generator().manual_seed(0))
            logits = logits.to(options.device, getattr(torch, options.dtype)).requires_grad_()
            row = measure(name, logits, options.rounds, compiled=options.compile)
            rows.append(row)
            naive = "none" if row["naive_ratio"] is None else f"{row['naive_ratio']:.2f}"
            print(
                f"{name:<14}{f'({rows_count}, {classes})':>14}{row['ce_seconds'] * 1e6:>10.0f}{row['ratio']:>11.2f}"
                f"{naive:>12}{row['memory_ratio']:>13.2f}{row['copy_ratio']:>13.2f}",
                flush=True,
            )
    if options.out is not None:
        found = {
            "environment": environment(torch.device(options.device)),
            "dtype": options.dtype,
            "compiled": options.compile,
            "rows": rows,
        }
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measure(name: str, logits: Tensor, rounds: int, *, compiled: bool) -> dict[str, Any]:
    """The medians of one loss on some logits."""
    rows_count, classes = logits.shape
    target = torch.randint(classes, (rows_count,), generator=torch.Generator().manual_seed(1)).to(logits.device)
    loss = make_loss(name)
    steps: dict[str, Step] = {
        "ce": functional.cross_entropy,
        "ours": loss,
    }
    if name in NAIVE:  # a loss of one's own need not have one
        steps["naive"] = lambda z, y: NAIVE[name](z, y, **loss.hyperparameters).mean()
    if compiled:
        torch.compiler.reset()
        steps = {key: torch.compile(step) for key, step in steps.items()}
    # Short steps are repeated, so that the clock and the interpreter's mood matter less.
    repeats = max(1, min(100, 2_000_000 // (rows_count * classes)))
    turns: dict[str, Callable[[], object]] = {
        key: functools.partial(_once, step, logits, target) for key, step in steps.items()
    }
    plain, copied = logits.detach(), torch.empty_like(logits)
    turns["copy"] = lambda: copied.copy_(plain)
    seconds: dict[str, list[float]] = {key: [] for key in turns}
    now = time.perf_counter if logits.device.type == "cuda" else time.process_time
    for turn in range(rounds + 2):
        for key, once in turns.items():
            _wait_for(logits.device)
            began = now()
            for _ in range(repeats):
                once()
            _wait_for(logits.device)
            if turn >= 2:
                seconds[key].append((now() - began) / repeats)
    median = {key: statistics.median(values) for key, values in seconds.items()}
    memory = {key: peak_memory(step, logits, target) for key, step in steps.items()}
    return {
        "loss": loss.spec,
        "shape": [rows_count, classes],
        "ce_seconds": median["ce"],
        "ratio": median["ours"] / median["ce"],
        "naive_ratio": median["naive"] / median["ce"] if "naive" in steps else None,
        "memory_ratio": memory["ours"] / memory["ce"],
        "copy_ratio": median["ours"] / median["copy"],
        "naive_memory_ratio": memory["naive"] / memory["ce"] if "naive" in steps else None,
    }


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _once(step: Step, logits: Tensor, target: Tensor) -> None:
    logits.grad = None
    step(logits, target).backward()  # type: ignore[no-untyped-call]


def peak_memory(step: Step, logits: Tensor, target: Tensor) -> int:
    """The most bytes that one step holds at once beyond its inputs."""
    logits.grad = None
    if logits.device.type == "cuda":
        before = torch.cuda.memory_allocated(logits.device)
        torch.cuda.reset_peak_memory_stats(logits.device)
        _once(step, logits, target)
        return torch.cuda.max_memory_allocated(logits.device) - before
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        _once(step, logits, target)
    assert profile.profiler is not None
    assert profile.profiler.kineto_results is not None
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda one: one.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


if __name__ == "__main__":
    main()
