"""Corrections applied to data that are never changed: what comes of them is written beside them, with a log."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.auditing import read_corrections
from noiseproof.correcting._arrays import find_list, find_npz
from noiseproof.correcting._folder import find_folder
from noiseproof.correcting._tables import find_parquet, find_text
from noiseproof.data import TEXT_TABLES
from noiseproof.errors import DataError, RunError, shorten
from noiseproof.files import check_folder, make_folder, write_text
from noiseproof.formats import csv_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from noiseproof.auditing import Corrections, Matched
    from noiseproof.correcting._found import Found

_FINDERS: dict[str, Callable[[Path, Corrections, str | None, str | None], Found]] = {
    **dict.fromkeys(TEXT_TABLES, find_text),
    ".parquet": find_parquet,
    ".npz": find_npz,
    ".npy": find_list,
    ".json": find_list,
}


@dataclass(frozen=True)
class Applied:
    """What came of corrections.

    Attributes:
        matched: which of them apply.
        out: the corrected data.
        log: what became of each correction, as CSV.
        label: the column of the labels; ``None`` where there are no columns.
        key: the column of the keys; ``None`` where these are numbers of rows, or paths.
    """

    matched: Matched
    out: Path
    log: Path
    label: str | None
    key: str | None

    def sentences(self) -> tuple[str, ...]:
        """How labels and rows were found, how many corrections apply, and why others do not."""
        how = () if self.label is None else (f"Labels: column {self.label}",)
        rows = () if self.key is None else (f"Keys: column {self.key}",)
        return (*how, *rows, *self.matched.sentences())


def apply(
    corrections: str | Path | Sequence[str | Path],
    data: str | Path,
    out: str | Path,
    *,
    label: str | None = None,
    key: str | None = None,
) -> Applied:
    """Write data with corrected labels, and beside them a log (``OUT.log.csv``). The data are not changed.

    ================================= ===============================================================================
    data                              what is written
    ================================= ===============================================================================
    a table (.csv, .tsv, .txt)        the same bytes, but for the labels that change and the rows that are dropped
    a table (.parquet)                the same columns, types and metadata
    arrays (.npz)                     the same arrays with other labels, without the samples that are dropped
    a list of labels (.csv, .txt,     the list with other labels
    .json, .npy)
    a folder of images                a folder with a folder for each class, with links to the images; copies where
                                      links cannot be made
    ================================= ===============================================================================

    Args:
        corrections: the files of corrections.
        data: what they are about.
        out: what is written. It may not be there yet.
        label: the column of a table that holds the labels. By default the one that the rows' hashes leave out.
        key: the column of a table that says what rows are called. By default the one by which the corrections fit, or
            the numbers of the rows, counted from 0.

    Raises:
        DataError: files that cannot be read, no column of labels, or no correction that applies: nothing is written.
        RunError: ``out`` is there already, is the data or in it, or cannot be written.
    """
    data, out = Path(data), Path(out)
    log = out.with_name(f"{out.name}.log.csv")
    files = [corrections] if isinstance(corrections, str | Path) else corrections
    read = read_corrections(files)
    if not len(read):
        raise DataError(f"no correction in {shorten([*map(str, files)])}: nothing is applied, and nothing is written")
    found = _find(data, read, label, key)
    _check_out(data, out, log)
    matched = found.matched
    if not (matched.applied or matched.already):
        raise DataError(f"{data}: no correction applies, and nothing is written. {'. '.join(matched.sentences())}")
    make_folder(out.parent)
    found.write(out)
    write_text(log, csv_text(_log(found)))
    return Applied(matched, out, log, found.label, found.key)


def _find(data: Path, corrections: Corrections, label: str | None, key: str | None) -> Found:
    if data.is_dir():
        return find_folder(data, corrections, label, key)
    if not data.exists():
        raise DataError(f"there is no {data}")
    finder = _FINDERS.get(data.suffix.lower())
    if finder is None:
        raise DataError(
            f"cannot correct {data}: expected a folder of images, or a file that ends in {', '.join(_FINDERS)}; the "
            "data come after the files of corrections"
        )
    return finder(data, corrections, label, key)


def _check_out(data: Path, out: Path, log: Path) -> None:
    """See that nothing is written over, least of all the data."""
    if not data.is_dir() and out.suffix.lower() != data.suffix.lower():
        raise RunError(f"{out} does not end in {data.suffix}: expected the kind of file that {data} is")
    check_folder(out.parent)
    place, source = out.resolve(), data.resolve()
    if place == source or source in place.parents:
        raise RunError(f"{out} is {data} or in it, which stays as it is: choose another place")
    for path in (out, log):
        if os.path.lexists(path):
            raise RunError(f"{path} is there already: choose another name, or remove it")


_LOG = ("key", "before", "after", "action", "reviewer", "time", "status", "reason")


def _log(found: Found) -> Iterator[Sequence[object]]:
    """A line for each correction."""
    after = {one.row: one.decided or "" for one in found.matched.decisions if one.action != "unsure"}
    yield _LOG
    for outcome in found.matched.outcomes:
        one, row = outcome.correction, outcome.row
        before = "" if row is None else found.labels[row]
        time = None if one.time is None else one.time.isoformat()
        now = before if row is None else after.get(row, before)
        yield one.key, before, now, one.action, one.reviewer, time, outcome.status, outcome.reason
