"""Grids: a product of methods, noises, rates and seeds over one base recipe."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiseproof.data.noises import NOISES
from noiseproof.errors import RecipeError, suggest
from noiseproof.train import (
    Recipe,
    as_table,
    import_dotted,
    is_recipe_file,
    make_recipe,
    merge,
    names_another,
    plain_table,
    read_recipe_file,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_AXES = ("methods", "noise", "rates", "seeds", "regularizer")

_MOST_RUNS = 100_000

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


def load_grid(recipe: Recipe | str | Path | Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> Grid:
    """Read a recipe file and multiply out its ``[grid]``; a file without one is a grid of one run.

    ``regularizer`` in it is no axis: it puts every method under the same regularizer, in place of each one's own.

    Args:
        recipe: the path of a ``.toml`` file, the name of a recipe that comes with noiseproof, tables as a file holds
            them, or a recipe.
        changes: values that replace those of the file, as nested tables.

    Raises:
        RecipeError: the file cannot be read, a change has no effect, or a run is no valid recipe.
    """
    if isinstance(recipe, Recipe):
        recipe = recipe.model_dump(mode="json")
    where = str(recipe) if isinstance(recipe, str | Path) else "recipe"
    name = Path(where).stem
    given = plain_table(changes or {})
    import_dotted(given, Path(where).parent if is_recipe_file(where) else None)
    values = changed(read_recipe_file(recipe), given, where)
    title = values.pop("title", name)
    if not isinstance(title, str) or not title.strip():
        raise RecipeError(f"{where}: title: expected text, got {title!r:.100}")
    return Grid(name, title, multiply(values, where))


def changed(values: dict[str, Any], changes: dict[str, Any], where: str) -> dict[str, Any]:
    """A recipe with ``changes``; those of its method and its noise reach every method and noise of its grid.

    Only clean labels stay as they are. Where a change names another method, noise or seed, it takes the place of the
    only one on the grid's axis.

    Raises:
        RecipeError: a change that the grid, or another change, would hide; the message begins with ``where``.
    """
    merged = merge(values, changes)
    if "grid" not in merged:
        return merged
    axes, changed_axes = dict(_table(merged["grid"], "grid", where)), _table(changes.get("grid", {}), "grid", where)
    for key, axis in _AXIS_OF.items():
        if key not in changes or axis not in axes:
            continue
        entries = [as_table(key, entry) for entry in _list(axes, axis, where)]
        change = as_table(key, changes[key])
        if not isinstance(change, dict) or names_another(key, change):
            if axis in changed_axes:
                raise RecipeError(
                    f"{where}: {_shown(key, changes[key])} and grid.{axis} are both given: give one of them"
                )
            if len(entries) > 1:
                raise RecipeError(
                    f"{where}: {_shown(key, changes[key])} changes nothing, as the grid has {axis} of its own; change "
                    f"grid.{axis}"
                )
        if not isinstance(change, dict) or (axis == "methods" and names_another(key, change)):
            entries = [changes[key]]
        else:
            entries = [_with_change(key, entry, change) for entry in entries]
        axes[axis] = entries
    noises = axes["noise"] if isinstance(axes.get("noise"), list) else [merged.get("noise", "none")]
    _let_noise_replace_rates(axes, changed_axes, changes, noises, where)
    _let_one_regularizer_hold(axes, changed_axes, merged, changes, where)
    return {**merged, "grid": axes}


def _with_change(key: str, entry: Any, change: dict[str, Any]) -> Any:
    """An entry of an axis with a change of a part of it; clean labels stay as they are unless a kind is named."""
    if not isinstance(entry, dict):
        return entry  # is refused later, with its place
    if key == "noise" and entry == {"kind": "none"} and "kind" not in change:
        return entry
    if "rate" in change:
        entry = {name: value for name, value in entry.items() if name != "rates"}
    return merge({key: entry}, {key: change})[key]


def _let_noise_replace_rates(
    axes: dict[str, Any], changed_axes: dict[str, Any], changes: dict[str, Any], noises: list[Any], where: str
) -> None:
    """Rates of a file make way for another rate, and for noises that have none."""
    if "rates" not in axes:
        return
    noise = as_table("noise", changes.get("noise"))
    of_noise = isinstance(noise, dict) and "rate" in noise
    if of_noise and "rates" in changed_axes:
        raise RecipeError(f"{where}: noise.rate and grid.rates are both given: give one of them")
    tables = [entry for entry in (as_table("noise", each) for each in noises) if isinstance(entry, dict)]
    unused = not any(_takes_rate(table, alone="noise" not in axes) for table in tables)
    if of_noise or (unused and "rates" not in changed_axes and (noise is not None or "noise" in changed_axes)):
        del axes["rates"]


def _let_one_regularizer_hold(
    axes: dict[str, Any], changed_axes: dict[str, Any], merged: dict[str, Any], changes: dict[str, Any], where: str
) -> None:
    """A regularizer that is changed is that of all methods, whatever the file says of the grid or of one of them."""
    method = changes.get("method")
    of_method = isinstance(method, dict) and "regularizer" in method
    if of_method and "regularizer" in changed_axes:
        raise RecipeError(f"{where}: method.regularizer and grid.regularizer are both given: give one of them")
    if of_method:
        axes.pop("regularizer", None)
    elif "regularizer" in changed_axes:
        merged["method"] = _without_regularizer(merged.get("method"))
        if isinstance(axes.get("methods"), list):
            axes["methods"] = [_without_regularizer(method) for method in axes["methods"]]


def _without_regularizer(method: Any) -> Any:
    if not isinstance(method, dict):
        return method
    return {key: value for key, value in method.items() if key != "regularizer"}


def multiply(values: dict[str, Any], where: str) -> tuple[Recipe, ...]:
    """The recipes of a base recipe with a ``grid``: all methods and noises of the first seed, then of the next.

    Raises:
        RecipeError: an unknown axis, or a run that is no valid recipe; the message begins with ``where``.
    """
    values = dict(values)
    axes = _table(values.pop("grid", {}), "grid", where)
    for axis in axes:
        if axis not in _AXES:
            raise RecipeError(f"{where}: unknown axis grid.{axis}{suggest(str(axis), _AXES)}")
    methods = [_regularized(method, axes, where) for method in _list(axes, "methods", where, values.get("method"))]
    noises = _noises(axes, values.get("noise", "none"), where)
    seeds = _list(axes, "seeds", where, values.get("seed", 1))
    for seed in seeds:
        if seeds.count(seed) > 1:
            raise RecipeError(f"{where}: grid.seeds: {seed!r} is there more than once, and would be one run")
    if len(methods) * len(noises) * len(seeds) > _MOST_RUNS:
        raise RecipeError(
            f"{where}: a grid of {len(methods) * len(noises) * len(seeds):,} runs; expected at most {_MOST_RUNS:,}"
        )
    run = {key: value for key, value in values.items() if key not in ("noise", "method", "seed")}
    recipes: dict[str, Recipe] = {}
    for seed in seeds:
        for noise in noises:
            for method in methods:
                try:
                    one = make_recipe({**run, "noise": noise, "method": method, "seed": seed})
                except RecipeError as error:
                    raise RecipeError(f"{where}: {error}") from error
                recipes.setdefault(one.model_dump_json(), one)
    return tuple(recipes.values())


def _table(value: Any, name: str, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RecipeError(f"{where}: {name}: expected a table, got {reprlib.repr(value)}")
    return value


def _list(axes: dict[str, Any], axis: str, where: str, default: Any = None, within: str = "grid") -> list[Any]:
    if axis not in axes:
        return [default]
    if not isinstance(axes[axis], list) or not axes[axis]:
        raise RecipeError(
            f"{where}: {within}.{axis}: expected a list with at least one entry, got {reprlib.repr(axes[axis])}"
        )
    return list(axes[axis])


def _shown(key: str, value: Any) -> str:
    return f"{key} = {reprlib.repr(value)}"


def _regularized(method: Any, axes: dict[str, Any], where: str) -> Any:
    """A method under the grid's regularizer, if it has one."""
    if "regularizer" not in axes or not isinstance(method, str | dict):
        return method
    table = as_table("method", method)
    if table.get("regularizer", axes["regularizer"]) != axes["regularizer"]:
        raise RecipeError(
            f"{where}: grid.regularizer is {axes['regularizer']!r}, and the method {reprlib.repr(method)} has another"
        )
    return {**table, "regularizer": axes["regularizer"]}


def _noises(axes: dict[str, Any], default: Any, where: str) -> list[dict[str, Any]]:
    """The noises with each of their rates: their own where they have some, else those of the grid."""
    noises = []
    shared = _list(axes, "rates", where) if "rates" in axes else None
    used = False
    for number, entry in enumerate(_list(axes, "noise", where, default)):
        place = f"grid.noise[{number}]" if "noise" in axes else "noise"
        table = dict(_table(as_table("noise", entry), place, where))
        if {"rate", "rates"} <= table.keys():
            raise RecipeError(f"{where}: {place}: rate and rates are both given: give one of them")
        if "rates" in table:
            rates = _list(table, "rates", where, within=place)
            del table["rates"]
        elif shared is not None and _takes_rate(table, alone="noise" not in axes):
            rates, used = shared, True
        else:
            rates = [table.get("rate")]
        noises += [table if rate is None else {**table, "rate": rate} for rate in rates]
    if shared is not None and not used:
        raise RecipeError(
            f"{where}: grid.rates changes nothing, as no noise of the grid takes its rate from there: leave it out, or "
            'name such a noise, as in grid.noise = ["symmetric"]'
        )
    return noises


def _takes_rate(noise: dict[str, Any], *, alone: bool) -> bool:
    """Whether a noise takes the rates of the grid: not if it has none, nor an entry of the grid with one of its own."""
    kind = noise.get("kind", "none")
    has_rate = not isinstance(kind, str) or not NOISES.has(kind) or "rate" in NOISES.find(kind).model_fields
    return has_rate and (alone or "rate" not in noise)
