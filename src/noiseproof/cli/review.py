"""``noiseproof review``: the page on which suspicious labels are checked."""

from __future__ import annotations

import argparse
from pathlib import Path

from noiseproof.cli._streams import say
from noiseproof.errors import DataError

_PAGE = "index.html"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "review",
        help="check suspicious labels in the browser",
        description="Open the page of an audit in the browser. It is one file and needs no server and no network.",
        epilog="examples:\n  noiseproof review wines.audit\n  noiseproof review wines.audit --no-browser\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of an audit")
    parser.add_argument("--no-browser", action="store_true", help="only say where the page is")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Say where the page is and open it."""
    import webbrowser

    page = options.folder / _PAGE
    try:
        is_there = page.is_file()
    except (OSError, ValueError):  # a name that can be none
        is_there = False
    if not is_there:
        raise DataError(f"{options.folder} holds no {_PAGE}: expected the folder of an audit, which has one")
    page = page.resolve()
    say(str(page))
    if not options.no_browser and not webbrowser.open(page.as_uri()):
        say("No browser was found here: open this file in one.")
