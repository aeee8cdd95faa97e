"""What the networks of a run say of inputs that they do not learn from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from noiseproof.train._batches import Inputs, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BATCH = 256
_VALUES = 1 << 23
"""On a GPU a batch has as many samples as have this many values, where those are more: launches cost time there."""


def outputs_of(
    networks: Sequence[nn.Module], inputs: Inputs, input_shape: tuple[int, ...]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batch by batch, the indices of the inputs that could be read and their logits, in evaluation mode.

    Of several networks it is the logarithm of their mean probabilities.
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
                yield index, logits[0] if len(logits) == 1 else mean_logits(logits)


def mean_logits(logits: Sequence[Tensor]) -> Tensor:
    """The logarithm of the mean of the probabilities."""
    each = torch.stack([one.log_softmax(1) for one in logits])
    return each.logsumexp(0) - math.log(len(logits))


def accuracy(
    networks: Sequence[nn.Module], inputs: Inputs, labels: Tensor, input_shape: tuple[int, ...], num_classes: int
) -> tuple[float | None, float | None, bool]:
    """Top-1 and, with more than five classes, top-5 accuracy over what could be read; and whether all was finite."""
    best = min(5, num_classes)
    hits = torch.zeros(best, dtype=torch.int64, device=labels.device)
    finite = torch.ones((), dtype=torch.bool, device=labels.device)
    seen = 0
    for index, outputs in outputs_of(networks, inputs, input_shape):
        finite &= outputs.isfinite().all()
        hits += (outputs.topk(best).indices == labels[index, None]).sum(0)
        seen += len(index)
    if not seen:
        return None, None, True
    top = hits.cumsum(0).tolist()
    return top[0] / seen, top[4] / seen if num_classes > best else None, bool(finite)


def are_finite(modules: Sequence[nn.Module]) -> bool:
    """Whether all weights and buffers are numbers."""
    tensors = [each for module in modules for each in (*module.parameters(), *module.buffers())]
    values = [tensor.isfinite().all() for tensor in tensors]
    return not values or bool(torch.stack(values).all())
