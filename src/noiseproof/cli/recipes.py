"""``noiseproof recipes``: the recipes that come with noiseproof."""

from __future__ import annotations

import argparse

from noiseproof.cli._streams import say


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "recipes",
        help="list the recipes that come with noiseproof, or print one",
        description="List the recipes that come with noiseproof, or print one to copy and change.",
        epilog="examples:\n  noiseproof recipes\n  noiseproof recipes demo > my-grid.toml\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help="the recipe to print")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the names, each with the first line of its comment; or the text of one."""
    from noiseproof.train import packaged_recipe_text, packaged_recipes

    if options.name is not None:
        print(packaged_recipe_text(options.name), end="")
        return
    for name in packaged_recipes():
        summary = packaged_recipe_text(name).splitlines()[0].removeprefix("# ")
        say(f"{name:<18} {summary}")
