"""Checks that a loss or a method of one's own keeps the rules that the package's own keep.

>>> from noiseproof.testing import check_loss, check_method
>>> check_loss("jal-ce(a=5)")
>>> check_method("elr")

Nothing but torch is needed. Draws are seeded, and the caller's random state is left as it was.
"""

from __future__ import annotations

from noiseproof.errors import CheckError
from noiseproof.testing._loss import check_loss
from noiseproof.testing._method import check_method

__all__ = ["CheckError", "check_loss", "check_method"]
