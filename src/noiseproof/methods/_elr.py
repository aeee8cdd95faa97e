"""Early-learning regularization: what the network said early keeps it from learning wrong labels later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from noiseproof.losses import parameter
from noiseproof.methods._robust_loss import RobustLoss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from noiseproof.methods._base import Batch, StepOutput

_FLOOR = 1e-4
"""Probabilities are kept this far from 0 and 1, as published."""


class EarlyLearningRegularization(RobustLoss, name="elr"):
    r"""ELR: the loss plus a term that pulls predictions toward a moving average of earlier ones.

    For each sample i with probabilities p (clamped to [1e-4, 1 - 1e-4]) a target t, which starts at 0, moves before it
    is used, without a gradient: :math:`t_i \leftarrow \beta t_i + (1-\beta)\,p_i/\sum_k p_{ik}`. The loss is
    :math:`\ell + \lambda\,\mathrm{mean}\,\log(1 - \langle t_i, p_i\rangle)`, with the gradient through p.

    Published for CIFAR-10: β = 0.7 and λ = 3 under symmetric noise, 0.9 and 1 under asymmetric noise, with
    cross-entropy.

    Source: Liu, Niles-Weed, Razavian, Fernandez-Granda, "Early-Learning Regularization Prevents Memorization of Noisy
    Labels", NeurIPS 2020.
    """

    beta: float = parameter(default=0.7, domain="[0, 1)")
    strength: float = parameter(default=3.0, domain="[0, 1e6]")
    compiles = False

    targets: Tensor

    def begin(self, num_samples: int, num_classes: int) -> None:
        """See :meth:`noiseproof.methods.Method.begin`."""
        self.register_buffer("targets", torch.zeros(num_samples, num_classes))

    def step(self, networks: Sequence[nn.Module], batch: Batch) -> StepOutput:
        """See :meth:`noiseproof.methods.Method.step`."""
        output = super().step(networks, batch)
        p = output.logits.softmax(1).clamp(_FLOOR, 1 - _FLOOR)
        with torch.no_grad():
            share = (p / p.sum(1, keepdim=True)).to(self.targets.dtype)
            target = self.beta * self.targets[batch.index] + (1 - self.beta) * share
            self.targets[batch.index] = target
        each = torch.log1p(-(target.to(p.dtype) * p).sum(1))
        output.loss = output.loss + self.strength * (each if batch.weight is None else each * batch.weight).sum()
        return output
