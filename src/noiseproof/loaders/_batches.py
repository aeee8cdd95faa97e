"""Small data on the device: one tensor, gathered and augmented a batch at a time.

Cropping, flipping and rotating are index arithmetic: for every output pixel the place it comes from is computed,
each image with its own crop, flip and angle, and one gather on the stored bytes does them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from noiseproof.data import ImageFiles, standardized
from noiseproof.loaders._augment import LARGEST_ANGLE
from noiseproof.loaders._files import Files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from noiseproof.data import Preprocessing
    from noiseproof.loaders._reader import ArrayReader, Reader

_PADDING = 1 / 8
"""Of the height: 4 pixels of 32, as published."""


class Inputs(Protocol):
    """The inputs of a training, validation or test set on a device.

    Attributes:
        unreadable: name and reason of the inputs that could not be read, as far as anybody tried.
    """

    unreadable: dict[str, str]

    def __len__(self) -> int: ...

    def batches(
        self,
        order: Sequence[Tensor],
        augment: Sequence[str] = (),
        random: torch.Generator | None = None,
        views: int = 1,
    ) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
        """For each index tensor of ``order``: which of the indices could be read, and their standardized inputs.

        The inputs are there in so many ``views``, each augmented with its own draws from ``random``. These are made
        when a batch is asked for, however far ahead it was read.
        """
        ...


class InMemory:
    """Inputs that are all there.

    What is drawn for a batch and what is made of it are two steps: a CUDA graph repeats the second, not the first.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.unreadable: dict[str, str] = {}

    def __len__(self) -> int:
        raise NotImplementedError

    def draw(self, count: int, augment: Sequence[str], random: torch.Generator | None) -> dict[str, Tensor]:  # noqa: ARG002
        """What the augmentation of ``count`` inputs draws, each tensor with one entry per input."""
        return {}

    def view(self, index: Tensor, draws: dict[str, Tensor]) -> Tensor:
        """The inputs at ``index``, which is on the device, augmented by what was drawn."""
        raise NotImplementedError

    def batches(
        self,
        order: Sequence[Tensor],
        augment: Sequence[str] = (),
        random: torch.Generator | None = None,
        views: int = 1,
    ) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
        """See :class:`Inputs`."""
        for batch in order:
            index = batch.to(self.device, non_blocking=True)
            yield index, tuple(self.view(index, self.draw(len(index), augment, random)) for _ in range(views))


class Features(InMemory):
    """Feature vectors, standardized already."""

    def __init__(self, features: NDArray[np.float32], device: torch.device) -> None:
        super().__init__(device)
        self.features = torch.from_numpy(features).to(device)

    def __len__(self) -> int:
        return len(self.features)

    def view(self, index: Tensor, draws: dict[str, Tensor]) -> Tensor:  # noqa: ARG002 - no augmentation
        return self.features[index]


class Images(InMemory):
    """Images as bytes, ``(N, height * width, channels)``: a quarter of the memory of floats, pixels in one piece."""

    def __init__(self, images: NDArray[np.uint8], mean: Tensor, std: Tensor, device: torch.device) -> None:
        super().__init__(device)
        count, self.height, self.width, channels = images.shape
        self.pixels = torch.from_numpy(images).to(device).view(count, self.height * self.width, channels)
        # One number per byte of an image rather than per channel: long rows are what vector units are fast at.
        self.scale = (1 / std).repeat(self.height * self.width)
        self.shift = (-mean / std).repeat(self.height * self.width)

    def __len__(self) -> int:
        return len(self.pixels)

    def draw(self, count: int, augment: Sequence[str], random: torch.Generator | None) -> dict[str, Tensor]:
        """The angle, whether to flip, and how far down and right to move."""

        def whole(high: int) -> Tensor:
            return torch.randint(high, (count,), generator=random, device=self.device)

        draws = {}
        if "rotate" in augment:
            share = torch.rand(count, generator=random, device=self.device)
            draws["angle"] = (share * 2 - 1) * LARGEST_ANGLE
        if "flip" in augment:
            draws["flip"] = whole(2) == 1
        if "crop" in augment:
            padding = round(_PADDING * self.height)
            draws["down"] = whole(2 * padding + 1) - padding
            draws["right"] = whole(2 * padding + 1) - padding
        return draws

    def view(self, index: Tensor, draws: dict[str, Tensor]) -> Tensor:
        """``(n, channels, height, width)`` float32 in channels-last memory, which is how the bytes lie already."""
        if draws:
            places, outside = _source_places(len(index), self.height, self.width, draws, index.device)
            pixels = self.pixels[index[:, None], places].masked_fill_(outside[..., None], 0)
        else:
            pixels = self.pixels[index]
        standardized = pixels.flatten(1).float().mul_(self.scale).add_(self.shift)
        return standardized.view(len(index), self.height, self.width, -1).permute(0, 3, 1, 2)


def make_inputs(
    preprocessing: Preprocessing,
    inputs: NDArray[Any] | ImageFiles,
    device: torch.device,
    reader: Reader | ArrayReader | None = None,
) -> Inputs:
    """``inputs`` on ``device``, standardized; files by a reader."""
    if not preprocessing.is_image:
        features = cast("NDArray[Any]", inputs)
        return Features(standardized(features, np.array(preprocessing.mean), np.array(preprocessing.std)), device)
    mean = torch.tensor(preprocessing.mean, dtype=torch.float32, device=device)
    std = torch.tensor(preprocessing.std, dtype=torch.float32, device=device)
    if isinstance(inputs, ImageFiles):
        assert reader is not None  # noqa: S101 - whoever has files makes one
        return Files(inputs, mean, std, device, reader)
    return Images(np.ascontiguousarray(inputs), mean, std, device)


def in_order(size: int, batch_size: int) -> list[Tensor]:
    """Index tensors that walk through ``size`` samples."""
    return list(torch.split(torch.arange(size), batch_size))


def _source_places(
    count: int, height: int, width: int, draws: dict[str, Tensor], device: torch.device
) -> tuple[Tensor, Tensor]:
    """For every pixel of ``count`` augmented images, the place it comes from and whether that lies outside.

    The published order is crop, flip, rotate; going from the output back to the source undoes the last one first.
    """
    by_image = {name: drawn.view(-1, 1, 1) for name, drawn in draws.items()}
    # Without a rotation these stay a row and a column per image until the very end.
    rows = torch.arange(height, device=device).view(1, -1, 1)
    columns = torch.arange(width, device=device).view(1, 1, -1)
    outside = torch.zeros(1, 1, 1, dtype=torch.bool, device=device)
    if "angle" in draws:
        angle = by_image["angle"]
        down, right = rows - (height - 1) / 2, columns - (width - 1) / 2
        rows = (down * angle.cos() - right * angle.sin() + (height - 1) / 2).round().long()
        columns = (down * angle.sin() + right * angle.cos() + (width - 1) / 2).round().long()
        outside = _beyond(rows, height) | _beyond(columns, width)
    if "flip" in draws:
        columns = torch.where(by_image["flip"], width - 1 - columns, columns)
    if "down" in draws:
        rows = rows + by_image["down"]
        columns = columns + by_image["right"]
        outside = outside | _beyond(rows, height) | _beyond(columns, width)
    places = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    return places.expand(count, -1, -1).flatten(1), outside.expand(count, height, width).flatten(1)


def _beyond(places: Tensor, size: int) -> Tensor:
    return (places < 0) | (places >= size)
