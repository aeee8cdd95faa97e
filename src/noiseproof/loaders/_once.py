"""Inputs that are walked through once: those of a prediction, and those that a frozen network makes vectors of."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

from noiseproof.data import ImageFiles
from noiseproof.errors import DataWarning, shorten
from noiseproof.loaders._batches import make_inputs
from noiseproof.loaders._reader import ArrayReader, Reader, default_workers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch
    from numpy.typing import NDArray

    from noiseproof.data import Preprocessing
    from noiseproof.loaders._batches import Inputs

_WORTH_A_PROCESS = 64
"""Images for which it is not worth while to start another process that decodes them."""


@contextlib.contextmanager
def read_once(
    preprocessing: Preprocessing, inputs: NDArray[Any] | ImageFiles, device: torch.device, workers: int | None = None
) -> Iterator[Inputs]:
    """``inputs`` on ``device``, standardized, with what decodes files as long as they are read.

    Args:
        preprocessing: what is done to each.
        inputs: an array, or files.
        device: where batches go.
        workers: processes that decode files; one per processor by default, and fewer for few files.
    """
    reader: Reader | ArrayReader | None = None
    if isinstance(inputs, ImageFiles):
        most = default_workers() if workers is None else workers
        reader = Reader(min(most, len(inputs) // _WORTH_A_PROCESS), device)
    elif preprocessing.kind == "files":
        reader = ArrayReader(inputs)
        inputs = reader.files(preprocessing)
    try:
        yield make_inputs(preprocessing, inputs, device, reader)
    finally:
        if isinstance(reader, Reader):
            reader.close()


def warn_of_unreadable(unreadable: Mapping[str, str], consequence: str, *, stacklevel: int = 2) -> None:
    """Warn of images that cannot be read, if there are any.

    Args:
        unreadable: their names, and why.
        consequence: what comes of it.
        stacklevel: as in :func:`warnings.warn`, of the caller.
    """
    if unreadable:
        texts = [f"{name}: {why}" for name, why in unreadable.items()]
        warnings.warn(
            f"{len(texts)} image{'s'[: len(texts) > 1]} cannot be read: {consequence} ({shorten(texts)})",
            DataWarning,
            stacklevel=stacklevel + 1,
        )
