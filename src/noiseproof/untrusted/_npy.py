"""NumPy's ``.npy`` and ``.npz`` files."""

from __future__ import annotations

import contextlib
import math
import re
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from noiseproof.errors import DataError, suggest
from noiseproof.untrusted._bounds import EXPANDED, EXPANSION, MiB, foreign, open_file, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

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
# Deflate makes at most so many bytes of one.
_DEFLATE = 1032


def _why(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "it does not fit into memory"
    return str(error) if isinstance(error, _Wrong) else f"it is damaged ({error or type(error).__name__})"


class _Wrong(Exception):  # noqa: N818 - never leaves this module
    """What is wrong with an array, before it is known where that stands."""


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
                raise _Wrong("it is an archive of arrays (.npz) under another name")
            return _array(file, size_of(file), lambda _: None)
        except (_Wrong, OSError, ValueError, MemoryError) as error:
            raise DataError(f"cannot read {path}: {foreign(head) or _why(error)}") from error


class Npz:
    """An open ``.npz`` file; :func:`open_npz` makes it.

    Attributes:
        names: of the arrays in it, in its order.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, size: int) -> None:
        self._path = path
        self._archive = archive
        files = [info for info in archive.infolist() if not info.is_dir()]
        self._members = {info.filename.removesuffix(".npy"): info for info in files}
        self.names = tuple(self._members)
        self._left = max(EXPANDED, EXPANSION * size)
        if len(files) > len(self.names):
            raise DataError(f"cannot read {path}: it holds two arrays of one name")

    def read(self, name: str) -> NDArray[Any]:
        """The array of this name: numbers or strings, in native byte order. Nothing else of the file is read.

        Raises:
            DataError: there is none, or it is damaged, encrypted, too large, or no array of numbers or strings.
        """
        where = f"{name!r} in {self._path}"
        if name not in self._members:
            raise DataError(f"no {where}{suggest(name, self.names[:20])}")
        info = self._members[name]
        try:
            if info.flag_bits & 1:
                raise _Wrong("it is encrypted")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _Wrong("it is compressed in a way that numpy.savez_compressed does not use")
            if info.file_size > _DEFLATE * info.compress_size + 100:
                raise _Wrong(f"it cannot have the {info.file_size:,} bytes that the archive says")
            with self._archive.open(info) as file:
                return _array(cast("BinaryIO", file), info.file_size, self._take)
        except Exception as error:  # zipfile fails in many ways on a damaged file
            raise DataError(f"cannot read {where}: {_why(error)}") from error

    def _take(self, size: int) -> None:
        if size > self._left:
            raise _Wrong(
                f"it would take {size:,} bytes, with {self._left:,} left: the arrays of a file may have "
                f"{EXPANDED >> 30} GiB together, or {EXPANSION} times its size; numpy.savez, which does not compress, "
                "has no such bound"
            )
        self._left -= size


@contextlib.contextmanager
def open_npz(path: Path) -> Iterator[Npz]:
    """An ``.npz`` file, whose arrays are read when they are asked for.

    Raises:
        DataError: the file is missing, damaged, or no ``.npz`` file.
    """
    with open_file(path) as file:
        head = file.read(200)
        file.seek(0)
        if head.startswith(_MAGIC):
            raise DataError(f"cannot read {path}: it holds one array (.npy): expected an .npz file of named arrays")
        try:
            archive = zipfile.ZipFile(cast("Any", _Bounded(file)))
        except Exception as error:  # zipfile fails in many ways on a damaged file
            cut = "it is damaged or was cut off" if head.startswith(b"PK") else "it is no .npz file"
            why = foreign(head) or f"{cut} ({error}); numpy.savez writes them"
            raise DataError(f"cannot read {path}: {why}") from error
        with archive:
            yield Npz(path, archive, size_of(file))


class _Bounded:
    """A file of which nobody reads more than a piece at once: zipfile takes the size of its directory on trust."""

    _MOST = 64 * MiB

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable, self.close = file.seek, file.tell, file.seekable, lambda: None

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(self._MOST + 1 if size < 0 else min(size, self._MOST + 1))
        if len(piece) > self._MOST:
            raise ValueError(f"a piece of more than {self._MOST:,} bytes")
        return piece


def _array(file: BinaryIO, size: int, take: Callable[[int], None]) -> NDArray[Any]:
    """The array that a stream of ``size`` bytes holds, no more and no less; ``take`` may refuse its bytes."""
    dtype, shape, fortran, start = _header(file.read)
    count = math.prod(shape) * dtype.itemsize
    if start + count != size:
        what = "cut off" if start + count > size else "followed by something else"
        raise _Wrong(
            f"the array is {what}: {dtype} of shape {shape} has {count:,} bytes, and {size - start:,} are there"
        )
    take(count)
    raw = np.empty(count, np.uint8)
    place = 0
    while place < count:
        piece = file.read(min(_STEP, count - place))
        if not piece:
            raise _Wrong(f"the array is cut off after {place:,} of {count:,} bytes")
        raw[place : place + len(piece)] = np.frombuffer(piece, np.uint8)
        place += len(piece)
    if file.read(1):
        raise _Wrong("the array is followed by something else")
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
        raise _Wrong("it is no array that numpy.save wrote")
    width = 2 if magic[6] == 1 else 4
    length = int.from_bytes(read(width), "little")
    if length > _LONGEST_HEADER:
        raise _Wrong(f"its header has {length:,} bytes: expected at most {_LONGEST_HEADER:,}")
    raw = read(length)
    if len(raw) < length:
        raise _Wrong("its header is cut off")
    text = raw.decode("latin1").strip()
    if re.search(r"""['"]descr['"]\s*:\s*\[""", text):
        raise _Wrong("it is a structured array: save a plain array of numbers for each field")
    found: dict[str, re.Match[str]] = {}
    place = 1
    while (match := _ITEM.match(text, place)) is not None:
        found[match["key"]] = match
        place = match.end()
    whole = text.startswith("{") and text[place:].strip() == "}"
    if not whole or len(found) < 3 or any(found[key][part] is None for key, part in _PARTS.items()):
        raise _Wrong(f"its header is {text[:100]!r}, which numpy.save does not write")
    sizes = found["shape"]["shape"].replace("L", "").split(",")
    if not sizes[-1].strip():
        sizes.pop()
    if not all(size.strip().isdecimal() and len(size) < 20 for size in sizes) or len(sizes) > 32:
        raise _Wrong(f"its shape is ({found['shape']['shape'][:100]})")
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
        raise _Wrong("it holds Python objects, which could run code: save plain arrays of numbers or strings")
    if dtype is None or dtype.kind not in _KINDS or not dtype.itemsize:
        raise _Wrong(f"it holds values of type {descr[:20]!r}: expected numbers, truth values or strings")
    return dtype
