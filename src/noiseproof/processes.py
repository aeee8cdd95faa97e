"""Processes that never run the caller's main module.

Python's own import it again in every process that they spawn, which a script without ``if __name__ == "__main__"`` does
not survive, and which cannot be done at all with what comes from a notebook or from standard input.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from multiprocessing import context
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_one_at_a_time = threading.RLock()


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    with _one_at_a_time:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")  # without a file, and without a name to import it by
        try:
            yield
        finally:
            sys.modules["__main__"] = main


class _Spawned(context.SpawnProcess):
    def start(self) -> None:
        with _without_main():
            super().start()


class _SpawnContext(context.SpawnContext):
    Process = _Spawned


def fresh_processes() -> context.SpawnContext:
    """A context of :mod:`multiprocessing` whose processes begin with nothing of this one."""
    return _SpawnContext()


if sys.platform == "linux":

    class _Forked(context.ForkServerProcess):
        def start(self) -> None:
            with _without_main():
                super().start()

    class _ForkServerContext(context.ForkServerContext):
        Process = _Forked

    def served_processes(preload: Sequence[str]) -> context.BaseContext:
        """Like :func:`fresh_processes`, but forked by a server that has imported some modules."""
        served = _ForkServerContext()
        served.set_forkserver_preload(list(preload))
        return served

else:

    def served_processes(preload: Sequence[str]) -> context.BaseContext:  # noqa: ARG001
        """Like :func:`fresh_processes`."""
        return fresh_processes()
