"""What a kind of noise is: settings that a recipe has for it, and the noisy labels that they make of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator

from noiseproof import noise
from noiseproof.data._kinds import reader
from noiseproof.registry import Registry
from noiseproof.settings import KindSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from noiseproof.data._dataset import Dataset
    from noiseproof.data.sources import DataSource

Mode = Literal["exact", "iid", "published"]
Rate = Annotated[float, BeforeValidator(noise.check_rate)]


class NoiseKind(KindSettings):
    """A noise that is put on the training labels of a data set.

    A definition is a subclass that declares ``kind: Literal["my-noise"]``, its settings and :meth:`make`; a ``rate``
    among the settings is the share of wrong labels, as far as the settings say it.
    """

    kind: str

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
        super().__pydantic_init_subclass__(**keywords)
        if cls.kind_name():
            NOISES.add(cls.kind_name(), cls)

    def make(self, dataset: Dataset, source: DataSource, seed: int, data_dir: Path) -> noise.NoisyLabels | None:
        """The noisy labels of the training samples; ``None`` where nobody knows which labels are right.

        Args:
            dataset: whose labels they are.
            source: where it comes from.
            seed: of everything that is drawn.
            data_dir: where published labels are.

        Raises:
            DataError: labels from a file that do not belong to this data set.
            LabelError: noise that these labels cannot have.
        """
        raise NotImplementedError

    def check(self, source: DataSource) -> None:
        """See that the noise can be put on data from a source.

        Raises:
            ValueError: it cannot.
        """

    @property
    def known_rate(self) -> float | None:
        """The share of wrong labels, as far as the settings say it."""
        rate: float | None = getattr(self, "rate", None)
        return rate

    @property
    def reads_files(self) -> bool:
        """Whether labels or probabilities come from a file."""
        return bool(self.paths)

    def read_arrays(self, made: noise.NoisyLabels) -> list[NDArray[np.generic]]:
        """What of noisy labels came from a file: a run belongs to it."""
        return [made.labels, made.clean, *arrays_of(made.matrix)] if self.reads_files else []

    def canonical(self, values: dict[str, Any], source: DataSource) -> dict[str, Any]:  # noqa: ARG002
        """The settings that differ from their defaults, with each in one spelling."""
        return values

    @property
    def name_parts(self) -> list[str]:
        """What a person reads of it in the name of a run's folder, besides kind and rate."""
        return []

    @classmethod
    def label(cls, values: Mapping[str, Any]) -> str:
        """What tables call it, in a few words, from its settings as plain values: its class need not be known."""
        rate = f" {percent(values['rate'])}" if isinstance(values.get("rate"), float) else ""
        source = f" from {values['path']}" if not rate and "path" in values else ""
        return f"{values['kind']} noise{rate}{source}"

    @property
    def published_as(self) -> tuple[str, float | None]:
        """How published tables name it, and its rate."""
        return self.kind, self.known_rate


def arrays_of(matrix: noise.TransitionMatrix) -> list[NDArray[np.generic]]:
    """What a transition matrix is made of: all of its entries, or of very many classes those that are kept."""
    if len(matrix) <= noise.MOST_DENSE:
        return [matrix.dense()]
    return [np.array([matrix.constant]), matrix.starts, matrix.columns.astype(np.int64), matrix.values]


def percent(share: float) -> str:
    """A share as tables have it."""
    return f"{100 * share:.15g}%"


def measured(made: noise.NoisyLabels, dataset: Dataset) -> noise.NoisyLabels:
    """Noise on labels that are wrong already, measured against the true ones where these are known."""
    clean = dataset.clean_labels
    return made if clean is None or (made.clean == clean).all() else made.measured_against(clean)


NOISES: Registry[type[NoiseKind]] = Registry.of_classes("noise", "noises", lambda: NoiseKind)
"""Every kind of noise by name, the user's own included."""

read_noise = reader(NOISES, NoiseKind)
"""The noise that a table or a name stands for."""
