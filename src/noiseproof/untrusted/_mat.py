"""MATLAB's files (version 5), as far as lists of records of numbers and texts go."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from noiseproof.errors import DataError
from noiseproof.untrusted._bounds import MiB, Wrong, foreign, read_bytes, reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MOST_FILE, _MOST_EXPANDED = 16 * MiB, 64 * MiB
_MATRIX, _COMPRESSED = 14, 15
_CHARACTERS, _STRUCTURE = 4, 2
_NUMERIC = range(6, 16)
_CODES = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q", 16: "B", 17: "H"}
_LONGEST_TEXT = 100


def read_records(path: Path, variable: str, fields: Sequence[str]) -> list[tuple[float | str, ...]]:
    """Some fields of an array of structures: numbers and texts.

    Args:
        path: the file.
        variable: the name of the array.
        fields: which of its fields, each a number or a text of at most 100 characters.

    Raises:
        DataError: the file is missing, damaged, too large, or has no such array.
    """
    content = read_bytes(path, _MOST_FILE)
    try:
        return list(_records(content, variable, fields))
    except (Wrong, struct.error, ValueError, zlib.error, IndexError, MemoryError) as error:
        raise DataError(f"cannot read {path}: {foreign(content[:200]) or reason(error)}") from error


def _records(content: bytes, variable: str, fields: Sequence[str]) -> Iterator[tuple[float | str, ...]]:
    marks = {b"IM": "<", b"MI": ">"}
    if content[126:128] not in marks:
        raise Wrong("it is no file of MATLAB, or not of its version 5")
    reader = _Reader(marks[content[126:128]])
    place = 128
    while place < len(content):
        kind, body, place = reader.element(content, place)
        if kind == _COMPRESSED:
            expander = zlib.decompressobj()
            whole = expander.decompress(body, _MOST_EXPANDED)
            if expander.unconsumed_tail:
                raise Wrong(f"it expands to more than {_MOST_EXPANDED >> 20} MiB")
            kind, body, _ = reader.element(whole, 0)
        if kind == _MATRIX:
            head = reader.head(body)
            if head.name == variable and head.kind == _STRUCTURE:
                yield from reader.structures(body, head, fields)
                return
    raise Wrong(f"it has no array of structures {variable!r}")


class _Head(NamedTuple):
    kind: int
    size: int
    name: str
    place: int


class _Reader:
    def __init__(self, order: str) -> None:
        self.order = order

    def element(self, content: bytes, place: int) -> tuple[int, bytes, int]:
        """Type and bytes of the element at a place, and the place of the next."""
        first, size = struct.unpack_from(f"{self.order}II", content, place)
        if first >> 16:  # a small one, with its bytes in the place of its size
            size = first >> 16
            if size > 4:
                raise Wrong("it is damaged: a small element of more than four bytes")
            return first & 0xFFFF, content[place + 4 : place + 4 + size], place + 8
        if size > len(content) - place - 8:
            raise Wrong("it is truncated")
        end = place + 8 + size
        return first, content[place + 8 : end], end if first == _COMPRESSED else end + -size % 8

    def head(self, body: bytes) -> _Head:
        """What an array says about itself, and the place of its contents."""
        _, flags, place = self.element(body, 0)
        _, sides, place = self.element(body, place)
        _, name, place = self.element(body, place)
        count = 1
        for side in struct.unpack(f"{self.order}{len(sides) // 4}i", sides):
            if side < 0 or count > len(body):
                raise Wrong("it is damaged: an array of a size that cannot be")
            count *= side
        return _Head(struct.unpack(f"{self.order}I", flags[:4])[0] & 0xFF, count, name.decode("latin1"), place)

    def structures(self, body: bytes, head: _Head, fields: Sequence[str]) -> Iterator[tuple[float | str, ...]]:
        _, raw, place = self.element(body, head.place)
        (width,) = struct.unpack(f"{self.order}i", raw)
        _, raw, place = self.element(body, place)
        if not 0 < width <= 64:
            raise Wrong("it is damaged: names of fields of no length")
        names = [raw[start : start + width].split(b"\0")[0].decode("latin1") for start in range(0, len(raw), width)]
        missing = [field for field in fields if field not in names]
        if missing:
            raise Wrong(f"its structures have no {missing[0]}")
        for _ in range(head.size):
            found: dict[str, Any] = {}
            for name in names:
                kind, value, place = self.element(body, place)
                if name in fields:
                    if kind != _MATRIX:
                        raise Wrong(f"its {name} is no array")
                    found[name] = self.value(value, name)
            yield tuple(found[field] for field in fields)

    def value(self, body: bytes, name: str) -> float | str:
        """One number, or one text."""
        head = self.head(body)
        kind, raw, _ = self.element(body, head.place)
        code = _CODES.get(kind)
        if code is None or head.size > _LONGEST_TEXT or (head.kind in _NUMERIC and head.size != 1):
            raise Wrong(f"its {name} is neither a number nor a short text")
        values = struct.unpack(f"{self.order}{head.size}{code}", raw[: head.size * struct.calcsize(f"={code}")])
        if head.kind == _CHARACTERS:
            return "".join(map(chr, values))
        if head.kind in _NUMERIC:
            return float(values[0])
        raise Wrong(f"its {name} is neither a number nor a text")
