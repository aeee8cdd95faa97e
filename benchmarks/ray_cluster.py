"""A grid on a Ray cluster of two nodes, of which a process is killed and a node removed on the way.

    python benchmarks/ray_cluster.py [--runs 4] [--epochs 60] [--out FILE.json]

The records and weights must be those of the same grid run one after another in this process, undisturbed. The cluster
is made for it on this machine; each run takes one core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import ray
import torch
from ray.cluster_utils import Cluster

from noiseproof.bench import load_grid
from noiseproof.provenance import environment
from noiseproof.run import GridProgress, Machine, Ray, run_recipes
from noiseproof.train import Record, keep_freed_memory

FILES = ("record.json", "noise.json", "weights.safetensors", "selected.safetensors")


def main() -> int:
    """Run the grid both ways and compare; the exit status says whether they are the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4, help="how many runs (default: 4)")
    parser.add_argument("--epochs", type=int, default=60, help="of each run (default: 60)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write what came out to this JSON file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    changes = {"epochs": options.epochs, "grid": {"methods": ["ce"], "seeds": list(range(1, options.runs + 1))}}
    recipes = load_grid("demo", changes).recipes
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        alone = run_recipes(recipes, Path(folder, "alone"), Machine(device="cpu"))
        between = time.perf_counter()
        disturbances = Disturbances(Path(folder, "ray"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                machine = Machine(device="cpu", executor=Ray())
                disturbed = run_recipes(recipes, disturbances.runs, machine, watch=disturbances)
            finally:
                disturbances.end()
        found: dict[str, Any] = {
            "what": f"{options.runs} runs of the recipe demo of {options.epochs} epochs, on two Ray nodes of one core",
            "environment": environment(torch.device("cpu")),
            "ray": ray.__version__,
            "disturbed": disturbances.done,
            "attempts": options.runs + sum("it goes on from its checkpoint" in str(each.message) for each in caught),
            "epochs_computed": {"one_after_another": epochs_of(alone), "ray": epochs_of(disturbed)},
            "seconds": {"one_after_another": between - began, "ray": time.perf_counter() - between},
            "sha256": {"one_after_another": digest(alone), "ray": digest(disturbed)},
        }
    found["same"] = found["sha256"]["one_after_another"] == found["sha256"]["ray"]
    print(json.dumps(found, indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if found["same"] and len(disturbances.done) == 2 and found["attempts"] >= options.runs + 2 else 1


class Disturbances:
    """A cluster that is disturbed as its runs go on: a process is killed, and later a node is removed."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self.done: list[str] = []
        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        self._node = self._cluster.add_node(num_cpus=1)
        ray.init(self._cluster.address, log_to_driver=False, logging_level="error")

    def __call__(self, progress: GridProgress) -> None:
        """Disturb at a quarter and at the half of the grid."""
        if not self.done and progress.done > 0.25:
            owner = next(self.runs.glob("*/.owner"))
            os.kill(int(owner.read_text(encoding="utf-8").split()[1]), signal.SIGKILL)
            self.done.append(f"a process killed at {progress.done:.0%}")
        elif len(self.done) == 1 and progress.done > 0.5:
            self._cluster.remove_node(self._node, allow_graceful=False)
            self.done.append(f"a node removed at {progress.done:.0%}")

    def end(self) -> None:
        """Shut the cluster down."""
        ray.shutdown()
        self._cluster.shutdown()


def epochs_of(records: dict[str, Record]) -> int:
    """The epochs that were computed, with those that were computed again."""
    folders = [record.folder for record in records.values()]
    return sum(
        len((folder / "timing.csv").read_text(encoding="utf-8").splitlines()) - 1 for folder in folders if folder
    )


def digest(records: dict[str, Record]) -> str:
    """The SHA-256 of what runs have written that does not depend on time."""
    total = hashlib.sha256()
    for folder in sorted(record.folder for record in records.values() if record.folder is not None):
        for name in FILES:
            total.update(f"{folder.name}/{name}".encode())
            total.update((folder / name).read_bytes())
    return total.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
