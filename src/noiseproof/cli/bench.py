"""``noiseproof bench``: a grid of runs, its tables and its report."""

from __future__ import annotations

import argparse
from pathlib import Path

from noiseproof.cli._explain import FOLDER_NAMES, noisy_validation_notes
from noiseproof.cli._options import add_run_options, load_asked_grid, machine_of, recipe_changes
from noiseproof.files import check_folder

_EXAMPLES = """\
examples:
  noiseproof bench demo
  noiseproof bench demo --dry-run
  noiseproof bench demo --set epochs=5 --set 'grid.seeds=[1]' --report quick
  noiseproof bench my-grid.toml --data-dir DIR
  noiseproof bench cifar10-small --regularizer l2 --dry-run

A recipe file is a recipe with a [grid] of methods, noise, rates and seeds; `noiseproof recipes demo` prints one.
Finished runs are not run again, an interrupted one goes on.
"""


_NEXT = """\
Try next:
  noiseproof recipes demo > my-grid.toml    change its methods, rates or seeds, then: noiseproof bench my-grid.toml
  noiseproof train digits --noise asymmetric --rate 0.3 --set 'noise.mapping={3=5, 5=3}'
  noiseproof train arrays --set data.path=my.npz    your own data, with the wrong labels that it has"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "bench",
        help="run a grid of methods, noises and seeds, and make its table",
        description="Run what is missing of a grid, print its tables, and write a report with the curves.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recipe", metavar="RECIPE", help="a name from `noiseproof recipes`, or the path of a .toml file"
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="where the report goes (default: report-NAME)")
    parser.add_argument("--dry-run", action="store_true", help="list the runs and what is there, and run nothing")
    add_run_options(parser)
    parser.set_defaults(run=run, goes_on=True)


def run(options: argparse.Namespace) -> None:
    """Run the grid, print the tables and write the report."""
    from noiseproof.bench import check_measures, grid_status, run_grid
    from noiseproof.cli._display import GridDisplay, show_table
    from noiseproof.cli._streams import say
    from noiseproof.report import write_report
    from noiseproof.results import make_tables
    from noiseproof.train import keep_freed_memory

    grid = load_asked_grid(options, recipe_changes(options))
    if options.dry_run:
        for recipe, folder, status in grid_status(grid, options.runs):
            say(f"{status:<9} {folder}  {recipe.method.loss}")
        return
    folder = (options.report or Path(f"report-{grid.name}")).resolve()
    check_folder(folder)
    check_folder(options.runs)
    machine = machine_of(options)
    check_measures(grid, machine)
    keep_freed_memory()
    say(f"{grid.title}: {len(grid.recipes)} runs, kept in {options.runs}")
    with GridDisplay() as display:
        records = run_grid(
            grid,
            options.runs,
            machine,
            watch=display,
        )
    for table in make_tables(grid.title, records):
        show_table(table.text())
    written = write_report(grid.title, records, folder)
    say("", f"Report: {folder / written[0]}")
    say(f"  beside it: {', '.join(written[1:])}")
    say(f"Runs, with weights, labels and records: {options.runs.resolve()}")
    say(f"  {FOLDER_NAMES}")
    for note in noisy_validation_notes(records):
        say(note)
    say(*_NEXT.splitlines())
