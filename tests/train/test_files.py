"""Runs on image files: published layouts, broken images, workers, interruption."""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import image_sets
import killable_run
from conftest import UNMEASURED
from noiseproof import models
from noiseproof.data import image_lists
from noiseproof.errors import DataError, DataWarning, MissingPackageError, RecipeError, RunError
from noiseproof.loaders import Reader
from noiseproof.results import make_tables, runs_csv
from noiseproof.train import Progress, Recipe, Record, load_dataset, make_recipe, read_record, train

BASE: dict[str, Any] = {
    "data": {"name": "webvision", "image_size": 16, "resize": 20},
    "model": "small-cnn(width=0.5)",
    "method": "ce",
    "epochs": 2,
    "batch_size": 8,
    "lr": 0.05,
    "augment": ["resized-crop", "flip", "jitter"],
}


def recipe(**changes: Any) -> Recipe:
    return make_recipe({**BASE, **changes})


def run(spec: Recipe, folder: Path, data: Path, **keywords: Any) -> Record:
    return train(spec, folder, data_dir=data, device="cpu", **{"workers": 0, **keywords})


@pytest.fixture(scope="module")
def webvision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("web")
    image_sets.write_webvision(root / "webvision", lists=False)
    image_sets.write_ilsvrc12(root / "imagenet", "meta")
    return root


@pytest.fixture(scope="module")
def reference(webvision: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run on WebVision-mini in the official layout, decoded in the process itself."""
    folder = tmp_path_factory.mktemp("reference") / "run"
    run(recipe(), folder, webvision)
    return folder


def same(one: Path, other: Path) -> bool:
    names = ("record.json", "weights.safetensors")
    return [(one / name).read_bytes() for name in names] == [(other / name).read_bytes() for name in names]


def test_webvision_is_learned_and_measured_on_both_validation_sets(reference: Path) -> None:
    record = read_record(reference)
    assert record is not None
    first, last = record.epochs
    assert last.train_loss < first.train_loss
    assert record.data["train"] == 56
    assert record.data["test"] == 14
    assert record.data["extra_tests"] == {"ilsvrc12": 21}
    assert record.noise is None
    assert record.unreadable == {}
    assert last.test_accuracy is not None
    assert last.test_top5 is not None
    assert set(last.extra_tests) == {"ilsvrc12"}
    accuracy, top5 = last.extra_tests["ilsvrc12"]["accuracy"], last.extra_tests["ilsvrc12"]["top5"]
    assert accuracy is not None
    assert top5 is not None
    assert 0 <= accuracy <= top5 <= 1
    assert top5 > 0.2  # five of fifty classes would be a tenth
    (table,) = make_tables("t", [record])
    assert table.columns[:4] == (
        "test accuracy, last epoch (%)",
        "test top-5 accuracy, last epoch (%)",
        "ilsvrc12 accuracy, last epoch (%)",
        "ilsvrc12 top-5 accuracy, last epoch (%)",
    )
    (row,) = csv.DictReader(runs_csv([record]).splitlines())
    assert float(row["last_ilsvrc12_top5"]) == pytest.approx(top5, abs=1e-6)


def test_recorded_accuracy_is_that_of_the_weights(reference: Path, webvision: Path) -> None:
    """Against Pillow and plain arithmetic: short side 20, the middle 16 x 16, ImageNet's mean and deviation."""
    from PIL import Image

    record = read_record(reference)
    assert record is not None
    assert record.last is not None
    dataset = load_dataset(recipe().data, webvision)
    network = models.make_model(recipe().model, input_shape=(3, 16, 16), num_classes=50)
    network.load_state_dict(load_file(reference / "weights.safetensors"))
    network.eval()
    part = dataset.extra_tests["ilsvrc12"]
    ranks = []
    for name, label in zip(part.inputs.names(np.arange(len(part))), part.labels.tolist(), strict=True):
        with Image.open(part.inputs.root / name) as image:
            pixels = np.asarray(image.resize((int(20 * image.width / image.height), 20), Image.Resampling.BILINEAR))
        left = round((pixels.shape[1] - 16) / 2)
        crop = (pixels[2:18, left : left + 16] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        logits = network(torch.from_numpy(crop.transpose(2, 0, 1)[None].astype(np.float32)))[0]
        ranks.append(int((logits > logits[label]).sum()))
    assert np.mean(np.array(ranks) < 1) == record.last.extra_tests["ilsvrc12"]["accuracy"]
    assert np.mean(np.array(ranks) < 5) == record.last.extra_tests["ilsvrc12"]["top5"]


def test_the_number_of_workers_changes_nothing(reference: Path, webvision: Path, tmp_path: Path) -> None:
    run(recipe(), tmp_path / "run", webvision, workers=2)
    assert same(tmp_path / "run", reference)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_interrupted_run_goes_on_in_the_middle_of_an_epoch(
    reference: Path, webvision: Path, tmp_path: Path, workers: int
) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step == 3 and progress.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(recipe(), tmp_path / "run", webvision, workers=workers, watch=interrupt)
    assert killable_run.read_state(tmp_path / "run" / "checkpoint.pt")["step"] == 3
    run(recipe(), tmp_path / "run", webvision, workers=2 - workers)
    assert same(tmp_path / "run", reference)


def processes_of(session: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_signals_from_outside_leave_no_process_and_lose_nothing(webvision: Path, tmp_path: Path) -> None:
    """Ctrl-C for the whole terminal, then kill -9 with an immediate second start, against an undisturbed run."""
    spec = {**BASE, "epochs": 12}
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nfrom noiseproof.train import make_recipe, train\n"
        "try:\n"
        f"    train(make_recipe({spec!r}), sys.argv[1], data_dir={str(webvision)!r}, device='cpu', workers=2)\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n"
    )
    folder = tmp_path / "run"

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, str(script), str(folder)]
        return subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True, env=UNMEASURED)

    def wait_for(text: str) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until and not (
            (folder / "timing.csv").exists() and text in (folder / "timing.csv").read_text()
        ):
            time.sleep(0.02)

    with start() as process:
        wait_for("\n1,")
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in errors
    until = time.monotonic() + 20
    while processes_of(process.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not processes_of(process.pid)
    with start() as killed:
        wait_for("\n3,")
        killed.kill()
    with start() as last:
        assert last.wait(timeout=120) == 0
    until = time.monotonic() + 20
    while processes_of(killed.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not processes_of(killed.pid)
    run(make_recipe(spec), tmp_path / "undisturbed", webvision)
    assert same(folder, tmp_path / "undisturbed")


def test_workers_end_with_the_run(webvision: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def fail(progress: Progress) -> None:
        seen.append(len(multiprocessing.active_children()))
        raise RuntimeError("of the caller")

    with pytest.raises(RuntimeError, match="of the caller"):
        run(recipe(), tmp_path / "run", webvision, workers=2, watch=fail)
    assert seen == [2]
    assert not multiprocessing.active_children()


def test_broken_images_are_skipped_named_and_counted(tmp_path: Path) -> None:
    image_sets.write_webvision(tmp_path / "webvision", lists=True)
    image_sets.write_ilsvrc12(tmp_path / "imagenet", "lists")
    broken = image_sets.break_images(tmp_path / "webvision" / "google")
    image_sets.break_images(tmp_path / "imagenet" / "val")
    with pytest.warns(DataWarning, match="6 images cannot be read and are skipped") as caught:
        record = run(recipe(), tmp_path / "run", tmp_path)
    assert len(caught) == 1
    assert record.unreadable == {"train": 3, "ilsvrc12": 3}
    with (tmp_path / "run" / "unreadable.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["path"] for row in rows if row["part"] == "train") == sorted(f"google/{name}" for name in broken)
    reasons = " ".join(row["why"] for row in rows)
    assert "truncated" in reasons
    assert "no image in a known format" in reasons
    assert "decompression bomb" in reasons
    accuracy = record.epochs[0].extra_tests["ilsvrc12"]["accuracy"]
    assert accuracy is not None
    assert (accuracy * 18) == pytest.approx(round(accuracy * 18), abs=1e-9)  # 18 of 21 could be read
    assert any("3 of train, 3 of ilsvrc12" in note for table in make_tables("t", [record]) for note in table.notes)

    # Interrupted before the measures of the first epoch, with other workers: the same record.
    stop = [True]

    def interrupt(progress: Progress) -> None:
        if stop and progress.step == 6:
            stop.pop()
            os.kill(os.getpid(), signal.SIGINT)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        with pytest.raises(KeyboardInterrupt):
            run(recipe(), tmp_path / "again", tmp_path, watch=interrupt)
        assert (tmp_path / "again" / "unreadable.csv").exists()
        run(recipe(), tmp_path / "again", tmp_path)
    assert same(tmp_path / "again", tmp_path / "run")
    assert (tmp_path / "again" / "unreadable.csv").read_bytes() == (tmp_path / "run" / "unreadable.csv").read_bytes()


@pytest.mark.parametrize("readable", [12, 0])
def test_a_batch_without_readable_images_is_no_step(tmp_path: Path, readable: int) -> None:
    lines = []
    for number in range(24):
        name = f"{number}.jpg"
        image_sets.write_image(tmp_path / name, number % 2, number)
        lines.append(f"{name} {number % 2}")
        if number >= readable:
            (tmp_path / name).write_text("nothing")
    image_sets.write_lines(tmp_path / "train.txt", lines)
    spec = recipe(
        data={"name": "list", "path": str(tmp_path / "train.txt"), "image_size": 16, "resize": 20}, batch_size=2
    )
    if not readable:
        with pytest.raises(RunError, match="no batch of epoch 1 has two images that can be read"):
            run(spec, tmp_path / "run", tmp_path)
        return
    with pytest.warns(DataWarning, match="12 images"):
        record = run(spec, tmp_path / "run", tmp_path)
    assert record.status == "finished"
    assert record.unreadable == {"train": 12}


def test_a_disk_that_goes_away_stops_the_run(webvision: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(webvision, tmp_path / "data")
    moved: list[Path] = []

    def take_away(progress: Progress) -> None:
        if progress.epoch == 2 and not moved:
            moved.append((tmp_path / "data" / "webvision" / "google").rename(tmp_path / "away"))

    with pytest.raises(RunError, match="were there when the run began cannot be opened"):
        run(recipe(epochs=3), tmp_path / "run", tmp_path / "data", watch=take_away)
    moved[0].rename(tmp_path / "data" / "webvision" / "google")
    assert run(recipe(epochs=3), tmp_path / "run", tmp_path / "data").unreadable == {}


@pytest.mark.parametrize("keys", [True, False], ids=["key lists", "pairs"])
def test_clothing1m(tmp_path: Path, keys: bool) -> None:
    image_sets.write_clothing1m(tmp_path / "clothing1m", keys=keys)
    spec = recipe(
        data={"name": "clothing1m", "image_size": 16, "resize": 20},
        augment=["crop", "flip"],
        balanced=True,
        schedule={"factor": 0.1, "after": [1]},
        lr=0.1,
    )
    steps: list[int] = []
    record = run(spec, tmp_path / "run", tmp_path, watch=lambda progress: steps.append(progress.steps))
    assert steps == [11] * 22  # 14 classes of 6, the rarest, in batches of 8
    assert [epoch.lr for epoch in record.epochs] == pytest.approx([0.1, 0.01])
    assert record.epochs[1].train_loss < record.epochs[0].train_loss
    assert record.data["train"] == 14 * 6 + 5 + 2 * 4
    assert record.data["extra_tests"] == {"clean-validation": 28}
    assert record.epochs[1].extra_tests["clean-validation"]["top5"] is not None
    skipped = ["1 lines of noisy_label_kv.txt have not two fields and were skipped"]
    assert record.data["notes"] == (skipped if keys else [])


@pytest.mark.filterwarnings("ignore:symmetric noise.*go to classes that no sample has:noiseproof.errors.NoiseWarning")
def test_symmetric_noise_and_noisy_validation_on_files(webvision: Path, tmp_path: Path) -> None:
    noisy = recipe(noise={"kind": "symmetric", "rate": 0.5}, validation=0.25, epochs=1)
    record = run(noisy, tmp_path / "run", webvision)
    assert record.data["validation"] == 14
    assert record.last is not None
    assert record.last.validation_accuracy is not None
    assert record.last.memorization is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"name": "webvision", "path": "x"}}, "path belongs to name = 'arrays', 'folder', 'list'"),
        ({"data": {"name": "folder"}}, "path is missing"),
        ({"data": {"name": "digits", "image_size": 8}}, "image_size belongs to"),
        ({"data": {"name": "webvision", "resize": 100}}, r"image_size 224 is above resize \(100\)"),
        ({"data": {"name": "webvision", "root": "x"}}, "root belongs to name = 'list'"),
        ({"data": "digits"}, "'resized-crop' and 'jitter' are for image files"),
        ({"augment": ["crop", "resized-crop"]}, "exclude each other"),
        ({"schedule": {"factor": 0.1, "after": []}}, "schedule"),
        ({"schedule": {"factor": 2, "after": [1]}}, "schedule"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(**changes)


def test_balanced_needs_every_class(webvision: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no training label is class 3"):
        run(recipe(balanced=True), tmp_path / "run", webvision)


def test_a_worker_that_dies_is_an_error(tmp_path: Path) -> None:
    for number in range(60):
        image_sets.write_image(tmp_path / f"{number}.jpg", 0, number)
    image_sets.write_lines(tmp_path / "train.txt", [f"{number}.jpg {number % 2}" for number in range(60)])
    files = image_lists(tmp_path / "train.txt").train.inputs
    reader = Reader(1, torch.device("cpu"))
    batches = reader.read(files, list(torch.arange(60).split(2)))
    try:
        next(batches)
        (worker,) = multiprocessing.active_children()
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(RunError, match="a process that decodes images failed.*--workers 0"):
            list(batches)
    finally:
        reader.close()


def test_missing_libraries_are_named(webvision: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "kornia", None)
    with pytest.raises(MissingPackageError, match=r"kornia: pip install 'noiseproof\[vision\]'"):
        run(recipe(), tmp_path / "run", webvision)


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from noiseproof import cli

    monkeypatch.chdir(tmp_path)
    image_sets.write_webvision(tmp_path / "data" / "webvision", lists=True, each=3)
    image_sets.write_ilsvrc12(tmp_path / "data" / "imagenet", "lists")
    (tmp_path / "data" / "webvision" / "google" / "q0030" / "image_1.jpg").write_text("no image")
    (tmp_path / "small.toml").write_text(
        'data = {name = "webvision", image_size = 16, resize = 20}\nmodel = "small-cnn(width=0.5)"\nmethod = "ce"\n'
        'epochs = 1\nbatch_size = 8\nlr = 0.05\naugment = ["resized-crop"]\n'
    )
    command = ["train", "small.toml", "--workers", "1", "--device", "cpu"]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert cli.main([*command, "--data-dir", "data"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("warning: 1 images cannot be read and are skipped (google/q0030/image_1.jpg: no image in a ")
    assert "ilsvrc12 " in out
    assert "% (top 5)" in out
    assert "data: images that could not be read and were skipped: 1 of train" in out
    with pytest.raises(SystemExit):
        cli.main(["train", "small.toml", "--workers", "-1"])
    assert "'-1': expected a whole number" in capsys.readouterr().err


@pytest.mark.gpu
def test_files_on_a_gpu(webvision: Path, tmp_path: Path) -> None:
    record = train(
        recipe(augment=["resized-crop", "flip", "rotate", "jitter"]), tmp_path, data_dir=webvision, workers=2
    )
    assert record.epochs[1].train_loss < record.epochs[0].train_loss


def test_photos_with_names_that_are_no_utf_8_are_learned(tmp_path: Path) -> None:
    """With deep gray ones and a broken one among them, whose name is written to every file and message."""
    for label, name in enumerate(("cat", "dog")):
        for number in range(6):
            place = os.fsencode(tmp_path / "photos" / name) + b"/caf\xe9 %d.png" % number
            image_sets.write_image(Path(os.fsdecode(place)), label, number)
    Path(os.fsdecode(place)).write_bytes(b"broken")
    spec = recipe(data={"name": "folder", "path": str(tmp_path / "photos"), "image_size": 16, "resize": 20}, epochs=1)
    with pytest.warns(DataWarning, match="1 images cannot be read and are skipped"):
        record = run(spec, tmp_path / "run", tmp_path, workers=1)
    assert record.status == "finished"
    assert r"dog/caf\udce9 5.png" in (tmp_path / "run" / "unreadable.csv").read_text(encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        assert run(spec, tmp_path / "run", tmp_path).id == record.id


def test_the_share_of_unreadable_images_is_a_setting_and_no_part_of_a_result(tmp_path: Path) -> None:
    for number in range(16):
        image_sets.write_image(tmp_path / f"{number}.png", number % 2, number)
    image_sets.write_lines(tmp_path / "list.txt", [f"{number}.png {number % 2}" for number in range(30)])
    settings = {"name": "list", "path": str(tmp_path / "list.txt"), "image_size": 16, "resize": 20}
    with pytest.raises(DataError, match=r"14 of 30 training images .*at most 7 may be"):
        load_dataset(recipe(data=settings).data, tmp_path)
    lenient = recipe(data={**settings, "unreadable": 0.5})
    with pytest.warns(DataWarning, match="14 of 30 training images"):
        assert len(load_dataset(lenient.data, tmp_path).train) == 16
    strict = recipe(data={**settings, "unreadable": 0.0})
    (tmp_path / "list.txt").write_text("".join(f"{number}.png {number % 2}\n" for number in range(17)))
    with pytest.raises(DataError, match=r"1 of 17 training images .*at most 0 may be"):
        load_dataset(strict.data, tmp_path)
    assert strict.id == lenient.id == recipe(data=settings).id
    for wrong in (1.0, -0.1, "x"):
        with pytest.raises(RecipeError, match="unreadable"):
            recipe(data={**settings, "unreadable": wrong})
    with pytest.raises(RecipeError, match="unreadable belongs to"):
        recipe(data={"name": "digits", "unreadable": 0.5})
