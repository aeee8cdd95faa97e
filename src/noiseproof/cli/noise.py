"""``noiseproof noise``: make, look at and check noisy labels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiseproof.cli._options import add_data_dir, read_map

if TYPE_CHECKING:
    from noiseproof.noise import NoisyLabels

_EXAMPLES = """\
examples:
  noiseproof noise symmetric --data digits --rate 0.6 --seed 1 --out noisy.json
  noiseproof noise show noisy.json
  noiseproof noise asymmetric --data digits --rate 0.3 --map 3:5,5:3
  noiseproof noise symmetric --data cifar10 --data-dir DIR --rate 0.8 --mode published
  noiseproof noise matrix --labels labels.npy --matrix T.csv --out noisy.json
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "noise",
        help="put noise on labels, and look at manifests of noisy labels",
        description="Put noise on labels, and look at manifests of noisy labels.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(title="kinds", metavar="KIND", required=True)
    symmetric = _add_kind(kinds, "symmetric", "flips to all other classes alike")
    symmetric.add_argument("--rate", type=float, required=True, help="the share of wrong labels, such as 0.4")
    asymmetric = _add_kind(kinds, "asymmetric", "flips from some classes to one other each")
    asymmetric.add_argument("--rate", type=float, required=True, help="the share of wrong labels in a flipped class")
    asymmetric.add_argument("--map", help="such as 3:5,5:3, or cifar10 or cifar100 (default: that of --data)")
    asymmetric.add_argument("--source", default="published", choices=("published", "true"), help="of CIFAR-100's map")
    matrix = _add_kind(kinds, "matrix", "flips by a transition matrix")
    matrix.add_argument("--matrix", type=Path, required=True, help="T[true, noisy] as .csv or .npy")
    show = kinds.add_parser("show", help="check a manifest and say what is in it")
    show.add_argument("manifest", type=Path)
    show.set_defaults(run=_show)


def _add_kind(kinds: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(name, help=summary, description=f"{name}: {summary}")
    labels = parser.add_mutually_exclusive_group(required=True)
    labels.add_argument("--data", choices=("digits", "cifar10", "cifar100"), help="take the training labels of")
    labels.add_argument("--labels", type=Path, help="integer labels as .npy, or as text with one per line")
    add_data_dir(parser)
    parser.add_argument("--classes", type=int, help="the number of classes (default: the highest label + 1)")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--mode", default="exact", choices=("exact", "iid", "published"), help="default: exact")
    parser.add_argument("--out", type=Path, help="write the labels and where they come from to this file")
    parser.set_defaults(run=_make, kind=name)
    return parser


def _make(options: argparse.Namespace) -> None:
    from noiseproof import noise
    from noiseproof.train import read_matrix

    labels = _read_labels(options)
    common: dict[str, Any] = {"seed": options.seed, "mode": options.mode}
    classes = options.classes or int(labels.max(initial=1)) + 1
    if options.kind == "symmetric":
        noisy = noise.symmetric(labels, options.rate, num_classes=classes, **common)
    elif options.kind == "asymmetric":
        mapping = read_map(options.map or options.data)
        number = None if isinstance(mapping, str) else classes
        noisy = noise.asymmetric(labels, options.rate, mapping, num_classes=number, source=options.source, **common)
    else:
        noisy = noise.from_matrix(labels, read_matrix(options.matrix), **common)
    _describe(noisy)
    if options.out is not None:
        noisy.save(options.out)
        print(f"written to {options.out}")


def _show(options: argparse.Namespace) -> None:
    from noiseproof import noise

    _describe(noise.load(options.manifest))


def _describe(noisy: NoisyLabels) -> None:
    print(noisy)
    print(f"SHA-256 {noisy.checksum}")
    if noisy.num_classes <= 20:
        print("realised T[true, noisy]:")
        for row in noisy.realised_matrix:
            print("  " + " ".join(f"{value:.3f}" if value else "    ." for value in row))


def _read_labels(options: argparse.Namespace) -> Any:
    import numpy as np

    from noiseproof.errors import LabelError
    from noiseproof.train import DataRecipe, load_dataset

    if options.data is not None:
        return load_dataset(DataRecipe(name=options.data), options.data_dir).train.labels
    try:
        if options.labels.suffix == ".npy":
            return np.load(options.labels, allow_pickle=False)
        return np.loadtxt(options.labels, dtype=np.int64, ndmin=1)
    except (OSError, ValueError) as error:
        raise LabelError(f"cannot read labels from {options.labels}: {error}") from error
