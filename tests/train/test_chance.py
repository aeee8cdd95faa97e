"""Training that learns nothing says so, and training that learns a little does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from noiseproof.errors import RunWarning
from noiseproof.models import make_model
from noiseproof.train import Record, make_recipe, train

_CLASSES = 10


def run(tmp_path: Path, *, told: bool = True, with_test: bool = True, rate: float = 0.0, **changes: Any) -> Record:
    """Train on 600 points, which tell their class or not, with wrong labels or without."""
    random = np.random.default_rng(5)
    labels = np.arange(600 + 300) % _CLASSES
    centers = 6 * random.normal(size=(_CLASSES, 8))
    features = random.normal(size=(900, 8)) + (centers[labels] if told else 0)
    noisy = labels[:600].copy()
    wrong = random.permutation(600)[: round(rate * 600)]
    noisy[wrong] = (noisy[wrong] + random.integers(1, _CLASSES, len(wrong))) % _CLASSES
    held = {"test_features": features[600:], "test_labels": labels[600:]} if with_test else {}
    np.savez(tmp_path / "own.npz", features=features[:600], labels=noisy, **held)
    values: dict[str, Any] = {
        "data": {"name": "arrays", "path": str(tmp_path / "own.npz")},
        "model": "mlp(hidden=32)",
        "method": "ce",
        "epochs": 15,
        "batch_size": 32,
        "lr": 0.03,
        "validation": 0.1,
    }
    return train(make_recipe({**values, **changes}), tmp_path / "run")


@pytest.mark.parametrize("with_test", [True, False])
@pytest.mark.parametrize("changes", [{}, {"validation": 0.0}, {"balanced": True}])
def test_training_that_stays_at_chance_says_so(tmp_path: Path, with_test: bool, changes: dict[str, Any]) -> None:
    with pytest.warns(RunWarning, match="stayed at chance: after 15 epochs .* Try lr = .*adamw.*'ce'") as said:
        record = run(tmp_path, told=False, with_test=with_test, lr=1e-6, **changes)
    assert len(said) == 1
    assert record.status == "finished"
    assert (tmp_path / "run" / "weights.safetensors").exists()


@pytest.mark.parametrize("rate", [0.0, 0.5, 0.8, 0.85])
@pytest.mark.parametrize("with_test", [True, False])
def test_training_that_learns_a_little_says_nothing(tmp_path: Path, rate: float, with_test: bool) -> None:
    record = run(tmp_path, rate=rate, with_test=with_test)
    assert record.last is not None
    assert record.last.train_accuracy > 0.13


def test_a_clean_test_set_tells_what_wrong_labels_hide(tmp_path: Path) -> None:
    """The network agrees with its training labels no more than chance has it, but does with the test labels."""
    random = np.random.default_rng(3)
    features, test_features = random.normal(size=(400, 4)), random.normal(size=(400, 4))
    network = make_model("mlp(hidden=64)", input_shape=(4,), num_classes=3, seed=1)
    standardized = torch.from_numpy((test_features - features.mean(0)) / features.std(0)).float()
    right = network(standardized).argmax(1).numpy()
    assert np.bincount(right).max() < 350
    arrays = {"features": features, "labels": random.integers(0, 3, 400)}
    np.savez(tmp_path / "own.npz", **arrays, test_features=test_features, test_labels=right)
    values = {"model": "mlp(hidden=64)", "method": "ce", "epochs": 20, "batch_size": 64, "lr": 1e-7}
    record = train(
        make_recipe({**values, "data": {"name": "arrays", "path": str(tmp_path / "own.npz")}}), tmp_path / "run"
    )
    assert record.last is not None
    assert record.last.test_accuracy is not None
    assert record.last.train_accuracy < 0.4
    assert record.last.test_accuracy > 0.98


@pytest.mark.parametrize("changes", [{"epochs": 1, "batch_size": 4}, {"epochs": 2}])
def test_a_few_updates_are_no_reason_to_speak(tmp_path: Path, changes: dict[str, Any]) -> None:
    run(tmp_path, told=False, lr=1e-6, **changes)


@pytest.mark.parametrize("largest", [0.5, 0.9])
def test_naming_the_most_frequent_class_is_chance(tmp_path: Path, largest: float) -> None:
    labels = (np.random.default_rng(0).random(400) > largest).astype(np.int64)
    np.savez(tmp_path / "own.npz", features=np.random.default_rng(1).normal(size=(400, 3)), labels=labels)
    values = {"model": "mlp(hidden=4)", "method": "ce", "epochs": 30, "batch_size": 64, "lr": 1e-4}
    recipe = make_recipe({**values, "data": {"name": "arrays", "path": str(tmp_path / "own.npz")}})
    with pytest.warns(RunWarning, match="stayed at chance"):
        train(recipe, tmp_path / "run")
