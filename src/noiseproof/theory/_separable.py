r"""Losses as functions of one probability at a time.

Most losses of this library are separable, :math:`L(p, y) = f(p_y) + \sum_k h(p_k)`, so that the noisy risk
:math:`\sum_k w_k L(p, k)` is :math:`\sum_k g_k(p_k)` with :math:`g_k = w_k f + W h`, and what is to be known about its
minimum follows from the derivatives of f and h. Both come from the definition of the loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from noiseproof.losses import LabelLoss, Loss, PowerSumLoss, Probabilities
from noiseproof.losses.base import Combination, Sum

if TYPE_CHECKING:
    from collections.abc import Callable

    from noiseproof.theory._weights import Weights

    Function = Callable[[Tensor], Tensor]

_NEAR_ZERO = (1e-100, 1e-200, 1e-300)
_GROWTH = 1e-9


@dataclass(frozen=True)
class Separable:
    """The two functions of a separable loss and their derivatives, over float64 tensors of probabilities in (0, 1]."""

    f: Function
    f_slope: Function
    h: Function
    h_slope: Function

    def slope_at(self, t: float, weight: float, total: float) -> float:
        """The derivative of ``weight * f + total * h`` at ``t``; its limit, possibly infinite, at 0."""
        if t > 0:
            return self.slope(torch.tensor([t], dtype=torch.float64), weight, total).item()
        near = self.slope(torch.tensor(_NEAR_ZERO, dtype=torch.float64), weight, total).tolist()
        if abs(near[2]) > abs(near[1]) * (1 + _GROWTH) and abs(near[1]) > abs(near[0]) * (1 + _GROWTH):
            return math.copysign(math.inf, near[2])
        return float(near[2])

    def slope(self, t: Tensor, weight: Tensor | float, total: float) -> Tensor:
        """The derivative of ``weight * f + total * h``, elementwise."""
        return weight * self.f_slope(t) + total * self.h_slope(t)


def separable(loss: Loss, num_classes: int) -> Separable | None:
    """The functions of a loss, or ``None`` when it is not separable."""
    if isinstance(loss, Combination):
        return separable(loss.parts, num_classes)
    if isinstance(loss, Sum):
        parts = [(weight, separable(term, num_classes)) for weight, term in loss.terms]
        known = [(weight, part) for weight, part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return Separable(
            lambda t: torch.stack([weight * part.f(t) for weight, part in known]).sum(0),
            lambda t: torch.stack([weight * part.f_slope(t) for weight, part in known]).sum(0),
            lambda t: torch.stack([weight * part.h(t) for weight, part in known]).sum(0),
            lambda t: torch.stack([weight * part.h_slope(t) for weight, part in known]).sum(0),
        )
    if not isinstance(loss, LabelLoss) or loss.asks_for_the_largest:
        return None
    per = loss.per(num_classes) if isinstance(loss, PowerSumLoss) else 1.0
    power = loss.power() if isinstance(loss, PowerSumLoss) else None

    def f(t: Tensor) -> Tensor:
        return loss.value(_at(t)) / per

    def f_slope(t: Tensor) -> Tensor:
        return loss.slope(_at(t)) / t / per

    def h(t: Tensor) -> Tensor:
        return torch.zeros_like(t) if power is None else t**power / per

    def h_slope(t: Tensor) -> Tensor:
        return torch.zeros_like(t) if power is None else power * t ** (power - 1) / per

    # A weight that code detaches from the graph still makes the value what it is.
    if loss.hyperparameters.get("detached"):
        return separable(loss.with_parameters(detached=False), num_classes)
    return Separable(f, f_slope, h, h_slope)


def curvature(function: Separable, weight: float, total: float) -> str | None:
    """``"convex"`` or ``"concave"`` (``"linear"`` if both) of ``weight * f + total * h`` on [0, 1], else ``None``.

    The derivative is compared at 4,000 points that crowd at both ends.
    """
    t = _grid()
    slope = function.slope(t, weight, total)
    steps = slope.diff()
    rounding = 1e-12 * slope.abs()
    convex = bool((steps >= -torch.maximum(rounding[1:], rounding[:-1])).all())
    concave = bool((steps <= torch.maximum(rounding[1:], rounding[:-1])).all())
    if convex and concave:
        return "linear"
    return "convex" if convex else "concave" if concave else None


def curvatures(function: Separable, weights: Weights) -> set[str | None]:
    """The :func:`curvature` of what each class adds to the risk.

    It is linear in the weight, so that the lightest and the heaviest class speak for all between them.
    """
    return {curvature(function, weight, weights.total) for weight in (weights.least, weights.most)}


def _grid() -> Tensor:
    low = torch.logspace(-12, -1, 1000, dtype=torch.float64)
    return torch.cat([low, torch.linspace(0.1001, 0.8999, 2000, dtype=torch.float64), 1 - low.flip(0)])


def _at(t: Tensor) -> Probabilities:
    return Probabilities(log=t.log(), p=t)
