"""Published methods as data: what the literature compares is a loss, its parameters and a regulariser.

>>> resolve_method("gce", "cifar10", source="paper")
Method(name='gce', title='GCE', loss='gce(q=0.9)', l1=5e-05, l2=0.0, source='paper')
>>> resolve_method("jal-ce(a=5)", "digits").loss
'jal-ce(alpha=1, beta=1, a=5)'
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from typing import Any

from noiseproof.errors import SpecError, suggest
from noiseproof.files import parse_toml
from noiseproof.losses import OPERATORS, REGISTRY, SOURCES, make_loss
from noiseproof.spec import format_call, parse_call

__all__ = ["DATASETS", "SOURCES", "Method", "method_names", "resolve_method"]

DATASETS = ("cifar10", "cifar100")
"""The data sets that methods have published parameters for."""


@dataclass(frozen=True)
class Method:
    """A loss and its regulariser, as one published comparison runs them.

    Attributes:
        name: the name in recipes and on the command line.
        title: the name in tables.
        loss: the canonical spec of the loss.
        l1: the weight of the L1 norm of all parameters, added to the loss and so inside the clipped gradient.
        l2: the weight decay of the optimiser, outside the clipped gradient.
        source: ``"code"`` or ``"paper"``, where the values come from; ``"user"`` where they are the user's.
    """

    name: str
    title: str
    loss: str
    l1: float
    l2: float
    source: str


def method_names() -> tuple[str, ...]:
    """The names of all published methods."""
    return tuple(_table()["methods"])


def resolve_method(spec: str, dataset: str, source: str = "code") -> Method:
    """The method that a text names, with its parameters for a data set.

    Args:
        spec: a name (``"jal-ce"``); a name with parameters that replace the published ones (``"jal-ce(a=5)"``); or
            any expression that :func:`noiseproof.losses.make_loss` reads, which gets the L2 of the data set.
        dataset: ``"cifar10"``, ``"cifar100"``; any other name takes the loss parameters of CIFAR-10 and no
            regulariser.
        source: ``"code"`` or ``"paper"``.

    Raises:
        SpecError: no method and no loss has this name, or an unknown parameter or source.
    """
    if source not in SOURCES:
        raise SpecError(f"unknown source {source!r}{suggest(source, SOURCES)}")
    methods: dict[str, str] = _table()["methods"]
    try:
        call = parse_call(spec)
    except SpecError:
        call = None
    if call is None or call.name not in methods:
        if call is not None and call.name not in {*REGISTRY, *OPERATORS}:
            raise SpecError(f"no method and no loss is called {call.name!r}{suggest(call.name, methods)}")
        loss = make_loss(spec).spec
        return Method(spec.strip(), spec.strip(), loss, **_regularisation("l2", dataset, source), source="user")
    preset = dataset if dataset in DATASETS else "cifar10"
    inside = format_call("", call.parameters)
    return Method(
        call.name + inside,
        call.name.upper() + inside,
        make_loss(spec, preset=preset, source=source).spec,
        **_regularisation(methods[call.name], dataset, source),
        source=source,
    )


def _regularisation(kind: str, dataset: str, source: str) -> dict[str, float]:
    table: dict[str, dict[str, float]] = _table()["regularisation"][source][kind]
    return table.get(dataset, {"l1": 0.0, "l2": 0.0})


@functools.cache
def _table() -> dict[str, Any]:
    return parse_toml(resources.files(__name__).joinpath("published.toml").read_text())
