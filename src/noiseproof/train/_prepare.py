"""From a recipe to data with noisy labels: the part of a run that uses no torch and no device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from noiseproof import data as datasets
from noiseproof import noise
from noiseproof.errors import DataError, LabelError, RecipeError
from noiseproof.seeding import numpy_stream
from noiseproof.train._recipe import IMAGE_FILES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from noiseproof.train._recipe import DataRecipe, Recipe


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

    @property
    def wrong(self) -> NDArray[np.bool_] | None:
        """Where the label to learn from is wrong, as far as anybody knows."""
        return None if self.noise is None else self.noise.mask


def load_dataset(recipe: DataRecipe, data_dir: Path, *, download: bool = False) -> datasets.Dataset:
    """The data set that a recipe names.

    Args:
        recipe: which one.
        data_dir: where published data sets are; CIFAR can be put there.
        download: whether CIFAR may be fetched.

    Raises:
        DataError: it is not there, or damaged, or has fewer samples or pixels than the recipe asks for.
    """
    if recipe.name == "digits":
        dataset = datasets.digits()
    elif recipe.name in IMAGE_FILES:
        dataset = _load_files(recipe, data_dir)
    elif recipe.name == "arrays":
        assert recipe.path is not None  # noqa: S101 - DataRecipe sees to it
        dataset = datasets.arrays(recipe.path)
    else:
        loader = datasets.cifar10 if recipe.name == "cifar10" else datasets.cifar100
        dataset = loader(data_dir, download=download)
    if recipe.train_size is not None:
        dataset = dataset.first_per_class(recipe.train_size)
    return dataset if recipe.shrink == 1 else dataset.shrunk(recipe.shrink)


def _load_files(recipe: DataRecipe, data_dir: Path) -> datasets.Dataset:
    image_size, resize = recipe.size_and_resize
    if recipe.name == "webvision":
        return datasets.webvision_mini(data_dir, image_size=image_size, resize=resize)
    if recipe.name == "clothing1m":
        return datasets.clothing1m(data_dir, image_size=image_size, resize=resize)
    assert recipe.path is not None  # noqa: S101 - DataRecipe sees to it
    if recipe.name == "folder":
        return datasets.image_folder(recipe.path, image_size=image_size, resize=resize)
    return datasets.image_lists(
        recipe.path, test=recipe.test, classes=recipe.classes, root=recipe.root, image_size=image_size, resize=resize
    )


def prepare(recipe: Recipe, dataset: datasets.Dataset, data_dir: Path) -> Task:
    """Put the recipe's noise on the training labels and split off the validation part.

    Raises:
        DataError: labels from a file that do not belong to this data set.
        LabelError: noise that these labels cannot have.
        RecipeError: so small a training set that a part of the split is empty.
    """
    noisy = _make_noise(recipe, dataset, data_dir)
    labels = dataset.train.labels if noisy is None else noisy.labels
    order = numpy_stream(recipe.seed, "split").permutation(len(labels))
    held_out = round(recipe.validation * len(labels))
    if recipe.validation and not 0 < held_out < len(labels) - 1:
        raise RecipeError(
            f"validation: {recipe.validation:g} of {len(labels)} samples leaves {held_out} for validation and "
            f"{len(labels) - held_out} for training; both need some"
        )
    return Task(dataset, noisy, labels, np.sort(order[held_out:]), np.sort(order[:held_out]))


def _make_noise(recipe: Recipe, dataset: datasets.Dataset, data_dir: Path) -> noise.NoisyLabels | None:
    spec, labels, classes = recipe.noise, dataset.train.labels, dataset.num_classes
    seed = recipe.seed
    if spec.kind == "none":
        if dataset.clean_labels is not None:
            return noise.NoisyLabels.observed(labels, dataset.clean_labels, classes, "given")
        return None if not recipe.data.labels_are_clean else noise.NoisyLabels.observed(labels, labels, classes, "no")
    if spec.kind == "symmetric":
        return noise.symmetric(labels, spec.rate, num_classes=classes, seed=seed, mode=spec.mode)
    if spec.kind == "asymmetric":
        mapping = recipe.data.name if spec.mapping is None else spec.mapping
        return noise.asymmetric(
            labels, spec.rate, mapping, num_classes=classes, seed=seed, mode=spec.mode, source=spec.source
        )
    if spec.kind == "matrix":
        return noise.from_matrix(labels, read_matrix(Path(spec.path)), seed=seed, mode=spec.mode)
    read = datasets.cifarn(data_dir, spec.column) if spec.kind == "human" else noise.load(spec.path)
    if dataset.positions is not None and len(read.labels) > len(labels):
        read = read.take(dataset.positions)
    if len(read.clean) != len(labels) or (read.clean != labels).any():
        raise DataError(
            f"the clean labels in the file of {read.kind} noise are not those of {dataset.name} "
            f"({len(read.clean)} against {len(labels)} labels): they belong to other data, or to another order of it"
        )
    return read


def read_matrix(path: Path) -> NDArray[np.float64]:
    """A transition matrix from a ``.npy`` or a comma-separated text file.

    Raises:
        LabelError: it cannot be read, or is no row-stochastic matrix.
    """
    try:
        matrix = np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.loadtxt(path, delimiter=",")
    except (OSError, ValueError) as error:
        raise LabelError(f"cannot read a transition matrix from {path}: {error}") from error
    return noise.check_matrix(matrix)
