"""``noiseproof fit``: from data whose labels are partly wrong to a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.cli._options import add_device, add_import
from noiseproof.cli._streams import say
from noiseproof.errors import DataError
from noiseproof.metrics import METRICS

if TYPE_CHECKING:
    from noiseproof.fitted import Model

_EXAMPLES = """\
examples:
  noiseproof fit wines.csv --label quality
  noiseproof fit patients.parquet --label diagnosis --group patient --key visit --budget 30m
  noiseproof fit photos
  noiseproof fit my.npz --budget 2m --out digits.model

DATA is a table (.csv, .tsv, .txt, .parquet), arrays in a .npz file, or a folder of images with a folder for each class.
An interrupted fit goes on when the same command is given again; a finished one is not done twice.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "fit",
        help="make the best model of labels that are partly wrong",
        description="Make the best model that can be had of labels of which some are wrong, without clean ones.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="a table, arrays, or a folder of images")
    parser.add_argument("--label", metavar="COLUMN", help="the column of a table that holds the labels")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the model is written (default: NAME.model)")
    parser.add_argument(
        "--budget", default="10m", help="the most that it may take: 30s, 10m, 1h, or '2000 updates' (default: 10m)"
    )
    parser.add_argument(
        "--metric",
        default=METRICS[0],
        choices=METRICS,
        help="what rules the choice (default: %(default)s)",
    )
    parser.add_argument("--group", metavar="COLUMN", help="rows of one value are never on two sides of a split")
    parser.add_argument("--trusted", metavar="COLUMN", help="which labels are known to be right: yes or no")
    parser.add_argument("--weight", metavar="COLUMN", help="how much each row counts")
    parser.add_argument("--key", metavar="COLUMN", help="what each row is called")
    parser.add_argument(
        "--corrections",
        type=Path,
        action="append",
        metavar="FILE",
        help="what people decided about labels: these are trusted; may be repeated",
    )
    parser.add_argument("--test", type=Path, metavar="FILE", help="scored at the end; it chooses nothing")
    parser.add_argument("--report", type=Path, metavar="FOLDER", help="write a page that tells all of it")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn (default: 1)")
    parser.add_argument(
        "--model", metavar="NETWORK", help="the network, as in recipes (default: one that fits the data)"
    )
    parser.add_argument(
        "--initial-weights", metavar="FILE", help="what the network of --model starts from (.safetensors, .pth)"
    )
    frozen = parser.add_mutually_exclusive_group()
    frozen.add_argument(
        "--features",
        action="store_const",
        const=True,
        help="learn from vectors that a network trained on photos makes of images (noiseproof[features]; the default "
        "for fewer than 20,000 images in color)",
    )
    frozen.add_argument(
        "--features-of",
        dest="features",
        metavar="NETWORK",
        help="such vectors of another network: the dotted path of a function that returns it (with --import)",
    )
    frozen.add_argument(
        "--no-features", dest="features", action="store_const", const=False, help="learn from the pixels of images"
    )
    parser.add_argument("--plan", type=Path, metavar="FILE", help="repeat the plan.json of another model")
    parser.add_argument("--jobs", type=int, metavar="N", help="networks at once (default: all cores, where worth it)")
    parser.add_argument("--dry-run", action="store_true", help="say what was found and what will race, and end")
    add_device(parser)
    add_import(parser)
    parser.set_defaults(run=run, goes_on=True)


def run(options: argparse.Namespace) -> None:
    """Fit, and say what was found, what raced and what came out."""
    from noiseproof.cli._display import FitDisplay, show_table
    from noiseproof.fitted import read_scored
    from noiseproof.fitting import candidates_table, check_plan, fit, look, read_plan
    from noiseproof.train import keep_freed_memory

    if options.test is not None and not options.test.exists():
        raise DataError(f"there is no {options.test}: what is to be scored at the end must be there from the start")
    out = options.out or Path(f"{options.data.resolve().stem}.model")
    columns = {"groups": options.group, "trusted": options.trusted, "sample_weight": options.weight}
    given = look(
        options.data,
        label=options.label,
        keys=options.key,
        **columns,
        corrections=options.corrections,
        features=options.features,
        network=options.model,
        budget=options.budget,
    )
    for sentence in given.found:
        say(sentence)
    if options.test is not None:  # better now than after an hour
        read_scored(options.test, options.label, given.dataset.class_names, given.dataset.preprocessing)
    if options.plan is not None:
        check_plan(read_plan(options.plan), given, options.model)
    if options.dry_run:
        show_table(candidates_table(len(given.dataset.train), is_table=not given.dataset.is_image))
        return
    keep_freed_memory()
    with FitDisplay() as display:
        model = fit(
            given,
            budget=options.budget,
            folder=out,
            metric=options.metric,
            seed=options.seed,
            network=options.model,
            weights=options.initial_weights,
            plan=options.plan,
            jobs=options.jobs,
            device=options.device,
            watch=display,
        )
    show_table(model.table())
    for sentence in model.sentences():
        say(sentence)
    notes = _scored(model, options)
    for sentence in notes:
        say(sentence)
    if options.report is not None:
        names = model.report(options.report, notes=notes)
        say(f"report: {options.report / names[0]}")
    say(
        f"model: {out}",
        "Try next:",
        f"  noiseproof predict {out} new{options.data.suffix}",
        f"  noiseproof audit {out}",
    )


def _scored(model: Model, options: argparse.Namespace) -> list[str]:
    """The accuracy on a test set that chose nothing, in words."""
    if options.test is None:
        return []
    score, count = model.score_file(options.test, label=options.label)
    return [f"{options.test}: {options.metric} {score:.2%} on {count:,} labels that chose nothing"]
