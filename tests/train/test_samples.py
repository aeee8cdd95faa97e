"""What is kept of each sample is what a plain count of every pass gives, resumed or not, and changes no result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch import Tensor

import noiseproof
from noiseproof.errors import RunError
from noiseproof.train import Record, SampleRecord, make_recipe, read_samples, train
from noiseproof.train._samples import SampleNotes, codes_of

RECIPE = {
    "data": "digits",
    "noise": {"kind": "symmetric", "rate": 0.4},
    "model": "mlp(hidden=16)",
    "method": {"loss": "ce"},
    "epochs": 5,
    "batch_size": 100,
    "lr": 0.05,
    "validation": 0.2,
    "schedule": "constant",
    "samples": "scores",
}


def run(folder: Path, **changes: Any) -> Record:
    options = {key: changes.pop(key) for key in ("should_stop", "fast") if key in changes}
    return train(make_recipe({**RECIPE, **changes}), folder, device="cpu", workers=0, **options)


class Seen:
    """All that a run noted, as it came."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.epochs: dict[int, list[dict[int, np.ndarray]]] = {}
        note, end_epoch = SampleNotes.note, SampleNotes.end_epoch

        def noting(notes: SampleNotes, index: Tensor, logits: Tensor, features: Tensor | None = None) -> None:
            epochs = self.epochs.setdefault(len(notes.labels), [{}])
            rows = logits.detach().double().numpy()
            epochs[-1].update({int(place): row for place, row in zip(index, rows, strict=True)})
            note(notes, index, logits, features)

        def ending(notes: SampleNotes) -> None:
            self.epochs[len(notes.labels)].append({})
            end_epoch(notes)

        monkeypatch.setattr(SampleNotes, "note", noting)
        monkeypatch.setattr(SampleNotes, "end_epoch", ending)

    def logits(self, count: int, classes: int) -> np.ndarray:
        """``(epochs, N, classes)``, NaN for what did not pass."""
        epochs = self.epochs[count][:-1]
        found = np.full((len(epochs), count, classes), np.nan)
        for number, passed in enumerate(epochs):
            for place, row in passed.items():
                found[number, place] = row
        return found


def check(kept: SampleRecord, logits: np.ndarray) -> None:
    """Compare a record with its definition."""
    epochs, count, classes = logits.shape
    seen = ~np.isnan(logits[..., 0])
    label = np.broadcast_to(kept.labels[None, :, None], (epochs, count, 1))
    own = np.take_along_axis(log_softmax(logits, -1), label, -1)[..., 0]
    others = logits.copy()
    np.put_along_axis(others, label, -np.inf, -1)
    margins = np.take_along_axis(logits, label, -1)[..., 0] - others.max(-1)
    np.testing.assert_array_equal(kept.predictions, np.where(seen, logits.argmax(-1), -1))
    np.testing.assert_array_equal(kept.codes == 255, ~seen)
    exact = own[seen] / -np.log(2) * 16
    assert (abs(kept.codes[seen] - exact.clip(0, 254)) <= 0.501).all()
    np.testing.assert_array_equal(np.isnan(kept.label_probabilities), ~seen)
    counted = kept.codes < 254
    np.testing.assert_allclose(kept.label_probabilities[counted], np.exp(own[counted]), rtol=0.0225)
    p = softmax(logits, -1)
    for sums in (kept.sums, *kept.copies):
        part = slice(0, sums.epoch)
        np.testing.assert_array_equal(sums.passes, seen[part].sum(0))
        np.testing.assert_allclose(sums.margins, np.nansum(margins[part], 0), rtol=1e-4, atol=1e-4)
        if classes <= 100:
            np.testing.assert_allclose(sums.probabilities, np.nansum(p[part], 0), rtol=1e-4, atol=1e-5)
    powers = [2**n for n in range(10) if 2**n <= epochs]
    assert [copy.epoch for copy in kept.copies] == powers[-2:]
    assert kept.sums.epoch == kept.epochs == epochs


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"epochs": 1},
        {"method": {"kind": "forward"}, "epochs": 6},
        {"method": {"kind": "elr"}},
        {"balanced": True, "noise": {"kind": "asymmetric", "rate": 0.4, "mapping": {"3": 5, "1": 7}}},
        {"precision": "64-true"},
        {"precision": "bf16-mixed"},
    ],
    ids=str,
)
def test_it_is_what_every_pass_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    seen = Seen(monkeypatch)
    record = run(tmp_path / "run", **changes)
    kept = read_samples(tmp_path / "run")
    assert kept.keys() == {"train", "validation"}
    assert [part.held_out for part in kept.values()] == [False, True]
    for part in kept.values():
        check(part, seen.logits(len(part.labels), 10))
        assert part.classes.tolist()[0] == list(range(10))
        assert part.features is None
    both = np.concatenate([part.index for part in kept.values()])
    assert sorted(both.tolist()) == list(range(len(noiseproof.data.digits().train)))
    assert record.last is not None
    held = kept["validation"]
    agreed = (held.predictions[-1] == held.labels).mean()
    assert agreed == pytest.approx(record.last.validation_accuracy)


def test_with_many_classes_the_first_twenty_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    labels = random.permutation(np.arange(900) % 150)
    np.savez(tmp_path / "many.npz", features=random.normal(size=(900, 5)) + labels[:, None] % 7, labels=labels)
    seen = Seen(monkeypatch)
    changes = {"data": {"name": "arrays", "path": str(tmp_path / "many.npz")}, "noise": {"kind": "none"}}
    run(tmp_path / "run", **changes, epochs=6)
    for part in read_samples(tmp_path / "run").values():
        logits = seen.logits(len(part.labels), 150)
        check(part, logits)
        p = softmax(logits, -1)
        np.testing.assert_array_equal(part.classes[:, 0], part.labels)
        np.testing.assert_allclose(
            part.sums.probabilities[:, 0], np.take_along_axis(p, part.labels[None, :, None], -1).sum((0, 2)), rtol=1e-4
        )
        for sample in range(0, len(part.labels), 50):
            led = _leaders(p[:, sample], int(part.labels[sample]))
            assert dict(zip(part.classes[sample, 1:].tolist(), part.sums.probabilities[sample, 1:], strict=True)) == {
                place: pytest.approx(total, rel=1e-3) for place, total in led.items()
            }


def _leaders(p: np.ndarray, label: int) -> dict[int, float]:
    """The twenty classes besides the label that led in three epochs, and their sums since they did."""
    kept: dict[int, float] = {}
    for epoch, row in enumerate(p):
        others = [place for place in np.argsort(-row, kind="stable").tolist() if place != label]
        if epoch < 3:
            for place in others[:20]:
                kept[place] = kept.get(place, 0.0) + row[place]
            kept = dict(sorted(kept.items(), key=lambda entry: -entry[1])[:20])
        else:
            kept = {place: total + row[place] for place, total in kept.items()}
    return kept


def test_it_changes_no_result(tmp_path: Path) -> None:
    for name in ("none", "scores", "features"):
        run(tmp_path / name, samples=name)
    weights = {(tmp_path / name / "weights.safetensors").read_bytes().partition(b"}}")[2][-4000:] for name in
               ("none", "scores", "features")}  # fmt: skip
    assert len(weights) == 1
    with pytest.raises(RunError, match="kept nothing of each sample: train with samples = 'scores'"):
        read_samples(tmp_path / "none")
    with pytest.raises(RunError, match="has no record of a run"):
        read_samples(tmp_path)


@pytest.mark.parametrize("samples", ["scores", "features"])
def test_resumed_it_has_the_same_bytes(tmp_path: Path, samples: str) -> None:
    run(tmp_path / "whole", samples=samples)
    stops = iter([False] * 7 + [True] + [False] * 16 + [True] + [False] * 100)
    for _ in range(3):
        record = run(tmp_path / "parts", samples=samples, should_stop=lambda: next(stops))
    assert record.status == "finished"
    whole, parts = ((tmp_path / name / "samples.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_a_stopped_run_has_it_too_and_none_of_it_depends_on_the_length(tmp_path: Path) -> None:
    count = 0

    def stop_in_the_third_epoch() -> bool:
        nonlocal count
        count += 1
        return count == 30

    assert run(tmp_path / "stopped", should_stop=stop_in_the_third_epoch, epochs=9).status == "running"
    stopped = read_samples(tmp_path / "stopped")["train"]
    run(tmp_path / "short", epochs=stopped.epochs)
    short = read_samples(tmp_path / "short")["train"]
    run(tmp_path / "long", epochs=4)
    long = read_samples(tmp_path / "long")["train"]
    assert 1 < stopped.epochs < 4
    np.testing.assert_array_equal(stopped.codes, short.codes)
    np.testing.assert_array_equal(stopped.sums.probabilities, short.sums.probabilities)
    np.testing.assert_array_equal(long.codes[: short.epochs], short.codes)
    assert [copy.epoch for copy in long.copies] == [2, 4]
    np.testing.assert_array_equal(long.copies[0].margins, short.copies[-1].margins)


def test_features_are_what_the_classifier_gets(tmp_path: Path) -> None:
    run(tmp_path / "run", samples="features", epochs=2)
    kept = read_samples(tmp_path / "run")
    state = noiseproof.load(tmp_path / "run", epoch="last", device="cpu")
    held = kept["validation"]
    assert held.features is not None
    assert held.features.shape == (len(held.labels), 16)
    inputs = noiseproof.data.digits().train.inputs[held.index]
    # The classifier over the kept features predicts what was predicted.
    weights = noiseproof.prediction._predictor.tensors_of((tmp_path / "run/weights.safetensors").read_bytes())
    logits = (
        held.features.astype(np.float32) @ weights["classifier.weight"].numpy().T + weights["classifier.bias"].numpy()
    )
    np.testing.assert_allclose(softmax(logits, -1), state.predict_proba(inputs), atol=2e-3)
    train_part = kept["train"]
    assert train_part.features is not None
    assert (abs(train_part.features).max(1) > 0).all()


def test_a_run_that_diverges_has_the_epochs_before(tmp_path: Path) -> None:
    changes = {"method": {"loss": "ce"}, "lr": 1e30, "schedule": {"warmup": 2, "decay": 0}}
    record = run(tmp_path / "run", **changes, noise={"kind": "none"})
    assert record.status == "diverged"
    assert read_samples(tmp_path / "run")["train"].epochs == len(record.epochs)


def test_compiled_updates_keep_it_too(tmp_path: Path) -> None:
    run(tmp_path / "fast", fast=True, epochs=2)
    run(tmp_path / "plain", epochs=2)
    fast, plain = (read_samples(tmp_path / name)["train"] for name in ("fast", "plain"))
    assert (fast.predictions == plain.predictions).mean() > 0.99
    np.testing.assert_array_equal(fast.sums.passes, plain.sums.passes)
    np.testing.assert_allclose(fast.sums.probabilities, plain.sums.probabilities, atol=0.05)
    with pytest.raises(RunError, match="--fast keeps no features"):
        run(tmp_path / "features", fast=True, samples="features")


def test_codes() -> None:
    p = torch.tensor([1.0, 0.5, 0.25, 2.0**-15.875, 1e-30, 0.0, torch.nan])
    assert codes_of(p.log()).tolist() == [0, 16, 32, 254, 254, 254, 255]
