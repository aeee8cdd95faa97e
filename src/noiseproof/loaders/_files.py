"""Image files as the inputs of a run: worker processes decode, the device augments."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch

from noiseproof.errors import RunError
from noiseproof.loaders._augment import check_kornia, view

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from noiseproof.data import ImageFiles, Unreadable
    from noiseproof.loaders._reader import ArrayReader, Reader


class Files:
    """A part of the data as files. Those that cannot be read are skipped and noted.

    Attributes:
        unreadable: path and reason of the files that were there and gave no image.
    """

    def __init__(
        self, files: ImageFiles, mean: Tensor, std: Tensor, device: torch.device, reader: Reader | ArrayReader
    ) -> None:
        check_kornia()
        self.files = files
        self.mean, self.std = (value.view(-1, 1, 1) / 255 for value in (mean, std))
        self.device = device
        self.reader = reader
        self.unreadable: dict[str, str] = {}
        self._gone: set[str] = set()

    def __len__(self) -> int:
        return len(self.files)

    def batches(
        self,
        order: Sequence[Tensor],
        augment: Sequence[str] = (),
        random: torch.Generator | None = None,
        views: int = 1,
    ) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
        """See :class:`noiseproof.loaders.Inputs`.

        Raises:
            RunError: many files that were there cannot be opened any more.
        """
        with contextlib.closing(self.reader.read(self.files, order)) as batches:
            for batch, decoded in zip(order, batches, strict=True):
                self._note(batch, decoded.failed)
                index = batch[decoded.positions] if len(decoded.failed) else batch
                if not len(index):
                    yield index.to(self.device), (torch.empty(0, device=self.device),) * views
                    continue
                canvas, sizes = (part.to(self.device, non_blocking=True) for part in (decoded.canvas, decoded.sizes))
                drawn = [view(canvas, sizes, self.files.image_size, augment, random) for _ in range(views)]
                yield index.to(self.device, non_blocking=True), tuple(self._standardized(images) for images in drawn)

    def _standardized(self, images: Tensor) -> Tensor:
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def _note(self, batch: Tensor, failed: list[tuple[int, Unreadable]]) -> None:
        for position, reason in failed:
            (name,) = self.files.names(batch[position : position + 1].numpy())
            self.unreadable[name] = reason.why
            if reason.gone:
                self._gone.add(name)
        if len(self._gone) > self.files.may_lose:
            raise RunError(
                f"{len(self._gone)} images under {self.files.root} that were there when the run began cannot be opened "
                f"(such as {name}: {reason.why}). Is the disk still there? The same command goes on from the last "
                "checkpoint."
            )
