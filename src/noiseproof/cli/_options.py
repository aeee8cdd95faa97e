"""Options that several sub-commands share."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiseproof.errors import LabelError, RecipeError
from noiseproof.files import parse_toml
from noiseproof.user_code import import_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from noiseproof.bench import Grid
    from noiseproof.run import Machine


def add_import(parser: argparse.ArgumentParser) -> None:
    """Modules with losses of one's own."""
    parser.add_argument(
        "--import",
        action="append",
        default=[],
        metavar="MODULE",
        dest="imports",
        help="import a module with losses of your own, such as my_losses for my_losses.py in the working folder or "
        "beside the recipe; may be repeated",
    )


def import_named(options: argparse.Namespace) -> None:
    """Import the modules that :func:`add_import`'s option names.

    Raises:
        RecipeError: there is no such module, or it fails.
    """
    names = getattr(options, "imports", [])
    recipe = getattr(options, "recipe", "")
    if names:
        import_modules(names, Path(recipe).parent if recipe.lower().endswith(".toml") else None)


_SHORT = {"--method": "method", "--noise": "noise", "--rate": "noise.rate", "--seed": "seed"}
"""Options of ``train`` that other commands have as keys alone."""


def what_was_meant(unknown: list[str], parser: argparse.ArgumentParser) -> str:
    """The end of an error about arguments that a command does not have: what to write for the first of them."""
    known = re.findall(r"--[a-z-]+", parser.format_usage())
    option, _, value = unknown[0].partition("=")
    changes = "--set" in known
    if changes and not option.startswith("-") and value:
        return f"; a key of the recipe is changed by --set {unknown[0]}"
    if changes and option in _SHORT:
        return f"; write --set {_SHORT[option]}={value or (unknown[1:] or ['…'])[0]}"
    near = difflib.get_close_matches(option, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; see {parser.prog} --help"


def default_data_dir() -> Path:
    """Where data is if nothing is said."""
    return Path(os.environ.get("NOISEPROOF_DATA", "data"))


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Where data is."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=default_data_dir(),
        metavar="DIR",
        help="where published data sets, human labels and weights are (default: $NOISEPROOF_DATA, or data)",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """What to compute on."""
    parser.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="what to compute on (default: auto)"
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Who decodes images."""
    parser.add_argument(
        "--workers",
        type=_count,
        metavar="N",
        help="processes that decode image files, 0 for none (default: one per processor, up to 16); results do not "
        "depend on it",
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Where data and runs are, and on what to train."""
    add_data_dir(parser)
    add_import(parser)
    parser.add_argument(
        "--download",
        action="store_true",
        help="fetch CIFAR and published weights into --data-dir if they are not there",
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="a folder per run (default: runs)"
    )
    add_device(parser)
    parser.add_argument(
        "--fast",
        action="store_true",
        help="compile the updates, and on CUDA record them as graphs: the same numbers up to rounding, after about a "
        "minute; no gain on a CPU",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="how many runs at once, each a process with its share of the CPU's threads (default: 1)",
    )
    parser.add_argument(
        "--executor",
        metavar="NAME",
        help="where runs are computed: inline (in this process), processes, ray (a Ray cluster on this machine), "
        "ray://HOST:PORT, or one of your own from an imported module (default: inline, with --jobs processes)",
    )
    parser.add_argument(
        "--gpus-per-run",
        type=float,
        metavar="X",
        help="with ray: GPUs for each run, 0.5 for two runs on one (default: 1 where there are any)",
    )
    add_workers(parser)
    parser.add_argument(
        "--regularizer",
        choices=("l1", "l2", "none"),
        help="the same regularizer for every method, as strong as published for the data set (default: each its own)",
    )
    parser.add_argument(
        "--set",
        type=_utf_8,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="changes",
        help="change a value of the recipe, such as epochs=3 or noise.rate=0.4; may be repeated",
    )


def machine_of(options: argparse.Namespace) -> Machine:
    """Where the data is and what to train on, as the options of :func:`add_run_options` say.

    Raises:
        RecipeError: an unknown executor, or an option that it does not take.
    """
    from noiseproof.run import Machine, executor_named

    module = (options.executor or "").partition("://")[0].rpartition(".")[0]
    if module:
        import_modules([module])
    executor = executor_named(options.executor, jobs=options.jobs, gpus_per_run=options.gpus_per_run)
    return Machine(
        options.data_dir,
        options.download,
        options.device,
        workers=options.workers,
        fast=options.fast,
        executor=executor,
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 1024:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, 0 … 1024")
    return int(text)


def read_mapping(text: str | None) -> dict[int | str, int | str] | str:
    """Pairs of classes, as :func:`noiseproof.noise.parse_mapping` reads them; the name of a data set stays one.

    Raises:
        LabelError: no text, or no such pairs.
    """
    from noiseproof.noise import parse_mapping

    if text is None:
        raise LabelError("--mapping is missing: expected pairs such as 3=5,5=3")
    return text if re.fullmatch(r"[a-z]\w*", text) else parse_mapping(text)


def _utf_8(text: str) -> str:
    """An argument as UTF-8, which recipes are in, where Python read it by a locale that knows ASCII alone."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return text  # what takes it says what is wrong


def load_asked_grid(options: argparse.Namespace, changes: dict[str, Any]) -> Grid:
    """The grid of the options' recipe.

    Raises:
        RecipeError: as :func:`noiseproof.bench.load_grid`; of an unknown loss that runs were made with, the message
            names the module.
    """
    from noiseproof.bench import load_grid
    from noiseproof.train import name_missing_module

    try:
        return load_grid(options.recipe, changes)
    except RecipeError as error:
        folders = options.runs.iterdir() if options.runs.is_dir() else ()
        raise name_missing_module(error, folders) from error


def recipe_changes(options: argparse.Namespace, named: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the options change in a recipe: ``--set``, ``--regularizer``, and those of a command's own.

    The order of the options and their spelling make no difference: ``--method ce`` is ``--set method=ce`` and, but for
    what else it may have, ``--set method.name=ce``.

    Args:
        options: with those of :func:`add_run_options`.
        named: values of further options by the keys that they stand for, such as ``{"noise.rate": 0.4}``; ``None`` is
            not given.

    Raises:
        RecipeError: an entry of ``--set`` without ``=``, or two options that contradict each other; both are named.
    """
    given = [
        (f"--{key.rpartition('.')[2]} {value}", key, value)
        for key, value in {**(named or {}), "grid.regularizer": options.regularizer}.items()
        if value is not None
    ]
    return combine([*given, *(parse_change(text) for text in options.changes)])


_SET = "--set "


def parse_change(text: str) -> tuple[str, str, Any]:
    """``noise.rate=0.4`` as the option that it came from, its key and its value: TOML, or plain text where that fails.

    Raises:
        RecipeError: there is no ``=``, or no key before it.
    """
    key, equals, value = text.partition("=")
    key = ".".join(part.strip() for part in key.split("."))
    if not equals or not all(key.split(".")):
        raise RecipeError(f"--set {text}: expected KEY=VALUE, such as epochs=3")
    return f"{_SET}{text}", key, _value(value.strip())


def combine(given: list[tuple[str, str, Any]]) -> dict[str, Any]:
    """Options as nested tables, each option with its key and its value.

    Of the same key given twice by ``--set`` the last counts, as of every other option that is given twice.

    Raises:
        RecipeError: two options that contradict each other.
    """
    leaves: dict[tuple[str, ...], tuple[str, Any]] = {}
    for option, key, value in given:
        for path, leaf in _leaves(tuple(key.split(".")), value):
            for other, (before, theirs) in leaves.items():
                short, long = sorted((path, other), key=len)
                same = path == other and theirs == leaf and type(theirs) is type(leaf)
                again = option.startswith(_SET) and before.partition("=")[0] == option.partition("=")[0]
                if long[: len(short)] == short and not same and not again:
                    raise _contradiction(before, option)
            leaves[path] = option, leaf
    named = [option for option, key, value in given if key == "method" and isinstance(value, str)]
    if named and ("method", "loss") in leaves:
        raise _contradiction(named[0], leaves["method", "loss"][0])
    changes: dict[str, Any] = {}
    for path, (_, leaf) in leaves.items():
        table = changes
        for part in path[:-1]:
            table = table.setdefault(part, {})
        table[path[-1]] = leaf
    return changes


def _contradiction(first: str, second: str) -> RecipeError:
    return RecipeError(f"{first} and {second} contradict each other: give one of them")


def _leaves(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values of nested tables with their keys; a table that is one value stays one."""
    from noiseproof.train import as_table

    if len(path) == 1:
        value = as_table(path[0], value)
    if isinstance(value, dict) and value and path[-1] != "mapping":
        for key, inside in value.items():
            yield from _leaves((*path, key), inside)
    else:
        yield path, value


def _value(text: str) -> Any:
    try:
        values = parse_toml(f"value = {text}")
    except (ValueError, RecursionError):
        values = {}
    if values.keys() == {"value"}:
        return values["value"]
    is_number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII)
    return float(text) if is_number else text  # TOML has no .5 and no 5.
