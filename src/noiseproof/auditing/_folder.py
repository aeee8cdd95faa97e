"""An audit in a folder: its table, its page, and what both can be made of again."""

from __future__ import annotations

import hashlib
import json
import math
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.auditing._audit import Audit, named
from noiseproof.auditing.checks import draw_checks
from noiseproof.auditing.exports import audit_csv
from noiseproof.auditing.page import Checked, render_page
from noiseproof.auditing.rates import NoiseBracket
from noiseproof.container import ContainerError, read_document, write_document
from noiseproof.errors import DataError, RunError
from noiseproof.extras import need
from noiseproof.files import file_sha256, make_folder, write_atomically
from noiseproof.untrusted import read_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from noiseproof.auditing.checks import Draws
    from noiseproof.auditing.corrections import Correction, Corrections, Matched

DESCRIPTION, ARRAYS, TABLE, PAGE = "audit.json", "audit.safetensors", "table.csv", "index.html"

FILES = (PAGE, TABLE, DESCRIPTION, ARRAYS)

_MOST_BYTES = 16 << 30

_TOP = 2000
"""The most suspicious samples, of which the page shows what they are like."""

_NAMED, _NEIGHBOR = ("key", "given", "suggested", "second"), "neighbor_"
"""Columns of the table that hold names."""


def write_audit(
    audit: Audit, folder: Path, *, title: str, corrections: Corrections | None = None, asked: str = ""
) -> None:
    """Write an audit into a folder.

    ===================== ===========================================================================================
    ``audit.json``        what was asked for, classes, keys, noise rate, matrix, figures by class
    ``audit.safetensors`` the columns of the table, as numbers
    ``table.csv``         the table, for people and spreadsheets
    ``index.html``        the page
    ===================== ===========================================================================================

    Args:
        audit: what is written.
        folder: where; it may be there already.
        title: of the page.
        corrections: what was decided before: see :func:`match_corrections`.
        asked: what tells one audit from another: see :func:`check_audit`.

    Raises:
        DataError: no correction fits these labels.
        RunError: it cannot be written.
    """
    need("an audit in a folder needs", "safetensors")
    from safetensors.numpy import save

    matched = None if corrections is None else match_corrections(audit, corrections)
    make_folder(folder)
    arrays: dict[str, NDArray[Any]] = {
        f"table.{name}": column for name, column in audit.table.items() if not _follows(name)
    }
    arrays |= {f"codes.{name}": codes for name, codes in audit.codes.items()}
    for name in ("neighbors", "twins", "hashes"):
        value = getattr(audit, name)
        if value is not None:
            arrays[name] = value
    content = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
    keys = _keys(audit)
    described = {
        "asked": asked,
        "classes": audit.classes.tolist(),
        "keys": None if keys is None else audit.table["key"].tolist(),
        "columns": list(audit.table),
        "noise_rate": [audit.noise_rate.low, audit.noise_rate.high],
        "transition_matrix": audit.transition_matrix.tolist(),
        "per_class": {name: values.tolist() for name, values in audit.per_class.items()},
        "arrays_sha256": hashlib.sha256(content).hexdigest(),
    }
    write_atomically(folder / ARRAYS, content)
    write_atomically(folder / TABLE, audit_csv(audit).encode("utf-8", "surrogateescape"))
    write_atomically(folder / PAGE, _page(audit, folder, title, matched))
    write_atomically(folder / DESCRIPTION, write_document("audit", described, line_per_key=True).encode())


def match_corrections(audit: Audit, corrections: Corrections) -> Matched:
    """Which corrections are of the labels of an audit.

    Raises:
        DataError: all are refused.
    """
    matched = corrections.match(audit.table["key"].tolist(), audit.hashes, audit.table["given"])
    matched.refuse_others()
    return matched


def _follows(name: str) -> bool:
    """Whether a column of the table follows from others."""
    return name in _NAMED or name.startswith(_NEIGHBOR)


def _keys(audit: Audit) -> NDArray[Any] | None:
    """What samples are called; ``None`` where that are their positions."""
    keys = audit.table["key"]
    is_counted = keys.dtype.kind == "i" and bool((keys == np.arange(len(keys))).all())
    return None if is_counted else keys


def _page(audit: Audit, folder: Path, title: str, matched: Matched | None) -> bytes:
    """The page, with evidence on the samples that are looked at first."""
    draws, order = draw_checks(audit.table["score"]), audit.order
    checked = None if matched is None else _checked(draws, matched)
    shown = [order[:_TOP], draws.rows]
    if audit.twins is not None:
        shown.append(_disagreeing(audit.twins, audit.codes["given"]))
    rows = np.unique(np.concatenate(shown))
    table, keys = audit.table, _keys(audit)
    return render_page(
        title=title,
        keys=keys if keys is None or keys.dtype.kind == "i" else [str(key) for key in keys],
        classes=[str(name) for name in audit.classes],
        given=audit.codes["given"].astype(np.int64),
        suggested=audit.codes["suggested"].astype(np.int64),
        second=audit.codes["second"].astype(np.int64),
        score=table["score"],
        p_given=table["p_given"],
        p_suggested=table["p_suggested"],
        p_second=table["p_second"],
        hashes=audit.hashes,
        order=order,
        draws=draws,
        twins=audit.twins,
        checked=checked,
        labels_sha256=audit.labels_sha256,
        version=version("noiseproof"),
        noise_bracket=(audit.noise_rate.low, audit.noise_rate.high),
        evidence=None if audit.evidence is None else audit.evidence(rows, audit.codes, folder),
    )


def _disagreeing(twins: NDArray[np.int64], given: NDArray[np.int32]) -> NDArray[np.int64]:
    """The rows of which an equal one has another label."""
    order = np.lexsort((given, twins))
    first = np.r_[True, twins[order][1:] != twins[order][:-1]]
    group = first.cumsum() - 1
    labels = given[order]
    differs = np.zeros(group[-1] + 1, np.bool_)
    np.logical_or.at(differs, group, labels != labels[np.flatnonzero(first)][group])
    found: NDArray[np.int64] = order[differs[group]]
    return found


def _is_draw(correction: Correction, draws: Draws, place: int) -> bool:
    """Whether a correction is of this draw, and not of one of another audit."""
    if correction.draw_probability is None or correction.stratum != (draws.stratum[place] + 1, draws.num_strata):
        return False
    return math.isclose(correction.draw_probability, draws.probability[place], rel_tol=1e-4)


def _checked(draws: Draws, matched: Matched) -> Checked:
    """What was decided before, and what that says of the draws.

    Draws count in their order, as far as the calibrate queue has come: one beyond that was decided because it is
    suspicious, and to count it before its turn would make the estimate too high.
    """
    decisions = {decision.row: decision for decision in matched.decisions}
    strata, place_of = draws.num_strata, {row: place for place, row in enumerate(draws.rows.tolist())}
    places = [
        place
        for outcome in matched.outcomes
        for place in [place_of.get(outcome.row, -1)]
        if place >= 0 and _is_draw(outcome.correction, draws, place)
    ]
    reached = 1 + max(places, default=-1)
    counts, waiting = np.zeros((strata, 3), np.int64), []
    for place, (row, stratum) in enumerate(zip(draws.rows.tolist(), draws.stratum.tolist(), strict=True)):
        if row in decisions:
            decision = decisions[row]
            is_wrong = decision.action == "drop" or (decision.action == "relabel" and decision.is_new)
            if place < reached:
                counts[stratum] += 1, is_wrong, decision.action == "unsure"
            else:
                waiting.append((place, is_wrong, decision.action == "unsure"))
    return Checked(np.array(sorted(decisions), np.int64), counts, np.array(waiting, np.int64).reshape(-1, 3))


def audit_asked(files: Sequence[Path], values: Sequence[object]) -> str:
    """What tells one audit from another: a SHA-256 of files and plain values.

    Raises:
        DataError: a file cannot be read.
    """
    try:
        digests = [file_sha256(path) for path in files]
    except OSError as error:
        raise DataError(f"cannot read {error.filename}: {error.strerror}") from error
    return hashlib.sha256(json.dumps([digests, list(values)]).encode()).hexdigest()


def check_audit(folder: Path, asked: str) -> bool:
    """Whether a folder holds this very audit.

    Args:
        folder: it need not be there.
        asked: what the audit is of, as text.

    Returns:
        Whether all of it is there: where a file is missing, the audit is to be written again.

    Raises:
        RunError: it holds something else.
    """
    if (folder / DESCRIPTION).exists():
        if _read(folder)["asked"] == asked:
            return all((folder / name).exists() for name in FILES)
        raise RunError(
            f"{folder} holds an audit of other labels or with other options: choose another folder (--out), or remove "
            "this one"
        )
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise RunError(f"{folder} is there already and is no audit: choose another folder (--out)")
    return False


def load_audit(folder: str | Path) -> Audit:
    """The audit that is kept in a folder.

    Raises:
        RunError: there is none, or its files were changed.
    """
    need("an audit in a folder needs", "safetensors")
    from safetensors import SafetensorError
    from safetensors.numpy import load

    folder = Path(folder)
    if not (folder / DESCRIPTION).exists():
        raise RunError(f"{folder} is no audit: there is no {DESCRIPTION} in it")
    described = _read(folder)
    try:
        content = read_bytes(folder / ARRAYS, _MOST_BYTES)
        if hashlib.sha256(content).hexdigest() != described["arrays_sha256"]:
            raise ContainerError(f"{ARRAYS} was changed after it was written")
        arrays = load(content)
        classes = _values(described["classes"])
        codes = {name: arrays[f"codes.{name}"] for name in ("given", "suggested", "second")}
        count = len(codes["given"])
        keys = np.arange(count) if described["keys"] is None else _values(described["keys"])
        table: dict[str, NDArray[Any]] = {}
        for name in described["columns"]:
            if name == "key":
                table[name] = keys
            elif name in codes:
                table[name] = named(classes, codes[name])
            elif name.startswith(_NEIGHBOR):
                table[name] = named(keys, arrays["neighbors"][:, int(name.removeprefix(_NEIGHBOR)) - 1])
            else:
                table[name] = arrays[f"table.{name}"]
        if {len(column) for column in table.values()} != {count}:
            raise ContainerError("its columns are not of one length")
        per_class = {name: _values(values) for name, values in described["per_class"].items()}
        return Audit(
            table,
            classes,
            NoiseBracket(*described["noise_rate"]),
            np.array(described["transition_matrix"], np.float64),
            per_class,
            codes,
            arrays.get("neighbors"),
            arrays.get("twins"),
            arrays.get("hashes"),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError, SafetensorError) as error:
        raise RunError(f"cannot read the audit in {folder}: {error}. Remove it, and audit again") from error


def _read(folder: Path) -> dict[str, Any]:
    try:
        return read_document(folder / DESCRIPTION, "audit", line_per_key=True)
    except (OSError, ContainerError) as error:
        raise RunError(f"cannot read {folder / DESCRIPTION}: {error}. Remove {folder}, and audit again") from error


def _values(listed: list[Any]) -> NDArray[Any]:
    """Plain values as an array: of numbers where all are, of objects otherwise."""
    if listed and all(isinstance(value, int | float) and not isinstance(value, bool) for value in listed):
        return np.array(listed)
    found = np.empty(len(listed), object)
    found[:] = listed
    return found
