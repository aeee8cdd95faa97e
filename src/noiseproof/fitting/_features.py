"""Images as the vectors of a frozen network, which heads learn from."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from noiseproof.data import Dataset, ImageFiles, Part, decode_batch
from noiseproof.data.sources import read_prepared
from noiseproof.embeddings import DEFAULT, FrozenNetwork, Vectors, embed, frozen_network, is_installed
from noiseproof.errors import DataError
from noiseproof.files import write_atomically
from noiseproof.loaders import warn_of_unreadable
from noiseproof.models import find_device

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from noiseproof.fitting._plan import Budget

_MOST_IMAGES = 20_000
"""From so many on, a network learns more from images than a frozen one knows of them."""

_SECONDS, _MOST_TIME = 0.02, 0.5
"""What an image takes a core, with room for slow ones, and the share of the budget that all of them may take."""

_CROPPED = 8 / 9
"""Of the short side of a photo, what the network sees."""

_BLOCK = 256
"""Images whose vectors are kept together while others are still to come: a multiple of those that go through a network
at once."""

_LOOKED_AT = 16
"""Images that are looked at for color."""


def features_of(dataset: Dataset, features: Any, budget: Budget) -> tuple[FrozenNetwork | None, str]:
    """Which frozen network makes features of a data set, and a sentence that says so or why none does; may be empty.

    Args:
        dataset: what is learned from.
        features: ``None`` for one where that helps, ``False`` for none, ``True`` for the packaged one, or what
            :func:`noiseproof.embeddings.frozen_network` takes.
        budget: the most that all may take.

    Raises:
        DataError: features are asked for, and these are no images.
        SpecError, MissingPackageError: as :func:`noiseproof.embeddings.frozen_network`.
    """
    count = len(dataset.train)
    if features is None:
        why = _why_none(dataset, count, budget)
        if why is not None:
            return None, why
    if features is False:
        return None, ""
    if not dataset.is_image or dataset.train.inputs.shape[3] not in (1, 3):
        raise DataError(
            f"{dataset.name}: features of a frozen network are made of images, gray or of three colors: leave features "
            "out"
        )
    network = frozen_network(DEFAULT if features in (None, True) else features)
    name = network.name or type(network.module).__name__
    return network, f"Learned from: the vectors that {name}, which learns nothing here, makes of each image"


def _why_none(dataset: Dataset, count: int, budget: Budget) -> str | None:
    """Why nobody's choice is none; ``None`` where it is the packaged network."""
    if not dataset.is_image or count >= _MOST_IMAGES or not _has_color(dataset):
        return ""  # gray images are learned better from scratch: see docs/fit.md
    cores = 1 if find_device("auto").type == "cpu" else 64
    cores *= os.cpu_count() or 1
    if count * _SECONDS / cores > _MOST_TIME * budget.seconds:
        return (
            "Learned from: pixels. The vectors of a frozen network would be better, and would take most of the budget: "
            "give more, or --features"
        )
    if not is_installed():
        return (
            "Learned from: pixels. The vectors of a network that was trained on photos are better for few images (76 "
            "in place of 62 % right of CIFAR-10, from 5,000 images): pip install 'noiseproof[features]'"
        )
    return None


def _has_color(dataset: Dataset) -> bool:
    """Whether any of some images has colors that differ."""
    inputs = dataset.train.inputs
    if inputs.shape[3] != 3:
        return False
    index = np.unique(np.linspace(0, len(inputs) - 1, _LOOKED_AT).astype(np.int64))
    if isinstance(inputs, ImageFiles):
        loaded = decode_batch(inputs.root, inputs.names(index), inputs.resize, square=inputs.square, depth=inputs.depth)
        images = loaded[1]
    else:
        images = inputs[index]
    return bool((images != images[..., :1]).any())


def embedded(
    dataset: Dataset,
    network: FrozenNetwork,
    folder: Path,
    device: str,
    watch: Callable[[int], None],
) -> Dataset:
    """The data set with vectors in the place of images. What is finished in ``folder`` is not done again.

    An image that cannot be read gets zeros and the weight 0: nothing is learned from it.

    Args:
        dataset: of images.
        network: what makes the vectors.
        folder: where they are kept meanwhile, block by block.
        device: where the network runs.
        watch: called with the number of images that are done.

    Raises:
        DataError: no image can be read, or the network gives no vectors.
    """
    images = dataset.train.inputs
    if isinstance(images, ImageFiles):
        images = replace(images, image_size=network.size, resize=round(network.size / _CROPPED))
        dataset = replace(dataset, train=Part(images, dataset.train.labels))
    embedding = network.embedding(dataset.preprocessing)
    try:
        done = read_prepared(folder)
    except DataError:
        done = None
    if done is not None and done.embedding == embedding:
        return done
    made_by = hashlib.sha256(json.dumps(asdict(embedding)).encode()).hexdigest()
    blocks: list[dict[str, NDArray[Any]]] = []
    while (block := _read_block(_block_path(folder, len(blocks)), made_by)) is not None:
        blocks.append(block)
    start = len(blocks) * _BLOCK
    unreadable: dict[str, str] = {}
    if start < len(images):

        def keep(done: int, found: Vectors) -> None:
            watch(start + done)
            while (len(blocks) + 1) * _BLOCK <= start + done:
                rows = slice(len(blocks) * _BLOCK - start, (len(blocks) + 1) * _BLOCK - start)
                blocks.append({"features": found.features[rows].copy(), "readable": found.readable[rows].copy()})
                write_atomically(_block_path(folder, len(blocks) - 1), save(blocks[-1], {"made by": made_by}))

        rest = np.arange(start, len(images))
        vectors = embed(network, images[rest], embedding.images, device=find_device(device), watch=keep)
        rows = slice(len(blocks) * _BLOCK - start, None)
        blocks.append({"features": vectors.features[rows], "readable": vectors.readable[rows]})
        unreadable = vectors.unreadable
    known = np.concatenate([block["readable"] for block in blocks])
    if not known.any():
        raise DataError(f"{dataset.name}: none of {len(known)} images can be read")
    width = max(block["features"].shape[1] for block in blocks)  # 0 where none of a block can be read
    features = np.zeros((len(known), width), np.float32)
    features[known] = np.concatenate(
        [block["features"][block["readable"]] for block in blocks if block["readable"].any()]
    )
    warn_of_unreadable(unreadable, "they teach nothing")
    mean, std = features[known].mean(0, dtype=np.float64), features[known].std(0, dtype=np.float64)
    weight = dataset.sample_weight
    if not known.all():
        weight = np.where(known, 1.0 if weight is None else weight, 0.0).astype(np.float32)
    return replace(
        dataset,
        train=Part(features, dataset.train.labels),
        mean=tuple(mean.tolist()),
        std=tuple(np.where(std > 0, std, 1.0).tolist()),
        shrink=1,
        embedding=embedding,
        sample_weight=weight,
    )


def _block_path(folder: Path, number: int) -> Path:
    return folder / f"vectors-{number:05d}.safetensors"


def drop_blocks(folder: Path) -> None:
    """Remove the blocks, once all vectors are kept together."""
    for path in folder.glob("vectors-*.safetensors"):
        path.unlink()


def _read_block(path: Path, made_by: str) -> dict[str, NDArray[Any]] | None:
    """A block that was written before, of this network and these images."""
    try:
        content = path.read_bytes()
        block = load(content)
    except (OSError, SafetensorError, ValueError):
        return None
    return block if made_by.encode() in content[:1000] and {*block} == {"features", "readable"} else None
