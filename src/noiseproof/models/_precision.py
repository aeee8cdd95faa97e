"""Device and precision of a run: what a network is called in, and how a loss becomes gradients."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from noiseproof.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HALF = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def find_device(name: str) -> torch.device:
    """``"auto"`` (a GPU where there is one), ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Raises:
        RunError: there is no such device here.
    """
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(each for each, there in has.items() if there)
    if name not in has:
        raise RunError(f"cannot train on device {name!r}: expected auto, {', '.join(has)}")
    if not has[name]:
        raise RunError(
            f"cannot train on device {name!r}: there is none here, or PyTorch {torch.__version__} has no use of it"
        )
    return torch.device("cuda", torch.cuda.current_device()) if name == "cuda" else torch.device(name)


class Precision:
    """How a run computes.

    Args:
        name: as in a recipe.
        device: where.

    Raises:
        RunError: the device cannot compute so.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        if name == "16-mixed" and device.type == "cpu":
            raise RunError(
                "precision '16-mixed' needs a GPU, since a CPU would compute in bfloat16: set precision to "
                "'bf16-mixed' or '32-true'"
            )
        if name == "64-true" and device.type == "mps":
            raise RunError("precision '64-true': this device has no float64; set precision to '32-true'")
        self.name = name
        self.device = device
        self.dtype = torch.float64 if name == "64-true" else torch.float32
        self._half = _HALF.get(name)
        # float16 underflows in the gradients of small losses.
        self.scaler = torch.amp.GradScaler(device.type) if name == "16-mixed" else None

    @property
    def real_name(self) -> str:
        """What the device makes of the precision: only newer CUDA devices have TF32."""
        has_tf32 = self.device.type == "cuda" and torch.cuda.get_device_capability(self.device)[0] >= 8
        return "32-true" if self.name == "tf32-true" and not has_tf32 else self.name

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """In which networks are called."""
        if self._half is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self._half)

    def state_dict(self) -> dict[str, Any]:
        """The scale of the gradients, where there is one."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back."""
        if self.scaler is not None:
            self.scaler.load_state_dict(state)


class InPrecision(nn.Module):
    """A network as a method calls it: inputs and outputs in the type of the run, what is between in its precision."""

    def __init__(self, network: nn.Module, precision: Precision) -> None:
        super().__init__()
        self.network = network
        self.precision = precision

    @property
    def judges(self) -> bool:
        """As :attr:`noiseproof.models.Network.judges`."""
        return bool(getattr(self.network, "judges", False))

    def forward(self, inputs: Tensor, *labels: Tensor) -> Any:
        """What the network says of the inputs."""
        dtype = self.precision.dtype
        with self.precision.autocast():
            outputs = self.network(inputs.to(dtype), *labels)
        if isinstance(outputs, Tensor):
            return outputs.to(dtype)
        return type(outputs)(*(each.to(dtype) for each in outputs))


@contextlib.contextmanager
def tensor_cores(*, allowed: bool) -> Iterator[None]:
    """Whether float32 may be rounded to TF32: PyTorch by itself does it in convolutions and not in other products."""
    switches: list[Any] = [torch.backends.cudnn, torch.backends.cuda.matmul]
    before = [switch.allow_tf32 for switch in switches]
    for switch in switches:
        switch.allow_tf32 = allowed
    try:
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.allow_tf32 = value
