"""What a run learns from and is measured on, on its device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from noiseproof.loaders import Inputs, make_inputs
from noiseproof.train._order import check_balanced

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noiseproof.loaders import Reader
    from noiseproof.train._prepare import Task
    from noiseproof.train._recipe import Recipe


@dataclass(frozen=True, eq=False)
class Sets:
    """The parts of the data.

    Attributes:
        train: the inputs of the training part.
        labels: ``(N,)``, to learn from.
        wrong: ``(N,)``, which of them are wrong; ``None`` where nobody knows.
        weight: ``(N,)``, how much each sample counts; ``None`` where all count alike.
        trusted: ``(N,)``, which of the labels a person has checked; ``None`` where nobody has.
        balance: ``(N,)``, the labels that each epoch has as many of; ``None`` where an epoch is the training part.
        measured: what accuracies are measured on, by name: ``"validation"`` with noisy labels, ``"test"`` and further
            test sets.
        places: where the samples of the training and the validation part stand in the data set's training set.
    """

    train: Inputs
    labels: Tensor
    wrong: Tensor | None
    weight: Tensor | None
    trusted: Tensor | None
    balance: NDArray[np.int64] | None
    measured: dict[str, tuple[Inputs, Tensor]]
    places: dict[str, NDArray[np.int64]]

    @property
    def labeled(self) -> dict[str, Tensor]:
        """The given labels of the training and, where there is one, the validation part."""
        held_out = {"validation": self.measured["validation"][1]} if "validation" in self.measured else {}
        return {"train": self.labels, **held_out}

    @property
    def unreadable(self) -> dict[str, dict[str, str]]:
        """The images that could not be read so far, by part."""
        parts = {"train": self.train, **{name: inputs for name, (inputs, _) in self.measured.items()}}
        return {name: inputs.unreadable for name, inputs in parts.items()}


def make_sets(task: Task, recipe: Recipe, device: torch.device, reader: Reader | None) -> Sets:
    """Put the data of a task on a device.

    Raises:
        RecipeError: balanced epochs of a class without samples.
    """
    dataset = task.dataset
    balance = task.labels[task.train] if recipe.balanced else None
    if balance is not None:
        check_balanced(balance, dataset.num_classes)
    measured: dict[str, tuple[Inputs, Tensor]] = {}
    if len(task.validation):
        inputs = make_inputs(dataset.preprocessing, task.inputs(task.validation), device, reader)
        measured["validation"] = inputs, torch.from_numpy(task.labels[task.validation]).to(device)
    for name, part in dataset.test_parts.items():
        measured[name] = (
            make_inputs(dataset.preprocessing, part.inputs, device, reader),
            torch.from_numpy(part.labels).to(device),
        )
    return Sets(
        train=make_inputs(dataset.preprocessing, task.inputs(task.train), device, reader),
        labels=torch.from_numpy(task.labels[task.train]).to(device),
        wrong=_on(device, task.wrong, task.train),
        weight=_on(device, dataset.sample_weight, task.train),
        trusted=_on(device, dataset.trusted, task.train),
        balance=balance,
        measured=measured,
        places={"train": task.train, "validation": task.validation},
    )


def _on(device: torch.device, values: NDArray[Any] | None, index: NDArray[np.int64]) -> Tensor | None:
    return None if values is None else torch.from_numpy(values[index]).to(device)
