"""The user's own images, in a folder per class."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from noiseproof.data._listed import image_folder
from noiseproof.data.sources._images import ImageSource
from noiseproof.settings import PathText

if TYPE_CHECKING:
    from pathlib import Path

    from noiseproof.data._dataset import Dataset


class Folder(ImageSource):
    """Images in a folder per class; see :func:`noiseproof.data.image_folder`.

    Attributes:
        path: the folder.
    """

    own: ClassVar[tuple[str, str] | None] = ("the folder", "my-photos")
    paths: ClassVar[tuple[str, ...]] = ("path",)
    name: Literal["folder"]
    path: PathText

    def read(self, data_dir: Path, *, download: bool) -> Dataset:  # noqa: ARG002 - the recipe says where they are
        """See :meth:`DataSource.read`."""
        return image_folder(self.path, **self.reading)
