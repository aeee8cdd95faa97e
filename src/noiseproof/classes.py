"""What a class is: one of an ordered set of names, made from labels of any kind in one way wherever they come from.

Labels are numbers, truth values or text. The classes are the distinct values that occur, in the order of the numbers
if all of them are numbers and in plain order otherwise; label arrays hold positions in that order.

>>> classes = Classes.of(read_labels([10, 2, 2, 33]))
>>> classes.names
('2', '10', '33')
>>> classes.encode(read_labels(["33", "2.0"])).tolist()
[2, 0]
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.errors import LabelError, shorten, suggest

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

# As people and Python write numbers: "12e5" is taken for a name, as hexadecimal ones are full of such.
_NUMBER = re.compile(r"[+-]?[0-9]{1,400}(\.[0-9]{1,400})?(e[+-][0-9]{2,3})?")
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_EXACT = 2.0**53
_LONGEST = 1000
_FEW = 10
"""Up to so many classes there may be with less than two samples each on average."""


@dataclass(frozen=True, eq=False)
class Labels:
    """One label per sample, as its source has it.

    Attributes:
        texts: the distinct values as text, in the order in which they were found.
        index: ``(N,)`` int64, which of the texts each sample has.
        kind: ``"number"``, ``"truth"`` or ``"text"``.
    """

    texts: tuple[str, ...]
    index: NDArray[np.int64]
    kind: str

    def __len__(self) -> int:
        return len(self.index)

    @property
    def listed(self) -> list[str]:
        """``(N,)``: the text of each label."""
        return [self.texts[place] for place in self.index.tolist()]

    def take(self, positions: NDArray[np.int64]) -> Labels:
        """The labels of some of the samples, in the order of ``positions``."""
        return Labels(self.texts, self.index[positions], self.kind)

    @property
    def values(self) -> NDArray[np.int64] | NDArray[np.str_]:
        """``(N,)``: int64 where all labels are whole numbers, text otherwise."""
        numbers = [int(text) if _WHOLE.fullmatch(text) else 2**63 for text in self.texts]
        if all(-(2**63) <= number < 2**63 for number in numbers):
            return np.array(numbers, np.int64)[self.index]
        return np.array(self.texts)[self.index]


def read_labels(values: ArrayLike | Sequence[Any], what: str = "label") -> Labels:
    """Labels from an array or a list of integers, whole or other finite numbers, truth values or text.

    Args:
        values: ``(N,)``.
        what: what a label is called in errors.

    Raises:
        LabelError: another shape, a value of another kind, or a sample without a label (NaN, None or an empty text).
    """
    if isinstance(values, list | tuple):
        return _read_list(values, what)
    array = np.asarray(values)
    if array.ndim != 1:
        raise LabelError(f"{what}s have shape {array.shape}: expected one label per sample, (N,)")
    if array.dtype.kind in "OUST":
        return _read_list(array.tolist(), what)
    if array.dtype.kind not in "iufb":
        raise LabelError(f"{what}s are {array.dtype}: expected integers, other numbers, truth values or text")
    distinct, index = np.unique(array, return_inverse=True)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        _text(array[~np.isfinite(array)][0], f"{what} {np.flatnonzero(~np.isfinite(array))[0]}")
    texts = [_text(value, what) for value in distinct]
    return _merged(texts, index.astype(np.int64), "truth" if array.dtype.kind == "b" else "number")


def _read_list(values: Sequence[Any], what: str) -> Labels:
    # True == 1 == 1.0 for a dictionary, which is why the type is a part of the key.
    found: dict[Hashable, int] = {}
    texts: list[str] = []
    kinds: set[str] = set()
    index = np.empty(len(values), np.int64)
    for place, value in enumerate(values):
        key = type(value), value
        try:
            number = found.get(key)
        except TypeError:  # no value that can be a key: the next line says so
            number = None
        if number is None:
            texts.append(_text(value, f"{what} {place}"))
            kinds.add(_kind(value))
            number = found[key] = len(texts) - 1
        index[place] = number
    if len(kinds) > 1 and "truth" in kinds:
        raise LabelError(f"some {what}s are truth values and some are not: expected one kind")
    return _merged(texts, index, "text" if "text" in kinds else "truth" if "truth" in kinds else "number")


def _kind(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "truth"
    return "text" if isinstance(value, str | bytes) else "number"


def _merged(texts: list[str], index: NDArray[np.int64], kind: str) -> Labels:
    """Different values can have one text: 1 and 1.0, 0.0 and -0.0, "cat" and "cat "."""
    known: dict[str, int] = {}
    places = [known.setdefault(text, len(known)) for text in texts]
    return Labels(tuple(known), np.array(places, np.int64)[index], kind)


def _text(value: Any, what: str) -> str:
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return number_text(value)
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            raise LabelError(f"{what} is {value}: expected a class; leave samples without a label out")
        return number_text(value)
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            raise LabelError(f"{what} is {value!r:.60}, which is no UTF-8 text") from error
    if not isinstance(value, str):
        raise LabelError(f"{what} is {value!r:.60}: expected a number, a truth value or text, one for each sample")
    # A name is the same however an accent is stored, which differs between systems.
    value = unicodedata.normalize("NFC", value.strip())
    if not value:
        raise LabelError(f"{what} is empty: expected a class; leave samples without a label out")
    if len(value) > _LONGEST:
        raise LabelError(f"{what} has {len(value):,} characters: expected the name of a class, of at most {_LONGEST}")
    return str(value)


def number_text(value: Any) -> str:
    """A number as text, a whole one without a point."""
    if isinstance(value, int | np.integer):
        return str(int(value))
    return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < _EXACT else str(value)


def _number(text: str) -> int | Fraction | None:
    if _WHOLE.fullmatch(text):
        return int(text)
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def class_key(text: str) -> str | int | Fraction:
    """What the spellings of one class have in common: of a number, its value; of another name, itself."""
    number = _number(text)
    return text if number is None else number


def sort_names(names: Iterable[str]) -> list[str]:
    """Class names in their order: that of the numbers if all of them are numbers, plain order otherwise."""
    listed = list(names)
    numbers = {name: _number(name) for name in listed}
    if None not in numbers.values():
        return sorted(listed, key=lambda name: (numbers[name], name))
    return sorted(listed)


@dataclass(frozen=True)
class Classes:
    """An ordered set of class names.

    Attributes:
        names: one per class.

    Raises:
        LabelError: a name that is there twice, or one number in two spellings, such as "1" and "01".
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        known: dict[str | int | Fraction, str] = {}
        for name in self.names:
            key = class_key(name)
            if key in known:
                how = "is there twice" if known[key] == name else f"is the number {known[key]!r} in another spelling"
                raise LabelError(f"the class name {name!r} {how}: expected one name for each class")
            known[key] = name

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def named(cls, names: Iterable[Any]) -> Classes:
        """Classes from names in the order of their owner.

        Raises:
            LabelError: a name that is empty or there twice.
        """
        return cls(tuple(_text(name, f"class name {place}") for place, name in enumerate(names)))

    @classmethod
    def of(cls, *parts: Labels) -> Classes:
        """The classes that occur in labels, such as those of a training and a test set.

        Raises:
            LabelError: truth values in one part and others in another, one number in two spellings, or more classes
                than half as many as there are samples.
        """
        kinds = {part.kind for part in parts if len(part)}
        if len(kinds) > 1 and "truth" in kinds:
            raise LabelError("some labels are truth values and some are not: expected one kind")
        texts = {text for part in parts for text in part.texts}
        count = sum(map(len, parts))
        if len(texts) > max(_FEW, count / 2):
            raise LabelError(
                f"{len(texts)} different labels for {count} samples (such as {shorten(sorted(texts)[:5])}): these are "
                "no classes, but perhaps numbers of samples, or quantities to be estimated"
            )
        return cls(tuple(sort_names(texts)))

    @cached_property
    def _positions(self) -> dict[str | int | Fraction, int]:
        return {class_key(name): position for position, name in enumerate(self.names)}

    @cached_property
    def are_numbers(self) -> bool:
        """Whether all names are numbers: then a number is a name. Otherwise it is a position, counted from 0."""
        return all(_number(name) is not None for name in self.names)

    @property
    def values(self) -> NDArray[Any]:
        """``(classes,)``, what names stand for: whole or other numbers where all are such, and text otherwise."""
        if not self.are_numbers:
            return np.array(self.names)
        values = read_labels(list(self.names)).values
        return values if values.dtype.kind == "i" else np.array([float(name) for name in self.names])

    def has(self, text: str) -> bool:
        """Whether a text is the name of a class, in whatever spelling."""
        return class_key(text) in self._positions

    def encode(self, labels: Labels, what: str = "label") -> NDArray[np.int64]:
        """``(N,)``: the position of each label's class, by name.

        Raises:
            LabelError: a label that is no class.
        """
        named = [self._positions.get(class_key(text)) for text in labels.texts]
        return self._encoded(labels, named, what, self._listed)

    def resolve(self, labels: Labels, what: str = "label") -> NDArray[np.int64]:
        """``(N,)``: the position of each label's class, by name; or by number, where names are no numbers.

        Raises:
            LabelError: a label that is no class, or labels that can be read in both ways.
        """
        listed = self._listed if self.are_numbers else f"{self._listed}, or their numbers 0 … {len(self.names) - 1}"
        named = [self._positions.get(class_key(text)) for text in labels.texts]
        counted = [None if self.are_numbers else self._counted(text) for text in labels.texts]
        if any(position is not None for position in named):
            if None not in counted and named != counted:
                text = next(text for text, by_name in zip(labels.texts, named, strict=True) if by_name is not None)
                raise LabelError(
                    f"{what} {text} could be the class of this name or the class number {text} ({self._listed}): use "
                    "names that are no numbers, or numbers only"
                )
            return self._encoded(labels, named, what, listed)
        numbered = any(position is not None for position in counted)
        return self._encoded(labels, counted if numbered else named, what, listed)

    def position(self, label: Any, what: str = "class") -> int:
        """The position of one class, by name or number as in :meth:`resolve`.

        Raises:
            LabelError: there is no such class.
        """
        return int(self.resolve(read_labels([label], what), what)[0])

    def _counted(self, text: str) -> int | None:
        number = _number(text)
        if number is None or number.denominator != 1 or not 0 <= number < len(self.names):
            return None
        return int(number)

    def _encoded(self, labels: Labels, positions: list[int | None], what: str, listed: str) -> NDArray[np.int64]:
        if None in positions:
            wrong = {place for place, position in enumerate(positions) if position is None}
            samples = np.flatnonzero(np.isin(labels.index, list(wrong)))
            text = labels.texts[min(wrong)][:60]
            at = f" at index {samples[0]} (and {len(samples) - 1} more)" if len(labels) > 1 and len(samples) else ""
            hint = ""
            if not self.are_numbers and _number(text) is None:
                near = suggest(text, self.names).partition(" (known")[0]
                hint = near if near.startswith(";") else ""
            shown = text if _number(text) is not None else repr(text)
            raise LabelError(f"{what} {shown}{at} is no class{hint} ({listed})")
        return np.array(positions, np.int64)[labels.index] if positions else labels.index

    @property
    def _listed(self) -> str:
        return f"the {len(self.names)} classes are {shorten(self.names)}"
