"""The recipes of the published protocols train on small sets in the exact layouts, as they are but for their sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import image_sets
from conftest import pickle_python2
from noiseproof.data import cifar10, cifar100
from noiseproof.train import make_recipe, merge, packaged_recipes, read_recipe_file, train

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*differ from the published:noiseproof.errors.DataWarning"),
    pytest.mark.filterwarnings("ignore::noiseproof.errors.NoiseWarning"),
]

COLUMNS = ("aggre_label", "random_label1", "random_label2", "random_label3", "worse_label", "noisy_label")
OWN_DATA = {"arrays", "folder", "list", "digits", "demo"}
"""Recipes of no published protocol."""

# A CPU computes bf16 ten times slower than float32.
IMAGES = {"data": {"image_size": 32, "resize": 36}, "precision": "32-true"}
SMALLER: dict[str, dict[str, Any]] = {
    "cifar10-small": {"data": {"train_size": 200}},
    "webvision": IMAGES,
    "clothing1m": IMAGES,
}


def write_cifar(folder: Path, inside: str, files: list[str], meta: str, keys: tuple[str, str], classes: int) -> None:
    """Images that tell their class, in the published layout."""
    random = np.random.default_rng(0)
    patterns = random.integers(0, 200, (classes, 3072))
    (folder / inside).mkdir()
    for file in files:
        labels = random.permutation(np.arange(6 * classes) % classes)
        pixels = (patterns[labels] + random.integers(0, 56, (len(labels), 3072))).astype(np.uint8)
        content = pickle_python2({"data": pixels, keys[0]: [int(label) for label in labels]})
        (folder / inside / file).write_bytes(content)
    names = [f"class{number}" for number in range(classes)]
    (folder / inside / meta).write_bytes(pickle_python2({keys[1]: names}))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    ten = [f"data_batch_{number}" for number in range(1, 6)]
    write_cifar(folder, "cifar-10-batches-py", [*ten, "test_batch"], "batches.meta", ("labels", "label_names"), 10)
    write_cifar(folder, "cifar-100-python", ["train", "test"], "meta", ("fine_labels", "fine_label_names"), 100)
    for classes, load in ((10, cifar10), (100, cifar100)):
        clean = load(folder).train.labels
        wrong = np.where(np.arange(len(clean)) % 5 == 0, (clean + 1) % classes, clean)
        human = {"clean_label": clean, **dict.fromkeys(COLUMNS, wrong)}
        torch.save(human, folder / f"CIFAR-{classes}_human.pt")
    image_sets.write_webvision(folder / "webvision", lists=True)
    image_sets.write_ilsvrc12(folder / "imagenet", "folders")
    image_sets.write_clothing1m(folder / "clothing1m", keys=True)
    return folder


def smaller(name: str) -> dict[str, Any]:
    """A recipe file with two epochs, small images and narrow networks; all else is as published."""
    values = merge(read_recipe_file(name), {"epochs": 2, "batch_size": 16, **SMALLER.get(name, {})})
    values = {key: value for key, value in values.items() if key not in ("title", "grid", "weights")}
    narrow = {"cnn8": "cnn8(width=0.1)", "resnet34": "resnet34(width=0.1)"}
    values["model"] = narrow.get(values["model"].split("(")[0], values["model"])
    if values["data"] == "cifar100" or "cifar100" in name or name == "cifar10n-resnet34":
        values["method"] = "ce"  # JAL moves too slowly at the start for 100 classes, or a deep network, in two epochs
    return values


@pytest.mark.parametrize("name", [name for name in packaged_recipes() if name not in OWN_DATA])
def test_a_published_recipe_trains_resumes_and_is_measured(name: str, data: Path, tmp_path: Path) -> None:
    # With wrong labels a small set is not learned in two epochs.
    values = merge(smaller(name), {"noise": {"rate": 0.1}} if "rate" in smaller(name).get("noise", {}) else {})
    recipe = make_recipe(values)
    steps = []

    def stop_once() -> bool:
        steps.append(None)
        return len(steps) == 2

    stopped = train(recipe, tmp_path / "run", data_dir=data, device="cpu", workers=0, should_stop=stop_once)
    assert stopped.status == "running"
    record = train(recipe, tmp_path / "run", data_dir=data, device="cpu", workers=0)
    assert record.status == "finished"
    first, last = record.epochs
    assert last.train_loss < first.train_loss
    assert last.test_accuracy is not None
    assert last.test_top5 is not None
    assert 0 <= last.test_accuracy <= last.test_top5 <= 1
    further = {"webvision": {"ilsvrc12"}, "clothing1m": {"clean-validation"}}
    assert set(last.extra_tests) == further.get(name, set())
    for measured in last.extra_tests.values():
        assert 0 <= measured["accuracy"] <= measured["top5"] <= 1  # type: ignore[operator]
