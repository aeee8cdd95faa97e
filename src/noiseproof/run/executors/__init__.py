"""Executors by name: what only computes the runs that the scheduler hands to it."""

from __future__ import annotations

from dataclasses import fields

from noiseproof.errors import RecipeError, SpecError
from noiseproof.run.executors._base import EXECUTORS, ExecutorSettings, Given, WorkerLostError
from noiseproof.run.executors.inline import Inline
from noiseproof.run.executors.processes import OneThread, Processes
from noiseproof.run.executors.ray import Ray

__all__ = [
    "EXECUTORS",
    "ExecutorSettings",
    "Given",
    "Inline",
    "OneThread",
    "Processes",
    "Ray",
    "WorkerLostError",
    "executor_named",
]


def executor_named(text: str | None, **settings: object) -> ExecutorSettings:
    """The settings of an executor by its name.

    Args:
        text: a name in :data:`EXECUTORS`, a dotted path into a module that was imported, an entry point, or an address
            that begins with a name, as in ``"ray://head:10001"``; ``None`` for ``"processes"`` where there are several
            jobs, else ``"inline"``.
        settings: what was said of it; ``None`` is not said.

    Raises:
        RecipeError: an unknown name, a setting that it does not have, or a value that it does not take.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    if text is None:
        text = "inline" if given.get("jobs", 1) == 1 else "processes"
    name, is_address, _ = text.partition("://")
    try:
        kind = EXECUTORS.find(name)
    except SpecError as error:
        raise RecipeError(str(error)) from error
    if is_address:
        given["address"] = text
    for key in given.keys() - {field.name for field in fields(kind)}:
        raise RecipeError(
            f"the executor {name} takes no {key.replace('_', ' ')}: leave it out, or use another executor"
        )
    return kind(**given)  # type: ignore[arg-type]
