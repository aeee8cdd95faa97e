"""Processes may die at any moment, and what a run computes does not depend on where it is computed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from conftest import UNMEASURED
from noiseproof.bench import load_grid
from noiseproof.errors import MissingPackageError, RecipeError, RunWarning
from noiseproof.run import EXECUTORS, GridProgress, Inline, Machine, Processes, Ray, executor_named, run_recipes
from noiseproof.train import Recipe, Record

SMALL = {"epochs": 2, "model": "mlp(hidden=8)", "batch_size": 256, "grid": {"methods": ["ce"], "seeds": [1, 2]}}


def recipes(epochs: int = 2) -> tuple[Recipe, ...]:
    return load_grid("demo", {**SMALL, "epochs": epochs}).recipes


def contents(records: dict[str, Record]) -> dict[str, bytes]:
    folders = [record.folder for record in records.values()]
    names = ("record.json", "noise.json", "weights.safetensors", "selected.safetensors")
    return {f"{folder.name}/{name}": (folder / name).read_bytes() for folder in folders if folder for name in names}


def owner(folder: Path) -> int:
    """The process that has a run now."""
    return int((folder / ".owner").read_text(encoding="utf-8").split()[1])


def test_a_killed_process_costs_a_retry_and_no_other_run_its_progress(tmp_path: Path) -> None:
    machine, asked = Machine(device="cpu", jobs=2), recipes(epochs=300)
    undisturbed = run_recipes(asked, tmp_path / "undisturbed", machine)
    owners: dict[str, set[int]] = {}
    killed: list[Path] = []

    def watch(progress: GridProgress) -> None:
        for folder in (tmp_path / "runs").iterdir():
            if (folder / ".owner").exists():
                owners.setdefault(folder.name, set()).add(owner(folder))
        if not killed and progress.done > 0.4:
            killed.append(min((tmp_path / "runs").iterdir()))
            os.kill(owner(killed[0]), signal.SIGKILL)

    with pytest.warns(RunWarning, match=r"a worker process ended while it ran .*CE, seed 1.*from its checkpoint"):
        records = run_recipes(asked, tmp_path / "runs", machine, watch=watch)
    assert [len(pids) for _, pids in sorted(owners.items())] == [2, 1]
    assert contents(records) == contents(undisturbed)
    for record in records.values():
        assert record.folder is not None
        left = {path.name for path in record.folder.iterdir()}
        assert not {name for name in left if name.startswith(("stop", "progress", "checkpoint")) or "partial" in name}
    epochs = [
        len((folder / "timing.csv").read_text().splitlines()) - 1 for folder in sorted((tmp_path / "runs").iterdir())
    ]
    assert epochs[1] == 300
    assert 300 <= epochs[0] < 410  # it went on from a checkpoint: two fifths were done


def test_a_process_that_died_when_idle_is_replaced() -> None:
    executor = Processes(1).start()
    first = executor.submit(os.getpid).result(timeout=120)
    os.kill(first, signal.SIGKILL)
    pool = executor._pools[0]  # type: ignore[attr-defined]
    end = time.monotonic() + 60
    while not pool._broken and time.monotonic() < end:
        time.sleep(0.01)
    assert executor.submit(os.getpid).result(timeout=120) not in (first, os.getpid())
    executor.shutdown()


def test_ctrl_c_saves_all_runs_and_ends_their_processes(tmp_path: Path) -> None:
    owners: set[int] = set()

    def watch(progress: GridProgress) -> None:
        owners.update(owner(path.parent) for path in tmp_path.glob("*/.owner"))
        if len(owners) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recipes(recipes(epochs=100_000), tmp_path, Machine(device="cpu", jobs=2), watch=watch)
    folders = list(tmp_path.iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert json.loads((folder / "record.json").read_text())["status"] == "running"
        assert (folder / "checkpoint.pt").exists()
        assert not [path for path in folder.iterdir() if path.name.startswith(("stop", "progress"))]
    for process in owners:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


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
    assert "3 times in all" in done.stderr
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


SCRIPT = """
from noiseproof.bench import load_grid
from noiseproof.run import Machine, run_recipes
open("begun", "a").write("x")
run_recipes(load_grid("demo", {grid}).recipes, "runs", Machine(device="cpu", jobs=2))
"""
WAYS = {
    "script without a guard": ["script.py"],
    "python -": ["-"],
    "notebook": ["-c", "import code; console = code.InteractiveConsole({'__name__': '__main__'});"
                 "import sys, types; sys.modules['__main__'] = main = types.ModuleType('__main__');"
                 "exec(compile(open('script.py').read(), '<ipython-input-1>', 'exec'), main.__dict__)"],
}  # fmt: skip


@pytest.mark.parametrize(
    "way", ["script without a guard", *(pytest.param(way, marks=pytest.mark.slow) for way in ("python -", "notebook"))]
)
def test_workers_never_run_the_main_module(way: str, tmp_path: Path) -> None:
    source = SCRIPT.format(grid={**SMALL, "epochs": 1})
    (tmp_path / "script.py").write_text(source)
    command = [sys.executable, *WAYS[way]]
    done = subprocess.run(
        command, input=source, cwd=tmp_path, env=UNMEASURED, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "begun").read_text() == "x"
    records = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/record.json")]
    assert [record["status"] for record in records] == ["finished"] * 2


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("threads", {}, r"unknown executor 'threads' \(known: inline, processes, ray\)"),
        ("proceses", {}, "did you mean 'processes'"),
        ("inline", {"jobs": 2}, "the executor inline runs one at a time"),
        ("processes", {"gpus_per_run": 0.5}, "the executor processes takes no gpus per run"),
        ("processes://here", {}, "the executor processes takes no address"),
        ("processes", {"jobs": 0}, "jobs 0: expected a number of processes"),
        ("ray", {"gpus_per_run": 1.5}, "gpus per run 1.5: expected a part of one such as 0.5, or a whole number"),
        ("ray", {"gpus_per_run": float("nan")}, "gpus per run nan"),
        ("ray", {"cpus_per_run": 0}, "cpus per run 0: expected a number of cores"),
    ],
)
def test_mistakes_in_settings_are_named(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        executor_named(name, **settings)


def test_executors_have_names_and_settings() -> None:
    assert {*EXECUTORS} >= {"inline", "processes", "ray"}
    assert executor_named(None) == executor_named(None, jobs=1) == Inline()
    assert executor_named(None, jobs=3) == executor_named("processes", jobs=3) == Processes(3)
    assert executor_named("ray://head:10001", gpus_per_run=0.5) == Ray(address="ray://head:10001", gpus_per_run=0.5)
    assert Machine(executor="processes", jobs=2).settings() == Machine(jobs=2).settings()
    assert Processes(1).threads() == (os.cpu_count() or 1)
    assert Ray(cpus_per_run=3).threads() == 3
    with ThreadPoolExecutor(2) as threads, pytest.raises(RecipeError, match="threads share PyTorch's random state"):
        Machine(executor=threads)


def test_ray_is_an_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match=r"pip install 'noiseproof\[ray\]'"):
        run_recipes(recipes(), tmp_path, Machine(executor="ray"))
