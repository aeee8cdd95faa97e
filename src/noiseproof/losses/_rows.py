r"""One row of logits at a time: the statistics every loss is made of, and their closed-form gradient.

With :math:`\ell = \log\operatorname{softmax}(z)`, every loss of this library is a function of the label's
:math:`\ell_y` and of sums over the classes :math:`\sum_k s(\ell_k)`. So its derivative by :math:`\ell` is one
number at the label plus one elementwise function everywhere, :math:`G_k = \delta_{ky} t + e(\ell_k)`, and

.. math:: \frac{\partial L}{\partial z_j} = G_j - p_j \sum_k G_k .

The terms of a loss add their parts to :class:`Rows`; nothing else here knows which loss it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    Elementwise: TypeAlias = "Callable[[Probabilities], Tensor | float]"


class Probabilities:
    """Probabilities in log space; :attr:`p` itself is computed at most once."""

    __slots__ = ("_p", "log")

    def __init__(self, log: Tensor) -> None:
        self.log = log
        self._p: Tensor | None = None

    @property
    def p(self) -> Tensor:
        if self._p is None:
            self._p = self.log.exp()
        return self._p


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
        self.num_classes = logits.shape[-1]
        self.every = Probabilities(torch.log_softmax(logits, -1))
        self.label = label
        self.coefficients = coefficients
        self.with_slope = with_slope
        self.mass: Tensor | float
        if label is not None:
            self.at_label = Probabilities(self.every.log.gather(-1, label))
            self.mass = 1.0
        elif coefficients is not None:
            self.mass = coefficients.sum(-1, keepdim=True)
        self.value: Tensor | float = 0.0
        self._label_slope: Tensor | float = 0.0
        self._class_slopes: list[Tensor] = []
        self._common_slope: Tensor | float = 0.0

    def pick(self, value: Elementwise, slope: Elementwise) -> tuple[Tensor | float, Tensor | float]:
        r"""The value of an elementwise function at the label, and its slope to hand to :meth:`add`.

        With coefficients :math:`c` the value is :math:`\sum_k c_k v(\ell_k)`.
        """
        if self.coefficients is None:
            return value(self.at_label), slope(self.at_label) if self.with_slope else 0.0
        picked = (self.coefficients * value(self.every)).sum(-1, keepdim=True)
        return picked, self.coefficients * slope(self.every) if self.with_slope else 0.0

    def total(self, value: Elementwise, slope: Elementwise) -> tuple[Tensor, Tensor | float]:
        """The sum of an elementwise function over the classes, and its slope to hand to :meth:`add`."""
        values = value(self.every)
        assert isinstance(values, Tensor)  # noqa: S101 - only slopes may be constants
        return values.sum(-1, keepdim=True), slope(self.every) if self.with_slope else 0.0

    def add(self, value: Tensor | float, at_label: Tensor | float, everywhere: Tensor | float = 0.0) -> None:
        """Add a term: its value, its slope at the label as :meth:`pick` gave it, and its slope everywhere."""
        self.value = self.value + value
        if not self.with_slope:
            return
        if self.coefficients is None:
            self._label_slope = self._label_slope + at_label
        else:
            self._add_class_slope(at_label)
        self._add_class_slope(everywhere)

    def _add_class_slope(self, slope: Tensor | float) -> None:
        if isinstance(slope, Tensor) and slope.shape[-1] == self.num_classes:
            self._class_slopes.append(slope)
        else:
            self._common_slope = self._common_slope + slope

    def gradient(self) -> Tensor:
        """The derivative of :attr:`value` by the logits, ``(rows, classes)``."""
        total = self._common_slope * self.num_classes + self._label_slope
        for slope in self._class_slopes:
            total = total + slope.sum(-1, keepdim=True)
        gradient = self.every.p * -total
        for slope in self._class_slopes:
            gradient += slope
        if isinstance(self._common_slope, Tensor) or self._common_slope:
            gradient += self._common_slope
        if self.label is not None:
            at_label = torch.as_tensor(self._label_slope, dtype=gradient.dtype, device=gradient.device)
            gradient.scatter_add_(-1, self.label, at_label.expand(self.label.shape))
        return gradient
