"""Labels and probabilities as somebody has them, brought together."""

from __future__ import annotations

import hashlib
import itertools
import json
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.auditing.rates import JointCounts
from noiseproof.auditing.views import together
from noiseproof.classes import Classes, read_labels
from noiseproof.errors import DataWarning, LabelError, shorten
from noiseproof.formats import PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from noiseproof.classes import Labels

_LISTED = 1 << 12
"""Labels of a list that are put into its checksum together."""

_CLOSE = 1e-4
"""Sums that are so near to 1 are left as they are."""


@dataclass(frozen=True, eq=False)
class Opinions:
    """What somebody's model says of samples, and what their labels say.

    Attributes:
        labels: ``(N,)``, the given ones, as positions in ``classes``.
        probabilities: ``(N, columns)``, of the first classes; the others have no column, and are never predicted.
        classes: ``(classes,)``: whole numbers, or text as objects.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[Any]
    classes: NDArray[Any]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_classes(self) -> int:
        """How many classes there are, with those that no column has."""
        return len(self.classes)

    def blocks(self, values: int) -> Iterator[tuple[slice, NDArray[np.floating[Any]], NDArray[np.int64]]]:
        """Some rows after others, with about so many values each: where they are, probabilities and labels.

        Raises:
            LabelError: what is no probability.
        """
        step = max(1, values // self.num_classes)
        more = self.num_classes - self.probabilities.shape[1]
        for start in range(0, len(self), step):
            part = slice(start, min(start + step, len(self)))
            p = np.asarray(self.probabilities[part])
            if p.dtype not in (np.float32, np.float64):
                p = p.astype(np.float32)
            with np.errstate(over="ignore"):  # what is too large is refused below
                sums = p.sum(1)
            if not (np.isfinite(sums).all() and p.min() >= 0 and sums.min() > 0):
                raise _no_probabilities(p, start, self.classes)
            if np.abs(sums - 1).max() > _CLOSE:
                p = p / sums[:, None]
            if more:
                p = np.concatenate([p, np.zeros((len(p), more), p.dtype)], 1)
            yield part, p, self.labels[part]

    def normalized(self) -> NDArray[Any]:
        """``(N, classes)``, the probabilities divided by their sums; 0 for classes without a column.

        Raises:
            LabelError: what is no probability.
        """
        return np.concatenate([p for _, p, _ in self.blocks(_NORMALIZED)])

    def with_views(self, views: Sequence[NDArray[Any]], unknown: NDArray[np.bool_] | None = None) -> Opinions:
        """The same labels with what several views say together; all classes alike for samples that nobody knows of.

        Args:
            views: ``(N, classes)`` each.
            unknown: ``(N,)``, which samples nobody could look at, such as images that cannot be read.
        """
        found = together(views)
        if unknown is not None and unknown.any():
            found = np.where(unknown[:, None], 1 / found.shape[1], found)
        return replace(self, probabilities=found)

    def joint_counts(self, values: int) -> JointCounts:
        """The confident joint and what it is made of, a block of so many values after another."""
        counts = JointCounts(self.num_classes)
        for _, p, given in self.blocks(values):
            counts.look(p, given)
        for _, p, given in self.blocks(values):
            counts.count(p, given)
        return counts


_SUMMED, _ALIKE = 1 << 12, 1.05
"""So many rows are summed to see whether they are probabilities, and so far apart their sums may be."""

_NORMALIZED = 1 << 22
"""Values that are divided together."""


def labels_alone(labels: Any, classes: Sequence[Any] | None) -> Opinions:
    """Labels without probabilities, which are alike for all classes: those that occur, or ``classes``.

    Raises:
        LabelError: what are no labels, or a label that is none of the classes.
    """
    read = read_labels(plain(labels))
    found = Classes.of(read) if classes is None else Classes.named(classes)
    if len(found) < 2:
        raise LabelError(f"all {len(read)} labels are {found.names[0]!r}: expected at least two classes")
    alike = np.full((len(read), len(found)), 1 / len(found), np.float32)
    return Opinions(found.encode(read), alike, class_values(found.names))


def _no_probabilities(p: NDArray[Any], start: int, classes: NDArray[Any]) -> LabelError:
    with np.errstate(invalid="ignore", over="ignore"):
        wrong, sums = ~np.isfinite(p) | (p < 0), p.sum(1)
    if not wrong.any():
        if np.isinf(sums).any():
            row = int(sums.argmax())
            return LabelError(
                f"the probabilities of row {start + row} are up to {p[row].max():.3g}, and their sum is too large for "
                f"{p.dtype}: expected numbers from 0 to 1"
            )
        return LabelError(f"the probabilities of row {start + int(sums.argmin())} are all 0: expected some above it")
    row, column = (int(place[0]) for place in np.nonzero(wrong))
    hint = "; are these logits? Give their softmax" if p[row, column] < 0 else ""
    return LabelError(
        f"probability {p[row, column]} in row {start + row}, column {column} ({classes[column]!s:.60}): expected "
        f"finite numbers from 0 on{hint}"
    )


def read_opinions(labels: Any, probabilities: Any, classes: Sequence[Any] | None) -> Opinions:
    """Labels and probabilities, by the names of the classes; see :func:`noiseproof.auditing.audit`.

    Raises:
        LabelError: they do not fit together.
    """
    array, names = _columns(probabilities)
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "fiub" or not len(array):
        raise LabelError(
            f"probabilities are {array.dtype} of shape {array.shape}: expected numbers, (N, classes), of at least two "
            "classes"
        )
    read = read_labels(plain(labels))
    if len(read) != len(array):
        raise LabelError(f"{len(read)} labels for {len(array)} rows of probabilities: expected one for each")
    _compare_index(labels, probabilities)
    _look_at_sums(array)
    count = array.shape[1]
    if classes is not None:
        names = list(classes)
        if len(names) != count:
            raise LabelError(f"{len(names)} classes for {count} columns of probabilities: expected one for each")
    if names is not None:
        known = Classes.named(names)
        others = [text for text in dict.fromkeys(read.texts) if not known.has(text)]
        _look_at_others(read, others, known)
        every = Classes((*known.names, *others))
        return Opinions(every.encode(read), array, class_values(every.names))
    if read.values.dtype.kind == "i" and read.kind == "number":
        positions = read.values.astype(np.int64)
        wrong = np.flatnonzero((positions < 0) | (positions >= count))
        if len(wrong):
            raise LabelError(
                f"label {positions[wrong[0]]} at {wrong[0]}: without names of classes, labels are numbers of columns, "
                f"0 to {count - 1}; give classes="
            )
        return Opinions(positions, array, np.arange(count))
    found = Classes.of(read)
    if len(found) != count:
        raise LabelError(
            f"{len(found)} different labels ({shorten(list(found.names))}) and {count} columns of probabilities: say "
            "which columns they are (classes=, or a data frame whose columns have their names)"
        )
    return Opinions(found.encode(read), array, class_values(found.names))


def _compare_index(labels: Any, probabilities: Any) -> None:
    """See that rows are not in another order where labels and probabilities name them in an index of pandas.

    Raises:
        LabelError: both have the same names, in different orders.
    """
    if not all(hasattr(getattr(each, "index", None), "equals") for each in (labels, probabilities)):
        return
    one, other = list(labels.index), list(probabilities.index)
    if one != other and {*one} == {*other}:
        row = next(row for row, (name, its) in enumerate(zip(one, other, strict=True)) if name != its)
        raise LabelError(
            f"row {row} is {one[row]!r} in the index of the labels and {other[row]!r} in that of the probabilities: "
            "bring them into one order (probabilities.loc[labels.index]), or give arrays (.to_numpy())"
        )


def _look_at_sums(array: NDArray[Any]) -> None:
    """Warn if rows, or some of many, sum to different numbers."""
    with np.errstate(all="ignore"):
        sums = array[:: max(1, len(array) // _SUMMED)].astype(np.float64).sum(1)
    low, high = float(sums.min()), float(sums.max())
    if np.isfinite([low, high]).all() and low > 0 and high > _ALIKE * low:
        warnings.warn(
            f"rows of probabilities sum to {low:.3g} to {high:.3g}: expected 1, or all alike. Each row is divided by "
            "its sum; if these are logits give their softmax, and if a column is no class leave it out",
            DataWarning,
            stacklevel=4,
        )


def _look_at_others(labels: Labels, others: Sequence[str], known: Classes) -> None:
    """Warn of labels that have no column, and refuse them if none has.

    Raises:
        LabelError: no label has a column.
    """
    if not others:
        return
    columns = f"the columns are {shorten(list(known.names))}"
    if len(others) == len(labels.texts):
        raise LabelError(
            f"no label has a column of probabilities: the labels are {shorten(others)}, and {columns}. Call classes "
            "alike in both"
        )
    lost = np.isin(labels.index, [place for place, text in enumerate(labels.texts) if not known.has(text)]).sum()
    warnings.warn(
        f"{lost} of {len(labels)} labels have no column of probabilities ({shorten(others)}) and count as wholly "
        f"unexpected; {columns}",
        DataWarning,
        stacklevel=4,
    )


def _columns(probabilities: Any) -> tuple[NDArray[Any], list[str] | None]:
    """An array, and the names of its columns where it is a data frame."""
    if hasattr(probabilities, "detach"):
        probabilities = probabilities.detach().cpu().numpy()
    listed = getattr(probabilities, "column_names", getattr(probabilities, "columns", None))
    if listed is None:
        return np.asarray(probabilities), None
    names = [str(name) for name in listed]
    chosen = [name for name in names if name.startswith(PROBABILITY)] or names
    columns = [np.asarray(probabilities[list(listed)[names.index(name)]]) for name in chosen]
    kinds = {column.dtype.kind for column in columns}
    if not kinds <= set("fiub"):
        text = next(name for name, column in zip(chosen, columns, strict=True) if column.dtype.kind not in "fiub")
        raise LabelError(
            f"the column {text!r} holds no numbers: expected a column of probabilities for each class, called "
            f"{PROBABILITY}CLASS where there are others"
        )
    return np.column_stack(columns), [name.removeprefix(PROBABILITY) for name in chosen]


def plain(labels: Any) -> Any:
    """Labels of a tensor or a series as an array."""
    if hasattr(labels, "detach"):
        return labels.detach().cpu().numpy()
    return labels.to_numpy() if hasattr(labels, "to_numpy") else labels


def check_keys(keys: Sequence[Any] | None) -> None:
    """See that every sample is called something.

    Raises:
        LabelError: one is not: its key is ``None``, NaN or empty.
    """
    for row, key in enumerate(() if keys is None else keys):
        if key is None or key != key or (isinstance(key, str) and not key):
            raise LabelError(f"sample {row} has the key {key!r}: expected a name or a number for each")


def labels_checksum(keys: Iterable[Any], labels: Iterable[Any]) -> str:
    """The SHA-256 of a list of labels: of what samples are called and their labels, in their order."""
    digest = hashlib.sha256()
    listed = zip(keys, labels, strict=True)
    for start in iter(lambda: list(itertools.islice(listed, _LISTED)), []):
        digest.update(json.dumps([[str(key), str(label)] for key, label in start]).encode())
    return digest.hexdigest()


def class_values(names: Sequence[str]) -> NDArray[Any]:
    """Class names as whole numbers where all are, and as they are written otherwise."""
    values = Classes(tuple(names)).values
    return values if values.dtype.kind == "i" else np.array(names, object)
