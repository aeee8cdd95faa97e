"""How many runs a device takes at once, found out while they run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from noiseproof.bench._workers import Memory, Report

_WINDOW = 10.0
"""Seconds over which the samples per second are counted, once all workers train."""

_GAIN = 1.05
"""How much more one more worker must get done for the next to be tried."""

_SHARE = 0.9
"""Of the memory that may be used."""


class Filling:
    """Begins with one worker, and adds another as long as that gets more done and its memory is there.

    Attributes:
        workers: how many there are to be now. One that was of no use is taken back.

    Args:
        most: how many there may be.
        begin_with: how many there are at once; with ``most`` it stays so.
        window: the seconds over which the samples per second are counted.
        clock: what the time is.
    """

    def __init__(
        self,
        most: int,
        *,
        begin_with: int = 1,
        window: float = _WINDOW,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workers = begin_with
        self._most = most
        self._window = window
        self._clock = clock
        self._runs: dict[str, int] = {}
        self._memory: dict[int, Memory] = {}
        self._done = 0
        self._began: tuple[float, int] | None = None
        self._rate = 0.0
        self._settled = begin_with == most

    def note(self, report: Report) -> None:
        """Count what a worker has done."""
        progress, recipe = report.progress, report.recipe
        if self._settled or progress is None or report.memory is None:
            return
        at = recipe.batch_size * ((progress.epoch - 1) * progress.steps + progress.step)
        self._done += at - self._runs.get(recipe.id, at)
        self._runs[recipe.id] = at
        self._memory[report.worker] = report.memory
        if len(self._memory) < self.workers:
            return  # the newest is still loading its data
        now = self._clock()
        if self._began is None:
            self._began = now, self._done
        elif now - self._began[0] >= self._window:
            self._decide((self._done - self._began[1]) / (now - self._began[0]))
            self._began = None

    def _decide(self, rate: float) -> None:
        if self.workers > 1 and rate < _GAIN * self._rate:
            self.workers -= 1
            self._settled = True
        elif self.workers == self._most or not self._fits_another():
            self._settled = True
        else:
            self._rate = rate
            self.workers += 1

    def _fits_another(self) -> bool:
        used = [memory.used for memory in self._memory.values()]
        return sum(used) + max(used) <= _SHARE * min(memory.total for memory in self._memory.values())
