"""One predictor of what several runs have trained."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from safetensors.torch import save

from noiseproof.errors import RunError
from noiseproof.files import write_atomically
from noiseproof.prediction._predictor import (
    MOST_BYTES,
    PREDICTOR,
    Description,
    Member,
    WeightsFile,
    description_text,
    read_description,
)
from noiseproof.untrusted import read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Beside:
    """A member that no run has trained.

    Attributes:
        model: the network, or ``"trees"``.
        state: its weights.
        share: how much it counts, where all networks of runs together count 1.
    """

    model: str
    state: Mapping[str, Tensor]
    share: float


def combine(
    folder: Path,
    runs: Sequence[Path],
    *,
    name: str,
    temperature: float = 1.0,
    beside: Sequence[Beside] = (),
) -> None:
    """Write a predictor whose members are the networks of some finished runs, at their last epoch, all alike.

    Args:
        folder: where; it is there already.
        runs: their folders.
        name: what the predictor is known by.
        temperature: what the logits of every member are divided by.
        beside: further members.

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
    networks = len(members)
    for each in beside:
        content = save(dict(each.state))
        weights = WeightsFile(f"{each.model}.safetensors", hashlib.sha256(content).hexdigest())
        write_atomically(folder / weights.file, content)
        members.append(Member(each.model, {"last": weights}, weight=each.share * networks, temperature=temperature))
    text = description_text(replace(first, run=name, members=tuple(members)))
    write_atomically(folder / PREDICTOR, text.encode())
