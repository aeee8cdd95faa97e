"""``noiseproof train``: one run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from noiseproof.cli._explain import FOLDER_NAMES, next_command, noisy_validation_notes
from noiseproof.cli._options import add_run_options, load_asked_grid, machine_of, recipe_changes

if TYPE_CHECKING:
    from noiseproof.bench import Grid
    from noiseproof.train import Epoch

_EXAMPLES = """\
examples:
  noiseproof train digits --noise symmetric --rate 0.6
  noiseproof train digits --noise symmetric --rate 0.4 --method "nce + 0.5*amse(a=10)" --set epochs=20
  noiseproof train cifar10 --data-dir DIR --method gce --rate 0.4 --seed 2
  noiseproof train arrays --set data.path=my.npz
  noiseproof train folder --set data.path=photos
  noiseproof train webvision --data-dir DIR --workers 16

An interrupted run goes on when the same command is given again; a finished one is not run twice.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "train",
        help="train one network with one method",
        description="Train one network with one method, on data with label noise.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recipe", metavar="RECIPE", help="a name from `noiseproof recipes`, or the path of a .toml file"
    )
    parser.add_argument("--method", help="a name from `noiseproof methods`, with parameters, or any loss expression")
    parser.add_argument(
        "--noise", metavar="KIND", help="none, symmetric, asymmetric, matrix, instance, human, labels or file"
    )
    parser.add_argument("--rate", type=float, help="the noise rate, a share such as 0.4")
    parser.add_argument("--seed", type=int, help="of everything that is drawn")
    add_run_options(parser)
    parser.set_defaults(run=run, goes_on=True)


def run(options: argparse.Namespace) -> None:
    """Train and say what came out and where it is."""
    from noiseproof.bench import run_grid
    from noiseproof.cli._display import GridDisplay
    from noiseproof.cli._streams import say
    from noiseproof.results import unreadable_note
    from noiseproof.train import keep_freed_memory

    grid = asked_for(options)
    keep_freed_memory()
    with GridDisplay() as display:
        (record,) = run_grid(
            grid,
            options.runs,
            machine_of(options),
            watch=display,
        )
    recipe = grid.recipes[0]
    say(f"{recipe.method.name} ({recipe.method.loss}): {recipe.protocol}, seed {recipe.seed}")
    if record.noise is not None:
        say(record.noise["description"])
    for note in (*record.data["notes"], *unreadable_note(record)):
        say(f"data: {note}")
    if record.weights is not None:
        left_out = ", ".join(record.weights["left_out"])
        anew = f"; {left_out} are of another classifier and start anew" if left_out else ""
        say(f"weights: {record.weights['file']} (SHA-256 {record.weights['sha256'][:12]}…){anew}")
    if record.status == "diverged":
        say(
            f"diverged after {len(record.epochs)} epochs: the loss, the weights or the outputs became infinite or "
            "undefined"
        )
    if record.last is not None:
        say(f"last epoch: {_accuracies(record.last)}")
    if record.selected is not None:
        say(f"epoch chosen on noisy validation: {_accuracies(record.selected)}")
    for note in noisy_validation_notes([record]):
        say(note)
    say(f"{FOLDER_NAMES}; the same command again returns this result")
    say("Try next, to see other methods and seeds beside it:", f"  {next_command(options, record)}")
    say(f"record and weights: {record.folder}")


def asked_for(options: argparse.Namespace) -> Grid:
    """The one run that the options ask for.

    Raises:
        RecipeError: they contradict each other, it is no valid recipe, or there are several.
    """
    from noiseproof.errors import RecipeError

    named = {"method": options.method, "noise": options.noise, "noise.rate": options.rate, "seed": options.seed}
    grid = load_asked_grid(options, recipe_changes(options, named))
    if len(grid.recipes) != 1:
        raise RecipeError(
            f"{options.recipe} is a grid of {len(grid.recipes)} runs: use `noiseproof bench {options.recipe}`"
        )
    return grid


def _accuracies(epoch: Epoch) -> str:
    parts = [f"epoch {epoch.epoch}"]
    if epoch.test_accuracy is not None:
        parts.append(f"test {epoch.test_accuracy:.2%}")
    for name, measures in epoch.extra_tests.items():
        shown = [f"{measures[key]:.2%}{'' if key == 'accuracy' else ' (top 5)'}" for key in measures if measures[key]]
        parts.append(f"{name} {', '.join(shown)}")
    if epoch.validation_accuracy is not None:
        parts.append(f"noisy validation {epoch.validation_accuracy:.2%}")
    if epoch.memorization is not None:
        parts.append(f"memorization {epoch.memorization:.2%}")
    return ", ".join(parts)
