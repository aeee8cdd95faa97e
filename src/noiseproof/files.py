"""Files that are either whole or absent, and TOML."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from importlib import resources
from typing import TYPE_CHECKING, Any

from noiseproof.errors import RunError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Put ``content`` in the place of ``path`` in one step.

    A process killed at any moment leaves the old file or the new one, never a part of one: the bytes go to a
    neighbouring file, are forced to disk and only then take the name.

    Raises:
        RunError: the disk is full or the folder cannot be written. The old file is untouched.
    """
    if path.is_dir():
        raise RunError(f"could not write {path}: it is a folder, expected the name of a file")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        with contextlib.suppress(OSError, ValueError):
            partial.unlink(missing_ok=True)
        raise RunError(
            f"could not write {path}: {error}. What was there before is untouched. "
            "Make room (or the folder writable) and run the same command again: it goes on from there."
        ) from error
    except BaseException:  # Ctrl-C in the middle of a write
        partial.unlink(missing_ok=True)
        raise


def remove_partial_files(folder: Path) -> None:
    """Delete what a killed process left half-written in ``folder``."""
    for path in folder.glob(".*.partial"):
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, all or nothing."""
    write_atomically(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path`` as JSON, all or nothing. NaN and infinities, which JSON lacks, are refused."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


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
