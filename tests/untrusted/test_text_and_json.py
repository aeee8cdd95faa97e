from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noiseproof.errors import DataError
from noiseproof.untrusted import _json, _text, parse_json, read_lines, read_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**60), 10**60) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(VALUES)
def test_json_is_read_as_python_reads_it(value: object) -> None:
    assert parse_json(json.dumps(value), "x") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x is no JSON"),
        ("NaN", "NaN is no number"),
        ("[1e999]", "the number 1e999 is too large"),
        ("[" + "9" * 400 + "]", "an integer of 400 digits"),
        ('{"a": 1, "a": 2}', "the key 'a' twice"),
        ("[" * 200_000, "nested too deep|is no JSON"),
        ('{"a":' * 200_000, "nested too deep|is no JSON"),
    ],
)
def test_other_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_json(text, "x")


def test_an_object_of_many_keys_takes_no_time() -> None:
    many = ",".join(f'"{number}":0' for number in range(200_000))
    with pytest.raises(DataError, match="the key '7' twice"):
        parse_json("{" + many + ',"7":1}', "x")


def test_texts_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\r\n two \rthree")
    assert read_text(path).startswith("one")
    assert list(read_lines(path)) == [(1, "one"), (3, "two"), (4, "three")]
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(DataError, match="no UTF-8 text"):
        read_text(path)
    assert list(read_lines(path, errors="surrogateescape")) == [(1, "caf\udce9")]
    path.write_text("word", encoding="utf-16")
    with pytest.raises(DataError, match="perhaps it is UTF-16"):
        read_text(path)
    monkeypatch.setattr(_text, "MOST_TEXT", 10)
    path.write_text("12345678901")
    with pytest.raises(DataError, match="has 11 bytes: expected at most 10"):
        read_text(path)
    monkeypatch.setattr(_text, "MOST_VALUES", 3)
    path.write_text("1\n2\n3\n4\n5")
    with pytest.raises(DataError, match="has 4 lines: expected at most 3"):
        read_lines(path)
    monkeypatch.setattr(_json, "MOST_VALUES", 3)
    with pytest.raises(DataError, match="has 5 values: expected at most 3"):
        parse_json("[1,2,3,4,5]", "x")
