"""Independent random streams, all derived from one seed by name.

A stream depends on its seed and its name only. So adding a draw in one place (augmentation, say) never moves
the numbers of another (the label noise), and two processes that run the same recipe draw the same bytes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream ``names`` of ``seed``: the same on every machine and Python version."""
    text = "/".join(["noiseproof", str(int(seed)), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_stream(seed: int, *names: str | int) -> np.random.Generator:
    """The NumPy generator of the stream ``names`` of ``seed``."""
    return np.random.Generator(np.random.PCG64(derive(seed, *names)))


def torch_stream(seed: int, *names: str | int, device: str | torch.device = "cpu") -> torch.Generator:
    """The torch generator of the stream ``names`` of ``seed``, on ``device``."""
    import torch  # here, so that label noise can be made without torch

    return torch.Generator(device).manual_seed(derive(seed, *names))
