"""``noiseproof predict``: what a trained network says of inputs."""

from __future__ import annotations

import argparse
from pathlib import Path

from noiseproof.cli._options import add_device, add_import, add_workers
from noiseproof.cli._streams import say
from noiseproof.errors import DataError

_EXAMPLES = """\
examples:
  noiseproof predict runs/RUN new.npz
  noiseproof predict runs/RUN new.csv --key customer --out answers.csv
  noiseproof predict runs/RUN photos/ --min-probability 0.9 --out answers.parquet

INPUT is what the run was trained on, with or without labels: a .npz or .npy file, a table (.csv, .tsv, .txt, or
.parquet for a run that learned from a table), an image, a folder of images, or a list with a path in each line.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "predict",
        help="say which class each input has, with what was trained",
        description="Say which class each input has and with what probability, with what a run has trained.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a finished run")
    parser.add_argument("input", type=Path, metavar="INPUT", help="a file, a folder of images, or a list of them")
    parser.add_argument("--out", type=Path, metavar="FILE", help=".csv or .parquet (default: INPUT.predictions.csv)")
    parser.add_argument(
        "--key",
        metavar="COLUMN",
        help="the column, or the array of a .npz file, that says what each input is called (default: the path of an "
        "image, or the number of the row)",
    )
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="where the paths of a list start (default: the folder of the list)"
    )
    parser.add_argument(
        "--min-probability",
        type=_share,
        default=0.0,
        metavar="P",
        help="give no prediction where the likeliest class has less than this",
    )
    parser.add_argument(
        "--epoch",
        choices=("selected", "last"),
        help="whose weights: those selected on noisy validation data (default, where there are any) or the last",
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    add_device(parser)
    add_workers(parser)
    add_import(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the predictions and say where they are."""
    import numpy as np

    from noiseproof.data import read_unlabeled
    from noiseproof.prediction import check_output, default_output, load, write_predictions

    out = default_output(options.input) if options.out is None else options.out
    predictor = load(options.folder, epoch=options.epoch, device=options.device)
    check_output(out, force=options.force)
    given = read_unlabeled(options.input, predictor.preprocessing, key=options.key, root=options.root)
    probabilities = predictor.probabilities(given, workers=options.workers)
    if len(probabilities) and np.isnan(probabilities).all():
        raise DataError(f"{options.input}: none of {len(probabilities):,} images can be read: no predictions")
    answered = write_predictions(
        out, given.keys, probabilities, predictor, min_probability=options.min_probability, force=options.force
    )
    say(f"{answered} of {len(given.keys)} inputs have a prediction: {out}")


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a probability, 0 … 1")
    return value
