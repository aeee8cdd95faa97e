"""Data that ``fit`` has brought into shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from noiseproof.data._prepared import read_prepared, write_prepared
from noiseproof.data.sources._base import DataSource
from noiseproof.settings import CountOrZero

if TYPE_CHECKING:
    from pathlib import Path

    from noiseproof.data._dataset import Dataset


__all__ = ["Prepared", "read_prepared", "write_prepared"]


class Prepared(DataSource):
    """What :func:`write_prepared` wrote: inputs in shape, labels, and folds.

    They are in the folder of data, ``--data-dir wines.model/training``: a recipe does not say where, so that runs have
    the same bytes wherever their model is kept.

    Attributes:
        fold: the samples that are held out; ``None`` for none.
    """

    is_published: ClassVar[bool] = True
    name: Literal["prepared"]
    fold: CountOrZero | None = None

    def read(self, data_dir: Path, *, download: bool) -> Dataset:  # noqa: ARG002 - nobody has published them
        """See :meth:`DataSource.read`."""
        return read_prepared(data_dir, self.fold)
