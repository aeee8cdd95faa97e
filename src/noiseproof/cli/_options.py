"""Options that several sub-commands share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiseproof.errors import LabelError, RecipeError
from noiseproof.files import parse_toml

if TYPE_CHECKING:
    from noiseproof.bench import Machine


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Where data is."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get("NOISEPROOF_DATA", "data")),
        metavar="DIR",
        help="where published data sets, human labels and weights are (default: $NOISEPROOF_DATA, or data)",
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Where data and runs are, and on what to train."""
    add_data_dir(parser)
    parser.add_argument(
        "--download",
        action="store_true",
        help="fetch CIFAR and published weights into --data-dir if they are not there",
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="a folder per run (default: runs)"
    )
    parser.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="what to train on (default: auto)"
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="compile the updates, and on CUDA record them as graphs: the same numbers up to rounding, after about a "
        "minute; no gain on a CPU",
    )
    parser.add_argument(
        "--jobs",
        type=read_jobs,
        default=1,
        metavar="N",
        help="how many runs at once, each a process with its share of the CPU's threads; 'auto' for as many as get "
        "most done (default: 1)",
    )
    parser.add_argument(
        "--workers",
        type=_count,
        metavar="N",
        help="processes that decode image files, 0 for none (default: one per processor, up to 16); results do not "
        "depend on it",
    )
    parser.add_argument(
        "--regulariser",
        choices=("l1", "l2", "none"),
        help="the same regulariser for every method, as strong as published for the data set (default: each its own)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="changes",
        help="change a value of the recipe, such as epochs=3 or noise.rate=0.4; may be repeated",
    )


def machine_of(options: argparse.Namespace) -> Machine:
    """Where the data is and what to train on, as the options of :func:`add_run_options` say."""
    from noiseproof.bench import Machine

    return Machine(options.data_dir, options.download, options.device, options.jobs, options.workers, fast=options.fast)


def read_jobs(text: str) -> int | None:
    """``"2"`` as a number of processes, ``"auto"`` as none.

    Raises:
        argparse.ArgumentTypeError: another text.
    """
    try:
        return None if text == "auto" else int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of processes, or auto") from error


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 1024:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, 0 … 1024")
    return int(text)


def read_map(text: str | None) -> dict[int, int] | str:
    """``"3:5,5:3"`` as a map of classes; a text without pairs is the name of one.

    Raises:
        LabelError: no text, or no such pairs.
    """
    if text is None:
        raise LabelError("--map is missing: expected pairs such as 3:5,5:3")
    if ":" not in text:
        return text
    try:
        pairs = [pair.split(":") for pair in text.split(",")]
        return {int(source): int(target) for source, target in pairs}
    except ValueError as error:
        raise LabelError(f"--map {text}: expected pairs such as 3:5,5:3") from error


def parse_changes(texts: list[str]) -> dict[str, Any]:
    """``["noise.rate=0.4", "method=gce"]`` as nested tables; values are TOML, or plain text where that fails.

    Raises:
        RecipeError: an entry without ``=``.
    """
    changes: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise RecipeError(f"--set {text}: expected KEY=VALUE, such as epochs=3")
        table = changes
        *path, last = key.strip().split(".")
        for part in path:
            table = table.setdefault(part, {})
        table[last] = _value(value.strip())
    return changes


def all_changes(options: argparse.Namespace) -> dict[str, Any]:
    """What ``--set`` and ``--regulariser`` change."""
    changes = parse_changes(options.changes)
    if options.regulariser is not None:
        changes["grid"] = {**changes.get("grid", {}), "regulariser": options.regulariser}
    return changes


def _value(text: str) -> Any:
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text
