"""Runs side by side, each in a process of its own on this machine."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import threading
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from noiseproof.errors import RunError
from noiseproof.processes import fresh_processes
from noiseproof.run.executors._base import ExecutorSettings

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Processes(ExecutorSettings, name="processes"):
    """Processes of this machine, each with its share of the CPU's threads; by default one per core."""

    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)

    def start(self) -> Executor:
        """An executor whose processes die without each other."""
        return _Pools(self.jobs)


@dataclass(frozen=True)
class OneThread(Processes):
    """Processes with one thread each, so that runs have the same bytes however many processes there are."""

    def threads(self) -> int:
        """One."""
        return 1


class _Pools(Executor):
    """One ``ProcessPoolExecutor`` per process: they share no lock and no fate, and a broken one is made anew."""

    def __init__(self, count: int) -> None:
        self._pools: list[ProcessPoolExecutor] = []
        self._free: queue.LifoQueue[ProcessPoolExecutor | None] = queue.LifoQueue()  # living ones are taken first
        for _ in range(count):
            self._free.put(None)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        pool = self._free.get()
        try:
            try:
                pool = pool or self._new()
                future = pool.submit(_unless_orphaned, fn, *args, **kwargs)
            except BrokenExecutor:  # it died while it had nothing to do
                pool = self._new()
                future = pool.submit(_unless_orphaned, fn, *args, **kwargs)
        except OSError as error:
            raise RunError(f"cannot start a process to train in: {error}. Run it again with fewer jobs") from error
        used = pool
        future.add_done_callback(
            lambda done: self._free.put(None if isinstance(done.exception(), BrokenExecutor) else used)
        )
        return future

    def _new(self) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(1, mp_context=fresh_processes(), initializer=_begin)
        self._pools.append(pool)
        return pool

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        for pool in self._pools:
            pool.shutdown(wait, cancel_futures=cancel_futures)


_orphaned = threading.Event()


def _begin() -> None:
    """Leave Ctrl-C and the end of the terminal, which reach every process, to the parent; end when that is gone."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(signal.Signals[name], signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - this is a worker

    def follow() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        _orphaned.set()
        os.kill(os.getpid(), signal.SIGTERM)  # a run saves its place first

    threading.Thread(target=follow, daemon=True).start()


def _unless_orphaned(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = fn(*args, **kwargs)
    if _orphaned.is_set():
        os._exit(1)  # nobody waits for the result
    return result
