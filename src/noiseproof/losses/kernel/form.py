r"""What a loss comes to in a block of rows, as a value that can be added and scaled.

With :math:`\ell = \log\operatorname{softmax}(z)`, nearly every loss of this library is a function of the label's
:math:`\ell_y` and of sums over the classes :math:`\sum_k s(\ell_k)`. So its derivative by :math:`\ell` is one number at
the label plus an elementwise function everywhere, :math:`G_k = \delta_{ky} t + e(\ell_k)`, and

.. math:: \frac{\partial L}{\partial z_j} = G_j - p_j \sum_k G_k .

A form keeps the parts of G in the cheapest way they have (a number for all classes, a power of p, a full array), since
at few classes a loss costs as much as the operations it calls, and at many as much as the arrays it walks through. What
is added and scaled waits as products until it is needed: adding forms and multiplying them by numbers costs nothing.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from noiseproof.losses.kernel.rows import Rows

    Number: TypeAlias = "Tensor | float"
    """One for each row, ``(rows, 1)``, or one for all."""
    Terms: TypeAlias = "tuple[tuple[Number, float], ...]"
    """Products to add up: a number, and what it is multiplied by."""


class Form:
    """A value for each row, and how it changes with the logits.

    Forms are added with ``+`` and ``-``, and multiplied by a number with ``*``; see also :meth:`times`.

    Args:
        value: the values.
        at_label: the slope by the logarithm of the label's probability.
        common: the slope by the logarithm of every probability, where that is the same for all classes.
        powers: sums of powers of the probabilities that are part of the value: the power, and how often it counts.
        arrays: slopes ``(rows, classes)`` by the logarithms of the probabilities, and what they are multiplied by.
        direct: derivatives ``(rows, classes)`` by the logits themselves.
    """

    __slots__ = ("arrays", "at_label", "common", "direct", "powers", "value")

    def __init__(
        self,
        value: Terms = (),
        at_label: Terms = (),
        common: Terms = (),
        powers: tuple[tuple[float, Number, float], ...] = (),
        arrays: tuple[tuple[Tensor, Number, float], ...] = (),
        direct: tuple[tuple[Tensor, Number, float], ...] = (),
    ) -> None:
        self.value = value
        self.at_label = at_label
        self.common = common
        self.powers = powers
        self.arrays = arrays
        self.direct = direct

    def __add__(self, other: Form) -> Form:
        return Form(
            self.value + other.value,
            self.at_label + other.at_label,
            self.common + other.common,
            self.powers + other.powers,
            self.arrays + other.arrays,
            self.direct + other.direct,
        )

    def times(self, factor: Number) -> Form:
        """This form times a number, or times one for each row that does not depend on the logits."""
        return (
            Form(_by_row(self.value, factor)).with_slopes(self, factor) if isinstance(factor, Tensor) else self * factor
        )

    def __mul__(self, factor: float) -> Form:
        return Form(
            tuple([(number, scale * factor) for number, scale in self.value]),
            tuple([(number, scale * factor) for number, scale in self.at_label]),
            tuple([(number, scale * factor) for number, scale in self.common]),
            tuple([(power, number, scale * factor) for power, number, scale in self.powers]),
            tuple([(array, number, scale * factor) for array, number, scale in self.arrays]),
            tuple([(array, number, scale * factor) for array, number, scale in self.direct]),
        )

    __rmul__ = __mul__

    def __neg__(self) -> Form:
        return self * -1.0

    def __sub__(self, other: Form) -> Form:
        return self + other * -1.0

    def __truediv__(self, divisor: float) -> Form:
        return self * (1 / divisor)

    def with_slopes(self, other: Form, factor: Tensor) -> Form:
        """This form, with the slopes of another one times a number for each row: the chain rule.

        Args:
            other: what the value is a function of too.
            factor: ``(rows, 1)``, the derivative of the value by the other's.
        """
        return Form(
            self.value,
            self.at_label + _by_row(other.at_label, factor),
            self.common + _by_row(other.common, factor),
            self.powers + tuple([(power, number * factor, scale) for power, number, scale in other.powers]),
            self.arrays + tuple([(array, number * factor, scale) for array, number, scale in other.arrays]),
            self.direct + tuple([(array, number * factor, scale) for array, number, scale in other.direct]),
        )


def _by_row(terms: Terms, factor: Tensor) -> Terms:
    return tuple(
        [
            (number * factor, scale) if isinstance(number, Tensor) else (factor, number * scale)
            for number, scale in terms
        ]
    )


def value_of(form: Form, rows: Rows) -> Tensor:
    """``(rows, 1)``: the values of a form."""
    rows.look_up_labels()
    result = _total(form.value, rows)
    return result if isinstance(result, Tensor) else rows.logits.new_full((len(rows.logits), 1), result)


def gradient_of(form: Form, rows: Rows, scale: float = 1.0, out: Tensor | None = None) -> Tensor:
    """A multiple of the derivative of the values by the logits, ``(rows, classes)``.

    Arrays of the form may be overwritten.

    Args:
        form: what the loss comes to.
        rows: the rows that it was made of.
        scale: what the derivative is multiplied by.
        out: where to write it; the logits themselves are allowed.
    """
    if form.direct and not (form.at_label or form.common or form.powers or form.arrays):
        (first, number, factor), *further = form.direct
        if isinstance(number, Tensor):
            result = torch.mul(first, number * rows.number(factor * scale), out=first if out is None else out)
        else:
            result = torch.mul(first, number * factor * scale, out=first if out is None else out)
        return _with_arrays(result, further, scale)
    classes = rows.classes
    at_label = _total(form.at_label, rows, scale)
    common = _total(form.common, rows, scale)
    by_power: dict[float, Terms] = {}
    for power, number, factor in form.powers:
        by_power[power] = (*by_power.get(power, ()), (number, factor))
    powers = {power: _total(terms, rows, scale) for power, terms in by_power.items()}
    totals: list[tuple[Tensor | float, float]] = [(at_label, 1.0), (common, float(classes.size))]
    for power, coefficient in powers.items():
        if isinstance(coefficient, Tensor):
            totals.append((rows.power_total(power) * coefficient, power))
        else:
            totals.append((rows.power_total(power), coefficient * power))
    totals += [(classes.sum(array) * number, factor * scale) for array, number, factor in form.arrays]
    result = _smooth_part(rows, common, powers, _total(totals, rows), out)
    _with_arrays(result, form.arrays, scale)
    if form.at_label:
        assert rows.label is not None  # noqa: S101 - without labels no slope is at one
        column = at_label if isinstance(at_label, Tensor) else result.new_full(rows.label.shape, at_label)
        classes.add_at(result, rows.label, column)
    if rows.sharp:
        # The derivatives of a row sum to 0, which gives the leading one's the digits of the others.
        top = rows.every.top_class
        classes.put_at(result, top, -classes.sum(classes.with_at(result, top, 0.0)))
    return _with_arrays(result, form.direct, scale)


def _with_arrays(result: Tensor, arrays: Iterable[tuple[Tensor, Number, float]], scale: float) -> Tensor:
    for array, number, factor in arrays:
        if isinstance(number, Tensor):
            result.addcmul_(array, number, value=factor * scale)
        else:
            result.add_(array, alpha=number * factor * scale)
    return result


def _smooth_part(rows: Rows, common: Number, powers: dict[float, Number], total: Number, out: Tensor | None) -> Tensor:
    """What is a polynomial in p: the common slope, the slopes of the powers, and ``-p * total``."""
    p = rows.every.p
    square = powers.pop(2.0, 0.0)
    if isinstance(square, float) and square:
        # common + 2 c p (p - total / 2c), in two walks through the array
        inner = -0.5 / square
        if isinstance(total, Tensor):
            result = torch.add(p, total, alpha=inner, out=out)
        else:
            result = torch.add(p, total * inner, out=out)
        if isinstance(common, Tensor):
            torch.addcmul(common, result, p, value=2 * square, out=result)
        else:
            result.mul_(p).mul_(rows.number(2 * square))
    else:
        if isinstance(square, Tensor):
            powers[2.0] = square
        if isinstance(common, Tensor) and isinstance(total, Tensor):
            result = torch.addcmul(common, p, total, value=-1, out=out)
        else:
            result = torch.mul(p, -total if isinstance(total, Tensor) else rows.number(-total), out=out)
            if isinstance(common, Tensor):
                result += common
    if not isinstance(common, Tensor) and common:
        result += common
    for power, coefficient in powers.items():
        result += p**power * (coefficient * power)
    return result


def _total(terms: Iterable[tuple[Number, float]], rows: Rows, scale: float = 1.0) -> Number:
    """A multiple of the sum of the products, in as few operations as it takes."""
    result: Tensor | None = None
    sum_of_numbers = 0.0
    for number, factor in terms:
        if not isinstance(number, Tensor):
            sum_of_numbers += number * factor * scale
        elif result is not None:
            result = torch.add(result, number, alpha=factor * scale)
        elif factor * scale == 1:
            result = number
        else:
            result = number.neg() if factor * scale == -1 else number * rows.number(factor * scale)
    if result is None:
        return sum_of_numbers
    return result + rows.number(sum_of_numbers) if sum_of_numbers else result


@functools.lru_cache(maxsize=1024)
def number_of(value: float, dtype: torch.dtype) -> Tensor:
    """A number as an operation takes it in half the time that it needs for one of Python's."""
    return torch.tensor(value, dtype=dtype, device="cpu")
