"""Errors and warnings that noiseproof raises on purpose, and how they suggest and list names.

Every error names the value, what was expected and what to do. The command line prints the text of a
:class:`NoiseproofError` without a traceback; anything else is a defect of noiseproof.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class NoiseproofError(Exception):
    """Base of every error that noiseproof raises on purpose."""


class SpecError(NoiseproofError, ValueError):
    """A name, an expression or a parameter that no loss, model or method accepts."""


class LabelError(NoiseproofError, ValueError):
    """Labels, a rate or a transition matrix that cannot be used."""


class DataError(NoiseproofError, ValueError):
    """A data file that is missing, truncated, malicious or in the wrong layout."""


class RecipeError(NoiseproofError, ValueError):
    """A recipe with an unknown key or a value outside its domain."""


class RunError(NoiseproofError, RuntimeError):
    """A run folder that cannot be used, or a run that cannot go on."""


class MissingPackageError(NoiseproofError, ModuleNotFoundError):
    """A package that is needed is not installed."""


class CheckError(NoiseproofError, AssertionError):
    """A loss or a method that breaks a rule which :mod:`noiseproof.testing` checks."""


class FolderInUseError(RunError):
    """A run folder that another process uses now."""


class NoiseWarning(UserWarning):
    """A noise whose real rate differs from the request, or that no loss can be expected to bear."""


class DataWarning(UserWarning):
    """Data that differ from the published ones."""


class RunWarning(UserWarning):
    """A run that goes on under other circumstances than it began, or that has learned nothing."""


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown name: the nearest known ones, and all of them if they are few."""
    options = sorted(known)
    near = difflib.get_close_matches(name.lower(), options, n=2, cutoff=0.5)
    text = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"{text} (known: {', '.join(options)})"


def shorten(names: Sequence[str]) -> str:
    """The first few of perhaps many names, and how many more there are."""
    rest = len(names) - 5
    return ", ".join(names[:5]) + (f" and {rest} more" if rest > 0 else "")
