"""Tar archives, of which only files that are asked for are kept."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, BinaryIO, cast

from noiseproof.errors import DataError
from noiseproof.untrusted._bounds import GiB, MiB, Wrong, foreign, open_file, reason

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

MOST_MEMBER = GiB
"""The size of a file that is taken out of an archive."""

_MOST_TOTAL, _MOST_MEMBERS = 2 * GiB, 10_000
_BLOCK = 512
_FILE, _OLD_FILE = b"0", b"\0"


def read_tar(path: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """The files of a ``.tar`` or ``.tar.gz`` archive whose names, without their folders, are wanted.

    Everything else is passed over a piece at a time; nothing is written.

    Raises:
        DataError: the archive is missing, damaged or truncated, or it, or a wanted file, is too large.
    """
    found: dict[str, bytes] = {}
    with open_file(path) as file:
        head = file.read(200)
        file.seek(0)
        try:
            stream = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if head.startswith(b"\x1f\x8b") else file
            _Walk(stream, wanted).into(found)
        except Exception as error:  # gzip fails in several ways on a damaged file
            raise DataError(f"cannot read {path}: {foreign(head) or reason(error)}") from error
    return found


class _Walk:
    def __init__(self, stream: BinaryIO, wanted: Collection[str]) -> None:
        self._stream = stream
        self._wanted = wanted
        self._left = _MOST_TOTAL

    def into(self, found: dict[str, bytes]) -> None:
        for _ in range(_MOST_MEMBERS):
            header = self._take(_BLOCK)
            if not header.strip(b"\0"):
                return
            size = _size(header)
            name = header[:100].split(b"\0")[0].decode("latin1").rpartition("/")[2]
            padding = -size % _BLOCK
            if header[156:157] in (_FILE, _OLD_FILE) and name in self._wanted:
                if name in found:
                    raise Wrong(f"it holds {name} twice")
                if size > MOST_MEMBER:
                    raise Wrong(f"its {name} has {size:,} bytes: expected at most {MOST_MEMBER:,}")
                found[name] = self._take(size)
                self._pass(padding)
            else:
                self._pass(size + padding)
            if len(found) == len(self._wanted):
                return
        raise Wrong(f"it holds more than {_MOST_MEMBERS:,} files")

    def _take(self, count: int) -> bytes:
        self._left -= count
        if self._left < 0:
            raise Wrong(f"it expands to more than {_MOST_TOTAL:,} bytes")
        content = bytearray()
        while len(content) < count:
            piece = self._stream.read(min(16 * MiB, count - len(content)))
            if not piece:
                raise Wrong("it is truncated")
            content += piece
        return bytes(content)

    def _pass(self, count: int) -> None:
        while count:
            step = min(16 * MiB, count)
            self._take(step)
            count -= step


def _size(header: bytes) -> int:
    """The size of a file by its header, whose checksum must be right."""
    stated = int(header[148:156].strip(b" \0") or b"0", 8)
    if stated != sum(header[:148]) + 8 * ord(" ") + sum(header[156:]):
        raise Wrong("it is no tar archive, or damaged: a header has another checksum than it says")
    if header[124] & 0x80:  # for files of 8 GiB and more
        return int.from_bytes(header[125:136], "big")
    return int(header[124:136].strip(b" \0") or b"0", 8)
