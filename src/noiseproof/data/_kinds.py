"""Kinds of data and of noise: how a table of a recipe becomes the settings of one."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

from noiseproof.errors import SpecError
from noiseproof.settings import KindSettings

if TYPE_CHECKING:
    from noiseproof.registry import Registry

_S = TypeVar("_S", bound=KindSettings)


def read_kind(registry: Registry[type[_S]], base: type[_S], value: Any) -> Any:
    """The settings that a table, or a name alone, stands for; anything else as it is.

    Raises:
        ValueError: an unknown kind.
        ValidationError: settings that the kind has not.
    """
    if isinstance(value, str):
        value = {base.tag: value}
    if not isinstance(value, dict):
        return value
    name = value.get(base.tag)
    if not isinstance(name, str):
        wrong = f"is {name!r:.100}" if base.tag in value else "is missing"
        raise ValueError(f"{base.tag} {wrong}: expected one of {', '.join(sorted(registry))}")
    try:
        kind = registry.find(name)
    except SpecError as error:
        raise ValueError(str(error)) from None
    for key in value:
        owners = sorted(other for other, settings in registry.items() if key in settings.model_fields)
        if owners and key not in kind.model_fields:
            raise ValueError(
                f"{key} belongs to {base.tag} = {', '.join(map(repr, owners))}, not to {kind.kind_name()!r}"
            )
    # A dotted path is one spelling of the name.
    return kind.model_validate({**value, base.tag: kind.kind_name() or name})


def reader(registry: Registry[type[_S]], base: type[_S]) -> Any:
    """:func:`read_kind` of a registry."""
    return functools.partial(read_kind, registry, base)
