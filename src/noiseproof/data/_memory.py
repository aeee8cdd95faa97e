"""Data sets from what a caller has in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.classes import Classes, Labels, read_labels
from noiseproof.data._arrays import checked_inputs, image_moments
from noiseproof.data._dataset import Dataset, Part, check_classes
from noiseproof.data._encoding import TableEncoding
from noiseproof.data._features import check_reach, moments
from noiseproof.errors import DataError, LabelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from noiseproof.data._table import Table

_MOST_BYTES = 1 << 33


def in_memory(
    inputs: Any,
    labels: Any = None,
    *,
    test: tuple[Any, Any] | Any = None,
    class_names: Sequence[Any] | None = None,
    clean_labels: Any = None,
    name: str = "memory",
) -> Dataset:
    """A data set from arrays, tensors, a data frame of numbers, or a :class:`torch.utils.data.Dataset`.

    Args:
        inputs: features ``(N, features)``, or images as uint8 ``(N, height, width)`` or ``(N, height, width,
            channels)``: an array, a tensor, nested lists, or a data frame, whose columns then are the features' names.
            Or a data set of pairs ``(input, label)``, whose inputs are vectors, images as uint8, PIL images, or floats
            ``(channels, height, width)`` between 0 and 1 that were made from bytes; it is read once, in its order.
        labels: ``(N,)``, which may be wrong: numbers, truth values or text. Not for a data set of pairs.
        test: the same for testing: a pair of inputs and labels that can be trusted, or a data set of pairs.
        class_names: the classes in an order of their own; those that occur, sorted, by default.
        clean_labels: the true training labels, where they are known.
        name: for tables.

    Raises:
        DataError: inputs of another kind or shape, a number that is not finite, or labels that are no classes.
    """
    array, given, names = _pair(inputs, labels, name)
    kind = "images" if array.ndim > 2 else "features"
    array = checked_inputs(array, kind, f"{name}: inputs")
    if not len(array):
        raise DataError(f"{name}: there are no training samples")
    parts: dict[str, Labels] = {"label": _labels(given, len(array), "label", name)}
    tested: NDArray[Any] | None = None
    if test is not None:
        tests, told = test if isinstance(test, tuple) else (test, None)
        tested, told, _ = _pair(tests, told, f"{name} (test)")
        tested = checked_inputs(tested, kind, f"{name}: test inputs")
        parts["test label"] = _labels(told, len(tested), "test label", name)
    if clean_labels is not None:
        parts["clean label"] = _labels(clean_labels, len(array), "clean label", name)
    try:
        classes = Classes.of(*parts.values()) if class_names is None else Classes.named(class_names)
        encoded = {
            what: (classes.encode if class_names is None else classes.resolve)(part, what)
            for what, part in parts.items()
        }
    except LabelError as error:
        raise DataError(f"{name}: {error}") from error
    mean, std = image_moments(array) if kind == "images" else moments(array, f"{name}: inputs")
    if tested is not None and kind == "features" and tested.shape[1:] == array.shape[1:]:
        check_reach(tested, mean, std, f"{name}: test inputs")
    return check_classes(
        Dataset(
            name,
            Part(array, encoded["label"]),
            None if tested is None else Part(tested, encoded["test label"]),
            classes.names,
            tuple(mean.tolist()),
            tuple(std.tolist()),
            encoded.get("clean label"),
            feature_names=names,
        )
    )


def from_table(table: Table, labels: Any, *, name: str = "table", class_names: Sequence[Any] | None = None) -> Dataset:
    """A data set from a table of numbers, text, dates and gaps, whose encoding is measured on it.

    Args:
        table: what to learn from, without the labels.
        labels: ``(N,)``, as for :func:`in_memory`.
        name: for tables.
        class_names: as for :func:`in_memory`.

    Raises:
        DataError: there is no column to learn from, or labels are no classes.

    Warns:
        DataWarning: columns of free text are left out, or text stands among numbers.
    """
    encoding = TableEncoding.fit(table)
    dataset = in_memory(encoding.encode(table), labels, class_names=class_names, name=name)
    zeros, ones = (0.0,) * encoding.width, (1.0,) * encoding.width
    return replace(dataset, mean=zeros, std=ones, feature_names=encoding.feature_names, encoding=encoding)


def _labels(values: Any, count: int, what: str, name: str) -> Labels:
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    elif hasattr(values, "to_numpy"):
        values = values.to_numpy()
    try:
        labels = read_labels(values, what)
    except LabelError as error:
        raise DataError(f"{name}: {error}") from error
    if len(labels) != count:
        raise DataError(f"{name}: {len(labels)} {what}s for {count} inputs: expected as many")
    return labels


def _pair(inputs: Any, labels: Any, name: str) -> tuple[NDArray[Any], Any, tuple[str, ...]]:
    """Inputs as an array, labels, and the names of the features where they have some."""
    if labels is None:
        if not hasattr(inputs, "__getitem__") or not hasattr(inputs, "__len__") or hasattr(inputs, "shape"):
            raise DataError(f"{name}: labels are missing: give inputs and labels, or a data set of pairs of them")
        array, labels = _collected(inputs, name)
        return array, labels, ()
    if hasattr(inputs, "columns") and hasattr(inputs, "to_numpy"):
        return np.asarray(inputs.to_numpy()), labels, tuple(str(column) for column in inputs.columns)
    if hasattr(inputs, "detach"):
        inputs = inputs.detach().cpu().numpy()
    return np.asarray(inputs), labels, ()


def _collected(dataset: Any, name: str) -> tuple[NDArray[Any], list[Any]]:
    rows: list[NDArray[Any]] = []
    labels: list[Any] = []
    total = 0
    for place in range(len(dataset)):
        pair = dataset[place]
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise DataError(
                f"{name}: item {place} is a {type(pair).__name__}: expected a pair of an input and its label"
            )
        row, label = pair
        row = _as_stored(np.asarray(row.detach().cpu() if hasattr(row, "detach") else row), f"{name}: input {place}")
        if rows and row.shape != rows[0].shape:
            raise DataError(f"{name}: input {place} has shape {row.shape}, the first one {rows[0].shape}")
        total += row.nbytes
        if total > _MOST_BYTES:
            raise DataError(f"{name}: the inputs take more than {_MOST_BYTES >> 30} GiB: use files (data = 'folder')")
        rows.append(row)
        labels.append(label.item() if hasattr(label, "item") else label)
    return np.stack(rows) if rows else np.empty((0, 0)), labels


def _as_stored(row: NDArray[Any], where: str) -> NDArray[Any]:
    """An input as data sets hold it: pixels as bytes, channels last."""
    if row.ndim < 2:
        return row
    if row.dtype.kind == "f":
        scaled = row.astype(np.float64) * 255
        pixels = np.rint(scaled)
        if not (abs(scaled - pixels) < 0.01).all() or pixels.min() < 0 or pixels.max() > 255:
            raise DataError(
                f"{where} is {row.dtype} of shape {row.shape} with values that are no bytes divided by 255: give "
                "images as uint8, before they are normalized or augmented"
            )
        row = pixels.astype(np.uint8)
    # PyTorch's images have their channels first, and are wider than that.
    channels_first = row.ndim == 3 and row.shape[0] in (1, 3, 4) and row.shape[2] not in (1, 3, 4)
    return np.moveaxis(row, 0, -1) if channels_first else row
