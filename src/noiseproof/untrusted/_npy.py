"""NumPy's ``.npy`` and ``.npz`` files."""

from __future__ import annotations

import contextlib
import math
import re
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from noiseproof.errors import DataError
from noiseproof.untrusted._bounds import MiB, Wrong, foreign, open_file, reason, size_of
from noiseproof.untrusted._zip import open_zip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from noiseproof.untrusted._zip import Zip

    Read = Callable[[int], bytes]

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000
_KINDS = "biufcUS"
_DESCR = re.compile(r"[<>|=]?([a-zA-Z?])(\d{0,12})")
_ITEM = re.compile(
    r"""\s*(['"])(?P<key>descr|fortran_order|shape)\1\s*:\s*"""
    r"""(?:(['"])(?P<descr>[^'"]*)\3|(?P<flag>True|False)|\((?P<shape>[\d\s,L]*)\))\s*(?:,|(?=\}))"""
)
_STEP = 4 * MiB


def read_npy(path: Path) -> NDArray[Any]:
    """The array in an ``.npy`` file: numbers or strings, in native byte order.

    Raises:
        DataError: the file is missing, damaged, not exactly one array, or holds Python objects or a structured array.
    """
    with open_file(path) as file:
        head = file.read(200)
        file.seek(0)
        try:
            if head[:4] == b"PK\x03\x04":
                raise Wrong("it is an archive of arrays (.npz) under another name")
            return _array(file, size_of(file))
        except (Wrong, OSError, ValueError, MemoryError) as error:
            raise DataError(f"cannot read {path}: {foreign(head) or reason(error)}") from error


class Npz:
    """An open ``.npz`` file; :func:`open_npz` makes it.

    Attributes:
        names: of the arrays in it, in its order.
    """

    def __init__(self, archive: Zip) -> None:
        self._archive = archive
        self._files = {file.removesuffix(".npy"): file for file in archive.names}
        self.names = tuple(self._files)

    def read(self, name: str) -> NDArray[Any]:
        """The array of this name: numbers or strings, in native byte order. Nothing else of the file is read.

        Raises:
            DataError: there is none, or it is damaged, encrypted, too large, or no array of numbers or strings.
        """
        with self._archive.member(self._files.get(name, name)) as (file, size):
            return _array(file, size)


@contextlib.contextmanager
def open_npz(path: Path) -> Iterator[Npz]:
    """An ``.npz`` file, whose arrays are read when they are asked for.

    Raises:
        DataError: the file is missing, damaged, or no ``.npz`` file.
    """
    with open_zip(path, ".npz file, such as numpy.savez writes") as archive:
        yield Npz(archive)


def _array(file: BinaryIO, size: int) -> NDArray[Any]:
    """The array that a stream of ``size`` bytes holds, no more and no less."""
    dtype, shape, fortran, start = _header(file.read)
    count = math.prod(shape) * dtype.itemsize
    if start + count != size:
        what = "cut off" if start + count > size else "followed by something else"
        raise Wrong(
            f"the array is {what}: {dtype} of shape {shape} has {count:,} bytes, and {size - start:,} are there"
        )
    raw = np.empty(count, np.uint8)
    place = 0
    while place < count:
        piece = file.read(min(_STEP, count - place))
        if not piece:
            raise Wrong(f"the array is cut off after {place:,} of {count:,} bytes")
        raw[place : place + len(piece)] = np.frombuffer(piece, np.uint8)
        place += len(piece)
    if file.read(1):
        raise Wrong("the array is followed by something else")
    return checked(raw, dtype).reshape(shape, order="F" if fortran else "C")


def checked(raw: NDArray[np.uint8], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Bytes as values of ``dtype``, in native byte order, if each of them is one.

    Raises:
        ValueError: a truth value other than 0 and 1, or a character that does not exist.
    """
    array = raw.view(dtype)
    if not dtype.isnative:
        array = array.byteswap(inplace=True).view(dtype.newbyteorder("="))
    if dtype.kind == "b" and raw.max(initial=0) > 1:
        raise ValueError("truth values other than 0 and 1")
    if dtype.kind == "U" and array.view(np.uint32).max(initial=0) > 0x10FFFF:
        raise ValueError("characters that do not exist")
    return array


def _header(read: Read) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    """Type, shape, whether the first index runs fastest, and the number of bytes before the values."""
    magic = read(8)
    if len(magic) < 8 or magic[:6] != _MAGIC or magic[6] not in (1, 2, 3):
        raise Wrong("it is no array that numpy.save wrote")
    width = 2 if magic[6] == 1 else 4
    length = int.from_bytes(read(width), "little")
    if length > _LONGEST_HEADER:
        raise Wrong(f"its header has {length:,} bytes: expected at most {_LONGEST_HEADER:,}")
    raw = read(length)
    if len(raw) < length:
        raise Wrong("its header is cut off")
    text = raw.decode("latin1").strip()
    if re.search(r"""['"]descr['"]\s*:\s*\[""", text):
        raise Wrong("it is a structured array: save a plain array of numbers for each field")
    found: dict[str, re.Match[str]] = {}
    place = 1
    while (match := _ITEM.match(text, place)) is not None:
        found[match["key"]] = match
        place = match.end()
    whole = text.startswith("{") and text[place:].strip() == "}"
    if not whole or len(found) < 3 or any(found[key][part] is None for key, part in _PARTS.items()):
        raise Wrong(f"its header is {text[:100]!r}, which numpy.save does not write")
    sizes = found["shape"]["shape"].replace("L", "").split(",")
    if not sizes[-1].strip():
        sizes.pop()
    if not all(size.strip().isdecimal() and len(size) < 20 for size in sizes) or len(sizes) > 32:
        raise Wrong(f"its shape is ({found['shape']['shape'][:100]})")
    shape = tuple(map(int, sizes))
    return _dtype(found["descr"]["descr"]), shape, found["fortran_order"]["flag"] == "True", 8 + width + length


_PARTS = {"descr": "descr", "fortran_order": "flag", "shape": "shape"}


def _dtype(descr: str) -> np.dtype[Any]:
    match = _DESCR.fullmatch(descr)
    try:
        dtype = np.dtype(descr) if match is not None else None
    except (TypeError, ValueError, OverflowError):
        dtype = None
    if dtype is not None and dtype.kind == "O":
        raise Wrong(
            "it holds Python objects, which could run code: save plain arrays of numbers or strings, such as "
            "column.astype(str)"
        )
    if dtype is None or dtype.kind not in _KINDS or not dtype.itemsize:
        raise Wrong(f"it holds values of type {descr[:20]!r}: expected numbers, truth values or strings")
    return dtype
