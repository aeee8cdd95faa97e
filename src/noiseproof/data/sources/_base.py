"""What a data source is: settings that a recipe has for it, and the data set that they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import model_validator

from noiseproof.data._kinds import reader
from noiseproof.registry import Registry
from noiseproof.settings import Count, KindSettings

if TYPE_CHECKING:
    from pathlib import Path

    from noiseproof.data._dataset import Dataset


class DataSource(KindSettings):
    """Where a data set comes from.

    A definition is a subclass that declares ``name: Literal["my-source"]``, its settings and :meth:`read`.

    Attributes:
        name: of the source, in recipes and tables.
        train_size: the first so many training samples, as many of each class; ``None`` for all.
        shrink: every square of so many by so many pixels becomes one, their mean; 1 leaves images as they are.
    """

    tag: ClassVar[str] = "name"
    labels_are_clean: ClassVar[bool] = False
    """Whether the labels are right as the source has them; if not, nobody knows which are."""
    are_files: ClassVar[bool] = False
    """Whether inputs are image files."""
    is_published: ClassVar[bool] = False
    """Whether the data are found under the folder of published data, which the recipe does not name."""
    own: ClassVar[tuple[str, str] | None] = None
    """Of the user's own data, what ``path`` is, and an example of it."""

    name: str
    train_size: Count | None = None
    shrink: Count = 1

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
        super().__pydantic_init_subclass__(**keywords)
        if cls.kind_name():
            SOURCES.add(cls.kind_name(), cls)

    @model_validator(mode="before")
    @classmethod
    def _says_where(cls, value: Any) -> Any:
        if cls.own is None or not isinstance(value, dict) or not {*value} <= {*cls.model_fields}:
            return value  # an unknown key is an error of its own, and names the nearest
        if value.get("path") is None:
            name, (what, example) = cls.kind_name(), cls.own
            raise ValueError(
                f"path is missing: {what} of {name!r}, as data.path in the recipe or in the command line: noiseproof "
                f"train {name} --set data.path={example}"
            )
        return value

    def read(self, data_dir: Path, *, download: bool) -> Dataset:
        """The data set.

        Args:
            data_dir: where published data sets are.
            download: whether they may be fetched.

        Raises:
            DataError: it is not there, or damaged.
        """
        raise NotImplementedError

    def load(self, data_dir: Path, *, download: bool = False) -> Dataset:
        """The data set with as many samples and pixels as the settings say.

        Raises:
            DataError: as :meth:`read`, or it has fewer.
        """
        dataset = self.read(data_dir, download=download)
        if self.train_size is not None:
            dataset = dataset.first_per_class(self.train_size)
        return dataset if self.shrink == 1 else dataset.shrunk(self.shrink)

    @property
    def where(self) -> str:
        """What a person is told that the data are."""
        return ", ".join(str(value) for key in self.paths[:1] if (value := getattr(self, key))) or self.name

    def canonical(self, values: dict[str, Any]) -> dict[str, Any]:
        """The settings that differ from their defaults, with each in one spelling."""
        return values


SOURCES: Registry[type[DataSource]] = Registry.of_classes("data source", "data", lambda: DataSource)
"""Every data source by name, the user's own included."""

read_source = reader(SOURCES, DataSource)
"""The source that a table or a name stands for."""
