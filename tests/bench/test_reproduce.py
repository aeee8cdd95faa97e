from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import UNMEASURED, write_small_cifar
from noiseproof.bench import load_reproduction
from noiseproof.cli import main
from noiseproof.cli.reproduce import parse_duration
from noiseproof.errors import RecipeError, RunError
from noiseproof.literature import published_figures, reproductions
from noiseproof.report import write_reproduction
from noiseproof.results import Reproduction, planned_runs, reproduced
from noiseproof.run import GridProgress, Machine, run_recipes
from noiseproof.train import Progress, Recipe, Record

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*differ from the published:noiseproof.errors.DataWarning"),
    pytest.mark.filterwarnings("ignore::noiseproof.errors.NoiseWarning"),
]

TINY: dict[str, Any] = {"model": "cnn8(width=0.05)", "epochs": 2, "batch_size": 64}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_small_cifar(folder, "cifar10")
    return folder


@pytest.fixture
def small() -> Reproduction:
    return load_reproduction("ablation-a", cells=["jal-ce(a=9)/*asym*", "jal-ce(a=30)/*asym*"], seeds=2, changes=TINY)


def run(reproduction: Reproduction, data: Path, runs: Path, **options: Any) -> dict[str, Record]:
    machine = Machine(data, device="cpu", jobs=options.pop("jobs", 1))
    return run_recipes(reproduction.recipes, runs, machine, choose=reproduction.choose, **options)


@pytest.mark.parametrize("name", reproductions())
def test_every_reproduction_can_be_read(name: str) -> None:
    reproduction = load_reproduction(name)
    assert reproduction.targets
    assert len({(target.row, target.column) for target in reproduction.targets}) == len(reproduction.targets)
    assert set(reproduction.rank) == {recipe.id for recipe in reproduction.recipes}


def test_table_1_has_all_its_published_cells() -> None:
    reproduction = load_reproduction("supplement-table-1")
    assert len(reproduction.targets) == 32
    assert len(reproduction.recipes) == 96
    figures = {figure for figure in published_figures() if figure.source == "JAL supplement, Table 1"}
    assert {target.figure for target in reproduction.targets} == figures
    for target in reproduction.targets:
        recipe = target.recipes[0]
        assert (recipe.epochs, recipe.batch_size, recipe.lr, recipe.model) == (120, 128, 0.01, "cnn8(width=1)")
        assert recipe.noise.mode == "published"  # type: ignore[union-attr]


def test_lite_runs_are_other_runs_with_the_same_methods() -> None:
    full, lite = load_reproduction("supplement-table-1"), load_reproduction("supplement-table-1", lite=True)
    assert [target.key for target in full.targets] == [target.key for target in lite.targets]
    assert not {recipe.id for recipe in full.recipes} & {recipe.id for recipe in lite.recipes}
    assert [recipe.method for recipe in full.recipes] == [recipe.method for recipe in lite.recipes]
    with pytest.raises(RecipeError, match="webvision has no lite protocol"):
        load_reproduction("webvision", lite=True)


@pytest.mark.parametrize(
    ("cells", "keys"),
    [
        (["nce"], {"nce"}),
        (["symmetric-0.8"], {"symmetric-0.8"}),
        (["nce/*symmetric-0.4"], {"symmetric-0.4", "asymmetric-0.4"}),
        (["NCE/symmetric 0.4", "mae/*-0.8"], {"symmetric-0.4", "symmetric-0.8"}),
    ],
)
def test_cells_are_chosen_by_patterns(cells: list[str], keys: set[str]) -> None:
    reproduction = load_reproduction("supplement-table-1", cells=cells)
    for target in reproduction.targets:
        row, _, column = target.key.partition("/")
        assert row in keys or column in keys
    assert 0 < len(reproduction.targets) < 32


def test_mistakes_are_named() -> None:
    with pytest.raises(RecipeError, match="did you mean 'supplement-table-1'"):
        load_reproduction("supplement-table1")
    with pytest.raises(RecipeError, match=r"no cell of supplement-table-1 matches jal-ce: expected .* 'mae/symmetric"):
        load_reproduction("supplement-table-1", cells=["jal-ce"])
    with pytest.raises(RecipeError, match="seeds 0"):
        load_reproduction("supplement-table-1", seeds=0)
    with pytest.raises(RecipeError, match="jobs 0"):
        Machine(jobs=0)


def test_more_seeds_than_were_published_go_on_counting() -> None:
    reproduction = load_reproduction("supplement-table-1", cells=["nce/*symmetric-0.8"], seeds=5)
    assert [recipe.seed for recipe in reproduction.recipes] == [1, 2, 3, 4, 5]


def test_the_telling_cells_come_first_and_every_cell_before_a_second_seed() -> None:
    planned = planned_runs(load_reproduction("jal-cifar10"), {}, Path("runs"))
    assert [run["cells"][0] for run in planned[:5]] == [
        f"{method}/symmetric-0.8" for method in ("jal-ce", "ce", "nce+rce", "amse-alone", "anl-ce")
    ]
    assert [run["cells"][0].partition("/")[2] for run in planned[5:15]] == [
        *["symmetric-0.4"] * 5,
        *["asymmetric-0.4"] * 5,
    ]
    count = len(planned) // 3
    assert [run["recipe"]["seed"] for run in planned[:count]] == [1] * count


def fake(reproduction: Reproduction, number: int, accuracy: float) -> Record:
    recipe = reproduction.recipes[number]
    epoch = {
        "epoch": 1, "lr": 0.1, "train_loss": 1.0, "train_accuracy": 0.1, "memorization": None,
        "validation_accuracy": None, "test_accuracy": accuracy, "test_top5": 0.9,
    }  # fmt: skip
    from noiseproof.train import Epoch

    return Record(recipe.id, recipe.model_dump(mode="json"), "finished", epochs=[Epoch(**epoch)])  # type: ignore[arg-type]


def test_after_the_first_seeds_the_cell_with_the_largest_spread_is_next() -> None:
    reproduction = load_reproduction("supplement-table-1", cells=["mae", "agce"])
    first = [number for number, recipe in enumerate(reproduction.recipes) if recipe.seed == 1]
    records = {reproduction.recipes[number].id: fake(reproduction, number, 0.5) for number in first}
    planned = [run for run in planned_runs(reproduction, records, Path("runs")) if run["status"] == "missing"]
    # The published deviations are 6.49 (MAE, symmetric 0.8) and 4.45 (MAE, asymmetric 0.2), all of AGCE's below 1; a
    # third seed of the first shrinks its squared error by 6.49²/6, a second seed of the next ones by s²/2.
    assert [run["cells"][0] for run in planned[:3]] == [
        "mae/symmetric-0.8",
        "mae/asymmetric-0.2",
        "mae/symmetric-0.8",
    ]


def test_an_interrupted_run_goes_on_before_others_begin() -> None:
    reproduction = load_reproduction("supplement-table-1", cells=["mae", "agce"])
    begun = reproduction.recipes[-1]
    records = {begun.id: Record(begun.id, begun.model_dump(mode="json"))}
    assert planned_runs(reproduction, records, Path("runs"))[0]["run"] == begun.id


def test_a_reproduction_runs_and_is_compared(small: Reproduction, data: Path, tmp_path: Path) -> None:
    records = run(small, data, tmp_path / "runs")
    assert {record.status for record in records.values()} == {"finished"}
    result = reproduced(small, records)
    # 79.54 was published for a = 30, and random images are learned by chance.
    assert [one.verdict for one in result.comparisons] == ["open", "differs"]
    table = list(csv.DictReader(io.StringIO(result.csv())))
    assert [int(row["n"]) for row in table] == [2, 2]
    last = [
        record.last.test_accuracy for record in records.values() if record.recipe["method"]["loss"].endswith("a=9)")
    ]
    assert float(table[0]["mean"]) == pytest.approx(100 * sum(last) / 2, abs=1e-3)  # type: ignore[arg-type]
    written = write_reproduction(result, tmp_path / "report")
    assert sorted(written) == sorted(path.name for path in (tmp_path / "report").iterdir())
    assert (tmp_path / "report" / "curves.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "not the published files" in page
    assert "JAL-CE(a=9)" in (tmp_path / "report" / "table.tex").read_text()


def test_nothing_run_yet_is_a_table_of_dashes(tmp_path: Path) -> None:
    result = reproduced(load_reproduction("supplement-table-1"), {})
    assert {one.verdict for one in result.comparisons} == {"not run"}
    assert "| – / 54.99 ± 2.13 not run |" in result.overview().markdown()
    assert "curves.png" not in write_reproduction(result, tmp_path)


def test_a_budget_stops_in_time_and_goes_on_later(small: Reproduction, data: Path, tmp_path: Path) -> None:
    whole = run(small, data, tmp_path / "whole")
    statuses: list[list[str]] = []
    for _ in range(200):
        started = time.monotonic()
        records = run(small, data, tmp_path / "parts", deadline=started + 0.2)
        assert time.monotonic() - started < 5
        statuses.append([record.status for record in records.values()])
        if statuses[-1] == ["finished"] * len(small.recipes):
            break
    assert len(statuses) > 1
    assert {identity: record.epochs for identity, record in records.items()} == {
        identity: record.epochs for identity, record in whole.items()
    }


def test_no_run_begins_that_would_not_reach_its_first_update(
    small: Reproduction, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def slow_to_start(recipe: Recipe, *_: object, watch: Any, **__: object) -> None:
        begun.append(recipe.id)
        time.sleep(0.5)  # reading data, compiling
        watch(Progress(1, 100, 1, 1, None))

    monkeypatch.setattr("noiseproof.run._work.train", slow_to_start)
    run(small, data, tmp_path / "runs", deadline=time.monotonic() + 0.9)
    assert len(begun) == 1


def test_several_jobs_give_what_one_gives(small: Reproduction, data: Path, tmp_path: Path) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    try:
        alone = run(small, data, tmp_path / "alone")
    finally:
        torch.set_num_threads(before)
    seen: list[GridProgress] = []
    together = run(small, data, tmp_path / "together", jobs=2, watch=seen.append)
    assert seen[-1].done == 1
    assert {record.id: record.epochs for record in together.values()} == {
        record.id: record.epochs for record in alone.values()
    }
    for folder in (tmp_path / "alone").iterdir():
        weights = (folder / "weights.safetensors").read_bytes()
        assert (tmp_path / "together" / folder.name / "weights.safetensors").read_bytes() == weights


def test_an_error_in_a_worker_reaches_the_user(small: Reproduction, data: Path, tmp_path: Path) -> None:
    import filelock

    from noiseproof.train import folder_name, identify, load_dataset

    recipe = small.recipes[0]
    identity = identify(recipe, load_dataset(recipe.data, data).fingerprint)
    assert identity.id.startswith(recipe.id)
    folder = tmp_path / "runs" / f"{folder_name(recipe)}{identity.id[len(recipe.id) :]}"
    folder.mkdir(parents=True)
    with filelock.FileLock(folder / ".lock"), pytest.raises(RunError, match="is being used by another process"):
        run(small, data, tmp_path / "runs", jobs=2)


def test_killing_the_parent_stops_its_workers(data: Path, tmp_path: Path) -> None:
    code = "import sys; from noiseproof.cli import main\nif __name__ == '__main__': sys.exit(main(sys.argv[1:]))\n"
    (tmp_path / "run.py").write_text(code)
    command = [
        sys.executable, str(tmp_path / "run.py"), "reproduce", "ablation-a", "--data-dir", str(data), "--runs",
        str(tmp_path / "runs"), "--jobs", "2", "--device", "cpu", "--set", "model=cnn8(width=0.05)",
        "--set", "epochs=400",
    ]  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet, cwd=tmp_path, env=UNMEASURED)
    owners: list[Path] = []
    end = time.monotonic() + 120
    while len(owners) < 2 and time.monotonic() < end:
        owners = list((tmp_path / "runs").glob("*/.owner"))
        time.sleep(0.1)
    assert len(owners) == 2
    workers = [int(owner.read_text().split()[1]) for owner in owners]
    assert process.pid not in workers
    process.send_signal(signal.SIGKILL)
    process.wait()
    for worker in workers:
        while time.monotonic() < end:
            try:
                os.kill(worker, 0)
            except ProcessLookupError:
                break
            if Path(f"/proc/{worker}/stat").exists() and Path(f"/proc/{worker}/stat").read_text().split()[2] == "Z":
                break
            time.sleep(0.1)
        else:
            pytest.fail(f"worker {worker} outlived its parent")
    assert all((owner.parent / "checkpoint.pt").exists() for owner in owners)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("25s", 25), ("5s", 5), ("25m", 1500), ("25", 1500), ("1h30m", 5400), ("2h", 7200), ("1.5m", 90), ("1m30s", 90)],
)
def test_budgets_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 x", "s", "1m2", "-5m", "3s2m"])
def test_other_texts_are_no_budgets(text: str) -> None:
    with pytest.raises(RecipeError, match="expected a time such as 25m"):
        parse_duration(text)


def test_the_command_plans_runs_and_reports(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce"]) == 0
    assert "supplement-table-1" in capsys.readouterr().out
    command = [
        "reproduce", "ablation-a", "--cells", "jal-ce(a=30)/*asymmetric-0.4", "--data-dir", str(data), "--seeds", "1",
        "--device", "cpu", "--set", "model=cnn8(width=0.05)", "--set", "epochs=1",
    ]  # fmt: skip
    assert main([*command, "--dry-run", "--format", "json"]) == 0
    (planned,) = json.loads(capsys.readouterr().out)
    assert planned["status"] == "missing"
    assert planned["recipe"]["method"]["loss"] == "jal-ce(alpha=1, beta=1, a=30)"
    assert main([*command, "--budget", "0s"]) == 0
    assert "1 of 1 runs are not finished" in capsys.readouterr().out
    assert main([*command, "--budget", "1h30m"]) == 0
    out = capsys.readouterr().out
    assert "79.54" in out
    assert (tmp_path / "report-ablation-a" / "index.html").exists()
    assert main([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("finished")
    assert main([*command, "--budget", "soon"]) == 2
    assert "--budget soon: expected a time such as 25m" in capsys.readouterr().err
