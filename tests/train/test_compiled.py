"""Compiled updates against plain ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from noiseproof.errors import RunError
from noiseproof.train import Progress, Record, make_recipe, train
from noiseproof.train import _compiled as steps

BASE: dict[str, Any] = {
    "data": "digits",
    "noise": {"kind": "symmetric", "rate": 0.4},
    "model": "mlp(hidden=32)",
    "method": {"loss": "jal-ce", "l1": 1e-4},
    "epochs": 1,
    "batch_size": 57,  # 21 batches of it and one of 4
    "lr": 0.01,  # as published for CIFAR-10
    "clip_norm": 5.0,
    "augment": ["crop", "flip", "rotate"],
}


def both(folder: Path, **changes: Any) -> tuple[Record, Record]:
    recipe = make_recipe({**BASE, **changes})
    return train(recipe, folder / "plain"), train(recipe, folder / "fast", fast=True)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights.safetensors")


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "model": "small-cnn(width=0.25)",
            "method": {"loss": "nce+agce", "l2": 1e-3},
            "nesterov": True,
            "data": "arrays",
        },
        {"method": {"loss": "nlnl", "optimizer": "adam", "lr": 1e-3}, "clip_norm": None, "noise": {"kind": "none"}},
    ],
    ids=["jal-ce", "convolutions", "a-loss-that-draws"],
)
def test_fast_and_plain_give_the_same(tmp_path: Path, changes: dict[str, Any]) -> None:
    if changes.get("data") == "arrays":
        # In the digits' black borders all of a pooling window is the same, and rounding decides where a gradient goes.
        # In a deeper network rounding does so at a ReLU after some ten updates, whatever the images are.
        random = np.random.default_rng(0)
        np.savez(
            tmp_path / "data.npz",
            images=random.integers(0, 256, (1140, 16, 16, 3), dtype=np.uint8),
            labels=random.integers(0, 10, 1140),
        )
        changes = {**changes, "data": {"name": "arrays", "path": str(tmp_path / "data.npz")}, "noise": {"kind": "none"}}
    plain, fast = both(tmp_path, **changes)
    assert plain.last is not None
    assert fast.last is not None
    assert fast.last.train_loss == pytest.approx(plain.last.train_loss, rel=1e-5)
    assert fast.last.train_accuracy == pytest.approx(plain.last.train_accuracy, abs=2 / 1201)
    slow, quick = weights_of(tmp_path / "plain"), weights_of(tmp_path / "fast")
    for name, value in slow.items():
        torch.testing.assert_close(quick[name], value, rtol=1e-5, atol=1e-5)
    assert [record.environments[0]["environment"]["step"] for record in (plain, fast)] == ["plain", "compiled"]


def test_a_fast_run_goes_on_with_the_same_bytes(tmp_path: Path) -> None:
    recipe = make_recipe({**BASE, "epochs": 2})
    train(recipe, tmp_path / "whole", fast=True)
    for stop in (7, 30, 1000):
        asked = iter(range(1000))
        record = train(recipe, tmp_path / "parts", fast=True, should_stop=lambda: next(asked) >= stop)  # noqa: B023
    assert record.status == "finished"
    for name in ("weights.safetensors", "record.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.usefixtures("unmeasured")
def test_every_run_of_a_process_is_compiled(tmp_path: Path) -> None:
    # Without a limit of noiseproof's own, PyTorch would compile none of the later ones, and say so in its log only.
    torch.compiler.reset()
    with torch._dynamo.config.patch({steps._LIMIT: 1}):
        # Batches of 57 and of 4: two graphs of the network, once, and two of each loss.
        for seed, (loss, expected) in enumerate((("ce", 4), ("mae", 2), ("ce", 0))):
            compiled = torch._dynamo.utils.counters["stats"]["unique_graphs"]
            train(make_recipe({**BASE, "method": {"loss": loss}, "seed": seed}), tmp_path / str(seed), fast=True)
            new = torch._dynamo.utils.counters["stats"]["unique_graphs"] - compiled
            assert new == expected


def test_what_cannot_be_fast_is_said_before_the_first_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError, match=r"works in precision 32-true, .* not 64-true"):
        train(make_recipe({**BASE, "precision": "64-true"}), tmp_path / "double", fast=True)

    with monkeypatch.context() as broken:
        broken.setattr(torch, "compile", lambda *_, **__: _Fails())
        with pytest.raises(RunError, match=r"cannot be compiled \(OSError: no compiler\)\. It needs"):
            train(make_recipe(BASE), tmp_path / "no-compiler", fast=True)

    with monkeypatch.context() as broken:
        broken.setattr(steps._Replay, "_update", lambda _: None)
        with pytest.raises(RunError, match=r"update of 4 samples differs from the plain one by 1 of the change"):
            train(make_recipe(BASE), tmp_path / "wrong", fast=True)


class _Fails(torch.nn.Module):
    def forward(self, *_: object) -> None:
        raise OSError("no compiler")


def test_float32_is_float32_unless_the_recipe_allows_less(tmp_path: Path) -> None:
    switches: list[Any] = [torch.backends.cudnn, torch.backends.cuda.matmul]
    before = [switch.allow_tf32 for switch in switches]
    for precision, allowed in (("32-true", False), ("tf32-true", True), ("bf16-mixed", False)):
        seen: list[bool] = []
        recipe = make_recipe({**BASE, "precision": precision})
        train(recipe, tmp_path / precision, watch=lambda _: seen.extend(one.allow_tf32 for one in switches))  # noqa: B023
        assert set(seen) == {allowed}
    assert [switch.allow_tf32 for switch in switches] == before


@pytest.mark.gpu
@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "32-true"},
        {"precision": "tf32-true"},
        {"precision": "bf16-mixed"},
        {"method": {"loss": "ce", "optimizer": "adam", "lr": 1e-3}},
    ],
)
def test_graphs_give_what_plain_updates_give(tmp_path: Path, changes: dict[str, Any]) -> None:
    recipe = make_recipe({**BASE, "model": "small-cnn(width=0.5)", "epochs": 8, **changes})
    plain = train(recipe, tmp_path / "plain", device="cuda")
    fast = train(recipe, tmp_path / "fast", device="cuda", fast=True)
    other = train(recipe.replace(seed=2), tmp_path / "other", device="cuda")
    assert fast.environments[0]["environment"]["step"] == "compiled, CUDA graph"
    losses = [record.last.train_loss for record in (plain, fast, other) if record.last is not None]
    assert abs(losses[1] - losses[0]) < max(abs(losses[2] - losses[0]), 1e-3 * losses[0])


@pytest.mark.gpu
def test_no_update_of_an_epoch_waits_for_the_host(tmp_path: Path) -> None:
    def watch(progress: Progress) -> None:
        torch.cuda.set_sync_debug_mode("default" if progress.step == progress.steps else "error")

    try:
        train(make_recipe({**BASE, "epochs": 2}), tmp_path, device="cuda", fast=True, watch=watch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
