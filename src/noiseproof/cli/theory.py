"""``noiseproof theory``: what can be promised for a noise."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiseproof.cli._options import add_data_dir, add_import, read_mapping
from noiseproof.files import check_folder, make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping

    from noiseproof.theory import Guarantees

_EXAMPLES = """\
examples:
  noiseproof theory --symmetric 0.6 --classes 10
  noiseproof theory --symmetric 0.8 --classes 10 jal-ce "jal-ce(a=5)" "nce + agce(a=6, q=1.5)"
  noiseproof theory --asymmetric 0.4 --mapping cifar10
  noiseproof theory --matrix T.csv --format json
  noiseproof theory --noise cifar10n-worst --data-dir DIR
  noiseproof theory --part-dependent 0.6
  noiseproof theory --symmetric 0.8 --classes 10 --plots theory
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "theory",
        help="say which losses are guaranteed to tolerate a noise, and with what parameter",
        description="For each loss: is its noisy risk least at the true class alone, and what `a` does that need?",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("losses", nargs="*", metavar="LOSS", help="losses or expressions (default: all)")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--symmetric", type=float, metavar="RATE", help="flips to all other classes alike")
    kind.add_argument("--asymmetric", type=float, metavar="RATE", help="flips to one other class, see --mapping")
    kind.add_argument("--matrix", type=Path, metavar="FILE", help="T[true, noisy] as .csv or .npy")
    kind.add_argument("--noise", metavar="NAME", help="human labels: cifar10n-aggre … cifar10n-worst, cifar100n-noisy")
    kind.add_argument("--part-dependent", type=float, metavar="RATE", help="a rate of its own for each instance (PDN)")
    parser.add_argument("--classes", type=int, default=10, help="the number of classes (default: 10)")
    parser.add_argument("--mapping", help="cifar10, cifar100, or pairs such as 3=5,5=3 (default: to the next class)")
    parser.add_argument("--format", default="table", choices=("table", "json"), help="default: table")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the thresholds of AMSE into this folder")
    add_data_dir(parser)
    add_import(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the table."""
    from noiseproof import theory
    from noiseproof.cli._streams import say
    from noiseproof.extras import need

    if options.format == "table":
        need("a table on the terminal needs", "rich")
    if options.plots is not None:
        check_folder(options.plots)
    if options.part_dependent is not None:
        _show_part_dependent(options.part_dependent, options.format)
    else:
        matrix, what = _matrix(options)
        found = theory.guarantees(matrix, options.losses or None)
        if options.format == "json":
            print(json.dumps({"noise": what, **found.as_json()}, indent=1))
        else:
            say(f"{what}, {found.num_classes} classes")
            _show(found)
    if options.plots is not None:
        for path in _draw(options):
            if options.format == "table":
                say(f"written: {path}")


def _matrix(options: argparse.Namespace) -> tuple[Any, str]:
    from noiseproof import data, noise
    from noiseproof.errors import LabelError

    if options.classes < 2:
        raise LabelError(f"--classes {options.classes}: expected at least two classes")
    if options.symmetric is not None:
        what = f"symmetric noise of {options.symmetric:.1%}"
        return noise.symmetric_matrix(options.symmetric, options.classes), what
    if options.asymmetric is not None:
        what = f"asymmetric noise of {options.asymmetric:.1%}"
        if options.mapping is None:
            ring = {label: (label + 1) % options.classes for label in range(options.classes)}
            return noise.asymmetric_matrix(options.asymmetric, ring, options.classes), f"{what}, to the next class"
        read = read_mapping(options.mapping)
        mapping: Mapping[Any, Any] = {} if isinstance(read, str) else read
        classes = options.classes
        if isinstance(read, str):
            mapping, classes = noise.published_mapping(read, "published")
        return noise.asymmetric_matrix(options.asymmetric, mapping, classes), f"{what}, map {options.mapping}"
    if options.matrix is not None:
        return noise.read_matrix(options.matrix), f"noise of {options.matrix.name}"
    name, _, column = options.noise.partition("-")
    if name not in ("cifar10n", "cifar100n") or not column:
        raise LabelError(f"--noise {options.noise}: expected such as cifar10n-worst or cifar100n-noisy")
    return data.cifarn(options.data_dir, column).matrix, f"the human labels {options.noise}"


def _show(found: Guarantees) -> None:
    from noiseproof.cli._display import show_rows
    from noiseproof.cli._streams import say

    if found.lost:
        named = ", ".join(map(str, found.lost[:12])) + (", …" if len(found.lost) > 12 else "")
        say(
            f"Clean labels do not dominate in {len(found.lost)} of {found.num_classes} classes ({named}): there "
            "another label is at least as likely as the true one, and no loss can be promised to learn them."
        )
    rows = []
    for row in found.rows:
        held = len(row.classes)
        all_held = "yes" if held == found.num_classes else f"{held} of {found.num_classes} classes ({row.share:.0%})"
        rows.append((row.loss, all_held if held else "no", "yes" if row.symmetric else "", _needed(row.needed_a)))
    show_rows(("loss", "guaranteed", "symmetric", "needs a ≥"), rows)
    say(
        "Guaranteed: the risk under this noise is proved to be least where all probability is on the true class. "
        "Not guaranteed does not mean that training fails."
    )


def _needed(a: float | None) -> str:
    if a is None:
        return ""
    return "none is enough" if a == math.inf else f"{a:.4g}"


def _show_part_dependent(rate: float, form: str) -> None:
    from noiseproof.cli._streams import say
    from noiseproof.theory import part_dependent_share

    dominated = part_dependent_share(rate)
    covered = {a: part_dependent_share(rate, a) for a in (5, 10, 20, 30)}
    if form == "json":
        print(json.dumps({"rate": rate, "dominated": dominated, "covered": covered}, indent=1))
        return
    say(f"part-dependent noise of {rate:.0%}: every instance has a rate of its own and nearly always one target")
    say(f"  true label likelier than any other: {dominated:.1%} of the instances")
    if dominated < 0.5:
        say("  Clean labels do not dominate for most instances: no loss can be promised to learn from these labels.")
    for a, share in covered.items():
        say(f"  covered by AMSE and JAL with a = {a}: {share:.1%}")


def _draw(options: argparse.Namespace) -> list[Path]:
    from noiseproof.extras import need

    need("--plots needs", "matplotlib")
    from noiseproof.theory import figures

    pictures = {"thresholds.png": figures.draw_thresholds(options.classes)}
    if options.symmetric is not None:
        pictures["minimizers.png"] = figures.draw_minimizers(options.symmetric, options.classes)
    make_folder(options.plots)
    for name, picture in pictures.items():
        write_atomically(options.plots / name, picture)
    return [options.plots / name for name in pictures]
