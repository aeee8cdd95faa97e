"""The choice: candidates race by a plan that fits into the budget."""

from __future__ import annotations

import math
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from noiseproof.auditing import noise_bracket
from noiseproof.fitted.audits import RUNS
from noiseproof.fitting._boosting import STEP, Boosting
from noiseproof.fitting._candidates import FIXED, NEEDED, Candidate, jal_candidates
from noiseproof.fitting._plan import Budget, Plan, Sizes, first_plan, opening_within, within
from noiseproof.fitting._race import Race, Standing
from noiseproof.models import find_device
from noiseproof.run.executors import OneThread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from noiseproof.auditing import NoiseBracket
    from noiseproof.fitting._asked import Asked
    from noiseproof.run import Machine

_WORTH_PROCESSES = 8.0
"""Seconds of training from which a second process is worth its start."""

_IMAGES = 0.05
"""Seconds that an update on images is taken for before one has been timed."""

_WORTH_A_LOOK = 2000
"""Updates of the first rung from which it is timed before it is run."""

_OPENING = 0.05
"""The share of all that the opening is taken for before it has been timed."""

_FIRST_RUNG = 0.3
"""The share of the time that the first rung may take."""

_FOR_TREES, _FEWEST_TREES = 0.2, 10
"""The share of the time that trees may take, and the iterations that they are worth it from."""

_IN_RESERVE = 0.85
"""The share of the time left that is planned for: the rest goes into what lies between runs."""

_JAL = 2
"""The most candidates that follow from the noise."""


@dataclass(frozen=True, eq=False)
class Choice:
    """How the race ended.

    Attributes:
        race: its runs.
        candidates: all that raced, the simpler ones first.
        standings: of those that stayed to the end, the best first.
        dropped: of the others.
        diverged: those whose numbers became infinite.
        bracket: of the noise.
        done: which share of the fit is done.
    """

    race: Race
    candidates: tuple[Candidate, ...]
    standings: list[Standing]
    dropped: list[Standing]
    diverged: list[Candidate]
    bracket: NoiseBracket
    done: float

    @property
    def simplest(self) -> Standing:
        """The first candidate of the race that the best one is not more than a standard error above."""
        return self.race.choose(sorted(self.standings, key=lambda one: self.candidates.index(one.candidate)))


def choose(asked: Asked, started: float) -> Choice:
    """Race, by the plan that there is or by one that is made after the first rung.

    Args:
        asked: what is fitted.
        started: when, by :func:`time.monotonic`.

    Raises:
        RecipeError: a budget that is too small for one epoch.
        RunError: no candidate learned.
    """
    sizes, allowed, known = Sizes.of(asked.folds), Budget.parse(asked.budget), asked.planned
    is_image = asked.dataset.is_image
    plan = known or first_plan(
        sizes,
        is_image=is_image,
        features=asked.features,
        model=asked.network,
        budget=asked.budget,
        trees=asked.boosting.most,
    )
    if known is None:
        most = len(_fixed(plan)) + (0 if plan.is_short else _JAL)
        plan = opening_within(plan, sizes, most, allowed.updates)
    race = Race(
        asked.training,
        asked.training / RUNS,
        plan,
        asked.seed,
        asked.labels,
        asked.folds,
        asked.score_weight,
        _machine(asked, seconds=_IMAGES * _updates(plan, sizes) if is_image else 0.0),
        asked.weights,
    )
    if known is None:
        plan = _opening_in_time(race, sizes, allowed)
    opening = _open(asked, replace(race, plan=replace(plan, folds=1)))
    count = len(opening.candidates)
    if known is None:
        plan = within(plan, sizes, count, allowed.updates)
    machine = _machine(asked, seconds=opening.seconds * plan.rungs[-1].epochs * count)
    if known is None:
        if allowed.seconds < math.inf:
            plan, grown = _trees_in_time(plan, asked.boosting, asked.folds, allowed)
            left = max(allowed.seconds - (time.monotonic() - started) - grown, 0.0) * _IN_RESERVE
            epochs = left * machine.settings().jobs / max(opening.seconds, 1e-6)
            # What the first rung did is a part of the plan.
            updates = plan.steps(sizes) * (plan.rungs[0].epochs * len(_fixed(plan)) + epochs)
            plan = within(plan, sizes, count, updates)
        asked.keep_plan(plan)
    return _race(asked, replace(race, plan=plan, machine=machine), opening, plan.shares(sizes, count, _OPENING))


def _updates(plan: Plan, sizes: Sizes) -> int:
    """Of the first rung of what races whatever the noise may be, on one fold."""
    return len(_fixed(plan)) * plan.rungs[0].epochs * plan.steps(sizes)


def _fixed(plan: Plan) -> tuple[Candidate, ...]:
    """What races whatever the noise may be."""
    return NEEDED if plan.is_short else FIXED


@dataclass(frozen=True)
class _Opening:
    """What the first rung has shown, on one fold.

    Attributes:
        candidates: all that race.
        diverged: those that drop out at once.
        bracket: of the noise.
        seconds: of an epoch of a candidate.
    """

    candidates: tuple[Candidate, ...]
    diverged: list[Candidate]
    bracket: NoiseBracket
    seconds: float


def _open(asked: Asked, race: Race) -> _Opening:
    """Run the first rung of the candidates that are there whatever the noise, and see what others it asks for."""
    plan, candidates = race.plan, _fixed(race.plan)
    length = plan.rungs[0].epochs
    standings, diverged = race.run(candidates, length, asked.tell.of_runs("first round", 0.0, _OPENING))
    best = race.order(standings)[: max(1, len(standings) // 2)]
    bracket = noise_bracket(np.mean([standing.sums for standing in best], 0), asked.labels[race.index])
    if not plan.is_short:
        candidates = (*candidates, *jal_candidates(bracket, asked.given.dataset.num_classes))
    seconds = sum(standing.seconds for standing in standings) / len(standings) / length
    return _Opening(candidates, diverged, bracket, seconds)


def _race(asked: Asked, race: Race, opening: _Opening, shares: Sequence[float]) -> Choice:
    """Run rung after rung, until all are run or more of them would change nothing."""
    diverged = [*opening.diverged]
    going_on = [candidate for candidate in opening.candidates if candidate not in diverged]
    standings: list[Standing] = []
    everyone: dict[str, Standing] = {}
    what, done = "first round", _OPENING
    for number, (rung, share) in enumerate(zip(race.plan.rungs, shares, strict=True), 1):
        if number > 1:
            if _is_settled(standings):
                break
            going_on = race.survivors(standings, rung.enter)
            what = f"round {number} of at most {len(shares)}, {len(going_on)} candidates"
        standings, lost = race.run(going_on, rung.epochs, asked.tell.of_runs(what, done, share))
        diverged += lost
        everyone |= {standing.candidate.name: standing for standing in standings}
        done = share
    gone = {candidate.name for candidate in diverged} | {standing.candidate.name for standing in standings}
    dropped = [standing for name, standing in everyone.items() if name not in gone]
    return Choice(race, opening.candidates, race.order(standings), dropped, diverged, opening.bracket, shares[-1])


def _opening_in_time(race: Race, sizes: Sizes, allowed: Budget) -> Plan:
    """The plan with a first rung that leaves most of the time to the others, if it is long enough to matter."""
    plan, candidates = race.plan, _fixed(race.plan)
    if allowed.seconds == math.inf or _updates(plan, sizes) < _WORTH_A_LOOK:
        return plan
    with tempfile.TemporaryDirectory(prefix="noiseproof-") as folder:
        timed = replace(race, runs=Path(folder), plan=replace(plan, folds=1))
        standings, _ = timed.run(candidates[:1], 1, lambda _: None)
        each = standings[0].seconds * len(candidates) / race.machine.settings().jobs
    return plan.opened(max(1, int(_FIRST_RUNG * allowed.seconds / max(each, 1e-6))))


def _trees_in_time(plan: Plan, boosting: Boosting, folds: NDArray[np.int64], allowed: Budget) -> tuple[Plan, float]:
    """The plan with as many iterations of trees as their share of the time allows, and the seconds that they take."""
    if not plan.trees:
        return plan, 0.0
    began = time.monotonic()
    boosting.grow(np.flatnonzero(folds != 0), STEP)
    each = (time.monotonic() - began) / STEP * (plan.folds + 1)  # of the folds, and of all data at the end
    fitting = int(_FOR_TREES * allowed.seconds / max(each, 1e-6)) // STEP * STEP
    trees = min(plan.trees, fitting) if fitting >= _FEWEST_TREES else 0
    return replace(plan, trees=trees), trees * each


def _machine(asked: Asked, *, seconds: float) -> Machine:
    """Where runs of so many seconds are computed: in several processes if they take long enough for these to start.

    A run has one thread of the CPU wherever it is computed, since its bytes depend on that.
    """
    machine = asked.machine
    on_cpu = find_device(machine.device).type == "cpu"
    cores = (os.cpu_count() or 1) if on_cpu and seconds > _WORTH_PROCESSES else 1
    jobs = cores if machine.jobs is None else machine.jobs
    return replace(machine, jobs=None, executor=OneThread(jobs)) if jobs > 1 else replace(machine, jobs=1)


def _is_settled(standings: Sequence[Standing]) -> bool:
    """Whether all candidates were at their best long ago: more epochs would change nothing."""
    return all(standing.epoch <= standing.epochs // 2 for standing in standings)
