"""How the defaults do on data that nothing is published for: four small sets, clean and with 40 % wrong labels.

    python benchmarks/defaults.py --tables DIR --data-dir DIR [--work DIR] [--set NAME ...] [--out FILE.json]

The sets are the digits of scikit-learn, `vehicle` and `spam` (from DIR/NAME.parquet, whose label columns are `Class`
and `type`; reading them needs pyarrow), each with a quarter as a clean test set that every seed draws anew, and
CIFAR-10's first 200 training and 250 test images of four classes as a folder of PNG files. Each method runs at its
defaults, with its own parameters and the recipe `arrays` or `folder` as it stands. Without noise they are held against
cross-entropy at the best of five learning rates (the best by the mean of the very figures that are compared, which
favors cross-entropy), with noise against cross-entropy at the default one. Everything is measured after the last epoch.

A run that is finished in `--work` is not made again, so that the command can be stopped and repeated.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits

from noiseproof.bench import load_grid
from noiseproof.data import cifar10
from noiseproof.provenance import environment
from noiseproof.run import Machine, run_recipes
from noiseproof.train import keep_freed_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from noiseproof.train import Recipe

METHODS = ("ce", "gce", "sce", "nce+rce", "nce+agce", "anl-ce", "jal-ce", "jal-fl")
SETS = ("digits", "vehicle", "spam", "cifar")
NOISES = (0.0, 0.4)
SEEDS = (1, 2, 3)
TIMES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""What cross-entropy's learning rate is multiplied by."""

_TABLES = {"vehicle": "Class", "spam": "type"}
_PHOTOS = {"train": 200, "test": 250}


def main() -> None:
    """Make what is missing of the runs, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="where vehicle.parquet and spam.parquet are")
    parser.add_argument("--data-dir", type=Path, required=True, help="where CIFAR-10 is")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/defaults"), help="for data and runs (default: %(default)s)"
    )
    parser.add_argument("--set", action="append", choices=SETS, help="may be repeated (default: all)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many runs at once (default: 1)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the figures to this JSON file, and a table beside it"
    )
    options = parser.parse_args()

    keep_freed_memory()
    found: dict[str, Any] = {}
    for name in options.set or SETS:
        found[name] = measure(name, options)
        print(table({name: found[name]}), flush=True)
    if options.out is not None:
        content = {"environment": environment(torch.device("cpu")), "seeds": SEEDS, "sets": found}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        options.out.with_suffix(".md").write_text(table(found), encoding="utf-8")


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """The test accuracies in percent, one per seed, of all methods at their defaults and of CE at each rate."""
    recipe = _recipe_of(name)
    paths = {seed: _write(name, seed, options) for seed in SEEDS}

    def make(method: str, noise: float, seed: int, **changes: Any) -> Recipe:
        symmetric = {"kind": "symmetric", "rate": noise} if noise else {"kind": "none"}
        (one,) = load_grid(
            recipe, {"data": {"path": str(paths[seed])}, "method": method, "noise": symmetric, "seed": seed, **changes}
        ).recipes
        return one

    rate = make("ce", 0.0, SEEDS[0]).lr
    cells = {(m, noise, 1.0): [make(m, noise, seed) for seed in SEEDS] for noise in NOISES for m in METHODS}
    for times in TIMES:
        cells[("ce", 0.0, times)] = [make("ce", 0.0, seed, lr=rate * times) for seed in SEEDS]
    wanted = {one.id: one for recipes in cells.values() for one in recipes}
    machine = Machine(options.data_dir, device="cpu", jobs=options.jobs, workers=0)
    records = run_recipes(list(wanted.values()), options.work / "runs", machine)

    def accuracies(cell: tuple[str, float, float]) -> list[float]:
        last = [records[one.id].last for one in cells[cell]]
        return [round(100 * (0.0 if epoch is None else epoch.test_accuracy or 0.0), 3) for epoch in last]

    return {
        "recipe": recipe,
        "settings": settings_of(name),
        "methods": {f"{noise:g}": {m: accuracies((m, noise, 1.0)) for m in METHODS} for noise in NOISES},
        "ce by learning rate": {f"{rate * times:g}": accuracies(("ce", 0.0, times)) for times in TIMES},
    }


def _recipe_of(name: str) -> str:
    return "folder" if name == "cifar" else "arrays"


def settings_of(name: str) -> dict[str, Any]:
    """What the recipe of a set and the losses' defaults come to, as plain values."""
    grid = load_grid(_recipe_of(name), {"data": {"path": "own"}, "grid": {"methods": list(METHODS)}})
    values = [one.model_dump(mode="json") for one in grid.recipes]
    # What is kept of samples changes no result.
    apart = ("data", "method", "noise", "seed", "samples")
    shared = {key: value for key, value in values[0].items() if key not in apart}
    return {**shared, "losses": {method: one["method"]["loss"] for method, one in zip(METHODS, values, strict=True)}}


def differences(found: dict[str, Any]) -> dict[tuple[str, str], tuple[float, float]]:
    """Of one set, by noise and method: the mean difference from cross-entropy over seeds, and its standard error."""
    best = max(found["ce by learning rate"].values(), key=statistics.mean)
    against = {"0": best, "0.4": found["methods"]["0.4"]["ce"]}
    result = {}
    for noise, methods in found["methods"].items():
        for method, values in methods.items():
            paired = [one - other for one, other in zip(values, against[noise], strict=True)]
            result[noise, method] = statistics.mean(paired), statistics.stdev(paired) / len(paired) ** 0.5
    return result


def missed_by(noise: str, difference: float, error: float) -> float:
    """How far a cell is below its bar: 2 points under the best CE without noise, CE itself with; 0 if it is not."""
    return max(0.0, -(difference + (2 if noise == "0" else 0) + error))


def table(found: dict[str, Any]) -> str:
    """The figures in Markdown, a table per noise."""
    lines = []
    for noise, against in (("0", "CE at the best of five rates"), ("0.4", "CE")):
        wrong = "No wrong labels" if noise == "0" else "40 % wrong labels"
        lines += [f"**{wrong}: accuracy in %, and its difference from {against}**", ""]
        lines += ["| method | " + " | ".join(found) + " |", "| --- |" + " ---: |" * len(found)]
        apart = {name: differences(values) for name, values in found.items()}
        if noise == "0":
            best = [
                max(values["ce by learning rate"].items(), key=lambda item: statistics.mean(item[1]))
                for values in found.values()
            ]
            lines.append(
                "| ce, best rate | " + " | ".join(f"{statistics.mean(v):.1f} (at {rate})" for rate, v in best) + " |"
            )
        for method in METHODS:
            cells = []
            for name, values in found.items():
                difference, error = apart[name][noise, method]
                below = "" if not missed_by(noise, difference, error) or method == "ce" else " ↓"
                shown = f"{statistics.mean(values['methods'][noise][method]):.1f}"
                own = method == "ce" and noise != "0"
                cells.append(shown if own else f"{shown} ({difference:+.1f} ± {error:.1f}){below}")
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _write(name: str, seed: int, options: argparse.Namespace) -> Path:
    """The data of a set for a seed, as a user would have them on disk."""
    if name == "cifar":
        return _write_photos(options)
    path: Path = options.work / "data" / f"{name}-{seed}.npz"
    if not path.exists():
        features, labels = _read_table(name, options.tables)
        order = np.random.default_rng(seed).permutation(len(labels))
        test, train = np.split(order, [len(order) // 4])
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            features=features[train],
            labels=labels[train],
            test_features=features[test],
            test_labels=labels[test],
        )
    return path


def _read_table(name: str, folder: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    if name == "digits":
        digits = load_digits()
        return digits.data, digits.target
    from pyarrow import parquet

    content = parquet.read_table(folder / f"{name}.parquet")
    label = _TABLES[name]
    # Names of rows are in the order of the classes.
    columns = [column for column in content.column_names if column not in (label, "rownames")]
    features = np.stack([content[column].to_numpy().astype(np.float64) for column in columns], axis=1)
    return features, np.unique(content[label].to_pylist(), return_inverse=True)[1]


def _write_photos(options: argparse.Namespace) -> Path:
    path: Path = options.work / "data" / "photos"
    if not path.exists():
        dataset = cifar10(options.data_dir)
        assert dataset.test is not None
        for part, content in (("train", dataset.train), ("test", dataset.test)):
            for label, name in enumerate(dataset.class_names[:4]):
                folder = path / part / name
                folder.mkdir(parents=True)
                for index in np.flatnonzero(content.labels == label)[: _PHOTOS[part]]:
                    Image.fromarray(content.inputs[index]).save(folder / f"{index:05d}.png")
    return path


if __name__ == "__main__":
    main()
