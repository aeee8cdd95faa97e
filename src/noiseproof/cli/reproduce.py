"""``noiseproof reproduce``: a published table or figure, trained and put beside the published one."""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path

from noiseproof.cli._options import add_run_options, machine_of, recipe_changes
from noiseproof.files import check_folder

_EXAMPLES = """\
examples:
  noiseproof reproduce                                         what can be reproduced
  noiseproof reproduce supplement-table-1 --data-dir DIR
  noiseproof reproduce supplement-table-1 --lite --seeds 1 --jobs 2 --data-dir DIR
  noiseproof reproduce jal-cifar10 --cells 'jal-ce/*' --cells symmetric-0.8 --budget 25m
  noiseproof reproduce jal-cifar10 --dry-run

The most informative missing run goes first. Finished runs are not run again, an interrupted one goes on: with a budget,
give the same command until nothing is missing.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "reproduce",
        help="train a published table and print it beside the published one",
        description="Train what is missing of a published table or figure, and print it beside the published one.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="which one; without it, they are listed")
    parser.add_argument(
        "--lite", action="store_true", help="far smaller runs, in which the order of the methods compares"
    )
    parser.add_argument(
        "--cells", action="append", default=[], metavar="PATTERN", help="only these, as METHOD/COLUMN; may be repeated"
    )
    parser.add_argument("--seeds", type=int, metavar="N", help="how many seeds (default: as many as were published)")
    parser.add_argument("--budget", metavar="TIME", help="stop after so long, such as 25m, 2h or 90s, and go on later")
    parser.add_argument("--dry-run", action="store_true", help="list the runs with their recipes, and run nothing")
    parser.add_argument("--format", default="table", choices=("table", "json"), help="of --dry-run (default: table)")
    parser.add_argument("--report", type=Path, metavar="DIR", help="where the report goes (default: report-NAME)")
    add_run_options(parser)
    parser.set_defaults(run=run, goes_on=True)


def run(options: argparse.Namespace) -> None:
    """Run what is missing, print the comparison and write the report."""
    deadline = None if options.budget is None else time.monotonic() + parse_duration(options.budget)
    from noiseproof.bench import known_runs, load_reproduction
    from noiseproof.cli._display import GridDisplay, show_table
    from noiseproof.cli._streams import say
    from noiseproof.literature import reproductions
    from noiseproof.report import write_reproduction
    from noiseproof.results import planned_runs, reproduced
    from noiseproof.run import run_recipes
    from noiseproof.train import keep_freed_memory

    if options.name is None:
        for name, title in reproductions().items():
            say(f"{name:<20} {title}")
        return
    reproduction = load_reproduction(
        options.name,
        lite=options.lite,
        cells=options.cells,
        seeds=options.seeds,
        changes=recipe_changes(options),
    )
    if options.dry_run:
        known = known_runs(reproduction.recipes, options.runs)
        records = {identity: found[0] for identity, found in known.items() if found}
        planned = planned_runs(reproduction, records, options.runs)
        if options.format == "json":
            print(json.dumps(planned, indent=1))
            return
        for one in planned:
            say(f"{one['status']:<9} {one['folder']}  {', '.join(one['cells'])}")
        for one in planned:
            say(f"{one['run']}  {json.dumps(one['recipe'])}")
        return
    folder = (options.report or Path(f"report-{reproduction.name}{'-lite' * options.lite}")).resolve()
    check_folder(folder)
    check_folder(options.runs)
    keep_freed_memory()
    count = len(reproduction.recipes)
    say(f"{reproduction.title}: {len(reproduction.targets)} cells, {count} runs, kept in {options.runs}")
    with GridDisplay() as display:
        records = run_recipes(
            reproduction.recipes,
            options.runs,
            machine_of(options),
            deadline=deadline,
            choose=reproduction.choose,
            watch=display,
        )
    result = reproduced(reproduction, records)
    show_table(result.details())
    for note in result.notes():
        say(note)
    missing = sum(recipe.id not in records or records[recipe.id].status == "running" for recipe in reproduction.recipes)
    if missing:
        say(f"{missing} of {count} runs are not finished: the same command goes on with them")
    written = write_reproduction(result, folder)
    say("", f"Report: {folder / written[0]}")
    say(f"  beside it: {', '.join(written[1:])}")


def parse_duration(text: str) -> float:
    """``"25m"``, ``"2h"``, ``"90s"`` or ``"1h30m"`` in seconds; a plain number is minutes.

    Raises:
        RecipeError: another text.
    """
    from noiseproof.errors import RecipeError

    number = r"(\d+(?:\.\d+)?)"
    match = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}s)?", re.sub(r"^([\d.]+)$", r"\1m", text.strip()))
    if match is None or not any(match.groups()):
        raise RecipeError(f"--budget {text}: expected a time such as 25m, 2h, 1h30m or 90s")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds
