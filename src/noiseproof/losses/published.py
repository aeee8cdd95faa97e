r"""Published combinations: named expressions over the terms.

Defaults are the CIFAR-10 values of the papers, which are also taken wherever nothing is published for the data;
``make_loss(…, preset=…)`` has those of the other data sets, and of published code where it differs.
"""

from __future__ import annotations

from noiseproof.losses import papers
from noiseproof.losses.base import Combination, Limit, Loss, flag, parameter
from noiseproof.losses.definitions import AEL, AGCE, AMSE, AUL, CE, FL, MAE, RCE
from noiseproof.losses.operators import negative, normalized


class NCE(Combination, name="nce"):
    r"""Normalized cross-entropy, :math:`\log p_y / \sum_k \log p_k`.

    Args:
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``normalized(ce)``

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NCE
        >>> loss = NCE()
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        0.1

    References:
        Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized Loss Functions for Deep Learning with Noisy Labels. ICML
        2020, Eq. 2.
    """

    title = "Normalized cross-entropy"
    citation = papers.ma_2020("Eq. 2")

    def expression(self) -> Loss:
        return normalized(CE())


class NFL(Combination, name="nfl"):
    r"""Normalized focal loss, :math:`\varphi_y / \sum_k \varphi_k` with :math:`\varphi_k = -(1-p_k)^\gamma\log p_k`.

    Args:
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        detached: whether the gradient takes the focal loss's weight for a constant; True by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``normalized(fl(gamma=0.5, detached=true))`` with the default parameters
        - ``nce`` at gamma = 0

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NFL
        >>> loss = NFL(gamma=0.5, detached=True)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        0.1

    References:
        Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized Loss Functions for Deep Learning with Noisy Labels. ICML
        2020, Eq. 5.
    """

    title = "Normalized focal loss"
    citation = papers.ma_2020("Eq. 5")
    limits = (Limit({"gamma": 0.0}, "nce"),)

    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    detached: bool = flag(default=True)

    def expression(self) -> Loss:
        return normalized(FL(gamma=self.gamma, detached=self.detached))


class NNCE(Combination, name="nnce"):
    r"""Normalized negative cross-entropy, :math:`1 - u_y/\sum_k u_k`, :math:`u_k = \log(\max(p_k, p_{\min})/p_{\min})`.

    The floor matters: as it tends to 0 the gradient shrinks like :math:`1/\log p_{\min}`. The ANL code has 1e-7, the
    JAL code 1e-8.

    Args:
        p_min: the floor of the probabilities, below which they have no gradient; in (0, 0.5), 1e-08 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``negative(ce, p_min=1e-08)`` with the default parameters

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NNCE
        >>> loss = NNCE(p_min=1e-08)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        0.9

    References:
        Ye, Li, Dai, Liu, Sun, Tong: Active Negative Loss Functions for Learning with Noisy Labels. NeurIPS 2023,
        Sec. 3.
    """

    title = "Normalized negative cross-entropy"
    citation = papers.ye_2023("Sec. 3")

    p_min: float = parameter(default=1e-8, domain="(0, 0.5)")

    def expression(self) -> Loss:
        return negative(CE(), self.p_min)


class NNFL(Combination, name="nnfl"):
    r"""Normalized negative focal loss, :math:`1 - u_y/\sum_k u_k` with :math:`u_k = \varphi(p_{\min}) - \varphi(p_k)`.

    It is :class:`NNCE` with the focal loss, :math:`\varphi(p) = -(1-p)^\gamma\log p`, in place of cross-entropy;
    probabilities below :math:`p_{\min}` count as :math:`p_{\min}` here too.

    Args:
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        p_min: the floor of the probabilities, below which they have no gradient; in (0, 0.5), 1e-08 by default.
        detached: whether the gradient takes the focal loss's weight for a constant; True by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``negative(fl(gamma=0.5, detached=true), p_min=1e-08)`` with the default parameters
        - ``nnce`` at gamma = 0

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NNFL
        >>> loss = NNFL(gamma=0.5, p_min=1e-08, detached=True)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        0.9

    References:
        Ye, Li, Dai, Liu, Sun, Tong: Active Negative Loss Functions for Learning with Noisy Labels. NeurIPS 2023,
        Sec. 3.
    """

    title = "Normalized negative focal loss"
    citation = papers.ye_2023("Sec. 3")
    limits = (Limit({"gamma": 0.0}, "nnce"),)

    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    p_min: float = parameter(default=1e-8, domain="(0, 0.5)")
    detached: bool = flag(default=True)

    def expression(self) -> Loss:
        return negative(FL(gamma=self.gamma, detached=self.detached), self.p_min)


class SymmetricCrossEntropyLoss(Combination, name="sce"):
    r"""Symmetric cross-entropy, :math:`\alpha\,\mathrm{CE} + \beta\,\mathrm{RCE}(A)`.

    Args:
        alpha: the weight of cross-entropy; in [0, 1e30], 0.1 by default.
        beta: the weight of RCE; in [0, 1e30], 1 by default.
        A: what stands for log 0 in RCE; in [-1e30, 0), -4 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``0.1*ce + 1*rce(A=-4)`` with the default parameters, where ``ce`` is cross-entropy and ``rce`` is reverse
          cross-entropy

    Example:
        >>> import torch
        >>> from noiseproof.losses import SymmetricCrossEntropyLoss
        >>> loss = SymmetricCrossEntropyLoss(alpha=0.1, beta=1, A=-4)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        3.83

    References:
        Wang, Ma, Chen, Luo, Yi, Bailey: Symmetric Cross Entropy for Robust Learning with Noisy Labels. ICCV 2019,
        Sec. 4.1.
    """

    title = "Symmetric cross-entropy"
    citation = papers.wang_2019("Sec. 4.1")

    alpha: float = parameter(default=0.1, domain="[0, 1e30]")
    beta: float = parameter(default=1.0, domain="[0, 1e30]")
    A: float = parameter(default=-4.0, domain="[-1e30, 0)")

    def expression(self) -> Loss:
        return self.alpha * CE() + self.beta * RCE(A=self.A)


class _Pair(Combination):
    """Two weighted parts."""

    alpha: float = parameter(default=1.0, domain="[0, 1e30]")
    beta: float = parameter(default=1.0, domain="[0, 1e30]")


class ActivePassiveLoss(_Pair, name="nce+rce"):
    r"""Active passive loss, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{RCE}(A)`.

    Args:
        alpha: the weight of NCE; in [0, 1e30], 1 by default.
        beta: the weight of RCE; in [0, 1e30], 1 by default.
        A: what stands for log 0 in RCE; in [-1e30, 0), -4 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nce + 1*rce(A=-4)`` with the default parameters, where ``nce`` is normalized cross-entropy and ``rce`` is
          reverse cross-entropy

    Example:
        >>> import torch
        >>> from noiseproof.losses import ActivePassiveLoss
        >>> loss = ActivePassiveLoss(alpha=1, beta=1, A=-4)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        3.7

    References:
        Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized Loss Functions for Deep Learning with Noisy Labels. ICML
        2020, Sec. 4.
    """

    title = "NCE+RCE"
    citation = papers.ma_2020("Sec. 4")

    A: float = parameter(default=-4.0, domain="[-1e30, 0)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * RCE(A=self.A)


class NCEMAE(_Pair, name="nce+mae"):
    r"""Normalized cross-entropy plus half of MAE, :math:`\alpha\,\mathrm{NCE} + \beta\,(1-p_y)`.

    Args:
        alpha: the weight of NCE; in [0, 1e30], 1 by default.
        beta: the weight of half of MAE; in [0, 1e30], 1 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nce + 0.5*mae`` with the default parameters, where ``nce`` is normalized cross-entropy and ``mae`` is mean
          absolute error

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NCEMAE
        >>> loss = NCEMAE(alpha=1, beta=1)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        1.0

    References:
        Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized Loss Functions for Deep Learning with Noisy Labels. ICML
        2020, Sec. 4.
    """

    title = "NCE+MAE"
    citation = papers.ma_2020("Sec. 4")

    def expression(self) -> Loss:
        return self.alpha * NCE() + (self.beta / 2) * MAE()


class NFLRCE(_Pair, name="nfl+rce"):
    r"""Normalized focal loss plus RCE, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{RCE}(A)`.

    Args:
        alpha: the weight of NFL; in [0, 1e30], 1 by default.
        beta: the weight of RCE; in [0, 1e30], 1 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        A: what stands for log 0 in RCE; in [-1e30, 0), -4 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nfl(gamma=0.5, detached=true) + 1*rce(A=-4)`` with the default parameters, where ``nfl`` is normalized
          focal loss and ``rce`` is reverse cross-entropy

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NFLRCE
        >>> loss = NFLRCE(alpha=1, beta=1, gamma=0.5, A=-4)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        3.7

    References:
        Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized Loss Functions for Deep Learning with Noisy Labels. ICML
        2020, Sec. 4.
    """

    title = "NFL+RCE"
    citation = papers.ma_2020("Sec. 4")

    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    A: float = parameter(default=-4.0, domain="[-1e30, 0)")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + self.beta * RCE(A=self.A)


class NFLMAE(_Pair, name="nfl+mae"):
    r"""Normalized focal loss plus half of MAE, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,(1-p_y)`.

    Args:
        alpha: the weight of NFL; in [0, 1e30], 1 by default.
        beta: the weight of half of MAE; in [0, 1e30], 1 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nfl(gamma=0.5, detached=true) + 0.5*mae`` with the default parameters, where ``nfl`` is normalized focal
          loss and ``mae`` is mean absolute error

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NFLMAE
        >>> loss = NFLMAE(alpha=1, beta=1, gamma=0.5)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        1.0

    References:
        Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized Loss Functions for Deep Learning with Noisy Labels. ICML
        2020, Sec. 4.
    """

    title = "NFL+MAE"
    citation = papers.ma_2020("Sec. 4")

    gamma: float = parameter(default=0.5, domain="[0, 1e30]")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + (self.beta / 2) * MAE()


class NCEAUL(_Pair, name="nce+aul"):
    r"""Normalized cross-entropy plus AUL, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AUL}(a, p)`.

    Args:
        alpha: the weight of NCE; in [0, 1e30], 1 by default.
        beta: the weight of AUL; in [0, 1e30], 3 by default.
        a: what AUL subtracts the label's probability from; in (1, inf), 6.3 by default.
        p: the exponent of AUL; in (0, inf), 1.5 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nce + 3*aul(a=6.3, p=1.5)`` with the default parameters, where ``nce`` is normalized cross-entropy and
          ``aul`` is asymmetric unhinged loss

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NCEAUL
        >>> loss = NCEAUL(alpha=1, beta=3, a=6.3, p=1.5)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        6.573

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 5.
    """

    title = "NCE+AUL"
    citation = papers.zhou_2021("Sec. 5")

    beta: float = parameter(default=3.0, domain="[0, 1e30]")
    a: float = parameter(default=6.3, domain="(1, inf)")
    p: float = parameter(default=1.5, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * AUL(a=self.a, p=self.p)


class NCEAGCE(_Pair, name="nce+agce"):
    r"""Normalized cross-entropy plus AGCE, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AGCE}(a, q)`.

    Args:
        alpha: the weight of NCE; in [0, 1e30], 10 by default.
        beta: the weight of AGCE; in [0, 1e30], 4 by default.
        a: what AGCE adds to the label's probability; in [0, inf), 6 by default.
        q: the exponent of AGCE; in (0, inf), 1.5 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``10*nce + 4*agce(a=6, q=1.5)`` with the default parameters, where ``nce`` is normalized cross-entropy and
          ``agce`` is asymmetric GCE

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NCEAGCE
        >>> loss = NCEAGCE(alpha=10, beta=4, a=6, q=1.5)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        10.212

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 5.
    """

    title = "NCE+AGCE"
    citation = papers.zhou_2021("Sec. 5")

    alpha: float = parameter(default=10.0, domain="[0, 1e30]")
    beta: float = parameter(default=4.0, domain="[0, 1e30]")
    a: float = parameter(default=6.0, domain="[0, inf)")
    q: float = parameter(default=1.5, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * AGCE(a=self.a, q=self.q)


class NCEAEL(_Pair, name="nce+ael"):
    r"""Normalized cross-entropy plus AEL, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AEL}(a)`.

    Args:
        alpha: the weight of NCE; in [0, 1e30], 1 by default.
        beta: the weight of AEL; in [0, 1e30], 4 by default.
        a: what AEL divides the label's probability by; in (0, inf), 5 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nce + 4*ael(a=5)`` with the default parameters, where ``nce`` is normalized cross-entropy and ``ael`` is
          asymmetric exponential loss

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NCEAEL
        >>> loss = NCEAEL(alpha=1, beta=4, a=5)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        4.021

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 5.
    """

    title = "NCE+AEL"
    citation = papers.zhou_2021("Sec. 5")

    beta: float = parameter(default=4.0, domain="[0, 1e30]")
    a: float = parameter(default=5.0, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * AEL(a=self.a)


class NFLAUL(_Pair, name="nfl+aul"):
    r"""Normalized focal loss plus AUL, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{AUL}(a, p)`.

    Args:
        alpha: the weight of NFL; in [0, 1e30], 1 by default.
        beta: the weight of AUL; in [0, 1e30], 3 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        a: what AUL subtracts the label's probability from; in (1, inf), 6.3 by default.
        p: the exponent of AUL; in (0, inf), 1.5 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nfl(gamma=0.5, detached=true) + 3*aul(a=6.3, p=1.5)`` with the default parameters, where ``nfl`` is
          normalized focal loss and ``aul`` is asymmetric unhinged loss

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NFLAUL
        >>> loss = NFLAUL(alpha=1, beta=3, gamma=0.5, a=6.3, p=1.5)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        6.573

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 5.
    """

    title = "NFL+AUL"
    citation = papers.zhou_2021("Sec. 5")

    beta: float = parameter(default=3.0, domain="[0, 1e30]")
    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    a: float = parameter(default=6.3, domain="(1, inf)")
    p: float = parameter(default=1.5, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + self.beta * AUL(a=self.a, p=self.p)


class NFLAGCE(_Pair, name="nfl+agce"):
    r"""Normalized focal loss plus AGCE, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{AGCE}(a, q)`.

    Args:
        alpha: the weight of NFL; in [0, 1e30], 10 by default.
        beta: the weight of AGCE; in [0, 1e30], 4 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        a: what AGCE adds to the label's probability; in [0, inf), 6 by default.
        q: the exponent of AGCE; in (0, inf), 1.5 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``10*nfl(gamma=0.5, detached=true) + 4*agce(a=6, q=1.5)`` with the default parameters, where ``nfl`` is
          normalized focal loss and ``agce`` is asymmetric GCE

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NFLAGCE
        >>> loss = NFLAGCE(alpha=10, beta=4, gamma=0.5, a=6, q=1.5)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        10.212

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 5.
    """

    title = "NFL+AGCE"
    citation = papers.zhou_2021("Sec. 5")

    alpha: float = parameter(default=10.0, domain="[0, 1e30]")
    beta: float = parameter(default=4.0, domain="[0, 1e30]")
    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    a: float = parameter(default=6.0, domain="[0, inf)")
    q: float = parameter(default=1.5, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + self.beta * AGCE(a=self.a, q=self.q)


class NFLAEL(_Pair, name="nfl+ael"):
    r"""Normalized focal loss plus AEL, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{AEL}(a)`.

    Args:
        alpha: the weight of NFL; in [0, 1e30], 1 by default.
        beta: the weight of AEL; in [0, 1e30], 4 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        a: what AEL divides the label's probability by; in (0, inf), 5 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nfl(gamma=0.5, detached=true) + 4*ael(a=5)`` with the default parameters, where ``nfl`` is normalized
          focal loss and ``ael`` is asymmetric exponential loss

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import NFLAEL
        >>> loss = NFLAEL(alpha=1, beta=4, gamma=0.5, a=5)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        4.021

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 5.
    """

    title = "NFL+AEL"
    citation = papers.zhou_2021("Sec. 5")

    beta: float = parameter(default=4.0, domain="[0, 1e30]")
    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    a: float = parameter(default=5.0, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + self.beta * AEL(a=self.a)


class AGCEMAE(_Pair, name="agce+mae"):
    r"""AGCE plus half of MAE, :math:`\alpha\,\mathrm{AGCE}(a, q) + \beta\,(1-p_y)`.

    Args:
        alpha: the weight of AGCE; in [0, 1e30], 1 by default.
        beta: the weight of half of MAE; in [0, 1e30], 1 by default.
        a: what AGCE adds to the label's probability; in [0, inf), 6 by default.
        q: the exponent of AGCE; in (0, inf), 1.5 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*agce(a=6, q=1.5) + 0.5*mae`` with the default parameters, where ``agce`` is asymmetric GCE and ``mae`` is
          mean absolute error

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import AGCEMAE
        >>> loss = AGCEMAE(alpha=1, beta=1, a=6, q=1.5)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        3.203

    References:
        Wang, Liu, Zhou, Hu, Zhai, Jiang, Ji: Joint Asymmetric Loss for Learning with Noisy Labels. ICCV 2025,
        Supplement, Table 1.
    """

    title = "AGCE+MAE"
    citation = papers.wang_2025("Supplement, Table 1")

    a: float = parameter(default=6.0, domain="[0, inf)")
    q: float = parameter(default=1.5, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * AGCE(a=self.a, q=self.q) + (self.beta / 2) * MAE()


class ActiveNegativeLoss(_Pair, name="anl-ce"):
    r"""Active negative loss, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{NNCE}(p_{\min})`.

    Args:
        alpha: the weight of NCE; in [0, 1e30], 5 by default.
        beta: the weight of NNCE; in [0, 1e30], 5 by default.
        p_min: the floor of the probabilities, below which they have no gradient; in (0, 0.5), 1e-08 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``5*nce + 5*nnce(p_min=1e-08)`` with the default parameters, where ``nce`` is normalized cross-entropy and
          ``nnce`` is normalized negative cross-entropy

    Example:
        >>> import torch
        >>> from noiseproof.losses import ActiveNegativeLoss
        >>> loss = ActiveNegativeLoss(alpha=5, beta=5, p_min=1e-08)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        5.0

    References:
        Ye, Li, Dai, Liu, Sun, Tong: Active Negative Loss Functions for Learning with Noisy Labels. NeurIPS 2023,
        Sec. 3.
    """

    title = "ANL-CE"
    citation = papers.ye_2023("Sec. 3")

    alpha: float = parameter(default=5.0, domain="[0, 1e30]")
    beta: float = parameter(default=5.0, domain="[0, 1e30]")
    p_min: float = parameter(default=1e-8, domain="(0, 0.5)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * NNCE(p_min=self.p_min)


class ANLFL(_Pair, name="anl-fl"):
    r"""Active negative loss, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{NNFL}(\gamma, p_{\min})`.

    Args:
        alpha: the weight of NFL; in [0, 1e30], 5 by default.
        beta: the weight of NNFL; in [0, 1e30], 5 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        p_min: the floor of the probabilities, below which they have no gradient; in (0, 0.5), 1e-08 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``5*nfl(gamma=0.5, detached=true) + 5*nnfl(gamma=0.5, p_min=1e-08, detached=true)`` with the default
          parameters, where ``nfl`` is normalized focal loss and ``nnfl`` is normalized negative focal loss
        - ``anl-ce`` at gamma = 0

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import ANLFL
        >>> loss = ANLFL(alpha=5, beta=5, gamma=0.5, p_min=1e-08)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        5.0

    References:
        Ye, Li, Dai, Liu, Sun, Tong: Active Negative Loss Functions for Learning with Noisy Labels. NeurIPS 2023,
        Sec. 3.
    """

    title = "ANL-FL"
    citation = papers.ye_2023("Sec. 3")
    limits = (Limit({"gamma": 0.0}, "anl-ce"),)

    alpha: float = parameter(default=5.0, domain="[0, 1e30]")
    beta: float = parameter(default=5.0, domain="[0, 1e30]")
    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    p_min: float = parameter(default=1e-8, domain="(0, 0.5)")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + self.beta * NNFL(gamma=self.gamma, p_min=self.p_min)


class JointAsymmetricLoss(_Pair, name="jal-ce"):
    r"""Joint Asymmetric Loss, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AMSE}(a, q=2)`.

    Args:
        alpha: the weight of NCE; in [0, 1e30], 1 by default.
        beta: the weight of AMSE; in [0, 1e30], 1 by default.
        a: AMSE's target of the label's probability: the larger, the more noise is tolerated; in [1, inf), 30 by
            default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nce + 1*amse(a=30, q=2)`` with the default parameters, where ``nce`` is normalized cross-entropy and
          ``amse`` is asymmetric mean squared error

    Example:
        >>> import torch
        >>> from noiseproof.losses import JointAsymmetricLoss
        >>> loss = JointAsymmetricLoss(alpha=1, beta=1, a=30)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        89.51

    References:
        Wang, Liu, Zhou, Hu, Zhai, Jiang, Ji: Joint Asymmetric Loss for Learning with Noisy Labels. ICCV 2025, Sec. 4.
    """

    title = "JAL-CE"
    citation = papers.wang_2025("Sec. 4")

    a: float = parameter(default=30.0, domain="[1, inf)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * AMSE(a=self.a)


class JALFL(_Pair, name="jal-fl"):
    r"""Joint Asymmetric Loss, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{AMSE}(a, q=2)`.

    Args:
        alpha: the weight of NFL; in [0, 1e30], 1 by default.
        beta: the weight of AMSE; in [0, 1e30], 1 by default.
        a: AMSE's target of the label's probability: the larger, the more noise is tolerated; in [1, inf), 30 by
            default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Shape:
        - input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        - target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        - output: a scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nfl(gamma=0.5, detached=true) + 1*amse(a=30, q=2)`` with the default parameters, where ``nfl`` is
          normalized focal loss and ``amse`` is asymmetric mean squared error
        - ``jal-ce`` at gamma = 0

    Example:
        >>> import torch
        >>> from noiseproof.losses.published import JALFL
        >>> loss = JALFL(alpha=1, beta=1, a=30, gamma=0.5)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        89.51

    References:
        Wang, Liu, Zhou, Hu, Zhai, Jiang, Ji: Joint Asymmetric Loss for Learning with Noisy Labels. ICCV 2025, Sec. 4.
    """

    title = "JAL-FL"
    citation = papers.wang_2025("Sec. 4")
    limits = (Limit({"gamma": 0.0}, "jal-ce"),)

    a: float = parameter(default=30.0, domain="[1, inf)")
    gamma: float = parameter(default=0.5, domain="[0, 1e30]")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + self.beta * AMSE(a=self.a)


SCE = SymmetricCrossEntropyLoss
NCERCE = ActivePassiveLoss
ANLCE = ActiveNegativeLoss
JALCE = JointAsymmetricLoss
