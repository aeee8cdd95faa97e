"""The human labels of CIFAR-N."""

from __future__ import annotations

from pathlib import Path

from noiseproof.errors import DataError, LabelError, suggest
from noiseproof.noise import NoisyLabels
from noiseproof.untrusted import read_torch

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
    content = read_torch(path, "the human labels")
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__}: expected a dictionary of label arrays")
    missing = [key for key in ("clean_label", _COLUMNS[column]) if key not in content]
    if missing:
        raise DataError(
            f"{path} has no {missing[0]!r} (it has {', '.join(sorted(map(str, content)))}): is it the right file?"
        )
    clean, noisy = (content[key] for key in ("clean_label", _COLUMNS[column]))
    try:
        return NoisyLabels.observed(noisy, clean, num_classes, f"cifar{num_classes}n-{column}")
    except (LabelError, ValueError) as error:  # ValueError: lists of different lengths in a list
        raise DataError(f"{path}: {error}") from error
