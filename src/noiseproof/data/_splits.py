"""Which of a folder's folders are its training, test and validation sets."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from noiseproof.errors import DataError, DataWarning, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PARTS = {
    "train": ("train", "training", "trainset", "trainingset", "traindata"),
    "test": ("test", "testing", "testset", "testingset", "testdata", "eval", "evaluation"),
    "val": ("val", "valid", "validation", "valset", "validationset", "valdata", "dev", "development"),
}
_WORDS = {word: part for part, words in _PARTS.items() for word in words}
_FILLERS = {"set", "data", "dataset", "images", "image", "imgs", "img", "split", "folder", "part"}


def _part(name: str) -> tuple[str | None, bool]:
    """Which part of a data set a folder is by its name, if any, and whether the name says nothing else."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+", name)]
    # "TEST" and "Test" alike; "TrainSet" is two words, "trainset" one.
    parts = {_WORDS[word] for word in words if word in _WORDS}
    if len(parts) != 1:
        return None, False
    return parts.pop(), all(word in _WORDS or word in _FILLERS or word.isdigit() for word in words)


def find_splits(path: Path, subfolders: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The folders in ``path`` that are its ``"train"``, ``"test"`` and ``"val"``; empty where they are classes.

    A part holds the folders of the classes. A class may be called as a part is ("train" beside "plane") as long as it
    holds only images.

    Args:
        path: the data set, for messages.
        subfolders: the folders in it, each with the folders that it holds.

    Raises:
        DataError: two folders for one part, parts without one for training, or names that leave open what is what.

    Warns:
        DataWarning: folders beside the parts, which are not used; or classes that hold the same folders.
    """
    found: dict[str, str] = {}
    for name, inner in subfolders.items():
        part, alone = _part(name)
        if part is None or not alone or not inner:
            continue
        if part in found:
            raise DataError(f"{path}: both {found[part]} and {name} could be its {part} set: keep one, or rename one")
        found[part] = name
    rest = [name for name in subfolders if name not in found.values()]
    expected = "expected train (with a folder per class), test and val, or a folder per class"
    if "train" in found:
        named = [name for name in rest if _part(name)[0] and subfolders[name]]
        if named or (len(found) == 1 and any(_part(name)[0] is None for name in rest)):
            raise DataError(
                f"{path}: {found['train']} looks like its training set, and what {shorten(named or rest)} is beside it "
                f"is not clear: {expected}; move or rename it"
            )
        if rest:
            warnings.warn(
                f"{path}: {shorten(rest)} is left out beside {', '.join(found.values())}", DataWarning, stacklevel=3
            )
        return found
    alike = [name for name, inner in subfolders.items() if len(inner) > 1 and [*subfolders.values()].count(inner) > 1]
    named = [name for name in subfolders if _part(name)[0]]
    if len(named) > 1 and (len(named) == len(subfolders) or {*named} & {*alike} or len(found) > 1):
        raise DataError(
            f"{path}: {shorten(named)} are called like parts of a data set, not like classes, and none is for "
            f"training: {expected}"
        )
    if alike:
        warnings.warn(
            f"{path}: the classes {shorten(alike)} hold the same folders ({shorten(subfolders[alike[0]])}): if they "
            f"are parts of a data set, this learns to tell these apart; {expected}",
            DataWarning,
            stacklevel=3,
        )
    return {}
