"""Label-noise generators."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal, TypeAlias

from noiseproof.errors import LabelError, NoiseWarning
from noiseproof.noise._arrays import check_labels, count_labels, kept_labels
from noiseproof.noise._counts import exact_flips, published_flips
from noiseproof.noise._draws import draw_each, flip_counted
from noiseproof.noise._labels import NoisyLabels, check_class_names, check_seed, warn_about_absent
from noiseproof.noise._mappings import by_position, published_mapping
from noiseproof.noise._matrices import asymmetric_matrix, check_rate, symmetric_matrix, warn_if_not_dominant
from noiseproof.noise._transition import TransitionMatrix
from noiseproof.seeding import numpy_stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from noiseproof.noise._arrays import Labels

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
    T: ArrayLike | TransitionMatrix,
    *,
    seed: int = 0,
    mode: Mode = "exact",
    class_names: Sequence[str] | None = None,
) -> NoisyLabels:
    """Flip labels as a transition matrix says.

    Args:
        labels: ``(N,)`` integers in ``0 … len(T) - 1``.
        T: ``(classes, classes)``, row-stochastic: ``T[i, j]`` is the probability that a sample of class i is
            labeled j. An array for up to 2,000 classes, or a :class:`TransitionMatrix`. The requested rate of the
            result is the overall one that T gives for these labels.
        seed: the same seed gives the same labels on every machine.
        mode: ``"exact"``, ``"iid"`` or ``"published"``; see :data:`Mode`.
        class_names: one per class, for what is said about them.

    Raises:
        LabelError: labels that are no classes of T, or a T that is not row-stochastic.

    Warns:
        NoiseWarning: the realized rate differs from the request, clean labels do not dominate, or labels are flipped to
            a class that does not occur.
    """
    matrix = TransitionMatrix.of(T)
    clean = check_labels(labels, len(matrix))
    return _generate(clean, matrix, "matrix", None, seed, mode, class_names)


def _generate(
    labels: Labels,
    matrix: TransitionMatrix,
    kind: str,
    rate: float | None,
    seed: int,
    mode: Mode,
    class_names: Sequence[str] | None,
) -> NoisyLabels:
    seed = check_seed(seed)
    names = None if class_names is None else check_class_names(class_names, len(matrix))
    if mode not in _FLIPS and mode != "iid":
        raise LabelError(f"mode {mode!r}: expected 'exact', 'iid' or 'published'")
    clean = kept_labels(labels, len(matrix))
    counts = count_labels(clean, len(matrix))
    warn_if_not_dominant(matrix, counts, names)
    random = numpy_stream(seed, "noise", kind, mode)
    if mode == "iid":
        noisy = draw_each(clean, matrix, random)
    else:
        noisy = flip_counted(clean, counts, matrix, _FLIPS[mode], random)
    noisy.flags.writeable = False
    expected = float(counts @ (1 - matrix.diagonal) / max(len(clean), 1))
    result = NoisyLabels(noisy, clean, matrix, kind, mode, expected if rate is None else rate, seed, names)
    _warn_about_rate(result, expected)
    warn_about_absent(result, counts)
    return result


_FLIPS = {"exact": exact_flips, "published": published_flips}


def _warn_about_rate(noise: NoisyLabels, requested: float) -> None:
    given = noise.rate
    off = abs(given - requested)
    digits = next((digits for digits in range(2, 9) if f"{given:.{digits}%}" != f"{requested:.{digits}%}"), 2)
    instead = f"give {given:.{digits}%} instead of {requested:.{digits}%}"
    if noise.mode == "published" and off > 1e-9:
        text = f"floor-truncated counts {instead}"
        advice = "as in published tables; mode='exact' gives the request"
    elif noise.mode == "exact" and off > 0.005:
        text = f"so few samples per class that the nearest counts {instead}"
        advice = "mode='iid' gives the request on average"
    else:
        return
    warnings.warn(f"{noise.kind} noise: {text} ({advice})", NoiseWarning, stacklevel=4)
