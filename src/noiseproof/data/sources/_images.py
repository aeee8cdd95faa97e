"""What sources of image files share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from noiseproof.data.sources._base import DataSource
from noiseproof.settings import Real, number

if TYPE_CHECKING:
    from typing_extensions import Self

_Pixels = Annotated[int, BeforeValidator(number), Field(ge=1, le=1 << 14)]


class ImageSource(DataSource):
    """Image files.

    Attributes:
        image_size: height and width of what a network gets; 224 by default.
        resize: the length of an image's short side before it is cropped; 256 by default. Images of Clothing1M become
            squares of this size.
        unreadable: the share of a part's image files that may be missing, empty or gone before that is an error; by
            default a hundredth, or ten of a small set.
    """

    are_files: ClassVar[bool] = True
    image_size: _Pixels = 224
    resize: _Pixels = 256
    unreadable: Annotated[Real, Field(ge=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.image_size > self.resize:
            raise ValueError(f"image_size {self.image_size} is above resize ({self.resize})")
        return self

    @property
    def reading(self) -> dict[str, Any]:
        """The arguments that all readers of image files have."""
        return {"image_size": self.image_size, "resize": self.resize, "unreadable": self.unreadable}

    def canonical(self, values: dict[str, Any]) -> dict[str, Any]:
        """See :meth:`DataSource.canonical`: how many images may be lost changes no bytes."""
        return {key: value for key, value in values.items() if key != "unreadable"}
