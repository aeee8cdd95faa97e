"""Tables: which of their columns are labels and keys, and how they are written with other labels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.classes import class_key
from noiseproof.correcting._found import Found, texts_of
from noiseproof.data import missing, read_cells, read_label_list, read_table, rewrite_cells, row_hashes
from noiseproof.errors import DataError, LabelError, shorten
from noiseproof.extras import need
from noiseproof.files import write_atomically
from noiseproof.formats import csv_text, printable
from noiseproof.untrusted import open_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from noiseproof.auditing import Corrections, Matched
    from noiseproof.data import Table


def find_text(path: Path, corrections: Corrections, label: str | None, key: str | None) -> Found:
    """A text file: a table, or a list of labels, which no rows are known by.

    Raises:
        DataError: it cannot be read, or no column is that of the labels.
    """
    has_hashes = any(one.row_hash for one in corrections.rows)
    may_be_list = label is None and (not has_hashes or len(read_cells(path)[0]) <= 2)
    if label is None and not has_hashes:
        return _find_list(path, corrections, key)
    try:
        place = _Place.find(path, corrections, label, key, _refuse_formula)
    except DataError:
        if not may_be_list:
            raise
        return _find_list(path, corrections, key)

    lines = (place.rows + 1).tolist()  # below the names of the columns

    def write(out: Path) -> None:
        write_atomically(out, _rewritten(path, place.column, lines, found))

    found = Found(place.labels, place.matched, write, place.label, place.key)
    return found


def find_parquet(path: Path, corrections: Corrections, label: str | None, key: str | None) -> Found:
    """A table in Parquet.

    Raises:
        DataError: it cannot be read, or no column is that of the labels.
    """
    place = _Place.find(path, corrections, label, key, lambda _: "")
    found = Found(
        place.labels,
        place.matched,
        lambda out: write_atomically(out, _parquet(path, place.column, place.rows.tolist(), found)),
        place.label,
        place.key,
    )
    return found


def _rewritten(path: Path, column: int, lines: Sequence[int], found: Found) -> bytes:
    """A text with other labels, which are on certain of its lines."""
    values = {lines[row]: text for row, text in found.decided.items()}
    return rewrite_cells(path, column, values, {lines[row] for row in found.dropped})


@dataclass(frozen=True, eq=False)
class _Place:
    """Where labels and keys are in a table.

    Attributes:
        label: the column of the labels.
        column: its number.
        key: the column of the keys; ``None`` for numbers of rows.
        rows: ``(N,)``, the rows that have a label.
        labels: ``(N,)``, as text.
        matched: the corrections, by positions in ``rows``.
    """

    label: str
    column: int
    key: str | None
    rows: NDArray[np.int64]
    labels: list[str]
    matched: Matched

    @classmethod
    def find(
        cls,
        path: Path,
        corrections: Corrections,
        label: str | None,
        key: str | None,
        refuse: Callable[[str], str],
    ) -> _Place:
        """Find them in a file.

        Raises:
            DataError: it cannot be read, or no column is that of the labels or keys.
        """
        plain = read_table(path)
        names = list(plain.columns)
        texts = read_table(path, as_text=names)
        label = _label_column(plain, texts, corrections) if label is None else label
        column = texts[label]
        rows = np.flatnonzero(~missing(column))
        if not len(rows):
            raise DataError(f"{path}: the column {label!r} is empty: expected labels")
        labels = column[rows].tolist()
        hashes = row_hashes(plain.without([label]).take(rows)) if len(names) > 1 else None
        tried: list[tuple[int, str | None, Matched]] = []
        for name in [key] if key is not None else _key_columns(texts, label, corrections):
            keys = rows.tolist() if name is None else texts[name][rows].tolist()
            matched = corrections.match(keys, hashes, labels, refuse)
            tried.append((len(matched.outcomes) - len(matched.refused), name, matched))
            if tried[-1][0] and hashes is not None and any(one.row_hash for one in corrections.rows):
                return cls(label, names.index(label), name, rows, labels, matched)
        most = max(count for count, _, _ in tried)
        best = [each for each in tried if each[0] == most]
        if most and len(best) > 1:
            fit = [name or "the numbers of the rows" for _, name, _ in best]
            raise DataError(f"{path}: {shorten(fit)} could be what the corrections call the rows: say which (--key)")
        _, name, matched = best[0]
        return cls(label, names.index(label), name, rows, labels, matched)


def _label_column(plain: Table, texts: Table, corrections: Corrections) -> str:
    """The column without which the rows' hashes agree with corrections: hashes leave out the label alone.

    Raises:
        DataError: there is none.
    """
    said = {class_key(text) for one in corrections.rows for text in (one.given, one.decided) if text is not None}
    wanted = {one.row_hash for one in corrections.rows if one.row_hash}
    for name, column in texts.columns.items() if len(texts.columns) > 1 else ():
        if said.isdisjoint(class_key(printable(text)) for text in {*column.tolist()} - {None}):
            continue
        hashes = row_hashes(plain.without([name]))
        if not wanted.isdisjoint(row[:8].tobytes().hex() for row in hashes):
            return name
    raise DataError(
        f"{plain.source}: no column holds the labels of these corrections: whichever is left out, no row has a hash of "
        "theirs. Are these the data that were audited? --label COLUMN says which column it is"
    )


def _key_columns(texts: Table, label: str, corrections: Corrections) -> list[str | None]:
    """Columns that hold a key of the corrections; before them the numbers of the rows, which are none."""
    said = {class_key(one.key) for one in corrections.rows}
    found = [
        name
        for name, column in texts.columns.items()
        if name != label and not said.isdisjoint(class_key(printable(str(text))) for text in {*column.tolist()})
    ]
    return [None, *found]


def _refuse_formula(name: str) -> str:
    """A name from a file of corrections must not become a formula when somebody opens the table."""
    is_formula = csv_text([[name]]).lstrip('"').startswith("'")
    return f"{name[:60]!r} begins as formulas of spreadsheets do, and no label has it yet" if is_formula else ""


def _find_list(path: Path, corrections: Corrections, key: str | None) -> Found:
    """A list of labels, perhaps with what samples are called."""
    if key is not None:
        raise DataError(f"{path}: --key {key!r} without --label: say which column are the labels, too")
    listed, cells = read_label_list(path), read_cells(path)
    labels = listed.labels.listed
    lines = range(len(cells) - len(labels), len(cells))
    columns = [place for place in range(len(cells[0])) if _says([cells[line][place] for line in lines], labels)]
    if lines.start not in (0, 1) or not columns:
        raise DataError(f"{path}: cannot tell which cells are the labels: say which column it is (--label)")
    keys: Sequence[Any] = range(len(labels)) if listed.numbers is None else listed.numbers.tolist()
    matched = corrections.match(listed.names or keys, None, labels, _refuse_formula)

    found = Found(labels, matched, lambda out: write_atomically(out, _rewritten(path, columns[-1], lines, found)))
    return found


def _says(cells: list[str], labels: list[str]) -> bool:
    try:
        return texts_of(cells) == labels
    except LabelError:
        return False


def _parquet(path: Path, column: int, rows: Sequence[int], found: Found) -> bytes:
    """The file with other labels, and with the types, metadata and compression that it has."""
    need("a .parquet file needs", "pyarrow")
    import pyarrow as pa
    from pyarrow import parquet

    new, dropped = found.decided, {rows[row] for row in found.dropped}
    with open_file(path) as file:
        content = parquet.ParquetFile(file)
        codec = content.metadata.row_group(0).column(column).compression
        table = content.read()
    field = table.schema.field(column)
    values = table.column(column).to_pylist()
    known = {text: values[row] for text, row in zip(found.labels, rows, strict=True)}
    try:
        for row, text in new.items():
            values[rows[row]] = known[text] if text in known else _typed(text, field.type)
        labels = pa.chunked_array([pa.array(values, type=field.type)])
        table = table.set_column(column, field, labels)
        if dropped:
            table = table.filter(pa.array([row not in dropped for row in range(len(values))]))
        sink = io.BytesIO()
        parquet.write_table(table, sink, compression="NONE" if codec == "UNCOMPRESSED" else codec)
    except (pa.ArrowException, ValueError, OverflowError, ArithmeticError) as error:
        raise DataError(f"{path}: cannot write labels of {field.type} ({shorten([*new.values()])}): {error}") from error
    return sink.getvalue()


def _typed(text: str, kind: Any) -> Any:
    """A class that no label has yet, as a column of a type holds it."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    makers: Mapping[Callable[[Any], bool], Callable[[str], Any]] = {
        types.is_integer: int,
        types.is_floating: float,
        types.is_decimal: Decimal,
        types.is_string: str,
        types.is_large_string: str,
    }
    for is_kind, make in makers.items():
        if is_kind(kind):
            return make(text)
    raise ValueError(f"{text[:60]!r} is no {kind}")
