from __future__ import annotations

import pytest
import torch

from noiseproof.errors import SpecError
from noiseproof.models import MODELS, canonical_model, make_model

CIFAR, DIGITS = (3, 32, 32), (1, 8, 8)


# The counts that the papers' networks have.
@pytest.mark.parametrize(
    ("spec", "shape", "classes", "count"),
    [("cnn8", CIFAR, 10, 1_639_794), ("resnet34", CIFAR, 100, 21_328_292), ("resnet34", CIFAR, 10, 21_282_122)],
)
def test_parameter_counts(spec: str, shape: tuple[int, ...], classes: int, count: int) -> None:
    network = make_model(spec, input_shape=shape, num_classes=classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        ("mlp", DIGITS),
        ("mlp(hidden=8, depth=3)", (5,)),
        ("small-cnn", DIGITS),
        ("cnn8(width=0.25)", CIFAR),
        ("resnet34(width=0.1)", CIFAR),
    ],
)
def test_logits_gradients_and_seeds(spec: str, shape: tuple[int, ...]) -> None:
    before = torch.get_rng_state()
    network, same, other = (make_model(spec, input_shape=shape, num_classes=7, seed=s) for s in (1, 1, 2))
    assert (torch.get_rng_state() == before).all()
    for a, b in zip(network.parameters(), same.parameters(), strict=True):
        assert (a == b).all()
    assert any((a != b).any() for a, b in zip(network.parameters(), other.parameters(), strict=True))
    logits = network(torch.randn(4, *shape))
    assert logits.shape == (4, 7)
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert network.features(torch.randn(2, *shape)).shape == (2, network.classifier.in_features)


def test_initialisation_is_the_published_one() -> None:
    network = make_model("cnn8", input_shape=CIFAR, num_classes=10)
    convolution, linear = network.features[3], network.classifier  # type: ignore[index]
    bound = (6 / (64 * 9)) ** 0.5
    assert 0.98 * bound < convolution.weight.abs().max() <= bound
    bound = (6 / (256 + 10)) ** 0.5
    assert 0.98 * bound < linear.weight.abs().max() <= bound
    total = sum(parameter.abs().sum().item() for parameter in network.parameters())
    assert total == pytest.approx(4.78e4, rel=0.01)


@pytest.mark.parametrize("name", MODELS)
def test_canonical_specs_read_back(name: str) -> None:
    assert canonical_model(canonical_model(name)) == canonical_model(name)


@pytest.mark.parametrize(
    ("spec", "shape", "message"),
    [
        ("cnn9", CIFAR, "unknown model 'cnn9'; did you mean 'cnn8'"),
        ("cnn8(widht=2)", CIFAR, "cnn8 has no parameter 'widht'; did you mean 'width'"),
        ("cnn8(width=0)", CIFAR, r"cnn8: width must lie in \[0.05, 16\], got 0"),
        ("mlp(depth=1.5)", CIFAR, "depth must be a whole number"),
        ("cnn8", (20,), "cnn8 takes images of at least 8 x 8 pixels"),
        ("resnet34", (3, 4, 4), "resnet34 takes images of at least 8 x 8 pixels"),
        ("cnn8 + mlp", CIFAR, "cannot read"),
    ],
)
def test_bad_specs_are_explained(spec: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_model(spec, input_shape=shape, num_classes=10)
