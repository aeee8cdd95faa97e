"""``noiseproof audit``: which labels are suspicious."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.cli._options import add_device, add_import
from noiseproof.cli._streams import say
from noiseproof.errors import DataError

if TYPE_CHECKING:
    from noiseproof.auditing import Audit

_EXAMPLES = """\
examples:
  noiseproof audit wines.model
  noiseproof audit --labels labels.csv --probs probs.parquet --key id
  noiseproof audit photos --features
  noiseproof audit wines.model --corrections corrections.csv --out second.audit

SOURCE is the folder of a fitted model, of a run that kept what it said of each sample (samples = "scores" in its
recipe), or with --features a folder of images with a folder for each class.
"""

_LISTED = 10
"""Labels that are shown in the terminal."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "audit",
        help="say which labels are suspicious, and write a page to check them on",
        description="Say which labels are suspicious, and write a page on which a person can check them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, nargs="?", metavar="SOURCE", help="a model, a run, or a folder of images")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="labels that somebody's predictions are of")
    parser.add_argument("--probs", type=Path, metavar="FILE", help="the predictions: a column for each class")
    parser.add_argument("--label", metavar="COLUMN", help="the column of the labels in --labels")
    parser.add_argument("--key", metavar="COLUMN", help="the column that joins --labels and --probs")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the audit is written (default: NAME.audit)")
    parser.add_argument(
        "--features",
        action="store_true",
        help="compare images by the vectors of a frozen network, without any training (noiseproof[features])",
    )
    parser.add_argument(
        "--corrections",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="what was checked before: left out of the queues, and kept in the estimate; may be repeated",
    )
    parser.add_argument("--score", default="log-margin", help="what ranks the labels (default: log-margin)")
    parser.add_argument(
        "--adjust",
        action="store_true",
        help="let probabilities count relative to how far their class is believed on average",
    )
    add_device(parser)
    add_import(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Audit, write the folder, and say what was found."""
    from noiseproof.auditing import (
        audit_asked,
        check_audit,
        load_audit,
        match_corrections,
        read_corrections,
        score_of_training,
        write_audit,
    )
    from noiseproof.fitting import audited_files, audited_folder

    score_of_training(options.score, has_training=options.source is not None)
    is_files = options.labels is not None and options.probs is not None
    if options.source is not None and options.labels is None and options.probs is None:
        audited = audited_folder(options.source, features=options.features, device=options.device)
    elif options.source is None and is_files:
        audited = audited_files(options.labels, options.probs, label=options.label, key=options.key)
    else:
        raise DataError(
            "what is to be audited? Give the folder of a model, of a run or of images, or both --labels and --probs"
        )
    out = options.out or Path(f"{Path(audited.name).stem}.audit")
    asked = audit_asked(options.corrections, [audited.digest, options.score, options.adjust])
    if check_audit(out, asked):
        found = load_audit(out)
    else:
        corrections = read_corrections(options.corrections) if options.corrections else None
        found = audited.audit(options.score, options.adjust)
        write_audit(found, out, title=f"Labels of {audited.name}", corrections=corrections, asked=asked)
        if corrections is not None:
            matched = match_corrections(found, corrections)
            say(f"{len(matched.decisions):,} labels were checked before, and are left out of the queues")
            say(*matched.sentences()[1:])
    _tell(found, out)


def _tell(found: Audit, out: Path) -> None:
    """The most suspicious labels and the bracket."""
    from noiseproof.cli._display import show_table
    from noiseproof.formats import TextTable

    table = found.table
    rows = []
    for row in found.order[:_LISTED].tolist():
        cells = [table[name][row] for name in ("key", "given", "suggested")]
        numbers = [f"{100 * table[name][row]:.0f}" for name in ("p_given", "p_suggested")]
        rows.append((*map(str, cells), *numbers, f"{table['score'][row]:.3f}"))
    head = ("sample", "given", "suggested", "given (%)", "suggested (%)", "score")
    note = "The score orders labels: 1 is the most suspicious. It is no probability that a label is wrong."
    show_table(TextTable(f"The most suspicious of {len(found):,} labels", head, tuple(rows), (note,)))
    say(found.noise_rate.sentence())
    say(f"audit: {out}", "Try next:", f"  noiseproof review {out}")
