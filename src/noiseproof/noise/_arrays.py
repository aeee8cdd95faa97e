"""Arrays of very many labels: kept in the smallest type that holds them, and looked at a block at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.errors import LabelError
from noiseproof.noise._transition import MOST_DENSE, TransitionMatrix, check_classes, label_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    Labels = NDArray[np.integer[Any]]

BLOCK = 2**18
"""So many labels are looked at together; nothing that is drawn depends on it."""


def blocks(count: int, least: int = 1) -> Iterator[slice]:
    """The places of ``count`` labels, :data:`BLOCK` at a time, or ``least`` if that is more."""
    step = max(BLOCK, least)
    return (slice(at, min(at + step, count)) for at in range(0, count, step))


def check_labels(labels: ArrayLike, num_classes: int, *, what: str = "label") -> Labels:
    """``labels`` as a one-dimensional array of integers: itself, if it is one.

    Raises:
        LabelError: they are not integers, not one-dimensional or not in ``0 … num_classes - 1``.
    """
    size = check_classes(num_classes)
    array = np.asarray(labels)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise LabelError(f"{what}s are {array.dtype}: expected integers; convert them knowingly, e.g. by astype(int)")
    if array.ndim != 1:
        raise LabelError(f"{what}s have shape {array.shape}: expected one label per sample, (N,)")
    if len(array) and (int(array.min()) < 0 or int(array.max()) >= size):
        wrong = np.flatnonzero((array < 0) | (array >= size))
        raise LabelError(
            f"{what} {array[wrong[0]]} at index {wrong[0]} (and {len(wrong) - 1} more): expected "
            f"0 … {size - 1} for num_classes={size}"
        )
    return array


def kept_labels(labels: Labels, num_classes: int) -> NDArray[np.unsignedinteger[Any]]:
    """Labels that were checked in the smallest type that holds them, as an array that nobody can write to."""
    kept = labels.astype(label_type(num_classes), copy=not _is_frozen(labels))
    kept.flags.writeable = False
    return kept


def _is_frozen(array: Labels) -> bool:
    """Whether nothing can write to an array, not even through another one that shares its memory."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return False
        owner = owner.base
    return owner is None


def count_labels(labels: Labels, num_classes: int) -> NDArray[np.int64]:
    """``(classes,)``: how often each label is there."""
    counts = np.zeros(num_classes, np.int64)
    for block in blocks(len(labels), num_classes):
        counts += np.bincount(labels[block], minlength=num_classes)
    return counts


def count_wrong(labels: Labels, clean: Labels) -> int:
    """How many labels are not the clean ones."""
    return sum(int(np.count_nonzero(labels[block] != clean[block])) for block in blocks(len(labels)))


def counted_matrix(labels: Labels, clean: Labels, num_classes: int) -> TransitionMatrix:
    """The transition matrix that labels have; a class without samples keeps its label."""
    keys, counts = _count_pairs(labels, clean, num_classes)
    rows, columns = np.divmod(keys, num_classes)
    sums = np.bincount(rows, counts, num_classes)
    values = counts / sums[rows]
    own = rows == columns
    diagonal = (sums == 0).astype(np.float64)
    diagonal[rows[own]] = values[own]
    return TransitionMatrix.of_parts(diagonal, rows=rows[~own], columns=columns[~own], values=values[~own])


def _count_pairs(labels: Labels, clean: Labels, num_classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs ``clean * num_classes + label`` that occur, and how often."""
    pairs = (clean[block].astype(np.int64) * num_classes + labels[block] for block in blocks(len(labels), num_classes))
    if num_classes <= MOST_DENSE:
        table = np.zeros(num_classes**2, np.int64)
        for part in pairs:
            table += np.bincount(part, minlength=num_classes**2)
        return np.flatnonzero(table), table[table > 0]
    found = [np.unique(part, return_counts=True) for part in pairs]
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    keys, index = np.unique(np.concatenate([part for part, _ in found]), return_inverse=True)
    weights = np.concatenate([counts for _, counts in found])
    return keys, np.bincount(index, weights, len(keys)).astype(np.int64)
