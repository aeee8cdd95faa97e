"""A data set, in memory or as image files."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.classes import Classes
from noiseproof.data._duplicates import duplicates
from noiseproof.data._files import ImageFiles
from noiseproof.data._preprocessing import Preprocessing, shrink_images
from noiseproof.errors import DataError, DataWarning, LabelError, shorten
from noiseproof.noise import check_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from noiseproof.data._encoding import TableEncoding
    from noiseproof.data._preprocessing import Embedding


@dataclass(frozen=True, eq=False)
class Part:
    """Inputs and labels of a training or test set.

    Attributes:
        inputs: images as uint8 ``(N, height, width, channels)``, features as numbers ``(N, features)`` of whatever
            type their source has, or files.
        labels: ``(N,)`` integers, kept as int64.
    """

    inputs: NDArray[Any] | ImageFiles
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if labels.dtype.kind in "iu":  # other types are refused with the data set
            object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training set, a test set where there is one, and what models need to know of them.

    Attributes:
        name: the name in recipes and tables.
        train: the training set. Its labels are as the source has them, right or wrong.
        test: the test set, with labels that can be trusted; ``None`` where the user has none.
        class_names: one per class, each another; labels are positions in them.
        mean: what to subtract from each channel or feature, in units of the stored inputs.
        std: what to divide by after that.
        clean_labels: the true training labels, where they are known and ``train.labels`` are not they.
        extra_tests: further test sets by name.
        held_out: the places of the training samples that are held out, in ascending order, where the data say so
            themselves; otherwise a recipe's ``validation`` draws them.
        sample_weight: ``(N,)``, how much each training sample counts; ``None`` where all count alike.
        trusted (NDArray): ``(N,)``, which training labels a person has checked; ``None`` where nobody has.
    """

    name: str
    train: Part
    test: Part | None
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    clean_labels: NDArray[np.int64] | None = None
    source_index: NDArray[np.int64] | None = None
    """Where the training samples stand in the whole set, if they are a part of one."""
    notes: tuple[str, ...] = field(default=())
    """What a table about this data must say, such as that the images are not the published ones."""
    extra_tests: Mapping[str, Part] = field(default_factory=dict)
    missing: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Files that were left out, path and reason, by the name of their part: ``"train"``, ``"test"`` or as in
    ``extra_tests``."""
    feature_names: tuple[str, ...] = ()
    """One per feature, where they have names."""
    shrink: int = 1
    """By how much the sides of the images were reduced; see :meth:`shrunk`."""
    encoding: TableEncoding | None = None
    """What made the features of a table, where :func:`from_table` did; it is a part of what is trained on them."""
    embedding: Embedding | None = None
    """What made the features of images, where a frozen network did."""
    held_out: NDArray[np.int64] | None = None
    sample_weight: NDArray[np.float32] | None = None
    trusted: NDArray[np.bool] | None = None

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            raise DataError(
                f"{self.name} has {self.num_classes} class{'es' if not self.class_names else ''} "
                f"({', '.join(self.class_names)}): expected at least two"
            )
        try:
            Classes(self.class_names)
        except LabelError as error:
            raise DataError(f"{self.name}: {error}") from error
        for what, part in (("training", self.train), *self.test_parts.items()):
            if len(part.inputs) != len(part.labels):
                raise DataError(f"{self.name}: {len(part.inputs)} {what} inputs but {len(part.labels)} labels")
            try:
                check_labels(part.labels, self.num_classes, what=f"{what} label")
            except LabelError as error:
                raise DataError(f"{self.name}: {error}") from error
            if not len(part):
                raise DataError(f"{self.name}: there are no {what} samples")
            if part.inputs.shape[1:] != self.train.inputs.shape[1:]:
                raise DataError(
                    f"{self.name}: {what} inputs have shape {part.inputs.shape[1:]}, training inputs "
                    f"{self.train.inputs.shape[1:]}"
                )
        self._check_samples()

    def _check_samples(self) -> None:
        """Refuse what is said of single training samples where it cannot be true."""
        count = len(self.train)
        held = self.held_out
        if held is not None and not (
            0 < len(held) < count and held[0] >= 0 and held[-1] < count and (np.diff(held) > 0).all()
        ):
            raise DataError(
                f"{self.name}: held_out must be places of training samples in ascending order, some but not all of "
                f"the {count}"
            )
        weight = self.sample_weight
        if weight is not None:
            if weight.shape != (count,):
                raise DataError(f"{self.name}: sample_weight has shape {weight.shape}: expected ({count},)")
            wrong = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
            if len(wrong) or not weight.any():
                found = f"{weight[wrong[0]]:g} at {wrong[0]}" if len(wrong) else "nothing but 0"
                raise DataError(f"{self.name}: sample_weight is {found}: expected numbers from 0 on, not all of them 0")
        if self.trusted is not None and self.trusted.shape != (count,):
            raise DataError(f"{self.name}: trusted has shape {self.trusted.shape}: expected one for each of {count}")

    @property
    def classes(self) -> Classes:
        """The classes, to read labels by."""
        return Classes(self.class_names)

    @property
    def test_parts(self) -> dict[str, Part]:
        """All test sets by name: ``"test"`` where there is one, and the further ones."""
        return {**({} if self.test is None else {"test": self.test}), **self.extra_tests}

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def is_image(self) -> bool:
        """Whether the inputs are images rather than features."""
        return self.train.inputs.ndim == 4

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input as models get it: ``(channels, height, width)`` or ``(features,)``."""
        return self.preprocessing.input_shape

    @property
    def preprocessing(self) -> Preprocessing:
        """How an input becomes what a network gets: it belongs to all weights that are trained on these data."""
        inputs = self.train.inputs
        common: dict[str, Any] = {"shape": tuple(inputs.shape[1:]), "mean": self.mean, "std": self.std}
        if isinstance(inputs, ImageFiles):
            return Preprocessing("files", **common, resize=inputs.resize, square=inputs.square, depth=inputs.depth)
        if self.is_image:
            return Preprocessing("images", **common, shrink=self.shrink)
        return Preprocessing(
            "features", **common, names=self.feature_names, encoding=self.encoding, embedding=self.embedding
        )

    def first_per_class(self, size: int) -> Dataset:
        """The data set with the first ``size // classes`` training samples of each class, in their order.

        Raises:
            DataError: a class has fewer.
        """
        each, rest = divmod(size, self.num_classes)
        counts = np.bincount(self.train.labels, minlength=self.num_classes)
        if rest or not 0 < each <= counts.min():
            raise DataError(
                f"train_size {size} of {self.name}: expected a multiple of {self.num_classes} classes, up to "
                f"{counts.min() * self.num_classes} (the smallest class has {counts.min()} samples)"
            )
        of_class = [np.flatnonzero(self.train.labels == label)[:each] for label in range(self.num_classes)]
        kept = np.sort(np.concatenate(of_class))
        return replace(
            self,
            train=Part(self.train.inputs[kept], self.train.labels[kept]),
            clean_labels=None if self.clean_labels is None else self.clean_labels[kept],
            source_index=kept if self.source_index is None else self.source_index[kept],
            held_out=None if self.held_out is None else np.flatnonzero(np.isin(kept, self.held_out)),
            sample_weight=None if self.sample_weight is None else self.sample_weight[kept],
            trusted=None if self.trusted is None else self.trusted[kept],
        )

    def shrunk(self, factor: int) -> Dataset:
        """The data set with every square of ``factor`` by ``factor`` pixels replaced by their mean, rounded.

        Raises:
            DataError: these are no images, or their sides are no multiples of the factor.
        """
        if isinstance(self.train.inputs, ImageFiles):
            raise DataError(f"shrink {factor} of {self.name}, which is image files: set data.resize instead")

        def shrunk(part: Part) -> Part:
            return Part(shrink_images(part.inputs, factor, self.name), part.labels)  # type: ignore[arg-type]

        return replace(
            self,
            train=shrunk(self.train),
            test=None if self.test is None else shrunk(self.test),
            extra_tests={name: shrunk(part) for name, part in self.extra_tests.items()},
            shrink=self.shrink * factor,
        )

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of all that a run learns from and is measured by: inputs, labels, class names and scales.

        What files and folders are called is no part of it. Image files count by their paths, sizes and contents; where
        a part has more than 1 GiB of them, by paths and sizes, since reading a million images would take an hour.
        """
        scales = [*map(float, self.mean), *map(float, self.std)]
        digest = hashlib.sha256(json.dumps([self.class_names, scales, list(self.test_parts)]).encode())
        for part in (self.train, *self.test_parts.values()):
            inputs = part.inputs
            if isinstance(inputs, ImageFiles):
                digest.update(f"files{inputs.shape}".encode())
                digest.update(inputs.listing())
            else:
                digest.update(f"{inputs.dtype.str}{inputs.shape}".encode())
                digest.update(np.ascontiguousarray(inputs).data)
            digest.update(np.ascontiguousarray(part.labels, "<i8").data)
        if self.clean_labels is not None:
            digest.update(b"clean")
            digest.update(np.ascontiguousarray(self.clean_labels, "<i8").data)
        for what, maker in (("encoding", self.encoding), ("embedding", self.embedding)):
            if maker is not None:
                digest.update(what.encode())
                digest.update(json.dumps(asdict(maker)).encode())
        for what in ("held_out", "sample_weight", "trusted"):
            array = getattr(self, what)
            if array is not None:
                digest.update(what.encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


_MOST_COMPARED = 200_000
"""So many inputs are looked through for such as are there twice."""

_MOST_BYTES = 2**30


def check_classes(dataset: Dataset) -> Dataset:
    """``dataset``, after a look at what its classes have to learn from. For data that nobody has published.

    Raises:
        DataError: all training labels are one class.

    Warns:
        DataWarning: a class without training samples, one that looks like a mark for missing labels, two spellings of
            one, or inputs that are there more than once with different labels.
    """
    counts = np.bincount(dataset.train.labels, minlength=dataset.num_classes)
    if (counts > 0).sum() < 2:
        only = dataset.class_names[int(counts.argmax())]
        raise DataError(
            f"{dataset.name}: all {len(dataset.train)} training labels are {only!r}: expected at least two classes"
        )
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        tested = {
            name: int(np.isin(part.labels, empty).sum())
            for name, part in dataset.test_parts.items()
            if np.isin(part.labels, empty).any()
        }
        there = "".join(f", though {count} samples of {name} have" for name, count in tested.items())
        few = shorten([repr(dataset.class_names[label]) for label in empty])
        _warn(dataset, f"no training label is {few}{there}: nothing can be learned about a class without samples")
    _warn_about_marks(dataset)
    _warn_about_spellings(dataset)
    _warn_about_twins(dataset)
    return dataset


def _warn(dataset: Dataset, text: str) -> None:
    warnings.warn(f"{dataset.name}: {text}", DataWarning, stacklevel=5)


def _warn_about_marks(dataset: Dataset) -> None:
    """Samples without a label have been given one in many ways."""
    names = dataset.class_names
    below = [name for name in names if name.startswith("-")]
    counted = {"0", "1"} <= {*names}
    marks = [*(below if len(below) == 1 and counted else []), *(name for name in names if name.casefold() == "nan")]
    for mark in marks:
        count = int((dataset.train.labels == names.index(mark)).sum())
        _warn(
            dataset, f"{mark!r} is a class like others, of {count} samples: if it marks missing labels, leave them out"
        )


def _warn_about_spellings(dataset: Dataset) -> None:
    """A class that was written in two ways is two classes."""
    counts = np.bincount(dataset.train.labels, minlength=dataset.num_classes)
    spellings: dict[str, list[str]] = {}
    for name, count in zip(dataset.class_names, counts.tolist(), strict=True):
        spellings.setdefault(" ".join(name.split()).casefold(), []).append(f"{name!r} ({count} samples)")
    for alike in spellings.values():
        if len(alike) > 1:
            _warn(
                dataset,
                f"the classes {' and '.join(alike)} differ in capital letters or spaces only: if they are one, give "
                "them one name",
            )


def _warn_about_twins(dataset: Dataset) -> None:
    inputs, labels = dataset.train.inputs, dataset.train.labels
    if isinstance(inputs, ImageFiles):
        keys: list[Any] = inputs.paths.tolist()
    else:
        each = max(1, inputs[:1].nbytes)
        keys = duplicates(inputs[: min(_MOST_COMPARED, _MOST_BYTES // each)]).tolist()
    first: dict[Any, int] = {}
    twins = [
        (before, place)
        for place, key in enumerate(keys)
        if (before := first.setdefault(key, place)) != place and labels[before] != labels[place]
    ]
    if twins:
        before, place = twins[0]
        one, other = (dataset.class_names[labels[at]] for at in twins[0])
        where = f"{before} and {place}" if not isinstance(inputs, ImageFiles) else inputs.names(np.array([place]))[0]
        _warn(
            dataset,
            f"{len(twins)} training inputs are there before with another label (such as {where}: {one!r} and "
            f"{other!r}): at most one of the two is right",
        )
