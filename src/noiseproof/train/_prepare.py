"""From a recipe to data with noisy labels: the part of a run that uses no torch and no device."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.errors import DataWarning, RecipeError
from noiseproof.seeding import numpy_stream
from noiseproof.train._recipe import make_source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from noiseproof import data as datasets
    from noiseproof import noise
    from noiseproof.data.sources import DataSource
    from noiseproof.train._recipe import Recipe


@dataclass(frozen=True)
class Task:
    """What a run learns from.

    Attributes:
        dataset: inputs, with the labels as the source has them.
        noise: the noisy labels; ``None`` where nobody knows which labels are right.
        labels: ``(N,)``, the labels to learn from.
        train: indices of the training part.
        validation: indices of the noisy validation part, empty without one.
    """

    dataset: datasets.Dataset
    noise: noise.NoisyLabels | None
    labels: NDArray[np.int64]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]

    def inputs(self, index: NDArray[np.int64]) -> NDArray[Any] | datasets.ImageFiles:
        """The training set's inputs at ``train`` or ``validation``: where that is all of them, no copy of them."""
        everything = self.dataset.train.inputs
        return everything if len(index) == len(everything) else everything[index]

    @property
    def wrong(self) -> NDArray[np.bool_] | None:
        """Where the label to learn from is wrong, as far as anybody knows."""
        return None if self.noise is None else self.noise.mask


def load_dataset(
    source: DataSource | Mapping[str, Any] | str, data_dir: str | Path = "data", *, download: bool = False
) -> datasets.Dataset:
    """The data set that a recipe names.

    Args:
        source: which one: the table of a recipe, or a name.
        data_dir: where published data sets are; CIFAR can be put there.
        download: whether CIFAR may be fetched.

    Raises:
        DataError: it is not there, or damaged, or has fewer samples or pixels than the recipe asks for.
        RecipeError: an unknown name or key, or a value outside its domain.
    """
    return make_source(source).load(Path(data_dir), download=download)


def prepare(recipe: Recipe, dataset: datasets.Dataset, data_dir: str | Path) -> Task:
    """Put the recipe's noise on the training labels and split off the validation part.

    Raises:
        DataError: labels from a file that do not belong to this data set.
        LabelError: noise that these labels cannot have.
        RecipeError: so small a training set that a part of the split is empty.
    """
    if len(dataset.train) < _FEWEST:
        warnings.warn(
            f"{dataset.name} has {len(dataset.train)} training samples: nothing that is measured on so few means much",
            DataWarning,
            stacklevel=2,
        )
    noisy = make_noise(recipe, dataset, data_dir)
    labels = dataset.train.labels if noisy is None else noisy.labels.astype(np.int64)
    if dataset.held_out is not None:
        if recipe.validation:
            raise RecipeError(
                f"validation: {dataset.name} says itself which samples are held out: leave {recipe.validation:g} out"
            )
        kept = np.setdiff1d(np.arange(len(labels)), dataset.held_out)
        return Task(dataset, noisy, labels, kept, dataset.held_out)
    order = numpy_stream(recipe.seed, "split").permutation(len(labels))
    held_out = round(recipe.validation * len(labels))
    if recipe.validation and not 0 < held_out < len(labels) - 1:
        raise RecipeError(
            f"validation: {recipe.validation:g} of {len(labels)} samples leaves {held_out} for validation and "
            f"{len(labels) - held_out} for training; both need some"
        )
    _keep_every_class(order, held_out, labels)
    return Task(dataset, noisy, labels, np.sort(order[held_out:]), np.sort(order[:held_out]))


_FEWEST = 10


def _keep_every_class(order: NDArray[np.int64], held_out: int, labels: NDArray[np.int64]) -> None:
    """Change places in ``order`` so that every label that the first ``held_out`` samples have is there after them too.

    Raises:
        RecipeError: so few samples are left that they cannot have every label.
    """
    left = np.bincount(labels[order[held_out:]], minlength=int(labels.max()) + 1)
    lost = [label for label in np.unique(labels[order[:held_out]]).tolist() if not left[label]]
    if len(lost) > int((left - 1).clip(0).sum()):
        raise RecipeError(
            f"validation: {len(order) - held_out} samples are left for training, too few for one of every class: hold "
            "out less"
        )
    for label in lost:
        spare = held_out + next(at for at, sample in enumerate(order[held_out:]) if left[labels[sample]] > 1)
        place = int(np.flatnonzero(labels[order[:held_out]] == label)[0])
        left[labels[order[spare]]] -= 1
        left[label] += 1
        order[[place, spare]] = order[[spare, place]]


def make_noise(recipe: Recipe, dataset: datasets.Dataset, data_dir: str | Path) -> noise.NoisyLabels | None:
    """The recipe's noise on the training labels; ``None`` where nobody knows which labels are right.

    Raises:
        DataError, LabelError: as for :func:`prepare`.
    """
    return recipe.noise.make(dataset, recipe.data, recipe.seed, Path(data_dir))
