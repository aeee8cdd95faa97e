"""One kind of each sort from outside the package: what a user's module may hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from torch import Tensor, nn

from noiseproof import noise
from noiseproof.data import Dataset, Part
from noiseproof.data.noises import NoiseKind
from noiseproof.data.sources import DataSource
from noiseproof.losses import LabelLoss, parameter
from noiseproof.methods import Batch, Method, StepOutput
from noiseproof.models import model
from noiseproof.run import Processes


class HalfLoss(LabelLoss, name="own-half"):
    """A half of cross-entropy."""

    share: float = parameter(default=0.5, domain="(0, 1]")

    def value(self, label: Any) -> Tensor:
        return -self.share * label.log

    def slope(self, label: Any) -> float:
        return -self.share


class Plain(Method, name="own-plain"):
    """The loss, and nothing else."""

    def step(self, networks: Any, batch: Batch) -> StepOutput:
        logits = networks[0](batch.views[0])
        return StepOutput(self.criterion(logits, batch.labels), len(batch.labels), logits)


@model("own-linear")
class Linear(nn.Module):
    """A linear classifier with a bias or without one."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, bias: bool = True) -> None:
        super().__init__()
        self.layer = nn.Linear(int(np.prod(input_shape)), num_classes, bias=bias)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs.flatten(1))


class Unnamed(nn.Module):
    """A network that is registered nowhere."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, width: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(int(np.prod(input_shape)), width), nn.ReLU(), nn.Linear(width, num_classes)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)


class NextClass(NoiseKind):
    """Every so many labels become the next class."""

    kind: Literal["own-next"]
    every: int = 3

    def make(self, dataset: Dataset, source: DataSource, seed: int, data_dir: Path) -> noise.NoisyLabels:
        labels = dataset.train.labels.copy()
        labels[:: self.every] = (labels[:: self.every] + 1) % dataset.num_classes
        return noise.NoisyLabels.observed(
            labels, dataset.train.labels, dataset.num_classes, "next class", class_names=dataset.class_names
        )

    @property
    def name_parts(self) -> list[str]:
        return [f"every{self.every}"]


@dataclass(frozen=True)
class OwnProcesses(Processes, name="own-processes"):
    """Processes under another name."""


class Spots(DataSource):
    """Points around three centers."""

    labels_are_clean: ClassVar[bool] = True
    name: Literal["own-spots"]
    count: int = 60

    def read(self, data_dir: Path, *, download: bool) -> Dataset:
        random = np.random.default_rng(0)
        parts = []
        for _ in range(2):
            labels = np.arange(self.count, dtype=np.int64) % 3
            parts.append(Part(random.normal(size=(self.count, 2)) + 4 * labels[:, None], labels))
        return Dataset("spots", parts[0], parts[1], ("a", "b", "c"), (4.0, 4.0), (3.0, 3.0))
