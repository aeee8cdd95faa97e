"""Which runs are one cell of a table: those that differ in nothing but the seed.

Every run has a row, by its method and what else it was trained with, and a column, by its noise. Labels are as short as
they can be: what tells two of them apart is added, and nothing more.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from noiseproof.data.noises import NOISES, NoiseKind
from noiseproof.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noiseproof.train import Record

_FOLLOWS_NOISE = ("method.kind", "method.loss", "method.head")
"""What published methods choose by the noise: it may differ from column to column of one row."""

_SHORT: dict[str, str] = {
    "method.l1": "L1",
    "method.l2": "L2",
    "method.head": "head",
    "inputs.data": "data",
    "inputs.noise": "labels",
    "inputs.weights": "weights",
}
"""What stands before a value, where it is not the key's last part."""

_PLAIN = (
    "method.source",
    "method.kind",
    "method.loss",
    "method.optimizer",
    "optimizer",
    "noise.mode",
    "noise.variant",
    "noise.source",
    "model",
)
"""The keys whose values say by themselves what they are."""

_LAST = ("momentum", "nesterov", "inputs.", "code.")
"""Keys that begin so tell apart only what no other does."""

_MOST_KEYS = 5
"""How many keys are tried together before all that differ are written out."""

_Settings = dict[str, Any]


def cell_labels(records: Sequence[Record]) -> list[tuple[str, str]]:
    """The row and the column of each run.

    Runs of one row and one column differ in their seeds only. Methods that have other parameters for each noise are one
    row.
    """
    every = [_settings(record) for record in records]
    noises = [{key: value for key, value in one.items() if _is_noise(key)} for one in every]
    others = [{key: value for key, value in one.items() if not _is_noise(key)} for one in every]
    columns = _told_apart([noise_label(record.recipe) for record in records], noises)
    names = [record.recipe["method"]["name"] for record in records]
    loose = [{key: value for key, value in one.items() if key not in _FOLLOWS_NOISE} for one in others]
    rows = _told_apart(names, loose)
    # Two losses of one row in one column, though, are two rows.
    losses: dict[tuple[str, str], set[tuple[Any, ...]]] = {}
    for row, column, one in zip(rows, columns, others, strict=True):
        losses.setdefault((row, column), set()).add(tuple(one.get(key) for key in _FOLLOWS_NOISE))
    mixed = {row for (row, _), found in losses.items() if len(found) > 1}
    mixed_names = {name for name, row in zip(names, rows, strict=True) if row in mixed}
    strict = [one if name in mixed_names else less for name, one, less in zip(names, others, loose, strict=True)]
    return list(zip(_told_apart(names, strict), columns, strict=True))


def cells_of(records: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    """The runs of each cell, by row and column.

    Raises:
        RunError: a cell has two runs of one seed.
    """
    cells: dict[tuple[str, str], list[Record]] = {}
    for record, place in zip(records, cell_labels(records), strict=True):
        runs = cells.setdefault(place, [])
        twin = next((run for run in runs if run.recipe["seed"] == record.recipe["seed"]), None)
        if twin is None:
            runs.append(record)
        elif twin.id != record.id or twin.folder is None or twin.folder != record.folder:
            named = " and ".join(str(run.folder or run.id) for run in (twin, record))
            raise RunError(
                f"{place[0]}, {place[1]}: {named} have the same seed ({record.recipe['seed']}) and would count twice; "
                "leave one of them out"
            )
    return cells


def noise_label(recipe: dict[str, Any]) -> str:
    """The noise of a run's recipe in a few words."""
    noise = recipe["noise"]
    return NOISES.get(noise["kind"], NoiseKind).label(noise)


def _is_noise(key: str) -> bool:
    return key.startswith("noise.") or key == "inputs.noise"


def _settings(record: Record) -> _Settings:
    """Everything that a run was made of but its title and its seed, by dotted keys."""
    recipe = {key: value for key, value in record.recipe.items() if key != "seed"}
    recipe["method"] = {key: value for key, value in recipe["method"].items() if key != "name"}
    flat: _Settings = {}
    for key, value in {**recipe, "inputs": record.inputs, "code": record.code}.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": _frozen(each) for inner, each in value.items()}
        else:
            flat[key] = _frozen(value)
    return flat


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((str(key), _frozen(each)) for key, each in value.items()))
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value


def _told_apart(labels: Sequence[str], settings: Sequence[_Settings]) -> list[str]:
    """The labels, with as much of the settings as it takes to give different settings different labels."""
    groups: dict[str, list[_Settings]] = {}
    for label, one in zip(labels, settings, strict=True):
        groups.setdefault(label, []).append(one)
    keys = {label: _shortest(group) for label, group in groups.items()}
    taken: dict[str, tuple[object, ...]] = {}
    made = []
    for label, one in zip(labels, settings, strict=True):
        what = (label, *_values(one, keys[label]))
        text = label + _suffix(one, keys[label])
        while taken.setdefault(text, what) != what:  # somebody has called a method what another is called with a suffix
            text += " (another)"
        made.append(text)
    return made


def _shortest(group: Sequence[_Settings]) -> tuple[str, ...]:
    """The fewest keys that tell the settings of a group apart."""
    known = dict.fromkeys(key for one in group for key in one)
    differing = [key for key in known if len({one.get(key) for one in group}) > 1]
    differing.sort(key=lambda key: key.startswith(_LAST))
    count = len({_values(one, differing) for one in group})
    for size in range(min(len(differing), _MOST_KEYS) + 1):
        for keys in itertools.combinations(differing, size):
            if len({_values(one, keys) for one in group}) == count:
                return keys
    return tuple(differing)


def _values(one: _Settings, keys: Sequence[str]) -> tuple[Any, ...]:
    return tuple(one.get(key) for key in keys)


def _suffix(one: _Settings, keys: Sequence[str]) -> str:
    texts = [_words(key, one.get(key)) for key in keys]
    return f" ({', '.join(texts)})" if texts else ""


def _words(key: str, value: Any) -> str:
    """A setting in a few words."""
    if key == "noise.rate":
        return f"rate {value!r}"
    if key == "noise.mapping":
        return "published map" if value is None else ", ".join(f"{label}→{target}" for label, target in value)
    if key.startswith(("inputs.", "code.")):
        value = value[:8] if value else "none"
    if value is None or value in ("", ()):
        value = "none"
    elif isinstance(value, bool):
        value = "yes" if value else "no"
    elif isinstance(value, tuple):
        value = "+".join(map(str, value))
    elif isinstance(value, float):
        value = f"{value:.15g}"
    return str(value) if key in _PLAIN else f"{_SHORT.get(key, key.rpartition('.')[2])} {value}"
