"""Clothing1M in its two published layouts."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.data._files import Inside, Listing, read_list
from noiseproof.data._listed import assemble
from noiseproof.errors import DataError, DataWarning
from noiseproof.untrusted import read_lines

if TYPE_CHECKING:
    from noiseproof.data._dataset import Dataset

_CLASSES = (
    "T-shirt", "shirt", "knitwear", "chiffon", "sweater", "hoodie", "windbreaker", "jacket", "down coat", "suit",
    "shawl", "dress", "vest", "underwear",
)  # fmt: skip

# Part: its key list, the file with its labels, and its list in the other layout.
_PARTS = {
    "train": ("noisy_train_key_list.txt", "noisy_label_kv.txt", "noisy_train.txt"),
    "test": ("clean_test_key_list.txt", "clean_label_kv.txt", "clean_test.txt"),
    "clean-validation": ("clean_val_key_list.txt", "clean_label_kv.txt", "clean_val.txt"),
}


def clothing1m(
    root: str | Path, *, image_size: int = 224, resize: int = 256, unreadable: float | None = None
) -> Dataset:
    """Clothing1M: a million shop images of 14 kinds of clothes with noisy labels, and two small clean sets.

    The clean test set is the test set, the clean validation set a further one. Clean training images are not used, as
    in published comparisons. All images are resized to a square. Two layouts are known: key lists with label files
    (``noisy_train_key_list.txt``, ``noisy_label_kv.txt``, …), and lists of ``path label`` (``noisy_train.txt``,
    ``clean_test.txt``, ``clean_val.txt``); in the folder itself or in its ``annotations``. Lines of label files that
    have not exactly two fields are skipped and counted, as published code does.

    Args:
        root: the folder, or one that holds it under the name ``clothing1m``.
        image_size: height and width of what a network gets.
        resize: height and width before the crop.
        unreadable: the share of a part's images that may be missing or empty, or gone in training; a hundredth, or ten
            of a small set, if not given.

    Raises:
        DataError: the training lists or too many of the images are not there, a label that is no class,
            or an image without a label.

    Warns:
        DataWarning: one of the clean sets is not there; training works without.
    """
    root = Path(root)
    skipped: dict[Path, int] = {}
    for folder in (root, root / "clothing1m", root / "Clothing1M"):
        found = {part: _listing(folder, *files, skipped) for part, files in _PARTS.items()}
        if found["train"] is not None:
            break
    else:
        raise DataError(
            f"no Clothing1M under {root}: expected annotations/noisy_train_key_list.txt with noisy_label_kv.txt, or "
            "noisy_train.txt, there or in a folder clothing1m"
        )
    notes = [f"{count} lines of {file.name} have not two fields and were skipped" for file, count in skipped.items()]
    tests = {part: listing for part, listing in found.items() if listing is not None and part != "train"}
    for part in _PARTS:
        if part not in ("train", *tests):
            notes.append(f"Clothing1M without its clean {part.removeprefix('clean-')} set, which is not there")
            warnings.warn(f"{folder}: {notes[-1]}", DataWarning, stacklevel=2)
    return assemble(
        "clothing1m",
        found["train"],
        tests,
        _CLASSES,
        image_size=image_size,
        resize=resize,
        unreadable=unreadable,
        square=True,
        mean=(0.6959, 0.6537, 0.6371),
        std=(0.3113, 0.3192, 0.3214),
        notes=notes,
    )


def _listing(root: Path, keys: str, labels: str, pairs: str, skipped: dict[Path, int]) -> Listing | None:
    for folder in (root / "annotations", root):
        if (folder / keys).is_file():
            return _keyed(folder / keys, folder / labels, root, skipped)
        if (folder / pairs).is_file():
            return read_list(folder / pairs, root, len(_CLASSES))
    return None


def _keyed(key_list: Path, label_file: Path, root: Path, skipped: dict[Path, int]) -> Listing:
    known: dict[str, int] = {}
    odd = 0
    for number, line in read_lines(label_file, errors="surrogateescape"):
        fields = line.split()
        if len(fields) != 2:
            odd += 1
            continue
        key, label = fields
        if not label.isascii() or not label.isdigit() or len(label) > 9 or int(label) >= len(_CLASSES):
            raise DataError(f"{label_file}, line {number}: label {label[:20]!r}: expected 0 … {len(_CLASSES) - 1}")
        known[key] = int(label)
    if odd:
        skipped[label_file] = odd
    inside = Inside(root)
    paths, values = [], []
    for number, key in read_lines(key_list, errors="surrogateescape"):
        where = f"{key_list}, line {number}: {key[:100]!r}"
        if key not in known:
            raise DataError(f"{where} has no label in {label_file.name}")
        paths.append(inside.path(key, where))
        values.append(known[key])
    return Listing(str(key_list), root, paths, values)
