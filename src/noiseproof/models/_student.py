"""The Student head of LT-APL: class means and degrees of freedom in place of a linear classifier."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Judged(NamedTuple):
    """What a head makes of features whose labels are known."""

    logits: Tensor
    """``(N, classes)``, what the loss is computed of."""
    penalty: Tensor
    """A scalar that is added to the loss."""


class StudentHead(nn.Module):
    r"""Scores of features under a Student-type density around learnable class means.

    Features and means lie on the unit sphere. With :math:`D_k = \tfrac12\lVert f - \mu_k\rVert^2`, the degrees of
    freedom :math:`\nu_k = r_k^2 + 0.1` and :math:`\delta = \log d` in the place of the feature dimension d, the score
    is :math:`S_k = \frac{\Gamma((\nu_k+\delta)/2)}{\Gamma(\nu_k/2)\,\nu_k^{\delta/2}}
    (1 + D_k/\nu_k)^{-(\nu_k+\delta)/2}`, and the scores of a sample, divided by their Euclidean norm, are its logits.
    So no softmax probability exceeds :math:`e/(e+K-1)`.

    In training the distance to the labeled class is multiplied by ``1 + margin``, and ``center`` times the mean of
    :math:`D_y`, without the margin, is added to the loss. The recorded training accuracy is that with the margin.

    It follows the authors' published code. The paper's text was not at hand, so it is not known whether LT-APL is this
    head with NCE+RCE of the weights 1 and 10 (the code has no other active-passive loss, and its other combinations are
    named so), whether the paper trained as the code does (Adam, learning rate 1e-3, decay 1e-4 on CIFAR-10 and 1e-5 on
    CIFAR-100), and whether its figures come from before or after the code was corrected to normalize the means in the
    distance, as is done here. JAL's tables quote its figures and did not run it.

    Args:
        num_features: the length d of the feature vectors.
        num_classes: the number K of logits.
        margin: how much farther the labeled class counts in training.
        center: the weight of the distance to the labeled class's mean in the loss.
    """

    judges = True

    def __init__(self, num_features: int, num_classes: int, *, margin: float, center: float) -> None:
        super().__init__()
        self.margin = margin
        self.center = center
        self.means = nn.Parameter(torch.empty(num_classes, num_features))
        self.roots = nn.Parameter(torch.empty(num_classes, 1))
        nn.init.xavier_uniform_(self.means)
        nn.init.xavier_uniform_(self.roots)

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor | Judged:
        """The logits; with labels, those with the margin and the center term."""
        with torch.autocast(features.device.type, enabled=False):
            distances = self._distances(features)
            if labels is None:
                return self._logits(distances)
            labeled = functional.one_hot(labels, len(self.means)).to(distances.dtype)
            own = (distances * labeled).sum(-1)
            return Judged(self._logits(distances * (1 + self.margin * labeled)), self.center * own.mean())

    def _distances(self, features: Tensor) -> Tensor:
        """Half the squared distances between unit vectors, in the precision of the parameters at least."""
        exact = features.to(torch.promote_types(features.dtype, self.means.dtype))
        return 1 - functional.normalize(exact, dim=-1) @ functional.normalize(self.means, dim=-1).T

    def _logits(self, distances: Tensor) -> Tensor:
        size = math.log(self.means.shape[1])
        freedom = self.roots[:, 0] ** 2 + 0.1
        half = (freedom + size) / 2
        constant = torch.lgamma(half) - torch.lgamma(freedom / 2) - size / 2 * torch.log(freedom)
        scores = constant - half * torch.log1p(distances / freedom)
        # Only their ratios count, so the largest becomes 1 before they leave the logarithm, and none overflows.
        return functional.normalize(torch.exp(scores - scores.amax(-1, keepdim=True).detach()), dim=-1)
