from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noiseproof.errors import SpecError
from noiseproof.spec import Domain, format_call, parse_call, parse_expression

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z][a-z0-9]{0,3})?", fullmatch=True)
VALUES = st.one_of(st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False), st.booleans())


@given(
    NAMES, st.dictionaries(st.from_regex(r"[a-zA-Z]\w{0,5}", fullmatch=True).filter(str.isascii), VALUES, max_size=4)
)
def test_calls_read_back(name: str, parameters: dict[str, float]) -> None:
    call = parse_call(format_call(name, parameters))
    assert call.name == name
    assert call.parameters == parameters


@pytest.mark.parametrize("text", ["", "3", "a b", "a(", "a(b)", "a + b", "a()b", "(a)"])
def test_not_a_call(text: str) -> None:
    with pytest.raises(SpecError, match="cannot read"):
        parse_call(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("jal-ce(5)", r"given by its name, as in jal-ce\(parameter=5\)"),
        ("nce + amse(q=2, 3)", r"given by its name, as in amse\(parameter=3\)"),
        ("jal-ce(a=5", r"expected ',' or '\)'"),
    ],
)
def test_what_is_missing_in_brackets_is_said(text: str, hint: str) -> None:
    with pytest.raises(SpecError, match=hint):
        parse_expression(text)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [("(0, 1]", [0.1, 1], [0, 1.1, float("nan")]), ("[1, inf)", [1, 1e300], [0.99, float("inf")])],
)
def test_domains(text: str, inside: list[float], outside: list[float]) -> None:
    domain = Domain(text)
    assert all(value in domain for value in inside)
    assert not any(value in domain for value in outside)


def test_a_domain_must_be_an_interval() -> None:
    with pytest.raises(ValueError, match="expected an interval"):
        Domain("positive")
