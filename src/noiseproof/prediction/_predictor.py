"""A classifier that was trained, as something that gives probabilities."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import TypeAdapter
from safetensors import safe_open
from safetensors.torch import load as tensors_of
from torch import nn

from noiseproof import models
from noiseproof.classes import Classes
from noiseproof.container import ContainerError, read_document, write_document
from noiseproof.data import ImageFiles, Preprocessing, Unlabeled, read_unlabeled, unlabeled_arrays
from noiseproof.embeddings import embed, network_of
from noiseproof.errors import DataError, RunError, SpecError, shorten
from noiseproof.loaders import read_once, warn_of_unreadable
from noiseproof.prediction._outputs import outputs_of
from noiseproof.untrusted import read_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from noiseproof.embeddings import FrozenNetwork

PREDICTOR = "predictor.json"

MOST_BYTES = 8 << 30
"""The size of a file of weights."""


@dataclass(frozen=True)
class WeightsFile:
    """A safetensors file beside ``predictor.json``, and its SHA-256."""

    file: str
    sha256: str


TREES = "trees"
"""The model of a member that is :class:`noiseproof.models.Trees`."""


@dataclass(frozen=True)
class Member:
    """A network of a predictor, or boosted trees.

    Attributes:
        model: the network, as :func:`noiseproof.models.make_model` takes it, or ``"trees"``.
        weights: its weights by the epoch that they are of: ``"last"``, and ``"selected"`` where one was chosen on
            noisy validation data.
        head: what takes the place of its linear classifier, if anything does.
        precision: what it was trained in.
        weight: how much its probabilities count.
        temperature: what its logits are divided by.
        code: the SHA-256 of the source of every module outside noiseproof that the network is made of, by its name.
    """

    model: str
    weights: dict[str, WeightsFile]
    head: str = ""
    precision: str = "32-true"
    weight: float = 1.0
    temperature: float = 1.0
    code: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """What ``predictor.json`` says.

    Attributes:
        run: the id of the run that it is of.
        class_names: one for each probability.
        preprocessing: what is done to an input.
        members: networks, whose probabilities are averaged by their weights.
    """

    run: str
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    members: tuple[Member, ...]


_EMBEDDED = 1 << 15
"""So many images are turned into features at once."""

_DESCRIPTIONS = TypeAdapter(Description)


def description_text(description: Description) -> str:
    """The text of ``predictor.json``."""
    return write_document("predictor", asdict(description))


class Predictor:
    """A classifier that was trained: inputs in, probabilities out.

    :func:`load` makes it of a run's folder.

    Attributes:
        classes: ``(classes,)``: whole numbers or other numbers where all names are such, and text otherwise.
        class_names: the same as text.
        preprocessing: what is done to an input before a network gets it.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        preprocessing: Preprocessing,
        networks: Sequence[tuple[nn.Module, Member]],
        device: torch.device,
        frozen: FrozenNetwork | None = None,
    ) -> None:
        self.class_names = tuple(class_names)
        self.classes = Classes(self.class_names).values
        self.preprocessing = preprocessing
        self._device = device
        self._frozen = frozen
        self._networks = [
            _Tempered(network, member, device, is_image=preprocessing.is_image) for network, member in networks
        ]
        self._shares = torch.tensor([member.weight for _, member in networks], dtype=torch.float64)

    def predict(self, inputs: Any) -> NDArray[Any]:
        """The likeliest class of each input, ``(N,)``, as in :attr:`classes`.

        Args:
            inputs: as for :meth:`predict_proba`.

        Raises:
            DataError: as :meth:`predict_proba`, or there are images that cannot be read.
        """
        probabilities = self.predict_proba(inputs)
        lost = np.flatnonzero(np.isnan(probabilities).any(1))
        if len(lost):
            raise DataError(
                f"{len(lost)} images cannot be read (at {shorten([str(place) for place in lost])}) and have no "
                "prediction: leave them out, or use predict_proba, which gives NaN for them"
            )
        return self.classes[probabilities.argmax(1)]

    def predict_proba(self, inputs: Any, *, workers: int | None = None) -> NDArray[Any]:
        """The probability of each class, ``(N, classes)``; a row of NaN for an image that cannot be read.

        Args:
            inputs: what the network was trained on, without labels: an array, a tensor, a data frame, a list, or the
                path of a file or a folder as :func:`noiseproof.data.read_unlabeled` reads it.
            workers: processes that decode image files; one per processor by default.

        Raises:
            DataError: inputs of another kind or shape, a number that is not finite, or a file that cannot be read.

        Warns:
            DataWarning: images that cannot be read.
        """
        if isinstance(inputs, str | Path):
            given = read_unlabeled(inputs, self.preprocessing)
        else:
            given = unlabeled_arrays(inputs, self.preprocessing)
        return self.probabilities(given, workers=workers)

    def probabilities(self, given: Unlabeled, *, workers: int | None = None) -> NDArray[Any]:
        """As :meth:`predict_proba`, of inputs that were read already.

        Where a frozen network makes the features of images, they may be given in place of these.
        """
        count, inputs = len(given.inputs), given.inputs
        found = np.full((count, len(self.classes)), np.nan, self._networks[0].numpy_dtype)
        if self._frozen is None or inputs.ndim == 2:
            unreadable = self._fill(found, self.preprocessing, inputs, workers)
        else:
            unreadable = {}
            for start in range(0, count, _EMBEDDED):
                rows = np.arange(start, min(start + _EMBEDDED, count))
                part = found[start : start + _EMBEDDED]
                unreadable |= self._fill_embedded(part, inputs[rows], workers)
        unreadable = {**dict(given.unreadable.values()), **unreadable}
        found[list(given.unreadable)] = np.nan
        warn_of_unreadable(unreadable, "no prediction", stacklevel=3)
        return found

    def _fill(
        self,
        found: NDArray[Any],
        preprocessing: Preprocessing,
        inputs: NDArray[Any] | ImageFiles,
        workers: int | None,
    ) -> dict[str, str]:
        """Write probabilities into the rows of inputs that can be read; name and reason of the others."""
        with (
            read_once(preprocessing, inputs, self._device, workers) as loaded,
            models.tensor_cores(allowed=all(network.tensor_cores for network in self._networks)),
        ):
            for index, outputs in outputs_of(
                self._networks, loaded, preprocessing.input_shape, self._shares.to(self._device)
            ):
                found[index.cpu().numpy()] = outputs.softmax(1).cpu().numpy()
        return dict(loaded.unreadable)

    def _fill_embedded(
        self, found: NDArray[Any], images: NDArray[Any] | ImageFiles, workers: int | None
    ) -> dict[str, str]:
        """As :meth:`_fill`, of images that a frozen network makes features of."""
        embedding = self.preprocessing.embedding
        assert embedding is not None and self._frozen is not None  # noqa: S101, PT018 - whoever calls has seen to it
        vectors = embed(self._frozen, images, embedding.images, device=self._device, workers=workers)
        if not vectors.readable.any():
            return vectors.unreadable
        if vectors.features.shape[1:] != self.preprocessing.shape:
            raise RunError(
                f"the frozen network gives {vectors.features.shape[1]} features: the model has learned from "
                f"{self.preprocessing.shape[0]}"
            )
        self._fill(found, self.preprocessing, vectors.features, workers)
        found[~vectors.readable] = np.nan
        return vectors.unreadable


class _Tempered(nn.Module):
    """A network of a predictor, whose logits are divided by its temperature."""

    def __init__(self, network: nn.Module, member: Member, device: torch.device, *, is_image: bool) -> None:
        super().__init__()
        # Half precision with a scale is a GPU's; elsewhere float32 gives the same up to rounding.
        name = "32-true" if member.precision == "16-mixed" and device.type == "cpu" else member.precision
        precision = models.Precision(name, device)
        layout = {"memory_format": torch.channels_last} if is_image else {}
        self.network = models.InPrecision(network.to(device, precision.dtype, **layout), precision)  # type: ignore[call-overload]
        self.tensor_cores = name == "tf32-true"
        self.numpy_dtype = np.float64 if precision.dtype is torch.float64 else np.float32
        self._temperature = member.temperature

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(inputs)
        return logits if self._temperature == 1 else logits / self._temperature


def read_description(folder: Path) -> Description:
    """What the ``predictor.json`` of a folder says.

    Raises:
        RunError: there is none, or it was changed.
    """
    path = folder / PREDICTOR
    try:
        if not path.exists():
            ends = "has not finished" if (folder / "record.json").exists() else "is no folder of a finished run"
            raise RunError(f"{folder} {ends}: there is no {PREDICTOR} in it, which a run writes at its end")
        description = _DESCRIPTIONS.validate_python(read_document(path, "predictor"))
        Classes(description.class_names)
        if not description.members or len(description.class_names) < 2:
            raise ContainerError("it has no members or no classes")
        weights = [member.weight for member in description.members]
        temperatures = [member.temperature for member in description.members]
        if not (min(weights) >= 0 < sum(weights) < math.inf and 0 < min(temperatures) <= max(temperatures) < math.inf):
            raise ContainerError("the weights or temperatures of its members are none")
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}. Restore the file, or train again.") from error
    return description


def load(
    folder: str | Path,
    *,
    epoch: Literal["selected", "last"] | None = None,
    device: str = "auto",
    network: nn.Module | Sequence[nn.Module] | None = None,
    features: Any = None,
    precision: str | None = None,
) -> Predictor:
    """The classifier that a finished run left in its folder. Nothing in the folder is run or imported.

    Args:
        folder: of a run.
        epoch: whose weights: of the ``"last"`` epoch or of the one that was ``"selected"`` on noisy validation data;
            by default the selected one where there is one.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        network: the network (or one for each member) where it is none of noiseproof's, to put the weights into.
        features: the frozen network that makes the features of images, where it has no name; see
            :func:`noiseproof.embeddings.frozen_network`.
        precision: what is computed in, such as ``"64-true"``; by default what was trained in.

    Raises:
        RunError: there is no finished run, its files were changed, or it has no such epoch or network.
    """
    folder = Path(folder)
    description = read_description(folder)
    given: list[nn.Module | None] = [None] * len(description.members)
    if network is not None:
        given = [network] if isinstance(network, nn.Module) else list(network)
        if len(given) != len(description.members):
            raise RunError(f"{folder} has {len(description.members)} networks, and {len(given)} were given")
    networks = [
        (
            _network_of(folder, description, member, epoch, own),
            member if precision is None else replace(member, precision=precision),
        )
        for member, own in zip(description.members, given, strict=True)
    ]
    embedding = description.preprocessing.embedding
    frozen = None if embedding is None else network_of(embedding, features)
    return Predictor(description.class_names, description.preprocessing, networks, models.find_device(device), frozen)


def _network_of(
    folder: Path, description: Description, member: Member, epoch: str | None, network: nn.Module | None
) -> nn.Module:
    if epoch is None:
        epoch = "selected" if "selected" in member.weights else "last"
    if epoch not in member.weights:
        raise RunError(
            f"{folder} has no weights of the {epoch} epoch, but of: {', '.join(member.weights)}"
            + ("; an epoch is selected where a recipe holds out noisy validation data" if epoch == "selected" else "")
        )
    file = member.weights[epoch]
    if Path(file.file).name != file.file:
        raise RunError(f"{folder / PREDICTOR} names weights outside of the folder: {file.file}")
    path = folder / file.file
    if network is None:
        network = _empty_network(description, member, path)
    try:
        content = read_bytes(path, MOST_BYTES)
    except DataError as error:
        raise RunError(str(error)) from error
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise RunError(
            f"{path} was changed after the run had written it: its SHA-256 is {found[:12]}…, and {PREDICTOR} says "
            f"{file.sha256[:12]}…. Restore the file, or train again."
        )
    try:
        network.load_state_dict(tensors_of(content), assign=True)
        if isinstance(network, models.Trees):
            network.check(description.preprocessing.input_shape[0])
    except (RuntimeError, SpecError) as error:
        raise RunError(f"the weights in {path} are not those of this network: {error}") from error
    return network


def _empty_network(description: Description, member: Member, path: Path) -> nn.Module:
    """The network without memory for its weights, after a look at whether the file has as many as it takes."""
    try:
        with safe_open(path, "pt") as file:
            stored = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - no mapping
        network: nn.Module
        with torch.device("meta"):
            if member.model == TREES:
                network = models.Trees.with_sizes_of(stored, len(description.class_names))
            else:
                network = models.make_model(
                    member.model,
                    input_shape=description.preprocessing.input_shape,
                    num_classes=len(description.class_names),
                    head=member.head,
                )
    except SpecError as error:
        modules = ", ".join(member.code)
        hint = f". It came from {modules}: import that, or give the network" if modules else ""
        raise RunError(f"cannot make the network of {path.parent}: {error}{hint}") from error
    except FileNotFoundError as error:
        raise RunError(f"{path} is not there any more: restore it, or train again") from error
    except Exception as error:  # a damaged file can fail in any way
        raise RunError(f"cannot read {path}: {error}. Restore the file, or train again.") from error
    if stored != {key: tuple(value.shape) for key, value in network.state_dict().items()}:
        raise RunError(f"the weights in {path} are not those of {member.model}: restore the file, or train again")
    return network
