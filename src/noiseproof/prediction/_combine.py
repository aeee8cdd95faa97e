"""One predictor of what several runs have trained."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from safetensors.torch import save

from noiseproof.errors import RunError
from noiseproof.files import write_atomically
from noiseproof.prediction._predictor import (
    MOST_BYTES,
    PREDICTOR,
    TREES,
    Description,
    Member,
    WeightsFile,
    description_text,
    read_description,
)
from noiseproof.untrusted import read_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from noiseproof.models import Trees


def combine(
    folder: Path,
    runs: Sequence[Path],
    *,
    name: str,
    temperature: float = 1.0,
    trees: Trees | None = None,
    share: float = 0.0,
) -> None:
    """Write a predictor whose members are the networks of some finished runs, at their last epoch, all alike.

    Args:
        folder: where; it is there already.
        runs: their folders.
        name: what the predictor is known by.
        temperature: what the logits of every member are divided by.
        trees: a further member.
        share: how much it counts, where all networks together count 1.

    Raises:
        RunError: a run is not finished, was changed, or is of other classes or inputs than the first.
    """
    members: list[Member] = []
    first: Description | None = None
    for run in runs:
        description = read_description(run)
        first = first or description
        if (description.class_names, description.preprocessing) != (first.class_names, first.preprocessing):
            raise RunError(f"{run} is of other classes or inputs than {runs[0]}: they make no predictor together")
        for member in description.members:
            weights = member.weights["last"]
            file = f"member-{len(members)}.safetensors"
            write_atomically(folder / file, read_bytes(run / weights.file, MOST_BYTES))
            members.append(
                replace(member, weights={"last": WeightsFile(file, weights.sha256)}, temperature=temperature)
            )
    if first is None:
        raise RunError("no runs to make a predictor of")
    if trees is not None:
        content = save(trees.state_dict())
        weights = WeightsFile("trees.safetensors", hashlib.sha256(content).hexdigest())
        write_atomically(folder / weights.file, content)
        members.append(Member(TREES, {"last": weights}, weight=share * len(members), temperature=temperature))
    text = description_text(replace(first, run=name, members=tuple(members)))
    write_atomically(folder / PREDICTOR, text.encode())
