"""The budget, and the plan that it is turned into: what is trained for how long, before anything is chosen."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from noiseproof.container import read_document, write_document
from noiseproof.errors import RecipeError, RunError
from noiseproof.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h|d|updates)\s*")

LENGTHS = (0.2, 0.5, 1.0)
"""Of the rungs, as shares of the longest race."""

KEPT = (1.0, 0.7, 0.5)
"""The share of the candidates that enters each rung."""

MEMBERS, SEEDS = 3, 3
"""How many candidates the final networks are of, and how many there are of each."""

FOLDS = 5
"""A fifth of the data is held out."""

_EPOCHS, _FEWEST_EPOCHS = 50, 4
"""Of the longest race: more would learn wrong labels by heart."""

_MOST_UPDATES = 20_000
"""Of one network."""

_SHORT = 400
"""Up to so many updates of a network, starting it takes as long as training it: there is one rung."""

_FEW, _SMALL = 400, 1000
"""With fewer samples only some candidates can be told apart. From there up to the second number three folds are held
out, one after another: a single one would say little."""

_BATCHES = ((100_000, 512), (20_000, 256), (500, 128), (250, 64), (100, 32), (0, 16))
"""From so many samples on, the size of a mini-batch."""


@dataclass(frozen=True)
class Budget:
    """The most that a fit may take: seconds, or updates of all networks together.

    Raises:
        RecipeError: a text that is none.
    """

    seconds: float = math.inf
    updates: float = math.inf

    @classmethod
    def parse(cls, text: str) -> Budget:
        """``"10m"``, ``"30s"``, ``"1.5h"`` or ``"2000 updates"``."""
        match = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if match is None or not float(match[1]):
            raise RecipeError(f"budget {text!r}: expected a time such as '10m', '30s', '1h', or '2000 updates'")
        value = float(match[1])
        return cls(updates=value) if match[2] == "updates" else cls(seconds=value * _UNITS[match[2]])


@dataclass(frozen=True)
class Rung:
    """A part of the race.

    Attributes:
        epochs: how long each candidate has then been trained.
        enter: how many candidates enter it.
    """

    epochs: int
    enter: int


@dataclass(frozen=True)
class Plan:
    """What is trained for how long. The same data, plan and seed give the same bytes.

    Attributes:
        model: the network.
        batch_size: samples per update.
        lr: of AdamW.
        augment: of images; see :class:`noiseproof.train.Recipe`.
        is_short: whether only the candidates race that are needed most, since so few labels tell no more apart.
        folds: on how many of the five folds the race is run.
        rungs: its parts.
        members: of how many candidates the final networks are.
        seeds: how many final networks there are of each.
        seed: of everything that is drawn.
    """

    model: str
    batch_size: int
    lr: float
    augment: tuple[str, ...]
    is_short: bool
    folds: int
    rungs: tuple[Rung, ...]
    members: int
    seeds: int
    seed: int

    def stages(self, samples: int, candidates: int) -> list[int]:
        """The most updates that each rung takes, and last the final networks."""
        found, before = [], 0
        for number, rung in enumerate(self.rungs):
            enter = candidates if not number else min(rung.enter, candidates)
            found.append(enter * (rung.epochs - before) * self.steps(samples) * self.folds)
            before = rung.epochs
        return [*found, self.members * self.seeds * before * steps_of(samples, self.batch_size)]

    def updates(self, samples: int, candidates: int) -> int:
        """The most updates that it takes, of all networks together."""
        return sum(self.stages(samples, candidates))

    def shares(self, samples: int, candidates: int, begun: float) -> list[float]:
        """Which share of the whole is done after each rung, where ``begun`` was done before the first."""
        done = np.cumsum(self.stages(samples, candidates))[:-1] / self.updates(samples, candidates)
        return [begun + (1 - begun) * float(share) for share in done]

    def steps(self, samples: int) -> int:
        """Updates of an epoch of the race."""
        return steps_of(samples * (FOLDS - 1) // FOLDS, self.batch_size)


def steps_of(samples: int, batch_size: int) -> int:
    """Updates of an epoch over so many samples."""
    return max(1, math.ceil(samples / batch_size))


def first_plan(samples: int, *, is_image: bool, model: str | None, seed: int) -> Plan:
    """The plan if time were no matter, of which the first rung is run as it is."""
    batch_size = next(size for least, size in _BATCHES if samples >= least)
    steps = steps_of(samples * (FOLDS - 1) // FOLDS, batch_size)
    longest = max(_FEWEST_EPOCHS, min(_EPOCHS, _MOST_UPDATES // steps))
    lengths = (1.0,) if longest * steps <= _SHORT else LENGTHS
    epochs = dict.fromkeys(max(1, round(share * longest)) for share in lengths)
    return Plan(
        model=model or ("cnn8(width=0.25)" if is_image else "mlp(hidden=256, depth=2)"),
        batch_size=batch_size,
        lr=1e-3,
        augment=("crop", "flip") if is_image else (),
        is_short=samples < _FEW,
        folds=3 if _FEW <= samples < _SMALL else 1,
        rungs=tuple(Rung(length, 0) for length in epochs),
        members=MEMBERS,
        seeds=1 if samples < _FEW else SEEDS,
        seed=seed,
    )


def within(plan: Plan, samples: int, candidates: int, updates: float) -> Plan:
    """The plan with as much of it as fits into so many updates, of which the first rung is the least.

    First there are fewer folds, then fewer final networks, then shorter rungs.
    """
    entering = [max(2, math.ceil(share * candidates)) for share in KEPT]
    plan = replace(plan, rungs=tuple(Rung(rung.epochs, n) for rung, n in zip(plan.rungs, entering, strict=False)))

    def fits(one: Plan) -> bool:
        return one.updates(samples, candidates) <= updates

    tries = [replace(plan, folds=folds, seeds=seeds) for seeds in range(plan.seeds, 0, -1) for folds in {plan.folds, 1}]
    tries.sort(key=lambda one: (one.seeds >= 2, one.folds, one.seeds), reverse=True)
    for one in tries:
        if fits(one):
            return one
    one = replace(plan, folds=1, seeds=1)
    while not fits(one) and one.rungs[-1].epochs > one.rungs[0].epochs + 1:
        shorter = [max(one.rungs[0].epochs + place, rung.epochs * 4 // 5) for place, rung in enumerate(one.rungs)]
        rungs = [replace(rung, epochs=epochs) for rung, epochs in zip(one.rungs[1:], shorter[1:], strict=True)]
        if [one.rungs[0], *rungs] == [*one.rungs]:
            break
        one = replace(one, rungs=(one.rungs[0], *rungs))
    return one if fits(one) else replace(one, members=1)


_PLANS = TypeAdapter(Plan)


def write_plan(path: Path, plan: Plan) -> None:
    """Write a plan, for :func:`read_plan`."""
    write_atomically(path, write_document("plan", asdict(plan)).encode())


def read_plan(path: Path) -> Plan:
    """A plan from a file.

    Raises:
        RunError: there is none, or it was changed.
    """
    try:
        contents: dict[str, Any] = read_document(path, "plan")
        return _PLANS.validate_python(contents)
    except (OSError, ValueError, ValidationError) as error:
        raise RunError(f"cannot read the plan {path}: {error}") from error
