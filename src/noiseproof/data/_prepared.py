"""A data set as ``fit`` keeps it: inputs that were looked at and brought into shape, labels, and which are held out."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.numpy import load, save

from noiseproof.container import ContainerError, read_document, write_document
from noiseproof.data._dataset import Dataset, Part
from noiseproof.data._files import ImageFiles, Inside
from noiseproof.data._preprocessing import Preprocessing  # noqa: TC001 - pydantic reads it
from noiseproof.errors import DataError
from noiseproof.files import write_atomically
from noiseproof.untrusted import read_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

DESCRIPTION, ARRAYS = "data.json", "data.safetensors"

_MOST_BYTES = 64 << 30


@dataclass(frozen=True)
class _Description:
    """What ``data.json`` says.

    Attributes:
        name: of the data, for tables.
        class_names: one per class.
        preprocessing: of the inputs.
        arrays_sha256: the SHA-256 of the file of arrays.
        root: of image files: the folder that they are in.
        unreadable: of image files: see :class:`noiseproof.data.ImageFiles`.
    """

    name: str
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    arrays_sha256: str
    root: str = ""
    unreadable: float | None = None


_DESCRIPTIONS = TypeAdapter(_Description)


def write_prepared(folder: Path, dataset: Dataset, folds: NDArray[np.int64]) -> None:
    """Write a data set and its folds, so that :func:`read_prepared` reads it in any process.

    Args:
        folder: where; it is there already.
        dataset: without test sets. Of image files, only where they are is written.
        folds: ``(N,)``, in which fold each sample is held out; -1 for one that always trains.
    """
    arrays: dict[str, NDArray[Any]] = {"labels": dataset.train.labels, "folds": folds.astype(np.int64)}
    inputs = dataset.train.inputs
    root, unreadable = "", None
    if isinstance(inputs, ImageFiles):
        root, unreadable = str(inputs.root.absolute()), inputs.unreadable
        width = max(1, inputs.paths.dtype.itemsize)
        arrays["paths"] = np.ascontiguousarray(inputs.paths.astype(f"S{width}")).view(np.uint8).reshape(-1, width)
        arrays["sizes"] = inputs.sizes
        if inputs.hashes is not None:
            arrays["hashes"] = inputs.hashes
    else:
        arrays["inputs"] = np.ascontiguousarray(inputs)
    if dataset.sample_weight is not None:
        arrays["sample_weight"] = dataset.sample_weight
    if dataset.trusted is not None:
        arrays["trusted"] = dataset.trusted
    content = save(arrays)
    described = _Description(
        dataset.name,
        dataset.class_names,
        dataset.preprocessing,
        hashlib.sha256(content).hexdigest(),
        root,
        unreadable,
    )
    write_atomically(folder / ARRAYS, content)
    write_atomically(folder / DESCRIPTION, write_document("data", asdict(described)).encode())


def read_prepared(folder: Path, fold: int | None = None) -> Dataset:
    """The data set that :func:`write_prepared` wrote.

    Args:
        folder: where it is.
        fold: which samples are held out; ``None`` for none.

    Raises:
        DataError: it is not there, or was changed, or there is no such fold.
    """
    path = folder / DESCRIPTION
    try:
        description = _DESCRIPTIONS.validate_python(read_document(path, "data"))
        content = read_bytes(folder / ARRAYS, _MOST_BYTES)
        found = hashlib.sha256(content).hexdigest()
        if found != description.arrays_sha256:
            raise ContainerError(f"{ARRAYS} was changed: its SHA-256 is {found}, not {description.arrays_sha256}")
        arrays = load(content)
        if len({array.shape[:1] for array in arrays.values()}) != 1 or arrays["labels"].dtype != np.int64:
            raise ContainerError(f"the arrays in {ARRAYS} are not those of one data set")
        dataset = Dataset(
            description.name,
            Part(_inputs(description, arrays), arrays["labels"]),
            None,
            description.class_names,
            description.preprocessing.mean,
            description.preprocessing.std,
            feature_names=description.preprocessing.names,
            shrink=description.preprocessing.shrink,
            encoding=description.preprocessing.encoding,
            embedding=description.preprocessing.embedding,
            sample_weight=arrays.get("sample_weight"),
            trusted=arrays.get("trusted"),
        )
        folds = arrays["folds"]
        if folds.shape != (len(dataset.train),) or folds.dtype != np.int64 or folds.min() < -1:
            raise ContainerError(f"the folds are {folds.dtype} of shape {folds.shape}: expected one for each sample")
        if dataset.preprocessing != description.preprocessing:
            raise ContainerError(f"{ARRAYS} holds other inputs than {DESCRIPTION} says")
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise DataError(f"cannot read the data in {folder}: {error}. Restore the files, or fit again") from error
    if fold is None:
        return dataset
    held_out = np.flatnonzero(folds == fold)
    if not len(held_out):
        raise DataError(f"{folder}: there is no fold {fold}; expected one of 0 to {folds.max()}")
    return replace(dataset, held_out=held_out)


def _inputs(description: _Description, arrays: dict[str, NDArray[Any]]) -> NDArray[Any] | ImageFiles:
    preprocessing = description.preprocessing
    if preprocessing.kind != "files":
        if preprocessing.kind == "images" and arrays["inputs"].dtype != np.uint8:
            raise ContainerError(f"the images are {arrays['inputs'].dtype}: expected uint8")
        return arrays["inputs"]
    if arrays["paths"].ndim != 2 or arrays["paths"].dtype != np.uint8:
        raise ContainerError("the paths are no rows of bytes")
    paths = np.ascontiguousarray(arrays["paths"]).view(f"S{arrays['paths'].shape[1]}")[:, 0]
    files = ImageFiles(
        Path(description.root),
        paths,
        arrays["sizes"],
        image_size=preprocessing.shape[0],
        resize=preprocessing.resize,
        square=preprocessing.square,
        depth=preprocessing.depth,
        unreadable=description.unreadable,
        hashes=arrays.get("hashes"),
    )
    inside = Inside(files.root)
    for name in files.names(np.arange(len(files))):
        inside.path(name, DESCRIPTION)
    return files
