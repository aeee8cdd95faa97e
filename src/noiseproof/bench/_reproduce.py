"""Published tables and figures as sets of runs."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from noiseproof.bench._grid import changed, multiply
from noiseproof.errors import RecipeError, suggest
from noiseproof.literature import check_source, published_figure, reproduction_table
from noiseproof.results import Reproduction, Target
from noiseproof.train import read_recipe_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noiseproof.train import Recipe

_MOST_SEEDS = 1000

_PART_KEYS = (
    "recipe",
    "lite",
    "methods",
    "noise",
    "seeds",
    "sources",
    "tests",
    "metrics",
    "first",
    "label",
    "published_as",
)


def load_reproduction(
    name: str,
    *,
    lite: bool = False,
    cells: Sequence[str] = (),
    seeds: int | None = None,
    changes: dict[str, Any] | None = None,
) -> Reproduction:
    """A published table as runs.

    Args:
        name: one of :func:`noiseproof.literature.reproductions`.
        lite: the lite protocol instead of the published one.
        cells: patterns as of file names, of which a cell must match one: ``"jal-ce/*"``, ``"*/symmetric-0.8"``; a
            method or a column alone stands for all its cells. Empty for all.
        seeds: how many seeds, the first of those that the file lists and then the numbers that follow; ``None`` for
            those of the file.
        changes: values that replace those of every recipe, as nested tables.

    Raises:
        RecipeError: an unknown name, a table without a lite protocol, no cell that matches, or an invalid change.
    """
    values = reproduction_table(name)
    if seeds is not None and not 1 <= seeds <= _MOST_SEEDS:
        raise RecipeError(f"seeds {seeds}: expected how many, 1 … {_MOST_SEEDS:,}")
    wanted = [part for part in values["part"] if not lite or "lite" in part]
    if not wanted:
        raise RecipeError(f"{name} has no lite protocol: its data and network are too large for one")
    multiplied = [_recipes(name, part, part["lite" if lite else "recipe"], seeds, changes or {}) for part in wanted]
    several = len({recipe.data.name for recipes in multiplied for recipe in recipes}) > 1
    parts = [_targets(part, recipes, several) for part, recipes in zip(wanted, multiplied, strict=True)]
    targets = [target for part in parts for target in part]
    chosen = [target for target in targets if not cells or any(_matches(target.key, text) for text in cells)]
    if not chosen:
        raise RecipeError(
            f"no cell of {name} matches {', '.join(cells)}: expected patterns of METHOD/COLUMN such as "
            f"{targets[0].key!r} or {'*/' + targets[-1].key.partition('/')[2]!r}"
        )
    order: dict[str, int] = {}
    for part, table in zip(wanted, parts, strict=True):
        for target in _first_things_first(table, part.get("first", {})):
            for recipe in target.recipes:
                order.setdefault(recipe.id, len(order))
    return Reproduction(
        name,
        values["title"] + (" (lite)" if lite else ""),
        values.get("drawing", "curves"),
        lite,
        tuple(chosen),
        order,
    )


def _recipes(
    name: str, part: dict[str, Any], base: str, seeds: int | None, changes: dict[str, Any]
) -> tuple[Recipe, ...]:
    """The runs of one part of a reproduction."""
    for key in part:
        if key not in _PART_KEYS:
            raise RecipeError(f"{name}: unknown key {key!r}{suggest(key, _PART_KEYS)}")
    values = {key: value for key, value in read_recipe_file(base).items() if key not in ("title", "grid")}
    listed = part.get("seeds", [1, 2, 3])
    if seeds is not None:
        listed = [*listed, *range(max(listed) + 1, max(listed) + 1 + seeds)][:seeds]
    axes = {key: part[key] for key in ("methods", "noise") if key in part}
    return multiply(changed({**values, "grid": {**axes, "seeds": listed}}, changes, name), name)


def _targets(part: dict[str, Any], recipes: tuple[Recipe, ...], several: bool) -> list[Target]:
    """The cells of one part; their columns name the data set if the reproduction has several."""
    sources = tuple(map(check_source, part["sources"]))
    tests: dict[str, str] = part.get("tests", {recipes[0].data.name: ""})
    metrics = part.get("metrics", ["top1"])
    names = part.get("published_as", {})
    cells: dict[tuple[str, tuple[str, float | None]], list[Recipe]] = {}
    for recipe in recipes:
        cells.setdefault((recipe.method.name, noise_key(recipe)), []).append(recipe)
    targets = []
    for (method, (kind, rate)), runs in cells.items():
        if len({run.seed for run in runs}) < len(runs):
            raise RecipeError(f"several runs of one seed are {method} under {kind} noise: give them other names")
        for test, further in tests.items():
            for metric in metrics:
                figure = published_figure(sources, test, kind, rate, names.get(method, method), metric)
                words = [
                    runs[0].data.name if several else "",
                    "" if kind == "real" else kind + (f" {rate:g}" if rate else ""),
                    test if len(tests) > 1 or kind == "real" else "",
                    metric if len(metrics) > 1 else "",
                    part.get("label", ""),
                ]
                targets.append(
                    Target(method, " ".join(filter(None, words)), test, further, metric, tuple(runs), figure)
                )
    return targets


def noise_key(recipe: Recipe) -> tuple[str, float | None]:
    """The noise as published tables name it: its kind, and its rate where somebody chose it."""
    noise = recipe.noise
    if noise.kind == "none":
        return ("none", 0.0) if recipe.data.name.startswith("cifar") else ("real", None)
    return noise.published_as


def _matches(key: str, pattern: str) -> bool:
    text = pattern.strip().lower().replace(" ", "-")
    return any(fnmatch.fnmatchcase(key, each) for each in (text, f"{text}/*", f"*/{text}", f"*/*-{text}"))


def _first_things_first(targets: Sequence[Target], first: dict[str, list[str]]) -> list[Target]:
    """The cells whose method and column the file names come first, column by column."""
    methods = [method.lower() for method in first.get("methods", ())]
    columns = first.get("columns", ())

    def place(target: Target) -> tuple[bool, int, int]:
        row, column = target.row.lower(), target.column
        if row in methods and column in columns:
            return False, columns.index(column), methods.index(row)
        return True, 0, 0

    return sorted(targets, key=place)
