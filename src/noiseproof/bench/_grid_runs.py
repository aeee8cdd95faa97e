"""The runs of a grid: what is there of them, and what is missing is run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.errors import RecipeError, RunError
from noiseproof.run import Machine, run_recipes, under_title
from noiseproof.train import Runs, folder_name, several_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from noiseproof.bench._grid import Grid
    from noiseproof.run import GridProgress
    from noiseproof.train import Recipe, Record


def run_grid(
    grid: Grid,
    runs: str | Path,
    machine: Machine | None = None,
    *,
    watch: Callable[[GridProgress], None] = lambda _: None,
) -> list[Record]:
    """Run what is missing of a grid and return the records of all its runs, in its order.

    Runs that are finished are not run again, and an interrupted one goes on. Recipes that differ in their titles only
    are one run, whose record is there once for each of them, under its title.

    Args:
        grid: what to run.
        runs: the folder that holds a folder per run; grids can share it.
        machine: where the data is and what to train on.
        watch: called after every step and at the end of every run.

    Raises:
        RunError, DataError, KeyboardInterrupt: as :func:`noiseproof.train.train`; finished runs are kept.
    """
    records = run_recipes(grid.recipes, Path(runs), machine or Machine(), watch=watch)
    return [under_title(records[recipe.id], recipe) for recipe in grid.recipes]


def check_measures(grid: Grid, machine: Machine) -> None:
    """See, before anything is run, that there is something to compare the methods of a grid by.

    Raises:
        RecipeError: of some data there is no test set, no validation part, and nobody knows which labels are wrong.
        DataError: they are missing or damaged.
    """
    for recipe in {recipe.data: recipe for recipe in grid.recipes if _measures_by_data_alone(recipe)}.values():
        dataset = machine.load(recipe.data)
        if not dataset.test_parts and dataset.clean_labels is None:
            raise RecipeError(
                f"{grid.name}: nothing would be measured, as {recipe.data.where} has no test set, validation is 0, and "
                "nobody knows which labels are wrong: hold out some of them (--set validation=0.1), or add a test set"
            )


def _measures_by_data_alone(recipe: Recipe) -> bool:
    return recipe.data.own is not None and not recipe.validation and recipe.noise.kind == "none"


def read_records(recipes: Sequence[Recipe], runs: str | Path) -> dict[str, Record]:
    """The records that there are of some recipes, by their ids, whatever their data are now.

    Raises:
        RunError: a record is damaged, or there are several runs of one recipe on different inputs.
    """
    found = known_runs(recipes, runs)
    for known in found.values():
        if len(known) > 1:
            raise RunError(f"{several_runs(known)}: delete those that you do not want, or move them elsewhere")
    return {recipe.id: under_title(found[recipe.id][0], recipe) for recipe in recipes if found[recipe.id]}


def known_runs(recipes: Sequence[Recipe], runs: str | Path) -> dict[str, list[Record]]:
    """The records that there are of some recipes, by their ids: several where a recipe was run on several inputs.

    Raises:
        RunError: a record is damaged.
    """
    return {recipe.id: Runs(runs).of(recipe) for recipe in recipes}


def grid_status(grid: Grid, runs: str | Path) -> list[tuple[Recipe, Path, str]]:
    """Each recipe of a grid with its folder and the status of its record, without a look at its data.

    ``"missing"`` where there is none, and then the folder's name ends where what it reads would have its say; a run
    that was interrupted is ``"running"``. A recipe that was run on several inputs is there once for each of them.
    """
    runs = Path(runs)
    found: list[tuple[Recipe, Path, str]] = []
    for recipe, known in zip(grid.recipes, map(Runs(runs).of, grid.recipes), strict=True):
        found += [(recipe, record.folder or runs, record.status) for record in known]
        if not known:
            found.append((recipe, runs / folder_name(recipe), "missing"))
    return found
