"""Drawing noisy labels, a block at a time: the same ones for a seed whatever the blocks are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.noise import _arrays
from noiseproof.noise._transition import MOST_DENSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from noiseproof.noise._counts import Flips
    from noiseproof.noise._transition import TransitionMatrix

    Labels = NDArray[np.unsignedinteger[Any]]
    FlipsOf = Callable[[TransitionMatrix, NDArray[np.int64], range, np.random.Generator], Flips]

_PART = 4
"""The places of the labels of a class are listed for this part of all labels at a time, or for one class."""

_FEW = 8


def flip_counted(
    clean: Labels,
    counts: NDArray[np.int64],
    matrix: TransitionMatrix,
    flips_of: FlipsOf,
    random: np.random.Generator,
) -> Labels:
    """Flip as many labels of each class as is settled, chosen without replacement.

    Args:
        clean: ``(N,)``, the labels.
        counts: ``(classes,)``, how often each is there.
        matrix: the transition matrix.
        flips_of: settles how many labels of some classes go where.
        random: what is drawn from.
    """
    noisy = clean.copy()
    members = _Members(clean, counts)
    for low in range(0, len(matrix), MOST_DENSE):
        classes = range(low, min(low + MOST_DENSE, len(matrix)))
        if not counts[low : classes.stop].any():
            continue
        flips = flips_of(matrix, counts, classes, random)
        done = 0
        for part in members.parts(classes):
            places, starts = members.of(part)
            sizes = counts[part.start : part.stop]
            for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
                if size > 1:
                    random.shuffle(places[start : start + size])
            numbers = flips.counts[part.start - low : part.stop - low]
            ends = np.cumsum(numbers)
            moved = starts - (ends - numbers)
            # Of each class the first places, a block of flips at a time.
            for block in _arrays.blocks(int(ends[-1])):
                first, last = np.searchsorted(ends, [block.start, block.stop - 1], "right")
                lengths = np.diff(ends[first : last + 1].clip(max=block.stop), prepend=block.start)
                chosen = np.arange(block.start, block.stop) + np.repeat(moved[first : last + 1], lengths)
                noisy[places[chosen]] = flips.targets[done + block.start : done + block.stop]
            done += int(ends[-1])
    return noisy


class _Members:
    """Where the labels of each class are, listed for some classes at a time."""

    def __init__(self, clean: Labels, counts: NDArray[np.int64]) -> None:
        self._clean = clean
        self._ends = np.concatenate([[0], np.cumsum(counts)])
        self._most = max(_arrays.BLOCK, len(clean) // _PART)
        # Eight bytes are shuffled faster than four, which one class with nearly all labels makes do with.
        largest = int(counts.max(initial=0))
        small = largest > self._most and len(clean) < 2**32
        self._places = np.empty(min(max(self._most, largest), len(clean)), np.uint32 if small else np.int64)
        self._listed = range(0)

    def _as_far(self, low: int, high: int) -> range:
        """Classes from ``low`` to ``high`` at most, of which not too many labels are listed."""
        last = int(np.searchsorted(self._ends, self._ends[low] + self._most, "right")) - 1
        return range(low, min(max(last, low + 1), high))

    def parts(self, classes: range) -> Iterator[range]:
        """Neighboring classes whose labels are listed together."""
        low = classes.start
        while low < classes.stop:
            part = self._as_far(low, classes.stop)
            if part.start not in self._listed:
                self._list(self._as_far(low, len(self._ends) - 1))
            yield (part := range(low, min(part.stop, self._listed.stop)))
            low = part.stop

    def of(self, classes: range) -> tuple[NDArray[np.integer[Any]], NDArray[np.int64]]:
        """The places of the labels of classes, ascending in each until they are shuffled, and where each class begins.

        Args:
            classes: one of :meth:`parts`.
        """
        ends = self._ends[classes.start : classes.stop + 1]
        offset = ends[0] - self._ends[self._listed.start]
        return self._places[offset : offset + ends[-1] - ends[0]], ends[:-1] - ends[0]

    def _list(self, classes: range) -> None:
        offset = self._ends[classes.start]
        free = self._ends[classes.start : classes.stop] - offset
        places = self._places
        everything = len(classes) == len(self._ends) - 1
        for block in _arrays.blocks(len(self._clean)):
            labels = self._clean[block]
            if len(classes) <= _FEW:  # then a look for each is faster than sorting
                for place, label in enumerate(classes):
                    found = np.flatnonzero(labels == label)
                    target = places[free[place] : free[place] + len(found)]
                    np.add(found, block.start, out=target, casting="unsafe")
                    free[place] += len(found)
                continue
            found = np.arange(len(labels))
            if not everything:
                found = np.flatnonzero((labels >= classes.start) & (labels < classes.stop))
            found = found[order_of(labels[found])]
            own = labels[found].astype(np.int64) - classes.start
            begins = np.flatnonzero(np.diff(own, prepend=-1)).astype(np.int64)
            sizes = np.diff(begins, append=len(own))
            first = own[begins]
            targets = np.repeat(free[first] - begins, sizes) + np.arange(len(own))
            places[targets] = found + block.start
            free[first] += sizes
        self._listed = classes


def order_of(labels: Labels) -> NDArray[np.int64]:
    """The places of labels class by class, ascending in each."""
    if labels.dtype.itemsize <= 2:  # NumPy sorts these by counting
        return np.argsort(labels, kind="stable")
    order = np.argsort(labels.astype(np.uint16), kind="stable")
    return order[np.argsort((labels >> 16)[order].astype(np.uint16), kind="stable")]


def draw_each(clean: Labels, matrix: TransitionMatrix, random: np.random.Generator) -> Labels:
    """Draw every label for itself."""
    noisy = np.empty_like(clean)
    pick = _by_search(matrix) if len(matrix) <= MOST_DENSE else _by_arithmetic(matrix)
    for block in _arrays.blocks(len(clean)):
        noisy[block] = pick(clean[block], random.random(block.stop - block.start))
    return noisy


def _by_search(matrix: TransitionMatrix) -> Callable[[Labels, NDArray[np.float64]], NDArray[np.int64]]:
    """The label at a level between 0 and 1 of its row, where the sums of rows are listed."""
    size = len(matrix)
    edges = np.cumsum(matrix.dense(), axis=1)
    edges[:, -1] = 1.0
    # How many edges are up to the beginning of each cell: few cells have more than one edge within.
    cells = 1 << (2 * size).bit_length()
    marks = np.arange(cells + 1) / cells
    below = np.array([np.searchsorted(row, marks, "right") for row in edges], np.uint16)
    below[:, -1] = size - 1
    below, edges = below.ravel(), edges.ravel()

    def pick(labels: Labels, levels: NDArray[np.float64]) -> NDArray[np.int64]:
        cell = (levels * cells).astype(np.int64)
        cell += labels.astype(np.int64) * (cells + 1)
        found, last = below[cell].astype(np.int64), below[cell + 1]
        unclear = np.flatnonzero(found < last)
        low, high = found[unclear], last[unclear].astype(np.int64)
        row, level = labels[unclear].astype(np.int64) * size, levels[unclear]
        while len(unclear):
            middle = (low + high) >> 1
            passed = edges[row + middle] <= level
            low, high = np.where(passed, middle + 1, low), np.where(passed, high, middle)
            found[unclear] = low
            rest = low < high
            unclear, low, high, row, level = unclear[rest], low[rest], high[rest], row[rest], level[rest]
        return found

    return pick


def _by_arithmetic(matrix: TransitionMatrix) -> Callable[[Labels, NDArray[np.float64]], NDArray[np.int64]]:
    """The label at a level between 0 and 1 of its row: an entry, or one of the alike columns between two entries."""
    size, constant = len(matrix), matrix.constant
    columns = matrix.columns.astype(np.int64)
    # Where in its row each entry begins; and how much the row has in all, since rows sum to 1 but for rounding.
    begins = np.empty(len(columns))
    totals = np.empty(size)
    for rows, entries in matrix.rows_alike():
        gaps = np.diff(columns[entries], axis=1, prepend=-1, append=size) - 1
        lengths = np.zeros((len(rows), 2 * entries.shape[1] + 1))
        lengths[:, 0::2] = constant * gaps
        lengths[:, 1::2] = matrix.values[entries]
        sums = np.cumsum(lengths, axis=1)
        begins[entries] = sums[:, 0:-1:2]
        totals[rows] = sums[:, -1]

    def pick(labels: Labels, levels: NDArray[np.float64]) -> NDArray[np.int64]:
        levels = levels * totals[labels]
        low, high = matrix.starts[labels], matrix.starts[labels.astype(np.int64) + 1]
        first, end = low, high
        while (low < high).any():  # the first entry of the row that begins beyond the level
            middle = (low + high) // 2
            before = (low < high) & (begins[middle.clip(max=len(columns) - 1)] <= levels)
            low, high = np.where(before, middle + 1, low), np.where(before, high, np.minimum(middle, high))
        entry = (low - 1).clip(0)
        inside = low > first
        # What lies before the alike columns: an entry, or the beginning of the row.
        place = np.where(inside, columns[entry], -1)
        edge = np.where(inside, begins[entry] + matrix.values[entry], 0.0)
        after = np.where(low < end, columns[low.clip(max=len(columns) - 1)], size)
        if not constant:
            return place
        beyond = np.floor((levels - edge) / constant).clip(0, after - place - 2).astype(np.int64)
        return np.where((levels < edge) | (after == place + 1), place, place + 1 + beyond)

    return pick
