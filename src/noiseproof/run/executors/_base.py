"""What an executor is to the scheduler: settings, from which a :class:`concurrent.futures.Executor` is started."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

from noiseproof.errors import RecipeError
from noiseproof.registry import Registry


class WorkerLostError(BrokenExecutor):
    """The process that computed something is gone; the executor goes on. What it did is tried again."""


EXECUTORS: Registry[type[ExecutorSettings]] = Registry.of_classes("executor", "executors", lambda: ExecutorSettings)
"""The executors by name, the user's own included."""


@dataclass(frozen=True)
class ExecutorSettings(ABC):
    """Where runs are computed: a frozen dataclass of settings, which its class registers under a name.

    A subclass makes a :class:`concurrent.futures.Executor` of its settings. That runs what it is given, in any process
    on any machine which sees the folder of runs and has the data; the scheduler decides what runs next and what is
    tried again.

    Attributes:
        jobs: how many runs go on at once.

    Raises:
        RecipeError: a number of jobs below 1.
    """

    jobs: int = 1

    in_this_process: ClassVar[bool] = False
    """Whether :meth:`start` runs what is submitted at once, in this process and this thread."""

    def __init_subclass__(cls, *, name: str = "", **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if name:
            EXECUTORS.add(name, cls)

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise RecipeError(f"jobs {self.jobs}: expected a number of processes, at least 1")

    @abstractmethod
    def start(self) -> Executor:
        """An executor of these settings. Of a process that dies it tells by :class:`BrokenExecutor`."""

    def places(self) -> int:
        """How many runs may go on at once now."""
        return self.jobs

    def threads(self) -> int | None:
        """What each run may use of a CPU; ``None`` leaves it as it is.

        It follows from what was asked for and not from what is left of it: the bytes of a run depend on its threads.
        """
        return max(1, (os.cpu_count() or 1) // self.jobs)


@dataclass(frozen=True)
class Given(ExecutorSettings):
    """An executor that the caller has, and keeps.

    Raises:
        RecipeError: its workers are threads.
    """

    executor: Executor | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.executor is None or isinstance(self.executor, ThreadPoolExecutor):
            raise RecipeError(
                f"executor {self.executor!r}: expected one of processes; threads share PyTorch's random state, so that "
                "runs would disturb each other"
            )

    def start(self) -> Executor:
        """The executor, which is not shut down when the runs are done."""
        assert self.executor is not None  # noqa: S101 - seen to above
        return _NotOurs(self.executor)


class _NotOurs(Executor):
    """Hands everything on but the word to shut down."""

    def __init__(self, executor: Executor) -> None:
        self.submit = executor.submit  # type: ignore[method-assign]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        pass
