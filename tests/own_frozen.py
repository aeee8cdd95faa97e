"""A frozen network from outside the package: what a user's module may hold."""

from __future__ import annotations

from torch import nn


def frozen() -> nn.Module:
    """The mean color of four parts of an image."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())


def broken() -> nn.Module:
    """One that cannot be made."""
    raise ZeroDivisionError
