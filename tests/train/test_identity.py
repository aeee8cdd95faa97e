"""What a result belongs to: runs are told apart by what changes their bytes, and what was written is checked."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from noiseproof import container, data, noise
from noiseproof.bench import load_grid, read_records, run_grid
from noiseproof.errors import DataError, RunError, RunWarning
from noiseproof.noise import symmetric
from noiseproof.results import make_tables
from noiseproof.train import Identity, Progress, Recipe, _inputs, make_recipe, read_record, train
from noiseproof.train import _loop as loop
from noiseproof.train._source import source_hashes

BASE: dict[str, Any] = {
    "data": "digits",
    "noise": {"kind": "symmetric", "rate": 0.4},
    "model": "mlp(hidden=8)",
    "method": "gce",
    "epochs": 3,
    "batch_size": 256,
    "lr": 0.1,
    "validation": 0.2,
}


def recipe(**changes: Any) -> Recipe:
    return make_recipe({**BASE, **changes})


def table(path: Path, *, wrong: int = 0, rows: int = 200) -> Path:
    """A data set of one's own, with some labels replaced."""
    digits = data.digits().train
    labels = digits.labels[:rows].copy()
    labels[:wrong] = (labels[:wrong] + 1) % 10
    np.savez(path, features=digits.inputs[:rows].reshape(rows, 64), labels=labels)
    return path


def stop_in(epoch: int) -> Any:
    def watch(progress: Progress) -> None:
        if progress.epoch == epoch:
            raise OSError("stopped")

    return watch


def interrupt(spec: Recipe, folder: Path, epoch: int = 3, **keywords: Any) -> None:
    with pytest.raises(OSError, match="stopped"):
        train(spec, folder, watch=stop_in(epoch), **keywords)


@pytest.fixture(autouse=True)
def _every_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_WORK_PER_SAVING", 0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    train(recipe(), folder)
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"method": {"name": "another title", "loss": "gce"}},
        {"method": {"name": "gce", "loss": "gce(q=0.7)", "source": "somewhere"}},
        {"lr": 9.0, "method": {"loss": "gce", "lr": 0.1}},
        {"optimizer": "adam", "method": {"loss": "gce", "optimizer": "sgd"}},
        {"momentum": 0.9, "validation": 0.2, "seed": 1, "precision": "32-true"},
        {"noise": {"kind": "symmetric", "rate": 0.4, "mode": "exact"}, "data": {"name": "digits", "shrink": 1}},
    ],
)
def test_titles_spellings_and_void_values_change_no_identity(changes: dict[str, Any]) -> None:
    assert recipe(**changes).id == recipe(method={"loss": "gce"}).id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"schedule": "constant"}, {"schedule": 1.0}),
        ({"schedule": {"factor": 0.1, "after": [2, 1]}}, {"schedule": {"factor": 0.1, "after": [1, 2]}}),
        ({"augment": ["crop", "flip"]}, {"augment": ["flip", "crop", "flip"]}),
        ({"momentum": 0.0}, {"momentum": -0.0}),
        ({"optimizer": "adam", "momentum": 0.5}, {"optimizer": "adam"}),
        (
            {"data": "cifar10", "model": "cnn8", "noise": {"kind": "asymmetric", "rate": 0.4}},
            {
                "data": "cifar10",
                "model": "cnn8",
                "noise": {"kind": "asymmetric", "rate": 0.4, "mapping": {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}},
            },
        ),
    ],
)
def test_equal_settings_are_equal_however_they_are_written(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert recipe(**one).id == recipe(**other).id


@pytest.mark.parametrize(
    "changes",
    [{"seed": 2}, {"lr": 0.2}, {"noise": {"kind": "symmetric", "rate": 0.40000001}}, {"method": "gce(q=0.6)"},
     {"momentum": 0.5}, {"noise": {"kind": "symmetric", "rate": 0.4, "mode": "iid"}}],
)  # fmt: skip
def test_whatever_changes_bytes_changes_the_identity(changes: dict[str, Any]) -> None:
    assert recipe(**changes).id != recipe().id


def grid(path: Path, **changes: Any) -> Any:
    values = {"data": {"path": str(path)}, "epochs": 2, "validation": 0.2, "model": "mlp(hidden=8)", **changes}
    return load_grid("arrays", values)


def test_corrected_labels_are_another_run_and_it_is_said(tmp_path: Path) -> None:
    file = table(tmp_path / "my.npz", wrong=50)
    (first,) = run_grid(grid(file), tmp_path / "runs")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run_grid(grid(file), tmp_path / "runs") == [first]  # the same again is not trained again
    table(file)
    with pytest.warns(RunWarning, match=r"was begun on other data of the name .* is trained anew. Both are kept"):
        (second,) = run_grid(grid(file), tmp_path / "runs")
    assert second.id != first.id
    assert second.epochs != first.epochs
    assert len(list((tmp_path / "runs").iterdir())) == 2
    # Which of the two is meant is seen by the data alone.
    assert run_grid(grid(file), tmp_path / "runs") == [second]
    with pytest.raises(RunError, match="there are several runs of one recipe on different inputs"):
        read_records(grid(file).recipes, tmp_path / "runs")
    # In a folder of its own, a finished run is not taken for another one.
    spec = grid(file).recipes[0]
    train(spec, tmp_path / "alone")
    table(file, wrong=7)
    with pytest.raises(RunError, match="alone was begun on other data of the name"):
        train(spec, tmp_path / "alone")


def test_moved_and_missing_data(tmp_path: Path) -> None:
    file = table(tmp_path / "my.npz")
    (first,) = run_grid(grid(file), tmp_path / "runs")
    moved = file.rename(tmp_path / "elsewhere.npz")
    (again,) = run_grid(grid(moved), tmp_path / "runs")
    assert (again.id, again.folder) == (first.id, first.folder)
    assert again.recipe["data"]["path"] == str(moved)
    with pytest.warns(RunWarning, match=r"whether what it was trained on is still the same could not be seen: "):
        assert [one.id for one in run_grid(grid(file), tmp_path / "runs")] == [first.id]
    assert read_records(grid(file).recipes, tmp_path / "runs")[grid(file).recipes[0].id].id == first.id
    assert first.folder is not None
    with pytest.warns(RunWarning, match="could not be seen"):
        train(grid(file).recipes[0], first.folder)
    with pytest.raises(DataError):
        train(grid(file, seed=2).recipes[0], tmp_path / "new")


def noise_file(kind: str, folder: Path, rate: float) -> dict[str, Any]:
    labels = data.digits().train.labels
    if kind == "matrix":
        np.savetxt(folder / "T.csv", (1 - rate) * np.eye(10) + rate / 9 * (1 - np.eye(10)), delimiter=",")
        return {"kind": kind, "path": str(folder / "T.csv")}
    noisy = symmetric(labels, rate, num_classes=10, seed=5)
    if kind == "file":
        noisy.save(folder / "noise.json")
        return {"kind": kind, "path": str(folder / "noise.json")}
    (folder / "labels.json").write_text(json.dumps(noisy.labels.tolist()))
    return {"kind": kind, "path": str(folder / "labels.json")}


@pytest.mark.parametrize("kind", ["matrix", "labels", "file"])
def test_noise_that_changed_in_its_file_is_not_gone_on_with(tmp_path: Path, kind: str) -> None:
    spec = recipe(noise=noise_file(kind, tmp_path, 0.2))
    interrupt(spec, tmp_path / "run")
    noise_file(kind, tmp_path, 0.6)
    with pytest.raises(RunError, match=r"was begun on other labels in the file of its noise \(SHA-256"):
        train(spec, tmp_path / "run")
    noise_file(kind, tmp_path, 0.2)
    assert train(spec, tmp_path / "run") == train(spec, tmp_path / "whole")


def test_an_interrupted_run_on_other_inputs_is_refused_in_a_folder_of_runs_too(tmp_path: Path) -> None:
    file = table(tmp_path / "my.npz", wrong=50)
    spec = grid(file, epochs=3)

    def watch(progress: Any) -> None:
        if progress.run is not None and progress.run.epoch == 3:
            raise OSError("stopped")

    with pytest.raises(OSError, match="stopped"):
        run_grid(spec, tmp_path / "runs", watch=watch)
    table(file)
    with pytest.raises(RunError, match=r"is not finished and was begun on other data .*Restore .*; or delete"):
        run_grid(spec, tmp_path / "runs")


def test_a_generator_that_draws_other_labels_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(recipe(), tmp_path / "run")
    before = _inputs.prepare

    def other(spec: Recipe, *rest: Any) -> Any:
        return before(recipe(noise={"kind": "symmetric", "rate": 0.5}), *rest)

    monkeypatch.setattr(_inputs, "prepare", other)
    with pytest.raises(RunError, match="other noisy labels than this version of noiseproof draws"):
        train(recipe(), tmp_path / "run")


def test_titles_share_a_run_and_tables_show_both(tmp_path: Path) -> None:
    methods = [{"name": "first", "loss": "gce"}, {"name": "second", "loss": "gce"}]
    asked = load_grid("digits", {"epochs": 1, "model": "mlp(hidden=8)", "grid": {"methods": methods}})
    records = run_grid(asked, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    assert [record.recipe["method"]["name"] for record in records] == ["first", "second"]
    assert records[0].id == records[1].id
    # Under a third title the run is still there.
    asked = load_grid("digits", {"epochs": 1, "model": "mlp(hidden=8)", "method": {"name": "third", "loss": "gce"}})
    assert run_grid(asked, tmp_path)[0].folder == records[0].folder


LOSS = """
import torch
from noiseproof.losses import LabelLoss
from {helper} import SCALE

class Own(LabelLoss, name="{name}"):
    def value(self, label):
        return SCALE * (1 - label.p)
    def slope(self, label):
        return -SCALE * label.p
"""


def test_a_changed_loss_of_ones_own_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_helper.py").write_text("SCALE = 1.0\n")
    (tmp_path / "own_loss.py").write_text(LOSS.format(helper="own_helper", name="own-one"))
    import own_loss  # type: ignore[import-not-found]

    spec = recipe(method={"loss": "own-one"})
    interrupt(spec, tmp_path / "run")
    record = read_record(tmp_path / "run")
    assert record is not None
    assert set(record.code) == {"own_loss", "own_helper"}
    hashes = source_hashes([own_loss.Own])
    assert record.code == hashes
    (tmp_path / "own_helper.py").write_text("SCALE = 2.0\n")  # what it is made of counts as well
    with pytest.raises(RunError, match=r"was begun with other code of its method \(own_helper: SHA-256"):
        train(spec, tmp_path / "run")
    for name in ("own_loss", "own_helper"):
        sys.modules.pop(name)


def test_sources_are_followed_in_packages_and_not_into_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "own_package"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("SCALE = 1\nfrom . import also\n")
    (package / "also.py").write_text("import numpy, torch\n")
    (package / "unused.py").write_text("")
    (package / "deep" / "__init__.py").write_text("from ..parts import SCALE\nclass Thing:\n    pass\n")
    from own_package.deep import Thing  # type: ignore[import-not-found]

    names = ["own_package", "own_package.also", "own_package.deep", "own_package.parts"]
    assert list(source_hashes([Thing])) == names
    assert source_hashes([dict, torch.nn.Module]) == {}
    typed_in: dict[str, Any] = {"__name__": "console"}
    exec("class Thing:\n    def f(self):\n        return [i for i in (1, 2)]\n", typed_in)
    assert list(source_hashes([typed_in["Thing"]])) == ["console"]


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """A run that has two checkpoints."""
    interrupt(recipe(), tmp_path / "run")
    assert len(list((tmp_path / "run").glob("checkpoint*"))) == 2
    return tmp_path / "run"


@pytest.mark.parametrize("place", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_flipped_bit_in_a_checkpoint_costs_an_epoch_and_nothing_else(
    running: Path, finished: Path, place: float
) -> None:
    flip(running / "checkpoint.pt", place)
    with pytest.warns(RunWarning, match=r"cannot read .*checkpoint.pt: .*goes on from the checkpoint before it"):
        train(recipe(), running)
    for name in ("record.json", "weights.safetensors", "selected.safetensors", "noise.json"):
        assert (running / name).read_bytes() == (finished / name).read_bytes()
    assert not list(running.glob("checkpoint*"))


def flip(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)


def test_two_damaged_checkpoints_are_never_a_new_start(running: Path) -> None:
    for path in running.glob("checkpoint*"):
        flip(path, 0.7)
    with pytest.raises(RunError, match=r"cannot read .*checkpoint.pt: .*; cannot read .*checkpoint-previous.pt"):
        train(recipe(), running)
    for path in running.glob("checkpoint*"):
        path.unlink()
    with pytest.warns(RunWarning, match="has a record of 2 epochs but no checkpoint any more"):
        train(recipe(), running)


def test_a_checkpoint_of_another_run_is_not_taken(running: Path, tmp_path: Path) -> None:
    interrupt(recipe(seed=2), tmp_path / "other")
    for name in ("checkpoint.pt", "checkpoint-previous.pt"):
        shutil.copy(tmp_path / "other" / name, running / name)
    with pytest.raises(RunError, match=r"checkpoint.pt: it is of run \w+-\w+, not of"):
        train(recipe(), running)


def test_any_changed_byte_of_a_finished_run_is_noticed(finished: Path, tmp_path: Path) -> None:
    names = ("record.json", "weights.safetensors", "selected.safetensors", "noise.json")
    for name in names:
        for place in np.linspace(0, 0.9999, 12 if name == "record.json" else 3):
            folder = tmp_path / "copy"
            shutil.copytree(finished, folder)
            flip(folder / name, place)
            with pytest.raises(RunError, match=rf"{name}.*(Restore|restore)"):
                read_record(folder)
            with pytest.raises(RunError, match=name):
                train(recipe(), folder)
            shutil.rmtree(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda values: {**values, "status": "Finished"},
        lambda values: {**values, "epochs": [{**epoch, "test_accuracy": 0.99} for epoch in values["epochs"]]},
        lambda values: {**values, "id": "other"},
        lambda values: {**values, "sha256": ""},
        lambda values: {key: value for key, value in values.items() if key != "files"},
        lambda _: None,
        lambda _: 3,
        lambda _: [],
        lambda _: {"format": container.FORMAT},
        lambda _: {"format": True, "holds": "record", "sha256": ""},
    ],
)
def test_a_record_that_was_edited_is_refused(finished: Path, tmp_path: Path, change: Any) -> None:
    shutil.copytree(finished, tmp_path / "run")
    path = tmp_path / "run" / "record.json"
    path.write_text(json.dumps(change(json.loads(path.read_text())), indent=1) + "\n")
    for use in (lambda: read_record(path.parent), lambda: train(recipe(), path.parent)):
        with pytest.raises(RunError, match=r"cannot read .*record.json: .*delete the folder"):
            use()


@pytest.mark.parametrize("text", ["", "{", "null", "3", "[" * 100_000, '{"a":' * 100_000, "1" * 5000, "NaN", "\0"])
def test_a_record_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(RunError, match="record.json"):
        read_record(tmp_path)


@pytest.mark.parametrize("change", [{"status": "Finished"}, {"epochs": 3}, {"epochs": [3]}, {"noise": 1}, {"x": 1}])
def test_a_record_with_a_hash_of_somebody_elses_is_checked(finished: Path, tmp_path: Path, change: Any) -> None:
    contents = container.read_document(finished / "record.json", "record")
    (tmp_path / "record.json").write_text(container.write_document("record", {**contents, **change}))
    with pytest.raises(RunError, match="record.json"):
        read_record(tmp_path)


def test_a_record_of_another_run_is_not_counted(tmp_path: Path) -> None:
    asked = load_grid("digits", {"epochs": 1, "model": "mlp(hidden=8)", "grid": {"seeds": [1, 2], "methods": ["ce"]}})
    first, second = (record.folder for record in run_grid(asked, tmp_path))
    assert first is not None
    assert second is not None
    for path in first.iterdir():
        if path.is_file():
            shutil.copy(path, second / path.name)
    for use in (lambda: run_grid(asked, tmp_path), lambda: read_records(asked.recipes, tmp_path)):
        with pytest.raises(RunError, match=r"record.json is the record of run .*Delete the folder"):
            use()


def test_weights_that_were_deleted_are_said_to_be(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "weights.safetensors").unlink()
    with pytest.warns(RunWarning, match=r"but weights.safetensors is not there any more"):
        assert train(recipe(), tmp_path / "run").status == "finished"


def test_noise_that_was_changed_beside_an_unfinished_run_is_noticed(running: Path) -> None:
    flip(running / "noise.json", 0.5)
    with pytest.raises(RunError, match="noise.json was changed after the run had written it: delete it"):
        train(recipe(), running)
    (running / "noise.json").unlink()
    assert train(recipe(), running).status == "finished"


def test_folders_of_the_old_format_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.json").write_text('{"format": "noiseproof-run-1", "id": "0"}')
    with pytest.raises(RunError, match=r"is of format 'noiseproof-run-1', and this version .* reads format 5"):
        train(recipe(), tmp_path / "run")
    asked = load_grid("digits", {"epochs": 1, "method": "gce"})
    (tmp_path / "runs" / "digits-none-gce-seed1-0123456789ab").mkdir(parents=True)
    with pytest.raises(RunError, match=r"of an older version of noiseproof \(digits-none-gce-seed1-0123456789ab\)"):
        run_grid(asked, tmp_path / "runs")


def test_noise_of_a_file_is_known_by_its_labels_as_int64_and_its_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from noiseproof.data.noises import FileNoise
    from noiseproof.train import noise_fingerprint

    noisy = noise.symmetric(np.arange(1000) % 10, 0.4, num_classes=10, seed=1)
    recipe: Any = SimpleNamespace(noise=FileNoise(kind="file", path="noise.json"))
    matrix = np.full((10, 10), 0.4 / 9)
    np.fill_diagonal(matrix, 0.6)
    digest = hashlib.sha256()
    for array in (noisy.labels.astype("<i8"), noisy.clean.astype("<i8"), matrix):
        digest.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    assert noise_fingerprint(recipe, noisy) == digest.hexdigest()
    monkeypatch.setattr("noiseproof.train._identity._BLOCK", 7)
    assert noise_fingerprint(recipe, noisy) == digest.hexdigest()
    many = noise.symmetric(np.arange(6000) % 3000, 0.0, num_classes=3000)
    other = noise.NoisyLabels(many.labels, many.clean, noise.symmetric_matrix(0.1, 3000), "a", "b")
    assert noise_fingerprint(recipe, many) != noise_fingerprint(recipe, other)


def test_everything_that_is_written_says_what_it_is(finished: Path, running: Path) -> None:
    from safetensors import safe_open

    record = json.loads((finished / "record.json").read_text())
    labels = json.loads((finished / "noise.json").read_text())
    state = json.loads((running / "checkpoint.pt").read_bytes().partition(b"\n")[0])
    with safe_open(finished / "weights.safetensors", "pt") as file:
        weights = json.loads(file.metadata()["noiseproof"])
    assert [each["format"] for each in (record, labels, state, weights)] == [container.FORMAT] * 4
    assert [each["holds"] for each in (record, labels, state, weights)] == ["record", "noise", "checkpoint", "weights"]
    assert {record["id"], state["run"], weights["run"]} == {record["id"]}
    for each in (record, state, weights):
        assert each["recipe"]["method"]["loss"] == "gce(q=0.7)"
        assert each["environments"][0]["environment"]["torch"] == torch.__version__
    assert all(len(each["sha256"]) == 64 for each in (record, labels, state))
    assert list(record["files"]) == ["noise.json", "predictor.json", "selected.safetensors", "weights.safetensors"]


def test_another_cpu_capability_is_warned_of_and_recorded(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = read_record(running)
    assert record is not None
    environment = record.environments[0]["environment"]
    assert environment["capability"] == torch.backends.cpu.get_cpu_capability()
    assert environment["cpu"]
    assert environment["precision"] == "32-true"
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    with pytest.warns(RunWarning, match=r"goes on in another environment \(capability 'DEFAULT', before '"):
        record = train(recipe(), running)
    assert [each["from_epoch"] for each in record.environments] == [1, 3]


def test_environments_follow_the_checkpoint(running: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another machine did and lost leaves no trace."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
        with pytest.warns(RunWarning, match="another environment .capability .DEFAULT., before"):
            interrupt(recipe(), running, epoch=3)
    train(recipe(), running)
    assert (running / "record.json").read_bytes() == (finished / "record.json").read_bytes()


def test_a_gpus_precision_is_refused_on_a_cpu_and_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"precision '16-mixed' needs a GPU"):
        train(recipe(precision="16-mixed"), tmp_path / "run", device="cpu")
    assert list(tmp_path.iterdir()) == []
    assert (
        train(recipe(precision="tf32-true", epochs=1), tmp_path / "run", device="cpu").environments[0]["environment"][
            "precision"
        ]
        == "32-true"
    )


@pytest.mark.parametrize("changes", [{"lr": 1e39}, {"lr": 1e30}, {"method": {"loss": "mae", "l2": 1e30}}])
def test_weights_and_outputs_that_are_no_numbers_are_divergence(tmp_path: Path, changes: dict[str, Any]) -> None:
    one_update = recipe(epochs=1, batch_size=2000, validation=0, **changes)
    record = train(one_update, tmp_path / "run")
    assert record.status == "diverged"
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_an_error_before_the_first_step_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [recipe(validation=0.9999), recipe(data={"name": "arrays", "path": "absent.npz"}, noise={"kind": "none"})]
    for spec in bad:
        with pytest.raises(ValueError, match=r"validation|absent"):
            train(spec, tmp_path / "run")
    with pytest.raises(RunError, match="cannot train on device 'nonsense'"):
        train(recipe(), tmp_path / "run", device="nonsense")
    with monkeypatch.context() as broken:
        broken.setattr(loop.EagerSteps, "update", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(recipe(), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("kept")
    with monkeypatch.context() as broken:
        broken.setattr(loop.EagerSteps, "update", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(recipe(), tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0.0),
        ("epoch,seconds,samples_per_second\n1,2.5,3\n2,nan,3\n3,inf,1\n4,-1,1\n5\n6,1.5,3\n", 4.0),
        ("epoch,seconds\n1," + "9" * 200_000 + "\n2,1\n", 1.0),
        ("head\n1,1e308,1\n2,1e308,1\n", None),
        ("\0\n\udcff", 0.0),
    ],
)
def test_nothing_depends_on_timing(finished: Path, tmp_path: Path, text: str, seconds: float | None) -> None:
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "timing.csv").write_text(text, errors="surrogateescape")
    record = read_record(tmp_path / "run")
    assert record is not None
    assert record.seconds == seconds


def test_an_empty_timing_file_gets_its_head(running: Path) -> None:
    (running / "timing.csv").write_text("")
    train(recipe(), running)
    assert (running / "timing.csv").read_text().startswith("epoch,seconds,samples_per_second,begun\n3,")


@pytest.mark.parametrize("name", [".owner", "timing.csv"])
def test_every_write_into_the_folder_is_guarded(tmp_path: Path, name: str) -> None:
    (tmp_path / "run" / name).mkdir(parents=True)
    with pytest.raises(RunError, match=rf"could not write .*{name}: .*run the same command again"):
        train(recipe(), tmp_path / "run")


def test_a_folder_that_vanishes_is_an_error_of_noiseproof(tmp_path: Path) -> None:
    def watch(progress: Progress) -> None:
        if progress.epoch == 2:
            shutil.rmtree(tmp_path / "run", ignore_errors=True)

    with pytest.raises(RunError, match="could not write"):
        train(recipe(), tmp_path / "run", watch=watch)


def test_names_are_forced_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import stat

    from noiseproof import files

    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        done.append("rename")
        return replace(self, target)

    monkeypatch.setattr(files.os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    files.write_text(tmp_path / "file", "text")
    assert done == ["file", "rename", "folder"]


def test_ids_are_of_settings_and_contents() -> None:
    one = Identity("0" * 12, {"data": "a"}, {"__main__": "x"})
    assert one.id.startswith("0" * 12 + "-")
    assert dataclasses.replace(one, code={"mine": "x"}).id == one.id  # run as a script or imported
    for other in ({"inputs": {"data": "b"}}, {"code": {"mine": "y"}}, {"code": {}}, {"settings": "1" * 12}):
        assert dataclasses.replace(one, **other).id != one.id


def test_tables_need_no_import_of_a_loss(finished: Path) -> None:
    record = read_record(finished)
    assert record is not None
    values = {**record.recipe, "method": {**record.recipe["method"], "name": "mine", "loss": "nowhere-to-be-found"}}
    (made,) = make_tables("t", [dataclasses.replace(record, recipe=values, code={"mine": "0" * 64})])
    assert made.rows[0][0] == "mine"
