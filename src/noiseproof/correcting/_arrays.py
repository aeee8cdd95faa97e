"""Arrays with other labels: ``.npz`` files, and lists of labels."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.correcting._found import Found, refuse_columns, texts_of
from noiseproof.data import arrays, row_hashes
from noiseproof.errors import DataError, LabelError
from noiseproof.files import write_atomically
from noiseproof.untrusted import open_npz, read_json, read_npy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from noiseproof.auditing import Corrections

_OF_SAMPLES = ("images", "features", "labels", "clean_labels")
"""Arrays with an entry for each training sample."""


def find_npz(path: Path, corrections: Corrections, label: str | None, key: str | None) -> Found:
    """Arrays, whose samples are called by their numbers.

    Raises:
        DataError: they cannot be read.
    """
    refuse_columns(path, label, key)
    dataset = arrays(path, gaps=True)
    labels = [dataset.class_names[place] for place in dataset.train.labels.tolist()]
    matched = corrections.match(range(len(labels)), row_hashes(dataset.train.inputs), labels)
    found = Found(labels, matched, lambda out: write_atomically(out, _npz(path, found, dataset.train.labels)))
    return found


def _npz(path: Path, found: Found, places: NDArray[np.int64]) -> bytes:
    with open_npz(path) as content:
        stored = {name: content.read(name) for name in content.names}
    labels, new = stored["labels"], found.decided
    if "class_names" in stored:
        names = [*map(str, stored["class_names"].tolist())]
        more = dict.fromkeys(text for text in new.values() if text not in {*names, *found.labels})
        if labels.dtype.kind in "iub" and (labels == places).all():  # they count the names
            every = {name: str(place) for place, name in enumerate([*names, *more])}
            new = {row: every.get(text, text) for row, text in new.items()}
        if more:
            stored["class_names"] = np.array([*names, *more])
    stored["labels"] = _array(_with(labels.tolist(), found.labels, new), labels.dtype, path)
    if found.dropped:
        stored |= {name: np.delete(stored[name], found.dropped, 0) for name in _OF_SAMPLES if name in stored}
    with zipfile.ZipFile(path) as archive:
        is_compressed = any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist())
    sink = io.BytesIO()
    write: Any = np.savez_compressed if is_compressed else np.savez
    write(sink, **stored)
    return sink.getvalue()


def find_list(path: Path, corrections: Corrections, label: str | None, key: str | None) -> Found:
    """A list of labels in a ``.npy`` or ``.json`` file, called by their numbers.

    Raises:
        DataError: it is none.
    """
    refuse_columns(path, label, key)
    values: Any = read_npy(path) if path.suffix.lower() == ".npy" else read_json(path)
    if not isinstance(values, list) and getattr(values, "ndim", 0) != 1:
        raise DataError(f"{path} is no list of labels: expected one label for each sample, and nothing else")
    try:
        labels = texts_of(values)
    except LabelError as error:
        raise DataError(f"{path}: {error}") from error
    listed = values if isinstance(values, list) else values.tolist()

    def write(out: Path) -> None:
        new = _with(listed, labels, found.decided)
        left_out = {*found.dropped}
        kept = [value for row, value in enumerate(new) if row not in left_out]
        if isinstance(values, list):
            content = json.dumps(kept, ensure_ascii=False).encode() + b"\n"
        else:
            sink = io.BytesIO()
            np.save(sink, _array(kept, values.dtype, path), allow_pickle=False)
            content = sink.getvalue()
        write_atomically(out, content)

    found = Found(labels, corrections.match(range(len(labels)), None, labels), write)
    return found


def _with(stored: list[Any], labels: Sequence[str], new: Mapping[int, str]) -> list[Any]:
    """Labels with others in some places: as the class is stored already, or else as other classes are."""
    known = dict(zip(labels, stored, strict=True))
    kinds = {*map(type, stored)}
    make: Callable[[str], Any] = (
        int if kinds <= {int} else float if kinds <= {int, float} else str.encode if kinds == {bytes} else str
    )
    values = [*stored]
    for row, text in new.items():
        values[row] = known[text] if text in known else make(text)
    return values


def _array(values: list[Any], dtype: np.dtype[Any], path: Path) -> NDArray[Any]:
    """An array of the type, or of a wider one where values need that."""
    array = np.array(values) if values else np.array(values, dtype)
    if array.dtype.kind not in "iufbSU":
        raise DataError(f"{path}: cannot write the label {max(map(str, values), key=len)[:60]} as {dtype}")
    if dtype.kind == "f":
        return array.astype(dtype)
    if dtype.kind in "iu" and np.iinfo(dtype).min <= array.min() and array.max() <= np.iinfo(dtype).max:
        return array.astype(dtype)
    return array
