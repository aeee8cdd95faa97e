"""The user's own arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from noiseproof.data._arrays import arrays
from noiseproof.data.sources._base import DataSource
from noiseproof.settings import PathText

if TYPE_CHECKING:
    from pathlib import Path

    from noiseproof.data._dataset import Dataset


class Arrays(DataSource):
    """Arrays in an ``.npz`` file; see :func:`noiseproof.data.arrays`.

    Attributes:
        path: the file.
    """

    own: ClassVar[tuple[str, str] | None] = ("the .npz file", "my.npz")
    paths: ClassVar[tuple[str, ...]] = ("path",)
    name: Literal["arrays"]
    path: PathText

    def read(self, data_dir: Path, *, download: bool) -> Dataset:  # noqa: ARG002 - the recipe says where they are
        """See :meth:`DataSource.read`."""
        return arrays(self.path)
