"""Audits as other tools read and write them: CSV, Label Studio's tasks, cleanlab's data frame of label issues."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.auditing.scores import ranks
from noiseproof.classes import Classes, read_labels
from noiseproof.errors import DataError, LabelError
from noiseproof.formats import csv_text, printable
from noiseproof.untrusted import csv_rows, is_number, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from noiseproof.auditing._audit import Audit

_CLEANLAB = ("is_label_issue", "label_quality", "given_label", "predicted_label")


def audit_csv(audit: Audit) -> str:
    """The table of an audit as CSV, one row for each sample, in the order given. What is unknown is an empty cell."""
    columns = [_plain(column) for column in audit.table.values()]
    return csv_text([[*audit.table], *zip(*columns, strict=True)])


def label_studio_tasks(
    audit: Audit,
    *,
    images: Sequence[str] | None = None,
    texts: Sequence[str] | None = None,
    values: Mapping[str, Sequence[Any]] | None = None,
    version: str = "noiseproof",
) -> list[dict[str, Any]]:
    """Tasks that Label Studio imports, the most suspicious first, each with the suggested class as its prediction.

    ``json.dumps`` makes the file to import. The labeling interface has the choices ``label`` for the object ``sample``:
    ``<View><Image name="sample" value="$image"/><Choices name="label" toName="sample">…</Choices></View>``, with a
    ``<Choice value="…"/>`` for each class.

    Args:
        audit: the audit.
        images: ``(N,)``, the URLs of images as Label Studio's server finds them: they become ``image``.
        texts: ``(N,)``: they become ``text``.
        values: further fields, ``(N,)`` each. Every task has ``key`` and ``given``, too.
        version: what predictions are said to be of.

    Raises:
        DataError: more or fewer values than samples, or a field that is there already.
    """
    table = audit.table
    given = {"image": images, "text": texts}
    fields: dict[str, Any] = {"key": table["key"], "given": table["given"]}
    for name, column in [*given.items(), *(values or {}).items()]:
        if column is None:
            continue
        if name in fields:
            raise DataError(f"the field {name!r} is there twice: expected another name")
        if len(column) != len(audit):
            raise DataError(f"{name}: {len(column)} values for {len(audit)} samples: expected one for each")
        fields[name] = column
    data = {name: _plain(np.asarray(column)) for name, column in fields.items()}
    suggested, sure = _plain(table["suggested"]), _plain(table["p_suggested"])
    tasks = []
    for row in np.argsort(table["rank"], kind="stable").tolist():
        result = {"from_name": "label", "to_name": "sample", "type": "choices"}
        choice = {"value": {"choices": [str(suggested[row])]}}
        prediction = {"model_version": version, "result": [{**result, **choice}]}
        if sure[row] is not None:
            prediction["score"] = sure[row]
        tasks.append({"data": {name: column[row] for name, column in data.items()}, "predictions": [prediction]})
    return tasks


def to_cleanlab(audit: Audit) -> dict[str, NDArray[Any]]:
    """The columns that cleanlab's ``CleanLearning.find_label_issues`` returns, for ``pandas.DataFrame``.

    ``is_label_issue``: the most suspicious labels, as many as the confident joint says are wrong; ``label_quality``:
    1 less the suspicion; ``given_label`` and ``predicted_label``: positions in ``audit.classes``.
    """
    table = audit.table
    places = {name: place for place, name in enumerate(audit.classes.tolist())}
    given, other = (np.array([places[name] for name in table[what].tolist()]) for what in ("given", "suggested"))
    return {
        "is_label_issue": table["rank"] <= round(audit.noise_rate.low * len(audit)),
        "label_quality": 1 - table["score"].astype(np.float64),
        "given_label": given,
        "predicted_label": np.where(table["p_suggested"] > table["p_given"], other, given),
    }


def from_cleanlab(issues: Any, classes: Sequence[Any] | None = None) -> dict[str, NDArray[Any]]:
    """The table of an audit from what cleanlab's ``CleanLearning.find_label_issues`` returned.

    ``suggested`` is the predicted label, also where that is the given one; ``score`` is 1 less the label's quality;
    ``rank`` follows from it. Nothing is known of ``second`` and of probabilities: these are ``None`` and NaN.

    Args:
        issues: the data frame, or a CSV file of it. The first column of a file that has no name is the key.
        classes: names of the classes, which the numbers of labels then count.

    Raises:
        DataError: a file that cannot be read, columns that are not there, qualities that are none.
        LabelError: labels that are none, or no numbers of ``classes``.
    """
    columns = _read_issues(Path(issues)) if isinstance(issues, str | Path) else _columns(issues)
    count = len(columns["label_quality"])
    try:
        quality = np.asarray(columns["label_quality"], np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"label_quality holds no numbers: {error}") from error
    wrong = np.flatnonzero(~((quality >= 0) & (quality <= 1)))
    if len(wrong):
        raise DataError(f"label_quality is {quality[wrong[0]]} in row {wrong[0]}: expected numbers from 0 to 1")
    score = 1 - quality
    unknown = np.full(count, np.nan, np.float32)
    return {
        "key": np.asarray(columns.get("key", np.arange(count))),
        "given": _named(columns["given_label"], classes),
        "suggested": _named(columns["predicted_label"], classes),
        "second": np.full(count, None, object),
        "score": score.astype(np.float32),
        "rank": ranks(score),
        "p_given": unknown,
        "p_suggested": unknown.copy(),
        "p_second": unknown.copy(),
    }


def _plain(column: NDArray[Any]) -> list[Any]:
    """Values as Python has them, ``None`` for NaN; of float32 the digits that it has."""
    values = column.tolist()
    if column.dtype.kind != "f":
        return values
    digits = 7 if column.dtype.itemsize <= 4 else 17
    return [None if math.isnan(value) else float(f"{value:.{digits}g}") for value in values]


def _named(labels: Any, classes: Sequence[Any] | None) -> NDArray[Any]:
    values = read_labels(labels if isinstance(labels, list) else np.asarray(labels)).values
    if classes is None:
        return values if values.dtype.kind == "i" else values.astype(object)
    names = Classes.named(classes).names
    if values.dtype.kind != "i" or values.min(initial=0) < 0 or values.max(initial=0) >= len(names):
        raise LabelError(f"labels are {values[:5].tolist()} …: expected numbers of {len(names)} classes, from 0 on")
    return np.array(names, object)[values.astype(np.int64)]


def _columns(frame: Any) -> dict[str, Any]:
    names = [str(name) for name in (frame.columns if hasattr(frame, "columns") else frame)]
    _check_names(names, "the data frame")
    found = {name: np.asarray(frame[name]) for name in _CLEANLAB}
    index = getattr(frame, "index", None)
    return found if index is None else {"key": np.asarray(index), **found}


def _check_names(names: Sequence[str], where: str) -> None:
    for name in _CLEANLAB:
        if name not in names:
            raise DataError(f"{where} has no column {name}: expected {', '.join(_CLEANLAB)}, as cleanlab has them")


def _read_issues(path: Path) -> dict[str, list[Any]]:
    rows = [(number, [printable(cell) for cell in row]) for number, row in csv_rows(read_text(path), path)]
    if not rows:
        raise DataError(f"{path} is empty: expected {', '.join(_CLEANLAB)}")
    head, body = [cell.strip() for cell in rows[0][1]], rows[1:]
    _check_names(head, str(path))
    for number, row in body:
        if len(row) != len(head):
            raise DataError(f"{path}, line {number}: {len(row)} cells where the first line has {len(head)}")
    names = ["key" if not name and not place else name for place, name in enumerate(head)]
    found: dict[str, list[Any]] = {name: [row[place] for _, row in body] for place, name in enumerate(names)}
    for number, row in body:
        if not is_number(row[names.index("label_quality")]):
            raise DataError(f"{path}, line {number}: a label_quality that is no number")
    if "key" in found and all(key.isdecimal() and len(key) < 19 for key in found["key"]):
        found["key"] = [int(key) for key in found["key"]]
    return found
