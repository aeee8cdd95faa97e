"""Corrections of labels, as people write them down and files have them."""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from noiseproof.classes import class_key, number_text
from noiseproof.errors import DataError, suggest
from noiseproof.formats import printable
from noiseproof.untrusted import csv_rows, is_number, parse_json, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction
    from pathlib import Path

Action = Literal["relabel", "keep", "drop", "unsure"]

COLUMNS = (
    "key", "row_hash", "given", "decided", "action", "queue", "draw_probability", "reviewer", "time", "labels_sha256",
    "noiseproof",
)  # fmt: skip
"""Of a file of corrections, in its order."""

HASH = re.compile("[0-9a-f]{16}")
"""The beginning of the hash of a row."""

_NEEDED = ("key", "given", "decided", "action")
_DRAW = re.compile(r"calibrate ([0-9]{1,6}) of ([0-9]{1,6})")
_LONGEST, _LONGEST_KEY = 1000, 10_000


@dataclass(frozen=True)
class Correction:
    """What somebody decided about one label. Texts are on one line, as :func:`noiseproof.formats.printable` has them.

    Attributes:
        key: what the sample is called.
        row_hash: the first 16 hexadecimal digits of its row's hash; empty where no data were there.
        given: the label that was looked at.
        decided: the class that the sample has, if the action is to relabel or to keep.
        action: ``"relabel"``, ``"keep"``, ``"drop"`` or ``"unsure"``.
        queue: where it was shown, such as ``"suspicious"``, or ``"calibrate 3 of 10"`` if drawn from that stratum.
        draw_probability: with which it was drawn at each draw.
        reviewer: who decided.
        time: when, in UTC.
        labels_sha256: of the list of labels that was audited.
        noiseproof: the version that wrote it.
    """

    key: str
    row_hash: str
    given: str
    decided: str | None
    action: Action
    queue: str = ""
    draw_probability: float | None = None
    reviewer: str = ""
    time: dt.datetime | None = None
    labels_sha256: str = ""
    noiseproof: str = ""

    @property
    def stratum(self) -> tuple[int, int] | None:
        """The number of the stratum that it was drawn from, from 1, and how many there are."""
        match = _DRAW.fullmatch(self.queue)
        return None if match is None or self.draw_probability is None else (int(match[1]), int(match[2]))


def loose_key(text: str) -> str | int | Fraction:
    """What the spellings of one class have in common, for spreadsheets too: they write truth values in capitals."""
    return text.capitalize() if text.casefold() in ("true", "false") else class_key(text)


def read_file(path: Path) -> Iterator[Correction]:
    """The corrections of one file; see :func:`noiseproof.auditing.read_corrections`.

    Raises:
        DataError: it cannot be read, has not the columns, or a line is no correction.
    """
    text = read_text(path)
    if text.lstrip().startswith("{"):
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                where = f"{path}, line {number}"
                yield _correction(_of_json(line, where), where)
        return
    for where, cells in _of_csv(text, path):
        yield _correction(cells, where)


def _of_json(line: str, where: str) -> dict[str, str]:
    found = parse_json(line, where)
    if not isinstance(found, dict):
        raise DataError(f"{where} is no object of JSON: expected one correction")
    _check_columns(list(found), where)
    cells = {}
    for name in COLUMNS:
        value = found.get(name)
        if isinstance(value, list | dict):
            raise DataError(f"{where}: {name} is a {type(value).__name__}: expected text or a number")
        is_plain = isinstance(value, int | float) and not isinstance(value, bool)
        cells[name] = "" if value is None else number_text(value) if is_plain else str(value)
    return cells


def _of_csv(text: str, path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise DataError(f"{path} is empty: expected corrections, with a line of the names of the columns")
    mark = max(",;\t", key=first.count)
    head: list[str] = []
    for number, row in csv_rows(text, path, mark):
        where = f"{path}, line {number}"
        if not head:
            head = [cell.strip() for cell in row]
            _check_columns([name for name in head if name], str(path))
            continue
        if any(map(str.strip, row[len(head) :])):
            raise DataError(f"{where}: {len(row)} cells where the first line has {len(head)}")
        cells = {name: _plain_cell(cell) for name, cell in zip(head, row, strict=False)}
        if mark == ";":
            cells["draw_probability"] = cells.get("draw_probability", "").replace(",", ".")
        yield where, cells


def _plain_cell(cell: str) -> str:
    """A cell without the apostrophe that keeps spreadsheets from running it; see :func:`csv_text`."""
    return cell[1:] if cell.startswith("'") else cell


def _check_columns(names: Sequence[str], where: str) -> None:
    for name in _NEEDED:
        if name not in names:
            raise DataError(
                f"{where} has no {name}{suggest(name, names[:20])}: expected corrections, with {', '.join(_NEEDED)}"
            )
    twice = sorted({name for name in names if name in COLUMNS and names.count(name) > 1})
    if twice:
        raise DataError(f"{where} has the column {twice[0]} twice: expected it once")


def _correction(cells: dict[str, str], where: str) -> Correction:
    """A correction of cells as a file has them.

    Raises:
        DataError: they are none.
    """
    texts = {name: printable(unicodedata.normalize("NFC", cells.get(name, "")).strip()) for name in COLUMNS}
    texts["key"] = printable(cells["key"])  # of which white space may be a part, and how accents are stored
    action = texts["action"].casefold()
    if action not in get_args(Action):
        raise DataError(f"{where}: action {texts['action'][:60]!r}: expected {', '.join(get_args(Action))}")
    if not texts["key"]:
        raise DataError(f"{where}: the key is empty: expected what the sample is called")
    if not texts["given"]:
        raise DataError(f"{where}: given is empty: expected the label that the sample had")
    if len(texts["given"]) > _LONGEST or len(texts["decided"]) > _LONGEST or len(texts["key"]) > _LONGEST_KEY:
        raise DataError(
            f"{where}: a class of more than {_LONGEST:,} characters, or a key of more than {_LONGEST_KEY:,}"
        )
    return Correction(
        texts["key"],
        _row_hash(texts["row_hash"], where),
        texts["given"],
        _decided(action, texts["given"], texts["decided"], where),
        _action(action, texts["given"], texts["decided"]),
        *_draw(texts["queue"], texts["draw_probability"], where),
        texts["reviewer"],
        _time(texts["time"], where),
        texts["labels_sha256"],
        texts["noiseproof"],
    )


def _action(action: str, given: str, decided: str) -> Action:
    """To give the label that is there is to keep it."""
    same = action == "relabel" and class_key(given) == class_key(decided)
    return "keep" if same else action  # type: ignore[return-value]


def _decided(action: str, given: str, decided: str, where: str) -> str | None:
    if action in ("drop", "unsure"):
        if decided:
            raise DataError(f"{where}: decided is {decided[:60]!r} and the action {action}: expected an empty cell")
        return None
    if action == "relabel":
        if not decided:
            raise DataError(f"{where}: decided is empty: expected the class that the label is changed to")
        return decided
    if decided and loose_key(decided) != loose_key(given):
        raise DataError(
            f"{where}: the label {given[:60]!r} is kept, and decided is {decided[:60]!r}: expected the same, or the "
            "action relabel"
        )
    return given


def _row_hash(text: str, where: str) -> str:
    text = text.lower()
    if not text or HASH.fullmatch(text):
        return text
    # Of 16 digits without a letter, or with an e among them, a spreadsheet makes a number.
    number = text.replace(",", ".")
    if not is_number(number) or not math.isfinite(float(number)):
        raise DataError(f"{where}: row_hash {text[:60]!r}: expected 16 hexadecimal digits, or an empty cell")
    return number


def _draw(queue: str, probability: str, where: str) -> tuple[str, float | None]:
    if probability and not (is_number(probability) and 0 < float(probability) <= 1):
        raise DataError(f"{where}: draw_probability {probability[:60]!r}: expected a number above 0, at most 1")
    drawn = float(probability) if probability else None
    if queue.startswith("calibrate"):
        match = _DRAW.fullmatch(queue)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise DataError(f"{where}: queue {queue[:60]!r}: expected such as 'calibrate 3 of 10'")
        if drawn is None:
            raise DataError(f"{where}: draw_probability is empty: expected the one of a draw to be checked")
    return queue, drawn


def _time(text: str, where: str) -> dt.datetime | None:
    if not text:
        return None
    try:
        found = dt.datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
        return found.astimezone(dt.timezone.utc) if found.tzinfo else found.replace(tzinfo=dt.timezone.utc)
    except (ValueError, OverflowError):
        raise DataError(
            f"{where}: time {text[:60]!r}: expected one as in ISO 8601, such as 2026-01-31T12:00:00Z"
        ) from None
