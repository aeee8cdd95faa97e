"""Weights that a network starts from: published ones, or those of a file."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from noiseproof.errors import DataError
from noiseproof.extras import need
from noiseproof.untrusted import StoredTensor, read_bytes, read_torch

_MOST_BYTES = 8 << 30
"""The size of a file of weights."""

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)

_HUB = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class Weights:
    """The content of a file of weights.

    Attributes:
        name: as it was asked for.
        file: the name of the file.
        sha256: of the file.
        tensors: by their keys.
    """

    name: str
    file: str
    sha256: str
    tensors: dict[str, Tensor]

    def load_into(self, network: nn.Module) -> tuple[str, ...]:
        """Put the weights into a network.

        A classifier that differs in its keys or shapes, of other classes or of another kind, is left out: the
        network's stays as it was initialized. Counters of batches, which files of old versions lack, may be missing.

        Returns:
            The keys of the network that were left out.

        Raises:
            DataError: any other key that is missing or unknown, or of another shape or kind of number (integers,
                say, which are quantized weights, or complex ones), or values that are not finite.
        """
        own = network.state_dict()
        last = f"{getattr(network, 'classifier_name', '')}."
        theirs = {key: tensor.shape for key, tensor in self.tensors.items() if key.startswith(last)}
        ours = {key: tensor.shape for key, tensor in own.items() if key.startswith(last)}
        left_out = tuple(ours) if theirs != ours else ()
        taken = {key: tensor for key, tensor in self.tensors.items() if not (left_out and key.startswith(last))}
        needed = [key for key in own if key not in left_out]
        missing = [key for key in needed if key not in taken and not key.endswith(".num_batches_tracked")]
        unknown = [key for key in taken if key not in own]
        differing = [
            f"{key} {tuple(taken[key].shape)} instead of {tuple(own[key].shape)}"
            for key in needed
            if key in taken and taken[key].shape != own[key].shape
        ]
        fitting = [key for key in needed if key in taken and taken[key].shape == own[key].shape]
        odd = [
            f"{key} {taken[key].dtype} instead of {own[key].dtype}"
            for key in fitting
            if taken[key].dtype not in (_FLOATS if own[key].is_floating_point() else _INTEGERS)
        ]
        problems = {"missing": missing, "unknown": unknown, "of another shape": differing, "of another type": odd}
        if not any(problems.values()):
            problems["not finite"] = [key for key in fitting if not taken[key].to(own[key].dtype).isfinite().all()]
        if any(problems.values()):
            listed = "; ".join(f"{what}: {_some(keys)}" for what, keys in problems.items() if keys)
            raise DataError(f"the weights {self.file} are not those of this network: {listed}")
        network.load_state_dict(taken, strict=False)
        return left_out


def read_weights(name: str, published: dict[str, str], data_dir: Path, *, download: bool = False) -> Weights:
    """Weights from a file, without running any code that it may hold.

    Args:
        name: a name in ``published``, or the path of a ``.safetensors`` or ``.pth`` file.
        published: the file of each name, which ends in the first eight digits of its SHA-256.
        data_dir: where the file of a name is, or is to be put.
        download: whether it may be fetched from pytorch.org.

    Raises:
        DataError: no such file, a damaged one, one with another checksum than its name says, or one that holds
            anything but tensors.
    """
    path = data_dir / published[name] if name in published else Path(name)
    if not path.is_file():
        if name not in published:
            raise DataError(f"no weights at {path}")
        if not download:
            raise DataError(
                f"no {path.name} in {data_dir}, the weights {name!r}: get it from {_HUB}{path.name}, or allow the "
                "download"
            )
        _download(path)
    digest = hashlib.sha256(read_bytes(path, _MOST_BYTES)).hexdigest()
    expected = re.search(r"-([0-9a-f]{8})$", path.stem)
    if expected is not None and not digest.startswith(expected[1]):
        raise DataError(
            f"{path} is damaged or not what its name says: its SHA-256 begins with {digest[:8]}, not {expected[1]}. "
            "Delete it and get it again."
        )
    return Weights(name, path.name, digest, _tensors(path))


def _tensors(path: Path) -> dict[str, Tensor]:
    if path.suffix.lower() == ".safetensors":
        need("weights in this format need", "safetensors")
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except Exception as error:  # a damaged file can fail in any way
            raise DataError(f"cannot read the weights {path}: {error}. It is damaged or no file of weights.") from error
    content = read_torch(path, "the weights", tensors=True)
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, StoredTensor) for key, value in content.items()
    ):
        raise DataError(f"{path} holds no state dictionary: expected tensors by their names")
    return {key: _tensor(value, f"{path}: {key}") for key, value in content.items()}


def _tensor(stored: StoredTensor, where: str) -> Tensor:
    try:
        values = torch.from_numpy(stored.raw).view(getattr(torch, stored.dtype))
        return values.as_strided(stored.shape, stored.stride, stored.offset)
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{where}: a tensor that cannot be: {error}") from error


def _download(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(_HUB + path.name, str(path), hash_prefix=path.stem[-8:], progress=False)
    except Exception as error:  # it raises what its transport raises
        raise DataError(
            f"could not download {_HUB}{path.name}: {error}. Get it by other means and put it into {path.parent}."
        ) from error


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:6]) + (f" and {len(keys) - 6} more" if len(keys) > 6 else "")
