"""Transition matrices ``T[true, noisy]`` of any size: a constant, and the entries that differ from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from noiseproof.errors import LabelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, DTypeLike, NDArray

MOST_CLASSES = 100_000_000
"""So many classes noise can have: its matrix takes 20 bytes and more for each."""

MOST_DENSE = 2_000
"""So many classes an array of all entries can have: it grows with their square."""


def check_classes(num_classes: Any) -> int:
    """A number of classes as an integer, before memory is taken for their matrix.

    Raises:
        LabelError: it is none, less than two, or too large.
    """
    if isinstance(num_classes, bool) or not isinstance(num_classes, int | np.integer) or num_classes < 2:
        raise LabelError(f"num_classes {num_classes!r}: expected an integer of at least 2")
    if num_classes > MOST_CLASSES:
        raise LabelError(f"{num_classes:,} classes: expected at most {MOST_CLASSES:,}")
    return int(num_classes)


def check_dense(num_classes: int) -> None:
    """Refuse a number of classes whose array of all entries would be too large, before memory is taken for it.

    Raises:
        LabelError: it is.
    """
    if num_classes > MOST_DENSE:
        raise LabelError(
            f"{num_classes:,} classes: an array of all entries of their transition matrix would have "
            f"{num_classes**2:,} numbers; expected at most {MOST_DENSE:,} classes, or a TransitionMatrix, which keeps "
            "what differs from one constant"
        )


def label_type(num_classes: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest unsigned integer type that holds all labels."""
    return np.min_scalar_type(num_classes - 1)


@dataclass(frozen=True, eq=False, repr=False)
class TransitionMatrix:
    """A row-stochastic matrix: ``T[i, j]`` is the probability that a sample of class i is labeled j.

    Most entries are one constant. Those that differ are kept row by row, and the diagonal always is; so a million
    classes take 20 MB. :meth:`of` makes one of an array, :meth:`of_parts` of a diagonal, a constant and single entries.
    ``T[i]`` is a row as an array, ``T[i, j]`` a number, ``T @ v`` and ``v @ T`` are products with a vector, and
    NumPy takes a matrix of up to 2,000 classes for the array that :meth:`dense` gives.

    >>> T = TransitionMatrix.of_parts([0.8, 0.6, 1.0], rows=[0, 1], columns=[1, 2], values=[0.2, 0.4])
    >>> T[1]
    array([0. , 0.6, 0.4])

    Attributes:
        num_classes: the number of rows and of columns.
        constant: every entry that is not kept.
        starts: ``(classes + 1,)`` int64: the entries of row i are ``starts[i]`` to ``starts[i + 1]``.
        columns: ``(entries,)``, of the smallest unsigned type, ascending in each row.
        values: ``(entries,)`` float64.

    Raises:
        LabelError: arrays that do not fit together, an entry that is no probability, or a row that does not sum to 1.
    """

    num_classes: int
    constant: float
    starts: NDArray[np.int64]
    columns: NDArray[np.unsignedinteger[Any]]
    values: NDArray[np.float64]
    _own: NDArray[np.int64] = field(init=False)
    """``(classes,)``: where the diagonal is among the entries."""

    __array_ufunc__ = None  # so that ``array @ T`` comes here

    def __post_init__(self) -> None:
        size = check_classes(self.num_classes)
        fitting = (
            self.starts.shape == (size + 1,)
            and self.starts.dtype == np.int64
            and self.columns.shape == self.values.shape == (self.starts[-1],)
            and self.columns.dtype == label_type(size)
            and self.values.dtype == np.float64
            and self.starts[0] == 0
            and bool((np.diff(self.starts) > 0).all())
            and int(self.columns.max()) < size
        )
        if fitting:
            rows = np.repeat(np.arange(size, dtype=self.columns.dtype), np.diff(self.starts))
            own = np.flatnonzero(rows == self.columns)
            later = (self.columns[1:] > self.columns[:-1]) | (rows[1:] != rows[:-1])
            fitting = len(own) == size and bool(later.all())
        if not fitting:
            raise LabelError("the entries of the transition matrix are not in the order of its rows and columns")
        for name, value in (("num_classes", size), ("constant", float(self.constant)), ("_own", own)):
            object.__setattr__(self, name, value)
        self._check_probabilities(rows)
        for array in (self.starts, self.columns, self.values, self._own):
            array.flags.writeable = False

    def _check_probabilities(self, rows: NDArray[np.unsignedinteger[Any]]) -> None:
        wrong = np.flatnonzero(~np.isfinite(self.values) | (self.values < 0))
        if len(wrong):
            first = wrong[0]
            raise LabelError(
                f"T[{rows[first]}, {self.columns[first]}] = {self.values[first]}: expected a probability in [0, 1]"
            )
        if not 0 <= self.constant <= 1:
            raise LabelError(f"the constant of the transition matrix is {self.constant}: expected one in [0, 1]")
        ones = np.ones(len(self))
        with np.errstate(over="ignore"):
            sums, others = self @ ones, ones @ self
        off = np.flatnonzero(np.abs(sums - 1) > 1e-6)
        if len(off):
            transposed = np.abs(others - 1).max() <= 1e-6
            hint = " Its columns do: T[true, noisy] is the transpose of what was given." if transposed else ""
            raise LabelError(
                f"row {off[0]} of the transition matrix sums to {sums[off[0]]:.6g} (and {len(off) - 1} more rows "
                f"do not sum to 1): expected row-stochastic T[true, noisy].{hint}"
            )

    @classmethod
    def of(cls, matrix: ArrayLike | TransitionMatrix) -> TransitionMatrix:
        """A matrix from an array of all of its entries.

        Args:
            matrix: ``(classes, classes)`` numbers, of at most 2,000 classes.

        Raises:
            LabelError: it holds anything but numbers, is not square, is too large, has negative or undefined entries,
                or a row does not sum to 1.
        """
        if isinstance(matrix, TransitionMatrix):
            return matrix
        try:
            given = np.asarray(matrix)
            if given.dtype.kind not in "biufO":  # NumPy would drop imaginary parts, and read text
                raise TypeError(f"{given.dtype}, not numbers")
            if given.ndim == 2:
                check_dense(len(given))
            array = given.astype(np.float64)
        except (ValueError, TypeError, OverflowError) as error:
            if isinstance(error, LabelError):
                raise
            raise LabelError(f"transition matrix: {error}; expected (classes, classes) numbers") from error
        if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) < 2:
            raise LabelError(f"transition matrix of shape {array.shape}: expected (classes, classes), at least 2 x 2")
        rows, columns = np.nonzero((array != 0) | np.eye(len(array), dtype=bool))
        return cls._of_sorted(len(array), 0.0, rows, columns, array[rows, columns])

    @classmethod
    def of_parts(
        cls,
        diagonal: ArrayLike,
        *,
        constant: float = 0.0,
        rows: ArrayLike = (),
        columns: ArrayLike = (),
        values: ArrayLike = (),
    ) -> TransitionMatrix:
        """A matrix of any number of classes from its parts.

        Args:
            diagonal: ``(classes,)``, how likely each class keeps its label.
            constant: all other entries.
            rows: ``(entries,)``, the true classes of entries that take the place of the constant.
            columns: ``(entries,)``, their noisy classes.
            values: ``(entries,)``, how likely they are.

        Raises:
            LabelError: parts that do not fit together, an entry that is there twice or is no probability, or a row that
                does not sum to 1.
        """
        own = np.asarray(diagonal, np.float64)
        if own.ndim != 1:
            raise LabelError(f"the diagonal has shape {own.shape}: expected one number for each class")
        size = check_classes(len(own))
        places = [np.asarray(part) for part in (rows, columns)]
        listed = np.asarray(values, np.float64)
        if listed.ndim != 1 or any(place.shape != listed.shape for place in places):
            raise LabelError("entries of the transition matrix: expected as many rows, columns and values")
        for place in places:
            if len(place) and (place.dtype.kind not in "iu" or int(place.min()) < 0 or int(place.max()) >= size):
                raise LabelError(f"entries of the transition matrix: expected classes 0 … {size - 1} as integers")
        counted = np.arange(size)
        at, to = (np.concatenate([counted, place.astype(np.int64)]) for place in places)
        order = np.lexsort((to, at))
        at, to = at[order], to[order]
        twice = np.flatnonzero((at[1:] == at[:-1]) & (to[1:] == to[:-1]))
        if len(twice):
            raise LabelError(f"T[{at[twice[0]]}, {to[twice[0]]}] is there twice: expected each entry once")
        return cls._of_sorted(size, float(constant), at, to, np.concatenate([own, listed])[order])

    @classmethod
    def _of_sorted(
        cls,
        size: int,
        constant: float,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> TransitionMatrix:
        """Entries in order, with the diagonal; those off it that are the constant are left out."""
        differs = (values != constant) | (rows == columns)
        if not differs.all():
            rows, columns, values = rows[differs], columns[differs], values[differs]
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=size))])
        return cls(size, constant, starts, columns.astype(label_type(size)), values)

    @property
    def shape(self) -> tuple[int, int]:
        """``(classes, classes)``."""
        return self.num_classes, self.num_classes

    def __len__(self) -> int:
        return self.num_classes

    @property
    def diagonal(self) -> NDArray[np.float64]:
        """``(classes,)``: how likely each class keeps its label."""
        return self.values[self._own]

    @property
    def kept(self) -> NDArray[np.int64]:
        """``(classes,)``: how many entries of each row are kept."""
        return np.diff(self.starts)

    @property
    def largest_other(self) -> NDArray[np.float64]:
        """``(classes,)``: how likely the likeliest wrong label of each class is."""
        values = self.values.copy()
        values[self._own] = 0.0
        found: NDArray[np.float64] = np.maximum.reduceat(values, self.starts[:-1])
        return np.where(self.kept < len(self), np.maximum(found, self.constant), found)

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        return (self[row] for row in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> NDArray[np.float64]: ...
    @overload
    def __getitem__(self, index: tuple[int, int]) -> float: ...
    def __getitem__(self, index: int | tuple[int, int]) -> NDArray[np.float64] | float:
        places = index if isinstance(index, tuple) else (index,)
        if len(places) > 2 or not all(isinstance(place, int | np.integer) for place in places):
            raise IndexError(f"T[{index!r:.60}]: expected T[i] or T[i, j]; T.dense() is an array")
        if not all(-len(self) <= place < len(self) for place in places):
            raise IndexError(f"T[{index}]: there are {len(self)} classes")
        row, *column = (int(place) % len(self) for place in places)
        entries = slice(self.starts[row], self.starts[row + 1])
        if not column:
            found = np.full(len(self), self.constant)
            found[self.columns[entries]] = self.values[entries]
            return found
        place = self.starts[row] + np.searchsorted(self.columns[entries], column[0])
        is_kept = place < self.starts[row + 1] and self.columns[place] == column[0]
        return float(self.values[place]) if is_kept else self.constant

    def __matmul__(self, vector: ArrayLike) -> NDArray[np.float64]:
        v = self._vector(vector)
        found = np.add.reduceat((self.values - self.constant) * v[self.columns], self.starts[:-1])
        return found + self.constant * v.sum()

    def __rmatmul__(self, vector: ArrayLike) -> NDArray[np.float64]:
        v = self._vector(vector)
        weights = (self.values - self.constant) * np.repeat(v, self.kept)
        return np.bincount(self.columns, weights, len(self)) + self.constant * v.sum()

    def _vector(self, vector: ArrayLike) -> NDArray[np.float64]:
        v = np.asarray(vector, np.float64)
        if v.shape != (len(self),):
            raise LabelError(f"a product of T with shape {v.shape}: expected a vector of {len(self)} numbers")
        return v

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TransitionMatrix):
            return NotImplemented
        if len(self) != len(other):
            return False
        if self.constant == other.constant:  # then entries that are the constant are in neither
            pairs = ((getattr(self, name), getattr(other, name)) for name in ("starts", "columns", "values"))
            return all(np.array_equal(*pair) for pair in pairs)
        if len(self.values) + len(other.values) < len(self) ** 2:
            return False  # somewhere neither has an entry, and their constants differ
        return all(np.array_equal(self[row], other[row]) for row in range(len(self)))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"TransitionMatrix({len(self):,} classes: {len(self.values):,} entries, all others {self.constant:.6g})"

    def dense(self) -> NDArray[np.float64]:
        """``(classes, classes)``: all entries.

        Raises:
            LabelError: more than 2,000 classes.
        """
        check_dense(len(self))
        found = np.full(self.shape, self.constant)
        found[np.repeat(np.arange(len(self)), self.kept), self.columns] = self.values
        return found

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("an array of a transition matrix is always a copy")
        return self.dense().astype(dtype or np.float64, copy=False)

    def rows_alike(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Rows with the same number of entries: which rows, and ``(rows, entries)`` where their entries are."""
        kept = self.kept
        for number in np.unique(kept):
            rows = np.flatnonzero(kept == number)
            yield rows, self.starts[rows, None] + np.arange(number)

    def after(self, first: TransitionMatrix) -> TransitionMatrix:
        """The matrix of two steps, ``first`` and then this.

        Raises:
            LabelError: more than 2,000 classes, and the first step has a constant.
        """
        if len(self) <= MOST_DENSE:
            return TransitionMatrix.of(first.dense() @ self.dense())
        if first.constant:
            raise LabelError(f"two steps of noise over {len(self):,} classes: expected a first one without a constant")
        # Each entry of the first step meets all entries of a row of the second; what is constant there stays it.
        met = self.kept[first.columns]
        within = np.arange(met.sum()) - np.repeat(np.cumsum(met) - met, met)
        place = np.repeat(self.starts[first.columns], met) + within
        weight = np.repeat(first.values, met) * (self.values[place] - self.constant)
        row = np.repeat(np.repeat(np.arange(len(self)), first.kept), met)
        # A class that leaves its label for good may be without an entry of its own.
        every = np.arange(len(self))
        keys = np.concatenate([row, every]) * len(self) + np.concatenate([self.columns[place].astype(np.int64), every])
        keys, index = np.unique(keys, return_inverse=True)
        total = np.bincount(index, np.concatenate([weight, np.zeros(len(self))]))
        # Rounding can leave a trace below zero where two numbers cancel.
        values = (total + self.constant).clip(0)
        return TransitionMatrix._of_sorted(len(self), self.constant, *np.divmod(keys, len(self)), values)

    def placed(self, place: NDArray[np.int64], size: int) -> TransitionMatrix:
        """The same noise where class i is called ``place[i]``, among ``size`` classes; the others keep their label.

        Raises:
            LabelError: more than 2,000 classes, and there are others and a constant, which is not theirs.
        """
        if self.constant and size != len(self):
            matrix = np.eye(size) if size <= MOST_DENSE else None
            if matrix is None:
                raise LabelError(f"noise that goes to {len(self):,} classes alike cannot be that of {size:,} classes")
            matrix[np.ix_(place, place)] = self.dense()
            return TransitionMatrix.of(matrix)
        others = np.setdiff1d(np.arange(size), place)
        rows = np.concatenate([np.repeat(place, self.kept), others])
        columns = np.concatenate([place[self.columns], others])
        order = np.lexsort((columns, rows))
        values = np.concatenate([self.values, np.ones(len(others))])
        return TransitionMatrix._of_sorted(size, self.constant, rows[order], columns[order], values[order])
