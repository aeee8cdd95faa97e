"""The handwritten digits that come with scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from noiseproof.data._digits import digits
from noiseproof.data.sources._base import DataSource

if TYPE_CHECKING:
    from pathlib import Path

    from noiseproof.data._dataset import Dataset


class Digits(DataSource):
    """1,797 images of 8 x 8 pixels; see :func:`noiseproof.data.digits`."""

    labels_are_clean: ClassVar[bool] = True
    name: Literal["digits"]

    def read(self, data_dir: Path, *, download: bool) -> Dataset:  # noqa: ARG002 - they are in a package
        """See :meth:`DataSource.read`."""
        return digits()
