"""What is shown while something long runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table as RichTable
from typing_extensions import Self

if TYPE_CHECKING:
    from types import TracebackType

    from noiseproof.bench import GridProgress
    from noiseproof.formats import TextTable

console = Console(highlight=False)


def say(text: str) -> None:
    """Print a line as it is: a path or a command that is broken in two cannot be pasted."""
    console.print(text, soft_wrap=True, markup=False)


def show_wide(table: RichTable) -> None:
    """Print a table, folded to the width of a terminal and unfolded where output is none."""
    (console if console.is_terminal else Console(highlight=False, width=240)).print(table)


class GridDisplay:
    """A progress bar with the time left; where output is no terminal, a line per finished run and per minute."""

    def __init__(self) -> None:
        self._bar = Bar(
            BarColumn(24), TextColumn("{task.percentage:3.0f} %"), TextColumn("{task.description}"), console=console
        )
        self._task = self._bar.add_task("starting")
        self._began: tuple[float, float] | None = None
        self._spoke = time.monotonic()

    def __enter__(self) -> Self:
        if console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if console.is_terminal:
            self._bar.stop()

    def __call__(self, progress: GridProgress) -> None:
        now = time.monotonic()
        if self._began is None:
            # Runs that were finished before cost nothing and would spoil the estimate.
            if progress.run is None:
                return
            self._began = now, progress.done
        text = f"{describe(progress)}{self._left(now, progress.done)}"
        self._bar.update(self._task, completed=100 * progress.done, description=text)
        if not console.is_terminal and (progress.run is None or now - self._spoke > 60):
            self._spoke = now
            console.print(f"{100 * progress.done:3.0f} %  {text}")

    def _left(self, now: float, done: float) -> str:
        assert self._began is not None  # noqa: S101 - set before the first call
        began, start = self._began
        if done >= 1:
            return f" · {_duration(now - began)} in all"
        if now - began < 1 or done <= start:
            return ""
        return f" · {_duration((now - began) * (1 - done) / (done - start))} left"


def describe(progress: GridProgress) -> str:
    """Which run it is and where it stands."""
    run = f"run {progress.number} of {progress.count}: {progress.recipe.method.name}, seed {progress.recipe.seed}"
    if progress.run is None:
        return f"{run}, done"
    text = f"{run}, epoch {progress.run.epoch} of {progress.run.epochs}"
    last = progress.run.last
    if last is not None and last.test_accuracy is not None:
        text += f", test {last.test_accuracy:.1%}"
    return text


def show_table(table: TextTable) -> None:
    """Print a table with its caption and notes."""
    rich = RichTable(caption_justify="left", show_edge=False, pad_edge=False)
    rich.add_column(table.head[0])
    for column in table.head[1:]:
        rich.add_column(column, justify="right", max_width=24)
    for row in table.rows:
        rich.add_row(*row)
    say(f"\n{table.caption}")
    for note in table.notes:
        say(note)
    console.print()
    console.print(rich)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
