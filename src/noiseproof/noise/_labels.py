"""Noisy labels as a value: what was asked for, what came out, and the file that holds both."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.classes import Classes, read_labels
from noiseproof.container import (
    document_sha256,
    holds_state,
    read_document,
    read_state,
    state_sha256,
    write_document,
    write_state,
)
from noiseproof.errors import LabelError, NoiseWarning, shorten
from noiseproof.files import write_atomically
from noiseproof.formats import printable
from noiseproof.noise._arrays import check_labels, count_labels, count_wrong, counted_matrix, kept_labels
from noiseproof.noise._matrices import check_rate
from noiseproof.noise._transition import MOST_DENSE, TransitionMatrix, check_classes, label_type
from noiseproof.untrusted import open_file, read_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

MOST_LISTED = 1_000_000
"""A manifest of up to so many labels, and of as many classes as a dense matrix can have, is a JSON document."""

_DOCUMENT, _STATE = "noise", "noise in bytes"
_MOST_BYTES = 8 << 30

_HEAD: dict[str, Any] = {"kind": str, "mode": str, "requested_rate": int | float | None, "seed": int | None}
"""What a manifest holds besides its lists."""


@dataclass(frozen=True, eq=False)
class NoisyLabels:
    """Noisy labels, the clean ones they were made from, and how.

    The arrays are read-only copies, so that training code cannot overwrite the truth by accident. Labels are kept in
    the smallest unsigned type that holds them: one byte each for up to 256 classes. ``labels.astype(int)`` makes
    numbers that can be calculated with.

    Attributes:
        labels: ``(N,)`` uint8, uint16 or uint32, the noisy labels.
        clean: ``(N,)``, of the same type, the labels before.
        matrix: ``(classes, classes)``, row-stochastic ``T[true, noisy]``: as requested for generated noise (for
            instance-dependent noise the mean over a class's samples), as counted for observed noise. An array of all
            entries is taken too.
        kind: ``"symmetric"``, ``"asymmetric"``, ``"matrix"``, ``"instance"`` or a name for observed noise.
        mode: ``"exact"``, ``"iid"`` or ``"published"``; ``"pdn"`` or ``"fixed-subset"`` for instance-dependent noise;
            ``"observed"`` for noise that was not made here.
        requested_rate: the rate that the generator was given; ``None`` for observed noise.
        seed: the seed of the draw; ``None`` for observed noise.
        class_names: one per class, where they are known; ``None`` where they are the numbers 0, 1, 2, …
    """

    labels: NDArray[np.unsignedinteger[Any]]
    clean: NDArray[np.unsignedinteger[Any]]
    matrix: TransitionMatrix
    kind: str
    mode: str
    requested_rate: float | None = None
    seed: int | None = None
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        matrix = TransitionMatrix.of(self.matrix)
        object.__setattr__(self, "matrix", matrix)
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
        for name, array in (("labels", labels), ("clean", clean)):
            object.__setattr__(self, name, kept_labels(array, len(matrix)))

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
        noisy, true = kept_labels(noisy, num_classes), kept_labels(true, num_classes)
        return cls(noisy, true, counted_matrix(noisy, true, num_classes), kind, "observed", class_names=names)

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
        return count_wrong(self.labels, self.clean) / max(len(self.labels), 1)

    @property
    def expected_rate(self) -> float:
        """The share of all labels that :attr:`matrix` makes wrong on average, for these class counts."""
        if not len(self.clean):
            return 0.0
        counts = count_labels(self.clean, self.num_classes)
        return float(counts @ (1 - self.matrix.diagonal) / counts.sum())

    @property
    def realized_matrix(self) -> TransitionMatrix:
        """The transition matrix counted from the labels; a class without samples keeps its label."""
        return counted_matrix(self.labels, self.clean, self.num_classes)

    @property
    def class_rates(self) -> NDArray[np.float64]:
        """``(classes,)``: the realized noise rate of each class; 0 for a class without samples."""
        return 1 - self.realized_matrix.diagonal

    def name(self, label: int) -> str:
        """What a class is called: its name, or its number where nobody knows names."""
        return str(label) if self.class_names is None else self.class_names[label]

    def measured_against(self, clean: ArrayLike) -> NoisyLabels:
        """The same noisy labels where those they were made from were wrong themselves.

        Args:
            clean: ``(N,)``, the true labels. The matrix becomes that of both steps, the first as counted.

        Raises:
            LabelError: as many labels as there are samples were expected.
        """
        true = check_labels(clean, self.num_classes, what="clean label")
        before = NoisyLabels.observed(self.clean, true, self.num_classes, "given")
        return replace(self, clean=before.clean, matrix=self.matrix.after(before.matrix), kind=f"given + {self.kind}")

    def in_classes(self, class_names: Sequence[str]) -> NoisyLabels:
        """The same labels as positions in ``class_names``, which may hold further classes.

        Raises:
            LabelError: a class of these labels is not among them, these have no names and are not as many, or there are
            more than 2,000 and some to which labels were not flipped, as they were to all others alike.
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
        matrix = self.matrix.placed(place, len(names))
        place = place.astype(label_type(len(names)))
        return replace(self, labels=place[self.labels], clean=place[self.clean], matrix=matrix, class_names=names)

    def take(self, positions: NDArray[np.int64]) -> NoisyLabels:
        """The labels of some of the samples; the matrix and the request stay those of all."""
        return replace(self, labels=self.labels[positions], clean=self.clean[positions])

    def __str__(self) -> str:
        wrong = count_wrong(self.labels, self.clean)
        realized = f"realized {wrong / max(len(self.labels), 1):.2%} ({wrong} of {len(self.labels)} labels are wrong)"
        if self.requested_rate is None:
            return f"{printable(self.kind)} noise, {realized}"
        requested = f"requested {self.requested_rate:.2%}"
        if abs(self.expected_rate - self.requested_rate) > 5e-5:
            affected = int((self.matrix.diagonal < 1).sum())
            if affected < self.num_classes:
                requested += f" of {affected} of {self.num_classes} classes = {self.expected_rate:.2%} overall"
            else:
                requested += f", expected {self.expected_rate:.2%}"
        return f"{printable(self.kind)} noise ({printable(self.mode)}, seed {self.seed}): {requested}, {realized}"

    @property
    def checksum(self) -> str:
        """The SHA-256 of everything that defines these labels: that of their manifest."""
        if self._is_listed:
            return document_sha256(_DOCUMENT, self._contents(), line_per_key=True)
        return state_sha256(_STATE, self._head(), *self._bytes())

    @property
    def _is_listed(self) -> bool:
        return len(self.labels) <= MOST_LISTED and self.num_classes <= MOST_DENSE

    def _origin(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "mode": self.mode,
            "requested_rate": self.requested_rate,
            "seed": self.seed,
            "num_classes": self.num_classes,
            **({} if self.class_names is None else {"class_names": list(self.class_names)}),
            "rate": self.rate,
        }

    def _contents(self) -> dict[str, Any]:
        return {
            **self._origin(),
            "matrix": self.matrix.dense().tolist(),
            "labels": self.labels.tolist(),
            "clean": self.clean.tolist(),
        }

    def _head(self) -> dict[str, Any]:
        lengths = {name: len(array) for name, array in self._arrays().items()}
        return {**self._origin(), "constant": self.matrix.constant, "lengths": lengths}

    def _arrays(self) -> dict[str, NDArray[Any]]:
        matrix = self.matrix
        arrays = (self.labels, self.clean, matrix.starts, matrix.columns, matrix.values)
        return dict(zip(_array_types(self.num_classes), arrays, strict=True))

    def _bytes(self) -> list[memoryview]:
        """What follows the head of a manifest in bytes: its arrays as little-endian numbers."""
        types = _array_types(self.num_classes)
        return [array.astype(types[name], copy=False).data for name, array in self._arrays().items()]

    def _manifest(self) -> tuple[bytes | memoryview, ...]:
        if self._is_listed:
            # A line per entry: the head stays readable, the lists stay compact.
            return (write_document(_DOCUMENT, self._contents(), line_per_key=True).encode(),)
        return write_state(_STATE, self._head(), *self._bytes())

    def manifest(self) -> bytes:
        """The labels, where they come from, and a checksum.

        Up to a million labels of up to 2,000 classes are a JSON document. Of more, a line of JSON says where they come
        from, and the labels, the clean ones and the matrix follow as bytes.
        """
        return b"".join(self._manifest())

    def save(self, path: str | Path) -> None:
        """Write :meth:`manifest` to a file.

        Raises:
            RunError: the file cannot be written.
        """
        write_atomically(Path(path), *self._manifest())


def load(path: str | Path) -> NoisyLabels:
    """Read a manifest that :meth:`NoisyLabels.save` wrote.

    Raises:
        LabelError: there is no such file, it is no manifest, or it was changed since it was written.
    """
    try:
        origin, labels, clean, matrix = _read(Path(path))
        for key, kinds in _HEAD.items():
            if isinstance(origin[key], bool) or not isinstance(origin[key], kinds):
                raise TypeError(f"{key} {origin[key]!r:.60}")
        return NoisyLabels(
            labels,
            clean,
            matrix,
            origin["kind"],
            origin["mode"],
            origin["requested_rate"],
            origin["seed"],
            origin.get("class_names"),
        )
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise LabelError(
            f"{path} is no noise manifest that can be read: {what}. NoisyLabels.save writes them: restore the file, "
            "or make the noise again."
        ) from error


def _read(path: Path) -> tuple[dict[str, Any], NDArray[Any], NDArray[Any], TransitionMatrix]:
    """What a manifest says of where its labels come from, these, the clean ones and the matrix."""
    with open_file(path) as file:
        start = file.read(1000)
    if holds_state(start, _STATE):
        head, content = read_state(read_bytes(path, _MOST_BYTES), _STATE)
        labels, clean, *entries = _read_arrays(head, content)
        return head, labels, clean, TransitionMatrix(head["num_classes"], head["constant"], *entries)
    listed = read_document(path, _DOCUMENT, line_per_key=True)
    matrix = TransitionMatrix.of(np.array(listed["matrix"], float))
    return listed, np.array(listed["labels"]), np.array(listed["clean"]), matrix


def _read_arrays(head: dict[str, Any], content: memoryview) -> list[NDArray[Any]]:
    types = _array_types(check_classes(head["num_classes"]))
    lengths = head["lengths"]
    if not isinstance(lengths, dict) or list(lengths) != list(types):
        raise ValueError(f"expected the lengths of {', '.join(types)}")
    if not all(type(length) is int and 0 <= length <= len(content) for length in lengths.values()):
        raise ValueError("a length of an array that it cannot have")
    sizes = [lengths[name] * kind.itemsize for name, kind in types.items()]
    if sum(sizes) != len(content):
        raise ValueError(f"its arrays should have {sum(sizes):,} bytes, and {len(content):,} are there")
    if type(head["constant"]) is not float:
        raise TypeError(f"constant {head['constant']!r:.60}")
    arrays, at = [], 0
    for kind, size in zip(types.values(), sizes, strict=True):
        array = np.frombuffer(content[at : at + size], kind).astype(kind.newbyteorder("="))
        array.flags.writeable = False
        arrays.append(array)
        at += size
    return arrays


def _array_types(num_classes: int) -> dict[str, np.dtype[Any]]:
    """The arrays of a manifest in bytes, in their order."""
    label = label_type(num_classes).newbyteorder("<")
    number = {"starts": np.dtype("<i8"), "columns": label, "values": np.dtype("<f8")}
    return {"labels": label, "clean": label, **number}


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


def warn_about_absent(noise: NoisyLabels, present: NDArray[np.int64]) -> None:
    """Warn where labels were flipped to a class that no sample has.

    Args:
        noise: the noisy labels.
        present: ``(classes,)``, how many samples each class has.

    Warns:
        NoiseWarning: some were.
    """
    if present.all():
        return
    given = count_labels(noise.labels, noise.num_classes)
    absent = np.flatnonzero((present == 0) & (given > 0))
    if len(absent):
        count = int(given[absent].sum())
        warnings.warn(
            f"{noise.kind} noise: {count} of {len(noise.labels)} labels go to classes that no sample has "
            f"({shorten([noise.name(int(label)) for label in absent])} of {noise.num_classes}). Is num_classes right, "
            "and do labels count from 0?",
            NoiseWarning,
            stacklevel=5,
        )
