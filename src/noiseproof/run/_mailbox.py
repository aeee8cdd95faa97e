"""Small files in the folder of a run, by which its process and the scheduler speak, whatever machines they are on."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from noiseproof.train import Epoch, Progress

if TYPE_CHECKING:
    from pathlib import Path

_PROGRESS = "progress.json"
_BETWEEN_REPORTS = 0.5
_BETWEEN_LOOKS = 0.2


class Mailbox:
    """What a run's process and the scheduler tell each other.

    Args:
        folder: of the run.
        attempt: a name for this attempt at the run: the word to stop is for it alone, now or later.
    """

    def __init__(self, folder: Path, attempt: str) -> None:
        self._folder = folder
        self._progress = folder / _PROGRESS
        self._stop = folder / f"stop-{attempt}"
        self._told = self._looked = float("-inf")
        self._is_stopped = False

    def tell(self, progress: Progress) -> None:
        """Say how far the run is, now and then."""
        if time.monotonic() - self._told < _BETWEEN_REPORTS:
            return
        self._told = time.monotonic()
        partial = self._folder / f".{_PROGRESS}.partial"
        with contextlib.suppress(OSError):  # a full disk is told of by the run itself
            partial.write_text(json.dumps(asdict(progress)), encoding="utf-8")
            partial.replace(self._progress)

    def should_stop(self) -> bool:
        """Whether the scheduler wants this attempt to end."""
        if not self._is_stopped and time.monotonic() - self._looked >= _BETWEEN_LOOKS:
            self._looked = time.monotonic()
            self._is_stopped = self._stop.exists()
        return self._is_stopped

    def end(self) -> None:
        """Take back what this attempt has said."""
        if self._told > float("-inf"):
            self.remove_progress()

    def read(self) -> Progress | None:
        """How far the run is, if that was said."""
        try:
            values = json.loads(self._progress.read_text(encoding="utf-8"))
            progress = Progress(**values)
            return progress if progress.last is None else replace(progress, last=Epoch(**values["last"]))
        except (OSError, ValueError, TypeError):
            return None

    def ask_to_stop(self) -> None:
        """Have this attempt save its place and end, also if it has not begun yet."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._stop.touch()

    def remove_stop(self) -> None:
        """Take back the word to stop; a folder that holds nothing else goes."""
        with contextlib.suppress(OSError):
            self._stop.unlink(missing_ok=True)
            self._folder.rmdir()

    def remove_progress(self) -> None:
        """Remove what was said last, perhaps by an attempt that was killed."""
        with contextlib.suppress(OSError):
            self._progress.unlink(missing_ok=True)
