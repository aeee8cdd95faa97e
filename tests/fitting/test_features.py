"""Fits on the vectors that a frozen network makes of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import Tensor, nn

import image_sets
import noiseproof
import own_frozen
from noiseproof import cli
from noiseproof.container import read_document
from noiseproof.data import row_hashes
from noiseproof.embeddings import FrozenNetwork
from noiseproof.errors import DataError, RecipeError, RunError
from noiseproof.fitting import _features, fit, look
from noiseproof.models import make_model
from noiseproof.train import read_samples

SMALL: dict[str, Any] = {"budget": "30 updates", "jobs": 1, "device": "cpu"}


def colors(count: int = 40, side: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Images, and labels that their color follows from."""
    labels = np.arange(count) % 2
    random = np.random.default_rng(0)
    images = random.integers(0, 100, (count, side, side, 3))
    images[..., 0] += 100 * labels[:, None, None]
    return images.astype(np.uint8), labels


class Seen(nn.Module):
    """The mean color, and how many images were looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.count = 0
        self.stop_at = 10**9

    def forward(self, batch: Tensor) -> Tensor:
        if self.count >= self.stop_at:
            raise KeyboardInterrupt
        self.count += len(batch)
        return batch.mean((2, 3)) * self.weight


def seen() -> tuple[Seen, FrozenNetwork]:
    module = Seen()
    return module, FrozenNetwork(module, size=8)


def test_heads_learn_from_vectors(tmp_path: Path) -> None:
    images, labels = colors()
    module, network = seen()
    place = tmp_path / "colors.model"
    model = fit(images, labels, features=network, folder=place, **{**SMALL, "budget": "600 updates"})
    looked_at = module.count
    assert 41 <= looked_at < 60  # once for all folds and networks together, but for single probes
    plan = read_document(place / "plan.json", "plan")
    assert (plan["features"], plan["lr"], plan["trees"]) == (network.sha256, 1e-4, 0)
    assert model.predictor.preprocessing.shape == (3,)
    probabilities = model.predict_proba(images)
    assert module.count == looked_at + 40
    assert (probabilities.argmax(1) == labels).mean() > 0.9
    again = noiseproof.load(place, features=network)
    assert (again.predict_proba(images) == probabilities).all()
    with pytest.raises(RunError, match="give it again"):
        noiseproof.load(place)
    other = Seen()
    nn.init.zeros_(other.weight)
    with pytest.raises(RunError, match="other weights"):
        noiseproof.load(place, features=other)
    with pytest.raises(DataError, match="expected uint8"):
        model.predict(images.astype(float))


def test_a_fit_goes_on_with_the_vectors_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_features, "_BLOCK", 16)
    images, labels = colors()
    _, network = seen()
    fit(images, labels, features=network, folder=tmp_path / "at-once", **SMALL)
    module, network = seen()
    module.stop_at = 20
    with pytest.raises(KeyboardInterrupt):
        fit(images, labels, features=network, folder=tmp_path / "later", **SMALL)
    assert module.count == 33  # and the probe
    kept = sorted(path.name for path in (tmp_path / "later/training").glob("vectors-*"))
    assert kept == ["vectors-00000.safetensors", "vectors-00001.safetensors"]
    module.stop_at = 10**9
    told = []
    fit(images, labels, features=network, folder=tmp_path / "later", watch=told.append, **SMALL)
    assert 41 <= module.count < 60  # none but probes is looked at twice
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)
    assert told[0].what == "vectors of images, 40 of 40"
    for name in ("predictor.json", "fit.json", "training/data.safetensors", "training/samples.safetensors"):
        assert (tmp_path / "at-once" / name).read_bytes() == (tmp_path / "later" / name).read_bytes()
    assert not [*(tmp_path / "later/training").glob("vectors-*")]


def test_vectors_of_another_network_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_features, "_BLOCK", 16)
    images, labels = colors()
    module, network = seen()
    module.stop_at = 20
    with pytest.raises(KeyboardInterrupt):
        fit(images, labels, features=network, folder=tmp_path / "model", **SMALL)
    other = Seen()
    nn.init.zeros_(other.weight)
    with pytest.raises(RunError, match="with other options"):
        fit(images, labels, features=FrozenNetwork(other, size=8), folder=tmp_path / "model", **SMALL)


def write_photos(folder: Path, count: int = 60) -> Path:
    for number in range(count):
        image_sets.write_image(folder / f"photos/class{number % 2}/{number:02d}.jpg", number % 2, number)
    return folder / "photos"


@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning")
def test_commands_with_a_network_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    photos = write_photos(tmp_path)
    (photos / "class0/04.jpg").write_bytes(b"no image")
    own = ["--features-of", "own_frozen.frozen", "--import", "own_frozen"]
    assert cli.main(["fit", str(photos), *own, "--budget", "30 updates", "--jobs", "1", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "the vectors that own_frozen.frozen, which learns nothing here, makes of each image" in said
    model = noiseproof.load("photos.model")
    probabilities = model.predict_proba(photos)
    assert probabilities.shape == (60, 2)
    assert [*np.flatnonzero(np.isnan(probabilities).any(1))] == [2]
    assert cli.main(["predict", "photos.model", str(photos), "--import", "own_frozen", "--out", "found.csv"]) == 0
    assert len(Path("found.csv").read_text().splitlines()) == 61
    samples = read_document(Path("photos.model/training/samples.json"), "samples")
    assert samples["keys"][:2] == ["class0/00.jpg", "class0/02.jpg"]
    assert samples["source"]["path"] == str(photos)


def test_what_is_kept_for_an_audit(tmp_path: Path) -> None:
    images, labels = colors()
    images[1] = images[3]
    place = tmp_path / "model"
    keys = [f"k{number}" for number in range(40)]
    model = fit(images, labels, keys=keys, features=own_frozen.frozen(), folder=place, **SMALL)
    assert model.data is images
    samples = read_document(place / "training/samples.json", "samples")
    assert samples["keys"] == keys
    assert samples["source"] is None
    arrays = load_file(place / "training/samples.safetensors")
    assert (arrays["hashes"] == row_hashes(images)).all()
    assert arrays["twins"][1] == arrays["twins"][3] != arrays["twins"][2]
    assert arrays["probabilities"] == pytest.approx(model.predict_proba(images), abs=1e-6)
    kept = [read_samples(path.parent) for path in place.glob("training/runs/*/record.json")]
    features = [found["train"].features for found in kept if found["train"].features is not None]
    assert [array.shape for array in features] == [(40, 256)]
    light = model.save(tmp_path / "light", training=False)
    assert not (light / "training").exists()
    assert (noiseproof.load(light, features=own_frozen.frozen()).predict(images) == model.predict(images)).all()


def test_which_images_are_learned_from_by_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = colors()
    monkeypatch.setattr(_features, "frozen_network", lambda _: FrozenNetwork(own_frozen.frozen(), "packaged"))
    monkeypatch.setattr(_features, "is_installed", lambda: True)
    assert look(images, labels).features is not None
    assert look(images, labels, features=False).features is None
    assert look(images[..., 0], labels).features is None
    assert look(images[..., 0], labels, features=True).features is not None
    assert look(images, labels, budget="0.1s").features is None
    assert "budget" in look(images, labels, budget="0.1s").found[-1]
    assert look(images, labels, budget="1000 updates").features is not None
    monkeypatch.setattr(_features, "is_installed", lambda: False)
    assert "pip install 'noiseproof[features]'" in look(images, labels).found[-1]
    monkeypatch.setattr(_features, "_MOST_IMAGES", 40)
    assert look(images, labels).features is None
    assert not any("Learned from" in sentence for sentence in look(images, labels).found)


def test_gray_photos_are_learned_from_by_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_features, "frozen_network", lambda _: FrozenNetwork(own_frozen.frozen(), "packaged"))
    monkeypatch.setattr(_features, "is_installed", lambda: True)
    photos = write_photos(tmp_path, 20)
    assert look(photos).features is not None
    for path in photos.rglob("*.jpg"):
        Image.open(path).convert("L").save(path)
    assert look(photos).features is None
    images, labels = colors()
    assert look(np.repeat(images[..., :1], 3, 3), labels).features is None


def test_names_of_columns_are_for_tables(tmp_path: Path) -> None:
    photos = write_photos(tmp_path, 20)
    images, labels = colors()
    for options, message in (
        ({"keys": "name"}, r"keys \(--key\) 'name': photos has no columns"),
        ({"groups": "name"}, r"groups \(--group\) 'name'"),
        ({"label": "name"}, r"label \(--label\) 'name'"),
    ):
        with pytest.raises(DataError, match=message):
            look(photos, **options)
    with pytest.raises(DataError, match="the data has no columns|the data have no columns"):
        look(images, labels, trusted="checked")


def test_a_network_of_ones_own_learns_from_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = colors()
    monkeypatch.setattr(_features, "frozen_network", lambda _: pytest.fail("nobody asked for it"))
    monkeypatch.setattr(_features, "is_installed", lambda: True)
    model = fit(images, labels, network="mlp(hidden=4)", **SMALL)
    assert model.predictor.preprocessing.kind == "images"


def test_tables_have_no_images() -> None:
    with pytest.raises(DataError, match="are made of images"):
        look(np.arange(12.0).reshape(4, 3), [0, 1, 0, 1], features=True)


def test_a_plan_holds_for_its_features(tmp_path: Path) -> None:
    images, labels = colors()
    fit(images, labels, features=own_frozen.frozen(), folder=tmp_path / "model", **SMALL)
    with pytest.raises(RecipeError, match="features of the frozen network [0-9a-f]{64}, and here it is none"):
        fit(images, labels, features=False, plan=tmp_path / "model/plan.json", **SMALL)
    np.savez(tmp_path / "colors.npz", images=images, labels=labels)
    plan = ["--plan", str(tmp_path / "model/plan.json"), "--no-features", "--dry-run"]
    assert cli.main(["fit", str(tmp_path / "colors.npz"), *plan]) == 2


def test_networks_start_from_given_weights(tmp_path: Path) -> None:
    images, labels = colors()
    network = make_model("mlp(hidden=4)", input_shape=(3, 8, 8), num_classes=2)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    save_file(network.state_dict(), tmp_path / "start.safetensors")
    given = {"network": "mlp(hidden=4)", "weights": str(tmp_path / "start.safetensors"), **SMALL}
    model = fit(images, labels, **given)
    # With weights of 0 behind and before every unit nothing but the last bias can learn.
    assert np.ptp(model.predict_proba(images), 0) == pytest.approx([0, 0], abs=1e-6)
    with pytest.raises(RecipeError, match="say which one"):
        fit(images, labels, weights="start.safetensors", **SMALL)
