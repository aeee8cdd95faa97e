"""The operations of a loss, recorded once for a shape and then repeated without what chose them.

A definition of this package calls the same operations for every batch of one shape. At ten classes, what decides on
them takes longer than they do. So they are noted as they are called the second time, and written as a function without
branches. What depends on numbers (whether all are finite, say) goes through :func:`decide`, and is asked again each
time: where the answer is another one, the recording does not hold, and the definition decides anew.
"""

from __future__ import annotations

import math
import re
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from noiseproof.losses.base import Loss

    Question = Callable[[Tensor], bool]
    Recording = Callable[..., "tuple[Tensor, ...] | None"]

_HARMLESS = frozenset(
    (
        "__get__",
        "__len__",
        "dim",
        "size",
        "numel",
        "stride",
        "element_size",
        "is_contiguous",
        "is_floating_point",
        "_set_grad_enabled",  # nothing that is recorded is differentiated
    )
)
"""What gives no tensor, and reads no number of one."""

RECORDINGS = "_recordings"
"""The attribute of a loss that holds them. They are not copied."""

_NOTHING: dict[Hashable, Any] = {}

_ACTIVE = threading.local()


def decide(question: Question, numbers: Tensor) -> bool:
    """The answer to a question about numbers, on which it depends what is called next.

    Args:
        question: a function at the top of a module.
        numbers: what it is asked about.
    """
    recorder: _Recorder | None = getattr(_ACTIVE, "recorder", None)
    if recorder is None:
        return question(numbers)
    return recorder.ask(question, numbers)


_MOST_RECORDINGS = 64
"""Shapes of which a loss keeps recordings: where shapes change all the time, none is worth its making."""

_ONCE = object()
"""In the place of a recording, of what was called once: it may be the only time."""


def recording(loss: Loss, key: Hashable) -> Recording | None:
    """What was recorded of a loss.

    Args:
        loss: the loss.
        key: all that decides what is called, besides the numbers.
    """
    found = loss.__dict__.get(RECORDINGS, _NOTHING).get(key)
    return None if found is _ONCE else found


def called(
    loss: Loss, key: Hashable, function: Callable[..., tuple[Tensor, ...]], inputs: tuple[Tensor | None, ...]
) -> Any:
    """What a function returns where there is no recording that holds. The second time it is recorded.

    Args:
        loss: what the recording goes with.
        key: see :func:`recording`.
        function: of tensors, which calls the same for the same key.
        inputs: what it is called with.
    """
    recordings = loss.__dict__.setdefault(RECORDINGS, {})
    if recordings.get(key) is _ONCE:
        found, recordings[key] = record(function, inputs)
        return found
    if key not in recordings and len(recordings) < _MOST_RECORDINGS:
        recordings[key] = _ONCE
    return function(*inputs)


class UnrepeatableError(Exception):
    """A function read numbers in a way that a recording cannot repeat."""


def record(
    function: Callable[..., tuple[Tensor, ...]], inputs: tuple[Tensor | None, ...]
) -> tuple[tuple[Tensor, ...], Recording]:
    """Call a function, and give what it returned with a function of the same inputs that repeats its operations.

    Args:
        function: of tensors.
        inputs: what it is called with.

    Raises:
        UnrepeatableError: it read numbers in a way that a recording cannot repeat.
    """
    recorder = _Recorder(inputs)
    _ACTIVE.recorder = recorder
    try:
        with recorder:
            results = function(*inputs)
    finally:
        _ACTIVE.recorder = None
    return results, recorder.written(results)


class _Call(NamedTuple):
    """An operation that was called."""

    function: Callable[..., Any]
    texts: list[str]
    """Of the arguments."""
    options: dict[str, str]
    """Texts of the arguments that have names."""
    used: list[str]
    """The tensors among them."""
    results: list[str]
    """The names of what came out; none for a question."""
    writes: bool = False
    """Whether that is something that was there before."""


class _Recorder(TorchFunctionMode):
    """Notes which operations are called with what."""

    def __init__(self, inputs: tuple[Tensor | None, ...]) -> None:
        super().__init__()
        self._inputs = [f"input{place}" for place in range(len(inputs))]
        self._tensors = {name: each for name, each in zip(self._inputs, inputs, strict=True) if each is not None}
        self._names = {id(each): name for name, each in self._tensors.items()}
        self._calls: list[_Call] = []
        self._known: dict[str, Any] = {}
        self._pauses = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if self._pauses:
            return result
        found = result if isinstance(result, tuple) else (result,)
        if not all(isinstance(each, Tensor) for each in found):
            if func.__name__ not in _HARMLESS:
                raise UnrepeatableError(func.__name__)
            return result
        used: list[str] = []
        texts = [self._text(value, used) for value in args]
        options = {key: self._text(value, used) for key, value in (kwargs or {}).items() if value is not None}
        names, writes = [], False
        for each in found:
            name = self._names.get(id(each))
            if name is not None:
                writes = True
            else:
                name = f"t{len(self._tensors)}"
                self._names[id(each)], self._tensors[name] = name, each  # alive, so that no two have one id
            names.append(name)
        self._calls.append(_Call(func, texts, options, used, names, writes))
        return result

    def ask(self, question: Question, numbers: Tensor) -> bool:
        """Note a question and its answer."""
        self._pauses = True
        try:
            answer = question(numbers)
        finally:
            self._pauses = False
        name = self._names[id(numbers)]
        self._calls.append(_Call(question, [name], {"is not": repr(answer)}, [name], []))
        return answer

    def written(self, results: tuple[Tensor, ...]) -> Recording:
        """A function of the inputs.

        What is no longer needed is overwritten or let go: many arrays of one size are walked through faster where they
        are few. The numbers stay the same to the last bit.
        """
        returned = [self._names[id(result)] for result in results]
        storage = {name: tensor.untyped_storage().data_ptr() for name, tensor in self._tensors.items()}
        kept = {storage[name] for name in (*returned, *self._inputs) if name in storage}
        known, constants = self._known_results(storage, kept)
        kept |= {storage[name] for name in constants}
        storage |= {name: storage[earlier] for name, earlier in known.items() if earlier in storage}
        last: dict[int, int] = {}
        for place, call in enumerate(self._calls):
            last |= {storage[name]: place for name in (*call.used, *call.results)}
        lines = []
        sharing: dict[int, set[str]] = {}
        for place, call in enumerate(self._calls):
            if call.results and call.results[0] in known:
                lines.append(f"    {call.results[0]} = {known[call.results[0]]}")
            else:
                lines.append(f"    {self._line(call, place, storage, kept, last)}")
            for name in (*call.used, *call.results):
                sharing.setdefault(storage[name], set()).add(name)
            ends = {storage[name] for name in (*call.used, *call.results) if last[storage[name]] == place}
            done = {name for each in ends - kept for name in sharing.pop(each)}
            if done:
                lines.append(f"    {' = '.join(sorted(done))} = None")
        text = "\n".join([f"def recording({', '.join(self._inputs)}):", *lines, f"    return {', '.join(returned)}"])
        exec(text, self._known)  # noqa: S102 - of names and numbers that were written above
        recording: Recording = self._known.pop("recording")
        return recording

    def _known_results(self, storage: dict[str, int], kept: set[int]) -> tuple[dict[str, str], set[str]]:
        """What was computed before, by name: definitions that are added up often take the same of a probability.

        Args:
            storage: where each tensor is.
            kept: where those are that go in or out.

        Returns:
            The name that is known instead of one, and which of them are the same for all inputs.
        """
        written: dict[int, list[int]] = {}
        for place, call in enumerate(self._calls):
            if call.writes:
                for name in call.results:
                    written.setdefault(storage[name], []).append(place)
        known: dict[str, str] = {}
        constants: set[str] = set()
        first: dict[tuple[Any, ...], tuple[int, str]] = {}
        for place, call in enumerate(self._calls):
            if call.writes or len(call.results) != 1 or call.function.__name__ not in _PURE:
                continue
            name, result = call.function.__name__, call.results[0]
            texts = [_NAMES.sub(lambda found: known.get(found[0], found[0]), text) for text in _texts(call)]
            is_written = storage[result] in written
            is_constant = name == "new_full" or (bool(call.used) and {*call.used} <= constants)
            if is_constant and not is_written and storage[result] not in kept:
                constants.add(result)
                known[result] = self._constant(self._tensors[result])
            elif name == "detach":  # nothing here is differentiated
                known[result] = texts[0]
            else:
                key = (name, *texts)
                before, earlier = first.setdefault(key, (place, result))
                changes = [each for used in call.used for each in written.get(storage[used], ())]
                if before == place:
                    continue
                if is_written or storage[earlier] in written or any(before < each < place for each in changes):
                    first[key] = place, result
                else:
                    known[result] = earlier
        return known, constants

    def _line(self, call: _Call, place: int, storage: dict[str, int], kept: set[int], last: dict[int, int]) -> str:
        """A call as text: in the memory of its first argument, where that is not needed any more."""
        function, texts, options, used, results, _ = call
        arguments = ", ".join(_texts(call))
        if not results:
            return f"if {self._constant(function)}({texts[0]}) is not {options['is not']}: return None"
        name = function.__name__
        first = texts[0] if texts else ""
        if (
            name in _IN_PLACE
            and "out" not in options
            and first in used
            and storage[first] not in kept
            and last[storage[first]] == place
            and storage[results[0]] != storage[first]
            and all(each == first or storage[each] != storage[first] for each in used)
            and _is_alike(self._tensors[first], self._tensors[results[0]])
        ):
            function = getattr(Tensor, f"{name}_")
        return f"{', '.join(results)} = {self._constant(function)}({arguments})"

    def _text(self, value: Any, used: list[str]) -> str:
        if isinstance(value, Tensor):
            name = self._names.get(id(value))
            if name is None:
                return self._constant(value)
            used.append(name)
            return name
        if isinstance(value, list | tuple) and any(isinstance(each, Tensor) for each in value):
            return f"[{', '.join(self._text(each, used) for each in value)}]"
        if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
            return repr(value)
        return self._constant(value)

    def _constant(self, value: Any) -> str:
        for name, known in self._known.items():
            if known is value:
                return name
        name = f"c{len(self._known)}"
        self._known[name] = value
        return name


_IN_PLACE = frozenset(
    "abs add clamp div exp expm1 log log1p mul neg pow reciprocal sigmoid sqrt square sub tanh".split()  # noqa: SIM905
)
"""Functions of torch of which there is one that overwrites its first argument, with the same numbers."""

_PURE = _IN_PLACE | frozenset("amax detach gather ge max new_full sum".split())  # noqa: SIM905
"""Functions that give the same for the same numbers, and write nowhere but where they are told to."""

_NAMES = re.compile(r"\bt\d+\b")


def _texts(call: _Call) -> list[str]:
    return [*call.texts, *(f"{key}={text}" for key, text in call.options.items())]


def _is_alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and one.is_contiguous() and other.is_contiguous()
