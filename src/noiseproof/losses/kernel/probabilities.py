"""What a definition is a function of: probabilities and their logarithms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import torch

from noiseproof.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from torch import Tensor

_T = TypeVar("_T")


class LargestUnknownError(SpecError):
    """A loss asked for :attr:`Probabilities.top` where there is one probability and no row that it belongs to."""


class Probabilities:
    """Probabilities and their logarithms, each computed from the other when first asked for.

    Attributes of a definition's argument: ``log``, ``p``, ``rest`` (``1 - p``) and ``top`` (whether the entry is its
    row's largest).
    """

    __slots__ = ("_known", "_log", "_p", "_rest", "_top")

    def __init__(self, log: Tensor | None = None, p: Tensor | None = None, top: Tensor | None = None) -> None:
        self._log = log
        self._p = p
        self._top = top
        self._rest: Tensor | None = None
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
    def rest(self) -> Tensor:
        """What the probabilities leave of 1, with all of its digits where they are near 1."""
        if self._rest is None:
            self._rest = -torch.expm1(self.log)
        return self._rest

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


def at_least(numbers: Tensor, bound: Tensor | float) -> Tensor:
    """1 where a number is as large as a bound or larger, else 0.

    As numbers, since to choose by truth values takes many times as long. Nothing is differentiated through it.
    """
    return torch.ge(numbers, bound, out=torch.empty_like(numbers))
