"""What a file may take, and what a file is that is not what it should be."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from noiseproof.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

MiB = 1 << 20
GiB = 1 << 30

MOST_VALUES = 10_000_000
"""So many values a text, a JSON file or a pickle may hold outside its arrays: each takes up to a hundred bytes."""

MOST_TEXT = 256 * MiB
"""The size of a text or JSON file."""

EXPANDED, EXPANSION = 2 * GiB, 20
"""What an archive expands to may take so many bytes, or so many times the archive's size if that is more."""


class Wrong(Exception):  # noqa: N818 - becomes a DataError where it is known which file it is about
    """What is wrong with a file."""


def reason(error: Exception) -> str:
    """What an error says about a file that could not be read."""
    if isinstance(error, MemoryError):
        return "it does not fit into memory"
    return str(error) if isinstance(error, Wrong) else f"it is damaged ({error or type(error).__name__})"


_NO_WAIT = getattr(os, "O_NONBLOCK", 0)


def open_file(path: Path) -> BinaryIO:
    """Open a regular file for reading: a device or a pipe would never end.

    Raises:
        DataError: there is none, or it cannot be opened.
    """
    try:
        # Without waiting: opening a pipe that nobody writes to would never end.
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | _NO_WAIT))  # noqa: SIM115
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"cannot read {path}: {why}") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise DataError(f"cannot read {path}: it is no regular file")
    return file


def size_of(file: BinaryIO) -> int:
    """The size of an open file."""
    return os.fstat(file.fileno()).st_size


def read_bytes(path: Path, most: int) -> bytes:
    """A whole file of at most ``most`` bytes.

    Raises:
        DataError: it cannot be read, or is larger.
    """
    with open_file(path) as file:
        size = size_of(file)
        check_size(size, most, str(path))
        try:
            content = file.read(min(size, most) + 1)  # what is asked for is taken from memory, whatever there is
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
    check_size(len(content), most, str(path))
    return content


def check_size(size: int, most: int, where: str) -> None:
    """Refuse what is larger than allowed.

    Raises:
        DataError: it is.
    """
    if size > most:
        raise DataError(f"{where} has {size:,} bytes: expected at most {most:,}")


def foreign(head: bytes) -> str:
    """What a file is that begins with ``head`` and is not what it should be; empty if nobody knows."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if not head:
        return "the file is empty"
    if start.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the file itself: fetch that with 'git lfs pull'"
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "it is a web page, perhaps of an error or a login: get the file itself"
    return ""
