"""Runs as tasks of a Ray cluster, on this machine or on many."""

from __future__ import annotations

import logging
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noiseproof.errors import RecipeError
from noiseproof.extras import need
from noiseproof.run.executors._base import ExecutorSettings, WorkerLostError

if TYPE_CHECKING:
    from collections.abc import Callable

_ANY_NUMBER = 1 << 20


@dataclass(frozen=True)
class Ray(ExecutorSettings, name="ray"):
    """Tasks of a Ray cluster. Every node sees the folder of runs and has the data, noiseproof and modules of one's own.

    Attributes:
        jobs: the most runs at once; by default what the cluster has room for.
        address: of a cluster, such as ``"ray://head:10001"``; by default that which runs on this machine, or a new one.
        cpus_per_run: cores that a run takes, which are its threads.
        gpus_per_run: GPUs that a run takes: parts of one for several runs on it, each with its part of the memory. By
            default one if the cluster has any.

    Raises:
        RecipeError: a number that is out of range.
    """

    jobs: int = _ANY_NUMBER
    address: str | None = None
    cpus_per_run: int = 1
    gpus_per_run: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        gpus = self.gpus_per_run
        if gpus is not None and not (0 <= gpus <= 1 or (gpus > 1 and gpus == int(gpus))):
            raise RecipeError(f"gpus per run {gpus:g}: expected a part of one such as 0.5, or a whole number")
        if self.cpus_per_run < 1:
            raise RecipeError(f"cpus per run {self.cpus_per_run}: expected a number of cores, at least 1")

    def start(self) -> Executor:
        """An executor on the cluster, to which it connects.

        Raises:
            MissingPackageError: Ray is not installed.
            RecipeError: there is no cluster at the address.
        """
        need("the executor ray needs", "ray")
        import ray

        began = not ray.is_initialized()
        if began:
            try:
                ray.init(self.address, log_to_driver=False, logging_level=logging.ERROR)
            except Exception as error:  # that a node does not start in time is no more than that to Ray
                raise RecipeError(f"cannot connect to Ray at {self.address or 'this machine'}: {error}") from error
        return _Cluster(self.cpus_per_run, self._gpus(), shut_down=began)

    def places(self) -> int:
        """What the cluster has room for now, as nodes come and go, and one at least."""
        import ray

        room = ray.cluster_resources()
        count = room.get("CPU", 0) // self.cpus_per_run
        if gpus := self._gpus():
            count = min(count, room.get("GPU", 0) // gpus)
        return max(1, min(self.jobs, int(count)))

    def threads(self) -> int:
        """One per core."""
        return self.cpus_per_run

    def _gpus(self) -> float:
        import ray

        if self.gpus_per_run is not None:
            return self.gpus_per_run
        return 1.0 if ray.cluster_resources().get("GPU", 0) else 0.0


class _Cluster(Executor):
    def __init__(self, cpus: int, gpus: float, *, shut_down: bool) -> None:
        import ray

        # What is tried again is the scheduler's to decide.
        options = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)
        self._task = options(_with_part_of_a_gpu)
        self._part = gpus
        self._shut_down = shut_down

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        reference = self._task.remote(self._part, fn, args, kwargs)
        reference.future().add_done_callback(lambda done: _settle(future, done))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        import ray

        if self._shut_down:
            ray.shutdown()


def _settle(future: Future[Any], done: Future[Any]) -> None:
    import ray

    error = done.exception()
    if error is None:
        future.set_result(done.result())
    elif isinstance(error, ray.exceptions.RayTaskError):
        future.set_exception(error.cause)
    elif isinstance(error, ray.exceptions.RayError):
        future.set_exception(WorkerLostError(str(error)))
    else:
        future.set_exception(error)


def _with_part_of_a_gpu(part: float, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run it, where it has a part of a GPU with that part of its memory, which Ray does not see to."""
    if 0 < part < 1:
        import torch

        if torch.cuda.is_available():
            torch.cuda.set_per_process_memory_fraction(part)
    return fn(*args, **kwargs)
