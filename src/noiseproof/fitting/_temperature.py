"""How sure a model may be, from held-out labels of which some are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_GRID = np.exp(np.linspace(np.log(0.25), np.log(16.0), 121))


def find_temperature(
    members: Sequence[NDArray[np.float64]],
    shares: NDArray[np.float64],
    labels: NDArray[np.int64],
    weight: NDArray[np.float64],
) -> float:
    """What the logits of all members are divided by so that the held-out labels are the likeliest.

    Labels that are wrong make the model less sure than it should be, never surer: it is as sure as the labels deserve.

    Args:
        members: of each member ``(N, classes)``, its probabilities for held-out samples.
        shares: of each member, how much its probabilities count.
        labels: ``(N,)``, the given ones.
        weight: ``(N,)``, how much each counts.

    Returns:
        The temperature, at least 1 where 1 is as good as anything lower.
    """
    logs = [np.log(np.maximum(member, 1e-30)) for member in members]
    rows = np.arange(len(labels))

    def risk(temperature: float) -> float:
        total = np.zeros_like(logs[0])
        for log, share in zip(logs, shares / shares.sum(), strict=True):
            scaled = log / temperature
            powers = np.exp(scaled - scaled.max(1, keepdims=True))
            total += share * powers / powers.sum(1, keepdims=True)
        own = np.maximum(total[rows, labels], 1e-12)
        return float(-(weight * np.log(own)).sum() / weight.sum())

    risks = [risk(temperature) for temperature in _GRID]
    best = float(_GRID[int(np.argmin(risks))])
    return best if risk(best) < risk(1.0) else 1.0
