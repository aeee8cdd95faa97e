"""Flips by a transition matrix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from noiseproof import noise
from noiseproof.data.noises._base import Mode, NoiseKind, arrays_of, measured
from noiseproof.settings import PathText

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noiseproof.data._dataset import Dataset
    from noiseproof.data.sources import DataSource


class MatrixNoise(NoiseKind):
    """Flips by a transition matrix ``T[true, noisy]`` in a CSV or ``.npy`` file."""

    paths: ClassVar[tuple[str, ...]] = ("path",)
    kind: Literal["matrix"]
    path: PathText
    mode: Mode = "exact"

    def make(self, dataset: Dataset, source: DataSource, seed: int, data_dir: Path) -> noise.NoisyLabels:  # noqa: ARG002
        """See :meth:`NoiseKind.make`."""
        matrix = noise.read_matrix(Path(self.path), dataset.class_names)
        made = noise.from_matrix(
            dataset.train.labels, matrix, seed=seed, mode=self.mode, class_names=dataset.class_names
        )
        return measured(made, dataset)

    def read_arrays(self, made: noise.NoisyLabels) -> list[NDArray[np.generic]]:
        """See :meth:`NoiseKind.read_arrays`: the labels are drawn."""
        return arrays_of(made.matrix)
