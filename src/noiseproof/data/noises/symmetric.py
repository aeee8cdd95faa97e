"""Flips to all other classes alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from noiseproof import noise
from noiseproof.data.noises._base import Mode, NoiseKind, Rate, measured

if TYPE_CHECKING:
    from pathlib import Path

    from noiseproof.data._dataset import Dataset
    from noiseproof.data.sources import DataSource


class SymmetricNoise(NoiseKind):
    """Flips to all other classes alike; see :func:`noiseproof.noise.symmetric`."""

    kind: Literal["symmetric"]
    rate: Rate
    mode: Mode = "exact"

    def make(self, dataset: Dataset, source: DataSource, seed: int, data_dir: Path) -> noise.NoisyLabels:  # noqa: ARG002
        """See :meth:`NoiseKind.make`."""
        names = dataset.class_names
        made = noise.symmetric(
            dataset.train.labels, self.rate, num_classes=len(names), seed=seed, mode=self.mode, class_names=names
        )
        return measured(made, dataset)
