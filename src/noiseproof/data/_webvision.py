"""WebVision-mini with its validation set, and the ILSVRC12 validation images of the same 50 classes."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.data._files import Listing, folder_images, read_list
from noiseproof.data._listed import assemble
from noiseproof.errors import DataError, DataWarning
from noiseproof.untrusted import read_lines, read_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from noiseproof.data._dataset import Dataset

_KEPT = 50
_ALL = 1000
_WNID = re.compile(r"n\d{8}")
_ID = re.compile(r"[0-9]{1,6}")
_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
_IDS = "ilsvrc2012_ids.txt"


def webvision_mini(
    root: str | Path,
    *,
    ilsvrc12: str | Path | None = None,
    image_size: int = 224,
    resize: int = 256,
    unreadable: float | None = None,
) -> Dataset:
    """WebVision-mini: the first 50 classes of WebVision 1.0's Google subset, 65,944 images with the web's labels.

    The WebVision validation images of these classes are the test set; the ILSVRC12 validation images of the same
    classes are a further one, ``"ilsvrc12"``. Known layouts, in ``root`` or in a folder ``webvision`` in it:

    * list files ``webvision_mini_train.txt`` and ``webvision_mini_val.txt`` with lines ``relative/path label``;
    * the official one: ``info/train_filelist_google.txt``, ``info/val_filelist.txt`` (images in ``val_images_256``,
      ``val_images`` or ``val``), ``info/synsets.txt``, and the folder ``google``.

    ILSVRC12 (a folder ``imagenet``, ``ilsvrc12`` or ``ILSVRC2012`` in or beside it) may have a list
    ``imagenet_val.txt``; a folder per class, named by WordNet ID; or all validation images in one folder with the
    development kit, whose ground truth counts the classes in an order of its own: its ``meta.mat``, or a text
    ``ilsvrc2012_ids.txt`` with lines ``ID wnid``, is needed to read it.

    Args:
        root: where WebVision is.
        ilsvrc12: where ILSVRC12 is, if not there.
        image_size: height and width of what a network gets.
        resize: the length of an image's short side before it is cropped.
        unreadable: the share of a part's images that may be missing or empty, or gone in training; a hundredth, or ten
            of a small set, if not given.

    Raises:
        DataError: no training list, a malformed line, images that are not there, or ILSVRC12 files whose classes
            cannot be told for certain.

    Warns:
        DataWarning: a validation set is not there; training works without.
    """
    root = Path(root)
    for folder in (root, root / "webvision"):
        lists = folder / "webvision_mini_train.txt"
        official = folder / "info" / "train_filelist_google.txt"
        if lists.is_file():
            train = read_list(lists, folder, _KEPT)
            break
        if official.is_file():
            train = read_list(official, folder, _ALL, keep=_KEPT)
            break
    else:
        raise DataError(
            f"no WebVision under {root}: expected webvision_mini_train.txt or info/train_filelist_google.txt there or "
            "in a folder webvision"
        )
    synsets = _synsets(folder / "info" / "synsets.txt")
    found = {
        "test": _validation(folder),
        "ilsvrc12": _ilsvrc12(folder, root, None if ilsvrc12 is None else Path(ilsvrc12), synsets),
    }
    tests = {part: listing for part, listing in found.items() if listing is not None}
    names = {"test": "the WebVision validation set", "ilsvrc12": "the ILSVRC12 validation set"}
    notes = [f"WebVision without {names[part]}, which is not there" for part in names if part not in tests]
    for note in notes:
        warnings.warn(f"{folder}: {note}", DataWarning, stacklevel=2)
    classes = [str(label) for label in range(_KEPT)] if synsets is None else synsets[:_KEPT]
    return assemble(
        "webvision", train, tests, classes, image_size=image_size, resize=resize, unreadable=unreadable, notes=notes
    )


def _validation(folder: Path) -> Listing | None:
    lists = folder / "webvision_mini_val.txt"
    if lists.is_file():
        return read_list(lists, folder, _KEPT)
    official = folder / "info" / "val_filelist.txt"
    if not official.is_file():
        return None
    for name in ("val_images_256", "val_images", "val"):
        if (folder / name).is_dir():
            return read_list(official, folder / name, _ALL, keep=_KEPT)
    raise DataError(f"{official} is there, but none of the folders val_images_256, val_images and val with its images")


def _synsets(path: Path) -> list[str] | None:
    """The WordNet IDs of WebVision's classes, in order; ``None`` without the file."""
    if not path.is_file():
        return None
    wnids = []
    for number, line in read_lines(path):
        wnid = line.split()[0]
        if not _WNID.fullmatch(wnid):
            raise DataError(f"{path}, line {number}: {line[:100]!r}: expected a WordNet ID such as n01440764 first")
        wnids.append(wnid)
    if len(wnids) < _KEPT:
        raise DataError(f"{path} has {len(wnids)} classes: expected 1000, or at least the first {_KEPT}")
    return wnids


def _ilsvrc12(folder: Path, root: Path, given: Path | None, synsets: list[str] | None) -> Listing | None:
    names = ("imagenet", "ilsvrc12", "ILSVRC2012")
    places = [given] if given is not None else [base / name for base in (folder, root) for name in names]
    for place in places:
        if place.is_dir():
            listing = _ilsvrc12_in(place, folder, synsets)
            if listing is not None:
                return listing
    if given is not None or any(place.is_dir() for place in places):
        where = given or next(place for place in places if place.is_dir())
        raise DataError(
            f"no ILSVRC12 validation images in {where}: expected imagenet_val.txt, or folders named by WordNet ID, or "
            f"images ILSVRC2012_val_XXXXXXXX.JPEG with {_TRUTH}"
        )
    return None


def _ilsvrc12_in(place: Path, webvision: Path, synsets: list[str] | None) -> Listing | None:
    images = [folder for folder in (place / "val", place / "ILSVRC2012_img_val", place) if folder.is_dir()]
    for lists in (place / "imagenet_val.txt", webvision / "imagenet_val.txt"):
        if lists.is_file():
            listing = read_list(lists, place, _KEPT)
            first = listing.paths[0] if listing.paths else ""
            base = next((folder for folder in images if (folder / first).is_file()), place)
            return Listing(listing.source, base, listing.paths, listing.labels)
    for folder in images:
        with os.scandir(folder) as entries:
            wnids = sorted(entry.name for entry in entries if _WNID.fullmatch(entry.name) and entry.is_dir())
        if wnids:
            classes = _first_classes(wnids, synsets, str(folder))
            pairs = [(path, label) for label, wnid in enumerate(classes) for path in folder_images(folder, wnid)]
            return Listing(str(folder), folder, [path for path, _ in pairs], [label for _, label in pairs])
    kits = ["", "data", "ILSVRC2012_devkit_t12/data", "devkit/data"]
    for truth in (place / kit / _TRUTH for kit in kits):
        if truth.is_file():
            # The folder with the images: the first of the fifty thousand that the list is about may well be missing.
            base = next((folder for folder in images if next(folder.glob("ILSVRC2012_val_*"), None)), place)
            return _numbered(truth, base, place, synsets)
    return None


def _first_classes(wnids: Iterable[str], synsets: list[str] | None, where: str) -> list[str]:
    """The WordNet IDs of WebVision's first 50 classes: in ``synsets.txt``, or the first of all thousand sorted."""
    if synsets is not None:
        return synsets[:_KEPT]
    known = sorted(set(wnids))
    if len(known) != _ALL:
        raise DataError(
            f"{where} has {len(known)} classes: without info/synsets.txt of WebVision all {_ALL} are needed to tell "
            f"which are its first {_KEPT}"
        )
    return known[:_KEPT]


def _numbered(truth: Path, images: Path, place: Path, synsets: list[str] | None) -> Listing:
    """Line i of the ground truth is the class of image i, as ILSVRC2012_ID: an order that is not that of the wnids."""
    wnid_of = _numbering(truth, place)
    label_of = {wnid: label for label, wnid in enumerate(_first_classes(wnid_of.values(), synsets, str(truth.parent)))}
    paths, labels = [], []
    for image, (number, line) in enumerate(read_lines(truth), 1):
        if not line.isascii() or not line.isdigit() or len(line) > 9 or int(line) not in wnid_of:
            raise DataError(f"{truth}, line {number}: {line[:20]!r}: expected an ILSVRC2012_ID, 1 … {_ALL}")
        wnid = wnid_of[int(line)]
        if wnid in label_of:
            paths.append(f"ILSVRC2012_val_{image:08d}.JPEG")
            labels.append(label_of[wnid])
    return Listing(str(truth), images, paths, labels)


def _numbering(truth: Path, place: Path) -> dict[int, str]:
    """Which WordNet ID each ILSVRC2012_ID is, of the thousand classes of the challenge."""
    for text in (truth.parent / _IDS, place / _IDS):
        if text.is_file():
            return _read_ids(text)
    meta = truth.parent / "meta.mat"
    if meta.is_file():
        return _read_meta(meta)
    raise DataError(
        f"{truth} numbers the classes by ILSVRC2012_ID, which is not the order of their names: put the development "
        f"kit's meta.mat, or a text {_IDS} with lines 'ID wnid', beside it"
    )


def _read_ids(path: Path) -> dict[int, str]:
    pairs = []
    for number, line in read_lines(path):
        fields = line.split()
        if len(fields) < 2 or not _ID.fullmatch(fields[0]) or not _WNID.fullmatch(fields[1]):
            raise DataError(f"{path}, line {number}: {line[:100]!r}: expected 'ID wnid', such as '1 n02119789'")
        pairs.append((int(fields[0]), fields[1]))
    return _checked_numbering(pairs, path)


def _read_meta(path: Path) -> dict[int, str]:
    pairs = read_records(path, "synsets", ("ILSVRC2012_ID", "WNID"))
    if not all(isinstance(number, float) and number.is_integer() and isinstance(wnid, str) for number, wnid in pairs):
        raise DataError(
            f"{path} is not the meta.mat of the ILSVRC2012 kit: its IDs are no numbers, or its WNIDs no texts"
        )
    return _checked_numbering([(int(number), str(wnid)) for number, wnid in pairs], path)


def _checked_numbering(pairs: list[tuple[int, str]], path: Path) -> dict[int, str]:
    numbering = {number: wnid for number, wnid in pairs if 1 <= number <= _ALL}  # above are groups of classes
    kept = sum(1 <= number <= _ALL for number, _ in pairs)
    if kept != len(numbering) or len(set(numbering.values())) != len(numbering):
        raise DataError(f"{path} gives an ID or a WordNet ID twice: expected one of each per class")
    return numbering
