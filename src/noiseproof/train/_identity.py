"""What a result belongs to: the settings of a run, and the contents of everything that it reads.

A run's identity is what changes its bytes. Titles are no part of it, and neither are paths: what is in the files is.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from noiseproof.train._recipe_file import place_keys
from noiseproof.train._source import sha256, source_hashes

if TYPE_CHECKING:
    from torch import nn

    from noiseproof.noise import NoisyLabels
    from noiseproof.train._recipe import Recipe
    from noiseproof.train._record import Record


_BLOCK = 2**20
"""So many labels are hashed at a time."""


@dataclass(frozen=True)
class Identity:
    """What a run's bytes depend on, but for the environment.

    Attributes:
        settings: the hash of the recipe without titles and paths.
        inputs: the SHA-256 of the contents of the ``"data"``, of the ``"noise"`` if it comes from a file, and of the
            file of ``"weights"`` that the network starts from.
        code: the SHA-256 of the source of every module outside noiseproof that the method is made of, by its name.
    """

    settings: str
    inputs: dict[str, str]
    code: dict[str, str]

    @property
    def id(self) -> str:
        """The run's id: the settings' hash, and one of inputs and code, with which its folder's name ends."""
        # Modules count by what is in them: a loss is the same whether its file is run or imported.
        contents = json.dumps([self.inputs, sorted(set(self.code.values()))], sort_keys=True)
        return f"{self.settings}-{sha256(contents.encode())[:8]}"


def identify(
    recipe: Recipe,
    data: str,
    noise: str | None = None,
    weights: str | None = None,
    network: nn.Module | None = None,
) -> Identity:
    """The identity of the run that a recipe makes of its inputs.

    Args:
        recipe: what to run.
        data: the fingerprint of its data set.
        noise: the :func:`noise_fingerprint`.
        weights: the SHA-256 of the file that the network starts from.
        network: what is trained in place of the recipe's network.
    """
    inputs = {
        "data": data,
        "noise": noise,
        "weights": weights,
        "network": None if network is None else _network_fingerprint(network),
    }
    known = {key: digest for key, digest in inputs.items() if digest is not None}
    definitions = [*recipe.definitions, *({type(each) for each in network.modules()} if network is not None else ())]
    return Identity(settings_id(recipe), known, source_hashes(definitions))


def noise_fingerprint(recipe: Recipe, noise: NoisyLabels | None) -> str | None:
    """The SHA-256 of noise that comes from a file; ``None`` for noise that the recipe determines."""
    if noise is None or not reads_noise(recipe):
        return None
    digest = hashlib.sha256()
    for array in recipe.noise.read_arrays(noise):
        # Labels count as the int64 that they are in every list of labels, in however few bytes they are kept.
        kind = np.dtype(np.int64) if array.dtype.kind == "u" else array.dtype
        digest.update(f"{kind.str}{array.shape}".encode())
        for at in range(0, len(array), _BLOCK):
            digest.update(np.ascontiguousarray(array[at : at + _BLOCK], kind).data)
    return digest.hexdigest()


def _network_fingerprint(network: nn.Module) -> str:
    """The SHA-256 of what a network is made of, and of its weights and buffers."""
    digest = hashlib.sha256(repr(network).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def settings_id(recipe: Recipe) -> str:
    """The hash of a recipe without titles and paths: what is known of a run before anything is read."""
    values = recipe.canonical()
    values.pop("weights", None)
    for table, settings in (("data", recipe.data), ("noise", recipe.noise)):
        if table in values:
            where = (*settings.paths, *settings.places)
            values[table] = {key: value for key, value in values[table].items() if key not in where}
    return sha256(json.dumps(values, sort_keys=True).encode())[:12]


def is_of_settings(record: Record, recipe: Recipe) -> bool:
    """Whether a record is of this recipe, whatever its inputs."""
    return record.id.partition("-")[0] == settings_id(recipe)


def reads_noise(recipe: Recipe) -> bool:
    """Whether the noise comes from a file."""
    return recipe.noise.reads_files


def places(recipe: dict[str, Any]) -> list[str | None]:
    """Where a recipe, as plain values, says that its inputs are."""
    named = [recipe.get(table, {}).get(key) for table, keys in place_keys().items() for key in keys]
    return [None if name is None else os.path.normpath(name) for name in (*named, recipe.get("weights"))]


def inputs_are_gone(recipe: Recipe) -> bool:
    """Whether a file that a recipe names is not there, or may not be: where published data are, it does not say."""
    named = [getattr(part, key) for part in (recipe.data, recipe.noise) for key in part.paths] + [recipe.weights]
    return recipe.data.is_published or not all(Path(name).exists() for name in named if name is not None)


def differences(record: Record, identity: Identity) -> str:
    """In which inputs a run of the same settings differs, as in "was begun …"; empty if in none."""
    before, now = record.inputs, identity.inputs
    words = {
        "data": f"on other data of the name {record.data.get('name', '?')}",
        "noise": "on other labels in the file of its noise",
        "weights": "from other weights",
        "network": "with another network",
    }
    texts = [
        f"{text} ({_change(before.get(key), now.get(key))})"
        for key, text in words.items()
        if before.get(key) != now.get(key)
    ]
    if {*record.code.values()} != {*identity.code.values()}:
        modules = [
            name for name in {**record.code, **identity.code} if record.code.get(name) != identity.code.get(name)
        ]
        changes = "; ".join(f"{name}: {_change(record.code.get(name), identity.code.get(name))}" for name in modules)
        texts.append(f"with other code of its method ({changes})")
    return " and ".join(texts)


def _change(before: str | None, now: str | None) -> str:
    first, second = (f"{digest[:12]}…" if digest else "none" for digest in (before, now))
    return f"SHA-256 {first}, now {second}"
