"""Runs that are made longer give the bytes of one that was asked for at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from noiseproof.train import Recipe, Runs, make_recipe, read_record, train
from noiseproof.train import _loop as loop

BASE: dict[str, Any] = {
    "data": "digits",
    "noise": {"kind": "symmetric", "rate": 0.4},
    "model": "small-cnn(width=0.25)",
    "method": "gce",
    "batch_size": 64,
    "lr": 0.05,
    "augment": ["crop"],
    "validation": 0.1,
}
STEPS = 17


def recipe(epochs: int, schedule: Any = "constant", **changes: Any) -> Recipe:
    return make_recipe({**BASE, "epochs": epochs, "schedule": schedule, **changes})


def place(runs: Path, spec: Recipe) -> Path:
    from noiseproof.train import identify, load_dataset

    return Runs(runs).place(spec, identify(spec, load_dataset(spec.data).fingerprint))


def run(runs: Path, spec: Recipe) -> tuple[Path, int]:
    """Train, and say how many steps that took."""
    steps: list[object] = []
    folder = place(runs, spec)
    train(spec, folder, watch=steps.append)
    return folder, len(steps)


def assert_same_bytes(one: Path, other: Path) -> None:
    names = {path.name for path in one.iterdir()} - {"timing.csv", ".lock"}
    assert names == {path.name for path in other.iterdir()} - {"timing.csv", ".lock"}
    for name in names - {"checkpoint.pt"}:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


STABLE = {"warmup": 1, "decay": 0}


@pytest.mark.parametrize("schedule", ["constant", 0.9, {"factor": 0.1, "after": [3]}, STABLE], ids=str)
@pytest.mark.parametrize("method", ["gce", "elr"])
def test_ten_and_then_thirty_are_thirty(tmp_path: Path, schedule: Any, method: str) -> None:
    whole, steps = run(tmp_path / "whole", recipe(6, schedule, method=method))
    assert steps == 6 * STEPS
    run(tmp_path / "parts", recipe(1, schedule, method=method))
    _, more = run(tmp_path / "parts", recipe(2, schedule, method=method))
    assert more == STEPS
    folder, rest = run(tmp_path / "parts", recipe(6, schedule, method=method))
    assert rest == 4 * STEPS
    assert_same_bytes(folder, whole)
    lines = (folder / "timing.csv").read_text().splitlines()
    assert "epoch 2" in lines[1]  # where it began
    assert "epoch" not in "".join(lines[2:])


def test_a_decay_starts_from_any_of_them(tmp_path: Path) -> None:
    for epochs in (2, 4):
        run(tmp_path / "parts", recipe(epochs, {"warmup": 1, "decay": 0}))
    for stable, decay in ((2, 2), (4, 2), (4, 3)):
        spec = recipe(stable + decay, {"warmup": 1, "decay": decay})
        folder, steps = run(tmp_path / "parts", spec)
        assert steps == decay * STEPS
        whole, _ = run(tmp_path / "whole", spec)
        assert_same_bytes(folder, whole)
        record = read_record(folder)
        assert record is not None
        falling = [epoch.lr for epoch in record.epochs[stable - 1 :]]
        assert falling == sorted(falling, reverse=True)
        assert falling[0] == pytest.approx(0.05)
        assert falling[-1] == pytest.approx(0.05 / (decay + 1))


def test_a_longer_run_can_be_interrupted_and_the_shorter_one_be_gone(tmp_path: Path) -> None:
    whole, _ = run(tmp_path / "whole", recipe(4))
    short, _ = run(tmp_path / "parts", recipe(2))
    asked = iter(range(1000))
    folder = place(tmp_path / "parts", recipe(4))
    train(recipe(4), folder, should_stop=lambda: next(asked) >= 3)
    for path in short.iterdir():
        path.unlink()
    short.rmdir()
    train(recipe(4), folder)
    assert_same_bytes(folder, whole)


@pytest.mark.parametrize(
    "changes",
    [{"seed": 2}, {"lr": 0.04}, {"method": "ce"}, {"batch_size": 32}, {"schedule": "cosine"}, {"schedule": 0.9}],
    ids=str,
)
def test_what_differs_in_more_than_its_length_is_no_beginning(tmp_path: Path, changes: dict[str, Any]) -> None:
    run(tmp_path, recipe(2))
    spec = make_recipe({**BASE, "epochs": 3, "schedule": "constant", **changes})
    _, steps = run(tmp_path, spec)
    assert steps == 3 * -(-1081 // spec.batch_size)


def test_a_run_that_depends_on_its_length_keeps_no_checkpoint(tmp_path: Path) -> None:
    for spec, kept in (
        (recipe(2, "cosine"), False),
        (recipe(3, {"warmup": 0, "decay": 1}), False),
        (recipe(2, method="forward"), False),
        (recipe(2), True),
    ):
        folder, _ = run(tmp_path / str(kept), spec)
        assert (folder / "checkpoint.pt").exists() == kept
        assert not (folder / "checkpoint-previous.pt").exists()


def test_another_environment_is_no_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, recipe(2))
    real = loop.environment
    monkeypatch.setattr(loop, "environment", lambda device: {**real(device), "torch": "99"})
    folder, steps = run(tmp_path, recipe(3))
    assert steps == 3 * STEPS
    record = read_record(folder)
    assert record is not None
    assert [entry["from_epoch"] for entry in record.environments] == [1]


def test_a_damaged_beginning_is_left_alone(tmp_path: Path) -> None:
    short, _ = run(tmp_path, recipe(2))
    content = (short / "checkpoint.pt").read_bytes()
    (short / "checkpoint.pt").write_bytes(content[:-10])
    _, steps = run(tmp_path, recipe(3))
    assert steps == 3 * STEPS
