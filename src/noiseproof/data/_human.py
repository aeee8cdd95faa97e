"""The human labels of CIFAR-N."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from noiseproof.errors import DataError, suggest
from noiseproof.noise import NoisyLabels

_COLUMNS = {
    "aggre": "aggre_label",
    "random1": "random_label1",
    "random2": "random_label2",
    "random3": "random_label3",
    "worst": "worse_label",
    "noisy": "noisy_label",
}


def cifarn(path: str | Path, column: str) -> NoisyLabels:
    """Human labels from ``CIFAR-10_human.pt`` or ``CIFAR-100_human.pt``, in the order of the training images.

    Args:
        path: the published file, or a folder that holds it (then ``column`` tells which).
        column: ``"aggre"``, ``"random1"``, ``"random2"``, ``"random3"`` or ``"worst"`` of CIFAR-10N; ``"noisy"`` of
            CIFAR-100N.

    Raises:
        DataError: no such file or column, or a file that holds anything but arrays.
    """
    if column not in _COLUMNS:
        raise DataError(f"unknown human labels {column!r}{suggest(column, _COLUMNS)}")
    num_classes = 100 if column == "noisy" else 10
    path = Path(path)
    if path.is_dir():
        path = path / f"CIFAR-{num_classes}_human.pt"
    content = _load(path)
    missing = [key for key in ("clean_label", _COLUMNS[column]) if key not in content]
    if missing:
        raise DataError(f"{path} has no {missing[0]!r} (it has {', '.join(sorted(content))}): is it the right file?")
    clean, noisy = (np.asarray(content[key]) for key in ("clean_label", _COLUMNS[column]))
    return NoisyLabels.observed(noisy, clean, num_classes, f"cifar{num_classes}n-{column}")


def _load(path: Path) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals(_numpy_globals()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path} was refused: it holds more than arrays, and could run code. Get it from its publisher."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise DataError(f"cannot read the human labels {path}: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__}: expected a dictionary of label arrays")
    return content


def _numpy_globals() -> list[Any]:
    """What label files call to make their arrays, under the names of NumPy 1, as published, and of NumPy 2."""
    reconstruct = np.array(0).__reduce__()[0]
    names = [(reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    return [*names, np.ndarray, np.dtype, *(type(np.dtype(kind)) for kind in ("i8", "i4"))]
