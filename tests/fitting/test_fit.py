"""Fits from end to end, on small data."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save

import image_sets
import noiseproof
from conftest import UNMEASURED
from noiseproof import cli
from noiseproof.container import read_document, write_document
from noiseproof.errors import DataError, NoiseproofError, RecipeError, RunError
from noiseproof.fitted import Model
from noiseproof.fitting import FitProgress, _choice, _finish, fit, look
from noiseproof.fitting._candidates import FIXED, NEEDED, Candidate
from noiseproof.fitting._folds import make_folds
from noiseproof.train._eager import EagerSteps
from noiseproof.train._state import RunState

BUDGET = "100 updates"


def data(count: int = 120, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features, and labels that follow from the first of them."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(count, 4))
    return inputs, np.digitize(inputs[:, 0], np.linspace(-1, 1, classes + 1)[1:-1])


def contents(folder: Path) -> dict[str, str]:
    """The SHA-256 of all files but those of seconds."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "timing.csv"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that gets a number for every update in this process."""
    seen: list[int] = []
    run = EagerSteps.run

    def counted(self: EagerSteps) -> Iterator[int]:
        for used in run(self):
            seen.append(used)
            yield used

    monkeypatch.setattr(EagerSteps, "run", counted)
    return seen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model that nobody changes."""
    path = tmp_path_factory.mktemp("fit") / "plain.model"
    fit(*data(), budget=BUDGET, folder=path, jobs=1, device="cpu")
    return path


def copied(folder: Path, place: Path) -> Path:
    return Model(folder, device="cpu").save(place)


def test_the_same_data_and_plan_have_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "deeper" / "again.model"
    fit(*data(), budget="7h", plan=folder / "plan.json", folder=again, jobs=1, device="cpu")
    assert contents(again) == contents(folder)


def test_bytes_do_not_depend_on_threads_and_processes(folder: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        fit(*data(), budget=BUDGET, folder=tmp_path / "a.model", jobs=2, device="cpu")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert contents(tmp_path / "a.model") == contents(folder)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 1.0])
def test_an_interrupted_fit_goes_on(share: float, folder: Path, tmp_path: Path, steps: list[int]) -> None:
    place = tmp_path / "a.model"

    def stop(progress: FitProgress) -> None:
        if progress.done >= share:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(*data(), budget=BUDGET, folder=place, jobs=1, device="cpu", watch=stop)
    before = len(steps)
    fit(*data(), budget=BUDGET, folder=place, jobs=1, device="cpu")
    assert contents(place) == contents(folder)
    assert len(steps) <= 100 + 15, "runs that were finished are trained again"
    assert before


def test_a_fit_that_is_killed_goes_on(folder: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", *data())
    script = (
        "import os, signal, sys, numpy as np\n"
        "from noiseproof.fitting import fit\n"
        "X, y = np.load('data.npz').values()\n"
        "kill = lambda progress: progress.done > 0.4 and os.kill(os.getpid(), signal.SIGKILL)\n"
        f"fit(X, y, budget='{BUDGET}', folder='a.model', jobs=1, device='cpu', watch=kill)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=UNMEASURED, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "a.model" / "fit.json").exists()
    with pytest.raises(NoiseproofError):
        noiseproof.load(tmp_path / "a.model")
    fit(*data(), budget=BUDGET, folder=tmp_path / "a.model", jobs=1, device="cpu")
    assert contents(tmp_path / "a.model") == contents(folder)


@pytest.mark.parametrize(("count", "budget"), [(120, 20), (120, 333), (450, 150), (450, 1000)])
def test_a_budget_in_updates_is_kept(count: int, budget: int, steps: list[int]) -> None:
    model = fit(*data(count), budget=f"{budget} updates", jobs=1, device="cpu")
    assert 0.5 * budget < len(steps) <= budget
    assert len(model.candidates) >= (3 if count < 400 else 7)


def test_groups_of_very_different_sizes_keep_the_budget(steps: list[int]) -> None:
    inputs, labels = data(200)
    groups = np.minimum(np.arange(200), 100)  # half of them are one group
    fit(inputs, labels, groups=groups, budget=BUDGET, jobs=1, device="cpu")
    assert len(steps) <= 100


def test_a_budget_that_is_too_small_is_an_error_before_training(steps: list[int]) -> None:
    with pytest.raises(RecipeError, match="a budget of 5 updates is too small: one epoch of 3 candidates .* takes"):
        fit(*data(), budget="5 updates")
    assert not steps


def test_a_time_is_kept_where_an_epoch_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_choice, "_WORTH_A_LOOK", 0)
    slow = EagerSteps.run
    clock = [0.0]

    def run(self: EagerSteps) -> Iterator[int]:
        for used in slow(self):
            clock[0] += 0.05
            yield used

    monkeypatch.setattr(EagerSteps, "run", run)
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    fit(*data(), budget="10s", jobs=1, device="cpu")
    assert clock[0] < 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 2}, "with other options"),
        ({"metric": "balanced accuracy"}, "with other options"),
        ({"network": "mlp(hidden=8)"}, "with other options"),
        ({"groups": np.arange(120) // 2}, "of other data"),
        ({"trusted": np.arange(120) < 3}, "of other data"),
        ({"sample_weight": np.arange(120) + 1}, "of other data"),
        ({"keys": [f"k{i}" for i in range(120)]}, "of other data"),
        ({"budget": "200 updates"}, "with a budget of 100 updates in place of 200 updates"),
        ({"X": data(seed=1)[0]}, "of other data"),
        ({"y": 2 - data()[1]}, "of other data"),
    ],
)
def test_a_folder_of_another_fit_is_refused(
    change: dict[str, Any], message: str, folder: Path, steps: list[int]
) -> None:
    given = {"X": data()[0], "y": data()[1], "budget": BUDGET, **change}
    with pytest.raises(RunError, match=message):
        fit(**given, folder=folder)
    assert not steps


def test_the_same_fit_is_returned_at_once(folder: Path, steps: list[int]) -> None:
    before = contents(folder)
    model = fit(*data(), budget=BUDGET, folder=folder)
    assert (model.predict(data()[0]) == Model(folder).predict(data()[0])).all()
    assert not steps
    assert contents(folder) == before


def test_another_plan_is_refused(folder: Path, tmp_path: Path) -> None:
    values = read_document(folder / "plan.json", "plan")
    (tmp_path / "plan.json").write_text(write_document("plan", {**values, "lr": 0.002}))
    with pytest.raises(RunError, match="with another plan"):
        fit(*data(), plan=tmp_path / "plan.json", folder=folder)
    with pytest.raises(RecipeError, match="the plan has the network"):
        fit(*data(), plan=folder / "plan.json", network="mlp(hidden=4)")
    with pytest.raises(RunError, match="cannot read the plan"):
        fit(*data(), plan=tmp_path / "none.json")


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(RunError, match="is there already and is no model"):
            fit(*data(), folder=place)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert [*tmp_path.iterdir()] == [tmp_path / "notes.txt"]


@pytest.mark.parametrize(
    ("option", "value"), [("metric", "f1"), ("budget", "soon"), ("jobs", 0), ("device", "tpu"), ("network", "mlq")]
)
def test_options_that_there_are_not(option: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(NoiseproofError, match=str(value)):
        fit(*data(), folder=tmp_path / "a.model", **{option: value})


def test_temporary_folders_go_and_are_not_forced_to_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forced: list[int] = []
    monkeypatch.setattr(os, "fsync", forced.append)
    model = fit(*data(), budget=BUDGET, jobs=1, device="cpu")
    assert not forced
    place = model.folder
    assert place.exists()
    model.save(tmp_path / "kept.model")
    del model
    gc.collect()
    assert not place.exists()
    fit(*data(), budget=BUDGET, folder=tmp_path / "kept.model")  # it is the same

    seen: list[Path] = []
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: seen.append(tmp_path / prefix) or str(tmp_path / prefix))

    def stop(_: FitProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(*data(), budget=BUDGET, jobs=1, watch=stop)
    assert not seen[0].exists()
    fit(*data(), budget=BUDGET, jobs=1, folder=tmp_path / "other.model")
    assert forced


def test_progress_never_falls() -> None:
    seen: list[FitProgress] = []
    fit(*data(450), budget="400 updates", jobs=1, device="cpu", watch=seen.append)
    shares = [progress.done for progress in seen]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] == 1
    assert {"trees", "final networks"} <= {progress.what.partition(",")[0] for progress in seen}


def test_a_model_is_used_without_what_trained_it(folder: Path, tmp_path: Path) -> None:
    Model(folder).save(tmp_path / "a.model", training=False)
    assert not (tmp_path / "a.model" / "training").exists()
    np.save(tmp_path / "new.npy", data()[0][:5])
    script = (
        "import sys, numpy as np, noiseproof\n"
        "model = noiseproof.load('a.model', device='cpu')\n"
        "print(*model.predict(np.load('new.npy')), *model.classes)\n"
        "assert not [name for name in sys.modules if name.startswith('noiseproof.train')], sys.modules\n"
        "assert 'sklearn' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=UNMEASURED, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(each) for each in [*Model(folder).predict(data()[0][:5]), 0, 1, 2]]
    with pytest.raises(RunError, match="is there already"):
        Model(folder).save(tmp_path / "a.model")


@pytest.mark.parametrize(
    ("names", "kind"),
    [(["no", "so", "yes"], "U"), ([10, 20, 30], "i"), ([0.5, 1.5, 2.5], "f"), ([False, True], "U")],
)
def test_predictions_are_classes_of_the_labels(names: list[Any], kind: str) -> None:
    inputs, labels = data(200, len(names))
    model = fit(inputs, np.array(names)[labels], budget="300 updates", jobs=1, device="cpu")
    assert model.classes.dtype.kind == kind
    assert model.classes.tolist() == (["False", "True"] if names[0] is False else names)
    new, right = data(300, len(names), seed=1)
    assert (model.predict(new) == model.classes[right]).mean() > 0.8
    probabilities = model.predict_proba(new)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    assert (model.classes[probabilities.argmax(1)] == model.predict(new)).all()


def test_rows_without_weight_teach_nothing() -> None:
    inputs, labels = data(300, 2)
    wrong = np.arange(300) < 200
    weight = np.where(wrong, 0.0, 1.0)
    model = fit(inputs, np.where(wrong, 1 - labels, labels), sample_weight=weight, budget="400 updates", jobs=1)
    new, right = data(300, 2, seed=1)
    assert (model.predict(new) == right).mean() > 0.85
    assert model.summary["held_out"]["accuracy"] > 0.85, "what counts nothing is held out"


def test_batches_of_rows_without_weight_change_nothing() -> None:
    inputs, labels = data(300, 2)
    weight = (np.arange(300) < 12).astype(float)
    model = fit(inputs, labels, sample_weight=weight, budget="300 updates", jobs=1)
    assert [each["status"] for each in model.candidates if each["status"] == "diverged"] == []


def test_a_class_without_weight_ends_in_no_nonsense() -> None:
    inputs, labels = data(200, 3)
    weight = (labels != 2).astype(float)
    for metric in ("accuracy", "balanced accuracy"):
        model = fit(inputs, labels, sample_weight=weight, metric=metric, budget=BUDGET, jobs=1)
        assert np.isfinite(model.predict_proba(inputs)).all()
        assert all(0 <= (each["score"] or 0) <= 1 for each in model.candidates)


def test_candidates_that_diverge_drop_out(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Candidate("Broken", "gce(q=0.1)", "it cannot be learned with")
    monkeypatch.setattr(RunState, "is_finite", property(lambda state: state.recipe.method.name != "Broken"))
    monkeypatch.setattr(_choice, "NEEDED", (broken, *NEEDED))
    model = fit(*data(), budget=BUDGET, jobs=1, device="cpu")
    assert [each["name"] for each in model.candidates if each["status"] == "diverged"] == ["Broken"]
    assert "became infinite" in model.table().markdown()
    assert np.isfinite(model.predict_proba(data()[0])).all()
    monkeypatch.setattr(_choice, "NEEDED", (broken,))
    with pytest.raises(RunError, match="no candidate learned: the numbers of Broken became infinite"):
        fit(*data(), budget=BUDGET, jobs=1, device="cpu")


@pytest.mark.filterwarnings("ignore:.* training samples. nothing that is measured on so few")
@pytest.mark.parametrize("each", [2, 3, 4])
def test_few_samples_of_each_class(each: int) -> None:
    inputs = np.random.default_rng(0).normal(size=(4 * each, 3))
    model = fit(inputs, np.arange(4 * each) % 4, budget="60 updates", jobs=1)
    assert np.isfinite(model.predict_proba(inputs)).all()


def test_classes_of_one_sample_or_group_cannot_be_held_out(folder: Path, tmp_path: Path) -> None:
    inputs, labels = data(60, 2)
    with pytest.raises(RunError, match="nothing can be held out"):
        fit(inputs, labels, groups=labels, folder=tmp_path / "model")
    with pytest.raises(RecipeError, match="the plan has the network"):
        fit(inputs, labels, plan=folder / "plan.json", network="mlp(hidden=4)", folder=tmp_path / "model")
    rare = np.where(np.arange(60) == 7, 2, labels)
    model = fit(inputs, rare, budget=BUDGET, jobs=1, folder=tmp_path / "model")  # what failed is not in the way
    assert model.summary["held_out"]["recall"]["2"] is None
    assert "none held out" in " ".join(cells[3] for cells in _recall_rows(model))


def _recall_rows(model: Model) -> list[Any]:
    from noiseproof.fitted._told import recall_rows

    return recall_rows(model.summary)


def test_all_candidates_race_where_there_are_samples() -> None:
    inputs, labels = data(420)
    model = fit(inputs, labels, budget="300 updates", jobs=1, device="cpu")
    names = [each["name"] for each in model.candidates]
    assert {candidate.name for candidate in FIXED} <= {*names}
    assert sum(name.startswith("JAL") for name in names) in (1, 2)
    assert {*names[-2:]} == {"Boosted trees", "Logistic regression"}
    best = model.candidates[0]
    assert (best["behind"], best["status"]) == (0, "stayed")
    assert model.summary["chosen"] in names


def photos(place: Path, count: int = 24) -> Path:
    for number in range(count):
        image_sets.write_image(place / f"photos/class{number % 2}/{number}.jpg", number % 2, number)
    return place / "photos"


SMALL = {"budget": "12 updates", "network": "mlp(hidden=4)", "jobs": 1, "device": "cpu"}


def test_fit_on_images_in_memory() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    images = random.integers(0, 100, (40, 8, 8), dtype=np.uint8) + (100 * labels[:, None, None]).astype(np.uint8)
    model = fit(images, labels, budget="20 updates", network="mlp(hidden=4)", jobs=1, device="cpu")
    assert model.predict_proba(images).shape == (40, 2)
    assert [each["status"] for each in model.candidates] == ["stayed"] * 3
    colors = np.repeat(images[..., None], 3, 3)
    assert fit(colors, labels, **SMALL).predict(colors[:3]).shape == (3,)


def test_fit_on_a_folder_of_photos(tmp_path: Path, folder: Path) -> None:
    model = fit(photos(tmp_path), **SMALL, folder=tmp_path / "photos.model")
    assert model.classes.tolist() == ["class0", "class1"]
    assert model.predict_proba(tmp_path / "photos").shape == (24, 2)
    score, count = model.score_file(tmp_path / "photos")
    assert count == 24
    assert 0 <= score <= 1
    again = fit(tmp_path / "photos", **SMALL, folder=tmp_path / "photos.model")
    assert again.summary == model.summary
    (tmp_path / "photos/class0/0.jpg").write_bytes((tmp_path / "photos/class1/1.jpg").read_bytes())
    with pytest.raises(RunError, match="other data"):
        fit(tmp_path / "photos", **SMALL, folder=tmp_path / "photos.model")


@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning")
def test_photos_that_cannot_be_read_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = photos(tmp_path, 60)
    given = look(place)
    folds = make_folds(given.dataset.train.labels, given.groups, 5, 1, np.ones(60, bool))
    lost = [given.keys[sample] for sample in np.flatnonzero(folds == 0)[:2]]
    for name in lost:
        (place / name).write_bytes(b"no image")
    seen: list[np.ndarray] = []
    find = _finish.find_temperature
    monkeypatch.setattr(_finish, "find_temperature", lambda parts, *more: seen.extend(parts) or find(parts, *more))
    model = fit(place, **{**SMALL, "budget": "20 updates"})
    assert all(np.isfinite(part).all() for part in seen)
    held_out = (make_folds(given.dataset.train.labels, look(place).groups, 5, 1, np.ones(60, bool)) == 0).sum()
    assert held_out - 2 <= model.summary["held_out"]["samples"] < held_out
    assert np.isnan(model.predict_proba(place)).any(1).sum() == 2


def test_fit_on_a_dataset_of_pairs() -> None:
    inputs, labels = data()
    pairs = torch.utils.data.TensorDataset(torch.from_numpy(inputs), torch.from_numpy(labels))
    model = fit(pairs, budget=BUDGET, jobs=1, device="cpu")
    assert model.predict(inputs).shape == (120,)


def frame_columns(count: int = 120) -> tuple[dict[str, Any], np.ndarray]:
    random = np.random.default_rng(0)
    number, kind = random.normal(size=count), random.choice(["red", "white", "blue"], count)
    labels = np.where((kind == "red") ^ (number > 0), "good", "bad")
    gaps = random.random(count) < 0.2
    columns = {
        "number": np.where(gaps, np.nan, number).tolist(),
        "kind": [None if lost else str(each) for each, lost in zip(kind, random.random(count) < 0.1, strict=True)],
        "other": random.normal(size=count).tolist(),
    }
    return columns, labels


@pytest.mark.parametrize("library", ["pandas", "pyarrow", "polars"])
def test_fit_on_data_frames_with_gaps_and_text(library: str) -> None:
    columns, labels = frame_columns()
    pytest.importorskip("narwhals")
    make = {"pandas": "DataFrame", "pyarrow": "table", "polars": "DataFrame"}[library]
    frame = getattr(pytest.importorskip(library), make)({**columns, "label": labels.tolist()})
    model = fit(frame, label="label", budget="300 updates", jobs=1, device="cpu")
    assert model.classes.tolist() == ["bad", "good"]
    assert (model.predict(frame) == labels).mean() > 0.7
    assert any("in 2 columns" in text for text in model.summary["found"])


def test_fit_on_arrays_with_gaps_and_text() -> None:
    columns, labels = frame_columns()
    array = np.array([columns["number"], columns["kind"], columns["other"]], object).T
    model = fit(array, labels, budget="300 updates", jobs=1, device="cpu")
    assert (model.predict(array) == labels).mean() > 0.7
    with pytest.raises(DataError):
        model.predict(array[:, :2])


def test_what_look_made_is_taken(folder: Path) -> None:
    given = look(*data())
    assert fit(given, budget=BUDGET, folder=folder).summary == Model(folder).summary


def write_table(path: Path, names: list[str]) -> None:
    inputs, labels = data(120, len(names))
    lines = [",".join([names[label], *map(str, row)]) for row, label in zip(inputs.round(4), labels, strict=True)]
    path.write_text("\n".join(["kind,a,b,c,d", *lines]) + "\n", encoding="utf-8")


def test_a_test_file_chooses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_table(tmp_path / "t.csv", ["x", "y", "z"])
    write_table(tmp_path / "test.csv", ["z", "x", "y"])
    command = ["fit", str(tmp_path / "t.csv"), "--label", "kind", "--budget", BUDGET, "--jobs", "1", "--out"]
    assert cli.main([*command, str(tmp_path / "a.model")]) == 0
    capsys.readouterr()
    assert cli.main([*command, str(tmp_path / "b.model"), "--test", str(tmp_path / "test.csv")]) == 0
    assert contents(tmp_path / "a.model") == contents(tmp_path / "b.model")
    assert "on 120 labels that chose nothing" in capsys.readouterr().out
    write_table(tmp_path / "test.csv", ["z", "x", "other"])
    assert cli.main([*command, str(tmp_path / "b.model"), "--test", str(tmp_path / "test.csv")]) == 2
    assert "'other'" in capsys.readouterr().err
    assert cli.main([*command, str(tmp_path / "c.model"), "--test", str(tmp_path / "none.csv")]) == 2
    assert "there is no" in capsys.readouterr().err
    assert not (tmp_path / "c.model").exists()


def test_a_dry_run_trains_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], steps: list[int]) -> None:
    write_table(tmp_path / "t.csv", ["x", "y", "z"])
    command = ["fit", str(tmp_path / "t.csv"), "--label", "kind", "--dry-run", "--out", str(tmp_path / "a.model")]
    assert cli.main(command) == 0
    out = capsys.readouterr().out
    assert "120 samples of 3 classes" in out
    assert "NCE+RCE" in out
    assert "Boosted trees" in out
    assert "ANL" not in out, "it does not race on so few"
    assert not steps
    assert not (tmp_path / "a.model").exists()


def test_names_of_classes_are_text_on_the_page(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    names = ["<b>", "=1+1", "a & b"]
    inputs, labels = data()
    model = fit(inputs, np.array(names)[labels], budget=BUDGET, jobs=1, device="cpu")
    assert model.classes.tolist() == sorted(names)
    assert model.report(tmp_path / "report") == ["index.html", "candidates.csv"]
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "a &amp; b" in page
    rows = (tmp_path / "report" / "candidates.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "name,loss,epochs,epoch,score,behind,standard_error,status"
    assert len(rows) == 1 + len(model.candidates)


def rewrite(path: Path, kind: str, **changes: Any) -> None:
    """A document with other contents and the SHA-256 of these."""
    path.write_text(write_document(kind, {**read_document(path, kind), **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"candidates": []},
        {"candidates": [{"name": "CE"}]},
        {"members": []},
        {"chosen": 3},
        {"metric": None},
        {"bracket": {"low": "0"}},
        {"class_counts": {"0": 1}},
        {"held_out": {"samples": 1, "accuracy": 1.0, "recall": {"<script>": 1.0}}},
        {"found": "all"},
    ],
)
def test_a_summary_that_is_none_is_refused(changes: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    place = copied(folder, tmp_path / "a.model")
    rewrite(place / "fit.json", "fit", **changes)
    with pytest.raises(RunError, match=r"cannot read .*fit\.json"):
        noiseproof.load(place)


@pytest.mark.parametrize(
    "name", ["fit.json", "predictor.json", "member-0.safetensors", "trees.safetensors", "linear.safetensors"]
)
def test_files_that_were_changed_are_refused(name: str, folder: Path, tmp_path: Path) -> None:
    place = copied(folder, tmp_path / "a.model")
    content = bytearray((place / name).read_bytes())
    content[-5] ^= 1
    (place / name).write_bytes(content)
    with pytest.raises(RunError, match=name):
        noiseproof.load(place)
    (place / name).unlink()
    with pytest.raises(RunError):
        Model(place)


@pytest.mark.parametrize(
    ("key", "value"),
    [("temperature", 0.0), ("temperature", -1.0), ("weight", -1.0), ("weight", 0.0), ("weight", 1e308)],
)
def test_members_without_sense_are_refused(key: str, value: float, folder: Path, tmp_path: Path) -> None:
    place = copied(folder, tmp_path / "a.model")
    members = read_document(place / "predictor.json", "predictor")["members"]
    rewrite(place / "predictor.json", "predictor", members=[{**member, key: value} for member in members])
    with pytest.raises(RunError, match="weights or temperatures"):
        noiseproof.load(place)


def test_trees_with_children_before_their_parents_are_refused(folder: Path, tmp_path: Path) -> None:
    place = copied(folder, tmp_path / "a.model")
    tensors = load_file(place / "trees.safetensors")
    tensors["left"][-1] = 0
    content = save(tensors)
    (place / "trees.safetensors").write_bytes(content)
    members = read_document(place / "predictor.json", "predictor")["members"]
    (trees,) = (member for member in members if member["model"] == "trees")
    trees["weights"]["last"]["sha256"] = hashlib.sha256(content).hexdigest()
    rewrite(place / "predictor.json", "predictor", members=members)
    with pytest.raises(RunError, match="no trees over 4 features"):
        noiseproof.load(place)


def test_a_begun_fit_whose_data_were_changed_begins_anew(folder: Path, tmp_path: Path) -> None:
    place = copied(folder, tmp_path / "a.model")
    (place / "fit.json").unlink()
    (place / "training" / "data.safetensors").write_bytes(b"x")
    fit(*data(), budget=BUDGET, folder=place, jobs=1, device="cpu")
    assert contents(place) == contents(folder)
    (place / "fit.json").write_text(json.dumps({"id": "x"}))
    with pytest.raises(RunError, match=r"cannot read .*fit\.json.*Remove .* and fit again"):
        fit(*data(), budget=BUDGET, folder=place, jobs=1, device="cpu")


def test_a_fit_with_corrections_is_another_one(tmp_path: Path) -> None:
    inputs, labels = data()
    names = np.array(["a", "b", "c"])[labels]
    rows = [("0", names[0], "d", "relabel"), ("1", names[1], names[1], "keep"), ("2", names[2], "", "unsure")]
    lines = ["key,given,decided,action", *map(",".join, rows)]
    (tmp_path / "c.csv").write_text("\n".join(lines), encoding="utf-8")
    options: dict[str, Any] = {"budget": BUDGET, "folder": tmp_path / "m.model", "jobs": 1, "device": "cpu"}
    model = fit(inputs, names, corrections=tmp_path / "c.csv", **options)
    assert model.classes.tolist() == ["a", "b", "c", "d"]
    assert fit(inputs, names, corrections=[tmp_path / "c.csv"], **options).classes.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(RunError, match="other data"):
        fit(inputs, names, **options)
