"""The command ``noiseproof``: one file per sub-command, none with logic of its own."""

from __future__ import annotations

import argparse
import warnings
from typing import NoReturn

from noiseproof import __version__
from noiseproof.cli import apply, audit, bench, fit, methods, noise, predict, recipes, reproduce, review, theory, train
from noiseproof.cli._options import import_named, what_was_meant
from noiseproof.cli._streams import complain, standard_streams
from noiseproof.errors import NoiseproofError
from noiseproof.extras import extra_of, missing
from noiseproof.formats import printable

_COMMANDS = (fit, predict, audit, review, apply, train, bench, reproduce, methods, noise, theory, recipes)

_EXAMPLES = """\
examples:
  noiseproof fit wines.csv --label quality     the best model of labels that are partly wrong, in wines.model
  noiseproof predict wines.model new.csv       which classes it sees in new data
  noiseproof audit wines.model                 which labels are suspicious, and a page to check them on
  noiseproof apply corrections.csv wines.csv --out wines-clean.csv   corrected labels, in a copy
  noiseproof bench demo                    four losses on digits with 60 % wrong labels, in two minutes
  noiseproof reproduce                     the published tables and figures that it trains and compares
  noiseproof train digits --noise symmetric --rate 0.4 --method gce
  noiseproof methods --dataset cifar10     the published methods and their parameters
  noiseproof noise symmetric --data digits --rate 0.3 --out noisy.json
  noiseproof theory --symmetric 0.6        which losses are guaranteed to tolerate a noise
  noiseproof recipes cifar10               the text of a recipe, to copy and change
"""


class _Parser(argparse.ArgumentParser):
    """Repeats no control characters of what was typed."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status.

    It is 0, 1 where not all of the output could be written, 2 for a user's error, 130 for Ctrl-C.
    """
    with standard_streams() as output:
        try:
            status = _run(arguments)
        except SystemExit:  # argparse, after a text of help or an error
            if output.lost() is None:
                raise
            status = 0
        lost = output.lost()
        if lost is not None:
            complain("error: ", f"not all of the output could be written: {lost}")
        return status or int(lost is not None)


def _run(arguments: list[str] | None) -> int:
    parser = _Parser(
        prog="noiseproof",
        description="Train classifiers on wrong labels, and put methods side by side in an honest table.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"noiseproof {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for module in _COMMANDS:
        module.add(commands)
    parser.set_defaults(goes_on=False)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        command = commands.choices[options.command]
        command.error(f"unrecognized arguments: {' '.join(unknown)}{what_was_meant(unknown, command)}")
    warnings.showwarning = _show_warning
    try:
        import_named(options)
        options.run(options)
    except NoiseproofError as error:
        complain("error: ", str(error))
        return 2
    except ModuleNotFoundError as error:
        if error.name is None or extra_of(error.name) is None:
            raise
        complain("error: ", str(missing("this command needs", error.name)))
        return 2
    except KeyboardInterrupt:
        complain("", "")
        kept = " What was done is saved: the same command goes on from here." if options.goes_on else ""
        complain("", f"Stopped.{kept}")
        return 130
    return 0


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    complain("warning: " if category.__module__.startswith("noiseproof") else "", str(message))
