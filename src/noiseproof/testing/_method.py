"""What every method has to keep, so that a trainer may split, stop, resume and repeat what it does."""

from __future__ import annotations

import copy
import functools
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from noiseproof.errors import SpecError
from noiseproof.methods import Batch, Method, StepOutput, make_method
from noiseproof.testing._report import SEED, check_parameters, close, finite, run_checks, same, unmet

if TYPE_CHECKING:
    from collections.abc import Callable

_SAMPLES, _CLASSES, _FEATURES, _BATCH, _EPOCHS = 23, 5, 4, 12, 4


def check_method(method: str | Method | type[Method], *, whole_batches: bool = False) -> None:
    """Check all that the package's own methods are checked for, and that does not depend on what the method does.

    It is given small networks over ``(n, 4)`` features, 23 samples of 5 classes, and four epochs of two mini-batches.
    Checked are: what a step returns; finite gradients, with huge logits too; state of samples that changes for those of
    the batch only; sums that add up where a mini-batch is split; weights of samples; phases; inputs that are left as
    they were; repetition; that a run goes on from its saved state byte for byte; the text; parameters outside their
    domain.

    Args:
        method: a method on which :meth:`~noiseproof.methods.Method.begin` has not been called, a class of methods that
            can be made without arguments, or a text for :func:`~noiseproof.methods.make_method`.
        whole_batches: whether a sample's loss depends on the others of its mini-batch, as where a method chooses among
            them; then nothing has to add up.

    Raises:
        CheckError: the first check that is not met: its name, what was found and what was expected.
        SpecError: ``method`` is no method.

    Example:
        >>> from noiseproof.methods import RobustLoss
        >>> check_method(RobustLoss)
        >>> check_method("elr(beta=0.9)")
    """
    subject = _Subject(_as_method(method), whole_batches)
    owner = subject.method.spec if subject.method.name else type(subject.method).__name__
    run_checks(owner, {name: functools.partial(check, subject) for name, check in METHOD_CHECKS.items()})


def _as_method(method: object) -> Method:
    if isinstance(method, str):
        return make_method(method)
    made = method() if isinstance(method, type) and issubclass(method, Method) else method
    if not isinstance(made, Method):
        raise SpecError(f"cannot check {method!r}: expected a method, a class of methods or a text such as 'elr'")
    return made


@dataclass(frozen=True)
class _Subject:
    method: Method
    whole_batches: bool


class _Run:
    """A training run as small as one can be; it is what a method sees of an epoch's start, too."""

    def __init__(self, method: Method, dtype: torch.dtype = torch.float64) -> None:
        torch.manual_seed(SEED)
        generator = torch.Generator().manual_seed(SEED)
        self.dtype = dtype
        self.labels = torch.arange(_SAMPLES) % _CLASSES
        self.inputs = torch.randn(_SAMPLES, _FEATURES, generator=generator, dtype=torch.float64).to(dtype)
        self.order = torch.randperm(_SAMPLES, generator=generator)
        self.method = copy.deepcopy(method)
        self.method.begin(_SAMPLES, _CLASSES)
        self.epochs, self.epoch, self.place = _EPOCHS, 0, 0
        self.phases = self.method.phases(self.epochs)
        self.begin_phase()

    def begin_phase(self) -> None:
        """New networks, and a new optimizer."""
        torch.manual_seed(SEED + self.epoch)
        self.networks: list[nn.Module] = [
            nn.Sequential(nn.Linear(_FEATURES, 8), nn.Tanh(), nn.Linear(8, _CLASSES)).to(self.dtype)
            for _ in range(self.method.networks)
        ]
        weights = [each for network in self.networks for each in network.parameters()]
        groups: list[dict[str, Any]] = [{"params": weights}, *self.method.parameter_groups()]
        self.optimizer = torch.optim.SGD([dict(group) for group in groups], lr=0.05, momentum=0.9)

    def probabilities(self) -> Tensor:
        """See :class:`noiseproof.methods.EpochStart`."""
        with torch.no_grad():
            said: Tensor = self.networks[0](self.inputs).softmax(1)
        return said

    def batch(self, index: Tensor, weight: Tensor | None = None) -> Batch:
        """Some samples, each view a little different."""
        views = tuple(self.inputs[index] * (1 + 0.01 * view) for view in range(self.method.views))
        return Batch(views, self.labels[index], index, weight)

    def step(self, batch: Batch) -> StepOutput:
        """The method's step, with the same draws each time."""
        torch.manual_seed(SEED)
        return self.method.step(self.networks, batch)

    def update(self) -> StepOutput:
        """Train on the next mini-batch."""
        if self.place == 0:
            self.method.start_epoch(self)
            if self.epoch and self.epoch in {sum(self.phases[:number]) for number in range(1, len(self.phases))}:
                self.begin_phase()
        index = self.order.roll(self.epoch)[self.place : self.place + _BATCH]
        output = self.step(self.batch(index))
        objective = output.loss / output.weight
        self.optimizer.zero_grad()
        (objective if output.penalty is None else objective + output.penalty).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.place += _BATCH
        if self.place >= _SAMPLES:
            self.epoch, self.place = self.epoch + 1, 0
        return output

    def go_on(self) -> list[StepOutput]:
        """Train to the end."""
        outputs = []
        while self.epoch < self.epochs:
            outputs.append(self.update())
        return outputs

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "epoch": self.epoch,
            "place": self.place,
            "networks": [network.state_dict() for network in self.networks],
            "method": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to it."""
        self.epoch, self.place = state["epoch"], state["place"]
        for network, saved in zip(self.networks, state["networks"], strict=True):
            network.load_state_dict(saved)
        self.method.load_state_dict(state["method"])
        self.optimizer.load_state_dict(state["optimizer"])


def _trained(subject: _Subject, steps: int = 2 * _EPOCHS - 1) -> _Run:
    """A run after some of its steps."""
    run = _Run(subject.method)
    for _ in range(steps):
        run.update()
    return run


def _per_weight(run: _Run, batch: Batch) -> tuple[list[Tensor], float]:
    """A step's loss divided by its weight, with the gradients, and the weight; on a copy of the method."""
    kept = run.method
    run.method = copy.deepcopy(kept)
    output = run.step(batch)
    run.method = kept
    value = output.loss / output.weight
    weights = [each for network in run.networks for each in network.parameters()]
    gradients = torch.autograd.grad(value, weights, allow_unused=True, materialize_grads=True)
    return [value, *gradients], float(output.weight)


def _tensors(output: StepOutput) -> dict[str, Tensor]:
    found = {
        "the loss": output.loss,
        "the weight": torch.as_tensor(output.weight, dtype=torch.float64),
        "the logits": output.logits,
        **{f"the log {name!r}": value for name, value in output.logs.items()},
    }
    found |= {} if output.penalty is None else {"the penalty": output.penalty}
    return found | ({} if output.per_sample is None else {"the samples' losses": output.per_sample})


def _step(subject: _Subject) -> None:
    for steps in (0, 1, 2 * _EPOCHS - 1):
        run = _trained(subject, steps)
        index = run.order[:_BATCH]
        output = run.step(run.batch(index))
        shapes: dict[str, tuple[int, ...]] = {"the logits": (_BATCH, _CLASSES), "the samples' losses": (_BATCH,)}
        for name, value in _tensors(output).items():
            if tuple(value.shape) != shapes.get(name, ()):
                unmet(f"the shape of {name}", tuple(value.shape), shapes.get(name, ()))
            finite(f"{name} after {steps} steps", value)
        if not output.loss.requires_grad:
            unmet("the loss", "a number without a gradient", "one that the networks can learn from")
        if float(output.weight) <= 0:
            unmet("the weight", float(output.weight), "more than 0")


def _gradients(subject: _Subject) -> None:
    for what, scale in (("ordinary", 1.0), ("huge", 1e4)):
        for dtype in (torch.float64, torch.float32):
            run = _Run(subject.method, dtype)
            for _ in range(3):
                run.update()
            with torch.no_grad():
                for network in run.networks:
                    for each in list(network.parameters())[-2:]:
                        each.mul_(scale)
            output = run.step(run.batch(run.order[:_BATCH]))
            groups = run.optimizer.param_groups
            weights = [each for group in groups for each in group["params"]]
            found = torch.autograd.grad(output.loss, weights, allow_unused=True)
            for gradient in found:
                if gradient is not None:
                    finite(f"a gradient with {what} logits in {dtype}", gradient)
            if scale == 1 and not any(gradient is not None and gradient.any() for gradient in found):
                unmet("all gradients", 0, "some that are not 0")


def _sums(subject: _Subject) -> None:
    if subject.whole_batches:
        return
    for steps in (1, 2 * _EPOCHS - 1):
        run = _trained(subject, steps)
        index = run.order[:_BATCH]
        kept, run.method = run.method, copy.deepcopy(run.method)
        whole, of_whole = run.step(run.batch(index)), run.method
        run.method = kept
        parts = [run.step(run.batch(part)) for part in (index[:5], index[5:])]
        for name in ("loss", "weight"):
            total = sum(torch.as_tensor(getattr(part, name), dtype=torch.float64) for part in parts)
            expected = torch.as_tensor(getattr(whole, name), dtype=torch.float64)
            close(f"the {name} of two parts of a mini-batch together", torch.as_tensor(total), expected)
        close("the logits of two parts", torch.cat([part.logits for part in parts]), whole.logits)
        for part in parts:
            if (part.penalty is None) != (whole.penalty is None):
                unmet("the penalty of a part", part.penalty, whole.penalty)
            if part.penalty is not None and whole.penalty is not None:
                close("the penalty of a part, which is added once", part.penalty, whole.penalty)
        saved = run.method.state_dict()
        for name, value in of_whole.state_dict().items():
            if isinstance(value, Tensor):
                close(f"{name}, after two parts", saved[name], value, rtol=1e-5, atol=1e-7)


def _state_of_samples(subject: _Subject) -> None:
    for steps in (0, 2 * _EPOCHS - 1):
        run = _trained(subject, steps)
        given = run.order[:_BATCH]
        others = torch.ones(_SAMPLES, dtype=torch.bool)
        others[given] = False
        before = copy.deepcopy(run.method.state_dict())
        run.step(run.batch(given))
        for name, value in run.method.state_dict().items():
            if isinstance(value, Tensor) and value.shape[:1] == (_SAMPLES,):
                same(f"{name} of the samples that were not in the batch", value[others], before[name][others])


def _weights(subject: _Subject) -> None:
    for steps in (1, 2 * _EPOCHS - 1):
        run = _trained(subject, steps)
        index = run.order[:_BATCH]
        weight = torch.rand(_BATCH, generator=torch.Generator().manual_seed(SEED), dtype=torch.float64) + 0.1
        plain, all_of_it = _per_weight(run, run.batch(index))
        weighted, _ = _per_weight(run, run.batch(index, weight))
        cases = [
            ("weights of 1, against none", _per_weight(run, run.batch(index, torch.ones_like(weight)))[0], plain),
            ("2.5 times the weights", _per_weight(run, run.batch(index, 2.5 * weight))[0], weighted),
        ]
        if not subject.whole_batches:
            some = torch.arange(_BATCH) < 7
            without, _ = _per_weight(run, run.batch(index, weight * some))
            expected, _ = _per_weight(run, run.batch(index[some], weight[some]))
            cases.append(("samples of weight 0, against the others", without, expected))
            twice, _ = _per_weight(run, run.batch(index, 1.0 + some))
            again, part = _per_weight(run, run.batch(index[some]))
            mean = [(all_of_it * a + part * b) / (all_of_it + part) for a, b in zip(plain, again, strict=True)]
            cases.append(("samples of weight 2, which count twice", twice, mean))
        for what, found, expected in cases:
            for number, (one, other) in enumerate(zip(found, expected, strict=True)):
                name = "gradient" if number else "loss"
                close(f"the {name} per weight with {what}", one, other, rtol=1e-5, atol=1e-7)


def _phases(subject: _Subject) -> None:
    for epochs in (*range(1, 12), 100):
        phases = subject.method.phases(epochs)
        if sum(phases) != epochs or min(phases) < 1 or not all(type(each) is int for each in phases):
            unmet(f"the phases of {epochs} epochs", phases, f"whole numbers from 1 that add up to {epochs}")


def _inputs(subject: _Subject) -> None:
    run = _trained(subject, 3)
    batch = run.batch(run.order[:_BATCH], torch.ones(_BATCH, dtype=torch.float64))
    given = {"labels": batch.labels, "index": batch.index, "weight": batch.weight}
    given |= {f"view {number}": view for number, view in enumerate(batch.views)}
    given |= {
        f"{name} of network {number}": value
        for number, network in enumerate(run.networks)
        for name, value in network.state_dict().items()
    }
    before = {name: value.detach().clone() for name, value in given.items() if value is not None}
    run.step(batch)
    for name, value in before.items():
        now = given[name]
        if now is not None:
            same(f"the batch's {name} after a step", now, value)


def _repetition(subject: _Subject) -> None:
    first, second = (_Run(subject.method, torch.float32) for _ in range(2))
    _same_outputs("the second time, with the same seed", second.go_on(), first.go_on())
    _same_state("the second time, with the same seed", second.state_dict(), first.state_dict())


def _resumption(subject: _Subject) -> None:
    whole = _Run(subject.method, torch.float32)
    outputs = whole.go_on()
    for steps in range(1, len(outputs)):
        run = _Run(subject.method, torch.float32)
        for _ in range(steps):
            run.update()
        saved = io.BytesIO()
        torch.save(run.state_dict(), saved)
        saved.seek(0)
        resumed = _Run(subject.method, torch.float32)
        resumed.load_state_dict(torch.load(saved, weights_only=True))
        what = f"of a run that was stopped after {steps} steps"
        _same_outputs(what, resumed.go_on(), outputs[steps:])
        _same_state(what, resumed.state_dict(), whole.state_dict())


def _same_outputs(what: str, found: list[StepOutput], expected: list[StepOutput]) -> None:
    for one, other in zip(found, expected, strict=True):
        wanted = _tensors(other)
        for name, value in _tensors(one).items():
            same(f"{name} {what}", value.detach(), wanted[name].detach())


def _same_state(what: str, found: Any, expected: Any, name: str = "the state") -> None:
    if isinstance(expected, Tensor):
        same(f"{name} {what}", found.detach(), expected.detach())
    elif isinstance(expected, dict):
        for key, value in expected.items():
            _same_state(what, found[key], value, f"{name}[{key!r}]")
    elif isinstance(expected, list):
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            _same_state(what, one, other, f"{name}[{number}]")
    elif found != expected:
        unmet(f"{name} {what}", repr(found), repr(expected))


def _text(subject: _Subject) -> None:
    method = subject.method
    if not method.name:
        return  # no text can name it
    again = make_method(method.spec)
    if again.spec != method.spec or type(again) is not type(method):
        unmet(f"make_method({method.spec!r})", f"{type(again).__name__} {again.spec!r}", type(method).__name__)


def _parameters(subject: _Subject) -> None:
    method = subject.method
    check_parameters(
        method.declared, lambda **given: type(method)(method.criterion, **{**method.hyperparameters, **given})
    )


METHOD_CHECKS: dict[str, Callable[[_Subject], None]] = {
    "what a step returns": _step,
    "gradients": _gradients,
    "state of samples": _state_of_samples,
    "sums": _sums,
    "weights of samples": _weights,
    "phases": _phases,
    "inputs": _inputs,
    "repetition": _repetition,
    "resumption": _resumption,
    "the text": _text,
    "parameters": _parameters,
}
"""In the order in which they are run."""
