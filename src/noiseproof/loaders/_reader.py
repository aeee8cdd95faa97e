"""Image files decoded ahead of their use, in worker processes that know nothing but files.

Workers import this module and what it needs, so that is kept small.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader

from noiseproof.data import ImageFiles, Unreadable, arrays_on_a_canvas, decode_batch
from noiseproof.errors import RunError
from noiseproof.processes import served_processes

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from noiseproof.data import Preprocessing

_MOST_WORKERS = 16


def default_workers() -> int:
    """One process per processor that this one may use, up to 16."""
    available = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(available, _MOST_WORKERS)


class _Request(NamedTuple):
    """The files of one batch; a worker knows nothing else, so that it starts fast and serves every part of a run."""

    root: Path
    names: list[str]
    resize: int
    square: bool
    depth: int


class Decoded(NamedTuple):
    """A batch of images on a canvas; see :func:`noiseproof.data.decode_batch`."""

    positions: Tensor
    canvas: Tensor
    sizes: Tensor
    failed: list[tuple[int, Unreadable]]


class _Decoder(torch.utils.data.Dataset[Any]):
    """What worker processes run: a batch of files for each request."""

    def __getitems__(self, request: _Request) -> Decoded:
        positions, canvas, sizes, failed = decode_batch(
            request.root, request.names, request.resize, square=request.square, depth=request.depth
        )
        return Decoded(
            torch.tensor(positions, dtype=torch.int64), torch.from_numpy(canvas), torch.from_numpy(sizes), failed
        )


class _Requests:
    """The batches to come, for the loader: a list that changes from epoch to epoch and from part to part."""

    def __init__(self) -> None:
        self.files: ImageFiles | None = None
        self.order: Sequence[Tensor] = ()

    def __iter__(self) -> Iterator[_Request]:
        files = self.files
        assert files is not None  # noqa: S101 - set before every walk
        for batch in self.order:
            yield _Request(files.root, files.names(batch.numpy()), files.resize, files.square, files.depth)

    def __len__(self) -> int:
        return len(self.order)


class Reader:
    """Decodes the image files of all parts of a run, in worker processes that live as long as the run.

    Args:
        workers: how many processes; 0 decodes in this one. Results do not depend on it.
        device: where the images go next.
    """

    def __init__(self, workers: int, device: torch.device) -> None:
        self._requests = _Requests()
        self._loader: DataLoader[Any] | None = None
        if workers:
            # Processes that share nothing with this one: no lock on the run's folder that outlives it, no handlers
            # of signals, no state of the device.
            # What takes seconds is imported once. Not noiseproof: until Python 3.13 the server does not know this
            # process's sys.path, and could find another noiseproof than this one.
            context = served_processes(["torch.utils.data", "PIL.Image"])
            self._loader = DataLoader(
                _Decoder(),
                batch_sampler=self._requests,  # type: ignore[arg-type]
                num_workers=workers,
                collate_fn=_as_it_is,  # type: ignore[arg-type]
                multiprocessing_context=context,
                persistent_workers=True,
                pin_memory=device.type == "cuda",
                worker_init_fn=_live_as_long_as_the_run,
            )

    def read(self, files: ImageFiles, order: Sequence[Tensor]) -> Generator[Decoded]:
        """The batches of ``order``, decoded ahead of their use.

        Raises:
            RunError: a worker process died.
        """
        self._requests.files, self._requests.order = files, order
        if self._loader is None:
            decoder = _Decoder()
            for request in self._requests:
                yield decoder.__getitems__(request)
            return
        batches = self._batches()
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (RuntimeError, OSError, EOFError) as error:
                raise RunError(
                    f"a process that decodes images failed ({type(error).__name__}: {error}). If the memory, or "
                    "the part of it in /dev/shm, is full, use fewer workers or a smaller batch. The same command goes "
                    "on from the last checkpoint; --workers 0 decodes without other processes."
                ) from error
            yield batch

    def _batches(self) -> Iterator[Decoded]:
        assert self._loader is not None  # noqa: S101 - only called with workers
        yield from self._loader

    def close(self) -> None:
        """End the worker processes."""
        if self._loader is not None:
            iterator = self._loader._iterator  # noqa: SLF001 - else they live until the garbage collector comes by
            self._loader = None
            if iterator is not None:
                iterator._shutdown_workers()  # type: ignore[attr-defined]  # noqa: SLF001


class ArrayReader:
    """What a :class:`Reader` is for files, for images in memory that are treated as files are.

    Args:
        images: uint8, ``(N, height, width, 1 or 3)``.
    """

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images = images

    def read(self, files: ImageFiles, order: Sequence[Tensor]) -> Generator[Decoded]:
        """The batches of ``order``; of the files only how they are resized counts."""
        for batch in order:
            positions, canvas, sizes = arrays_on_a_canvas(
                self._images[batch.numpy()], files.resize, square=files.square
            )
            yield Decoded(
                torch.tensor(positions, dtype=torch.int64), torch.from_numpy(canvas), torch.from_numpy(sizes), []
            )

    def files(self, preprocessing: Preprocessing) -> ImageFiles:
        """What stands for the images where files are expected."""
        count = len(self._images)
        return ImageFiles(
            Path(),
            np.array([b""] * count),
            np.zeros(count, np.int64),
            image_size=preprocessing.shape[0],
            resize=preprocessing.resize,
            square=preprocessing.square,
        )


def _as_it_is(batch: Decoded) -> Decoded:
    return batch


def _live_as_long_as_the_run(_: int) -> None:
    """Ctrl-C in a terminal reaches every process: leave it to the run. If that is killed, end at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run = multiprocessing.parent_process()
    assert run is not None  # noqa: S101 - this is a worker

    def follow() -> None:
        multiprocessing.connection.wait([run.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
