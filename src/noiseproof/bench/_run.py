"""Running recipes: one after another in this process, or several at once in worker processes."""

from __future__ import annotations

import functools
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiseproof.bench._filling import Filling
from noiseproof.bench._grid import Grid, folder_name
from noiseproof.bench._workers import Workers
from noiseproof.errors import RecipeError
from noiseproof.train import Progress, Record, load_dataset, read_record, train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from noiseproof.data import Dataset
    from noiseproof.train import DataRecipe, Recipe

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
        jobs: how many runs go on at once, each in a process of its own with its share of the CPU's threads; ``None``
            for as many as get most done, found out while they run, one per core at most.
        workers: processes that decode image files for a run; by default one per processor.
        fast: whether updates are compiled, and on CUDA recorded as graphs.
    """

    data_dir: Path = Path("data")
    download: bool = False
    device: str = "auto"
    jobs: int | None = 1
    workers: int | None = None
    fast: bool = False

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise RecipeError(f"jobs {self.jobs}: expected a number of processes, at least 1, or none to find it out")

    def load(self, data: DataRecipe) -> Dataset:
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


def run_grid(
    grid: Grid,
    runs: str | Path,
    machine: Machine | None = None,
    *,
    watch: Callable[[GridProgress], None] = lambda _: None,
) -> list[Record]:
    """Run what is missing of a grid and return the records of all its runs, in its order.

    Runs that are finished are not run again, and an interrupted one goes on.

    Args:
        grid: what to run.
        runs: the folder that holds a folder per run; grids can share it.
        machine: where the data is and what to train on.
        watch: called after every step and at the end of every run.

    Raises:
        RunError, DataError, KeyboardInterrupt: as :func:`noiseproof.train.train`; finished runs are kept.
    """
    records = run_recipes(grid.recipes, Path(runs), machine or Machine(), watch=watch)
    return [records[recipe.id] for recipe in grid.recipes]


def run_recipes(
    recipes: Sequence[Recipe],
    runs: Path,
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
    state = _State(recipes, runs, choose, deadline, watch)
    if machine.jobs == 1 or not state.left:
        _run_here(state, machine)
    else:
        _run_in_workers(state, machine, len(recipes))
    return state.records


class _State:
    """What is left, what is done, and the time."""

    def __init__(
        self,
        recipes: Sequence[Recipe],
        runs: Path,
        choose: Choose,
        deadline: float | None,
        watch: Callable[[GridProgress], None],
    ) -> None:
        self.runs = runs
        self.deadline = deadline
        self._choose = choose
        self._watch = watch
        self._total = sum(recipe.epochs for recipe in recipes)
        self._shares = {recipe.id: 0.0 for recipe in recipes}
        self._ended = 0
        self._begun: dict[str, float] = {}
        self._start_up = 0.0
        self.records = read_records(recipes, runs)
        self.left: list[Recipe] = []
        for recipe in recipes:
            record = self.records.get(recipe.id)
            if record is None or record.status == "running":
                self.left.append(recipe)
            else:
                self.note_end(recipe)

    def folder(self, recipe: Recipe) -> Path:
        return self.runs / folder_name(recipe)

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

    def note_end(self, recipe: Recipe) -> None:
        record = read_record(self.folder(recipe))
        if record is not None:
            self.records[recipe.id] = record
        if record is not None and record.status != "running":
            self._shares[recipe.id] = recipe.epochs
            self._ended += 1
            self._report(recipe, None)

    def _report(self, recipe: Recipe, progress: Progress | None) -> None:
        done = min(sum(self._shares.values()) / self._total, 1.0)
        number = self._ended + (progress is not None)
        self._watch(GridProgress(number, len(self._shares), recipe, progress, done))


def _run_here(state: _State, machine: Machine) -> None:
    datasets = functools.cache(machine.load)
    while (recipe := state.next()) is not None:

        def watch(progress: Progress, recipe: Recipe = recipe) -> None:
            state.note_step(recipe, progress)

        train(
            recipe,
            state.folder(recipe),
            dataset=datasets(recipe.data),
            watch=watch,
            should_stop=state.is_late,
            **machine.arguments(),
        )
        state.note_end(recipe)


def _run_in_workers(state: _State, machine: Machine, count: int) -> None:
    cores = os.cpu_count() or 1
    jobs = min(cores, count) if machine.jobs is None else machine.jobs
    # By what was asked for and not by what is left of it: the bytes of a run depend on its threads.
    share = max(1, cores // jobs)
    most = min(jobs, len(state.left))
    filling = Filling(most, begin_with=1 if machine.jobs is None else most)
    options = machine.arguments()
    if machine.workers is None:
        options["workers"] = share
    with Workers(filling.workers, share, options, machine.load) as workers:
        while True:
            while workers.busy < filling.workers and (recipe := state.next()) is not None:
                workers.start(recipe, state.folder(recipe))
            if not workers.busy:
                return
            for report in workers.wait(state.deadline):
                if report.progress is None:
                    state.note_end(report.recipe)
                else:
                    state.note_step(report.recipe, report.progress)
                    filling.note(report)
            if state.is_late():
                workers.stop()


def read_records(recipes: Sequence[Recipe], runs: Path) -> dict[str, Record]:
    """The records that there are of some recipes, by their ids.

    Raises:
        RunError: a record is damaged.
    """
    found = {recipe.id: read_record(runs / folder_name(recipe)) for recipe in recipes}
    return {identity: record for identity, record in found.items() if record is not None}


def grid_status(grid: Grid, runs: str | Path) -> list[tuple[Recipe, Path, str]]:
    """Each recipe of a grid, its folder, and the status of its record.

    ``"missing"`` where there is none; a run that was interrupted is ``"running"``.
    """
    runs = Path(runs)
    records = read_records(grid.recipes, runs)
    return [
        (recipe, runs / folder_name(recipe), records[recipe.id].status if recipe.id in records else "missing")
        for recipe in grid.recipes
    ]
