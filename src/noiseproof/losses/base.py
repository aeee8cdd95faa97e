"""The one module class of all losses, and the kinds of definition that a loss can be."""

from __future__ import annotations

import functools
import inspect
import numbers
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import Self, dataclass_transform

from noiseproof.errors import SpecError
from noiseproof.losses.kernel.evaluate import USUAL, evaluate, evaluate_with_gradient
from noiseproof.losses.kernel.form import Form
from noiseproof.losses.kernel.probabilities import LargestUnknownError, Probabilities
from noiseproof.losses.kernel.replay import RECORDINGS
from noiseproof.registry import Registry
from noiseproof.spec import Domain, Parameter, check_parameters, format_call, format_value, take_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from noiseproof.losses.kernel.rows import Elementwise, Rows
    from noiseproof.losses.papers import Citation


REGISTRY: Registry[type[Loss]] = Registry.of_classes("loss", "losses", lambda: Loss)
"""Every loss that has a name, the user's own included."""


def parameter(*, default: float, domain: str) -> Any:
    """Declare a parameter of a loss; ``domain`` is an interval such as ``"(0, 1]"``."""
    return Parameter(default, Domain(domain))


def flag(*, default: bool) -> Any:
    """Declare a parameter of a loss that is true or false."""
    return Parameter(default, None)


def _by_position(*, default: Any, kw_only: Literal[False] = False) -> Any:
    """Tell type checkers of an argument that may be given without its name."""


@dataclass(frozen=True)
class Limit:
    """What a loss becomes at some values of its parameters: documentation, and a test for each."""

    parameters: Mapping[str, float]
    equals: str
    tolerance: float = 0.0
    """How far the values may be apart, relative to the larger one: 0 for an identity, more for a limit."""


_OWN = __name__.rpartition(".")[0] + "."


@functools.cache
def _option_arguments() -> dict[str, inspect.Parameter]:
    """The arguments of :class:`Loss` itself, which every definition has too."""
    return {
        key: argument.replace(annotation=inspect.Parameter.empty)
        for key, argument in inspect.signature(Loss.__init__).parameters.items()
        if argument.kind in (argument.KEYWORD_ONLY, argument.POSITIONAL_OR_KEYWORD) and key != "self"
    }


def _signature(declared: dict[str, Parameter]) -> inspect.Signature:
    own = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=value.default) for key, value in declared.items()
    ]
    weight, *others = _option_arguments().values()
    return inspect.Signature([weight, *own, *others])


@dataclass_transform(kw_only_default=True, field_specifiers=(parameter, flag, _by_position))
class _Declared(nn.Module):
    """So that type checkers read the fields of :class:`Loss` and of its definitions as keyword arguments."""


class Loss(_Declared):
    r"""A loss over logits, called like :class:`torch.nn.CrossEntropyLoss`.

    A definition is a subclass with declared parameters. Losses can be added and scaled, so
    ``0.5 * NCE() + AMSE(a=10)`` is a loss too.

    Args:
        weight: ``(classes,)``, how much a sample of each class counts: a tensor, an array or a list. If it requires a
            gradient it gets one.
        ignore_index: the class index whose samples count nothing, whatever their logits are, and get no gradient.
        reduction: ``"mean"`` (over the weights of the samples that count), ``"sum"`` or ``"none"``.
        label_smoothing: the share of each label that is spread over all classes, in [0, 1].

    The options can be changed after construction, and are checked then too; the parameters cannot.

    Raises:
        SpecError: an unknown parameter, or a parameter or an option outside its domain.
    """

    name: ClassVar[str] = ""
    """The name in specs, on the command line and in tables."""
    title: ClassVar[str] = ""
    citation: ClassVar[Citation | None] = None
    limits: ClassVar[tuple[Limit, ...]] = ()
    gradient: ClassVar[str] = ""
    r"""LaTeX of the derivative by the logits; of :math:`\partial L/\partial\log p_y` where :class:`LabelLoss` says."""
    declared: ClassVar[dict[str, Parameter]] = {}
    """The parameters of the definition, by name."""

    needs_float64: bool = False
    """Whether some number on the way to the value or the gradient is one that a float32 does not hold."""

    if TYPE_CHECKING:
        weight: Tensor | None = _by_position(default=None)
        ignore_index: int = -100
        reduction: str = "mean"
        label_smoothing: float = 0.0

    __array_ufunc__ = None  # so that NumPy leaves a product with one of its numbers to this class

    def __init_subclass__(cls, *, name: str = "", **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.declared = {**cls.declared, **take_parameters(cls)}
        cls.name = name
        if "__init__" not in vars(cls):
            cls.__signature__ = _signature(cls.declared)  # type: ignore[attr-defined]
            stripped = sys.flags.optimize >= 2  # python -OO leaves docstrings out
            if name and not stripped and "Args:" not in (cls.__doc__ or ""):
                from noiseproof.losses.describe import describe

                cls.__doc__ = describe(cls, run=False)
        if name:
            REGISTRY.add(name, cls)

    def __init__(
        self,
        weight: Tensor | Sequence[float] | np.ndarray[Any, Any] | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        **parameters: float,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", _checked_weight(weight))
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing
        for key, value in check_parameters(self.name or type(self).__name__, self.declared, parameters).items():
            object.__setattr__(self, key, value if isinstance(value, bool) else float(value))
        self.check()

    def check(self) -> None:
        """See that the parameters go together, where a definition has something to say to that.

        Raises:
            SpecError: they do not.
        """

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in (RECORDINGS, USUAL)}

    def __setattr__(self, key: str, value: Any) -> None:
        if key in self.declared:
            raise AttributeError(f"{key} of a loss cannot be changed: make a new {type(self).__name__}({key}=…)")
        if key in _CHECKED_OPTIONS:
            value = _CHECKED_OPTIONS[key](value)
        self.__dict__.pop(USUAL, None)
        super().__setattr__(key, value)

    @property
    def hyperparameters(self) -> dict[str, float]:
        """The values of the declared parameters."""
        return {key: getattr(self, key) for key in self.declared}

    @property
    def options(self) -> dict[str, Any]:
        """The arguments that every loss has: ``weight``, ``ignore_index``, ``reduction``, ``label_smoothing``."""
        return {
            "weight": self.weight,
            "ignore_index": self.ignore_index,
            "reduction": self.reduction,
            "label_smoothing": self.label_smoothing,
        }

    @property
    def spec(self) -> str:
        """The canonical text of the definition and of its label smoothing, which :func:`make_loss` reads back.

        The other options belong to where a loss is used, not to what it is, and have no place in a text.
        """
        return self.text(self.label_smoothing)

    def text(self, label_smoothing: float) -> str:
        """The canonical text with the label smoothing of the loss that this one is a part of."""
        return format_call(self.name, {**self.hyperparameters, **smoothing_argument(label_smoothing)})

    def with_options(self, **options: Any) -> Self:
        """The same definition with other options, such as ``reduction="none"``."""
        return type(self)(**{**self.hyperparameters, **self.options, **options})

    def with_parameters(self, **parameters: float) -> Self:
        """The same loss with other values of some parameters."""
        arguments: dict[str, Any] = {**self.hyperparameters, **self.options, **parameters}
        return type(self)(**arguments)

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:  # noqa: A002 - as torch names it
        """The loss of the logits ``input`` for ``target``.

        Args:
            input: logits ``(classes,)``, ``(N, classes)`` or ``(N, classes, d1, …)``, any floating-point type. Half
                precision is computed in float32, and all of them in float64 where the parameters make numbers that a
                float32 does not hold; the gradient is rounded once, when the backward knows what it is multiplied
                with.
            target: class indices of the logits' shape without ``classes``, or class probabilities of the
                logits' shape, for which the loss is the expected one over labels drawn from them. Only class
                indices can be ignored.
            sample_weight: how much each sample counts, of the shape of class indices; all alike by default. It
                multiplies the class weights, and the mean is over the sum of what samples then count. If it requires a
                gradient it gets one.

        Returns:
            A scalar, or with ``reduction="none"`` one value per sample, in the type of the logits.

        Raises:
            LabelError: shapes or types that do not fit, class weights for another number of classes, ``ignore_index``
                ≥ 0 with probabilities, or (on the CPU) a label that is no class.
        """
        return evaluate(self, input, target, sample_weight)

    def value_and_grad(
        self,
        input: Tensor,  # noqa: A002 - as torch names it
        target: Tensor,
        sample_weight: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The loss and its derivative by the logits, in closed form and without autograd.

        For what has a use for gradients without a network, such as gradient boosting.

        Args:
            input: as for :meth:`forward`.
            target: likewise.
            sample_weight: likewise.

        Returns:
            The value as :meth:`forward` gives it, and the derivative of the sum of what it gives, of the logits' shape
            and type: with ``reduction="none"`` that of each sample's own value. None of them requires a gradient.

        Raises:
            LabelError: as :meth:`forward`.
        """
        return evaluate_with_gradient(self, input, target, sample_weight)

    def linear(
        self,
        features: Tensor,
        weight: Tensor,
        target: Tensor | tuple[Tensor, Tensor],
        bias: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        """This loss of a linear layer's logits, without all of them at once: :func:`noiseproof.losses.linear_loss`."""
        from noiseproof.losses.linear import linear_loss  # which stands on this module

        return linear_loss(features, weight, target, self, bias=bias, **options)

    def form(self, rows: Rows) -> Form:
        """What this loss comes to in a block of rows: the closed form that everything else follows from."""
        raise NotImplementedError

    @functools.cached_property
    def is_fixed(self) -> bool:
        """Whether the form calls the same operations for all batches of one shape, as this package's own do.

        A class of somebody else's may decide on something that changes.
        """
        return type(self).__module__.startswith(_OWN) and all(part.is_fixed for part in self.inside)

    @property
    def draws(self) -> bool:
        """Whether a call draws numbers."""
        return any(part.draws for part in self.inside)

    @property
    def inside(self) -> tuple[Loss, ...]:
        """The losses that this one is made of."""
        return ()

    def sharpness(self, num_classes: int) -> float:  # noqa: ARG002 - definitions may use it
        """How far the rounding of a probability comes out in the value, as a multiple of what is borne.

        Above 1, leading probabilities get all of their digits, which takes some more walks through the rows.
        """
        return 0.0

    def __add__(self, other: object) -> Loss:
        return Sum([(1.0, self), (1.0, other)]) if isinstance(other, Loss) else NotImplemented

    def __mul__(self, factor: object) -> Loss:
        return Sum([(float(factor), self)]) if isinstance(factor, numbers.Real) else NotImplemented

    __rmul__ = __mul__

    def extra_repr(self) -> str:
        """The parameters, and the options that differ from their defaults."""
        unusual = {
            key: value for key, value in self.options.items() if not _same(value, _option_arguments()[key].default)
        }
        inside = {**{key: format_value(value) for key, value in self.hyperparameters.items()}, **unusual}
        return ", ".join(f"{key}={value}" for key, value in inside.items())


_STEEPEST = 32.0
"""What the rounding of a log-probability may be multiplied by."""


class LabelLoss(Loss):
    r"""A loss of the label's probability alone, given by its value and slope as functions of its logarithm.

    With the slope :math:`s` its derivative by the logits is :math:`s\,(\delta_{jy} - p_j)`; :attr:`gradient` is the
    LaTeX of :math:`s`.
    """

    is_decreasing: ClassVar[bool] = False
    """Whether the value is known never to grow with the probability, not even by a rounding."""

    @property
    def asks_for_the_largest(self) -> bool:
        """Whether the loss depends on which class is its row's largest too (:attr:`Probabilities.top`)."""
        try:
            self.value(Probabilities(torch.full((1, 1), -1.0, dtype=torch.float64)))
        except LargestUnknownError:
            return True
        return False

    def value(self, label: Probabilities) -> Tensor:
        """The loss where the label has these probabilities, elementwise."""
        raise NotImplementedError

    def slope(self, label: Probabilities) -> Tensor | float:
        """The derivative of :meth:`value` by the log-probability, elementwise."""
        raise NotImplementedError

    @property
    def steepness(self) -> float:
        """A bound of the size of :meth:`slope`, to know how much rounding matters."""
        return 1.0

    def relative_to(self, least: Callable[[], Tensor]) -> tuple[Elementwise, Elementwise]:  # noqa: ARG002
        """The value and the slope up to a common factor, for operators that divide by the sum over the classes.

        Args:
            least: gives the logarithm of the smallest probability that they are asked for, for a factor that keeps
                them from underflowing.
        """
        return self.value, self.slope

    def form(self, rows: Rows) -> Form:
        """The value and slope at the label."""
        return rows.of_label(self.value, self.slope)

    def sharpness(self, num_classes: int) -> float:  # noqa: ARG002 - kinds of it may use it
        """See :meth:`Loss.sharpness`."""
        return abs(self.steepness) / _STEEPEST


class PowerSumLoss(LabelLoss):
    """A loss of the label's probability plus the sum of a power of all probabilities, divided by :meth:`per`."""

    def power(self) -> float:
        """The power."""
        raise NotImplementedError

    def per(self, num_classes: int) -> float:  # noqa: ARG002 - definitions may use it
        """What the loss is divided by: 1, or a function of the number of classes."""
        return 1.0

    def form(self, rows: Rows) -> Form:
        """The label's part and the sum over the classes."""
        whole = rows.of_label(self.value, self.slope) + rows.power_sum(self.power()).times(rows.mass)
        return whole / self.per(rows.num_classes)

    def sharpness(self, num_classes: int) -> float:
        """See :meth:`Loss.sharpness`."""
        return super().sharpness(num_classes) / self.per(num_classes)


class Combination(Loss):
    """A published loss that is an expression over others."""

    def __init__(self, weight: Tensor | Sequence[float] | np.ndarray[Any, Any] | None = None, **arguments: Any) -> None:
        super().__init__(weight, **arguments)
        parts = self.expression()
        refuse_nothing(parts, self)
        object.__setattr__(self, "_parts", parts)
        object.__setattr__(self, "needs_float64", parts.needs_float64)

    def expression(self) -> Loss:
        """The expression, from the parameters of this instance."""
        raise NotImplementedError

    @property
    def inside(self) -> tuple[Loss, ...]:
        """The expression alone."""
        return (self.parts,)

    @property
    def parts(self) -> Loss:
        """The expression."""
        parts: Loss = self._parts  # type: ignore[assignment]
        return parts

    def form(self, rows: Rows) -> Form:
        """That of the expression."""
        return self.parts.form(rows)

    def sharpness(self, num_classes: int) -> float:
        """That of the expression."""
        return self.parts.sharpness(num_classes)


class Sum(Loss):
    """A weighted sum of losses.

    Args:
        terms: pairs of a weight in [0, 1e30] and a loss. Sums inside are unfolded.
        options: as for every :class:`Loss`; by default those that all terms have.

    Raises:
        SpecError: a weight that is negative or too large, or terms whose options differ. A sum whose weights are all
            0 is refused where it is called, or made from text.

    Example:
        >>> from noiseproof.losses.definitions import CE, MAE
        >>> (CE() + 0.5 * MAE()).spec
        '1*ce + 0.5*mae'
    """

    terms: tuple[tuple[float, Loss], ...]

    def __init__(self, terms: list[tuple[float, Loss]], **options: Any) -> None:
        shared = terms[0][1].options
        for weight, loss in terms:
            _check_weight(weight, loss)
            differing = [key for key, value in loss.options.items() if not _same(value, shared[key])]
            if differing:
                raise SpecError(
                    f"the terms of a sum have different {', '.join(differing)}: "
                    "give the options to all of them, or to make_loss"
                )
        super().__init__(**{**shared, **options})
        flat: list[tuple[float, Loss]] = []
        for weight, loss in terms:
            inside = loss.terms if isinstance(loss, Sum) else ((1.0, loss),)
            flat += [(_check_weight(weight * inner, term), term) for inner, term in inside]
        object.__setattr__(self, "terms", tuple(flat))
        object.__setattr__(self, "needs_float64", any(loss.needs_float64 for weight, loss in flat if weight))

    def text(self, label_smoothing: float) -> str:
        """The terms, each with its weight and the label smoothing of them all.

        A published combination whose name has a plus is written as its parts: in a sum, the plus is the sum's.
        """
        written = []
        for weight, loss in self.terms:
            parts: tuple[tuple[float, Loss], ...] = ((weight, loss),)
            if isinstance(loss, Combination) and "+" in loss.name:
                parts = Sum([(weight, loss.parts)]).terms
            written += [f"{format_value(inner)}*{part.text(label_smoothing)}" for inner, part in parts]
        return " + ".join(written)

    def with_options(self, **options: Any) -> Self:
        """The same sum with other options."""
        plain = [(weight, loss.with_options(**{**self.options, **options})) for weight, loss in self.terms]
        return type(self)(plain)

    def with_parameters(self, **parameters: float) -> Self:
        """A sum has none of its own.

        Raises:
            SpecError: always, if there are parameters to change.
        """
        if parameters:
            raise SpecError(
                f"a sum has no parameter {', '.join(map(repr, parameters))}: make it anew from terms that have the "
                f"values, such as make_loss({self.spec!r})"
            )
        return self

    @property
    def inside(self) -> tuple[Loss, ...]:
        """The terms."""
        return tuple(loss for _, loss in self.terms)

    def form(self, rows: Rows) -> Form:
        """The weighted sum of those of the terms."""
        refuse_nothing(self, self)
        return sum((weight * loss.form(rows) for weight, loss in self.terms if weight), Form())

    def sharpness(self, num_classes: int) -> float:
        """The largest of the terms, with their weights."""
        return max([weight * loss.sharpness(num_classes) for weight, loss in self.terms])

    def extra_repr(self) -> str:
        """The expression."""
        return self.spec


def _checked_weight(weight: object) -> Tensor | None:
    if weight is None:
        return None
    found = weight
    if not isinstance(found, Tensor):
        try:
            found = torch.tensor(_plain_array(np.asarray(weight)) if hasattr(weight, "__array__") else weight)
        except (TypeError, ValueError, RuntimeError) as error:
            raise SpecError(f"weight {weight!r}: expected one number for each class ({error})") from None
        if not found.is_floating_point() and not found.is_complex() and found.dtype is not torch.bool:
            found = found.to(torch.get_default_dtype())
    if found.ndim != 1 or not found.is_floating_point() or found.layout is not torch.strided:
        sparse = "" if found.layout is torch.strided else "sparse "
        by_name = "" if found.ndim else "; a parameter of the loss is given by its name, as in JointAsymmetricLoss(a=5)"
        raise SpecError(
            f"weight: expected floating-point numbers of shape (classes,), got {sparse}{found.dtype} of shape "
            f"{tuple(found.shape)}{by_name}"
        )
    return found


def _plain_array(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An array as torch takes it: not backwards, and in the machine's byte order."""
    return np.asarray(array, array.dtype.newbyteorder("="), order="C")


def _checked_ignore_index(index: object) -> int:
    if isinstance(index, bool) or not isinstance(index, numbers.Integral) or not -(2**63) <= int(index) < 2**63:
        raise SpecError(f"ignore_index {index!r}: expected a class index, or a negative number such as -100")
    return int(index)


def _checked_reduction(reduction: object) -> str:
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        raise SpecError(f"reduction {reduction!r}: expected 'mean', 'sum' or 'none'")
    return str(reduction)


def _checked_smoothing(share: object) -> float:
    if isinstance(share, bool) or not isinstance(share, numbers.Real) or not 0 <= float(share) <= 1:
        raise SpecError(f"label_smoothing {share!r}: expected a share in [0, 1]")
    return float(share)


_CHECKED_OPTIONS: dict[str, Callable[[object], Any]] = {
    "weight": _checked_weight,
    "ignore_index": _checked_ignore_index,
    "reduction": _checked_reduction,
    "label_smoothing": _checked_smoothing,
}


def smoothing_argument(share: float) -> dict[str, float]:
    """The label smoothing as an argument in a text; none where there is no smoothing."""
    return {"label_smoothing": float(share)} if share else {}


def refuse_nothing(loss: Loss, whole: Loss) -> None:
    """Refuse a sum in which every term has the weight 0.

    Raises:
        SpecError: it is one; the message names the loss that it is the whole of.
    """
    if isinstance(loss, Sum) and not any(weight for weight, _ in loss.terms):
        raise SpecError(f"{whole.spec}: all weights are 0, so that nothing is left of the loss")


_WEIGHTS = Domain("[0, 1e30]")
"""Beyond, a float32 cannot hold the weighted loss."""


def _check_weight(weight: float, loss: Loss) -> float:
    if weight not in _WEIGHTS:
        raise SpecError(f"weight {weight:g} of {loss.spec}: expected a number in {_WEIGHTS}")
    return weight


def _same(first: object, second: object) -> bool:
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first is second or torch.equal(first, second)
    return first is second or (not isinstance(first, Tensor) and not isinstance(second, Tensor) and first == second)
