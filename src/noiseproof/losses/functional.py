# Written by docs/write_docstrings.py from the definitions; change those, and run it.
"""Every loss of the package as a function, called like :func:`torch.nn.functional.cross_entropy`.

The function of a loss is named as the loss, with ``_`` for ``-`` and ``+``; a loss of your own has one too.

>>> import torch
>>> from noiseproof.losses import functional as F
>>> logits, target = torch.zeros(4, 10), torch.tensor([1, 2, 3, 4])
>>> F.jal_ce(logits, target, a=10, reduction="sum")
tensor(39.6400)
>>> F.nce_rce(logits, target, A=-9.21).shape
torch.Size([])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from noiseproof.losses import comparisons, definitions, published
from noiseproof.losses.base import REGISTRY
from noiseproof.losses.calls import call, explained, function_name, function_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@explained(definitions.CE)
def ce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Cross-entropy, :math:`-\log p_y`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.ce(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        2.303
    """
    return call(
        definitions.CE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
    )


@explained(definitions.FL)
def fl(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    gamma: float = 0.5,
    detached: bool = True,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Focal loss, :math:`-(1-p_y)^\gamma \log p_y`.

    All published code for noisy labels detaches the weight :math:`(1-p_y)^\gamma` from the graph, so that it scales
    cross-entropy's gradient; this is the default. ``detached=False`` differentiates it too.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        gamma: the exponent of the weight: the larger, the less samples count whose label is already probable; in
            [0, 1e30], 0.5 by default.
        detached: whether the gradient takes the weight for a constant; True by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``ce`` at gamma = 0

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.fl(torch.zeros(8, 10), torch.arange(8), gamma=0.5, detached=True).item(), 3)
        2.184

    References:
        Lin, Goyal, Girshick, He, Dollár: Focal Loss for Dense Object Detection. ICCV 2017, Eq. 4.
    """
    return call(
        definitions.FL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        gamma,
        detached,
    )


@explained(definitions.MAE)
def mae(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Mean absolute error between the softmax and the one-hot label, :math:`\lVert e_y - p\rVert_1 = 2(1-p_y)`.

    Published combinations take half of it, :math:`1 - p_y`: see :class:`NCEMAE`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.mae(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        1.8

    References:
        Ghosh, Kumar, Sastry: Robust Loss Functions under Label Noise for Deep Neural Networks. AAAI 2017, Eq. 9.
    """
    return call(
        definitions.MAE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
    )


@explained(definitions.GeneralizedCrossEntropyLoss)
def gce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    q: float = 0.7,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Generalized cross-entropy, :math:`(1 - p_y^q)/q`: cross-entropy as q → 0, MAE/2 at q = 1.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        q: the exponent: the larger, the less samples count whose label is improbable; in (0, 1], 0.7 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``0.5*mae`` at q = 1
        - nearly ``ce`` at q = 1e-09 (relative difference: 1e-07)

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.gce(torch.zeros(8, 10), torch.arange(8), q=0.7).item(), 3)
        1.144

    References:
        Zhang, Sabuncu: Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels. NeurIPS
        2018, Eq. 6.
    """
    return call(
        definitions.GeneralizedCrossEntropyLoss,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        q,
    )


@explained(definitions.RCE)
def rce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    A: float = -4.0,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Reverse cross-entropy, :math:`-A(1-p_y)`, where A < 0 stands for log 0.

    Papers write A = −4, the default; all published code uses log(1e-4) = −9.2103.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        A: what stands for log 0; in [-1e30, 0), -4 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``mae`` at A = -2

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.rce(torch.zeros(8, 10), torch.arange(8), A=-4).item(), 3)
        3.6

    References:
        Wang, Ma, Chen, Luo, Yi, Bailey: Symmetric Cross Entropy for Robust Learning with Noisy Labels. ICCV 2019,
        Sec. 4.1.
    """
    return call(
        definitions.RCE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        A,
    )


@explained(definitions.AGCE)
def agce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    a: float = 0.6,
    q: float = 0.6,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Asymmetric generalized cross-entropy, :math:`((a+1)^q - (a+p_y)^q)/q`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        a: what is added to the label's probability: the larger, the nearer the loss is to a multiple of MAE; in
            [0, inf), 0.6 by default.
        q: the exponent; in (0, inf), 0.6 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``gce(q=0.5)`` at a = 0, q = 0.5
        - ``0.5*mae`` at a = 3, q = 1

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.agce(torch.zeros(8, 10), torch.arange(8), a=0.6, q=0.6).item(), 3)
        0.864

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 4.
    """
    return call(
        definitions.AGCE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        a,
        q,
    )


@explained(definitions.AUL)
def aul(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    a: float = 6.3,
    p: float = 1.5,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Asymmetric unhinged loss, :math:`((a-p_y)^p - (a-1)^p)/p`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        a: what the label's probability is subtracted from: the larger, the nearer the loss is to a multiple of MAE; in
            (1, inf), 6.3 by default.
        p: the exponent; in (0, inf), 1.5 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``0.5*mae`` at a = 3, p = 1

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.aul(torch.zeros(8, 10), torch.arange(8), a=6.3, p=1.5).item(), 3)
        2.158

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 4.
    """
    return call(
        definitions.AUL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        a,
        p,
    )


@explained(definitions.AEL)
def ael(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    a: float = 2.5,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Asymmetric exponential loss, :math:`e^{-p_y/a}`. Its smallest value is :math:`e^{-1/a}`, not 0.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        a: what the label's probability is divided by; in (0, inf), 2.5 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.ael(torch.zeros(8, 10), torch.arange(8), a=2.5).item(), 3)
        0.961

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 4.
    """
    return call(
        definitions.AEL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        a,
    )


@explained(definitions.AMSE)
def amse(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    a: float = 30.0,
    q: float = 2.0,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Asymmetric mean squared error, :math:`\tfrac1K\lVert a\,e_y - p\rVert_q^q`.

    With weights on the labels it is least at the heaviest class alone if and only if ``a`` exceeds a threshold
    (9 for 10 classes under 80 % symmetric noise at q = 2). Its smallest value is :math:`(a-1)^q/K`, not 0.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        a: the target of the label's probability, in place of 1: the larger, the more noise is tolerated; in [1, inf),
            30 by default.
        q: the exponent of the distances; in (0, inf), 2 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.amse(torch.zeros(8, 10), torch.arange(8), a=30, q=2).item(), 3)
        89.41

    References:
        Wang, Liu, Zhou, Hu, Zhai, Jiang, Ji: Joint Asymmetric Loss for Learning with Noisy Labels. ICCV 2025,
        Theorem 4.1.
    """
    return call(
        definitions.AMSE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        a,
        q,
    )


@explained(comparisons.EpsilonCE)
def ce_eps(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    m: float = 100000.0,
    floor: float = 1e-08,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Cross-entropy of the ε-softmax, :math:`-\log p'_y` with :math:`p' = (p + m\,e_j)/(1+m)`.

    :math:`j` is the class with the largest probability; :math:`p'` is floored at ``floor``, below which there is no
    gradient.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        m: what is added to the largest probability before all are divided by 1 + m; in [0, inf), 100000 by default.
        floor: the floor of :math:`p'`; in [0, 1), 1e-08 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``ce`` at m = 0, floor = 0

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.ce_eps(torch.zeros(8, 10), torch.arange(8), m=100000, floor=1e-08).item(), 3)
        12.089

    References:
        Wang, Zhou, Zhai, Jiang, Ji, Liu: ε-Softmax: Approximating One-Hot Vectors for Mitigating Label Noise. NeurIPS
        2024, Sec. 3.
    """
    return call(
        comparisons.EpsilonCE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        m,
        floor,
    )


@explained(comparisons.EpsilonFL)
def fl_eps(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    m: float = 100000.0,
    floor: float = 1e-08,
    gamma: float = 0.1,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Focal loss of the ε-softmax, :math:`-(1-p'_y)^\gamma \log p'_y`, with a detached weight as published.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        m: what is added to the largest probability before all are divided by 1 + m; in [0, inf), 100000 by default.
        floor: the floor of :math:`p'`; in [0, 1), 1e-08 by default.
        gamma: the exponent of the weight: the larger, the less samples count whose label is already probable; in
            [0, 1e30], 0.1 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``ce-eps(m=100)`` at gamma = 0, m = 100

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.fl_eps(torch.zeros(8, 10), torch.arange(8), m=100000, floor=1e-08, gamma=0.1).item(), 3)
        12.089

    References:
        Wang, Zhou, Zhai, Jiang, Ji, Liu: ε-Softmax: Approximating One-Hot Vectors for Mitigating Label Noise. NeurIPS
        2024, Sec. 3.
    """
    return call(
        comparisons.EpsilonFL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        m,
        floor,
        gamma,
    )


@explained(comparisons.NLNL)
def nlnl(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    floor: float = 1e-05,
    sampled: bool = True,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Negative learning: :math:`-\log(1 - p_{\bar y})` for a complementary label :math:`\bar y \ne y`.

    The label is drawn uniformly in every call, from torch's generator as dropout is; ``sampled=False`` takes the mean
    over all complementary labels instead. :math:`1 - p`, where p is the softmax of the logits, is floored at ``floor``,
    below which there is no gradient. With probability targets the mean is taken.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        floor: the floor of :math:`1 - p`; in [0, 1), 1e-05 by default.
        sampled: whether each call draws one complementary label; else the mean over all of them is taken; True by
            default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nlnl(torch.zeros(8, 10), torch.arange(8), floor=1e-05, sampled=True).item(), 3)
        0.105

    References:
        Kim, Yim, Yun, Kim: NLNL: Negative Learning for Noisy Labels. ICCV 2019, Eq. 2.
    """
    return call(
        comparisons.NLNL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        floor,
        sampled,
    )


@explained(comparisons.LDRKL)
def ldr_kl(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    c: float = 0.1,
    Lambda: float = 10.0,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Label-distributionally robust loss, :math:`\Lambda\log\tfrac1K\sum_k e^{(c[k\ne y] + s_k - s_y)/\Lambda}`.

    The scores are the softplus of the logits, divided by their mean: as the code of the JAL paper has it, where
    c = 0.1, and Λ = 10 on CIFAR-10 and 1 elsewhere. The loss depends on the size of the logits, not only on their
    differences.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        c: the margin that the label's score should have over the others; in [0, 1e30], 0.1 by default.
        Lambda: the temperature: near 0 the hardest class alone counts, at large values all classes alike; in (0, inf),
            10 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.ldr_kl(torch.zeros(8, 10), torch.arange(8), c=0.1, Lambda=10).item(), 3)
        0.09

    References:
        Zhu, Ying, Yang: Label Distributionally Robust Losses for Multi-class Classification. ICML 2023, Sec. 3.
    """
    return call(
        comparisons.LDRKL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        c,
        Lambda,
    )


@explained(comparisons.CELC)
def ce_lc(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    delta: float = 2.5,
    as_coded: bool = True,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Cross-entropy of clipped logits :math:`z'`: :math:`-\log\mathrm{softmax}(z')_y`.

    As published code has it, logits with a norm above :math:`1/\delta` are scaled to the norm :math:`\delta`;
    ``as_coded=False`` is the paper's form, where logits with a norm above :math:`\delta` are scaled to it. Masked
    logits (−inf) have no part in the norm.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        delta: the norm that clipped logits have; in (0, 1e30], 2.5 by default.
        as_coded: whether to clip from the norm :math:`1/\delta` on, as published code does, or from :math:`\delta` on,
            as the paper does; True by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``ce`` at delta = 1000000, as_coded = False

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.ce_lc(torch.zeros(8, 10), torch.arange(8), delta=2.5, as_coded=True).item(), 3)
        2.303

    References:
        Wei, Zhuang, Xie, Feng, Niu, An, Li: Mitigating Memorization of Noisy Labels by Clipping the Model. ICML 2023,
        Eq. 5.
    """
    return call(
        comparisons.CELC,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        delta,
        as_coded,
    )


@explained(comparisons.BiTempered)
def bi_tempered(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    t1: float = 0.8,
    t2: float = 1.2,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Bi-tempered logistic loss: a Bregman divergence of temperature t1 after a softmax of temperature t2.

    :math:`\sum_k e_k(\log_{t_1} e_k - \log_{t_1} p_k) - (e_k^{2-t_1} - p_k^{2-t_1})/(2-t_1)` with
    :math:`p = \exp_{t_2}(z - \lambda(z))` and :math:`\lambda` such that p sums to 1. With t1 < 1 the loss is bounded,
    with t2 > 1 the softmax has heavy tails; at t1 = t2 = 1 it is cross-entropy.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        t1: the temperature of the logarithm: below 1 the loss is bounded; in [0, 1], 0.8 by default.
        t2: the temperature of the softmax: above 1 its tails are heavy; in [1, 4], 1.2 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``ce`` at t1 = 1, t2 = 1

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.bi_tempered(torch.zeros(8, 10), torch.arange(8), t1=0.8, t2=1.2).item(), 3)
        1.538

    References:
        Amid, Warmuth, Anil, Koren: Robust Bi-Tempered Logistic Loss Based on Bregman Divergences. NeurIPS 2019, Eq. 8.
    """
    return call(
        comparisons.BiTempered,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        t1,
        t2,
    )


@explained(comparisons.EpsilonCEMAE)
def ce_eps_mae(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 0.01,
    beta: float = 5.0,
    m: float = 100000.0,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Cross-entropy of the ε-softmax plus MAE, :math:`\alpha\,\mathrm{CE}_\varepsilon + 2\beta(1-p_y)`.

    MAE keeps its factor 2, which other published combinations do without.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of the cross-entropy; in [0, 1e30], 0.01 by default.
        beta: the weight of MAE; in [0, 1e30], 5 by default.
        m: what is added to the largest probability before the ε-softmax divides all of them by 1 + m; in [0, inf),
            100000 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``0.01*ce-eps(m=100000, floor=1e-08) + 5*mae`` with the default parameters, where ``ce-eps`` is cross-entropy
          of the ε-softmax and ``mae`` is mean absolute error

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.ce_eps_mae(torch.zeros(8, 10), torch.arange(8), alpha=0.01, beta=5, m=100000).item(), 3)
        9.121

    References:
        Wang, Zhou, Zhai, Jiang, Ji, Liu: ε-Softmax: Approximating One-Hot Vectors for Mitigating Label Noise. NeurIPS
        2024, Sec. 4.
    """
    return call(
        comparisons.EpsilonCEMAE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        m,
    )


@explained(comparisons.EpsilonFLMAE)
def fl_eps_mae(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 0.01,
    beta: float = 5.0,
    m: float = 100000.0,
    gamma: float = 0.1,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Focal loss of the ε-softmax plus MAE, :math:`\alpha\,\mathrm{FL}_\varepsilon(\gamma) + 2\beta(1-p_y)`.

    MAE keeps its factor 2, which other published combinations do without.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of the focal loss; in [0, 1e30], 0.01 by default.
        beta: the weight of MAE; in [0, 1e30], 5 by default.
        m: what is added to the largest probability before the ε-softmax divides all of them by 1 + m; in [0, inf),
            100000 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.1 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``0.01*fl-eps(m=100000, floor=1e-08, gamma=0.1) + 5*mae`` with the default parameters, where ``fl-eps`` is
          focal loss of the ε-softmax and ``mae`` is mean absolute error

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.fl_eps_mae(torch.zeros(8, 10), torch.arange(8), alpha=0.01, beta=5, m=100000, gamma=0.1).item(), 3)
        9.121

    References:
        Wang, Zhou, Zhai, Jiang, Ji, Liu: ε-Softmax: Approximating One-Hot Vectors for Mitigating Label Noise. NeurIPS
        2024, Sec. 4.
    """
    return call(
        comparisons.EpsilonFLMAE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        m,
        gamma,
    )


@explained(published.NCE)
def nce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized cross-entropy, :math:`\log p_y / \sum_k \log p_k`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``normalized(ce)``

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nce(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        0.1

    References:
        Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized Loss Functions for Deep Learning with Noisy Labels. ICML
        2020, Eq. 2.
    """
    return call(
        published.NCE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
    )


@explained(published.NFL)
def nfl(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    gamma: float = 0.5,
    detached: bool = True,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized focal loss, :math:`\varphi_y / \sum_k \varphi_k` with :math:`\varphi_k = -(1-p_k)^\gamma\log p_k`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        detached: whether the gradient takes the focal loss's weight for a constant; True by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``normalized(fl(gamma=0.5, detached=true))`` with the default parameters
        - ``nce`` at gamma = 0

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nfl(torch.zeros(8, 10), torch.arange(8), gamma=0.5, detached=True).item(), 3)
        0.1

    References:
        Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized Loss Functions for Deep Learning with Noisy Labels. ICML
        2020, Eq. 5.
    """
    return call(
        published.NFL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        gamma,
        detached,
    )


@explained(published.NNCE)
def nnce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    p_min: float = 1e-08,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized negative cross-entropy, :math:`1 - u_y/\sum_k u_k`, :math:`u_k = \log(\max(p_k, p_{\min})/p_{\min})`.

    The floor matters: as it tends to 0 the gradient shrinks like :math:`1/\log p_{\min}`. The ANL code has 1e-7, the
    JAL code 1e-8.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        p_min: the floor of the probabilities, below which they have no gradient; in (0, 0.5), 1e-08 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``negative(ce, p_min=1e-08)`` with the default parameters

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nnce(torch.zeros(8, 10), torch.arange(8), p_min=1e-08).item(), 3)
        0.9

    References:
        Ye, Li, Dai, Liu, Sun, Tong: Active Negative Loss Functions for Learning with Noisy Labels. NeurIPS 2023,
        Sec. 3.
    """
    return call(
        published.NNCE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        p_min,
    )


@explained(published.NNFL)
def nnfl(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    gamma: float = 0.5,
    p_min: float = 1e-08,
    detached: bool = True,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized negative focal loss, :math:`1 - u_y/\sum_k u_k` with :math:`u_k = \varphi(p_{\min}) - \varphi(p_k)`.

    It is :class:`NNCE` with the focal loss, :math:`\varphi(p) = -(1-p)^\gamma\log p`, in place of cross-entropy;
    probabilities below :math:`p_{\min}` count as :math:`p_{\min}` here too.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        p_min: the floor of the probabilities, below which they have no gradient; in (0, 0.5), 1e-08 by default.
        detached: whether the gradient takes the focal loss's weight for a constant; True by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``negative(fl(gamma=0.5, detached=true), p_min=1e-08)`` with the default parameters
        - ``nnce`` at gamma = 0

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nnfl(torch.zeros(8, 10), torch.arange(8), gamma=0.5, p_min=1e-08, detached=True).item(), 3)
        0.9

    References:
        Ye, Li, Dai, Liu, Sun, Tong: Active Negative Loss Functions for Learning with Noisy Labels. NeurIPS 2023,
        Sec. 3.
    """
    return call(
        published.NNFL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        gamma,
        p_min,
        detached,
    )


@explained(published.SymmetricCrossEntropyLoss)
def sce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 0.1,
    beta: float = 1.0,
    A: float = -4.0,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Symmetric cross-entropy, :math:`\alpha\,\mathrm{CE} + \beta\,\mathrm{RCE}(A)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of cross-entropy; in [0, 1e30], 0.1 by default.
        beta: the weight of RCE; in [0, 1e30], 1 by default.
        A: what stands for log 0 in RCE; in [-1e30, 0), -4 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``0.1*ce + 1*rce(A=-4)`` with the default parameters, where ``ce`` is cross-entropy and ``rce`` is reverse
          cross-entropy

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.sce(torch.zeros(8, 10), torch.arange(8), alpha=0.1, beta=1, A=-4).item(), 3)
        3.83

    References:
        Wang, Ma, Chen, Luo, Yi, Bailey: Symmetric Cross Entropy for Robust Learning with Noisy Labels. ICCV 2019,
        Sec. 4.1.
    """
    return call(
        published.SymmetricCrossEntropyLoss,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        A,
    )


@explained(published.ActivePassiveLoss)
def nce_rce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    A: float = -4.0,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Active passive loss, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{RCE}(A)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NCE; in [0, 1e30], 1 by default.
        beta: the weight of RCE; in [0, 1e30], 1 by default.
        A: what stands for log 0 in RCE; in [-1e30, 0), -4 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nce + 1*rce(A=-4)`` with the default parameters, where ``nce`` is normalized cross-entropy and ``rce`` is
          reverse cross-entropy

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nce_rce(torch.zeros(8, 10), torch.arange(8), alpha=1, beta=1, A=-4).item(), 3)
        3.7

    References:
        Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized Loss Functions for Deep Learning with Noisy Labels. ICML
        2020, Sec. 4.
    """
    return call(
        published.ActivePassiveLoss,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        A,
    )


@explained(published.NCEMAE)
def nce_mae(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized cross-entropy plus half of MAE, :math:`\alpha\,\mathrm{NCE} + \beta\,(1-p_y)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NCE; in [0, 1e30], 1 by default.
        beta: the weight of half of MAE; in [0, 1e30], 1 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nce + 0.5*mae`` with the default parameters, where ``nce`` is normalized cross-entropy and ``mae`` is mean
          absolute error

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nce_mae(torch.zeros(8, 10), torch.arange(8), alpha=1, beta=1).item(), 3)
        1.0

    References:
        Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized Loss Functions for Deep Learning with Noisy Labels. ICML
        2020, Sec. 4.
    """
    return call(
        published.NCEMAE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
    )


@explained(published.NFLRCE)
def nfl_rce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 0.5,
    A: float = -4.0,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized focal loss plus RCE, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{RCE}(A)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NFL; in [0, 1e30], 1 by default.
        beta: the weight of RCE; in [0, 1e30], 1 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        A: what stands for log 0 in RCE; in [-1e30, 0), -4 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nfl(gamma=0.5, detached=true) + 1*rce(A=-4)`` with the default parameters, where ``nfl`` is normalized
          focal loss and ``rce`` is reverse cross-entropy

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nfl_rce(torch.zeros(8, 10), torch.arange(8), alpha=1, beta=1, gamma=0.5, A=-4).item(), 3)
        3.7

    References:
        Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized Loss Functions for Deep Learning with Noisy Labels. ICML
        2020, Sec. 4.
    """
    return call(
        published.NFLRCE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        gamma,
        A,
    )


@explained(published.NFLMAE)
def nfl_mae(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 0.5,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized focal loss plus half of MAE, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,(1-p_y)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NFL; in [0, 1e30], 1 by default.
        beta: the weight of half of MAE; in [0, 1e30], 1 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nfl(gamma=0.5, detached=true) + 0.5*mae`` with the default parameters, where ``nfl`` is normalized focal
          loss and ``mae`` is mean absolute error

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nfl_mae(torch.zeros(8, 10), torch.arange(8), alpha=1, beta=1, gamma=0.5).item(), 3)
        1.0

    References:
        Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized Loss Functions for Deep Learning with Noisy Labels. ICML
        2020, Sec. 4.
    """
    return call(
        published.NFLMAE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        gamma,
    )


@explained(published.NCEAUL)
def nce_aul(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 3.0,
    a: float = 6.3,
    p: float = 1.5,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized cross-entropy plus AUL, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AUL}(a, p)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NCE; in [0, 1e30], 1 by default.
        beta: the weight of AUL; in [0, 1e30], 3 by default.
        a: what AUL subtracts the label's probability from; in (1, inf), 6.3 by default.
        p: the exponent of AUL; in (0, inf), 1.5 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nce + 3*aul(a=6.3, p=1.5)`` with the default parameters, where ``nce`` is normalized cross-entropy and
          ``aul`` is asymmetric unhinged loss

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nce_aul(torch.zeros(8, 10), torch.arange(8), alpha=1, beta=3, a=6.3, p=1.5).item(), 3)
        6.573

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 5.
    """
    return call(
        published.NCEAUL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        a,
        p,
    )


@explained(published.NCEAGCE)
def nce_agce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 10.0,
    beta: float = 4.0,
    a: float = 6.0,
    q: float = 1.5,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized cross-entropy plus AGCE, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AGCE}(a, q)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NCE; in [0, 1e30], 10 by default.
        beta: the weight of AGCE; in [0, 1e30], 4 by default.
        a: what AGCE adds to the label's probability; in [0, inf), 6 by default.
        q: the exponent of AGCE; in (0, inf), 1.5 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``10*nce + 4*agce(a=6, q=1.5)`` with the default parameters, where ``nce`` is normalized cross-entropy and
          ``agce`` is asymmetric GCE

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nce_agce(torch.zeros(8, 10), torch.arange(8), alpha=10, beta=4, a=6, q=1.5).item(), 3)
        10.212

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 5.
    """
    return call(
        published.NCEAGCE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        a,
        q,
    )


@explained(published.NCEAEL)
def nce_ael(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 4.0,
    a: float = 5.0,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized cross-entropy plus AEL, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AEL}(a)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NCE; in [0, 1e30], 1 by default.
        beta: the weight of AEL; in [0, 1e30], 4 by default.
        a: what AEL divides the label's probability by; in (0, inf), 5 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nce + 4*ael(a=5)`` with the default parameters, where ``nce`` is normalized cross-entropy and ``ael`` is
          asymmetric exponential loss

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nce_ael(torch.zeros(8, 10), torch.arange(8), alpha=1, beta=4, a=5).item(), 3)
        4.021

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 5.
    """
    return call(
        published.NCEAEL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        a,
    )


@explained(published.NFLAUL)
def nfl_aul(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 3.0,
    gamma: float = 0.5,
    a: float = 6.3,
    p: float = 1.5,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized focal loss plus AUL, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{AUL}(a, p)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NFL; in [0, 1e30], 1 by default.
        beta: the weight of AUL; in [0, 1e30], 3 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        a: what AUL subtracts the label's probability from; in (1, inf), 6.3 by default.
        p: the exponent of AUL; in (0, inf), 1.5 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nfl(gamma=0.5, detached=true) + 3*aul(a=6.3, p=1.5)`` with the default parameters, where ``nfl`` is
          normalized focal loss and ``aul`` is asymmetric unhinged loss

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nfl_aul(torch.zeros(8, 10), torch.arange(8), alpha=1, beta=3, gamma=0.5, a=6.3, p=1.5).item(), 3)
        6.573

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 5.
    """
    return call(
        published.NFLAUL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        gamma,
        a,
        p,
    )


@explained(published.NFLAGCE)
def nfl_agce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 10.0,
    beta: float = 4.0,
    gamma: float = 0.5,
    a: float = 6.0,
    q: float = 1.5,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized focal loss plus AGCE, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{AGCE}(a, q)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NFL; in [0, 1e30], 10 by default.
        beta: the weight of AGCE; in [0, 1e30], 4 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        a: what AGCE adds to the label's probability; in [0, inf), 6 by default.
        q: the exponent of AGCE; in (0, inf), 1.5 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``10*nfl(gamma=0.5, detached=true) + 4*agce(a=6, q=1.5)`` with the default parameters, where ``nfl`` is
          normalized focal loss and ``agce`` is asymmetric GCE

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nfl_agce(torch.zeros(8, 10), torch.arange(8), alpha=10, beta=4, gamma=0.5, a=6, q=1.5).item(), 3)
        10.212

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 5.
    """
    return call(
        published.NFLAGCE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        gamma,
        a,
        q,
    )


@explained(published.NFLAEL)
def nfl_ael(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 4.0,
    gamma: float = 0.5,
    a: float = 5.0,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Normalized focal loss plus AEL, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{AEL}(a)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NFL; in [0, 1e30], 1 by default.
        beta: the weight of AEL; in [0, 1e30], 4 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        a: what AEL divides the label's probability by; in (0, inf), 5 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nfl(gamma=0.5, detached=true) + 4*ael(a=5)`` with the default parameters, where ``nfl`` is normalized
          focal loss and ``ael`` is asymmetric exponential loss

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.nfl_ael(torch.zeros(8, 10), torch.arange(8), alpha=1, beta=4, gamma=0.5, a=5).item(), 3)
        4.021

    References:
        Zhou, Liu, Jiang, Gao, Ji: Asymmetric Loss Functions for Learning with Noisy Labels. ICML 2021, Sec. 5.
    """
    return call(
        published.NFLAEL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        gamma,
        a,
    )


@explained(published.AGCEMAE)
def agce_mae(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    a: float = 6.0,
    q: float = 1.5,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""AGCE plus half of MAE, :math:`\alpha\,\mathrm{AGCE}(a, q) + \beta\,(1-p_y)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of AGCE; in [0, 1e30], 1 by default.
        beta: the weight of half of MAE; in [0, 1e30], 1 by default.
        a: what AGCE adds to the label's probability; in [0, inf), 6 by default.
        q: the exponent of AGCE; in (0, inf), 1.5 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*agce(a=6, q=1.5) + 0.5*mae`` with the default parameters, where ``agce`` is asymmetric GCE and ``mae`` is
          mean absolute error

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.agce_mae(torch.zeros(8, 10), torch.arange(8), alpha=1, beta=1, a=6, q=1.5).item(), 3)
        3.203

    References:
        Wang, Liu, Zhou, Hu, Zhai, Jiang, Ji: Joint Asymmetric Loss for Learning with Noisy Labels. ICCV 2025,
        Supplement, Table 1.
    """
    return call(
        published.AGCEMAE,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        a,
        q,
    )


@explained(published.ActiveNegativeLoss)
def anl_ce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 5.0,
    beta: float = 5.0,
    p_min: float = 1e-08,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Active negative loss, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{NNCE}(p_{\min})`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NCE; in [0, 1e30], 5 by default.
        beta: the weight of NNCE; in [0, 1e30], 5 by default.
        p_min: the floor of the probabilities, below which they have no gradient; in (0, 0.5), 1e-08 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``5*nce + 5*nnce(p_min=1e-08)`` with the default parameters, where ``nce`` is normalized cross-entropy and
          ``nnce`` is normalized negative cross-entropy

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.anl_ce(torch.zeros(8, 10), torch.arange(8), alpha=5, beta=5, p_min=1e-08).item(), 3)
        5.0

    References:
        Ye, Li, Dai, Liu, Sun, Tong: Active Negative Loss Functions for Learning with Noisy Labels. NeurIPS 2023,
        Sec. 3.
    """
    return call(
        published.ActiveNegativeLoss,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        p_min,
    )


@explained(published.ANLFL)
def anl_fl(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 5.0,
    beta: float = 5.0,
    gamma: float = 0.5,
    p_min: float = 1e-08,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Active negative loss, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{NNFL}(\gamma, p_{\min})`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NFL; in [0, 1e30], 5 by default.
        beta: the weight of NNFL; in [0, 1e30], 5 by default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        p_min: the floor of the probabilities, below which they have no gradient; in (0, 0.5), 1e-08 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``5*nfl(gamma=0.5, detached=true) + 5*nnfl(gamma=0.5, p_min=1e-08, detached=true)`` with the default
          parameters, where ``nfl`` is normalized focal loss and ``nnfl`` is normalized negative focal loss
        - ``anl-ce`` at gamma = 0

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.anl_fl(torch.zeros(8, 10), torch.arange(8), alpha=5, beta=5, gamma=0.5, p_min=1e-08).item(), 3)
        5.0

    References:
        Ye, Li, Dai, Liu, Sun, Tong: Active Negative Loss Functions for Learning with Noisy Labels. NeurIPS 2023,
        Sec. 3.
    """
    return call(
        published.ANLFL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        gamma,
        p_min,
    )


@explained(published.JointAsymmetricLoss)
def jal_ce(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    a: float = 30.0,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Joint Asymmetric Loss, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AMSE}(a, q=2)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NCE; in [0, 1e30], 1 by default.
        beta: the weight of AMSE; in [0, 1e30], 1 by default.
        a: AMSE's target of the label's probability: the larger, the more noise is tolerated; in [1, inf), 30 by
            default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nce + 1*amse(a=30, q=2)`` with the default parameters, where ``nce`` is normalized cross-entropy and
          ``amse`` is asymmetric mean squared error

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.jal_ce(torch.zeros(8, 10), torch.arange(8), alpha=1, beta=1, a=30).item(), 3)
        89.51

    References:
        Wang, Liu, Zhou, Hu, Zhai, Jiang, Ji: Joint Asymmetric Loss for Learning with Noisy Labels. ICCV 2025, Sec. 4.
    """
    return call(
        published.JointAsymmetricLoss,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        a,
    )


@explained(published.JALFL)
def jal_fl(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    a: float = 30.0,
    gamma: float = 0.5,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Joint Asymmetric Loss, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{AMSE}(a, q=2)`.

    Args:
        input: logits ``(N, K)``, ``(K,)`` or ``(N, K, d1, …)`` of K classes; p is their softmax.
        target: class indices y, of the logits' shape without K, or class probabilities of the logits' shape.
        weight: how much a sample of each class counts, ``(K,)``; all alike by default.
        alpha: the weight of NFL; in [0, 1e30], 1 by default.
        beta: the weight of AMSE; in [0, 1e30], 1 by default.
        a: AMSE's target of the label's probability: the larger, the more noise is tolerated; in [1, inf), 30 by
            default.
        gamma: the exponent of the focal loss's weight; in [0, 1e30], 0.5 by default.
        ignore_index: the label of samples that do not count; -100 by default.
        reduction: ``"mean"`` (the default) over what counts, ``"sum"``, or ``"none"`` for one value per label.
        label_smoothing: the share of each label that is spread over all classes; in [0, 1], 0 by default.

    Returns:
        A scalar, or with ``reduction="none"`` one value per label.

    Equals:
        - ``1*nfl(gamma=0.5, detached=true) + 1*amse(a=30, q=2)`` with the default parameters, where ``nfl`` is
          normalized focal loss and ``amse`` is asymmetric mean squared error
        - ``jal-ce`` at gamma = 0

    Example:
        >>> import torch
        >>> from noiseproof.losses import functional as F
        >>> round(F.jal_fl(torch.zeros(8, 10), torch.arange(8), alpha=1, beta=1, a=30, gamma=0.5).item(), 3)
        89.51

    References:
        Wang, Liu, Zhou, Hu, Zhai, Jiang, Ji: Joint Asymmetric Loss for Learning with Noisy Labels. ICCV 2025, Sec. 4.
    """
    return call(
        published.JALFL,
        input,
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        alpha,
        beta,
        a,
        gamma,
    )


def __getattr__(name: str) -> Callable[..., Tensor]:
    function = function_of(name)
    if function is None:
        raise AttributeError(f"module {__name__!r} has no function {name!r}: it has one for every registered loss")
    return function


def __dir__() -> list[str]:
    return sorted({*globals(), *map(function_name, REGISTRY)})
