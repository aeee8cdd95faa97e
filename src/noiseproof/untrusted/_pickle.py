"""Pickles, read by a machine of its own: numbers, strings, lists, tuples, dictionaries and arrays of numbers.

Python's own unpickler builds what a file describes, and no choice of allowed names makes that safe: the states of
NumPy's types alone can hold pointers. This machine knows the instructions that such data need. What a file calls is
compared with a list and stood in for by the functions below; nothing is imported, and no object sees a state.
"""

from __future__ import annotations

import codecs
import math
import re
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from noiseproof.errors import DataError
from noiseproof.untrusted._bounds import MOST_VALUES, Wrong, foreign, reason
from noiseproof.untrusted._npy import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

DEEPEST = 20
"""Lists in lists: so many levels."""

_LONGEST_INTEGER = 16
_LONGEST_NUMBER = 50
_DTYPE = re.compile(r"[<>|=]?[biuf](1|2|4|8|16)|[?]")


class Refused(Wrong):
    """A file wants to call something that data have no reason to call.

    Attributes:
        name: of what it wants to call.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"it wants to call {name[:100]}")
        self.name = name[:100]


class Name(NamedTuple):
    """What a file refers to by its module and name. It stands for itself: nothing is looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class _Array:
    """An array of a pickle: first empty, then given its state."""

    value: NDArray[Any] | None = None


class _Dtype:
    """The type of an array of a pickle: first named, then given its byte order."""

    def __init__(self, value: np.dtype[Any]) -> None:
        self.value = value


class _Ordered(dict[Any, Any]):
    """An ordered dictionary, whose state (PyTorch keeps notes there) is of no interest."""


class _Mark:
    """Where on the stack the items of a container begin."""


_MARK = _Mark()


class Machine:
    """Reads pickles from ``content``, one after the other.

    Args:
        content: the bytes.
        names: further names and the functions that stand in for what they call.
        persistent: gives the object of a persistent ID, if the file may have such.
    """

    def __init__(
        self,
        content: bytes,
        names: Mapping[Name, Callable[..., Any] | None] | None = None,
        persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        self.content = content
        self.place = 0
        self._names = {**self._own_names(), **(names or {})}
        self._persistent = persistent
        self._steps = MOST_VALUES
        # Arrays and strings may be made of bytes of the file that were used before, but not without end.
        self._bytes = 4 * len(content)
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The next pickle's value, in which arrays are NumPy's, and nothing is shared so often that it grows.

        Raises:
            Refused: the pickle wants to call something.
            Wrong: it is damaged, truncated, or holds anything else than said above.
        """
        self.stack, self.memo = [], {}
        content, end = self.content, len(self.content)
        while True:
            self._steps -= 1
            if self._steps < 0:
                raise Wrong(f"more than {MOST_VALUES:,} values")
            if self.place >= end:
                raise Wrong("it is truncated")
            code = content[self.place]
            self.place += 1
            if code == _STOP:
                break
            step = _STEPS.get(code)
            if step is None:
                raise Wrong(f"the instruction {bytes([code])!r} at byte {self.place - 1}, which data do not need")
            try:
                step(self)
            except Wrong:
                raise
            except (ValueError, TypeError, IndexError, KeyError, OverflowError, struct.error, LookupError) as error:
                raise Wrong(f"{error or type(error).__name__} at byte {self.place}") from error
        if len(self.stack) != 1:
            raise Wrong(f"it ends with {len(self.stack)} values")
        return _Result().of(self.stack[0])

    # --- bytes of the file

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if not 0 <= count <= len(self.content) - self.place:
            raise Wrong("it is truncated")
        self.place += count
        return self.content[self.place - count : self.place]

    def number(self, width: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(width), "little", signed=signed)

    def line(self, longest: int | None = None) -> bytes:
        end = self.content.find(b"\n", self.place, None if longest is None else self.place + longest + 1)
        if end < 0:
            raise Wrong("it is truncated" if longest is None else f"a line of more than {longest} characters")
        line = self.content[self.place : end]
        self.place = end + 1
        return line

    # --- the stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise Wrong("a mark in the place of a value")
        return value

    def items(self) -> list[Any]:
        """What is above the last mark."""
        stack = self.stack
        for place in range(len(stack) - 1, -1, -1):
            if stack[place] is _MARK:
                items = stack[place + 1 :]
                del stack[place:]
                return items
        raise Wrong("no mark")

    def top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise Wrong(f"a {type(self.stack[-1]).__name__} in the place of a {kind.__name__}")
        return self.stack[-1]

    # --- instructions

    def text(self, raw: bytes) -> None:
        self.push(raw.decode("latin1"))

    def unicode(self, raw: bytes) -> None:
        self.push(raw.decode("utf-8", "surrogatepass"))

    def integer(self, raw: bytes) -> None:
        if len(raw) > _LONGEST_INTEGER:
            raise Wrong(f"an integer of {len(raw):,} bytes")
        self.push(int.from_bytes(raw, "little", signed=True))

    def decimal(self) -> None:
        line = self.line(_LONGEST_NUMBER)
        self.push({b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line.removesuffix(b"L")))

    def quoted(self) -> None:
        line = self.line().strip()
        if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
            raise Wrong("a string without quotes")
        self.text(codecs.escape_decode(line[1:-1])[0])

    def set_items(self, items: list[Any]) -> None:
        target = self.top(dict)
        if len(items) % 2:
            raise Wrong("a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Integers far apart can be made to collide without end.
            if not isinstance(key, str | bytes) and not (isinstance(key, int) and abs(key) < 1 << 60):
                raise Wrong(f"a {type(key).__name__} as a key")
            target[key] = value

    def extend(self, items: list[Any]) -> None:
        self.top(list).extend(items)

    def append(self) -> None:
        value = self.pop()
        self.top(list).append(value)

    def group(self, count: int) -> None:
        self.push(tuple([self.pop() for _ in range(count)][::-1]))

    def make_dictionary(self) -> None:
        items = self.items()
        self.push({})
        self.set_items(items)

    def pop_top(self) -> None:
        self.stack.pop()

    def drop_items(self) -> None:
        self.items()

    def skip(self, count: int) -> None:
        self.take(count)

    def memoize(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def recall(self, place: int) -> None:
        self.push(self.memo[place])

    def push_name(self, module: Any, name: Any) -> None:
        found = Name(str(module), str(name))
        if found not in self._names:
            raise Refused(str(found))
        self.push(found)

    def refer(self) -> None:
        module, name = self.line(_LONGEST_NAME), self.line(_LONGEST_NAME)
        self.push_name(module.decode(), name.decode())

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        self.push_name(module, name)

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        stand_in = self._names[function] if isinstance(function, Name) else None
        if stand_in is None or not isinstance(arguments, tuple):
            raise Wrong(f"a call of {str(function)[:100]}")
        self.push(stand_in(*arguments))

    def build(self) -> None:
        state, target = self.pop(), self.stack[-1]
        if isinstance(target, _Dtype):
            target.value = _with_order(target.value, state)
        elif isinstance(target, _Array) and target.value is None:
            _, shape, dtype, fortran, raw = state
            target.value = self._array(raw, dtype, shape, "F" if fortran else "C")
        elif not isinstance(target, _Ordered):
            raise Wrong(f"a state of a {type(target).__name__}")

    def persistent_id(self) -> None:
        if self._persistent is None:
            raise Wrong("a persistent ID, which only files of torch.save have")
        self.push(self._persistent(self.pop()))

    # --- stand-ins

    def _own_names(self) -> dict[Name, Callable[..., Any] | None]:
        names: dict[Name, Callable[..., Any] | None] = {
            Name("numpy", "ndarray"): None,
            Name("numpy", "dtype"): _make_dtype,
            Name("_codecs", "encode"): self._encode,
            Name("collections", "OrderedDict"): _make_ordered,
            Name("__builtin__", "bytes"): lambda: b"",  # without arguments: how old protocols write empty ones
        }
        for core in ("core", "_core"):  # as NumPy 1 and NumPy 2 call it
            names[Name(f"numpy.{core}.multiarray", "_reconstruct")] = _make_array
            names[Name(f"numpy.{core}.multiarray", "scalar")] = self._scalar
            names[Name(f"numpy.{core}.numeric", "_frombuffer")] = self._from_buffer
        return names

    def charge(self, count: int) -> None:
        """Count bytes that a stand-in makes."""
        self._bytes -= count
        if self._bytes < 0:
            raise Wrong("arrays of more bytes than the file has")

    def _encode(self, text: str, encoding: str) -> bytes:
        if encoding not in ("latin1", "latin-1"):
            raise Wrong(f"a string in {encoding!r:.50}")
        self.charge(len(text))
        return text.encode("latin1")

    def _array(self, raw: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
        if isinstance(raw, str):
            raw = self._encode(raw, "latin1")
        if not isinstance(raw, bytes) or not isinstance(dtype, _Dtype) or order not in ("C", "F"):
            raise Wrong("an array whose contents are no bytes, or whose type is none")
        return self.array_of(raw, dtype.value, shape, order)

    def array_of(self, raw: bytes, dtype: np.dtype[Any], shape: Any, order: Any) -> NDArray[Any]:
        """Bytes as an array, if they are as many as its type and shape say."""
        expected = math.prod(checked_shape(shape)) * dtype.itemsize
        if len(raw) != expected:
            raise Wrong(f"an array of {dtype} and shape {shape} with {len(raw):,} bytes instead of {expected:,}")
        self.charge(expected)
        return checked(np.frombuffer(bytearray(raw), np.uint8), dtype).reshape(shape, order=order)

    def _scalar(self, dtype: _Dtype, raw: bytes | str) -> Any:
        return self._array(raw, dtype, (), "C").item()

    def _from_buffer(self, raw: bytes, dtype: _Dtype, shape: Any, order: str, axes: Any = None) -> _Array:
        made = _Array()
        if order == "K" and axes is not None:
            made.value = self._array(raw, dtype, shape, "C").transpose(checked_shape(axes))
        else:
            made.value = self._array(raw, dtype, shape, order)
        return made


def checked_shape(shape: Any) -> tuple[int, ...]:
    """A tuple of at most 32 integers from 0.

    Raises:
        Wrong: it is something else.
    """
    if not isinstance(shape, tuple) or len(shape) > 32 or not all(type(size) is int and size >= 0 for size in shape):
        raise Wrong(f"an array of shape {str(shape)[:100] if isinstance(shape, tuple) else type(shape).__name__}")
    return shape


def _make_array(kind: Any, shape: Any, *_: Any) -> _Array:
    if kind != Name("numpy", "ndarray") or shape != (0,):
        raise Wrong("an array that does not begin empty")
    return _Array()


def _make_dtype(kind: Any, *_: Any) -> _Dtype:
    if not isinstance(kind, str) or not _DTYPE.fullmatch(kind):
        raise Wrong(f"an array of type {kind!r:.50}: expected numbers or truth values")
    return _Dtype(np.dtype(kind))


def _with_order(dtype: np.dtype[Any], state: Any) -> np.dtype[Any]:
    """A type in the byte order of its state, which for numbers says nothing else."""
    if not isinstance(state, tuple) or not 5 <= len(state) <= 9 or state[1] not in ("<", ">", "|", "="):
        raise Wrong("a type with an odd state")
    if any(part is not None for part in state[2:5]):
        raise Wrong("a type with parts: expected numbers or truth values")
    return dtype.newbyteorder(state[1])


def _make_ordered(pairs: Any = ()) -> _Ordered:
    ordered = _Ordered()
    for key, value in pairs:
        if not isinstance(key, str):
            raise Wrong(f"a {type(key).__name__} as a key")
        ordered[key] = value
    return ordered


class _Result:
    """Puts the arrays in their places, and refuses what would have no end when it is walked through or printed."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()

    def of(self, value: Any) -> Any:
        return self._walk(value, 0)[0]

    def _walk(self, value: Any, depth: int) -> tuple[Any, int]:
        """A value without placeholders, and how many values it is when everything shared is counted each time."""
        if isinstance(value, _Array):
            if value.value is None:
                raise Wrong("an array without contents")
            return value.value, 1
        if isinstance(value, Name | _Dtype):
            raise Wrong("a type in the place of a value")
        if not isinstance(value, list | tuple | dict):
            return value, 1
        if id(value) in self._known:
            return self._known[id(value)]
        if depth >= DEEPEST or id(value) in self._open:
            raise Wrong(f"lists nested more than {DEEPEST} levels deep")
        self._open.add(id(value))
        parts = value.values() if isinstance(value, dict) else value
        walked = [self._walk(part, depth + 1) for part in parts]
        count = 1 + sum(count for _, count in walked)
        if count > MOST_VALUES:
            raise Wrong(f"more than {MOST_VALUES:,} values")
        made: Any = [part for part, _ in walked]
        if isinstance(value, dict):
            made = dict(zip(value, made, strict=True))
        elif isinstance(value, tuple):
            made = tuple(made)
        self._open.discard(id(value))
        self._known[id(value)] = made, count
        return made, count


_LONGEST_NAME = 200
_STOP = ord(".")

_STEPS: dict[int, Callable[[Machine], None]] = {
    ord(code): step
    for code, step in {
        "(": lambda m: m.push(_MARK),
        "0": Machine.pop_top,
        "1": Machine.drop_items,
        "2": lambda m: m.push(m.stack[-1]),
        "N": lambda m: m.push(None),
        "\x88": lambda m: m.push(True),
        "\x89": lambda m: m.push(False),
        # Numbers
        "I": Machine.decimal,
        "L": Machine.decimal,
        "K": lambda m: m.push(m.number(1)),
        "M": lambda m: m.push(m.number(2)),
        "J": lambda m: m.push(m.number(4, signed=True)),
        "\x8a": lambda m: m.integer(m.take(m.number(1))),
        "\x8b": lambda m: m.integer(m.take(m.number(4))),
        "F": lambda m: m.push(float(m.line(_LONGEST_NUMBER))),
        "G": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
        # Strings
        "S": Machine.quoted,
        "T": lambda m: m.text(m.take(m.number(4))),
        "U": lambda m: m.text(m.take(m.number(1))),
        "V": lambda m: m.push(m.line().decode("raw-unicode-escape")),
        "X": lambda m: m.unicode(m.take(m.number(4))),
        "\x8c": lambda m: m.unicode(m.take(m.number(1))),
        "\x8d": lambda m: m.unicode(m.take(m.number(8))),
        "B": lambda m: m.push(m.take(m.number(4))),
        "C": lambda m: m.push(m.take(m.number(1))),
        "\x8e": lambda m: m.push(m.take(m.number(8))),
        "\x96": lambda m: m.push(m.take(m.number(8))),
        # Containers
        "]": lambda m: m.push([]),
        "}": lambda m: m.push({}),
        ")": lambda m: m.push(()),
        "\x85": lambda m: m.group(1),
        "\x86": lambda m: m.group(2),
        "\x87": lambda m: m.group(3),
        "t": lambda m: m.push(tuple(m.items())),
        "l": lambda m: m.push(m.items()),
        "d": Machine.make_dictionary,
        "a": Machine.append,
        "e": lambda m: m.extend(m.items()),
        "s": lambda m: m.set_items([m.pop(), m.pop()][::-1]),
        "u": lambda m: m.set_items(m.items()),
        # What was there before
        "p": lambda m: m.memoize(int(m.line(_LONGEST_NUMBER))),
        "q": lambda m: m.memoize(m.number(1)),
        "r": lambda m: m.memoize(m.number(4)),
        "\x94": lambda m: m.memoize(len(m.memo)),
        "g": lambda m: m.recall(int(m.line(_LONGEST_NUMBER))),
        "h": lambda m: m.recall(m.number(1)),
        "j": lambda m: m.recall(m.number(4)),
        # Names and calls
        "c": Machine.refer,
        "\x93": Machine.stack_global,
        "R": Machine.reduce,
        "b": Machine.build,
        "Q": Machine.persistent_id,
        # The head of a pickle and of its parts
        "\x80": lambda m: m.skip(1),
        "\x95": lambda m: m.skip(8),
    }.items()
}


def read_pickle(content: bytes, where: str) -> dict[str, Any]:
    """The dictionary in a pickle of strings, numbers, lists and arrays; see :class:`Machine`.

    Args:
        content: the pickle.
        where: what it is, for errors.

    Raises:
        DataError: it wants to call something, is damaged or truncated, holds anything else, or is no dictionary.
    """
    try:
        value = Machine(content).load()
    except Refused as error:
        raise DataError(
            f"{where} was refused: {error}, which a data file has no reason to do. It may be malicious; "
            "get the file from its publisher."
        ) from error
    except (Wrong, MemoryError) as error:
        if other := foreign(content[:200]):
            raise DataError(f"cannot read {where}: {other}") from error
        raise DataError(f"{where} is damaged or truncated: {reason(error)}. Get the file again.") from error
    if not isinstance(value, dict):
        raise DataError(f"{where} holds a {type(value).__name__}: expected a dictionary of arrays")
    return {key.decode("latin1") if isinstance(key, bytes) else str(key): entry for key, entry in value.items()}
