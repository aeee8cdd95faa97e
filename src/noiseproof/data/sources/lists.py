"""The user's own images, named by lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from noiseproof.data._listed import image_lists
from noiseproof.data.sources._images import ImageSource
from noiseproof.settings import PathText

if TYPE_CHECKING:
    from pathlib import Path

    from noiseproof.data._dataset import Dataset


class Lists(ImageSource):
    """Text files that name images and labels; see :func:`noiseproof.data.image_lists`.

    Attributes:
        path: the training list.
        test: the test list, if there is one.
        classes: a file with a class name per line.
        root: the folder that the paths in the lists start from; that of the training list by default.
    """

    own: ClassVar[tuple[str, str] | None] = ("the list of training images", "train.txt")
    paths: ClassVar[tuple[str, ...]] = ("path", "test", "classes", "root")
    name: Literal["list"]
    path: PathText
    test: PathText | None = None
    classes: PathText | None = None
    root: PathText | None = None

    def read(self, data_dir: Path, *, download: bool) -> Dataset:  # noqa: ARG002 - the recipe says where they are
        """See :meth:`DataSource.read`."""
        return image_lists(self.path, test=self.test, classes=self.classes, root=self.root, **self.reading)
