"""Image files to pixels, in whatever process: nothing here knows labels, devices or random numbers."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from noiseproof.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image

LONGEST = 3
"""An image that is longer than so many times its short side loses its ends: one of them would pad a whole batch."""

# The formats that are decoded by code made for pictures; Pillow would start other programs for some of the rest.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")


class Unreadable(NamedTuple):
    """Why a file gave no pixels."""

    why: str
    gone: bool
    """Whether the file could not be opened at all, though it was there before: a disk that went away, say."""


def check_pillow() -> None:
    """Fail early where Pillow is missing.

    Raises:
        DataError: it is.
    """
    try:
        import PIL.Image  # noqa: F401
    except ModuleNotFoundError as error:
        raise DataError("image files need Pillow: pip install 'noiseproof[vision]'") from error


def try_decode(path: Path, resize: int, *, square: bool) -> NDArray[np.uint8] | Unreadable:
    """The pixels of an image file, or why there are none."""
    from PIL import Image, UnidentifiedImageError

    try:
        return decode(path, resize, square=square)
    except UnidentifiedImageError:
        return Unreadable("no image in a known format", gone=False)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Unreadable(f"more than {Image.MAX_IMAGE_PIXELS} pixels: perhaps a decompression bomb", gone=False)
    except MemoryError:
        raise
    except OSError as error:
        if error.errno is not None:
            return Unreadable(f"cannot be opened: {error.strerror}", gone=True)
        return Unreadable(str(error), gone=False)
    except Exception as error:  # noqa: BLE001 - a damaged image can fail in any way
        return Unreadable(f"{type(error).__name__}: {error}", gone=False)


def decode(path: Path, resize: int, *, square: bool) -> NDArray[np.uint8]:
    """An image as uint8 RGB ``(height, width, 3)``, upright, its short side ``resize`` long, smoothed while reduced.

    Greyscale, palette, CMYK and 16-bit images become 8-bit RGB; transparent parts become white. Of an animation the
    first frame counts. Large JPEGs are decoded at a fraction of their size, which keeps twice the resolution needed.

    Args:
        path: the file.
        resize: the length of the short side.
        square: whether the long side gets that length too, which distorts the image.
    """
    from PIL import Image, ImageOps

    Image.init()  # else the formats beyond the commonest are not known yet
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=_FORMATS) as file:
            file.draft(None, _scaled(file.width, file.height, 2 * resize, square=square))
            file.load()
            image: Image.Image = file
            with contextlib.suppress(Exception):  # damaged metadata are no reason to lose the pixels
                image = ImageOps.exif_transpose(file)
            image = _to_rgb(image)
        left, top = (max(0, side - LONGEST * other) / 2 for side, other in (image.size, image.size[::-1]))
        if square:
            left = top = 0
        box = (left, top, image.width - left, image.height - top)
        target = _scaled(round(box[2] - box[0]), round(box[3] - box[1]), resize, square=square)
        return np.array(image.resize(target, Image.Resampling.BILINEAR, box=box))


def _scaled(width: int, height: int, resize: int, *, square: bool) -> tuple[int, int]:
    """``(width, height)`` after resizing; the long side is rounded down, as published transforms do."""
    if square:
        return resize, resize
    short = min(width, height)
    return int(resize * width / short), int(resize * height / short)


def _to_rgb(image: Image) -> Image:
    from PIL import Image

    if image.mode == "F":
        raise OSError("an image of floating-point numbers, whose range nobody knows")
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if image.mode != "I" or values.max(initial=0) > 255:
            values >>= 8
        return Image.fromarray(values.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def decode_batch(
    root: Path, names: list[str], resize: int, *, square: bool
) -> tuple[list[int], NDArray[np.uint8], NDArray[np.int64], list[tuple[int, Unreadable]]]:
    """Several images on one canvas.

    Returns:
        The positions that could be read; their pixels, ``(n, height, width, 3)``, each in the upper left corner with
        its last row and column repeated once (so that interpolation at its edge finds a neighbour); their heights and
        widths, ``(n, 2)``; and the positions that could not be read, with the reason.
    """
    read: list[tuple[int, NDArray[np.uint8]]] = []
    failed: list[tuple[int, Unreadable]] = []
    for position, name in enumerate(names):
        result = try_decode(root / name, resize, square=square)
        if isinstance(result, Unreadable):
            failed.append((position, result))
        else:
            read.append((position, result))
    sizes = np.array([pixels.shape[:2] for _, pixels in read], np.int64).reshape(-1, 2)
    height, width = sizes.max(0, initial=0) + 1
    canvas = np.zeros((len(read), height, width, 3), np.uint8)
    for place, (_, pixels) in zip(canvas, read, strict=True):
        bottom, right = pixels.shape[:2]
        place[:bottom, :right] = pixels
        place[bottom, :right] = pixels[-1]
        place[: bottom + 1, right] = place[: bottom + 1, right - 1]
    return [position for position, _ in read], canvas, sizes, failed
