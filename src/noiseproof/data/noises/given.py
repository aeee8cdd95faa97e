"""Labels that people gave, and those of a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from noiseproof import noise
from noiseproof.data._human import cifarn
from noiseproof.data.noises._base import NoiseKind, measured
from noiseproof.errors import DataError, LabelError
from noiseproof.settings import PathText

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from noiseproof.data._dataset import Dataset
    from noiseproof.data.sources import DataSource


class HumanNoise(NoiseKind):
    """Human labels of CIFAR-N: ``aggre``, ``random1`` to ``random3``, ``worst`` or ``noisy``."""

    kind: Literal["human"]
    column: Literal["aggre", "random1", "random2", "random3", "worst", "noisy"]

    @classmethod
    def label(cls, values: Mapping[str, Any]) -> str:
        """See :meth:`NoiseKind.label`."""
        return f"human labels, {values['column']}"

    def make(self, dataset: Dataset, source: DataSource, seed: int, data_dir: Path) -> noise.NoisyLabels:  # noqa: ARG002
        """See :meth:`NoiseKind.make`."""
        return measured(of_these_samples(cifarn(data_dir, self.column), dataset), dataset)

    def check(self, source: DataSource) -> None:
        """See :meth:`NoiseKind.check`."""
        wanted = "cifar100" if self.column == "noisy" else "cifar10"
        if source.name != wanted:
            raise ValueError(f"noise.column {self.column!r} belongs to {wanted}, not {source.name}")

    @property
    def reads_files(self) -> bool:
        """See :attr:`NoiseKind.reads_files`."""
        return True

    @property
    def name_parts(self) -> list[str]:
        """See :attr:`NoiseKind.name_parts`."""
        return [self.column]

    @property
    def published_as(self) -> tuple[str, float | None]:
        """See :attr:`NoiseKind.published_as`."""
        return f"human-{self.column}", None


class FileNoise(NoiseKind):
    """Labels from a manifest that :meth:`noiseproof.noise.NoisyLabels.save` wrote."""

    paths: ClassVar[tuple[str, ...]] = ("path",)
    kind: Literal["file"]
    path: PathText

    def make(self, dataset: Dataset, source: DataSource, seed: int, data_dir: Path) -> noise.NoisyLabels:  # noqa: ARG002
        """See :meth:`NoiseKind.make`."""
        return measured(of_these_samples(noise.load(self.path), dataset), dataset)


def of_these_samples(read: noise.NoisyLabels, dataset: Dataset) -> noise.NoisyLabels:
    """Noise from a file, if it was put on the labels of this data set, whether those it has or the true ones."""
    known = [labels for labels in (dataset.train.labels, dataset.clean_labels) if labels is not None]
    try:
        read = read.in_classes(dataset.class_names)
    except LabelError as error:
        raise DataError(f"the file of {read.kind} noise belongs to other data than {dataset.name}: {error}") from error
    if dataset.source_index is not None and len(read.labels) > len(dataset.train):
        read = read.take(dataset.source_index)
    if not any(np.array_equal(read.clean, labels) for labels in known):
        raise DataError(
            f"the clean labels in the file of {read.kind} noise are not those of {dataset.name} ({len(read.clean)} "
            f"against {len(dataset.train)} labels): they belong to other data, or to another order of it"
        )
    return read
