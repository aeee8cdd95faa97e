"""Wrong labels that the inputs tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from noiseproof import noise
from noiseproof.data._files import ImageFiles
from noiseproof.data.noises._base import NoiseKind, Rate, measured, percent
from noiseproof.data.noises.listed import read_list
from noiseproof.errors import DataError, RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from noiseproof.data._dataset import Dataset
    from noiseproof.data.sources import DataSource


class InstanceNoise(NoiseKind):
    """Wrong labels that the inputs tell; see :func:`noiseproof.noise.instance_dependent`.

    Attributes:
        rate: the share of wrong labels.
        variant: ``"published"`` reads the list that published figures rest on, ``NAME_dependent_RATE.json`` in the data
            folder or its ``published-labels``: the same labels for every seed. ``"fixed-subset"`` is the generator
            behind those lists, ``"pdn"`` the original one on the stored pixels.
    """

    kind: Literal["instance"]
    rate: Rate
    variant: Literal["pdn", "fixed-subset", "published"] = "published"

    @classmethod
    def label(cls, values: Mapping[str, Any]) -> str:
        """See :meth:`NoiseKind.label`."""
        return f"instance noise {percent(values['rate'])} ({values['variant']})"

    def make(self, dataset: Dataset, source: DataSource, seed: int, data_dir: Path) -> noise.NoisyLabels:
        """See :meth:`NoiseKind.make`."""
        if self.variant != "published":
            return measured(instance_noise(dataset, self.rate, self.variant, seed), dataset)
        path = _published_list(source.name, self.rate, data_dir)
        return _check_rate_of_list(read_list(path, None, "published instance", dataset), self.rate, path)

    def check(self, source: DataSource) -> None:
        """See :meth:`NoiseKind.check`."""
        if self.variant == "published" and source.name not in noise.MAPPED:
            raise ValueError(
                f"noise.variant 'published' has lists for cifar10 and cifar100, not {source.name}: use 'fixed-subset', "
                "the generator behind them, or 'pdn'"
            )

    @property
    def reads_files(self) -> bool:
        """See :attr:`NoiseKind.reads_files`."""
        return self.variant == "published"

    @property
    def name_parts(self) -> list[str]:
        """See :attr:`NoiseKind.name_parts`."""
        return [self.variant]


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


def _check_rate_of_list(read: noise.NoisyLabels, rate: float, path: Path) -> noise.NoisyLabels:
    # Five standard errors, since a part of the training set has the rate of the whole only nearly.
    if abs(read.rate - rate) > 5 * math.sqrt(rate * (1 - rate) / len(read.labels)):
        raise DataError(
            f"{path} differs from the clean labels in {read.rate:.2%}, not {rate:.2%} of the samples: it belongs to "
            "other data, or to another order of it. noise.kind = 'labels' reads any list."
        )
    return read


def instance_noise(dataset: Dataset, rate: float, variant: noise.InstanceVariant, seed: int) -> noise.NoisyLabels:
    """Instance-dependent noise from the inputs as published code has them.

    The script of PDN projects the stored pixels; the published lists, which ``"fixed-subset"`` follows, rest on
    standardized images.

    Raises:
        RecipeError: the inputs are image files.
    """
    inputs = dataset.train.inputs
    if isinstance(inputs, ImageFiles):
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
