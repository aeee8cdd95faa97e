"""The papers that the losses come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Citation:
    """Where in a publication a loss is defined."""

    authors: str
    title: str
    venue: str
    place: str

    def __str__(self) -> str:
        return f"{self.authors}: {self.title}. {self.venue}, {self.place}"


def ghosh_2017(place: str) -> Citation:
    """MAE and the symmetry condition."""
    return Citation(
        "Ghosh, Kumar, Sastry", "Robust Loss Functions under Label Noise for Deep Neural Networks", "AAAI 2017", place
    )


def lin_2017(place: str) -> Citation:
    """Focal loss."""
    return Citation("Lin, Goyal, Girshick, He, Dollár", "Focal Loss for Dense Object Detection", "ICCV 2017", place)


def zhang_2018(place: str) -> Citation:
    """GCE."""
    return Citation(
        "Zhang, Sabuncu",
        "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels",
        "NeurIPS 2018",
        place,
    )


def wang_2019(place: str) -> Citation:
    """RCE and SCE."""
    return Citation(
        "Wang, Ma, Chen, Luo, Yi, Bailey",
        "Symmetric Cross Entropy for Robust Learning with Noisy Labels",
        "ICCV 2019",
        place,
    )


def ma_2020(place: str) -> Citation:
    """Normalized losses and the active-passive combinations."""
    return Citation(
        "Ma, Huang, Wang, Romano, Erfani, Bailey",
        "Normalized Loss Functions for Deep Learning with Noisy Labels",
        "ICML 2020",
        place,
    )


def zhou_2021(place: str) -> Citation:
    """Asymmetric losses: AGCE, AUL and AEL."""
    return Citation(
        "Zhou, Liu, Jiang, Gao, Ji", "Asymmetric Loss Functions for Learning with Noisy Labels", "ICML 2021", place
    )


def ye_2023(place: str) -> Citation:
    """Normalized negative losses and their combinations, ANL."""
    return Citation(
        "Ye, Li, Dai, Liu, Sun, Tong",
        "Active Negative Loss Functions for Learning with Noisy Labels",
        "NeurIPS 2023",
        place,
    )


def wang_2024(place: str) -> Citation:
    """ε-softmax."""
    return Citation(
        "Wang, Zhou, Zhai, Jiang, Ji, Liu",
        "ε-Softmax: Approximating One-Hot Vectors for Mitigating Label Noise",
        "NeurIPS 2024",
        place,
    )


def zhu_2023(place: str) -> Citation:
    """LDR-KL."""
    return Citation(
        "Zhu, Ying, Yang", "Label Distributionally Robust Losses for Multi-class Classification", "ICML 2023", place
    )


def wei_2023(place: str) -> Citation:
    """Logit clipping."""
    return Citation(
        "Wei, Zhuang, Xie, Feng, Niu, An, Li",
        "Mitigating Memorization of Noisy Labels by Clipping the Model",
        "ICML 2023",
        place,
    )


def kim_2019(place: str) -> Citation:
    """Negative learning."""
    return Citation("Kim, Yim, Yun, Kim", "NLNL: Negative Learning for Noisy Labels", "ICCV 2019", place)


def amid_2019(place: str) -> Citation:
    """Bi-tempered logistic loss."""
    return Citation(
        "Amid, Warmuth, Anil, Koren",
        "Robust Bi-Tempered Logistic Loss Based on Bregman Divergences",
        "NeurIPS 2019",
        place,
    )


def wang_2025(place: str) -> Citation:
    """AMSE and Joint Asymmetric Loss."""
    return Citation(
        "Wang, Liu, Zhou, Hu, Zhai, Jiang, Ji",
        "Joint Asymmetric Loss for Learning with Noisy Labels",
        "ICCV 2025",
        place,
    )
