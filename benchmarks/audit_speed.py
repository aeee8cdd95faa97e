"""The time and memory of an audit of 1,000,000 × 100 probabilities, beside cleanlab's functions for the same.

    python benchmarks/audit_speed.py [--rows 1000000] [--classes 100] [--out FILE.json]

Each side runs in a process of its own with one thread, imports and data ready: `noiseproof.audit` with its table,
joint and figures for each class; cleanlab's three scores, its confident joint and `find_label_issues(n_jobs=1)`. Memory
is the most that was resident above what there was before a call; for cleanlab of the call that took most.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from noiseproof.provenance import environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_PAGE = resource.getpagesize()


def data(rows: int, classes: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Labels, and probabilities of a model that is right in about four of five."""
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, rows)
    p = random.standard_normal((rows, classes), np.float32)
    p[np.arange(rows), labels] += 4
    np.exp(p, out=p)
    p /= p.sum(1, keepdims=True)
    wrong = random.random(rows) < 0.1
    labels[wrong] = random.integers(0, classes, int(wrong.sum()))
    return labels, p


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


def measured(function: Callable[[], Any]) -> tuple[float, int]:
    """CPU seconds of a call, and the most bytes that were resident above those before."""
    before, most, done = _resident(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            most[0] = max(most[0], _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.process_time()
    kept = function()
    seconds = time.process_time() - began
    most[0] = max(most[0], _resident())
    done.set()
    watcher.join()
    del kept
    return seconds, max(0, most[0] - before)


def ours(rows: int, classes: int) -> dict[str, Any]:
    """One audit."""
    from noiseproof import audit

    labels, p = data(rows, classes)
    audit(labels[:1000], probabilities=p[:1000])
    seconds, memory = measured(lambda: audit(labels, probabilities=p))
    return {"seconds": seconds, "memory": memory}


def theirs(rows: int, classes: int) -> dict[str, Any]:
    """What cleanlab needs for the same."""
    from cleanlab.count import compute_confident_joint
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    labels, p = data(rows, classes)
    calls: dict[str, Callable[[], Any]] = {
        method: lambda method=method: get_label_quality_scores(labels, p, method=method)  # type: ignore[misc]
        for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    }
    calls["compute_confident_joint"] = lambda: compute_confident_joint(labels, p)
    calls["find_label_issues"] = lambda: find_label_issues(labels, p, n_jobs=1)
    each = {name: measured(call) for name, call in calls.items()}
    return {
        "seconds": sum(seconds for seconds, _ in each.values()),
        "memory": max(memory for _, memory in each.values()),
        "calls": {name: {"seconds": seconds, "memory": memory} for name, (seconds, memory) in each.items()},
    }


def main() -> None:
    """Measure both, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--out", type=Path, metavar="FILE")
    options = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    found: dict[str, Any] = {"environment": environment(torch.device("cpu"))}
    for name, function in (("noiseproof", ours), ("cleanlab", theirs)):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found[name] = pool.apply(function, (options.rows, options.classes))
        print(f"{name}: {found[name]['seconds']:.1f} s, {found[name]['memory'] / 2**20:,.0f} MiB", flush=True)
    found["ratio"] = {what: found["noiseproof"][what] / found["cleanlab"][what] for what in ("seconds", "memory")}
    print(f"ratios: {found['ratio']['seconds']:.3f} of the time, {found['ratio']['memory']:.3f} of the memory")
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
