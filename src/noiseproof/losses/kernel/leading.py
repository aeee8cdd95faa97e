"""Rows with the exact distance of their leading probability from 1, where slopes grow as it shrinks.

Where p tends to 1, ``1 - p`` keeps few of its digits, and ``s - p * s`` none if the slope s is large. The sum of the
other probabilities has all of them. This takes some more walks through the rows than
:mod:`noiseproof.losses.kernel.rows`, which is enough for losses with bounded slopes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from noiseproof.losses.kernel.rows import Rows


class Leading:
    """The probabilities of rows, and what is left of 1 beside each of them, in log space.

    Attributes:
        log: ``(rows, classes)``, the log-probabilities.
        p: ``(rows, classes)``, the probabilities.
        log_rest: ``(rows, classes)``, ``log(1 - p)``: of the largest of a row, from the sum of all others.
        coefficients: ``(rows, classes)``, how much each label counts: the label alone, or probability targets.
    """

    def __init__(self, rows: Rows) -> None:
        self._top = rows.every.top_class
        self._classes = classes = rows.classes
        self.log = rows.every.log
        self.p = rows.every.p
        others = classes.with_at(self.log, self._top, -math.inf)
        # Where all others are masked, a finite number keeps products with 0 from being NaN.
        self._log_rest_of_top = classes.logsumexp(others).clamp(min=-1e30)
        others = torch.log1p(-classes.with_at(self.p, self._top, 0.0))
        self.log_rest = classes.with_at(others, self._top, self._log_rest_of_top)
        if rows.coefficients is not None:
            self.coefficients = rows.coefficients
        else:
            assert rows.label is not None  # noqa: S101 - one of the two is given
            self.coefficients = classes.marks(rows.label).to(self.p.dtype)

    def total(self, coefficients: Tensor, values: Tensor) -> Tensor:
        """``(rows, 1)``: the sum of the values, where what does not count may be infinite."""
        return self._classes.sum(torch.where(coefficients == 0, 0.0, coefficients * values))

    def gradient(self, slopes: Tensor, coefficients: Tensor, log_slopes: Tensor) -> Tensor:
        """The derivative by the logits from slopes by the log-probabilities, ``(rows, classes)``.

        Args:
            slopes: bounded ones.
            coefficients: of what grows without end as its probability tends to 1.
            log_slopes: the logarithm of that.
        """
        top, classes = self._top, self._classes
        at_top = classes.at(coefficients, top), classes.at(log_slopes, top)
        steep = torch.where(coefficients == 0, 0.0, coefficients * torch.exp(log_slopes))
        bounded = classes.at(slopes, top)
        others = classes.with_at(slopes + steep, top, 0.0)
        total = classes.sum(others)
        pull = torch.where(at_top[0] == 0, 0.0, at_top[0] * torch.exp(at_top[1] + self.log))
        result = others - self.p * (total + bounded) - pull
        rest = self._log_rest_of_top
        raised = torch.where(at_top[0] == 0, 0.0, at_top[0] * torch.exp(at_top[1] + rest))
        return classes.with_at(result, top, raised + bounded * torch.exp(rest) - classes.at(self.p, top) * total)
