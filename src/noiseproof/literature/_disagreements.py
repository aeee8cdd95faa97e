"""Where the papers' text and published code say different things, and what noiseproof takes."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources

from noiseproof.files import parse_toml


@dataclass(frozen=True)
class Disagreement:
    """One place where published sources differ.

    Attributes:
        about: what it is about.
        methods: the names of the methods that it concerns; empty if it concerns the protocol of all of them.
        text: what the JAL supplement says, or another paper where it is named.
        code: what published code does.
        taken: what noiseproof takes by default, and how to have the other.
        why: the reason.
    """

    about: str
    methods: tuple[str, ...]
    text: str
    code: str
    taken: str
    why: str


def disagreements(method: str | None = None) -> tuple[Disagreement, ...]:
    """The disagreements that concern a method; all of them without one."""
    return tuple(entry for entry in _all() if method is None or method in entry.methods)


@functools.cache
def _all() -> tuple[Disagreement, ...]:
    text = resources.files("noiseproof.literature").joinpath("disagreements.toml").read_text(encoding="utf-8")
    return tuple(
        Disagreement(**{**entry, "methods": tuple(entry["methods"])}) for entry in parse_toml(text)["disagreement"]
    )
