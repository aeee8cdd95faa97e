"""The one place where classes are summed up, compared and picked.

Definitions reach everything that goes across the classes of a row through an object of this module. So the same
definition holds where one process has all classes, and where each of several has a part of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

_LANES = 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 8
"""Float32 numbers of a vector: torch takes the softmax of a shorter row one number at a time."""

_FEW_NUMBERS = 1 << 10
"""Below, that is still less than what the operations cost of which a softmax is made."""


class Reductions:
    """Reductions over the classes of rows that are here as a whole.

    Arrays are ``(rows, classes)``, and what comes out is ``(rows, 1)``. Classes are numbered from 0.

    Args:
        size: how many classes there are.
    """

    __slots__ = ("size",)

    is_split = False
    """Whether other processes have some of the classes."""

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    def own_size(self) -> int:
        """How many classes are here."""
        return self.size

    @property
    def widest(self) -> int:
        """How many classes a process has at most."""
        return self.size

    def over_processes(self, part: Tensor) -> Tensor:
        """The sum of something over all processes."""
        return part

    def sum(self, array: Tensor) -> Tensor:
        """The sum over the classes."""
        return array.sum(-1, keepdim=True)

    def mean(self, array: Tensor) -> Tensor:
        """The mean over the classes."""
        return self.sum(array) / self.size

    def max(self, array: Tensor) -> Tensor:
        """The largest."""
        return array.amax(-1, keepdim=True)

    def min(self, array: Tensor) -> Tensor:
        """The smallest."""
        return array.amin(-1, keepdim=True)

    def norm(self, array: Tensor) -> Tensor:
        """The Euclidean norm."""
        return torch.linalg.vector_norm(array, dim=-1, keepdim=True)

    def top(self, array: Tensor) -> tuple[Tensor, Tensor]:
        """The largest, and its class: the first of equal ones."""
        largest, place = array.max(-1, keepdim=True)
        return largest, place

    def logsumexp(self, array: Tensor) -> Tensor:
        """The logarithm of the sum of the exponentials."""
        return torch.logsumexp(array, -1, keepdim=True)

    def softmax(self, logits: Tensor, *, concrete: bool = False) -> Tensor:
        """The exponentials, divided by their sum.

        Args:
            logits: of all classes.
            concrete: whether these are plain numbers that nothing looks through.
        """
        if self.is_split or (concrete and _is_narrow(logits)):
            powers = (logits - self.max(logits)).exp_()
            return powers.div_(self.sum(powers))
        return torch.softmax(logits, -1)

    def log_softmax(self, logits: Tensor, *, concrete: bool = False) -> Tensor:
        """The logarithms of :meth:`softmax`."""
        if self.is_split or (concrete and _is_narrow(logits)):
            shifted = logits - self.max(logits)
            return shifted.sub_(self.sum(shifted.exp()).log_())
        return torch.log_softmax(logits, -1)

    def at(self, array: Tensor, index: Tensor) -> Tensor:
        """The entries of one class per row."""
        return array.gather(-1, index)

    def with_at(self, array: Tensor, index: Tensor, value: Tensor | float) -> Tensor:
        """A copy with other entries at one class per row."""
        return array.scatter(-1, index, value)

    def put_at(self, array: Tensor, index: Tensor, value: Tensor | float) -> None:
        """Overwrite the entries of one class per row."""
        array.scatter_(-1, index, value)

    def add_at(self, array: Tensor, index: Tensor, value: Tensor) -> None:
        """Add to the entries of one class per row, in place."""
        array.scatter_add_(-1, index, value)

    def agreed(self, drawn: Tensor) -> Tensor:
        """Random numbers of which all processes must have the same."""
        return drawn

    def own(self, of_classes: Tensor) -> Tensor:
        """Of something for all classes, ``(classes,)``, what is of those that are here."""
        return of_classes

    def marks(self, index: Tensor) -> Tensor:
        """``(rows, classes)``: which entries are those of one class per row."""
        return index == torch.arange(self.size, device=index.device)


def _is_narrow(logits: Tensor) -> bool:
    """Whether a softmax is faster from its parts."""
    return (
        logits.shape[-1] < _LANES and logits.numel() >= _FEW_NUMBERS and logits.dtype is torch.float32 and logits.is_cpu
    )
