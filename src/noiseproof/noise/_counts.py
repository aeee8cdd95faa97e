"""How many labels of each class go to which other class, for noise with exact or published counts.

Classes are settled :data:`~noiseproof.noise._transition.MOST_DENSE` at a time. Up to as many classes, what evenness
leaves open is drawn with a number for each class, as it always was, so that seeds keep their labels; with more classes
such numbers would be as many as the square of the classes, and the targets are drawn themselves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from noiseproof.noise._transition import MOST_DENSE, label_type

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from noiseproof.noise._transition import TransitionMatrix


class Flips(NamedTuple):
    """What labels of some neighboring classes become.

    Attributes:
        counts: ``(classes,)``, how many labels of each class are flipped.
        targets: ``(flips,)``, to what: first those of the first class, ascending in each.
    """

    counts: NDArray[np.int64]
    targets: NDArray[np.unsignedinteger[Any]]


def exact_flips(
    matrix: TransitionMatrix, counts: NDArray[np.int64], classes: range, random: np.random.Generator
) -> Flips:
    """The counts that are nearest to the request, spread over the targets as evenly as integers allow.

    Args:
        matrix: the transition matrix.
        counts: ``(classes,)``, how many labels of each class there are.
        classes: those to settle.
        random: decides what integers leave open.
    """
    if len(matrix) > MOST_DENSE:
        return _spread(_Entries(matrix, classes), counts[classes.start : classes.stop], random)
    numbers, targets = np.zeros(len(classes), np.int64), []
    labels = np.arange(len(matrix), dtype=label_type(len(matrix)))
    owed = 0.0  # requested minus given so far: decides halves, so that they do not add up
    for place, (label, count) in enumerate(zip(classes, counts.tolist(), strict=True)):
        away = matrix[label]
        away[label] = 0.0
        requested = count * away.sum()
        given = _nearest(requested, owed)
        owed += requested - given
        if given:
            targets.append(np.repeat(labels, _apportion(away, given, random)))
            numbers[place] = len(targets[-1])
    return Flips(numbers, np.concatenate([labels[:0], *targets]))


def published_flips(
    matrix: TransitionMatrix,
    counts: NDArray[np.int64],
    classes: range,
    random: np.random.Generator,  # noqa: ARG001 - same signature as exact_flips
) -> Flips:
    """The counts of each pair of classes, rounded down; see :func:`exact_flips` for the arguments."""
    entries = _Entries(matrix, classes)
    given = counts[classes.start : classes.stop]
    plain = np.floor(matrix.constant * given).astype(np.int64)
    return entries.flips(np.floor(entries.away * given[entries.rows]).astype(np.int64), plain)


def _nearest(value: float, owed: float) -> int:
    below = math.floor(value + 1e-9)
    if abs(value - below - 0.5) < 1e-9:
        return below + (owed >= 0)
    return round(value)


def _nearest_of_all(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The nearest integers, where halves do not add up; as :func:`_nearest` one after another."""
    below = np.floor(values + 1e-9)
    half = np.abs(values - below - 0.5) < 1e-9
    given = np.where(half, below, np.rint(values))
    owed = np.cumsum(values - given)
    for place in np.flatnonzero(half):
        if owed[place] >= 0.5 - 1e-9:
            given[place] += 1
            owed[place:] -= 1
    return given.astype(np.int64)


def _apportion(shares: NDArray[np.float64], total: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Integers that sum to ``total`` and differ from the exact shares by less than 1; ties are drawn."""
    whole, remainder = _parts(shares / shares.sum() * total)
    rest = total - int(whole.sum())
    if rest:
        order = np.lexsort((random.random(len(shares)), -remainder))
        whole[order[:rest]] += 1
    return whole


def _parts(exact: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The whole part of shares, and what is left; shares that differ by rounding only have the same."""
    whole = np.floor(exact + 1e-9).astype(np.int64)
    return whole, np.round(exact - whole, 9)


class _Entries:
    """The entries of neighboring rows of a matrix; the columns that are not among them are called plain.

    Attributes:
        matrix: the matrix.
        size: the number of rows.
        rows: ``(entries,)``, in which row each is, counted from the first of these.
        columns: ``(entries,)`` int64.
        own: ``(entries,)``, whether it is on the diagonal.
        away: ``(entries,)``, the probabilities, 0 on the diagonal.
        plain: ``(rows,)``, how many columns are plain.
    """

    def __init__(self, matrix: TransitionMatrix, classes: range) -> None:
        self.matrix, self.size = matrix, len(classes)
        kept = matrix.kept[classes.start : classes.stop]
        part = slice(matrix.starts[classes.start], matrix.starts[classes.stop])
        self.rows = np.repeat(np.arange(self.size), kept)
        self.columns = matrix.columns[part].astype(np.int64)
        self.own = self.columns == self.rows + classes.start
        self.away = np.where(self.own, 0.0, matrix.values[part])
        self.plain = len(matrix) - kept

    def sums(self, numbers: NDArray[Any]) -> NDArray[np.float64]:
        """``(rows,)``: the sums of numbers of the entries."""
        return np.bincount(self.rows, numbers, self.size).astype(np.float64, copy=False)

    def keys(self, chosen: NDArray[np.bool_] | slice = slice(None)) -> NDArray[np.int64]:
        """Row and column of entries in one number, ascending."""
        return self.rows[chosen] * len(self.matrix) + self.columns[chosen]

    def plain_keys(self, rows: NDArray[np.int64], barred: NDArray[np.int64]) -> NDArray[np.int64]:
        """The keys of all columns of some rows but for those with a key among ``barred``, which is sorted."""
        size = len(self.matrix)
        keys = (rows[:, None] * size + np.arange(size)).ravel()
        return keys[~_is_in(keys, barred)]

    def flips(self, times: NDArray[np.int64], plain: NDArray[np.int64], once: NDArray[np.int64] | None = None) -> Flips:
        """Flips from what is settled.

        Args:
            times: ``(entries,)``, how often each is flipped to.
            plain: ``(rows,)``, how often each plain column is.
            once: the keys of columns that are flipped to once more.
        """
        size = len(self.matrix)
        everywhere = np.flatnonzero(plain)
        spread = self.plain_keys(everywhere, self.keys())
        parts = [(self.keys(), times), (spread, plain[spread // size])]
        if once is not None:
            parts.append((once, np.ones(len(once), np.int64)))
        keys, often = (np.concatenate(sides) for sides in zip(*parts, strict=True))
        order = np.argsort(keys, kind="stable")
        rows, targets = np.divmod(keys[order], size)
        counts = np.bincount(rows, often[order], self.size).astype(np.int64)
        return Flips(counts, np.repeat(targets.astype(label_type(size)), often[order]))


def _spread(entries: _Entries, counts: NDArray[np.int64], random: np.random.Generator) -> Flips:
    """The exact counts of very many classes: as :func:`_apportion`, with targets that are drawn themselves."""
    constant = entries.matrix.constant
    leaving = entries.sums(entries.away) + constant * entries.plain
    given = _nearest_of_all(leaving * counts)
    scale = given / np.where(leaving > 0, leaving, 1.0)
    times, remainder = _parts(entries.away * scale[entries.rows])
    plain, plain_remainder = _parts(constant * scale)
    rest = given - entries.sums(times).astype(np.int64) - plain * entries.plain
    # Entries with more left than plain columns come first, those with as much are drawn together with these.
    over = remainder - plain_remainder[entries.rows]
    alike = (over == 0) & ~entries.own
    keys = random.random(len(over))
    first = _best(entries, np.where((over > 0) & ~entries.own, remainder, 0.0), keys, rest)
    rest -= entries.sums(first).astype(np.int64)
    pool = entries.plain + entries.sums(alike).astype(np.int64)
    asked = np.minimum(rest, pool)
    once = _draw_columns(entries, asked, pool, entries.keys(~alike), random)
    last = _best(entries, np.where((over < 0) & ~entries.own, remainder, 0.0), keys, rest - asked)
    return entries.flips(times + first + last, plain, once)


def _best(
    entries: _Entries, remainder: NDArray[np.float64], keys: NDArray[np.float64], numbers: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """The entries with the largest remainders above 0, up to ``numbers`` of each row; ``keys`` decide ties."""
    found = np.zeros(len(remainder), bool)
    candidates = np.flatnonzero(remainder > 0)
    order = candidates[np.lexsort((keys[candidates], -remainder[candidates], entries.rows[candidates]))]
    rows = entries.rows[order]
    rank = np.arange(len(order)) - np.searchsorted(rows, rows)
    found[order[rank < numbers[rows]]] = True
    return found


def _draw_columns(
    entries: _Entries,
    asked: NDArray[np.int64],
    pool: NDArray[np.int64],
    barred: NDArray[np.int64],
    random: np.random.Generator,
) -> NDArray[np.int64]:
    """The keys of different columns, drawn uniformly: ``asked`` of the ``pool`` of each row that is not barred."""
    size = len(entries.matrix)
    # Where most are asked for, those that are not are drawn: few draws then meet a column that is taken.
    most = 2 * asked > pool
    wanted = np.where(most, pool - asked, asked)
    taken = np.zeros(0, np.int64)
    missing = wanted
    while missing.any():
        rows = np.repeat(np.arange(entries.size), missing)
        new = np.unique(rows * size + random.integers(0, size, len(rows)))
        new = new[~_is_in(new, barred) & ~_is_in(new, taken)]
        taken = np.sort(np.concatenate([taken, new]))
        missing = wanted - np.bincount(taken // size, minlength=entries.size)
    inverted = entries.plain_keys(np.flatnonzero(most), np.sort(np.concatenate([barred, taken])))
    return np.concatenate([taken[~most[taken // size]], inverted])


def _is_in(keys: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which keys are among others, which are sorted."""
    if not len(ascending):
        return np.zeros(len(keys), bool)
    place = np.searchsorted(ascending, keys).clip(max=len(ascending) - 1)
    found: NDArray[np.bool_] = ascending[place] == keys
    return found
