"""Runs one after another, in this process."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from noiseproof.errors import RecipeError
from noiseproof.run.executors._base import ExecutorSettings

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Inline(ExecutorSettings, name="inline"):
    """One run after another, in this process and with all of its threads."""

    in_this_process: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.jobs != 1:
            raise RecipeError(f"jobs {self.jobs}: the executor inline runs one at a time; use the executor processes")

    def start(self) -> Executor:
        """An executor that has done what it is given when ``submit`` returns."""
        return _AtOnce()

    def threads(self) -> None:
        """As many as this process has."""


class _AtOnce(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))  # what it raises is the caller's, Ctrl-C too
        return future
