"""The share of wrong labels, from some that a person has checked: which to check, and what they tell of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from noiseproof.errors import LabelError
from noiseproof.seeding import numpy_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

GROUPS = 3
"""Parts of the samples, from little to much suspicion, that equally many checks are drawn from."""

SPLIT = 8
"""Strata of equal size that each group is cut into. Draws pay no regard to them; the estimate does, where it can."""

FEWEST = 10
"""Checks that every stratum has, or else strata are merged in pairs."""

_UNIFORM = 0.85
"""How much the size of a group counts for its chance to be drawn from; how doubtful its scores are is the rest."""

_Z = 1.959963984540054
"""The normal distribution's quantile for intervals of 95 %."""

_POWER = 2 / 3
"""Of the statistic; 1 would be Pearson's, 0 the likelihood ratio's."""

_TINY = 1e-300
"""Instead of a 0 to divide by."""

_HALVINGS = 40
"""Of an octave that a root lies in."""

_ROUNDING = 1e-6
"""Samples: how far from a whole number one may be by errors of floating point."""

ENOUGH_CHECKS, ENOUGH_WIDTH = 100, 0.03

ENOUGH = "You can stop when at least 100 labels are checked and the interval is at most 3 points to either side."
"""What :func:`is_enough` says, for people."""


class Stratum(NamedTuple):
    """What is known of one stratum.

    Attributes:
        size: how many samples it has.
        checked: how many of them a person has looked at, undecided ones included.
        wrong: how many of these have a wrong label.
        unsure: of how many the person could not tell.
    """

    size: int
    checked: int
    wrong: int
    unsure: int


@dataclass(frozen=True, eq=False)
class Draws:
    """Samples to check, drawn by chance. Whoever checks the first ones only, in this order, has drawn fewer.

    Attributes:
        rows: ``(n,)``, positions of the samples, each at most once.
        stratum: ``(n,)``, which stratum each one is from; see :func:`estimate_rate`.
        num_strata: how many strata there are, empty ones included.
        probability: ``(n,)``, the chance that a draw was of this sample, when none was drawn yet.
        sizes: ``(num_strata,)``, how many samples each stratum has.
    """

    rows: NDArray[np.int64]
    stratum: NDArray[np.int64]
    num_strata: int
    probability: NDArray[np.float64]
    sizes: NDArray[np.int64]

    def strata(self, verdicts: Sequence[str | None]) -> list[Stratum]:
        """Count what was found.

        Args:
            verdicts: for each draw ``"right"``, ``"wrong"`` or ``"unsure"``, as its label is; ``None`` where nobody has
                looked.

        Raises:
            LabelError: another verdict, or not one for each draw.
        """
        if len(verdicts) != len(self.rows):
            raise LabelError(f"{len(verdicts)} verdicts for {len(self.rows)} draws: expected one for each")
        counts = np.zeros((3, self.num_strata), np.int64)
        for verdict, stratum in zip(verdicts, self.stratum, strict=True):
            if verdict not in ("right", "wrong", "unsure", None):
                raise LabelError(f"verdict {verdict!r}: expected 'right', 'wrong', 'unsure' or None")
            counts[:, stratum] += verdict is not None, verdict == "wrong", verdict == "unsure"
        return [Stratum(*map(int, each)) for each in zip(self.sizes, *counts, strict=True)]


@dataclass(frozen=True)
class RateEstimate:
    """The share of wrong labels, with an interval that has it in 95 of 100 such samples.

    Attributes:
        rate: the estimate, from the labels that a person could decide on.
        low: the lower end, if all labels that the person was unsure of are right.
        high: the upper end, if all of them are wrong.
        checks: how many labels were checked.
        wrong: how many of these were wrong. Their share is no estimate: suspicious samples are drawn more often.
        unsure: how many the person could not decide on.
    """

    rate: float
    low: float
    high: float
    checks: int
    wrong: int
    unsure: int


def draw_checks(scores: Any, count: int = 200, *, seed: int = 1) -> Draws:
    """Draw samples whose labels somebody should check.

    Samples are sorted by their scores and cut into three groups, such that doubtful scores make a group smaller. Draws
    go round the groups, in random order each time, and are uniform within a group. So useless scores cost little, and
    good ones tell where labels are surely right, surely wrong, or worth more checks.

    Args:
        scores: ``(N,)``, how suspicious each label is: 0 (surely right) to 1 (surely wrong). They need not be
            probabilities, nor good: the estimate's interval holds whatever they are.
        count: how many to draw; all, where there are not more. The first draws are the same for any count.
        seed: of the draws.

    Raises:
        LabelError: scores that are none, or a count below 1.
    """
    e = np.asarray(scores)
    if e.ndim != 1 or not len(e) or e.dtype.kind not in "fiub":
        raise LabelError(f"scores are {e.dtype} of shape {e.shape}: expected numbers, (N,), of at least one sample")
    e = e.astype(np.float64)
    inside = (e >= 0) & (e <= 1)
    if not inside.all():
        place = int((~inside).argmax())
        raise LabelError(f"score {e[place]} at {place}: expected 0 (surely right) to 1 (surely wrong)")
    if count < 1:
        raise LabelError(f"{count} checks: expected at least 1")
    order = np.argsort(e, kind="stable")
    groups = _cut(e[order])
    strata = [len(part) for size in groups for part in np.array_split(np.empty(size), SPLIT)]
    sizes = np.array(strata, np.int64)
    stratum_of = np.repeat(np.arange(len(sizes)), sizes)
    places, chances = go_round(groups, min(count, len(e)), numpy_stream(seed, "checks"))
    return Draws(order[places], stratum_of[places], len(sizes), chances, sizes)


def _cut(ordered: NDArray[np.float64]) -> list[int]:
    """Sizes of groups of scores in order, such that size and doubt together are as much in each."""
    doubt = np.sqrt(ordered * (1 - ordered))
    total = doubt.sum()
    share = np.full(len(ordered), 1 / len(ordered))
    if total > 0:
        share = _UNIFORM * share + (1 - _UNIFORM) * doubt / total
    ends = np.searchsorted(share.cumsum(), np.arange(1, GROUPS) / GROUPS)
    return np.diff([0, *ends, len(ordered)]).tolist()


def go_round(
    groups: Sequence[int], count: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Draw from groups in turn.

    Args:
        groups: how many samples each has, one after another.
        count: how many to draw, at most as many as there are.
        random: generator.

    Returns:
        Positions of the draws, and the chance of each, when none was drawn yet.
    """
    starts = np.cumsum([0, *groups])
    orders = [start + random.permutation(size) for start, size in zip(starts[:-1], groups, strict=True)]
    shares = sum(size > 0 for size in groups)
    turns: list[tuple[int, int]] = []
    rounds = 0
    while len(turns) < count:
        turns += [(group, rounds) for group in random.permutation(len(groups)) if rounds < groups[group]]
        rounds += 1
    turns = turns[:count]
    places = np.array([orders[group][turn] for group, turn in turns], np.int64)
    return places, np.array([1 / (shares * groups[group]) for group, _ in turns])


def estimate_rate(strata: Iterable[Sequence[int]]) -> RateEstimate | None:
    r"""The share of wrong labels among all samples, from checks of some.

    Strata with :math:`N_h` of the :math:`N` samples make up :math:`W_h = N_h / N`. Of :math:`n_h` that were checked in
    one, the share :math:`p_h` was wrong, and :math:`\sum_h W_h p_h` is the estimate. The interval has the
    :math:`\theta` with

    .. math:: \frac{9}{5} \sum_h m_h \left( p_h \left(\frac{p_h}{t_h}\right)^{2/3}
        + (1 - p_h) \left(\frac{1 - p_h}{1 - t_h}\right)^{2/3} - 1 \right) \le 1.96^2,

    where :math:`t_h` are the likeliest shares of those with :math:`\sum_h W_h t_h = \theta`. This is Cressie and Read's
    statistic, between Pearson's (whose interval, with one stratum, is Wilson's: too wide here when good scores leave
    strata without wrong labels) and the likelihood ratio's (too narrow after few checks). :math:`m_h` is :math:`n_h
    (N_h - 1) / (N_h - n_h)`, for samples are finitely many, times :math:`1 - (H - 1) / n`, for a share was fitted in
    each of the :math:`H` strata where right and wrong labels were found.

    Args:
        strata: one :class:`Stratum` or ``(size, checked, wrong, unsure)`` for each, in order of suspicion, as
            :meth:`Draws.strata` counts them. Where one has fewer than 10 checks and is not checked whole, all are
            merged in pairs, as long as their number is even. So neighbors in pairs must have been drawn from alike:
            those of :func:`draw_checks` are, until its three groups are left.

    Returns:
        ``None`` while nothing is decided. Until every group has a check, its share counts as 0 for the lower end and
        as 1 for the upper one.

    Raises:
        LabelError: counts that cannot be.

    Source:
        Cressie, Read: Multinomial Goodness-of-Fit Tests. Journal of the Royal Statistical Society B 46, 1984.
    """
    known = [Stratum(*each) for each in strata]
    for place, each in enumerate(known):
        if min(each) < 0 or each.wrong + each.unsure > each.checked or each.checked > each.size:
            raise LabelError(
                f"stratum {place} has {each}: expected counts with wrong + unsure ≤ checked ≤ size, none below 0"
            )
    table = np.array(known, np.int64).reshape(-1, 4)
    _, checks, wrong, unsure = (int(total) for total in table.sum(0))
    if checks == unsure:
        return None
    size, checked, bad, undecided = merged(table).T
    decided = checked - undecided
    some = decided > 0
    rate = float((size[some] * bad[some] / decided[some]).sum() / size[some].sum())
    low, high = interval(size, checked, bad, decided - bad)
    return RateEstimate(rate, float(low), float(high), checks, wrong, unsure)


def merged(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """Strata, one in each row, merged in pairs until each has enough checks or their number is odd."""
    while len(table) % 2 == 0 and too_few(table[:, 0], table[:, 1]):
        table = table[::2] + table[1::2]
    return table


def too_few(size: NDArray[np.int64], checked: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether any of the strata, the last axis, has too few checks to stand alone."""
    return np.asarray((checked < np.minimum(FEWEST, size)).any(-1))


def interval(
    size: NDArray[np.int64], checked: NDArray[np.int64], wrong: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Between what the share of wrong labels lies; see :func:`estimate_rate`.

    Both ends are rounded outwards to whole numbers of samples: among few there may be one wrong label, not half a one.

    Args:
        size: ``(…, strata)``, how many samples each has.
        checked: ``(…, strata)``, how many of them were checked.
        wrong: ``(…, strata)``, how many of these are wrong for sure.
        right: ``(…, strata)``, how many are right for sure.

    Returns:
        The lower and the upper ends, ``(…)`` each.
    """
    total = size.sum(-1)
    least = np.floor(total * _least(size, checked, wrong) + _ROUNDING)
    other = np.floor(total * _least(size, checked, right) + _ROUNDING)
    return least / total, (total - other) / total


def _least(size: NDArray[np.int64], checked: NDArray[np.int64], hits: NDArray[np.int64]) -> NDArray[np.float64]:
    r"""The least share of hits that the test does not reject.

    The likeliest shares under the constraint solve :math:`m_h (p_h - t_h) = \lambda W_h t_h (1 - t_h)`, with a
    multiplier :math:`\lambda` that is the same in all strata. They fall, and the statistic grows, with it.
    """
    weight = size / size.sum(-1, keepdims=True)
    seen = np.maximum(checked, 1)
    hit = hits / seen
    other = 1 - hit
    free = checked < size  # all is known of the others
    spread = (hits > 0) & (hits < checked) & free
    fitted = np.maximum(spread.sum(-1, keepdims=True) - 1, 0) / np.maximum(checked.sum(-1, keepdims=True), 1)
    sample = np.where(free, seen * (1 - fitted) * np.maximum(size - 1, 1) / np.where(free, size - checked, 1), 0)
    slope = np.where(free, weight / np.where(free, sample, 1), 0)

    def excess(multiplier: NDArray[np.float64]) -> NDArray[np.float64]:
        """How many times the likeliest shares are in what was found."""
        c = multiplier[..., None] * slope
        found: NDArray[np.float64] = (1 + c + np.sqrt((1 - c) ** 2 + 4 * c * other)) / 2
        return found

    def statistic(multiplier: NDArray[np.float64]) -> NDArray[np.float64]:
        times = excess(multiplier)
        rest = other / np.maximum(1 - hit / times, _TINY)
        terms = sample * (hit * times**_POWER + other * rest**_POWER - 1)
        found: NDArray[np.float64] = 2 / (_POWER * (_POWER + 1)) * terms.sum(-1)
        return found

    bounded = (free & (hits > 0)).any(-1)  # in the others every multiplier gives the same shares
    bottom, top = np.zeros(bounded.shape), np.ones(bounded.shape)
    while (short := bounded & (statistic(top) < _Z**2)).any():
        bottom, top = np.where(short, top, bottom), np.where(short, 2 * top, top)
    for _ in range(_HALVINGS):
        middle = (bottom + top) / 2
        above = statistic(middle) > _Z**2
        bottom, top = np.where(above, bottom, middle), np.where(above, middle, top)
    least: NDArray[np.float64] = (weight * hit / excess(top)).sum(-1)
    return least


def is_enough(estimate: RateEstimate | None) -> bool:
    """Whether checking may stop, as :data:`ENOUGH` says."""
    if estimate is None or estimate.checks < ENOUGH_CHECKS:
        return False
    return (estimate.high - estimate.low) / 2 <= ENOUGH_WIDTH
