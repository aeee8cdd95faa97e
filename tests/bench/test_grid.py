from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import UNMEASURED
from noiseproof.bench import grid_status, load_grid, run_grid
from noiseproof.errors import RecipeError
from noiseproof.run import GridProgress
from noiseproof.train import folder_name, make_recipe, train

GRID = """
title = "Small"
extends = "digits"
epochs = 2
model = "mlp(hidden=16)"
batch_size = 128

[grid]
methods = ["ce", "jal-ce(a=5)"]
noise = ["none", "symmetric", {kind = "asymmetric", rates = [0.3], mapping = {3 = 5}}]
rates = [0.2, 0.6]
seeds = [1, 2]
"""


@pytest.fixture
def grid_file(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_text(GRID)
    return tmp_path / "small.toml"


def test_a_grid_is_a_product(grid_file: Path) -> None:
    grid = load_grid(grid_file)
    assert (grid.name, grid.title) == ("small", "Small")
    assert len(grid.recipes) == 2 * 4 * 2
    assert len({recipe.id for recipe in grid.recipes}) == 16
    assert len({folder_name(recipe) for recipe in grid.recipes}) == 16
    assert [recipe.seed for recipe in grid.recipes] == [1] * 8 + [2] * 8
    noises = [(recipe.noise.kind, recipe.noise.rate) for recipe in grid.recipes[:8:2]]
    assert noises == [("none", 0.0), ("symmetric", 0.2), ("symmetric", 0.6), ("asymmetric", 0.3)]


def test_rates_and_folders_of_instance_noise_and_lists() -> None:
    noise = [{"kind": "instance", "variant": "pdn"}, {"kind": "labels", "path": "to/My list.json", "column": "a b"}]
    grid = load_grid("digits", {"grid": {"noise": noise, "rates": [0.2, 0.4], "methods": ["ce"]}})
    assert [recipe.noise.known_rate for recipe in grid.recipes] == [0.2, 0.4, None]
    names = [folder_name(recipe).rpartition("-ce-")[0] for recipe in grid.recipes]
    assert names == ["digits-instance-0.2-pdn", "digits-instance-0.4-pdn", "digits-labels-my_list-a_b"]


def test_the_demo_is_what_the_readme_says() -> None:
    grid = load_grid("demo")
    assert [recipe.method.name for recipe in grid.recipes[:4]] == ["CE", "GCE", "NCE+RCE", "JAL-CE(a=5)"]
    assert len(grid.recipes) == 12
    assert {(recipe.noise.kind, recipe.noise.rate) for recipe in grid.recipes} == {("symmetric", 0.6)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": {"method": ["ce"]}}, "unknown axis grid.method; did you mean 'methods'"),
        ({"grid": {"seeds": []}}, "grid.seeds: expected a list with at least one entry"),
        ({"grid": {"seeds": 3}}, "grid.seeds: expected a list"),
        ({"grid": {"rates": [60]}}, "for 60 % write 0.6"),
        ({"grid": {"noise": ["symetric"]}}, "unknown noise 'symetric'"),
        ({"grid": {"methods": ["jalce"]}}, "did you mean 'jal-ce'"),
        ({"epoch": 1}, "unknown key 'epoch'"),
    ],
)
def test_bad_grids_are_named(grid_file: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_grid(grid_file, changes)


def test_changes_reach_every_method_and_noise_of_a_grid(grid_file: Path) -> None:
    grid = load_grid(grid_file, {"method": {"l2": 1e-3}, "noise": {"mode": "iid", "rate": 0.5}, "grid": {"seeds": [7]}})
    assert [recipe.method.name for recipe in grid.recipes] == ["CE", "JAL-CE(a=5)"] * 3
    assert {recipe.method.l2 for recipe in grid.recipes} == {1e-3}
    noises = [recipe.noise.model_dump(include={"kind", "rate", "mode"}) for recipe in grid.recipes[::2]]
    assert noises[0] == {"kind": "none"}
    assert noises[1:] == [{"kind": kind, "rate": 0.5, "mode": "iid"} for kind in ("symmetric", "asymmetric")]


@pytest.mark.parametrize("changes", [{"method": "gce"}, {"seed": 3}, {"noise": "symmetric"}])
def test_a_change_that_a_grid_would_hide_is_refused(grid_file: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"changes nothing, as the grid has .* of its own; change grid\."):
        load_grid(grid_file, changes)


def test_methods_follow_the_noise_of_their_cell() -> None:
    grid = load_grid(
        "cifar100",
        {
            "grid": {
                "methods": ["ce-eps+mae", "lt-apl", "jal-ce"],
                "noise": ["symmetric", {"kind": "asymmetric", "rates": [0.2]}],
                "rates": [0.2, 0.6],
            }
        },
    )
    told = [recipe.method.loss for recipe in grid.recipes if recipe.method.name == "CE_eps+MAE"]
    assert told == [
        "ce-eps+mae(alpha=0.05, beta=1, m=10000)",
        "ce-eps+mae(alpha=0.00125, beta=1, m=10000)",
        "ce-eps+mae(alpha=0.007, beta=1, m=100)",
    ]
    margins = [recipe.method.head for recipe in grid.recipes if recipe.method.name == "LT-APL"]
    wide, narrow = "student(margin=0.05, center=0.05)", "student(margin=0.01, center=0.001)"
    assert margins == [wide, narrow, wide]
    changed = load_grid("cifar100", {"method": "ce-eps+mae", "noise": {"rate": 0.8}})
    assert changed.recipes[0].method.loss == "ce-eps+mae(alpha=0.0075, beta=1, m=10000)"


def test_a_grid_puts_all_methods_under_one_regularizer() -> None:
    methods = ["ce", {"name": "gce", "source": "paper"}, "jal-ce(a=5)", {"loss": "nce + amse", "name": "mine"}]
    grid = load_grid("cifar10", {"grid": {"methods": methods, "regularizer": "l2"}})
    assert [recipe.method.name for recipe in grid.recipes] == [
        "CE with L2",
        "GCE with L2",
        "JAL-CE(a=5) with L2",
        "mine with L2",
    ]
    assert {(recipe.method.l1, recipe.method.l2) for recipe in grid.recipes} == {(0.0, 1e-4)}
    with pytest.raises(RecipeError, match="unknown regularizer 'l3'"):
        load_grid("cifar10", {"grid": {"regularizer": "l3"}})


def test_finished_runs_are_kept_and_the_rest_goes_on(grid_file: Path, tmp_path: Path) -> None:
    grid = load_grid(grid_file, {"grid": {"noise": ["symmetric"], "rates": [0.2], "seeds": [1]}})
    assert [status for *_, status in grid_status(grid, tmp_path / "runs")] == ["missing"] * 2
    stopped: list[GridProgress] = []

    def stop(progress: GridProgress) -> None:
        stopped.append(progress)
        if progress.number == 2 and progress.run is not None and progress.run.epoch == 2:
            raise OSError("stopped")

    with pytest.raises(OSError, match="stopped"):
        run_grid(grid, tmp_path / "runs", watch=stop)
    assert [status for *_, status in grid_status(grid, tmp_path / "runs")] == ["finished", "running"]
    seen: list[GridProgress] = []
    records = run_grid(grid, tmp_path / "runs", watch=seen.append)
    assert [record.status for record in records] == ["finished"] * 2
    assert {progress.number for progress in seen if progress.run is not None} == {2}
    assert seen[-1].done == 1
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)


def test_a_run_in_a_sweep_is_the_run_alone(grid_file: Path, tmp_path: Path) -> None:
    grid = load_grid(grid_file, {"grid": {"noise": ["symmetric"], "rates": [0.6]}})
    sweep = run_grid(grid, tmp_path / "sweep")[-1].folder
    assert sweep is not None
    recipe = grid.recipes[-1]
    train(recipe, tmp_path / "alone")
    code = (
        "import sys; from noiseproof.bench import load_grid; from noiseproof.train import train; "
        f"train(load_grid({str(grid_file)!r}, {{'grid': {{'noise': ['symmetric'], 'rates': [0.6]}}}}).recipes[-1], "
        f"{str(tmp_path / 'elsewhere')!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=UNMEASURED)
    for name in ("weights.safetensors", "selected.safetensors", "record.json"):
        alone = (tmp_path / "alone" / name).read_bytes()
        assert (sweep / name).read_bytes() == alone
        assert (tmp_path / "elsewhere" / name).read_bytes() == alone


def test_names_of_folders_can_be_read() -> None:
    recipe = make_recipe(
        {
            "data": "cifar10",
            "model": "cnn8",
            "method": {"loss": "nce + 0.5*amse(a=10)"},
            "noise": {"kind": "human", "column": "worst"},
            "epochs": 1,
            "batch_size": 128,
            "lr": 0.01,
            "seed": 3,
        }
    )
    assert folder_name(recipe) == f"cifar10-human-worst-nce_+_0.5_amse_a_10-seed3-{recipe.id}"


def test_ctrl_c_stops_the_whole_grid(grid_file: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from noiseproof.bench import load_grid, run_grid\n"
        "def watch(progress):\n"
        "    if progress.run is not None and progress.run.share == 1: os.kill(os.getpid(), signal.SIGINT)\n"
        f"run_grid(load_grid({str(grid_file)!r}), {str(tmp_path / 'runs')!r}, watch=watch)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=UNMEASURED)
    assert done.returncode in (1, -signal.SIGINT, 130)
    assert "KeyboardInterrupt" in done.stderr
    assert len(list((tmp_path / "runs").iterdir())) == 1
