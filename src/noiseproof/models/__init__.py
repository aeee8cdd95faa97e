"""Networks by name: ``make_model("cnn8(width=0.25)", input_shape=(3, 32, 32), num_classes=10)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from noiseproof.errors import SpecError, suggest
from noiseproof.models import _networks
from noiseproof.models._networks import Network
from noiseproof.seeding import derive
from noiseproof.spec import Domain, Parameter, check_parameters, format_call, parse_call

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MODELS", "ModelKind", "Network", "canonical_model", "make_model"]


@dataclass(frozen=True)
class ModelKind:
    """A network that can be named: how it is built, its parameters, and the smallest image it takes."""

    build: Callable[..., Network]
    parameters: dict[str, Parameter]
    smallest_image: int | None
    """``None`` if it takes features too."""


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
    "resnet34": ModelKind(_networks.resnet34, _WIDTH, smallest_image=8),
}
"""Every network by name."""


def make_model(spec: str, *, input_shape: tuple[int, ...], num_classes: int, seed: int = 0) -> Network:
    """Build a network and initialise it from ``seed``; the caller's random state is left as it was.

    Args:
        spec: a name, or a name with parameters: ``"mlp(hidden=256, depth=2)"``, ``"cnn8(width=0.25)"``.
        input_shape: ``(channels, height, width)`` or ``(features,)``.
        num_classes: the number of logits.
        seed: the same seed gives the same weights on every device.

    Raises:
        SpecError: an unknown network or parameter, or inputs that it cannot take.
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
        return kind.build(input_shape, num_classes, **parameters)


def canonical_model(spec: str) -> str:
    """``spec`` with all parameters written out.

    Raises:
        SpecError: an unknown network or parameter.
    """
    name, parameters = _read(spec)
    return format_call(name, dict(parameters))


def _read(spec: str) -> tuple[str, dict[str, float]]:
    call = parse_call(spec)
    if call.name not in MODELS:
        raise SpecError(f"unknown model {call.name!r}{suggest(call.name, MODELS)}")
    parameters = check_parameters(call.name, MODELS[call.name].parameters, call.parameters)
    for key in _COUNTS:
        if key in parameters and parameters[key] != int(parameters[key]):
            raise SpecError(f"{call.name}: {key} must be a whole number, got {parameters[key]}")
    return call.name, {key: int(value) if key in _COUNTS else value for key, value in parameters.items()}
