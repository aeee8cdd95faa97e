"""Operators that make a loss from a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from noiseproof.errors import SpecError
from noiseproof.losses._base import Active, Loss, Passive

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
        if not isinstance(inner, Active) or isinstance(inner, Passive):
            raise SpecError(f"normalized({inner.spec}): expected a loss of the label's probability alone, such as ce")
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
        value, slope = rows.pick(self.inner.value, self.inner.slope)
        total, everywhere = rows.total(self.inner.value, self.inner.slope)
        ratio = value / total
        rows.add(scale * ratio, scale * slope / total, everywhere * (-scale * ratio / total))

    def extra_repr(self) -> str:
        """The inner loss."""
        return self.inner.spec


def normalized(loss: Loss) -> Normalized:
    """``loss`` divided by its sum over all labels: see :class:`Normalized`."""
    return Normalized(loss)
