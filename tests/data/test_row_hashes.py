"""By what a row is known again."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from noiseproof.data import Table, duplicates, row_hashes

NUMBERS = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, float("nan")]))
TEXTS = st.one_of(st.none(), st.text(max_size=3))


def table(numbers: list[float], texts: list[str | None], name: str = "number") -> Table:
    return Table({name: np.array(numbers, np.float64), "text": np.array(texts, object)}, "a table")


@given(st.lists(st.tuples(NUMBERS, TEXTS), min_size=1, max_size=8))
def test_rows_with_equal_values_have_equal_hashes(rows: list[tuple[float, str | None]]) -> None:
    whole = table(*map(list, zip(*rows, strict=True)))
    hashes = row_hashes(whole)
    groups = duplicates(whole)
    assert ((hashes[:, None] == hashes).all(2) == (groups[:, None] == groups)).all()
    last = np.array([len(rows) - 1])
    assert (row_hashes(whole.take(last)) == hashes[last]).all()  # whatever else is in the table


def test_columns_and_kinds_tell_rows_apart() -> None:
    one = row_hashes(table([1.0], ["a"]))
    assert (row_hashes(table([1.0], ["a"], "other")) != one).any()
    as_text = Table({"number": np.array(["0x1.0000000000000p+0"], object), "text": np.array(["a"], object)}, "a table")
    assert (row_hashes(as_text) != one).any()


def test_arrays_are_hashed_by_their_bytes() -> None:
    images = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2)
    found = row_hashes(images)
    assert found.shape == (3, 16)
    assert len(np.unique(found, axis=0)) == 3
    assert (row_hashes(np.array([[0.0], [-0.0]])) == row_hashes(np.array([[0.0]]))).all()
