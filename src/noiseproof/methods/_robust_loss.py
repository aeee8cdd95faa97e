"""A loss, and nothing else: what JAL and everything that it is compared with are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from noiseproof.losses import make_loss
from noiseproof.methods._base import Batch, Method, StepOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn


class RobustLoss(Method, name="loss"):
    """The loss of the labels, with the penalty of the network's head if it has one."""

    compiles = True
    _checked = make_loss("ce", reduction="sum")

    def step(self, networks: Sequence[nn.Module], batch: Batch) -> StepOutput:
        """See :meth:`noiseproof.methods.Method.step`."""
        network = networks[0]
        if getattr(network, "judges", False):
            logits, extra = network(batch.views[0], batch.labels)
        else:
            logits, extra = network(batch.views[0]), None
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        loss = self.criterion_of(logits, batch)
        count = len(batch.labels) if batch.weight is None else batch.weight.sum()
        return StepOutput(loss if extra is None else loss + count * extra, count, logits, self.penalty(networks))

    def criterion_of(self, logits: Tensor, batch: Batch) -> Tensor:
        """The sum of the samples' losses, each times its weight. A label that was checked has cross-entropy."""
        if batch.trusted is None:
            total: Tensor = self.criterion(logits, batch.labels, batch.weight)
            return total
        checked = batch.trusted.to(logits.dtype)
        weight = torch.ones_like(checked) if batch.weight is None else batch.weight.to(logits.dtype)
        noisy: Tensor = self.criterion(logits, batch.labels, weight * (1 - checked))
        right: Tensor = self._checked(logits, batch.labels, weight * checked)
        return noisy + right
