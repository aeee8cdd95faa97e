"""Data sets of image files: from the user's folders and lists, and what the published ones share."""

from __future__ import annotations

import functools
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from noiseproof.classes import Classes, read_labels, sort_names
from noiseproof.data._dataset import Dataset, Part, check_classes
from noiseproof.data._decode import LOOKED_AT, check_pillow, used_depth
from noiseproof.data._files import (
    IMAGE_ENDINGS,
    ImageFiles,
    Listing,
    find_files,
    folder_images,
    read_pairs,
    subfolders,
    warn_of_left_out,
)
from noiseproof.data._splits import find_splits
from noiseproof.errors import DataError, DataWarning, LabelError
from noiseproof.untrusted import read_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def image_folder(
    path: str | Path, *, image_size: int = 224, resize: int = 256, unreadable: float | None = None
) -> Dataset:
    """Images in one folder per class, whose names are the classes: in numeric order if all are numbers, else sorted.

    Expected are the folders ``train`` and, optional, ``test`` and ``val`` with a folder per class in each (without
    ``test``, ``val`` is the test set; with both, it is a further one), or the folders of the classes themselves, which
    are then all for training. The three may be called ``Training``, ``validation_set``, ``test-images`` and so on, in
    any case. Images are standardized by ImageNet's mean and deviation.

    Args:
        path: the folder.
        image_size: height and width of what a network gets.
        resize: the length of an image's short side before it is cropped.
        unreadable: the share of a part's images that may be missing or empty, or gone in training; a hundredth, or ten
            of a small set, if not given.

    Raises:
        DataError: no such folder, fewer than two classes, a class without images, test classes that are not in
            training, or folders that are parts of a data set rather than classes, without one for training.

    Warns:
        DataWarning: folders that are left out, or classes that could be parts of a data set.
    """
    path = Path(path)
    inner = {name: subfolders(path / name) for name in subfolders(path)}
    splits = find_splits(path, inner)
    train_root = path / splits.pop("train", "")
    folders = _class_folders(train_root)
    classes = sort_names(folders)
    if len(classes) < 2:
        perhaps = "".join(f"; is {train_root / name} the data set?" for name in folders.values() if inner.get(name))
        raise DataError(
            f"{train_root} holds {len(classes)} folders: expected one per class, at least two, with the images in "
            f"them{perhaps}"
        )
    train = _folder_listing(train_root, classes, folders)
    for number, name in enumerate(classes):
        if number not in train.labels:
            raise DataError(f"{train_root / folders[name]} holds no images ({', '.join(IMAGE_ENDINGS)})")
    tests = {}
    for part in ("test", "val"):
        if part in splits:
            root = path / splits[part]
            folders = _class_folders(root)
            unknown = [found for found in folders if found not in classes]
            if unknown:
                raise DataError(f"{root / unknown[0]} is no class of {train_root}, which has {', '.join(classes[:20])}")
            tests["val" if "test" in tests else "test"] = _folder_listing(root, classes, folders)
    dataset = assemble(
        path.resolve().name, train, tests, classes, image_size=image_size, resize=resize, unreadable=unreadable
    )
    return check_classes(dataset)


def image_lists(
    train: str | Path,
    *,
    test: str | Path | None = None,
    classes: str | Path | None = None,
    root: str | Path | None = None,
    image_size: int = 224,
    resize: int = 256,
    unreadable: float | None = None,
) -> Dataset:
    """Images that lists name: text files with a line ``relative/path label`` per image.

    The classes are the labels that occur in both lists, numbers in numeric order.

    Args:
        train: the training list.
        test: the test list, if there is one.
        classes: a file with a class name per line; labels are then these names or, unless they are numbers, count
            them from 0.
        root: the folder that the paths start from; that of the training list, if not given.
        image_size: height and width of what a network gets.
        resize: the length of an image's short side before it is cropped.
        unreadable: the share of a part's images that may be missing or empty, or gone in training; a hundredth, or ten
            of a small set, if not given.

    Raises:
        DataError: a file that cannot be read, a line of another form, a label that is no class, or images that are not
            there.

    Warns:
        DataWarning: a class has no training images, or an image has two labels.
    """
    train = Path(train)
    folder = train.parent if root is None else Path(root)
    lists = {"train": train} if test is None else {"train": train, "test": Path(test)}
    pairs = {part: read_pairs(path, folder) for part, path in lists.items()}
    try:
        labels = {part: read_labels([label for _, _, label in lines]) for part, lines in pairs.items()}
        if classes is None:
            known = Classes.of(*labels.values())
        else:
            known = Classes.named([line for _, line in read_lines(Path(classes))])
    except LabelError as error:
        raise DataError(f"{train}: {error}") from error
    found = {}
    for part, path in lists.items():
        try:
            positions = (known.encode if classes is None else known.resolve)(labels[part])
        except LabelError as error:
            raise DataError(f"{path}: {error}") from error
        found[part] = Listing(str(path), folder, [name for _, name, _ in pairs[part]], positions.tolist())
    dataset = assemble(
        train.stem, found.pop("train"), found, known.names, image_size=image_size, resize=resize, unreadable=unreadable
    )
    return check_classes(dataset)


def assemble(
    name: str,
    train: Listing,
    tests: Mapping[str, Listing],
    class_names: Sequence[str],
    *,
    image_size: int,
    resize: int,
    unreadable: float | None = None,
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
        unreadable: the share of a part's images that may be missing or empty, or gone in training; a hundredth, or ten
            of a small set, if not given.
        square: whether both sides get that length.
        mean: per channel, with 1 for white.
        std: likewise.
        notes: as in :class:`Dataset`.

    Raises:
        DataError: too many files are missing.
    """
    check_pillow()
    make = functools.partial(ImageFiles, image_size=image_size, resize=resize, square=square, unreadable=unreadable)
    files, labels, positions, lost = find_files(train, "training", make)
    depth, dark = used_depth(files.root, files.names(np.arange(0, len(files), max(1, len(files) // LOOKED_AT))))
    if dark:
        warnings.warn(f"{train.source}: {dark}", DataWarning, stacklevel=3)
    files = replace(files, depth=depth)
    make = functools.partial(make, depth=depth)
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
        source_index=positions,
        notes=tuple(notes),
        extra_tests=parts,
        missing={part: names for part, names in missing.items() if names},
    )


def _class_folders(root: Path) -> dict[str, str]:
    """The folders of the classes by the classes' names, which are the same however an accent is stored."""
    folders = subfolders(root)
    try:
        return dict(zip(Classes.named(folders).names, folders, strict=True))
    except LabelError as error:
        raise DataError(f"{root}: {error}") from error


def _folder_listing(root: Path, classes: Sequence[str], folders: Mapping[str, str]) -> Listing:
    paths: list[str] = []
    labels: list[int] = []
    left_out: list[str] = []
    for label, name in enumerate(classes):
        found = folder_images(root, folders[name], left_out) if name in folders else []
        paths += found
        labels += [label] * len(found)
    warn_of_left_out(root, left_out)
    return Listing(str(root), root, paths, labels)
