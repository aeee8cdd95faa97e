"""CIFAR-10 and CIFAR-100 in their published Python layout, as a folder or as the archive."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.data._dataset import Dataset, Part
from noiseproof.errors import DataError, DataWarning, LabelError
from noiseproof.extras import need
from noiseproof.noise import check_labels
from noiseproof.untrusted import read_bytes, read_pickle, read_tar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Read = Callable[[str], bytes]


@dataclass(frozen=True)
class _Layout:
    """Names and checksums of one published data set."""

    name: str
    folder: str
    archive: str
    archive_sha256: str
    train: Mapping[str, str]
    """Files and their MD5, the checksum that their publisher's readers use."""
    test: Mapping[str, str]
    meta: str
    labels_key: str
    names_key: str
    num_classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def url(self) -> str:
        return f"https://www.cs.toronto.edu/~kriz/{self.archive}"


_MOST_BYTES = 1 << 30
"""The size of one of its files: the largest that was published has 155 million bytes."""

_CIFAR10 = _Layout(
    name="cifar10",
    folder="cifar-10-batches-py",
    archive="cifar-10-python.tar.gz",
    archive_sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    train={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    test={"test_batch": "40351d587109b95175f43aff81a1287e"},
    meta="batches.meta",
    labels_key="labels",
    names_key="label_names",
    num_classes=10,
    mean=(0.49139968, 0.48215827, 0.44653124),
    std=(0.24703233, 0.24348505, 0.26158768),
)

_CIFAR100 = _Layout(
    name="cifar100",
    folder="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    archive_sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    train={"train": "16019d7e3df5f24257cddd939b257f8d"},
    test={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    meta="meta",
    labels_key="fine_labels",
    names_key="fine_label_names",
    num_classes=100,
    mean=(0.5071, 0.4865, 0.4409),
    std=(0.2673, 0.2564, 0.2762),
)


def cifar10(root: str | Path, *, download: bool = False) -> Dataset:
    """CIFAR-10: 50,000 training and 10,000 test images of 32 x 32 pixels in 10 classes.

    Args:
        root: the folder ``cifar-10-batches-py``, the archive ``cifar-10-python.tar.gz``, or a folder that holds
            either.
        download: fetch the archive into ``root`` if neither is there (163 MiB); its SHA-256 is verified.

    Raises:
        DataError: nothing there, or a file that is truncated, malicious or in another layout.

    Warns:
        DataWarning: the files are not the published ones, by their checksums. They are used all the same.
    """
    return _load(_CIFAR10, Path(root), download=download)


def cifar100(root: str | Path, *, download: bool = False) -> Dataset:
    """CIFAR-100 with its 100 fine labels: 50,000 training and 10,000 test images of 32 x 32 pixels.

    Args:
        root: the folder ``cifar-100-python``, the archive ``cifar-100-python.tar.gz``, or a folder that holds
            either.
        download: fetch the archive into ``root`` if neither is there (161 MiB); its SHA-256 is verified.

    Raises:
        DataError: nothing there, or a file that is truncated, malicious or in another layout.

    Warns:
        DataWarning: the files are not the published ones, by their checksums. They are used all the same.
    """
    return _load(_CIFAR100, Path(root), download=download)


def _load(layout: _Layout, root: Path, *, download: bool) -> Dataset:
    folder, archive = _find(layout, root)
    if folder is None and archive is None:
        if not download:
            raise DataError(
                f"no {layout.name} under {root}: expected the folder {layout.folder} or {layout.archive} there "
                f"(from {layout.url}), or allow the download"
            )
        archive = _download(layout, root)
    if folder is not None:
        return _assemble(layout, _folder_reader(folder), str(folder))
    assert archive is not None  # noqa: S101 - one of the two was found
    return _assemble(layout, _archive_reader(layout, archive), str(archive))


def _find(layout: _Layout, root: Path) -> tuple[Path | None, Path | None]:
    first = next(iter(layout.train))
    for folder in (root, root / layout.folder):
        if (folder / first).is_file():
            return folder, None
    for archive in (root, root / layout.archive):
        if archive.is_file():
            return None, archive
    return None, None


def _download(layout: _Layout, root: Path) -> Path:
    need("a download needs", "pooch")
    import pooch

    try:
        return Path(
            pooch.retrieve(
                layout.url, f"sha256:{layout.archive_sha256}", fname=layout.archive, path=root, progressbar=False
            )
        )
    except Exception as error:  # pooch raises what its transport raises
        raise DataError(
            f"could not download {layout.url}: {error}. Fetch it by other means and put it into {root}."
        ) from error


def _folder_reader(folder: Path) -> Read:
    def read(name: str) -> bytes:
        try:
            return read_bytes(folder / name, _MOST_BYTES)
        except DataError as error:
            raise DataError(f"{error}. The data set is incomplete, or not what its files' names say.") from error

    return read


def _archive_reader(layout: _Layout, path: Path) -> Read:
    try:
        members = read_tar(path, (*layout.train, *layout.test, layout.meta))
    except DataError as error:
        raise DataError(f"{error}. If it is damaged or truncated, get it again from {layout.url}.") from error

    def read(name: str) -> bytes:
        if name not in members:
            raise DataError(f"{path} holds no {name}: expected the published archive {layout.archive}")
        return members[name]

    return read


def _assemble(layout: _Layout, read: Read, where: str) -> Dataset:
    unknown: list[str] = []
    parts = []
    for files in (layout.train, layout.test):
        batches = []
        for name, md5 in files.items():
            content = read(name)
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
                unknown.append(name)
            batches.append(_batch(layout, read_pickle(content, f"{where}: {name}"), f"{where}: {name}"))
        parts.append(Part(np.concatenate([b.inputs for b in batches]), np.concatenate([b.labels for b in batches])))
    meta = read_pickle(read(layout.meta), f"{where}: {layout.meta}")
    names = meta.get(layout.names_key)
    if not isinstance(names, list) or len(names) != layout.num_classes:
        raise DataError(f"{where}: {layout.meta} has no {layout.num_classes} {layout.names_key}")
    notes: tuple[str, ...] = ()
    if unknown:
        notes = (f"{layout.name}: not the published files, by their checksums",)
        warnings.warn(
            f"{where}: {', '.join(unknown)} differ from the published {layout.name} (by MD5). They are used; "
            "figures from them are not comparable one to one with published ones.",
            DataWarning,
            stacklevel=4,
        )
    return Dataset(
        layout.name,
        parts[0],
        parts[1],
        tuple(name.decode("latin1") if isinstance(name, bytes) else str(name) for name in names),
        tuple(255 * value for value in layout.mean),
        tuple(255 * value for value in layout.std),
        notes=notes,
    )


def _batch(layout: _Layout, content: dict[str, Any], where: str) -> Part:
    pixels, labels = content.get("data"), content.get(layout.labels_key)
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3072:
        raise DataError(f"{where}: 'data' is not uint8 of shape (N, 3072), as {layout.name} has it")
    if not isinstance(labels, list | np.ndarray) or np.ndim(labels) != 1 or len(labels) != len(pixels):
        raise DataError(f"{where}: expected {len(pixels)} {layout.labels_key!r}, one per image")
    images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    try:
        return Part(images, check_labels(labels, layout.num_classes, what="training label").astype(np.int64))
    except LabelError as error:
        raise DataError(f"{where}: {error}") from error
