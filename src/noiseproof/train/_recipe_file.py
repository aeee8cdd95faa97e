"""Recipes as text: files, names and tables, before anything in them is checked by its meaning."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from pydantic import BaseModel

from noiseproof.data.noises import NOISES
from noiseproof.data.sources import SOURCES
from noiseproof.errors import DataError, RecipeError, suggest
from noiseproof.files import packaged_tables, parse_toml
from noiseproof.untrusted import read_bytes
from noiseproof.user_code import import_modules

_RECIPES = "noiseproof.recipes"

_DEEPEST = 16
"""How many tables and lists may lie inside each other; recipes have four."""

_MOST_PARENTS = 8

_MOST_BYTES = 1 << 20

# Python's reader of TOML takes time with the square of a key's parts.
_LONG_KEY = re.compile(rf"""(?:^|[\[{{,])[ \t]*(?:[\w"'-]+[ \t]*\.[ \t]*){{{_DEEPEST}}}""", re.MULTILINE)


def path_keys() -> dict[str, list[str]]:
    """The keys of a recipe's tables that are paths."""
    return {
        table: list(dict.fromkeys(key for kind in kinds for key in kind.paths))
        for table, kinds in (("data", SOURCES.values()), ("noise", NOISES.values()))
    }


def place_keys() -> dict[str, list[str]]:
    """The keys of a recipe's tables that say where something is, in a file or on the disk."""
    places = {"data": SOURCES.values(), "noise": NOISES.values()}
    return {
        table: [*keys, *dict.fromkeys(key for kind in places[table] for key in kind.places)]
        for table, keys in path_keys().items()
    }


AS_TABLE = {"data": "name", "noise": "kind", "method": "name"}
"""The tables that a text can stand for, and the key that it is then the value of."""

_WHOLE = ("mapping",)
"""Tables that are one value: another one takes their place."""


def packaged_recipes() -> tuple[str, ...]:
    """The names of the recipes that come with noiseproof."""
    return tuple(packaged_tables(_RECIPES))


def packaged_recipe_text(name: str) -> str:
    """The text of a recipe that comes with noiseproof.

    Raises:
        RecipeError: there is none of this name.
    """
    known = packaged_tables(_RECIPES)
    if name not in known:
        raise RecipeError(
            f"no recipe is called {name!r}{suggest(name, known)}; for one of your own give the path of a .toml file"
        )
    return known[name]


def is_recipe_file(recipe: str | Path) -> bool:
    """Whether a text is the path of a recipe file and not the name of a recipe that comes with noiseproof."""
    return str(recipe).lower().endswith(".toml")


def read_recipe_file(recipe: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a recipe file, with those of the file that it extends underneath.

    The modules that a file names under ``imports`` are imported; they are looked for in the working folder, beside the
    file and on Python's path. A path in a file is relative to the file.

    Args:
        recipe: a path to a ``.toml`` file, the name of a recipe that comes with noiseproof, or tables as a file would
            hold them. Tables import nothing and extend no file, wherever they come from.

    Raises:
        RecipeError: no such file or name, text that is no TOML in UTF-8, values that no recipe can hold, or a module
            that cannot be imported.
    """
    return _read(recipe, depth=0)


def _read(recipe: str | Path | Mapping[str, Any], depth: int) -> dict[str, Any]:
    if isinstance(recipe, Mapping):
        return _read_tables(recipe)
    if not isinstance(recipe, str | Path):
        raise RecipeError(f"{recipe!r:.200}: expected the path of a .toml file, the name of a recipe, or tables")
    if depth > _MOST_PARENTS:
        raise RecipeError(f"{recipe}: recipes extend each other in a circle, or more than {_MOST_PARENTS} times")
    values = _parse(recipe)
    folder = Path(recipe).parent if is_recipe_file(recipe) else Path()
    imports = values.pop("imports", [])
    if not isinstance(imports, list) or not all(isinstance(name, str) for name in imports):
        raise RecipeError(f"{recipe}: imports: expected a list of names of modules, got {reprlib.repr(imports)}")
    parent = _pop_parent(values, str(recipe))
    below = {} if parent is None else _read(folder / parent if is_recipe_file(parent) else parent, depth + 1)
    import_modules(imports, folder)
    import_dotted(values, folder)
    _resolve_paths(values, folder)
    return merge(below, values)


def _read_tables(tables: Mapping[str, Any]) -> dict[str, Any]:
    values = plain_table(tables)
    if "imports" in values:
        raise RecipeError("imports: only a recipe file names modules; import them yourself, or give --import")
    parent = _pop_parent(values, "recipe")
    if parent is None:
        return values
    if is_recipe_file(parent):
        raise RecipeError(f"extends: {parent} is a file, which only files extend; read it with read_recipe_file")
    return merge(_read(parent, depth=1), values)


def _pop_parent(values: dict[str, Any], where: str) -> str | None:
    parent = values.pop("extends", None)
    if parent is not None and not isinstance(parent, str):
        raise RecipeError(
            f"{where}: extends: expected the name of a recipe or the path of a file, got {reprlib.repr(parent)}"
        )
    return parent


def _parse(recipe: str | Path) -> dict[str, Any]:
    if not is_recipe_file(recipe):
        text = packaged_recipe_text(str(recipe))
    else:
        try:
            content = read_bytes(Path(recipe), _MOST_BYTES)
        except DataError as error:
            raise RecipeError(f"cannot read the recipe {str(recipe)[:200]!r}: {error}") from error
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise RecipeError(
                f"{recipe} is not UTF-8: byte 0x{content[error.start]:02x} in line {line}. Save it as UTF-8"
            ) from error
    if _LONG_KEY.search(text):
        raise RecipeError(f"{recipe}: a key of more than {_DEEPEST} parts, which would be as many tables")
    try:
        values = parse_toml(text)
    except RecursionError as error:
        raise RecipeError(f"{recipe}: more than {_DEEPEST} tables and lists inside each other") from error
    except ValueError as error:
        raise RecipeError(f"{recipe} is no valid TOML: {error}") from error
    try:
        return plain_table(values)
    except RecipeError as error:
        raise RecipeError(f"{recipe}: {error}") from error


def plain_table(values: Mapping[Any, Any]) -> dict[str, Any]:
    """A table of values that TOML and JSON have: paths become text, NumPy's numbers Python's, models tables.

    Raises:
        RecipeError: any other value, a number of more than 64 bits, or too many levels; the message names the key.
    """
    table: dict[str, Any] = _plain(values, "", 0)
    return table


def _plain(value: Any, place: str, depth: int) -> Any:
    where = place or "recipe"
    if depth > _DEEPEST:
        raise RecipeError(f"{where.split('.')[0]}: more than {_DEEPEST} tables and lists inside each other")
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, PurePath):
        value = os.fspath(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        if value.bit_length() > 63:
            raise RecipeError(f"{where}: a whole number of {value.bit_length()} bits; expected at most 63")
        return value
    if isinstance(value, str):
        if not value.isascii():
            _check_text(value, where)
        return value
    if isinstance(value, list | tuple):
        return [_plain(entry, f"{place}[{number}]", depth + 1) for number, entry in enumerate(value)]
    if isinstance(value, Mapping):
        table = {}
        for key, entry in value.items():
            if isinstance(key, bool) or not isinstance(key, str | int):
                raise RecipeError(f"{where}: a key {str(key)[:50]!r}: expected text")
            _check_text(str(key), where)
            table[key] = _plain(entry, f"{place}.{key}".removeprefix(".")[:200], depth + 1)
        return table
    raise RecipeError(
        f"{where}: a value of the kind {type(value).__name__}; expected text, a number, true, false, a list or a table"
    )


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RecipeError(
            f"{where}: {text!r} is no Unicode text: rename the file, or write the name in UTF-8"
        ) from error


def _resolve_paths(values: dict[str, Any], folder: Path) -> None:
    """Let the paths in a file's values begin at the file's folder."""
    if folder == Path():
        return
    for table in (values, *_noises_of_grid(values)):
        for part, keys in path_keys().items():
            inside = table.get(part)
            for key in keys:
                if isinstance(inside, dict) and isinstance(inside.get(key), str):
                    inside[key] = _beside(inside[key], folder, elsewhere=inside.get("kind") == "labels")
    weights = values.get("weights")
    if isinstance(weights, str) and PurePath(weights).suffix:
        values["weights"] = _beside(weights, folder, elsewhere=False)


_DOTTED = re.compile(r"(?<![\w.])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\.[A-Za-z_]\w*", re.ASCII)
_KINDS = {"data": ("name",), "noise": ("kind",), "method": ("name", "kind", "loss"), "model": ()}
"""Where a recipe names kinds: as a text, or under these keys of a table."""


def import_dotted(values: Mapping[str, Any], beside: Path | None = None) -> None:
    """Import the modules of the dotted paths, such as ``my_nets.MyNet``, by which somebody names kinds in a recipe.

    Args:
        values: the recipe's tables, or changes of some.
        beside: the folder of the file that names them.

    Raises:
        RecipeError: there is no such module, or it fails.
    """
    grid = values.get("grid")
    axes = grid if isinstance(grid, Mapping) else {}
    named = [(key, values.get(key)) for key in _KINDS]
    for key, axis in (("method", "methods"), ("noise", "noise")):
        entries = axes.get(axis)
        named += [(key, entry) for entry in entries] if isinstance(entries, list) else []
    texts = []
    for key, value in named:
        texts += [value.get(inside) for inside in _KINDS[key]] if isinstance(value, Mapping) else [value]
    modules = [match[1] for text in texts if isinstance(text, str) for match in _DOTTED.finditer(text)]
    import_modules(dict.fromkeys(modules), beside)


def _noises_of_grid(values: dict[str, Any]) -> list[dict[str, Any]]:
    grid = values.get("grid")
    axis = grid.get("noise") if isinstance(grid, dict) else None
    return [{"noise": entry} for entry in axis] if isinstance(axis, list) else []


def _beside(path: str, folder: Path, *, elsewhere: bool) -> str:
    """``path`` from ``folder``; as it is where a file may lie elsewhere too and does not lie there."""
    if not path:
        return path
    found = folder / path
    if elsewhere and not os.path.exists(found):  # noqa: PTH110 - it takes any text
        return path
    return str(found)


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes``: tables are merged key by key.

    A data set or a method that is named in ``changes``, and a noise of another kind, take the place of what was there,
    with all its values. The name of a data set, a method or a kind of noise stands for the table with it, so that
    ``{"data": {"train_size": 100}}`` changes ``{"data": "cifar10"}``.
    """
    merged = dict(base)
    for key, value in changes.items():
        before = as_table(key, merged.get(key))
        value = as_table(key, value) if key == "noise" else value
        if isinstance(before, dict) and isinstance(value, dict) and not names_another(key, value, before):
            merged[key] = _merge_tables(before, value)
        else:
            merged[key] = value
    return merged


def as_table(key: str, value: Any) -> Any:
    """The table that a name stands for under ``key``; anything else as it is."""
    return {AS_TABLE[key]: value} if key in AS_TABLE and isinstance(value, str) else value


def names_another(key: str, change: dict[str, Any], before: dict[str, Any] | None = None) -> bool:
    """Whether a table says which data set, method or noise it is, and so takes the place of the one before."""
    if key == "noise":
        return "kind" in change and (before is None or change["kind"] != before.get("kind", "none"))
    return (key == "data" and "name" in change) or (key == "method" and not {"name", "loss"}.isdisjoint(change))


def _merge_tables(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict) and key not in _WHOLE:
            merged[key] = _merge_tables(before, value)
        else:
            merged[key] = value
    return merged
