"""The scheduler: what runs next, what is tried again, and where all of it stands.

It hands one run after another to an executor, which only computes it. How far a run is, it reads from the run's folder,
as any other process on any machine could.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
import time
import uuid
import warnings
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from noiseproof.errors import DataError, FolderInUseError, LabelError, RunError, RunWarning
from noiseproof.run._inputs import Inputs
from noiseproof.run._mailbox import Mailbox
from noiseproof.run._work import order_of, run_here, run_order
from noiseproof.train import Progress, Record, Runs, ended_without_inputs, read_record, reads_noise, stop_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor, Future
    from pathlib import Path

    from noiseproof.run._machine import Machine
    from noiseproof.run._work import Outcome
    from noiseproof.run.executors import ExecutorSettings
    from noiseproof.train import Identity, Recipe

    Choose = Callable[[Sequence[Recipe], Mapping[str, Record]], Recipe]
    """Which of the recipes that are left to run next, knowing the records so far by the recipes' ids."""

RETRIES = 2
"""How often a run is tried again whose process was lost."""

_RHYTHM = 0.2
"""Seconds between two looks at how far runs are."""

_PATIENCE = 600.0
"""Seconds that a run which is to stop may take to finish its step and save its state."""

_WAITS = (1.0, 2.0, 4.0)
"""Seconds until a folder that is in use is tried again; the last for ever, as long as there is something else to do."""


@dataclass(frozen=True)
class GridProgress:
    """Where a grid stands: the ``number``-th of ``count`` runs to end, and where that run stands."""

    number: int
    count: int
    recipe: Recipe
    run: Progress | None
    """``None`` when the run has just ended."""
    done: float
    """The share of the grid that is done, by epochs."""


def run_recipes(
    recipes: Sequence[Recipe],
    runs: str | Path,
    machine: Machine,
    *,
    deadline: float | None = None,
    choose: Choose = lambda left, _: left[0],
    watch: Callable[[GridProgress], None] = lambda _: None,
) -> dict[str, Record]:
    """Run what is missing of some recipes, and return the records there are then, by the recipes' ids.

    Args:
        recipes: what to run.
        runs: the folder that holds a folder per run.
        machine: where the data is and what to train on.
        deadline: when to stop, by :func:`time.monotonic`; a run that is not finished then is saved as it stands.
        choose: which recipe to run next.
        watch: called as runs go on, in this process after every step, and at the end of every run.

    Raises:
        RunError, DataError, KeyboardInterrupt: as :func:`noiseproof.train.train`; finished runs are kept.
    """
    different = {recipe.id: recipe for recipe in reversed(recipes)}
    inputs = Inputs(machine.data_dir, download=machine.download)
    state = _State(list(reversed(different.values())), inputs, Runs(runs), choose, deadline, watch)
    if state.left:
        with _signals_interrupt():
            _run(state, machine)
    return {identity: under_title(record, different[identity]) for identity, record in state.records.items()}


def under_title(record: Record, recipe: Recipe) -> Record:
    """The record of a run as that of a recipe, which may have another title or path than the one that was run."""
    return replace(record, recipe=recipe.model_dump(mode="json"))


class _State:
    """What is left, what is done, and the time."""

    def __init__(
        self,
        recipes: Sequence[Recipe],
        inputs: Inputs,
        runs: Runs,
        choose: Choose,
        deadline: float | None,
        watch: Callable[[GridProgress], None],
    ) -> None:
        self.inputs = inputs
        self.deadline = deadline
        self._runs = runs
        self._choose = choose
        self._watch = watch
        self._total = sum(recipe.epochs for recipe in recipes)
        self._shares = {recipe.id: 0.0 for recipe in recipes}
        self._ended = 0
        self._begun: dict[str, float] = {}
        self._start_up = 0.0
        self._in_use: dict[str, int] = {}
        self._later: list[tuple[float, Recipe]] = []
        self.records: dict[str, Record] = {}
        self.left: list[Recipe] = []
        for recipe in recipes:
            record = self._find(recipe)
            if record is not None:
                self.records[recipe.id] = record
            if record is None or record.status == "running":
                self.left.append(recipe)
            else:
                self._note_done(recipe)

    def _find(self, recipe: Recipe) -> Record | None:
        """The record that there is of a recipe's run on the inputs that there are."""
        if not self._runs.has(recipe):
            return None  # and its inputs need not be read yet
        try:
            identity = self.inputs.identity(recipe)
        except (DataError, LabelError) as error:
            return ended_without_inputs(recipe, self._runs.of(recipe), error)
        return self._runs.with_identity(recipe, identity)

    def folder(self, recipe: Recipe, identity: Identity) -> Path:
        """Where to run a recipe.

        Raises:
            RunError: it was begun on other inputs.
        """
        return self._runs.place(recipe, identity)

    def is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def next(self) -> Recipe | None:
        """The next to run, if there is one and time for it: reading data and compiling cannot be interrupted."""
        now = time.monotonic()
        if self.deadline is not None and now + self._start_up >= self.deadline:
            return None
        if self.left:
            recipe = self._choose(self.left, self.records)
            self.left.remove(recipe)
        else:
            due = [entry for entry in self._later if entry[0] <= now]
            if not due:
                return None
            self._later.remove(due[0])
            recipe = due[0][1]
        self._begun[recipe.id] = now
        return recipe

    @property
    def is_waiting(self) -> bool:
        """Whether there are runs in folders that others use now."""
        return bool(self._later) and not self.is_late()

    def put_back(self, recipe: Recipe) -> None:
        """Run it again, before others."""
        self.left.insert(0, recipe)

    def postpone(self, recipe: Recipe, *, alone: bool) -> bool:
        """Run it again when others are done and some time has passed; false if there was time enough."""
        tries = self._in_use[recipe.id] = self._in_use.get(recipe.id, 0) + 1
        if alone and not self.left and tries > len(_WAITS):
            return False
        self._later.append((time.monotonic() + _WAITS[min(tries, len(_WAITS)) - 1], recipe))
        return True

    def note_step(self, recipe: Recipe, progress: Progress) -> None:
        if recipe.id in self._begun:
            self._start_up = time.monotonic() - self._begun.pop(recipe.id)  # what the next one may take too
        self._shares[recipe.id] = recipe.epochs * progress.share
        self._report(recipe, progress)

    def note_end(self, recipe: Recipe, folder: Path) -> None:
        record = read_record(folder)
        if record is not None:
            self.records[recipe.id] = record
        if record is not None and record.status != "running":
            self._note_done(recipe)

    def _note_done(self, recipe: Recipe) -> None:
        self._shares[recipe.id] = recipe.epochs
        self._ended += 1
        self._report(recipe, None)

    def _report(self, recipe: Recipe, progress: Progress | None) -> None:
        done = min(sum(self._shares.values()) / self._total, 1.0)
        number = self._ended + (progress is not None)
        self._watch(GridProgress(number, len(self._shares), recipe, progress, done))


class _Attempt(NamedTuple):
    """A run that an executor computes now."""

    recipe: Recipe
    folder: Path
    mailbox: Mailbox


class _Attempts:
    """The runs that an executor computes now."""

    def __init__(self, state: _State, machine: Machine, settings: ExecutorSettings, executor: Executor) -> None:
        self._state = state
        self._options = machine.arguments()
        self._settings = settings
        self._executor = executor
        self._going: dict[Future[Outcome], _Attempt] = {}
        self._said: dict[str, Progress] = {}
        self._losses: dict[str, int] = {}
        self._mailboxes: list[Mailbox] = []
        self._stopping = False

    def __len__(self) -> int:
        return len(self._going)

    def begin(self, recipe: Recipe) -> None:
        """Hand a run to the executor.

        Raises:
            NoiseproofError: something that it reads is missing or damaged, it was begun with other inputs, it is made
                of what no other process can import, or the executor takes no more.
        """
        state, inputs = self._state, self._state.inputs
        identity = inputs.identity(recipe)
        folder, name = state.folder(recipe, identity), uuid.uuid4().hex
        attempt = _Attempt(recipe, folder, Mailbox(folder, name))
        if self._settings.in_this_process:
            watch = functools.partial(state.note_step, recipe)
            work = functools.partial(run_here, recipe, folder, inputs, self._options, watch, state.is_late)
        else:
            if not reads_noise(recipe):
                inputs.keep_only(None)  # whoever runs it reads them; here their fingerprints are enough
            work = functools.partial(
                run_order, order_of(recipe, folder, name, identity, self._options, self._settings.threads())
            )
        self._mailboxes.append(attempt.mailbox)
        try:
            future = self._executor.submit(work)
        except BrokenExecutor as error:
            raise RunError(
                f"the executor takes no more runs ({error}): give another one; finished runs are kept, others go on"
            ) from error
        self._going[future] = attempt

    def wait(self) -> None:
        """Wait a moment for what there is to be heard.

        Raises:
            NoiseproofError: a run failed.
        """
        done, _ = wait(self._going, timeout=_RHYTHM, return_when=FIRST_COMPLETED)
        for future in done:
            self._settle(self._going.pop(future), future)
        for attempt in self._going.values():
            progress = attempt.mailbox.read()
            if progress is not None and progress != self._said.get(attempt.recipe.id):
                self._said[attempt.recipe.id] = progress
                self._state.note_step(attempt.recipe, progress)

    def _settle(self, attempt: _Attempt, future: Future[Outcome]) -> None:
        recipe, mailbox = attempt.recipe, attempt.mailbox
        try:
            outcome = future.result()
        except (BrokenExecutor, CancelledError):
            outcome = None
        for category, text in () if outcome is None else outcome.warnings:
            warnings.warn(text, category, stacklevel=2)
        if outcome is not None and isinstance(outcome.error, FolderInUseError):
            if self._stopping or self._state.postpone(recipe, alone=not self._going):
                return
            raise outcome.error
        if outcome is not None and outcome.error is not None:
            raise outcome.error
        mailbox.remove_progress()
        if (outcome is None or outcome.interrupted) and not self._stopping:
            mailbox.ask_to_stop()  # it may live on where nobody can reach it
            self._try_again(recipe)
        else:
            self._state.note_end(recipe, attempt.folder)

    def _try_again(self, recipe: Recipe) -> None:
        losses = self._losses[recipe.id] = self._losses.get(recipe.id, 0) + 1
        what = f"a worker process ended while it ran {recipe.id} ({recipe.method.name}, seed {recipe.seed})"
        if losses > RETRIES:
            raise RunError(
                f"{what}, {losses} times in all, perhaps killed for its memory: run the same command again with fewer "
                "jobs; it goes on from there"
            )
        warnings.warn(
            f"{what}, perhaps killed for its memory: it goes on from its checkpoint", RunWarning, stacklevel=2
        )
        self._state.put_back(recipe)

    def stop(self) -> None:
        """Have all runs save their places and end."""
        if not self._stopping:
            self._stopping = True
            for attempt in self._going.values():
                attempt.mailbox.ask_to_stop()

    def close(self) -> None:
        """Stop what goes on, and let go of the executor."""
        self.stop()
        _, alive = wait(self._going, timeout=_PATIENCE)
        for attempt in self._going.values():
            attempt.mailbox.remove_progress()
        for mailbox in self._mailboxes:
            mailbox.remove_stop()
        self._executor.shutdown(wait=not alive)


def _run(state: _State, machine: Machine) -> None:
    settings = machine.settings()
    attempts = _Attempts(state, machine, settings, settings.start())
    try:
        while True:
            while len(attempts) < settings.places() and (recipe := state.next()) is not None:
                attempts.begin(recipe)
            if attempts:
                attempts.wait()
            elif state.is_waiting:
                time.sleep(_RHYTHM)
            else:
                return
            if state.is_late():
                attempts.stop()
    finally:
        attempts.close()


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Take the end of the terminal, and the word to terminate, for Ctrl-C."""
    handlers: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in {*stop_signals()} - {signal.SIGINT}:
            handlers[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001
    raise KeyboardInterrupt
