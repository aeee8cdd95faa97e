"""The labels as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from noiseproof import noise
from noiseproof.data.noises._base import NoiseKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from noiseproof.data._dataset import Dataset
    from noiseproof.data.sources import DataSource


class NoNoise(NoiseKind):
    """The labels as they are: clean in published data sets, whatever they are in the user's own."""

    rate: ClassVar[float] = 0.0
    kind: Literal["none"] = "none"

    @classmethod
    def label(cls, values: Mapping[str, Any]) -> str:  # noqa: ARG003
        """See :meth:`NoiseKind.label`."""
        return "labels as they are"

    def make(
        self,
        dataset: Dataset,
        source: DataSource,
        seed: int,  # noqa: ARG002 - nothing is drawn
        data_dir: Path,  # noqa: ARG002 - nothing is read
    ) -> noise.NoisyLabels | None:
        """See :meth:`NoiseKind.make`."""
        labels, clean = dataset.train.labels, dataset.clean_labels
        if clean is None and not source.labels_are_clean:
            return None
        kind, clean = ("no", labels) if clean is None else ("given", clean)
        return noise.NoisyLabels.observed(labels, clean, dataset.num_classes, kind, class_names=dataset.class_names)
