"""Recipes: everything that determines a run, as one frozen, validated value with a hash."""

from __future__ import annotations

import functools
import hashlib
import json
import reprlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    SerializeAsAny,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from noiseproof.data.noises import NoiseKind, NoNoise, read_noise
from noiseproof.data.sources import DataSource, read_source
from noiseproof.errors import NoiseproofError, RecipeError, SpecError, suggest
from noiseproof.literature import DATASETS, REGULARIZERS, method_names, regularization, resolve_method
from noiseproof.losses import make_loss
from noiseproof.losses.make import loss_classes
from noiseproof.methods import METHODS, canonical_method
from noiseproof.models import canonical_head, canonical_model, check_weights, model_definition
from noiseproof.settings import Count, CountOrZero, Flag, PathText, Real, Settings, number
from noiseproof.spec import parse_call
from noiseproof.train._recipe_file import as_table, merge, plain_table, read_recipe_file

_Optimizer = Literal["sgd", "adam", "adamw"]


class MethodRecipe(Settings):
    """A loss and its regularizer; a text such as ``"jal-ce"`` stands for what :mod:`noiseproof.literature` has.

    Attributes:
        name: the name in tables.
        kind: the canonical spec of the :class:`noiseproof.methods.Method`: ``"loss"`` for a loss and nothing else.
        loss: the canonical spec of the loss that it is built on.
        l1: the weight of the parameters' L1 norm in the loss.
        l2: the weight decay of the optimizer.
        source: where the values come from.
        head: what takes the place of the network's linear classifier, such as ``"student(margin=0.1, center=0.05)"``;
            empty for none.
        optimizer: one of its own in place of the recipe's.
        lr: a learning rate of its own in place of the recipe's.
    """

    name: str = Field(min_length=1)
    kind: str = "loss"
    loss: str
    l1: Real = Field(0.0, ge=0)
    l2: Real = Field(0.0, ge=0)
    source: str = "user"
    head: str = ""
    optimizer: _Optimizer | None = None
    lr: Real | None = Field(None, gt=0)

    @property
    def classes(self) -> tuple[type, ...]:
        """The classes that define the method and its loss."""
        return (METHODS.find(parse_call(self.kind).name), *loss_classes(self.loss))

    @field_validator("kind")
    @classmethod
    def _canonical_kind(cls, value: str) -> str:
        return canonical_method(value)

    @field_validator("loss")
    @classmethod
    def _canonical(cls, value: str) -> str:
        return make_loss(value).spec

    @field_validator("head")
    @classmethod
    def _canonical_head(cls, value: str) -> str:
        return value and canonical_head(value)


class StepSchedule(Settings):
    """A learning rate that falls in steps.

    Attributes:
        factor: of each step.
        after: the epochs after which it falls.
    """

    factor: Real = Field(gt=0, le=1)
    after: tuple[Count, ...] = Field(min_length=1)


class StableSchedule(Settings):
    """A learning rate that rises, stays, and falls: a run can be made longer before it falls.

    Attributes:
        warmup: the epochs in which it rises linearly to the full rate.
        decay: the last epochs, in which it falls linearly toward 0. A run with a decay begins as the one without it
            that has as many epochs fewer.
    """

    warmup: CountOrZero = 0
    decay: CountOrZero = 0


_SCHEDULES = ("schedule by name", "factor per epoch", "steps", "warmup and decay")


def _kind_of_schedule(value: Any) -> str:
    if isinstance(value, str):
        return _SCHEDULES[0]
    if isinstance(value, StableSchedule) or (isinstance(value, dict) and {"warmup", "decay"} & value.keys()):
        return _SCHEDULES[3]
    return _SCHEDULES[2] if isinstance(value, dict | StepSchedule) else _SCHEDULES[1]


_Schedule = Annotated[
    Annotated[Literal["cosine", "constant"], Tag(_SCHEDULES[0])]
    | Annotated[Real, Field(gt=0, le=1), Tag(_SCHEDULES[1])]
    | Annotated[StepSchedule, Tag(_SCHEDULES[2])]
    | Annotated[StableSchedule, Tag(_SCHEDULES[3])],
    Discriminator(_kind_of_schedule),
]


class Recipe(Settings):
    """Everything that determines a run. Two equal recipes give the same bytes on the CPU of one machine.

    Attributes:
        data: which data set.
        noise: which label noise is put on its training labels.
        model: the network, such as ``"cnn8"`` or ``"cnn8(width=0.25)"``.
        weights: where the network starts from: published weights of its kind (``"imagenet-v1"``, ``"imagenet-v2"``) or
            a ``.safetensors`` or ``.pth`` file; ``None`` for random weights.
        method: the loss and its regularizer.
        epochs: passes over the training data.
        batch_size: samples per step; a single sample that is left over joins the last step.
        optimizer: ``"sgd"``, or ``"adam"`` or ``"adamw"``, which take no momentum; a method can have its own. Its
            ``l2`` is a part of the gradient in the first two; in ``"adamw"`` weights shrink by it apart.
        lr: the learning rate at the start; a method can have its own.
        momentum: of SGD.
        nesterov: whether the momentum is Nesterov's.
        schedule: how the learning rate changes from epoch to epoch: ``"cosine"`` to 0, ``"constant"``, a factor
            per epoch, ``{factor = 0.1, after = [5]}`` for steps, or ``{warmup = 2, decay = 5}`` for a rate that
            rises, stays and falls. But for ``"cosine"`` and before a decay, runs can be made longer: one of 30 epochs
            begins where a finished one of 10 ends that differs in nothing else.
        clip_norm: the largest norm of all gradients together, the L1 part included; ``None`` for no clipping.
        augment: ``"crop"`` (at a random place: of an image in memory with an eighth of its height as padding, of an
            image file after resizing), ``"flip"`` and ``"rotate"`` (by up to 20 degrees); for image files also
            ``"resized-crop"`` (a box of 8 to 100 % of the area) and ``"jitter"`` (brightness, contrast, saturation,
            hue). Each image its own.
        balanced: whether an epoch has as many samples of each noisy class as the rarest has, drawn anew each time.
        validation: the share of the *noisy* training data that is held out, on which the epoch is chosen; 0 for the
            published protocol, which trains on everything and reports the last epoch.
        precision: ``"32-true"`` is float32 in every product, on a GPU too, and
            ``"tf32-true"`` lets a GPU round their factors to TF32.
        samples: what is kept of each sample for :func:`noiseproof.train.read_samples`: ``"none"``, ``"scores"``, or
            ``"features"`` for these with what the network makes of the sample before its classifier.
        seed: of everything that is drawn: label noise, split, weights, order, augmentation.
    """

    data: Annotated[SerializeAsAny[DataSource], BeforeValidator(read_source)]
    noise: Annotated[SerializeAsAny[NoiseKind], BeforeValidator(read_noise)] = NoNoise()
    model: str
    weights: PathText | None = None
    method: MethodRecipe
    epochs: Count
    batch_size: Count = Field(gt=1)
    optimizer: _Optimizer = "sgd"
    lr: Real = Field(gt=0)
    momentum: Real = Field(0.9, ge=0, lt=1)
    nesterov: Flag = False
    schedule: _Schedule = "cosine"
    clip_norm: Real | None = Field(None, gt=0)
    augment: tuple[Literal["crop", "resized-crop", "flip", "rotate", "jitter"], ...] = ()
    balanced: Flag = False
    validation: Real = Field(0.0, ge=0, lt=1)
    precision: Literal["32-true", "tf32-true", "64-true", "bf16-mixed", "16-mixed"] = "32-true"
    samples: Literal["none", "scores", "features"] = "none"
    seed: Annotated[int, BeforeValidator(number), Field(ge=0)] = 1

    @model_validator(mode="before")
    @classmethod
    def _expand_names(cls, value: Any) -> Any:
        """Replace the name of a data set or a method by what it stands for."""
        if not isinstance(value, dict):
            return value
        value = {key: as_table(key, entry) for key, entry in value.items()}
        method, data, noise = value.get("method"), value.get("data"), value.get("noise")
        if isinstance(noise, dict):
            _check_kind(noise)
        if isinstance(method, dict) and isinstance(data, dict):
            value["method"] = _expand_method(method, str(data.get("name")), noise)
        return value

    @field_validator("model")
    @classmethod
    def _canonical_model(cls, value: str) -> str:
        return canonical_model(value)

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        self.noise.check(self.data)
        if self.weights is not None:
            check_weights(self.model, self.weights)
        if {"resized-crop", "jitter"} & {*self.augment} and not self.data.are_files:
            raise ValueError(f"augment: 'resized-crop' and 'jitter' are for image files, not for {self.data.name}")
        if {"crop", "resized-crop"} <= {*self.augment}:
            raise ValueError("augment: 'crop' and 'resized-crop' exclude each other")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum")
        return self

    def canonical(self) -> dict[str, Any]:
        """What the hash is made of: the values that change a run's bytes, each in one spelling.

        Defaults are left out, and so are titles and what another value makes void.
        """
        values: dict[str, Any] = self.model_dump(
            mode="json", exclude_defaults=True, exclude={"method": {"name", "source"}}
        )
        values["data"] = self.data.canonical({**values["data"], "name": self.data.name})
        if "noise" in values:
            values["noise"] = self.noise.canonical({**values["noise"], "kind": self.noise.kind}, self.data)
        values["lr"] = values["method"].pop("lr", values["lr"])
        values["optimizer"] = values["method"].pop("optimizer", self.optimizer)
        if values["optimizer"] != "sgd":
            values.pop("momentum", None)
            values.pop("nesterov", None)
        if self.schedule in (1.0, StableSchedule()):
            values["schedule"] = "constant"
        elif isinstance(self.schedule, StepSchedule):
            values["schedule"]["after"] = sorted(self.schedule.after)
        if self.augment:
            values["augment"] = sorted({*self.augment})  # each has its place in the pipeline
        return _without_signs_of_zero(values)

    @functools.cached_property
    def id(self) -> str:
        """The identity of the recipe: the first 12 hexadecimal digits of the SHA-256 of :meth:`canonical`.

        A run's id depends on the contents of its inputs too; see :class:`noiseproof.train.Identity`.
        """
        text = json.dumps(self.canonical(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def definitions(self) -> tuple[Any, ...]:
        """The classes and functions that define its method, loss, network, data source and noise."""
        return (*self.method.classes, model_definition(self.model), type(self.data), type(self.noise))

    @property
    def protocol(self) -> str:
        """How an accuracy from this recipe is to be read, in a few words for captions."""
        return protocol_of(self.model_dump(mode="json"))

    def replace(self, **changes: Any) -> Recipe:
        """The recipe with other values, validated again; a dictionary replaces only its own keys.

        The method stays what it is: give it again, by its name, to have the values published for another noise.
        """
        return make_recipe(merge(self.model_dump(mode="json"), plain_table(changes)))


def _check_kind(noise: dict[str, Any]) -> None:
    """See that a noise with settings says of which kind it is."""
    settings = ", ".join(f"noise.{key}" for key in noise if key != "kind")
    if noise.get("kind", "none") == "none" and settings:
        raise ValueError(
            f"noise.kind is {'none' if 'kind' in noise else 'missing'}, and labels that stay as they are have no "
            f"{settings}: name a noise too, such as noise.kind = 'symmetric' (--noise symmetric)"
        )


def protocol_of(recipe: dict[str, Any]) -> str:
    """:attr:`Recipe.protocol` of a recipe as plain values, whose loss need not be known here."""
    data, validation = recipe["data"], recipe["validation"]
    size = "" if data["train_size"] is None else f", {data['train_size']:,} training images"
    size += "" if data["shrink"] == 1 else f", images shrunk by {data['shrink']}"
    selection = "no validation part" if not validation else f"{validation:.0%} noisy validation part"
    balanced = ", class-balanced epochs" if recipe["balanced"] else ""
    return f"{data['name']}{size}, {recipe['model']}, {recipe['epochs']} epochs{balanced}, {selection}"


def _without_signs_of_zero(value: Any) -> Any:
    """Plain values with every -0.0 as 0.0."""
    if isinstance(value, dict):
        return {key: _without_signs_of_zero(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_signs_of_zero(each) for each in value]
    return value + 0.0 if isinstance(value, float) else value


def _expand_method(method: dict[str, Any], dataset: str, noise: Any) -> dict[str, Any]:
    for key in ("name", "kind", "loss", "source"):
        if not isinstance(method.get(key, ""), str):
            raise ValueError(f"method.{key}: expected text, got {reprlib.repr(method[key])}")
    regularizer = method.get("regularizer")
    if regularizer is not None and {"l1", "l2"} & method.keys():
        raise ValueError("method: regularizer stands for the published l1 and l2; give it, or the two numbers")
    if "loss" in method or "kind" in method:
        given = {"name": method.get("kind", method.get("loss")), "loss": "ce", **method}
        if regularizer is not None:
            del given["regularizer"]
            given["l1"], given["l2"] = regularization(regularizer, dataset)
            given["name"] = f"{given['name']} with {REGULARIZERS[regularizer]}"
        return given
    changes: dict[str, Any] = {key: method[key] for key in ("l1", "l2", "head", "optimizer", "lr") if key in method}
    unknown = method.keys() - {"name", "source", "regularizer", *changes}
    if unknown or "name" not in method:
        raise ValueError(
            f"method: unknown keys {sorted(unknown)}; expected a text such as 'jal-ce', or the keys name, source, "
            "regularizer, l1, l2, head, optimizer and lr for a published method, or kind and loss in place of source "
            "for another"
        )
    if "source" in method and dataset not in DATASETS:
        raise ValueError(
            f"method.source: nothing is published for {dataset}, so no source has values for it: leave it out; "
            "parameters that are not to be the defaults come with the name, such as gce(q=0.9)"
        )
    own = _own_kind(method["name"])
    if own is not None:
        return {"kind": own, "loss": "ce", "source": "user", **method, "name": method["name"].strip()}
    kind, rate = _kind_and_rate(noise)
    resolved = asdict(
        resolve_method(
            method["name"], dataset, method.get("source", "code"), noise=kind, rate=rate, regularizer=regularizer
        )
    )
    title = resolved.pop("title")
    return {**resolved, "name": title, **changes}


def _own_kind(text: str) -> str | None:
    """The method that a text names, if it is one that somebody has added to those of the literature."""
    try:
        name = parse_call(text).name
    except SpecError:
        return None
    return canonical_method(text) if name not in {"loss", *method_names()} and METHODS.has(name) else None


def _kind_and_rate(noise: Any) -> tuple[str | None, float | None]:
    """Of a noise that is not validated yet: what is no kind or no rate is left for the validation to name."""
    values = noise if isinstance(noise, dict) else {"kind": getattr(noise, "kind", None)}
    rate = values.get("rate", getattr(noise, "rate", None))
    kind = values.get("kind")
    return (
        kind if isinstance(kind, str) else None,
        float(rate) if isinstance(rate, int | float) and not isinstance(rate, bool) else None,
    )


def make_recipe(recipe: Recipe | Mapping[str, Any] | str | Path) -> Recipe:
    """A recipe from tables as a recipe file holds them, from such a file, or by the name of one that is packaged.

    Tables cause no import, so that those of a run's record can be read.

    Raises:
        RecipeError: no such file or name, a grid of several runs, an unknown key, or a value outside its domain; the
            message names each.
    """
    if isinstance(recipe, Recipe):
        return recipe
    values = read_recipe_file(recipe)
    values.pop("title", None)
    if "grid" in values:
        raise RecipeError(
            f"{recipe if isinstance(recipe, str | Path) else 'recipe'}: a grid of several runs; read it with "
            "noiseproof.bench.load_grid, or on the command line with `noiseproof bench`"
        )
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(_explain(error)) from error
    except NoiseproofError as error:
        raise RecipeError(str(error)) from error


def make_source(data: DataSource | Mapping[str, Any] | str) -> DataSource:
    """Where data come from, by the table that a recipe has for it, or by a name.

    Raises:
        RecipeError: an unknown name or key, or a value outside its domain.
    """
    if isinstance(data, DataSource):
        return data
    if not isinstance(data, str | Mapping):
        raise RecipeError(f"data: expected a name or a table, got {reprlib.repr(data)}")
    try:
        source: DataSource = read_source(plain_table({"name": data} if isinstance(data, str) else data))
    except ValidationError as error:
        raise RecipeError(_explain(error)) from error
    except ValueError as error:
        raise RecipeError(f"data: {error}") from error
    return source


_PLAINER = {
    "string_type": "expected text",
    "tuple_type": "expected a list",
    "dict_type": "expected a table",
    "model_type": "expected a table",
    "model_attributes_type": "expected a table",
}
"""What pydantic says in the words of Python, in those of a recipe."""


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"] if part not in _UNION_TAGS)
        text = _PLAINER.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        if problem["type"] == "union_tag_invalid":
            known = problem["ctx"]["expected_tags"].replace("'", "").split(", ")
            text = f"unknown kind {problem['ctx']['tag']!r:.100}{suggest(problem['ctx']['tag'][:100], known)}"
        given = problem["input"]
        shown = f" (got {reprlib.repr(given)})" if not isinstance(given, dict) and problem["type"] != "missing" else ""
        lines.append(f"{place or 'recipe'}: {text}{shown}")
    return "\n".join(lines)


_UNION_TAGS = {*_SCHEDULES, "[key]"}
