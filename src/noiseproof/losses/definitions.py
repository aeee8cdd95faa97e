r"""The terms that losses are made of: one closed form each, in log space.

``p`` is the softmax of the logits and ``y`` the label. Every definition gives its value and its slope, the
derivative of the value by :math:`\log p`; everything else about the loss follows from these two.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from noiseproof.losses import papers
from noiseproof.losses._base import Active, Limit, Passive, flag, parameter

if TYPE_CHECKING:
    from torch import Tensor

    from noiseproof.losses._rows import Probabilities, Rows


_UNDERFLOWN = -1e4
"""A log-probability whose probability is 0 in every floating-point type."""


class CE(Active, name="ce"):
    r"""Cross-entropy, :math:`-\log p_y`."""

    title = "Cross-entropy"
    gradient = r"-1"

    def value(self, label: Probabilities) -> Tensor:
        return -label.log

    def slope(self, label: Probabilities) -> float:  # noqa: ARG002
        return -1.0


class FL(Active, name="fl"):
    r"""Focal loss, :math:`-(1-p_y)^\gamma \log p_y`.

    All published code for noisy labels detaches the weight :math:`(1-p_y)^\gamma` from the graph, so that it scales
    cross-entropy's gradient; this is the default. ``detached=False`` differentiates it too.
    """

    title = "Focal loss"
    gradient = r"-(1-p_y)^\gamma"
    citation = papers.lin_2017("Eq. 4")
    limits = (Limit({"gamma": 0.0}, "ce"),)

    gamma: float = parameter(default=0.5, domain="[0, inf)")
    detached: bool = flag(default=True)

    def value(self, label: Probabilities) -> Tensor:
        weight = self._rest(label) ** self.gamma
        return -label.log * (weight.detach() if self.detached else weight)

    def slope(self, label: Probabilities) -> Tensor:
        rest = self._rest(label)
        if self.detached:
            return -(rest**self.gamma)
        # (1-p)^(gamma-1) log p is finite as p -> 1, where its factors are not, and p log p as p -> 0.
        log = label.log.clamp(min=_UNDERFLOWN)
        steepness = torch.where(rest > 0, log / rest.clamp(min=tiny(rest)), -1.0)
        return rest**self.gamma * (self.gamma * label.p * steepness - 1)

    def _rest(self, label: Probabilities) -> Tensor:
        rest = -torch.expm1(label.log)
        # Autograd cannot differentiate a root at 0; the plain formula may ask it to.
        return rest if self.detached else rest.clamp(min=tiny(rest))


class MAE(Active, name="mae"):
    r"""Mean absolute error between the softmax and the one-hot label, :math:`\lVert e_y - p\rVert_1 = 2(1-p_y)`.

    Published combinations take half of it, :math:`1 - p_y`: see :class:`NCEMAE`.
    """

    title = "Mean absolute error"
    gradient = r"-2p_y"
    citation = papers.ghosh_2017("Eq. 9")

    def value(self, label: Probabilities) -> Tensor:
        return -2 * torch.expm1(label.log)

    def slope(self, label: Probabilities) -> Tensor:
        return -2 * label.p


class GCE(Active, name="gce"):
    r"""Generalised cross-entropy, :math:`(1 - p_y^q)/q`: cross-entropy as q → 0, MAE/2 at q = 1."""

    title = "Generalised cross-entropy"
    gradient = r"-p_y^q"
    citation = papers.zhang_2018("Eq. 6")
    limits = (Limit({"q": 1.0}, "0.5*mae"), Limit({"q": 1e-9}, "ce", tolerance=1e-7))

    q: float = parameter(default=0.7, domain="(0, 1]")

    def value(self, label: Probabilities) -> Tensor:
        return torch.expm1(self.q * label.log) / -self.q

    def slope(self, label: Probabilities) -> Tensor:
        return -torch.exp(self.q * label.log)


class RCE(Active, name="rce"):
    r"""Reverse cross-entropy, :math:`-A(1-p_y)`, where A < 0 stands for log 0.

    Papers write A = −4, the default; all published code uses log(1e-4) = −9.2103.
    """

    title = "Reverse cross-entropy"
    gradient = r"A\,p_y"
    citation = papers.wang_2019("Sec. 4.1")
    limits = (Limit({"A": -2.0}, "mae"),)

    A: float = parameter(default=-4.0, domain="(-inf, 0)")

    def value(self, label: Probabilities) -> Tensor:
        return self.A * torch.expm1(label.log)

    def slope(self, label: Probabilities) -> Tensor:
        return self.A * label.p


class AGCE(Active, name="agce"):
    r"""Asymmetric generalised cross-entropy, :math:`((a+1)^q - (a+p_y)^q)/q`."""

    title = "Asymmetric GCE"
    gradient = r"-(a+p_y)^{q-1}p_y"
    citation = papers.zhou_2021("Sec. 4")
    limits = (Limit({"a": 0.0, "q": 0.5}, "gce(q=0.5)"), Limit({"a": 3.0, "q": 1.0}, "0.5*mae"))

    a: float = parameter(default=0.6, domain="[0, inf)")
    q: float = parameter(default=0.6, domain="(0, inf)")

    def value(self, label: Probabilities) -> Tensor:
        # log((a+p)/(a+1)), so that neither a large a nor a tiny p cancels in the difference of the powers.
        if self.a < 1:
            log_a = label.log.new_tensor(math.log(self.a) if self.a else -math.inf)
            ratio = torch.logaddexp(label.log, log_a) - math.log1p(self.a)
        else:
            ratio = torch.log1p(torch.expm1(label.log) / (self.a + 1))
        return torch.expm1(self.q * ratio) * (-((self.a + 1) ** self.q) / self.q)

    def slope(self, label: Probabilities) -> Tensor:
        if self.a == 0:
            return -torch.exp(self.q * label.log)
        return -((self.a + label.p) ** (self.q - 1)) * label.p


class AUL(Active, name="aul"):
    r"""Asymmetric unhinged loss, :math:`((a-p_y)^p - (a-1)^p)/p`."""

    title = "Asymmetric unhinged loss"
    gradient = r"-(a-p_y)^{p-1}p_y"
    citation = papers.zhou_2021("Sec. 4")
    limits = (Limit({"a": 3.0, "p": 1.0}, "0.5*mae"),)

    a: float = parameter(default=6.3, domain="(1, inf)")
    p: float = parameter(default=1.5, domain="(0, inf)")

    def value(self, label: Probabilities) -> Tensor:
        ratio = torch.log1p(-torch.expm1(label.log) / (self.a - 1))
        return torch.expm1(self.p * ratio) * ((self.a - 1) ** self.p / self.p)

    def slope(self, label: Probabilities) -> Tensor:
        return -((self.a - label.p) ** (self.p - 1)) * label.p


class AEL(Active, name="ael"):
    r"""Asymmetric exponential loss, :math:`e^{-p_y/a}`. Its smallest value is :math:`e^{-1/a}`, not 0."""

    title = "Asymmetric exponential loss"
    gradient = r"-\tfrac{1}{a}e^{-p_y/a}p_y"
    citation = papers.zhou_2021("Sec. 4")

    a: float = parameter(default=2.5, domain="(0, inf)")

    def value(self, label: Probabilities) -> Tensor:
        return torch.exp(-label.p / self.a)

    def slope(self, label: Probabilities) -> Tensor:
        return torch.exp(-label.p / self.a) * label.p / -self.a


class AMSE(Passive, name="amse"):
    r"""Asymmetric mean squared error, :math:`\tfrac1K\lVert a\,e_y - p\rVert_q^q`.

    With weights on the labels it is least at the heaviest class alone if and only if ``a`` exceeds a threshold
    (9 for 10 classes under 80 % symmetric noise at q = 2). Its smallest value is :math:`(a-1)^q/K`, not 0.
    """

    title = "Asymmetric mean squared error"
    gradient = r"-\tfrac{q}{K}\left((a-p_y)^{q-1}p_y + p_y^q\right)"
    citation = papers.wang_2025("Theorem 4.1")
    a: float = parameter(default=30.0, domain="[1, inf)")
    q: float = parameter(default=2.0, domain="(0, inf)")

    def value(self, label: Probabilities) -> Tensor:
        if self.q == 2:
            return self.a * (self.a - 2 * label.p)
        return (self.a - label.p) ** self.q - label.p**self.q

    def slope(self, label: Probabilities) -> Tensor:
        if self.q == 2:
            return -2 * self.a * label.p
        return -self.q * ((self.a - label.p) ** (self.q - 1) * label.p + label.p**self.q)

    def accumulate(self, rows: Rows, scale: float) -> None:
        if self.q != 2 or rows.at_label is None:
            super().accumulate(rows, scale)
            return
        # The usual case in fewer operations, which at ten classes are what a loss costs: a² - 2a p has the slope -2a p.
        scale /= rows.num_classes
        rows.add(rows.at_label.p, rows.at_label.p, -2 * self.a * scale)
        rows.add(self.a**2, 0.0, scale)
        rows.add_power(2.0, 1.0, scale)

    def power(self) -> float:
        return self.q

    def per(self, num_classes: int) -> float:
        return num_classes


def tiny(like: Tensor) -> float:
    """The smallest positive normal number of a type."""
    return torch.finfo(like.dtype).tiny
