"""Networks by name: ``make_model("cnn8(width=0.25)", input_shape=(3, 32, 32), num_classes=10)``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from noiseproof.errors import SpecError, suggest
from noiseproof.models import _networks
from noiseproof.models._networks import Network
from noiseproof.models._precision import InPrecision, Precision, find_device, tensor_cores
from noiseproof.models._resnet50 import resnet50
from noiseproof.models._student import Judged, StudentHead
from noiseproof.models._weights import Weights
from noiseproof.models._weights import read_weights as _read_weights
from noiseproof.seeding import derive
from noiseproof.spec import Domain, Parameter, check_parameters, format_call, parse_call

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "HEADS",
    "MODELS",
    "InPrecision",
    "Judged",
    "ModelKind",
    "Network",
    "Precision",
    "StudentHead",
    "Weights",
    "canonical_head",
    "canonical_model",
    "check_weights",
    "find_device",
    "make_model",
    "read_weights",
    "tensor_cores",
]


@dataclass(frozen=True)
class ModelKind:
    """A network that can be named: how it is built, its parameters, the smallest image it takes, published weights."""

    build: Callable[..., Network]
    parameters: dict[str, Parameter]
    smallest_image: int | None
    """``None`` if it takes features too."""
    weights: dict[str, str] = field(default_factory=dict)
    """The files of published weights, by name."""


_WIDTH = {"width": Parameter(1.0, Domain("[0.05, 16]"))}
_COUNTS = ("hidden", "depth")
"""Parameters that are whole numbers."""

MODELS: dict[str, ModelKind] = {
    "mlp": ModelKind(
        _networks.mlp,
        {"hidden": Parameter(256, Domain("[1, 65536]")), "depth": Parameter(2, Domain("[1, 64]"))},
        smallest_image=None,
    ),
    "small-cnn": ModelKind(_networks.small_cnn, _WIDTH, smallest_image=2),
    "cnn8": ModelKind(_networks.cnn8, _WIDTH, smallest_image=8),
    "resnet18": ModelKind(_networks.resnet18, _WIDTH, smallest_image=8),
    "resnet34": ModelKind(_networks.resnet34, _WIDTH, smallest_image=8),
    "resnet50": ModelKind(
        resnet50,
        {"zero_init_residual": Parameter(False, None)},
        smallest_image=32,
        weights={"imagenet-v1": "resnet50-0676ba61.pth", "imagenet-v2": "resnet50-11ad3fa6.pth"},
    ),
}
"""Every network by name."""

HEADS: dict[str, dict[str, Parameter]] = {
    "student": {"margin": Parameter(0.1, Domain("[0, inf)")), "center": Parameter(0.05, Domain("[0, inf)"))}
}
"""The parameters of every head by name."""


def make_model(spec: str, *, input_shape: tuple[int, ...], num_classes: int, seed: int = 0, head: str = "") -> Network:
    """Build a network and initialise it from ``seed``; the caller's random state is left as it was.

    Args:
        spec: a name, or a name with parameters: ``"mlp(hidden=256, depth=2)"``, ``"cnn8(width=0.25)"``.
        input_shape: ``(channels, height, width)`` or ``(features,)``.
        num_classes: the number of logits.
        seed: the same seed gives the same weights on every device.
        head: what takes the place of the linear classifier, such as ``"student(margin=0.1, center=0.05)"``; empty
            for none.

    Raises:
        SpecError: an unknown network, head or parameter, or inputs that the network cannot take.
    """
    name, parameters = _read(spec)
    kind = MODELS[name]
    if kind.smallest_image is not None and (len(input_shape) != 3 or min(input_shape[1:]) < kind.smallest_image):
        raise SpecError(
            f"{name} takes images of at least {kind.smallest_image} x {kind.smallest_image} pixels, not inputs of "
            f"shape {input_shape}; mlp takes anything"
        )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "model"))
        network = kind.build(input_shape, num_classes, **parameters)
        if head:
            linear = getattr(network, "classifier", None)
            if not isinstance(network, Network) or not isinstance(linear, nn.Linear):
                raise SpecError(
                    f"the head {head!r} takes the place of the linear layer `classifier` of a models.Network, and "
                    f"{name} has no such layer: choose another network, or a method without a head"
                )
            torch.default_generator.manual_seed(derive(seed, "head"))
            student = StudentHead(linear.in_features, num_classes, **_read_head(head))
            setattr(network, network.classifier_name, student)
        return network


def canonical_model(spec: str) -> str:
    """``spec`` with all parameters written out.

    Raises:
        SpecError: an unknown network or parameter.
    """
    name, parameters = _read(spec)
    return format_call(name, dict(parameters))


def canonical_head(spec: str) -> str:
    """``spec`` with all parameters written out.

    Raises:
        SpecError: an unknown head or parameter.
    """
    return format_call(parse_call(spec).name, dict(_read_head(spec)))


def read_weights(model: str, name: str, data_dir: str | Path, *, download: bool = False) -> Weights:
    """The weights that a network is to start from, without running any code that their file may hold.

    Args:
        model: the spec of the network.
        name: published weights of the network, such as ``"imagenet-v2"``, or the path of a ``.safetensors`` or
            ``.pth`` file with the network's state dictionary.
        data_dir: where the file of published weights is, or is to be put.
        download: whether it may be fetched from pytorch.org.

    Raises:
        SpecError: the network has no such weights.
        DataError: no such file, a damaged one, or one with another checksum than its name says.
    """
    check_weights(model, name)
    return _read_weights(name, MODELS[_read(model)[0]].weights, Path(data_dir), download=download)


def check_weights(model: str, name: str) -> None:
    """See that ``name`` is one of the network's published weights or has the ending of a file of weights.

    Raises:
        SpecError: it is neither.
    """
    published = MODELS[_read(model)[0]].weights
    if name not in published and Path(name).suffix not in (".safetensors", ".pth"):
        has = ", ".join(published) or "no published weights"
        raise SpecError(
            f"weights {name!r}: {_read(model)[0]} has {has}; expected one of these, or the path of a .safetensors or "
            ".pth file"
        )


def _read_head(spec: str) -> dict[str, float]:
    call = parse_call(spec)
    if call.name not in HEADS:
        raise SpecError(f"unknown head {call.name!r}{suggest(call.name, HEADS)}")
    return check_parameters(call.name, HEADS[call.name], call.parameters)


def _read(spec: str) -> tuple[str, dict[str, float]]:
    call = parse_call(spec)
    if call.name not in MODELS:
        raise SpecError(f"unknown model {call.name!r}{suggest(call.name, MODELS)}")
    parameters = check_parameters(call.name, MODELS[call.name].parameters, call.parameters)
    for key in _COUNTS:
        if key in parameters and parameters[key] != int(parameters[key]):
            raise SpecError(f"{call.name}: {key} must be a whole number, got {parameters[key]}")
    return call.name, {key: int(value) if key in _COUNTS else value for key, value in parameters.items()}
