"""The small language in which losses, models and methods are named.

``name``, ``name(parameter=value, …)`` and, for losses, sums: ``nce + 0.5*amse(a=10)`` and
``normalized(ce) + mae``. Nothing in a text is ever evaluated as Python.
"""

from __future__ import annotations

import math
import numbers
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from noiseproof.errors import SpecError, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

Value: TypeAlias = "int | float | bool"


@dataclass(frozen=True)
class Call:
    """``name(parameter=value, …)``, or an operator on expressions: ``name(expression, …)``."""

    name: str
    parameters: dict[str, Value] = field(default_factory=dict)
    operands: tuple[Sum, ...] = ()


@dataclass(frozen=True)
class Sum:
    """A weighted sum of calls and of sums in parentheses."""

    terms: tuple[tuple[float, Call | Sum], ...]


def parse_call(text: str) -> Call:
    """Parse ``name`` or ``name(parameter=value, …)``.

    A name may hold a ``+`` (``nce+rce``), as the names of published methods do.

    Raises:
        SpecError: the text is something else.
    """
    match = re.fullmatch(r"\s*([A-Za-z][\w+-]*(?:\.[A-Za-z_]\w*)*)\s*(\(.*\))?\s*", text, re.DOTALL | re.ASCII)
    if match is None:
        raise SpecError(f"cannot read {_short(text)}: expected a name or name(parameter=value, …)")
    inner = parse_expression(f"x{match[2] or ''}")
    (_, call), *rest = inner.terms
    if rest or not isinstance(call, Call) or call.operands:
        raise SpecError(f"cannot read {_short(text)}: expected a name or name(parameter=value, …)")
    return Call(_name(match[1]), call.parameters)


def _name(text: str) -> str:
    """Names are small letters, however they are typed; dotted paths are as Python has them."""
    return text if "." in text else text.lower()


def check_name(name: str, what: str) -> None:
    """See that a text can be the name of a kind: one that expressions can hold, or several of them joined by ``+``.

    Raises:
        SpecError: it cannot.
    """
    word = r"[a-z][a-z0-9_]*(?:-[a-z][a-z0-9_]*)*"
    if re.fullmatch(rf"{word}(?:\+{word})*", name, re.ASCII) is None:
        raise SpecError(
            f"no {what} can be called {name!r}: expected small letters, digits and _, with - or + between words "
            "that begin with a letter, such as my-loss2"
        )


def parse_expression(text: str) -> Sum:
    """Parse a weighted sum of calls, such as ``nce + 0.5*amse(a=10)``.

    Raises:
        SpecError: the text cannot be read; the message points at the place.
    """
    return _Parser(text).parse()


def format_value(value: Value) -> str:
    """A parameter as it is written in a spec: the shortest text that reads back as the same number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value).lower() if isinstance(value, bool) else repr(value)


def format_call(name: str, parameters: dict[str, Value]) -> str:
    """The text that :func:`parse_call` reads back."""
    inside = ", ".join(f"{key}={format_value(value)}" for key, value in parameters.items())
    return f"{name}({inside})" if inside else name


@dataclass(frozen=True)
class Domain:
    """An interval in mathematical notation, such as ``"(0, 1]"`` or ``"[0, inf)"``."""

    text: str

    def __post_init__(self) -> None:
        if re.fullmatch(r"[(\[]\S+, \S+[)\]]", self.text) is None:
            raise ValueError(f"domain {self.text!r}: expected an interval such as '(0, 1]'")

    @property
    def bounds(self) -> tuple[float, float]:
        """The two ends, whether they belong to the interval or not."""
        low, high = self.text[1:-1].split(", ")
        return float(low), float(high)

    def __contains__(self, value: float) -> bool:
        low, high = self.bounds
        above = low <= value if self.text[0] == "[" else low < value
        below = value <= high if self.text[-1] == "]" else value < high
        return above and below and not math.isnan(value)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Parameter:
    """A declared parameter of a loss or a model: its default and its domain."""

    default: float
    domain: Domain | None
    """``None`` for a flag, which is true or false."""

    def check(self, owner: str, key: str, value: object) -> float:
        """``value`` if it is a number in the domain.

        Raises:
            SpecError: it is not; the message names ``owner`` and ``key``.
        """
        if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
            value = value.item()  # type: ignore[attr-defined] # NumPy's numbers and truth values
        if self.domain is None:
            if not isinstance(value, bool):
                raise SpecError(f"{owner}: {key} must be true or false, got {value!r}")
            return value
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise SpecError(f"{owner}: {key} must be a number, got {value!r}")
        try:
            number = int(value) if isinstance(value, numbers.Integral) else float(value)
            float(number)
        except (OverflowError, ValueError):
            raise SpecError(f"{owner}: {key} is a number beyond what a float holds") from None
        if number not in self.domain:
            raise SpecError(f"{owner}: {key} must lie in {self.domain}, got {format_value(number)}")
        return number


def take_parameters(cls: type) -> dict[str, Parameter]:
    """The parameters that a class declares in its body, which then are no class attributes any more.

    An instance has the numbers; a class attribute would hide a missing one.
    """
    own = {key: value for key, value in vars(cls).items() if isinstance(value, Parameter)}
    for key in own:
        delattr(cls, key)
    return own


def check_parameters(owner: str, declared: dict[str, Parameter], given: Mapping[str, object]) -> dict[str, float]:
    """The values of all declared parameters: those given, and the defaults of the others.

    Raises:
        SpecError: an unknown parameter, or a value outside its domain.
    """
    for key in given:
        if key not in declared:
            has = suggest(key, declared) if declared else "; it has none"
            raise SpecError(f"{owner} has no parameter {key!r}{has}")
    return {key: entry.check(owner, key, given.get(key, entry.default)) for key, entry in declared.items()}


_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z]\w*(?:-[A-Za-z]\w*)*(?:\.[A-Za-z_]\w*)*)"
    r"|(?P<sign>\S)",
    re.ASCII,
)

_DEEPEST = 50
"""Brackets in brackets that are read; more would exhaust the interpreter's stack before anybody could read them."""

_EXACT_DIGITS = 18
"""Integers of more digits are read as floats; Python refuses to convert thousands of digits."""

_SHOWN = 200


def _short(text: str) -> str:
    """A text in quotes as an error shows it; the middle of a long one is left out."""
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]} … {text[-_SHOWN // 2 :]}"
    return repr(shown)


class _Parser:
    """Recursive descent over ``sum := product ('+' product)*`` and ``product := [number '*'] atom``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [(str(match.lastgroup), match.group()) for match in _TOKEN.finditer(text)]
        self.tokens.append(("end", ""))
        self.index = 0
        self.depth = 0

    @property
    def kind(self) -> str:
        return self.tokens[self.index][0]

    @property
    def token(self) -> str:
        return self.tokens[self.index][1]

    def parse(self) -> Sum:
        result = self._sum()
        if self.kind != "end":
            self._fail("expected '+' or the end")
        return result

    def _sum(self) -> Sum:
        if self.depth > _DEEPEST:
            self._fail(f"more than {_DEEPEST} brackets in brackets")
        self.depth += 1
        terms = [self._product()]
        while self._take("+"):
            terms.append(self._product())
        self.depth -= 1
        return Sum(tuple(terms))

    def _product(self) -> tuple[float, Call | Sum]:
        if self.kind == "number":
            coefficient = float(self._number())
            self._expect("*")
            return coefficient, self._atom()
        return 1.0, self._atom()

    def _atom(self) -> Call | Sum:
        if self._take("("):
            inner = self._sum()
            self._expect(")")
            return inner
        if self.kind != "name":
            self._fail("expected a name")
        name = _name(self._next())
        parameters: dict[str, Value] = {}
        operands: list[Sum] = []
        if self._take("(") and not self._take(")"):
            self._argument(name, parameters, operands)
            while not self._take(")"):
                if not self._take(","):
                    self._fail("expected ',' or ')'")
                self._argument(name, parameters, operands)
        return Call(name, parameters, tuple(operands))

    def _argument(self, name: str, parameters: dict[str, Value], operands: list[Sum]) -> None:
        if self.kind == "name" and self.tokens[self.index + 1][1] == "=":
            key = self._next()
            self._expect("=")
            if key in parameters:
                self._fail(f"{name} takes {key} once")
            parameters[key] = self._value(f"{name}({key}=…)")
        elif self.kind == "number" and self.tokens[self.index + 1][1] in (",", ")"):
            self._fail(f"a parameter of {name} is given by its name, as in {name}(parameter={self.token})")
        else:
            operands.append(self._sum())

    def _value(self, place: str) -> Value:
        if self.token in ("true", "false"):
            return self._next() == "true"
        sign = -1 if self._take("-") else 1
        if self.kind != "number":
            self._fail(f"expected a number in {place}")
        return sign * self._number()

    def _number(self) -> int | float:
        digits = self.token
        value = int(digits) if digits.isdigit() and len(digits) <= _EXACT_DIGITS else float(digits)
        if math.isinf(value):
            self._fail("a number beyond what a float holds")
        self._next()
        return value

    def _next(self) -> str:
        self.index += 1
        return self.tokens[self.index - 1][1]

    def _take(self, token: str) -> bool:
        if self.token == token:
            self.index += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            self._fail(f"expected {sign!r}")

    def _fail(self, reason: str) -> NoReturn:
        found = _short(self.token) if self.token else "the end"
        raise SpecError(
            f"cannot read {_short(self.text)} at {found}: {reason}. "
            "Write a name, name(parameter=value, …) or a sum such as 'nce + 0.5*amse(a=10)'."
        )
