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
from noiseproof.fitting._candidates import is_short, is_small

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h|d|updates)\s*")

LENGTHS = (0.2, 0.5, 1.0)
"""Of the rungs, as shares of the longest race."""

KEPT = (1.0, 0.7, 0.5)
"""The share of the candidates that enters each rung."""

MEMBERS, SEEDS = 3, 3
"""How many candidates the final networks are of, and how many there are of each."""

_ENOUGH_SEEDS = 2
"""So many are worth more than further folds."""

FOLDS = 5
"""A fifth of the data is held out."""

_EPOCHS, _FEWEST_EPOCHS = 50, 4
"""Of the longest race: more would learn wrong labels by heart."""

_MOST_UPDATES = 20_000
"""Of one network."""

_SHORT = 400
"""Up to so many updates of a network, starting it takes as long as training it: there is one rung."""

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
            above = " above 0" if match is not None else ""
            raise RecipeError(f"budget {text!r}: expected a time{above} such as '10m', '30s', '1h', or '2000 updates'")
        value = float(match[1])
        if match[2] == "updates" and value != int(value):
            raise RecipeError(f"budget {text!r}: expected a whole number of updates")
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
class Sizes:
    """How much data there is.

    Attributes:
        samples: all of them.
        training: the most that a network of the race learns from, while one fold is held out.
        folds: how many there are.
    """

    samples: int
    training: int
    folds: int

    @classmethod
    def of(cls, folds: NDArray[np.int64]) -> Sizes:
        """Those of data with these ``(N,)`` numbers of folds, of which there is at least one."""
        held_out = np.bincount(folds[folds >= 0])
        return cls(len(folds), len(folds) - int(held_out.min()), len(held_out))


@dataclass(frozen=True)
class Plan:
    """What is trained for how long. The same data, plan and seed give the same bytes.

    Attributes:
        budget: what was allowed.
        features: the frozen network whose vectors of images are learned from, by name or SHA-256; empty for none.
        model: the network.
        batch_size: samples per update.
        lr: of AdamW.
        augment: of images; see :class:`noiseproof.train.Recipe`.
        is_short: whether only the candidates race that are needed most, since so few labels tell no more apart.
        folds: on how many of the folds the race is run.
        rungs: its parts, each longer than the one before.
        members: of how many candidates the final networks are.
        seeds: how many final networks there are of each.
        trees: for how many iterations trees are grown at most; 0 for none.
        linear: whether logistic regression is fitted.

    Raises:
        ValueError: numbers that are no plan.
    """

    budget: str
    features: str
    model: str
    batch_size: int
    lr: float
    augment: tuple[str, ...]
    is_short: bool
    folds: int
    rungs: tuple[Rung, ...]
    members: int
    seeds: int
    trees: int
    linear: bool

    def __post_init__(self) -> None:
        Budget.parse(self.budget)
        lengths = [rung.epochs for rung in self.rungs]
        if (
            min(self.batch_size, self.members, self.seeds, *lengths) < 1
            or not lengths
            or lengths != sorted({*lengths})
            or not 1 <= self.folds <= FOLDS
            or min(self.trees, *(rung.enter for rung in self.rungs)) < 0
        ):
            raise ValueError(f"no plan: {self!r:.300}")

    def stages(self, sizes: Sizes, candidates: int) -> list[int]:
        """The most updates that each rung takes, and last the final networks."""
        found, before = [], 0
        for number, rung in enumerate(self.rungs):
            enter = candidates if not number else min(rung.enter, candidates)
            found.append(enter * (rung.epochs - before) * self.steps(sizes) * self.folds)
            before = rung.epochs
        return [*found, self.members * self.seeds * before * steps_of(sizes.samples, self.batch_size)]

    def updates(self, sizes: Sizes, candidates: int) -> int:
        """The most updates that it takes, of all networks together."""
        return sum(self.stages(sizes, candidates))

    def shares(self, sizes: Sizes, candidates: int, begun: float) -> list[float]:
        """Which share of the whole is done after each rung, where ``begun`` was done before the first."""
        done = np.cumsum(self.stages(sizes, candidates))[:-1] / self.updates(sizes, candidates)
        return [begun + (1 - begun) * float(share) for share in done]

    def steps(self, sizes: Sizes) -> int:
        """The most updates that an epoch of the race takes."""
        return steps_of(sizes.training, self.batch_size)

    def opened(self, epochs: int) -> Plan:
        """The plan with a first rung of at most so many epochs."""
        first = replace(self.rungs[0], epochs=min(self.rungs[0].epochs, epochs))
        return replace(self, rungs=(first, *self.rungs[1:]))


def steps_of(samples: int, batch_size: int) -> int:
    """Updates of an epoch over so many samples."""
    return max(1, math.ceil(samples / batch_size))


_TABLES = ("mlp(hidden=256, depth=2)", 1e-3, ())
_VECTORS = ("mlp(hidden=256, depth=2)", 1e-4, ())
_IMAGES = ("cnn8(width=0.25)", 1e-3, ("crop", "flip"))
"""Network, learning rate and augmentation. Heads on vectors of images are at their best after two or three epochs at
the rate of tables, which is too coarse to choose from."""


def first_plan(sizes: Sizes, *, is_image: bool, features: str, model: str | None, budget: str, trees: int) -> Plan:
    """The plan if time were no matter."""
    network, lr, augment = _IMAGES if is_image else _VECTORS if features else _TABLES
    samples = sizes.samples
    batch_size = next(size for least, size in _BATCHES if samples >= least)
    steps = steps_of(sizes.training, batch_size)
    longest = max(_FEWEST_EPOCHS, min(_EPOCHS, _MOST_UPDATES // steps))
    lengths = (1.0,) if longest * steps <= _SHORT else LENGTHS
    epochs = dict.fromkeys(max(1, round(share * longest)) for share in lengths)
    return Plan(
        budget=budget,
        features=features,
        model=model or network,
        batch_size=batch_size,
        lr=lr,
        augment=augment,
        is_short=is_short(samples),
        folds=min(sizes.folds, 3 if is_small(samples) and not is_short(samples) else 1),
        rungs=tuple(Rung(length, 0) for length in epochs),
        members=MEMBERS,
        seeds=1 if is_short(samples) else SEEDS,
        trees=trees,
        linear=trees > 0 and is_small(samples),
    )


def opening_within(plan: Plan, sizes: Sizes, candidates: int, updates: float) -> Plan:
    """The plan with a first rung so short that it, and one network on all data, fit into so many updates.

    Raises:
        RecipeError: not even one epoch fits.
    """
    each = candidates * plan.steps(sizes) + steps_of(sizes.samples, plan.batch_size)
    if updates < each:
        raise RecipeError(
            f"a budget of {updates:g} updates is too small: one epoch of {candidates} candidates and of a network on "
            f"all data takes {each}"
        )
    return plan if updates == math.inf else plan.opened(int(updates // each))


def within(plan: Plan, sizes: Sizes, candidates: int, updates: float) -> Plan:
    """The plan with as much of it as fits into so many updates; the shortest there is where nothing fits.

    First there are fewer final networks, then fewer folds, then shorter and fewer rungs, and last one network alone.
    The first rung stays as it is.
    """
    entering = [max(2, math.ceil(share * candidates)) for share in KEPT]
    plan = replace(plan, rungs=tuple(Rung(rung.epochs, n) for rung, n in zip(plan.rungs, entering, strict=False)))
    for one in _by_preference(plan):
        if one.updates(sizes, candidates) <= updates:
            break
    return one


def _by_preference(plan: Plan) -> Iterator[Plan]:
    """The plan, and what it may be cut down to."""
    tries = [replace(plan, folds=folds, seeds=seeds) for seeds in range(plan.seeds, 0, -1) for folds in {plan.folds, 1}]
    yield from sorted(tries, key=lambda one: (one.seeds >= _ENOUGH_SEEDS, one.folds, one.seeds), reverse=True)
    first, *others = plan.rungs
    plan = replace(plan, folds=1, seeds=1)
    while others:
        shorter, last = [], first.epochs
        for rung in others:
            last = max(last + 1, rung.epochs * 4 // 5)
            shorter.append(replace(rung, epochs=last))
        others = shorter if shorter != others else others[:-1]
        yield replace(plan, rungs=(first, *others))
    for members in range(plan.members, 0, -1):
        yield replace(plan, rungs=(first,), members=members)


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
