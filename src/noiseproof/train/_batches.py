"""Small data on the device: one tensor, gathered and augmented a batch at a time.

Cropping, flipping and rotating are index arithmetic: for every output pixel the place it comes from is computed,
each image with its own crop, flip and angle, and one gather on the stored bytes does them all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from noiseproof.data import Dataset

_PADDING = 4
_LARGEST_ANGLE = math.radians(20)


class Inputs(Protocol):
    """The inputs of a training, validation or test set on a device."""

    def __len__(self) -> int: ...

    def batch(self, index: Tensor, augment: Sequence[str] = (), random: torch.Generator | None = None) -> Tensor:
        """The standardised inputs at ``index``, augmented with draws from ``random``."""
        ...


class Features:
    """Feature vectors, standardised once."""

    def __init__(self, features: NDArray[np.float32], mean: Tensor, std: Tensor, device: torch.device) -> None:
        self.features = (torch.from_numpy(features).to(device) - mean) / std

    def __len__(self) -> int:
        return len(self.features)

    def batch(self, index: Tensor, augment: Sequence[str] = (), random: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        return self.features[index]


class Images:
    """Images as bytes, ``(N, height * width, channels)``: a quarter of the memory of floats, pixels in one piece."""

    def __init__(self, images: NDArray[np.uint8], mean: Tensor, std: Tensor, device: torch.device) -> None:
        count, self.height, self.width, channels = images.shape
        self.pixels = torch.from_numpy(images).to(device).view(count, self.height * self.width, channels)
        # One number per byte of an image rather than per channel: long rows are what vector units are fast at.
        self.scale = (1 / std).repeat(self.height * self.width)
        self.shift = (-mean / std).repeat(self.height * self.width)

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, index: Tensor, augment: Sequence[str] = (), random: torch.Generator | None = None) -> Tensor:
        """``(n, channels, height, width)`` float32 in channels-last memory, which is how the bytes lie already."""
        if augment:
            places, outside = _source_places(len(index), self.height, self.width, augment, random, index.device)
            pixels = self.pixels[index[:, None], places].masked_fill_(outside[..., None], 0)
        else:
            pixels = self.pixels[index]
        standardised = pixels.flatten(1).float().mul_(self.scale).add_(self.shift)
        return standardised.view(len(index), self.height, self.width, -1).permute(0, 3, 1, 2)


def make_inputs(dataset: Dataset, inputs: NDArray[np.uint8] | NDArray[np.float32], device: torch.device) -> Inputs:
    """``inputs`` of ``dataset`` on ``device``, standardised by the data set's mean and deviation."""
    mean = torch.tensor(dataset.mean, dtype=torch.float32, device=device)
    std = torch.tensor(dataset.std, dtype=torch.float32, device=device)
    kind = Images if inputs.dtype == np.uint8 else Features
    return kind(np.ascontiguousarray(inputs), mean, std, device)


def epoch_order(size: int, batch_size: int, random: torch.Generator) -> list[Tensor]:
    """The batches of an epoch as index tensors, in random order.

    A single sample that is left over joins the last batch: batch normalisation cannot use it alone.
    """
    batches = list(torch.split(torch.randperm(size, generator=random), batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def in_order(size: int, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """Index tensors that walk through ``size`` samples."""
    for start in range(0, size, batch_size):
        yield torch.arange(start, min(start + batch_size, size), device=device)


def _source_places(
    count: int,
    height: int,
    width: int,
    augment: Sequence[str],
    random: torch.Generator | None,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """For every pixel of ``count`` augmented images, the place it comes from and whether that lies outside.

    The published order is crop, flip, rotate; going from the output back to the source undoes the last one first.
    """

    def draw(high: int) -> Tensor:
        return torch.randint(high, (count, 1, 1), generator=random, device=device)

    # Without a rotation these stay a row and a column per image until the very end.
    rows = torch.arange(height, device=device).view(1, -1, 1)
    columns = torch.arange(width, device=device).view(1, 1, -1)
    outside = torch.zeros(1, 1, 1, dtype=torch.bool, device=device)
    if "rotate" in augment:
        angle = (torch.rand(count, 1, 1, generator=random, device=device) * 2 - 1) * _LARGEST_ANGLE
        down, right = rows - (height - 1) / 2, columns - (width - 1) / 2
        rows = (down * angle.cos() - right * angle.sin() + (height - 1) / 2).round().long()
        columns = (down * angle.sin() + right * angle.cos() + (width - 1) / 2).round().long()
        outside = _beyond(rows, height) | _beyond(columns, width)
    if "flip" in augment:
        columns = torch.where(draw(2) == 1, width - 1 - columns, columns)
    if "crop" in augment:
        rows = rows + draw(2 * _PADDING + 1) - _PADDING
        columns = columns + draw(2 * _PADDING + 1) - _PADDING
        outside = outside | _beyond(rows, height) | _beyond(columns, width)
    places = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    return places.expand(count, -1, -1).flatten(1), outside.expand(count, height, width).flatten(1)


def _beyond(places: Tensor, size: int) -> Tensor:
    return (places < 0) | (places >= size)
