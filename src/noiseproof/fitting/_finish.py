"""The end of a fit: networks of the best candidates on all data, trees, a temperature, and the account of it all."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.container import write_document
from noiseproof.data import Unlabeled
from noiseproof.errors import DataWarning, RunError
from noiseproof.files import write_atomically
from noiseproof.fitted import SUMMARY
from noiseproof.fitting._boosting import STEP
from noiseproof.fitting._candidates import LINEAR, TREES
from noiseproof.fitting._given import certain_errors
from noiseproof.fitting._kept import write_samples
from noiseproof.fitting._logistic import MODEL
from noiseproof.fitting._temperature import find_temperature
from noiseproof.metrics import metric_of
from noiseproof.prediction import TREES as TREES_MODEL
from noiseproof.prediction import Beside, combine, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from noiseproof.fitted import Summary
    from noiseproof.fitting._asked import Asked
    from noiseproof.fitting._choice import Choice
    from noiseproof.fitting._race import Race, Standing

_SHARES = (0.5, 0.0, 0.25, 1.0, 2.0)
"""How much each of the others may count beside all networks together; the first one unless another is much better."""


@dataclass(frozen=True, eq=False)
class _Beside:
    """What is no network of the race.

    Attributes:
        standing: where it stands.
        share: how much it counts beside all networks together.
    """

    standing: Standing
    share: float


@dataclass(frozen=True, eq=False)
class _Average:
    """What the model is made of, and what it says of the held-out samples.

    Attributes:
        members: the candidates of the networks, the best first.
        beside: trees and logistic regression, as far as they are a part of it or were tried.
        temperature: what all logits are divided by.
        probabilities: ``(N, classes)``, of the held-out samples, without the temperature.
        known: ``(N,)``, which of them have a prediction: images that cannot be read have none.
    """

    members: list[Standing]
    beside: list[_Beside]
    temperature: float
    probabilities: NDArray[np.float64]
    known: NDArray[np.bool_]


@dataclass(frozen=True)
class _Network:
    """A network of the model."""

    name: str
    epoch: int
    seed: int
    folder: Path
    unreadable: int


def finish(asked: Asked, choice: Choice) -> None:
    """Train the best candidates on all data, and write the model.

    Raises:
        RunError: no network learned.
    """
    average = _average(asked, choice)
    networks = _networks(asked, choice, average)
    beside = [each for each in average.beside if each.share]
    if beside:
        asked.tell("what is beside the networks, on all data", 1.0)
    combine(
        asked.folder,
        [network.folder for network in networks],
        name=asked.id[:12],
        temperature=average.temperature,
        beside=[_final(asked, each) for each in beside],
    )
    write_samples(asked)
    summary = _summary(asked, choice, average, networks)
    write_atomically(asked.folder / SUMMARY, write_document("fit", dict(summary)).encode())


def _average(asked: Asked, choice: Choice) -> _Average:
    """The best candidates with trees, as far as the held-out samples show what they are worth together."""
    race = choice.race
    members = choice.standings[: race.plan.members]
    held_out = [_held_out(asked, race, standing) for standing in members]
    probabilities = np.mean(held_out, 0)
    known = ~np.isnan(probabilities).any(1)
    parts, shares = held_out, [1 / len(held_out)] * len(held_out)
    beside: list[_Beside] = []
    for standing in _others(asked, race):
        share = _share_of(race, probabilities, standing)
        probabilities = probabilities + share * standing.sums
        parts, shares, beside = [*parts, standing.sums], [*shares, share], [*beside, _Beside(standing, share)]
    probabilities = probabilities / sum(shares)
    temperature = find_temperature(
        [part[known] for part in parts],
        np.array(shares),
        asked.labels[race.index][known],
        asked.sample_weight[race.index][known],
    )
    return _Average(members, beside, temperature, probabilities, known)


def _networks(asked: Asked, choice: Choice, average: _Average) -> list[_Network]:
    """Networks of the best candidates, trained on all data up to their epochs."""
    race = choice.race
    wanted = [
        (standing, number, race.recipe(standing.candidate, standing.epoch, None, number, features=is_first))
        for number in range(race.plan.seeds)
        for standing in average.members
        for is_first in [number == 0 and standing is average.members[0]]
    ]
    tell = asked.tell.of_runs("final networks, on all data", choice.done, 1.0)
    records = race.train([recipe for _, _, recipe in wanted], tell)
    found = [
        _Network(
            standing.candidate.name,
            standing.epoch,
            recipe.seed,
            Path(str(records[recipe.id].folder)),
            records[recipe.id].unreadable.get("train", 0),
        )
        for standing, _, recipe in wanted
        if records[recipe.id].status == "finished"
    ]
    if not found:
        raise RunError("the numbers of all final networks became infinite: fit with another seed or network")
    return found


def _others(asked: Asked, race: Race) -> Iterator[Standing]:
    """Where boosted trees and logistic regression stand, as far as the plan has them."""
    plan = race.plan
    if plan.trees:
        asked.tell("trees")
        yield race.standing_of(TREES, asked.boosting.stages(race.folds, plan.folds, plan.trees))
    if plan.linear:
        yield race.standing_of(LINEAR, asked.logistic.held_out(race.folds, plan.folds)[None])


def _final(asked: Asked, each: _Beside) -> Beside:
    """What is no network of the race, from all samples."""
    if each.standing.candidate is TREES:
        return Beside(TREES_MODEL, asked.boosting.final(each.standing.epoch).state_dict(), each.share)
    return Beside(MODEL, asked.logistic.final(), each.share)


def _share_of(race: Race, others: NDArray[np.float64], standing: Standing) -> float:
    """How much one counts beside all networks together: half, unless the held-out labels say otherwise."""
    scores = {share: race.score(others + share * standing.sums) for share in _SHARES}
    best = max(_SHARES, key=lambda share: scores[share][0])
    ahead, error = race.lead(scores[best][1], scores[_SHARES[0]][1])
    return best if ahead > error else _SHARES[0]


def _held_out(asked: Asked, race: Race, standing: Standing) -> NDArray[np.float64]:
    """What a candidate's networks say of the samples that each has not learned from, in the order of the race."""
    inputs: Any = asked.dataset.train.inputs
    found = []
    for folder, index in zip(standing.folders, race.parts, strict=True):
        predictor = load(folder, epoch="selected", device=asked.machine.device, features=asked.given.features)
        given = Unlabeled(inputs[index], range(len(index)), {})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # training told of the images that cannot be read
            found.append(predictor.probabilities(given, workers=0).astype(np.float64))
    return np.concatenate(found)


def _lost(asked: Asked) -> int:
    """How many images a frozen network could not read: they have lost their weight."""
    given = asked.given.dataset.sample_weight
    return int(((asked.sample_weight == 0) & (given is None or given > 0)).sum())


def _summary(asked: Asked, choice: Choice, average: _Average, networks: list[_Network]) -> Summary:
    """How the model came to be, in plain values. No times: the same fit gives the same bytes."""
    race, names = choice.race, asked.given.dataset.class_names
    labels = asked.labels[race.index][average.known]
    predicted = average.probabilities[average.known].argmax(1)
    best = choice.standings[0]
    beside = {each.standing.candidate: each for each in average.beside}
    trees, linear = beside.get(TREES), beside.get(LINEAR)
    candidates: list[Any] = []
    for status, standings in (
        ("stayed", choice.standings),
        ("dropped", choice.dropped),
        ("beside", [each.standing for each in average.beside]),
    ):
        for standing in sorted(standings, key=lambda one: (-one.epochs, -one.score)):
            behind, error = race.lead(best.hits, standing.hits)
            unit = STEP if standing.candidate is TREES else 1
            candidates.append(
                {
                    "name": standing.candidate.name,
                    "loss": standing.candidate.loss,
                    "epochs": unit * standing.epochs,
                    "epoch": unit * standing.epoch,
                    "score": standing.score,
                    "behind": behind,
                    "standard_error": error,
                    "status": status,
                }
            )
    nothing = dict.fromkeys(("epochs", "epoch", "score", "behind", "standard_error"))
    candidates += [
        {"name": candidate.name, "loss": candidate.loss, **nothing, "status": "diverged"}
        for candidate in choice.diverged
    ]
    return {
        "id": asked.id,
        "metric": asked.metric,
        "seed": asked.seed,
        "samples": len(asked.labels),
        "found": list(asked.given.found),
        "unreadable": max([_lost(asked), *(network.unreadable for network in networks)]),
        "certain_errors": certain_errors(asked.given.twins, asked.labels, len(names)),
        "class_counts": dict(zip(names, np.bincount(asked.labels, minlength=len(names)).tolist(), strict=True)),
        "bracket": {"low": choice.bracket.low, "high": choice.bracket.high},
        "candidates": candidates,
        "chosen": choice.simplest.candidate.name,
        "members": [{"name": each.name, "epoch": each.epoch, "seed": each.seed} for each in networks],
        "trees": None
        if trees is None or not trees.share
        else {"iterations": trees.standing.epoch * STEP, "share": trees.share},
        "linear": None if linear is None or not linear.share else {"share": linear.share},
        "temperature": average.temperature,
        "held_out": {
            "samples": len(labels),
            "accuracy": float((predicted == labels).mean()),
            "score": metric_of(average.probabilities[average.known], labels, asked.metric),
            "recall": {
                name: float((predicted[labels == place] == place).mean()) if (labels == place).any() else None
                for place, name in enumerate(names)
            },
        },
    }
