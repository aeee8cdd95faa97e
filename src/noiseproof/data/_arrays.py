"""The user's own arrays, from an ``.npz`` file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.data._dataset import Dataset, Part
from noiseproof.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXPECTED = (
    "expected 'images' (uint8, (N, height, width) or (N, height, width, channels)) or 'features' (numbers, "
    "(N, features)), and 'labels' (integers, (N,)); optional: 'test_images' or 'test_features', 'test_labels', "
    "'clean_labels', 'class_names'"
)


def arrays(path: str | Path) -> Dataset:
    """A data set from an ``.npz`` file, such as ``numpy.savez(path, images=…, labels=…)`` writes.

    Arrays in the file: ``images`` (uint8, ``(N, height, width)`` or ``(N, height, width, channels)``) or ``features``
    (numbers, ``(N, features)``), and ``labels`` (integers from 0, ``(N,)``), which may be wrong. Optional:
    ``test_images`` or ``test_features`` with ``test_labels`` that can be trusted, ``clean_labels`` where the true
    training labels are known, and ``class_names``. Inputs are standardised by the training set's mean and deviation,
    per channel or feature.

    Raises:
        DataError: the file is missing, damaged, holds Python objects or has another layout.
    """
    path = Path(path)
    content = _read(path)
    kinds = [kind for kind in ("images", "features") if kind in content]
    if len(kinds) != 1 or "labels" not in content:
        raise DataError(f"{path} holds {', '.join(sorted(content)) or 'nothing'}: {_EXPECTED}")
    kind = kinds[0]
    inputs = _inputs(content[kind], kind, f"{path}: {kind}")
    labels = _labels(content["labels"], f"{path}: labels")
    if not len(inputs):
        raise DataError(f"{path}: there are no training samples")
    test = None
    if (f"test_{kind}" in content) != ("test_labels" in content):
        raise DataError(f"{path}: 'test_{kind}' and 'test_labels' come together, or not at all")
    if f"test_{kind}" in content:
        test = Part(
            _inputs(content[f"test_{kind}"], kind, f"{path}: test_{kind}"),
            _labels(content["test_labels"], f"{path}: test_labels"),
        )
    clean = None if "clean_labels" not in content else _labels(content["clean_labels"], f"{path}: clean_labels")
    if clean is not None and len(clean) != len(labels):
        raise DataError(f"{path}: {len(clean)} clean_labels for {len(labels)} labels")
    if "class_names" in content:
        names = tuple(str(name) for name in content["class_names"])
    else:
        known = [labels, *([] if clean is None else [clean]), *([] if test is None else [test.labels])]
        highest = max(int(part.max(initial=1)) for part in known)
        names = tuple(str(label) for label in range(highest + 1))
    axes = tuple(range(inputs.ndim - 1))
    std = inputs.std(axes, dtype=np.float64)
    return Dataset(
        path.stem,
        Part(inputs, labels),
        test,
        names,
        tuple(inputs.mean(axes, dtype=np.float64).tolist()),
        tuple(np.where(std > 0, std, 1.0).tolist()),
        clean,
    )


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if not isinstance(content, np.lib.npyio.NpzFile):
                raise DataError(f"{path} holds one array: {_EXPECTED}")
            return {name: content[name] for name in content.files}
    except DataError:
        raise
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        objects = "allow_pickle" in str(error)
        why = "it is no .npz file, or holds Python objects, which could run code; save plain arrays with numpy.savez"
        why = why if objects else str(error)
        raise DataError(f"cannot read {path}: {why}") from error


def _inputs(array: NDArray[Any], kind: str, where: str) -> NDArray[np.uint8] | NDArray[np.float32]:
    if kind == "images":
        if array.ndim == 3:
            array = array[..., None]
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] not in (1, 3, 4):
            raise DataError(
                f"{where} is {array.dtype} of shape {array.shape}: expected uint8 of shape (N, height, width) or "
                "(N, height, width, channels) with 1, 3 or 4 channels, last"
            )
        return array
    if array.ndim != 2 or array.dtype.kind not in "iufb":
        raise DataError(f"{where} is {array.dtype} of shape {array.shape}: expected numbers of shape (N, features)")
    features = array.astype(np.float32)
    if not np.isfinite(features).all():
        row, column = np.argwhere(~np.isfinite(features))[0]
        raise DataError(
            f"{where}[{row}, {column}] is {features[row, column]}: expected finite numbers; fill gaps first"
        )
    return features


def _labels(array: NDArray[Any], where: str) -> NDArray[np.int64]:
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise DataError(f"{where} is {array.dtype} of shape {array.shape}: expected integers of shape (N,)")
    return array.astype(np.int64)
