"""Crops, flips, rotations and colors of image files, a batch at a time on the device.

All geometry of an image is one affine map, so that its pixels are interpolated once. Every draw comes from the
generator that is passed, and their number depends on the number of images only.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from noiseproof.extras import need

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

LARGEST_ANGLE = math.radians(20)

_TRIES = 10
_AREA = (0.08, 1.0)
_ASPECT = (3 / 4, 4 / 3)
_STRENGTH = 0.4  # of brightness, contrast and saturation
_HUE = 0.2  # as a share of the circle


def check_kornia() -> None:
    """Fail before any work where kornia is missing.

    Raises:
        MissingPackageError: it is.
    """
    need("image files need", "kornia")


def view(
    canvas: Tensor, sizes: Tensor, size: int, augment: Sequence[str] = (), random: torch.Generator | None = None
) -> Tensor:
    """What a network gets of some images.

    Args:
        canvas: bytes ``(n, height, width, 3)``, each image in the upper left corner.
        sizes: ``(n, 2)``, the images' own heights and widths.
        size: height and width of the result.
        augment: ``"crop"`` or ``"resized-crop"`` (else the center), ``"flip"``, ``"rotate"``, ``"jitter"``.
        random: what the draws come from.

    Returns:
        ``(n, 3, size, size)``, floats between 0 and 1.
    """
    from kornia.geometry.transform import warp_affine

    sides = sizes.float()
    if "resized-crop" in augment:
        boxes = random_boxes(sides, random)
    else:
        room = sides - size
        corner = (_draw(room.shape, random, room) * (room + 1)).floor() if "crop" in augment else (room / 2).round()
        boxes = torch.cat([corner, torch.full_like(corner, size)], 1)
    top, left, height, width = boxes.unbind(1)

    # From the image to the result, in the order of the published transforms: crop, flip, rotate.
    affine = sides.new_zeros(len(sides), 3, 3)
    affine[:, 0, 0], affine[:, 0, 2] = size / width, (0.5 - left) * size / width - 0.5
    affine[:, 1, 1], affine[:, 1, 2] = size / height, (0.5 - top) * size / height - 0.5
    affine[:, 2, 2] = 1
    if "flip" in augment:
        mirrored = affine.clone()
        mirrored[:, 0] = (size - 1) * affine[:, 2] - affine[:, 0]
        affine = torch.where(_draw((len(sides), 1, 1), random, sides) < 0.5, mirrored, affine)
    turn = None
    if "rotate" in augment:
        turn = _rotation((_draw((len(sides),), random, sides) * 2 - 1) * LARGEST_ANGLE, size)
        affine = turn @ affine
    pixels = canvas.permute(0, 3, 1, 2).float() / 255
    result = warp_affine(pixels, affine[:, :2], (size, size), padding_mode="border")
    if turn is not None:
        # Outside the crop is black, though the image may go on there.
        inside = warp_affine(torch.ones_like(result[:, :1]), turn[:, :2], (size, size), mode="nearest")
        result = result * inside
    return jitter(result, random) if "jitter" in augment else result


def random_boxes(sides: Tensor, random: torch.Generator | None) -> Tensor:
    """Boxes ``(n, 4)`` of top, left, height and width: 8 to 100 % of the area, an aspect of 3/4 to 4/3.

    Ten boxes are drawn for each image, and the first that fits is taken; if none does, the largest in the middle with
    an aspect in that range.
    """
    height, width = sides[:, :1], sides[:, 1:]
    draws = _draw((len(sides), 2 * _TRIES + 2), random, sides)
    area = height * width * (_AREA[0] + draws[:, :_TRIES] * (_AREA[1] - _AREA[0]))
    low, high = map(math.log, _ASPECT)
    aspect = (low + draws[:, _TRIES : 2 * _TRIES] * (high - low)).exp()
    wide, tall = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    fits = (wide > 0) & (tall > 0) & (wide <= width) & (tall <= height)
    first = fits.int().argmax(1, keepdim=True)
    any_fits = fits.any(1, keepdim=True)
    middle_wide = torch.minimum(width, (height * _ASPECT[1]).round())
    middle_tall = torch.minimum(height, (width / _ASPECT[0]).round())
    wide = torch.where(any_fits, wide.gather(1, first), middle_wide)
    tall = torch.where(any_fits, tall.gather(1, first), middle_tall)
    room = torch.cat([height - tall, width - wide], 1)
    corner = torch.where(any_fits, (draws[:, 2 * _TRIES :] * (room + 1)).floor(), (room / 2).floor())
    return torch.cat([corner, tall, wide], 1)


def jitter(images: Tensor, random: torch.Generator | None) -> Tensor:
    """Brightness, contrast and saturation times 0.6 to 1.4 and hue turned by up to a fifth of the circle.

    Each image has its own factors; the order of the four is drawn once for the batch, where published transforms draw
    it for each image.
    """
    from kornia import enhance

    factors = _draw((4, len(images)), random, images) * 2 - 1
    scale = 1 + _STRENGTH * factors
    steps = (
        lambda x: enhance.adjust_brightness_accumulative(x, scale[0]),
        lambda x: enhance.adjust_contrast_with_mean_subtraction(x, scale[1]),
        lambda x: enhance.adjust_saturation_with_gray_subtraction(x, scale[2]),
        lambda x: enhance.adjust_hue(x, 2 * math.pi * _HUE * factors[3]),
    )
    for step in torch.randperm(4, generator=random, device=images.device).tolist():
        images = steps[step](images)
    return images


def _rotation(angle: Tensor, size: int) -> Tensor:
    """Rotations about the middle of a square, as ``(n, 3, 3)``."""
    cos, sin, middle = angle.cos(), angle.sin(), (size - 1) / 2
    turn = angle.new_zeros(len(angle), 3, 3)
    turn[:, 0, 0], turn[:, 0, 1], turn[:, 0, 2] = cos, sin, middle * (1 - cos - sin)
    turn[:, 1, 0], turn[:, 1, 1], turn[:, 1, 2] = -sin, cos, middle * (1 - cos + sin)
    turn[:, 2, 2] = 1
    return turn


def _draw(shape: Sequence[int], random: torch.Generator | None, like: Tensor) -> Tensor:
    return torch.rand(tuple(shape), generator=random, device=like.device)
