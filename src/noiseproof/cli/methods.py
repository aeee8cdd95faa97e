"""``noiseproof methods``: the published methods and their parameters."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from noiseproof.cli._options import add_import

if TYPE_CHECKING:
    from collections.abc import Iterable

    from noiseproof.literature import Disagreement, Row

_EXAMPLES = """\
examples:
  noiseproof methods
  noiseproof methods --dataset cifar100 --source paper
  noiseproof methods --explain jal-ce
  noiseproof methods --disagreements
  noiseproof methods --format json

`code` is what the code of the JAL paper runs, where the published figures come from; `paper` is what its text says.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "methods",
        help="list the methods with their losses, parameters and regularizers",
        description="List the methods with their losses, parameters and regularizers; or explain one.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--explain", metavar="METHOD", help="what it is, and where each of its values comes from")
    what.add_argument("--disagreements", action="store_true", help="where the papers' text and published code differ")
    parser.add_argument("--dataset", help="cifar10, cifar100, webvision or clothing1m (default: all)")
    parser.add_argument("--source", help="code, paper or another that --explain names (default: code; in JSON all)")
    add_import(parser)
    parser.add_argument("--format", default="table", choices=("table", "json"), help="default: table")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the methods, one of them, or the disagreements."""
    from dataclasses import asdict

    from noiseproof.literature import disagreements, method_rows

    if options.disagreements:
        entries = disagreements()
        if options.format == "json":
            print(json.dumps([asdict(entry) for entry in entries], indent=1))
        else:
            _say_disagreements(entries)
        return
    name = None if options.explain is None else _published_name(options.explain)
    if options.format == "json":
        rows = method_rows(method=name, dataset=options.dataset, source=options.source)
        print(json.dumps([row.as_json() for row in rows], indent=1))
    elif name is not None:
        _explain(name, method_rows(method=name, dataset=options.dataset, source=options.source))
    else:
        _list(method_rows(dataset=options.dataset, source=options.source or "code"))


def _published_name(text: str) -> str:
    """The name of a method from its name or its title in tables."""
    from noiseproof.errors import SpecError, suggest
    from noiseproof.literature import method_names, resolve_method

    name = resolve_method(text, "").name
    if name not in method_names():
        raise SpecError(f"--explain {text}: expected the name of a published method{suggest(text, method_names())}")
    return name


def _list(rows: tuple[Row, ...]) -> None:
    from noiseproof.cli._display import show_rows
    from noiseproof.cli._streams import say

    for dataset in dict.fromkeys(row.dataset for row in rows):
        shown = []
        for row in rows:
            if row.dataset == dataset:
                method = row.method
                own = [method.head, method.optimizer]
                regularizer = ", ".join([row.regularizer, *filter(None, own)])
                shown.append((method.name, method.title, row.noise_text, method.loss, regularizer))
        say(f"Methods for {dataset}, values from {rows[0].method.source}:")
        show_rows(("name", "title", "noise", "loss", "regularizer"), shown)
        say()
    say("Where a value comes from: noiseproof methods --explain jal-ce")
    say("Any loss expression is a method too: noiseproof train digits --method 'nce + amse(a=10)'")


def _explain(name: str, rows: tuple[Row, ...]) -> None:
    from noiseproof.cli._display import show_rows
    from noiseproof.cli._streams import say
    from noiseproof.literature import SOURCES, describe_method, disagreements, published_datasets

    described = describe_method(name)
    say(f"{name}: {described.title}")
    say(f"  {described.definition}")
    say(f"  from: {described.paper}")
    say(f"  training: {described.training}")
    say(f"  published for: {', '.join(published_datasets(name))}", "")
    heads = ("data set", "noise", "source", "parameters, each with who says it", "regularizer", "head")
    texts = []
    shown = _without_repeats(rows)
    for row in shown:
        values = ", ".join(f"{key}={value:g} ({row.origins[key]})" for key, value in row.parameters.items())
        told = (values or row.method.loss, row.regularizer, row.method.head or "–")
        texts.append((row.dataset, row.noise_text, row.method.source, *told))
    show_rows(heads, texts)
    used = {who for row in shown for who in [row.method.source, *row.origins.values()]}
    for who, about in SOURCES.items():
        if who in used:
            say(f"  {who}: {about}")
    say(
        "A value that code and paper share is the paper's. A source that is not listed has nothing of its own there.",
        "",
    )
    concerning = disagreements(name)
    if concerning:
        say("Where text and code disagree about it:", "")
        _say_disagreements(concerning)
    say("Those about the protocol of all methods: noiseproof methods --disagreements")


def _without_repeats(rows: Iterable[Row]) -> list[Row]:
    """The rows that say something that no source before says of the same data and noise."""
    from noiseproof.literature import DATASETS

    kept: dict[tuple[object, ...], Row] = {}
    for row in rows:
        method = row.method
        kept.setdefault((row.dataset, row.noise, row.rate, method.loss, method.l1, method.l2, method.head), row)
    return sorted(kept.values(), key=lambda row: (DATASETS.index(row.dataset), row.noise or "", row.rate or 0.0))


def _say_disagreements(entries: Iterable[Disagreement]) -> None:
    from noiseproof.cli._streams import say

    for entry in entries:
        say(f"{entry.about} ({', '.join(entry.methods) or 'all methods'})")
        for key in ("text", "code", "taken", "why"):
            say(f"  {key + ':':<7}{getattr(entry, key)}")
        say()
