"""Runs that are killed, interrupted, out of disk space or disturbed, in real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import killable_run
from conftest import UNMEASURED
from noiseproof.errors import RunError
from noiseproof.train import make_recipe, read_record, train

FILES = ("record.json", "weights.safetensors", "selected.safetensors", "noise.json")


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs that each have a process of their own."""
    command = [sys.executable, killable_run.__file__]
    errors = tmp_path_factory.mktemp("errors") / "errors"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, env=UNMEASURED) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def run(folder: Path, data: Path, *moment: str) -> subprocess.CompletedProcess[str]:
            errors.unlink(missing_ok=True)
            print(json.dumps([str(errors), str(folder), str(data), *moment]), file=server.stdin, flush=True)
            status = int(server.stdout.readline())
            return subprocess.CompletedProcess(moment, status, stderr=errors.read_text(encoding="utf-8"))

        yield run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from noiseproof.data import digits

    part = digits()
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(
        path,
        images=part.train.inputs[:300, ..., 0],
        labels=part.train.labels[:300],
        test_images=part.train.inputs[300:400, ..., 0],
        test_labels=part.train.labels[300:400],
    )
    return path


@pytest.fixture(scope="module")
def reference(run: Run, data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a run that was never disturbed: 15 steps in each of 4 epochs."""
    folder = tmp_path_factory.mktemp("reference") / "run"
    assert run(folder, data).returncode == 0
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    assert not list(folder.glob("*.partial"))
    assert not list(folder.glob("checkpoint*"))
    return {name: (folder / name).read_bytes() for name in FILES}


def test_two_undisturbed_runs_are_the_same_bytes(
    run: Run, data: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    assert run(tmp_path / "run", data).returncode == 0
    assert contents(tmp_path / "run") == reference


# The files of a fresh process are, in this order: the noise (once), the record, then a checkpoint and a record per
# epoch, and at the end the last weights, the selected weights and the record. From the second checkpoint on, the one
# before it is renamed first: "renamed:2" leaves that one alone.
@pytest.mark.parametrize(
    "moments",
    [
        ["step:1", "step:7", "step:15", "step:22"],
        ["write:1", "rename:2", "write:3", "renamed:3", "rename:2", "renamed:2", "write:2"],
        ["renamed:9", "write:3", "rename:4", "renamed:4"],
    ],
    ids=["between steps", "in the files of an epoch", "at the end"],
)
def test_kill_9_and_start_again_gives_the_same_bytes(
    run: Run, data: Path, reference: dict[str, bytes], tmp_path: Path, moments: list[str]
) -> None:
    folder = tmp_path / "run"
    for moment in moments:
        killed = run(folder, data, moment)
        assert killed.returncode == -signal.SIGKILL, (moment, killed.stderr)
    assert run(folder, data).returncode == 0
    assert contents(folder) == reference


def test_ctrl_c_keeps_the_place_in_the_epoch(run: Run, data: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for steps, (epoch, step) in ((20, (1, 5)), (3, (1, 8))):
        assert run(folder, data, f"interrupt:{steps}").returncode == 130
        state = killable_run.read_state(folder / "checkpoint.pt")
        assert (state["epoch"], state["step"]) == (epoch, step)
    assert run(folder, data).returncode == 0
    assert contents(folder) == reference


def test_a_closed_terminal_saves_the_place(run: Run, data: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    assert run(tmp_path / "run", data, "hup:20").returncode == 130
    assert killable_run.read_state(tmp_path / "run" / "checkpoint.pt")["step"] == 5
    assert run(tmp_path / "run", data).returncode == 0
    assert contents(tmp_path / "run") == reference


def test_under_nohup_a_run_outlives_its_terminal(
    run: Run, data: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    command = [sys.executable, killable_run.__file__, str(tmp_path / "run"), str(data), "hup:20"]
    ignore = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command]
    assert subprocess.run(ignore, timeout=300, check=False, env=UNMEASURED).returncode == 0
    assert contents(tmp_path / "run") == reference


def test_ctrl_c_in_the_last_step_stops_what_comes_after(
    run: Run, data: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    assert run(tmp_path / "run", data, "interrupt:60").returncode == 130
    assert contents(tmp_path / "run") == reference


def test_a_full_disk_loses_nothing(run: Run, data: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert run(folder, data, "step:20").returncode == -signal.SIGKILL
    before = (folder / "checkpoint.pt").read_bytes()
    full = run(folder, data, "disk:20000")
    assert full.returncode == 2
    assert "could not write" in full.stderr
    assert "File too large" in full.stderr
    assert "run the same command again" in full.stderr
    assert (folder / "checkpoint.pt").read_bytes() == before
    assert run(folder, data).returncode == 0
    assert contents(folder) == reference


def test_a_folder_in_use_is_left_alone(run: Run, data: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, killable_run.__file__, str(folder), str(data), "hang:3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=UNMEASURED) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "hanging\n"
        recipe = make_recipe({**killable_run.RECIPE, "data": {"name": "arrays", "path": str(data)}})
        with pytest.raises(RunError, match=rf"is being used by another process \(process {other.pid} on "):
            train(recipe, folder)
        other.kill()
    assert run(folder, data).returncode == 0
    assert contents(folder) == reference


def test_the_same_bytes_in_this_process(data: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    import torch

    threads = torch.get_num_threads()
    recipe = make_recipe({**killable_run.RECIPE, "data": {"name": "arrays", "path": str(data)}})
    torch.manual_seed(99)
    before = torch.get_rng_state()
    record = train(recipe, tmp_path / "run")
    assert record.environments[0]["environment"]["threads"] == threads
    assert contents(tmp_path / "run") == reference
    assert (torch.get_rng_state() == before).all()
    assert read_record(tmp_path / "run") == record
