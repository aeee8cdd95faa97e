"""``noiseproof apply``: corrections of labels put into the data."""

from __future__ import annotations

import argparse
from pathlib import Path

from noiseproof.cli._streams import say

_EXAMPLES = """\
examples:
  noiseproof apply corrections.csv wines.csv --out wines-clean.csv
  noiseproof apply ann.csv ben.csv photos --out photos-clean
  noiseproof apply corrections.csv visits.parquet --key visit --out visits-clean.parquet

DATA is what was audited: a table (.csv, .tsv, .txt, .parquet), arrays (.npz), a list of labels (.csv, .txt, .json,
.npy), or a folder of images with a folder for each class. It stays as it is. A correction applies where the key, the
row and the given label are those that somebody saw; OUT.log.csv says what became of each.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "apply",
        help="write data with corrected labels",
        description="Write data with the labels that people corrected, without the samples that they dropped.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "corrections", type=Path, nargs="+", metavar="CORRECTIONS", help="files of corrections, of one or more people"
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="what they are about, last")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="OUT", help="what is written: a file as DATA is, or a folder"
    )
    parser.add_argument(
        "--label", metavar="COLUMN", help="the column of a table that holds the labels (default: found by the rows)"
    )
    parser.add_argument(
        "--key",
        metavar="COLUMN",
        help="the column of a table that says what rows are called (default: found, or the numbers of the rows)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the data, and say what became of the corrections."""
    from noiseproof.correcting import apply

    done = apply(options.corrections, options.data, options.out, label=options.label, key=options.key)
    for sentence in done.sentences():
        say(sentence)
    say(f"{done.out} (what became of each correction: {done.log})")
