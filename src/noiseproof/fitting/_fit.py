"""From data whose labels are partly wrong to a good model, with nothing to choose."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.auditing import noise_bracket
from noiseproof.container import ContainerError, read_document, write_document
from noiseproof.data import Unlabeled
from noiseproof.data.sources import write_prepared
from noiseproof.errors import RecipeError, RunError
from noiseproof.files import make_folder, write_atomically
from noiseproof.fitted import PLAN, SUMMARY, TRAINING, Model
from noiseproof.fitting._boosting import STEP, Boosting
from noiseproof.fitting._candidates import FIXED, NEEDED, TREES, Candidate, jal_candidates
from noiseproof.fitting._folds import make_folds
from noiseproof.fitting._given import Given, certain_errors, look
from noiseproof.fitting._plan import FOLDS, Budget, Plan, first_plan, read_plan, within, write_plan
from noiseproof.fitting._race import Race, Standing
from noiseproof.fitting._temperature import find_temperature
from noiseproof.prediction import Predictor, combine, load
from noiseproof.run import Machine, run_recipes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from noiseproof.auditing import NoiseBracket
    from noiseproof.run import GridProgress
    from noiseproof.train import Record

METRICS = ("accuracy", "balanced accuracy")


@dataclass(frozen=True)
class FitProgress:
    """Where a fit stands.

    Attributes:
        what: what is done now, in a few words.
        done: the share of all that is planned, between 0 and 1.
    """

    what: str
    done: float


_FEWEST_TRUSTED = 50
"""From so many on, labels that were checked say more about which candidate is better than the others do."""

_WORTH_PROCESSES = 8.0
"""Seconds of training from which a second process is worth its start."""

_SHARES = (0.5, 0.0, 0.25, 1.0, 2.0)
"""How much trees may count beside all networks together; the first one unless another is clearly better."""

_MOST_FEATURES = 5000
"""Of a table that trees are grown on."""

_OPENING = 0.05
"""The share of all that the opening is taken for before it has been timed."""

_IN_RESERVE = 0.85
"""The share of the time left that is planned for: the rest goes into what lies between runs."""


def fit(
    X: Any,
    y: Any = None,
    *,
    label: str | None = None,
    budget: str = "10m",
    folder: str | Path | None = None,
    metric: str = "accuracy",
    groups: Any = None,
    trusted: Any = None,
    sample_weight: Any = None,
    keys: Any = None,
    seed: int = 1,
    network: str | None = None,
    plan: str | Path | None = None,
    jobs: int | None = None,
    device: str = "auto",
    watch: Callable[[FitProgress], None] = lambda _: None,
) -> Model:
    """Make the best model that can be had of labels of which some are wrong, without clean ones.

    A fifth of the labels is held out. Losses that theory has a reason for race on the rest, for longer and longer, and
    those that agree less with the held-out labels drop out. Networks of the best three are then trained on all data,
    and their probabilities averaged.

    Args:
        X: a data frame (pandas, polars, pyarrow); features ``(N, features)``, also with gaps and text; images as uint8
            ``(N, height, width)`` or ``(N, height, width, channels)``; a :class:`torch.utils.data.Dataset` of pairs; or
            the path of a table (``.csv``, ``.tsv``, ``.parquet``), of arrays (``.npz``), or of a folder of images with
            a folder for each class; or what :func:`look` made of one of these.
        y: ``(N,)``, the labels: numbers, truth values or text; ``None`` where ``X`` has them.
        label: the column of a table that holds the labels. Rows without one are left out.
        budget: the most that it may take: ``"10m"``, ``"30s"``, ``"1h"``, or ``"2000 updates"``.
        folder: where the model is kept. What was begun there is gone on with, and what is finished is returned.
        metric: ``"accuracy"`` or ``"balanced accuracy"``, which rules race, epoch and report.
        groups: ``(N,)``, what belongs together and is never on two sides of a split; or the name of a column.
        trusted: ``(N,)``, which labels are known to be right; or the name of a column.
        sample_weight: ``(N,)``, how much each sample counts; or the name of a column.
        keys: ``(N,)``, what each sample is called; or the name of a column. By default paths or numbers of rows.
        seed: of everything that is drawn.
        network: the network, as in recipes; by default one that fits the data.
        plan: the file ``plan.json`` of another fit, to be repeated.
        jobs: how many networks are trained at once; by default as many as there are cores, where that is worth it.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        watch: called as networks are trained.

    Returns:
        A :class:`Model`.

    Raises:
        DataError, LabelError: what cannot be learned from.
        RecipeError: an option that there is not.
        RunError: the folder holds something else, or cannot be written.

    Example:
        >>> model = fit(X, y, budget="1m")  # doctest: +SKIP
        >>> model.predict(X_new)  # doctest: +SKIP
    """
    allowed = Budget.parse(budget)
    if metric not in METRICS:
        raise RecipeError(f"metric {metric!r}: expected {' or '.join(map(repr, METRICS))}")
    started = time.monotonic()
    if isinstance(X, Given):
        given = X
    else:
        given = look(X, y, label=label, groups=groups, trusted=trusted, sample_weight=sample_weight, keys=keys)
    is_temporary = folder is None
    place = Path(tempfile.mkdtemp(prefix="noiseproof-")) if folder is None else Path(folder)
    fitting = _Fitting(given, place, metric, seed, network, Machine(jobs=jobs, device=device), watch)
    if not fitting.is_finished():
        fitting.begin(read_plan(Path(plan)) if plan is not None else None)
        fitting.run(allowed, started)
    return Model(place, device=device, is_temporary=is_temporary)


class _Fitting:
    """A fit on its way."""

    def __init__(
        self,
        given: Given,
        folder: Path,
        metric: str,
        seed: int,
        network: str | None,
        machine: Machine,
        watch: Callable[[FitProgress], None],
    ) -> None:
        self.given, self.folder, self.metric, self.seed = given, folder, metric, seed
        self.training = folder / TRAINING
        self.machine = machine
        self.watch = watch
        dataset = given.dataset
        self.labels = dataset.train.labels
        self.plan = first_plan(len(self.labels), is_image=dataset.is_image, model=network, seed=seed)
        self.candidates: list[Candidate] = [*(NEEDED if self.plan.is_short else FIXED)]
        contents = [dataset.fingerprint, given.groups.tolist(), metric, seed, network, [*map(str, given.keys)]]
        self.id = hashlib.sha256(json.dumps(contents).encode()).hexdigest()

    def is_finished(self) -> bool:
        """Whether the folder holds the result of this very fit.

        Raises:
            RunError: it holds something else.
        """
        for path in (self.folder / SUMMARY, self.training / "begun.json"):
            if not path.exists():
                continue
            try:
                found = read_document(path, "fit")["id"]
            except (OSError, ContainerError, KeyError) as error:
                raise RunError(f"cannot read {path}: {error}. Remove {self.folder}, and fit again") from error
            if found != self.id:
                raise RunError(
                    f"{self.folder} holds a fit of other data or with other options: choose another folder, or remove "
                    "this one"
                )
            return path.name == SUMMARY
        if self.folder.exists() and any(self.folder.iterdir()):
            raise RunError(f"{self.folder} is there already and is no model: choose another folder")
        return False

    def begin(self, plan: Plan | None) -> None:
        """Write down what is fitted, so that it can be gone on with."""
        make_folder(self.training)
        if plan is not None:
            write_plan(self.folder / PLAN, plan)
        folds = make_folds(self.labels, self.given.groups, FOLDS, self.seed)
        if not (folds >= 0).any():
            raise RunError(
                "every class is in one group alone, so that nothing can be held out: give more samples or groups"
            )
        write_prepared(self.training, self.given.dataset, folds)
        write_atomically(self.training / "begun.json", write_document("fit", {"id": self.id}).encode())

    def run(self, allowed: Budget, started: float) -> None:
        """Race, choose, train on everything, and write the model."""
        planned = (self.folder / PLAN).exists()
        if planned:
            self.plan = read_plan(self.folder / PLAN)
        race = Race(self.training, self.plan, self.labels, self._score_weight(), self.machine)
        opening = replace(race, plan=replace(self.plan, folds=1), machine=replace(self.machine, jobs=1))
        length = self.plan.rungs[0].epochs
        first = opening.run(self.candidates, length, self._watched("first round", 0.0, _OPENING))
        bracket = noise_bracket(*self._best_guess(opening, first))
        if not self.plan.is_short:
            self.candidates += jal_candidates(bracket, self.given.dataset.num_classes)
        if not planned:
            self.plan = self._planned(first, allowed, time.monotonic() - started)
            write_plan(self.folder / PLAN, self.plan)
        race = replace(race, plan=self.plan, machine=self._machine(first))
        shares = self.plan.shares(len(self.labels), len(self.candidates), _OPENING)
        standings = race.run(self.candidates, length, self._watched("first round", _OPENING, shares[0]))
        everyone = {standing.candidate.name: standing for standing in standings}
        for number, rung in enumerate(self.plan.rungs[1:]):
            if self._is_settled(standings):
                break
            going_on = race.survivors(standings, rung.enter)
            text = f"round {number + 2} of at most {len(self.plan.rungs)}, {len(going_on)} candidates"
            standings = race.run(going_on, rung.epochs, self._watched(text, shares[number], shares[number + 1]))
            everyone.update((standing.candidate.name, standing) for standing in standings)
        trees = self._trees(race)
        self._finish(race, race.order(standings), [*everyone.values()], bracket, shares[-1], trees)

    def _planned(self, first: Sequence[Standing], allowed: Budget, elapsed: float) -> Plan:
        """The plan that fits into what is left of the budget, from what the first rung took."""
        samples, candidates = len(self.labels), len(self.candidates)
        if allowed.updates < float("inf"):
            return within(self.plan, samples, candidates, allowed.updates)
        done = len(first) * self.plan.rungs[0].epochs * self.plan.steps(samples)
        seconds = sum(standing.seconds for standing in first)
        at_once = self._machine(first).jobs or 1
        left = max(allowed.seconds - elapsed, 0.0) * _IN_RESERVE
        # What the first rung did is a part of the plan.
        return within(self.plan, samples, candidates, done + left * at_once * done / max(seconds, 1e-3))

    def _machine(self, first: Sequence[Standing]) -> Machine:
        """Where the rest runs: in several processes if what is left takes long enough for them to start."""
        if self.machine.jobs is not None:
            return self.machine
        each = sum(standing.seconds for standing in first) / len(first)
        expected = each * self.plan.rungs[-1].epochs / self.plan.rungs[0].epochs * len(self.candidates)
        return replace(self.machine, jobs=(os.cpu_count() or 1) if expected > _WORTH_PROCESSES else 1)

    def _is_settled(self, standings: Sequence[Standing]) -> bool:
        """Whether all candidates were at their best long ago: more epochs would change nothing."""
        return all(standing.epoch <= standing.epochs // 2 for standing in standings)

    def _score_weight(self) -> NDArray[np.float64]:
        """How much each label counts in the score."""
        dataset = self.given.dataset
        weight = np.ones(len(self.labels)) if dataset.sample_weight is None else dataset.sample_weight.astype(float)
        if self.metric == "balanced accuracy":
            weight /= np.bincount(self.labels, weights=weight, minlength=dataset.num_classes)[self.labels]
        if dataset.trusted is not None and dataset.trusted.sum() >= _FEWEST_TRUSTED:
            # Wrong labels shrink every difference, here to two thirds: that is what a label of unknown worth counts.
            weight = np.where(dataset.trusted, weight, weight * 2 / 3)
        return weight

    def _best_guess(self, race: Race, standings: Sequence[Standing]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The mean probabilities of the best half for the held-out samples, and their labels."""
        best = race.order(standings)[: max(1, len(standings) // 2)]
        return np.mean([standing.sums for standing in best], 0), self.labels[race.index]

    def _finish(
        self,
        race: Race,
        standings: Sequence[Standing],
        everyone: Sequence[Standing],
        bracket: NoiseBracket,
        begun: float,
        trees: Standing | None,
    ) -> None:
        members = standings[: self.plan.members]
        held_out = [self._held_out(race, standing) for standing in members]
        labels = self.labels[race.index]
        weight = self.given.dataset.sample_weight
        share = np.ones(len(labels)) if weight is None else weight[race.index].astype(float)
        average = np.mean(held_out, 0)
        part = 0.0
        if trees is not None:
            part = self._share_of(race, average, trees)
            average = (average + part * trees.sums) / (1 + part)
        everyone = [*everyone, *([] if trees is None else [trees])]
        temperature = find_temperature(
            [*held_out, *([] if trees is None else [trees.sums])],
            np.array([1 / len(held_out)] * len(held_out) + ([] if trees is None else [part])),
            labels,
            share,
        )
        recipes = {
            (standing.candidate.name, number): race.recipe(standing.candidate, standing.epoch, None, number)
            for number in range(self.plan.seeds)
            for standing in members
        }
        records = run_recipes(
            [*recipes.values()],
            self.training / "runs",
            race.machine,
            watch=self._watched("final networks, on all data", begun, 1.0),
        )
        chosen = race.choose(sorted(standings, key=lambda one: self.candidates.index(one.candidate)))
        folders = [_folder_of(records[recipe.id]) for recipe in recipes.values()]
        grown = None
        told = None
        if trees is not None and part:
            told = {"iterations": trees.epoch * STEP, "share": part}
            self.watch(FitProgress("trees, on all data", 1.0))
            grown = Boosting(self.given.dataset, self.seed).final(trees.epoch)
        combine(self.folder, folders, name=self.id[:12], temperature=temperature, trees=grown, share=part)
        summary = self._summary(race, standings, everyone, bracket, chosen, temperature, average)
        summary["trees"] = told
        write_atomically(self.folder / SUMMARY, write_document("fit", summary).encode())

    def _trees(self, race: Race) -> Standing | None:
        """Where boosted trees stand, on a table."""
        dataset = self.given.dataset
        if dataset.is_image or dataset.input_shape[0] > _MOST_FEATURES:
            return None
        self.watch(FitProgress("trees", 0.0))
        folds = np.full(len(self.labels), -1)
        for number, part in enumerate(race.parts):
            folds[part] = number
        return race.standing_of(TREES, Boosting(dataset, self.seed).stages(folds, len(race.parts)))

    def _share_of(self, race: Race, networks: NDArray[np.float64], trees: Standing) -> float:
        """How much trees count beside all networks together: half, unless the held-out labels say otherwise."""
        scores = {share: race.score(networks + share * trees.sums) for share in _SHARES}
        best = max(_SHARES, key=lambda share: scores[share][0])
        ahead, error = race.lead(scores[best][1], scores[_SHARES[0]][1])
        return best if ahead > error else _SHARES[0]

    def _held_out(self, race: Race, standing: Standing) -> NDArray[np.float64]:
        """What a candidate's networks say of the samples that each has not learned from, in the order of the race."""
        inputs: Any = self.given.dataset.train.inputs
        found = [
            _probabilities(load(folder, epoch="selected", device=self.machine.device), inputs[index])
            for folder, index in zip(standing.folders, race.parts, strict=True)
        ]
        return np.concatenate(found)

    def _summary(
        self,
        race: Race,
        standings: Sequence[Standing],
        everyone: Sequence[Standing],
        bracket: NoiseBracket,
        chosen: Standing,
        temperature: float,
        held_out: NDArray[np.float64],
    ) -> dict[str, Any]:
        """How the model came to be, in plain values. No times: the same fit gives the same bytes."""
        names = self.given.dataset.class_names
        labels = self.labels[race.index]
        predicted = held_out.argmax(1)
        best = standings[0]
        candidates = []
        last = {standing.candidate.name for standing in standings}
        for standing in sorted(everyone, key=lambda one: (one.candidate.name not in last, -one.epochs, -one.score)):
            behind, error = race.lead(best.hits, standing.hits)
            candidates.append(
                {
                    "name": standing.candidate.name,
                    "loss": standing.candidate.loss,
                    "epochs": standing.epochs,
                    "epoch": standing.epoch,
                    "score": standing.score,
                    "behind": behind,
                    "standard_error": error,
                    "dropped": bool(standing.folders) and standing.candidate.name not in last,
                }
            )
        return {
            "id": self.id,
            "metric": self.metric,
            "seed": self.seed,
            "samples": len(self.labels),
            "found": list(self.given.found),
            "certain_errors": certain_errors(self.given.twins, self.labels, len(names)),
            "class_counts": dict(zip(names, np.bincount(self.labels, minlength=len(names)).tolist(), strict=True)),
            "bracket": asdict(bracket),
            "candidates": candidates,
            "chosen": chosen.candidate.name,
            "members": [
                {"name": standing.candidate.name, "epoch": standing.epoch, "seed": self.plan.seed + number}
                for number in range(self.plan.seeds)
                for standing in standings[: self.plan.members]
            ],
            "temperature": temperature,
            "held_out": {
                "samples": len(labels),
                "accuracy": float((predicted == labels).mean()),
                "recall": {
                    name: float((predicted[labels == place] == place).mean()) if (labels == place).any() else None
                    for place, name in enumerate(names)
                },
            },
        }

    def _watched(self, what: str, begin: float, end: float) -> Callable[[GridProgress], None]:
        """What tells of a stage that takes the fit from one share of it to another."""

        def tell(progress: GridProgress) -> None:
            where = f", {progress.recipe.method.name}" if progress.count > 1 else ""
            self.watch(FitProgress(f"{what}{where}", begin + (end - begin) * progress.done))

        return tell


def _probabilities(predictor: Predictor, inputs: Any) -> NDArray[np.float64]:
    given = Unlabeled(inputs, range(len(inputs)), {})
    return predictor.probabilities(given, workers=0).astype(np.float64)


def _folder_of(record: Record) -> Path:
    if record.status != "finished" or record.folder is None:
        raise RunError(f"{record.folder}: a final network {record.status}; give it another seed")
    return Path(record.folder)
