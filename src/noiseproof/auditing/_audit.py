"""Which labels are wrong, as far as predictions can tell: a table with a row for each sample."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.auditing._given import check_keys, labels_alone, labels_checksum, read_opinions
from noiseproof.auditing.rates import JointCounts, transition_matrix
from noiseproof.auditing.scores import SCORES, adjusted, ranks
from noiseproof.auditing.views import DYNAMICS, Dynamics, nearest, ridge_view, standardized_features
from noiseproof.errors import LabelError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from noiseproof.auditing._given import Opinions
    from noiseproof.auditing.page import Evidence
    from noiseproof.auditing.rates import NoiseBracket

DEFAULT = "log-margin"

_OTHERS = f"give dynamics=, or one of {', '.join(SCORES)}"

_BLOCK_VALUES = 1 << 18
"""Probabilities that are looked at together: what is made of them stays in the caches."""


@dataclass(frozen=True, eq=False)
class Audit:
    """What predictions say of labels.

    Attributes:
        table: one entry for each sample, in the order given, by column. ``key``: what it is called; ``given``: its
            label; ``suggested`` and ``second``: the likeliest other classes; ``score``: how suspicious the label is, 0
            (surely right) to 1 (surely wrong); ``rank``: 1 for the most suspicious; ``p_given``, ``p_suggested``,
            ``p_second``: probabilities. Of a training there are ``doubt`` and ``epochs_wrong`` too, of features
            ``neighbor_1`` to ``neighbor_3`` (the keys of the nearest samples with other labels, ``None`` where there
            are none), of data ``duplicates`` (equal numbers for equal inputs, -1 for those that are there once). Any
            data frame library takes it: ``pandas.DataFrame(audit.table)``.
        classes: ``(classes,)``, in the order of the probabilities.
        noise_rate: between what the share of wrong labels may lie.
        transition_matrix: ``(classes, classes)``, ``T[true, given]`` as the confident joint has it.
        per_class: by column, one entry for each class: ``class``, ``given`` (how many samples have it as their label),
            ``suspected`` (how many of these are, by the confident joint, of another class), ``missed`` (how many with
            other labels are of it), ``suggested`` (the class that most of the suspected ones are of).
        codes: ``given``, ``suggested`` and ``second`` as positions in ``classes``; -1 for none.
        neighbors: ``(N, 3)``, the nearest samples with other labels, as rows; -1 for none. ``None`` without features.
        twins: ``(N,)``, equal numbers for equal inputs; ``None`` where inputs are not known.
        hashes: ``(N, 16)``, what each row is known again by; ``None`` where inputs are not known.
        evidence: what samples are like, for the page: a function of rows, :attr:`codes` and the folder of the page.
    """

    table: dict[str, NDArray[Any]]
    classes: NDArray[Any]
    noise_rate: NoiseBracket
    transition_matrix: NDArray[np.float64]
    per_class: dict[str, NDArray[Any]]
    codes: dict[str, NDArray[np.int32]]
    neighbors: NDArray[np.int64] | None = None
    twins: NDArray[np.int64] | None = None
    hashes: NDArray[np.uint8] | None = None
    evidence: Callable[[NDArray[np.int64], dict[str, NDArray[np.int32]], Path], Evidence] | None = None

    def __len__(self) -> int:
        return len(self.table["score"])

    def __repr__(self) -> str:
        low, high = 100 * self.noise_rate.low, 100 * self.noise_rate.high
        return f"<Audit of {len(self):,} labels of {len(self.classes)} classes; {low:.1f} to {high:.1f} % may be wrong>"

    @property
    def order(self) -> NDArray[np.int64]:
        """``(N,)``, the rows, the most suspicious first."""
        found = np.empty(len(self), np.int64)
        found[self.table["rank"] - 1] = np.arange(len(self))
        return found

    def save(
        self,
        folder: str | Path,
        *,
        title: str = "Labels",
        corrections: str | Path | Sequence[str | Path] = (),
    ) -> list[str]:
        """Write the table, and a page to check labels on.

        Args:
            folder: where; ``index.html`` is the page, ``table.csv`` the table.
            title: of the page.
            corrections: files of what was checked before: it is left out of the queues, and what was drawn for the
                estimate counts on.

        Returns:
            The names of the files.

        Raises:
            DataError: a file of corrections that cannot be read.
            RunError: the folder cannot be written, or holds another audit.
        """
        from noiseproof.auditing._folder import FILES, audit_asked, check_audit, write_audit  # which reads audits too
        from noiseproof.auditing.corrections import read_corrections

        folder, files = Path(folder), [corrections] if isinstance(corrections, str | Path) else list(corrections)
        asked = audit_asked([Path(file) for file in files], [self.digest])
        if not check_audit(folder, asked):
            read = read_corrections(files) if files else None
            write_audit(self, folder, title=title, corrections=read, asked=asked)
        return list(FILES)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of all that it says of labels."""
        digest = hashlib.sha256(self.labels_sha256.encode())
        for array in (*self.codes.values(), self.table["score"]):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @cached_property
    def labels_sha256(self) -> str:
        """The checksum of the label list: of all keys and given labels, in their order."""
        return labels_checksum(self.table["key"].tolist(), self.table["given"].tolist())


def audit(
    labels: Any,
    *,
    probabilities: Any = None,
    dynamics: Any = None,
    features: Any = None,
    classes: Sequence[Any] | None = None,
    keys: Any = None,
    score: str = DEFAULT,
    adjust: bool = False,
) -> Audit:
    """Say which labels are suspicious.

    At least one of ``probabilities``, ``dynamics`` and ``features`` is needed. Of several, the logarithms of the
    probabilities that follow from each are averaged.

    Args:
        labels: ``(N,)``, the given ones: numbers, truth values or text.
        probabilities: ``(N, classes)``, for samples that the model has not learned from: an array, or a data frame
            whose columns are called after the classes (``p:cat``, as ``noiseproof predict`` writes them, or ``cat``).
            Rows need not sum to 1: they are divided by their sums.
        dynamics: ``(epochs, N, classes)``, the probabilities that a training gave its own samples epoch by epoch, with
            NaN where a sample was not seen; or :class:`noiseproof.auditing.Dynamics`.
        features: ``(N, features)``, finite numbers, from which each sample is compared with the others: by the labels
            of the 50 nearest ones, and by ridge regression without itself.
        classes: what the columns are. Without it and without names, whole numbers are taken for numbers of columns;
            other labels must have as many distinct values as there are columns, which then are these, sorted. Where
            only features are given, the classes are the labels that occur.
        keys: ``(N,)``, what the samples are called; by default their positions.
        score: what ranks the labels: ``"log-margin"``, ``"self-confidence"``, ``"normalized-margin"``,
            ``"weighted-entropy"``; of dynamics alone ``"bounded-doubt"``, ``"wrong-share"``, ``"area-under-margin"``;
            or one of your own.
        adjust: whether probabilities count relative to how far their class is believed on average.

    Raises:
        LabelError: labels, probabilities, features or classes that do not fit together.
        SpecError: a score that there is not.
    """
    by_training = score_of_training(score, has_training=dynamics is not None)
    opinions = None
    if probabilities is not None:
        opinions = read_opinions(labels, probabilities, classes)
    elif dynamics is not None:
        opinions = read_opinions(labels, _columns_of(dynamics), classes)
    elif features is not None:
        opinions = labels_alone(labels, classes)
    if opinions is None:
        raise LabelError("nothing to judge labels by: give probabilities, dynamics or features")
    views: list[Any] = []
    columns: dict[str, NDArray[Any]] = {}
    ranked = None
    if dynamics is not None:
        said = dynamics if isinstance(dynamics, Dynamics) else Dynamics.of_epochs(dynamics, opinions.labels)
        views.append(said.view(opinions.labels))
        columns |= said.columns(opinions.labels)
        ranked = None if by_training is None else by_training(said, opinions.labels)
    found = None
    if features is not None:
        scaled = standardized_features(features, len(opinions))
        found = nearest(scaled)
        views += [
            found.view(opinions.labels, opinions.num_classes),
            ridge_view(scaled, opinions.labels, opinions.num_classes),
        ]
    if views:
        if probabilities is not None:
            views.append(opinions.normalized())
        opinions = opinions.with_views(views)
    return assemble(
        opinions,
        keys=keys,
        score=score if ranked is None else ranked,
        adjust=adjust,
        columns=columns,
        neighbors=None if found is None else found.contradicting(opinions.labels),
    )


def assemble(
    opinions: Opinions,
    *,
    keys: Any = None,
    score: str | NDArray[Any] = DEFAULT,
    adjust: bool = False,
    held_out: Opinions | None = None,
    columns: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    neighbors: NDArray[np.int64] | None = None,
    twins: NDArray[np.int64] | None = None,
    hashes: NDArray[np.uint8] | None = None,
    evidence: Any = None,
) -> Audit:
    """The audit that follows from labels and probabilities.

    Args:
        opinions: what ranks the labels.
        keys: as for :func:`audit`.
        score: the name of a score of probabilities, or ``(N,)``, what ranks the labels.
        adjust: as for :func:`audit`.
        held_out: of samples that were not learned from: what the noise rate, the matrix and the figures by class follow
            from, scaled to all samples; by default ``opinions``.
        columns: more columns of the table, ``(N,)`` each.
        neighbors: see :class:`Audit`.
        twins: see :class:`Audit`.
        hashes: see :class:`Audit`.
        evidence: see :class:`Audit`.

    Raises:
        LabelError: what is no probability, another number of keys, or an empty one.
        SpecError: a score that there is not.
    """
    rule = SCORES.find(score) if isinstance(score, str) else None
    if keys is not None and len(keys) != len(opinions):
        raise LabelError(f"{len(keys)} keys for {len(opinions)} labels: expected one for each")
    check_keys(keys)
    counts, found = JointCounts(opinions.num_classes), _Columns(len(opinions))
    for _, p, given in opinions.blocks(_BLOCK_VALUES):
        counts.look(p, given)
    means = counts.means
    for part, p, given in opinions.blocks(_BLOCK_VALUES):
        if held_out is None:
            counts.count(p, given)
        if rule is not None:
            found.score[part] = _scored(rule, adjusted(p, means) if adjust else p, given, score)
        found.note(part, p, given)
    if not isinstance(score, str):
        found.score[:] = score
    if held_out is not None:
        counts = held_out.joint_counts(_BLOCK_VALUES)
    names = opinions.classes
    called = np.arange(len(opinions)) if keys is None else np.asarray(keys)
    codes = found.codes(opinions.labels, len(names))
    table = {"key": called, "given": names[opinions.labels], **found.columns(names, codes), **columns}
    if neighbors is not None:
        for place in range(neighbors.shape[1]):
            table[f"neighbor_{place + 1}"] = named(called, neighbors[:, place])
    if twins is not None:
        table["duplicates"] = np.where(np.bincount(twins)[twins] > 1, twins, -1)
    joint = counts.joint
    sizes = np.bincount(opinions.labels, minlength=len(names))
    return Audit(
        table,
        names,
        counts.bracket,
        transition_matrix(joint),
        _per_class(joint, names, sizes),
        codes,
        neighbors,
        twins,
        hashes,
        evidence,
    )


def _scored(
    rule: Callable[..., Any], probabilities: NDArray[Any], labels: NDArray[np.int64], name: object
) -> NDArray[np.floating[Any]]:
    """What a score says of some samples, one finite number for each."""
    try:
        found = np.asarray(rule(probabilities, labels))
    except TypeError as error:
        raise SpecError(
            f"the score {name!r} cannot be called: {error}; expected a function of probabilities (N, classes) and "
            "labels (N,)"
        ) from error
    if found.shape != labels.shape or found.dtype.kind not in "fiub" or not np.isfinite(found).all():
        raise SpecError(
            f"the score {name!r} gives {found.dtype} of shape {found.shape} for {len(labels)} samples: expected a "
            "finite number for each"
        )
    return found


def score_of_training(name: str, *, has_training: bool) -> Callable[[Dynamics, NDArray[np.int64]], Any] | None:
    """The score of a training that has this name; ``None`` where it is one of probabilities.

    Raises:
        SpecError: there is no such score, or no training that it could be of.
    """
    if SCORES.has(name):
        return None
    if not DYNAMICS.has(name):
        raise SCORES.unknown(name, DYNAMICS)
    if not has_training:
        raise SpecError(f"the score {name} is of what a training said epoch by epoch, and there is none: {_OTHERS}")
    return DYNAMICS.find(name)


def _columns_of(dynamics: Any) -> Any:
    """What has a column for each class that dynamics are about."""
    if isinstance(dynamics, Dynamics):
        return dynamics.mean
    array = np.asarray(dynamics)
    if array.ndim != 3 or not array.size:
        raise LabelError(f"dynamics have shape {array.shape}: expected probabilities (epochs, N, classes)")
    return np.full(array.shape[1:], 1 / array.shape[2], np.float32)


def named(names: NDArray[Any], codes: NDArray[Any]) -> NDArray[Any]:
    """Names by their positions, as objects with ``None`` where one is -1."""
    if not len(codes) or codes.min() >= 0:
        return names[codes]
    found = names.astype(object)[codes]
    found[codes < 0] = None
    return found


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

    def codes(self, labels: NDArray[np.int64], num_classes: int) -> dict[str, NDArray[np.int32]]:
        """The given labels and the two likeliest other classes; -1 where there is no third class."""
        second = self.others[1] if num_classes > 2 else np.full(len(labels), -1, np.int32)
        return {"given": labels.astype(np.int32), "suggested": self.others[0], "second": second}

    def columns(self, names: NDArray[Any], codes: dict[str, NDArray[np.int32]]) -> dict[str, NDArray[Any]]:
        """By name, in the order of the table."""
        second, p_second = codes["second"], np.maximum(self.likely[1], 0)
        return {
            "suggested": names[codes["suggested"]],
            "second": named(names, second),
            "score": self.score,
            "rank": ranks(self.score),
            "p_given": self.own,
            "p_suggested": self.likely[0],
            "p_second": p_second,
        }


def _per_class(joint: NDArray[np.float64], names: NDArray[Any], sizes: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """The figures by class, from a joint that may be of a part of the samples."""
    totals = joint.sum(1)
    joint = joint * np.divide(sizes, totals, out=np.zeros(len(names)), where=totals > 0)[:, None]
    others = joint - np.diag(np.diag(joint))
    suspected = others.sum(1)
    most = names.astype(object)[others.argmax(1)]
    return {
        "class": names,
        "given": sizes,
        "suspected": suspected,
        "missed": others.sum(0),
        "suggested": np.where(suspected > 0, most, None),
    }
