"""What was trained gives predictions: the same as in training, for every kind of data, from the folder alone."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import noiseproof
from conftest import UNMEASURED, write_small_cifar
from image_sets import break_images
from noiseproof import data
from noiseproof.container import write_document
from noiseproof.errors import DataError, DataWarning, RunError
from noiseproof.methods import Batch, Method, StepOutput
from noiseproof.prediction import PREDICTOR, Predictor, mean_logits
from noiseproof.train import Record, load_dataset, make_recipe, train

KINDS = ("table", "named table", "gray images", "cifar", "folder", "list")


def _write(kind: str, folder: Path) -> dict[str, Any]:
    """Data of a kind under ``folder``; returns the changes of a recipe that is to learn from them."""
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    if "table" in kind:
        features = random.normal(size=(60, 4)) + 3 * labels[:, None] + 1e6
        names = {"feature_names": np.array(["a", "b", "c", "d"])} if kind == "named table" else {}
        held = {"test_features": features[40:], "test_labels": labels[40:]}
        np.savez(folder / "own.npz", features=features[:40], labels=labels[:40], **held, **names)
        return {"extends": "arrays", "data": {"path": str(folder / "own.npz")}}
    if kind == "gray images":
        images = (random.integers(0, 80, (60, 8, 8)) + 80 * labels[:, None, None]).astype(np.uint8)
        held = {"test_images": images[40:], "test_labels": labels[40:]}
        np.savez(folder / "own.npz", images=images[:40], labels=np.array(["x", "y", "z"])[labels[:40]],
                 **{**held, "test_labels": np.array(["x", "y", "z"])[labels[40:]]})  # fmt: skip
        return {"extends": "arrays", "data": {"path": str(folder / "own.npz")}}
    if kind == "cifar":
        write_small_cifar(folder, "cifar10")
        return {
            "extends": "cifar10",
            "data": {"name": "cifar10", "shrink": 4},
            "validation": 0.1,
            "noise": {"kind": "none"},
        }
    for part, count in (("train", 30), ("test", 15)):
        lines = []
        for number in range(count):
            path = folder / "photos" / part / f"kind {number % 3}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 80, (40 + number, 36, 3)) + 80 * (number % 3)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
            lines.append(f"{path.relative_to(folder / 'photos')},{number % 3}\n")
        (folder / "photos" / f"{part}.txt").write_text("".join(lines))
    sizes = {"image_size": 32, "resize": 36}
    if kind == "folder":
        return {"extends": "folder", "data": {"path": str(folder / "photos"), **sizes}}
    lists = {"path": str(folder / "photos/train.txt"), "test": str(folder / "photos/test.txt")}
    return {"extends": "list", "data": {**lists, **sizes}}


def _train(kind: str, folder: Path, **changes: Any) -> Record:
    asked = {**_write(kind, folder), "epochs": 3, "model": "mlp(hidden=8)", "augment": [], **changes}
    return train(make_recipe(asked), folder / "run", data_dir=folder, device="cpu", workers=0)


@pytest.fixture(scope="module", params=KINDS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, data.Dataset]:
    folder = tmp_path_factory.mktemp("trained")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        record = _train(request.param, folder)
        return record, load_dataset(make_recipe(record.recipe).data, folder)


def _loaded(record: Record, **options: Any) -> Predictor:
    assert record.folder is not None
    return noiseproof.load(record.folder, device="cpu", **options)


@pytest.mark.parametrize("epoch", ["last", "selected"])
def test_it_says_what_was_measured_in_training(trained: tuple[Record, data.Dataset], epoch: str) -> None:
    record, dataset = trained
    assert dataset.test is not None
    # Inputs as a data set holds them, shrunk already, are not what a file has.
    inputs = dataset.test.inputs
    if dataset.shrink > 1:
        inputs = np.repeat(np.repeat(inputs, 4, 1), 4, 2)  # type: ignore[arg-type]
    predictor = _loaded(record, epoch=epoch)
    probabilities = predictor.predict_proba(inputs)
    assert probabilities.shape == (len(dataset.test), dataset.num_classes)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    measured = getattr(record, epoch).test_accuracy
    assert (probabilities.argmax(1) == dataset.test.labels).mean() == pytest.approx(measured, abs=1e-12)
    assert predictor.class_names == dataset.class_names
    assert (predictor.predict(inputs) == predictor.classes[probabilities.argmax(1)]).all()


def test_the_selected_epoch_is_the_default(trained: tuple[Record, data.Dataset]) -> None:
    record, dataset = trained
    path = [dataset.test.inputs if dataset.shrink == 1 else np.zeros((2, 32, 32, 3), np.uint8)]  # type: ignore[union-attr]
    default, selected = (_loaded(record, **options).predict_proba(path[0]) for options in ({}, {"epoch": "selected"}))
    np.testing.assert_array_equal(default, selected)


def test_a_fresh_process_says_the_same(tmp_path: Path) -> None:
    record = _train("table", tmp_path)
    inputs = np.load(tmp_path / "own.npz")["test_features"]
    np.save(tmp_path / "new.npy", inputs)
    code = (
        "import sys, numpy, noiseproof; p = noiseproof.load(sys.argv[1], device='cpu');"
        "numpy.save(sys.argv[3], p.predict_proba(numpy.load(sys.argv[2])));"
        "print(p.predict(sys.argv[2]).dtype, p.classes.tolist(), any('noiseproof.train' in m for m in sys.modules))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(record.folder), str(tmp_path / "new.npy"), str(tmp_path / "out.npy")],
        check=True,
        capture_output=True,
        text=True,
        env=UNMEASURED,
    ).stdout
    assert out == "int64 [0, 1, 2] False\n"
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), _loaded(record).predict_proba(inputs))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["b", "a"], np.array(["b", "a"])),
        (["10", "2"], np.array([10, 2])),
        (["0.5", "2"], np.array([0.5, 2.0])),
        (["True", "False"], np.array(["True", "False"])),
    ],
)
def test_classes_are_what_labels_were(names: list[str], expected: np.ndarray) -> None:
    shape = data.Preprocessing("features", (1,), (0.0,), (1.0,))
    classes = Predictor(names, shape, [], torch.device("cpu")).classes
    np.testing.assert_array_equal(classes, expected)
    assert classes.dtype.kind == expected.dtype.kind


def test_kinds_of_arrays(tmp_path: Path) -> None:
    predictor = _loaded(_train("named table", tmp_path))
    inputs = np.load(tmp_path / "own.npz")["test_features"]
    expected = predictor.predict_proba(inputs)
    for given in (
        inputs.tolist(),
        torch.from_numpy(inputs),
        np.asfortranarray(inputs),
        _Frame(inputs[:, ::-1], "dcba"),
    ):
        np.testing.assert_allclose(predictor.predict_proba(given), expected, rtol=1e-6)
    with pytest.raises(DataError, match="lacks the columns a"):
        predictor.predict(_Frame(inputs, "xbcd"))
    for wrong, why in (
        (inputs[:, :3], r"shape \(20, 3\): expected numbers of shape \(N, 4\)"),
        (inputs[0], r"shape \(4,\)"),
        (np.where(inputs == inputs[3, 1], np.nan, inputs), r"inputs\[3, 1\] is nan"),
        ([["a", "b", "c", "d"]], "<U1 of shape"),
    ):
        with pytest.raises(DataError, match=why):
            predictor.predict(wrong)


class _Frame:
    """What a data frame has of one."""

    def __init__(self, array: np.ndarray, columns: str) -> None:
        self.columns = list(columns)
        self._array = array

    def to_numpy(self) -> np.ndarray:
        return self._array


def test_files_and_arrays_of_the_same_images_agree(tmp_path: Path) -> None:
    """A network of arrays sees files, and one of files sees arrays."""
    random = np.random.default_rng(1)
    for name in ("gray", "files"):
        (tmp_path / name).mkdir()
    gray = _loaded(_train("gray images", tmp_path / "gray"))
    images = random.integers(0, 256, (3, 8, 8), dtype=np.uint8)
    pictures = random.integers(0, 256, (3, 36, 36, 3), dtype=np.uint8)
    for number in range(3):
        for folder, pixels in (("small", images), ("large", pictures)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels[number]).save(tmp_path / folder / f"{number}.png")
    np.testing.assert_array_equal(gray.predict_proba(tmp_path / "small"), gray.predict_proba(images))
    files = _loaded(_train("folder", tmp_path / "files"))
    np.testing.assert_allclose(files.predict_proba(tmp_path / "large"), files.predict_proba(pictures), atol=1e-6)
    assert files.predict(images).shape == (3,)  # gray ones, and of another size
    with pytest.raises(DataError, match="expected uint8"):
        files.predict(images / 255)
    (tmp_path / "table").mkdir()
    table = _loaded(_train("table", tmp_path / "table"))
    with pytest.raises(DataError, match="the network takes tables of 4 features"):
        table.predict(tmp_path / "small")


@pytest.mark.parametrize("kind", ["folder", "gray images"])
def test_images_that_cannot_be_read_have_no_probabilities(tmp_path: Path, kind: str) -> None:
    predictor = _loaded(_train(kind, tmp_path))
    folder = tmp_path / "jpegs"
    folder.mkdir()
    for number in range(10):
        Image.new("RGB", (40, 40), (25 * number, 0, 0)).save(folder / f"{number}.jpg")
    broken = break_images(folder)
    (folder / "7.jpg").unlink()
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"jpegs/{number}.jpg\n" for number in range(10)))
    with pytest.warns(DataWarning, match=f"{len(broken) + 1} images? cannot be read: no prediction"):
        found = predictor.predict_proba(listed)
    lost = [int(Path(name).stem) for name in broken] + [7]
    assert np.flatnonzero(np.isnan(found).any(1)).tolist() == sorted(lost)
    with pytest.raises(DataError, match="4 images cannot be read"), pytest.warns(DataWarning):
        predictor.predict(listed)


@pytest.mark.usefixtures("definitions_as_before")
def test_several_networks_are_averaged(tmp_path: Path) -> None:
    class Pair(Method, name="pair"):
        """Two networks, each of which learns by itself."""

        networks = 2

        def step(self, networks: Any, batch: Batch) -> StepOutput:
            logits = [network(batch.views[0]) for network in networks]
            losses = [self.criterion(each, batch.labels) for each in logits]
            return StepOutput(losses[0] + losses[1], len(batch.labels), mean_logits(logits))

    record = _train("table", tmp_path, method={"kind": "pair", "loss": "ce"})
    assert record.folder is not None
    inputs = np.load(tmp_path / "own.npz")["test_features"]
    together = _loaded(record).predict_proba(inputs)
    described = json.loads((record.folder / PREDICTOR).read_text())
    assert len(described["members"]) == 2
    alone = []
    for member in described["members"]:
        one = tmp_path / f"one{len(alone)}"
        one.mkdir()
        for file in record.folder.glob("*.safetensors"):
            (one / file.name).write_bytes(file.read_bytes())
        _describe(one, {**described, "members": [member]})
        alone.append(noiseproof.load(one, device="cpu").predict_proba(inputs))
    np.testing.assert_allclose(together, (alone[0] + alone[1]) / 2, atol=1e-6)
    assert abs(alone[0] - alone[1]).max() > 1e-3
    weighted = [{**member, "weight": weight} for member, weight in zip(described["members"], (3, 1), strict=True)]
    _describe(record.folder, {**described, "members": weighted})
    np.testing.assert_allclose(_loaded(record).predict_proba(inputs), 0.75 * alone[0] + 0.25 * alone[1], atol=1e-6)


def _describe(folder: Path, described: dict[str, Any]) -> None:
    contents = {key: value for key, value in described.items() if key not in ("format", "holds", "sha256")}
    (folder / PREDICTOR).write_text(write_document("predictor", contents))


def test_a_temperature_divides_the_logits(tmp_path: Path) -> None:
    record = _train("table", tmp_path)
    assert record.folder is not None
    inputs = np.load(tmp_path / "own.npz")["test_features"]
    plain = _loaded(record).predict_proba(inputs).astype(np.float64)
    described = json.loads((record.folder / PREDICTOR).read_text())
    described["members"][0]["temperature"] = 2.0
    _describe(record.folder, described)
    roots = np.sqrt(plain)
    np.testing.assert_allclose(_loaded(record).predict_proba(inputs), roots / roots.sum(1, keepdims=True), atol=1e-5)


def test_what_is_no_finished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no folder of a finished run"):
        noiseproof.load(tmp_path)
    changes = {**_write("table", tmp_path), "epochs": 50, "model": "mlp(hidden=8)"}
    record = train(make_recipe(changes), tmp_path / "run", device="cpu", should_stop=lambda: True)
    assert record.status == "running"
    with pytest.raises(RunError, match="has not finished"):
        noiseproof.load(tmp_path / "run")


def test_there_is_no_selected_epoch_without_validation(tmp_path: Path) -> None:
    record = _train("table", tmp_path, validation=0)
    _loaded(record)
    with pytest.raises(RunError, match="no weights of the selected epoch, but of: last"):
        _loaded(record, epoch="selected")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"members": []}, "no members"),
        ({"class_names": ["a", "a", "b"]}, "is there twice"),
        ({"preprocessing": {"shape": [4, 4]}}, "no preprocessing"),
        ({"preprocessing": {"shape": [10**12]}}, "no preprocessing"),
        ({"member": {"model": "mlp(hidden=65536, depth=64)"}}, "are not those of"),
        ({"member": {"model": "vit"}}, r"unknown model 'vit' .*It came from my_nets: import that"),
        ({"member": {"weights": {"last": {"file": "../x.safetensors", "sha256": "0"}}}}, "outside of the folder"),
        ({"member": {"weights": {"last": {"file": "x.safetensors", "sha256": "0"}}}}, "not there any more"),
        ({"member": {"weights": {"last": {"file": "weights.safetensors", "sha256": "0"}}}}, "was changed after"),
    ],
)
def test_a_description_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    record = _train("table", tmp_path, validation=0)
    assert record.folder is not None
    described = json.loads((record.folder / PREDICTOR).read_text())
    described["members"][0] |= {"code": {"my_nets": "0" * 64}, **change.pop("member", {})}
    described["preprocessing"] |= change.pop("preprocessing", {})
    _describe(record.folder, {**described, **change})
    with pytest.raises(RunError, match=why):
        noiseproof.load(record.folder, device="cpu")


def test_changed_files_are_refused(tmp_path: Path) -> None:
    record = _train("table", tmp_path, validation=0)
    assert record.folder is not None
    path = record.folder / PREDICTOR
    path.write_text(path.read_text().replace("32-true", "64-true"))
    with pytest.raises(RunError, match="it was changed after it was written"):
        noiseproof.load(record.folder)


def test_a_network_of_ones_own_is_given(tmp_path: Path) -> None:
    record = _train("table", tmp_path)
    assert record.folder is not None
    inputs = np.load(tmp_path / "own.npz")["test_features"]
    expected = _loaded(record).predict_proba(inputs)
    described = json.loads((record.folder / PREDICTOR).read_text())
    described["members"][0]["model"] = "mine"
    _describe(record.folder, described)
    with pytest.raises(RunError, match="unknown model 'mine'"):
        _loaded(record)
    own = noiseproof.models.make_model("mlp(hidden=8)", input_shape=(4,), num_classes=3)
    np.testing.assert_array_equal(_loaded(record, network=own).predict_proba(inputs), expected)
    other = noiseproof.models.make_model("mlp(hidden=9)", input_shape=(4,), num_classes=3)
    with pytest.raises(RunError, match="are not those of this network"):
        _loaded(record, network=other)
    with pytest.raises(RunError, match="has 1 networks, and 2 were given"):
        _loaded(record, network=[own, own])


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed", "tf32-true"])
def test_precisions(tmp_path: Path, precision: str) -> None:
    record = _train("table", tmp_path, precision=precision)
    held = np.load(tmp_path / "own.npz")
    found = _loaded(record, epoch="last").predict_proba(held["test_features"])
    assert record.last is not None
    assert (found.argmax(1) == held["test_labels"]).mean() == record.last.test_accuracy
    assert found.dtype == (np.float64 if precision == "64-true" else np.float32)
