"""What recipes read, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noiseproof.models import read_weights
from noiseproof.train import identify, load_dataset, make_noise, noise_fingerprint, reads_noise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from noiseproof.data import Dataset
    from noiseproof.data.sources import DataSource
    from noiseproof.noise import NoisyLabels
    from noiseproof.train import Identity, Recipe


class Inputs:
    """Data sets, and what runs on them are known by.

    Args:
        data_dir: where published data sets, human labels and weights are.
        download: whether they may be fetched.
    """

    def __init__(self, data_dir: str | Path, *, download: bool = False) -> None:
        self._data_dir = data_dir
        self._download = download
        self._datasets: dict[DataSource, Dataset] = {}
        self._fingerprints: dict[object, str | None] = {}

    def load(self, data: DataSource) -> Dataset:
        """A data set."""
        if data not in self._datasets:
            self._datasets[data] = load_dataset(data, self._data_dir, download=self._download)
        return self._datasets[data]

    def keep_only(self, data: DataSource | None) -> None:
        """Let go of all data sets but one."""
        self._datasets = {key: dataset for key, dataset in self._datasets.items() if key == data}

    def identity(self, recipe: Recipe) -> Identity:
        """The identity of a recipe's run.

        Raises:
            DataError, LabelError: something that it reads is missing or damaged.
        """
        data = self._fingerprint(recipe.data, lambda: self.load(recipe.data).fingerprint)
        assert data is not None  # noqa: S101 - all data have one
        noise = weights = None
        if reads_noise(recipe):
            key = (recipe.data, recipe.noise.model_dump_json())
            noise = self._fingerprint(key, lambda: noise_fingerprint(recipe, self._noise(recipe)))
        if (name := recipe.weights) is not None:
            weights = self._fingerprint((recipe.model, name), lambda: self._weights(recipe.model, name))
        return identify(recipe, data, noise, weights)

    def _fingerprint(self, key: object, find: Callable[[], str | None]) -> str | None:
        if key not in self._fingerprints:
            self._fingerprints[key] = find()
        return self._fingerprints[key]

    def _noise(self, recipe: Recipe) -> NoisyLabels | None:
        return make_noise(recipe, self.load(recipe.data), self._data_dir)

    def _weights(self, model: str, name: str) -> str:
        return read_weights(model, name, self._data_dir, download=self._download).sha256
