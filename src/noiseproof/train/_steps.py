"""The updates of an epoch: plain, as PyTorch code is written, and fast, compiled and without waiting for the device."""

from __future__ import annotations

import contextlib
import functools
import warnings
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch

from noiseproof.errors import RunError
from noiseproof.seeding import derive
from noiseproof.train._batches import InMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lightning_fabric import Fabric
    from lightning_fabric.wrappers import _FabricModule, _FabricOptimizer
    from torch import Tensor

    from noiseproof.losses import Loss
    from noiseproof.models import Network
    from noiseproof.train._batches import Inputs
    from noiseproof.train._recipe import Recipe

_TOLERANCES = {"32-true": 0.05, "tf32-true": 0.2, "bf16-mixed": 0.5}
"""How far the fast update may be from the plain one, as a share of the change that it makes to all weights.

Rounding moves a few pixels to the other side of a ReLU or a pooling window, each with a gradient of its own: without
that float32 would be at 1e-6. A graph that reads the wrong memory is at 1 and above.
"""

_COMPILED_KEPT = 256
"""Compiled updates that a process keeps. PyTorch stops compiling after eight, which a grid of four methods has."""

_WARM_UP = 3
"""Updates before a CUDA graph is captured, in which libraries choose their algorithms and take their memory."""


@dataclass(eq=False)
class Training:
    """What an update works on.

    Attributes:
        recipe: how to train.
        fabric: device and precision.
        network: the network itself.
        model: the network as Fabric calls it, in the recipe's precision.
        optimizer: Fabric's.
        criterion: the loss.
        inputs: of the training part.
        labels: to learn from, on the device.
        wrong: which of them are wrong, if anybody knows.
        loss_sum: the losses of this epoch's samples, added up.
        agreed: how many predictions agreed with all labels, how many with wrong ones, and how many those were.
    """

    recipe: Recipe
    fabric: Fabric
    network: Network
    model: _FabricModule
    optimizer: _FabricOptimizer
    criterion: Loss
    inputs: Inputs
    labels: Tensor
    wrong: Tensor | None
    loss_sum: Tensor
    agreed: Tensor

    def changing(self) -> list[Tensor]:
        """Every tensor that an update changes, last those of the optimiser, which are there after the first one."""
        kept = [value for state in self.optimizer.optimizer.state.values() for value in state.values()]
        tensors = [*self.network.state_dict().values(), self.loss_sum, self.agreed, *kept]
        return [value for value in tensors if isinstance(value, torch.Tensor)]


class Steps:
    """One update per batch: the reference."""

    name = "plain"

    def __init__(self, training: Training) -> None:
        self.training = training

    def run(self, order: Sequence[Tensor], random: torch.Generator) -> Iterator[int]:
        """Update with each batch of ``order``, and yield how many samples of it could be read and were used.

        ``random`` then stands where the augmentation of the next batch begins.
        """
        inputs = self.training.inputs
        fewest = min(2, len(inputs))  # batch normalisation cannot use a single image that is left of a batch
        for index, batch in inputs.batches(order, self.training.recipe.augment, random):
            enough = len(index) >= fewest
            if enough:
                self.update(batch, index)
            yield len(index) if enough else 0

    def update(self, inputs: Tensor, index: Tensor) -> None:
        """Change the network by the loss of some samples, and note what it said of them."""
        training, recipe = self.training, self.training.recipe
        target = training.labels[index]
        logits, loss, objective = self.forward(inputs, target)
        training.optimizer.zero_grad()
        self.backward(objective)
        if recipe.clip_norm is not None:
            training.fabric.clip_gradients(
                training.model, training.optimizer, max_norm=recipe.clip_norm, error_if_nonfinite=False
            )
        training.optimizer.step()

        with torch.no_grad():
            training.loss_sum += loss.detach() * len(index)
            agrees = logits.argmax(1) == target
            training.agreed[0] += agrees.sum()
            if training.wrong is not None:
                wrong = training.wrong[index]
                training.agreed[1] += (agrees & wrong).sum()
                training.agreed[2] += wrong.sum()

    def forward(self, inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The logits, the mean loss, and what is to be differentiated."""
        return self.judge(self.training.model, self.training.criterion, inputs, target)

    def judge(
        self, network: Callable[..., Any], criterion: Callable[..., Tensor], inputs: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What :meth:`forward` returns, by this or that way to call the network and the loss."""
        head = self.training.recipe.method.head
        logits, penalty = network(inputs, target) if head else (network(inputs), None)
        logits = logits.to(torch.get_default_dtype())  # where Fabric has not done it
        loss = criterion(logits, target)
        return logits, loss, loss if penalty is None else loss + penalty

    def backward(self, objective: Tensor) -> None:
        """Make the gradients of the objective and of the L1 term."""
        if self.training.recipe.method.l1:
            norm = sum(parameter.abs().sum() for parameter in self.training.network.parameters())
            objective = objective + self.training.recipe.method.l1 * norm
        self.training.fabric.backward(objective)


class FastSteps(Steps):
    """Network and loss compiled; samples chosen, augmented and counted on the device; on CUDA a graph per update.

    An epoch's order goes to the device at once, draws are made there, and no update waits for the host. The numbers are
    those of :class:`Steps` up to rounding, which is checked before the first update.

    Args:
        training: what to work on, at the place where the run begins or goes on.
        order: the batches of a whole epoch.

    Raises:
        RunError: the recipe cannot be run this way, there is no compiler, or the check fails.
    """

    def __init__(self, training: Training, order: Sequence[Tensor]) -> None:
        super().__init__(training)
        recipe, device = training.recipe, training.fabric.device
        if recipe.precision not in _TOLERANCES:
            raise RunError(f"--fast works in precision {', '.join(_TOLERANCES)}, not {recipe.precision}: leave it out")
        if not isinstance(training.inputs, InMemory):
            raise RunError("--fast is for data in memory, and image files are decoded as they come: leave it out")
        self.inputs = training.inputs
        self.name = "compiled, CUDA graph" if device.type == "cuda" else "compiled"
        # Apart, so that runs with another loss need not compile the network anew. What draws is to draw what it does in
        # the plain update.
        compiled = functools.partial(torch.compile, fullgraph=True, dynamic=False, options={"fallback_random": True})
        self._network, self._criterion = compiled(training.network), compiled(training.criterion)
        if device.type == "cuda":
            # A graph would keep a rate that is a plain number.
            for group in training.optimizer.optimizer.param_groups:
                group["lr"] = torch.tensor(float(group["lr"]), device=device)
                if "capturable" in group:
                    group["capturable"] = True  # Adam refuses without
        training.model.train()
        counts = {size: len(list(batches)) for size, batches in groupby(sorted(map(len, order)))}
        try:
            with (
                warnings.catch_warnings(),
                torch._dynamo.config.patch(recompile_limit=_COMPILED_KEPT),  # noqa: SLF001 - torch.compile's own, later
            ):
                # The compiler looks at it itself, in the logits that one compiled part hands to the other.
                warnings.filterwarnings("ignore", r"The \.grad attribute of a Tensor that is not a leaf", UserWarning)
                warnings.filterwarnings("ignore", r"This instance was constructed with capturable=True", UserWarning)
                self._replays = {size: self._prepare(size, count) for size, count in counts.items()}
        except RunError:
            raise
        except Exception as error:  # compilers fail in many ways
            raise RunError(
                f"--fast: the update cannot be compiled ({type(error).__name__}: {str(error).splitlines()[0]}). It "
                "needs a C++ compiler on a CPU and Triton on a GPU; without --fast the run needs neither"
            ) from error

    def run(self, order: Sequence[Tensor], random: torch.Generator) -> Iterator[int]:
        """See :meth:`Steps.run`."""
        groups = {size: torch.stack(list(batches)) for size, batches in groupby(order, key=len)}
        for size, index in groups.items():
            self._replays[size].load(index)  # all before the first update: a copy to the device waits for it
        for size, index in groups.items():
            for _ in index:
                self._replays[size](self.inputs.draw(size, self.training.recipe.augment, random))
                yield size

    def forward(self, inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :meth:`Steps.forward`."""
        return self.judge(self._call_network, self._criterion, inputs, target)

    def _call_network(self, *inputs: Tensor) -> Any:
        with self.training.fabric.autocast():
            return self._network(*inputs)

    def backward(self, objective: Tensor) -> None:
        """See :meth:`Steps.backward`; the L1 term's gradient is added to the others as it is."""
        self.training.fabric.backward(objective)
        if self.training.recipe.method.l1:
            parameters: list[Tensor] = list(self.training.network.parameters())
            gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
            with torch.no_grad():
                signs = torch._foreach_sign(parameters)  # noqa: SLF001 - as PyTorch's own optimisers do it
                torch._foreach_add_(gradients, signs, alpha=self.training.recipe.method.l1)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient

    def _prepare(self, size: int, count: int) -> _Replay:
        """Compile and capture the update for batches of one size, and hold it against the plain one."""
        recipe, training = self.training.recipe, self.training
        random = torch.Generator(training.fabric.device).manual_seed(derive(recipe.seed, "check", size))
        index = torch.arange(size)
        draws = self.inputs.draw(size, recipe.augment, random)
        replay = _Replay(self, count, index, draws)
        with self._undone():
            replay.capture()

        parameters = list(training.network.parameters())
        before = [parameter.detach().clone() for parameter in parameters]
        with self._undone():
            on_device = index.to(training.fabric.device)
            # The reference's own methods, whatever this class makes of them.
            Steps(training).update(self.inputs.view(on_device, draws), on_device)
            plain = [parameter.detach().clone() for parameter in parameters]
        with self._undone():
            replay.load(index[None])
            replay(draws)
            fast = [parameter.detach().clone() for parameter in parameters]
        change, difference = _distance(plain, before), _distance(fast, plain)
        if not difference <= _TOLERANCES[recipe.precision] * change:
            raise RunError(
                f"--fast: a compiled update of {size} samples differs from the plain one by {difference / change:.2g} "
                f"of the change (expected at most {_TOLERANCES[recipe.precision]:g}): leave --fast out, and "
                "please report it with the versions of PyTorch and the driver"
            )
        return replay

    @contextlib.contextmanager
    def _undone(self) -> Iterator[None]:
        """Leave network, optimiser and counts as they were; momentum that was not there yet becomes 0, which is it."""
        training = self.training
        device = training.fabric.device
        saved = [tensor.clone() for tensor in training.changing()]
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
        now = training.changing()
        with torch.no_grad():
            for tensor, value in zip(now, saved, strict=False):
                tensor.copy_(value)
            for tensor in now[len(saved) :]:
                tensor.zero_()


class _Replay:
    """An update with the next batch of an epoch, all of one size, whose order is on the device."""

    def __init__(self, steps: FastSteps, count: int, index: Tensor, draws: dict[str, Tensor]) -> None:
        self._steps = steps
        device = steps.training.fabric.device
        self._index = index.to(device).repeat(count, 1)
        self._draws = {name: drawn.clone() for name, drawn in draws.items()}
        self._next = torch.zeros(1, dtype=torch.int64, device=device)
        self._graph: torch.cuda.CUDAGraph | None = None

    def load(self, index: Tensor) -> None:
        """Take these batches from now on."""
        self._index[: len(index)] = index
        self._next.zero_()

    def __call__(self, draws: dict[str, Tensor]) -> None:
        """Update with the next batch, augmented by what was drawn for it."""
        for name, drawn in draws.items():
            self._draws[name].copy_(drawn)
        if self._graph is None:
            self._update()
        else:
            self._graph.replay()

    def capture(self) -> None:
        """Run the update until it is compiled; on CUDA, record it as a graph."""
        device = self._steps.training.fabric.device
        if device.type != "cuda":
            self._update()
            return
        here = torch.cuda.current_stream(device)
        aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                self._next.zero_()
                self._update()
        here.wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._update()
        self._graph = graph

    def _update(self) -> None:
        index = self._index.index_select(0, self._next)[0]
        self._steps.update(self._steps.inputs.view(index, self._draws), index)
        self._next += 1


def _distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """The root of the sum of all squared differences."""
    norms = [torch.linalg.vector_norm((one - other).double()) for one, other in zip(first, second, strict=True)]
    return float(torch.stack(norms).norm())
