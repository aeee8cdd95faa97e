"""``noiseproof noise``: make, look at and check noisy labels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiseproof.cli._options import add_data_dir, read_mapping
from noiseproof.cli._streams import say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noiseproof.classes import Classes
    from noiseproof.data import Dataset
    from noiseproof.noise import NoisyLabels

_EXAMPLES = """\
examples:
  noiseproof noise symmetric --data digits --rate 0.6 --seed 1 --out noisy.json
  noiseproof noise show noisy.json
  noiseproof noise asymmetric --data digits --rate 0.3 --mapping 3=5,5=3
  noiseproof noise symmetric --data cifar10 --data-dir DIR --rate 0.8 --mode published
  noiseproof noise matrix --labels labels.npy --matrix T.csv --out noisy.json
  noiseproof noise instance --data cifar10 --data-dir DIR --rate 0.4 --variant pdn
  noiseproof noise compare --data cifar10 --data-dir DIR --labels DIR/published-labels/cifar10_dependent_0.4.json
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
    asymmetric.add_argument("--mapping", help="such as 3=5,5=3, or cifar10 or cifar100 (default: that of --data)")
    asymmetric.add_argument("--source", default="published", choices=("published", "true"), help="of CIFAR-100's map")
    matrix = _add_kind(kinds, "matrix", "flips by a transition matrix")
    matrix.add_argument("--matrix", type=Path, required=True, help="T[true, noisy] as .csv or .npy")
    instance = _add_parser(kinds, "instance", "flips that depend on the inputs")
    instance.add_argument("--rate", type=float, required=True, help="the share of wrong labels")
    instance.add_argument(
        "--variant",
        default="pdn",
        choices=("pdn", "fixed-subset"),
        help="a flip rate per sample, or exactly the requested share (default: pdn)",
    )
    _add_data(instance, required=True)
    _add_output(instance)
    instance.set_defaults(run=_instance)
    compare = _add_parser(kinds, "compare", "measures a list of noisy labels against those of a data set")
    _add_data(compare, required=True)
    compare.add_argument("--labels", type=Path, required=True, help=_LABELS)
    compare.add_argument("--column", help=_COLUMN)
    compare.add_argument("--out", type=Path, help=_OUT)
    compare.set_defaults(run=_compare)
    show = kinds.add_parser("show", help="check a manifest and say what is in it")
    show.add_argument("manifest", type=Path)
    show.set_defaults(run=_show)


_LABELS = "a list of labels: .json, .pt, .npy, .csv or .txt"
_COLUMN = "which list, if the file of --labels has several"
_OUT = "write the labels and where they come from to this file"


def _add_parser(kinds: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(name, help=summary, description=f"{name}: {summary}")
    add_data_dir(parser)
    return parser


def _add_kind(kinds: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser = _add_parser(kinds, name, summary)
    labels = parser.add_mutually_exclusive_group(required=True)
    _add_data(labels, required=False)
    labels.add_argument("--labels", type=Path, help=_LABELS)
    parser.add_argument("--column", help=_COLUMN)
    parser.add_argument("--classes", type=int, help="the classes are 0 … N - 1 (default: the labels that occur)")
    parser.add_argument("--mode", default="exact", choices=("exact", "iid", "published"), help="default: exact")
    _add_output(parser)
    parser.set_defaults(run=_make, kind=name)
    return parser


def _add_data(parser: Any, *, required: bool) -> None:
    names = ("digits", "cifar10", "cifar100")
    parser.add_argument("--data", choices=names, required=required, help="the training set of")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--out", type=Path, help=_OUT)


def _make(options: argparse.Namespace) -> None:
    from noiseproof import noise

    labels, classes = _read_labels(options)
    common: dict[str, Any] = {"seed": options.seed, "mode": options.mode, "class_names": classes.names}
    if options.kind == "symmetric":
        noisy = noise.symmetric(labels, options.rate, num_classes=len(classes), **common)
    elif options.kind == "asymmetric":
        mapping = read_mapping(options.mapping or options.data)
        noisy = noise.asymmetric(
            labels, options.rate, mapping, num_classes=len(classes), source=options.source, **common
        )
    else:
        noisy = noise.from_matrix(labels, noise.read_matrix(options.matrix, classes.names), **common)
    _give(noisy, options.out)


def _instance(options: argparse.Namespace) -> None:
    from noiseproof.data.noises import instance_noise

    _give(instance_noise(_load(options), options.rate, options.variant, options.seed), options.out)


def _compare(options: argparse.Namespace) -> None:
    from noiseproof.data.noises import listed_noise

    noisy = listed_noise(options.labels, options.column, _load(options))
    _give(noisy, options.out)
    say("wrong in each class:")
    names = [noisy.name(label) for label in range(noisy.num_classes)]
    width = min(30, max(map(len, names)))
    for name, rate in zip(names, noisy.class_rates, strict=True):
        say(f"  {name[:width]:{width}} {rate:7.2%}")


def _give(noisy: NoisyLabels, out: Path | None) -> None:
    _describe(noisy)
    if out is not None:
        noisy.save(out)
        say(f"written to {out}")


def _show(options: argparse.Namespace) -> None:
    from noiseproof import noise

    _describe(noise.load(options.manifest))


def _describe(noisy: NoisyLabels) -> None:
    say(str(noisy))
    say(f"SHA-256 {noisy.checksum}")
    if noisy.num_classes <= 20:
        names = [noisy.name(label) for label in range(noisy.num_classes)]
        width = min(30, max(map(len, names)))
        say("realized T[true, noisy]:")
        for name, row in zip(names, noisy.realized_matrix, strict=True):
            say(f"  {name[:width]:{width}} " + " ".join(f"{value:.3f}" if value else "    ." for value in row))


def _read_labels(options: argparse.Namespace) -> tuple[NDArray[np.int64], Classes]:
    """Labels as positions of classes, and these: those of a data set or a list, or the numbers below ``--classes``."""
    from noiseproof.classes import Classes
    from noiseproof.data import read_label_list
    from noiseproof.errors import DataError, LabelError

    if options.data is not None:
        dataset = _load(options)
        if options.classes not in (None, dataset.num_classes):
            raise LabelError(f"--classes {options.classes}: {options.data} has {dataset.num_classes}")
        return dataset.train.labels, dataset.classes
    labels = read_label_list(options.labels, options.column).in_order()
    try:
        if options.classes is None:
            classes = Classes.of(labels)
            if len(classes) < 2:
                raise LabelError(f"all labels are {classes.names[0]}: expected at least two classes, or --classes")
        else:
            classes = Classes(tuple(map(str, range(options.classes))))
        return classes.encode(labels), classes
    except LabelError as error:
        raise DataError(f"{options.labels}: {error}") from error


def _load(options: argparse.Namespace) -> Dataset:
    from noiseproof import data

    if options.data == "digits":
        return data.digits()
    return (data.cifar10 if options.data == "cifar10" else data.cifar100)(options.data_dir)
