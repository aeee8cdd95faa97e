"""Processes that train recipes side by side.

Each is a fresh interpreter that is handed one recipe after another over a pipe, the first time with its data, and tells
over the same pipe how far it is. It stops, with its state saved, when it is told to or when the process that started it
is gone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import select
import signal
import threading
import time
import warnings
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_any
from typing import TYPE_CHECKING, Any

from noiseproof.errors import NoiseproofError, RunError
from noiseproof.run._shared import SharedDataset, receive_dataset
from noiseproof.train import Recipe, keep_freed_memory, make_recipe, stop_signals, train
from noiseproof.user_code import defining_modules, import_again

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from noiseproof.data import Dataset
    from noiseproof.data.sources import DataSource
    from noiseproof.train import Progress

_BETWEEN_REPORTS = 0.5
_PATIENCE = 600.0
"""Seconds that a stopped worker may take to finish its step and save its state."""


@dataclass(frozen=True)
class Report:
    """What a worker says of its recipe. Without progress, that it has ended or was stopped."""

    worker: int
    recipe: Recipe
    progress: Progress | None


class Workers:
    """Some worker processes, for use in a ``with`` block, at whose end they have stopped.

    Args:
        count: how many to begin with; they load what they need while the data are read.
        threads: what each may use of the CPU.
        options: keyword arguments of :func:`noiseproof.train.train`.
        load: what reads the data that a recipe names; all workers share what it returns.
    """

    def __init__(
        self, count: int, threads: int, options: dict[str, Any], load: Callable[[DataSource], Dataset]
    ) -> None:
        self._count = count
        self._context = multiprocessing.get_context("spawn")
        # Nothing that processes lock: one that is killed while it holds a lock would stop all others for good.
        self._stopping = False
        self._arguments = threads, options
        self._connections: list[Connection[Any, Any]] = []
        self._processes: list[Any] = []
        self._load = load
        self._data: dict[DataSource, SharedDataset] = {}
        self._has_data: list[set[DataSource]] = []
        self._work: dict[Connection[Any, Any], Recipe] = {}

    def __enter__(self) -> Self:
        self._handlers: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in {*stop_signals()} - {signal.SIGINT}:
                self._handlers[number] = signal.signal(number, _interrupt)
        for _ in range(self._count):
            self._add()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        for connection in self._connections:
            connection.close()
        end = time.monotonic() + _PATIENCE
        for process in self._processes:
            process.join(max(0.0, end - time.monotonic()))
        for shared in self._data.values():
            shared.close()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @property
    def busy(self) -> int:
        """How many workers have a recipe."""
        return len(self._work)

    def start(self, recipe: Recipe, folder: Path) -> None:
        """Hand a recipe to a worker that has none, or to a new one.

        Raises:
            DataError: its data are missing or damaged.
            RunError: there is no room for them, or the worker has ended.
            RecipeError: the loss was typed into a notebook or a console, where no other process finds it.
        """
        modules = defining_modules(recipe.method.classes)
        if recipe.data not in self._data:
            self._data[recipe.data] = SharedDataset(self._load(recipe.data))
        idle = [each for each in self._connections if each not in self._work]
        connection = idle[0] if idle else self._add()
        self._work[connection] = recipe
        number = self._connections.index(connection)
        data_follow = recipe.data not in self._has_data[number]
        try:
            connection.send((recipe.model_dump(mode="json"), modules, folder, data_follow))
            if data_follow:
                self._data[recipe.data].send(connection, self._processes[number].pid)
                self._has_data[number].add(recipe.data)
        except OSError as error:  # a broken pipe or a connection that was reset
            raise _ended(recipe) from error

    def _add(self) -> Connection[Any, Any]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, *self._arguments))
        try:
            process.start()
        except OSError as error:
            raise RunError(f"cannot start a process to train in: {error}. Run it again with fewer jobs") from error
        theirs.close()
        self._connections.append(ours)
        self._processes.append(process)
        self._has_data.append(set())
        return ours

    def stop(self) -> None:
        """Tell all workers to save their state and stop; :meth:`wait` still says when they have."""
        if not self._stopping:
            self._stopping = True
            for connection in self._connections:
                with contextlib.suppress(OSError):  # it has ended
                    connection.send(None)

    def wait(self, deadline: float | None) -> list[Report]:
        """What workers have to say.

        Raises:
            NoiseproofError: a recipe failed; the others are stopped.
            KeyboardInterrupt: a termination signal.
        """
        limit = None if deadline is None else max(0.0, deadline - time.monotonic())
        said: list[Report] = []
        ready = wait_for_any(list(self._work), None if self._stopping else limit)
        for connection in [each for each in self._work if each in ready]:
            recipe = self._work[connection]
            try:
                message = connection.recv()
            except (EOFError, OSError) as error:  # reset, where it left unread what it was sent
                raise _ended(recipe) from error
            if isinstance(message, Warning):
                warnings.warn(message, stacklevel=2)
                continue
            if isinstance(message, NoiseproofError):
                raise message
            if message is None:
                del self._work[connection]
            said.append(Report(self._connections.index(connection), recipe, message))
        return said


def _ended(recipe: Recipe) -> RunError:
    return RunError(
        f"a worker process ended while it ran {recipe.id} ({recipe.method.name}, seed {recipe.seed}), "
        "perhaps killed for its memory: run the same command again with fewer jobs; it goes on from there"
    )


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


def _serve(connection: Connection[Any, Any], threads: int, options: dict[str, Any]) -> None:
    """Train what comes over the pipe until it is closed, or nothing comes in the place of a recipe."""
    import torch

    # Ctrl-C and the end of a terminal reach each of its processes; the parent alone decides what they mean.
    for number in {*stop_signals()} - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(threads)
    keep_freed_memory()
    parent = os.getppid()
    datasets: dict[DataSource, Dataset] = {}
    told = 0.0
    coming = select.poll()
    coming.register(connection, select.POLLIN)

    def send(message: object) -> None:
        # Where the parent is gone, the run is still to be saved: should_stop sees to it.
        with contextlib.suppress(OSError):
            connection.send(message)

    def tell(progress: Progress) -> None:
        nonlocal told
        if time.monotonic() - told > _BETWEEN_REPORTS:
            told = time.monotonic()
            send(progress)

    def should_stop() -> bool:
        # While it trains, all that comes is the word to stop, or the end of the pipe.
        return bool(coming.poll(0)) or os.getppid() != parent

    warnings.showwarning = lambda message, *_, **__: send(message)
    while True:
        try:
            message = connection.recv()
            if message is None:
                return
            values, modules, folder, data_follow = message
            received = receive_dataset(connection) if data_follow else None
        except (EOFError, OSError):
            return
        try:
            import_again(modules)
            recipe = make_recipe(values)
            if received is not None:
                datasets[recipe.data] = received
            train(recipe, folder, dataset=datasets[recipe.data], watch=tell, should_stop=should_stop, **options)
            send(None)
        except KeyboardInterrupt:
            return
        except NoiseproofError as error:
            send(error)
