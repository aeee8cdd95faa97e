"""Data sets of image files: from the user's folders and lists, and what the published ones share."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.data._dataset import Dataset, Part
from noiseproof.data._decode import check_pillow
from noiseproof.data._files import ImageFiles, Listing, find_files, read_list, text_lines
from noiseproof.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm")


def image_folder(path: str | Path, *, image_size: int = 224, resize: int = 256) -> Dataset:
    """Images in one folder per class, whose names in alphabetical order are the classes.

    Expected are the folders ``train`` and, optional, ``test`` and ``val`` with a folder per class in each (without
    ``test``, ``val`` is the test set; with both, it is a further one), or the folders of the classes themselves, which
    are then all for training. Images are standardised by ImageNet's mean and deviation.

    Args:
        path: the folder.
        image_size: height and width of what a network gets.
        resize: the length of an image's short side before it is cropped.

    Raises:
        DataError: no such folder, fewer than two classes, a class without images, or test classes that are not in
            training.
    """
    path = Path(path)
    split = (path / "train").is_dir()
    train_root = path / "train" if split else path
    classes = _subfolders(train_root)
    if len(classes) < 2:
        raise DataError(
            f"{train_root} holds {len(classes)} folders: expected one per class, at least two, with the images in them"
        )
    train = _folder_listing(train_root, classes)
    for number, name in enumerate(classes):
        if number not in train.labels:
            raise DataError(f"{train_root / name} holds no images ({', '.join(_ENDINGS)})")
    tests = {}
    for name in ("test", "val") if split else ():
        root = path / name
        if root.is_dir():
            unknown = [found for found in _subfolders(root) if found not in classes]
            if unknown:
                raise DataError(f"{root / unknown[0]} is no class of {train_root}, which has {', '.join(classes[:20])}")
            tests["val" if "test" in tests else "test"] = _folder_listing(root, classes)
    return assemble(path.resolve().name, train, tests, classes, image_size=image_size, resize=resize)


def image_lists(
    train: str | Path,
    *,
    test: str | Path | None = None,
    classes: str | Path | None = None,
    root: str | Path | None = None,
    image_size: int = 224,
    resize: int = 256,
) -> Dataset:
    """Images that lists name: text files with a line ``relative/path label`` per image, labels from 0.

    Args:
        train: the training list.
        test: the test list, if there is one.
        classes: a file with a class name per line; without it the labels are the names.
        root: the folder that the paths start from; that of the training list, if not given.
        image_size: height and width of what a network gets.
        resize: the length of an image's short side before it is cropped.

    Raises:
        DataError: a file that cannot be read, a line of another form, a label out of range, or images that are not
            there.
    """
    train = Path(train)
    folder = train.parent if root is None else Path(root)
    names = None if classes is None else [line for _, line in text_lines(Path(classes))]
    listing = read_list(train, folder, None if names is None else len(names))
    if names is None:
        names = [str(label) for label in range(max(listing.labels, default=0) + 1)]
    tests = {} if test is None else {"test": read_list(Path(test), folder, len(names))}
    return assemble(train.stem, listing, tests, names, image_size=image_size, resize=resize)


def assemble(
    name: str,
    train: Listing,
    tests: Mapping[str, Listing],
    class_names: Sequence[str],
    *,
    image_size: int,
    resize: int,
    square: bool = False,
    mean: tuple[float, ...] = IMAGENET_MEAN,
    std: tuple[float, ...] = IMAGENET_STD,
    notes: Sequence[str] = (),
) -> Dataset:
    """A data set from lists, after a look for the files.

    Args:
        name: the name in tables.
        train: the training images.
        tests: ``"test"``, and further test sets by name.
        class_names: one per class.
        image_size: height and width of what a network gets.
        resize: the length of an image's short side before it is cropped.
        square: whether both sides get that length.
        mean: per channel, with 1 for white.
        std: likewise.
        notes: as in :class:`Dataset`.

    Raises:
        DataError: too many files are missing.
    """
    check_pillow()
    make = functools.partial(ImageFiles, image_size=image_size, resize=resize, square=square)
    files, labels, positions, lost = find_files(train, "training", make)
    missing = {"train": lost}
    parts = {}
    for part, listing in tests.items():
        test_files, test_labels, _, missing[part] = find_files(listing, part, make)
        parts[part] = Part(test_files, test_labels)
    return Dataset(
        name,
        Part(files, labels),
        parts.pop("test", None),
        tuple(class_names),
        tuple(255 * value for value in mean),
        tuple(255 * value for value in std),
        positions=positions,
        notes=tuple(notes),
        also=parts,
        missing={part: names for part, names in missing.items() if names},
    )


def _subfolders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"cannot read the image folder {path}: {error}") from error


def _folder_listing(root: Path, classes: Sequence[str]) -> Listing:
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = folder_images(root, name)
        paths += found
        labels += [label] * len(found)
    return Listing(str(root), root, paths, labels)


def folder_images(root: Path, name: str) -> list[str]:
    """The images anywhere under the folder ``name`` of ``root``, relative to ``root`` and sorted."""
    return sorted(
        file.relative_to(root).as_posix()
        for file in (root / name).rglob("*")
        if file.suffix.lower() in _ENDINGS and not file.name.startswith(".")
    )
