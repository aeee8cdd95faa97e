"""What a run leaves behind: its record, its checkpoint and its weights, in a folder that one process owns."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import platform
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import filelock
import torch
from safetensors.torch import save as to_safetensors
from typing_extensions import Self

from noiseproof.errors import RunError
from noiseproof.files import remove_partial_files, write_atomically, write_json, write_text

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from torch import Tensor

    from noiseproof.train._recipe import Recipe

_FORMAT = "noiseproof-run-1"
_TIMING = "timing.csv"


@dataclass(frozen=True)
class Epoch:
    """What was measured in one epoch. Shares are between 0 and 1; ``None`` is what could not be measured.

    Attributes:
        epoch: counted from 1.
        lr: the learning rate in this epoch.
        train_loss: the mean loss over the training samples as they passed, without the L1 term.
        train_accuracy: the share of noisy training labels that the network agreed with as they passed.
        wrong_labels_learnt: of the wrong training labels, the share that the network agreed with: memorisation.
        validation_accuracy: on the noisy validation part, after the epoch.
        test_accuracy: on the test set, after the epoch. It chooses nothing.
        test_top5: likewise, the true class among the first five.
        also: on further test sets by name: ``{"accuracy": …, "top5": …}`` each.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    wrong_labels_learnt: float | None
    validation_accuracy: float | None
    test_accuracy: float | None
    test_top5: float | None
    also: dict[str, dict[str, float | None]] = field(default_factory=dict)


@dataclass
class Record:
    """All that is known about a run; the same recipe gives the same record, byte for byte, on the same machine.

    Attributes:
        id: the hash of the recipe.
        recipe: all values of the recipe, defaults included.
        status: ``"running"``, ``"finished"`` or ``"diverged"`` (the loss became infinite or undefined).
        environments: versions and machine, with the epoch from which they held; one entry unless a run went on
            elsewhere.
        data: sizes, class count and fingerprint of the data set.
        noise: requested, expected and realised rates and the checksum of the labels; ``None`` for unknown noise.
        parameters: the number of trainable parameters.
        epochs: the measures, in order.
        unreadable: how many images of which part were missing or could not be read, and were skipped.
        weights: the file that the network started from, its SHA-256, and the parameters that were not taken from it;
            ``None`` for random weights.
        seconds: how long training and evaluation took, where :func:`read_record` found it; no part of the file, whose
            bytes are the same whenever the run is.
    """

    id: str
    recipe: dict[str, Any]
    status: str = "running"
    environments: list[dict[str, Any]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    noise: dict[str, Any] | None = None
    parameters: int = 0
    epochs: list[Epoch] = field(default_factory=list)
    unreadable: dict[str, int] = field(default_factory=dict)
    weights: dict[str, Any] | None = None
    seconds: float | None = field(default=None, compare=False)

    @property
    def last(self) -> Epoch | None:
        """The last epoch so far: what published tables report."""
        return self.epochs[-1] if self.epochs else None

    @property
    def selected(self) -> Epoch | None:
        """The first epoch with the highest accuracy on the noisy validation part; ``None`` without one."""
        measured = [epoch for epoch in self.epochs if epoch.validation_accuracy is not None]
        return max(measured, key=lambda epoch: (epoch.validation_accuracy, -epoch.epoch), default=None)

    def to_json(self) -> dict[str, Any]:
        """The record as :func:`read_record` reads it back."""
        values = asdict(self)
        del values["seconds"]
        return {"format": _FORMAT, **values}


def read_record(folder: Path) -> Record | None:
    """The record of a run folder, ``None`` if there is none yet.

    Raises:
        RunError: the file is damaged or of another version.
    """
    path = folder / "record.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("format") != _FORMAT:
            raise RunError(f"{path} was written by another version of noiseproof: expected {_FORMAT}")
        values["epochs"] = [Epoch(**epoch) for epoch in values["epochs"]]
        return Record(**values, seconds=_read_seconds(folder / _TIMING))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"cannot read {path}: {error}. Delete the folder to run again from the start.") from error


def _read_seconds(path: Path) -> float | None:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return sum(float(row["seconds"]) for row in csv.DictReader(file))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a line was cut off, or somebody has deleted the file: nothing depends on it


class RunFolder:
    """The folder of one run, owned by this process while it is open.

    It holds ``record.json``, ``noise.json`` (the labels), ``timing.csv`` (seconds per epoch, the one file that
    differs from run to run), ``unreadable.csv`` where images could not be read, while running ``checkpoint.pt``, and
    at the end ``weights.safetensors`` (last epoch) and ``selected.safetensors`` (the epoch chosen on noisy validation
    data).

    Raises:
        RunError: another process uses the folder, it belongs to another recipe, or cannot be written.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self.path = path
        self.recipe = recipe
        self.record = Record(recipe.id, recipe.model_dump(mode="json"))

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(self.path / ".lock")
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise RunError(
                f"{self.path} is being used by another process ({self._owner()}). Wait for it, or choose another "
                "folder."
            ) from error
        except OSError as error:
            raise RunError(f"cannot use {self.path} as a run folder: {error}") from error
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _open(self) -> None:
        remove_partial_files(self.path)
        (self.path / ".owner").write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        existing = read_record(self.path)
        if existing is not None:
            if existing.id != self.record.id:
                raise RunError(
                    f"{self.path} holds run {existing.id}, but this recipe is run {self.record.id}: choose another "
                    "folder"
                )
            self.record = existing
            if existing.status != "running":
                (self.path / "checkpoint.pt").unlink(missing_ok=True)  # of a process killed in its last moment

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        (self.path / ".owner").unlink(missing_ok=True)
        self._lock.release()

    def _owner(self) -> str:
        try:
            return (self.path / ".owner").read_text(encoding="utf-8")
        except OSError:
            return "of unknown name"

    def save_record(self) -> None:
        """Write the record as it stands."""
        write_json(self.path / "record.json", self.record.to_json())

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Write ``state`` (tensors and plain values) as the point to go on from."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.path / "checkpoint.pt", buffer.getbuffer())

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The last state that was saved, ``None`` if there is none.

        Raises:
            RunError: the file is damaged or holds more than tensors and plain values.
        """
        path = self.path / "checkpoint.pt"
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file can fail in any way
            # torch's own text tells people to turn the protection off.
            foreign = isinstance(error, pickle.UnpicklingError)
            why = "it is damaged, or holds more than tensors and plain values" if foreign else str(error)
            raise RunError(f"cannot read {path}: {why}. Delete it to run again from the start.") from error
        return state

    def save_weights(self, name: str, weights: dict[str, Tensor]) -> None:
        """Write weights in a format that cannot run code."""
        plain = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
        write_atomically(self.path / f"{name}.safetensors", to_safetensors(plain))

    def save_unreadable(self, parts: dict[str, dict[str, str]]) -> None:
        """Write which images of which part could not be read, and why; their numbers go into the record."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["part", "path", "why"])
        for part, names in parts.items():
            writer.writerows([part, name, why] for name, why in sorted(names.items()))
        write_text(self.path / "unreadable.csv", out.getvalue())

    def save_timing(self, epoch: int, seconds: float, samples: int) -> None:
        """Append the duration of an epoch, or of the part of one that was run in one go; no result depends on it."""
        path = self.path / _TIMING
        head = "" if path.exists() else "epoch,seconds,samples_per_second\n"
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{head}{epoch},{seconds:.3f},{samples / seconds:.1f}\n")

    def close_run(self, status: str) -> None:
        """Mark the run as ended; the checkpoint is needed no more."""
        self.record.status = status
        self.save_record()
        (self.path / "checkpoint.pt").unlink(missing_ok=True)
