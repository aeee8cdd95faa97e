"""``noiseproof methods``: the published methods and their parameters."""

from __future__ import annotations

import argparse
import json

_EXAMPLES = """\
examples:
  noiseproof methods
  noiseproof methods --dataset cifar100 --source paper
  noiseproof methods --format json

`code` is what published code runs, where the published figures come from; `paper` is what the text says.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "methods",
        help="list the methods with their losses, parameters and regularisers",
        description="List the methods with their losses, parameters and regularisers.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dataset", default="cifar10", help="cifar10 or cifar100 (default: cifar10)")
    parser.add_argument("--source", default="code", help="code or paper (default: code)")
    parser.add_argument("--format", default="table", choices=("table", "json"), help="default: table")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the methods."""
    from dataclasses import asdict

    from rich.table import Table

    from noiseproof.cli._display import console, say
    from noiseproof.errors import SpecError, suggest
    from noiseproof.methods import DATASETS, method_names, resolve_method

    if options.dataset not in DATASETS:
        raise SpecError(f"no published parameters for {options.dataset!r}{suggest(options.dataset, DATASETS)}")
    methods = [resolve_method(name, options.dataset, options.source) for name in method_names()]
    if options.format == "json":
        print(json.dumps([asdict(method) for method in methods], indent=1))
        return
    table = Table("name", "title", "loss", "L1", "L2", show_edge=False, pad_edge=False)
    for method in methods:
        table.add_row(method.name, method.title, method.loss, f"{method.l1:g}", f"{method.l2:g}")
    say(f"Methods for {options.dataset}, values from {options.source}:")
    console.print(table)
    say("Any loss expression is a method too: noiseproof train digits --method 'nce + amse(a=10)'")
