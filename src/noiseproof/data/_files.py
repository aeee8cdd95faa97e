"""Images that stay on disk: which files a data set has, and what lists of them say."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from noiseproof.errors import DataError, DataWarning, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Bytes = NDArray[np.bytes_]

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm")
"""Of files that are images, in lower case."""

_PAIR = re.compile(rf"(.*(?:{'|'.join(map(re.escape, IMAGE_ENDINGS))}))\s+(.*\S)", re.IGNORECASE)

MISSING_SHARE = 0.01
"""So many of a part's images may be missing or empty; with more, the folder is probably not the right one."""


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Images on disk, in the place of an array of ``(N, image_size, image_size, 3)``: indexing gives fewer files.

    Attributes:
        root: the folder that the paths start from.
        paths: ``(N,)``, relative, as UTF-8 bytes: a million of them in one block that processes can share.
        sizes: ``(N,)``, in bytes, as they were when the data set was made.
        image_size: height and width of what a network gets.
        resize: the length of an image's short side after decoding; a crop takes ``image_size`` of it.
        square: whether both sides get that length.
    """

    root: Path
    paths: Bytes
    sizes: NDArray[np.int64]
    image_size: int = 224
    resize: int = 256
    square: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.image_size <= self.resize:
            raise DataError(f"image_size {self.image_size}: expected at least 1, and at most resize ({self.resize})")

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> ImageFiles:
        return ImageFiles(
            self.root, self.paths[index], self.sizes[index], self.image_size, self.resize, square=self.square
        )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of the array that the files stand for."""
        return len(self), self.image_size, self.image_size, 3

    @property
    def ndim(self) -> int:
        """Always 4: these are images."""
        return 4

    def names(self, index: NDArray[np.int64]) -> list[str]:
        """The relative paths at ``index``."""
        return [path.decode() for path in self.paths[index].tolist()]

    def listing(self) -> bytes:
        """Paths and sizes, for fingerprints: two data sets with the same listing hold, in practice, the same images."""
        return b"\n".join(b"%s %d" % pair for pair in zip(self.paths.tolist(), self.sizes.tolist(), strict=True))


@dataclass(frozen=True)
class Listing:
    """What a list of images says, before anybody looked for the files.

    Attributes:
        source: the list, for messages.
        root: the folder that the paths start from.
        paths: relative.
        labels: one per path, checked.
    """

    source: str
    root: Path
    paths: list[str]
    labels: list[int]


def find_files(
    listing: Listing, what: str, make: Callable[[Path, Bytes, NDArray[np.int64]], ImageFiles]
) -> tuple[ImageFiles, NDArray[np.int64], NDArray[np.int64] | None, tuple[tuple[str, str], ...]]:
    """The files of a list that are there: files, labels, their positions in the list (``None``: all), and the rest.

    Every folder is read once, so that a million files take seconds.

    Raises:
        DataError: more than a hundredth of them is missing or empty, or there are none.

    Warns:
        DataWarning: some are missing or empty.
    """
    if not listing.paths:
        raise DataError(f"{listing.source} names no {what} images")
    sizes = _sizes(listing.root, listing.paths)
    there = sizes > 0
    lost = np.flatnonzero(~there)
    missing = tuple((listing.paths[i], "empty" if sizes[i] == 0 else "missing") for i in lost)
    if len(lost):
        text = (
            f"{len(lost)} of {len(sizes)} {what} images of {listing.source} are missing or empty under {listing.root} "
            f"({shorten([f'{path}: {why}' for path, why in missing])})"
        )
        if len(lost) > MISSING_SHARE * len(sizes):
            raise DataError(
                f"{text}: at most {MISSING_SHARE:.0%} may be. Is this the folder that the list belongs to, and is it "
                "complete?"
            )
        warnings.warn(f"{text}. They are left out.", DataWarning, stacklevel=4)
    paths = np.array([os.fsencode(path) for path in listing.paths])
    labels = np.array(listing.labels, np.int64)
    files = make(listing.root, paths[there], sizes[there])
    return files, labels[there], np.flatnonzero(there) if len(lost) else None, missing


def _sizes(root: Path, paths: list[str]) -> NDArray[np.int64]:
    """The size of each file, -1 where there is none."""
    sizes = np.full(len(paths), -1, np.int64)
    folders: dict[str, dict[str, list[int]]] = {}
    for position, path in enumerate(paths):
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, {}).setdefault(name, []).append(position)
    for folder, wanted in folders.items():
        # A folder that is not there: all its files are missing.
        with contextlib.suppress(OSError), os.scandir(root / folder) as entries:
            for entry in entries:
                if entry.name in wanted and entry.is_file():
                    sizes[wanted[entry.name]] = entry.stat().st_size
    return sizes


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers from 1.

    Raises:
        DataError: it cannot be read, or is no text.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.strip()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text: {error}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}") from error


def read_pairs(path: Path) -> Iterator[tuple[str, str, str]]:
    """The lines ``relative/path label`` of a list: where each is, for messages; its path, which is checked; its label.

    A label may have spaces in it where the path ends as images do.

    Raises:
        DataError: a line of another form, or a path that leads out of the folder.
    """
    for number, line in text_lines(path):
        where = f"{path}, line {number}: {line[:100]!r}"
        match = _PAIR.fullmatch(line)
        name, label = match.groups() if match else line.rpartition(" ")[::2]
        name = name.rstrip()
        if not name or label.lower().endswith(IMAGE_ENDINGS):
            raise DataError(f"{where}: expected 'relative/path label', separated by a space")
        yield where, checked_path(name, where), label


def read_list(path: Path, root: Path, classes: int, *, keep: int | None = None) -> Listing:
    """A published list of lines ``relative/path label``, whose labels are numbers.

    Args:
        path: the list.
        root: the folder that its paths start from.
        classes: labels are 0 … ``classes`` - 1.
        keep: only images with labels below this one are kept.

    Raises:
        DataError: a line of another form, a label out of range, or a path that leads out of ``root``.
    """
    paths, labels = [], []
    for where, name, label in read_pairs(path):
        if not label.isascii() or not label.isdigit() or len(label) > 9 or int(label) >= classes:
            raise DataError(f"{where}: label {label[:60]}: expected 0 … {classes - 1}")
        if keep is None or int(label) < keep:
            paths.append(name)
            labels.append(int(label))
    return Listing(str(path), root, paths, labels)


def checked_path(path: str, where: str) -> str:
    """A path from a list, if it stays inside the data set's folder.

    Raises:
        DataError: it does not.
    """
    if path.startswith("/") or (".." in path and ".." in path.split("/")):
        raise DataError(f"{where}: expected a path inside the data set's folder, relative to it")
    return path.removeprefix("./")
