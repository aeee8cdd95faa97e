from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from noiseproof.errors import SpecError
from noiseproof.models import MODELS, canonical_model, make_model

CIFAR, DIGITS = (3, 32, 32), (1, 8, 8)


# The counts that the papers' networks have.
@pytest.mark.parametrize(
    ("spec", "shape", "classes", "count"),
    [
        ("cnn8", CIFAR, 10, 1_639_794),
        ("resnet18", CIFAR, 10, 11_173_962),
        ("resnet34", CIFAR, 100, 21_328_292),
        ("resnet34", CIFAR, 10, 21_282_122),
        ("resnet50", (3, 224, 224), 50, 23_610_482),
        ("resnet50(zero_init_residual=true)", (3, 224, 224), 14, 23_536_718),
    ],
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
        ("resnet18(width=0.1)", CIFAR),
        ("resnet34(width=0.1)", CIFAR),
        ("resnet50", (3, 64, 64)),
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


def test_initialization_is_the_published_one() -> None:
    network = make_model("cnn8", input_shape=CIFAR, num_classes=10)
    convolution, linear = network.features[3], network.classifier  # type: ignore[index]
    bound = (6 / (64 * 9)) ** 0.5
    assert 0.98 * bound < convolution.weight.abs().max() <= bound
    bound = (6 / (256 + 10)) ** 0.5
    assert 0.98 * bound < linear.weight.abs().max() <= bound
    total = sum(parameter.abs().sum().item() for parameter in network.parameters())
    assert total == pytest.approx(4.78e4, rel=0.01)


def torchvision_keys() -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's ResNet-50 with 1000 classes, from how its architecture is put together."""
    keys: dict[str, tuple[int, ...]] = {}

    def normalization(name: str, width: int) -> None:
        keys.update({f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")})
        keys[f"{name}.num_batches_tracked"] = ()

    keys["conv1.weight"] = (64, 3, 7, 7)
    normalization("bn1", 64)
    width = 64
    for layer, (planes, blocks) in enumerate(zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True), 1):
        for block in range(blocks):
            name = f"layer{layer}.{block}"
            for number, (before, after, side) in enumerate(
                [(width, planes, 1), (planes, planes, 3), (planes, 4 * planes, 1)], 1
            ):
                keys[f"{name}.conv{number}.weight"] = (after, before, side, side)
                normalization(f"{name}.bn{number}", after)
            if block == 0:
                keys[f"{name}.downsample.0.weight"] = (4 * planes, width, 1, 1)
                normalization(f"{name}.downsample.1", 4 * planes)
            width = 4 * planes
    keys["fc.weight"], keys["fc.bias"] = (1000, 2048), (1000,)
    return keys


def test_resnet50_has_the_state_dictionary_of_published_weights() -> None:
    network = make_model("resnet50", input_shape=(3, 224, 224), num_classes=1000)
    found = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert found == torchvision_keys()
    assert len(found) == 320
    strides = [module.stride[0] for module in network.modules() if isinstance(module, nn.Conv2d)]
    # The stem, and in each later stage the 3 x 3 convolution and the projection of its first block.
    assert strides.count(2) == 1 + 3 * 2
    assert network.layer2[0].conv2.stride == (2, 2)  # type: ignore[union-attr, index]


def test_resnet50_is_the_published_function() -> None:
    """Against the architecture written out with functions."""
    network = make_model("resnet50", input_shape=(3, 64, 64), num_classes=5).eval()
    weights = network.state_dict()
    for key, value in weights.items():
        if "running" in key:
            value.uniform_(0.5, 1.5)

    def normalized(x: Tensor, name: str) -> Tensor:
        part = [weights[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *part)

    inputs = torch.randn(2, 3, 64, 64)
    x = normalized(functional.conv2d(inputs, weights["conv1.weight"], stride=2, padding=3), "bn1").relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for layer, blocks in enumerate((3, 4, 6, 3), 1):
        for block in range(blocks):
            name, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            y = normalized(functional.conv2d(x, weights[f"{name}.conv1.weight"]), f"{name}.bn1").relu()
            y = functional.conv2d(y, weights[f"{name}.conv2.weight"], stride=stride, padding=1)
            y = functional.conv2d(normalized(y, f"{name}.bn2").relu(), weights[f"{name}.conv3.weight"])
            if block == 0:
                shortcut = functional.conv2d(x, weights[f"{name}.downsample.0.weight"], stride=stride)
                x = normalized(shortcut, f"{name}.downsample.1")
            x = (normalized(y, f"{name}.bn3") + x).relu()
    expected = functional.linear(
        functional.adaptive_avg_pool2d(x, 1).flatten(1), weights["fc.weight"], weights["fc.bias"]
    )
    with torch.no_grad():
        torch.testing.assert_close(network(inputs), expected, rtol=1e-4, atol=1e-4)


def test_resnet50_can_start_as_its_shortcuts() -> None:
    for flag in ("true", "false"):
        network = make_model(f"resnet50(zero_init_residual={flag})", input_shape=(3, 64, 64), num_classes=5)
        last = [value for key, value in network.named_parameters() if key.endswith("bn3.weight")]
        assert len(last) == 16
        assert all(value.eq(0 if flag == "true" else 1).all() for value in last)
    spread = network.conv1.weight.std().item()  # type: ignore[union-attr, operator]
    assert spread == pytest.approx((2 / (64 * 49)) ** 0.5, rel=0.03)


def test_state_dictionaries_of_the_other_networks_keep_their_keys() -> None:
    for name in ("cnn8(width=0.1)", "resnet34(width=0.1)"):
        keys = make_model(name, input_shape=CIFAR, num_classes=3).state_dict()
        assert {key.split(".")[0] for key in keys} == {"features", "classifier"}
        assert {"features.0.weight", "classifier.weight", "classifier.bias"} <= keys.keys()


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
        ("resnet50", (3, 16, 16), "resnet50 takes images of at least 32 x 32"),
        ("resnet50(zero_init_residual=1)", (3, 64, 64), "zero_init_residual must be true or false"),
    ],
)
def test_bad_specs_are_explained(spec: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_model(spec, input_shape=shape, num_classes=10)
