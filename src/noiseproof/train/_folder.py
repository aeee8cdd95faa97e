"""The folder of a run, which one process owns: its record, its checkpoints and its weights."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import platform
import warnings
from typing import TYPE_CHECKING, Any, Literal

import filelock
import torch
from safetensors.torch import save as to_safetensors

from noiseproof.container import ContainerError, weights_metadata, write_document, write_state
from noiseproof.errors import DataWarning, FolderInUseError, RunError, RunWarning, shorten
from noiseproof.files import guarded_write, remove_partial_files, write_atomically, write_text
from noiseproof.formats import csv_text
from noiseproof.prediction import PREDICTOR, Description, Member, WeightsFile, description_text
from noiseproof.train._checkpoint import CHECKPOINT, PREVIOUS, read_checkpoint
from noiseproof.train._identity import differences, reads_noise
from noiseproof.train._record import RECORD, TIMING, Record, read_record
from noiseproof.train._samples import SAMPLES, as_tensors
from noiseproof.train._schedule import can_be_made_longer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from torch import Tensor
    from typing_extensions import Self

    from noiseproof.models import Weights
    from noiseproof.noise import NoisyLabels
    from noiseproof.train._identity import Identity
    from noiseproof.train._prepare import Task
    from noiseproof.train._recipe import Recipe
    from noiseproof.train._state import RunState


class RunFolder:
    """The folder of one run, owned by this process while it is open.

    It holds ``record.json``, ``noise.json`` (the labels), ``timing.csv`` (seconds per epoch, the one file that
    differs from run to run), ``unreadable.csv`` where images could not be read, while running ``checkpoint.pt`` and
    the one before it, and at the end ``weights.safetensors`` (last epoch), ``selected.safetensors`` (the epoch chosen
    on noisy validation data) and ``predictor.json`` (what :func:`noiseproof.load` reads). An error before the first
    step leaves no folder that was not there before.

    Raises:
        FolderInUseError: another process uses the folder.
        RunError: it belongs to another run, or cannot be written.
    """

    def __init__(self, path: Path, recipe: Recipe, identity: Identity) -> None:
        self.path = path
        self.recipe = recipe
        self.identity = identity
        self.record = Record(
            identity.id, recipe.model_dump(mode="json"), inputs=identity.inputs, code=identity.code, folder=path
        )
        self._begun = True
        self._missing: Mapping[str, tuple[tuple[str, str], ...]] = {}
        self._begun_at = ""

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(self.path / ".lock")
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise FolderInUseError(
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
                self._delete_checkpoints(existing.status)  # of a process killed in its last moment

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
                for name in (RECORD, "noise.json", "unreadable.csv", TIMING, ".lock"):
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

    def check_noise(self, noise: NoisyLabels | None) -> None:
        """Refuse to go on where a generator does not draw the labels any more that it drew.

        What comes from a file is a part of the run's identity.
        """
        before = self.record.noise
        if before is None or noise is None or reads_noise(self.recipe) or before["checksum"] == noise.checksum:
            return
        begun = self.record.environments
        raise RunError(
            f"{self.path} was begun with other noisy labels than this version of noiseproof draws (SHA-256 "
            f"{before['checksum'][:12]}…, now {noise.checksum[:12]}…): go on with the version it was begun with "
            f"({begun[0]['environment']['noiseproof'] if begun else 'unknown'}), or choose another folder"
        )

    def begin(
        self,
        state: RunState,
        task: Task,
        weights: Weights | None,
        environment: dict[str, Any],
        earlier: Record | None,
    ) -> None:
        """Fill in the record's head, and bring the state to where the run stands.

        That is the checkpoint, if there is one; or the end of ``earlier``, a finished run that this one begins as, if
        it was run in the same environment; or the start.
        """
        record, dataset = self.record, task.dataset
        data: dict[str, Any] = {
            "name": dataset.name,
            "fingerprint": self.identity.inputs["data"],
            "classes": dataset.num_classes,
            "class_names": list(dataset.class_names),
            "train": len(task.train),
            "validation": len(task.validation),
            "test": 0 if dataset.test is None else len(dataset.test),
            "notes": list(dataset.notes),
        }
        if dataset.extra_tests:
            data["extra_tests"] = {name: len(part) for name, part in dataset.extra_tests.items()}
        record.data, record.files, record.unreadable = data, {}, {}
        record.weights = None
        if weights is not None:
            record.weights = {"file": weights.file, "sha256": weights.sha256, "left_out": list(state.left_out)}
        record.parameters = sum(each.numel() for network in state.networks for each in network.parameters())
        if task.noise is not None:
            record.noise = {
                "description": str(task.noise),
                "requested_rate": task.noise.requested_rate,
                "expected_rate": task.noise.expected_rate,
                "rate": task.noise.rate,
                "checksum": task.noise.checksum,
            }
            self.save_noise(task.noise)
        self._missing = task.dataset.missing
        saved = self.load_checkpoint()
        if saved is None and earlier is not None and _ran_in(earlier, environment):
            saved = self._end_of(earlier)
        if saved is not None:
            state.load_state_dict(saved)
        record.epochs = list(state.history)
        self.note_unreadable(state, told=True)
        self._note_environment(environment)

    def _end_of(self, earlier: Record) -> dict[str, Any] | None:
        """The state in which an earlier run ended, if it is still there."""
        assert earlier.folder is not None  # noqa: S101 - records that are read have one
        path = earlier.folder / CHECKPOINT
        try:
            head, saved = read_checkpoint(path, earlier.id)
        except (ContainerError, OSError):
            return None  # it only would have saved time
        self.record.environments = head["environments"]
        self._begun_at = f"as {earlier.folder.name}, epoch {saved['epoch']}"
        return saved

    def _note_environment(self, now: dict[str, Any]) -> None:
        record = self.record
        done = len(record.epochs)
        record.environments = [entry for entry in record.environments if entry["from_epoch"] <= max(done, 1)]
        if record.environments:
            before = record.environments[-1]["environment"]
            changed = [f"{key} {now[key]!r}, before {before.get(key)!r}" for key in now if before.get(key) != now[key]]
            if not changed:
                return
            warnings.warn(
                f"run {record.id} goes on in another environment ({'; '.join(changed)}): its bytes may differ from "
                "those of an uninterrupted run. The record says from which epoch.",
                RunWarning,
                stacklevel=4,
            )
        record.environments.append({"from_epoch": done + 1, "environment": now})

    def note_unreadable(self, state: RunState, *, told: bool = False) -> None:
        """Count and list the images that were missing or could not be read; warn of new ones unless that was done."""
        found = state.sets.unreadable
        parts = {name: dict(lost) for name, lost in self._missing.items()}
        for name, names in found.items():
            parts[name] = {**parts.get(name, {}), **names}
        counts = {name: len(names) for name, names in parts.items() if names}
        if counts == self.record.unreadable:
            return
        if not told:
            texts = [f"{path}: {why}" for names in found.values() for path, why in names.items()]
            warnings.warn(
                f"{len(texts)} images cannot be read and are skipped ({shorten(texts)}); all of them are in "
                f"{self.path / 'unreadable.csv'}",
                DataWarning,
                stacklevel=3,
            )
        self.save_unreadable(parts)
        self.record.unreadable = counts

    def save(self, state: RunState) -> None:
        """Write the state as the point to go on from, and the record that follows from it.

        The checkpoint comes first and holds the history too: the record can always be made from it.
        """
        self.record.epochs = list(state.history)
        self.save_checkpoint(state.state_dict())
        self.save_record()

    def close(self, state: RunState, status: Literal["finished", "diverged"]) -> Record:
        """Write the weights, and mark the run as ended."""
        self.record.epochs = list(state.history)
        if state.notes:
            tensors = {
                f"{part}.{name}": tensor
                for part, notes in state.notes.items()
                for name, tensor in as_tensors(notes.state_dict()).items()
            }
            self._save_tensors(SAMPLES, "samples", tensors)
        if status == "finished":
            self._save_predictor(state)
            if can_be_made_longer(self.recipe):
                self.save_checkpoint(state.state_dict())
        self.record.status = status
        self.save_record()
        self._delete_checkpoints(status)
        return self.record

    def save_record(self) -> None:
        """Write the record as it stands."""
        write_text(self.path / RECORD, write_document("record", self.record.to_json()))

    def save_noise(self, noise: NoisyLabels) -> None:
        """Write the labels that the run learns from.

        Raises:
            RunError: there is a file with others.
        """
        path, manifest = self.path / "noise.json", noise.manifest()
        try:
            written = path.read_bytes()
        except OSError:
            write_atomically(path, manifest)
            written = manifest
        if written != manifest:
            raise RunError(
                f"{path} was changed after the run had written it: delete it, and the same command writes it anew"
            )
        self._note_file(path.name, written)

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Write ``state`` (tensors and plain values) as the point to go on from; the one before it is kept too."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        parts = write_state("checkpoint", self._head(), buffer.getbuffer())
        write_atomically(self.path / CHECKPOINT, *parts, keep=self.path / PREVIOUS)

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
                head, state = read_checkpoint(path, self.record.id)
            except (ContainerError, OSError) as error:
                problems.append(f"cannot read {path}: {error}")
                continue
            if problems:
                warnings.warn(
                    f"{problems[0]}. The run goes on from the checkpoint before it, with the same result.",
                    RunWarning,
                    stacklevel=4,
                )
            if path.name == PREVIOUS:
                with guarded_write(self.path / CHECKPOINT):
                    path.replace(self.path / CHECKPOINT)  # so that the next one does not take the place of this one
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
        return [path for path in (self.path / CHECKPOINT, self.path / PREVIOUS) if path.exists()]

    def _delete_checkpoints(self, status: str) -> None:
        """Those that nobody goes on from any more: longer runs begin at the end of one that can be made longer."""
        kept = [self.path / CHECKPOINT] if status == "finished" and can_be_made_longer(self.recipe) else []
        for path in reversed(self._checkpoints()):
            if path not in kept:
                with guarded_write(path):
                    path.unlink(missing_ok=True)

    def save_weights(self, name: str, weights: dict[str, Tensor]) -> None:
        """Write weights in a format that cannot run code."""
        plain = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
        self._save_tensors(f"{name}.safetensors", "weights", plain)

    def _save_tensors(self, file: str, kind: str, tensors: dict[str, Tensor]) -> None:
        content = to_safetensors(tensors, weights_metadata(kind, self._head()))
        write_atomically(self.path / file, content)
        self._note_file(file, content)

    def _save_predictor(self, state: RunState) -> None:
        """Write the weights, and what turns inputs into predictions with them."""
        members = []
        for number, network in enumerate(state.networks):
            of_epochs = {"last": (f"weights{_ending(number)}", network.state_dict())}
            if state.selected is not None:
                of_epochs["selected"] = (f"selected{_ending(number)}", state.selected[number])
            weights = {}
            for epoch, (name, values) in of_epochs.items():
                self.save_weights(name, values)
                weights[epoch] = WeightsFile(f"{name}.safetensors", self.record.files[f"{name}.safetensors"])
            recipe = self.recipe
            code = self.record.code
            members.append(
                Member(recipe.model, weights, head=recipe.method.head, precision=recipe.precision, code=code)
            )
        names = tuple(self.record.data["class_names"])
        text = description_text(Description(self.record.id, names, state.preprocessing, tuple(members)))
        write_text(self.path / PREDICTOR, text)
        self._note_file(PREDICTOR, text.encode())

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
        path = self.path / TIMING
        with guarded_write(path), path.open("a", encoding="utf-8") as file:
            head = "" if file.tell() else "epoch,seconds,samples_per_second,begun\n"
            file.write(f"{head}{epoch},{seconds:.3f},{samples / seconds:.1f},{self._begun_at}\n")
        self._begun_at = ""


def _ending(number: int) -> str:
    """Of the file of a network's weights, if there are several networks."""
    return f"-{number + 1}" if number else ""


def _ran_in(record: Record, environment: dict[str, Any]) -> bool:
    """Whether all of a run was made in an environment."""
    return [entry["environment"] for entry in record.environments] == [environment]
