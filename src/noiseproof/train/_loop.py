"""The training loop: one for every method, device and precision."""

from __future__ import annotations

import contextlib
import functools
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from noiseproof import models
from noiseproof.data import ImageFiles, Reader, default_workers
from noiseproof.errors import DataError, LabelError, RecipeError, RunError
from noiseproof.provenance import environment
from noiseproof.seeding import derive
from noiseproof.train._chance import warn_at_chance
from noiseproof.train._compiled import CompiledSteps
from noiseproof.train._eager import EagerSteps
from noiseproof.train._evaluate import accuracy
from noiseproof.train._folder import RunFolder
from noiseproof.train._identity import identify, is_of_settings, noise_fingerprint
from noiseproof.train._prepare import load_dataset, prepare
from noiseproof.train._recipe import make_recipe
from noiseproof.train._record import Epoch, Record, read_record
from noiseproof.train._runs import ended_without_inputs, longest_beginning, name_missing_module
from noiseproof.train._sets import make_sets
from noiseproof.train._signals import interruptible
from noiseproof.train._state import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
        dataset: the recipe's data set, if the caller has it in memory.
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
    try:
        recipe = make_recipe(recipe)
    except RecipeError as error:
        raise name_missing_module(error, [Path(folder)]) from error
    folder, data_dir = Path(folder), Path(data_dir)
    try:
        dataset = dataset or load_dataset(recipe.data, data_dir, download=download)
        task = prepare(recipe, dataset, data_dir)
        weights = None
        if recipe.weights is not None:
            weights = models.read_weights(recipe.model, recipe.weights, data_dir, download=download)
    except (DataError, LabelError) as error:
        record = read_record(folder)
        known = [record] if record is not None and is_of_settings(record, recipe) else []
        return ended_without_inputs(recipe, known, error)
    identity = identify(
        recipe, dataset.fingerprint, noise_fingerprint(recipe, task.noise), None if weights is None else weights.sha256
    )
    with RunFolder(folder, recipe, identity) as run:
        run.check_noise(task.noise)
        if run.record.status != "running":
            return run.record
        place = models.find_device(device)
        with (
            _own_random_state(recipe.seed, place),
            models.tensor_cores(allowed=recipe.precision == "tf32-true"),
            interruptible() as interrupted,
            _reader(dataset, workers, place) as reader,
        ):
            sets = make_sets(task, recipe, place, reader)
            state = RunState(recipe, dataset, sets, place, weights, rate_on_device=fast and place.type == "cuda")
            kind = CompiledSteps if fast else EagerSteps
            here = {
                **environment(place),
                "precision": state.precision.real_name,
                "step": kind.name_on(place),
            }
            run.begin(state, task, weights, here, longest_beginning(folder, recipe, identity))
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
        measures = _measure(state) if is_whole else None
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


def _measure(state: RunState) -> Epoch:
    """What can be said of an epoch whose last step is done."""
    if not state.seen:
        raise RunError(f"no batch of epoch {state.epoch + 1} has two images that can be read")
    agreed, wrong_agreed, wrong = state.agreed.tolist()
    measured: dict[str, dict[str, float | None]] = {}
    for name, (inputs, labels) in state.sets.measured.items():
        note = functools.partial(state.note, name)
        first, fifth, finite = accuracy(state.called, inputs, labels, state.input_shape, state.num_classes, note)
        state.outputs_are_finite &= finite
        measured[name] = {"accuracy": first, "top5": fifth}
    nothing: dict[str, float | None] = {"accuracy": None, "top5": None}
    validation, test = (measured.pop(name, nothing) for name in ("validation", "test"))
    return Epoch(
        epoch=state.epoch + 1,
        lr=state.rate,
        train_loss=float(state.loss_sum) / float(state.weight_sum),
        train_accuracy=agreed / state.seen,
        wrong_labels_learnt=wrong_agreed / wrong if wrong else None,
        validation_accuracy=validation["accuracy"],
        test_accuracy=test["accuracy"],
        test_top5=test["top5"],
        also=measured,
        phase=state.phase,
    )


@contextlib.contextmanager
def _reader(dataset: Dataset, workers: int | None, device: torch.device) -> Iterator[Reader | None]:
    """What decodes image files, if the data are files."""
    if not isinstance(dataset.train.inputs, ImageFiles):
        yield None
        return
    reader = Reader(default_workers() if workers is None else workers, device)
    try:
        yield reader
    finally:
        reader.close()


@contextlib.contextmanager
def _own_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Give layers that draw from torch's global generators (dropout) the run's own; the caller's stay as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derive(seed, "layers"))
        yield
