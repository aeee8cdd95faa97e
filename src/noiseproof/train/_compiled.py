"""Updates compiled, and on CUDA recorded as graphs: the numbers of the plain ones up to rounding."""

from __future__ import annotations

import contextlib
import functools
import warnings
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from noiseproof.errors import RunError
from noiseproof.loaders import InMemory
from noiseproof.losses import make_loss
from noiseproof.methods import make_method
from noiseproof.models import InPrecision
from noiseproof.seeding import derive
from noiseproof.train._eager import EagerSteps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from noiseproof.methods import Batch, StepOutput
    from noiseproof.train._state import RunState

_TOLERANCES = {"32-true": 0.05, "tf32-true": 0.2, "bf16-mixed": 0.5}
"""How far the fast update may be from the plain one, as a share of the change that it makes to all weights.

Rounding moves a few pixels to the other side of a ReLU or a pooling window, each with a gradient of its own: without
that float32 would be at 1e-6. A graph that reads the wrong memory is at 1 and above.
"""

_LIMIT = "recompile_limit" if torch.__version__ >= "2.7" else "cache_size_limit"
"""What torch.compile calls how many compiled forms it keeps of one function."""

_COMPILED_KEPT = 256
"""Compiled updates that a process keeps. PyTorch stops compiling after eight, which a grid of four methods has."""

_WARM_UP = 3
"""Updates before a CUDA graph is captured, in which libraries choose their algorithms and take their memory."""


class CompiledSteps(EagerSteps):
    """Networks and loss compiled; samples chosen, augmented and counted on the device; on CUDA a graph per update.

    An epoch's order goes to the device at once, draws are made there, and no update waits for the host. The numbers are
    those of :class:`~noiseproof.train._eager.EagerSteps` up to rounding, which is checked before the first update.

    Args:
        state: of the run, at the place where it begins or goes on; on CUDA with its learning rate on the device.

    Raises:
        RunError: the recipe cannot be run this way, there is no compiler, or the check fails.
    """

    def __init__(self, state: RunState) -> None:
        super().__init__(state)
        recipe, method = state.recipe, state.method
        if recipe.precision not in _TOLERANCES:
            raise RunError(f"--fast works in precision {', '.join(_TOLERANCES)}, not {recipe.precision}: leave it out")
        if not isinstance(state.sets.train, InMemory):
            raise RunError("--fast is for data in memory, and image files are decoded as they come: leave it out")
        if recipe.samples == "features":
            raise RunError("--fast keeps no features of the samples: leave it out, or set samples to 'scores'")
        if state.sets.weight is not None or state.sets.trusted is not None:
            raise RunError("--fast is for samples that all count alike, none of them trusted more: leave it out")
        if not method.compiles:
            raise RunError(f"--fast is for methods that are a loss alone, which {method.name} is not: leave it out")
        self.inputs = state.sets.train
        # Apart, so that runs with another loss need not compile the network anew. What draws is to draw what it does in
        # the plain update.
        compiled: Any = functools.partial(
            torch.compile, fullgraph=True, dynamic=False, options={"fallback_random": True}
        )
        self._networks = [InPrecision(compiled(network), state.precision) for network in state.networks]
        self._method = make_method(method.spec, make_loss(recipe.method.loss), l1=method.l1)
        self._method.criterion = compiled(self._method.criterion)
        state.train_mode()
        counts = {size: len(list(batches)) for size, batches in groupby(sorted(map(len, state.order)))}
        try:
            with (
                warnings.catch_warnings(),
                torch._dynamo.config.patch({_LIMIT: _COMPILED_KEPT}),  # noqa: SLF001 - torch.compile's own, later
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

    @staticmethod
    def name_on(device: torch.device) -> str:
        """See :meth:`EagerSteps.name_on`."""
        return "compiled, CUDA graph" if device.type == "cuda" else "compiled"

    def run(self) -> Iterator[int]:
        """See :meth:`EagerSteps.run`."""
        state = self.state
        groups = {size: torch.stack(list(batches)) for size, batches in groupby(state.order[state.step :], key=len)}
        for size, index in groups.items():
            self._replays[size].load(index)  # all before the first update: a copy to the device waits for it
        for size, index in groups.items():
            for _ in index:
                self._replays[size](self.inputs.draw(size, state.recipe.augment, state.augmentation))
                yield size

    def step(self, batch: Batch) -> StepOutput:
        """See :meth:`EagerSteps.step`."""
        return self._method.step(self._networks, batch)

    def _prepare(self, size: int, count: int) -> _Replay:
        """Compile and capture the update for batches of one size, and hold it against the plain one."""
        recipe, state = self.state.recipe, self.state
        random = torch.Generator(state.device).manual_seed(derive(recipe.seed, "check", size))
        index = torch.arange(size)
        draws = self.inputs.draw(size, recipe.augment, random)
        replay = _Replay(self, count, index, draws)
        with self._undone():
            replay.capture()

        parameters = [parameter for network in state.networks for parameter in network.parameters()]
        before = [parameter.detach().clone() for parameter in parameters]
        with self._undone():
            on_device = index.to(state.device)
            EagerSteps(state).update((self.inputs.view(on_device, draws),), on_device)
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
        """Leave networks, optimizer and counts as they were; momentum that was not there yet becomes 0, which is it."""
        state, device = self.state, self.state.device
        saved = [tensor.clone() for tensor in state.changing()]
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
        now = state.changing()
        with torch.no_grad():
            for tensor, value in zip(now, saved, strict=False):
                tensor.copy_(value)
            for tensor in now[len(saved) :]:
                tensor.zero_()


class _Replay:
    """An update with the next batch of an epoch, all of one size, whose order is on the device."""

    def __init__(self, steps: CompiledSteps, count: int, index: Tensor, draws: dict[str, Tensor]) -> None:
        self._steps = steps
        device = steps.state.device
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
        device = self._steps.state.device
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
        self._steps.update((self._steps.inputs.view(index, self._draws),), index)
        self._next += 1


def _distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """The root of the sum of all squared differences."""
    norms = [torch.linalg.vector_norm((one - other).double()) for one, other in zip(first, second, strict=True)]
    return float(torch.stack(norms).norm())
