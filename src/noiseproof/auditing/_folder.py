"""An audit in a folder: its table, its page, and what both can be made of again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from noiseproof.auditing._audit import Audit, named
from noiseproof.auditing.exports import audit_csv
from noiseproof.auditing.rates import NoiseBracket
from noiseproof.container import ContainerError, read_document, write_document
from noiseproof.errors import RunError
from noiseproof.files import make_folder, write_atomically
from noiseproof.untrusted import read_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

DESCRIPTION, ARRAYS, TABLE, PAGE = "audit.json", "audit.safetensors", "table.csv", "index.html"

_MOST_BYTES = 16 << 30

_NAMED = ("key", "given", "suggested", "second")
"""Columns of the table that follow from others."""


def write_audit(audit: Audit, folder: Path, page: bytes, *, asked: str) -> None:
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
        page: the page.
        asked: what tells one audit from another: see :func:`check_audit`.

    Raises:
        RunError: it cannot be written.
    """
    make_folder(folder)
    kept = {name: column for name, column in audit.table.items() if name not in _NAMED and column.dtype.kind != "O"}
    arrays: dict[str, NDArray[Any]] = {f"table.{name}": column for name, column in kept.items()}
    arrays |= {f"codes.{name}": codes for name, codes in audit.codes.items()}
    for name in ("neighbors", "twins", "hashes"):
        value = getattr(audit, name)
        if value is not None:
            arrays[name] = value
    content = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
    keys = audit.table["key"]
    is_counted = keys.dtype.kind == "i" and bool((keys == np.arange(len(keys))).all())
    described = {
        "asked": asked,
        "classes": audit.classes.tolist(),
        "keys": None if is_counted else keys.tolist(),
        "columns": list(audit.table),
        "noise_rate": [audit.noise_rate.low, audit.noise_rate.high],
        "transition_matrix": audit.transition_matrix.tolist(),
        "per_class": {name: values.tolist() for name, values in audit.per_class.items()},
        "arrays_sha256": hashlib.sha256(content).hexdigest(),
    }
    write_atomically(folder / ARRAYS, content)
    write_atomically(folder / TABLE, audit_csv(audit).encode("utf-8", "surrogateescape"))
    write_atomically(folder / PAGE, page)
    write_atomically(folder / DESCRIPTION, write_document("audit", described, line_per_key=True).encode())


def check_audit(folder: Path, asked: str) -> bool:
    """Whether a folder holds this very audit.

    Args:
        folder: it need not be there.
        asked: what the audit is of, as text.

    Raises:
        RunError: it holds something else.
    """
    if (folder / DESCRIPTION).exists():
        if _read(folder)["asked"] == asked:
            return True
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
            elif name.startswith("neighbor_"):
                table[name] = named(keys, arrays["neighbors"][:, int(name.removeprefix("neighbor_")) - 1])
            else:
                table[name] = arrays[f"table.{name}"]
        if {len(column) for column in table.values()} != {count}:
            raise ContainerError("its columns are not of one length")
        per_class = {name: _values(values) for name, values in described["per_class"].items()}
        optional = {name: arrays.get(name) for name in ("neighbors", "twins", "hashes")}
        return Audit(
            table,
            classes,
            NoiseBracket(*described["noise_rate"]),
            np.array(described["transition_matrix"], np.float64),
            per_class,
            codes,
            **optional,
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
