"""What is shown: lines, tables, and where something long stands. All of it is text, and nothing in it a command."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table as RichTable

from noiseproof.cli._streams import say
from noiseproof.formats import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from noiseproof.fitting import FitProgress
    from noiseproof.formats import TextTable
    from noiseproof.run import GridProgress

_WIDTH_OF_FILES = 240
_LEAST_WIDTH = 24
"""Columns of text. On a narrower terminal lines are broken by the terminal itself."""

_WIDEST_NUMBERS = 24
"""Characters after which the head of a column of numbers is broken."""


def _console(width: int | None = None) -> Console:
    """A console that takes nothing in a text for markup, an emoji or something to color."""
    return Console(highlight=False, markup=False, emoji=False, width=width)


console = _console()


def show_table(table: TextTable) -> None:
    """Print a table with its caption and notes."""
    say("", table.caption, *table.notes, "")
    show_rows(table.head, table.rows, numbers=True)


def show_rows(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> None:
    """Print rows below their heads, whole at every width.

    They are folded to the width of a terminal; columns for which even that leaves no room follow in a further table,
    with the first column before them.

    Args:
        head: the heads of the columns.
        rows: as many texts each.
        numbers: whether all columns but the first hold numbers.
    """
    texts = [[printable(text) for text in row] for row in (head, *rows)]
    width = max(console.width, _LEAST_WIDTH) if console.is_terminal else _WIDTH_OF_FILES
    most = _WIDEST_NUMBERS if numbers else None
    out = _console(width)
    for number, columns in enumerate(_that_fit(texts, width, most, out)):
        table = RichTable(show_edge=False, pad_edge=False)
        for column in columns:
            right = numbers and column > 0
            table.add_column(
                texts[0][column],
                justify="right" if right else "left",
                max_width=most if right else None,
                overflow="fold",
            )
        for row in texts[1:]:
            table.add_row(*[row[column] for column in columns])
        if number:
            say("")
        out.print(table)


def _that_fit(texts: list[list[str]], width: int, most: int | None, out: Console) -> Iterator[list[int]]:
    """The first column with as many others as have room for their longest words."""
    needed = []
    for cells in zip(*texts, strict=True):
        longest = max(Measurement.get(out, out.options, text).minimum for text in cells)
        needed.append(longest if most is None else min(longest, most))
    # A long name is folded to half of the width before it costs the other columns their place beside it.
    needed[0] = min(needed[0], width // 2)
    columns, used = [0], needed[0]
    for column in range(1, len(needed)):
        if len(columns) > 1 and used + 3 + needed[column] > width:
            yield columns
            columns, used = [0], needed[0]
        columns.append(column)
        used += 3 + needed[column]
    yield columns


class _Display:
    """A progress bar with the time left; where output is no terminal, a line now and then."""

    def __init__(self) -> None:
        self._bar = Bar(
            BarColumn(24),
            TextColumn("{task.percentage:3.0f} %", markup=False),
            TextColumn("{task.description}", markup=False),
            console=console,
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

    def _show(self, done: float, text: str, *, speak: bool) -> None:
        """Show where it stands; as a line too if there is something to say, or nothing was said for a minute."""
        now = time.monotonic()
        if self._began is None:
            self._began = now, done
        text = f"{text}{_left(*self._began, now, done)}"
        self._bar.update(self._task, completed=100 * done, description=text)
        if not console.is_terminal and (speak or now - self._spoke > 60):
            self._spoke = now
            say(f"{100 * done:3.0f} %  {text}")


class GridDisplay(_Display):
    """Where a grid stands, and a line per finished run."""

    def __call__(self, progress: GridProgress) -> None:
        # Runs that were finished before cost nothing and would spoil the estimate.
        if self._began is not None or progress.run is not None:
            self._show(progress.done, describe(progress), speak=progress.run is None)


class FitDisplay(_Display):
    """Where a fit stands, and a line per stage."""

    _stage = ""

    def __call__(self, progress: FitProgress) -> None:
        self._show(progress.done, progress.what, speak=progress.stage != self._stage)
        self._stage = progress.stage


def _left(began: float, start: float, now: float, done: float) -> str:
    """How long it took in all or will take still, from the share that was done at the beginning and is done now."""
    if done >= 1:
        return f" · {_duration(now - began)} in all"
    if now - began < 1 or done <= start:
        return ""
    return f" · {_duration((now - began) * (1 - done) / (done - start))} left"


def describe(progress: GridProgress) -> str:
    """Which run it is and where it stands."""
    name = shortened(printable(progress.recipe.method.name), 60)
    run = f"run {progress.number} of {progress.count}: {name}, seed {progress.recipe.seed}"
    if progress.run is None:
        return f"{run}, done"
    text = f"{run}, epoch {progress.run.epoch} of {progress.run.epochs}"
    last = progress.run.last
    if last is not None and last.test_accuracy is not None:
        text += f", test {last.test_accuracy:.1%}"
    return text


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
