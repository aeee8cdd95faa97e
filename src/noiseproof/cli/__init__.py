"""The command ``noiseproof``: one file per sub-command, none with logic of its own."""

from __future__ import annotations

import argparse
import os
import sys
import warnings

from noiseproof import __version__
from noiseproof.cli import bench, methods, noise, recipes, reproduce, theory, train
from noiseproof.errors import NoiseproofError

_COMMANDS = (train, bench, reproduce, methods, noise, theory, recipes)

_EXAMPLES = """\
examples:
  noiseproof bench demo                    four losses on digits with 60 % wrong labels, in two minutes
  noiseproof reproduce                     the published tables and figures that it trains and compares
  noiseproof train digits --noise symmetric --rate 0.4 --method gce
  noiseproof methods --dataset cifar10     the published methods and their parameters
  noiseproof noise symmetric --data digits --rate 0.3 --out noisy.json
  noiseproof theory --symmetric 0.6        which losses are guaranteed to tolerate a noise
  noiseproof recipes cifar10               the text of a recipe, to copy and change
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 2 for a user's error, 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="noiseproof",
        description="Train classifiers on wrong labels, and put methods side by side in an honest table.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"noiseproof {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in _COMMANDS:
        module.add(commands)
    options = parser.parse_args(arguments)
    warnings.showwarning = _show_warning
    try:
        options.run(options)
        sys.stdout.flush()
    except NoiseproofError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What was done is saved: the same command goes on from here.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe went away, as `head` does; nothing is left to say, not even when Python flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    print(f"warning: {message}" if category.__module__.startswith("noiseproof") else message, file=sys.stderr)
