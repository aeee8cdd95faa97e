"""The ResNet-50 of the protocols with images of 224 x 224 pixels, with the state dictionary of published weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from noiseproof.models._networks import Network


class ResNet50(Network):
    """Bottleneck blocks [3, 4, 6, 3] with the stride in the 3 x 3 convolution, and a 7 x 7 stem with pooling.

    Names, shapes and initialization are torchvision's, so that its ImageNet weights fit: convolutions Kaiming-normal
    (fan-out, ReLU), the classifier PyTorch's default. 23,610,482 parameters for 50 classes.

    Args:
        channels: of the inputs.
        num_classes: the number of logits.
        zero_init_residual: whether the last normalization of each block starts at 0, and so each block as its
            shortcut.
    """

    classifier_name = "fc"

    def __init__(self, channels: int, num_classes: int, *, zero_init_residual: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _stage(64, 64, 3, stride=1)
        self.layer2 = _stage(256, 128, 4, stride=2)
        self.layer3 = _stage(512, 256, 6, stride=2)
        self.layer4 = _stage(1024, 512, 3, stride=2)
        self.fc: nn.Module = nn.Linear(2048, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, _Bottleneck) and zero_init_residual:
                nn.init.zeros_(module.bn3.weight)

    @property
    def classifier(self) -> nn.Module:  # type: ignore[override]
        """The last layer, which published weights call ``fc``."""
        return self.fc

    def features(self, inputs: Tensor) -> Tensor:
        """Vectors of 2048 numbers."""
        x = torch.relu(self.bn1(self.conv1(inputs)))
        x = nn.functional.max_pool2d(x, 3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean((2, 3))


class _Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions and a shortcut; the output is four times as wide as the middle."""

    def __init__(self, before: int, middle: int, stride: int) -> None:
        super().__init__()
        after = 4 * middle
        self.conv1 = nn.Conv2d(before, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, inputs: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(inputs)))
        x = torch.relu(self.bn2(self.conv2(x)))
        return torch.relu(self.bn3(self.conv3(x)) + self.downsample(inputs))


def _stage(before: int, middle: int, blocks: int, stride: int) -> nn.Sequential:
    first = _Bottleneck(before, middle, stride)
    return nn.Sequential(first, *(_Bottleneck(4 * middle, middle, stride=1) for _ in range(blocks - 1)))


def resnet50(input_shape: tuple[int, ...], num_classes: int, *, zero_init_residual: bool) -> ResNet50:
    """The network for images of ``input_shape``."""
    return ResNet50(input_shape[0], num_classes, zero_init_residual=zero_init_residual)
