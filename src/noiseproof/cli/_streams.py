"""Standard output and error as a command sees them: writing to them never ends the work, and what is said is text."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from typing import TYPE_CHECKING

from noiseproof.formats import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

_PLAIN = {"±": "+/-", "–": "-", "—": "-", "−": "-", "…": "...", "≥": ">=", "≤": "<=", "×": "x", "·": "-", "→": "->"}


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c) or c.encode("unicode_escape").decode("ascii") for c in text), error.end


codecs.register_error("noiseproof-plain", _plainly)


class Stream(io.TextIOBase):
    """A standard stream whose failures are kept in mind instead of raised; what comes after them is dropped.

    What its encoding lacks is written plainly: ``+/-`` for ``±``, and as Python writes it where there is no such form.

    Args:
        stream: the stream, ``None`` where the process was started without it.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._failure: Exception | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write the text, unless that failed before."""
        shown = text.encode(self.encoding, "noiseproof-plain").decode(self.encoding)
        self._try(lambda stream: stream.write(shown))
        return len(text)

    def flush(self) -> None:
        """Hand on what is held back."""
        if self._stream is not None:
            self._try(lambda stream: stream.flush())

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        with contextlib.suppress(ValueError):
            return self._stream is not None and self._stream.isatty()
        return False

    def fileno(self) -> int:
        """The number of its file.

        Raises:
            OSError: it has none.
        """
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def writable(self) -> bool:
        """Yes, whatever becomes of it."""
        return True

    def lost(self) -> Exception | None:
        """Why not all was written, ``None`` if it was, or if its reader went away, as ``head`` does."""
        self.flush()
        gone = isinstance(self._failure, OSError) and self._failure.errno == errno.EPIPE
        return None if gone else self._failure

    def _try(self, act: Callable[[TextIO], object]) -> None:
        if self._failure is not None:
            return
        try:
            if self._stream is None:
                raise OSError(errno.EBADF, "it is closed")
            act(self._stream)
        except (OSError, ValueError) as error:  # ValueError: closed by somebody
            self._failure = error
            # Python flushes once more at its end, and must not fail then.
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.fileno())
                os.close(nowhere)


def _occupy(number: int) -> None:
    """Let no file that is opened later take the place of a closed standard stream, and with it what is printed."""
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


@contextlib.contextmanager
def standard_streams() -> Iterator[Stream]:
    """Put a :class:`Stream` in the places of standard output, which is given, and standard error."""
    for number in range(3):
        _occupy(number)
    before = sys.stdout, sys.stderr
    out, err = Stream(sys.stdout), Stream(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield out
    finally:
        err.flush()
        sys.stdout, sys.stderr = before


def say(*lines: str) -> None:
    """Print lines as they are, unbroken: a path or a command that is broken in two cannot be pasted."""
    for line in lines or ("",):
        print(printable(line))


def complain(kind: str, text: str) -> None:
    """Say on standard error what is wrong, in lines that nothing in the text can add to unseen."""
    first, *more = text.split("\n")
    print(f"{kind}{printable(first)}", *[f"  {printable(line)}" for line in more], sep="\n", file=sys.stderr)
