"""The signals that ask a run to save its place and stop."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def stop_signals() -> list[signal.Signals]:
    """Ctrl-C, termination and the end of the terminal.

    What is ignored stays so: under ``nohup`` a run outlives its terminal.
    """
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return [signal.Signals[name] for name in names if signal.getsignal(signal.Signals[name]) is not signal.SIG_IGN]


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first of the :func:`stop_signals` into an event, so that the step at hand is finished."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def note(number: int, frame: object) -> None:  # noqa: ARG001
        event.set()
        for known in before:
            signal.signal(known, before[known])  # a second signal acts at once

    before = {number: signal.signal(number, note) for number in stop_signals()}
    try:
        yield event
        if event.is_set():
            raise KeyboardInterrupt  # it came so late that the run is finished; what follows is still to stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
