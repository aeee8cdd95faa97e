"""Runs that have learned nothing."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import torch

from noiseproof.errors import RunWarning

if TYPE_CHECKING:
    from torch import Tensor

    from noiseproof.train._state import RunState


def warn_at_chance(state: RunState) -> None:
    """Say that a run has learned nothing, if neither its training labels nor any others tell that it has.

    Wrong labels leave little above chance in the training accuracy of a network that does learn, so every set is asked.
    A few updates tell nothing either way.
    """
    recipe, last = state.recipe, state.history[-1]
    if recipe.epochs < 2 or recipe.epochs * len(state.order) < _UPDATES_TO_JUDGE:
        return
    measured = {"validation": last.validation_accuracy, "test": last.test_accuracy}
    measured.update({name: measures["accuracy"] for name, measures in last.extra_tests.items()})
    if not _is_chance(last.train_accuracy, state.labels, balanced=recipe.balanced) or not all(
        _is_chance(accuracy, state.sets.measured[name][1])
        for name, accuracy in measured.items()
        if accuracy is not None
    ):
        return
    lr = recipe.lr if recipe.method.lr is None else recipe.method.lr
    warnings.warn(
        f"run {recipe.id} stayed at chance: after {recipe.epochs} epochs the network agrees with "
        f"{last.train_accuracy:.1%} of its training labels, no more than who always names the most frequent class. "
        f"Try lr = {10 * lr:g} and {lr / 10:g}; optimizer = 'adamw' with lr = 0.001, for losses of any size; or "
        "method = 'ce', to see whether this network learns these data at all",
        RunWarning,
        stacklevel=3,
    )


_UPDATES_TO_JUDGE = 100
"""With fewer, a run that is at chance may just not have begun to learn."""


def _is_chance(accuracy: float, labels: Tensor, *, balanced: bool = False) -> bool:
    """Whether guesses are as good: within two standard errors of the share of the most frequent label."""
    counts = torch.bincount(labels).double()
    share = float(1 / (counts > 0).sum() if balanced else counts.max() / counts.sum())
    return accuracy <= share + 2 * math.sqrt(share * (1 - share) / len(labels))
