"""The published parameters of the losses, read from ``presets.toml``."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

from noiseproof.errors import SpecError, suggest
from noiseproof.files import parse_toml

SOURCES = ("code", "paper")
"""Published code, where the published figures come from and the default; or the text of the paper."""

DATASETS = ("cifar10", "cifar100", "webvision", "clothing1m")
"""The data sets that losses have published parameters for."""


def published_parameters(name: str, preset: str, source: str = "code") -> dict[str, float]:
    """The parameters that a loss was published with; those that are not named there keep their defaults.

    Args:
        name: the name of a loss.
        preset: a data set, which the noise and its rate may follow: ``"cifar10"``, ``"cifar10-asymmetric"``,
            ``"cifar100-symmetric-0.4"``. What was chosen for the noise is preferred to what was chosen for the data.
        source: ``"code"`` or ``"paper"``; where it says nothing, the other one counts.

    Raises:
        SpecError: an unknown source, or no published parameters for the data set.
    """
    if source not in SOURCES:
        raise SpecError(f"unknown source {source!r}{suggest(source, SOURCES)}")
    entry: dict[str, dict[str, dict[str, float]]] = _table().get(name, {})
    parts = preset.split("-")
    for one in sorted(SOURCES, key=lambda other: other != source):
        for length in range(len(parts), 0, -1):
            found = entry.get(one, {}).get("-".join(parts[:length]))
            if found is not None:
                return dict(found)
    known = sorted({key for values in entry.values() for key in values})
    if known:
        raise SpecError(f"{name} has no published parameters for {preset!r}{suggest(preset, known)}")
    if parts[0] not in DATASETS:
        raise SpecError(f"unknown preset {preset!r}{suggest(parts[0], DATASETS)}")
    return {}


def has_published_parameters(name: str) -> bool:
    """Whether a loss has published parameters for some data set."""
    return name in _table()


@functools.cache
def _table() -> dict[str, Any]:
    return parse_toml(resources.files("noiseproof.losses").joinpath("presets.toml").read_text())
