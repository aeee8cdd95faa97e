"""Settings of a kind, as recipes hold them: frozen values that are checked, and say what is wrong in plain words."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from noiseproof.errors import suggest

LONGEST_PATH = 4000
_MOST = 2**31 - 1


class Settings(BaseModel):
    """A frozen value that names unknown keys and suggests the nearest known one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys_only(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for key in value:
                if key not in cls.model_fields:
                    raise ValueError(f"unknown key {key!r}{suggest(str(key), cls.model_fields)}")
        return value


class KindSettings(Settings):
    """The settings of one of several kinds, which a table with the kind's name chooses."""

    tag: ClassVar[str] = "kind"
    """The key of the kind's name in a table."""
    paths: ClassVar[tuple[str, ...]] = ()
    """The keys that are paths: a run belongs to what is there, not to where it is."""
    places: ClassVar[tuple[str, ...]] = ()
    """Further keys that say where something is read, such as a column."""

    @classmethod
    def kind_name(cls) -> str:
        """The name, which the class declares as the one value that its tag can have; empty where it has none."""
        field = cls.model_fields.get(cls.tag)
        values = () if field is None else get_args(field.annotation)
        return values[0] if len(values) == 1 and isinstance(values[0], str) else ""


def number(value: Any) -> Any:
    """A number that was written as one: neither text nor true or false stands for it."""
    if isinstance(value, bool | str | bytes):
        raise ValueError("expected a number")
    return value


def _flag(value: Any) -> Any:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _path(value: Any) -> Any:
    if isinstance(value, str) and (not value or "\0" in value or len(value) > LONGEST_PATH):
        raise ValueError(f"expected a path of 1 to {LONGEST_PATH} characters, none of them NUL")
    return value


Count = Annotated[int, BeforeValidator(number), Field(gt=0, le=_MOST)]
CountOrZero = Annotated[int, BeforeValidator(number), Field(ge=0, le=_MOST)]
Real = Annotated[float, BeforeValidator(number)]
Flag = Annotated[bool, BeforeValidator(_flag)]
PathText = Annotated[str, BeforeValidator(_path)]
