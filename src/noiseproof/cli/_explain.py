"""What the figures of a run mean, and what to do after it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.cli._options import default_data_dir

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from noiseproof.train import Record

FOLDER_NAMES = (
    "a folder is named by data, noise, rate, method, seed and the run's id, a hash of all that it was made from"
)


def noisy_validation_notes(records: Iterable[Record]) -> list[str]:
    """Why accuracy on noisy validation cannot reach 100 %, for the runs that have it; each text once."""
    return list(dict.fromkeys(_noisy_validation_note(record) for record in records if record.selected is not None))


def _noisy_validation_note(record: Record) -> str:
    text = "noisy validation counts agreement with held-out labels as they are, "
    if record.noise is None:
        return (
            f"{text}wrong ones included: with a share r of wrong labels a network without an error reaches 1 - r, not "
            "100%. It compares methods; how good one is, a test set with checked labels says"
        )
    rate = record.noise["rate"]
    return f"{text}{rate:.0%} of which are wrong here: a network without an error would reach about {1 - rate:.0%}"


def next_command(options: argparse.Namespace, record: Record) -> str:
    """What to type after a run, with the data and the noise of its command: other methods beside it."""
    words = ["noiseproof", "bench", options.recipe]
    for name in options.imports:
        words += ["--import", name]
    changes = [change for change in options.changes if change.partition("=")[0].split(".")[0].strip() not in _VARIED]
    changes += [f"noise={options.noise}"] if options.noise is not None else []
    changes += [f"noise.rate={options.rate}"] if options.rate is not None else []
    used = dict.fromkeys([str(record.recipe["method"]["loss"]), *_COMPARED])
    methods = ", ".join(f'"{method}"' for method in list(used)[: len(_COMPARED)])
    for change in [*changes, f"grid.methods=[{methods}]", "grid.seeds=[1, 2, 3]"]:
        words += ["--set", change]
    for option, value, usual in (
        ("--regularizer", options.regularizer, None),
        ("--runs", options.runs, Path("runs")),
        ("--data-dir", options.data_dir, default_data_dir()),
    ):
        words += [option, str(value)] if value != usual else []
    return shlex.join(words)


_VARIED = ("method", "grid", "seed")

_COMPARED = ("ce", "gce", "jal-ce")
