"""What a run keeps of each sample: how it was learned, epoch by epoch, for whoever looks for wrong labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from torch import Tensor

from noiseproof.container import ContainerError
from noiseproof.errors import RunError
from noiseproof.train._checkpoint import CHECKPOINT, read_checkpoint
from noiseproof.train._record import read_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SAMPLES = "samples.safetensors"

ALL_CLASSES = 100
"""Up to so many classes the whole vector of probabilities is summed."""

LEADING, LED = 20, 3
"""With more classes, so many that led in the first epochs of so many count, besides the given label."""

_PER_OCTAVE = 16
"""Steps of a code of a probability for each halving: 4.4 % apart, down to 1.7e-5."""

_UNSEEN_CODE = 255
_UNSEEN = -1
_ROWS = 1 << 12
"""Samples that are looked at together where that takes more memory than they have."""


def codes_of(log_probabilities: Tensor) -> Tensor:
    """Probabilities as one byte each: how often they halve 1, in sixteenths, up to 254; 255 for NaN."""
    codes = (log_probabilities * (-_PER_OCTAVE / math.log(2))).round_().clamp_(0, _UNSEEN_CODE - 1)
    return codes.nan_to_num_(_UNSEEN_CODE).to(torch.uint8)


class SampleNotes:
    """The notes on the samples of one part of the data, on the device of the run.

    Each pass of a sample leaves its logits in a buffer. At the end of an epoch they become what is kept: for each epoch
    the probability of the given label and the predicted class, and sums over all epochs of the probabilities, of the
    margin of the given label's logit before the largest other one, and of how often the sample passed. Copies of the
    sums are taken after epochs 1, 2, 4, 8 and so on, of which the last two stay. Nothing depends on how many epochs
    were asked for.

    Args:
        labels: ``(N,)``, the given ones.
        index: ``(N,)``, where the samples stand in the data set's training set.
        num_classes: how many classes there are.
        with_features: whether what a network makes of each sample before its classifier is kept, of the last pass.
    """

    def __init__(self, labels: Tensor, index: NDArray[np.int64], num_classes: int, *, with_features: bool) -> None:
        count, device = len(labels), labels.device
        self.labels = labels
        self._index = torch.from_numpy(index)
        self.num_classes = num_classes
        self.with_features = with_features
        self._is_whole = num_classes <= ALL_CLASSES
        kept = num_classes if self._is_whole else 1 + LEADING
        if self._is_whole:
            self._buffers = {"logits": torch.empty(count, num_classes, device=device)}
        else:
            wide = torch.empty(count, LEADING, device=device)
            one = torch.empty(count, device=device)
            self._buffers = {
                "log_own": one,
                "margin": one.clone(),
                "predicted": one.clone(),
                "leading": wide,
                "leaders": wide.clone(),
                "followed": wide.clone(),
            }
        self._codes: list[Tensor] = []
        self._predictions: list[Tensor] = []
        # One row per class: sums over few classes are fast that way round.
        self._sums = {
            "passes": torch.zeros(count, dtype=torch.int32, device=device),
            "probabilities": torch.zeros(kept, count, device=device),
            "margins": torch.zeros(count, device=device),
        }
        self._classes = torch.full((0 if self._is_whole else LEADING, count), _UNSEEN, dtype=torch.int32, device=device)
        self._copies: list[dict[str, Any]] = []
        self._features: Tensor | None = None
        self.begin_epoch()

    @property
    def buffers(self) -> list[Tensor]:
        """What a pass of samples changes."""
        return list(self._buffers.values())

    def begin_epoch(self) -> None:
        """Forget what passed since the last one ended."""
        for buffer in self._buffers.values():
            buffer.fill_(math.nan)

    def note(self, index: Tensor, logits: Tensor, features: Tensor | None = None) -> None:
        """Note what a network says of the samples at ``index``, without waiting for the device."""
        logits = logits.detach().float()
        if self._is_whole:
            self._buffers["logits"].index_copy_(0, index, logits)
        else:
            self._note_leading(index, logits)
        if features is not None and self.with_features:
            half = features.detach().flatten(1).clamp(-_LARGEST_HALF, _LARGEST_HALF).half()
            if self._features is None:
                self._features = half.new_zeros(len(self.labels), half.shape[1])
            self._features.index_copy_(0, index, half)

    def _note_leading(self, index: Tensor, logits: Tensor) -> None:
        label = self.labels[index, None]
        log_p = logits.log_softmax(1)
        others = logits.scatter(1, label, -math.inf)
        p = log_p.exp()
        leading, leaders = p.scatter(1, label, -1.0).topk(LEADING, 1)
        found = {
            "log_own": log_p.gather(1, label).squeeze(1),
            "margin": logits.gather(1, label).squeeze(1) - others.amax(1),
            "predicted": logits.argmax(1).float(),
            "leading": leading,
            "leaders": leaders.float(),
            "followed": p.gather(1, self._classes[:, index].T.long().clamp(min=0)),
        }
        for name, values in found.items():
            self._buffers[name].index_copy_(0, index, values)

    def end_epoch(self) -> None:
        """Turn what passed into what is kept."""
        add = self._add_whole if self._is_whole else self._add_leading
        log_own, margin, predicted, seen = add()
        self._codes.append(codes_of(log_own))
        kind = torch.int16 if self.num_classes < 2**15 else torch.int32
        self._predictions.append(torch.where(seen, predicted, _UNSEEN).to(kind))
        self._sums["passes"] += seen
        self._sums["margins"] += torch.where(seen, margin, 0.0)
        epochs = len(self._codes)
        if epochs & (epochs - 1) == 0:
            copy = {name: value.clone() for name, value in self._sums.items()}
            self._copies = [*self._copies[-1:], {"epoch": epochs, **copy}]
        self.begin_epoch()

    def _add_whole(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        logits = self._buffers["logits"].T.contiguous()
        seen = ~logits[0].isnan()
        top, predicted = logits.max(0)
        label = self.labels[None]
        own = logits.gather(0, label)
        powers = (logits - top).exp_()
        total = powers.sum(0)
        self._sums["probabilities"] += powers.div_(total).nan_to_num_(0.0)
        others = logits.scatter_(0, label, -math.inf).amax(0)
        own = own[0]
        return own - top - total.log(), own - others, predicted, seen

    def _add_leading(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        held = self._buffers
        seen = ~held["margin"].isnan()
        sums = self._sums["probabilities"]
        sums[0] += held["log_own"].exp().nan_to_num_(0.0)
        if len(self._codes) < LED:
            for start in range(0, len(self.labels), _ROWS):
                self._merge(slice(start, start + _ROWS))
        else:
            sums[1:] += torch.where(self._classes < 0, 0.0, held["followed"].T.nan_to_num(0.0))
        return held["log_own"], held["margin"], held["predicted"].nan_to_num(_UNSEEN).long(), seen

    def _merge(self, part: slice) -> None:
        """Add the classes that led in this epoch to those that led before, and keep the first of both."""
        before = self._classes[:, part].T
        sums = self._sums["probabilities"][1:, part].T
        values = self._buffers["leading"][part].nan_to_num(-1.0)
        leaders = self._buffers["leaders"][part].nan_to_num(_UNSEEN).int()
        same = (leaders[:, :, None] == before[:, None, :]) & (leaders[:, :, None] >= 0)
        known = torch.where(before < 0, -1.0, sums + (same * values[:, :, None]).sum(1))
        new = torch.where(same.any(2) | (leaders < 0), -1.0, values)
        chosen, places = torch.cat([known, new], 1).topk(LEADING, 1)
        classes = torch.cat([before, leaders], 1).gather(1, places)
        self._classes[:, part] = torch.where(chosen < 0, _UNSEEN, classes).T
        self._sums["probabilities"][1:, part] = chosen.clamp(min=0).T

    def state_dict(self) -> dict[str, Any]:
        """All of it, as tensors and plain values."""
        return {
            "labels": self.labels,
            "index": self._index,
            "buffers": self._buffers,
            "codes": _stacked(self._codes, len(self.labels), torch.uint8),
            "predictions": _stacked(self._predictions, len(self.labels), torch.int16),
            "sums": self._sums,
            "classes": self._classes,
            "copies": self._copies,
            "features": self._features,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to what :meth:`state_dict` returned."""
        device = self.labels.device
        for name, buffer in self._buffers.items():
            buffer.copy_(state["buffers"][name])
        for name, total in self._sums.items():
            total.copy_(state["sums"][name])
        self._codes = [each.to(device) for each in state["codes"]]
        self._predictions = [each.to(device) for each in state["predictions"]]
        self._classes.copy_(state["classes"])
        self._copies = [
            {name: value.to(device) if isinstance(value, Tensor) else value for name, value in copy.items()}
            for copy in state["copies"]
        ]
        self._features = None if state["features"] is None else state["features"].to(device)


_LARGEST_HALF = 65504.0


def _stacked(rows: Sequence[Tensor], count: int, kind: torch.dtype) -> Tensor:
    return torch.stack(list(rows)) if rows else torch.empty(0, count, dtype=kind)


@dataclass(frozen=True, eq=False)
class SampleSums:
    """Sums over the epochs up to one.

    Attributes:
        epoch: how many epochs they are over.
        passes: ``(N,)``, in how many of them the sample was seen.
        probabilities: ``(N, columns)``, the sums of the probabilities of :attr:`SampleRecord.classes`.
        margins: ``(N,)``, the sums of how far the given label's logit was above the largest other one.
    """

    epoch: int
    passes: NDArray[np.int32]
    probabilities: NDArray[np.float32]
    margins: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SampleRecord:
    """What a run has kept of each sample of a part of its data.

    Attributes:
        held_out: whether the run did not learn from these: then all is from evaluation after each epoch. Otherwise it
            is what the network said of the augmented sample as it passed in training.
        index: ``(N,)``, their places in the data set's training set.
        labels: ``(N,)``, the given labels.
        codes: ``(epochs, N)``, the probability of the given label as a byte: how often it halves 1, in sixteenths, 254
            for that and less; 255 where the sample was not seen.
        predictions: ``(epochs, N)``, the predicted class; -1 where the sample was not seen.
        classes: ``(N, columns)``, the classes that sums are kept of: all of them, or with more than 100 the given label
            and the 20 others that led in the first three epochs (-1: none did, the sample was not seen).
        sums: over all epochs.
        copies: the sums as they were after the last two epochs that are powers of 2, the older one first.
        features: ``(N, features)``, the input of the classifier as the sample passed last, if that was asked for.
    """

    held_out: bool
    index: NDArray[np.int64]
    labels: NDArray[np.int64]
    codes: NDArray[np.uint8]
    predictions: NDArray[np.int16]
    classes: NDArray[np.int32]
    sums: SampleSums
    copies: tuple[SampleSums, ...]
    features: NDArray[np.float16] | None

    @property
    def label_probabilities(self) -> NDArray[np.float32]:
        """``(epochs, N)``, the probability of the given label, to 2.2 % and down to 1.7e-5; NaN if it was not seen."""
        known = np.exp2(self.codes / -_PER_OCTAVE, dtype=np.float32)
        return np.where(self.codes == _UNSEEN_CODE, np.float32("nan"), known)

    @property
    def epochs(self) -> int:
        """How many were completed."""
        return len(self.codes)


def as_tensors(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state of :class:`SampleNotes` as tensors by name, without the passes of an epoch that has not ended."""
    found = {
        "index": state["index"],
        "labels": state["labels"],
        "codes": state["codes"],
        "predictions": state["predictions"],
        "classes": state["classes"].T,
        **_as_tensors("sums", {"epoch": len(state["codes"]), **state["sums"]}),
    }
    for number, copy in enumerate(state["copies"]):
        found |= _as_tensors(f"copy{number}", copy)
    if state["features"] is not None:
        found["features"] = state["features"]
    return {name: tensor.cpu().contiguous() for name, tensor in found.items()}


def _as_tensors(name: str, sums: Mapping[str, Any]) -> dict[str, Tensor]:
    return {
        f"{name}.epoch": torch.tensor(sums["epoch"]),
        f"{name}.passes": sums["passes"],
        f"{name}.probabilities": sums["probabilities"].T,
        f"{name}.margins": sums["margins"],
    }


def record_of(tensors: Mapping[str, Tensor], *, held_out: bool) -> SampleRecord:
    """What :func:`as_tensors` made, as arrays."""
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in tensors.items()}

    def sums(name: str) -> SampleSums:
        own = {key: arrays[f"{name}.{key}"] for key in ("passes", "probabilities", "margins")}
        return SampleSums(int(arrays[f"{name}.epoch"]), **own)

    labels, classes = arrays["labels"], arrays["classes"]
    whole = sums("sums")
    if classes.shape[1]:
        classes = np.concatenate([labels[:, None].astype(np.int32), classes], 1)
    else:
        columns = whole.probabilities.shape[1]
        classes = np.broadcast_to(np.arange(columns, dtype=np.int32), (len(labels), columns))
    copies = tuple(sums(f"copy{number}") for number in range(2) if f"copy{number}.epoch" in arrays)
    return SampleRecord(
        held_out,
        arrays["index"],
        labels,
        arrays["codes"],
        arrays["predictions"],
        classes,
        whole,
        copies,
        arrays.get("features"),
    )


def read_samples(folder: str | Path) -> dict[str, SampleRecord]:
    """What a run has kept of each sample, by part of its data: ``"train"``, and ``"validation"`` where there is one.

    Args:
        folder: of a run with ``samples = "scores"`` or ``"features"`` in its recipe: a finished one, or one that was
            stopped.

    Raises:
        RunError: there is no such run, or its files are damaged or were changed.
    """
    folder = Path(folder)
    record = read_record(folder)
    if record is None or record.recipe["samples"] == "none":
        raise RunError(
            f"{folder} {'has no record of a run' if record is None else 'kept nothing of each sample'}: train with "
            "samples = 'scores' in the recipe (--set samples=scores)"
        )
    try:
        parts: dict[str, dict[str, Tensor]] = {}
        if record.status == "running":
            _, state = read_checkpoint(folder / CHECKPOINT, record.id)
            parts = {part: as_tensors(notes) for part, notes in state["samples"].items()}
        else:
            for name, tensor in from_safetensors((folder / SAMPLES).read_bytes()).items():
                part, _, own = name.partition(".")
                parts.setdefault(part, {})[own] = tensor
        named = {part: parts[part] for part in ("train", "validation") if part in parts}
        return {part: record_of(tensors, held_out=part != "train") for part, tensors in named.items()}
    except (ContainerError, OSError, KeyError, SafetensorError) as error:
        raise RunError(f"cannot read what {folder} kept of each sample: {error}") from error
