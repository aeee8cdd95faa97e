"""From a recipe to data with noisy labels: the part of a run that uses no torch and no device."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof import data as datasets
from noiseproof import noise
from noiseproof.errors import DataError, DataWarning, LabelError, RecipeError
from noiseproof.seeding import numpy_stream
from noiseproof.train._recipe import IMAGE_FILES
from noiseproof.untrusted import read_npy, read_text

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

    def inputs(self, index: NDArray[np.int64]) -> NDArray[Any] | datasets.ImageFiles:
        """The training set's inputs at ``train`` or ``validation``: where that is all of them, no copy of them."""
        everything = self.dataset.train.inputs
        return everything if len(index) == len(everything) else everything[index]

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
    common: dict[str, Any] = {"image_size": image_size, "resize": resize, "unreadable": recipe.unreadable}
    if recipe.name == "webvision":
        return datasets.webvision_mini(data_dir, **common)
    if recipe.name == "clothing1m":
        return datasets.clothing1m(data_dir, **common)
    assert recipe.path is not None  # noqa: S101 - DataRecipe sees to it
    if recipe.name == "folder":
        return datasets.image_folder(recipe.path, **common)
    return datasets.image_lists(recipe.path, test=recipe.test, classes=recipe.classes, root=recipe.root, **common)


def prepare(recipe: Recipe, dataset: datasets.Dataset, data_dir: Path) -> Task:
    """Put the recipe's noise on the training labels and split off the validation part.

    Raises:
        DataError: labels from a file that do not belong to this data set.
        LabelError: noise that these labels cannot have.
        RecipeError: so small a training set that a part of the split is empty.
    """
    noisy = make_noise(recipe, dataset, data_dir)
    labels = dataset.train.labels if noisy is None else noisy.labels
    order = numpy_stream(recipe.seed, "split").permutation(len(labels))
    held_out = round(recipe.validation * len(labels))
    if recipe.validation and not 0 < held_out < len(labels) - 1:
        raise RecipeError(
            f"validation: {recipe.validation:g} of {len(labels)} samples leaves {held_out} for validation and "
            f"{len(labels) - held_out} for training; both need some"
        )
    return Task(dataset, noisy, labels, np.sort(order[held_out:]), np.sort(order[:held_out]))


def make_noise(recipe: Recipe, dataset: datasets.Dataset, data_dir: Path) -> noise.NoisyLabels | None:
    """The recipe's noise on the training labels; ``None`` where nobody knows which labels are right.

    Raises:
        DataError, LabelError: as for :func:`prepare`.
    """
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
    if spec.kind == "instance":
        if spec.variant == "published":
            path = _published_list(recipe.data.name, spec.rate, data_dir)
            return _check_rate_of_list(_read_list(path, None, "published instance", dataset), spec.rate, path)
        return instance_noise(dataset, spec.rate, spec.variant, seed)
    if spec.kind == "labels":
        return listed_noise(_find_list(spec.path, data_dir), spec.column, dataset)
    read = datasets.cifarn(data_dir, spec.column) if spec.kind == "human" else noise.load(spec.path)
    if dataset.positions is not None and len(read.labels) > len(labels):
        read = read.take(dataset.positions)
    if len(read.clean) != len(labels) or (read.clean != labels).any():
        raise DataError(
            f"the clean labels in the file of {read.kind} noise are not those of {dataset.name} "
            f"({len(read.clean)} against {len(labels)} labels): they belong to other data, or to another order of it"
        )
    return read


def _published_list(name: str, rate: float, data_dir: Path) -> Path:
    places = [folder / f"{name}_dependent_{rate:g}.json" for folder in (data_dir, data_dir / "published-labels")]
    for path in places:
        if path.is_file():
            return path
    raise DataError(
        f"there is neither {places[0]} nor {places[1]}, the label list that published figures rest on: put it there, "
        "or set noise.variant to 'fixed-subset' (the generator behind the lists) or 'pdn'; noise.kind = 'labels' reads "
        "any list"
    )


def _find_list(path: str, data_dir: Path) -> Path:
    for place in (Path(path), data_dir / path):
        if place.is_file():
            return place
    raise DataError(f"noise.path: there is no label list {path}, neither in the working folder nor under {data_dir}")


def _read_list(path: Path, column: str | None, kind: str, dataset: datasets.Dataset) -> noise.NoisyLabels:
    """The noisy labels of the training samples from a list for the whole training set."""
    clean = dataset.train.labels if dataset.clean_labels is None else dataset.clean_labels
    labels = datasets.label_list(path, column)
    found, positions = len(labels), dataset.positions
    if positions is not None and positions.max() < found and len(clean) < found:
        labels = labels[positions]
    if len(labels) != len(clean):
        raise DataError(
            f"{path} holds {found} labels, which do not fit the {len(clean)} training samples of {dataset.name}: "
            "expected one for each sample of the training set, in its order"
        )
    try:
        return noise.NoisyLabels.observed(labels, clean, dataset.num_classes, kind)
    except LabelError as error:
        raise DataError(f"{path}: {error}") from error


def _check_rate_of_list(read: noise.NoisyLabels, rate: float, path: Path) -> noise.NoisyLabels:
    # Five standard errors, since a part of the training set has the rate of the whole only nearly.
    if abs(read.rate - rate) > 5 * math.sqrt(rate * (1 - rate) / len(read.labels)):
        raise DataError(
            f"{path} differs from the clean labels in {read.rate:.2%}, not {rate:.2%} of the samples: it belongs to "
            "other data, or to another order of it. noise.kind = 'labels' reads any list."
        )
    return read


def listed_noise(path: Path, column: str | None, dataset: datasets.Dataset) -> noise.NoisyLabels:
    """Noisy labels from a list for the whole training set, measured against the clean ones.

    Raises:
        DataError: a list that cannot be read, or that does not fit the data set.

    Warns:
        DataWarning: the list agrees with the clean labels no more than by chance.
    """
    read = _read_list(path, column, path.stem, dataset)
    shares = [np.bincount(part, minlength=read.num_classes) / len(part) for part in (read.labels, read.clean)]
    chance = float(shares[0] @ shares[1])
    if 1 - read.rate <= chance + 3 * math.sqrt(chance * (1 - chance) / len(read.labels)):
        warnings.warn(
            f"{path}: its labels agree with the clean ones in {1 - read.rate:.1%}, which is chance: are they in the "
            "order of the training samples?",
            DataWarning,
            stacklevel=2,
        )
    return read


def instance_noise(
    dataset: datasets.Dataset, rate: float, variant: noise.InstanceVariant, seed: int
) -> noise.NoisyLabels:
    """Instance-dependent noise from the inputs as published code has them.

    The script of PDN projects the stored pixels; the published lists, which ``"fixed-subset"`` follows, rest on
    standardised images.

    Raises:
        RecipeError: the inputs are image files.
    """
    inputs = dataset.train.inputs
    if isinstance(inputs, datasets.ImageFiles):
        raise RecipeError(
            f"noise.kind 'instance' is made from the pixels of images in memory, and {dataset.name} is image files: "
            "give a list of noisy labels with noise.kind 'labels' instead"
        )
    mean, std = (dataset.mean, dataset.std) if variant == "fixed-subset" else (0.0, 1.0)
    return noise.instance_dependent(
        inputs,
        dataset.train.labels,
        rate,
        num_classes=dataset.num_classes,
        seed=seed,
        variant=variant,
        mean=mean,
        std=std,
    )


def read_matrix(path: Path) -> NDArray[np.float64]:
    """A transition matrix from a ``.npy`` or a comma-separated text file.

    Raises:
        LabelError: it cannot be read, or is no row-stochastic matrix.
    """
    try:
        if path.suffix.lower() == ".npy":
            matrix = read_npy(path)
        else:
            matrix = np.loadtxt(read_text(path).splitlines(), delimiter=",", ndmin=2)
    except ValueError as error:
        raise LabelError(f"cannot read a transition matrix from {path}: {error}") from error
    return noise.check_matrix(matrix)
