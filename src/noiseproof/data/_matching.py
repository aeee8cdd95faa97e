"""Which label of a list belongs to which sample of a data set."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from noiseproof.data._files import ImageFiles
from noiseproof.errors import DataError, LabelError, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from noiseproof.classes import Labels
    from noiseproof.data._dataset import Dataset
    from noiseproof.data._label_list import LabelList


def match_labels(listed: LabelList, dataset: Dataset) -> NDArray[np.int64]:
    """The labels of a list for the training samples of a data set, in their order, as positions of its class names.

    Names of files in the list are matched to the samples' paths, with or without the folders above them, by the file's
    name alone where that is unique, and without endings where the list has none. Without names the list is in the order
    of the whole training set, of which ``dataset`` may be a part.

    Raises:
        DataError: the list names other samples, has another length, or holds labels that are no classes.
    """
    names = _sample_names(dataset)
    if listed.names is not None:
        if names is None:
            raise DataError(
                f"{listed.path} names its samples (such as {listed.names[0]!r}), and those of {dataset.name} have no "
                "names: give their numbers from 0 in a column 'index', or labels alone in the order of the samples"
            )
        labels = listed.labels.take(_by_name(listed, listed.names, names, dataset))
    else:
        by_stem = None if names is None or listed.numbers is None else _by_stem(listed, names)
        labels = listed.labels.take(by_stem) if by_stem is not None else _by_position(listed, dataset)
    try:
        return dataset.classes.resolve(labels)
    except LabelError as error:
        raise DataError(f"{listed.path}: {error}") from error


def _by_position(listed: LabelList, dataset: Dataset) -> Labels:
    labels = listed.in_order()
    found, places = len(labels), dataset.source_index
    if places is not None and places.max() < found and len(dataset.train) < found:
        labels = labels.take(places)
    if len(labels) != len(dataset.train):
        raise DataError(
            f"{listed.path} holds {found} labels, which do not fit the {len(dataset.train)} training samples "
            f"of {dataset.name}: expected one for each sample of the training set, in its order"
        )
    return labels


def _sample_names(dataset: Dataset) -> list[str] | None:
    inputs = dataset.train.inputs
    if not isinstance(inputs, ImageFiles):
        return None
    return [_plain(os.fsdecode(path)) for path in inputs.paths.tolist()]


def _plain(path: str) -> str:
    return unicodedata.normalize("NFC", posixpath.normpath(path.strip().replace("\\", "/")))


def _by_name(listed: LabelList, keys: Sequence[str], names: list[str], dataset: Dataset) -> NDArray[np.int64]:
    """For each sample, which key of the list is its name."""
    inputs = dataset.train.inputs
    assert isinstance(inputs, ImageFiles)  # noqa: S101 - nothing else has names
    plain = [_plain(key) for key in keys]
    found = _match(plain, names, inputs.root)
    if not any(place is not None for place in found):
        found = _match([_stem(key) for key in plain], [_stem(name) for name in names], inputs.root)
    counts = Counter(place for place in found if place is not None)
    twice = [keys[at] for at, place in enumerate(found) if place is not None and counts[place] > 1]
    if twice:
        raise DataError(
            f"{listed.path} has two labels for {sum(count > 1 for count in counts.values())} training images of "
            f"{dataset.name} (such as {shorten(twice)}): expected one each"
        )
    lost = {_plain(path) for path, _ in dataset.missing.get("train", ())}
    # Of a part of the training set nobody knows which other names are right.
    places = dataset.source_index
    part = places is not None and len(places) + len(lost) < int(places.max()) + 1
    more = [] if part else [keys[at] for at, place in enumerate(found) if place is None and plain[at] not in lost]
    less = [name for at, name in enumerate(names) if at not in counts]
    if more or less:
        what = [
            f"{len(group)} {text} (such as {shorten(group)})"
            for group, text in (
                (more, f"of its {len(keys)} names are no training images of {dataset.name}"),
                (less, f"of the {len(names)} training images have no label in it"),
            )
            if group
        ]
        raise DataError(f"{listed.path}: {', and '.join(what)}: expected a label for each image, by its path")
    order = np.empty(len(names), np.int64)
    for at, place in enumerate(found):
        if place is not None:
            order[place] = at
    return order


def _match(keys: Sequence[str], names: Sequence[str], root: Path) -> list[int | None]:
    """For each key the sample it names, by the first of several readings in which any key names one."""
    exact = {name: place for place, name in enumerate(names)}
    above = [part for part in root.absolute().as_posix().split("/") if part]

    def with_folders(key: str) -> int | None:
        """The path, or the path below some of the folders that the root is in."""
        parts = key.lstrip("/").split("/")
        for start in range(len(parts)):
            place = exact.get("/".join(parts[start:]))
            if place is not None and (not start or parts[:start] == above[len(above) - start :]):
                return place
        return None

    def below(key: str) -> int | None:
        """The end of a path that no other has, such as the file's name."""
        return ends.get(key)

    def elsewhere(key: str) -> int | None:
        """The path below other folders, as on another machine."""
        parts = key.split("/")
        return next((exact["/".join(parts[at:])] for at in range(1, len(parts)) if "/".join(parts[at:]) in exact), None)

    ends: dict[str, int | None] = {}
    for place, name in enumerate(names):
        parts = name.split("/")
        for start in range(1, len(parts)):
            end = "/".join(parts[start:])
            ends[end] = None if end in ends else place
    readings: tuple[Callable[[str], int | None], ...] = (with_folders, below, elsewhere)
    found: list[int | None] = []
    for reading in readings:
        found = [reading(key) for key in keys]
        if any(place is not None for place in found):
            break
    return found


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]


def _by_stem(listed: LabelList, names: list[str]) -> NDArray[np.int64] | None:
    """For each sample, which number of the list is its file's name; ``None`` where files have no such names.

    Raises:
        DataError: the numbers could be those of the samples' order as well, and that differs.
    """
    numbers = listed.numbers
    assert numbers is not None  # noqa: S101 - the caller has looked
    stems = [posixpath.basename(_stem(name)) for name in names]
    if not all(stem.isascii() and stem.isdigit() and len(stem) < 19 for stem in stems):
        return None
    wanted = np.array([int(stem) for stem in stems], np.int64)
    order = np.argsort(numbers, kind="stable")
    if (
        len(wanted) != len(numbers)
        or (np.sort(wanted) != numbers[order]).any()
        or len({*wanted.tolist()}) < len(wanted)
    ):
        return None
    if (numbers[order] == np.arange(len(order))).all() and (wanted != np.arange(len(wanted))).any():
        raise DataError(
            f"{listed.path}: its numbers could be the order of the training images or their files' names, such as "
            f"{names[0]}: give the files' names instead"
        )
    return order[np.searchsorted(numbers[order], wanted)]
