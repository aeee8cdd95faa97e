"""Where runs find their data, and where they are computed."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noiseproof.run.executors import ExecutorSettings, Given, executor_named
from noiseproof.train import load_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from noiseproof.data import Dataset
    from noiseproof.data.sources import DataSource


@dataclass(frozen=True)
class Machine:
    """Where runs find their data and what they train on.

    Attributes:
        data_dir: where CIFAR and human labels are.
        download: whether CIFAR may be fetched into ``data_dir`` if it is missing.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        jobs: how many runs go on at once; by default what the executor says.
        workers: processes that decode image files for a run; by default one per processor, or of its share of them.
        fast: whether updates are compiled, and on CUDA recorded as graphs.
        executor: where runs are computed: a name in :data:`noiseproof.run.EXECUTORS`, settings, or any
            :class:`concurrent.futures.Executor`. By default ``"inline"`` for one job and ``"processes"`` for several.

    Raises:
        RecipeError: an unknown executor, or settings that it does not have.
    """

    data_dir: str | Path = "data"
    download: bool = False
    device: str = "auto"
    jobs: int | None = None
    workers: int | None = None
    fast: bool = False
    executor: str | ExecutorSettings | Executor | None = None

    def __post_init__(self) -> None:
        self.settings()

    def settings(self) -> ExecutorSettings:
        """The settings of the executor."""
        if isinstance(self.executor, ExecutorSettings):
            return self.executor
        if isinstance(self.executor, Executor):
            return Given(self.jobs or 1, self.executor)
        return executor_named(self.executor, jobs=self.jobs)

    def load(self, data: DataSource) -> Dataset:
        """The data set that a recipe names."""
        return load_dataset(data, self.data_dir, download=self.download)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of :func:`noiseproof.train.train`."""
        return {
            "data_dir": self.data_dir,
            "download": self.download,
            "device": self.device,
            "fast": self.fast,
            "workers": self.workers,
        }
