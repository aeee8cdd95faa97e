"""CIFAR-10 and CIFAR-100."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from noiseproof.data._cifar import cifar10, cifar100
from noiseproof.data.sources._base import DataSource

if TYPE_CHECKING:
    from pathlib import Path

    from noiseproof.data._dataset import Dataset


class CIFAR10(DataSource):
    """See :func:`noiseproof.data.cifar10`."""

    labels_are_clean: ClassVar[bool] = True
    is_published: ClassVar[bool] = True
    name: Literal["cifar10"]

    def read(self, data_dir: Path, *, download: bool) -> Dataset:
        """See :meth:`DataSource.read`."""
        return cifar10(data_dir, download=download)


class CIFAR100(DataSource):
    """See :func:`noiseproof.data.cifar100`."""

    labels_are_clean: ClassVar[bool] = True
    is_published: ClassVar[bool] = True
    name: Literal["cifar100"]

    def read(self, data_dir: Path, *, download: bool) -> Dataset:
        """See :meth:`DataSource.read`."""
        return cifar100(data_dir, download=download)
