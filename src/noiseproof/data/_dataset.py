"""A data set, in memory or as image files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from noiseproof.data._files import ImageFiles
from noiseproof.errors import DataError, LabelError
from noiseproof.noise import check_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Part:
    """Inputs and labels of a training or test set.

    Attributes:
        inputs: images as uint8 ``(N, height, width, channels)``, features as float32 ``(N, features)``, or files.
        labels: ``(N,)`` int64.
    """

    inputs: NDArray[np.uint8] | NDArray[np.float32] | ImageFiles
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training set, a test set where there is one, and what models need to know of them.

    Attributes:
        name: the name in recipes and tables.
        train: the training set. Its labels are as the source has them, right or wrong.
        test: the test set, with labels that can be trusted; ``None`` where the user has none.
        class_names: one per class.
        mean: what to subtract from each channel or feature, in units of the stored inputs.
        std: what to divide by after that.
        clean_labels: the true training labels, where they are known and ``train.labels`` are not they.
        also: further test sets by name.
    """

    name: str
    train: Part
    test: Part | None
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    clean_labels: NDArray[np.int64] | None = None
    positions: NDArray[np.int64] | None = None
    """Where the training samples stand in the whole set, if they are a part of one."""
    notes: tuple[str, ...] = field(default=())
    """What a table about this data must say, such as that the images are not the published ones."""
    also: Mapping[str, Part] = field(default_factory=dict)
    missing: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Files that were left out, path and reason, by the name of their part: ``"train"``, ``"test"`` or as in
    ``also``."""

    def __post_init__(self) -> None:
        for what, part in (("training", self.train), *self.test_parts.items()):
            if len(part.inputs) != len(part.labels):
                raise DataError(f"{self.name}: {len(part.inputs)} {what} inputs but {len(part.labels)} labels")
            try:
                check_labels(part.labels, self.num_classes, what=f"{what} label")
            except LabelError as error:
                raise DataError(f"{self.name}: {error}") from error
            if part.inputs.shape[1:] != self.train.inputs.shape[1:]:
                raise DataError(
                    f"{self.name}: {what} inputs have shape {part.inputs.shape[1:]}, training inputs "
                    f"{self.train.inputs.shape[1:]}"
                )
        if not len(self.train):
            raise DataError(f"{self.name}: there are no training samples")

    @property
    def test_parts(self) -> dict[str, Part]:
        """All test sets by name: ``"test"`` where there is one, and the further ones."""
        return {**({} if self.test is None else {"test": self.test}), **self.also}

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
        shape = self.train.inputs.shape[1:]
        return (shape[2], shape[0], shape[1]) if self.is_image else shape

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
            positions=kept if self.positions is None else self.positions[kept],
        )

    def shrunk(self, factor: int) -> Dataset:
        """The data set with every square of ``factor`` by ``factor`` pixels replaced by their mean, rounded.

        Raises:
            DataError: these are no images, or their sides are no multiples of the factor.
        """
        parts = {"train": self.train, "test": self.test}
        small = {name: None if part is None else self._shrink(part, factor) for name, part in parts.items()}
        return replace(self, **small)  # type: ignore[arg-type]

    def _shrink(self, part: Part, factor: int) -> Part:
        images = part.inputs
        if isinstance(images, ImageFiles) or images.ndim != 4 or any(side % factor for side in images.shape[1:3]):
            raise DataError(
                f"shrink {factor} of {self.name} with inputs of shape {images.shape[1:]}: expected images in memory "
                "whose height and width are multiples of it"
            )
        area = factor**2
        corners = [images[:, down::factor, right::factor] for down in range(factor) for right in range(factor)]
        # Adding up whole images takes a fifth of the time of a sum over the two short axes.
        sums = np.full(corners[0].shape, area // 2, np.uint32)
        for corner in corners:
            np.add(sums, corner, out=sums)
        return Part((sums // area).astype(np.uint8), part.labels)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of all inputs and labels: two data sets of one name differ in it.

        Of image files, paths and sizes stand for the pixels: reading a million images would take an hour.
        """
        digest = hashlib.sha256(self.name.encode())
        for part in (self.train, *self.test_parts.values()):
            inputs = part.inputs
            digest.update(str(inputs.shape).encode())
            digest.update(inputs.listing() if isinstance(inputs, ImageFiles) else np.ascontiguousarray(inputs).data)
            digest.update(np.ascontiguousarray(part.labels, "<i8").data)
        return digest.hexdigest()
