"""The record of a run: all that is known about it."""

from __future__ import annotations

import contextlib
import math
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

from noiseproof.container import (
    ContainerError,
    read_document,
)
from noiseproof.errors import RunError, RunWarning
from noiseproof.files import file_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence


RECORD, TIMING = "record.json", "timing.csv"


@dataclass(frozen=True)
class Epoch:
    """What was measured in one epoch. Shares are between 0 and 1; ``None`` is what could not be measured.

    Attributes:
        epoch: counted from 1.
        lr: the learning rate in this epoch.
        train_loss: the mean loss over the training samples as they passed, without the L1 term.
        train_accuracy: the share of noisy training labels that the network agreed with as they passed.
        memorization: of the wrong training labels, the share that the network agreed with.
        validation_accuracy: on the noisy validation part, after the epoch.
        test_accuracy: on the test set, after the epoch. It chooses nothing.
        test_top5: likewise, the true class among the first five.
        extra_tests: on further test sets by name: ``{"accuracy": …, "top5": …}`` each.
        phase: which phase of its method the epoch belongs to, counted from 1: a phase begins with new networks.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    memorization: float | None
    validation_accuracy: float | None
    test_accuracy: float | None
    test_top5: float | None
    extra_tests: dict[str, dict[str, float | None]] = field(default_factory=dict)
    phase: int = 1


@dataclass
class Record:
    """All that is known about a run; the same recipe gives the same record, byte for byte, on the same machine.

    Attributes:
        id: the run's id: a hash of the recipe without titles and paths, and one of what the run reads.
        recipe: all values of the recipe, defaults included.
        status: ``"running"``, ``"finished"`` or ``"diverged"`` (the loss, the weights or the outputs became infinite or
            undefined).
        environments: versions and machine, with the epoch from which they held; one entry unless a run went on
            elsewhere.
        data: sizes, class names and fingerprint of the data set.
        noise: requested, expected and realized rates and the checksum of the labels; ``None`` for unknown noise.
        parameters: the number of trainable parameters.
        epochs: the measures, in order.
        unreadable: how many images of which part were missing or could not be read, and were skipped.
        weights: the file that the network started from, its SHA-256, and the parameters that were not taken from it;
            ``None`` for random weights.
        inputs: the SHA-256 of the contents of the ``"data"``, and of the ``"noise"`` and the ``"weights"`` where they
            come from files.
        code: the SHA-256 of the source of every module outside noiseproof that the loss is made of, by its name.
        files: the SHA-256 of the files beside the record that do not change any more, by name.
        seconds: how long training and evaluation took, where :func:`read_record` found it; no part of the file, whose
            bytes are the same whenever the run is.
        folder: where the record is; no part of the file either.
    """

    id: str
    recipe: dict[str, Any]
    status: Literal["running", "finished", "diverged"] = "running"
    environments: list[dict[str, Any]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    noise: dict[str, Any] | None = None
    parameters: int = 0
    epochs: list[Epoch] = field(default_factory=list)
    unreadable: dict[str, int] = field(default_factory=dict)
    weights: dict[str, Any] | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    seconds: float | None = field(default=None, compare=False)
    folder: Path | None = field(default=None, compare=False)

    @property
    def last(self) -> Epoch | None:
        """The last epoch so far: what published tables report."""
        return self.epochs[-1] if self.epochs else None

    @property
    def selected(self) -> Epoch | None:
        """See :func:`selected_epoch`."""
        return selected_epoch(self.epochs)

    def to_json(self) -> dict[str, Any]:
        """The contents of the file that :func:`read_record` reads back."""
        values = asdict(self)
        del values["seconds"], values["folder"]
        values["files"] = dict(sorted(self.files.items()))
        return values


def selected_epoch(epochs: Sequence[Epoch]) -> Epoch | None:
    """The first epoch of the last phase with the highest accuracy on noisy validation data; ``None`` without any."""
    measured = [each for each in epochs if each.validation_accuracy is not None and each.phase == epochs[-1].phase]
    return max(measured, key=lambda each: (each.validation_accuracy, -each.epoch), default=None)


def read_record(folder: str | Path) -> Record | None:
    """The record of a run folder, ``None`` if there is none yet.

    Of a run that has ended, the files are compared with what the record says of them.

    Raises:
        RunError: the record or a file was changed, or the folder is of another version of noiseproof.

    Warns:
        RunWarning: a file is not there any more.
    """
    folder = Path(folder)
    path = folder / RECORD
    try:
        if not path.exists():
            return None
        values = read_document(path, "record")
        record = _RECORDS.validate_python({**values, "folder": folder, "seconds": _read_seconds(folder / TIMING)})
        if unknown := values.keys() - record.to_json().keys():
            raise ContainerError(f"unknown keys {', '.join(sorted(unknown))}")
    except (OSError, ValueError) as error:
        raise RunError(
            f"cannot read {path}: {error}. Restore the file, or delete the folder (or move it elsewhere) to run again "
            "from the start."
        ) from error
    if record.status != "running":
        _check_files(record, folder)
    return record


_RECORDS = TypeAdapter(Record)


def _check_files(record: Record, folder: Path) -> None:
    """Compare the files of a run that has ended with its record."""
    gone = []
    for name, digest in record.files.items():
        path = folder / name
        try:
            found = file_sha256(path)
        except FileNotFoundError:
            gone.append(name)
            continue
        except OSError as error:
            raise RunError(f"cannot read {path}: {error}") from error
        if found != digest:
            raise RunError(
                f"{path} was changed after the run had written it: its SHA-256 is {found[:12]}…, and {RECORD} says "
                f"{digest[:12]}…. Restore the file, or delete the folder to run again from the start."
            )
    if gone:
        warnings.warn(
            f"{folder} is of a run that has ended, but {', '.join(gone)} is not there any more",
            RunWarning,
            stacklevel=4,
        )


def _read_seconds(path: Path) -> float | None:
    """The sum of the seconds that can be read: nothing depends on the file, whatever was done to it."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    except OSError:
        return None
    total = 0.0
    for line in lines:
        with contextlib.suppress(ValueError, IndexError):
            seconds = float(line.split(",")[1])
            total += seconds if 0 <= seconds < math.inf else 0.0
    return total if total < math.inf else None
