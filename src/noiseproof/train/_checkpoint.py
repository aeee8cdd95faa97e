"""The files that a run goes on from."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import torch

from noiseproof.container import ContainerError, read_state

if TYPE_CHECKING:
    from pathlib import Path

CHECKPOINT, PREVIOUS = "checkpoint.pt", "checkpoint-previous.pt"


def read_checkpoint(path: Path, run: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The head and the state in a checkpoint of a run.

    Raises:
        ContainerError: it is damaged, of another run, or holds more than tensors and plain values.
        OSError: it cannot be read.
    """
    head, content = read_state(path.read_bytes(), "checkpoint")
    if head.get("run") != run:
        raise ContainerError(f"it is of run {head.get('run')}, not of {run}")
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # what torch has not written can fail in any way
        # torch's own text tells people to turn the protection off.
        raise ContainerError("it holds more than tensors and plain values, or is of another torch") from error
    return head, state
