"""The state of a run: everything that changes while it trains, in one object that saves itself."""

from __future__ import annotations

import copy
import math
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from noiseproof import models
from noiseproof.errors import RunError
from noiseproof.losses import make_loss
from noiseproof.methods import make_method
from noiseproof.prediction import outputs_of
from noiseproof.seeding import derive, torch_stream
from noiseproof.train._evaluate import are_finite
from noiseproof.train._order import epoch_order
from noiseproof.train._record import Epoch, selected_epoch
from noiseproof.train._samples import SampleNotes
from noiseproof.train._schedule import learning_rate_factor

if TYPE_CHECKING:
    from noiseproof.data import Dataset
    from noiseproof.train._recipe import Recipe
    from noiseproof.train._sets import Sets


class RunState:
    """Networks, method, optimizer, precision, random state, place in the order, counts and history.

    Args:
        recipe: what is run.
        dataset: what it is run on.
        sets: the same on the device.
        device: where.
        weights: where the networks start from.
        network: what to train in place of the recipe's network; each phase begins with a copy.
        rate_on_device: whether the learning rate is a tensor, which a CUDA graph reads anew at each replay.
    """

    def __init__(
        self,
        recipe: Recipe,
        dataset: Dataset,
        sets: Sets,
        device: torch.device,
        weights: models.Weights | None,
        *,
        network: nn.Module | None = None,
        rate_on_device: bool = False,
    ) -> None:
        self.recipe = recipe
        self.sets = sets
        self.device = device
        self.preprocessing, self.num_classes = dataset.preprocessing, dataset.num_classes
        self.input_shape = self.preprocessing.input_shape
        self.precision = models.Precision(recipe.precision, device)
        self.method = make_method(recipe.method.kind, make_loss(recipe.method.loss), l1=recipe.method.l1)
        self.method.begin(len(sets.labels), dataset.num_classes)
        self.method.to(device)
        self.phases = self.method.phases(recipe.epochs)
        self._weights = weights
        self._given = network
        self._rate_on_device = rate_on_device
        self.left_out: tuple[str, ...] = ()
        self.augmentation = torch.Generator(device)
        self.loss_sum, self.weight_sum = (torch.zeros((), dtype=self.precision.dtype, device=device) for _ in range(2))
        self.agreed = torch.zeros(3, dtype=torch.int64, device=device)
        """Predictions that agreed with all labels, with wrong ones, and how many those were, this epoch."""
        self.notes: dict[str, SampleNotes] = {}
        """What is kept of each sample, by part of the data."""
        self.features: Tensor | None = None
        """What the first network made of its last inputs before its classifier, where that is kept."""
        if recipe.samples != "none":
            self.notes = {
                part: SampleNotes(
                    labels, sets.places[part], self.num_classes, with_features=recipe.samples == "features"
                )
                for part, labels in sets.labeled.items()
            }
        self.history: list[Epoch] = []
        self.selected: list[dict[str, Tensor]] | None = None
        self.outputs_are_finite = True
        self.epoch = self.step = self.seen = 0
        self._begin_phase()
        self._begin_epoch()

    @property
    def epochs(self) -> int:
        """How many the run has."""
        return self.recipe.epochs

    @property
    def labels(self) -> Tensor:
        """The training labels."""
        return self.sets.labels

    def probabilities(self) -> Tensor:
        """See :class:`noiseproof.methods.EpochStart`."""
        found = torch.zeros(len(self.labels), self.num_classes, dtype=self.precision.dtype, device=self.device)
        for index, outputs in outputs_of(self.called, self.sets.train, self.input_shape):
            found[index] = outputs.softmax(1)
        return found

    @property
    def phase(self) -> int:
        """Which phase of the method the epoch belongs to, counted from 1."""
        ends = [sum(self.phases[: number + 1]) for number in range(len(self.phases))]
        return min(1 + sum(self.epoch >= end for end in ends), len(ends))

    @property
    def samples_left(self) -> int:
        """In the epoch."""
        return sum(len(batch) for batch in self.order[self.step :])

    @property
    def is_finite(self) -> bool:
        """Whether loss, weights and outputs are numbers."""
        return (
            self.outputs_are_finite
            and math.isfinite(float(self.loss_sum))
            and are_finite([*self.networks, self.method])
        )

    def _begin_phase(self) -> None:
        """New networks and a new optimizer, from the seed and the number of the phase."""
        self.networks: list[nn.Module] = []
        for number in range(self.method.networks):
            place = (self.phase - 1) * self.method.networks + number
            seed = self.recipe.seed if place == 0 else derive(self.recipe.seed, "network", place)
            network = self._new_network(seed)
            if self._weights is not None:
                self.left_out = tuple(self._weights.load_into(network))
            if self.recipe.samples == "features" and not number:
                if not isinstance(network, models.Network):
                    raise RunError(
                        f"samples 'features' are the input of the classifier of a models.Network, which "
                        f"{self.recipe.model} is not: set samples to 'scores'"
                    )
                network.classifier.register_forward_pre_hook(self._see_features)
            layout = {"memory_format": torch.channels_last} if self.preprocessing.is_image else {}
            self.networks.append(network.to(self.device, self.precision.dtype, **layout))  # type: ignore[call-overload]
        self.called = [models.InPrecision(network, self.precision) for network in self.networks]
        """The networks as methods call them."""
        weights = [each for network in self.networks for each in network.parameters()]
        groups: list[dict[str, Any]] = [{"params": weights}, *self.method.parameter_groups()]
        self.optimizer = self._make_optimizer([dict(group) for group in groups])
        own = self.recipe.lr if self.recipe.method.lr is None else self.recipe.method.lr
        self._rates = [float(group.get("lr", own)) for group in groups]

    def _new_network(self, seed: int) -> nn.Module:
        if self._given is not None:
            return copy.deepcopy(self._given)
        return models.make_model(
            self.recipe.model,
            input_shape=self.input_shape,
            num_classes=self.num_classes,
            seed=seed,
            head=self.recipe.method.head,
        )

    def _see_features(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.features = inputs[0]

    def note(self, part: str, index: Tensor, logits: Tensor) -> None:
        """Note what the networks have just said of some samples of a part of the data, where that is kept."""
        if part in self.notes:
            self.notes[part].note(index, logits, self.features)

    def _make_optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        recipe, method = self.recipe, self.recipe.method
        rate: Any = recipe.lr if method.lr is None else method.lr
        kind = method.optimizer or recipe.optimizer
        common: dict[str, Any] = {
            "lr": torch.tensor(float(rate), device=self.device) if self._rate_on_device else rate,
            "weight_decay": method.l2,
            "fused": True if self.device.type in ("cpu", "cuda") else None,
        }
        if kind == "sgd":
            return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.nesterov, **common)
        if self._rate_on_device:
            common["capturable"] = True
        return (torch.optim.Adam if kind == "adam" else torch.optim.AdamW)(groups, **common)

    def _begin_epoch(self) -> None:
        """The order and the augmentation of an epoch depend on the seed and its number only."""
        self.step = self.seen = 0
        order = torch_stream(self.recipe.seed, "order", self.epoch)
        self.order = epoch_order(len(self.sets.train), self.recipe.batch_size, order, self.sets.balance)
        self.augmentation.manual_seed(derive(self.recipe.seed, "augmentation", self.epoch))
        for counted in (self.loss_sum, self.weight_sum, self.agreed):
            counted.zero_()
        begun = sum(self.phases[: self.phase - 1])
        factor = learning_rate_factor(self.recipe.schedule, self.epoch - begun, self.phases[self.phase - 1])
        self.rate = self._rates[0] * factor
        """The learning rate of the epoch."""
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * factor)
            else:
                group["lr"] = rate * factor

    def start_epoch(self) -> None:
        """Let the method do what it does before an epoch, and begin a phase where one begins."""
        if self.step:
            return
        self.method.start_epoch(self)
        if self.epoch and self.epoch in {sum(self.phases[:number]) for number in range(1, len(self.phases))}:
            self.selected = None
            self._begin_phase()
            self._begin_epoch()

    def train_mode(self) -> None:
        """Let layers that behave otherwise in training do so."""
        for module in (*self.networks, self.method):
            module.train()

    def end_epoch(self, measures: Epoch) -> None:
        """Note what was measured, keep the weights if they are the best so far, and go on to the next epoch."""
        self.history.append(measures)
        for notes in self.notes.values():
            notes.end_epoch()
        best = selected_epoch(self.history)
        if best is measures:
            self.selected = [_copy_of(network) for network in self.networks]
        self.epoch += 1
        self._begin_epoch()

    def changing(self) -> list[Tensor]:
        """Every tensor that a step changes, last those of the optimizer, which are there after the first one."""
        modules = [
            each for module in (*self.networks, self.method) for each in (*module.parameters(), *module.buffers())
        ]
        kept = [value for state in self.optimizer.state.values() for value in state.values()]
        return [
            *modules,
            self.loss_sum,
            self.weight_sum,
            self.agreed,
            *(buffer for notes in self.notes.values() for buffer in notes.buffers),
            *(each for each in kept if isinstance(each, Tensor)),
        ]

    def state_dict(self) -> dict[str, Any]:
        """All of it, as tensors and plain values."""
        return {
            "networks": [network.state_dict() for network in self.networks],
            "method": self.method.state_dict(),
            "optimizer": self._optimizer_state(),
            "precision": self.precision.state_dict(),
            "random": torch.get_rng_state(),
            "device_random": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "augmentation": self.augmentation.get_state(),
            "selected": self.selected,
            "history": [asdict(epoch) for epoch in self.history],
            "epoch": self.epoch,
            "step": self.step,
            "seen": self.seen,
            "loss_sum": self.loss_sum,
            "weight_sum": self.weight_sum,
            "agreed": self.agreed,
            "unreadable": self.sets.unreadable,
            "samples": {part: notes.state_dict() for part, notes in self.notes.items()},
        }

    def _optimizer_state(self) -> dict[int, dict[str, Any]]:
        """What the optimizer knows of each parameter; its settings are the recipe's.

        Names that were read from a file are other objects than those of the code, and pickled once more: interned, a
        run that went on has the bytes of one that did not stop.
        """
        state = self.optimizer.state_dict()["state"]
        return {place: {sys.intern(name): value for name, value in known.items()} for place, known in state.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state_dict` returned."""
        self.epoch = state["epoch"]
        if self.phase > 1:
            self._begin_phase()
        for network, saved in zip(self.networks, state["networks"], strict=True):
            network.load_state_dict(saved)
        self.method.load_state_dict(state["method"])
        settings = copy.copy(self.optimizer.state_dict())
        self.optimizer.load_state_dict({**settings, "state": state["optimizer"]})
        self.precision.load_state_dict(state["precision"])
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.selected = state["selected"]
        self._begin_epoch()
        self.step, self.seen = state["step"], state["seen"]
        for name in ("loss_sum", "weight_sum", "agreed"):
            getattr(self, name).copy_(state[name])
        for name, names in self.sets.unreadable.items():
            names.update(state["unreadable"][name])
        for part, notes in self.notes.items():
            notes.load_state_dict(state["samples"][part])
        self.augmentation.set_state(state["augmentation"])
        torch.set_rng_state(state["random"])
        if state["device_random"] is not None:
            torch.cuda.set_rng_state(state["device_random"], self.device)


def _copy_of(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in network.state_dict().items()}
