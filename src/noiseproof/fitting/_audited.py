"""What can be audited: a model, a run, images that nothing has learned from, or somebody's labels and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.auditing import (
    DESCRIPTION,
    Audit,
    Opinions,
    assemble,
    audit_asked,
    class_values,
    read_opinions,
    score_of_training,
)
from noiseproof.auditing.views import nearest, ridge_view, standardized_features
from noiseproof.classes import class_key
from noiseproof.data import TABLES, missing, read_label_list, read_table, row_hashes
from noiseproof.embeddings import embed
from noiseproof.errors import DataError, RunError
from noiseproof.files import file_sha256
from noiseproof.fitted import SUMMARY, TRAINING
from noiseproof.fitted.audits import SAMPLES, Shown, audit_model, audit_run
from noiseproof.fitting._given import look
from noiseproof.formats import PROBABILITY
from noiseproof.loaders import warn_of_unreadable
from noiseproof.models import find_device
from noiseproof.train import RECORD
from noiseproof.untrusted import read_npy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from noiseproof.data import Table

_LABELS = ("label", "labels", "given", "class", "target", "y")
"""How a column of labels may be called without being named."""

_KEY = "key"
"""The column that ``noiseproof predict`` writes names of samples into."""


@dataclass(frozen=True)
class Audited:
    """Something whose labels can be audited.

    Attributes:
        name: what it is called.
        digest: what tells it from others.
        audit: makes the audit, with a score and whether probabilities are adjusted.
    """

    name: str
    digest: str
    audit: Callable[[str, bool], Audit]


def audited_folder(path: Path, *, features: bool = False, device: str = "auto") -> Audited:
    """A model that was fitted, a run that kept what it said of each sample, or images.

    Args:
        path: the folder.
        features: whether images are compared by the vectors of the packaged frozen network.
        device: where that network runs.

    Raises:
        DataError, RunError: it is none of these.
    """
    is_model = (path / SUMMARY).exists()
    if features and (is_model or (path / RECORD).exists()):
        raise DataError(f"{path} is a {'model' if is_model else 'run'}: --features is for a folder of images")
    if is_model:
        files = [path / SUMMARY, path / TRAINING / SAMPLES]
        digest = "".join(file_sha256(file) for file in files if file.exists())
        return Audited(path.name, digest, lambda score, adjust: audit_model(path, None, score=score, adjust=adjust))
    if (path / RECORD).exists():
        digest = file_sha256(path / RECORD)
        return Audited(path.name, digest, lambda score, adjust: audit_run(path, score=score, adjust=adjust))
    if not path.exists():
        raise RunError(f"there is no {path}: expected the folder of a model, of a run, or of images (--features)")
    if (path / DESCRIPTION).exists():
        raise DataError(f"{path} is an audit already: noiseproof review {path} opens its page")
    if not features:
        raise DataError(
            f"{path} is no folder of a model or of a run. Fit a model of the data first (noiseproof fit), or give "
            "--features for a folder of images, which are then compared without any training"
        )
    return _of_images(path, device)


def _of_images(path: Path, device: str) -> Audited:
    given = look(path, features=True)
    network = given.features
    if network is None:
        raise DataError(f"{path}: expected images")

    def made(score: str, adjust: bool) -> Audit:
        score_of_training(score, has_training=False)
        dataset = given.dataset
        images = network.embedding(dataset.preprocessing).images
        vectors = embed(network, dataset.train.inputs, images, device=find_device(device))
        if not vectors.readable.any():
            raise DataError(f"{path}: none of {len(vectors.readable)} images can be read")
        warn_of_unreadable(vectors.unreadable, "nothing tells whether the label is right")
        labels, classes = dataset.train.labels, dataset.class_names
        scaled = standardized_features(vectors.features, len(labels))
        around = nearest(scaled)
        views = [around.view(labels, len(classes)), ridge_view(scaled, labels, len(classes))]
        opinions = Opinions(labels, views[0], class_values(classes)).with_views(views, ~vectors.readable)
        return assemble(
            opinions,
            keys=given.keys,
            score=score,
            adjust=adjust,
            neighbors=around.contradicting(labels),
            twins=given.twins,
            hashes=given.hashes,
            evidence=Shown(lambda: path, given.keys, len(classes), around=around),
        )

    return Audited(path.name, f"{given.dataset.fingerprint}{network.sha256}", made)


def audited_files(labels: Path, probabilities: Path, *, label: str | None = None, key: str | None = None) -> Audited:
    """Somebody's labels, and somebody's predictions of them.

    Args:
        labels: a table, or a list as :func:`noiseproof.data.label_list` reads it.
        probabilities: a table with a column for each class, or an array (``.npy``).
        label: the column of the labels.
        key: the column of both that says which rows belong together; without it rows are in one order, and columns
            that both files have must say the same.

    Raises:
        DataError: a file cannot be read.
    """
    return Audited(
        labels.name,
        audit_asked([labels, probabilities], [label, key]),
        lambda *how: _audit_files(labels, probabilities, label, key, *how),
    )


def _audit_files(
    labels: Path, probabilities: Path, label: str | None, key: str | None, score: str, adjust: bool
) -> Audit:
    score_of_training(score, has_training=False)
    given, table, keys = _labels(labels, label, key)
    opinions = _opinions(given, probabilities, keys, key, table)
    return assemble(
        opinions,
        keys=keys,
        score=score,
        adjust=adjust,
        hashes=None if table is None else row_hashes(table),
    )


def _labels(path: Path, label: str | None, key: str | None) -> tuple[Any, Table | None, list[str] | None]:
    """Labels, the table of what is beside them, and what samples are called, as far as the file says so."""
    if path.suffix.lower() not in TABLES:
        if key is not None:
            raise DataError(f"{path} has no columns: --key {key!r} cannot be found in it; expected a table")
        listed = read_label_list(path, label)
        return listed.labels.listed, None, None if listed.names is None else list(listed.names)
    if label is None:
        names = [*read_table(path).columns]
        others = [name for name in names if name != key]
        known = [name for name in others if name.casefold() in _LABELS]
        if len(known) != 1 and len(others) != 1:
            raise DataError(f"{path}: which column are the labels? (--label COLUMN; it has {', '.join(names[:20])})")
        label = known[0] if len(known) == 1 else others[0]
    table = read_table(path, as_text=[name for name in (label, key) if name is not None])
    if missing(table[label]).any():
        row = int(np.flatnonzero(missing(table[label]))[0])
        raise DataError(f"{path}: row {row} has no {label}: leave samples without a label out")
    rest = table.without([label]) if len(table.columns) > 1 else None
    if key is not None:
        _refuse_gaps(table, key, path)
    return table[label].tolist(), rest, None if key is None else [str(name) for name in table[key].tolist()]


def _refuse_gaps(table: Table, key: str, path: Path) -> None:
    gaps = np.flatnonzero(missing(table[key]))
    if len(gaps):
        raise DataError(f"{path}: row {gaps[0]} has no {key}: give every row its own, or leave it out")


def _opinions(labels: Any, path: Path, keys: list[str] | None, key: str | None, beside: Table | None) -> Opinions:
    if path.suffix.lower() == ".npy":
        if key is not None:
            raise DataError(f"{path} has no columns: --key cannot be found in it; expected a table")
        return read_opinions(labels, read_npy(path), None)
    if path.suffix.lower() not in TABLES:
        raise DataError(f"{path}: expected probabilities in a table ({', '.join(TABLES)}) or an array (.npy)")
    table = plain = read_table(path, as_text=[] if key is None else [key])
    called = _KEY if key is None and _KEY in plain.columns else key
    if called != key:
        table = read_table(path, as_text=[_KEY])
    if key is None and beside is not None:
        both = [name for name in plain.columns if name in beside.columns and not name.startswith(PROBABILITY)]
        _compare(beside, plain, both, path)
        table = table.without(both)
        called = None if called in both else called
    if keys is not None and called is not None:
        _refuse_gaps(table, called, path)
        others = [str(name) for name in table[called].tolist()]
        if key is not None or not {*keys}.isdisjoint(others):  # a list's names may be of another kind, and order holds
            table = table.take(_joined(keys, others, path))
    return read_opinions(labels, table if called is None else table.without([called]), None)


def _compare(labels: Table, probabilities: Table, names: list[str], path: Path) -> None:
    """See that columns which both files have say the same: else their rows are in different orders."""
    for name in names:
        pair = labels[name].tolist(), probabilities[name].tolist()
        differ = (row for row, (one, other) in enumerate(zip(*pair, strict=False)) if _text(one) != _text(other))
        row = next(differ, None)
        if row is not None:
            raise DataError(
                f"{path}: row {row} has the {name} {_text(pair[1][row])!r:.60}, and that of the labels "
                f"{_text(pair[0][row])!r:.60}: --key {name} joins rows by it; if it is no key, leave the column out of "
                f"one file, and if it is a class call it {PROBABILITY}{name}"
            )


def _text(value: object) -> str:
    """A cell as text, a number as the same however it was written, and gaps alike."""
    return "" if value is None or value != value else str(class_key(str(value)))


def _joined(keys: list[str], others: list[str], path: Path) -> Any:
    """The places of the rows with these keys."""
    places = {name: place for place, name in enumerate(others)}
    if len(places) < len(others):
        twice = next(name for place, name in enumerate(others) if places[name] != place)
        raise DataError(f"{path} has the key {twice!r} twice: expected one row for each")
    lost = [name for name in keys if name not in places]
    if lost:
        raise DataError(f"{path} has no row for {len(lost)} of {len(keys)} keys, such as {lost[0]!r}")
    return np.array([places[name] for name in keys], np.int64)
