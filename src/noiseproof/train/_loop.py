"""The training loop: one for every method, device and precision."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiseproof import models
from noiseproof.provenance import environment
from noiseproof.train._chance import warn_at_chance
from noiseproof.train._compiled import CompiledSteps
from noiseproof.train._eager import EagerSteps
from noiseproof.train._evaluate import measure
from noiseproof.train._folder import RunFolder
from noiseproof.train._inputs import gather_inputs, own_random_state, reader_of
from noiseproof.train._record import Epoch, Record
from noiseproof.train._runs import longest_beginning
from noiseproof.train._sets import make_sets
from noiseproof.train._signals import interruptible
from noiseproof.train._state import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

    from noiseproof.data import Dataset
    from noiseproof.train._recipe import Recipe

_WORK_PER_SAVING = 20
"""How much longer than the last checkpoint took to write the run goes on before it writes the next."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands: ``step`` of ``steps`` in epoch ``epoch`` of ``epochs``, and the last measures."""

    step: int
    steps: int
    epoch: int
    epochs: int
    last: Epoch | None

    @property
    def share(self) -> float:
        """How much of the run is done, between 0 and 1."""
        return (self.epoch - 1 + self.step / self.steps) / self.epochs


def train(
    recipe: Recipe | Mapping[str, Any] | str | Path,
    folder: str | Path,
    *,
    data_dir: str | Path = "data",
    download: bool = False,
    device: str = "auto",
    fast: bool = False,
    workers: int | None = None,
    dataset: Dataset | None = None,
    data: Any = None,
    network: nn.Module | None = None,
    watch: Callable[[Progress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Record:
    """Run a recipe, or go on with it where it stopped, or return its record if it is finished.

    The run writes a checkpoint when it is interrupted and after every epoch, or where epochs are so short that this
    would take more than a twentieth of the time, after some of them; killed at any moment and started
    again it gives, on a CPU, the same weights and the same record as if nothing had happened.

    Args:
        recipe: what to run: a recipe, or what :func:`noiseproof.train.make_recipe` makes one of.
        folder: the folder of this run alone; see :class:`RunFolder` for what it will hold.
        data_dir: where published data sets, human labels and weights are.
        download: whether CIFAR and published weights may be fetched into ``data_dir`` if they are missing.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        fast: whether updates are compiled, and on CUDA recorded as graphs: the same numbers up to rounding, after a
            minute of compiling. For data in memory.
        workers: processes that decode image files, 0 for none but this one; by default one per processor. Results do
            not depend on it.
        dataset: the recipe's data set, if the caller has read it already.
        data: what to learn from in place of the recipe's data: a pair of inputs and labels, a
            :class:`torch.utils.data.Dataset` of pairs, or what :func:`noiseproof.data.in_memory` makes of them.
        network: what to train in place of the recipe's network, from the weights that it has; it is copied. What is in
            memory is known by its contents and its source, and to this process alone.
        watch: called after every step.
        should_stop: asked after every step; once it is true, the state is saved and the record as it stands, of
            status ``"running"``, is returned.

    Raises:
        RunError: the folder is in use, belongs to another run, or was begun with other data, noise, weights or code of
            the loss; a file in it was changed; the disk is full, there is no such device, or ``fast`` cannot be had.
        DataError: the data set is missing or damaged.
        KeyboardInterrupt: Ctrl-C or a termination signal, after the state was saved.

    Warns:
        RunWarning: the run is finished, but its data are not there any more to be compared with; or it goes on under
            other circumstances than it began.
    """
    inputs = gather_inputs(recipe, Path(folder), Path(data_dir), download, dataset, data, network)
    if isinstance(inputs, Record):
        return inputs
    recipe, task, identity = inputs.recipe, inputs.task, inputs.identity
    with RunFolder(Path(folder), recipe, identity) as run:
        run.check_noise(task.noise)
        if run.record.status != "running":
            return run.record
        place = models.find_device(device)
        with (
            own_random_state(recipe.seed, place),
            models.tensor_cores(allowed=recipe.precision == "tf32-true"),
            interruptible() as interrupted,
            reader_of(task.dataset, workers, place) as reader,
        ):
            sets = make_sets(task, recipe, place, reader)
            on_device = fast and place.type == "cuda"
            state = RunState(
                recipe, task.dataset, sets, place, inputs.weights, network=network, rate_on_device=on_device
            )
            kind = CompiledSteps if fast else EagerSteps
            here = {
                **environment(place),
                "precision": state.precision.real_name,
                "step": kind.name_on(place),
            }
            run.begin(state, task, inputs.weights, here, longest_beginning(Path(folder), recipe, identity))
            steps = kind(state)
            run.save_record()
            return _run_epochs(run, state, steps, watch, interrupted.is_set, should_stop)


def _run_epochs(
    run: RunFolder,
    state: RunState,
    steps: EagerSteps,
    watch: Callable[[Progress], None],
    is_interrupted: Callable[[], bool],
    should_stop: Callable[[], bool],
) -> Record:
    """Train for what is left of the epochs, and write down where the run stands."""
    worth_saving = -math.inf
    while state.epoch < state.epochs:
        started, samples = time.perf_counter(), state.samples_left
        is_whole = _run_epoch(state, steps, watch, lambda: is_interrupted() or should_stop())
        measures = measure(state) if is_whole else None
        run.note_unreadable(state)
        if measures is None:
            run.save_timing(state.epoch + 1, time.perf_counter() - started, samples - state.samples_left)
            run.save(state)
            if is_interrupted():
                raise KeyboardInterrupt
            return run.record
        if not state.is_finite:
            return run.close(state, "diverged")
        state.end_epoch(measures)
        if (began := time.perf_counter()) > worth_saving:
            run.save(state)
            worth_saving = time.perf_counter() + _WORK_PER_SAVING * (time.perf_counter() - began)
        run.save_timing(measures.epoch, time.perf_counter() - started, samples)
    record = run.close(state, "finished")
    warn_at_chance(state)
    return record


def _run_epoch(
    state: RunState, steps: EagerSteps, watch: Callable[[Progress], None], should_stop: Callable[[], bool]
) -> bool:
    """Train for the rest of the epoch; false if it was stopped on the way."""
    state.start_epoch()
    state.train_mode()
    last = state.history[-1] if state.history else None
    for used in steps.run():
        state.step += 1
        state.seen += used
        watch(Progress(state.step, len(state.order), state.epoch + 1, state.epochs, last))
        if state.step < len(state.order) and should_stop():
            return False
    return True
