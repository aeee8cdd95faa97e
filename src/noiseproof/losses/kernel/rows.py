"""Rows of logits with their labels: the statistics that every loss is made of, and the forms that are made of these."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from noiseproof.losses.kernel.form import Form, gradient_of, number_of, value_of
from noiseproof.losses.kernel.probabilities import Probabilities, at_least
from noiseproof.losses.kernel.reductions import Reductions
from noiseproof.losses.kernel.replay import decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from noiseproof.losses.kernel.form import Number, Terms

    Elementwise: TypeAlias = "Callable[[Probabilities], Tensor | float]"

_MANY_CLASSES = 512
"""From here on, a second exponential costs more than finding the normalizer from the largest entry."""

_NEAR = 32.0
"""Up to here, logits and their sums keep enough digits to subtract the normalizer only after summing them."""


def _are_near(logits: Tensor) -> bool:
    return _are_below(_NEAR, logits)


def _are_below(bound: float, numbers: Tensor) -> bool:
    return bool((numbers.abs() < bound).all())


def _are_finite(numbers: Tensor) -> bool:
    return math.isfinite(float(numbers.sum()))


class _Softmax(Probabilities):
    """All entries of the rows and their statistics: nothing is computed before it is needed.

    It holds no reference to what uses it: a cycle would keep the arrays until the garbage collector comes by.
    """

    __slots__ = (
        "_is_of_logs",
        "_largest",
        "_log_sum",
        "_log_total",
        "_power_totals",
        "_top_class",
        "classes",
        "concrete",
        "few_classes",
        "logits",
        "sharp",
    )

    def __init__(self, logits: Tensor, classes: Reductions, *, concrete: bool) -> None:
        super().__init__()
        self.logits = logits
        self.classes = classes
        compiling = torch.compiler.is_compiling()
        self.concrete = concrete and not compiling
        # A compiler fuses the exponentials away.
        self.few_classes = compiling or classes.size < _MANY_CLASSES
        self.sharp = False
        self._is_of_logs = False  # and not the other way round: logarithms have digits that probabilities have not
        self._largest: Tensor | None = None
        self._log_sum: Tensor | None = None
        self._log_total: Tensor | None = None
        self._power_totals: dict[float, Tensor] = {}
        self._top_class: Tensor | None = None

    @property
    def log(self) -> Tensor:
        if self._log is None:
            if self._p is None:
                self._log = self.classes.log_softmax(self.logits, concrete=self.concrete)
            else:
                self._log = (self.logits - self.largest).sub_(self.log_sum)
        return self._log

    @property
    def has_log(self) -> bool:
        """Whether the logarithms of all entries are there."""
        return self._log is not None

    @property
    def p(self) -> Tensor:
        if self._p is None:
            if self._log is None:
                self._p = self.classes.softmax(self.logits, concrete=self.concrete)
            else:
                self._p = self._log.exp()
                self._is_of_logs = True
        return self._p

    @property
    def rest(self) -> Tensor:
        if self._rest is None:
            if self.concrete and not self.few_classes:
                self._rest = 1 - self.p
                if self._is_of_logs:
                    # One of a row at most is so near 1 that a difference has not all digits. It gets the others here.
                    is_top = at_least(self.logits, self.largest)
                    exact = -torch.expm1(self.classes.max(self.log))
                    self._rest.addcmul_(is_top, exact - (1 - self.classes.max(self.p)))
            else:
                self._rest = -torch.expm1(self.log)
        return self._rest

    @property
    def is_readable(self) -> bool:
        """Whether numbers can be read without waiting for a device."""
        return self.concrete and self.logits.is_cpu

    @property
    def top(self) -> Tensor:
        if self._top is None:
            self._top = self.classes.marks(self.top_class)
        return self._top

    @property
    def top_class(self) -> Tensor:
        """``(rows, 1)``: the class with the largest logit."""
        if self._top_class is None:
            self._largest, self._top_class = self.classes.top(self.logits)
        return self._top_class

    @property
    def largest(self) -> Tensor:
        """``(rows, 1)``: the largest logit."""
        if self._largest is None:
            self._largest = self.classes.max(self.logits)
        return self._largest

    @property
    def log_sum(self) -> Tensor:
        """``(rows, 1)``: the logarithm of the sum of the exponentiated logits, less :attr:`largest`.

        The two are kept apart because their sum would lose digits of a log-probability where the logits are large.
        """
        if self._log_sum is None:
            self._log_sum = -self.classes.max(self.p).log()
        return self._log_sum

    @property
    def log_total(self) -> Tensor:
        """``(rows, 1)``: the sum of the log-probabilities."""
        if self._log_total is None:
            if self.few_classes:
                self._log_total = self.classes.sum(self.log)
            else:
                size = self.classes.size
                if self.is_readable and decide(_are_near, self.largest):
                    normalizer = self.largest + self.log_sum
                    self._log_total = self.classes.sum(self.logits).sub_(normalizer, alpha=size)
                else:
                    total = self.classes.sum(self.logits - self.largest)
                    self._log_total = total.sub(self.log_sum, alpha=size)
        return self._log_total

    def sharpen(self) -> None:
        """Take the logarithm of a leading probability from what the others leave of 1, with all of its digits."""
        log, top, classes = self.log, self.top_class, self.classes
        own = classes.at(log, top)
        rest = classes.sum(classes.with_at(self.p, top, 0.0))
        exact = torch.where(rest < 0.5, torch.log1p(-rest.clamp(max=0.5)), own)
        self._log = classes.with_at(log, top, exact)
        self.sharp = True

    def power_total(self, power: float) -> Tensor:
        """``(rows, 1)``: the sum of the probabilities to a power."""
        if power not in self._power_totals:
            p = self.p
            if power == 2 and self.concrete and not self.few_classes:
                total = self.classes.norm(p).square()  # makes no array of the squares
            else:
                total = self.classes.sum(p * p if power == 2 else p**power)
            self._power_totals[power] = total
        return self._power_totals[power]


class _AtIndex(Probabilities):
    """The entries at one index per row."""

    __slots__ = ("_every", "_index", "_is_looked_up")

    def __init__(self, every: _Softmax, index: Tensor) -> None:
        super().__init__()
        self._every = every
        self._index = index
        self._is_looked_up = False

    def among(self, numbers: Tensor) -> Tensor:
        """``(rows, 1)``: of something for all classes, the entries at the index."""
        self._is_looked_up = True
        return self._every.classes.at(numbers, self._index)

    @property
    def log(self) -> Tensor:
        if self._log is None:
            every = self._every
            if every.few_classes or every.sharp or every.has_log:
                self._log = every.classes.at(every.log, self._index)
            else:
                self._log = every.classes.at(every.logits, self._index) - every.largest - every.log_sum
        return self._log

    @property
    def top(self) -> Tensor:
        if self._top is None:
            self._top = self._every.top_class == self._index
        return self._top

    def look_up(self) -> None:
        """See that the indices are classes where nobody has: looking at one that is none fails."""
        if self._log is None and not self._is_looked_up:
            self.among(self._every.logits)


class Rows:
    """A block of rows.

    What goes across the classes of a row (sums, the largest, the entry of a label) a definition asks of
    :attr:`classes`, so that it holds as well where the classes are split over processes.

    Args:
        logits: ``(rows, classes)``, in the precision of the computation.
        label: ``(rows, 1)`` class indices, or ``None``.
        coefficients: ``(rows, classes)``, how much the loss for each label counts: probability targets,
            smoothed labels. Exactly one of ``label`` and ``coefficients`` is given.
        with_slope: whether the slopes are wanted too.
        sharp: whether leading probabilities get some more walks for their digits; see :attr:`Loss.sharpness`.
        classes: what sums up over the classes; by default over those that are here.
    """

    def __init__(
        self,
        logits: Tensor,
        label: Tensor | None,
        coefficients: Tensor | None,
        *,
        with_slope: bool,
        sharp: bool = False,
        classes: Reductions | None = None,
    ) -> None:
        self.logits = logits
        self.classes = Reductions(logits.shape[-1]) if classes is None else classes
        self.label = label
        self.coefficients = coefficients
        self.with_slope = with_slope
        self.sharp = sharp
        self.every = _Softmax(logits, self.classes, concrete=with_slope)
        if sharp:
            self.every.sharpen()
        self.at_label = None if label is None else _AtIndex(self.every, label)

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return self.classes.size

    @property
    def mass(self) -> Number:
        """``(rows, 1)`` or 1: how much all labels of a row count together."""
        return 1.0 if self.coefficients is None else self.classes.sum(self.coefficients)

    def on(self, logits: Tensor, *, sharp: bool = False) -> Rows:
        """The same labels with other logits, for a loss of transformed logits; see :meth:`through`."""
        return Rows(
            logits, self.label, self.coefficients, with_slope=self.with_slope, sharp=sharp, classes=self.classes
        )

    # Forms.

    def of_label(self, value: Elementwise, slope: Elementwise) -> Form:
        r"""The form of an elementwise function at the label.

        With coefficients :math:`c` it is :math:`\sum_k c_k v(\ell_k)`.

        Args:
            value: the function of the probabilities.
            slope: its derivative by their logarithms.
        """
        at_label = self.at_label
        if at_label is not None:
            return Form(((value(at_label), 1.0),), ((slope(at_label), 1.0),) if self.with_slope else ())
        coefficients = self.coefficients
        assert coefficients is not None  # noqa: S101 - one of the two is given
        # A label that does not count must not make 0 * inf of a class that cannot be.
        values = torch.where(coefficients == 0, 0.0, coefficients * value(self.every))
        total = self.classes.sum(values)
        del values  # which is as large as the logits
        slopes = ((coefficients * slope(self.every), 1.0, 1.0),) if self.with_slope else ()
        return Form(((total, 1.0),), arrays=slopes)

    def over_classes(self, value: Elementwise, slope: Elementwise) -> Form:
        """The form of the sum of an elementwise function over all classes.

        Args:
            value: the function of the probabilities.
            slope: its derivative by their logarithms.
        """
        form = self._of_sum(value(self.every))
        return _with_slopes(form, slope(self.every)) if self.with_slope else form

    def of_label_and_classes(self, value: Elementwise, slope: Elementwise) -> tuple[Form, Form]:
        """:meth:`of_label` and :meth:`over_classes` of the same function: what it is at the label is among the others.

        Args:
            value: the function of the probabilities.
            slope: its derivative by their logarithms.
        """
        at_label = self.at_label
        if at_label is None:
            return self.of_label(value, slope), self.over_classes(value, slope)

        def own(numbers: Number) -> Terms:
            return ((at_label.among(numbers) if isinstance(numbers, Tensor) else numbers, 1.0),)

        values = value(self.every)
        of_label, of_classes = Form(own(values)), self._of_sum(values)
        if self.with_slope:
            slopes = slope(self.every)
            of_label.at_label = own(slopes)
            _with_slopes(of_classes, slopes)
        return of_label, of_classes

    def _of_sum(self, values: Number) -> Form:
        total = self.classes.sum(values if isinstance(values, Tensor) else torch.full_like(self.logits, values))
        return Form(((total, 1.0),))

    def power_sum(self, power: float) -> Form:
        """The form of the sum of the probabilities to a power."""
        powers = ((power, 1.0, 1.0),) if self.with_slope else ()
        return Form(((self.power_total(power), 1.0),), powers=powers)

    def direct(self, value: Number, gradient: Tensor | None) -> Form:
        """The form of a value with its derivative by the logits, for what is no function of the log-probabilities.

        The derivative is handed over, and may be overwritten.
        """
        return Form(((value, 1.0),), direct=() if gradient is None else ((gradient, 1.0, 1.0),))

    def through(self, inner: Rows, form: Form, pull_back: Callable[[Tensor], Tensor]) -> Form:
        """A form of rows of transformed logits as one of these.

        Args:
            inner: the rows of transformed logits; see :meth:`on`.
            form: what a loss comes to there.
            pull_back: takes a derivative by the transformed logits to these.
        """
        gradient = pull_back(gradient_of(form, inner)) if self.with_slope else None
        return self.direct(value_of(form, inner), gradient)

    # What forms are turned into numbers with.

    def power_total(self, power: float) -> Tensor:
        """``(rows, 1)``: the sum of the probabilities to a power."""
        return self.every.power_total(power)

    def look_up_labels(self) -> None:
        """See that labels are classes where nobody has: looking at one that is none fails."""
        if self.at_label is not None:
            self.at_label.look_up()

    def are_finite(self, numbers: Tensor) -> bool:
        """Whether numbers are known to be finite, as far as they can be read without waiting for a device."""
        return self.every.is_readable and decide(_are_finite, numbers)

    def are_below(self, numbers: Tensor, bound: float) -> bool:
        """Whether the size of numbers is known to be below a bound; see :meth:`are_finite`."""
        return self.every.is_readable and decide(functools.partial(_are_below, bound), numbers)

    def number(self, value: float) -> Number:
        """A number to multiply or to add, where it can be a tensor in the form that is the fastest."""
        return number_of(value, self.logits.dtype) if self.every.concrete else value


def _with_slopes(form: Form, slopes: Number) -> Form:
    """The form with slopes by the logarithms of all probabilities."""
    if isinstance(slopes, Tensor):
        form.arrays = ((slopes, 1.0, 1.0),)
    else:
        form.common = ((slopes, 1.0),)
    return form
