"""Data that ``fit`` has brought into shape."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from noiseproof.data._prepared import read_prepared, write_prepared
from noiseproof.data.sources._base import DataSource
from noiseproof.settings import CountOrZero, PathText

if TYPE_CHECKING:
    from noiseproof.data._dataset import Dataset


__all__ = ["Prepared", "write_prepared"]


class Prepared(DataSource):
    """What :func:`write_prepared` wrote: inputs in shape, labels, and folds.

    Attributes:
        path: the folder.
        fold: the samples that are held out; ``None`` for none.
    """

    own: ClassVar[tuple[str, str] | None] = ("the folder that fit wrote", "photos.model/training")
    paths: ClassVar[tuple[str, ...]] = ("path",)
    name: Literal["prepared"]
    path: PathText
    fold: CountOrZero | None = None

    def read(self, data_dir: Path, *, download: bool) -> Dataset:  # noqa: ARG002 - the recipe says where they are
        """See :meth:`DataSource.read`."""
        return read_prepared(Path(self.path), self.fold)
