"""Files that are either whole or absent, and TOML."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
from contextvars import ContextVar
from importlib import resources
from typing import TYPE_CHECKING, Any

from noiseproof.errors import RunError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EBADF, errno.EISDIR)
"""How file systems and platforms say that a folder cannot be forced to disk."""


_is_forced: ContextVar[bool] = ContextVar("_is_forced", default=True)
"""Whether what is written is forced to disk."""


@contextlib.contextmanager
def unforced() -> Iterator[None]:
    """Leave it to the system when what is written here reaches the disk: for folders that nobody reads again.

    A file is still whole or absent to every process. Processes that are started do not inherit this.
    """
    before = _is_forced.set(False)
    try:
        yield
    finally:
        _is_forced.reset(before)


def write_atomically(path: Path, *content: bytes | memoryview, keep: Path | None = None) -> None:
    """Put ``content`` in the place of ``path`` in one step.

    A process killed at any moment leaves the old file or the new one, never a part of one: the bytes go to a
    neighboring file, are forced to disk and only then take the name. The name is forced to disk too, so that a power
    cut does not bring the old file back; see :func:`unforced` for where that does not matter.

    Args:
        path: the file.
        content: its parts, one after another.
        keep: the name that the old file gets, if there is one. Killed between the two steps, a process leaves it there
            and nothing at ``path``.

    Raises:
        RunError: the disk is full or the folder cannot be written. The old file is untouched.
    """
    if os.path.isdir(path):  # noqa: PTH112 - names that cannot be are told below
        raise RunError(f"could not write {path}: it is a folder, expected the name of a file")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with guarded_write(path):
            with partial.open("wb") as file:
                for part in content:
                    file.write(part)
                file.flush()
                if _is_forced.get():
                    os.fsync(file.fileno())
            if keep is not None and path.exists():
                path.replace(keep)
            partial.replace(path)
            if _is_forced.get():
                _sync_folder(path.parent)
    except BaseException:  # also Ctrl-C in the middle of a write
        with contextlib.suppress(OSError, ValueError):
            partial.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def guarded_write(path: Path) -> Iterator[None]:
    """Say what to do where ``path`` cannot be written.

    Raises:
        RunError: the disk is full, the folder cannot be written or is gone.
    """
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        raise RunError(
            f"could not write {path}: {error}. What was there before is untouched. "
            "Make room (or the folder writable) and run the same command again: it goes on from there."
        ) from error


def _sync_folder(folder: Path) -> None:
    """Force the names in a folder to disk, where the system can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)


def remove_partial_files(folder: Path) -> None:
    """Delete what a killed process left half-written in ``folder``.

    Raises:
        RunError: it cannot be deleted.
    """
    for path in folder.glob(".*.partial"):
        with guarded_write(path):
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, all or nothing."""
    write_atomically(path, text.encode())


def check_folder(path: Path) -> None:
    """See, before any work is done, that files can be put into a folder; where there is none yet, none is made.

    Raises:
        RunError: its name is that of a file, is no name, or it cannot be written.
    """
    try:
        there = next(place for place in (path, *path.absolute().parents) if place.exists())
        if not there.is_dir():
            raise RunError(f"cannot write into {path}: {there} is a file; give the name of a folder")
        if not os.access(there, os.W_OK | os.X_OK):
            raise RunError(f"cannot write into {path}: there is no right to write into {there}; give another folder")
    except (OSError, ValueError) as error:  # a name that is too long, for one
        raise RunError(f"cannot write into {str(path)[:200]}: {error}") from error


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where there is none.

    Raises:
        RunError: it cannot be made.
    """
    check_folder(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the folder {path}: {error}") from error


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, read a piece at a time.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def packaged_tables(package: str) -> dict[str, str]:
    """The texts of the ``.toml`` files that come with a package of noiseproof, by their names without the ending."""
    files = sorted(resources.files(package).iterdir(), key=lambda file: file.name)
    return {
        file.name.removesuffix(".toml"): file.read_text(encoding="utf-8")
        for file in files
        if file.name.endswith(".toml")
    }


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        ValueError: the text is no TOML.
    """
    return tomllib.loads(text)
