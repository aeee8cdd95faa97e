"""Which corrections apply to the rows of some data, and what they come to."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from noiseproof.auditing._correction import HASH, loose_key
from noiseproof.auditing._given import labels_checksum, plain
from noiseproof.classes import class_key, read_labels
from noiseproof.errors import DataError, shorten
from noiseproof.formats import printable
from noiseproof.untrusted import is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from noiseproof.auditing._correction import Action, Correction
    from noiseproof.classes import Labels

Status = Literal["applied", "already", "superseded", "refused", "conflict"]

_DIGITS = 5.01e-6
"""Of a number that a spreadsheet made of sixteen digits it writes six: so far off may that be, relative to it."""


@dataclass(frozen=True)
class Outcome:
    """What becomes of a correction.

    Attributes:
        correction: it.
        status: ``"applied"``; ``"already"``: the label is the decided one; ``"superseded"``: the same person decided
            again later, or another one was surer; ``"refused"``; ``"conflict"``: people disagree.
        row: the place of its sample; ``None`` where none was found.
        reason: why it was refused, or who disagrees.
    """

    correction: Correction
    status: Status
    row: int | None
    reason: str = ""


@dataclass(frozen=True)
class Decision:
    """What holds for a row.

    Attributes:
        row: its place.
        action: what is done with it.
        decided: its class, as the labels write it, if the action is to relabel or to keep.
        is_new: whether that differs from its label.
    """

    row: int
    action: Action
    decided: str | None
    is_new: bool


@dataclass(frozen=True)
class Matched:
    """Corrections and the rows of some data.

    Attributes:
        outcomes: one for each correction.
        decisions: one for each row about which something was decided without conflict, by row.
    """

    outcomes: tuple[Outcome, ...]
    decisions: tuple[Decision, ...]

    def of(self, status: Status) -> tuple[Outcome, ...]:
        """The outcomes of one status."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == status)

    @property
    def applied(self) -> tuple[Outcome, ...]:
        """Corrections that apply."""
        return self.of("applied")

    @property
    def already(self) -> tuple[Outcome, ...]:
        """Corrections to the label that is there."""
        return self.of("already")

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """Corrections that do not fit the data, with reasons."""
        return self.of("refused")

    @property
    def conflicts(self) -> tuple[Outcome, ...]:
        """Corrections about which people disagree. None of them is applied."""
        return self.of("conflict")

    def relabeled(self, given: Any) -> list[str]:
        """``(N,)``: the labels that were matched, as text, with the decided ones in their places."""
        texts = read_labels(plain(given)).listed
        for one in self.decisions:
            if one.decided is not None:
                texts[one.row] = one.decided
        return texts

    def refuse_others(self) -> None:
        """See that some correction is of these data.

        Raises:
            DataError: all are refused.
        """
        if self.outcomes and len(self.refused) == len(self.outcomes):
            raise DataError(
                f"no correction fits these labels: expected those of an audit of them, with the same names of samples "
                f"(--key). {'. '.join(self.sentences())}"
            )

    def sentences(self) -> tuple[str, ...]:
        """How many apply, and why others do not."""
        told: dict[str, int] = {"changed": 0, "confirmed": 0, "dropped": 0, "unsure": 0}
        for one in self.decisions:
            what: str = "changed" if one.is_new else "confirmed" if one.decided is not None else one.action
            told["dropped" if what == "drop" else what] += 1
        labels = ", ".join(f"{count:,} {what}" for what, count in told.items() if count)
        found = [
            f"{len(self.applied):,} corrections applied, {len(self.already):,} there already, "
            f"{len(self.refused):,} refused, {len(self.conflicts):,} in conflict{f'; labels: {labels}' * bool(labels)}"
        ]
        for outcomes, what in ((self.refused, "refused"), (self.conflicts, "in conflict, and not applied")):
            if outcomes:
                shown = dict.fromkeys(f"{outcome.correction.key[:60]}: {outcome.reason}" for outcome in outcomes)
                found.append(f"Corrections that are {what}: {shorten([*shown])}")
        return tuple(found)


@dataclass(frozen=True)
class Verdict:
    """What several corrections of one sample come to.

    Attributes:
        action: what is to be done.
        decided: the class, if the action is to relabel or to keep.
        ruling: the corrections that say so, or that disagree.
        disagree: who says what, where people disagree.
    """

    action: Action
    decided: str | None
    ruling: tuple[Correction, ...]
    disagree: str | None = None


def verdict_of(ones: Sequence[Correction], canon: Any) -> Verdict:
    """Of each person the latest counts, and of these the sure ones, if there are any."""
    latest: dict[str, list[Correction]] = {}
    for one in ones:
        before = latest.get(one.reviewer, [])
        if not before or _when(one) > _when(before[0]):
            latest[one.reviewer] = [one]
        elif _when(one) == _when(before[0]):
            before.append(one)
    last = [one for found in latest.values() for one in found]
    sure = [one for one in last if one.action != "unsure"]
    if not sure:
        return Verdict("unsure", None, tuple(last))
    said = {None if one.decided is None else canon(one.decided): one for one in sure}
    if len(said) > 1:
        told = [f"{one.reviewer or 'somebody'} says {one.decided or 'drop'}" for one in said.values()]
        return Verdict("unsure", None, tuple(sure), shorten(sorted(told)))
    return Verdict(sure[0].action, sure[0].decided, tuple(sure))


def _when(one: Correction) -> dt.datetime:
    return one.time or dt.datetime.min.replace(tzinfo=dt.timezone.utc)


class Names:
    """Class names of some labels, found by whatever spelling a file of corrections has of them."""

    def __init__(self, labels: Labels, refuse: Callable[[str], str]) -> None:
        self.texts, self._refuse = labels.texts, refuse
        self._exact = {printable(text): place for place, text in enumerate(labels.texts)}
        self._loose: dict[Any, int] = {}
        for text, place in self._exact.items():
            self._loose.setdefault(loose_key(text), place)
        are_numbers = not any(isinstance(class_key(text), str) for text in labels.texts)
        self._kind = "truth values" if labels.kind == "truth" else "numbers" if are_numbers else ""
        self._are_whole = self._kind == "numbers" and labels.values.dtype.kind == "i"

    def canon(self, text: str) -> int | str | tuple[str | int | Fraction]:
        """Equal for spellings of one class: a position in the texts, or a name that no label has."""
        place = self._exact.get(text, self._loose.get(loose_key(text)))
        return (class_key(text),) if place is None else place

    def written(self, text: str) -> str:
        """A class as the labels write it."""
        place = self.canon(text)
        if isinstance(place, int):
            return self.texts[place]
        value = class_key(text)
        is_whole = not isinstance(value, str) and value.denominator == 1
        return str(int(value)) if self._are_whole and is_whole else text

    def refusal(self, text: str) -> str:
        """Why a class cannot be one of these; empty if it can."""
        if isinstance(self.canon(text), int):
            return ""
        if not self._kind:
            return self._refuse(text)
        value = class_key(text)
        if self._kind == "truth values" or isinstance(value, str) or (self._are_whole and value.denominator != 1):
            whole = "whole " if self._are_whole else ""
            return f"the labels are {whole}{self._kind}, and {text[:60]!r} is none"
        return self._refuse(text)


class Rows:
    """The rows of some data, by what corrections call them."""

    def __init__(
        self,
        keys: Sequence[Any],
        hashes: NDArray[np.uint8] | None,
        labels: Labels,
        names: Names,
        corrections: Sequence[Correction],
    ) -> None:
        self._keys, self._hashes, self._labels, self._names = keys, hashes, labels, names
        self._corrections = corrections
        wanted = {one.key for one in corrections}
        self._exact = _places(keys, wanted, lambda text: text)
        others = {class_key(key) for key in wanted - self._exact.keys()}
        # "3.0" is 3 to a spreadsheet; no text that is there as it is needs that.
        others = {key for key in others if not isinstance(key, str)}
        self._loose = _places(keys, others, class_key) if others else {}
        moved = {
            one.key: [moved_key(one.key, one.decided or "", number) for number in range(1, _MOVES)]
            for one in corrections
            if one.action == "relabel" and "/" in one.key
        }
        self._moved = {key: names for key, names in moved.items() if key not in self._exact}
        self._elsewhere = _places(keys, {name for names in self._moved.values() for name in names}, lambda text: text)

    def row(self, one: Correction) -> int | Outcome:
        """The row of a correction, or why there is none."""
        candidates = self._exact.get(one.key) or self._loose.get(class_key(one.key), [])
        if not candidates:
            return self._without_key(one)
        alike = [row for row in candidates if self._is_same(one, row)]
        if not alike:
            return Outcome(one, "refused", candidates[0], "the row was changed: its hash is another")
        if len(alike) > 1:
            known = {self._names.canon(text) for text in (one.given, one.decided) if text is not None}
            alike = [row for row in alike if int(self._labels.index[row]) in known]
        if len(alike) != 1:
            return Outcome(one, "refused", None, f"{len(candidates):,} rows have this key: expected one")
        return alike[0]

    def doubts(self, by_row: dict[int, list[Correction]]) -> dict[int, str]:
        """Rows that may not be those of their corrections although both agree, and why.

        Whoever leaves out rows gives other rows their numbers, and an equal row can come to stand in the place of one.
        Only where the list of labels is as long as the one that was audited, nothing was left out.
        """
        if not any(one.action == "drop" for one in self._corrections):
            return {}
        unsafe = {
            row: {one.labels_sha256 for one in ones if one.action == "drop" or not one.row_hash or self._has_twin[row]}
            for row, ones in by_row.items()
            if isinstance(self._keys[row], int)
        }
        known = self._audited(by_row) if any(unsafe.values()) else set()
        why = "this or another row of its kind may have been dropped already, which the number of a row does not tell"
        return {row: why for row, lists in unsafe.items() if not lists <= known}

    def _audited(self, by_row: dict[int, list[Correction]]) -> set[str]:
        """Checksums of lists of labels that were audited and that these rows had, before some corrections."""
        rounds: dict[str, dict[int, list[Correction]]] = {}
        for row, ones in by_row.items():
            for one in ones:
                rounds.setdefault(one.labels_sha256, {}).setdefault(row, []).append(one)
        begun = {name: min(_when(one) for ones in found.values() for one in ones) for name, found in rounds.items()}
        order = sorted(rounds, key=lambda name: (begun[name], name))[:_ROUNDS]
        labels = self._labels.listed
        known = set()
        for place, name in enumerate(order):
            then = labels.copy()
            for earlier in order[:place]:
                for row, ones in rounds[earlier].items():
                    then[row] = self._names.written(verdict_of(ones, self._names.canon).decided or ones[0].given)
            for later in reversed(order[place:]):
                for row, ones in rounds[later].items():
                    then[row] = self._names.written(ones[0].given)
            if labels_checksum(self._keys, then) == name:
                known.add(name)
        return known

    @cached_property
    def _has_twin(self) -> NDArray[np.bool_]:
        """``(N,)``: whether another row is equal, so that only its number tells it apart."""
        if self._hashes is None:
            return np.ones(len(self._keys), np.bool_)
        _, index, counts = np.unique(self._hashes, axis=0, return_inverse=True, return_counts=True)
        return counts[index.reshape(-1)] > 1

    def _without_key(self, one: Correction) -> int | Outcome:
        for name in self._moved.get(one.key, ()):
            for row in self._elsewhere.get(name, ()):
                # Where files are moved to the folders of their classes, the key says what was done.
                if self._is_same(one, row) and self._names.canon(one.decided or "") == int(self._labels.index[row]):
                    return row
        return Outcome(one, "refused", None, "there is no such key")

    def _is_same(self, one: Correction, row: int) -> bool:
        if self._hashes is None or not one.row_hash:
            return True
        own = self._hashes[row, :8].tobytes().hex()
        if own == one.row_hash:
            return True
        if HASH.fullmatch(one.row_hash) or not is_number(own):
            return False
        return math.isclose(float(own), float(one.row_hash), rel_tol=_DIGITS)


def _places(keys: Sequence[Any], wanted: Collection[Any], form: Any) -> dict[Any, list[int]]:
    found: dict[Any, list[int]] = {}
    if wanted:
        for row, key in enumerate(keys):
            text = form(printable(str(key)))
            if text in wanted:
                found.setdefault(text, []).append(row)
    return found


_ROUNDS = 50
"""So many lists of labels are looked for, in the order in which they were audited."""

_MOVES = 10
"""So many files of one name and class are looked for."""


def moved_key(key: str, folder: str, number: int = 1) -> str:
    """Where the file of an image goes that gets another class, if that is a folder's name.

    Args:
        key: where it was: the folder of a class, and the path below it.
        folder: that of its class.
        number: 1, or above it where another file has the name.
    """
    _, _, path = key.partition("/")
    above, slash, name = path.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    if number > 1:
        name = f"{stem}-{number}.{ending}" if dot else f"{name}-{number}"
    return f"{folder}/{above}{slash}{name}"


def decide(
    row: int, ones: Sequence[Correction], names: Names, label: int, doubt: str
) -> tuple[dict[Correction, Outcome], Decision | None]:
    """What holds for a row, and what becomes of its corrections."""
    verdict = verdict_of(ones, names.canon)
    told = {one: Outcome(one, "superseded", row) for one in ones}
    if verdict.disagree is not None:
        return told | {one: Outcome(one, "conflict", row, verdict.disagree) for one in verdict.ruling}, None
    decided = verdict.decided
    known = {names.canon(one.given) for one in ones} | ({names.canon(decided)} if decided is not None else set())
    reason = doubt or ("" if decided is None else names.refusal(decided))
    if label not in known:
        reason = f"the label is {printable(names.texts[label])[:60]}"
    if reason:
        return told | {one: Outcome(one, "refused", row, reason) for one in verdict.ruling}, None
    is_new = decided is not None and names.canon(decided) != label
    action: Action = verdict.action
    if decided is not None:
        action = "relabel" if is_new or all(one.action == "relabel" for one in verdict.ruling) else "keep"
    for one in verdict.ruling:
        told[one] = Outcome(one, "already" if one.action == "relabel" and not is_new else "applied", row)
    return told, Decision(row, action, None if decided is None else names.written(decided), is_new)
