"""A table is the same table, whatever it comes from: text, Parquet, data frames, arrays."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from noiseproof import data
from noiseproof.data import Table, _cells, read_table, table_of
from noiseproof.data import _table as module
from noiseproof.errors import DataError


def _lists(table: Table) -> dict[str, list[Any]]:
    """Columns with None for each gap, whose types are those that tables have."""
    assert {column.dtype for column in table.columns.values()} <= {np.dtype(np.float64), np.dtype(object)}
    return {name: [None if v != v else v for v in column.tolist()] for name, column in table.columns.items()}


def _written(folder: Path, text: str, name: str = "table.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-2.5", "1e3"], [1.0, -2.5, 1000.0]),
        (["1", "", "NA", "n/a", "NaN", "nan", "null", "None", "?", "2"], [1.0, *[None] * 8, 2.0]),
        (["a", "", "NA", "N/A", "NULL", "none", "?", "b c"], ["a", *[None] * 6, "b c"]),
        (["007", "12"], ["007", "12"]),
        (["+07", "1"], ["+07", "1"]),
        (["0", "0.5", "-0.5"], [0.0, 0.5, -0.5]),
        (["1_2", "3"], ["1_2", "3"]),
        (["1", "x"], ["1", "x"]),
        (["inf", "x"], ["inf", "x"]),
        (["True", "False"], ["True", "False"]),
        (["2024-05-31", "2024-06-01"], ["2024-05-31", "2024-06-01"]),
        (["", "NA"], [None, None]),
        (["e\u0301", "\u00e9"], ["\u00e9", "\u00e9"]),
    ],
)
def test_cells_are_numbers_or_text(tmp_path: Path, cells: list[str], expected: list[Any]) -> None:
    rows = "".join(f"{cell},0\n" for cell in cells)
    assert _lists(read_table(_written(tmp_path, f"x,other\n{rows}")))["x"] == expected
    array = np.array([[cell, "0"] for cell in cells])
    assert _lists(table_of(array)) == {"0": expected, "1": [0.0] * len(cells)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", 'a,"b, c"\n1,"x, y"\n\n2, z \n'),
        ("t.csv", "a;b, c\n".replace(", c", "") + "1;x, y\n2;z\n"),
        ("t.tsv", "a\tb, c\n1\tx, y\n2\tz\n"),
        ("T.TXT", '\ufeffa,"b, c"\r\n1,"x, y"\r\n2,z\r\n'),
    ],
)
def test_separators(tmp_path: Path, name: str, text: str) -> None:
    table = read_table(_written(tmp_path, text, name))
    first, second = _lists(table).values()
    assert (first, second) == ([1.0, 2.0], ["x, y", "z"])
    assert (len(table), table.source, table.named) == (2, str(tmp_path / name), True)


def test_white_space_separates_where_nothing_else_does(tmp_path: Path) -> None:
    assert _lists(read_table(_written(tmp_path, "a b\n1  x\n 2 y\n", "t.txt"))) == {"a": [1, 2], "b": ["x", "y"]}


def test_a_row_of_gaps_is_a_row(tmp_path: Path) -> None:
    assert _lists(read_table(_written(tmp_path, "a,b\n1,x\n,\n2,y\n"))) == {"a": [1, None, 2], "b": ["x", None, "y"]}


def test_the_index_that_pandas_writes_has_its_name(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, 2]}).to_csv(tmp_path / "t.csv")
    assert list(read_table(tmp_path / "t.csv").columns) == ["Unnamed: 0", "a"]
    pd.DataFrame([[1.5, 2], [3, 4]]).to_csv(tmp_path / "t.csv", index=False)
    assert list(read_table(tmp_path / "t.csv").columns) == ["0", "1"]


def test_columns_that_are_asked_for_are_text_as_the_file_has_it(tmp_path: Path) -> None:
    path = _written(tmp_path, "id,x\n1234567890123456789,NA\n1.0,2\n,None\n")
    assert _lists(read_table(path, as_text=["id", "x"])) == {
        "id": ["1234567890123456789", "1.0", None],
        "x": ["NA", "2", "None"],
    }
    frame = pa.table({"id": [2**62 + 1, None], "x": [None, 2.5], "empty": pa.nulls(2)})
    parquet.write_table(frame, tmp_path / "t.parquet")
    expected = {"id": ["4611686018427387905", None], "x": [None, "2.5"], "empty": [None, None]}
    for table in (
        read_table(tmp_path / "t.parquet", as_text=["id", "x", "empty"]),
        table_of(frame, as_text=["id", "x", "empty"]),
        table_of(np.array([[2**62 + 1, None, None], [None, 2.5, None]], object), as_text=["0", "1", "2"]),
    ):
        assert list(_lists(table).values()) == list(expected.values())


VALUES: dict[str, list[Any]] = {
    "whole": [1, None, -3],
    "number": [1.5, None, float("nan")],
    "decimal": [decimal.Decimal("1.5"), None, decimal.Decimal("2")],
    "text": ["a ", None, ""],
    "truth": [True, None, False],
    "date": [dt.date(2020, 1, 2), None, dt.date(1960, 1, 1)],
    "time": [dt.datetime.fromisoformat("2020-01-02T03:04:05.000006"), None, dt.datetime.fromisoformat("1960-01-01")],
    "nothing": [None, None, None],
}
READ: dict[str, list[Any]] = {
    "whole": [1.0, None, -3.0],
    "number": [1.5, None, None],
    "decimal": [1.5, None, 2.0],
    "text": ["a", None, None],
    "truth": ["True", None, "False"],
    "nothing": [None, None, None],
}


def _parquet(frame: pa.Table, folder: Path) -> Table:
    parquet.write_table(frame, folder / "t.parquet")
    return read_table(folder / "t.parquet")


FRAMES: dict[str, Callable[[Path], Table]] = {
    "arrow": lambda _: table_of(pa.table(VALUES)),
    "parquet": lambda folder: _parquet(pa.table(VALUES), folder),
    "pandas": lambda _: table_of(pd.DataFrame(VALUES)),
    "pandas, nullable": lambda _: table_of(pd.DataFrame(VALUES).convert_dtypes()),
    "pandas, of arrow": lambda _: table_of(pa.table(VALUES).to_pandas(types_mapper=pd.ArrowDtype)),
    "pandas, through Parquet": lambda folder: _parquet(pa.Table.from_pandas(pd.DataFrame(VALUES)), folder),
    "objects": lambda _: table_of(pd.DataFrame(VALUES).astype(object)),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_data_frames_of_every_kind_agree(kind: str, tmp_path: Path) -> None:
    found = _lists(FRAMES[kind](tmp_path))
    assert list(found) == list(VALUES)
    dates = {name: found.pop(name) for name in ("date", "time")}
    assert found == READ
    for name, column in dates.items():
        parsed = [None if value is None else np.datetime64(value, "us") for value in column]
        assert parsed == [None if value is None else np.datetime64(value, "us") for value in VALUES[name]]


def test_categories_are_text_and_keep_their_gaps(tmp_path: Path) -> None:
    """An array that pyarrow makes of a dictionary has no gaps any more."""
    expected = {"c": ["x", None, "y"], "n": ["2", "1", None]}
    frame = pd.DataFrame({"c": pd.Categorical(["x", None, "y"]), "n": pd.Categorical([2, 1, None])})
    arrow = pa.table({"c": pa.array(["x", None, "y"]).dictionary_encode(), "n": pa.array([2, 1, None])})
    assert _lists(table_of(frame)) == expected
    assert _lists(table_of(arrow))["c"] == expected["c"]
    assert _lists(_parquet(arrow, tmp_path)) == {"c": expected["c"], "n": [2, 1, None]}


def test_times_with_a_zone_are_of_utc(tmp_path: Path) -> None:
    times = pd.to_datetime(pd.Series(["2020-01-01T00:30:00+02:00", None]))
    for table in (
        table_of(pd.DataFrame({"t": times})),
        _parquet(pa.table({"t": pa.array(times, pa.timestamp("ns", "Europe/Berlin"))}), tmp_path),
    ):
        assert _lists(table)["t"] == ["2019-12-31T22:30:00.000000", None]


def test_arrays_tensors_and_lists() -> None:
    numbers = np.array([[1, 2], [3, 4]], np.int32)
    expected = {"0": [1.0, 3.0], "1": [2.0, 4.0]}
    for given in (
        numbers,
        torch.from_numpy(numbers),
        numbers.tolist(),
        numbers.astype(object),
        np.asfortranarray(numbers),
    ):
        table = table_of(given)
        assert _lists(table) == expected
        assert not table.named
    mixed = [[1, "a", True], [None, 2, np.nan], [np.float32(0.5), "", False]]
    assert _lists(table_of(mixed)) == {"0": [1, None, 0.5], "1": ["a", "2", None], "2": ["True", None, "False"]}
    assert _lists(table_of(np.array([[True], [False]]))) == {"0": ["True", "False"]}
    times = np.array([["2020-01-01"], ["NaT"]], "datetime64[D]")
    assert _lists(table_of(times)) == {"0": ["2020-01-01T00:00:00.000000", None]}
    assert table_of(table) is table


def test_names_that_are_no_text() -> None:
    assert list(table_of(pd.DataFrame([[1, 2, 3]], columns=[7, " a ", None])).columns) == ["7", "a", "None"]


def test_rows_and_columns_are_taken() -> None:
    table = table_of(pd.DataFrame({"a": [1, 2, 3], "b": list("xyz")}), "wines")
    assert _lists(table.take(np.array([2, 0]))) == {"a": [3, 1], "b": ["z", "x"]}
    assert _lists(table.without(["a"])) == {"b": ["x", "y", "z"]}
    assert table["b"].tolist() == ["x", "y", "z"]
    with pytest.raises(DataError, match=r"wines has no column 'aa'; did you mean 'a'\? \(known: a, b\)"):
        table.without(["aa"])
    with pytest.raises(DataError, match="wines has no columns but a, b"):
        table.without(["a", "b"])


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("t.csv", "", "is empty"),
        ("t.csv", "a,b\n", "has no rows below its header"),
        ("t.csv", "a,b\n1,2,3\n", "line 2: 3 cells where 2 were expected"),
        ("t.csv", "a,a\n1,2\n", "has the column 'a' twice"),
        ("t.csv", "5.1,setosa\n4.9,setosa\n", "the first line of .* holds the number 5.1: expected the names"),
        ("t.csv", "a,b\n1,2\n3,inf\n", "b is inf in row 1: expected finite numbers"),
        ("t.csv", "\0\0", "is no UTF-8 text"),
        ("t.json", "{}", r"expected a file that ends in .csv, .tsv, .txt, .parquet"),
        ("t.parquet", "PAR1", "cannot read .*t.parquet"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path: Path, name: str, text: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        read_table(_written(tmp_path, text, name))


def test_what_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(DataError, match="No such file"):
            read_table(tmp_path / name)
    (tmp_path / "latin.csv").write_bytes("a\ncafé\n".encode("latin-1"))
    with pytest.raises(DataError, match="is no UTF-8 text"):
        read_table(tmp_path / "latin.csv")
    with pytest.raises(DataError, match=r"has no column 'lable'; did you mean 'label'\?"):
        read_table(_written(tmp_path, "a,label\n1,2\n"), as_text=["lable"])
    parquet.write_table(pa.table({"a": [1, 2], "b": [3, 4]}), tmp_path / "t.parquet")
    content = (tmp_path / "t.parquet").read_bytes()
    monkeypatch.setattr(module, "MOST_VALUES", 3)
    with pytest.raises(DataError, match="has 2 rows of 2 columns: expected at most 3 cells"):
        read_table(tmp_path / "t.parquet")
    monkeypatch.setattr(_cells, "MOST_VALUES", 3)
    with pytest.raises(DataError, match=r"has more than 3 cells: save it as .parquet"):
        read_table(_written(tmp_path, "a,b\n1,2\n"))
    (tmp_path / "t.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cannot read"):
        read_table(tmp_path / "t.parquet")


def test_changed_bytes_are_found_where_a_file_has_checksums(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    values = np.arange(1000.0) + 0.5
    parquet.write_table(
        pa.table({"a": values}), path, write_page_checksum=True, use_dictionary=False, compression="none"
    )
    content = path.read_bytes()
    path.write_bytes(content.replace(values[500].tobytes(), values[501].tobytes()))
    with pytest.raises(DataError, match="cannot read"):
        read_table(path)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([[1], [2]]), "list"),
        (pa.array([{"a": 1}, None]), "struct"),
        (pa.array([b"x", b"y"]), "binary"),
        (pa.array([1, 2], pa.duration("s")), "duration"),
        (pa.array([1, 2], pa.time32("s")), "time"),
    ],
)
def test_columns_of_other_kinds_are_refused_by_name(tmp_path: Path, values: pa.Array, kind: str) -> None:
    for make in (lambda: table_of(pa.table({"odd": values})), lambda: _parquet(pa.table({"odd": values}), tmp_path)):
        with pytest.raises(DataError, match=f"(?i): odd holds {kind}.*: expected numbers, text, truth values or dates"):
            make()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (3, "inputs is a int: expected a data frame"),
        ({"a": [1]}, "inputs is a dict"),
        ([[1], [1, 2]], r"object of shape \(2,\)"),
        (np.zeros(3), r"float64 of shape \(3,\)"),
        (np.zeros((3, 0)), r"shape \(3, 0\)"),
        (np.zeros((2, 2), complex), "complex128"),
        (pd.Series([1.0, 2.0]), r"float64 of shape \(2,\)"),
        (pd.DataFrame(index=[1, 2]), "has no columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "(?i)'a'"),
        (pa.table([[1], [2]], names=["a", "a"]), "(?i)'a'"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "has the column '1' twice"),
        (pd.DataFrame({"a": [1, np.inf]}), "inputs: a is inf in row 1"),
        (np.array([[1, 2], [-np.inf, 3]]), "column 0 is -inf in row 1"),
        (np.array([[1, object()]], object), "column 1, row 0 is a object"),
    ],
)
def test_other_objects_are_refused(given: Any, why: str) -> None:
    with pytest.raises(DataError, match=why):
        table_of(given)


def test_sparse_arrays_are_refused() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(DataError, match=r"inputs is sparse: .*inputs.toarray\(\)"):
        table_of(sparse.csr_array(np.eye(2)))


@pytest.mark.parametrize("kind", ["table", "array", "float32", "images"])
def test_duplicates_are_those_of_a_plain_comparison(kind: str) -> None:
    random = np.random.default_rng(0)
    numbers = random.integers(-1, 2, (3000, 4)).astype(np.float64)
    numbers[random.random((3000, 4)) < 0.2] = np.nan
    numbers[random.random((3000, 4)) < 0.2] *= -0.0
    inputs: Any = numbers
    rows: list[Any] = [tuple(None if v != v else v for v in row) for row in numbers.tolist()]
    if kind == "table":
        text = np.array([None, "a", "b"], object)[random.integers(0, 3, 3000)]
        inputs = Table({**{str(place): numbers[:, place] for place in range(4)}, "text": text}, "x")
        rows = [(*row, value) for row, value in zip(rows, text, strict=True)]
    elif kind == "float32":
        inputs = numbers.astype(np.float32)
    elif kind == "images":
        inputs = random.integers(0, 2, (3000, 2, 2, 2), dtype=np.uint8)
        rows = [tuple(row) for row in inputs.reshape(3000, -1).tolist()]
    known: dict[Any, int] = {}
    expected = [known.setdefault(row, len(known)) for row in rows]
    found = data.duplicates(inputs)
    assert found.dtype == np.int64
    assert found.tolist() == expected
    assert len(known) < 1500
