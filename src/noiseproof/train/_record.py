"""What a run leaves behind: its record, its checkpoint and its weights, in a folder that one process owns."""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import platform
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import filelock
import torch
from pydantic import TypeAdapter
from safetensors.torch import save as to_safetensors
from typing_extensions import Self

from noiseproof.container import (
    ContainerError,
    read_document,
    read_state,
    weights_metadata,
    write_document,
    write_state,
)
from noiseproof.errors import RunError, RunWarning
from noiseproof.files import guarded_write, remove_partial_files, write_atomically, write_text
from noiseproof.formats import csv_text
from noiseproof.train._identity import differences

if TYPE_CHECKING:
    from types import TracebackType

    from torch import Tensor

    from noiseproof.noise import NoisyLabels
    from noiseproof.train._identity import Identity
    from noiseproof.train._recipe import Recipe

_RECORD, _TIMING = "record.json", "timing.csv"
_CHECKPOINT, _PREVIOUS = "checkpoint.pt", "checkpoint-previous.pt"


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
        id: the run's id: a hash of the recipe without titles and paths, and one of what the run reads.
        recipe: all values of the recipe, defaults included.
        status: ``"running"``, ``"finished"`` or ``"diverged"`` (the loss, the weights or the outputs became infinite or
            undefined).
        environments: versions and machine, with the epoch from which they held; one entry unless a run went on
            elsewhere.
        data: sizes, class names and fingerprint of the data set.
        noise: requested, expected and realised rates and the checksum of the labels; ``None`` for unknown noise.
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
        """The first epoch with the highest accuracy on the noisy validation part; ``None`` without one."""
        measured = [epoch for epoch in self.epochs if epoch.validation_accuracy is not None]
        return max(measured, key=lambda epoch: (epoch.validation_accuracy, -epoch.epoch), default=None)

    def to_json(self) -> dict[str, Any]:
        """The contents of the file that :func:`read_record` reads back."""
        values = asdict(self)
        del values["seconds"], values["folder"]
        values["files"] = dict(sorted(self.files.items()))
        return values


def read_record(folder: str | Path) -> Record | None:
    """The record of a run folder, ``None`` if there is none yet.

    Of a run that has ended, the files are compared with what the record says of them.

    Raises:
        RunError: the record or a file was changed, or the folder is of another version of noiseproof.

    Warns:
        RunWarning: a file is not there any more.
    """
    folder = Path(folder)
    path = folder / _RECORD
    try:
        if not path.exists():
            return None
        values = read_document(path, "record")
        record = _RECORDS.validate_python({**values, "folder": folder, "seconds": _read_seconds(folder / _TIMING)})
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
            with path.open("rb") as file:
                found = _digest_of(file)
        except FileNotFoundError:
            gone.append(name)
            continue
        except OSError as error:
            raise RunError(f"cannot read {path}: {error}") from error
        if found != digest:
            raise RunError(
                f"{path} was changed after the run had written it: its SHA-256 is {found[:12]}…, and {_RECORD} says "
                f"{digest[:12]}…. Restore the file, or delete the folder to run again from the start."
            )
    if gone:
        warnings.warn(
            f"{folder} is of a run that has ended, but {', '.join(gone)} is not there any more",
            RunWarning,
            stacklevel=4,
        )


def _digest_of(file: io.BufferedReader) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


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


class RunFolder:
    """The folder of one run, owned by this process while it is open.

    It holds ``record.json``, ``noise.json`` (the labels), ``timing.csv`` (seconds per epoch, the one file that
    differs from run to run), ``unreadable.csv`` where images could not be read, while running ``checkpoint.pt`` and
    the one before it, and at the end ``weights.safetensors`` (last epoch) and ``selected.safetensors`` (the epoch
    chosen on noisy validation data). An error before the first step leaves no folder that was not there before.

    Raises:
        RunError: another process uses the folder, it belongs to another run, or cannot be written.
    """

    def __init__(self, path: Path, recipe: Recipe, identity: Identity) -> None:
        self.path = path
        self.identity = identity
        self.record = Record(
            identity.id, recipe.model_dump(mode="json"), inputs=identity.inputs, code=identity.code, folder=path
        )
        self._begun = True

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
        except (OSError, NotImplementedError) as error:
            raise RunError(f"cannot use {self.path} as a run folder: {error}") from error
        try:
            self._open()
        except BaseException:
            self._close()
            raise
        return self

    def _open(self) -> None:
        existing = read_record(self.path)
        self._begun = existing is not None or bool(self._checkpoints())
        remove_partial_files(self.path)
        with guarded_write(self.path / ".owner"):
            (self.path / ".owner").write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        if existing is not None:
            self._check_identity(existing)
            self.record = existing
            if existing.status != "running":
                self._delete_checkpoints()  # of a process killed in its last moment

    def _check_identity(self, existing: Record) -> None:
        if existing.id.partition("-")[0] != self.identity.settings:
            raise RunError(
                f"{self.path} holds run {existing.id}, but this recipe is run {self.identity.id}: choose another folder"
            )
        change = differences(existing, self.identity)
        if change or existing.id != self.identity.id:
            raise RunError(
                f"{self.path} was begun {change or 'as run ' + existing.id}: choose another folder, or restore what it "
                "was begun with"
            )

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            (self.path / ".owner").unlink(missing_ok=True)
            if not self._begun and not self._checkpoints() and self.record.status == "running":
                for name in (_RECORD, "noise.json", "unreadable.csv", _TIMING, ".lock"):
                    (self.path / name).unlink(missing_ok=True)
                self.path.rmdir()  # if it holds nothing else
        self._lock.release()

    def _owner(self) -> str:
        try:
            return (self.path / ".owner").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return "of unknown name"

    def _head(self) -> dict[str, Any]:
        record = self.record
        return {"run": record.id, "recipe": record.recipe, "environments": record.environments}

    def save_record(self) -> None:
        """Write the record as it stands."""
        write_text(self.path / _RECORD, write_document("record", self.record.to_json()))

    def save_noise(self, noise: NoisyLabels) -> None:
        """Write the labels that the run learns from.

        Raises:
            RunError: there is a file with others.
        """
        path, manifest = self.path / "noise.json", noise.manifest()
        try:
            written = path.read_bytes()
        except OSError:
            write_text(path, manifest)
            written = manifest.encode()
        if written != manifest.encode():
            raise RunError(
                f"{path} was changed after the run had written it: delete it, and the same command writes it anew"
            )
        self._note_file(path.name, written)

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Write ``state`` (tensors and plain values) as the point to go on from; the one before it is kept too."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        parts = write_state("checkpoint", self._head(), buffer.getbuffer())
        write_atomically(self.path / _CHECKPOINT, *parts, keep=self.path / _PREVIOUS)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The last state that was saved, ``None`` if there is none; the record takes its environments.

        Raises:
            RunError: all that there are, are damaged, of another run, or hold more than tensors and plain values.

        Warns:
            RunWarning: the last one is, and the one before it is used; or there is none any more.
        """
        problems = []
        for path in self._checkpoints():
            try:
                head, state = self._read_checkpoint(path)
            except (ContainerError, OSError) as error:
                problems.append(f"cannot read {path}: {error}")
                continue
            if problems:
                warnings.warn(
                    f"{problems[0]}. The run goes on from the checkpoint before it, with the same result.",
                    RunWarning,
                    stacklevel=4,
                )
            if path.name == _PREVIOUS:
                with guarded_write(self.path / _CHECKPOINT):
                    path.replace(self.path / _CHECKPOINT)  # so that the next one does not take the place of this one
            self.record.environments = head["environments"]
            return state
        if problems:
            them = "it" if len(problems) == 1 else "both"
            raise RunError(f"{'; '.join(problems)}. Delete {them} to run again from the start.")
        if self.record.epochs:
            warnings.warn(
                f"{self.path} has a record of {len(self.record.epochs)} epochs but no checkpoint any more: the run "
                "begins again from the start",
                RunWarning,
                stacklevel=4,
            )
        self.record.environments = []
        return None

    def _checkpoints(self) -> list[Path]:
        """Those that there are, the last one first."""
        return [path for path in (self.path / _CHECKPOINT, self.path / _PREVIOUS) if path.exists()]

    def _delete_checkpoints(self) -> None:
        for path in reversed(self._checkpoints()):
            with guarded_write(path):
                path.unlink(missing_ok=True)

    def _read_checkpoint(self, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        head, content = read_state(path.read_bytes(), "checkpoint")
        if head.get("run") != self.record.id:
            raise ContainerError(f"it is of run {head.get('run')}, not of {self.record.id}")
        try:
            state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except Exception as error:  # what torch has not written can fail in any way
            # torch's own text tells people to turn the protection off.
            raise ContainerError("it holds more than tensors and plain values, or is of another torch") from error
        return head, state

    def save_weights(self, name: str, weights: dict[str, Tensor]) -> None:
        """Write weights in a format that cannot run code."""
        plain = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
        content = to_safetensors(plain, weights_metadata("weights", self._head()))
        write_atomically(self.path / f"{name}.safetensors", content)
        self._note_file(f"{name}.safetensors", content)

    def save_unreadable(self, parts: dict[str, dict[str, str]]) -> None:
        """Write which images of which part could not be read, and why; their numbers go into the record."""
        rows = [[part, name, why] for part, names in parts.items() for name, why in sorted(names.items())]
        text = csv_text([["part", "path", "why"], *rows])
        write_text(self.path / "unreadable.csv", text)
        self._note_file("unreadable.csv", text.encode())

    def _note_file(self, name: str, content: bytes) -> None:
        self.record.files[name] = hashlib.sha256(content).hexdigest()

    def save_timing(self, epoch: int, seconds: float, samples: int) -> None:
        """Append the duration of an epoch, or of the part of one that was run in one go; no result depends on it."""
        path = self.path / _TIMING
        with guarded_write(path), path.open("a", encoding="utf-8") as file:
            head = "" if file.tell() else "epoch,seconds,samples_per_second\n"
            file.write(f"{head}{epoch},{seconds:.3f},{samples / seconds:.1f}\n")

    def close_run(self, status: Literal["finished", "diverged"]) -> None:
        """Mark the run as ended; the checkpoints are needed no more."""
        self.record.status = status
        self.save_record()
        self._delete_checkpoints()
