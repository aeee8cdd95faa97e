"""Which labels are wrong, as far as predictions can tell: a table with a row for each sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.auditing._given import read_opinions
from noiseproof.auditing.rates import JointCounts, transition_matrix
from noiseproof.auditing.scores import SCORES, adjusted
from noiseproof.errors import LabelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from noiseproof.auditing.rates import NoiseBracket

DEFAULT = "log-margin"

_BLOCK_VALUES = 1 << 18
"""Probabilities that are looked at together: what is made of them stays in the caches."""


@dataclass(frozen=True, eq=False)
class Audit:
    """What predictions say of labels.

    Attributes:
        table: one entry for each sample, in the order given, by column. ``key``: what it is called; ``given``: its
            label; ``suggested`` and ``second``: the likeliest other classes; ``score``: how suspicious the label is, 0
            (surely right) to 1 (surely wrong); ``rank``: 1 for the most suspicious; ``p_given``, ``p_suggested``,
            ``p_second``: probabilities. Any data frame library takes it: ``pandas.DataFrame(audit.table)``.
        classes: ``(classes,)``, in the order of the probabilities.
        noise_rate: between what the share of wrong labels may lie.
        transition_matrix: ``(classes, classes)``, ``T[true, given]`` as the confident joint has it.
        per_class: by column, one entry for each class: ``class``, ``given`` (how many samples have it as their label),
            ``suspected`` (how many of these are, by the confident joint, of another class), ``missed`` (how many with
            other labels are of it), ``suggested`` (the class that most of the suspected ones are of).
    """

    table: dict[str, NDArray[Any]]
    classes: NDArray[Any]
    noise_rate: NoiseBracket
    transition_matrix: NDArray[np.float64]
    per_class: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.table["score"])

    def __repr__(self) -> str:
        low, high = 100 * self.noise_rate.low, 100 * self.noise_rate.high
        return f"<Audit of {len(self):,} labels of {len(self.classes)} classes; {low:.1f} to {high:.1f} % may be wrong>"


def audit(
    labels: Any,
    *,
    probabilities: Any,
    classes: Sequence[Any] | None = None,
    keys: Any = None,
    score: str = DEFAULT,
    adjust: bool = False,
) -> Audit:
    """Say which labels are suspicious.

    Args:
        labels: ``(N,)``, the given ones: numbers, truth values or text.
        probabilities: ``(N, classes)``, for samples that the model has not learned from: an array, or a data frame
            whose columns are called after the classes (``p:cat``, as ``noiseproof predict`` writes them, or ``cat``).
            Rows need not sum to 1: they are divided by their sums.
        classes: what the columns are. Without it and without names, whole numbers are taken for numbers of columns;
            other labels must have as many distinct values as there are columns, which then are these, sorted.
        keys: ``(N,)``, what the samples are called; by default their positions.
        score: what ranks the labels: ``"log-margin"``, ``"self-confidence"``, ``"normalized-margin"``,
            ``"weighted-entropy"``, or one of your own.
        adjust: whether probabilities count relative to how far their class is believed on average.

    Raises:
        LabelError: labels, probabilities or classes that do not fit together.
        SpecError: a score that there is not.
    """
    rule = SCORES.find(score)
    opinions = read_opinions(labels, probabilities, classes)
    if keys is not None and len(keys) != len(opinions):
        raise LabelError(f"{len(keys)} keys for {len(opinions)} labels: expected one for each")
    counts, found = JointCounts(opinions.num_classes), _Columns(len(opinions))
    for _, p, given in opinions.blocks(_BLOCK_VALUES):
        counts.look(p, given)
    means = counts.means
    for part, p, given in opinions.blocks(_BLOCK_VALUES):
        counts.count(p, given)
        found.score[part] = rule(adjusted(p, means) if adjust else p, given)
        found.note(part, p, given)
    names = opinions.classes
    table = {
        "key": np.arange(len(opinions)) if keys is None else np.asarray(keys),
        "given": names[opinions.labels],
        **found.columns(names),
    }
    joint = counts.joint
    return Audit(table, names, counts.bracket, transition_matrix(joint), _per_class(joint, names))


class _Columns:
    """What is found of each sample."""

    def __init__(self, count: int) -> None:
        self.score, self.own = np.empty(count, np.float32), np.empty(count, np.float32)
        self.likely = np.empty((2, count), np.float32)
        self.others = np.empty((2, count), np.int32)

    def note(self, part: slice, probabilities: NDArray[Any], labels: NDArray[np.int64]) -> None:
        """Note the probability of the given label, and the two likeliest other classes with theirs."""
        rows = np.arange(len(labels))
        self.own[part] = probabilities[rows, labels]
        rest = probabilities.copy()
        rest[rows, labels] = -1
        for likely, others in zip(self.likely, self.others, strict=True):
            place = rest.argmax(1)
            others[part], likely[part] = place, rest[rows, place]
            rest[rows, place] = -1

    def columns(self, names: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """By name, in the order of the table."""
        order = np.argsort(-self.score, kind="stable")
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(1, len(order) + 1)
        second, p_second = names[self.others[1]], np.maximum(self.likely[1], 0)
        if len(names) == 2:  # there is no third class
            second = np.full(len(order), None, object)
        return {
            "suggested": names[self.others[0]],
            "second": second,
            "score": self.score,
            "rank": rank,
            "p_given": self.own,
            "p_suggested": self.likely[0],
            "p_second": p_second,
        }


def _per_class(joint: NDArray[np.float64], names: NDArray[Any]) -> dict[str, NDArray[Any]]:
    own = np.diag(joint)
    others = joint - np.diag(own)
    suspected = others.sum(1)
    most = names.astype(object)[others.argmax(1)]
    return {
        "class": names,
        "given": joint.sum(1).round().astype(np.int64),
        "suspected": suspected,
        "missed": others.sum(0),
        "suggested": np.where(suspected > 0, most, None),
    }
