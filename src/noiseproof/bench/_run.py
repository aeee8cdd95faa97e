"""Running the recipes of a grid, one after another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.bench._grid import Grid, folder_name
from noiseproof.train import DataRecipe, Progress, Record, load_dataset, read_record, train

if TYPE_CHECKING:
    from collections.abc import Callable

    from noiseproof.data import Dataset
    from noiseproof.train import Recipe


@dataclass(frozen=True)
class GridProgress:
    """Where a grid stands: run ``number`` of ``count`` (counted from 1), and where that run stands."""

    number: int
    count: int
    recipe: Recipe
    run: Progress | None
    """``None`` when the run has just ended."""
    done: float
    """The share of the grid that is done, by epochs."""


def run_grid(
    grid: Grid,
    runs: str | Path,
    *,
    data_dir: str | Path = "data",
    download: bool = False,
    device: str = "auto",
    watch: Callable[[GridProgress], None] = lambda _: None,
) -> list[Record]:
    """Run what is missing of a grid and return the records of all its runs.

    Runs that are finished are not run again, and an interrupted one goes on.

    Args:
        grid: what to run.
        runs: the folder that holds a folder per run; grids can share it.
        data_dir: where CIFAR, human labels and published weights are.
        download: whether CIFAR and published weights may be fetched into ``data_dir`` if they are missing.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        watch: called after every step and at the end of every run.

    Raises:
        RunError, DataError, KeyboardInterrupt: as :func:`noiseproof.train.train`; finished runs are kept.
    """
    runs = Path(runs)
    loaded: dict[DataRecipe, Dataset] = {}
    total = sum(recipe.epochs for recipe in grid.recipes)
    records, done = [], 0
    for number, recipe in enumerate(grid.recipes, 1):
        folder = runs / folder_name(recipe)

        def watch_run(run: Progress, number: int = number, recipe: Recipe = recipe, done: int = done) -> None:
            share = (done + recipe.epochs * run.share) / total
            watch(GridProgress(number, len(grid.recipes), recipe, run, share))

        existing = read_record(folder)
        if existing is None or existing.status == "running":
            if recipe.data not in loaded:
                loaded[recipe.data] = load_dataset(recipe.data, Path(data_dir), download=download)
            existing = train(
                recipe,
                folder,
                data_dir=data_dir,
                download=download,
                device=device,
                dataset=loaded[recipe.data],
                watch=watch_run,
            )
        records.append(existing)
        done += recipe.epochs
        watch(GridProgress(number, len(grid.recipes), recipe, None, done / total))
    return records


def grid_status(grid: Grid, runs: str | Path) -> list[tuple[Recipe, Path, str]]:
    """Each recipe of a grid, its folder, and the status of its record.

    ``"missing"`` where there is none; a run that was interrupted is ``"running"``.
    """
    rows = []
    for recipe in grid.recipes:
        folder = Path(runs) / folder_name(recipe)
        record = read_record(folder)
        rows.append((recipe, folder, "missing" if record is None else record.status))
    return rows
