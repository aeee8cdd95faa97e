"""Running recipes: one after another in this process, or several at once in worker processes."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from noiseproof.errors import DataError, LabelError, RecipeError
from noiseproof.models import read_weights
from noiseproof.run._workers import Workers
from noiseproof.train import (
    Progress,
    Record,
    Runs,
    ended_without_inputs,
    identify,
    load_dataset,
    make_noise,
    noise_fingerprint,
    read_record,
    reads_noise,
    train,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from noiseproof.data import Dataset
    from noiseproof.data.sources import DataSource
    from noiseproof.noise import NoisyLabels
    from noiseproof.train import Identity, Recipe

    Choose = Callable[[Sequence[Recipe], Mapping[str, Record]], Recipe]
    """Which of the recipes that are left to run next, knowing the records so far by the recipes' ids."""


@dataclass(frozen=True)
class GridProgress:
    """Where a grid stands: the ``number``-th of ``count`` runs to end, and where that run stands."""

    number: int
    count: int
    recipe: Recipe
    run: Progress | None
    """``None`` when the run has just ended."""
    done: float
    """The share of the grid that is done, by epochs."""


@dataclass(frozen=True)
class Machine:
    """Where runs find their data and what they train on.

    Attributes:
        data_dir: where CIFAR and human labels are.
        download: whether CIFAR may be fetched into ``data_dir`` if it is missing.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        jobs: how many runs go on at once, each in a process of its own with its share of the CPU's threads.
        workers: processes that decode image files for a run; by default one per processor.
        fast: whether updates are compiled, and on CUDA recorded as graphs.
    """

    data_dir: str | Path = "data"
    download: bool = False
    device: str = "auto"
    jobs: int = 1
    workers: int | None = None
    fast: bool = False

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise RecipeError(f"jobs {self.jobs}: expected a number of processes, at least 1")

    def load(self, data: DataSource) -> Dataset:
        """The data set that a recipe names."""
        return load_dataset(data, self.data_dir, download=self.download)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of :func:`noiseproof.train.train`."""
        return {
            "data_dir": self.data_dir,
            "download": self.download,
            "device": self.device,
            "fast": self.fast,
            "workers": self.workers,
        }


def run_recipes(
    recipes: Sequence[Recipe],
    runs: str | Path,
    machine: Machine,
    *,
    deadline: float | None = None,
    choose: Choose = lambda left, _: left[0],
    watch: Callable[[GridProgress], None] = lambda _: None,
) -> dict[str, Record]:
    """Run what is missing of some recipes, and return the records there are then, by the recipes' ids.

    Args:
        recipes: what to run.
        runs: the folder that holds a folder per run.
        machine: where the data is and what to train on.
        deadline: when to stop, by :func:`time.monotonic`; a run that is not finished then is saved as it stands.
        choose: which recipe to run next.
        watch: called after every step and at the end of every run.

    Raises:
        RunError, DataError, KeyboardInterrupt: as :func:`noiseproof.train.train`; finished runs are kept.
    """
    different = {recipe.id: recipe for recipe in reversed(recipes)}
    state = _State(list(reversed(different.values())), _Inputs(machine, recipes), Runs(runs), choose, deadline, watch)
    if machine.jobs == 1 or not state.left:
        _run_here(state, machine)
    else:
        _run_in_workers(state, machine)
    return {identity: under_title(record, different[identity]) for identity, record in state.records.items()}


def under_title(record: Record, recipe: Recipe) -> Record:
    """The record of a run as that of a recipe, which may have another title or path than the one that was run."""
    return replace(record, recipe=recipe.model_dump(mode="json"))


class _Inputs:
    """What recipes read, each once."""

    def __init__(self, machine: Machine, recipes: Sequence[Recipe]) -> None:
        self._machine = machine
        self._datasets: dict[DataSource, Dataset] = {}
        self._fingerprints: dict[object, str | None] = {}
        self._labels_are_needed = any(reads_noise(recipe) for recipe in recipes)

    def load(self, data: DataSource) -> Dataset:
        """A data set."""
        if data not in self._datasets:
            self._datasets[data] = self._machine.load(data)
        return self._datasets[data]

    def hand_over(self, data: DataSource) -> Dataset:
        """A data set for somebody who keeps it: here it stays only if it is needed again."""
        dataset = self.load(data)
        self._fingerprint(data, lambda: dataset.fingerprint)
        if not self._labels_are_needed:
            del self._datasets[data]
        return dataset

    def identity(self, recipe: Recipe) -> Identity:
        """The identity of a recipe's run.

        Raises:
            DataError, LabelError: something that it reads is missing or damaged.
        """
        data = self._fingerprint(recipe.data, lambda: self.load(recipe.data).fingerprint)
        assert data is not None  # noqa: S101 - all data have one
        noise = weights = None
        if reads_noise(recipe):
            key = (recipe.data, recipe.noise.model_dump_json())
            noise = self._fingerprint(key, lambda: noise_fingerprint(recipe, self._noise(recipe)))
        if (name := recipe.weights) is not None:
            weights = self._fingerprint((recipe.model, name), lambda: self._weights(recipe.model, name))
        return identify(recipe, data, noise, weights)

    def _fingerprint(self, key: object, find: Callable[[], str | None]) -> str | None:
        if key not in self._fingerprints:
            self._fingerprints[key] = find()
        return self._fingerprints[key]

    def _noise(self, recipe: Recipe) -> NoisyLabels | None:
        return make_noise(recipe, self.load(recipe.data), self._machine.data_dir)

    def _weights(self, model: str, name: str) -> str:
        return read_weights(model, name, self._machine.data_dir, download=self._machine.download).sha256


class _State:
    """What is left, what is done, and the time."""

    def __init__(
        self,
        recipes: Sequence[Recipe],
        inputs: _Inputs,
        runs: Runs,
        choose: Choose,
        deadline: float | None,
        watch: Callable[[GridProgress], None],
    ) -> None:
        self.inputs = inputs
        self.deadline = deadline
        self._runs = runs
        self._choose = choose
        self._watch = watch
        self._total = sum(recipe.epochs for recipe in recipes)
        self._shares = {recipe.id: 0.0 for recipe in recipes}
        self._ended = 0
        self._begun: dict[str, float] = {}
        self._start_up = 0.0
        self.records: dict[str, Record] = {}
        self.left: list[Recipe] = []
        for recipe in recipes:
            record = self._find(recipe)
            if record is not None:
                self.records[recipe.id] = record
            if record is None or record.status == "running":
                self.left.append(recipe)
            else:
                self._note_done(recipe)

    def _find(self, recipe: Recipe) -> Record | None:
        """The record that there is of a recipe's run on the inputs that there are."""
        if not self._runs.has(recipe):
            return None  # and its inputs need not be read yet
        try:
            identity = self.inputs.identity(recipe)
        except (DataError, LabelError) as error:
            return ended_without_inputs(recipe, self._runs.of(recipe), error)
        return self._runs.with_identity(recipe, identity)

    def folder(self, recipe: Recipe) -> Path:
        """Where to run a recipe.

        Raises:
            RunError: it was begun on other inputs.
            DataError, LabelError: something that it reads is missing or damaged.
        """
        return self._runs.place(recipe, self.inputs.identity(recipe))

    def is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def next(self) -> Recipe | None:
        """The next to run, if there is one and time for it: reading data and compiling cannot be interrupted."""
        now = time.monotonic()
        if not self.left or (self.deadline is not None and now + self._start_up >= self.deadline):
            return None
        recipe = self._choose(self.left, self.records)
        self.left.remove(recipe)
        self._begun[recipe.id] = now
        return recipe

    def note_step(self, recipe: Recipe, progress: Progress) -> None:
        if recipe.id in self._begun:
            self._start_up = time.monotonic() - self._begun.pop(recipe.id)  # what the next one may take too
        self._shares[recipe.id] = recipe.epochs * progress.share
        self._report(recipe, progress)

    def note_end(self, recipe: Recipe, folder: Path) -> None:
        record = read_record(folder)
        if record is not None:
            self.records[recipe.id] = record
        if record is not None and record.status != "running":
            self._note_done(recipe)

    def _note_done(self, recipe: Recipe) -> None:
        self._shares[recipe.id] = recipe.epochs
        self._ended += 1
        self._report(recipe, None)

    def _report(self, recipe: Recipe, progress: Progress | None) -> None:
        done = min(sum(self._shares.values()) / self._total, 1.0)
        number = self._ended + (progress is not None)
        self._watch(GridProgress(number, len(self._shares), recipe, progress, done))


def _run_here(state: _State, machine: Machine) -> None:
    while (recipe := state.next()) is not None:
        folder = state.folder(recipe)

        def watch(progress: Progress, recipe: Recipe = recipe) -> None:
            state.note_step(recipe, progress)

        train(
            recipe,
            folder,
            dataset=state.inputs.load(recipe.data),
            watch=watch,
            should_stop=state.is_late,
            **machine.arguments(),
        )
        state.note_end(recipe, folder)


def _run_in_workers(state: _State, machine: Machine) -> None:
    # By what was asked for and not by what is left of it: the bytes of a run depend on its threads.
    share = max(1, (os.cpu_count() or 1) // machine.jobs)
    count = min(machine.jobs, len(state.left))
    options = machine.arguments()
    if machine.workers is None:
        options["workers"] = share
    folders: dict[str, Path] = {}
    with Workers(count, share, options, state.inputs.hand_over) as workers:
        while True:
            while workers.busy < count and (recipe := state.next()) is not None:
                folders[recipe.id] = state.folder(recipe)
                workers.start(recipe, folders[recipe.id])
            if not workers.busy:
                return
            for report in workers.wait(state.deadline):
                if report.progress is None:
                    state.note_end(report.recipe, folders[report.recipe.id])
                else:
                    state.note_step(report.recipe, report.progress)
            if state.is_late():
                workers.stop()
