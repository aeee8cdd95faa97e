"""The container of everything that noiseproof writes and reads back: a head, contents, and a SHA-256 of both.

The head says the format number, what the file holds and, for what belongs to a run, its id, its recipe and the
environment. A file is checked before anything in it is used. There are three forms of one container:

* a JSON document: the keys of the head first, then the contents;
* tensors, and very many labels: the head as a line of JSON, then bytes;
* weights: a plain safetensors file with the head in its metadata, whose SHA-256 is kept by the run's record.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from noiseproof.errors import DataError
from noiseproof.untrusted import parse_json, read_text

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 5
"""The format number. Files of another one are refused by name; there is no second reader."""

_KEY = "noiseproof"


class ContainerError(ValueError):
    """A file that is no container, or not what was written. The text says why; callers add the file and the remedy."""


def write_document(kind: str, contents: dict[str, Any], *, line_per_key: bool = False) -> str:
    """A JSON document.

    Args:
        kind: what it holds, such as ``"record"``.
        contents: plain values. NaN and infinities, which JSON lacks, are refused.
        line_per_key: whether long lists stay on one line, for documents that are mostly lists.

    Raises:
        ValueError: a value that JSON has not.
    """
    digest = document_sha256(kind, contents, line_per_key=line_per_key)
    return _dump({"format": FORMAT, "holds": kind, "sha256": digest, **contents}, line_per_key)


def document_sha256(kind: str, contents: dict[str, Any], *, line_per_key: bool = False) -> str:
    """The SHA-256 that a document with these contents has in its head: of its text with none in that place."""
    text = _dump({"format": FORMAT, "holds": kind, "sha256": "", **contents}, line_per_key)
    return hashlib.sha256(text.encode()).hexdigest()


def read_document(path: Path, kind: str, *, line_per_key: bool = False) -> dict[str, Any]:
    """The contents of a file with a document that :func:`write_document` made.

    Raises:
        ContainerError: it is none, of another kind or format, or anything in it was changed.
    """
    try:
        text = read_text(path)
        document = parse_json(text, "it")
    except DataError as error:
        raise ContainerError(str(error)) from error
    _check_head(document, kind)
    contents = {key: value for key, value in document.items() if key not in ("format", "holds", "sha256")}
    try:
        written = write_document(kind, contents, line_per_key=line_per_key)
    except RecursionError as error:
        raise ContainerError("it is nested too deep") from error
    if written != text:
        raise ContainerError("it was changed after it was written: its contents do not have its SHA-256")
    return contents


def write_state(kind: str, head: dict[str, Any], *content: memoryview) -> tuple[bytes | memoryview, ...]:
    """The parts of a file of bytes: a line with the head, and the bytes as they are."""
    return _line(kind, state_sha256(kind, head, *content), head), *content


def state_sha256(kind: str, head: dict[str, Any], *content: memoryview) -> str:
    """The SHA-256 that a file of bytes has in its head: of its head with none in that place, and its bytes."""
    digest = hashlib.sha256(_line(kind, "", head))
    for part in content:
        digest.update(part)
    return digest.hexdigest()


def holds_state(start: bytes, kind: str) -> bool:
    """Whether a file that begins so is one of bytes that :func:`write_state` made, of this kind and any format."""
    return re.match(rb'\{"format": [^"]{1,20}, "holds": "%s", ' % re.escape(kind.encode()), start) is not None


def read_state(data: bytes, kind: str) -> tuple[dict[str, Any], memoryview]:
    """The head and the bytes of a file that :func:`write_state` made, after a look at their hash and nothing else.

    Raises:
        ContainerError: it is none, of another kind or format, or any of its bytes was changed.
    """
    end = data.find(b"\n") + 1
    try:
        document = parse_json(data[:end].decode(), "its first line")
    except (DataError, ValueError) as error:
        raise ContainerError("it does not begin with a line of JSON") from error
    _check_head(document, kind)
    head = {key: value for key, value in document.items() if key not in ("format", "holds", "sha256")}
    content = memoryview(data)[end:]
    if _line(kind, state_sha256(kind, head, content), head) != data[:end]:
        raise ContainerError("it was changed after it was written: its contents do not have its SHA-256")
    return head, content


def weights_metadata(kind: str, head: dict[str, Any]) -> dict[str, str]:
    """The head as the metadata of a safetensors file. One key: files with several do not have the same bytes twice."""
    return {_KEY: json.dumps({"format": FORMAT, "holds": kind, **head}, allow_nan=False)}


def _line(kind: str, digest: str, head: dict[str, Any]) -> bytes:
    document = {"format": FORMAT, "holds": kind, "sha256": digest, **head}
    return json.dumps(document, allow_nan=False).encode() + b"\n"


def _check_head(document: Any, kind: str) -> None:
    if not isinstance(document, dict):
        raise ContainerError(f"expected an object with the keys format, holds and sha256, got {_short(document)}")
    if document.get("format") != FORMAT or isinstance(document.get("format"), bool):
        raise ContainerError(
            f"it is of format {_short(document.get('format'))}, and this version of noiseproof reads format {FORMAT}"
        )
    if document.get("holds") != kind:
        raise ContainerError(f"it holds {_short(document.get('holds'))}: expected {kind!r}")


def _dump(document: dict[str, Any], line_per_key: bool) -> str:
    if not line_per_key:
        return json.dumps(document, indent=1, allow_nan=False) + "\n"
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in document.items())
    return "{\n" + lines + "\n}\n"


def _short(value: object) -> str:
    if isinstance(value, dict | list):
        return f"a {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
