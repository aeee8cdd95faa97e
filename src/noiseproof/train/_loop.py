"""The training loop: one readable loop for every method, device and precision."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from noiseproof import models
from noiseproof.data import ImageFiles, Reader, default_workers
from noiseproof.errors import DataError, DataWarning, LabelError, RecipeError, RunError, RunWarning, shorten
from noiseproof.losses import make_loss
from noiseproof.provenance import environment
from noiseproof.seeding import derive, torch_stream
from noiseproof.train._batches import check_balanced, epoch_order, in_order, make_inputs
from noiseproof.train._identity import identify, is_of_settings, noise_fingerprint, reads_noise
from noiseproof.train._prepare import load_dataset, prepare
from noiseproof.train._recipe import StepSchedule, make_recipe
from noiseproof.train._record import Epoch, Record, RunFolder, read_record
from noiseproof.train._runs import ended_without_inputs, name_missing_module
from noiseproof.train._steps import FastSteps, Steps, Training

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lightning_fabric import Fabric
    from torch import Tensor

    from noiseproof.data import Dataset
    from noiseproof.train._batches import Inputs
    from noiseproof.train._prepare import Task
    from noiseproof.train._recipe import Recipe

_EVALUATION_BATCH = 256
_EVALUATION_VALUES = 1 << 23
"""On a GPU a batch has as many samples as have this many values, where those are more: launches cost time there."""

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
        _check_noise(run, recipe, task)
        if run.record.status != "running":
            return run.record
        fabric = _fabric(device, recipe.precision)
        with (
            _own_random_state(recipe.seed, fabric.device),
            _tensor_cores(allowed=recipe.precision == "tf32-true"),
            _interruptible() as interrupted,
            _reader(dataset, workers, fabric.device) as reader,
        ):
            job = _Job(recipe, task, fabric, reader, weights)
            _begin(run, job, dataset, fast=fast)
            worth_saving = -math.inf
            while job.epoch < recipe.epochs:
                started, samples = time.perf_counter(), job.samples_left
                measures = job.run_epoch(watch, lambda: interrupted.is_set() or should_stop())
                _note_unreadable(run, job)
                if measures is None:
                    run.save_timing(job.epoch + 1, time.perf_counter() - started, samples - job.samples_left)
                    run.save_checkpoint(job.state())
                    run.save_record()
                    if interrupted.is_set():
                        raise KeyboardInterrupt
                    return run.record
                if not job.is_finite:
                    run.close_run("diverged")
                    return run.record
                # The checkpoint comes first and holds the measures too: the record can always be made from it.
                run.record.epochs.append(measures)
                job.keep_if_best(run.record)
                if (began := time.perf_counter()) > worth_saving:
                    run.save_checkpoint(job.state())
                    run.save_record()
                    worth_saving = time.perf_counter() + _WORK_PER_SAVING * (time.perf_counter() - began)
                run.save_timing(measures.epoch, time.perf_counter() - started, samples)
            run.save_weights("weights", job.network.state_dict())
            if job.selected is not None:
                run.save_weights("selected", job.selected)
            run.close_run("finished")
            _warn_at_chance(job)
        return run.record


def _check_noise(run: RunFolder, recipe: Recipe, task: Task) -> None:
    """Refuse to go on where a generator does not draw the labels any more that it drew.

    What comes from a file is a part of the run's identity.
    """
    before = run.record.noise
    if before is None or task.noise is None or reads_noise(recipe) or before["checksum"] == task.noise.checksum:
        return
    raise RunError(
        f"{run.path} was begun with other noisy labels than this version of noiseproof draws (SHA-256 "
        f"{before['checksum'][:12]}…, now {task.noise.checksum[:12]}…): go on with the version it was begun with "
        f"({run.record.environments[0]['environment']['noiseproof'] if run.record.environments else 'unknown'}), or "
        "choose another folder"
    )


class _Job:
    """The changing state of a run: network, optimiser, schedule, generators and the place in the data order."""

    def __init__(
        self, recipe: Recipe, task: Task, fabric: Fabric, reader: Reader | None, weights: models.Weights | None
    ) -> None:
        self.recipe = recipe
        self.task = task
        self.fabric = fabric
        device = fabric.device
        dataset = task.dataset
        self.train_inputs = make_inputs(dataset, task.inputs(task.train), device, reader)
        self.balance = task.labels[task.train] if recipe.balanced else None
        if self.balance is not None:
            check_balanced(self.balance, dataset.num_classes)
        self.tests: dict[str, tuple[Inputs, Tensor]] = {}
        if len(task.validation):
            inputs = make_inputs(dataset, task.inputs(task.validation), device, reader)
            self.tests["validation"] = inputs, torch.from_numpy(task.labels[task.validation]).to(device)
        for name, part in dataset.test_parts.items():
            inputs = make_inputs(dataset, part.inputs, device, reader)
            self.tests[name] = inputs, torch.from_numpy(part.labels).to(device)

        self.network = models.make_model(
            recipe.model,
            input_shape=dataset.input_shape,
            num_classes=dataset.num_classes,
            seed=recipe.seed,
            head=recipe.method.head,
        )
        self.weights: dict[str, Any] | None = None
        if weights is not None:
            left_out = weights.load_into(self.network)
            self.weights = {"file": weights.file, "sha256": weights.sha256, "left_out": list(left_out)}
        if dataset.is_image:
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = _optimizer(recipe, self.network, device)
        self.model, self.optimizer = fabric.setup(self.network, optimizer)
        self.training = Training(
            recipe=recipe,
            fabric=fabric,
            network=self.network,
            model=self.model,
            optimizer=self.optimizer,
            criterion=make_loss(recipe.method.loss),
            inputs=self.train_inputs,
            labels=torch.from_numpy(task.labels[task.train]).to(device),
            wrong=None if task.wrong is None else torch.from_numpy(task.wrong[task.train]).to(device),
            loss_sum=torch.zeros((), device=device),
            agreed=torch.zeros(3, dtype=torch.int64, device=device),
        )
        self.steps = Steps(self.training)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _learning_rate_factor(recipe))
        self.augmentation = torch.Generator(device)
        self.history: list[dict[str, Any]] = []
        self.selected: dict[str, Tensor] | None = None
        self.is_finite = True
        self.epoch = 0
        self._begin_epoch()

    @property
    def samples_left(self) -> int:
        return sum(len(batch) for batch in self.order[self.step :])

    def _begin_epoch(self) -> None:
        """The order and the augmentation of an epoch depend on the seed and its number only."""
        self.step = 0
        order = torch_stream(self.recipe.seed, "order", self.epoch)
        self.order = epoch_order(len(self.train_inputs), self.recipe.batch_size, order, self.balance)
        self.augmentation.manual_seed(derive(self.recipe.seed, "augmentation", self.epoch))
        self.training.loss_sum.zero_()
        self.training.agreed.zero_()
        self.seen = 0

    def make_fast(self) -> None:
        """Go on with compiled updates.

        Raises:
            RunError: it cannot be done.
        """
        self.steps = FastSteps(self.training, self.order)

    def run_epoch(self, watch: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Epoch | None:
        """Train for the rest of the epoch and measure it; ``None`` if it was stopped on the way."""
        last = Epoch(**self.history[-1]) if self.history else None
        self.model.train()
        for used in self.steps.run(self.order[self.step :], self.augmentation):
            self.step += 1
            self.seen += used
            watch(Progress(self.step, len(self.order), self.epoch + 1, self.recipe.epochs, last))
            if self.step < len(self.order) and should_stop():
                return None
        return self._end_epoch()

    def _end_epoch(self) -> Epoch:
        seen = self.seen
        if not seen:
            raise RunError(f"no batch of epoch {self.epoch + 1} has two images that can be read")
        agreed, wrong_agreed, wrong = self.training.agreed.tolist()
        accuracies = {name: self._accuracy(*part) for name, part in self.tests.items()}
        self.is_finite = self.is_finite and math.isfinite(float(self.training.loss_sum)) and _are_finite(self.network)
        validation, _ = accuracies.pop("validation", (None, None))
        test, top5 = accuracies.pop("test", (None, None))
        measures = Epoch(
            epoch=self.epoch + 1,
            lr=float(self.schedule.get_last_lr()[0]),
            train_loss=float(self.training.loss_sum) / seen,
            train_accuracy=agreed / seen,
            wrong_labels_learnt=wrong_agreed / wrong if wrong else None,
            validation_accuracy=validation,
            test_accuracy=test,
            test_top5=top5,
            also={name: {"accuracy": first, "top5": fifth} for name, (first, fifth) in accuracies.items()},
        )
        self.history.append(vars(measures))
        self.schedule.step()
        self.epoch += 1
        self._begin_epoch()
        return measures

    def _accuracy(self, inputs: Inputs, labels: Tensor) -> tuple[float | None, float | None]:
        """Top-1 and, with more than five classes, top-5 accuracy over the inputs that could be read."""
        best = min(5, self.task.dataset.num_classes)
        size = _EVALUATION_BATCH
        if self.fabric.device.type == "cuda":
            size = max(size, _EVALUATION_VALUES // math.prod(self.task.dataset.input_shape))
        hits = torch.zeros(best, dtype=torch.int64, device=labels.device)
        finite = torch.ones((), dtype=torch.bool, device=labels.device)
        seen = 0
        self.model.eval()
        with torch.no_grad():
            for index, batch in inputs.batches(in_order(len(inputs), size)):
                if len(index):
                    outputs = self.model(batch)
                    finite &= outputs.isfinite().all()
                    first = outputs.topk(best).indices
                    hits += (first == labels[index, None]).sum(0)
                    seen += len(index)
        if not seen:
            return None, None
        self.is_finite &= bool(finite)
        top = hits.cumsum(0).tolist()
        return top[0] / seen, top[4] / seen if self.task.dataset.num_classes > 5 else None

    @property
    def unreadable(self) -> dict[str, dict[str, str]]:
        """The images that could not be read so far, by part."""
        parts = {"train": self.train_inputs, **{name: inputs for name, (inputs, _) in self.tests.items()}}
        return {name: inputs.unreadable for name, inputs in parts.items()}

    def keep_if_best(self, record: Record) -> None:
        """Keep a copy of the weights if the last epoch is the one chosen so far."""
        if record.selected is not None and record.selected is record.last:
            self.selected = {key: value.detach().clone() for key, value in self.network.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on, as tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            # Fabric has no public way to the gradient scaler of 16-mixed.
            "precision": self.fabric._precision.state_dict(),  # noqa: SLF001
            "random": torch.get_rng_state(),
            "device_random": _device_random_state(self.fabric.device),
            "augmentation": self.augmentation.get_state(),
            "selected": self.selected,
            "history": self.history,
            "epoch": self.epoch,
            "step": self.step,
            "loss_sum": self.training.loss_sum,
            "agreed": self.training.agreed,
            "seen": self.seen,
            "unreadable": self.unreadable,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` returned."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group in self.optimizer.param_groups:
            group["lr"] = float(group["lr"])  # a tensor in a fast run
            if "capturable" in group:
                group["capturable"] = False  # as here
        self.schedule.load_state_dict(state["schedule"])
        self.fabric._precision.load_state_dict(state["precision"])  # noqa: SLF001
        self.epoch, self.history, self.selected = state["epoch"], state["history"], state["selected"]
        self._begin_epoch()
        self.step = state["step"]
        self.training.loss_sum.copy_(state["loss_sum"])
        self.training.agreed.copy_(state["agreed"])
        self.seen = state["seen"]
        for name, names in self.unreadable.items():
            names.update(state["unreadable"][name])
        self.augmentation.set_state(state["augmentation"])
        torch.set_rng_state(state["random"])
        if state["device_random"] is not None:
            torch.cuda.set_rng_state(state["device_random"], self.fabric.device)


def _begin(run: RunFolder, job: _Job, dataset: Dataset, *, fast: bool) -> None:
    """Fill in the record's head, and go back to the checkpoint if there is one: the record follows from the two."""
    record, task = run.record, job.task
    data: dict[str, Any] = {
        "name": dataset.name,
        "fingerprint": run.identity.inputs["data"],
        "classes": dataset.num_classes,
        "class_names": list(dataset.class_names),
        "train": len(task.train),
        "validation": len(task.validation),
        "test": 0 if dataset.test is None else len(dataset.test),
        "notes": list(dataset.notes),
    }
    if dataset.also:
        data["also"] = {name: len(part) for name, part in dataset.also.items()}
    record.data, record.weights, record.files, record.unreadable = data, job.weights, {}, {}
    record.parameters = sum(parameter.numel() for parameter in job.network.parameters())
    if task.noise is not None:
        record.noise = {
            "description": str(task.noise),
            "requested_rate": task.noise.requested_rate,
            "expected_rate": task.noise.expected_rate,
            "rate": task.noise.rate,
            "checksum": task.noise.checksum,
        }
        run.save_noise(task.noise)
    state = run.load_checkpoint()
    if state is not None:
        job.restore(state)
    if fast:
        job.make_fast()
    record.epochs = [Epoch(**measures) for measures in job.history]
    _note_unreadable(run, job, told=True)
    precision = _real_precision(job.recipe.precision, job.fabric.device)
    _note_environment(record, {**environment(job.fabric.device), "precision": precision, "step": job.steps.name})
    run.save_record()


def _note_unreadable(run: RunFolder, job: _Job, *, told: bool = False) -> None:
    """Count and list the images that were missing or could not be read; warn of new ones unless that was done."""
    parts = {name: dict(lost) for name, lost in job.task.dataset.missing.items()}
    for name, names in job.unreadable.items():
        parts[name] = {**parts.get(name, {}), **names}
    counts = {name: len(names) for name, names in parts.items() if names}
    if counts == run.record.unreadable:
        return
    if not told:
        texts = [f"{path}: {why}" for found in job.unreadable.values() for path, why in found.items()]
        warnings.warn(
            f"{len(texts)} images cannot be read and are skipped ({shorten(texts)}); all of them are in "
            f"{run.path / 'unreadable.csv'}",
            DataWarning,
            stacklevel=3,
        )
    run.save_unreadable(parts)
    run.record.unreadable = counts


def _note_environment(record: Record, now: dict[str, Any]) -> None:
    done = len(record.epochs)
    record.environments = [entry for entry in record.environments if entry["from_epoch"] <= max(done, 1)]
    if record.environments:
        before = record.environments[-1]["environment"]
        changed = [key for key in now if before.get(key) != now[key]]
        if not changed:
            return
        warnings.warn(
            f"run {record.id} goes on with another {', '.join(changed)}: its bytes will differ from those of an "
            "uninterrupted run. The record says from which epoch.",
            RunWarning,
            stacklevel=4,
        )
    record.environments.append({"from_epoch": done + 1, "environment": now})


def _warn_at_chance(job: _Job) -> None:
    """Say that a run has learnt nothing, if neither its training labels nor any others tell that it has.

    Wrong labels leave little above chance in the training accuracy of a network that does learn, so every set is asked.
    A few updates tell nothing either way.
    """
    recipe, last = job.recipe, Epoch(**job.history[-1])
    if recipe.epochs < 2 or recipe.epochs * len(job.order) < _UPDATES_TO_JUDGE:
        return
    measured = {"validation": last.validation_accuracy, "test": last.test_accuracy}
    measured.update({name: measures["accuracy"] for name, measures in last.also.items()})
    if not _is_chance(last.train_accuracy, job.training.labels, balanced=recipe.balanced) or not all(
        _is_chance(accuracy, job.tests[name][1]) for name, accuracy in measured.items() if accuracy is not None
    ):
        return
    lr = recipe.lr if recipe.method.lr is None else recipe.method.lr
    warnings.warn(
        f"run {recipe.id} stayed at chance: after {recipe.epochs} epochs the network agrees with "
        f"{last.train_accuracy:.1%} of its training labels, no more than who always names the most frequent class. "
        f"Try lr = {10 * lr:g} and {lr / 10:g}; optimizer = 'adamw' with lr = 0.001, for losses of any size; or "
        "method = 'ce', to see whether this network learns these data at all",
        RunWarning,
        stacklevel=3,
    )


_UPDATES_TO_JUDGE = 100
"""With fewer, a run that is at chance may just not have begun to learn."""


def _is_chance(accuracy: float, labels: Tensor, *, balanced: bool = False) -> bool:
    """Whether guesses are as good: within two standard errors of the share of the most frequent label."""
    counts = torch.bincount(labels).double()
    share = float(1 / (counts > 0).sum() if balanced else counts.max() / counts.sum())
    return accuracy <= share + 2 * math.sqrt(share * (1 - share) / len(labels))


def _fabric(device: str, precision: Any) -> Fabric:
    from lightning_fabric import Fabric  # brings PyTorch's compiler: seconds that only a run needs to wait

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*AMP with fp16 is not supported on CPU", UserWarning)
            fabric = Fabric(
                accelerator=device, devices=1, precision="32-true" if precision == "tf32-true" else precision
            )
    except Exception as error:  # Fabric raises its own and torch's errors
        raise RunError(f"cannot train on device {device!r} with precision {precision!r}: {error}") from error
    if precision == "16-mixed" and fabric.device.type == "cpu":
        raise RunError(
            "precision '16-mixed' needs a GPU, since a CPU would compute in bfloat16: set precision to 'bf16-mixed' or "
            "'32-true'"
        )
    return fabric


def _real_precision(asked: str, device: torch.device) -> str:
    """What a device makes of a precision: only newer CUDA devices have TF32."""
    has_tf32 = device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8
    return "32-true" if asked == "tf32-true" and not has_tf32 else asked


def _are_finite(network: torch.nn.Module) -> bool:
    """Whether all weights and buffers of a network are numbers."""
    values = [value.isfinite().all() for value in network.state_dict().values()]
    return not values or bool(torch.stack(values).all())


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


def _optimizer(recipe: Recipe, network: models.Network, device: torch.device) -> torch.optim.Optimizer:
    common: dict[str, Any] = {
        "lr": recipe.lr if recipe.method.lr is None else recipe.method.lr,
        "weight_decay": recipe.method.l2,
        "fused": True if device.type in ("cpu", "cuda") else None,
    }
    kind = recipe.method.optimizer or recipe.optimizer
    if kind != "sgd":
        adam = torch.optim.Adam if kind == "adam" else torch.optim.AdamW
        return adam(network.parameters(), **common)
    return torch.optim.SGD(network.parameters(), momentum=recipe.momentum, nesterov=recipe.nesterov, **common)


def _learning_rate_factor(recipe: Recipe) -> Callable[[int], float]:
    if recipe.schedule == "cosine":
        return lambda epoch: (1 + math.cos(math.pi * epoch / recipe.epochs)) / 2
    if isinstance(recipe.schedule, StepSchedule):
        factor, after = recipe.schedule.factor, recipe.schedule.after
        return lambda epoch: factor ** sum(epoch >= end for end in after)
    rate = 1.0 if recipe.schedule == "constant" else recipe.schedule
    return lambda epoch: rate**epoch


def _device_random_state(device: torch.device) -> Tensor | None:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else None


@contextlib.contextmanager
def _own_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Give layers that draw from torch's global generators (dropout) the run's own; the caller's stay as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derive(seed, "layers"))
        yield


@contextlib.contextmanager
def _tensor_cores(*, allowed: bool) -> Iterator[None]:
    """Whether float32 may be rounded to TF32: PyTorch by itself does it in convolutions and not in other products."""
    switches: list[Any] = [torch.backends.cudnn, torch.backends.cuda.matmul]
    before = [switch.allow_tf32 for switch in switches]
    for switch in switches:
        switch.allow_tf32 = allowed
    try:
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.allow_tf32 = value


def stop_signals() -> list[signal.Signals]:
    """The signals that ask a run to save its place and stop: Ctrl-C, termination and the end of the terminal.

    What is ignored stays so: under ``nohup`` a run outlives its terminal.
    """
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return [signal.Signals[name] for name in names if signal.getsignal(signal.Signals[name]) is not signal.SIG_IGN]


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Turn the first of the :func:`stop_signals` into an event, so that the step at hand is finished."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def note(number: int, frame: object) -> None:  # noqa: ARG001
        event.set()
        for known in before:
            signal.signal(known, before[known])  # a second signal acts at once

    before = {number: signal.signal(number, note) for number in stop_signals()}
    try:
        yield event
        if event.is_set():
            raise KeyboardInterrupt  # it came so late that the run is finished; what follows is still to stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
