"""Flips from some classes to one other each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from noiseproof import noise
from noiseproof.data.noises._base import Mode, NoiseKind, Rate, measured

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from noiseproof.data._dataset import Dataset
    from noiseproof.data.sources import DataSource


def _mapping(value: Any) -> Any:
    return noise.parse_mapping(value) if isinstance(value, str) else value


_Class = Annotated[int | str, BeforeValidator(noise.class_of_mapping)]


class AsymmetricNoise(NoiseKind):
    """Flips from some classes to one other each; see :func:`noiseproof.noise.asymmetric`.

    Attributes:
        rate: the share of wrong labels in each flipped class.
        mapping: ``{class: target}``, or a text such as ``"3=5, 5=3"``; ``None`` for the published map of the data set.
        mode: how labels are flipped.
        source: which map of CIFAR-100.
    """

    kind: Literal["asymmetric"]
    rate: Rate
    mapping: Annotated[dict[_Class, _Class], BeforeValidator(_mapping)] | None = Field(None, min_length=1)
    mode: Mode = "exact"
    source: Literal["published", "true"] = "published"

    def make(self, dataset: Dataset, source: DataSource, seed: int, data_dir: Path) -> noise.NoisyLabels:  # noqa: ARG002
        """See :meth:`NoiseKind.make`."""
        names = dataset.class_names
        made = noise.asymmetric(
            dataset.train.labels,
            self.rate,
            source.name if self.mapping is None else self.mapping,
            num_classes=len(names),
            seed=seed,
            mode=self.mode,
            source=self.source,
            class_names=names,
        )
        return measured(made, dataset)

    def check(self, source: DataSource) -> None:
        """See :meth:`NoiseKind.check`."""
        if self.mapping is None and source.name not in noise.MAPPED:
            raise ValueError(f"noise.mapping is missing: there is no published map for {source.name}")

    def canonical(self, values: dict[str, Any], source: DataSource) -> dict[str, Any]:
        """See :meth:`NoiseKind.canonical`: a published map is the same as one that is written out."""
        mapping: Mapping[Any, Any] | None = self.mapping
        if mapping is None:
            mapping = noise.published_mapping(source.name, self.source)[0]
        written = {str(label): target for label, target in mapping.items()}
        return {**{key: value for key, value in values.items() if key != "source"}, "mapping": written}
