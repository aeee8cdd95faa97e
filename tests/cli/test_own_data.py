"""The way of one's own data and one's own loss, as the docs describe it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import UNMEASURED
from noiseproof import cli
from noiseproof.errors import RecipeError
from noiseproof.methods import METHODS
from noiseproof.report import write_report
from noiseproof.results import make_tables
from noiseproof.train import load_dataset, read_record, train

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--set", "epochs=1", "--set", "model=mlp(hidden=8)"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    np.savez("my.npz", features=random.normal(size=(200, 5)), labels=random.integers(0, 3, 200))


def run(*arguments: str, capsys: pytest.CaptureFixture[str], status: int = 0) -> str:
    assert cli.main(list(arguments)) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def test_a_table_on_data_without_a_test_set(capsys: pytest.CaptureFixture[str]) -> None:
    out = run("bench", "arrays", "--set", "data.path=my.npz", *QUICK, capsys=capsys)
    assert "noisy" in out.split("Report")[0]
    assert "a network without an error reaches 1 - r, not 100%" in out
    assert "a folder is named by data, noise" in out
    assert Path("report-arrays/table.md").is_file()


def test_nothing_to_measure_is_said_before_anything_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "arrays", "--set", "data.path=my.npz", "--set", "validation=0", *QUICK]
    assert "nothing would be measured, as my.npz has no test set" in run(*command, capsys=capsys, status=2)
    assert [path.name for path in Path().iterdir()] == ["my.npz"]


def test_a_run_says_what_its_figures_mean_and_what_is_next(capsys: pytest.CaptureFixture[str]) -> None:
    out = run("train", "arrays", "--set", "data.path=my.npz", *QUICK, capsys=capsys)
    assert "a network without an error reaches 1 - r, not 100%" in out
    command = out.split("beside it:\n  ")[1].splitlines()[0]
    words = shlex.split(command)
    assert words[:3] == ["noiseproof", "bench", "arrays"]
    assert run(*words[1:], "--dry-run", capsys=capsys).count("arrays-none-") == 9
    out = run("train", "digits", "--noise", "symmetric", "--rate", "0.4", *QUICK, capsys=capsys)
    assert "40% of which are wrong here: a network without an error would reach about 60%" in out
    command = out.split("beside it:\n  ")[1].splitlines()[0]
    assert run(*shlex.split(command)[1:], "--dry-run", capsys=capsys).count("digits-symmetric-0.4-") == 9


@pytest.mark.parametrize("place", ["report", "runs"])
def test_a_file_in_the_place_of_a_folder_is_said_before_anything_is_run(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("taken").write_text("")
    err = run("bench", "digits", *QUICK, f"--{place}", "taken", capsys=capsys, status=2)
    assert "taken is a file; give the name of a folder" in err
    assert not Path("runs").exists()


def test_plots_need_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("")
    for place in ("taken", "taken/x"):
        err = run("theory", "--symmetric", "0.2", "mae", "--plots", place, capsys=capsys, status=2)
        assert "taken is a file; give the name of a folder" in err


def test_a_dry_run_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run("bench", "arrays", "--set", "data.path=my.npz", "--dry-run", capsys=capsys)
    run("reproduce", "jal-cifar10", "--dry-run", "--format", "json", capsys=capsys)
    assert [path.name for path in Path().iterdir()] == ["my.npz"]
    assert "expected how many, 1 … 1,000" in run(
        "reproduce", "jal-cifar10", "--seeds", str(10**12), "--dry-run", capsys=capsys, status=2
    )


def own_loss(name: str = "taylor-ce") -> str:
    """The module that docs/losses.md shows."""
    text = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
    block = next(part for part in text.split("```python\n")[1:] if "class Taylor" in part).split("```")[0]
    return block.split("make_loss(")[0].replace("taylor-ce", name)


def noiseproof(*arguments: str) -> str:
    """What a process of its own prints."""
    command = [sys.executable, "-m", "noiseproof", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=UNMEASURED)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("definitions_as_before")
def test_ones_own_loss_from_a_file_to_a_table_with_two_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("my_losses.py").write_text(own_loss(), encoding="utf-8")
    Path("mine.toml").write_text(
        'imports = ["my_losses"]\nextends = "digits"\nepochs = 1\nmodel = "mlp(hidden=8)"\n'
        '[grid]\nmethods = ["ce", "taylor-ce", "nce + taylor-ce(weight_of_second=0.3)"]\n'
    )
    out = noiseproof("bench", "mine.toml", "--jobs", "2")
    assert "nce + taylor-ce(weight_of_second=0.3)" in out
    assert "my_losses" in Path("report-mine/runs.csv").read_text() or len(list(Path("runs").iterdir())) == 3
    err = run("train", "digits", "--method", "taylor-ce", capsys=capsys, status=2)
    assert "one of your own is known once its module is imported (--import MODULE" in err
    assert run("bench", "mine.toml", "--dry-run", capsys=capsys).count("finished") == 3
    run("theory", "--import", "my_losses", "--symmetric", "0.2", "taylor-ce", capsys=capsys)


@pytest.mark.usefixtures("definitions_as_before")
def test_ones_own_method_from_a_file_to_a_table_with_two_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    block = next(part for part in text.split("```python\n")[1:] if "class Bootstrap" in part).split("```")[0]
    Path("my_methods.py").write_text(block, encoding="utf-8")
    Path("mine.toml").write_text(
        'imports = ["my_methods"]\nextends = "digits"\nepochs = 1\nmodel = "mlp(hidden=8)"\n'
        '[grid]\nmethods = ["ce", "soft-bootstrap", {kind = "soft-bootstrap(beta=0.8)", loss = "gce"}]\n'
    )
    out = noiseproof("bench", "mine.toml", "--jobs", "2")
    assert "soft-bootstrap(beta=0.8)" in out
    records = [read_record(folder) for folder in Path("runs").iterdir()]
    assert sorted(len(record.code) for record in records if record is not None) == [0, 1, 1]
    assert run("bench", "mine.toml", "--dry-run", capsys=capsys).count("finished") == 3
    quick = ["train", "digits", "--method", "soft-bootstrap", *QUICK]
    run(*quick, "--import", "my_methods", capsys=capsys)
    METHODS.pop("soft-bootstrap")
    err = run(*quick, capsys=capsys, status=2)
    assert "took it from my_methods: give --import my_methods" in err


def test_a_run_folder_is_never_a_reason_to_import(capsys: pytest.CaptureFixture[str]) -> None:
    effect = 'from pathlib import Path\nPath("imported").write_text("")\n'
    Path("own_effect.py").write_text(effect + own_loss("own-effect"), encoding="utf-8")
    command = ["train", "digits", "--method", "own-effect", "--import", "own_effect", *QUICK]
    noiseproof(*command)
    Path("imported").unlink()
    (folder,) = Path("runs").iterdir()
    record = read_record(folder)
    assert record is not None
    assert list(record.code) == ["own_effect"]
    with pytest.raises(RecipeError, match="took it from own_effect: give --import own_effect"):
        train(record.recipe, folder)
    assert make_tables("x", [record])[0].rows
    assert "table.md" in write_report("x", [record], "report")
    err = run("train", "digits", "--method", "own-effect", *QUICK, capsys=capsys, status=2)
    assert "took it from own_effect: give --import own_effect" in err
    hostile = {**record.recipe, "imports": ["own_effect"]}
    with pytest.raises(RecipeError, match="only a recipe file names modules"):
        train(hostile, folder)
    assert not Path("imported").exists()
    assert "own_effect" not in sys.modules


def test_paths_names_and_tables_are_taken_everywhere() -> None:
    tables = {"extends": "digits", "epochs": 1, "model": "mlp(hidden=8)"}
    record = train(tables, "runs/a", data_dir="nowhere")
    assert record.status == "finished"
    assert load_dataset("digits").num_classes == load_dataset({"name": "digits"}, "nowhere").num_classes == 10
    assert json.loads(Path("runs/a/record.json").read_text(encoding="utf-8"))
