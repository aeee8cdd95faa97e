"""The order in which an epoch goes through the training samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from noiseproof.errors import RecipeError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


def epoch_order(
    size: int, batch_size: int, random: torch.Generator, labels: NDArray[np.int64] | None = None
) -> list[Tensor]:
    """The batches of an epoch as index tensors, in random order.

    A single sample that is left over joins the last batch: batch normalization cannot use it alone.

    Args:
        size: how many samples there are.
        batch_size: how many of them a batch has.
        random: what the order is drawn from.
        labels: if given, the epoch has as many samples of each label as the rarest label has, drawn anew.
    """
    order = torch.randperm(size, generator=random)
    if labels is not None:
        # The first of each label in a random order are a random choice, already shuffled.
        rank = _rank_within_label(labels[order.numpy()])
        order = order[torch.from_numpy(rank < np.bincount(labels).min())]
    batches = list(torch.split(order, batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def check_balanced(labels: NDArray[np.int64], num_classes: int) -> None:
    """Refuse balanced epochs where a class has no samples.

    Raises:
        RecipeError: one has none.
    """
    empty = np.flatnonzero(np.bincount(labels, minlength=num_classes) == 0)
    if len(empty):
        raise RecipeError(f"balanced: no training label is class {empty[0]}; every class needs at least one")


def _rank_within_label(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each sample, how many of the same label come before it."""
    by_label = np.argsort(labels, kind="stable")
    starts = np.r_[0, np.bincount(labels).cumsum()[:-1]]
    rank = np.empty_like(by_label)
    rank[by_label] = np.arange(len(labels)) - starts[labels[by_label]]
    return rank
