"""From the name of a method to its loss, parameters, regularizer, head and optimizer."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from typing import Any

from noiseproof.errors import SpecError, suggest
from noiseproof.files import parse_toml
from noiseproof.losses import REGISTRY, make_loss
from noiseproof.losses.operators import OPERATORS
from noiseproof.losses.presets import DATASETS, most_specific, parameter_origins, source_order
from noiseproof.spec import Call, format_call, parse_call
from noiseproof.user_code import HINT, not_in_module

REGULARIZERS = {"l1": "L1", "l2": "L2", "none": "no regularizer"}
"""What every method can be given in place of its own regularizer, and how tables say so."""


@dataclass(frozen=True)
class Method:
    """What one published comparison runs under one name.

    Attributes:
        name: the name in recipes and on the command line.
        title: the name in tables.
        loss: the canonical spec of the loss.
        l1: the weight of the L1 norm of all parameters, added to the loss and so inside the clipped gradient.
        l2: the weight decay of the optimizer, outside the clipped gradient.
        source: one of :data:`SOURCES`, where the values come from; ``"user"`` where the loss is the user's,
            ``"default"`` where nothing is published for the data.
        head: the spec of what takes the place of the network's linear classifier; empty for none.
        optimizer: the method's own; ``None`` for the recipe's.
        lr: the method's own learning rate; ``None`` for the recipe's.
        kind: the spec of what takes the step: ``"loss"`` where that is the loss and nothing else.
    """

    name: str
    title: str
    loss: str
    l1: float
    l2: float
    source: str
    head: str = ""
    optimizer: str | None = None
    lr: float | None = None
    kind: str = "loss"


def method_names() -> tuple[str, ...]:
    """The names of all published methods."""
    return tuple(table()["methods"])


def resolve_method(
    spec: str,
    dataset: str,
    source: str = "code",
    *,
    noise: str | None = None,
    rate: float | None = None,
    regularizer: str | None = None,
) -> Method:
    """The method that a text names, with its parameters for a data set and a noise.

    Args:
        spec: a name (``"jal-ce"``) or a title of published tables (``"AGCE+MAE (1,10)"``); a name with parameters
            that replace the published ones (``"jal-ce(a=5)"``); or any expression that
            :func:`noiseproof.losses.make_loss` reads, which gets the L2 of the data set.
        dataset: one of :data:`DATASETS`. For any other data nothing is published: the parameters are the defaults that
            :func:`noiseproof.losses.make_loss` has too, whatever the source, and there is no regularizer.
        source: one of :data:`SOURCES`.
        noise: the kind of the label noise, for which some methods have parameters of their own.
        rate: the rate of the noise. A rate that nobody published takes the values of its kind, or of the data set.
        regularizer: ``"l1"``, ``"l2"`` or ``"none"`` in place of the method's own, in the strength that the source
            has for the data set; the title says so.

    Raises:
        SpecError: no method and no loss has this name, an unknown parameter, source or regularizer, or nothing is
            published for the data set.
    """
    name, call = _read(spec)
    if regularizer is None:
        (l1, l2), suffix = _own_regularization(name, dataset, source), ""
    else:
        (l1, l2), suffix = regularization(regularizer, dataset, source), f" with {REGULARIZERS[regularizer]}"
    if name is None:
        return Method(spec.strip(), spec.strip() + suffix, make_loss(spec).spec, l1, l2, source="user")
    entry = table()["methods"][name]
    given = {} if call is None else call.parameters
    inside = format_call("", given)
    published = dataset in DATASETS
    preset = preset_for(dataset, noise, rate) if published else None
    return Method(
        name + inside,
        (entry["title"].split(" ")[0] + inside if given else entry["title"]) + suffix,
        _loss(name, preset, source, {} if "kind" in entry else given),
        l1,
        l2,
        source if published else "default",
        _head(name, preset),
        entry.get("optimizer"),
        entry.get("lr"),
        _kind(name, preset, given),
    )


def regularization(kind: str, dataset: str, source: str = "code") -> tuple[float, float]:
    """The weights of the L1 norm and of the L2 decay that a regularizer has on a data set.

    Args:
        kind: ``"l1"``, ``"l2"`` or ``"none"``.
        dataset: a data set with published values.
        source: whose values.

    Raises:
        SpecError: an unknown regularizer or source, or one that has no published strength on this data set.
    """
    if kind not in tuple(REGULARIZERS):
        raise SpecError(f"unknown regularizer {kind!r}{suggest(str(kind), REGULARIZERS)}")
    return _weights(kind, dataset, source)


def _own_regularization(name: str | None, dataset: str, source: str) -> tuple[float, float]:
    """Those of a method; a user's own loss has those of the plain ones."""
    family = "plain" if name is None else table()["methods"][name]["family"]
    return _weights(_first("rules", source_order(source), family, dataset) or "none", dataset, source)


def _weights(rule: str, dataset: str, source: str) -> tuple[float, float]:
    if rule == "none":
        return 0.0, 0.0
    strength = _first("strengths", source_order(source), rule, dataset)
    if strength is None:
        raise SpecError(
            f"regularizer {rule!r}: no strength is published for {dataset} (source {source}); give the number instead, "
            f"such as method = {{name = …, {rule} = 1e-4}}"
        )
    return (strength, 0.0) if rule.startswith("l1") else (0.0, strength)


def preset_for(dataset: str, noise: str | None, rate: float | None) -> str:
    """The preset of a data set, a noise and its rate."""
    parts = [dataset, noise, None if rate is None else f"{rate:g}"]
    return "-".join(part for part in parts if part)


def loss_name(name: str) -> str:
    """The name of the loss of a method."""
    return table()["methods"][name].get("loss", name)


def origins(name: str, preset: str, source: str) -> dict[str, tuple[float, str]]:
    """The published parameters of a method's loss, each with who says it; empty if another loss takes its place.

    Raises:
        SpecError: an unknown source, or nothing is published for the data set.
    """
    entry = table()["methods"][name]
    if source in entry.get("instead", {}):
        return {}
    own = {key: (float(value), "the row itself") for key, value in entry.get("parameters", {}).items()}
    missing = REGISTRY[loss_name(name)].declared.keys() - own.keys()
    if not missing:
        return own
    return {**parameter_origins(loss_name(name), preset, source), **own}


def _loss(name: str, preset: str | None, source: str, given: dict[str, Any]) -> str:
    entry, loss = table()["methods"][name], loss_name(name)
    if preset is None:
        return make_loss(format_call(loss, {**entry.get("parameters", {}), **given})).spec
    if source in entry.get("instead", {}):
        if given.keys() - {"label_smoothing"}:
            raise SpecError(f"{name} of source {source} is {entry['instead'][source]}, which takes no parameters")
        return make_loss(entry["instead"][source], **given).spec
    declared = REGISTRY[loss].declared
    if declared and declared.keys() <= given.keys():
        return make_loss(format_call(loss, given)).spec
    try:
        published = {key: value for key, (value, _) in origins(name, preset, source).items()}
    except SpecError as error:
        rest = ", ".join(f"{key}=…" for key in declared if key not in given)
        raise SpecError(f"{error}. Give all parameters yourself ({rest} too), or take another method.") from error
    return make_loss(format_call(loss, {**published, **given})).spec


def _kind(name: str, preset: str | None, given: dict[str, Any]) -> str:
    """What takes the step, with its published parameters, and those given with its name in their place."""
    entry = table()["methods"][name]
    if "kind" not in entry:
        return "loss"
    presets = table()["kinds"].get(entry["kind"], {})
    found = None if preset is None else most_specific(presets, preset)
    return format_call(entry["kind"], {**(found or {}), **given})


def _head(name: str, preset: str | None) -> str:
    entry = table()["methods"][name]
    if preset is None or "head" not in entry:
        return str(entry.get("head", ""))
    presets = table()["heads"][entry["head"]]
    found = most_specific(presets, preset)
    if found is None:
        known = sorted({key.split("-")[0] for key in presets})
        raise SpecError(f"{name} has no published parameters for {preset.split('-')[0]!r} (known: {', '.join(known)})")
    return format_call(entry["head"], found)


def _first(what: str, order: list[str], kind: str, dataset: str) -> Any:
    """What the first source says that says anything."""
    for source in order:
        found = table()[what].get(source, {}).get(kind, {}).get(dataset)
        if found is not None:
            return found
    return None


def _read(spec: str) -> tuple[str | None, Call | None]:
    """The method's name and its parameters; no name for a user's loss, no call for a title with a space."""
    methods: dict[str, dict[str, Any]] = table()["methods"]
    titles = {entry["title"].lower(): name for name, entry in methods.items()}
    if spec.strip().lower() in titles:
        return titles[spec.strip().lower()], None
    try:
        call = parse_call(spec)
    except SpecError:
        return None, None
    name = call.name if call.name in methods else titles.get(call.name)
    if name is None and call.name not in OPERATORS and not REGISTRY.has(call.name):
        known = suggest(call.name, methods)
        raise SpecError(not_in_module(call.name) or f"no method and no loss is called {call.name!r}{known}; {HINT}")
    return name, call


@functools.cache
def table() -> dict[str, Any]:
    """The content of ``methods.toml``."""
    return parse_toml(resources.files("noiseproof.literature").joinpath("methods.toml").read_text(encoding="utf-8"))
