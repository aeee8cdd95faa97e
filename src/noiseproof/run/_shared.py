"""Data sets that several processes train on: one copy in memory, which each of them maps."""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
from multiprocessing.reduction import recv_handle, send_handle
from typing import TYPE_CHECKING, Any

from noiseproof.errors import RunError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from noiseproof.data import Dataset

_ALIGNMENT = 64
"""Bytes: arrays begin where vector units like them to."""


class SharedDataset:
    """A data set whose arrays lie in a file without a name: it is gone with the last process that uses it.

    Raises:
        RunError: there is no room for the file.
    """

    def __init__(self, dataset: Dataset) -> None:
        buffers: list[pickle.PickleBuffer] = []
        self._rest = pickle.dumps(dataset, protocol=5, buffer_callback=buffers.append)
        self._spans: list[tuple[int, int]] = []
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this object
        try:
            for buffer in buffers:
                raw = buffer.raw()
                self._spans.append((self._file.tell(), raw.nbytes))
                self._file.write(raw)
                self._file.write(bytes(-raw.nbytes % _ALIGNMENT))
            self._file.flush()
        except OSError as error:
            self.close()
            raise RunError(
                f"cannot share {dataset.name} with the processes that train on it, through a temporary file in "
                f"{tempfile.gettempdir()}: {error}. Set TMPDIR to a folder with room for it, or use one job"
            ) from error

    def send(self, connection: Connection[Any, Any], process: int) -> None:
        """Let the process of this number have it, which is to call :func:`receive_dataset`."""
        connection.send((self._rest, self._spans))
        send_handle(connection, self._file.fileno(), process)

    def close(self) -> None:
        """Send it no more; those who have it keep it."""
        self._file.close()


def receive_dataset(connection: Connection[Any, Any]) -> Dataset:
    """The data set that the other side sends; its arrays can be written to, which nobody else sees."""
    rest, spans = connection.recv()
    handle = recv_handle(connection)
    mapped = memoryview(mmap.mmap(handle, 0, access=mmap.ACCESS_COPY))
    os.close(handle)
    arrays = [mapped[start : start + size] for start, size in spans]
    return pickle.loads(rest, buffers=arrays)  # noqa: S301 - from the process that started this one
