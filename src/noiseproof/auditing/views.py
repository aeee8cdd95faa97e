"""Views of samples: what training, or features, say of the class of each.

A view is a probability of each class for each sample, ``(N, classes)``. Views of different kinds make different
mistakes, so that two of them together find more wrong labels than a better formula for one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.auditing.scores import BOUND, area_under_margin, bounded_doubt, wrong_share
from noiseproof.errors import LabelError
from noiseproof.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

NEIGHBORS = 50
"""So many of the nearest samples are asked for their labels."""

_SHOWN = 3
"""Nearest samples with other labels that are named."""

_MOST_ASKED = 50_000
"""Samples that the nearest ones are looked for among; of more, a part that is drawn."""

_RIDGE = 1e-3
"""The penalty of ridge regression on standardized features, for each sample and feature."""

_BLOCK = 1 << 24
"""Distances that are computed together."""


@dataclass(frozen=True, eq=False)
class Dynamics:
    """What a training said of its samples, epoch by epoch.

    Attributes:
        label_probabilities: ``(epochs, N)``, the probability of the given label; NaN where a sample was not seen.
        predictions: ``(epochs, N)``, the predicted class; negative where a sample was not seen.
        margins: ``(N,)``, how far the given label's logit was above the largest other one, on average over all epochs;
            NaN where a sample was never seen.
        mean: ``(N, classes)``, the mean probability over all epochs.
        late: ``(N, classes)``, likewise over the later ones.
        memorized: whether the network has learned the labels by heart: it agrees with the labels that it was trained on
            far more often than with others.
    """

    label_probabilities: NDArray[np.float32]
    predictions: NDArray[np.integer[Any]]
    margins: Floats
    mean: Floats
    late: Floats
    memorized: bool

    @classmethod
    def of_epochs(cls, probabilities: Any, labels: NDArray[np.int64], *, memorized: bool = False) -> Dynamics:
        """From all probabilities.

        Args:
            probabilities: ``(epochs, N, classes)``; NaN where a sample was not seen.
            labels: ``(N,)``, the given ones, as numbers of columns.
            memorized: see :attr:`memorized`.

        Raises:
            LabelError: another shape.
        """
        p = np.asarray(probabilities)
        if p.ndim != 3 or p.shape[1] != len(labels) or not len(p) or p.dtype.kind != "f":
            raise LabelError(
                f"dynamics are {p.dtype} of shape {p.shape}: expected probabilities (epochs, {len(labels)}, classes)"
            )
        seen = ~np.isnan(p).any(2)
        own = np.where(seen, p[:, np.arange(len(labels)), labels], np.nan).astype(np.float32)
        predictions = np.where(seen, np.where(seen[:, :, None], p, 0).argmax(2), -1)
        others = np.where(np.arange(p.shape[2]) == labels[:, None], 0, p).max(2)
        least = np.finfo(np.float32).tiny
        margins = np.log(np.maximum(own, least)) - np.log(np.maximum(others, least))
        mean = np.where(seen, margins, 0).sum(0) / np.maximum(seen.sum(0), 1)
        half = len(p) // 2
        return cls(
            own,
            predictions,
            np.where(seen.any(0), mean, np.nan),
            _mean(p, seen),
            _mean(p[half:], seen[half:]),
            memorized,
        )

    def view(self, labels: NDArray[np.int64]) -> Floats:
        """``(N, classes)``: the mean over the later epochs; of labels that were learned by heart, evidence of them all.

        By the end of such a training every label looks right. Then the given label counts as far as it was believed on
        average over all epochs, by the bounded logarithm of :func:`noiseproof.auditing.scores.bounded_doubt`, and the
        others share what is left in the proportions of their mean probability.
        """
        if not self.memorized:
            return self.late
        rows = np.arange(len(labels))
        top, bottom = math.log(1 + BOUND), math.log(BOUND)
        believed = np.exp(top - bounded_doubt(self.label_probabilities) * (top - bottom)) - BOUND
        found = self.mean.copy()
        found[rows, labels] = 0
        rest = found.sum(1, keepdims=True)
        found = np.divide(found, rest, out=np.full_like(found, 1 / found.shape[1]), where=rest > 0)
        found *= 1 - believed[:, None].astype(found.dtype)
        found[rows, labels] = believed
        return found

    def columns(self, labels: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """For the table: what the scores of a training say, by :data:`COLUMNS`; all between 0 and 1."""
        return {column: DYNAMICS[name](self, labels).astype(np.float32) for name, column in COLUMNS.items()}


DYNAMICS = Registry.of_functions("score of a training", "training_scores")
"""Scores of :class:`Dynamics` and labels ``(N,)``, by name; the user's own included."""

DYNAMICS.add("bounded-doubt", lambda said, _: bounded_doubt(said.label_probabilities))
DYNAMICS.add("wrong-share", lambda said, labels: wrong_share(said.predictions, labels))
DYNAMICS.add("area-under-margin", lambda said, _: area_under_margin(said.margins))

COLUMNS = {"bounded-doubt": "doubt", "wrong-share": "epochs_wrong"}
"""Columns of the table by the scores of a training that they have."""


def _mean(p: Floats, seen: NDArray[np.bool_]) -> Floats:
    sums = np.where(seen[:, :, None], p, 0).sum(0)
    counts = seen.sum(0)[:, None]
    found: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), 1 / p.shape[2])
    return found


@dataclass(frozen=True, eq=False)
class Nearest:
    """The samples that are nearest to each.

    Attributes:
        rows: ``(N, count)``, the nearest first.
        closeness: ``(N, count)``, the cosine between both.
    """

    rows: NDArray[np.int64]
    closeness: NDArray[np.float32]

    def view(self, labels: NDArray[np.int64], num_classes: int) -> NDArray[np.float32]:
        """``(N, classes)``: how many of the nearest have each label, and one more that is shared by all classes."""
        count = self.rows.shape[1]
        found = np.full((len(labels), num_classes), 1 / num_classes, np.float32)
        given = labels[self.rows]
        np.add.at(found, (np.repeat(np.arange(len(labels)), count), given.ravel()), 1)
        return found / (count + 1)

    def contradicting(self, labels: NDArray[np.int64], count: int = _SHOWN) -> NDArray[np.int64]:
        """``(N, count)``: the nearest ones with another label; -1 where there are no more among the nearest."""
        differs = labels[self.rows] != labels[:, None]
        order = np.argsort(~differs, axis=1, kind="stable")[:, :count]
        found = np.take_along_axis(self.rows, order, 1)
        shown = np.where(np.take_along_axis(differs, order, 1), found, -1)
        lacking = count - shown.shape[1]
        return shown if lacking <= 0 else np.pad(shown, ((0, 0), (0, lacking)), constant_values=-1)


def standardized_features(features: Any, count: int) -> NDArray[np.float32]:
    """``(N, features)`` with mean 0 and deviation 1 in each column, without those that are constant.

    Raises:
        LabelError: other shapes, or numbers that are not finite.
    """
    if hasattr(features, "detach"):
        features = features.detach().cpu().numpy()
    array = np.asarray(features)
    if array.ndim != 2 or len(array) != count or array.dtype.kind not in "fiub":
        raise LabelError(f"features are {array.dtype} of shape {array.shape}: expected numbers, ({count}, features)")
    found = array.astype(np.float32)
    if not np.isfinite(found).all():
        row, column = (int(place[0]) for place in np.nonzero(~np.isfinite(found)))
        raise LabelError(f"feature {column} of row {row} is {array[row, column]}: expected finite numbers")
    found -= found.mean(0, dtype=np.float64).astype(np.float32)
    deviation = found.std(0, dtype=np.float64).astype(np.float32)
    kept = deviation > 0
    if not kept.any():
        raise LabelError("all features are constant: nothing tells one sample from another")
    scaled: NDArray[np.float32] = found[:, kept] / deviation[kept]
    return scaled


def nearest(features: NDArray[np.float32], count: int = NEIGHBORS, *, seed: int = 1) -> Nearest:
    """The samples nearest to each, by the cosine between features.

    Args:
        features: ``(N, features)``, standardized.
        count: how many; fewer where there are fewer samples.
        seed: draws those that are looked among, where there are more than 50,000 samples.
    """
    lengths = np.sqrt((features**2).sum(1, keepdims=True, dtype=np.float32))
    rows = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    total = len(rows)
    asked = np.arange(total)
    if total > _MOST_ASKED:
        asked = np.sort(np.random.default_rng(seed).choice(total, _MOST_ASKED, replace=False))
    count = min(count, len(asked) - 1)
    others = np.ascontiguousarray(rows[asked].T)
    found = Nearest(np.empty((total, count), np.int64), np.empty((total, count), np.float32))
    place_of = np.full(total, -1)
    place_of[asked] = np.arange(len(asked))
    step = max(1, _BLOCK // len(asked))
    for start in range(0, total, step):
        part = slice(start, min(start + step, total))
        closeness = rows[part] @ others
        own = place_of[part]
        known = np.flatnonzero(own >= 0)
        closeness[known, own[known]] = -np.inf
        top = np.argpartition(-closeness, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(closeness, top, 1)
        order = np.argsort(-values, axis=1, kind="stable")
        found.rows[part] = asked[np.take_along_axis(top, order, 1)]
        found.closeness[part] = np.take_along_axis(values, order, 1)
    return found


def ridge_view(features: NDArray[np.float32], labels: NDArray[np.int64], num_classes: int) -> NDArray[np.float32]:
    r"""``(N, classes)``: what ridge regression on the other samples says of each, exactly.

    Labels as zeros and ones are regressed on features :math:`X` (with a column of ones, which is not penalized). The
    prediction of a regression that leaves sample :math:`i` out is :math:`(f_i - h_i y_i) / (1 - h_i)`, with its own
    share :math:`h_i = x_i^\top (X^\top X + \lambda I)^{-1} x_i`: nothing is fitted twice. The penalty
    :math:`\lambda` is a thousandth of the number of samples times that of features. Predictions are cut off at 0.01
    and divided by their sums.

    Args:
        features: ``(N, features)``, standardized.
        labels: ``(N,)``, the given ones.
        num_classes: how many classes there are.
    """
    count, width = features.shape
    gram = np.zeros((width + 1, width + 1))
    sums = np.zeros((width + 1, num_classes))
    step = max(1, _BLOCK // (width + 1))

    def with_ones(part: slice) -> NDArray[np.float64]:
        rows = features[part].astype(np.float64)
        return np.concatenate([rows, np.ones((len(rows), 1))], 1)

    parts = [slice(start, min(start + step, count)) for start in range(0, count, step)]
    for part in parts:
        rows = with_ones(part)
        gram += rows.T @ rows
        np.add.at(sums.T, labels[part], rows)
    penalty = np.full(width + 1, _RIDGE * count * width)
    penalty[-1] = 1e-9
    inverse = np.linalg.inv(gram + np.diag(penalty))
    weights = inverse @ sums
    found = np.empty((count, num_classes), np.float32)
    for part in parts:
        rows = with_ones(part)
        share = np.minimum(((rows @ inverse) * rows).sum(1), 1 - 1e-6)[:, None]
        own = np.eye(num_classes)[labels[part]]
        predicted = np.maximum((rows @ weights - share * own) / (1 - share), BOUND)
        found[part] = predicted / predicted.sum(1, keepdims=True)
    return found


def together(views: Sequence[Floats]) -> Floats:
    """``(N, classes)``: the mean of the logarithms of views, floored at 0.01, as probabilities again."""
    if len(views) == 1:
        return views[0]
    logs = sum(np.log(np.maximum(view, BOUND)) for view in views)
    powers = np.exp(logs / len(views))
    found: Floats = powers / powers.sum(1, keepdims=True)
    return found
