"""What the scheduler does with what executors say, and what a process checks before it runs something."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
import torch

from noiseproof import cli
from noiseproof.bench import load_grid
from noiseproof.errors import FolderInUseError, RecipeError, RunError, RunWarning
from noiseproof.run import ExecutorSettings, Machine, run_recipes
from noiseproof.run import _scheduler as scheduler
from noiseproof.run import _work as work
from noiseproof.run._mailbox import Mailbox
from noiseproof.train import Progress, Recipe

SMALL = {"epochs": 2, "model": "mlp(hidden=8)", "batch_size": 256, "grid": {"methods": ["ce"], "seeds": [1, 2]}}


def recipes(**changes: Any) -> tuple[Recipe, ...]:
    return load_grid("demo", {**SMALL, **changes}).recipes


class Elsewhere(Executor):
    """Another process as far as the scheduler can see: it hears of it by files and outcomes alone."""

    def __init__(self, before: Callable[[Any], Any] = lambda order: order) -> None:
        self.orders: list[Any] = []
        self._before = before

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            (order,) = fn.args  # type: ignore[attr-defined]
            self.orders.append(order)
            future.set_result(fn.func(self._before(order)))  # type: ignore[attr-defined]
        except BrokenExecutor as error:
            future.set_exception(error)
        return future


def machine(executor: Executor, **options: Any) -> Machine:
    return Machine(device="cpu", executor=executor, **options)


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_WAITS", (0.01, 0.01))
    monkeypatch.setattr(scheduler, "_RHYTHM", 0.01)


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_elsewhere_gives_what_here_gives(tmp_path: Path) -> None:
    torch.set_num_threads(os.cpu_count() or 1)
    here = run_recipes(recipes(), tmp_path / "here", Machine(device="cpu"))
    elsewhere = run_recipes(recipes(), tmp_path / "elsewhere", machine(Elsewhere(), workers=0))
    for identity, record in here.items():
        assert record.folder is not None
        for name in ("record.json", "weights.safetensors"):
            assert (record.folder / name).read_bytes() == (elsewhere[identity].folder / name).read_bytes()  # type: ignore[operator]


def test_a_lost_process_is_tried_again_so_often_and_no_more(tmp_path: Path) -> None:
    def lose(order: Any) -> Any:
        losses.append(order.attempt)
        raise BrokenExecutor

    losses: list[str] = []
    executor = Elsewhere(lose)
    message = "a worker process ended while it ran .*CE, seed 1.*, 3 times in all, .* with fewer jobs"
    with pytest.warns(RunWarning, match="goes on from its checkpoint"), pytest.raises(RunError, match=message):
        run_recipes(recipes(), tmp_path, machine(executor))
    assert len({*losses}) == len(losses) == 3
    assert not list(tmp_path.iterdir())


def test_an_executor_that_is_broken_for_good_is_told(tmp_path: Path) -> None:
    class Broken(Executor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            raise BrokenExecutor("a child process terminated")

    with pytest.raises(RunError, match=r"takes no more runs \(a child process terminated\): give another one"):
        run_recipes(recipes(), tmp_path, machine(Broken()))


def test_a_folder_in_use_is_tried_again_after_the_others(tmp_path: Path) -> None:
    first = run_recipes(recipes(), tmp_path, machine(Elsewhere()))
    folder = first[recipes()[0].id].folder
    assert folder is not None
    for path in folder.iterdir():
        path.unlink()
    lock = filelock.FileLock(folder / ".lock")
    lock.acquire()
    tries: list[int] = []

    def release_at_last(order: Any) -> Any:
        tries.append(order.recipe["seed"])
        if len(tries) == 4:
            lock.release()
        return order

    asked = recipes(grid={"methods": ["ce"], "seeds": [1, 3]})
    records = run_recipes(asked, tmp_path, machine(Elsewhere(release_at_last)))
    assert tries == [1, 3, 1, 1]
    assert {record.status for record in records.values()} == {"finished"}


def test_a_folder_that_stays_in_use_is_an_error(tmp_path: Path) -> None:
    (recipe, _) = recipes()
    folder = run_recipes([recipe], tmp_path, machine(Elsewhere()))[recipe.id].folder
    assert folder is not None
    (folder / "record.json").unlink()
    executor = Elsewhere()
    with filelock.FileLock(folder / ".lock"), pytest.raises(FolderInUseError, match="being used by another process"):
        run_recipes([recipe], tmp_path, machine(executor))
    assert len(executor.orders) == 3


def test_a_process_with_other_versions_refuses(tmp_path: Path) -> None:
    other = Elsewhere(lambda order: replace(order, versions={**order.versions, "torch": "1.0"}))
    with pytest.raises(RunError, match=rf"process {os.getpid()} on .* it has torch 2\S+ in place of 1.0"):
        run_recipes(recipes(), tmp_path, machine(other))
    assert not list(tmp_path.iterdir())


def save(path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    np.savez(path, features=random.normal(size=(200, 5)), labels=random.integers(0, 3, 200))


def test_a_process_with_other_data_or_none_refuses(tmp_path: Path) -> None:
    path = tmp_path / "my.npz"
    save(path, 1)
    grid = load_grid("arrays", {"epochs": 1, "model": "mlp(hidden=8)", "data": {"path": str(path)}})

    def change(order: Any) -> Any:
        save(path, 2)
        return order

    def remove(order: Any) -> Any:
        path.unlink()
        return order

    with pytest.raises(RunError, match=r"cannot run .* it has other data \(SHA-256 .* in place of"):
        run_recipes(grid.recipes, tmp_path / "runs", machine(Elsewhere(change)))
    with pytest.raises(RunError, match=r"cannot run .*my\.npz"):
        run_recipes(grid.recipes, tmp_path / "runs", machine(Elsewhere(remove)))
    assert not (tmp_path / "runs").exists()


OWN_LOSS = """
from noiseproof.losses import LabelLoss


class OwnMae(LabelLoss, name="own-mae"):
    def value(self, label):
        return 1 - label.p

    def slope(self, label):
        return -label.p
"""


@pytest.mark.usefixtures("definitions_as_before")
def test_a_process_with_another_module_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = OWN_LOSS
    Path("my_losses.py").write_text(text)
    from noiseproof.user_code import import_modules

    import_modules(["my_losses"])
    asked = load_grid("demo", {**SMALL, "grid": {"methods": ["own-mae"], "seeds": [1]}}).recipes

    def change(order: Any) -> Any:
        Path("my_losses.py").write_text(f"{text}# changed\n")
        return order

    def remove(order: Any) -> Any:
        Path("my_losses.py").unlink()
        return replace(order, modules=tuple(replace(each, name="my_other_losses") for each in order.modules))

    assert run_recipes(asked, tmp_path / "runs", machine(Elsewhere()))[asked[0].id].status == "finished"
    with pytest.raises(RunError, match=r"it has other module my_losses \(SHA-256"):
        run_recipes(asked, tmp_path / "others", machine(Elsewhere(change)))
    Path("my_losses.py").write_text(text)
    import_modules(["my_losses"])
    with pytest.raises(RunError, match="there is no module my_other_losses"):
        run_recipes(asked, tmp_path / "others", machine(Elsewhere(remove)))


def test_what_only_the_main_module_has_stays_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from noiseproof.losses import definitions

    monkeypatch.setattr(definitions.MAE, "__module__", "__main__")
    asked = load_grid("demo", {**SMALL, "grid": {"methods": ["mae"], "seeds": [1]}}).recipes
    with pytest.raises(RecipeError, match="which other processes do not import: put it into a file of its own"):
        run_recipes(asked, tmp_path, machine(Elsewhere()))


def test_warnings_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(*_: object, **__: object) -> None:
        warnings.warn("of the run", RunWarning, stacklevel=1)

    monkeypatch.setattr(work, "train", warn)
    with pytest.warns(RunWarning, match="of the run"):
        run_recipes(recipes(), tmp_path, machine(Elsewhere()))


def test_a_mailbox_passes_on_what_it_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    ours, theirs, later = Mailbox(folder, "a"), Mailbox(folder, "a"), Mailbox(folder, "b")
    assert ours.read() is None
    ours.ask_to_stop()
    assert theirs.should_stop()
    assert not later.should_stop()
    theirs.tell(Progress(3, 10, 2, 9, None))
    assert ours.read() == Progress(3, 10, 2, 9, None)
    (folder / "progress.json").write_text("{")
    assert ours.read() is None
    later.end()
    assert (folder / "progress.json").exists()
    theirs.end()
    ours.remove_stop()
    assert not folder.exists()


@pytest.mark.usefixtures("definitions_as_before")
def test_an_executor_of_ones_own_is_chosen_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started = []

    @dataclass(frozen=True)
    class Own(ExecutorSettings, name="own"):
        def start(self) -> Executor:
            started.append(self.jobs)
            return Elsewhere()

    monkeypatch.chdir(tmp_path)
    command = ["train", "digits", "--set", "epochs=1", "--set", "model=mlp(hidden=8)", "--executor", "own"]
    assert cli.main([*command, "--jobs", "3"]) == 0
    assert started == [3]
    assert "last epoch" in capsys.readouterr().out
    assert cli.main([*command, "--gpus-per-run", "0.5"]) == 2
    assert "the executor own takes no gpus per run" in capsys.readouterr().err
