"""Label-noise generators."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from noiseproof.errors import LabelError, NoiseWarning
from noiseproof.noise._labels import NoisyLabels, check_class_names, check_labels, check_seed, warn_about_absent
from noiseproof.noise._mappings import by_position, published_mapping
from noiseproof.noise._matrices import (
    asymmetric_matrix,
    check_matrix,
    check_rate,
    symmetric_matrix,
    warn_if_not_dominant,
)
from noiseproof.seeding import numpy_stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

_DRAWN = 2**20
"""How many probabilities are held for drawing at a time."""

Mode: TypeAlias = Literal["exact", "iid", "published"]
"""How labels are flipped.

``exact``: every class gets the count of flips that is nearest to the request, spread over the targets as evenly
as integers allow. ``iid``: every label is drawn for itself. ``published``: the floor-truncated counts per pair
of classes that the generators behind published tables give; CIFAR-100 at 10 % symmetric noise gets 0 %.
"""


def symmetric(
    labels: ArrayLike,
    rate: float,
    *,
    num_classes: int,
    seed: int = 0,
    mode: Mode = "exact",
    class_names: Sequence[str] | None = None,
) -> NoisyLabels:
    """Flip labels to other classes, all equally likely; the own class is excluded, so ``rate`` is what is wrong.

    Args:
        labels: ``(N,)`` integers in ``0 … num_classes - 1``.
        rate: the share of wrong labels, in [0, 1].
        num_classes: the number of classes.
        seed: the same seed gives the same labels on every machine.
        mode: ``"exact"``, ``"iid"`` or ``"published"``; see :data:`Mode`.
        class_names: one per class, for what is said about them.

    Raises:
        LabelError: labels or a rate outside their domain.

    Warns:
        NoiseWarning: the realized rate differs from the request, clean labels do not dominate, or labels are flipped to
            a class that does not occur.
    """
    clean = check_labels(labels, num_classes)
    matrix = symmetric_matrix(rate, num_classes)
    return _generate(clean, matrix, "symmetric", check_rate(rate), seed, mode, class_names)


def asymmetric(
    labels: ArrayLike,
    rate: float,
    mapping: Mapping[int, int] | Mapping[str, str] | Mapping[int | str, int | str] | str,
    *,
    num_classes: int | None = None,
    seed: int = 0,
    mode: Mode = "exact",
    source: str = "published",
    class_names: Sequence[str] | None = None,
) -> NoisyLabels:
    """Flip the labels of some classes to one other class each.

    Args:
        labels: ``(N,)`` integers in ``0 … num_classes - 1``.
        rate: the share of wrong labels *in each flipped class*; over all labels it is smaller when some classes
            are not flipped (half of it for CIFAR-10).
        mapping: ``{class: target, …}``, or ``"cifar10"`` or ``"cifar100"`` for the published maps. With
            ``class_names``, classes by name, or by number where names are no numbers.
        num_classes: the number of classes; published maps and ``class_names`` tell it.
        seed: the same seed gives the same labels on every machine.
        mode: ``"exact"``, ``"iid"`` or ``"published"``; see :data:`Mode`.
        source: for ``"cifar100"``, ``"published"`` (blocks of five consecutive label ids, as every published
            figure) or ``"true"`` (the real super-classes).
        class_names: one per class.

    Raises:
        LabelError: labels, a rate or a mapping outside their domain.

    Warns:
        NoiseWarning: the realized rate differs from the request, clean labels do not dominate, or labels are flipped to
            a class that does not occur.
    """
    pairs: Mapping[int, int]
    if isinstance(mapping, str):
        pairs, known = published_mapping(mapping, source)
        if num_classes not in (None, known):
            raise LabelError(f"num_classes={num_classes}: the published mapping has {known} classes")
        num_classes = known
    else:
        if num_classes is None and class_names is not None:
            num_classes = len(class_names)
        pairs = by_position(mapping, class_names)
    if num_classes is None:
        raise LabelError("num_classes is missing: it cannot be told from a mapping, since some classes may be absent")
    clean = check_labels(labels, num_classes)
    matrix = asymmetric_matrix(rate, pairs, num_classes)
    return _generate(clean, matrix, "asymmetric", check_rate(rate), seed, mode, class_names)


def from_matrix(
    labels: ArrayLike,
    T: ArrayLike,
    *,
    seed: int = 0,
    mode: Mode = "exact",
    class_names: Sequence[str] | None = None,
) -> NoisyLabels:
    """Flip labels as a transition matrix says.

    Args:
        labels: ``(N,)`` integers in ``0 … len(T) - 1``.
        T: ``(classes, classes)``, row-stochastic: ``T[i, j]`` is the probability that a sample of class i is
            labeled j. The requested rate of the result is the overall one that T gives for these labels.
        seed: the same seed gives the same labels on every machine.
        mode: ``"exact"``, ``"iid"`` or ``"published"``; see :data:`Mode`.
        class_names: one per class, for what is said about them.

    Raises:
        LabelError: labels that are no classes of T, or a T that is not row-stochastic.

    Warns:
        NoiseWarning: the realized rate differs from the request, clean labels do not dominate, or labels are flipped to
            a class that does not occur.
    """
    matrix = check_matrix(T)
    clean = check_labels(labels, len(matrix))
    return _generate(clean, matrix, "matrix", None, seed, mode, class_names)


def _generate(
    clean: NDArray[np.int64],
    matrix: NDArray[np.float64],
    kind: str,
    rate: float | None,
    seed: int,
    mode: Mode,
    class_names: Sequence[str] | None,
) -> NoisyLabels:
    seed = check_seed(seed)
    names = None if class_names is None else check_class_names(class_names, len(matrix))
    if mode not in _FLIP_COUNTS and mode != "iid":
        raise LabelError(f"mode {mode!r}: expected 'exact', 'iid' or 'published'")
    counts = np.bincount(clean, minlength=len(matrix))
    warn_if_not_dominant(matrix, counts, names)
    random = numpy_stream(seed, "noise", kind, mode)
    if mode == "iid":
        noisy = _draw_each(clean, matrix, random)
    else:
        noisy = _flip_counted(clean, _FLIP_COUNTS[mode](matrix, counts, random), random)
    if rate is None:
        rate = float(counts @ (1 - np.diag(matrix)) / max(counts.sum(), 1))
    result = NoisyLabels(noisy, clean, matrix, kind, mode, rate, seed, names)
    _warn_about_rate(result)
    warn_about_absent(result)
    return result


def _draw_each(clean: NDArray[np.int64], matrix: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int64]:
    edges = np.cumsum(matrix, axis=1)
    edges[:, -1] = 1.0
    drawn = random.random(len(clean))
    step = max(1, _DRAWN // len(edges))
    blocks = range(0, len(clean), step)
    noisy = [(drawn[at : at + step, None] >= edges[clean[at : at + step]]).sum(1) for at in blocks]
    return np.concatenate(noisy) if noisy else clean.copy()


def _flip_counted(clean: NDArray[np.int64], flips: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """Flip ``flips[i, j]`` samples of class i to class j, chosen without replacement."""
    noisy = clean.copy()
    for label, row in enumerate(flips):
        members = random.permutation(np.flatnonzero(clean == label))
        targets = np.repeat(np.arange(len(row)), row)
        noisy[members[: len(targets)]] = targets
    return noisy


def _exact_counts(
    matrix: NDArray[np.float64], counts: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.int64]:
    flips = np.zeros_like(matrix, dtype=np.int64)
    owed = 0.0  # requested minus given so far: decides halves, so that they do not add up
    for label, (row, count) in enumerate(zip(matrix, counts, strict=True)):
        away = row.copy()
        away[label] = 0.0
        requested = count * away.sum()
        given = _nearest(requested, owed)
        owed += requested - given
        if given:
            flips[label] = _apportion(away, given, random)
    return flips


def _nearest(value: float, owed: float) -> int:
    below = math.floor(value + 1e-9)
    if abs(value - below - 0.5) < 1e-9:
        return below + (owed >= 0)
    return round(value)


def _apportion(shares: NDArray[np.float64], total: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Integers that sum to ``total`` and differ from the exact shares by less than 1; ties are drawn."""
    exact = shares / shares.sum() * total
    whole = np.floor(exact + 1e-9).astype(np.int64)
    rest = total - int(whole.sum())
    if rest:
        remainder = np.round(exact - whole, 9)
        order = np.lexsort((random.random(len(shares)), -remainder))
        whole[order[:rest]] += 1
    return whole


def _published_counts(
    matrix: NDArray[np.float64],
    counts: NDArray[np.int64],
    random: np.random.Generator,  # noqa: ARG001 - same signature as _exact_counts
) -> NDArray[np.int64]:
    flips = np.floor(matrix * counts[:, None]).astype(np.int64)
    np.fill_diagonal(flips, 0)
    return flips


_FLIP_COUNTS = {"exact": _exact_counts, "published": _published_counts}


def _warn_about_rate(noise: NoisyLabels) -> None:
    off = abs(noise.rate - noise.expected_rate)
    if noise.mode == "published" and off > 1e-9:
        text = f"floor-truncated counts give {noise.rate:.2%} instead of {noise.expected_rate:.2%}"
        advice = "as in published tables; mode='exact' gives the request"
    elif noise.mode == "exact" and off > 0.005:
        text = f"so few samples per class that the nearest counts give {noise.rate:.2%} instead of "
        text += f"{noise.expected_rate:.2%}"
        advice = "mode='iid' gives the request on average"
    else:
        return
    warnings.warn(f"{noise.kind} noise: {text} ({advice})", NoiseWarning, stacklevel=4)
