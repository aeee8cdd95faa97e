"""Grids: a product of methods, noises, rates and seeds over one base recipe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noiseproof.errors import RecipeError, suggest
from noiseproof.train import Recipe, make_recipe, merge, read_recipe_file

_AXES = ("methods", "noise", "rates", "seeds", "regulariser")


@dataclass(frozen=True)
class Grid:
    """The runs that a recipe file asks for.

    Attributes:
        name: of the file, without its ending.
        title: for tables and pages.
        recipes: one per run: all methods and noises of the first seed, then of the next.
    """

    name: str
    title: str
    recipes: tuple[Recipe, ...]


def load_grid(recipe: str | Path, changes: dict[str, Any] | None = None) -> Grid:
    """Read a recipe file and multiply out its ``[grid]``; a file without one is a grid of one run.

    ``regulariser`` in it is no axis: it puts every method under the same regulariser, in place of each one's own.

    Args:
        recipe: the path of a ``.toml`` file, or the name of a recipe that comes with noiseproof.
        changes: values that replace those of the file, as nested tables.

    Raises:
        RecipeError: the file cannot be read, or a run of it is no valid recipe.
    """
    values = merge(read_recipe_file(recipe), changes or {})
    name = Path(recipe).stem
    title = str(values.pop("title", name))
    return Grid(name, title, multiply(values, str(recipe)))


def multiply(values: dict[str, Any], where: str) -> tuple[Recipe, ...]:
    """The recipes of a base recipe with a ``grid``: all methods and noises of the first seed, then of the next.

    Raises:
        RecipeError: an unknown axis, or a run that is no valid recipe; the message begins with ``where``.
    """
    values = dict(values)
    axes = values.pop("grid", {})
    for axis in axes:
        if axis not in _AXES:
            raise RecipeError(f"{where}: unknown axis grid.{axis}{suggest(axis, _AXES)}")
    methods = [_regularised(method, axes) for method in _list(axes, "methods", values.get("method"))]
    recipes: dict[str, Recipe] = {}
    for seed in _list(axes, "seeds", values.get("seed", 1)):
        for noise in _noises(axes, values.get("noise", {"kind": "none"})):
            for method in methods:
                run = {key: value for key, value in values.items() if key != "noise"}
                one = make_recipe({**run, "noise": noise, "method": method, "seed": seed})
                recipes.setdefault(one.id, one)
    return tuple(recipes.values())


def _list(axes: dict[str, Any], axis: str, default: Any) -> list[Any]:
    if axis not in axes:
        return [default]
    if not isinstance(axes[axis], list) or not axes[axis]:
        raise RecipeError(f"grid.{axis}: expected a list with at least one entry, got {axes[axis]!r}")
    return axes[axis]


def _regularised(method: Any, axes: dict[str, Any]) -> Any:
    """A method under the grid's regulariser, if it has one."""
    if "regulariser" not in axes or not isinstance(method, str | dict):
        return method
    return {**({"name": method} if isinstance(method, str) else method), "regulariser": axes["regulariser"]}


def _noises(axes: dict[str, Any], default: dict[str, Any]) -> list[dict[str, Any]]:
    noises = []
    for entry in _list(axes, "noise", default):
        table = {"kind": entry} if isinstance(entry, str) else dict(entry)
        if "rates" in table:
            rates = _list(table, "rates", None)
            del table["rates"]
        elif "rates" in axes and table.get("kind") in ("symmetric", "asymmetric"):
            rates = _list(axes, "rates", None)
        else:
            rates = [table.get("rate")]
        noises += [table if rate is None else {**table, "rate": rate} for rate in rates]
    return noises


def folder_name(recipe: Recipe) -> str:
    """A name for a run's folder that a person can read and that no other recipe has."""
    noise = recipe.noise
    parts: list[str] = [recipe.data.name, noise.kind]
    parts += [f"{noise.rate:g}"] if noise.rate else []
    parts += [noise.column] if noise.kind == "human" else []
    method = re.sub(r"[^a-z0-9+.-]+", "_", recipe.method.name.lower()).strip("_")[:40]
    return "-".join([*parts, method, f"seed{recipe.seed}", recipe.id])
