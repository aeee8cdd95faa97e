"""The published parameters of the losses, read from ``presets.toml``."""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar

from noiseproof.errors import SpecError, suggest
from noiseproof.files import parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

_Value = TypeVar("_Value")

DATASETS = ("cifar10", "cifar100", "webvision", "clothing1m")
"""The data sets that losses have published parameters for."""


def published_parameters(name: str, preset: str, source: str = "code") -> dict[str, float]:
    """The parameters that a loss was published with; those that are not named there keep their defaults.

    Args:
        name: the name of a loss.
        preset: a data set, which the noise and its rate may follow: ``"cifar10"``, ``"cifar10-asymmetric"``,
            ``"cifar100-symmetric-0.4"``. What was chosen for the noise is preferred to what was chosen for the data.
        source: one of :data:`SOURCES`; what it does not say, the sources that it builds on do.

    Raises:
        SpecError: an unknown source, or no published parameters for the data set.
    """
    return {key: value for key, (value, _) in parameter_origins(name, preset, source).items()}


def parameter_origins(name: str, preset: str, source: str = "code") -> dict[str, tuple[float, str]]:
    """As :func:`published_parameters`, each value with the source that says it.

    Raises:
        SpecError: as there.
    """
    entry: dict[str, dict[str, dict[str, float]]] = _table()["losses"].get(name, {})
    found: dict[str, tuple[float, str]] = {}
    for one in reversed(source_order(source)):
        values = most_specific(entry.get(one, {}), preset) or {}
        found.update({key: (value, one) for key, value in values.items()})
    if found:
        return found
    known = sorted({key for values in entry.values() for key in values})
    if known:
        raise SpecError(f"{name} has no published parameters for {preset!r}{suggest(preset, known)}")
    dataset = preset.split("-")[0]
    if dataset not in DATASETS:
        raise SpecError(f"unknown preset {preset!r}{suggest(dataset, DATASETS)}")
    return {}


def most_specific(entries: Mapping[str, _Value], preset: str) -> _Value | None:
    """The entry for the data set, noise and rate of a preset, else for the data set and noise, else for the data."""
    parts = preset.split("-")
    for length in range(len(parts), 0, -1):
        found = entries.get("-".join(parts[:length]))
        if found is not None:
            return found
    return None


def source_order(source: str) -> list[str]:
    """A source and those it builds on, the one that counts most first.

    Raises:
        SpecError: there is no such source.
    """
    if source not in SOURCES:
        raise SpecError(f"unknown source {source!r}{suggest(source, SOURCES)}")
    return [source, *_table()["sources"][source]["then"]]


def preset_names(name: str) -> tuple[str, ...]:
    """All presets that some source has for a loss, as they are written: ``"cifar10"``, ``"cifar10-asymmetric"``."""
    entry: dict[str, dict[str, Any]] = _table()["losses"].get(name, {})
    return tuple(dict.fromkeys(preset for values in entry.values() for preset in values))


@functools.cache
def _table() -> dict[str, dict[str, Any]]:
    losses = parse_toml(resources.files("noiseproof.losses").joinpath("presets.toml").read_text(encoding="utf-8"))
    return {"sources": losses.pop("sources"), "losses": losses}


SOURCES: dict[str, str] = {name: source["about"] for name, source in _table()["sources"].items()}
"""Who published the values, and what that is: ``"code"``, where the published figures come from, is the default."""
