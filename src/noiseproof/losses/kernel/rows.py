r"""One row of logits at a time: the statistics every loss is made of, and their closed-form gradient.

With :math:`\ell = \log\operatorname{softmax}(z)`, nearly every loss of this library is a function of the label's
:math:`\ell_y` and of sums over the classes :math:`\sum_k s(\ell_k)`. So its derivative by :math:`\ell` is one
number at the label plus an elementwise function everywhere, :math:`G_k = \delta_{ky} t + e(\ell_k)`, and

.. math:: \frac{\partial L}{\partial z_j} = G_j - p_j \sum_k G_k .

The terms of a loss add their parts to :class:`Rows`; nothing else here knows which loss it is. The parts are kept in
the cheapest form they have (a number for all classes, a power of p, a full array), since at few classes a loss costs
as much as the operations it calls, and at many as much as the arrays it walks through.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor

from noiseproof.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    Elementwise: TypeAlias = "Callable[[Probabilities], Tensor | float]"
    _Terms: TypeAlias = "list[tuple[Tensor | float, float]]"
    """Products to add up: a number per row (or for all), and what it is multiplied by."""

_T = TypeVar("_T")

_MANY_CLASSES = 512
"""From here on, a second exponential costs more than finding the normalizer from the largest entry."""

_LANES = 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 8
"""Float32 numbers of a vector: torch takes the softmax of a shorter row one number at a time."""

_FEW_NUMBERS = 1 << 10
"""Below, that is still less than what the operations cost of which a softmax is made."""

_NEAR = 32.0
"""Up to here, logits and their sums keep enough digits to subtract the normalizer only after summing them."""


class LargestUnknownError(SpecError):
    """A loss asked for :attr:`Probabilities.top` where there is one probability and no row that it belongs to."""


class Probabilities:
    """Probabilities and their logarithms, each computed from the other when first asked for.

    Attributes of a definition's argument: ``log``, ``p`` and ``top`` (whether the entry is its row's largest).
    """

    __slots__ = ("_known", "_log", "_p", "_top")

    def __init__(self, log: Tensor | None = None, p: Tensor | None = None, top: Tensor | None = None) -> None:
        self._log = log
        self._p = p
        self._top = top
        self._known: dict[Hashable, Any] | None = None

    @property
    def log(self) -> Tensor:
        """The logarithms."""
        if self._log is None:
            assert self._p is not None  # noqa: S101 - one of the two is given
            self._log = self._p.log()
        return self._log

    @property
    def p(self) -> Tensor:
        """The probabilities."""
        if self._p is None:
            self._p = self.log.exp()
        return self._p

    @property
    def top(self) -> Tensor:
        """Whether an entry is the largest of its row (the first of equal ones)."""
        if self._top is None:
            raise LargestUnknownError("which class is the largest is known in a row of logits only")
        return self._top

    def once(self, key: Hashable, compute: Callable[[], _T]) -> _T:
        """What a value and a slope both need, computed when the first of them asks for it.

        Args:
            key: what tells it from everything else that is computed from these probabilities: a name with all
                parameters that it depends on.
            compute: computes it.
        """
        if self._known is None:
            self._known = {}
        if key not in self._known:
            self._known[key] = compute()
        found: _T = self._known[key]
        return found

    def forget(self) -> None:
        """Give back the memory of what was computed once."""
        self._known = None


class _Softmax(Probabilities):
    """All entries of the rows and their statistics: nothing is computed before it is needed.

    It holds no reference to what uses it: a cycle would keep the arrays until the garbage collector comes by.
    """

    __slots__ = (
        "_largest",
        "_log_sum",
        "_log_total",
        "_power_totals",
        "_top_class",
        "concrete",
        "few_classes",
        "logits",
        "sharp",
    )

    def __init__(self, logits: Tensor, *, concrete: bool) -> None:
        super().__init__()
        self.logits = logits
        compiling = torch.compiler.is_compiling()
        self.concrete = concrete and not compiling
        # A compiler fuses the exponentials away.
        self.few_classes = compiling or logits.shape[-1] < _MANY_CLASSES
        self.sharp = False
        self._largest: Tensor | None = None
        self._log_sum: Tensor | None = None
        self._log_total: Tensor | None = None
        self._power_totals: dict[float, Tensor] = {}
        self._top_class: Tensor | None = None

    @property
    def log(self) -> Tensor:
        if self._log is None:
            if self._p is None and self._is_narrow:
                shifted = self.logits - self.logits.amax(-1, keepdim=True)
                self._log = shifted.sub_(shifted.exp().sum(-1, keepdim=True).log_())
            elif self._p is None:
                self._log = torch.log_softmax(self.logits, -1)
            else:
                self._log = (self.logits - self.largest).sub_(self.log_sum)
        return self._log

    @property
    def p(self) -> Tensor:
        if self._p is None:
            if self._log is not None:
                self._p = self._log.exp()
            elif self._is_narrow:
                powers = (self.logits - self.logits.amax(-1, keepdim=True)).exp_()
                self._p = powers.div_(powers.sum(-1, keepdim=True))
            else:
                self._p = torch.softmax(self.logits, -1)
        return self._p

    @property
    def is_readable(self) -> bool:
        """Whether numbers can be read without waiting for a device."""
        return self.concrete and self.logits.is_cpu

    @property
    def _is_narrow(self) -> bool:
        """Whether a softmax is faster from its parts."""
        logits = self.logits
        return (
            self.is_readable
            and logits.shape[-1] < _LANES
            and logits.numel() >= _FEW_NUMBERS
            and logits.dtype is torch.float32
        )

    @property
    def top(self) -> Tensor:
        if self._top is None:
            self._top = self.top_class == torch.arange(self.logits.shape[-1], device=self.logits.device)
        return self._top

    @property
    def top_class(self) -> Tensor:
        """``(rows, 1)``: the class with the largest logit."""
        if self._top_class is None:
            self._top_class = self.logits.argmax(-1, keepdim=True)
        return self._top_class

    @property
    def largest(self) -> Tensor:
        """``(rows, 1)``: the largest logit."""
        if self._largest is None:
            self._largest = self.logits.amax(-1, keepdim=True)
        return self._largest

    @property
    def log_sum(self) -> Tensor:
        """``(rows, 1)``: the logarithm of the sum of the exponentiated logits, less :attr:`largest`.

        The two are kept apart because their sum would lose digits of a log-probability where the logits are large.
        """
        if self._log_sum is None:
            self._log_sum = -self.p.amax(-1, keepdim=True).log()
        return self._log_sum

    @property
    def log_total(self) -> Tensor:
        """``(rows, 1)``: the sum of the log-probabilities."""
        if self._log_total is None:
            if self.few_classes:
                self._log_total = self.log.sum(-1, keepdim=True)
            else:
                size = self.logits.shape[-1]
                if self.is_readable and float(self.largest.abs().amax()) < _NEAR:
                    normalizer = self.largest + self.log_sum
                    self._log_total = self.logits.sum(-1, keepdim=True).sub_(normalizer, alpha=size)
                else:
                    total = (self.logits - self.largest).sum(-1, keepdim=True)
                    self._log_total = total.sub(self.log_sum, alpha=size)
        return self._log_total

    def sharpen(self) -> None:
        """Take the logarithm of a leading probability from what the others leave of 1, with all of its digits."""
        log, p = self.log, self.p
        own = log.gather(-1, self.top_class)
        rest = p.scatter(-1, self.top_class, 0.0).sum(-1, keepdim=True)
        exact = torch.where(rest < 0.5, torch.log1p(-rest.clamp(max=0.5)), own)
        self._log = log.scatter(-1, self.top_class, exact)
        self.forget()
        self.sharp = True

    def power_total(self, power: float) -> Tensor:
        """``(rows, 1)``: the sum of the probabilities to a power."""
        if power not in self._power_totals:
            p = self.p
            if power == 2 and self.concrete and not self.few_classes:
                total = torch.linalg.vector_norm(p, dim=-1, keepdim=True).square()  # makes no array of the squares
            else:
                total = (p * p if power == 2 else p**power).sum(-1, keepdim=True)
            self._power_totals[power] = total
        return self._power_totals[power]


class _AtIndex(Probabilities):
    """The entries at one index per row."""

    __slots__ = ("_every", "_index")

    def __init__(self, every: _Softmax, index: Tensor) -> None:
        super().__init__()
        self._every = every
        self._index = index

    @property
    def log(self) -> Tensor:
        if self._log is None:
            every = self._every
            if every.few_classes or every.sharp:
                self._log = every.log.gather(-1, self._index)
            else:
                self._log = every.logits.gather(-1, self._index) - every.largest - every.log_sum
        return self._log

    @property
    def top(self) -> Tensor:
        if self._top is None:
            self._top = self._every.top_class == self._index
        return self._top

    def look_up(self) -> None:
        """See that the indices are classes where nobody has: looking at one that is none fails."""
        if self._log is None:
            self._every.logits.gather(-1, self._index)


class Rows:
    """A block of rows, and the sum of what the terms of a loss contribute to its value and slope.

    Args:
        logits: ``(rows, classes)``, in the precision of the computation.
        label: ``(rows, 1)`` class indices, or ``None``.
        coefficients: ``(rows, classes)``, how much the loss for each label counts: probability targets,
            smoothed labels. Exactly one of ``label`` and ``coefficients`` is given.
        with_slope: whether the slopes are wanted too.
    """

    def __init__(self, logits: Tensor, label: Tensor | None, coefficients: Tensor | None, *, with_slope: bool) -> None:
        self.logits = logits
        self.num_classes = logits.shape[-1]
        self.label = label
        self.coefficients = coefficients
        self.with_slope = with_slope
        self.every = _Softmax(logits, concrete=with_slope)
        self.at_label = None if label is None else _AtIndex(self.every, label)
        self._values: _Terms = []
        self._at_index: list[tuple[Tensor, _Terms]] = []
        self._common: _Terms = []
        self._powers: dict[float, _Terms] = {}
        self._arrays: list[tuple[Tensor, Tensor | float]] = []
        self._direct: list[Tensor] = []

    def sharpen(self, steepness: float, limit: float = 32.0) -> None:
        """Spend some more walks on the digits of a leading probability where a loss multiplies their rounding.

        Args:
            steepness: what the loss multiplies a difference of log-probabilities by, at most.
            limit: up to where the rounding may be multiplied.
        """
        if abs(steepness) > limit and not self.every.sharp:
            self.every.sharpen()
            if self.label is not None:
                self.at_label = _AtIndex(self.every, self.label)

    @property
    def mass(self) -> Tensor | float:
        """``(rows, 1)`` or 1: how much all labels of a row count together."""
        return 1.0 if self.coefficients is None else self.coefficients.sum(-1, keepdim=True)

    def pick(self, value: Elementwise, slope: Elementwise) -> tuple[Tensor | float, Tensor | float]:
        r"""The value of an elementwise function at the label, and its slope to hand to :meth:`add`.

        With coefficients :math:`c` the value is :math:`\sum_k c_k v(\ell_k)`, and the slope an array.
        """
        if self.at_label is not None:
            picked, picked_slope = value(self.at_label), slope(self.at_label) if self.with_slope else 0.0
            self.at_label.forget()
            return picked, picked_slope
        coefficients = self.coefficients
        assert coefficients is not None  # noqa: S101 - one of the two is given
        # A label that does not count must not make 0 * inf of a class that cannot be.
        values = torch.where(coefficients == 0, 0.0, coefficients * value(self.every))
        total = values.sum(-1, keepdim=True)
        del values  # which is as large as the logits
        return total, coefficients * slope(self.every) if self.with_slope else 0.0

    def shares(self, value: Elementwise, slope: Elementwise) -> Shares:
        """An elementwise function at the label, and its sum over the classes.

        The same whether slopes are wanted or not; without them they are 0.
        """
        at_label, label_slope = self.pick(value, slope)
        values = value(self.every)
        if not isinstance(values, Tensor):
            values = torch.full_like(self.logits, values)
        total = values.sum(-1, keepdim=True)
        del values
        every = slope(self.every) if self.with_slope else 0.0
        self.every.forget()
        return Shares(at_label, label_slope, total, every)

    def at(self, index: Tensor) -> Probabilities:
        """The entries at another class than the label, one per row."""
        return _AtIndex(self.every, index)

    def on(self, logits: Tensor) -> Rows:
        """The same labels with other logits, for a loss of transformed logits; see :meth:`add_inner`."""
        return Rows(logits, self.label, self.coefficients, with_slope=self.with_slope)

    # Contributions.

    def add(self, value: Tensor | float, at_label: Tensor | float, scale: float) -> None:
        """Add a multiple of a value and of its slope at the label, as :meth:`pick` gives them."""
        self._values.append((value, scale))
        if not self.with_slope:
            return
        if self.label is not None:
            self._slopes_at(self.label).append((at_label, scale))
        elif isinstance(at_label, Tensor) and at_label.shape[-1] == self.num_classes:
            self._arrays.append((at_label, scale))
        else:
            self._common.append((at_label, scale))

    def add_everywhere(self, slope: Tensor | float, factor: Tensor | float, scale: float) -> None:
        """Add a multiple of a slope at every class: an array or a number, times a factor per row."""
        if not self.with_slope:
            return
        if isinstance(slope, Tensor):
            self._arrays.append((slope, factor * scale))
        else:
            self._common.append((factor, slope * scale))

    def add_power(self, power: float, coefficient: Tensor | float, scale: float) -> None:
        """Add a multiple of the sum of the probabilities to a power."""
        total = self.every.power_total(power)
        if isinstance(coefficient, Tensor):
            self._values.append((total * coefficient, scale))
        else:
            self._values.append((total, scale * coefficient))
        if self.with_slope:
            self._powers.setdefault(power, []).append((coefficient, scale))

    def add_at(self, index: Tensor, value: Tensor, slope: Tensor | float, scale: float) -> None:
        """Add a multiple of a value and of its slope at another class than the label, one per row."""
        self._values.append((value, scale))
        if self.with_slope:
            self._slopes_at(index).append((slope, scale))

    def add_direct(self, value: Tensor, gradient: Tensor | None) -> None:
        """Add a value with its derivative by the logits, for what is no function of the log-probabilities.

        The derivative is handed over, and may be overwritten.
        """
        self._values.append((value, 1.0))
        if gradient is not None:
            self._direct.append(gradient)

    def add_inner(self, inner: Rows, pull_back: Callable[[Tensor], Tensor]) -> None:
        """Add what was added to rows of transformed logits; ``pull_back`` takes a derivative by them to the logits."""
        self.add_direct(inner.value(), pull_back(inner.gradient()) if self.with_slope else None)

    def _slopes_at(self, index: Tensor) -> _Terms:
        for known, terms in self._at_index:
            if known is index:
                return terms
        self._at_index.append((index, []))
        return self._at_index[-1][1]

    # Results.

    def value(self) -> Tensor:
        """``(rows, 1)``: the sum of the values."""
        if self.at_label is not None:
            self.at_label.look_up()
        result = self._combined(self._values)
        return result if isinstance(result, Tensor) else torch.full_like(self.logits[:, :1], result)

    def gradient(self, scale: float = 1.0, out: Tensor | None = None) -> Tensor:
        """A multiple of the derivative of :meth:`value` by the logits, ``(rows, classes)``."""
        if self._direct and not (self._at_index or self._common or self._powers or self._arrays):
            first, *further = self._direct
            result = torch.mul(first, scale, out=first if out is None else out)
            for direct in further:
                result.add_(direct, alpha=scale)
            return result
        at_index = [(index, self._combined(terms, scale)) for index, terms in self._at_index]
        common = self._combined(self._common, scale)
        powers = {power: self._combined(terms, scale) for power, terms in self._powers.items()}
        totals: _Terms = [(slope, 1.0) for _, slope in at_index]
        totals.append((common, float(self.num_classes)))
        for power, coefficient in powers.items():
            if isinstance(coefficient, Tensor):
                totals.append((self.every.power_total(power) * coefficient, power))
            else:
                totals.append((self.every.power_total(power), coefficient * power))
        totals += [(array.sum(-1, keepdim=True) * factor, scale) for array, factor in self._arrays]
        result = self._smooth_part(common, powers, self._combined(totals), out)
        for array, factor in self._arrays:
            if isinstance(factor, Tensor):
                result.addcmul_(array, factor, value=scale)
            else:
                result.add_(array, alpha=factor * scale)
        for index, slope in at_index:
            column = slope if isinstance(slope, Tensor) else result.new_full(index.shape, slope)
            result.scatter_add_(-1, index, column)
        if self.every.sharp:
            # The derivatives of a row sum to 0, which gives the leading one's the digits of the others.
            others = result.scatter(-1, self.every.top_class, 0.0).sum(-1, keepdim=True)
            result.scatter_(-1, self.every.top_class, -others)
        for direct in self._direct:
            result.add_(direct, alpha=scale)
        return result

    def _smooth_part(
        self, common: Tensor | float, powers: dict[float, Tensor | float], total: Tensor | float, out: Tensor | None
    ) -> Tensor:
        """What is a polynomial in p: the common slope, the slopes of the powers, and ``-p * total``."""
        p = self.every.p
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
                result.mul_(p).mul_(self._number(2 * square))
        else:
            if isinstance(square, Tensor):
                powers[2.0] = square
            if isinstance(common, Tensor) and isinstance(total, Tensor):
                result = torch.addcmul(common, p, total, value=-1, out=out)
            else:
                result = torch.mul(p, -total if isinstance(total, Tensor) else self._number(-total), out=out)
                if isinstance(common, Tensor):
                    result += common
        if not isinstance(common, Tensor) and common:
            result += common
        for power, coefficient in powers.items():
            result += p**power * (coefficient * power)
        return result

    def _combined(self, terms: _Terms, scale: float = 1.0) -> Tensor | float:
        """A multiple of the sum of the products, in as few operations as it takes."""
        result: Tensor | None = None
        number = 0.0
        for term, factor in terms:
            if not isinstance(term, Tensor):
                number += term * factor * scale
            elif result is not None:
                result = torch.add(result, term, alpha=factor * scale)
            elif factor * scale == 1:
                result = term
            else:
                result = term.neg() if factor * scale == -1 else term * self._number(factor * scale)
        if result is None:
            return number
        return result + self._number(number) if number else result

    def _number(self, value: float) -> Tensor | float:
        """A number to multiply or to add, where it can be a tensor in the form that is the fastest."""
        return number_of(value, self.logits.dtype) if self.every.concrete else value


class Shares(NamedTuple):
    """What a loss that is divided by its sum over the labels is made of."""

    value: Tensor | float
    """At the label."""
    slope: Tensor | float
    """At the label, to hand to :meth:`Rows.add`."""
    total: Tensor
    """The sum over the classes."""
    every: Tensor | float
    """The slope at every class, to hand to :meth:`Rows.add_everywhere`."""


@functools.lru_cache(maxsize=1024)
def number_of(value: float, dtype: torch.dtype) -> Tensor:
    """A number as an operation takes it in half the time that it needs for one of Python's."""
    return torch.tensor(value, dtype=dtype, device="cpu")
