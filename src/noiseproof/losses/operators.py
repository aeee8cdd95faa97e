"""Operators that make a loss from a loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from noiseproof.errors import SpecError
from noiseproof.losses.base import LabelLoss, Loss, PowerSumLoss, parameter, smoothing_argument
from noiseproof.losses.definitions import CE
from noiseproof.losses.kernel.form import Form, value_of
from noiseproof.losses.kernel.probabilities import Probabilities, at_least
from noiseproof.spec import format_value

if TYPE_CHECKING:
    from typing_extensions import Self

    from noiseproof.losses.kernel.rows import Rows


class Normalized(Loss):
    r"""A loss divided by its sum over all labels, :math:`\varphi(p_y) / \sum_k \varphi(p_k)`.

    The sum over labels is 1 whatever the logits are, so a normalized loss is symmetric.

    Args:
        inner: a loss of the label's probability alone.
        options: as for every :class:`Loss`; by default those of ``inner``.

    Raises:
        SpecError: ``inner`` depends on more than the label's probability.

    Example:
        >>> import torch
        >>> from noiseproof.losses.definitions import CE
        >>> loss = normalized(CE())
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        0.1
    """

    inner: LabelLoss

    def __init__(self, inner: Loss, **options: Any) -> None:
        label_loss = _checked("normalized", inner)
        super().__init__(**{**inner.options, **options})
        object.__setattr__(self, "inner", label_loss)
        object.__setattr__(self, "needs_float64", label_loss.needs_float64)

    def text(self, label_smoothing: float) -> str:
        """``normalized(…)``."""
        return _call("normalized", self.inner, smoothing_argument(label_smoothing))

    def with_options(self, **options: Any) -> Self:
        """The same definition with other options."""
        return type(self)(self.inner, **{**self.options, **options})

    def with_parameters(self, **parameters: float) -> Self:
        """The same operator on the inner loss with other values of some of its parameters."""
        return type(self)(self.inner.with_parameters(**parameters), **self.options)

    @property
    def inside(self) -> tuple[Loss, ...]:
        """The inner loss alone."""
        return (self.inner,)

    def form(self, rows: Rows) -> Form:
        """The label's form over that of all classes."""
        label, every = self._parts(rows)
        value, total = value_of(label, rows), value_of(every, rows)
        # A label that cannot be (a logit of -inf) has the whole of an infinite sum.
        ratio = value / total if rows.are_finite(total) else _bounded(value) / _bounded(total)
        form = Form(((ratio, 1.0),))
        if not rows.with_slope:
            return form
        inverse = total.reciprocal()
        return form.with_slopes(label, inverse).with_slopes(-every, ratio * inverse)

    def sharpness(self, num_classes: int) -> float:
        """See :meth:`Loss.sharpness`."""
        # What the value is divided by grows with the classes: of the right label, all the others count in full.
        return min(1.0, 10 / num_classes) / _STEEPEST

    def _parts(self, rows: Rows) -> tuple[Form, Form]:
        inner = self.inner
        if type(inner) is CE and rows.at_label is not None:
            # The ratio needs the log-probability only up to a factor, and its sum without an array of them.
            one = ((1.0, 1.0),) if rows.with_slope else ()
            return Form(((rows.at_label.log, 1.0),), one), Form(((rows.every.log_total, 1.0),), common=one)
        value, slope = inner.relative_to(lambda: rows.classes.min(rows.every.log))
        if rows.at_label is not None:
            return rows.of_label_and_classes(value, slope)

        def bounded(label: Probabilities) -> Tensor | float:
            found = value(label)
            return _bounded(found) if isinstance(found, Tensor) else found

        return rows.of_label(bounded, slope), rows.over_classes(bounded, slope)

    def extra_repr(self) -> str:
        """What is inside of the brackets of the text."""
        return self.spec.removeprefix("normalized(").removesuffix(")")


class Negative(Loss):
    r"""A normalized negative loss, :math:`1 - (A - \varphi_y) / \sum_k (A - \varphi_k)`.

    :math:`A` is the value of the inner loss at probability ``p_min``, below which probabilities count as ``p_min`` and
    have no gradient. The sum over labels is K − 1 whatever the logits are.

    Args:
        inner: a loss of the label's probability alone.
        p_min: the floor, in (0, 1/K) for K classes: with all probabilities below it nothing would be left to divide
            by. K is known, and the floor compared with it, when the loss is called.
        options: as for every :class:`Loss`; by default those of ``inner``.

    Raises:
        SpecError: ``inner`` depends on more than the label's probability, or ``p_min`` is no such number.

    Example:
        >>> import torch
        >>> from noiseproof.losses.definitions import CE
        >>> loss = negative(CE(), p_min=1e-8)
        >>> round(loss(torch.zeros(8, 10), torch.arange(8)).item(), 3)
        0.9
    """

    inner: LabelLoss
    p_min: float = parameter(default=1e-8, domain="(0, 0.5)")

    def __init__(self, inner: Loss, p_min: float = 1e-8, **options: Any) -> None:
        label_loss = _checked("negative", inner)
        if label_loss.asks_for_the_largest:
            raise SpecError(
                f"negative({inner.spec}): the loss has no value at p_min, since it depends on which class is the "
                "largest; expected a loss of the label's probability alone, such as ce"
            )
        super().__init__(**{**inner.options, **options}, p_min=p_min)
        object.__setattr__(self, "inner", label_loss)
        object.__setattr__(self, "needs_float64", label_loss.needs_float64)

    def text(self, label_smoothing: float) -> str:
        """``negative(…, p_min=…)``."""
        return _call("negative", self.inner, {**self.hyperparameters, **smoothing_argument(label_smoothing)})

    def with_options(self, **options: Any) -> Self:
        """The same definition with other options."""
        return type(self)(self.inner, **{**self.hyperparameters, **self.options, **options})

    def with_parameters(self, **parameters: float) -> Self:
        """The same operator with another ``p_min``, on the inner loss with other values of its parameters."""
        own = {key: parameters.pop(key) for key in self.declared if key in parameters}
        inner = self.inner.with_parameters(**parameters)
        return type(self)(inner, **{**self.hyperparameters, **self.options, **own})

    @property
    def inside(self) -> tuple[Loss, ...]:
        """The inner loss alone."""
        return (self.inner,)

    def form(self, rows: Rows) -> Form:
        """The complement of the ratio.

        Raises:
            SpecError: ``p_min`` is 1/K or more.
        """
        if self.p_min * rows.num_classes >= 1:
            raise SpecError(
                f"negative: p_min must lie below 1/K, got p_min={self.p_min:g} with K={rows.num_classes} classes"
            )
        floor = math.log(self.p_min)
        at_floor = Probabilities(rows.logits.new_full((1, 1), floor))
        inner_value, inner_slope = self.inner.relative_to(lambda: at_floor.log)
        inner_is_decreasing = self.inner.is_decreasing and inner_value == self.inner.value
        highest = inner_value(at_floor)
        highest = highest.reshape(()) if isinstance(highest, Tensor) else highest

        def floored(label: Probabilities) -> Probabilities:
            return label.once(("floored", floor), lambda: Probabilities(label.log.clamp(min=floor)))

        def value(label: Probabilities) -> Tensor | float:
            if rows.with_slope and inner_is_decreasing:  # what is inside, others may have asked for too
                return torch.clamp(highest - inner_value(label), min=0.0)  # type: ignore[arg-type]
            return highest - inner_value(floored(label))

        def slope(label: Probabilities) -> Tensor:
            if inner_is_decreasing:
                return at_least(label.log, floor) * -inner_slope(label)
            return torch.where(label.log < floor, 0.0, -inner_slope(floored(label)))

        label, every = rows.of_label_and_classes(value, slope)
        inverse = value_of(every, rows).reciprocal()
        ratio = value_of(label, rows) * inverse
        if rows.sharp and rows.label is not None:
            # The shares of the others, in place of what the label's leaves of 1.
            values = value(rows.every)
            others = values if isinstance(values, Tensor) else torch.full_like(rows.logits, values)
            others = rows.classes.sum(rows.classes.with_at(others, rows.label, 0.0))
            form = Form(((others * inverse, 1.0),))
        else:
            form = Form(((rows.mass, 1.0), (ratio, -1.0)))
        return form.with_slopes(-label, inverse).with_slopes(every, ratio * inverse)

    def sharpness(self, num_classes: int) -> float:  # noqa: ARG002 - of any number the same
        """See :meth:`Loss.sharpness`."""
        return 1 / _STEEPEST

    def extra_repr(self) -> str:
        """What is inside of the brackets of the text."""
        return self.spec.removeprefix("negative(").removesuffix(")")


_STEEPEST = 1e3
"""What the rounding of a share may be multiplied by."""


def _bounded(value: Tensor) -> Tensor:
    """A value with a large number in place of infinity, where that is divided by itself."""
    endless = _ENDLESS[value.dtype]
    return value.clamp(-endless, endless)


_ENDLESS = {dtype: torch.finfo(dtype).max / 8 for dtype in (torch.float32, torch.float64)}


def _call(operator: str, inner: Loss, arguments: dict[str, float]) -> str:
    """The text of an operator; label smoothing is written at the operator, whatever the inner loss has."""
    return ", ".join([f"{operator}({inner.text(0.0)}", *(f"{k}={format_value(v)}" for k, v in arguments.items())]) + ")"


def _checked(operator: str, inner: Loss) -> LabelLoss:
    if not isinstance(inner, LabelLoss) or isinstance(inner, PowerSumLoss):
        raise SpecError(f"{operator}({inner.spec}): expected a loss of the label's probability alone, such as ce")
    return inner


def normalized(loss: Loss) -> Normalized:
    """``loss`` divided by its sum over all labels: see :class:`Normalized`."""
    return Normalized(loss)


def negative(loss: Loss, p_min: float = 1e-8) -> Negative:
    """One minus the share that ``loss`` leaves to its bound: see :class:`Negative`."""
    return Negative(loss, p_min)


OPERATORS = {"normalized": normalized, "negative": negative}
"""The operators by their names in expressions."""
