"""Tables as people have them: text files, Parquet, data frames and arrays become columns of two kinds.

A column holds numbers or text, and either may have gaps. What else there is becomes text that says the same: truth
values "True" and "False", dates and times ISO 8601. So a table is the same table wherever it comes from.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from noiseproof.classes import number_text
from noiseproof.data._cells import TEXT_TABLES, read_cells
from noiseproof.errors import DataError, shorten, suggest
from noiseproof.extras import need
from noiseproof.untrusted import MOST_VALUES, is_number, open_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray

TABLES = (*TEXT_TABLES, ".parquet")
"""Endings of the files that :func:`read_table` reads."""

_MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
"""What a cell of a text file says where there is no value, in any case."""

_CODE = re.compile(r"[+-]?0[0-9]|.*_")
"""What Python reads as a number and nobody means as one: "007", "12_3"."""

_EXPECTED = "expected numbers, text, truth values or dates"


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length.

    Attributes:
        columns: by name, in order, each ``(N,)``: numbers as float64, with NaN for a gap; text as objects, each a
            ``str`` without white space around it or ``None`` for a gap. There is at least one.
        source: what it is, for messages.
        named: whether columns have names of their own; those of an array are counted, "0", "1", ….
    """

    columns: dict[str, NDArray[Any]]
    source: str
    named: bool = True

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The column of a name.

        Raises:
            DataError: there is none.
        """
        if name not in self.columns:
            _refuse_name(name, self.columns, self.source)
        return self.columns[name]

    def take(self, index: NDArray[np.int64]) -> Table:
        """Some of the rows, in the order of ``index``."""
        return replace(self, columns={name: column[index] for name, column in self.columns.items()})

    def without(self, names: Collection[str]) -> Table:
        """The other columns.

        Raises:
            DataError: there is no column of one of the names, or of no other.
        """
        for name in names:
            self[name]
        kept = {name: column for name, column in self.columns.items() if name not in names}
        if not kept:
            raise DataError(f"{self.source} has no columns but {shorten(sorted(names))}: expected others to learn from")
        return replace(self, columns=kept)


def read_table(path: str | Path, *, as_text: Collection[str] = ()) -> Table:
    """A table from a file.

    ================ ================================================================================================
    file             what is read
    ================ ================================================================================================
    .csv, .tsv, .txt cells that are separated by commas, semicolons, tabs or white space, below a line with the
                     columns' names. Empty cells, NA, N/A, nan, null, None and ?, in any case, are gaps. A column whose
                     other cells are all finite numbers holds numbers, any other text; codes such as 007 are text
    .parquet         numbers, text, truth values, dates and times. Gaps are what the file says is null, and empty text
    ================ ================================================================================================

    A column of a text file without a name gets the one that pandas gives it, "Unnamed: 0" if it is the first.

    Args:
        path: the file; its ending tells the format.
        as_text: columns that are text as the file has it, such as labels and names of rows: "1.0" stays that, "NA" is
            no gap, and no digit of a long number is lost.

    Raises:
        DataError: the file is missing, damaged or too large; a name that is there twice, columns of other kinds, an
            infinite number, or no column of a name in ``as_text``.
        MissingPackageError: Parquet needs ``noiseproof[tables]``.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".parquet":
        return table_of(_read_parquet(path), str(path), as_text=as_text)
    if ending not in TEXT_TABLES:
        raise DataError(f"cannot read a table from {path}: expected a file that ends in {', '.join(TABLES)}")
    head, *rows = read_cells(path)
    numbers = [cell for cell in head if is_number(cell)]
    if any(not cell.isdecimal() for cell in numbers):
        raise DataError(
            f"the first line of {path} holds the number {numbers[0]}: expected the names of the columns; write a line "
            "with them above the others"
        )
    names = _names(head, str(path), as_text)
    if not rows:
        raise DataError(f"{path} has no rows below its header")
    columns = {}
    for place, name in enumerate(names):
        cells = [row[place] for row in rows]
        columns[name] = _texts(map(_clean, cells)) if name in as_text else _parsed(cells, f"{path}: {name}")
    return Table(columns, str(path))


def table_of(frame: Any, where: str = "inputs", *, as_text: Collection[str] = ()) -> Table:
    """A table from a data frame of pandas, polars or pyarrow, or from a two-dimensional array, tensor or nested list.

    Columns of an array are called "0", "1", …. An array of text is read as a text file is, column by column; of
    objects, a column of numbers holds numbers, and any other text.

    Args:
        frame: what it is made of. It is not changed.
        where: what it is, for messages.
        as_text: as for :func:`read_table`.

    Raises:
        DataError: it is none of these; a name that is there twice, columns of other kinds, an infinite number, or no
            column of a name in ``as_text``.
        MissingPackageError: data frames need ``noiseproof[tables]``.
    """
    if isinstance(frame, Table):
        return frame
    if hasattr(frame, "detach"):
        frame = frame.detach().cpu().numpy()
    elif isinstance(frame, list | tuple):
        frame = np.array(frame, object)
    elif hasattr(frame, "toarray"):
        raise DataError(f"{where} is sparse: expected a dense array; give {where}.toarray()")
    elif hasattr(frame, "__array__") and not hasattr(frame, "columns"):
        frame = np.asarray(frame)
    if isinstance(frame, np.ndarray):
        return _of_array(frame, where, as_text)
    need("a data frame needs", "narwhals")
    import narwhals as nw
    from narwhals.exceptions import DuplicateError

    try:
        series = list(nw.from_native(frame, eager_only=True).iter_columns())
    except TypeError as error:
        raise DataError(
            f"{where} is a {type(frame).__name__}: expected a data frame of pandas, polars or pyarrow, or a "
            "two-dimensional array"
        ) from error
    except (DuplicateError, ValueError) as error:  # pandas and pyarrow allow names that are there twice
        raise DataError(f"{where} is a data frame that cannot be used: {error}") from error
    names = _names([column.name for column in series], where, as_text)
    if not names:
        raise DataError(f"{where} has no columns")
    return Table(
        {
            name: _of_series(column, name in as_text, f"{where}: {name}")
            for name, column in zip(names, series, strict=True)
        },
        where,
    )


def missing(column: NDArray[Any]) -> NDArray[np.bool_]:
    """``(N,)``: where a column has gaps."""
    if column.dtype.kind == "f":
        return np.isnan(column)
    return np.fromiter((value is None for value in column), np.bool_, len(column))


def _refuse_name(name: str, names: Iterable[str], where: str) -> NoReturn:
    raise DataError(f"{where} has no column {name!r}{suggest(name, list(names)[:50])}")


def _names(given: Sequence[object], where: str, as_text: Collection[str]) -> list[str]:
    names = [_clean(str(name)) or f"Unnamed: {place}" for place, name in enumerate(given)]
    twice = sorted({name for name in names if names.count(name) > 1}) if len({*names}) < len(names) else []
    if twice:
        raise DataError(f"{where} has the column {twice[0]!r} twice: expected another name for each")
    for name in as_text:
        if name not in names:
            _refuse_name(name, names, where)
    return names


def _clean(text: str) -> str:
    """Text that is the same however an accent is stored, without white space around it; UTF-8 can hold it."""
    text = text.strip()
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())


def _texts(values: Iterable[str]) -> NDArray[np.object_]:
    """A column of text, in which an empty text is a gap."""
    listed = [value or None for value in values]
    column = np.empty(len(listed), object)
    column[:] = listed
    return column


def _numbers(values: NDArray[Any], where: str) -> NDArray[np.float64]:
    numbers = values.astype(np.float64)
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        raise DataError(
            f"{where} is {numbers[infinite[0]]} in row {infinite[0]}: expected finite numbers; leave a gap (NaN, or an "
            "empty cell) where there is none"
        )
    return numbers


def _parsed(cells: Iterable[str], where: str) -> NDArray[Any]:
    """A column of a text file."""
    values = ["" if cell.casefold() in _MISSING else cell for cell in map(_clean, cells)]
    if all(not value or (is_number(value) and not _CODE.match(value)) for value in values):
        return _numbers(np.array([float(value) if value else math.nan for value in values]), where)
    return _texts(values)


def _of_array(array: NDArray[Any], where: str, as_text: Collection[str]) -> Table:
    if array.ndim != 2 or not array.shape[1] or array.dtype.kind not in "biufOUSM":
        raise DataError(
            f"{where} is {array.dtype} of shape {array.shape}: {_EXPECTED}, of shape (N, columns) with at least one "
            "column"
        )
    columns: dict[str, NDArray[Any]] = {}
    for place, name in enumerate(_names(range(array.shape[1]), where, as_text)):
        column, at = array[:, place], f"{where}: column {name}"
        if name in as_text or array.dtype.kind in "bOM":
            columns[name] = _of_objects(column.tolist() if array.dtype.kind != "M" else [*column], name in as_text, at)
        elif array.dtype.kind in "US":
            columns[name] = _parsed(map(_decoded, column.tolist()), at)
        else:
            columns[name] = _numbers(column, at)
    return Table(columns, where, named=False)


def _of_series(series: Any, as_text: bool, where: str) -> NDArray[Any]:
    """A column of a data frame, which is a series of narwhals."""
    import narwhals as nw

    kind = series.dtype
    if series.null_count() == len(series) and not as_text:
        return np.full(len(series), np.nan)
    if kind in (nw.Date, nw.Datetime):
        # Microseconds since 1970, in UTC where there is a zone.
        moments = _floats(series.dt.timestamp("us"))
        known = np.where(np.isnan(moments), 0, moments).astype(np.int64).astype("datetime64[us]")
        return _texts(np.where(np.isnan(moments), "", _iso(known)).tolist())
    if kind.is_numeric() and not as_text:
        return _numbers(_floats(series), where)
    if kind in (nw.Categorical, nw.Enum):
        as_text = True
        if series.implementation.is_pyarrow():  # an array of its dictionaries has lost the gaps
            series = series.cast(nw.String)
    if kind in (nw.String, nw.Categorical, nw.Enum, nw.Boolean, nw.Object):
        # A list of pyarrow's takes ten times as long as an array.
        return _of_objects(series.to_numpy().tolist(), as_text, where)
    if kind.is_numeric() or series.null_count() == len(series):
        return _of_objects(series.to_list(), as_text, where)
    raise DataError(f"{where} holds {kind}: {_EXPECTED}; leave the column out, or change its kind")


def _floats(series: Any) -> NDArray[np.float64]:
    """Numbers of a series, NaN for a gap."""
    values = series.to_numpy()
    if values.dtype.kind in "iuf":
        return values.astype(np.float64)
    return np.array([math.nan if _is_gap(value) else float(value) for value in series.to_list()])


def _of_objects(values: Sequence[Any], as_text: bool, where: str) -> NDArray[Any]:
    """A column of any objects: of numbers if all are, of text otherwise."""
    texts: list[str] = []
    known: dict[str, str] = {"": ""}  # texts come again and again
    all_numbers = not as_text
    for row, value in enumerate(values):
        if type(value) is str and value in known:
            text = known[value]
        elif _is_gap(value):
            text = ""
        else:
            text, is_numeric = _text_of(value, f"{where}, row {row}")
            all_numbers = all_numbers and (is_numeric or not text)
            if type(value) is str:
                known[value] = text
        texts.append(text)
    if all_numbers:
        return _numbers(np.array([float(text) if text else math.nan for text in texts]), where)
    return _texts(texts)


def _text_of(value: Any, where: str) -> tuple[str, bool]:
    """A value as text, and whether it is a number."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)), False
    if isinstance(value, int | float | Decimal | np.integer | np.floating):
        return number_text(value), True
    if isinstance(value, np.datetime64):
        return str(_iso(np.array(value, "datetime64[us]"))), False
    if isinstance(value, dt.date):  # of which a datetime is one
        return value.isoformat(), False
    if isinstance(value, str | bytes):
        return _clean(_decoded(value)), False
    raise DataError(f"{where} is a {type(value).__name__}: {_EXPECTED}")


def _decoded(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _iso(times: NDArray[Any]) -> NDArray[np.str_]:
    return np.datetime_as_string(times, unit="us")


def _is_gap(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # pandas.NA answers no comparison
        return True
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return isinstance(value, float | np.floating | Decimal) and math.isnan(value)


def _read_parquet(path: Path) -> Any:
    """The file as a table of pyarrow, after a look at what it holds and takes."""
    need("a .parquet file needs", "narwhals", "pyarrow")
    import pyarrow as pa
    from pyarrow import parquet

    kinds = pa.types
    known = (
        kinds.is_null,
        kinds.is_boolean,
        kinds.is_integer,
        kinds.is_floating,
        kinds.is_decimal,
        kinds.is_date,
        kinds.is_timestamp,
        kinds.is_string,
        kinds.is_large_string,
        kinds.is_dictionary,
    )
    with open_file(path) as file:
        try:
            content = parquet.ParquetFile(file)
            size, fields = content.metadata, content.schema_arrow
            for field in fields:
                if not any(is_kind(field.type) for is_kind in known):
                    raise DataError(f"{path}: {field.name} holds {field.type}: {_EXPECTED}; leave the column out")
            if size.num_rows * len(fields) > MOST_VALUES:
                raise DataError(
                    f"{path} has {size.num_rows:,} rows of {len(fields):,} columns: expected at most {MOST_VALUES:,} "
                    "cells"
                )
            # A text that comes a million times is in memory once.
            texts = [field.name for field in fields if kinds.is_string(field.type)]
            return parquet.ParquetFile(file, read_dictionary=texts, page_checksum_verification=True).read()
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"cannot read {path}: {error}") from error
