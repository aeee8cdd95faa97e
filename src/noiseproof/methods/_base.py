"""What a method is: the step that it takes, the state that it keeps, and what a trainer asks of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from noiseproof.losses import Loss, make_loss
from noiseproof.registry import Registry
from noiseproof.spec import Parameter, check_parameters, format_call, parse_call, take_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence


METHODS: Registry[type[Method]] = Registry.of_classes("method", "methods", lambda: Method)
"""Every method that has a name, the user's own included."""


@dataclass(frozen=True)
class Batch:
    """The samples of a step, on the device of the networks.

    Attributes:
        views: the standardized inputs ``(n, …)``, augmented anew for each view.
        labels: ``(n,)`` int64, the labels to learn from.
        index: ``(n,)`` int64, the samples' places in the training part.
        weight: ``(n,)``, how much each sample counts; ``None`` where all count alike.
        trusted: ``(n,)`` bool, which labels a person has checked; ``None`` where nobody has.
    """

    views: tuple[Tensor, ...]
    labels: Tensor
    index: Tensor
    weight: Tensor | None = None
    trusted: Tensor | None = None


@dataclass
class StepOutput:
    """What a method makes of the samples it was given, which may be a part of a mini-batch.

    The trainer minimizes the sum of ``loss`` over the parts, divided by the sum of ``weight``, plus one ``penalty``.

    Attributes:
        loss: the sum of the samples' losses, a scalar.
        weight: what that is divided by, a scalar: the number of samples, or the sum of their weights.
        logits: ``(n, classes)`` of the first network, to count what it agrees with.
        penalty: a scalar that is added once and not divided, such as an L1 norm.
        per_sample: ``(n,)``, the samples' losses, where the method has them.
        logs: further scalars by name.
    """

    loss: Tensor
    weight: Tensor | float
    logits: Tensor
    penalty: Tensor | None = None
    per_sample: Tensor | None = None
    logs: dict[str, Tensor] = field(default_factory=dict)


class EpochStart(Protocol):
    """What a method sees of a run before an epoch.

    Attributes:
        epoch: the epoch that begins, counted from 0.
        epochs: how many the run has.
        labels: ``(N,)``, the training labels, on the networks' device.
    """

    @property
    def epoch(self) -> int: ...

    @property
    def epochs(self) -> int: ...

    @property
    def labels(self) -> Tensor: ...

    def probabilities(self) -> Tensor:
        """``(N, classes)``, what the networks say now of the training samples, not augmented, in evaluation mode.

        Rows of images that cannot be read are 0.
        """
        ...


class Method(nn.Module):
    """A way to learn from wrong labels.

    A definition is a subclass with a name, declared parameters and a :meth:`step`. Buffers and parameters are a part of
    the run's checkpoint by themselves; whatever else changes from step to step has to be one of them.

    Args:
        criterion: the loss that the method is built on.
        l1: the weight of the L1 norm of all networks' parameters.
        parameters: the declared ones.

    Raises:
        SpecError: an unknown parameter, or one outside its domain.
    """

    name: ClassVar[str] = ""
    """The name in recipes and on the command line."""
    networks: ClassVar[int] = 1
    """How many networks it trains, all of the recipe's kind."""
    views: ClassVar[int] = 1
    """How often each sample of a batch is augmented."""
    compiles: ClassVar[bool] = False
    """Whether its step is the networks and the loss alone, so that both can be compiled."""
    declared: ClassVar[dict[str, Parameter]] = {}
    """The parameters of the definition, by name."""

    def __init_subclass__(cls, *, name: str = "", **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.declared = {**cls.declared, **take_parameters(cls)}
        cls.name = name
        if name:
            METHODS.add(name, cls)

    def __init__(self, criterion: Loss | None = None, *, l1: float = 0.0, **parameters: float) -> None:
        super().__init__()
        self.criterion = (criterion or make_loss("ce")).with_options(reduction="sum")
        self.l1 = l1
        self.hyperparameters = check_parameters(self.name or type(self).__name__, self.declared, parameters)
        for key, value in self.hyperparameters.items():
            object.__setattr__(self, key, value)

    @property
    def spec(self) -> str:
        """The canonical text of the method without its loss, which :func:`make_method` reads back."""
        return format_call(self.name, dict(self.hyperparameters))

    def phases(self, epochs: int) -> tuple[int, ...]:
        """How many epochs each phase of the run has, ``epochs`` in all.

        At the start of each phase but the first all networks and the optimizer begin anew, and with them the schedule
        of the learning rate. :meth:`start_epoch` is called before, with the networks of the phase that has ended. A run
        of more than one phase depends on how many epochs were asked for, and cannot be made longer.
        """
        return (epochs,)

    def begin(self, num_samples: int, num_classes: int) -> None:
        """Make what is kept for each training sample or class, before anything else."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameters of the method's own for the optimizer, as :mod:`torch.optim` takes groups of them."""
        return []

    def start_epoch(self, state: EpochStart) -> None:
        """Do what is done once per epoch, before its first step."""

    def step(self, networks: Sequence[nn.Module], batch: Batch) -> StepOutput:
        """The loss of some samples.

        It may be given a part of a mini-batch. It changes what is kept for the samples that it was given, and for no
        others.
        """
        raise NotImplementedError

    def penalty(self, networks: Sequence[nn.Module]) -> Tensor | None:
        """The L1 term, if there is one."""
        if not self.l1:
            return None
        norm: Tensor = _L1Norm.apply(*(each for network in networks for each in network.parameters()))  # type: ignore[no-untyped-call]
        return self.l1 * norm


class _L1Norm(torch.autograd.Function):
    """The sum of the absolute values in some tensors, all of them at once."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        return torch.stack(torch._foreach_norm(tensors, 1)).sum()  # noqa: SLF001 - as PyTorch's own optimizers do it

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, ...]:
        signs = torch._foreach_sign(ctx.saved_tensors)  # noqa: SLF001
        torch._foreach_mul_(signs, grad_output)
        return tuple(signs)


def make_method(spec: str, criterion: Loss | None = None, *, l1: float = 0.0) -> Method:
    """A method from its text, such as ``"elr(beta=0.9)"``.

    Args:
        spec: the name, with parameters that differ from the defaults.
        criterion: the loss that it is built on; cross-entropy by default.
        l1: the weight of the L1 norm of all networks' parameters.

    Raises:
        SpecError: an unknown method or parameter, or a parameter outside its domain.
    """
    call = parse_call(spec)
    return METHODS.find(call.name)(criterion, l1=l1, **call.parameters)


def canonical_method(spec: str) -> str:
    """``spec`` with all parameters written out.

    Raises:
        SpecError: an unknown method or parameter, or a parameter outside its domain.
    """
    return make_method(spec).spec
