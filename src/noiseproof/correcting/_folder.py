"""A folder of images with a folder for each class: linked anew, with images in the folders of other classes."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from noiseproof.auditing.corrections import moved_key
from noiseproof.correcting._found import Found, refuse_columns
from noiseproof.data import ImageFiles, image_folder, row_hashes
from noiseproof.errors import DataError
from noiseproof.files import guarded_write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from noiseproof.auditing import Corrections

_LONGEST = 200
"""Bytes of the name of a folder."""


def find_folder(path: Path, corrections: Corrections, label: str | None, key: str | None) -> Found:
    """Images, which are called by their paths; of a data set in parts those for training.

    Raises:
        DataError: these are no folders of classes.
    """
    refuse_columns(path, label, key)
    dataset = image_folder(path)
    files = dataset.train.inputs
    if not isinstance(files, ImageFiles):
        raise DataError(f"{path} holds no images")
    keys = files.names(np.arange(len(files)))
    labels = [dataset.class_names[place] for place in dataset.train.labels.tolist()]
    matched = corrections.match(keys, row_hashes(files), labels, _refuse_folder)
    found = Found(labels, matched, lambda out: _write(out, path, files.root, dict(_places(keys, found))))
    return found


def _refuse_folder(name: str) -> str:
    """A name from a file of corrections must not lead out of the folder."""
    is_plain = not name.startswith(".") and not any(sign in name for sign in "/\\:\0")
    if is_plain and len(os.fsencode(name)) <= _LONGEST and name not in ("__MACOSX", "@eaDir", "$RECYCLE.BIN"):
        return ""
    return f"{name[:60]!r} cannot be the name of a folder"


def _places(keys: list[str], found: Found) -> Iterator[tuple[str, str]]:
    """Where each image goes, and where it is."""
    decided, dropped = found.decided, {*found.dropped}
    folders = {label: key.partition("/")[0] for key, label in zip(keys, found.labels, strict=True)}
    taken = {key for row, key in enumerate(keys) if row not in dropped and row not in decided}
    for row, key in enumerate(keys):
        if row in dropped:
            continue
        if row not in decided:
            yield key, key
            continue
        folder = folders.get(decided[row], decided[row])
        tries = (moved_key(key, folder, number) for number in itertools.count(1))
        place = next(place for place in tries if place not in taken)
        taken.add(place)
        yield place, key


def _write(out: Path, data: Path, root: Path, places: dict[str, str]) -> None:
    """Make the folder under another name, so that it is whole or absent."""
    with guarded_write(out):
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            made.chmod(0o755)
            train = made / root.relative_to(data)
            for place, key in places.items():
                (train / place).parent.mkdir(parents=True, exist_ok=True)
                _link((root / key).absolute(), train / place)
            if root != data:  # beside the training images are those for testing
                for entry in sorted(data.iterdir()):
                    if entry != root:
                        _link(entry.absolute(), made / entry.name)
            made.rename(out)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise


def _link(source: Path, place: Path) -> None:
    try:
        place.symlink_to(source, target_is_directory=source.is_dir())
    except (OSError, NotImplementedError):  # some systems and disks have no links, or not for everybody
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, place)
