"""The published tables and figures that can be run again, as files that say of which runs they are made."""

from __future__ import annotations

from typing import Any

from noiseproof.errors import RecipeError, suggest
from noiseproof.files import packaged_tables, parse_toml

_FILES = "noiseproof.literature.tables"


def reproductions() -> dict[str, str]:
    """The titles of the published tables and figures that can be reproduced, by their names."""
    return {name: parse_toml(text)["title"] for name, text in packaged_tables(_FILES).items()}


def reproduction_table(name: str) -> dict[str, Any]:
    """What the file of a published table says.

    Raises:
        RecipeError: nothing to reproduce has this name.
    """
    known = packaged_tables(_FILES)
    if name not in known:
        raise RecipeError(f"nothing to reproduce is called {name!r}{suggest(name, known)}")
    return parse_toml(known[name])
