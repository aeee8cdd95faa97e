"""What noise on very many labels, and over very many classes, costs.

    python benchmarks/noise.py [--labels 100000000] [--rounds 3] [--out results/noise.json]

Each figure comes from a process of its own: CPU seconds, and for generators the peak of its memory above what it had
with the labels that it was given, in bytes for each label. Of several rounds the median counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof import noise

if TYPE_CHECKING:
    from collections.abc import Callable

MILLION = 1_000_000

GENERATED: list[dict[str, Any]] = [
    {"classes": 10, "mode": "exact", "type": "int64"},
    {"classes": 10, "mode": "exact", "type": "uint8"},
    {"classes": 10, "mode": "iid", "type": "int64"},
    {"classes": 10, "mode": "published", "type": "int64"},
    {"classes": 1000, "mode": "exact", "type": "int64"},
    {"classes": 1000, "mode": "iid", "type": "int64"},
    {"classes": 1000, "mode": "iid", "type": "uint16"},
    {"classes": MILLION, "mode": "exact", "type": "int64"},
    {"classes": MILLION, "mode": "iid", "type": "int64"},
]
"""Symmetric noise of 40 % on random labels; over a million classes on a tenth as many."""

BARS = {"seconds": 10.0, "bytes": 10.0, "save": 1.0, "load": 1.0}


def memory(what: str) -> int:
    """A line of this process's memory, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


def generate(asked: dict[str, Any]) -> dict[str, float]:
    """Put symmetric noise on labels."""
    labels = np.random.default_rng(0).integers(0, asked["classes"], asked["labels"], dtype=asked["type"])
    noise.symmetric(labels[:100], 0.4, num_classes=asked["classes"], mode=asked["mode"])
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins here
    before, began = memory("VmRSS"), time.process_time()
    noisy = noise.symmetric(labels, 0.4, num_classes=asked["classes"], mode=asked["mode"], seed=1)
    seconds = time.process_time() - began
    kept = noisy.labels.nbytes + noisy.clean.nbytes
    return {
        "seconds": seconds,
        "bytes": (memory("VmHWM") - before) / len(labels),
        "kept": kept / len(labels),
        "rate": noisy.rate,
    }


def manifest(asked: dict[str, Any]) -> dict[str, float]:
    """Save a manifest and load it."""
    labels = np.random.default_rng(0).integers(0, 10, asked["labels"])
    noisy = noise.symmetric(labels, 0.4, num_classes=10, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.json"
        began = time.process_time()
        noisy.save(path)
        saved = time.process_time()
        again = noise.load(path)
        loaded = time.process_time()
        assert again.checksum == noisy.checksum
        return {"save": saved - began, "load": loaded - saved, "megabytes": path.stat().st_size / 1e6}


def theory(asked: dict[str, Any]) -> dict[str, float]:
    """Ask what theory says of noise over very many classes."""
    from noiseproof import theory

    size = asked["classes"]
    seconds = {}

    def timed(name: str, ask: Callable[[], Any]) -> Any:
        began = time.process_time()
        answer = ask()
        seconds[name] = time.process_time() - began
        return answer

    theory.guarantees(noise.symmetric_matrix(0.4, 10), ["jal-ce"])
    symmetric = timed("symmetric_matrix", lambda: noise.symmetric_matrix(0.4, size))
    ring = {label: (label + 1) % size for label in range(size)}
    asymmetric = timed("asymmetric_matrix", lambda: noise.asymmetric_matrix(0.4, ring, size))
    row = symmetric[0]
    timed("is_asymmetric", lambda: theory.is_asymmetric("jal-ce", row))
    timed("needed_a", lambda: theory.needed_a("jal-ce", row))
    timed("largest_symmetric_rate", lambda: theory.largest_symmetric_rate("jal-ce", size))
    timed("risk_minimizer", lambda: theory.risk_minimizer("amse(a=5)", row))
    timed("amse_threshold_matrix", lambda: theory.amse_threshold_matrix(asymmetric))
    timed("guarantees of jal-ce", lambda: theory.guarantees(symmetric, ["jal-ce"]))
    timed("guarantees of all losses", lambda: theory.guarantees(symmetric))
    return seconds


_TASKS: dict[str, Callable[[dict[str, Any]], dict[str, float]]] = {
    "generate": generate,
    "manifest": manifest,
    "theory": theory,
}


def measure(task: str, asked: dict[str, Any], rounds: int) -> dict[str, Any]:
    """The medians of a task that processes of their own do."""
    command = [sys.executable, __file__, "--task", task, "--asked", json.dumps(asked)]
    texts = [
        subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 - this file itself
        for _ in range(rounds)
    ]
    found = [json.loads(text) for text in texts]
    medians = {name: statistics.median(each[name] for each in found) for name in found[0]}
    result = {"task": task, **asked, **medians}
    result["missed"] = [name for name, bar in BARS.items() if name in medians and medians[name] > bar]
    figures = ", ".join(f"{name} {value:.3g}" for name, value in medians.items())
    print(f"{task} {', '.join(f'{key} {value}' for key, value in asked.items())}: {figures}", flush=True)
    return result


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=100 * MILLION, help="how many to put noise on (default: 10^8)")
    parser.add_argument("--rounds", type=int, default=3, help="of each figure (default: 3)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write what was measured as JSON")
    parser.add_argument("--task", choices=[*_TASKS], help=argparse.SUPPRESS)
    parser.add_argument("--asked", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task is not None:
        warnings.simplefilter("ignore")
        print(json.dumps(_TASKS[options.task](options.asked)))
        return
    found = []
    for setting in GENERATED:
        labels = options.labels // (10 if setting["classes"] == MILLION else 1)
        found.append(measure("generate", {"labels": labels, **setting}, options.rounds))
    found.append(measure("manifest", {"labels": options.labels // 10}, options.rounds))
    found.append(measure("theory", {"classes": MILLION}, options.rounds))
    if options.out is not None:
        import torch

        from noiseproof.provenance import environment

        content = {"environment": environment(torch.device("cpu")), "rounds": options.rounds, "bars": BARS}
        content["figures"] = found
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
