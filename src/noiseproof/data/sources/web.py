"""WebVision-mini and Clothing1M."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from noiseproof.data._clothing1m import clothing1m
from noiseproof.data._webvision import webvision_mini
from noiseproof.data.sources._images import ImageSource

if TYPE_CHECKING:
    from pathlib import Path

    from noiseproof.data._dataset import Dataset


class WebVision(ImageSource):
    """See :func:`noiseproof.data.webvision_mini`."""

    is_published: ClassVar[bool] = True
    name: Literal["webvision"]

    def read(self, data_dir: Path, *, download: bool) -> Dataset:  # noqa: ARG002 - nobody may hand it on
        """See :meth:`DataSource.read`."""
        return webvision_mini(data_dir, **self.reading)


class Clothing1M(ImageSource):
    """See :func:`noiseproof.data.clothing1m`."""

    is_published: ClassVar[bool] = True
    name: Literal["clothing1m"]

    def read(self, data_dir: Path, *, download: bool) -> Dataset:  # noqa: ARG002 - nobody may hand it on
        """See :meth:`DataSource.read`."""
        return clothing1m(data_dir, **self.reading)
