"""Networks by name: ``make_model("cnn8(width=0.25)", input_shape=(3, 32, 32), num_classes=10)``."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn

from noiseproof.errors import SpecError, suggest
from noiseproof.models import _networks
from noiseproof.models._networks import Network
from noiseproof.models._precision import InPrecision, Precision, find_device, tensor_cores
from noiseproof.models._resnet50 import resnet50
from noiseproof.models._student import Judged, StudentHead
from noiseproof.models._trees import Trees
from noiseproof.models._weights import Weights
from noiseproof.models._weights import read_weights as _read_weights
from noiseproof.registry import Registry
from noiseproof.seeding import derive
from noiseproof.spec import Domain, Parameter, check_parameters, format_call, parse_call

if TYPE_CHECKING:
    from collections.abc import Callable

_B = TypeVar("_B", bound="Callable[..., nn.Module]")

__all__ = [
    "HEADS",
    "MODELS",
    "InPrecision",
    "Judged",
    "ModelKind",
    "Network",
    "Precision",
    "StudentHead",
    "Trees",
    "Weights",
    "canonical_head",
    "canonical_model",
    "check_weights",
    "find_device",
    "make_model",
    "model",
    "model_definition",
    "read_weights",
    "tensor_cores",
]


@dataclass(frozen=True)
class ModelKind:
    """A network that can be named: how it is built, its parameters, the smallest image it takes, published weights."""

    build: Callable[..., nn.Module]
    parameters: dict[str, Parameter]
    smallest_image: int | None
    """``None`` if it takes features too."""
    weights: dict[str, str] = field(default_factory=dict)
    """The files of published weights, by name."""
    is_own: bool = False
    """Whether it is the user's: then whole numbers stay what they are."""


_WIDTH = {"width": Parameter(1.0, Domain("[0.05, 16]"))}
_COUNTS = ("hidden", "depth")
"""Parameters that are whole numbers."""


def _adopt(name: str, found: Any) -> ModelKind | None:
    """The kind that a name of a user's own module leads to: one that was registered, or a network as it is."""
    for known, kind in MODELS.items():
        if found in (kind, MODELS.definition(known)):
            return kind
    if not callable(found):
        return None
    model(name)(found)
    return MODELS[name]


MODELS: Registry[ModelKind] = Registry("model", "models", _adopt)
"""Every network by name, the user's own included."""


def model(name: str, *, smallest_image: int | None = None) -> Callable[[_B], _B]:
    """Register a class or function that makes networks: a decorator.

    It is called with ``input_shape`` (``(channels, height, width)`` or ``(features,)``), with ``num_classes``, and with
    its other arguments, whose defaults are numbers or truth values: they can be given in the name,
    ``"my-net(width=2)"``. The network takes inputs ``(N, *input_shape)`` and gives logits ``(N, num_classes)``.

    Args:
        name: what recipes call it.
        smallest_image: the least height and width; ``None`` if it takes features too.

    Raises:
        SpecError: the name is taken or is none, or an argument has no such default.
    """

    def register(build: _B) -> _B:
        parameters: dict[str, Parameter] = {}
        for key, argument in inspect.signature(build).parameters.items():
            several = argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
            if several or key in ("input_shape", "num_classes"):
                continue
            default = argument.default
            if not isinstance(default, bool | int | float):
                raise SpecError(
                    f"model {name}: its argument {key!r} has the default {default!r:.60}: expected input_shape, "
                    "num_classes, and arguments whose defaults are numbers or truth values"
                )
            parameters[key] = Parameter(default, None if isinstance(default, bool) else Domain("(-inf, inf)"))
        MODELS.add(name, ModelKind(build, parameters, smallest_image, is_own=True), build)
        return build

    return register


def _in_memory(input_shape: tuple[int, ...], num_classes: int) -> nn.Module:  # noqa: ARG001 - it is made already
    raise SpecError(
        "the network is in the memory of the process that made it, where no other process finds it: give it again "
        "(train(…, network=…), noiseproof.load(folder, network=…)); or put its class into a module, and name it by its "
        "dotted path (model = 'my_nets.MyNet'), which commands and several jobs can import"
    )


_PACKAGED = {
    "memory": ModelKind(_in_memory, {}, smallest_image=None),
    "linear": ModelKind(_networks.linear, {}, smallest_image=None),
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
for _name, _kind in _PACKAGED.items():
    MODELS.add(_name, _kind, _kind.build)

HEADS: dict[str, dict[str, Parameter]] = {
    "student": {"margin": Parameter(0.1, Domain("[0, inf)")), "center": Parameter(0.05, Domain("[0, inf)"))}
}
"""The parameters of every head by name."""


def make_model(
    spec: str, *, input_shape: tuple[int, ...], num_classes: int, seed: int = 0, head: str = ""
) -> nn.Module:
    """Build a network and initialize it from ``seed``; the caller's random state is left as it was.

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
        if not isinstance(network, nn.Module):
            raise SpecError(f"{name} makes a {type(network).__name__}: expected a torch.nn.Module")
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


def model_definition(spec: str) -> Any:
    """The class or function that makes the network of a text.

    Raises:
        SpecError: an unknown network or parameter.
    """
    return MODELS[_read(spec)[0]].build


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
    kind = MODELS.find(call.name)
    call = replace(call, name=next(name for name, known in MODELS.items() if known is kind))
    parameters = check_parameters(call.name, kind.parameters, call.parameters)
    if kind.is_own:
        return call.name, parameters
    for key in _COUNTS:
        if key in parameters and parameters[key] != int(parameters[key]):
            raise SpecError(f"{call.name}: {key} must be a whole number, got {parameters[key]}")
    return call.name, {key: int(value) if key in _COUNTS else value for key, value in parameters.items()}
