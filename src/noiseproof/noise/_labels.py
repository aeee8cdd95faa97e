"""Noisy labels as a value: what was asked for, what came out, and the file that holds both."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.classes import Classes, read_labels
from noiseproof.container import document_sha256, read_document, write_document
from noiseproof.errors import LabelError, NoiseWarning, shorten
from noiseproof.files import write_text
from noiseproof.formats import printable
from noiseproof.noise._matrices import check_classes, check_matrix, check_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

_HEAD: dict[str, Any] = {"kind": str, "mode": str, "requested_rate": int | float | None, "seed": int | None}
"""What a manifest holds besides its lists."""


@dataclass(frozen=True, eq=False)
class NoisyLabels:
    """Noisy labels, the clean ones they were made from, and how.

    The arrays are read-only copies, so that training code cannot overwrite the truth by accident.

    Attributes:
        labels: ``(N,)`` int64, the noisy labels.
        clean: ``(N,)`` int64, the labels before.
        matrix: ``(classes, classes)`` float64, row-stochastic ``T[true, noisy]``: as requested for generated
            noise (for instance-dependent noise the mean over a class's samples), as counted for observed noise.
        kind: ``"symmetric"``, ``"asymmetric"``, ``"matrix"``, ``"instance"`` or a name for observed noise.
        mode: ``"exact"``, ``"iid"`` or ``"published"``; ``"pdn"`` or ``"fixed-subset"`` for instance-dependent noise;
            ``"observed"`` for noise that was not made here.
        requested_rate: the rate that the generator was given; ``None`` for observed noise.
        seed: the seed of the draw; ``None`` for observed noise.
        class_names: one per class, where they are known; ``None`` where they are the numbers 0, 1, 2, …
    """

    labels: NDArray[np.int64]
    clean: NDArray[np.int64]
    matrix: NDArray[np.float64]
    kind: str
    mode: str
    requested_rate: float | None = None
    seed: int | None = None
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        matrix = check_matrix(self.matrix)
        if self.class_names is not None:
            names = check_class_names(self.class_names, len(matrix))
            counted = tuple(map(str, range(len(matrix))))
            object.__setattr__(self, "class_names", None if names == counted else names)
        # Plain numbers, whatever NumPy had: they are written as JSON.
        if self.requested_rate is not None:
            object.__setattr__(self, "requested_rate", check_rate(self.requested_rate))
        if self.seed is not None:
            object.__setattr__(self, "seed", check_seed(self.seed))
        labels = check_labels(self.labels, len(matrix))
        clean = check_labels(self.clean, len(matrix), what="clean label")
        if len(labels) != len(clean):
            raise LabelError(f"{len(labels)} noisy labels for {len(clean)} clean ones: expected as many")
        for name, array in (("labels", labels), ("clean", clean), ("matrix", matrix)):
            array = array.copy()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def observed(
        cls,
        labels: ArrayLike,
        clean: ArrayLike,
        num_classes: int,
        kind: str,
        *,
        class_names: Sequence[str] | None = None,
    ) -> NoisyLabels:
        """Noise that somebody else made, such as human mistakes; its matrix is counted from the labels.

        Raises:
            LabelError: labels that are no integers in ``0 … num_classes - 1``, or differ in number.
        """
        noisy = check_labels(labels, num_classes)
        true = check_labels(clean, num_classes, what="clean label")
        if len(noisy) != len(true):
            raise LabelError(f"{len(noisy)} noisy labels for {len(true)} clean ones: expected as many")
        names = None if class_names is None else tuple(class_names)
        return cls(noisy, true, _counted_matrix(noisy, true, num_classes), kind, "observed", class_names=names)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.matrix)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """``(N,)``: where the noisy label is wrong."""
        return self.labels != self.clean

    @property
    def rate(self) -> float:
        """The realized noise rate: the share of all labels that are wrong."""
        return float(self.mask.mean()) if len(self.labels) else 0.0

    @property
    def expected_rate(self) -> float:
        """The share of all labels that :attr:`matrix` makes wrong on average, for these class counts."""
        if not len(self.clean):
            return 0.0
        counts = np.bincount(self.clean, minlength=self.num_classes)
        return float(counts @ (1 - np.diag(self.matrix)) / counts.sum())

    @property
    def realized_matrix(self) -> NDArray[np.float64]:
        """The transition matrix counted from the labels; a class without samples keeps its label."""
        return _counted_matrix(self.labels, self.clean, self.num_classes)

    @property
    def class_rates(self) -> NDArray[np.float64]:
        """``(classes,)``: the realized noise rate of each class; 0 for a class without samples."""
        return 1 - np.diag(self.realized_matrix)

    def name(self, label: int) -> str:
        """What a class is called: its name, or its number where nobody knows names."""
        return str(label) if self.class_names is None else self.class_names[label]

    def measured_against(self, clean: NDArray[np.int64]) -> NoisyLabels:
        """The same noisy labels where those they were made from were wrong themselves.

        Args:
            clean: ``(N,)``, the true labels. The matrix becomes that of both steps, the first as counted.

        Raises:
            LabelError: as many labels as there are samples were expected.
        """
        true = check_labels(clean, self.num_classes, what="clean label")
        before = NoisyLabels.observed(self.clean, true, self.num_classes, "given")
        return replace(self, clean=true, matrix=before.matrix @ self.matrix, kind=f"given + {self.kind}")

    def in_classes(self, class_names: Sequence[str]) -> NoisyLabels:
        """The same labels as positions in ``class_names``, which may hold further classes.

        Raises:
            LabelError: a class of these labels is not among them, or these have no names and are not as many.
        """
        names = check_class_names(class_names, len(class_names))
        if self.class_names is None:
            # Positions, whatever they are called.
            if len(names) != self.num_classes:
                raise LabelError(f"noise in {self.num_classes} classes for data with {len(names)}: expected as many")
            return replace(self, class_names=names)
        if self.class_names == names:
            return self
        place = Classes(names).encode(read_labels(list(self.class_names)), "class")
        matrix = np.eye(len(names))
        matrix[np.ix_(place, place)] = self.matrix
        return replace(self, labels=place[self.labels], clean=place[self.clean], matrix=matrix, class_names=names)

    def take(self, positions: NDArray[np.int64]) -> NoisyLabels:
        """The labels of some of the samples; the matrix and the request stay those of all."""
        return replace(self, labels=self.labels[positions], clean=self.clean[positions])

    def __str__(self) -> str:
        wrong = int(self.mask.sum())
        realized = f"realized {self.rate:.2%} ({wrong} of {len(self.labels)} labels are wrong)"
        if self.requested_rate is None:
            return f"{printable(self.kind)} noise, {realized}"
        requested = f"requested {self.requested_rate:.2%}"
        if abs(self.expected_rate - self.requested_rate) > 5e-5:
            affected = int((np.diag(self.matrix) < 1).sum())
            if affected < self.num_classes:
                requested += f" of {affected} of {self.num_classes} classes = {self.expected_rate:.2%} overall"
            else:
                requested += f", expected {self.expected_rate:.2%}"
        return f"{printable(self.kind)} noise ({printable(self.mode)}, seed {self.seed}): {requested}, {realized}"

    @property
    def checksum(self) -> str:
        """The SHA-256 of everything that defines these labels: that of their manifest."""
        return document_sha256("noise", self._contents(), line_per_key=True)

    def _contents(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "mode": self.mode,
            "requested_rate": self.requested_rate,
            "seed": self.seed,
            "num_classes": self.num_classes,
            **({} if self.class_names is None else {"class_names": list(self.class_names)}),
            "rate": self.rate,
            "matrix": self.matrix.tolist(),
            "labels": self.labels.tolist(),
            "clean": self.clean.tolist(),
        }

    def manifest(self) -> str:
        """The text of a manifest: one JSON document with the labels, where they come from, and a checksum."""
        # A line per entry: the head stays readable, the lists stay compact.
        return write_document("noise", self._contents(), line_per_key=True)

    def save(self, path: str | Path) -> None:
        """Write :meth:`manifest` to a file.

        Raises:
            RunError: the file cannot be written.
        """
        write_text(Path(path), self.manifest())


def load(path: str | Path) -> NoisyLabels:
    """Read a manifest that :meth:`NoisyLabels.save` wrote.

    Raises:
        LabelError: there is no such file, it is no manifest, or it was changed since it was written.
    """
    try:
        manifest = read_document(Path(path), "noise", line_per_key=True)
        for key, kinds in _HEAD.items():
            if isinstance(manifest[key], bool) or not isinstance(manifest[key], kinds):
                raise TypeError(f"{key} {manifest[key]!r:.60}")
        return NoisyLabels(
            np.array(manifest["labels"]),
            np.array(manifest["clean"]),
            np.array(manifest["matrix"], float),
            manifest["kind"],
            manifest["mode"],
            manifest["requested_rate"],
            manifest["seed"],
            manifest.get("class_names"),
        )
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise LabelError(
            f"{path} is no noise manifest that can be read: {what}. NoisyLabels.save writes them: restore the file, "
            "or make the noise again."
        ) from error


def check_class_names(names: Any, num_classes: int) -> tuple[str, ...]:
    """``names`` as one name for each class.

    Raises:
        LabelError: they are no different texts, or not as many.
    """
    if isinstance(names, str) or not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        raise LabelError(f"class_names {names!r:.60}: expected a list of texts")
    known = Classes(tuple(names))
    if len(known) != num_classes:
        raise LabelError(f"{len(known)} class_names for {num_classes} classes: expected as many")
    return known.names


def check_seed(seed: Any) -> int:
    """``seed`` as an integer.

    Raises:
        LabelError: it is none.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise LabelError(f"seed {seed!r}: expected an integer")
    return int(seed)


def warn_about_absent(noise: NoisyLabels) -> None:
    """Warn where labels were flipped to a class that no sample has.

    Warns:
        NoiseWarning: some were.
    """
    present = np.bincount(noise.clean, minlength=noise.num_classes) > 0
    absent = np.flatnonzero(~present & (np.bincount(noise.labels, minlength=noise.num_classes) > 0))
    if len(absent):
        count = int(np.isin(noise.labels, absent).sum())
        warnings.warn(
            f"{noise.kind} noise: {count} of {len(noise.labels)} labels go to classes that no sample has "
            f"({shorten([noise.name(int(label)) for label in absent])} of {noise.num_classes}). Is num_classes right, "
            "and do labels count from 0?",
            NoiseWarning,
            stacklevel=5,
        )


def check_labels(labels: ArrayLike, num_classes: int, *, what: str = "label") -> NDArray[np.int64]:
    """``labels`` as a one-dimensional int64 array.

    Raises:
        LabelError: they are not integers, not one-dimensional or not in ``0 … num_classes - 1``.
    """
    if isinstance(num_classes, bool) or not isinstance(num_classes, int | np.integer) or num_classes < 2:
        raise LabelError(f"num_classes {num_classes!r}: expected an integer of at least 2")
    array = np.asarray(labels)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise LabelError(f"{what}s are {array.dtype}: expected integers; convert them knowingly, e.g. by astype(int)")
    if array.ndim != 1:
        raise LabelError(f"{what}s have shape {array.shape}: expected one label per sample, (N,)")
    wrong = np.flatnonzero((array < 0) | (array >= num_classes))
    if len(wrong):
        raise LabelError(
            f"{what} {array[wrong[0]]} at index {wrong[0]} (and {len(wrong) - 1} more): expected "
            f"0 … {num_classes - 1} for num_classes={num_classes}"
        )
    return array.astype(np.int64)


def _counted_matrix(labels: NDArray[np.int64], clean: NDArray[np.int64], num_classes: int) -> NDArray[np.float64]:
    check_classes(num_classes)
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (clean, labels), 1)
    empty = counts.sum(1) == 0
    counts[empty, empty] = 1
    return counts / counts.sum(1, keepdims=True)
