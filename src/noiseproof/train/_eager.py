"""The updates of an epoch, one after another, as PyTorch code is written: the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from noiseproof.methods import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from noiseproof.methods import StepOutput
    from noiseproof.train._state import RunState


class EagerSteps:
    """One update per mini-batch.

    Args:
        state: of the run, which the updates change.
    """

    def __init__(self, state: RunState) -> None:
        self.state = state

    @staticmethod
    def name_on(device: torch.device) -> str:  # noqa: ARG004 - the same everywhere
        """How a record names this kind of update."""
        return "plain"

    def run(self) -> Iterator[int]:
        """Update with each mini-batch that is left of the epoch, and yield how many samples of it could be read.

        The state then stands where the next one begins.
        """
        state, inputs = self.state, self.state.sets.train
        fewest = min(2, len(inputs))  # batch normalization cannot use a single image that is left of a batch
        batches = inputs.batches(
            state.order[state.step :], state.recipe.augment, state.augmentation, state.method.views
        )
        for index, views in batches:
            enough = len(index) >= fewest
            if enough:
                self.update(views, index)
            yield len(index) if enough else 0

    def update(self, views: tuple[Tensor, ...], index: Tensor) -> None:
        """Change the networks by the loss of some samples, and note what they said of them."""
        state = self.state
        labels = state.sets.labels[index]
        weight, trusted = (None if each is None else each[index] for each in (state.sets.weight, state.sets.trusted))
        output = self.step(Batch(views, labels, index, weight, trusted))
        objective = output.loss / (output.weight + (output.weight == 0))  # samples without weight have no loss
        if output.penalty is not None:
            objective = objective + output.penalty
        self._descend(objective)

        with torch.no_grad():
            state.note("train", index, output.logits)
            state.loss_sum += output.loss.detach()
            state.weight_sum += output.weight
            agrees = output.logits.argmax(1) == labels
            state.agreed[0] += agrees.sum()
            if state.sets.wrong is not None:
                wrong = state.sets.wrong[index]
                state.agreed[1] += (agrees & wrong).sum()
                state.agreed[2] += wrong.sum()

    def _descend(self, objective: Tensor) -> None:
        """Make the gradients of a scalar, clip their norm together, and let the optimizer step."""
        optimizer, scaler = self.state.optimizer, self.state.precision.scaler
        optimizer.zero_grad()
        if scaler is None:
            objective.backward()  # type: ignore[no-untyped-call]
        else:
            scaler.scale(objective).backward()  # type: ignore[no-untyped-call]
            scaler.unscale_(optimizer)
        if self.state.recipe.clip_norm is not None:
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self.state.recipe.clip_norm)
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
            scaler.update()

    def step(self, batch: Batch) -> StepOutput:
        """The method's step."""
        return self.state.method.step(self.state.called, batch)
