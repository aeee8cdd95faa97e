"""Label noise that depends on the instance: which wrong label a sample gets is told by its inputs."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from noiseproof.errors import DataError, LabelError, NoiseWarning, suggest
from noiseproof.noise._arrays import check_labels, count_labels, kept_labels
from noiseproof.noise._labels import NoisyLabels, check_class_names, check_seed, warn_about_absent
from noiseproof.noise._matrices import check_rate, warn_if_not_dominant
from noiseproof.noise._transition import TransitionMatrix, check_dense
from noiseproof.seeding import numpy_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

InstanceVariant: TypeAlias = Literal["pdn", "fixed-subset"]
"""Which samples flip under instance-dependent noise.

``pdn``: each has a flip rate of its own, normal around the request and truncated to [0, 1], as Xia et al. (NeurIPS
2020) define it. ``fixed-subset``: a uniformly drawn share of exactly the request, as behind the published label lists.
"""

_VARIANTS = ("pdn", "fixed-subset")
_DEVIATION = 0.1
_BATCH_NUMBERS = 2**22
"""How many numbers of the inputs are held as float64 at a time: 32 MiB."""


def instance_dependent(
    inputs: ArrayLike,
    labels: ArrayLike,
    rate: float,
    *,
    num_classes: int,
    seed: int = 0,
    variant: InstanceVariant = "pdn",
    mean: ArrayLike = 0.0,
    std: ArrayLike = 1.0,
    class_names: Sequence[str] | None = None,
) -> NoisyLabels:
    """Flip labels to the class that a random projection of the sample favors (Xia et al., NeurIPS 2020).

    Every true class has a projection of its own, with independent standard normal entries. A sample's scores are its
    inputs times that projection; the softmax over the scores of the other classes is the distribution of its wrong
    label. With many inputs that is nearly one class per sample.

    The published script of PDN flattens the stored pixels, 0 to 255, channel after channel. The entries of a projection
    are independent and alike, so the order of the pixels changes which labels a seed draws, and not their distribution.
    Their scale matters (larger numbers make the target surer), and so does their mean: what all samples have in common
    favors the same target for all of a class. The published label lists rest on standardized pixels, whose targets are
    far more diverse: for noise like theirs give the data set's ``mean`` and ``std`` with ``"fixed-subset"``.

    Args:
        inputs: ``(N, ...)`` numbers, flattened per sample; integers stay integers but for a batch at a time.
        labels: ``(N,)`` integers in ``0 … num_classes - 1``.
        rate: the share of wrong labels, in [0, 1]. For ``"pdn"`` the mean of the normal before it is truncated, which
            moves it near the ends: 0.1 gives 12.88 % wrong labels, 0.2 gives 20.55 %.
        num_classes: the number of classes.
        seed: the same seed gives the same labels; for integer inputs of up to 8 bits no matter how they are summed.
        variant: ``"pdn"`` or ``"fixed-subset"``; see :data:`InstanceVariant`.
        mean: what to subtract from the inputs; broadcast against one sample, such as a number per channel.
        std: what to divide them by after that.
        class_names: one per class, for what is said about them.

    Returns:
        The noisy labels. Their matrix is what the samples' own distributions give on average for each class, and their
        mode is the variant.

    Raises:
        DataError: inputs that are no finite numbers, or as many as there are labels.
        LabelError: labels, a rate or a variant outside their domain.

    Warns:
        NoiseWarning: for most samples a wrong label is likelier than the right one, clean labels do not dominate in a
            class, labels are flipped to a class that does not occur, or truncation moves the rate by more than 1 %.
    """
    clean = kept_labels(check_labels(labels, num_classes), num_classes)
    check_dense(num_classes)
    rate = check_rate(rate)
    seed = check_seed(seed)
    names = None if class_names is None else check_class_names(class_names, num_classes)
    samples = _check_inputs(inputs, len(clean))
    scale = _check_scale(mean, std, samples.shape[1:])
    if variant not in _VARIANTS:
        raise LabelError(f"unknown variant {variant!r}{suggest(str(variant), _VARIANTS)}")
    random = numpy_stream(seed, "noise", "instance", variant)
    if variant == "pdn":
        rates = _truncated_normal(rate, random.random(len(clean)))
        flips = random.random(len(clean)) < rates
    else:
        count = math.floor(rate * len(clean) + 1e-9)
        rates = np.full(len(clean), count / len(clean))
        flips = np.zeros(len(clean), dtype=bool)
        flips[random.permutation(len(clean))[:count]] = True
    draws = random.random(len(clean))
    noisy = clean.copy()
    matrix = np.eye(num_classes)
    lost = 0
    for label in np.unique(clean):
        members = np.flatnonzero(clean == label)
        projection = _Projection.drawn(int(label), num_classes, *scale, seed)
        total = np.zeros(num_classes)
        for batch, targets in projection.target_distributions(samples, members):
            away = rates[batch, None] * targets
            total += _on_grid(away, 30).sum(0)
            lost += int((away.max(1) >= 1 - rates[batch]).sum())
            drawn = _draw(targets, draws[batch])
            noisy[batch[flips[batch]]] = drawn[flips[batch]]
        total[label] = max(0.0, len(members) - total.sum())
        matrix[label] = total / total.sum()
    result = NoisyLabels(noisy, clean, TransitionMatrix.of(matrix), "instance", variant, rate, seed, names)
    _warn(result, lost / len(clean))
    return result


def _check_inputs(inputs: ArrayLike, count: int) -> NDArray[Any]:
    samples = np.asarray(inputs)
    if samples.dtype.kind not in "uif":
        raise DataError(f"inputs are {samples.dtype}: expected numbers, (N, ...)")
    if samples.ndim < 2 or samples.size == 0:
        raise DataError(
            f"inputs have shape {samples.shape}: expected (N, ...), at least one sample and one number each"
        )
    if len(samples) != count:
        raise DataError(f"{len(samples)} inputs for {count} labels: expected as many")
    return samples


def _truncated_normal(mean: float, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draws of the normal around ``mean``, truncated to [0, 1], by its inverse distribution function."""
    normal = NormalDist(mean, _DEVIATION)
    low, high = normal.cdf(0.0), normal.cdf(1.0)
    # 0 and 1 themselves, which rounding can reach, have no inverse.
    levels = np.clip(low + uniform * (high - low), np.finfo(float).tiny, np.nextafter(1.0, 0.0))
    return np.clip([normal.inv_cdf(level) for level in levels.tolist()], 0.0, 1.0)


def _truncated_mean(mean: float) -> float:
    normal = NormalDist(mean, _DEVIATION)
    return mean + _DEVIATION**2 * (normal.pdf(0.0) - normal.pdf(1.0)) / (normal.cdf(1.0) - normal.cdf(0.0))


def _check_scale(
    mean: ArrayLike, std: ArrayLike, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``mean`` and ``std`` with an entry for each number of a sample."""
    try:
        flat = [np.broadcast_to(np.asarray(value, np.float64), shape).ravel() for value in (mean, std)]
    except (ValueError, TypeError) as error:
        raise DataError(f"mean {mean!r} and std {std!r} do not fit samples of shape {shape}: {error}") from error
    if not (np.isfinite(flat).all() and (flat[1] > 0).all()):
        raise DataError("mean and std: expected finite numbers, and deviations above 0")
    return flat[0], flat[1]


@dataclass(frozen=True)
class _Projection:
    """The projection of one true class, with the standardization of the inputs in it."""

    label: int
    weights: NDArray[np.float64]
    offset: NDArray[np.float64]

    @classmethod
    def drawn(
        cls, label: int, num_classes: int, mean: NDArray[np.float64], std: NDArray[np.float64], seed: int
    ) -> _Projection:
        random = numpy_stream(seed, "noise", "instance", "projection", label)
        weights = random.standard_normal((len(std), num_classes)) / std[:, None]
        # On a grid of 2^-24 the products with 8-bit integers are exact in float64, and so is a sum of up to 2^18 of
        # them in any order: no label hangs on how the product is blocked.
        weights = _on_grid(weights, 24 + math.floor(math.log2(std.max())))
        return cls(label, weights, mean @ weights)

    def target_distributions(
        self, samples: NDArray[Any], members: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Batches of the members of the class, and for each the ``(batch, classes)`` distribution of its target."""
        width = len(self.weights)
        size = max(1, _BATCH_NUMBERS // width)
        for start in range(0, len(members), size):
            batch = members[start : start + size]
            with np.errstate(over="ignore", invalid="ignore"):
                flat = samples[batch].reshape(len(batch), width).astype(np.float64)
                scores = flat @ self.weights - self.offset
            _check_scores(scores, samples, batch)
            scores[:, self.label] = -np.inf
            targets = np.exp(scores - scores.max(1, keepdims=True))
            yield batch, targets / targets.sum(1, keepdims=True)


def _on_grid(values: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    """``values`` rounded to multiples of 2^-bits: sums of them are exact in any order while they fit in 53 bits."""
    return np.rint(values * 2.0**bits) * 2.0**-bits


def _check_scores(scores: NDArray[np.float64], samples: NDArray[Any], batch: NDArray[np.int64]) -> None:
    wrong = batch[~np.isfinite(scores).all(1)]
    if not len(wrong):
        return
    first = wrong[0]
    if np.isfinite(samples[first]).all():
        raise DataError(f"the inputs of sample {first} are too large for their projection: scale the inputs down")
    raise DataError(f"the inputs of sample {first} (and {len(wrong) - 1} more of its class) are not all finite numbers")


def _draw(targets: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    edges = np.cumsum(targets, axis=1)
    # Scaled by what the row really sums to, a draw never passes the last edge; a class of probability 0, as the own
    # one, lies between two equal edges and is never met.
    return ((uniform * edges[:, -1])[:, None] >= edges).sum(1)


def _warn(result: NoisyLabels, lost: float) -> None:
    counts = count_labels(result.clean, result.num_classes)
    if lost > 0.5:
        warnings.warn(
            f"instance noise: for {lost:.1%} of the samples a wrong label is likelier than the right one. No loss is "
            "guaranteed to learn those, even where clean labels dominate in their class as a whole.",
            NoiseWarning,
            stacklevel=3,
        )
    else:
        warn_if_not_dominant(result.matrix, counts, result.class_names)
    warn_about_absent(result, counts)
    rate = result.requested_rate
    if result.mode == "pdn" and rate is not None and abs(_truncated_mean(rate) - rate) > 0.01:
        warnings.warn(
            f"instance noise: a flip rate around {rate:.2%} that is truncated to [0, 1] is {_truncated_mean(rate):.2%} "
            "on average (as PDN defines it; variant='fixed-subset' gives the request)",
            NoiseWarning,
            stacklevel=3,
        )
