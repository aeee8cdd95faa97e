"""Every loss of the registry with several parameters: what the tests of losses are parametrized by."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from noiseproof.losses import REGISTRY, Loss
from noiseproof.losses.base import Combination
from noiseproof.losses.comparisons import NLNL

# Beyond the defaults: the other published values, and the ends of the domains.
_MORE = {
    "fl": [{"gamma": 0.0}, {"gamma": 2.0}, {"detached": False}, {"gamma": 2.0, "detached": False}],
    "nfl": [{"gamma": 2.0}, {"detached": False}],
    "nnce": [{"p_min": 1e-7}],
    "nnfl": [{"detached": False}, {"gamma": 2.0, "p_min": 1e-7}],
    "anl-ce": [{"alpha": 10.0, "beta": 1.0, "p_min": 1e-7}],
    "jal-fl": [{"alpha": 5.0, "a": 20.0}],
    "nce+agce": [{"beta": 0.1, "a": 1.8, "q": 3.0}],
    "nce+aul": [{"beta": 0.015, "a": 6.0, "p": 3.0}],
    "ce-eps": [{"m": 0.0, "floor": 0.0}, {"m": 10.0}],
    "ldr-kl": [{"Lambda": 1.0}],
    "ce+lc": [{"as_coded": False}, {"delta": 0.5}],
    "bi-tempered": [{"t1": 1.0, "t2": 1.0}, {"t1": 0.2, "t2": 4.0}, {"t1": 1.0, "t2": 1.3}],
    "gce": [{"q": 1.0}, {"q": 0.05}],
    "rce": [{"A": -9.210340371976182}],
    "agce": [{"a": 6.0, "q": 1.5}, {"a": 1.8, "q": 3.0}, {"a": 0.0, "q": 0.5}],
    "aul": [{"a": 6.0, "p": 3.0}, {"a": 5.5, "p": 0.5}],
    "ael": [{"a": 1.5}],
    "amse": [{"a": 1.0}, {"a": 5.0, "q": 3.0}, {"a": 20.0, "q": 1.5}, {"a": 2.0, "q": 0.5}, {"a": 3.0, "q": 1.0}],
    "sce": [{"alpha": 6.0, "beta": 0.1}],
    "nce+rce": [{"alpha": 10.0, "beta": 0.1}],
    "jal-ce": [{"alpha": 5.0, "a": 20.0}, {"beta": 0.1, "a": 5.0}],
}

# A loss that draws numbers is compared by its mean; its draws have tests of their own.
_BASE: dict[str, dict[str, float]] = {"nlnl": {"sampled": False}}

CASES: list[Loss] = [
    loss(**parameters)
    for name, loss in sorted(REGISTRY.items())
    for parameters in [_BASE.get(name, {}), *_MORE.get(name, [])]
]


BY_NAME = {loss.name: loss for loss in reversed(CASES)}
"""One of each definition; the one that draws its labels takes their mean."""

DRAWING = NLNL()
ONE_OF_EACH = [*BY_NAME.values(), DRAWING]
"""With the one that draws its labels."""


def is_no_sum(loss: Loss) -> bool:
    """Whether a loss is more than a sum of two that are there too, which goes the same ways as they do."""
    return not (isinstance(loss, Combination) and "+" in loss.name)


def in_time(losses: Iterable[Loss], chosen: Callable[[Loss], bool] = is_no_sum) -> list[Any]:
    """Parameters of a test that takes long: all but the chosen losses are left to `slow`."""
    return [pytest.param(loss, marks=[] if chosen(loss) else [pytest.mark.slow], id=case_name(loss)) for loss in losses]


def case_name(loss: Loss) -> str:
    return loss.spec


def stops_gradient(loss: Loss) -> bool:
    """Whether the gradient is no derivative, since a factor is taken for a constant as published."""
    focal = {"fl", "nfl", "nnfl"} & set(re.split(r"[-+]", loss.name))
    return bool(focal) and loss.hyperparameters.get("detached") is not False
