"""Images that stay on disk: which files a data set has, and what lists of them say."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import posixpath
import re
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from noiseproof.errors import DataError, DataWarning, shorten
from noiseproof.untrusted import open_file, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Bytes = NDArray[np.bytes_]

LOST_SHARE, LOST_COUNT, LOST_MOST = 0.01, 10, 0.25
"""So many of a part's images may be missing, empty or gone: a hundredth, or ten of a small set, but not more than a
quarter of it. With more, the folder is probably not the right one."""

IMAGE_ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff",
    ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
"""The endings of the files in a folder that are taken for images."""

_OF_SYSTEMS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "Thumbs.db", "desktop.ini"})
_LONGEST_LINE = 10_000

MOST_HASHED = 1 << 30
"""Image files count by their contents where those of a part have so many bytes at most, which takes a few seconds."""


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Images on disk, in the place of an array of ``(N, image_size, image_size, 3)``: indexing gives fewer files.

    Attributes:
        root: the folder that the paths start from.
        paths: ``(N,)``, relative, as the bytes of the file system: a million of them in one block that processes can
            share. They need not be UTF-8.
        sizes: ``(N,)``, in bytes, as they were when the data set was made.
        image_size: height and width of what a network gets.
        resize: the length of an image's short side after decoding; a crop takes ``image_size`` of it.
        square: whether both sides get that length.
        depth: how many bits of gray images of 16 bits are used; see :func:`noiseproof.data._decode.decode`.
        unreadable: the share of files that may be missing or unreadable; ``None`` for the usual one.
        hashes: ``(N,)``, of the files' contents as they were then; ``None`` where reading all would take long.
    """

    root: Path
    paths: Bytes
    sizes: NDArray[np.int64]
    image_size: int = 224
    resize: int = 256
    square: bool = False
    depth: int = 16
    unreadable: float | None = None
    hashes: NDArray[np.uint64] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.image_size <= self.resize:
            raise DataError(f"image_size {self.image_size}: expected at least 1, and at most resize ({self.resize})")

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> ImageFiles:
        hashes = None if self.hashes is None else self.hashes[index]
        return replace(self, paths=self.paths[index], sizes=self.sizes[index], hashes=hashes)

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
        return [os.fsdecode(path) for path in self.paths[index].tolist()]

    @property
    def may_lose(self) -> float:
        """How many of these files may be missing or unreadable before that is an error."""
        if self.unreadable is not None:
            return self.unreadable * len(self)
        return max(LOST_SHARE * len(self), min(LOST_COUNT, LOST_MOST * len(self)))

    def listing(self) -> bytes:
        """Paths, sizes and, where they are known, hashes of the contents, for fingerprints."""
        hashes = [0] * len(self) if self.hashes is None else self.hashes.tolist()
        listed = zip(self.paths.tolist(), self.sizes.tolist(), hashes, strict=True)
        return b"\n".join(b"%s %d %x" % each for each in listed)


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
        DataError: too many of them are missing or empty (see :attr:`ImageFiles.may_lose`), or there are none.

    Warns:
        DataWarning: some are missing or empty.
    """
    if not listing.paths:
        raise DataError(f"{listing.source} names no {what} images")
    sizes = _sizes(listing.root, listing.paths)
    there = sizes > 0
    lost = np.flatnonzero(~there)
    missing = tuple((listing.paths[i], "empty" if sizes[i] == 0 else "missing") for i in lost)
    files = make(listing.root, np.array([os.fsencode(path) for path in listing.paths]), sizes)
    if len(lost):
        text = (
            f"{len(lost)} of {len(sizes)} {what} images of {listing.source} are missing or empty under {listing.root} "
            f"({shorten([f'{path}: {why}' for path, why in missing])})"
        )
        if len(lost) > files.may_lose or len(lost) == len(sizes):
            raise DataError(
                f"{text}: at most {int(files.may_lose)} may be. Is this the folder that the list belongs to, and is it "
                "complete? data.unreadable in a recipe allows another share."
            )
        warnings.warn(f"{text}. They are left out.", DataWarning, stacklevel=4)
    labels = np.array(listing.labels, np.int64)
    files = files[there]
    if files.sizes.sum() <= MOST_HASHED:
        hashes = [_hash(files.root / name) for name in files.names(np.arange(len(files)))]
        files = replace(files, hashes=np.array(hashes, np.uint64))
    return files, labels[there], np.flatnonzero(there) if len(lost) else None, missing


def _hash(path: Path) -> int:
    digest = hashlib.blake2b(digest_size=8)
    # What cannot be read is told when it is decoded.
    with contextlib.suppress(OSError, DataError), open_file(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return int.from_bytes(digest.digest(), "big")


def subfolders(path: Path) -> list[str]:
    """The names of the folders in a folder, without hidden ones and those that systems make; sorted.

    Raises:
        DataError: the folder cannot be read.
    """
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not _is_of_system(entry.name))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"cannot read the image folder {path}: {reason}") from error


def folder_images(root: Path, name: str, left_out: list[str] | None = None) -> list[str]:
    """The images anywhere under the folder ``name`` of ``root``, relative to ``root`` and sorted.

    Hidden files and folders, and those that systems make (``__MACOSX``, ``Thumbs.db``), do not count, at any depth.
    Links to folders are followed; a folder that is reached twice counts once.

    Args:
        root: where the paths start.
        name: a folder in it.
        left_out: gets the paths of files that do not end as images do.

    Raises:
        DataError: a folder cannot be read.
    """
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root / name, onerror=_raise, followlinks=True):
        status = os.stat(folder)  # noqa: PTH116 - as os.walk names it
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(inner for inner in folders if not _is_of_system(inner))
        start = os.path.relpath(folder, root).replace(os.sep, "/")
        for file in files:
            if _is_of_system(file):
                continue
            if file.lower().endswith(IMAGE_ENDINGS):
                found.append(f"{start}/{file}")
            elif left_out is not None:
                left_out.append(f"{start}/{file}")
    return sorted(found)


def warn_of_left_out(root: Path, left_out: Sequence[str]) -> None:
    """Warn about files that are not used: those that are no images by their endings, and images in no class's folder.

    Args:
        root: the folder of the classes' folders.
        left_out: what :func:`folder_images` left out.
    """
    with os.scandir(root) as entries:
        loose = [entry.name for entry in entries if entry.name.lower().endswith(IMAGE_ENDINGS) and entry.is_file()]
    loose = sorted(name for name in loose if not _is_of_system(name))
    if loose:
        warnings.warn(
            f"{root}: {len(loose)} images are left out, since they are in no class's folder ({shorten(loose)})",
            DataWarning,
            stacklevel=4,
        )
    if not left_out:
        return
    endings = Counter(os.path.splitext(path)[1].lower() or "without an ending" for path in left_out)  # noqa: PTH122
    counts = shorten([f"{count} {ending}" for ending, count in endings.most_common()])
    warnings.warn(
        f"{root}: {len(left_out)} files are left out, since they do not end as the images do that can be read "
        f"({counts}; such as {shorten(sorted(left_out))}). Convert pictures of other formats, such as .heic, to .jpg.",
        DataWarning,
        stacklevel=4,
    )


def _raise(error: OSError) -> None:
    raise DataError(f"cannot read the image folder {error.filename}: {error.strerror}") from error


def _is_of_system(name: str) -> bool:
    return name.startswith(".") or name in _OF_SYSTEMS


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
                if entry.name in wanted:
                    with contextlib.suppress(OSError):  # a link that leads nowhere or in a circle
                        if entry.is_file():
                            sizes[wanted[entry.name]] = entry.stat().st_size
    return sizes


class Line(NamedTuple):
    """A line of a list of images."""

    where: str
    """The list, the line's number and its beginning, for errors."""
    path: str
    """Relative to the list's root, and inside it."""
    label: str


def read_pairs(path: Path, root: Path) -> list[Line]:
    """A text file of lines that name an image and its label.

    The two are separated by a space, a tab, a comma or a semicolon, and either may be in double quotes. The path ends
    with the last ending of an image that such a separator follows, so both may contain spaces and commas. A first line
    that names no image, above lines that do, is a header, and a line that begins with # and names none is a comment.
    Bytes that are no UTF-8 are kept, for paths that have them.

    Args:
        path: the list.
        root: the folder that its paths start from.

    Raises:
        DataError: the list cannot be read, a line has another form, or a path leads out of ``root``.
    """
    inside = Inside(root)
    pairs: list[Line] = []
    header = False
    for number, line in read_lines(path, errors="surrogateescape"):
        where = f"{path}, line {number}: {line[:100]!r}"
        if len(line) > _LONGEST_LINE:
            raise DataError(f"{where}: a line of {len(line):,} characters: expected at most {_LONGEST_LINE:,}")
        name, label, mark, is_image = _split(line)
        if not pairs:
            header = not is_image and label.casefold() in _HEADERS
        elif header and is_image:
            pairs.clear()
            header = False
        if line.startswith("#") and not is_image:
            continue
        if not name or not label or label.lower().endswith(IMAGE_ENDINGS):
            raise DataError(f"{where}: expected 'relative/path label', separated by a space, a tab or a comma")
        if mark and mark in label:
            raise DataError(
                f"{where}: more than a path and a label between {mark!r}: leave the other columns out, or put a label "
                "that has the sign itself in double quotes"
            )
        pairs.append(Line(where, inside.path(name, where), label))
    return pairs


_HEADERS = frozenset({"label", "labels", "class", "target", "category", "y", "noisy_label", "class_name", "label_name"})
_SEPARATED = re.compile(
    r"(?P<name>.+(?:" + "|".join(map(re.escape, IMAGE_ENDINGS)) + r"))(?P<gap>\s*[,;]\s*|\s+)(?P<label>.*)",
    re.IGNORECASE,
)


def _split(line: str) -> tuple[str, str, str, bool]:
    """Path and label of a line, what the label cannot hold, and whether the path ends as images do."""
    if '"' in line:
        for mark in ",\t; ":
            fields = next(csv.reader([line], delimiter=mark, skipinitialspace=True))
            if len(fields) == 2 and fields[0] and fields[1]:
                return fields[0].strip(), fields[1].strip(), "", fields[0].lower().strip().endswith(IMAGE_ENDINGS)
    match = _SEPARATED.fullmatch(line)
    if match is not None:
        mark = next((mark for mark in ",;\t" if mark in match["gap"]), "")
        return match["name"], match["label"], mark, True
    place = max(line.rfind(mark) for mark in " \t,;")
    return line[: max(place, 0)].rstrip(" \t,;"), line[place + 1 :], "", False


class Inside:
    """Keeps the paths of a list inside ``root``, the folder that they start from."""

    def __init__(self, root: Path) -> None:
        self._root = root
        absolute = (os.path.abspath(root), os.path.realpath(root))  # noqa: PTH100 - as text, without a look at the disk
        self._roots = [f"{path.replace(os.sep, '/').rstrip('/')}/" for path in absolute]

    def path(self, name: str, where: str) -> str:
        """A path of a list, relative to the root and without detours.

        Absolute paths are taken if they begin with the root. Links on the disk are followed when images are opened.

        Raises:
            DataError: it leads out of the root, by its text, or is none.
        """
        if not name.isascii():
            # Lists are UTF-8; names of files are what the system says.
            name = os.fsdecode(name.encode("utf-8", "surrogateescape"))
        name = posixpath.normpath(name.replace("\\", "/"))
        for root in self._roots:
            name = name.removeprefix(root)
        if name in (".", "..") or name.startswith(("/", "../")) or _DRIVE.match(name) or "\0" in name:
            raise DataError(f"{where}: expected a path inside the data set's folder, which is {self._root}")
        return name


_DRIVE = re.compile(r"[A-Za-z]:/")


def read_list(path: Path, root: Path, classes: int, *, keep: int | None = None) -> Listing:
    """A published list of images, whose labels are numbers; see :func:`read_pairs`.

    Args:
        path: the list.
        root: the folder that its paths start from.
        classes: labels are 0 … ``classes`` - 1.
        keep: only images with labels below this one are kept.

    Raises:
        DataError: a line of another form, a label out of range, or a path that leads out of ``root``.
    """
    paths, labels = [], []
    for where, name, label in read_pairs(path, root):
        if not label.isascii() or not label.isdigit() or len(label) > 9 or int(label) >= classes:
            raise DataError(f"{where}: label {label[:60]}: expected 0 … {classes - 1}")
        if keep is None or int(label) < keep:
            paths.append(name)
            labels.append(int(label))
    return Listing(str(path), root, paths, labels)
