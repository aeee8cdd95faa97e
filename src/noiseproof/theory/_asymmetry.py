"""Whether a loss tolerates a noise: is its noisy risk least at the heaviest class alone?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from noiseproof.losses import LabelLoss, Loss, make_loss
from noiseproof.losses.base import Combination, Sum
from noiseproof.losses.operators import Negative, Normalized
from noiseproof.theory._risk import MOST_SEARCHED, expected, expected_of_any_order, risks, search, vertex_risk
from noiseproof.theory._separable import Separable, curvature, curvatures, separable
from noiseproof.theory._weights import Weights, check_weights, pair_weights, symmetric_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Verdict:
    """The answer to whether a loss is asymmetric on weights, and why.

    Attributes:
        asymmetric: whether the noisy risk is least at the heaviest class alone; ``None`` when that is not decided.
        reason: the argument, in a few words.
        weak: whether the risk comes as near to its least value as one likes on the way to the heaviest class,
            which does not exclude that it does so elsewhere too.
    """

    asymmetric: bool | None
    reason: str
    weak: bool = False

    def __str__(self) -> str:
        answer = {True: "asymmetric", False: "not asymmetric", None: "not decided"}[self.asymmetric]
        return f"{answer}: {self.reason}"


def is_asymmetric(loss: Loss | str, weights: ArrayLike) -> Verdict:
    """Whether the noisy risk of a loss is least at the heaviest class alone (Zhou et al., ICML 2021).

    Separable losses are decided by their slopes where they are convex or concave; a sum is asymmetric if one of its
    terms is and the heaviest class is among the limits of the least risk of all others; a lower risk elsewhere decides
    against. Otherwise the answer is that it is not decided.

    Args:
        loss: a loss, or a text that :func:`noiseproof.losses.make_loss` reads.
        weights: ``(classes,)``, how likely each noisy label is.

    Raises:
        LabelError: weights that are none.
        SpecError: a text that is no loss.
    """
    loss, array = expected(loss, check_weights(weights))
    known = Weights.of(array)
    if known.most <= known.second:
        return Verdict(asymmetric=False, reason="no class is heavier than all others")
    if known.rest == 0:
        return Verdict(asymmetric=True, reason="there is no noise", weak=True)
    verdict = _judge(loss, known)
    return _search_counterexample(loss, array) if verdict is _UNDECIDED else verdict


_UNDECIDED = Verdict(asymmetric=None, reason="no lower risk was found, which is no proof")


def guaranteed(loss: Loss | str, weights: ArrayLike | Weights) -> bool:
    """Whether :func:`is_asymmetric` can prove that the loss is, which takes no search."""
    loss, known = expected_of_any_order(loss, _known(weights))
    return known.most > known.second and (known.rest == 0 or _judge(loss, known).asymmetric is True)


def _known(weights: ArrayLike | Weights) -> Weights:
    return weights if isinstance(weights, Weights) else Weights.of(check_weights(weights))


def _judge(loss: Loss, weights: Weights) -> Verdict:
    """The verdict, or :data:`_UNDECIDED` where only a search can tell more."""
    function = separable(loss, weights.size)
    if function is not None:
        return _judge_separable(function, weights)
    if isinstance(loss, Combination):
        return _judge(loss.parts.with_options(reduction="none"), weights)
    if isinstance(loss, Normalized):
        return _judge_normalized(loss, weights)
    if isinstance(loss, Negative) and _falls(loss.inner):
        return Verdict(asymmetric=True, reason=f"a normalized negative loss, up to p_min = {loss.p_min:g}", weak=True)
    if isinstance(loss, Sum):
        terms = [_judge(term.with_options(reduction="none"), weights) for weight, term in loss.terms if weight]
        if all(term.weak for term in terms) and any(term.asymmetric for term in terms):
            return Verdict(asymmetric=True, reason="one term is, and no other term objects", weak=True)
    return _UNDECIDED


def _judge_separable(function: Separable, weights: Weights) -> Verdict:
    most, second, total = weights.most, weights.second, weights.total
    shapes = curvatures(function, weights)
    if shapes <= {"concave", "linear"}:
        # Two vertices differ by the weights of their classes, times what the loss gains with the label.
        best = _value(function, 1.0) < _value(function, 1e-300)
        return Verdict(asymmetric=best, reason="concave: the least risk is at a vertex", weak=best)
    at_vertex = function.slope_at(1.0, most, total)
    elsewhere = min(function.slope_at(0.0, weight, total) for weight in (weights.least, second))
    size = max(abs(at_vertex), abs(elsewhere) if math.isfinite(elsewhere) else 0.0)
    if at_vertex > elsewhere + _ROUNDING * size:
        return Verdict(asymmetric=False, reason="the risk falls on the way from the heaviest class to another")
    if shapes <= {"convex", "linear"}:
        return Verdict(asymmetric=True, reason="convex, and the risk rises on every way from there", weak=True)
    ratio = _ratio(function) if _label_alone(function) else 0.0
    if ratio * most >= second:
        return Verdict(asymmetric=True, reason="the asymmetry ratio suffices", weak=True)
    return _UNDECIDED


def _judge_normalized(loss: Normalized, weights: Weights) -> Verdict:
    inner = separable(loss.inner, weights.size)
    if inner is None or not _falls(loss.inner):
        return _UNDECIDED
    if _grows_without_end(inner):
        # All of the sum goes to a class without probability; with two classes that leaves the heaviest alone.
        return Verdict(
            asymmetric=weights.size == 2,
            reason="least wherever the lightest class has no probability",
            weak=True,
        )
    if curvature(inner, 1.0, 0.0) == "linear":
        return replace(_judge_separable(inner, weights), reason="its sum over labels is constant")
    if weights.second - weights.least <= _ROUNDING and abs(_value(inner, 1.0)) <= _ROUNDING:
        return Verdict(asymmetric=True, reason="all other classes are alike", weak=True)
    return _UNDECIDED


def _search_counterexample(loss: Loss, weights: NDArray[np.float64]) -> Verdict:
    if len(weights) > MOST_SEARCHED:
        reason = f"over more than {MOST_SEARCHED:,} classes no lower risk is searched for"
        return Verdict(asymmetric=None, reason=reason)
    heaviest = int(weights.argmax())
    at_vertex = vertex_risk(loss, weights, heaviest)
    logits, least = search(loss, weights)
    p = torch.softmax(logits, -1)
    if least < at_vertex - 1e-7 * max(1.0, abs(at_vertex)) and p[heaviest] < 1 - 1e-6:
        where = ", ".join(f"{one:.3g}" for one in p[:6]) + (", …" if len(p) > 6 else "")
        return Verdict(asymmetric=False, reason=f"the risk is lower at p = ({where})")
    return _UNDECIDED


def is_symmetric(loss: Loss | str, num_classes: int = 10) -> bool:
    """Whether the sum of the loss over all labels is one number, whatever the prediction (Ghosh et al., AAAI 2017).

    It is compared at 200 predictions from flat to nearly certain (4 over very many classes), to 9 digits.
    """
    loss, weights = expected(loss, np.ones(num_classes))
    points = min(200, max(4, 400_000 // num_classes))
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(points, num_classes, generator=random, dtype=torch.float64)
    logits *= torch.linspace(0, 6, points)[:, None]
    sums = risks(loss, logits, weights)
    return bool(sums.isfinite().all() and (sums.max() - sums.min()) <= 1e-9 * sums.abs().max())


def asymmetry_ratio(loss: Loss | str, num_classes: int = 10) -> float | None:
    r"""How much the loss gains at least where a class takes another one's probability, compared with what that costs.

    For a loss :math:`f(p_y)` it is the infimum of :math:`(f(u) - f(u+v)) / (f(0) - f(v))`: a class with more than
    1/ratio times the weight of another one takes all of its probability. It is 1 for MAE, 0 for CE and GCE, and
    :math:`e^{-1/a}` for AEL.

    Returns:
        The ratio, in [0, 1]; ``None`` for a loss of more than the label's probability, as one with label smoothing is.
    """
    made = make_loss(loss)
    function = separable(made, num_classes)
    if made.label_smoothing or function is None or not _label_alone(function):
        return None
    return _ratio(function)


def _ratio(function: Separable) -> float:
    shape = curvature(function, 1.0, 0.0)
    if shape in ("concave", "linear"):
        return 1.0
    at_zero, at_one = function.slope_at(0.0, 1.0, 0.0), function.slope_at(1.0, 1.0, 0.0)
    if shape == "convex":
        return at_one / at_zero if math.isfinite(at_zero) else 0.0
    t = torch.linspace(0, 1, 1001, dtype=torch.float64).clamp(min=1e-300)
    f = function.f(t)
    ratios = [min(1.0, at_one / at_zero) if math.isfinite(at_zero) else 0.0]
    ratios += [float(((f[:-v] - f[v:]) / (f[0] - f[v])).min()) for v in range(1, 1001)]
    return max(0.0, min(ratios))


def largest_symmetric_rate(loss: Loss | str, num_classes: int) -> float:
    """The least upper bound of the symmetric noise rates that a loss is known to tolerate, to 1e-9; 0 if none."""
    return _largest(loss, lambda rate: symmetric_weights(rate, num_classes), (num_classes - 1) / num_classes)


def largest_pair_rate(loss: Loss | str, num_classes: int = 10) -> float:
    """The least upper bound of the pair-flip rates that a loss is known to tolerate, to 1e-9; 0 if none."""
    return _largest(loss, lambda rate: pair_weights(rate, num_classes), 0.5)


def _largest(loss: Loss | str, weights: Callable[[float], Weights], bound: float) -> float:
    def tolerated(rate: float) -> bool:
        return guaranteed(loss, weights(rate))

    if tolerated(bound * (1 - 1e-9)):
        return bound
    low, high = 0.0, bound
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if tolerated(middle) else (low, middle)
    return low if low > 1e-8 else 0.0


def needed_a(loss: Loss | str, weights: ArrayLike | Weights) -> float | None:
    """The smallest parameter ``a`` with which a loss is known to be asymmetric on weights, to 1e-9.

    Returns:
        The value (the lower end of the domain if every one does); ``inf`` if none does; ``None`` for a loss without
        this parameter.
    """
    made = make_loss(loss)
    domain = made.declared["a"].domain if "a" in made.declared else None
    if domain is None:
        return None
    known = _known(weights)
    lowest = domain.bounds[0]

    def suffices(above: float) -> bool:
        return guaranteed(made.with_parameters(a=lowest + above), known)

    low, high = -12.0, 9.0  # powers of ten above the lower end
    if suffices(10.0**low):
        return lowest
    if not suffices(10.0**high):
        return math.inf
    while high - low > 1e-10:
        middle = (low + high) / 2
        low, high = (low, middle) if suffices(10.0**middle) else (middle, high)
    return lowest + 10.0**high


def _label_alone(function: Separable) -> bool:
    return bool((function.h(torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)) == 0).all())


def _value(function: Separable, t: float) -> float:
    return function.f(torch.tensor([t], dtype=torch.float64)).item()


def _grows_without_end(function: Separable) -> bool:
    return _value(function, 1e-300) > 1.5 * _value(function, 1e-150)


def _falls(loss: LabelLoss) -> bool:
    function = separable(loss, 2)
    return function is not None and bool(
        (function.f_slope(torch.linspace(1e-6, 1, 1000, dtype=torch.float64)) <= 0).all()
    )
