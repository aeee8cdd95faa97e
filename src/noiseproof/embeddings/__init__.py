"""Features of images from a network that learns nothing: ``frozen_network("efficientnet-lite0")``."""

from __future__ import annotations

from noiseproof.embeddings._embed import Vectors, embed
from noiseproof.embeddings._frozen import DEFAULT, NETWORKS, FrozenNetwork, frozen_network, is_installed, network_of

__all__ = [
    "DEFAULT",
    "NETWORKS",
    "FrozenNetwork",
    "Vectors",
    "embed",
    "frozen_network",
    "is_installed",
    "network_of",
]
