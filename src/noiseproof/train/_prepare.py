"""From a recipe to data with noisy labels: the part of a run that uses no torch and no device."""

from __future__ import annotations

import csv
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from noiseproof import data as datasets
from noiseproof import noise
from noiseproof.classes import Classes, read_labels
from noiseproof.errors import DataError, DataWarning, LabelError, RecipeError
from noiseproof.seeding import numpy_stream
from noiseproof.train._recipe import IMAGE_FILES, InstanceNoise, make_data_recipe
from noiseproof.untrusted import is_number, read_npy, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


def load_dataset(
    recipe: DataRecipe | Mapping[str, Any] | str, data_dir: str | Path = "data", *, download: bool = False
) -> datasets.Dataset:
    """The data set that a recipe names.

    Args:
        recipe: which one: the table of a recipe, or a name.
        data_dir: where published data sets are; CIFAR can be put there.
        download: whether CIFAR may be fetched.

    Raises:
        DataError: it is not there, or damaged, or has fewer samples or pixels than the recipe asks for.
    """
    recipe, data_dir = make_data_recipe(recipe), Path(data_dir)
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
    labels = dataset.train.labels if noisy is None else noisy.labels
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
    data_dir = Path(data_dir)
    spec, clean, names = recipe.noise, dataset.clean_labels, dataset.class_names
    labels = dataset.train.labels
    if spec.kind == "none":
        if clean is None and not recipe.data.labels_are_clean:
            return None
        kind, clean = ("no", labels) if clean is None else ("given", clean)
        return noise.NoisyLabels.observed(labels, clean, dataset.num_classes, kind, class_names=names)
    if spec.kind == "labels":
        return listed_noise(_find_list(spec.path, data_dir), spec.column, dataset)
    if spec.kind == "instance" and spec.variant == "published":
        path = _published_list(recipe.data.name, spec.rate, data_dir)
        return _check_rate_of_list(_read_list(path, None, "published instance", dataset), spec.rate, path)
    if spec.kind == "human":
        made = _of_these_samples(datasets.cifarn(data_dir, spec.column), dataset)
    elif spec.kind == "file":
        made = _of_these_samples(noise.load(spec.path), dataset)
    else:
        made = _generated(recipe, dataset)
    # Noise on labels that are wrong already is measured against the true ones where these are known.
    return made if clean is None or (made.clean == clean).all() else made.measured_against(clean)


def _generated(recipe: Recipe, dataset: datasets.Dataset) -> noise.NoisyLabels:
    spec, labels, seed, names = recipe.noise, dataset.train.labels, recipe.seed, dataset.class_names
    if spec.kind == "symmetric":
        return noise.symmetric(labels, spec.rate, num_classes=len(names), seed=seed, mode=spec.mode, class_names=names)
    if spec.kind == "asymmetric":
        mapping = recipe.data.name if spec.mapping is None else spec.mapping
        return noise.asymmetric(
            labels, spec.rate, mapping, num_classes=len(names), seed=seed, mode=spec.mode, source=spec.source,
            class_names=names,
        )  # fmt: skip
    if spec.kind == "matrix":
        matrix = read_matrix(Path(spec.path), names)
        return noise.from_matrix(labels, matrix, seed=seed, mode=spec.mode, class_names=names)
    assert isinstance(spec, InstanceNoise)  # noqa: S101 - nothing else is generated
    # "published" was read from a list before.
    return instance_noise(dataset, spec.rate, cast("noise.InstanceVariant", spec.variant), seed)


def _of_these_samples(read: noise.NoisyLabels, dataset: datasets.Dataset) -> noise.NoisyLabels:
    """Noise from a file, if it was put on the labels of this data set, whether those it has or the true ones."""
    known = [labels for labels in (dataset.train.labels, dataset.clean_labels) if labels is not None]
    try:
        read = read.in_classes(dataset.class_names)
    except LabelError as error:
        raise DataError(f"the file of {read.kind} noise belongs to other data than {dataset.name}: {error}") from error
    if dataset.positions is not None and len(read.labels) > len(dataset.train):
        read = read.take(dataset.positions)
    if not any(np.array_equal(read.clean, labels) for labels in known):
        raise DataError(
            f"the clean labels in the file of {read.kind} noise are not those of {dataset.name} ({len(read.clean)} "
            f"against {len(dataset.train)} labels): they belong to other data, or to another order of it"
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
    labels = datasets.match_labels(datasets.read_label_list(path, column), dataset)
    try:
        return noise.NoisyLabels.observed(labels, clean, dataset.num_classes, kind, class_names=dataset.class_names)
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


def listed_noise(path: str | Path, column: str | None, dataset: datasets.Dataset) -> noise.NoisyLabels:
    """Noisy labels from a list for the whole training set, measured against the clean ones.

    Raises:
        DataError: a list that cannot be read, or that does not fit the data set.

    Warns:
        DataWarning: the list agrees with the clean labels no more than by chance.
    """
    path = Path(path)
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
        class_names=dataset.class_names,
    )


def read_matrix(path: str | Path, class_names: Sequence[str] | None = None) -> NDArray[np.float64]:
    """A transition matrix from a ``.npy`` or a comma-separated text file.

    A text may name the classes in a first row, in a first column or in both. With ``class_names`` the rows and columns
    are then put into their order.

    Raises:
        LabelError: it cannot be read, is no row-stochastic matrix, or its names are not those of the classes.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            return noise.check_matrix(read_npy(path))
        rows = [next(csv.reader([line])) for line in read_text(path).splitlines() if line.strip()]
        values, over, before = _without_names([[cell.strip() for cell in row] for row in rows])
        matrix = np.array([[float(cell) for cell in row] for row in values])
    except (ValueError, csv.Error) as error:
        raise LabelError(f"cannot read a transition matrix from {path}: {error}") from error
    matrix = noise.check_matrix(matrix)
    if over is None and before is None:
        return matrix
    over, before = over or before, before or over
    try:
        classes = Classes(tuple(before or ()))
        if class_names is None:
            class_names = classes.names
        elif len(class_names) != len(classes):
            raise LabelError(f"it has {len(classes)} classes, and the data {len(class_names)}: expected as many")
        known = Classes(tuple(class_names))
        places = [known.resolve(read_labels(names or []), "class") for names in (before, over)]
        if any(len({*place.tolist()}) < len(place) for place in places):
            raise LabelError("a class is there twice: expected each once")
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from error
    ordered = np.empty_like(matrix)
    ordered[np.ix_(*places)] = matrix
    return ordered


def _without_names(rows: list[list[str]]) -> tuple[list[list[str]], list[str] | None, list[str] | None]:
    """The cells of a matrix without the names over its columns and before its rows, and these names."""
    lengths = {len(row) for row in rows}
    if not rows or len(lengths) > 1:
        raise LabelError(f"rows of {', '.join(map(str, sorted(lengths))) or 'no'} cells: expected as many in each")
    height, width = len(rows), len(rows[0])
    if height == width and not is_number(rows[0][0]):
        return [row[1:] for row in rows[1:]], rows[0][1:], [row[0] for row in rows[1:]]
    if height == width + 1:
        return rows[1:], rows[0], None
    if width == height + 1:
        return [row[1:] for row in rows], None, [row[0] for row in rows]
    return rows, None, None
