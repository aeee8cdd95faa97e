"""The page, put together: its text, style and script, and the data as compressed columns.

Every column is an array of one type, compressed and in base64; there is no object for each row, neither here nor in the
page. What the page needs for its first cards is in a block of its own before the script, and the columns come after
it: the first card is seen before the rest of the file is read.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from noiseproof.auditing.checks import ENOUGH_CHECKS, ENOUGH_WIDTH
from noiseproof.errors import LabelError
from noiseproof.formats import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_FIRST = 24
"""So many cards can be shown before the columns are read."""

_HASH = 8
"""Bytes of the hash of a row that the page and its files of corrections carry."""

_TOP_P = 254
"""The byte that stands for the probability 1; the one above says that it is not known."""

_TOP_SCORE = 65535


class Drawn(Protocol):
    """Rows drawn for an estimate, in the order in which they are to be checked."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """``(draws,)``, which ones; none twice."""

    @property
    def stratum(self) -> NDArray[np.int64]:
        """``(draws,)``, the stratum of each, from 0."""

    @property
    def num_strata(self) -> int:
        """How many strata there are."""

    @property
    def probability(self) -> NDArray[np.float64]:
        """``(draws,)``, with which each was drawn."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """``(num_strata,)``, how many rows each stratum has."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the page shows beside the labels, for some of the samples.

    Attributes:
        rows: ``(n,)``, the samples that have evidence.
        neighbors: ``(n, 3)``, the rows of the nearest samples, nearest first; -1 for none.
        values: for each of them (column, value, what is typical of the given class, what is typical of the suggested
            one), as text.
        texts: for each of them its text.
        thumbnails: for each of them a picture as a ``data:`` address, or ``None``.
        curves: for each of them the probability of its given label, by epoch.
        images: a path from the folder of the page below which the keys are paths of images; they are read when they
            come into sight, where there is no thumbnail.
    """

    rows: NDArray[np.int64]
    neighbors: NDArray[np.int64]
    values: list[list[tuple[str, str, str, str]]] | None = None
    texts: list[str] | None = None
    thumbnails: list[str | None] | None = None
    curves: list[list[float]] | None = None
    images: str | None = None

    def __post_init__(self) -> None:
        count = len(self.rows)
        if self.neighbors.shape != (count, 3):
            raise LabelError(f"neighbors have shape {self.neighbors.shape}: expected ({count}, 3)")
        for name in ("values", "texts", "thumbnails", "curves"):
            entries = getattr(self, name)
            if entries is not None and len(entries) != count:
                raise LabelError(f"{len(entries)} {name} for {count} rows of evidence: expected one for each")
        for address in self.thumbnails or ():
            if address is not None and not address.startswith("data:image/"):
                raise LabelError(f"the thumbnail {address[:40]!r} is no data:image/ address: the page reads no others")


@dataclass(frozen=True, eq=False)
class Checked:
    """What corrections that were given before have decided.

    Attributes:
        rows: ``(k,)``, which samples; no queue has them.
        counts: ``(num_strata, 3)``, for each stratum of the draws how many were checked, found wrong, and left unsure
            in the calibrate queue of earlier rounds: the estimate counts them with those of this page.
        waiting: ``(w, 3)``, places of draws that were decided in other queues, and whether the label is wrong and
            whether nobody was sure (0 or 1): the estimate counts them when the calibrate queue has come to them.
    """

    rows: NDArray[np.int64]
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    waiting: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), np.int64))


def render_page(
    *,
    title: str,
    keys: Sequence[str] | NDArray[np.int64] | None,
    classes: Sequence[str],
    given: NDArray[np.int64],
    suggested: NDArray[np.int64],
    second: NDArray[np.int64],
    score: NDArray[np.floating[Any]],
    p_given: NDArray[np.floating[Any]],
    p_suggested: NDArray[np.floating[Any]],
    p_second: NDArray[np.floating[Any]],
    hashes: NDArray[np.uint8] | None,
    order: NDArray[np.int64],
    draws: Drawn | None,
    twins: NDArray[np.int64] | None,
    checked: Checked | None,
    labels_sha256: str,
    version: str,
    noise_bracket: tuple[float, float] | None,
    evidence: Evidence | None,
) -> bytes:
    """The page as the content of one HTML file.

    Names of any kind are shown as :func:`noiseproof.formats.printable` text, and so they stand in its corrections.

    Args:
        title: what is audited.
        keys: ``(N,)``, what the samples are called; ``None``: their positions.
        classes: ``(classes,)``, their names.
        given: ``(N,)``, the label of each sample as a position in ``classes``.
        suggested: ``(N,)``, the likeliest other class; -1 for none.
        second: ``(N,)``, the next; -1 for none.
        score: ``(N,)``, how suspicious each label is, 0 to 1.
        p_given: ``(N,)``, the probability of the given label; NaN where it is not known.
        p_suggested: ``(N,)``, that of the suggested one.
        p_second: ``(N,)``, that of the next.
        hashes: ``(N, 16)``, the hash of each input; its first 8 bytes go into the corrections.
        order: ``(N,)``, the rows, most suspicious first.
        draws: the rows of the calibrate queue; ``None``: there is no such queue.
        twins: ``(N,)``, equal numbers for equal inputs; ``None``: not known.
        checked: what was decided before; ``None``: nothing.
        labels_sha256: the checksum of the label list, below which the browser keeps what is decided.
        version: that of noiseproof.
        noise_bracket: between what the share of wrong labels may lie, as far as predictions tell.
        evidence: what is shown beside the labels.

    Raises:
        LabelError: arrays of other lengths, or rows and classes that there are not.
    """
    count = len(given)
    names = [printable(str(name)) for name in classes]
    entries = {
        "suggested": suggested,
        "second": second,
        "score": score,
        "p_given": p_given,
        "p_suggested": p_suggested,
        "p_second": p_second,
        "order": order,
        "keys": keys,
        "hashes": hashes,
        "twins": twins,
    }
    for name, each in entries.items():
        if each is not None and len(each) != count:
            raise LabelError(f"{len(each)} entries of {name} for {count} labels: expected one for each")
    for name, positions in {"given": given, "suggested": suggested, "second": second}.items():
        least = 0 if name == "given" else -1
        if count and (positions.min() < least or positions.max() >= len(names)):
            raise LabelError(f"{name} holds classes from {positions.min()} to {positions.max()}, of {len(names)}")
    _check_rows("order", order, count)
    if draws is not None:
        _check_rows("draws", draws.rows, count)
    before = np.zeros(0, np.int64) if checked is None else np.asarray(checked.rows)
    _check_rows("checked", before, count)
    if evidence is not None:
        _check_rows("evidence", evidence.rows, count)
        _check_rows("neighbors", evidence.neighbors[evidence.neighbors >= 0], count)
    code = _class_type(len(names))
    columns = {
        "given": _as_classes(given, code),
        "suggested": _as_classes(suggested, code),
        "second": _as_classes(second, code),
        "score": np.rint(np.clip(np.nan_to_num(score), 0, 1) * _TOP_SCORE).astype("<u2"),
        "pGiven": _as_bytes(p_given),
        "pSuggested": _as_bytes(p_suggested),
        "pSecond": _as_bytes(p_second),
    }
    texts = None if keys is None else [printable(str(key)) for key in keys]
    meta = {
        "title": printable(title),
        "count": count,
        "classes": names,
        "width": code.itemsize,
        "keyed": texts is not None,
        "sha": labels_sha256,
        "version": version,
        "bracket": None if noise_bracket is None else [float(end) for end in noise_bracket],
        "images": None if evidence is None else evidence.images,
        "draws": None if draws is None else _drawn(draws, checked),
    }
    top = order[: _FIRST + len(before)]
    top = top[~np.isin(top, before)][:_FIRST]
    near = np.zeros(0, np.int64) if evidence is None else evidence.neighbors[np.isin(evidence.rows, top)].ravel()
    first = np.union1d(top, near[near >= 0])
    early = {
        "order": top.tolist(),
        "rows": first.tolist(),
        "keys": None if texts is None else [texts[row] for row in first],
        **{name: column[first].tolist() for name, column in columns.items()},
    }
    later = []
    if evidence is not None:
        is_early = np.isin(evidence.rows, first)
        early["evidence"] = _shown(evidence, np.flatnonzero(is_early))
        later.append(_packed("evidence", _json(_shown(evidence, np.flatnonzero(~is_early)))))
    if texts is not None:
        later.append(_packed("keys", "\n".join(texts).encode()))
    arrays: dict[str, NDArray[Any]] = {
        "order": order.astype("<u4"),
        **columns,
        "before": before.astype("<u4"),
        "twins": (np.zeros(0) if twins is None else _groups(np.asarray(twins))).astype("<u4"),
        "hashes": np.zeros(0) if hashes is None else np.ascontiguousarray(hashes[:, :_HASH]),
    }
    later += [_packed(name, array.tobytes()) for name, array in arrays.items() if array.size]
    parts = {
        "title": html.escape(printable(title)).encode(),
        "style": _source("page.css"),
        "meta": _json(meta).replace(b"<", b"\\u003c"),
        "early": _packed("early", _json(early)),
        "script": _source("rate.js") + _source("page.js"),
        "columns": b"\n".join(later),
    }
    return re.sub(rb"\{\{(\w+)\}\}", lambda found: parts[found[1].decode()], _source("page.html"))


def _source(name: str) -> bytes:
    return (resources.files(__package__) / name).read_bytes()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _packed(name: str, content: bytes) -> bytes:
    """A block of the page that its script unpacks."""
    text = base64.b64encode(gzip.compress(content, 6, mtime=0))
    return b'<script type="application/octet-stream" id="data-%s">%s</script>' % (name.encode(), text)


def _check_rows(name: str, rows: NDArray[np.int64], count: int) -> None:
    if len(rows) and (rows.min() < 0 or rows.max() >= count):
        raise LabelError(f"{name} holds rows from {rows.min()} to {rows.max()}: expected rows of {count} labels")


def _class_type(num_classes: int) -> np.dtype[Any]:
    """The smallest one that holds every class and one number more, which stands for none."""
    return np.dtype(next(code for code in ("<u1", "<u2", "<u4") if num_classes < np.iinfo(code).max))


def _as_classes(positions: NDArray[np.int64], code: np.dtype[Any]) -> NDArray[Any]:
    return np.where(positions < 0, np.iinfo(code).max, positions).astype(code)


def _as_bytes(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    known = np.rint(np.clip(np.nan_to_num(probabilities), 0, 1) * _TOP_P)
    return np.where(np.isnan(probabilities), _TOP_P + 1, known).astype(np.uint8)


def _groups(twins: NDArray[np.int64]) -> NDArray[np.int64]:
    """``(2, rows)``: the rows that have equals, those of a group one after another, and the number of their group."""
    _, group, sizes = np.unique(twins, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(sizes[group] > 1)
    rows = rows[np.argsort(group[rows], kind="stable")]
    return np.stack([rows, np.unique(group[rows], return_inverse=True)[1]])


def _drawn(draws: Drawn, checked: Checked | None) -> dict[str, Any]:
    strata = int(draws.num_strata)
    counts = np.zeros((strata, 3), np.int64) if checked is None or not len(checked.counts) else checked.counts
    sizes = len(draws.sizes), len(counts), len(draws.stratum), len(draws.probability)
    if sizes != (strata, strata, len(draws.rows), len(draws.rows)):
        raise LabelError(
            f"{len(draws.rows)} draws of {strata} strata have {sizes[2]} strata and {sizes[3]} probabilities, and "
            f"there are {sizes[0]} sizes and {sizes[1]} counts of strata"
        )
    if len(np.unique(draws.rows)) < len(draws.rows):
        raise LabelError("a row was drawn twice: expected each at most once, as it is checked once")
    return {
        "rows": draws.rows.tolist(),
        "stratum": draws.stratum.tolist(),
        "probability": [float(each) for each in draws.probability],
        "sizes": draws.sizes.tolist(),
        "counts": counts.tolist(),
        "waiting": [] if checked is None else checked.waiting.tolist(),
        "enough": [ENOUGH_CHECKS, ENOUGH_WIDTH],
    }


def _shown(evidence: Evidence, places: NDArray[np.int64]) -> dict[str, Any]:
    """The evidence at some places, by kind."""

    def taken(entries: list[Any] | None, show: Callable[[Any], Any]) -> list[Any] | None:
        return None if entries is None else [show(entries[place]) for place in places]

    return {
        "rows": evidence.rows[places].tolist(),
        "neighbors": evidence.neighbors[places].tolist(),
        "values": taken(evidence.values, lambda cells: [[printable(text) for text in cell] for cell in cells]),
        "texts": taken(evidence.texts, _lines),
        "curves": taken(evidence.curves, lambda curve: [None if p != p else round(float(p), 3) for p in curve]),
        "thumbnails": taken(evidence.thumbnails, lambda address: address),
    }


def _lines(text: str) -> str:
    """A text as it is printed, with its line breaks."""
    return "\n".join(map(printable, text.expandtabs(4).splitlines()))
