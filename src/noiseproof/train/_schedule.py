"""How the learning rate changes from epoch to epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from noiseproof.methods import make_method
from noiseproof.train._recipe import StableSchedule, StepSchedule

if TYPE_CHECKING:
    from noiseproof.train._recipe import Recipe


def learning_rate_factor(schedule: str | float | StepSchedule | StableSchedule, epoch: int, epochs: int) -> float:
    """What the learning rate is multiplied by in an epoch, counted from 0, of so many."""
    if schedule == "cosine":
        return (1 + math.cos(math.pi * epoch / epochs)) / 2
    if isinstance(schedule, StepSchedule):
        return schedule.factor ** sum(epoch >= end for end in schedule.after)
    if isinstance(schedule, StableSchedule):
        return min(1.0, (epoch + 1) / (schedule.warmup + 1), (epochs - epoch) / (schedule.decay + 1))
    rate = 1.0 if isinstance(schedule, str) else schedule
    return rate**epoch


def learning_rates(recipe: Recipe) -> list[float]:
    """The factors of all epochs of a recipe."""
    return [learning_rate_factor(recipe.schedule, epoch, recipe.epochs) for epoch in range(recipe.epochs)]


def can_be_made_longer(recipe: Recipe) -> bool:
    """Whether the recipe's run is the beginning of a longer one that differs from it in its length alone."""
    longer = recipe.epochs + 1
    is_the_same = learning_rates(recipe) == [
        learning_rate_factor(recipe.schedule, epoch, longer) for epoch in range(recipe.epochs)
    ]
    return is_the_same and len(make_method(recipe.method.kind).phases(recipe.epochs)) == 1
