"""JSON of limited size, depth and numbers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from noiseproof.errors import DataError
from noiseproof.untrusted._bounds import MOST_VALUES
from noiseproof.untrusted._text import read_text

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_INTEGER = 100


def read_json(path: Path) -> Any:
    """The value in a JSON file; see :func:`parse_json`.

    Raises:
        DataError: it cannot be read, or is no such JSON.
    """
    return parse_json(read_text(path), str(path))


def parse_json(text: str, where: str) -> Any:
    """The value of a JSON text: no NaN or infinities, no key twice, no integer of more than 100 digits.

    Args:
        text: the JSON.
        where: what it is, for errors.

    Raises:
        DataError: it is no such JSON, or has too many values or levels.
    """
    values = text.count(",") + text.count("[") + text.count("{")
    if values > MOST_VALUES:
        raise DataError(f"{where} has {values:,} values: expected at most {MOST_VALUES:,}")
    try:
        return json.loads(
            text, parse_int=_integer, parse_float=_number, parse_constant=_constant, object_pairs_hook=_object
        )
    except RecursionError as error:
        raise DataError(f"{where} is no JSON that can be read: it is nested too deep") from error
    except ValueError as error:
        raise DataError(f"{where} is no JSON: {error}") from error


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError(f"an integer of {len(text)} digits: expected at most {_LONGEST_INTEGER}")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:50]} is too large")
    return value


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:50]!r} twice")
        found[key] = value
    return found
