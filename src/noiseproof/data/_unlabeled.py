"""Inputs without labels, or with labels that nobody asks for: what somebody wants predictions for."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.data._cells import TEXT_TABLES, read_cells
from noiseproof.data._decode import Unreadable, check_pillow, gray, try_decode
from noiseproof.data._features import check_features, check_reach
from noiseproof.data._files import IMAGE_ENDINGS, ImageFiles, Inside, folder_images
from noiseproof.data._label_list import LABEL_COLUMNS, NAME_COLUMNS
from noiseproof.data._preprocessing import shrink_images
from noiseproof.data._table import TABLES, read_table, table_of
from noiseproof.errors import DataError, DataWarning, shorten, suggest
from noiseproof.untrusted import is_number, open_npz, read_npy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from noiseproof.data._preprocessing import Preprocessing


@dataclass(frozen=True, eq=False)
class Unlabeled:
    """Inputs, and what each is called.

    Attributes:
        inputs: as in :class:`noiseproof.data.Part`, before they are standardized.
        keys: one per input: a path, the value of a column, or the number of the row.
        unreadable: name and reason of the images that gave no pixels, by position.
    """

    inputs: NDArray[Any] | ImageFiles
    keys: Sequence[str | int]
    unreadable: dict[int, tuple[str, str]]


def read_unlabeled(
    path: str | Path, preprocessing: Preprocessing, *, key: str | None = None, root: str | Path | None = None
) -> Unlabeled:
    """Inputs from a file, a folder of images or a list of images.

    ================ ================================================================================================
    path             what is read
    ================ ================================================================================================
    .npz             the array ``features`` or ``images``; other arrays do not count, but for the one named by ``key``
    .npy             the array
    .csv, .tsv, .txt for a network that learned from a table, its columns by name, as :func:`read_table` reads them. For
                     other features a table, whose columns of labels and text do not count; with a header, features that
                     have names are found by them. For images a list with a path in each line, or in a column
    .parquet         for a network that learned from a table, its columns by name
    a folder         every image in it, at any depth
    an image         itself
    ================ ================================================================================================

    Args:
        path: what to read.
        preprocessing: of the network that is to see it.
        key: the column (of an ``.npz``: the array) that says what each input is called; by default the path of an
            image, or the number of a row, counted from 0.
        root: the folder that the paths of a list start from; by default that of the list.

    Raises:
        DataError: there is no such file, or its inputs are not of this kind and shape.
    """
    path = Path(path)
    if preprocessing.embedding is not None:
        return read_unlabeled(path, preprocessing.embedding.images, key=key, root=root)
    ending = path.suffix.lower()
    if path.is_dir() or ending in IMAGE_ENDINGS:
        return _images_at(path, preprocessing, key)
    if ending == ".npz":
        return _from_npz(path, preprocessing, key)
    if ending == ".npy":
        _refuse_key(key, path)
        return unlabeled_arrays(read_npy(path), preprocessing, str(path))
    if preprocessing.encoding is not None and ending in TABLES:
        table = read_table(path, as_text=() if key is None else (key,))
        keys = None if key is None else [name or "" for name in table[key]]
        return unlabeled_arrays(table, preprocessing, keys=keys)
    if ending in TEXT_TABLES:
        rows = _Rows(path, key)
        if preprocessing.is_image:
            return _listed(rows, preprocessing, Path(root) if root is not None else path.parent)
        return _from_rows(rows, preprocessing)
    raise DataError(
        f"cannot read inputs from {path}: expected {'image files, ' if preprocessing.is_image else ''}a .npz or .npy "
        f"file, {'a folder of images, or a list of them' if preprocessing.is_image else 'or a table'} "
        f"({', '.join(TEXT_TABLES if preprocessing.encoding is None else TABLES)})"
    )


def unlabeled_arrays(
    inputs: Any, preprocessing: Preprocessing, where: str = "inputs", keys: Sequence[str | int] | None = None
) -> Unlabeled:
    """Inputs that are in memory: an array, a tensor, nested lists, a data frame, a table, or image files.

    A network that learned from a table finds its columns by name. It takes an array only if it learned from one. Where
    a frozen network makes the features, these are the images that it gets.

    Raises:
        DataError: they are not of this kind and shape, or hold a number that is not finite.
    """
    if preprocessing.embedding is not None:
        return unlabeled_arrays(inputs, preprocessing.embedding.images, where, keys)
    if preprocessing.encoding is not None and not isinstance(inputs, ImageFiles):
        table = table_of(inputs, where)
        return Unlabeled(preprocessing.encoding.encode(table), range(len(table)) if keys is None else keys, {})
    if isinstance(inputs, ImageFiles):
        names = inputs.names(np.arange(len(inputs)))
        return _of_files(inputs, names if keys is None else keys, preprocessing)
    if hasattr(inputs, "columns") and hasattr(inputs, "to_numpy"):
        inputs = _columns_of_frame(inputs, preprocessing, where)
    elif hasattr(inputs, "detach"):
        inputs = inputs.detach().cpu().numpy()
    array = np.asarray(inputs)
    if preprocessing.is_image:
        array = _checked_images(array, preprocessing, where)
    else:
        array = _checked_features(array, preprocessing, where)
    return Unlabeled(array, range(len(array)) if keys is None else keys, {})


def _checked_features(array: NDArray[Any], preprocessing: Preprocessing, where: str) -> NDArray[Any]:
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.ndim != 2 or array.dtype.kind not in "iuf" or array.shape[1:] != preprocessing.shape:
        raise DataError(
            f"{where} is {array.dtype} of shape {array.shape}: expected numbers of shape "
            f"(N, {preprocessing.shape[0]}), as the network was trained on"
        )
    check_features(array, where)
    check_reach(array, np.array(preprocessing.mean), np.array(preprocessing.std), where)
    return array


def _checked_images(array: NDArray[Any], preprocessing: Preprocessing, where: str) -> NDArray[Any]:
    if array.ndim == 3:
        array = array[..., None]
    if preprocessing.kind == "files":
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] not in (1, 3) or 0 in array.shape[1:]:
            raise DataError(
                f"{where} is {array.dtype} of shape {array.shape}: expected uint8 of shape (N, height, width) or "
                "(N, height, width, 3); the network was trained on image files"
            )
        return array
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1:] != preprocessing.stored_shape:
        raise DataError(
            f"{where} is {array.dtype} of shape {array.shape}: expected uint8 of shape (N, "
            f"{', '.join(map(str, preprocessing.stored_shape))}), as the network was trained on"
        )
    return shrink_images(array, preprocessing.shrink, where) if preprocessing.shrink > 1 else array


def _columns_of_frame(frame: Any, preprocessing: Preprocessing, where: str) -> NDArray[Any]:
    names = [str(name) for name in frame.columns]
    if preprocessing.is_image:
        raise DataError(f"{where} is a table: expected images")
    if not preprocessing.names:
        return np.asarray(frame.to_numpy())
    missing = [name for name in preprocessing.names if name not in names]
    if missing:
        raise DataError(f"{where} lacks the columns {shorten(missing)}, which the network was trained on")
    places = [names.index(name) for name in preprocessing.names]
    try:
        return np.asarray(frame.to_numpy()[:, places].astype(np.float64))
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: a column of features holds something else than numbers ({error})") from error


def _from_npz(path: Path, preprocessing: Preprocessing, key: str | None) -> Unlabeled:
    kind = "images" if preprocessing.is_image else "features"
    with open_npz(path) as content:
        wanted = [kind] if key is None else [kind, key]
        for name in wanted:
            if name not in content.names:
                raise DataError(f"{path} has no array {name!r}{suggest(name, content.names)}")
        keys = None if key is None else _keys(content.read(key), f"{path}: {key}")
        found = unlabeled_arrays(content.read(kind), preprocessing, f"{path}: {kind}", keys)
    if len(found.keys) != len(found.inputs):
        raise DataError(f"{path}: {len(found.keys)} values of {key!r} for {len(found.inputs)} {kind}")
    return found


def _keys(array: NDArray[Any], where: str) -> list[str | int]:
    if array.ndim != 1 or array.dtype.kind not in "iuUS":
        raise DataError(f"{where} is {array.dtype} of shape {array.shape}: expected whole numbers or text, (N,)")
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in array.tolist()]


def _refuse_key(key: str | None, path: Path) -> None:
    if key is not None:
        raise DataError(f"{path} has no columns: leave --key {key} out")


class _Rows:
    """The cells of a text file of features or of paths, under a header or not.

    Args:
        path: the file.
        key: the column that says what each row is called.

    Raises:
        DataError: rows of different lengths, or no such column.
    """

    def __init__(self, path: Path, key: str | None) -> None:
        self.path = path
        rows = read_cells(path, errors="surrogateescape")
        self.head: list[str] = []
        if not any(is_number(cell) or _is_image(cell) for cell in rows[0]):
            self.head = rows.pop(0)
        if not rows:
            raise DataError(f"{path} has no rows below its header")
        self.rows = rows
        self.key: int | None = None
        if key is not None:
            if key not in self.head:
                has = suggest(key, self.head) if self.head else ": it has no header"
                raise DataError(f"{path} has no column {key!r}{has}")
            self.key = self.head.index(key)

    def column(self, place: int) -> list[str]:
        """The cells of a column."""
        return [row[place] for row in self.rows]

    @property
    def keys(self) -> list[str] | None:
        """What the rows are called, where a column says so."""
        return None if self.key is None else self.column(self.key)

    def name(self, place: int) -> str:
        """What a column is called in errors."""
        return self.head[place] if self.head else f"column {place}"


def _is_image(cell: str) -> bool:
    return cell.lower().endswith(IMAGE_ENDINGS)


def _is_text(column: list[str]) -> bool:
    """Whether a column holds no numbers, but not because it is all gaps."""
    return any(column) and not any(map(is_number, column))


def _from_rows(table: _Rows, preprocessing: Preprocessing) -> Unlabeled:
    """The columns of features: by name, or those of numbers that are no labels."""
    count = preprocessing.shape[0]
    if preprocessing.names and table.head:
        missing = [name for name in preprocessing.names if name not in table.head]
        if missing:
            raise DataError(f"{table.path} lacks the columns {shorten(missing)}, which the network was trained on")
        places = [table.head.index(name) for name in preprocessing.names]
    else:
        labels = {name.casefold() for name in LABEL_COLUMNS}
        others = [place for place in range(len(table.rows[0])) if place != table.key]
        places = [place for place in others if not _is_text(table.column(place))]
        called = [table.head[place] for place in places if table.head and table.head[place].casefold() in labels]
        if called and len(places) == count:
            warnings.warn(
                f"{table.path}: {shorten(called)} is taken for a feature: the network takes {count}, and there are no "
                "other columns of numbers",
                DataWarning,
                stacklevel=3,
            )
        elif called:
            places = [place for place in places if table.head[place] not in called]
        if len(places) != count:
            raise DataError(
                f"{table.path} has {len(places)} columns of numbers ({shorten([table.name(p) for p in places])}) and "
                f"the network takes {count} features: leave out what is no feature, or give the column of names as "
                "the key"
            )
    array = np.empty((len(table.rows), count))
    for feature, place in enumerate(places):
        for row, cell in enumerate(table.column(place)):
            if not is_number(cell):
                raise DataError(
                    f"{table.path}, row {row}: {table.name(place)} is {cell[:60]!r}: expected a number; fill gaps first"
                )
            array[row, feature] = float(cell)
    return unlabeled_arrays(array, preprocessing, str(table.path), table.keys)


def _listed(table: _Rows, preprocessing: Preprocessing, root: Path) -> Unlabeled:
    """The images that a list names."""
    names = {name.casefold() for name in NAME_COLUMNS}
    places = range(len(table.rows[0]))
    named = [place for place in places if all(map(_is_image, table.column(place)))]
    named += [place for place in places if table.head and table.head[place].casefold() in names and place not in named]
    if not named:
        raise DataError(
            f"{table.path} names no images: expected a path such as photos/1.jpg in each line, or a column of paths"
        )
    inside = Inside(root)
    listed = table.column(named[0])
    paths = [inside.path(name, f"{table.path}, row {row}") for row, name in enumerate(listed)]
    return _files_at(root, paths, listed if table.keys is None else table.keys, preprocessing)


def _images_at(path: Path, preprocessing: Preprocessing, key: str | None) -> Unlabeled:
    if not preprocessing.is_image:
        raise DataError(
            f"{path} is {'a folder' if path.is_dir() else 'an image'}, and the network takes tables of "
            f"{preprocessing.shape[0]} features: give a .npz, .npy or .csv file"
        )
    _refuse_key(key, path)
    if not path.is_dir():
        if not path.is_file():
            raise DataError(f"there is no image {path}")
        return _files_at(path.parent, [path.name], [str(path)], preprocessing)
    paths = [name.removeprefix("./") for name in folder_images(path, "")]
    if not paths:
        raise DataError(f"{path} holds no images ({', '.join(IMAGE_ENDINGS)})")
    return _files_at(path, paths, paths, preprocessing)


def _files_at(root: Path, paths: list[str], keys: Sequence[str | int], preprocessing: Preprocessing) -> Unlabeled:
    files = ImageFiles(
        root,
        np.array([os.fsencode(name) for name in paths]),
        np.zeros(len(paths), np.int64),
        image_size=preprocessing.shape[0] if preprocessing.kind == "files" else 1,
        resize=max(preprocessing.resize, 1),
        unreadable=1.0,
    )
    return _of_files(files, keys, preprocessing)


def _of_files(files: ImageFiles, keys: Sequence[str | int], preprocessing: Preprocessing) -> Unlabeled:
    """Files as the network's own were: left on disk, or decoded to arrays where it was trained on such."""
    check_pillow()
    if not preprocessing.is_image:
        raise DataError(f"{files.root} holds images, and the network takes {preprocessing.shape[0]} features")
    if preprocessing.kind == "files":
        files = replace(
            files,
            image_size=preprocessing.shape[0],
            resize=preprocessing.resize,
            square=preprocessing.square,
            depth=preprocessing.depth,
            unreadable=1.0,
        )
        return Unlabeled(files, keys, {})
    height, width, channels = preprocessing.stored_shape
    if height != width or channels not in (1, 3):
        raise DataError(
            f"the network was trained on arrays of shape {preprocessing.stored_shape}: expected a .npz or .npy file of "
            "such, since image files are brought to squares of one or three channels only"
        )
    images = np.zeros((len(files), height, width, channels), np.uint8)
    unreadable: dict[int, tuple[str, str]] = {}
    for place, name in enumerate(files.names(np.arange(len(files)))):
        pixels = try_decode(files.root / name, height, square=False, depth=preprocessing.depth)
        if isinstance(pixels, Unreadable):
            unreadable[place] = name, pixels.why
            continue
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        pixels = pixels[top : top + height, left : left + width]
        images[place] = pixels if channels == 3 else gray(pixels)
    if preprocessing.shrink > 1:
        images = shrink_images(images, preprocessing.shrink, str(files.root))
    return Unlabeled(images, keys, unreadable)
