"""Operators that make a loss from a loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from noiseproof.errors import SpecError
from noiseproof.losses._base import Active, Loss, Passive
from noiseproof.losses._rows import Probabilities
from noiseproof.spec import Domain, format_value

if TYPE_CHECKING:
    from typing_extensions import Self

    from noiseproof.losses._rows import Rows


class Normalized(Loss):
    r"""A loss divided by its sum over all labels, :math:`\varphi(p_y) / \sum_k \varphi(p_k)`.

    The sum over labels is 1 whatever the logits are, so a normalised loss is symmetric.

    Args:
        inner: a loss of the label's probability alone.
        options: as for every :class:`Loss`; by default those of ``inner``.

    Raises:
        SpecError: ``inner`` depends on more than the label's probability.
    """

    inner: Active

    def __init__(self, inner: Loss, **options: Any) -> None:
        _check_inner("normalized", inner)
        super().__init__(**{**inner.options, **options})
        object.__setattr__(self, "inner", inner)

    @property
    def spec(self) -> str:
        """``normalized(…)``."""
        return f"normalized({self.inner.spec})"

    def with_options(self, **options: Any) -> Self:
        """The same definition with other options."""
        return type(self)(self.inner, **{**self.options, **options})

    def accumulate(self, rows: Rows, scale: float) -> None:
        """Add ``scale`` times the ratio."""
        share = rows.shares(self.inner.value, self.inner.slope)
        inverse = share.total.reciprocal()
        ratio = share.value * inverse
        one = not isinstance(share.slope, Tensor) and share.slope == 1
        rows.add(ratio, inverse if one else share.slope * inverse, scale)
        rows.add_everywhere(share.every, ratio * inverse, -scale)

    def extra_repr(self) -> str:
        """The inner loss."""
        return self.inner.spec


class Negative(Loss):
    r"""A normalised negative loss, :math:`1 - (A - \varphi_y) / \sum_k (A - \varphi_k)`.

    :math:`A` is the value of the inner loss at probability ``p_min``, below which probabilities count as ``p_min`` and
    have no gradient. The sum over labels is K − 1 whatever the logits are.

    Args:
        inner: a loss of the label's probability alone.
        p_min: the floor, in (0, 1/K).
        options: as for every :class:`Loss`; by default those of ``inner``.

    Raises:
        SpecError: ``inner`` depends on more than the label's probability, or ``p_min`` is no such number.
    """

    inner: Active
    p_min: float

    def __init__(self, inner: Loss, p_min: float = 1e-8, **options: Any) -> None:
        _check_inner("negative", inner)
        if p_min not in Domain("(0, 0.5)"):
            raise SpecError(f"negative: p_min must lie in (0, 0.5), got {p_min:g}")
        super().__init__(**{**inner.options, **options})
        object.__setattr__(self, "inner", inner)
        object.__setattr__(self, "p_min", float(p_min))

    @property
    def spec(self) -> str:
        """``negative(…, p_min=…)``."""
        return f"negative({self.inner.spec}, p_min={format_value(self.p_min)})"

    def with_options(self, **options: Any) -> Self:
        """The same definition with other options."""
        return type(self)(self.inner, self.p_min, **{**self.options, **options})

    def accumulate(self, rows: Rows, scale: float) -> None:
        """Add ``scale`` times the complement of the ratio."""
        floor = math.log(self.p_min)
        at_floor = torch.full_like(rows.logits[:1, :1], floor)
        highest = self.inner.value(Probabilities(at_floor)).reshape(())

        def value(label: Probabilities) -> Tensor:
            return highest - self.inner.value(Probabilities(label.log.clamp(min=floor)))

        def slope(label: Probabilities) -> Tensor:
            raised = self.inner.slope(Probabilities(label.log.clamp(min=floor)))
            return torch.where(label.log < floor, 0.0, -raised)

        share = rows.shares(value, slope)
        inverse = share.total.reciprocal()
        ratio = share.value * inverse
        rows.add(rows.mass, 0.0, scale)
        rows.add(ratio, share.slope * inverse, -scale)
        rows.add_everywhere(share.every, ratio * inverse, scale)

    def extra_repr(self) -> str:
        """The inner loss and the floor."""
        return f"{self.inner.spec}, p_min={format_value(self.p_min)}"


def _check_inner(operator: str, inner: Loss) -> None:
    if not isinstance(inner, Active) or isinstance(inner, Passive):
        raise SpecError(f"{operator}({inner.spec}): expected a loss of the label's probability alone, such as ce")


def normalized(loss: Loss) -> Normalized:
    """``loss`` divided by its sum over all labels: see :class:`Normalized`."""
    return Normalized(loss)


def negative(loss: Loss, p_min: float = 1e-8) -> Negative:
    """One minus the share that ``loss`` leaves to its bound: see :class:`Negative`."""
    return Negative(loss, p_min)


OPERATORS = {"normalized": normalized, "negative": negative}
"""The operators by their names in expressions."""
