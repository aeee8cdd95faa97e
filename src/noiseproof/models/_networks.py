"""The networks of the published CIFAR protocols, and two small ones for the digits.

Each is ``features`` (to a vector per sample) followed by a linear ``classifier``.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable


class Network(nn.Module):
    """A feature extractor and a classifier over its vectors.

    Attributes:
        features: from ``(N, *input_shape)`` to ``(N, features)``.
        classifier: from there to the logits; linear, or a head that takes its place.
        classifier_name: of the module behind :attr:`classifier`, with which its keys in the state dictionary begin.
    """

    features: Callable[[Tensor], Tensor]
    classifier: nn.Module
    classifier_name = "classifier"

    @property
    def judges(self) -> bool:
        """Whether its classifier is a head that has a use for labels in training."""
        return bool(getattr(self.classifier, "judges", False))

    def forward(self, inputs: Tensor, labels: Tensor | None = None) -> Any:
        """The logits ``(N, classes)`` of ``(N, *input_shape)``.

        With labels, for which only a head has a use, a :class:`Judged`: what the network is trained by.
        """
        features = self.features(inputs)
        return self.classifier(features) if labels is None else self.classifier(features, labels)


class _Sequential(Network):
    """Features and a linear classifier, initialized as the code of the noisy-label papers does.

    Convolutions are Kaiming-uniform (fan-in, ReLU), linear layers Xavier-uniform, biases PyTorch's default.
    """

    def __init__(self, features: nn.Module, classifier: nn.Linear) -> None:
        super().__init__()
        self.features = features
        self.classifier = classifier
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, mode="fan_in", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)


def linear(input_shape: tuple[int, ...], num_classes: int) -> Network:
    """A linear classifier of flattened inputs."""
    return _Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), num_classes))


def mlp(input_shape: tuple[int, ...], num_classes: int, *, hidden: int, depth: int) -> Network:
    """``depth`` hidden layers of ``hidden`` units with ReLU, over flattened inputs."""
    sizes = [math.prod(input_shape), *[hidden] * depth]
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return _Sequential(nn.Sequential(*layers), nn.Linear(sizes[-1], num_classes))


def small_cnn(input_shape: tuple[int, ...], num_classes: int, *, width: float) -> Network:
    """Two convolutions, a pool and one hidden layer: for images of about 8 x 8 pixels."""
    channels, height, side = input_shape
    wide = round(32 * width)
    features = nn.Sequential(
        *_convolution(channels, wide),
        *_convolution(wide, 2 * wide),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * wide * (height // 2) * (side // 2), 4 * wide),
        nn.ReLU(),
    )
    return _Sequential(features, nn.Linear(4 * wide, num_classes))


def cnn8(input_shape: tuple[int, ...], num_classes: int, *, width: float) -> Network:
    """The 8-layer CNN of the published CIFAR-10 protocol: 1,639,794 parameters for 10 classes at width 1."""
    channels, height, side = input_shape
    layers: list[nn.Module] = []
    for full in (64, 128, 196):
        wide = round(full * width)
        layers += [*_convolution(channels, wide), *_convolution(wide, wide), nn.MaxPool2d(2)]
        channels = wide
    hidden = round(256 * width)
    features = nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(channels * (height // 8) * (side // 8), hidden),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
    )
    return _Sequential(features, nn.Linear(hidden, num_classes))


def resnet18(input_shape: tuple[int, ...], num_classes: int, *, width: float) -> Network:
    """The CIFAR ResNet-18 of the protocols for human labels: 11,173,962 parameters for 10 classes at width 1."""
    return _cifar_resnet((2, 2, 2, 2), input_shape, num_classes, width)


def resnet34(input_shape: tuple[int, ...], num_classes: int, *, width: float) -> Network:
    """The ResNet-34 of the published CIFAR-100 protocol: 21,328,292 parameters for 100 classes at width 1."""
    return _cifar_resnet((3, 4, 6, 3), input_shape, num_classes, width)


def _cifar_resnet(blocks: tuple[int, ...], input_shape: tuple[int, ...], num_classes: int, width: float) -> Network:
    """A 3 x 3 stem without pooling, four stages of basic blocks, projections where the shape changes.

    Channels are multiples of 8: with others (6 to 13, say) torch 2.13's strided 1 x 1 convolution writes beyond its
    memory in the channels-last layout.
    """
    widths = [8 * max(1, round(8 * 2**stage * width)) for stage in range(len(blocks))]
    before = widths[0]
    layers: list[nn.Module] = [
        nn.Conv2d(input_shape[0], before, 3, padding=1, bias=False),
        nn.BatchNorm2d(before),
        nn.ReLU(inplace=True),
    ]
    for stage, (count, wide) in enumerate(zip(blocks, widths, strict=True)):
        for block in range(count):
            layers.append(_BasicBlock(before, wide, stride=2 if stage and not block else 1))
            before = wide
    features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return _Sequential(features, nn.Linear(before, num_classes))


def _convolution(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]


class _BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.relu(self.residual(inputs) + self.shortcut(inputs))
