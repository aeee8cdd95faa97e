"""Data that are given to a run as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from noiseproof.data.sources._base import DataSource
from noiseproof.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from noiseproof.data._dataset import Dataset


class Memory(DataSource):
    """Data in the memory of the process that trains; see :func:`noiseproof.data.in_memory`.

    A run belongs to their contents. No other process can read them.
    """

    is_published: ClassVar[bool] = True
    name: Literal["memory"]

    def read(self, data_dir: Path, *, download: bool) -> Dataset:  # noqa: ARG002 - they are nowhere
        """See :meth:`DataSource.read`.

        Raises:
            DataError: always.
        """
        raise DataError(
            "the data are in the memory of the process that made them, where no other process finds them: give them to "
            "train(…, data=…) again; or save them (numpy.savez) and use data = 'arrays', which commands and several "
            "jobs can read"
        )
