"""An audit of the labels that a model was fitted on, by what its fit has left."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load

from noiseproof.auditing import Dynamics, Evidence, Opinions, assemble, class_values, score_of_training
from noiseproof.auditing.views import nearest, ridge_view, standardized_features
from noiseproof.container import ContainerError, read_document
from noiseproof.data import (
    TABLES,
    Dataset,
    Table,
    arrays,
    missing,
    read_table,
    standardized,
    table_of,
)
from noiseproof.data.sources import read_prepared
from noiseproof.errors import DataError, DataWarning, RunError
from noiseproof.files import file_sha256
from noiseproof.fitted._evidence import texts_of, thumbnails_of, values_of
from noiseproof.fitted._model import TRAINING
from noiseproof.train import RECORD, read_record, read_samples
from noiseproof.untrusted import read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from noiseproof.auditing import Audit
    from noiseproof.auditing.views import Nearest
    from noiseproof.train import Record, SampleRecord

SAMPLES, ARRAYS, RUNS = "samples.json", "samples.safetensors", "runs"

_MOST_BYTES = 64 << 30

_BY_HEART = 0.1
"""A network that agrees with labels that it learned from by so much more often than with others knows them by heart."""


@dataclass(frozen=True, eq=False)
class Told:
    """What a run said of samples.

    Attributes:
        record: of the run.
        parts: what it kept of each sample, by part of its data.
    """

    record: Record
    parts: Mapping[str, SampleRecord]

    @classmethod
    def read(cls, folder: Path) -> Told | None:
        """Of a run's folder; ``None`` where it did not finish."""
        record = read_record(folder)
        return cls(record, read_samples(folder)) if record is not None and record.status == "finished" else None

    @property
    def is_on_all(self) -> bool:
        """Whether it learned from all samples."""
        return "validation" not in self.parts

    @property
    def agreed(self) -> float:
        """The share of the labels that it learned from that it agreed with in its last epoch."""
        last = self.record.last
        return 0.0 if last is None else last.train_accuracy

    @property
    def agreed_unseen(self) -> float | None:
        """The share of held-out labels that it agreed with in its last epoch; ``None`` without any."""
        last = self.record.last
        return None if last is None else last.validation_accuracy

    def dynamics(self, count: int, num_classes: int, unseen: float | None) -> Dynamics:
        """What it said of all samples; of held-out ones, after each epoch.

        Args:
            count: how many samples there are.
            num_classes: how many classes there are.
            unseen: the share of labels that such a network agrees with where it has not learned from them; ``None``
                where that is not known.
        """
        memorized = unseen is not None and self.agreed > unseen + _BY_HEART
        epochs = next(iter(self.parts.values())).epochs
        own = np.full((epochs, count), np.nan, np.float32)
        predictions = np.full((epochs, count), -1, np.int32)
        mean, late = (np.full((count, num_classes), 1 / num_classes, np.float32) for _ in range(2))
        margins = np.full(count, np.nan, np.float32)
        for part in self.parts.values():
            own[:, part.index], predictions[:, part.index] = part.label_probabilities, part.predictions
            whole, before = part.sums, part.copies[0] if part.copies else None
            is_all = before is None or before.epoch == whole.epoch
            sums, passes = whole.probabilities, whole.passes
            margins[part.index] = np.where(passes > 0, whole.margins / np.maximum(passes, 1), np.nan)
            mean[part.index] = _spread(sums, passes, part.classes, num_classes)
            if not is_all and before is not None:
                sums, passes = sums - before.probabilities, passes - before.passes
            late[part.index] = _spread(sums, passes, part.classes, num_classes)
        return Dynamics(own, predictions, margins, mean, late, memorized)


def _spread(
    sums: NDArray[np.float32], passes: NDArray[np.int32], classes: NDArray[np.int32], num_classes: int
) -> NDArray[np.float32]:
    """``(n, classes)``: mean probabilities; what the classes that were followed do not have, the others share."""
    seen = np.maximum(passes, 1)[:, None]
    mean = np.clip(sums / seen, 0, 1)
    found = np.zeros((len(sums), num_classes), np.float32)
    followed = classes >= 0
    rows = np.broadcast_to(np.arange(len(sums))[:, None], classes.shape)
    found[rows[followed], classes[followed]] = mean[followed]
    others = num_classes - followed.sum(1)
    rest = np.maximum(1 - found.sum(1), 0) / np.maximum(others, 1)
    if (others > 0).any():
        is_other = np.ones_like(found, np.bool_)
        is_other[rows[followed], classes[followed]] = False
        found += np.where(is_other, rest[:, None], 0)
    found[passes == 0] = 1 / num_classes
    return found


def _held_out(runs: Sequence[Told], count: int, class_names: Sequence[str]) -> Opinions | None:
    """What runs said of samples that they had not learned from, on average; ``None`` where there are none.

    Args:
        runs: which ones.
        count: how many samples there are.
        class_names: one per class.
    """
    classes = len(class_names)
    sums, seen, labels = np.zeros((count, classes), np.float32), np.zeros(count, np.int64), np.zeros(count, np.int64)
    for told in runs:
        part = told.parts.get("validation")
        if part is not None:
            sums[part.index] += _spread(part.sums.probabilities, part.sums.passes, part.classes, classes)
            seen[part.index] += 1
            labels[part.index] = part.labels
    known = np.flatnonzero(seen)
    if not len(known):
        return None
    return Opinions(labels[known], sums[known] / seen[known, None], class_values(class_names))


@dataclass(frozen=True, eq=False)
class Left:
    """What a fit has left in its folder.

    Attributes:
        folder: of the model.
        keys: what samples are called; ``None`` for the numbers of rows.
        source: the path of the data and its SHA-256; ``None`` for data in memory.
        label: the column of the labels; ``None`` where they were no column.
        arrays: ``hashes``, ``twins``, ``groups`` and ``probabilities`` of all samples.
        dataset: what was learned from.
    """

    folder: Path
    keys: list[Any] | None
    source: dict[str, str] | None
    label: str | None
    arrays: dict[str, NDArray[Any]]
    dataset: Dataset

    @classmethod
    def read(cls, folder: Path) -> Left:
        """Of a model's folder.

        Raises:
            RunError: it was saved without it, or something was changed.
        """
        training = folder / TRAINING
        if not (training / SAMPLES).exists():
            raise RunError(
                f"{folder} has nothing to audit labels by: its folder training is not there (it was saved with "
                "training=False, or removed)"
            )
        try:
            described = read_document(training / SAMPLES, "samples")
            content = read_bytes(training / ARRAYS, _MOST_BYTES)
            if hashlib.sha256(content).hexdigest() != described["arrays_sha256"]:
                raise ContainerError(f"{ARRAYS} was changed after it was written")
            arrays, dataset = load(content), read_prepared(training)
            if {len(array) for array in arrays.values()} != {len(dataset.train)}:
                raise ContainerError(f"{ARRAYS} is not of these data")
            return cls(folder, described["keys"], described["source"], described["label"], arrays, dataset)
        except (OSError, ValueError, KeyError, SafetensorError, DataError) as error:
            raise RunError(f"cannot read what {folder} keeps of its samples: {error}. Fit again") from error

    @cached_property
    def runs(self) -> list[Told]:
        """What all runs said that finished."""
        folders = sorted(path.parent for path in (self.folder / TRAINING / RUNS).glob(f"*/{RECORD}"))
        return [told for folder in folders for told in [Told.read(folder)] if told is not None]

    @cached_property
    def final(self) -> list[Dynamics]:
        """What each network of the model said of all samples as it learned from them."""
        count, classes = len(self.dataset.train), self.dataset.num_classes
        unseen = [told.agreed_unseen for told in self.raced if told.agreed_unseen is not None]
        best = max(unseen, default=None)
        return [told.dynamics(count, classes, best) for told in self.runs if told.is_on_all]

    @property
    def raced(self) -> list[Told]:
        """What runs said of which a part of the data was held out."""
        return [told for told in self.runs if not told.is_on_all]

    @cached_property
    def held_out(self) -> Opinions | None:
        """What the runs that went furthest said of samples that they had not learned from, on average."""
        longest = max((told.record.recipe["epochs"] for told in self.raced), default=0)
        told = [each for each in self.raced if each.record.recipe["epochs"] == longest]
        return _held_out(told, len(self.dataset.train), self.dataset.class_names)

    @cached_property
    def inputs(self) -> NDArray[np.float32] | None:
        """``(N, features)``: what was learned from, standardized; ``None`` of images."""
        if self.dataset.is_image:
            return None
        mean, std = np.array(self.dataset.mean), np.array(self.dataset.std)
        return standardized(self.dataset.train.inputs, mean, std)  # type: ignore[arg-type]

    @cached_property
    def last_layer(self) -> NDArray[np.float32] | None:
        """``(N, features)``: what the last layer of one network gets; ``None`` where none of them kept it."""
        for told in self.runs:
            part = told.parts["train"]
            if told.is_on_all and part.features is not None:
                found = np.zeros((len(self.dataset.train), part.features.shape[1]), np.float32)
                found[part.index] = part.features
                return found
        return None


@dataclass(frozen=True, eq=False)
class Shown:
    """What a page shows of samples beside their labels.

    Attributes:
        samples: gives what samples are like: a table, images, the folder of images, or ``None``.
        keys: what samples are called; ``None`` for the numbers of rows.
        num_classes: how many classes there are.
        label_probabilities: ``(epochs, N)``, of a training; ``None`` without one.
        around: the nearest samples; ``None`` where they are not known.
    """

    samples: Callable[[], Table | NDArray[np.uint8] | Path | None]
    keys: Sequence[Any] | None
    num_classes: int
    label_probabilities: NDArray[np.float32] | None = None
    around: Nearest | None = None

    def __call__(self, rows: NDArray[np.int64], codes: dict[str, NDArray[np.int32]], folder: Path) -> Evidence:
        """Of some of the samples.

        Args:
            rows: which ones.
            codes: the classes of all samples: ``given`` and ``suggested``.
            folder: of the page.
        """
        neighbors = np.full((len(rows), 3), -1)
        if self.around is not None:
            near = self.around.rows[rows, :3]
            neighbors[:, : near.shape[1]] = near
        curves = None
        if self.label_probabilities is not None:
            known = np.nan_to_num(self.label_probabilities[:, rows].T)
            curves = [[round(value, 3) for value in epochs] for epochs in known.tolist()]
        found = self.samples()
        more: dict[str, Any] = {}
        if isinstance(found, Table):
            more = {"values": values_of(found, codes, self.num_classes, rows), "texts": texts_of(found, rows)}
        elif isinstance(found, Path) and self.keys is not None:
            files = [found / str(self.keys[row]) for row in rows.tolist()]
            more = {
                "thumbnails": thumbnails_of(files),
                "images": Path(os.path.relpath(found.absolute(), folder.absolute())).as_posix(),
            }
        elif isinstance(found, np.ndarray):
            more = {"thumbnails": thumbnails_of(found[rows])}
        return Evidence(rows, neighbors, curves=curves, **more)


def _samples_of(left: Left, data: Any) -> Table | NDArray[np.uint8] | Path | None:
    """What was fitted on, as people see it.

    Warns:
        DataWarning: it is not any more what was fitted on.
    """
    if left.source is None:
        found = _in_memory(data, left.label)
    else:
        path = Path(left.source["path"])
        if path.is_dir():
            return path
        if not path.exists() or file_sha256(path) != left.source["sha256"]:
            warnings.warn(
                f"{path} {'was changed since the fit' if path.exists() else 'is not there any more'}: the page shows "
                "labels and probabilities, and not what the samples are like",
                DataWarning,
                stacklevel=2,
            )
            return None
        found = _of_file(path, left.label)
    return found if found is not None and len(found) == len(left.dataset.train) else None


def _of_file(path: Path, label: str | None) -> Table | NDArray[np.uint8] | None:
    if path.suffix.lower() in TABLES and label is not None:
        return _without_label(read_table(path, as_text=[label]), label)
    if path.suffix.lower() == ".npz":
        inputs = arrays(path, gaps=True).train.inputs
        return table_of(inputs) if inputs.ndim == 2 else inputs  # type: ignore[return-value]
    return None


def _in_memory(data: Any, label: str | None) -> Table | NDArray[np.uint8] | None:
    if data is None or isinstance(data, Dataset | torch.utils.data.Dataset):
        return None
    if hasattr(data, "columns") or np.ndim(data) == 2:
        return _without_label(table_of(data, as_text=[] if label is None else [label]), label)
    return np.asarray(data)


def _without_label(table: Table, label: str | None) -> Table:
    """The rows that have a label, without it."""
    if label is None:
        return table
    return table.without([label]).take(np.flatnonzero(~missing(table[label])))


def audit_model(folder: Path, data: Any, *, score: str, adjust: bool) -> Audit:
    """The audit of the labels that a model was fitted on.

    What the model says of a sample, what each of its networks said as it learned from it, the labels of those that its
    last layer finds nearest, and ridge regression on the inputs of all others: the logarithms are averaged.

    Args:
        folder: of the model.
        data: what was fitted on, where that was in memory; only the page needs it.
        score: see :func:`noiseproof.audit`.
        adjust: likewise.

    Raises:
        RunError: the model was saved without what this needs.
        SpecError: a score that there is not.
    """
    left = Left.read(folder)
    by_training = score_of_training(score, has_training=bool(left.final))
    labels, classes = left.dataset.train.labels, left.dataset.class_names
    said = left.final
    views: list[NDArray[Any]] = [left.arrays["probabilities"]]
    columns: dict[str, NDArray[Any]] = {}
    if said:
        views.append(np.mean([each.view(labels) for each in said], 0))
        told = [each.columns(labels) for each in said]
        columns = {name: np.mean([each[name] for each in told], 0) for name in told[0]}
    around = None
    if left.last_layer is not None:
        around = nearest(standardized_features(left.last_layer, len(labels)))
        views.append(around.view(labels, len(classes)))
    if left.inputs is not None:
        views.append(ridge_view(standardized_features(left.inputs, len(labels)), labels, len(classes)))
    unknown = np.isnan(views[0]).any(1)  # images that cannot be read
    opinions = Opinions(labels, views[0], class_values(classes)).with_views(views, unknown)
    return assemble(
        opinions,
        keys=left.keys,
        score=score if by_training is None else np.mean([by_training(each, labels) for each in said], 0),
        adjust=adjust,
        held_out=left.held_out,
        columns=columns,
        neighbors=None if around is None else around.contradicting(labels),
        twins=left.arrays["twins"],
        hashes=left.arrays["hashes"],
        evidence=Shown(
            lambda: _samples_of(left, data),
            left.keys,
            len(classes),
            said[0].label_probabilities if said else None,
            around,
        ),
    )


def audit_run(folder: Path, *, score: str, adjust: bool) -> Audit:
    """The audit of the labels that a run has learned from, by what it kept of each sample.

    Args:
        folder: of the run.
        score: see :func:`noiseproof.audit`.
        adjust: likewise.

    Raises:
        RunError: it is no finished run, or kept nothing of each sample.
        SpecError: a score that there is not.
    """
    told = Told.read(folder)
    if told is None:
        raise RunError(f"{folder} has not finished: an audit is of a finished run")
    by_training = score_of_training(score, has_training=True)
    classes = told.record.data["class_names"]
    parts = told.parts.values()
    index = np.concatenate([part.index for part in parts])
    count = int(index.max()) + 1
    labels = np.zeros(count, np.int64)
    labels[index] = np.concatenate([part.labels for part in parts])
    said = told.dynamics(count, len(classes), told.agreed_unseen)
    rows = np.sort(index)
    opinions = Opinions(labels[rows], said.view(labels)[rows], class_values(classes))
    return assemble(
        opinions,
        keys=rows,
        score=score if by_training is None else by_training(said, labels)[rows],
        adjust=adjust,
        held_out=_held_out([told], count, classes),
        columns={name: values[rows] for name, values in said.columns(labels).items()},
        evidence=Shown(lambda: None, rows.tolist(), len(classes), said.label_probabilities[:, rows]),
    )
