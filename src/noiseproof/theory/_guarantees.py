"""What theory promises each loss for a noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.losses import REGISTRY, Loss, make_loss
from noiseproof.noise import TransitionMatrix, check_rate, dominated
from noiseproof.theory._asymmetry import guaranteed, is_symmetric, needed_a
from noiseproof.theory._weights import check_prior, kinds_of_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

    from noiseproof.theory._weights import Weights


@dataclass(frozen=True)
class Guarantee:
    """What is known of one loss for a noise.

    Attributes:
        loss: its canonical spec.
        symmetric: whether its sum over all labels is constant.
        classes: the classes for which its noisy risk is proved to be least at the true class alone.
        share: their share of the data.
        needed_a: the parameter ``a`` that all classes that can be saved need; ``inf`` where none is enough, ``None``
            for a loss without it.
    """

    loss: str
    symmetric: bool
    classes: tuple[int, ...]
    share: float
    needed_a: float | None


@dataclass(frozen=True)
class Guarantees:
    """What is known of several losses for a noise.

    Attributes:
        rows: one per loss.
        num_classes: the number of classes.
        lost: the classes whose true label is not the likeliest noisy one, which no loss can be promised to learn.
    """

    rows: tuple[Guarantee, ...]
    num_classes: int
    lost: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """The table for programs; an infinite ``needed_a`` is ``"inf"``."""
        rows = [
            {**vars(row), "needed_a": "inf" if row.needed_a == math.inf else row.needed_a, "classes": list(row.classes)}
            for row in self.rows
        ]
        return {"num_classes": self.num_classes, "lost": list(self.lost), "losses": rows}


def guarantees(
    T: ArrayLike | TransitionMatrix, losses: Iterable[str | Loss] | None = None, prior: ArrayLike | None = None
) -> Guarantees:
    """What is known of losses for a transition matrix.

    Args:
        T: ``(classes, classes)``, row-stochastic, ``T[true, noisy]``: an array, or a
            :class:`~noiseproof.noise.TransitionMatrix` of any number of classes. A sample's noise is that of its class.
        losses: losses or texts; every registered loss by default.
        prior: the shares of the classes; all alike by default.

    Raises:
        LabelError: T is not row-stochastic, or the prior does not fit it.
        SpecError: a text is no loss.
    """
    matrix = TransitionMatrix.of(T)
    size = len(matrix)
    shares = check_prior(prior, size)
    held = dominated(matrix)
    # Classes whose rows are alike but for the order have the same answer, which is the same for all of symmetric noise.
    kinds, which = kinds_of_rows(matrix, 15)
    needed = [kinds[kind] for kind in np.unique(which[held])]
    told: dict[bytes, tuple[int, ...]] = {}
    rows = []
    for loss in map(make_loss, REGISTRY if losses is None else losses):
        proved = np.array([kind in needed and guaranteed(loss, kind) for kind in kinds])
        kept = held & proved[which]
        # Most losses have the same classes, of which there may be a million.
        classes = told.setdefault(proved.tobytes(), tuple(np.flatnonzero(kept).tolist()))
        rows.append(
            Guarantee(
                loss.spec,
                is_symmetric(loss, size),
                classes,
                float(shares[kept].sum()),
                _largest_need(loss, needed) if "a" in loss.declared else None,
            )
        )
    return Guarantees(tuple(rows), size, tuple(np.flatnonzero(~held).tolist()))


def _largest_need(loss: Loss, kinds: list[Weights]) -> float | None:
    """What ``a`` the hardest rows need; those with the smallest margin come first, and often speak for the others."""
    need: float | None = None
    for kind in sorted(kinds, key=lambda row: row.most - row.second):
        if need is None or (need < math.inf and not guaranteed(loss.with_parameters(a=need), kind)):
            need = needed_a(loss, kind)
    return need


def part_dependent_share(rate: float, a: float = math.inf, deviation: float = 0.1) -> float:
    """The share of instances that AMSE(a, q=2) covers under part-dependent noise (Xia et al., NeurIPS 2020).

    There each instance has a flip rate of its own, normally distributed around ``rate`` and truncated to [0, 1], and
    nearly always the same target, so that it is covered where its rate is at most (1 - 1/a)/2. Without ``a``: the
    share whose true label is the likeliest one at all.
    """
    mean = check_rate(rate)

    def below(value: float) -> float:
        return 0.5 * (1 + math.erf((value - mean) / deviation / math.sqrt(2)))

    bound = 0.5 * (1 - 1 / a)
    return (below(bound) - below(0.0)) / (below(1.0) - below(0.0))
