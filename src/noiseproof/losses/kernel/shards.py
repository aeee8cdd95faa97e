"""Reductions over classes that several processes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.distributed import (
    ReduceOp,
    all_gather,
    all_reduce,
    broadcast,
    get_global_rank,
    get_rank,
    get_world_size,
)

from noiseproof.losses.kernel.reductions import Reductions

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributed import ProcessGroup


class SplitReductions(Reductions):
    """What :class:`Reductions` is, where each process of a group has some of the classes, in the order of their ranks.

    Nothing that is summed up here can be differentiated by autograd.

    Args:
        group: the processes.
        own: how many classes this one has.
        device: where arrays are.
    """

    __slots__ = ("_own_size", "_widest", "first", "group")

    is_split = True

    def __init__(self, group: ProcessGroup, own: int, device: torch.device) -> None:
        sizes = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(get_world_size(group))]
        all_gather(sizes, torch.tensor([own], dtype=torch.int64, device=device), group)
        counts = [int(size) for size in sizes]
        super().__init__(sum(counts))
        self.group, self._own_size = group, own
        self._widest = max(counts)
        self.first = sum(counts[: get_rank(group)])

    @property
    def own_size(self) -> int:
        return self._own_size

    @property
    def widest(self) -> int:
        return self._widest

    def over_processes(self, part: Tensor, operation: ReduceOp.RedOpType = ReduceOp.SUM) -> Tensor:
        part = part.contiguous()
        all_reduce(part, operation, self.group)
        return part

    def sum(self, array: Tensor) -> Tensor:
        return self.over_processes(super().sum(array))

    def max(self, array: Tensor) -> Tensor:
        return self.over_processes(super().max(array), ReduceOp.MAX)

    def min(self, array: Tensor) -> Tensor:
        return self.over_processes(super().min(array), ReduceOp.MIN)

    def norm(self, array: Tensor) -> Tensor:
        largest = self.max(array.abs())
        safe = torch.where((largest > 0) & largest.isfinite(), largest, 1.0)
        return self.sum((array / safe).square()).sqrt() * safe

    def top(self, array: Tensor) -> tuple[Tensor, Tensor]:
        own, place = super().top(array)
        largest = self.over_processes(own.clone(), ReduceOp.MAX)
        places = torch.where(own == largest, place + self.first, self.size)
        return largest, self.over_processes(places, ReduceOp.MIN)

    def logsumexp(self, array: Tensor) -> Tensor:
        largest = self.max(array)
        safe = torch.where(largest.isinf(), 0.0, largest)
        return self.sum((array - safe).exp()).log() + safe

    def at(self, array: Tensor, index: Tensor) -> Tensor:
        here, place = self._places(index)
        return self.over_processes(torch.where(here, array.gather(-1, place), 0.0))

    def with_at(self, array: Tensor, index: Tensor, value: Tensor | float) -> Tensor:
        found = array.clone()
        self.put_at(found, index, value)
        return found

    def put_at(self, array: Tensor, index: Tensor, value: Tensor | float) -> None:
        here, place = self._places(index)
        array.scatter_(-1, place, torch.where(here, value, array.gather(-1, place)))

    def add_at(self, array: Tensor, index: Tensor, value: Tensor) -> None:
        here, place = self._places(index)
        array.scatter_add_(-1, place, torch.where(here, value, 0.0))

    def agreed(self, drawn: Tensor) -> Tensor:
        broadcast(drawn, get_global_rank(self.group, 0), self.group)
        return drawn

    def own(self, of_classes: Tensor) -> Tensor:
        return of_classes[self.first : self.first + self._own_size]

    def marks(self, index: Tensor) -> Tensor:
        return index - self.first == torch.arange(self._own_size, device=index.device)

    def _places(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Which classes are here, and where: 0 for those that are not."""
        place = index - self.first
        here = (place >= 0) & (place < self._own_size)
        return here, torch.where(here, place, 0)
