"""Image files to pixels, in whatever process: nothing here knows labels, devices or random numbers."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from noiseproof.extras import need
from noiseproof.untrusted import foreign

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

LONGEST = 3
"""An image that is longer than so many times its short side loses its ends: one of them would pad a whole batch."""

# The formats that are decoded by code made for pictures; Pillow would start other programs for some of the rest.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")


MOST_FILE, MOST_DECODED = 256 << 20, 512 << 20
"""The bytes that an image may have as a file, and that it may take while it is decoded."""

# Copies are made on the way to RGB, of which Pillow keeps four bytes for a pixel.
_BYTES, _BYTES_TRANSPARENT = 8, 16
# JPEGs that come in several scans are kept whole until the last one, as 16-bit numbers of three channels.
_BYTES_PROGRESSIVE = 6

_TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
_DEPTHS = (8, 10, 12, 14, 16, 20, 24, 32)
LOOKED_AT, _MEASURED = 200, 50


class Unreadable(NamedTuple):
    """Why a file gave no pixels."""

    why: str
    gone: bool
    """Whether the file could not be opened at all, though it was there before: a disk that went away, say."""


def check_pillow() -> None:
    """Fail early where Pillow is missing.

    Raises:
        MissingPackageError: it is.
    """
    need("image files need", "PIL")


def try_decode(path: Path, resize: int, *, square: bool, depth: int = 16) -> NDArray[np.uint8] | Unreadable:
    """The pixels of an image file, or why there are none; see :func:`decode`."""
    from PIL import Image, UnidentifiedImageError

    try:
        return decode(path, resize, square=square, depth=depth)
    except UnidentifiedImageError:
        return Unreadable(_instead(path), gone=False)
    except Image.DecompressionBombError as error:
        return Unreadable(f"perhaps a decompression bomb: {error}", gone=False)
    except MemoryError:
        raise
    except OSError as error:
        if error.errno is not None:
            return Unreadable(f"cannot be opened: {error.strerror}", gone=True)
        return Unreadable(str(error), gone=False)
    except Exception as error:  # noqa: BLE001 - a damaged image can fail in any way
        return Unreadable(f"{type(error).__name__}: {error}", gone=False)


def _instead(path: Path) -> str:
    """What a file is that is no image in a known format."""
    try:
        with path.open("rb") as file:
            head = file.read(200)
    except OSError:
        return "no image in a known format"
    if head[4:8] == b"ftyp":
        return "no image in a known format: it is HEIC, AVIF or a film; convert it to .jpg or .png"
    return f"no image in a known format{': ' if foreign(head) else ''}{foreign(head)}"


def decode(path: Path, resize: int, *, square: bool, depth: int = 16) -> NDArray[np.uint8]:
    """An image as uint8 RGB ``(height, width, 3)``, upright, its short side ``resize`` long, smoothed while reduced.

    Grayscale, palette, CMYK and 16-bit images become 8-bit RGB; transparent parts become white. Of an animation the
    first frame counts. Large JPEGs are decoded at a fraction of their size, which keeps twice the resolution needed.

    Args:
        path: the file.
        resize: the length of the short side.
        square: whether the long side gets that length too, which distorts the image.
        depth: gray images of more than 8 bits have values below ``2 ** depth``; the upper 8 of these bits are kept.
    """
    from PIL import Image, ImageOps

    if path.stat().st_size > MOST_FILE:
        raise _NoPixelsError(f"a file of more than {MOST_FILE >> 20} MiB")
    Image.init()  # else the formats beyond the commonest are not known yet
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata, and many pixels, which are counted here
        with Image.open(path, formats=_FORMATS) as file:
            whole = file.width * file.height
            file.draft(None, _scaled(file.width, file.height, 2 * resize, square=square))
            _check_cost(file, whole)
            file.load()
            image: Image.Image = file
            with contextlib.suppress(Exception):  # damaged metadata are no reason to lose the pixels
                image = ImageOps.exif_transpose(file)
            # Pillow brings those of PPM files to 16 bits.
            image = _to_rgb(image, 16 if file.format == "PPM" else depth)
        return _resized(image, resize, square=square)


def _resized(image: Image, resize: int, *, square: bool) -> NDArray[np.uint8]:
    """The pixels of an image whose short side becomes ``resize`` long."""
    left, top = (max(0, side - LONGEST * other) / 2 for side, other in (image.size, image.size[::-1]))
    if square:
        left = top = 0
    box = (left, top, image.width - left, image.height - top)
    target = _scaled(round(box[2] - box[0]), round(box[3] - box[1]), resize, square=square)
    return np.array(image.resize(target, _BILINEAR, box=box))


_BILINEAR = 2  # as PIL.Image.Resampling has it


def gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The brightness ``(height, width, 1)`` of RGB pixels."""
    from PIL import Image

    return np.array(Image.fromarray(pixels).convert("L"))[..., None]


class _NoPixelsError(OSError):
    """Why an image is not decoded, though nothing is wrong with the disk."""


def _check_cost(file: ImageFile, whole: int) -> None:
    """Refuse an image that would take too much memory, before it is decoded.

    Args:
        file: the image, at the size at which it is decoded.
        whole: its pixels at its full size.
    """
    transparent = file.mode in _TRANSPARENT or "transparency" in file.info
    cost = file.width * file.height * (_BYTES_TRANSPARENT if transparent else _BYTES)
    if file.info.get("progressive"):
        cost += whole * _BYTES_PROGRESSIVE
    tags = getattr(file, "tag_v2", {})
    width, height = tags.get(322), tags.get(323)  # of a tile, whatever the size of the image
    if isinstance(width, int) and isinstance(height, int):
        cost += width * height * _BYTES
    if cost > MOST_DECODED:
        raise _NoPixelsError(
            f"it would take {cost >> 20} MiB to decode, of {MOST_DECODED >> 20} at most: perhaps a decompression bomb"
        )


def _scaled(width: int, height: int, resize: int, *, square: bool) -> tuple[int, int]:
    """``(width, height)`` after resizing; the long side is rounded down, as published transforms do."""
    if square:
        return resize, resize
    short = min(width, height)
    return int(resize * width / short), int(resize * height / short)


def _to_rgb(image: Image, depth: int) -> Image:
    from PIL import Image

    if image.mode == "F":
        raise _NoPixelsError("an image of floating-point numbers, whose range nobody knows")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        least, most = int(values.min(initial=0)), int(values.max(initial=0))
        if least < 0:
            raise _NoPixelsError(f"an image with negative values (down to {least}), whose range nobody knows")
        if most >> depth:
            raise _NoPixelsError(
                f"values up to {most:,}: more than the {depth} bits that the images looked at first have"
            )
        return Image.fromarray((values >> (depth - 8)).astype(np.uint8)).convert("RGB")
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def used_depth(root: Path, names: Sequence[str]) -> tuple[int, str]:
    """How many bits the gray images of more than 8 bits use, and a warning where that is not all of 16.

    Cameras and scanners store 10, 12 or 14 bits in 16. Shown as if they had 16, such images are nearly black; scaled
    each by its own brightest pixel, they would lose how bright they are. So one depth is found for all images of a data
    set, from up to 50 of those that are such, evenly spread.

    Args:
        root: the folder of the images.
        names: those of about ``LOOKED_AT`` images, relative to it.
    """
    import PIL.Image

    PIL.Image.init()
    most = looked = 0
    shallow: list[int] = []
    for name in names:
        if looked >= _MEASURED:
            break
        # What is damaged is told when it is decoded.
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with PIL.Image.open(root / name, formats=_FORMATS) as file:
                gray = file.mode.startswith("I") and file.format != "PPM"
                if not gray and not any("16" in str(tile[3]) for tile in file.tile):
                    continue
                _check_cost(file, file.width * file.height)
                brightest = int(np.asarray(file).max(initial=0))
                looked += 1
                if gray:
                    most = max(most, brightest)
                else:
                    shallow.append(brightest)
    depth = next((bits for bits in _DEPTHS if most < 1 << bits), 32) if most else 16
    if depth != 16:
        return depth, (
            f"the gray images of 16 bits or more use {depth} bits (the largest value of those looked at is {most:,}): "
            f"{(1 << depth) - 1:,} is taken for white in all of them"
        )
    if shallow and max(shallow) < 16:
        return depth, (
            f"the colors of the {len(shallow)} 16-bit images looked at use 12 bits or fewer, of which only the upper "
            f"{max(shallow).bit_length()} can be read: they are nearly black. Convert them to 8 bits per color first"
        )
    return depth, ""


def decode_batch(
    root: Path, names: list[str], resize: int, *, square: bool, depth: int = 16
) -> tuple[list[int], NDArray[np.uint8], NDArray[np.int64], list[tuple[int, Unreadable]]]:
    """Several images on one canvas.

    Returns:
        The positions that could be read; their pixels, ``(n, height, width, 3)``, each in the upper left corner with
        its last row and column repeated once (so that interpolation at its edge finds a neighbor); their heights and
        widths, ``(n, 2)``; and the positions that could not be read, with the reason.
    """
    read: list[tuple[int, NDArray[np.uint8]]] = []
    failed: list[tuple[int, Unreadable]] = []
    for position, name in enumerate(names):
        result = try_decode(root / name, resize, square=square, depth=depth)
        if isinstance(result, Unreadable):
            failed.append((position, result))
        else:
            read.append((position, result))
    return (*_on_a_canvas(read), failed)


def arrays_on_a_canvas(
    images: NDArray[np.uint8], resize: int, *, square: bool
) -> tuple[list[int], NDArray[np.uint8], NDArray[np.int64]]:
    """Images in memory, ``(n, height, width, 1 or 3)``, as :func:`decode_batch` gives those of files."""
    from PIL import Image

    rgb = np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images
    return _on_a_canvas(
        [(place, _resized(Image.fromarray(each), resize, square=square)) for place, each in enumerate(rgb)]
    )


def _on_a_canvas(read: list[tuple[int, NDArray[np.uint8]]]) -> tuple[list[int], NDArray[np.uint8], NDArray[np.int64]]:
    sizes = np.array([pixels.shape[:2] for _, pixels in read], np.int64).reshape(-1, 2)
    height, width = sizes.max(0, initial=0) + 1
    canvas = np.zeros((len(read), height, width, 3), np.uint8)
    for place, (_, pixels) in zip(canvas, read, strict=True):
        bottom, right = pixels.shape[:2]
        place[:bottom, :right] = pixels
        place[bottom, :right] = pixels[-1]
        place[: bottom + 1, right] = place[: bottom + 1, right - 1]
    return [position for position, _ in read], canvas, sizes
