"""The user's own arrays, from an ``.npz`` file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.classes import Classes, Labels, read_labels
from noiseproof.data._dataset import Dataset, Part, check_classes
from noiseproof.data._features import check_features, check_reach, moments
from noiseproof.errors import DataError, LabelError, shorten, suggest
from noiseproof.untrusted import open_npz

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_EXPECTED = (
    "expected 'images' (uint8, (N, height, width) or (N, height, width, channels)) or 'features' (numbers, "
    "(N, features)), and 'labels' (numbers or text, (N,)); optional: 'test_images' or 'test_features', 'test_labels', "
    "'clean_labels', 'class_names', 'feature_names'"
)
_LABELS = {"labels": "training label", "test_labels": "test label", "clean_labels": "clean label"}
"""Arrays of labels, and what one of them is called in errors."""

_BLOCK = 1024
"""Images that are counted at a time."""


def arrays(path: str | Path, *, gaps: bool = False) -> Dataset:
    """A data set from an ``.npz`` file, such as ``numpy.savez(path, images=…, labels=…)`` writes.

    Arrays in the file: ``images`` (uint8, ``(N, height, width)`` or ``(N, height, width, channels)``) or ``features``
    (numbers, ``(N, features)``), and ``labels`` (numbers, truth values or text, ``(N,)``), which may be wrong.
    Optional: ``test_images`` or ``test_features`` with ``test_labels`` that can be trusted, and ``clean_labels`` where
    the true training labels are known.

    The classes are the values that occur in all labels together, numbers in numeric order. ``class_names`` gives them
    another order, adds classes that do not occur, or, where labels count from 0, names them: label 0 is the first
    name. ``feature_names`` (text, ``(features,)``) names the columns of the features, by which tables are read for
    predictions.

    Inputs are standardized by the training set's mean and deviation, per channel or feature, in float64.

    Args:
        path: the file.
        gaps: whether features may be NaN, and are then left as they are, without a scale.

    Raises:
        DataError: the file is missing, damaged, holds Python objects, an array that is not known or another layout;
            labels that are missing, all alike, or so many different ones that they are no classes.

    Warns:
        DataWarning: a class has no training samples, an input is there with two labels, or numbers are above 1e20.
    """
    path = Path(path)
    content = _read(path)
    kind = "images" if "images" in content else "features"
    inputs = checked_inputs(content[kind], kind, f"{path}: {kind}", gaps=gaps)
    if not len(inputs):
        raise DataError(f"{path}: there are no training samples")
    labels, names = _classes(content, path)
    clean = labels.get("clean_labels")
    if clean is not None and len(clean) != len(labels["labels"]):
        raise DataError(f"{path}: {len(clean)} clean_labels for {len(labels['labels'])} labels")
    if kind == "images":
        mean, std = image_moments(inputs)
    elif gaps and inputs.dtype.kind == "f" and np.isnan(inputs).any():
        mean, std = np.zeros(inputs.shape[1]), np.ones(inputs.shape[1])
    else:
        mean, std = moments(inputs, f"{path}: {kind}")
    test = None
    if "test_labels" in labels:
        where = f"{path}: test_{kind}"
        tested = checked_inputs(content[f"test_{kind}"], kind, where, gaps=gaps)
        if kind == "features" and not gaps and tested.shape[1:] == inputs.shape[1:]:
            check_reach(tested, mean, std, where)
        test = Part(tested, labels["test_labels"])
    return check_classes(
        Dataset(
            path.stem,
            Part(inputs, labels["labels"]),
            test,
            names,
            tuple(mean.tolist()),
            tuple(std.tolist()),
            clean,
            feature_names=_feature_names(content, inputs.shape[-1], path),
        )
    )


def _feature_names(content: dict[str, NDArray[Any]], count: int, path: Path) -> tuple[str, ...]:
    if "feature_names" not in content:
        return ()
    array = content["feature_names"]
    if array.dtype.kind != "U" or array.shape != (count,) or len({*array.tolist()}) < count:
        raise DataError(
            f"{path}: feature_names are {array.dtype} of shape {array.shape}: expected {count} different texts, one "
            "for each feature"
        )
    return tuple(array.tolist())


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of the file, none of them before their names are known to be right."""
    with open_npz(path) as content:
        _check_names(content.names, path)
        return {name: content.read(name) for name in content.names}


def _check_names(names: Iterable[str], path: Path) -> None:
    found = {*names}
    kinds = found & {"images", "features"}
    if len(kinds) != 1 or "labels" not in found:
        raise DataError(f"{path} holds {', '.join(sorted(found)) or 'nothing'}: {_EXPECTED}")
    (kind,) = kinds
    known = {kind, f"test_{kind}", *_LABELS, "class_names", *(["feature_names"] if kind == "features" else [])}
    for name in sorted(found - known):
        raise DataError(f"{path} holds an array {name!r}, which has no meaning here{suggest(name, known)}")
    if (f"test_{kind}" in found) != ("test_labels" in found):
        raise DataError(f"{path}: 'test_{kind}' and 'test_labels' come together, or not at all")


def checked_inputs(array: NDArray[Any], kind: str, where: str, *, gaps: bool = False) -> NDArray[Any]:
    """Images or features as data sets hold them; features may be NaN where ``gaps`` are.

    Raises:
        DataError: another type or shape, or a number that is not finite.
    """
    if kind == "images":
        if array.ndim == 3:
            array = array[..., None]
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] not in (1, 3, 4) or 0 in array.shape[1:]:
            raise DataError(
                f"{where} is {array.dtype} of shape {array.shape}: expected uint8 of shape (N, height, width) or "
                "(N, height, width, channels) with 1, 3 or 4 channels, last"
            )
        return array
    if array.ndim != 2 or array.dtype.kind not in "iufb" or not array.shape[1]:
        raise DataError(f"{where} is {array.dtype} of shape {array.shape}: expected numbers of shape (N, features)")
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    check_features(np.nan_to_num(array, posinf=np.inf, neginf=-np.inf) if gaps else array, where)
    return array


def _classes(content: dict[str, NDArray[Any]], path: Path) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """The labels of each part as positions of the class names, and these."""
    try:
        labels = {key: read_labels(content[key], what) for key, what in _LABELS.items() if key in content}
        if "class_names" not in content:
            classes = Classes.of(*labels.values())
            return {key: classes.encode(part, _LABELS[key]) for key, part in labels.items()}, classes.names
        if content["class_names"].ndim != 1:
            raise LabelError(f"class_names have shape {content['class_names'].shape}: expected (classes,)")
        classes = Classes.named(content["class_names"].tolist())
        for key, part in labels.items():
            if part.kind == "truth" and not {*part.texts} <= {*classes.names}:
                labels[key] = read_labels(content[key].astype(np.uint8), _LABELS[key])
        if classes.are_numbers and _count_from_zero(labels.values(), classes):
            return {key: part.values.astype(np.int64) for key, part in labels.items()}, classes.names
        return {
            key: (classes.resolve if part.kind == "number" else classes.encode)(part, _LABELS[key])
            for key, part in labels.items()
        }, classes.names
    except LabelError as error:
        raise DataError(f"{path}: {error}") from error


def _count_from_zero(labels: Iterable[Labels], classes: Classes) -> bool:
    """Whether labels are positions of names that are numbers too, rather than these names.

    Raises:
        LabelError: they can be both, with different meanings.
    """
    texts = {text for part in labels for text in part.texts}
    counted = {str(position) for position in range(len(classes))}
    named = texts <= {*classes.names}
    if not texts <= counted or (named and all(classes.names[int(text)] == text for text in texts)):
        return False
    if named:
        raise LabelError(
            f"labels such as {max(texts, key=int)} could be class_names ({shorten(classes.names)}) or count them from "
            "0: leave class_names out if the labels are the names, or give names that are no numbers"
        )
    return True


def image_moments(images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of every channel, exactly, from how often each of the 256 values occurs."""
    values = np.arange(256.0)
    mean, std = [], []
    for channel in range(images.shape[3]):
        counts = np.zeros(256, np.int64)
        for start in range(0, len(images), _BLOCK):
            counts += np.bincount(images[start : start + _BLOCK, ..., channel].ravel(), minlength=256)
        shares = counts / counts.sum()
        mean.append(float(shares @ values))
        std.append(float(np.sqrt(shares @ (values - mean[-1]) ** 2)) or 1.0)
    return np.array(mean), np.array(std)
