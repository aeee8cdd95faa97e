"""What networks say of inputs that they do not learn from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from noiseproof.loaders import Inputs, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BATCH = 256
_VALUES = 1 << 23
"""On a GPU a batch has as many samples as have this many values, where those are more: launches cost time there."""


def outputs_of(
    networks: Sequence[nn.Module],
    inputs: Inputs,
    input_shape: tuple[int, ...],
    shares: Tensor | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batch by batch, the indices of the inputs that could be read and their logits, in evaluation mode.

    Of several networks it is the logarithm of their mean probabilities, weighted by ``shares`` where these are given.
    """
    size = _BATCH
    if next(networks[0].parameters(), torch.empty(0)).device.type == "cuda":
        size = max(size, _VALUES // math.prod(input_shape))
    for network in networks:
        network.eval()
    with torch.no_grad():
        for index, (batch,) in inputs.batches(in_order(len(inputs), size)):
            if len(index):
                logits = [network(batch) for network in networks]
                yield index, logits[0] if len(logits) == 1 else mean_logits(logits, shares)


def mean_logits(logits: Sequence[Tensor], shares: Tensor | None = None) -> Tensor:
    """The logarithm of the mean of the probabilities, weighted by ``shares`` where these are given."""
    each = torch.stack([one.log_softmax(1) for one in logits])
    if shares is None:
        return each.logsumexp(0) - math.log(len(logits))
    weights = (shares / shares.sum()).log().to(each.dtype)
    return (each + weights.view(-1, 1, 1)).logsumexp(0)
