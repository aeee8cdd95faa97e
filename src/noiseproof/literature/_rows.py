"""All that is published, row by row: a method with its parameters on a data set, according to a source."""

from __future__ import annotations

import inspect
import re
from dataclasses import asdict, dataclass
from typing import Any

from noiseproof.errors import SpecError, suggest
from noiseproof.literature._methods import Method, loss_name, method_names, origins, resolve_method, table
from noiseproof.losses import REGISTRY
from noiseproof.losses.presets import DATASETS, SOURCES, preset_names


@dataclass(frozen=True)
class Row:
    """A method as one source has it on one data set.

    Attributes:
        dataset: the data set.
        noise: the kind of noise that the values were chosen for; ``None`` where one set of values is for all.
        rate: the noise rate, likewise.
        method: the method.
        parameters: the published parameters of its loss.
        origins: for each of them, the source that says it.
    """

    dataset: str
    noise: str | None
    rate: float | None
    method: Method
    parameters: dict[str, float]
    origins: dict[str, str]

    @property
    def regularizer(self) -> str:
        """The regularizer in a few words."""
        kinds = {"L1": self.method.l1, "L2": self.method.l2}
        return ", ".join(f"{kind} {strength:g}" for kind, strength in kinds.items() if strength) or "none"

    @property
    def noise_text(self) -> str:
        """The noise in a few words."""
        return " ".join([self.noise or "any", *([] if self.rate is None else [f"{self.rate:g}"])])

    def as_json(self) -> dict[str, Any]:
        """The row as plain values."""
        place = {"dataset": self.dataset, "noise": self.noise, "rate": self.rate}
        return {**asdict(self.method), **place, "parameters": self.parameters, "origins": self.origins}


def method_rows(*, method: str | None = None, dataset: str | None = None, source: str | None = None) -> tuple[Row, ...]:
    """The published rows: of all methods, data sets and sources, or of those that are named.

    Raises:
        SpecError: an unknown method, data set or source.
    """
    for value, known in ((method, method_names()), (dataset, DATASETS), (source, SOURCES)):
        if value is not None and value not in known:
            raise SpecError(f"nothing is published under the name {value!r}{suggest(value, known)}")
    rows = []
    for one in DATASETS if dataset is None else (dataset,):
        for who in SOURCES if source is None else (source,):
            for name in method_names() if method is None else (method,):
                if one in published_datasets(name):
                    general = _row(name, one, who)
                    finer = [_row(name, preset, who) for preset in _finer_presets(name, one)]
                    rows += [general, *(row for row in finer if row.method != general.method)]
    return tuple(rows)


@dataclass(frozen=True)
class Description:
    """What a method is, in words.

    Attributes:
        title: the name in tables.
        definition: of the loss.
        paper: where it comes from.
        training: the optimizer, the regularizer's place and the head.
    """

    title: str
    definition: str
    paper: str
    training: str


def describe_method(name: str) -> Description:
    """What a method is, in words.

    Raises:
        KeyError: no method has this name.
    """
    entry, loss = table()["methods"][name], REGISTRY[loss_name(name)]
    definition = inspect.cleandoc(loss.__doc__ or "").split("\n\n")[0]
    definition = re.sub(r":(?:math|class):`([^`]*)`", r"\1", definition.replace("\n", " "))
    optimizer = "Adam" if entry.get("optimizer") == "adam" else "SGD"
    own_rate = f" with a learning rate of {entry['lr']:g}" if "lr" in entry else ""
    head = f"; the head {entry['head']!r} takes the place of the linear classifier" if "head" in entry else ""
    paper = entry.get("paper", str(loss.citation or "what every classifier is trained by"))
    return Description(
        entry["title"],
        f"{loss.title} ({loss.name}): {definition}",
        paper,
        f"{optimizer}{own_rate}; L1 is added to the loss, L2 is the optimizer's decay{head}",
    )


def published_datasets(name: str) -> tuple[str, ...]:
    """The data sets that a method has published values for; all of them if it needs none."""
    known = set(DATASETS)
    for presets in (preset_names(loss_name(name)), _head_presets(name)):
        if presets:
            known &= {preset.split("-")[0] for preset in presets}
    return tuple(dataset for dataset in DATASETS if dataset in known)


def _head_presets(name: str) -> tuple[str, ...]:
    head = table()["methods"][name].get("head")
    return () if head is None else tuple(table()["heads"][head])


def _finer_presets(name: str, dataset: str) -> list[str]:
    presets = {*preset_names(loss_name(name)), *_head_presets(name)}
    return sorted(preset for preset in presets if preset.startswith(f"{dataset}-"))


def _row(name: str, preset: str, source: str) -> Row:
    dataset, noise, rate = (*preset.split("-"), None, None)[:3]
    assert dataset is not None  # noqa: S101 - a preset begins with it
    number = None if rate is None else float(rate)
    published = origins(name, preset, source)
    return Row(
        dataset,
        noise,
        number,
        resolve_method(name, dataset, source, noise=noise, rate=number),
        {key: value for key, (value, _) in published.items()},
        {key: who for key, (_, who) in published.items()},
    )
