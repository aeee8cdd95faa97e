r"""The losses that published tables compare with, and that are no sums of normalized or negative terms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional

from noiseproof.losses import papers
from noiseproof.losses.base import Combination, LabelLoss, Limit, Loss, flag, parameter
from noiseproof.losses.definitions import CE, MAE, tiny
from noiseproof.losses.kernel.form import Form
from noiseproof.losses.kernel.leading import Leading

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from noiseproof.losses.kernel.probabilities import Probabilities
    from noiseproof.losses.kernel.reductions import Reductions
    from noiseproof.losses.kernel.rows import Rows


class EpsilonCE(LabelLoss, name="ce-eps"):
    r"""Cross-entropy of the ε-softmax, :math:`-\log p'_y` with :math:`p' = (p + m\,e_j)/(1+m)`.

    :math:`j` is the class with the largest probability; :math:`p'` is floored at ``floor``, below which there is no
    gradient.

    Args:
        m: what is added to the largest probability before all are divided by 1 + m; in [0, inf), 100000 by default.
        floor: the floor of :math:`p'`; in [0, 1), 1e-08 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``ce`` at m = 0, floor = 0

    Example:
        >>> import torch
        >>> from noiseproof.losses.comparisons import EpsilonCE
        >>> loss = EpsilonCE(m=100000, floor=1e-08)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        12.089

    References:
        Wang, Zhou, Zhai, Jiang, Ji, Liu: ε-Softmax: Approximating One-Hot Vectors for Mitigating Label Noise. NeurIPS
        2024, Sec. 3.
    """

    title = "Cross-entropy of the ε-softmax"
    gradient = r"-\frac{p_y}{p_y+m}\ \text{if } y=j,\ \text{else } -1"
    citation = papers.wang_2024("Sec. 3")
    limits = (Limit({"m": 0.0, "floor": 0.0}, "ce"),)

    m: float = parameter(default=1e5, domain="[0, inf)")
    floor: float = parameter(default=1e-8, domain="[0, 1)")

    def value(self, label: Probabilities) -> Tensor:
        return -self._log(label)

    def slope(self, label: Probabilities) -> Tensor:
        return -self._log_slope(label)

    def _raw_log(self, label: Probabilities) -> Tensor:
        def compute() -> Tensor:
            # Where p' is near 1, as it is for every largest class with a large m, only its distance from 1 has digits
            # left.
            raised = torch.log1p(torch.expm1(label.log) / (1 + self.m))
            if self.m < 1:
                raised = torch.where(label.p > 0.5, raised, torch.log(label.p + self.m) - math.log1p(self.m))
            return torch.where(label.top, raised, label.log - math.log1p(self.m))

        return label.once(("logarithm of p'", self.m), compute)

    def _log(self, label: Probabilities) -> Tensor:
        raw = self._raw_log(label)
        return raw if self.floor == 0 else raw.clamp(min=math.log(self.floor))

    def _log_slope(self, label: Probabilities) -> Tensor:
        slope = torch.where(label.top, label.p / (label.p + self.m), 1.0)
        return slope if self.floor == 0 else torch.where(self._raw_log(label) < math.log(self.floor), 0.0, slope)


class EpsilonFL(EpsilonCE, name="fl-eps"):
    r"""Focal loss of the ε-softmax, :math:`-(1-p'_y)^\gamma \log p'_y`, with a detached weight as published.

    Args:
        m: what is added to the largest probability before all are divided by 1 + m; in [0, inf), 100000 by default.
        floor: the floor of :math:`p'`; in [0, 1), 1e-08 by default.
        gamma: the exponent of the weight: the larger, the less samples count whose label is already probable; in
            [0, 1e30], 0.1 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``ce-eps(m=100)`` at gamma = 0, m = 100

    Example:
        >>> import torch
        >>> from noiseproof.losses.comparisons import EpsilonFL
        >>> loss = EpsilonFL(m=100000, floor=1e-08, gamma=0.1)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        12.089

    References:
        Wang, Zhou, Zhai, Jiang, Ji, Liu: ε-Softmax: Approximating One-Hot Vectors for Mitigating Label Noise. NeurIPS
        2024, Sec. 3.
    """

    title = "Focal loss of the ε-softmax"
    gradient = r"-(1-p'_y)^\gamma\,\frac{p_y}{p_y+m}\ \text{if } y=j,\ \text{else } -(1-p'_y)^\gamma"
    limits = (Limit({"gamma": 0.0, "m": 100.0}, "ce-eps(m=100)"),)

    gamma: float = parameter(default=0.1, domain="[0, 1e30]")

    def value(self, label: Probabilities) -> Tensor:
        return -self._log(label) * self._weight(label).detach()

    def slope(self, label: Probabilities) -> Tensor:
        return -self._log_slope(label) * self._weight(label)

    def _weight(self, label: Probabilities) -> Tensor:
        """``(1 - p')^gamma``, from a logarithm that keeps its digits where p' is near 1."""

        def compute() -> Tensor:
            if self.gamma == 0:
                return torch.ones_like(label.p)
            rest, raise_by = -torch.expm1(label.log), math.log1p(self.m)
            log_rest = torch.where(label.top, torch.log(rest) - raise_by, torch.log1p(-label.p / (1 + self.m)))
            if self.floor:
                log_rest = log_rest.clamp(max=math.log1p(-self.floor))
            return torch.exp(log_rest * max(self.gamma, tiny(log_rest)))

        return label.once(("focal weight of p'", self.m, self.floor, self.gamma), compute)


class NLNL(Loss, name="nlnl"):
    r"""Negative learning: :math:`-\log(1 - p_{\bar y})` for a complementary label :math:`\bar y \ne y`.

    The label is drawn uniformly in every call, from torch's generator as dropout is; ``sampled=False`` takes the mean
    over all complementary labels instead. :math:`1 - p`, where p is the softmax of the logits, is floored at ``floor``,
    below which there is no gradient. With probability targets the mean is taken.

    Args:
        floor: the floor of :math:`1 - p`; in [0, 1), 1e-05 by default.
        sampled: whether each call draws one complementary label; else the mean over all of them is taken; True by
            default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Example:
        >>> import torch
        >>> from noiseproof.losses.comparisons import NLNL
        >>> loss = NLNL(floor=1e-05, sampled=True)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        0.105

    References:
        Kim, Yim, Yun, Kim: NLNL: Negative Learning for Noisy Labels. ICCV 2019, Eq. 2.
    """

    title = "Negative learning"
    gradient = r"\frac{p_{\bar y}}{1-p_{\bar y}}\,(\delta_{j\bar y} - p_j)"
    citation = papers.kim_2019("Eq. 2")

    floor: float = parameter(default=1e-5, domain="[0, 1)")
    sampled: bool = flag(default=True)

    @property
    def draws(self) -> bool:
        return self.sampled

    def form(self, rows: Rows) -> Form:
        if not self.sampled or rows.label is None:
            others = torch.zeros_like(rows.logits)
            if rows.label is not None:
                others = rows.classes.with_at(torch.ones_like(rows.logits), rows.label, 0.0)
            elif rows.coefficients is not None:
                others = rows.mass - rows.coefficients
            return self._exactly(rows, others) / (rows.num_classes - 1)
        classes = rows.classes
        step = classes.agreed(torch.randint_like(rows.label, 1, rows.num_classes))
        drawn = (rows.label + step) % rows.num_classes
        if self.floor < _NORMAL:
            return self._exactly(rows, classes.with_at(torch.zeros_like(rows.logits), drawn, 1.0))
        # What is left of 1 is the sum of the other probabilities: a difference from 1 would have no digits near 1.
        p = rows.every.p
        own = classes.at(p, drawn)
        others = classes.with_at(p, drawn, 0.0)
        rest = classes.sum(others)
        gradient = None
        if rows.with_slope:
            counts = rest >= self.floor
            gradient = others.mul_(torch.where(counts, -own / rest.clamp(min=self.floor), 0.0))
            classes.put_at(gradient, drawn, torch.where(counts, own, 0.0))
        return rows.direct(-torch.log(rest.clamp(min=self.floor)), gradient)

    def _exactly(self, rows: Rows, coefficients: Tensor) -> Form:
        lead = Leading(rows)
        log_rest = lead.log_rest
        if self.floor:
            bottom = math.log(self.floor)
            below = log_rest < bottom
            log_rest = log_rest.clamp(min=bottom)
        value = lead.total(coefficients, -log_rest)
        gradient = None
        if rows.with_slope:
            if self.floor:
                coefficients = torch.where(below, 0.0, coefficients)
            gradient = lead.gradient(torch.zeros_like(log_rest), coefficients, lead.log - log_rest)
        return rows.direct(value, gradient)


_NORMAL = 1e-30
"""Floors from here on are normal numbers of a float32."""


class LDRKL(Loss, name="ldr-kl"):
    r"""Label-distributionally robust loss, :math:`\Lambda\log\tfrac1K\sum_k e^{(c[k\ne y] + s_k - s_y)/\Lambda}`.

    The scores are the softplus of the logits, divided by their mean: as the code of the JAL paper has it, where
    c = 0.1, and Λ = 10 on CIFAR-10 and 1 elsewhere. The loss depends on the size of the logits, not only on their
    differences.

    Args:
        c: the margin that the label's score should have over the others; in [0, 1e30], 0.1 by default.
        Lambda: the temperature: near 0 the hardest class alone counts, at large values all classes alike; in (0, inf),
            10 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Example:
        >>> import torch
        >>> from noiseproof.losses.comparisons import LDRKL
        >>> loss = LDRKL(c=0.1, Lambda=10)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        0.09

    References:
        Zhu, Ying, Yang: Label Distributionally Robust Losses for Multi-class Classification. ICML 2023, Sec. 3.
    """

    title = "LDR-KL"
    gradient = (
        r"\tfrac{\partial s_j}{\partial z_j}\,\tfrac1{\bar s}\left(G_j - \tfrac1K\sum_k G_k s_k\right),"
        r"\quad G_k = w_k - \delta_{ky},\quad w = \mathrm{softmax}\left((s + c[k\ne y])/\Lambda\right)"
    )
    citation = papers.zhu_2023("Sec. 3")

    c: float = parameter(default=0.1, domain="[0, 1e30]")
    Lambda: float = parameter(default=10.0, domain="(0, inf)")

    def form(self, rows: Rows) -> Form:
        # The normalized scores are K times the softmax of log softplus(z), which underflows nowhere.
        inner = rows.on(_log_softplus(rows.logits))
        scores = inner.every.p * rows.num_classes
        value, slopes = self._of_labels(scores, rows) if rows.label is None else self._of_label(scores, rows)
        arrays = ((slopes() * scores, 1.0, 1.0),) if rows.with_slope else ()
        form = Form(((value, 1.0),), arrays=arrays)
        return rows.through(inner, form, lambda gradient: gradient * _log_softplus_slope(rows.logits))

    def _of_label(self, scores: Tensor, rows: Rows) -> tuple[Tensor, Callable[[], Tensor]]:
        """The value ``(rows, 1)``, and the slopes by the scores: how the others' weight is shared, against the label's.

        The others are summed without the label, which may outweigh them by more than there are digits.
        """
        classes, label = rows.classes, rows.label
        assert label is not None  # noqa: S101 - it is for rows with labels
        temperature = self._temperature(scores)
        own = classes.at(scores, label)
        others = classes.with_at(scores, label, -math.inf)
        highest = classes.max(others)
        powers = torch.exp((others - highest) / temperature)
        total = classes.sum(powers)
        lead = (highest - own + self.c) + torch.log(total / classes.size) * temperature
        value = self._value(lead, own, scores, classes)

        def slopes() -> Tensor:
            share = torch.sigmoid(lead / temperature + math.log(classes.size))
            return classes.with_at(powers * (share / total), label, -share)

        return value, slopes

    def _of_labels(self, scores: Tensor, rows: Rows) -> tuple[Tensor, Callable[[], Tensor]]:
        """The same for all labels at once, each as often as it counts."""
        classes, coefficients = rows.classes, rows.coefficients
        assert coefficients is not None  # noqa: S101 - rows without labels have them
        temperature = self._temperature(scores)
        highest, top = classes.top(scores)
        beside = classes.with_at(scores, top, -math.inf)
        second = classes.max(beside)
        powers = torch.exp((scores - highest) / temperature)
        powers_beside = torch.exp((beside - second) / temperature)
        total_beside = classes.sum(powers_beside)
        # Of the others of each label, but of the top, which outweighs them: there the second takes its place.
        totals = classes.with_at(classes.sum(powers) - powers, top, total_beside)
        ahead = torch.where(beside.isinf(), second, highest) - scores + self.c
        lead = ahead + torch.log(totals / classes.size) * temperature
        values = self._value(lead, scores, scores, classes)
        value = classes.sum(torch.where(coefficients == 0, 0.0, coefficients * values))

        def slopes() -> Tensor:
            share = coefficients * torch.sigmoid(lead / temperature + math.log(classes.size))
            pulls = classes.with_at(share / totals, top, 0.0)
            spread = powers * (classes.sum(pulls) - pulls)
            return spread + powers_beside * (classes.at(share, top) / total_beside) - share

        return value, slopes

    def _temperature(self, like: Tensor) -> float:
        """Λ, or from where on its limit is reached to the last digit of a type."""
        return min(max(self.Lambda, 1e-30), torch.finfo(like.dtype).max / 8)

    def _value(self, lead: Tensor, own: Tensor, scores: Tensor, classes: Reductions) -> Tensor:
        """``Λ log(1/K + exp(lead/Λ))`` for labels with the scores ``own``."""
        temperature, size = self._temperature(scores), classes.size
        # The label alone, without the others.
        least = -math.log(size) * temperature
        value = lead.clamp(min=least) + torch.log1p(torch.exp((lead - least).abs() / -temperature)) * temperature
        if temperature <= _WARM:
            return value
        # The logarithm of a mean near 1, from its distance from 1. The mean of the scores is 1.
        margin = math.expm1(self.c / temperature) / size if self.c < temperature else 0.0
        spread = classes.mean(torch.expm1((scores - 1) / temperature))
        distance = torch.expm1((1 - own + self.c) / temperature) * (1 + spread) + spread - margin
        near = classes.max(scores) < (temperature if self.c < temperature else 0.0)
        return torch.where(near, torch.log1p(torch.where(near, distance, 0.0)) * temperature, value)


_WARM = 16.0
"""Up to this Λ, it does not multiply the rounding of a logarithm too often."""


_FAR = 40.0
"""Beyond this distance from 0 the softplus is the logit, or its exponential, to the last digit of a float64."""


def _log_softplus(logits: Tensor) -> Tensor:
    soft = functional.softplus(logits.clamp(min=-_FAR), threshold=_FAR)
    return torch.where(logits < -_FAR, logits, torch.log(soft))


def _log_softplus_slope(logits: Tensor) -> Tensor:
    soft = functional.softplus(logits.clamp(min=-_FAR), threshold=_FAR)
    return torch.where(logits < -_FAR, 1.0, torch.sigmoid(logits) / soft)


class CELC(Loss, name="ce+lc"):
    r"""Cross-entropy of clipped logits :math:`z'`: :math:`-\log\mathrm{softmax}(z')_y`.

    As published code has it, logits with a norm above :math:`1/\delta` are scaled to the norm :math:`\delta`;
    ``as_coded=False`` is the paper's form, where logits with a norm above :math:`\delta` are scaled to it. Masked
    logits (−inf) have no part in the norm.

    Args:
        delta: the norm that clipped logits have; in (0, 1e30], 2.5 by default.
        as_coded: whether to clip from the norm :math:`1/\delta` on, as published code does, or from :math:`\delta` on,
            as the paper does; True by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``ce`` at delta = 1000000, as_coded = False

    Example:
        >>> import torch
        >>> from noiseproof.losses.comparisons import CELC
        >>> loss = CELC(delta=2.5, as_coded=True)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        2.303

    References:
        Wei, Zhuang, Xie, Feng, Niu, An, Li: Mitigating Memorization of Noisy Labels by Clipping the Model. ICML 2023,
        Eq. 5.
    """

    title = "Cross-entropy with logit clipping"
    gradient = (
        r"f\,\left(g_j - u_j\sum_k u_k g_k\right),\quad g = p - e_y,\quad u = z/\lVert z\rVert,"
        r"\quad f = \delta/\lVert z\rVert"
    )
    citation = papers.wei_2023("Eq. 5")
    limits = (Limit({"delta": 1e6, "as_coded": False}, "ce"),)

    delta: float = parameter(default=2.5, domain="(0, 1e30]")
    as_coded: bool = flag(default=True)

    def form(self, rows: Rows) -> Form:
        logits, classes = rows.logits, rows.classes
        # To choose by truth values takes many times as long as what is chosen, and most logits are numbers.
        present = None if rows.are_finite(logits) else logits != -math.inf
        finite = logits if present is None else torch.where(present, logits, 0.0)
        norm = classes.norm(finite)
        clipped = norm > (1 / self.delta if self.as_coded else self.delta)
        safe = torch.where(clipped, norm, 1.0)
        factor = torch.where(clipped, self.delta / safe, 1.0)
        # From the largest logit on: the differences that count would lose digits in large products.
        largest = classes.max(logits).detach()
        shifted = (finite - largest) * factor
        if not rows.with_slope:
            # Nothing, whose derivative is that of the shift: it matters where the label's logit is -inf.
            shifted = shifted + largest * (factor - factor.detach())
        if present is not None:
            shifted = torch.where(present, shifted, logits)
        inner = rows.on(shifted, sharp=rows.sharp)

        def pull_back(gradient: Tensor) -> Tensor:
            along = finite / safe
            radial = classes.sum(along * gradient) * clipped
            return torch.addcmul(gradient * factor, along, radial * factor, value=-1)

        return rows.through(inner, CE().form(inner), pull_back)

    def sharpness(self, num_classes: int) -> float:
        return CE().sharpness(num_classes)


class BiTempered(Loss, name="bi-tempered"):
    r"""Bi-tempered logistic loss: a Bregman divergence of temperature t1 after a softmax of temperature t2.

    :math:`\sum_k e_k(\log_{t_1} e_k - \log_{t_1} p_k) - (e_k^{2-t_1} - p_k^{2-t_1})/(2-t_1)` with
    :math:`p = \exp_{t_2}(z - \lambda(z))` and :math:`\lambda` such that p sums to 1. With t1 < 1 the loss is bounded,
    with t2 > 1 the softmax has heavy tails; at t1 = t2 = 1 it is cross-entropy.

    Args:
        t1: the temperature of the logarithm: below 1 the loss is bounded; in [0, 1], 0.8 by default.
        t2: the temperature of the softmax: above 1 its tails are heavy; in [1, 4], 1.2 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``ce`` at t1 = 1, t2 = 1

    Example:
        >>> import torch
        >>> from noiseproof.losses.comparisons import BiTempered
        >>> loss = BiTempered(t1=0.8, t2=1.2)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        1.538

    References:
        Amid, Warmuth, Anil, Koren: Robust Bi-Tempered Logistic Loss Based on Bregman Divergences. NeurIPS 2019, Eq. 8.
    """

    title = "Bi-tempered logistic loss"
    gradient = (
        r"p_j^{1-t_1+t_2} - \delta_{jy}p_y^{t_2-t_1}"
        r" - \frac{p_j^{t_2}}{\sum_k p_k^{t_2}}\left(\sum_k p_k^{1-t_1+t_2} - p_y^{t_2-t_1}\right)"
    )
    citation = papers.amid_2019("Eq. 8")
    limits = (Limit({"t1": 1.0, "t2": 1.0}, "ce"),)

    t1: float = parameter(default=0.8, domain="[0, 1]")
    t2: float = parameter(default=1.2, domain="[1, 4]")

    def form(self, rows: Rows) -> Form:
        classes = rows.classes
        found = _tempered_softmax(rows, self.t2)
        log_p = found.log
        power = 2 - self.t1
        if rows.label is not None:
            picked = self._log_t1(classes.at(log_p, rows.label))
        else:
            coefficients = rows.coefficients
            assert coefficients is not None  # noqa: S101 - one of the two is given
            logs = self._log_t1(log_p)
            picked = classes.sum(torch.where(coefficients == 0, 0.0, coefficients * logs))
        # In two comparisons: of one, a compiler would conclude that one of the two is a formula of the other.
        is_there = rows.with_slope and power <= self.t2 <= power
        powers = found.escort if is_there else torch.exp(power * log_p)
        value = (classes.sum(powers) - 1) * rows.mass / power - picked
        if not rows.with_slope:
            return rows.direct(value, None)
        between = self.t2 - self.t1
        steep = torch.exp(between * log_p) if between else torch.ones_like(log_p)
        pulls = found.p * steep
        if rows.label is not None:
            classes.add_at(pulls, rows.label, -classes.at(steep, rows.label))
        elif rows.coefficients is not None:
            pulls = pulls * rows.mass - rows.coefficients * steep
        share = classes.sum(pulls) / classes.sum(found.escort)
        return rows.direct(value, pulls - found.escort * share)

    def _log_t1(self, log_p: Tensor) -> Tensor:
        rest = 1 - self.t1
        return torch.expm1(rest * log_p) / rest if rest else log_p


class _Tempered(NamedTuple):
    """Probabilities of a softmax of some temperature, ``(rows, classes)``."""

    log: Tensor
    p: Tensor
    escort: Tensor
    """Their power t, by which the normalizer changes with the logits."""


def _tempered_softmax(rows: Rows, t: float) -> _Tempered:
    """``exp_t(z - λ)`` with λ such that the probabilities sum to 1."""
    logits, classes = rows.logits, rows.classes
    if t == 1:
        log = rows.every.log
        return _Tempered(log, rows.every.p, rows.every.p)
    rest = t - 1
    # From the largest logit on: the normalizer is a small number then, whose digits are those that count.
    logits = logits - classes.max(logits)

    def log_p(normalizer: Tensor) -> Tensor:
        return torch.log1p(rest * (normalizer - logits)) / -rest

    def newton(normalizer: Tensor) -> Tensor:
        # On the sum to the power 1 - t, which is nearly straight: a few steps converge from anywhere left of the root.
        logs = log_p(normalizer)
        return normalizer + _step(classes.sum(torch.exp(logs)), classes.sum(torch.exp(t * logs)), rest)

    with torch.no_grad():
        normalizer = _normalizer(rows, logits, rest, newton)
    if not rows.with_slope:
        # Two more steps, seen by autograd, give the first and the second derivative of the root.
        log = log_p(newton(newton(normalizer)))
        return _Tempered(log, torch.exp(log), torch.exp(t * log))
    # One more step, which is small: its square is nothing, so that nothing is a power or a logarithm of it anew.
    base = rest * (normalizer - logits)
    log = torch.log1p(base) / -rest
    base = base + 1
    p = torch.exp(log)
    escort = p / base
    step = _step(classes.sum(p), classes.sum(escort), rest)
    p = p - escort * step
    log = log - step / base
    return _Tempered(log, p, p / (base + step * rest))


def _normalizer(rows: Rows, logits: Tensor, rest: float, newton: Callable[[Tensor], Tensor]) -> Tensor:
    """λ to half of its digits, or more."""
    classes = rows.classes
    normalizer = torch.zeros_like(logits[:, :1])
    if rest < _NARROW or not rows.with_slope:
        for _ in range(_NEWTON_STEPS):
            normalizer = newton(normalizer)
        return normalizer
    bases = logits * -rest + 1
    steps = next(count for bound, count in _STEPS_UP_TO if rest <= bound)
    settled = 1e-2 if logits.dtype is torch.float32 else 1e-4
    for number in range(1, steps + 1):
        base = bases + normalizer * rest
        powers = _inverse_power(base, 1 / rest)
        step = _step(classes.sum(powers), classes.sum(powers / base), rest)
        normalizer = normalizer + step
        # What is missing is about a quarter of the square of the last step, times t - 1.
        if number > 1 and rows.are_below(step / (normalizer + 1), settled / math.sqrt(rest / 4)):
            break
    return normalizer


def _inverse_power(base: Tensor, exponent: float) -> Tensor:
    """``base ** -exponent``: products take much less time than logarithms, where the exponent is a small number."""
    # Compared and not rounded, since a compiler can take the exponent for something that may change.
    whole = next((number for number in range(1, _MOST_FACTORS + 1) if abs(exponent - number) < _WHOLE), 0)
    if not whole:
        return torch.exp(torch.log(base) * -exponent)
    squares, power = base, base if whole % 2 else None
    while whole := whole // 2:
        squares = squares * squares
        if whole % 2:
            power = squares if power is None else power * squares
    assert power is not None  # noqa: S101 - a number has a highest digit
    return torch.reciprocal(power)


def _step(total: Tensor, steepness: Tensor, rest: float) -> Tensor:
    """How far the normalizer is from the root, from the sums of p and of its power t."""
    return total * torch.expm1(rest * total.log()) / (rest * steepness)


_NARROW = 1e-2
"""Below this t - 1, a power takes more digits of its base than there are."""

_NEWTON_STEPS = 10
"""At most: each squares what is missing."""

_STEPS_UP_TO = ((0.2, 5), (0.5, 6), (math.inf, _NEWTON_STEPS))
"""Up to which t - 1 fewer of them are enough, at a million classes, before the last one."""

_MOST_FACTORS, _WHOLE = 16, 1e-12
"""Of a power as a product, and how near its exponent must be to a whole number."""


class EpsilonCEMAE(Combination, name="ce-eps+mae"):
    r"""Cross-entropy of the ε-softmax plus MAE, :math:`\alpha\,\mathrm{CE}_\varepsilon + 2\beta(1-p_y)`.

    MAE keeps its factor 2, which other published combinations do without.

    Args:
        alpha: the weight of the cross-entropy; in [0, 1e30], 0.01 by default.
        beta: the weight of MAE; in [0, 1e30], 5 by default.
        m: what is added to the largest probability before the ε-softmax divides all of them by 1 + m; in [0, inf),
            100000 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``0.01*ce-eps(m=100000, floor=1e-08) + 5*mae`` with the default parameters, where ``ce-eps`` is cross-entropy
          of the ε-softmax and ``mae`` is mean absolute error

    Example:
        >>> import torch
        >>> from noiseproof.losses.comparisons import EpsilonCEMAE
        >>> loss = EpsilonCEMAE(alpha=0.01, beta=5, m=100000)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        9.121

    References:
        Wang, Zhou, Zhai, Jiang, Ji, Liu: ε-Softmax: Approximating One-Hot Vectors for Mitigating Label Noise. NeurIPS
        2024, Sec. 4.
    """

    title = "CE_eps+MAE"
    citation = papers.wang_2024("Sec. 4")

    alpha: float = parameter(default=0.01, domain="[0, 1e30]")
    beta: float = parameter(default=5.0, domain="[0, 1e30]")
    m: float = parameter(default=1e5, domain="[0, inf)")

    def expression(self) -> Loss:
        return self.alpha * EpsilonCE(m=self.m) + self.beta * MAE()


class EpsilonFLMAE(Combination, name="fl-eps+mae"):
    r"""Focal loss of the ε-softmax plus MAE, :math:`\alpha\,\mathrm{FL}_\varepsilon(\gamma) + 2\beta(1-p_y)`.

    MAE keeps its factor 2, which other published combinations do without.

    Args:
        alpha: the weight of the focal loss; in [0, 1e30], 0.01 by default.
        beta: the weight of MAE; in [0, 1e30], 5 by default.
        m: what is added to the largest probability before the ε-softmax divides all of them by 1 + m; in [0, inf),
            100000 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.1 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``0.01*fl-eps(m=100000, floor=1e-08, gamma=0.1) + 5*mae`` with the default parameters, where ``fl-eps`` is
          focal loss of the ε-softmax and ``mae`` is mean absolute error

    Example:
        >>> import torch
        >>> from noiseproof.losses.comparisons import EpsilonFLMAE
        >>> loss = EpsilonFLMAE(alpha=0.01, beta=5, m=100000, gamma=0.1)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        9.121

    References:
        Wang, Zhou, Zhai, Jiang, Ji, Liu: ε-Softmax: Approximating One-Hot Vectors for Mitigating Label Noise. NeurIPS
        2024, Sec. 4.
    """

    title = "FL_eps+MAE"
    citation = papers.wang_2024("Sec. 4")

    alpha: float = parameter(default=0.01, domain="[0, 1e30]")
    beta: float = parameter(default=5.0, domain="[0, 1e30]")
    m: float = parameter(default=1e5, domain="[0, inf)")
    gamma: float = parameter(default=0.1, domain="[0, 1e30]")

    def expression(self) -> Loss:
        return self.alpha * EpsilonFL(m=self.m, gamma=self.gamma) + self.beta * MAE()
