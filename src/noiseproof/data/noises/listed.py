"""Labels from a list that somebody else made."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from noiseproof import noise
from noiseproof.data._label_list import read_label_list
from noiseproof.data._matching import match_labels
from noiseproof.data.noises._base import NoiseKind
from noiseproof.errors import DataError, DataWarning, LabelError
from noiseproof.settings import PathText

if TYPE_CHECKING:
    from collections.abc import Mapping

    from noiseproof.data._dataset import Dataset
    from noiseproof.data.sources import DataSource


class LabelsNoise(NoiseKind):
    """Labels from a list that somebody else made; see :func:`noiseproof.data.label_list`.

    Attributes:
        path: the list, for the whole training set and in its order; looked for in the working folder, then in the data
            folder.
        column: which list, if the file has several.
    """

    paths: ClassVar[tuple[str, ...]] = ("path",)
    places: ClassVar[tuple[str, ...]] = ("column",)
    kind: Literal["labels"]
    path: PathText
    column: str | None = None

    @classmethod
    def label(cls, values: Mapping[str, Any]) -> str:
        """See :meth:`NoiseKind.label`."""
        return f"labels from {values['path']}" + (f", {values['column']}" if values["column"] else "")

    def make(self, dataset: Dataset, source: DataSource, seed: int, data_dir: Path) -> noise.NoisyLabels:  # noqa: ARG002
        """See :meth:`NoiseKind.make`."""
        return listed_noise(_find_list(self.path, data_dir), self.column, dataset)

    @property
    def name_parts(self) -> list[str]:
        """See :attr:`NoiseKind.name_parts`."""
        return [text for text in (Path(self.path).stem, self.column) if text is not None]


def _find_list(path: str, data_dir: Path) -> Path:
    for place in (Path(path), data_dir / path):
        if place.is_file():
            return place
    raise DataError(f"noise.path: there is no label list {path}, neither in the working folder nor under {data_dir}")


def read_list(path: Path, column: str | None, kind: str, dataset: Dataset) -> noise.NoisyLabels:
    """The noisy labels of the training samples from a list for the whole training set."""
    clean = dataset.train.labels if dataset.clean_labels is None else dataset.clean_labels
    labels = match_labels(read_label_list(path, column), dataset)
    try:
        return noise.NoisyLabels.observed(labels, clean, dataset.num_classes, kind, class_names=dataset.class_names)
    except LabelError as error:
        raise DataError(f"{path}: {error}") from error


def listed_noise(path: str | Path, column: str | None, dataset: Dataset) -> noise.NoisyLabels:
    """Noisy labels from a list for the whole training set, measured against the clean ones.

    Raises:
        DataError: a list that cannot be read, or that does not fit the data set.

    Warns:
        DataWarning: the list agrees with the clean labels no more than by chance.
    """
    path = Path(path)
    read = read_list(path, column, path.stem, dataset)
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
