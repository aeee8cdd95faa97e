"""Where a fit stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from noiseproof.run import GridProgress


@dataclass(frozen=True)
class FitProgress:
    """Where a fit stands.

    Attributes:
        what: what is done now, in a few words.
        done: the share of all that is planned, between 0 and 1. It never falls.
    """

    what: str
    done: float

    @property
    def stage(self) -> str:
        """What is done now, without where it stands within that."""
        return self.what.partition(",")[0]


class Teller:
    """Tells somebody where a fit stands.

    Args:
        watch: what is called.
    """

    def __init__(self, watch: Callable[[FitProgress], None]) -> None:
        self._watch = watch
        self._done = self._before = 0.0

    def __call__(self, what: str, done: float = 0.0) -> None:
        """Say what is done now, and how much was; less than before does not count."""
        done = self._before + (1 - self._before) * min(done, 1.0)
        self._done = max(self._done, done)
        self._watch(FitProgress(what, self._done))

    def of_images(self, share: float, count: int) -> Callable[[int], None]:
        """What tells of images that are turned into vectors before all else, and take such a share of the fit."""
        self._before = share

        def tell(number: int) -> None:
            self._done = max(self._done, share * number / count)
            self._watch(FitProgress(f"vectors of images, {number:,} of {count:,}", self._done))

        return tell

    def of_runs(self, what: str, begin: float, end: float) -> Callable[[GridProgress], None]:
        """What tells of runs that take the fit from one share of it to another."""

        def tell(progress: GridProgress) -> None:
            where = f", {progress.recipe.method.name}" if progress.count > 1 else ""
            self(f"{what}{where}", begin + (end - begin) * progress.done)

        return tell
