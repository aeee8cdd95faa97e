"""Images through a frozen network."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from noiseproof.errors import DataError
from noiseproof.loaders import default_workers, in_order, read_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from noiseproof.data import ImageFiles, Preprocessing
    from noiseproof.embeddings._frozen import FrozenNetwork

_BATCH, _BATCH_ON_CPU = 256, 16
"""Images at once: on a CPU so few that what is between two layers stays in its caches."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """Features of images.

    Attributes:
        features: ``(N, features)``; zeros for an image that cannot be read, and ``(N, 0)`` where none can.
        readable (NDArray): ``(N,)``, which images could be read.
        unreadable: of the others, the name and why.
    """

    features: NDArray[np.float32]
    readable: NDArray[np.bool_]
    unreadable: dict[str, str]


def embed(
    network: FrozenNetwork,
    images: NDArray[Any] | ImageFiles,
    preprocessing: Preprocessing,
    *,
    device: torch.device,
    workers: int | None = None,
    watch: Callable[[int, Vectors], None] = lambda *_: None,
) -> Vectors:
    """Turn images into the vectors of a frozen network.

    Images of other sides are scaled to the network's, gray ones are taken as red, green and blue alike.

    Args:
        network: the network.
        images: bytes ``(N, height, width, channels)``, or files.
        preprocessing: of the images: how they come as bytes of one shape; see :class:`noiseproof.data.Embedding`.
        device: where the network runs.
        workers: processes that decode files; one per processor by default.
        watch: called with the number of images that are done, and with what there is of them.

    Raises:
        DataError: what the network gives are no vectors of numbers, one for each image.
    """
    count = len(images)
    found = Vectors(np.zeros((count, 0), np.float32), np.zeros(count, np.bool_), {})
    module = network.module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    size = _BATCH_ON_CPU if device.type == "cpu" else _BATCH
    was_training = module.training
    try:
        module.eval()
        with (
            read_once(preprocessing, images, device, workers) as inputs,
            torch.inference_mode(),
            _all_cores(device),
        ):
            for index, (batch,) in inputs.batches(in_order(count, size)):
                if len(index):
                    vectors = _vectors(network, module, _scaled(batch, network))
                    if not found.readable.any():
                        found = replace(found, features=np.zeros((count, vectors.shape[1]), np.float32))
                    found.features[index.cpu().numpy()] = vectors
                    found.readable[index.cpu().numpy()] = True
                    watch(int(index.max()) + 1, found)
    finally:
        module.train(was_training)
    return replace(found, unreadable=dict(inputs.unreadable))


def _scaled(batch: Tensor, network: FrozenNetwork) -> Tensor:
    """``(n, 3, size, size)`` from ``(n, channels, height, width)`` of numbers up to 255."""
    batch = batch / 255
    if batch.shape[1] == 1:
        batch = batch.expand(-1, 3, -1, -1)
    size = (network.size, network.size)
    if batch.shape[2:] != size:
        shrinks = max(batch.shape[2:]) > network.size
        batch = functional.interpolate(batch, size, mode="bicubic", align_corners=False, antialias=shrinks)
        batch = batch.clamp(0, 1)
    mean, std = (torch.tensor(value, device=batch.device).view(-1, 1, 1) for value in (network.mean, network.std))
    return ((batch - mean) / std).contiguous(memory_format=torch.channels_last)


def _vectors(network: FrozenNetwork, module: nn.Module, batch: Tensor) -> NDArray[np.float32]:
    what, count = f"the frozen network {network.name or type(network.module).__name__}", len(batch)
    try:
        outputs = module(batch)
    except Exception as error:  # it is the user's code
        raise DataError(f"{what} fails on images of shape {tuple(batch.shape)}: {error}") from error
    if not isinstance(outputs, torch.Tensor) or outputs.ndim not in (2, 4) or len(outputs) != count:
        shape = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
        raise DataError(f"{what} gives {shape} for {count} images: expected ({count}, features), or maps of features")
    vectors = (outputs.mean((2, 3)) if outputs.ndim == 4 else outputs).float().cpu().numpy()
    if not np.isfinite(vectors).all():
        raise DataError(f"{what} gives numbers that are not finite: is it scaled as its images need? (mean, std)")
    return vectors


@contextlib.contextmanager
def _all_cores(device: torch.device) -> Iterator[None]:
    """Let PyTorch use all cores. How many there are may change the last digits."""
    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(default_workers())
    try:
        yield
    finally:
        torch.set_num_threads(before)
