"""What is done to an input before a network gets it: a part of a data set, and of everything trained on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from noiseproof.data._encoding import TableEncoding  # noqa: TC001 - what reads a predictor looks it up
from noiseproof.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_VALUES = 1 << 28
"""Of one input."""

_LARGEST_SIDE = 4096
"""Of an image that a frozen network gets."""


@dataclass(frozen=True)
class Preprocessing:
    """How inputs of one kind become what a network gets.

    Attributes:
        kind: ``"features"``, ``"images"`` (arrays of bytes) or ``"files"`` (image files).
        shape: of one input before it is standardized: ``(features,)`` or ``(height, width, channels)``.
        mean: what to subtract from each feature or channel, in units of the stored inputs.
        std: what to divide by after that.
        names: of the features, where they have some.
        shrink: by how much both sides of a stored image are reduced to give ``shape``.
        resize: the length of the short side of a decoded image file, before ``shape`` is cut out of its middle.
        square: whether both sides get that length.
        depth: how many bits of gray images of 16 bits are used.
        encoding: what makes the features of a table, where they were made of one.
        embedding: what makes the features of images, where they were made of such.

    Raises:
        DataError: these cannot be those of any data.
    """

    kind: Literal["features", "images", "files"]
    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    names: tuple[str, ...] = ()
    shrink: int = 1
    resize: int = 0
    square: bool = False
    depth: int = 16
    encoding: TableEncoding | None = None
    embedding: Embedding | None = None

    def __post_init__(self) -> None:
        last = self.shape[-1] if self.shape else 0
        fits = (
            len(self.shape) == (1 if self.kind == "features" else 3)
            and min(self.shape) > 0
            and math.prod(self.shape) * self.shrink**2 <= _MOST_VALUES
            and len(self.mean) == len(self.std) == last
            and len(self.names) in (0, last)
            and all(map(math.isfinite, (*self.mean, *self.std)))
            and min(self.std) > 0
            and self.shrink >= 1
            and (self.encoding is None or (self.kind == "features" and self.shape == (self.encoding.width,)))
            and (self.embedding is None or (self.kind == "features" and self.encoding is None))
            and (self.kind != "files" or (self.shape[0] == self.shape[1] <= self.resize <= _MOST_VALUES))
        )
        if not fits:
            raise DataError(f"no preprocessing of {self.kind}: {self!r:.500}")

    @property
    def is_image(self) -> bool:
        """Whether inputs are images rather than features."""
        return self.kind != "features"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input as models get it: ``(channels, height, width)`` or ``(features,)``."""
        return (self.shape[2], self.shape[0], self.shape[1]) if self.is_image else self.shape

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The shape of one input as it is stored."""
        if not self.is_image:
            return self.shape
        return self.shape[0] * self.shrink, self.shape[1] * self.shrink, self.shape[2]


@dataclass(frozen=True)
class Embedding:
    """What makes features of images: a network that learns nothing.

    Attributes:
        network: what it is called, as :func:`noiseproof.embeddings.frozen_network` takes it; empty for one that has no
            name.
        sha256: of its weights.
        packages: which packages it is of, with their versions.
        images: what is done to an image before that: bytes of one shape.
        size: the sides of the images that the network gets, in pixels.
        mean: what is subtracted from red, green and blue between 0 and 1.
        std: what they are divided by after that.
        probe: the first features of a certain image, by which a network is known that has other code and equal weights.

    Raises:
        DataError: these cannot be those of any network.
    """

    network: str
    sha256: str
    packages: dict[str, str]
    images: Preprocessing
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    probe: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        scales = (*self.mean, *self.std)
        channels = self.images.shape[-1]
        if not (
            self.images.is_image
            and channels in (1, 3)
            and 1 <= self.size <= _LARGEST_SIDE
            and all(map(math.isfinite, scales))
            and min(self.std) > 0
        ):
            raise DataError(f"no embedding of images: {self!r:.500}")


def shrink_images(images: NDArray[Any], factor: int, what: str) -> NDArray[np.uint8]:
    """Images with every square of ``factor`` by ``factor`` pixels replaced by their mean, rounded.

    Args:
        images: uint8, ``(N, height, width, channels)``.
        factor: by how much both sides are reduced.
        what: what they are, for errors.

    Raises:
        DataError: these are no such images, or their sides are no multiples of the factor.
    """
    if images.ndim != 4 or any(side % factor for side in images.shape[1:3]):
        raise DataError(
            f"shrink {factor} of {what} with inputs of shape {images.shape[1:]}: expected images in memory whose "
            "height and width are multiples of it"
        )
    area = factor**2
    corners = [images[:, down::factor, right::factor] for down in range(factor) for right in range(factor)]
    # Adding up whole images takes a fifth of the time of a sum over the two short axes.
    sums = np.full(corners[0].shape, area // 2, np.uint32)
    for corner in corners:
        np.add(sums, corner, out=sums)
    small: NDArray[np.uint8] = (sums // area).astype(np.uint8)
    return small
