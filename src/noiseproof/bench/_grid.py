"""Grids: a product of methods, noises, rates and seeds over one base recipe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noiseproof.errors import RecipeError, suggest
from noiseproof.train import Recipe, make_recipe, merge, read_recipe_file

_AXES = ("methods", "noise", "rates", "seeds", "regulariser")

_AXIS_OF = {"method": "methods", "noise": "noise", "seed": "seeds"}
"""The axis that has its say in place of a key of the base recipe."""


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
    values = changed(read_recipe_file(recipe), changes or {}, str(recipe))
    name = Path(recipe).stem
    title = str(values.pop("title", name))
    return Grid(name, title, multiply(values, str(recipe)))


def changed(values: dict[str, Any], changes: dict[str, Any], where: str) -> dict[str, Any]:
    """A recipe with ``changes``; those of its method and its noise reach every method and noise of its grid.

    Only clean labels stay as they are.

    Raises:
        RecipeError: a change that the grid would hide; the message begins with ``where``.
    """
    merged = merge(values, changes)
    axes = dict(merged.get("grid", {}))
    for key, axis in _AXIS_OF.items():
        if key not in changes or not isinstance(axes.get(axis), list) or axis in changes.get("grid", {}):
            continue
        change = changes[key]
        if not isinstance(change, dict):
            raise RecipeError(
                f"{where}: {key} = {change!r} changes nothing, as the grid has {axis} of its own; change grid.{axis}"
            )
        entries = [{"kind": entry} if key == "noise" and isinstance(entry, str) else entry for entry in axes[axis]]
        if "rate" in change:
            axes.pop("rates", None)
            entries = [{name: value for name, value in entry.items() if name != "rates"} for entry in entries]
        axes[axis] = [
            entry if entry == {"kind": "none"} else merge({key: entry}, {key: change})[key] for entry in entries
        ]
    return {**merged, "grid": axes} if axes else merged


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
        elif "rates" in axes and table.get("kind") in ("symmetric", "asymmetric", "instance"):
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
    if noise.kind == "human":
        parts.append(noise.column)
    elif noise.kind == "instance":
        parts.append(noise.variant)
    elif noise.kind == "labels":
        parts += [_for_a_path(text) for text in (Path(noise.path).stem, noise.column) if text is not None]
    return "-".join([*parts, _for_a_path(recipe.method.name), f"seed{recipe.seed}", recipe.id])


def _for_a_path(text: str) -> str:
    return re.sub(r"[^a-z0-9+.-]+", "_", text.lower()).strip("_")[:40]
