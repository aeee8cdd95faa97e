r"""The terms that losses are made of: one closed form each, in log space.

``p`` is the softmax of the logits and ``y`` the label. Every definition gives its value and its slope, the
derivative of the value by :math:`\log p`; everything else about the loss follows from these two.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from noiseproof.errors import SpecError
from noiseproof.losses import papers
from noiseproof.losses.base import LabelLoss, Limit, PowerSumLoss, flag, parameter
from noiseproof.losses.kernel.form import Form
from noiseproof.losses.kernel.leading import Leading

if TYPE_CHECKING:
    from collections.abc import Callable

    from noiseproof.losses.base import Loss
    from noiseproof.losses.kernel.probabilities import Probabilities
    from noiseproof.losses.kernel.rows import Elementwise, Rows


_UNDERFLOWN = -1e4
"""A log-probability whose probability is 0 in every floating-point type."""

_STEEP = 8.0
"""From this exponent on, a power is taken in log space: else it multiplies the rounding of its base too often."""

_VANISHING = 1e-30
"""A parameter below this has the value of its limit 0 to the last digit, and may underflow in a product."""

_SMALL = 1e-4

_NEAR = 0.25
"""Logarithms up to this multiply their rounding by less than the base of a power does its own."""

_STEEPEST = 24.0
"""What the rounding of probabilities may be multiplied by; beyond, their sums keep more digits."""

_VAST = 1e20
"""A parameter above this has the value of its limit to the last digit, and its square no float32."""


class CE(LabelLoss, name="ce"):
    r"""Cross-entropy, :math:`-\log p_y`.

    Args:
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Example:
        >>> import torch
        >>> from noiseproof.losses.definitions import CE
        >>> loss = CE()
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        2.303
    """

    title = "Cross-entropy"
    is_decreasing = True
    gradient = r"-1"

    def value(self, label: Probabilities) -> Tensor:
        return -label.log

    def slope(self, label: Probabilities) -> float:  # noqa: ARG002
        return -1.0


class FL(LabelLoss, name="fl"):
    r"""Focal loss, :math:`-(1-p_y)^\gamma \log p_y`.

    All published code for noisy labels detaches the weight :math:`(1-p_y)^\gamma` from the graph, so that it scales
    cross-entropy's gradient; this is the default. ``detached=False`` differentiates it too.

    Args:
        gamma: the exponent of the weight: the larger, the less samples count whose label is already probable; in
            [0, 1e30], 0.5 by default.
        detached: whether the gradient takes the weight for a constant; True by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``ce`` at gamma = 0

    Example:
        >>> import torch
        >>> from noiseproof.losses.definitions import FL
        >>> loss = FL(gamma=0.5, detached=True)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        2.184

    References:
        Lin, Goyal, Girshick, He, Dollár: Focal Loss for Dense Object Detection. ICCV 2017, Eq. 4.
    """

    title = "Focal loss"
    is_decreasing = True
    gradient = r"-(1-p_y)^\gamma"
    citation = papers.lin_2017("Eq. 4")
    limits = (Limit({"gamma": 0.0}, "ce"),)

    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    detached: bool = flag(default=True)

    def value(self, label: Probabilities) -> Tensor:
        return self._value(label, self._weight(label))

    def slope(self, label: Probabilities) -> Tensor:
        return self._slope(label, self._weight(label))

    def relative_to(self, least: Callable[[], Tensor]) -> tuple[Elementwise, Elementwise]:
        """Large powers of 1 - p all underflow; those of their ratio to the largest 1 - p do not."""
        if self.gamma <= _STEEP:
            return self.value, self.slope
        lowest = least()

        def weight(label: Probabilities) -> Tensor:
            # From the logarithms, which are the same ones for a label as for all classes: that of the smallest loses 0.
            nearer = torch.where(label.log == lowest, 0.0, lowest - label.log)
            lost = label.p * torch.expm1(nearer) / torch.expm1(lowest)
            return torch.exp(torch.log1p(-lost.clamp(min=0.0, max=1.0)) * self.gamma)

        return lambda label: self._value(label, weight(label)), lambda label: self._slope(label, weight(label))

    def _value(self, label: Probabilities, weight: Tensor) -> Tensor:
        return label.log * -(weight.detach() if self.detached else weight)

    def _slope(self, label: Probabilities, weight: Tensor) -> Tensor:
        if self.detached:
            return -weight
        # (1-p)^(gamma-1) log p is finite as p -> 1, where its factors are not, and p log p as p -> 0.
        rest = self._rest(label)
        log = label.log.clamp(min=_UNDERFLOWN)
        steepness = torch.where(rest > 0, log / rest.clamp(min=tiny(rest)), -1.0)
        return weight * (label.p * self.gamma * steepness - 1)

    def _weight(self, label: Probabilities) -> Tensor:
        def compute() -> Tensor:
            if self.gamma <= _STEEP:
                weight: Tensor = self._rest(label) ** self.gamma
                return weight
            return torch.exp(torch.log1p(-label.p) * self.gamma)

        return label.once(("focal weight", self.gamma, self.detached), compute)

    def _rest(self, label: Probabilities) -> Tensor:
        rest = label.rest
        # Autograd cannot differentiate a root at 0; the plain formula may ask it to.
        return rest if self.detached else rest.clamp(min=tiny(rest))


class MAE(LabelLoss, name="mae"):
    r"""Mean absolute error between the softmax and the one-hot label, :math:`\lVert e_y - p\rVert_1 = 2(1-p_y)`.

    Published combinations take half of it, :math:`1 - p_y`: see :class:`NCEMAE`.

    Args:
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Example:
        >>> import torch
        >>> from noiseproof.losses.definitions import MAE
        >>> loss = MAE()
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        1.8

    References:
        Ghosh, Kumar, Sastry: Robust Loss Functions under Label Noise for Deep Neural Networks. AAAI 2017, Eq. 9.
    """

    title = "Mean absolute error"
    is_decreasing = True
    gradient = r"-2p_y"
    citation = papers.ghosh_2017("Eq. 9")

    def value(self, label: Probabilities) -> Tensor:
        return -2 * torch.expm1(label.log)

    def slope(self, label: Probabilities) -> Tensor:
        return -2 * label.p


class GeneralizedCrossEntropyLoss(LabelLoss, name="gce"):
    """Generalized cross-entropy, :math:`(1 - p_y^q)/q`: cross-entropy as q → 0, MAE/2 at q = 1.

    Args:
        q: the exponent: the larger, the less samples count whose label is improbable; in (0, 1], 0.7 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``0.5*mae`` at q = 1
        - nearly ``ce`` at q = 1e-09 (relative difference: 1e-07)

    Example:
        >>> import torch
        >>> from noiseproof.losses import GeneralizedCrossEntropyLoss
        >>> loss = GeneralizedCrossEntropyLoss(q=0.7)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        1.144

    References:
        Zhang, Sabuncu: Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels. NeurIPS
        2018, Eq. 6.
    """

    title = "Generalized cross-entropy"
    is_decreasing = True
    gradient = r"-p_y^q"
    citation = papers.zhang_2018("Eq. 6")
    limits = (Limit({"q": 1.0}, "0.5*mae"), Limit({"q": 1e-9}, "ce", tolerance=1e-7))

    q: float = parameter(default=0.7, domain="(0, 1]")

    def value(self, label: Probabilities) -> Tensor:
        if self.q < _VANISHING:
            return -label.log
        return torch.expm1(self.q * label.log) / -self.q

    def slope(self, label: Probabilities) -> Tensor:
        return -torch.exp(within(self.q, label.log) * label.log)


class RCE(LabelLoss, name="rce"):
    """Reverse cross-entropy, :math:`-A(1-p_y)`, where A < 0 stands for log 0.

    Papers write A = −4, the default; all published code uses log(1e-4) = −9.2103.

    Args:
        A: what stands for log 0; in [-1e30, 0), -4 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``mae`` at A = -2

    Example:
        >>> import torch
        >>> from noiseproof.losses.definitions import RCE
        >>> loss = RCE(A=-4)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        3.6

    References:
        Wang, Ma, Chen, Luo, Yi, Bailey: Symmetric Cross Entropy for Robust Learning with Noisy Labels. ICCV 2019,
        Sec. 4.1.
    """

    title = "Reverse cross-entropy"
    is_decreasing = True
    gradient = r"A\,p_y"
    citation = papers.wang_2019("Sec. 4.1")
    limits = (Limit({"A": -2.0}, "mae"),)

    A: float = parameter(default=-4.0, domain="[-1e30, 0)")

    def value(self, label: Probabilities) -> Tensor:
        return self.A * torch.expm1(label.log)

    def slope(self, label: Probabilities) -> Tensor:
        return self.A * label.p

    @property
    def steepness(self) -> float:
        return -self.A


class AGCE(LabelLoss, name="agce"):
    """Asymmetric generalized cross-entropy, :math:`((a+1)^q - (a+p_y)^q)/q`.

    Args:
        a: what is added to the label's probability: the larger, the nearer the loss is to a multiple of MAE; in
            [0, inf), 0.6 by default.
        q: the exponent; in (0, inf), 0.6 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``gce(q=0.5)`` at a = 0, q = 0.5
        - ``0.5*mae`` at a = 3, q = 1

    Example:
        >>> import torch
        >>> from noiseproof.losses.definitions import AGCE
        >>> loss = AGCE(a=0.6, q=0.6)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        0.864

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 4.
    """

    title = "Asymmetric GCE"
    is_decreasing = True
    gradient = r"-(a+p_y)^{q-1}p_y"
    citation = papers.zhou_2021("Sec. 4")
    limits = (Limit({"a": 0.0, "q": 0.5}, "gce(q=0.5)"), Limit({"a": 3.0, "q": 1.0}, "0.5*mae"))

    a: float = parameter(default=0.6, domain="[0, inf)")
    q: float = parameter(default=0.6, domain="(0, inf)")

    def value(self, label: Probabilities) -> Tensor:
        if self.a > _VAST:
            return -torch.expm1(label.log) * power(self.a, self.q - 1)
        return difference(self.a + 1, self._log_ratio(label), self.q)

    def slope(self, label: Probabilities) -> Tensor:
        if self.a == 0:
            return -torch.exp(within(self.q, label.log) * label.log)
        if self.a > _VAST:
            return label.p * -power(self.a, self.q - 1)
        if self.q > _STEEP:
            return -steep_power(self.a + label.p, self._log_ratio(label), self.a + 1, self.q - 1) * label.p
        if self.q >= 1 or self.a > _SMALL:
            return -((self.a + label.p) ** (self.q - 1)) * label.p
        return -torch.exp(self._log_base(label) * (self.q - 1) + label.log)

    def check(self) -> None:
        check_power(self, self.a + 1, self.q)

    @property
    def steepness(self) -> float:
        return max(1.0, power(self.a + 1, self.q - 1))

    def _log_ratio(self, label: Probabilities) -> Tensor:
        """``log((a + p)/(a + 1))``, in which neither a large a nor a tiny p cancels."""
        if self.a < 1 and self.q <= _STEEP:
            return self._log_base(label) - math.log1p(self.a)
        near = torch.log1p(torch.expm1(label.log) / (self.a + 1))
        if self.a >= 1:
            return near
        return torch.where(label.p > 0.5, near, self._log_base(label) - math.log1p(self.a))

    def _log_base(self, label: Probabilities) -> Tensor:
        """``log(a + p)``."""
        if self.a >= 1:
            return torch.log1p(label.p / self.a) + math.log(self.a)
        if not self.a:
            return label.log  # whose derivative is there where it is infinite
        return torch.logaddexp(label.log, label.log.new_full((), math.log(self.a)))


class AUL(LabelLoss, name="aul"):
    """Asymmetric unhinged loss, :math:`((a-p_y)^p - (a-1)^p)/p`.

    Args:
        a: what the label's probability is subtracted from: the larger, the nearer the loss is to a multiple of MAE; in
            (1, inf), 6.3 by default.
        p: the exponent; in (0, inf), 1.5 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``0.5*mae`` at a = 3, p = 1

    Example:
        >>> import torch
        >>> from noiseproof.losses.definitions import AUL
        >>> loss = AUL(a=6.3, p=1.5)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        2.158

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 4.
    """

    title = "Asymmetric unhinged loss"
    is_decreasing = True
    gradient = r"-(a-p_y)^{p-1}p_y"
    citation = papers.zhou_2021("Sec. 4")
    limits = (Limit({"a": 3.0, "p": 1.0}, "0.5*mae"),)

    a: float = parameter(default=6.3, domain="(1, inf)")
    p: float = parameter(default=1.5, domain="(0, inf)")

    def value(self, label: Probabilities) -> Tensor:
        lost = torch.expm1(label.log)
        if self.a > _VAST:
            return lost * -power(self.a, self.p - 1)
        ratio = torch.log1p(lost / (1 - self.a))
        if _VANISHING < self.p <= 1 / math.log1p(1 / (self.a - 1)):
            return torch.expm1(ratio * self.p) * (power(self.a - 1, self.p) / self.p)
        if self.p <= _STEEP:
            return difference(1.0, -ratio, self.p) * ((self.a - 1) - lost) ** self.p
        return difference(self.a, -ratio, self.p, torch.exp(self._log_ratio(label) * self.p))

    def slope(self, label: Probabilities) -> Tensor:
        if self.a > _VAST:
            return label.p * -power(self.a, self.p - 1)
        if 1 <= self.p <= _STEEP:
            return -((self.a - label.p) ** (self.p - 1)) * label.p
        if self.p > _STEEP:
            lower = (self.a - 1) - torch.expm1(label.log)
            return -steep_power(lower, self._log_ratio(label), self.a, self.p - 1) * label.p
        return -(((self.a - 1) - torch.expm1(label.log)) ** (self.p - 1)) * label.p

    def _log_ratio(self, label: Probabilities) -> Tensor:
        """``log((a - p)/a)``, in which nothing cancels."""
        close = torch.log(((self.a - 1) - torch.expm1(label.log)) / self.a)
        return torch.where(label.p < self.a / 2, torch.log1p(label.p.clamp(max=self.a / 2) / -self.a), close)

    def check(self) -> None:
        check_power(self, self.a, self.p)

    @property
    def steepness(self) -> float:
        return max(power(self.a - 1, self.p - 1), power(self.a, self.p - 1))


_TINY_SCALE = 1e-3


class AEL(LabelLoss, name="ael"):
    """Asymmetric exponential loss, :math:`e^{-p_y/a}`. Its smallest value is :math:`e^{-1/a}`, not 0.

    Args:
        a: what the label's probability is divided by; in (0, inf), 2.5 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Example:
        >>> import torch
        >>> from noiseproof.losses.definitions import AEL
        >>> loss = AEL(a=2.5)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        0.961

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 4.
    """

    title = "Asymmetric exponential loss"
    is_decreasing = True
    gradient = r"-\tfrac{1}{a}e^{-p_y/a}p_y"
    citation = papers.zhou_2021("Sec. 4")

    a: float = parameter(default=2.5, domain="(0, inf)")

    def value(self, label: Probabilities) -> Tensor:
        return torch.exp(-self._exponent(label))

    def slope(self, label: Probabilities) -> Tensor:
        exponent = self._exponent(label)
        if self.a < _TINY_SCALE:
            return -torch.exp(label.log - math.log(self.a) - exponent)
        return torch.exp(-exponent) * label.p / -self.a

    def _exponent(self, label: Probabilities) -> Tensor:
        return torch.exp(label.log - math.log(self.a)) if self.a < _TINY_SCALE else label.p / self.a


class AMSE(PowerSumLoss, name="amse"):
    r"""Asymmetric mean squared error, :math:`\tfrac1K\lVert a\,e_y - p\rVert_q^q`.

    With weights on the labels it is least at the heaviest class alone if and only if ``a`` exceeds a threshold
    (9 for 10 classes under 80 % symmetric noise at q = 2). Its smallest value is :math:`(a-1)^q/K`, not 0.

    Args:
        a: the target of the label's probability, in place of 1: the larger, the more noise is tolerated; in [1, inf),
            30 by default.
        q: the exponent of the distances; in (0, inf), 2 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Example:
        >>> import torch
        >>> from noiseproof.losses.definitions import AMSE
        >>> loss = AMSE(a=30, q=2)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        89.41

    References:
        Wang, Liu, Zhou, Hu, Zhai, Jiang, Ji: Joint Asymmetric Loss for Learning with Noisy Labels. ICCV 2025,
        Theorem 4.1.
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

    def form(self, rows: Rows) -> Form:
        if self.q != 2 or rows.sharp:
            return self._form_of_powers(rows) / rows.num_classes
        if rows.at_label is None:
            return super().form(rows)
        # The usual case in fewer operations, which at ten classes are what a loss costs: a² - 2a p has the slope -2a p.
        p = rows.at_label.p
        label = Form(((p, -2 * self.a), (self.a * self.a, 1.0)), ((p, -2 * self.a),) if rows.with_slope else ())
        return (label + rows.power_sum(2.0)) / rows.num_classes

    def sharpness(self, num_classes: int) -> float:
        return self.steepness / num_classes / _STEEPEST

    def _form_of_powers(self, rows: Rows) -> Form:
        """With every power in log space: small ones of tiny probabilities count, and those of 1 - p have no end.

        The power of a is taken out: the exponential of a large logarithm multiplies its rounding.
        """
        lead = Leading(rows)
        own, others = lead.coefficients, rows.mass - lead.coefficients
        q = within(self.q, lead.log)
        powers = torch.exp(lead.log * q)
        if self.a == 1:
            log_distance = lead.log_rest
        elif self.a > _VAST:
            log_distance = torch.zeros_like(lead.log)
        else:
            log_distance = torch.log(((self.a - 1) + torch.exp(lead.log_rest)) / self.a)
        value = lead.total(own, torch.exp(log_distance * q)) * power(self.a, q) + lead.total(others, powers)
        gradient = None
        if rows.with_slope:
            log_slope = log_distance * (q - 1) + lead.log
            bounded = lead.gradient(others * powers, torch.zeros_like(own), log_slope)
            steep = lead.gradient(torch.zeros_like(own), -own, log_slope) * power(self.a, q - 1)
            gradient = (bounded + steep) * q
        return rows.direct(value, gradient)

    def check(self) -> None:
        check_power(self, self.a, self.q)

    @property
    def steepness(self) -> float:
        return self.q * power(self.a, self.q - 1)

    def power(self) -> float:
        return self.q

    def per(self, num_classes: int) -> float:
        return num_classes


def steep_power(base: Tensor, log_ratio: Tensor, largest: float, exponent: float) -> Tensor:
    """``base`` to a large power, which multiplies its rounding, from ``log(base/largest)`` where that is near 0."""
    near = torch.exp(log_ratio.clamp(min=-_NEAR) * exponent) * power(largest, exponent)
    return torch.where(log_ratio < -_NEAR, base**exponent, near)


def difference(upper: float, ratio: Tensor, q: float, factor: Tensor | None = None) -> Tensor:
    """``factor (upper^q - lower^q)/q`` from ``upper`` and ``ratio = log(lower/upper)``."""
    if q < _VANISHING:
        return -ratio
    q = within(q, ratio)
    share = torch.expm1(ratio * q)
    if factor is not None:
        share = share * factor
    return share * (power(upper, q) / -q)


def check_power(loss: Loss, base: float, exponent: float) -> None:
    """Note whether the largest value of a loss, about a power, is more than a float32 holds with room for a factor.

    Raises:
        SpecError: it is beyond a float64 too.
    """
    logarithm = exponent * math.log(base)
    if logarithm > _LARGEST:
        raise SpecError(f"{loss.spec}: the largest value, about {base:g}^{exponent:g}, is beyond what a float64 holds")
    object.__setattr__(loss, "needs_float64", logarithm > _LARGEST_IN_FLOAT32)


_LARGEST = 690.0
_LARGEST_IN_FLOAT32 = math.log(torch.finfo(torch.float32).max) - 8


def power(base: float, exponent: float) -> float:
    """A power, infinite where it overflows."""
    try:
        return float(base**exponent)
    except OverflowError:
        return math.inf


def within(exponent: float, like: Tensor) -> float:
    """The exponent itself, or the nearest one that a type holds: times a logarithm of 0 or infinity it would be NaN."""
    return min(max(exponent, tiny(like)), torch.finfo(like.dtype).max)


def tiny(like: Tensor) -> float:
    """The smallest positive normal number of a type."""
    return torch.finfo(like.dtype).tiny


GCE = GeneralizedCrossEntropyLoss
