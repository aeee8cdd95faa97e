"""Workers may die at any moment, and what a run computes does not depend on which worker it has."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from conftest import UNMEASURED
from noiseproof.bench import load_grid
from noiseproof.errors import RunError
from noiseproof.run import Machine, run_recipes
from noiseproof.run._workers import Workers
from noiseproof.train import Recipe

SMALL = {"epochs": 2, "model": "mlp(hidden=8)", "batch_size": 256, "grid": {"methods": ["ce"], "seeds": [1, 2]}}

ENDED = "a worker process ended while it ran .*CE, seed 1.* run the same command again with fewer jobs"


@functools.cache
def recipes() -> tuple[Recipe, ...]:
    return load_grid("demo", SMALL).recipes


@pytest.fixture
def workers() -> Iterator[Workers]:
    machine = Machine(device="cpu")
    with Workers(1, 1, machine.arguments(), machine.load) as some:
        yield some


def kill(workers: Workers) -> None:
    workers._processes[0].kill()
    workers._processes[0].join()


def finish(workers: Workers) -> None:
    deadline = time.monotonic() + 300
    while workers.busy and time.monotonic() < deadline:
        workers.wait(time.monotonic() + 1)


def test_a_worker_that_died_before_its_run_is_told(workers: Workers, tmp_path: Path) -> None:
    kill(workers)
    with pytest.raises(RunError, match=ENDED):
        workers.start(recipes()[0], tmp_path)


def test_a_worker_that_dies_with_its_data_unread_is_told(workers: Workers, tmp_path: Path) -> None:
    process = workers._processes[0]
    os.kill(process.pid, signal.SIGSTOP)  # before it has read anything
    workers.start(recipes()[0], tmp_path)
    kill(workers)
    with pytest.raises(RunError, match=ENDED):
        workers.wait(time.monotonic() + 60)


def test_a_worker_that_dies_when_idle_is_told_at_its_next_run(workers: Workers, tmp_path: Path) -> None:
    workers.start(recipes()[1], tmp_path / "1")
    finish(workers)
    assert json.loads((tmp_path / "1" / "record.json").read_text())
    kill(workers)
    with pytest.raises(RunError, match=ENDED):
        workers.start(recipes()[0], tmp_path / "0")


def test_a_worker_that_dies_while_it_trains_is_told(workers: Workers, tmp_path: Path) -> None:
    (recipe, _) = load_grid("demo", {**SMALL, "epochs": 100_000}).recipes
    workers.start(recipe, tmp_path)
    while not workers.wait(time.monotonic() + 1):
        pass
    kill(workers)
    with pytest.raises(RunError, match=ENDED):
        finish(workers)


def test_a_worker_stops_at_the_end_of_its_step(workers: Workers, tmp_path: Path) -> None:
    (recipe, _) = load_grid("demo", {**SMALL, "epochs": 100_000}).recipes
    workers.start(recipe, tmp_path)
    while not workers.wait(time.monotonic() + 1):
        pass
    workers.stop()
    finish(workers)
    assert json.loads((tmp_path / "record.json").read_text())["status"] == "running"


def test_a_command_whose_workers_die_at_once_fails(tmp_path: Path) -> None:
    """That pipe is no standard output whose reader went away."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif any('spawn_main' in text for text in sys.orig_argv): os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-m", "noiseproof", "bench", "demo", "--jobs", "2", "--device", "cpu"]
    environment = {**UNMEASURED, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(
        [*command, "--set", "epochs=1"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "error: a worker process ended while it ran" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_last_run_of_several_has_the_threads_of_the_others(tmp_path: Path) -> None:
    machine = Machine(device="cpu", jobs=2)
    both = run_recipes(recipes(), tmp_path, machine)
    folder = both[recipes()[1].id].folder
    assert folder is not None
    weights = (folder / "weights.safetensors").read_bytes()
    shutil.rmtree(folder)
    before = torch.get_num_threads()
    torch.set_num_threads(3)  # of this process, in which it is not to train
    try:
        again = run_recipes(recipes(), tmp_path, machine)
    finally:
        torch.set_num_threads(before)
    threads = {record.environments[-1]["environment"]["threads"] for record in (*both.values(), *again.values())}
    assert threads == {max(1, (os.cpu_count() or 1) // 2)}
    assert (folder / "weights.safetensors").read_bytes() == weights
