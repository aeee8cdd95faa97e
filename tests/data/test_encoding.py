"""Features of a table: against their definitions, the same for any rows beside them, and nothing learned of ids."""

from __future__ import annotations

import datetime as dt
import json
import math
import warnings
from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy.stats import norm

from noiseproof import data
from noiseproof.data import (
    CategoryColumn,
    DateColumn,
    LeftOut,
    NormalScores,
    NumberColumn,
    Table,
    TableEncoding,
    _encoding,
    read_table,
    table_of,
)
from noiseproof.errors import DataError, DataWarning


def _table(**columns: Any) -> Table:
    made = {}
    for name, values in columns.items():
        if all(value is None or isinstance(value, str) for value in values):
            made[name] = np.array([*values, ""], object)[:-1]
        else:
            made[name] = np.array(values, np.float64)
    return Table(made, "wines")


def _fitted(**columns: Any) -> TableEncoding:
    return TableEncoding.fit(_table(**columns))


def test_scores_are_those_of_the_ranks() -> None:
    random = np.random.default_rng(0)
    numbers = np.concatenate([random.normal(size=300), random.integers(0, 4, 200)]).astype(np.float64)
    scores = NormalScores.of(numbers, 1000)
    below = (numbers[None] < numbers[:, None]).sum(1)
    equal = (numbers[None] == numbers[:, None]).sum(1)
    np.testing.assert_allclose(scores(numbers), norm.ppf((below + equal / 2) / 500), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(scores(np.array([-1e300, 1e300])), norm.ppf([0.5 / 500, 1 - 0.5 / 500]))
    low, high = np.unique(numbers)[[10, 11]]
    quarter = scores(np.array([low + (high - low) / 4]))
    np.testing.assert_allclose(quarter, scores(np.array([low])) * 0.75 + scores(np.array([high])) * 0.25)
    assert np.isnan(scores(np.array([math.nan])))


def test_a_thousand_quantiles_stand_for_many_numbers() -> None:
    numbers = np.random.default_rng(0).exponential(size=20_000) ** 3
    scores = NormalScores.of(numbers, 1000)
    assert len(scores.values) == 1000
    exact = norm.ppf((np.argsort(np.argsort(numbers)) + 0.5) / len(numbers))
    found = scores(numbers)
    assert abs(found - exact)[abs(exact) < 2].max() < 0.02
    assert (np.diff(found[np.argsort(numbers)]) >= 0).all()
    assert found.max() == pytest.approx(exact.max())
    assert found.min() == pytest.approx(exact.min())


@pytest.mark.parametrize(
    "numbers", [[0.0, 5e-324, 1e-323], [-1.7e308, 0.0, 1.7e308], [1e300, 2e300], [-0.0, 0.0, 1.0], [3.0, 3.0]]
)
def test_scores_of_numbers_at_the_ends_of_float64(numbers: list[float]) -> None:
    scores = NormalScores.of(np.array(numbers), 1000)
    found = scores(np.array([*numbers, -1.7e308, 1.7e308]))
    assert np.isfinite(found).all()
    assert (np.diff(found[: len(numbers)]) >= 0).all()


def test_numbers_have_a_score_and_a_feature_for_gaps() -> None:
    encoding = _fitted(a=[1, 2, 4, 8.5], b=[1, None, 3, 7.5])
    assert encoding.feature_names == ("a", "b", "b is missing")
    found = encoding.encode(_table(a=[1, 2, 4, 8.5], b=[1, None, 3, 7.5]))
    np.testing.assert_allclose(found[:, 0], norm.ppf([0.125, 0.375, 0.625, 0.875]), rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], [norm.ppf(1 / 6), 0, 0, norm.ppf(5 / 6)], rtol=1e-6)
    assert found[:, 2].tolist() == [0, 1, 0, 0]
    assert found.dtype == np.float32


def test_categories_are_one_hot() -> None:
    values = [*["b"] * 5, *["a"] * 4, *["c"] * 3, "x", "x", "y", None]
    encoding = _fitted(kind=values)
    assert encoding.feature_names == ("kind=a", "kind=b", "kind=c", "kind is rare", "kind is missing")
    found = encoding.encode(_table(kind=["a", "b", "c", "x", "y", None, "never"]))
    assert found.argmax(1).tolist() == [0, 1, 2, 3, 3, 4, 3]
    assert (found.sum(1) == 1).all()
    assert (found.max(1) == 1).all()
    column = encoding.columns[0]
    assert isinstance(column, CategoryColumn)
    assert column.note == "0.062 of the rows have a gap; 2 rare values are one together"


def test_two_levels_are_one_feature() -> None:
    encoding = _fitted(sex=["f", "m"] * 3, smokes=["yes", "yes", "yes", None, None, None], n=[1, 2, 3, 5, 8, 13])
    assert encoding.feature_names == ("sex=m", "smokes is missing", "n")
    with pytest.warns(DataWarning, match=r"wines: .*new to the network .*\(sex: 1 rows, 'x'\)"):
        found = encoding.encode(_table(sex=["f", "m", "x"], smokes=["yes", None, None], n=[1, 1, 1]))
    assert found[:, :2].tolist() == [[-1, -1], [1, 1], [0, 1]]


def test_rare_is_below_a_thousandth() -> None:
    values = [*["a"] * 4990, *["b"] * 6, *["c"] * 4]
    column = _fitted(kind=values).columns[0]
    assert isinstance(column, CategoryColumn)
    assert (column.values, column.rare) == (("a", "b"), True)


def test_at_most_a_hundred_features_are_of_one_column() -> None:
    values = [f"v{place % 150:03}" for place in range(450)] + ["v149"] * 5 + ["v140"] * 3
    column = _fitted(kind=values).columns[0]
    assert isinstance(column, CategoryColumn)
    assert len(column.features) == 100
    assert {"v149", "v140", *(f"v{place:03}" for place in range(97))} == {*column.values}
    column = _fitted(kind=[*values, None]).columns[0]
    assert isinstance(column, CategoryColumn)
    assert len(column.values) == 98
    assert len(column.features) == 100


def test_dates_are_numbers_and_places_in_their_periods() -> None:
    days = [dt.date(2023, 1, 1) + dt.timedelta(days=37 * place) for place in range(20)]
    texts = [day.isoformat() for day in days]
    encoding = _fitted(day=[*texts, None])
    waves = [f"day: {wave} of {period}" for period in ("year", "week") for wave in ("sine", "cosine")]
    assert encoding.feature_names == ("day", "day is missing", *waves)
    found = encoding.encode(_table(day=[*texts, None]))
    np.testing.assert_allclose(found[:-1, 0], norm.ppf((np.arange(20) + 0.5) / 20), rtol=1e-6)
    assert found[-1].tolist() == [0, 1, 0, 0, 0, 0]
    for row, day in zip(found, days, strict=False):
        length = 366 if day.year % 4 == 0 else 365
        year = 2 * math.pi * (day.timetuple().tm_yday - 1) / length
        week = 2 * math.pi * day.weekday() / 7
        waves_of = [math.sin(year), math.cos(year), math.sin(week), math.cos(week)]
        np.testing.assert_allclose(row[2:], waves_of, atol=1e-6)


@pytest.mark.parametrize(
    ("texts", "seconds"),
    [
        (["1970-01-01", "1970-01-02"], [0, 86400]),
        (["1970-01-01 00:01", "1970-01-01T00:00:01.5"], [60, 1.5]),
        (["1970-01-01T00:00:00Z", "1970-01-01T00:00:00+01:00", "1970-01-01 00:00-0130"], [0, -3600, 5400]),
        (["1969-12-31T23:59:59,25", "1960-02-29"], [-0.75, -310521600]),
    ],
)
def test_iso_8601(texts: list[str], seconds: list[float]) -> None:
    (column,) = _fitted(t=texts).columns
    assert isinstance(column, DateColumn)
    assert column.scores.values == tuple(sorted(seconds))


@pytest.mark.parametrize("text", ["2024-13-01", "2024-02-30", "2024-1-1", "24-01-01", "20240101", "2024-01-01T25:00"])
def test_other_texts_are_no_dates(text: str) -> None:
    (column, _) = _fitted(t=["2024-01-01"] * 5 + [text] * 5, x=range(0, 20, 2)).columns
    assert isinstance(column, CategoryColumn)


def test_the_time_of_day_counts_where_it_varies() -> None:
    encoding = _fitted(t=[f"2024-01-{day:02}T{day:02}:30" for day in range(1, 20)])
    assert encoding.columns[0].periods == ("year", "week", "day")  # type: ignore[union-attr]
    found = encoding.encode(_table(t=["2024-01-05T06:00"]))
    np.testing.assert_allclose(found[0, -2:], [1, 0], atol=1e-6)
    assert _fitted(t=["2023-01-01", "2034-01-01"]).columns[0].periods == ()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("values", "name", "reason"),
    [
        ([3.0] * 80, "x", "constant"),
        (["a"] * 80, "x", "constant"),
        ([None] * 80, "x", "constant"),
        ([f"Mrs. {place}" for place in range(80)], "x", "free text"),
        ([f"word {place // 2 if place < 40 else place}" for place in range(80)], "x", "free text"),
        ([*range(40, 80), *range(40)], "x", "id"),
        ([float(place * 7) for place in range(80)], "ID", "id"),
        ([float(place * 7) for place in range(80)], "__index_level_0__", "id"),
        ([f"a{place}" for place in range(80)], "Unnamed: 0", "id"),
        ([f"a{place // 2}" for place in range(80)], "x", "rare"),
    ],
)
def test_what_is_left_out(values: list[Any], name: str, reason: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encoding = _fitted(**{name: values, "other": np.arange(80) ** 2})
    left = encoding.columns[0]
    assert isinstance(left, LeftOut)
    assert (left.reason, encoding.feature_names) == (reason, ("other",))
    assert len(caught) == (reason == "free text")
    # It is not needed any more.
    assert encoding.encode(_table(other=[1.0])).shape == (1, 1)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([float(place * 7) for place in range(80)], "x"),
        ([float(place // 2) for place in range(80)], "id"),
        ([place + 0.5 for place in range(80)], "x"),
        ([f"a{place % 50}" if place < 300 else f"b{place}" for place in range(301)], "x"),
        (["2024-01-01", *(f"2024-02-{day:02}" for day in range(1, 29))], "x"),
    ],
)
def test_what_is_not_left_out(values: list[Any], name: str) -> None:
    assert not isinstance(_fitted(**{name: values}).columns[0], LeftOut)


def test_a_mark_for_gaps_among_numbers_is_said() -> None:
    with pytest.warns(
        DataWarning, match=r"x is taken as text because of 2 of 12 values \('n.a.', '-'\), and the others"
    ):
        _fitted(x=[*"1112223334"[:-1], "4.5", "n.a.", "-"], y=range(0, 24, 2))


def test_new_gaps_and_values_are_said_in_one_warning_each() -> None:
    encoding = _fitted(a=[1, 2, 4, 8, 9, 9], b=[*"aaabbb"], c=[*"xyxyxy"], d=["2024-01-01", "2024-03-01"] * 3)
    new = _table(a=[None, 1], b=["a", None], c=["z", "w"], d=[None, "2024-01-01"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = encoding.encode(new)
    unseen, gaps = sorted((str(one.message) for one in caught), key=lambda text: "gaps" in text)
    assert "(c: 2 rows, 'z', 'w')" in unseen
    assert "(a: 1 rows, b: 1 rows, d: 1 rows)" in gaps
    assert found[0, 0] == 0
    assert found[1, 1] == 0
    assert found[:, 2].tolist() == [0, 0]
    assert (found[0, 3:] == 0).all()
    assert caught[0].filename == __file__


def test_columns_come_in_any_order_with_others_beside_them() -> None:
    encoding = _fitted(a=[1, 2, 4, 8], b=[4, 2, 9, 0])
    expected = encoding.encode(_table(a=[3, 5], b=[1, 2]))
    np.testing.assert_array_equal(encoding.encode(_table(z=["?", "?"], b=[1, 2], a=[3, 5])), expected)
    assert list(encoding.select(_table(z=["?", "?"], b=[1, 2], a=[3, 5])).columns) == ["a", "b"]
    np.testing.assert_array_equal(encoding.encode(_table(a=["3", "5.0"], b=["1e0", "02"])), expected)
    assert encoding.encode(_table(a=[], b=[])).shape == (0, 2)


def test_numbers_of_a_category_may_come_as_numbers() -> None:
    """A text file says of "1" and "2" beside "a" that they are text, and numbers where "a" is not."""
    encoding = _fitted(code=[*"111222333444", *["07"] * 3, *["a", "b", "c", "d", "e"] * 4])
    texts = encoding.encode(_table(code=["1", "4", "07"]))
    np.testing.assert_array_equal(encoding.encode(_table(code=[1, 4, 7])), texts)
    with pytest.warns(DataWarning, match=r"code: 1 rows, '9'"):
        encoding.encode(_table(code=[9.0]))


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ({"age": [1], "city": ["a"]}, r"wines lacks the columns born of the training table \(known: age, city\)"),
        (
            {"Age": [1], "city": ["a"], "born": ["2024-01-01"]},
            r"lacks the columns age .*; did you mean|lacks the columns",
        ),
        ({"age": ["x"], "city": ["a"], "born": ["2024-01-01"]}, "wines: age is 'x' in row 0: expected a number"),
        ({"age": [None, "inf"], "city": [*"aa"], "born": ["2024-01-01"] * 2}, "age is 'inf' in row 1"),
        ({"age": [1], "city": ["a"], "born": ["soon"]}, "born is 'soon' in row 0: expected a date such as 2024-05-31"),
        ({"age": [1], "city": ["a"], "born": [2024.0]}, r"born is 2024 in row 0: expected a date"),
    ],
)
@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning")
def test_other_tables_are_refused(new: dict[str, Any], why: str) -> None:
    encoding = _fitted(age=[1, 2, 4, 8, 9, 9], city=[*"aaabbb"], born=["2024-01-01", "2024-03-01"] * 3)
    with pytest.raises(DataError, match=why):
        encoding.encode(_table(**new))


def test_arrays_fit_those_that_were_learned_from() -> None:
    random = np.random.default_rng(0)
    array = random.normal(size=(20, 3))
    array[:, 1] = 1  # left out, and counted
    encoding = TableEncoding.fit(table_of(array))
    frame = pd.DataFrame(array, columns=["0", "1", "2"])
    np.testing.assert_array_equal(encoding.encode(table_of(array)), encoding.encode(table_of(frame)))
    with pytest.raises(DataError, match="inputs has 2 columns without names, .*: give 3 columns in this order"):
        encoding.encode(table_of(array[:, :2]))
    named = TableEncoding.fit(table_of(pd.DataFrame(array, columns=list("abc"))))
    with pytest.raises(DataError, match="inputs has 3 columns without names, .* a, b, c: give a data frame"):
        named.encode(table_of(array))


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"a": []}, "wines has no rows"),
        (
            {"a": [1, 1], "b": ["x", "x"]},
            "wines has no column to learn from .*a is left out: always 1.0, b is left out",
        ),
        ({"a": [1, 2, 3]}, "a is left out: whole numbers without a gap between them"),
    ],
)
def test_there_must_be_something_to_learn_from(columns: dict[str, Any], why: str) -> None:
    with pytest.raises(DataError, match=why):
        _fitted(**columns)


# Any table.

NAMES = ["red", "green", "blue", "é", "a b"]


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Columns that pandas, pyarrow and text files can all hold."""
    rows = draw(st.integers(4, 40))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    times = st.datetimes(dt.datetime.fromisoformat("1900-01-01"), dt.datetime.fromisoformat("2100-01-01"))
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "gaps": st.none() | st.floats(-1e6, 1e6),
        "whole": st.integers(-5, 5),
        "text": st.sampled_from(NAMES),
        "text with gaps": st.none() | st.sampled_from(NAMES[:2]),
        "truth": st.booleans() | st.none(),
        "time": times | st.none(),
    }
    # A column that always varies: there is something to learn from.
    first = [float(place % 3) for place in range(rows)]
    return {"first": first, **{name: column(values) for name, values in kinds.items()}}


def _frame(columns: dict[str, list[Any]]) -> pd.DataFrame:
    objects = ("text", "text with gaps", "truth")
    made = {name: np.array([*v, None], object)[:-1] if name in objects else v for name, v in columns.items()}
    return pd.DataFrame(made)


@settings(max_examples=25)
@given(columns=tables(), data_=st.data())
@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning")
def test_features_of_a_row_do_not_depend_on_the_others(columns: dict[str, list[Any]], data_: st.DataObject) -> None:
    table = table_of(_frame(columns))
    encoding = TableEncoding.fit(table)
    found = encoding.encode(table)
    assert found.shape == (len(table), encoding.width)
    assert len(encoding.feature_names) == encoding.width == sum(len(column.features) for column in encoding.columns)
    assert np.isfinite(found).all()
    index = np.array(data_.draw(st.lists(st.integers(0, len(table) - 1))), np.int64)
    np.testing.assert_array_equal(encoding.encode(table.take(index)), found[index])
    order = np.array(data_.draw(st.permutations(range(len(table)))))
    assert TableEncoding.fit(table.take(order)) == encoding
    read = TypeAdapter(TableEncoding).validate_python(json.loads(json.dumps(asdict(encoding), allow_nan=False)))
    assert read == encoding
    np.testing.assert_array_equal(read.encode(table), found)


def _without_notes(encoding: TableEncoding) -> TableEncoding:
    """A date is not written alike everywhere."""
    return TableEncoding(tuple(replace(column, note="") for column in encoding.columns))


@settings(max_examples=25)
@given(columns=tables())
@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning")
def test_text_parquet_and_data_frames_give_the_same_bytes(
    columns: dict[str, list[Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("forms")
    frame = _frame(columns)
    frame.to_csv(folder / "t.csv", index=False)
    frame.to_parquet(folder / "t.parquet")
    given_ = [
        table_of(frame),
        table_of(pa.table(columns)),
        table_of(frame.convert_dtypes()),
        read_table(folder / "t.csv"),
        read_table(folder / "t.parquet"),
    ]
    encoding = TableEncoding.fit(given_[0])
    expected = encoding.encode(given_[0]).tobytes()
    for table in given_[1:]:
        assert _without_notes(TableEncoding.fit(table)) == _without_notes(encoding)
        assert encoding.encode(table).tobytes() == expected


def test_all_of_a_wide_table_can_be_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a network is loaded from may hold ten million values."""
    monkeypatch.setattr(_encoding, "_MOST_STORED", 1000)
    array = np.random.default_rng(0).normal(size=(120, 20))
    encoding = TableEncoding.fit(table_of(array))
    stored = Counter(len(column.scores.values) for column in encoding.columns if isinstance(column, NumberColumn))
    assert stored == {50: 20}


SCORES = NormalScores((1.0, 2.0), (1, 3), 2)
NUMBER = NumberColumn("a", SCORES, False)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (SCORES, {"values": (2.0, 1.0)}),
        (SCORES, {"values": (1.0, 1.0)}),
        (SCORES, {"values": (1.0, math.inf)}),
        (SCORES, {"values": (math.nan, 1.0)}),
        (SCORES, {"values": (1.0, 2.0, 3.0)}),
        (SCORES, {"values": (), "ranks": ()}),
        (SCORES, {"ranks": (3, 1)}),
        (SCORES, {"ranks": (0, 1)}),
        (SCORES, {"ranks": (1, 4)}),
        (SCORES, {"count": 1 << 60}),
        (SCORES, {"values": tuple(map(float, range(1001))), "ranks": tuple(range(1, 1002)), "count": 10**6}),
        (CategoryColumn("a", ("x", "y"), False, False), {"values": ("x", "x")}),
        (CategoryColumn("a", ("x", "y"), False, False), {"values": ("x",)}),
        (CategoryColumn("a", ("x", "y"), False, False), {"values": tuple(map(str, range(101)))}),
        (DateColumn("a", SCORES, ("year",), False), {"periods": ("moon",)}),
        (DateColumn("a", SCORES, ("year",), False), {"periods": ("year", "year")}),
        (TableEncoding((NUMBER,)), {"columns": ()}),
        (TableEncoding((NUMBER,)), {"columns": (NUMBER, NUMBER)}),
        (TableEncoding((NUMBER,)), {"columns": (LeftOut("a", "id"),)}),
    ],
)
def test_encodings_that_cannot_be_are_refused(kind: Any, change: dict[str, Any]) -> None:
    replace(kind)
    with pytest.raises(DataError, match=r"^no (quantiles|categories|periods|encoding of a table): "):
        replace(kind, **change)


def test_a_preprocessing_has_the_width_of_its_encoding() -> None:
    encoding = TableEncoding((NUMBER,))
    data.Preprocessing("features", (1,), (0.0,), (1.0,), encoding=encoding)
    with pytest.raises(DataError, match="no preprocessing"):
        data.Preprocessing("features", (2,), (0.0, 0.0), (1.0, 1.0), encoding=encoding)
    with pytest.raises(DataError, match="no preprocessing"):
        data.Preprocessing("images", (1, 1, 1), (0.0,), (1.0,), encoding=encoding)


def test_a_data_set_of_a_table() -> None:
    table = _table(a=[1, 2, 4, 8, 9, 11], city=[*"aaabbb"])
    dataset = data.from_table(table, ["x", "y", "x", "y", "x", "y"], name="wines", class_names=["y", "x"])
    assert dataset.name == "wines"
    assert dataset.class_names == ("y", "x")
    assert dataset.train.labels.tolist() == [1, 0, 1, 0, 1, 0]
    assert dataset.encoding is not None
    np.testing.assert_array_equal(dataset.train.inputs, dataset.encoding.encode(table))
    preprocessing = dataset.preprocessing
    assert preprocessing.encoding == dataset.encoding
    assert (preprocessing.mean, preprocessing.std, preprocessing.names) == ((0, 0), (1, 1), ("a", "city=b"))
    # All else is equal.
    other = TableEncoding((*dataset.encoding.columns, LeftOut("b", "id")))
    assert replace(dataset, encoding=other).fingerprint != dataset.fingerprint
    with pytest.raises(DataError, match="wines: 2 labels for 6 inputs"):
        data.from_table(table, [1, 2], name="wines")
