"""A loss, and nothing else: what JAL and everything that it is compared with are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from noiseproof.methods._base import Batch, Method, StepOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn


class RobustLoss(Method, name="loss"):
    """The loss of the labels, with the penalty of the network's head if it has one."""

    compiles = True

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
        """The sum of the samples' losses, each times its weight."""
        total: Tensor = self.criterion(logits, batch.labels, batch.weight)
        return total
