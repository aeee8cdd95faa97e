"""Noise-robust losses, as an algebra of definitions, operators and weighted sums.

>>> from noiseproof.losses import JointAsymmetricLoss, make_loss
>>> make_loss("jal-ce(a=20)")
JointAsymmetricLoss(alpha=1, beta=1, a=20)
>>> JointAsymmetricLoss(a=20).parts.spec
'1*nce + 1*amse(a=20, q=2)'

Every loss has a name in :data:`REGISTRY`, which :func:`make_loss` takes. What is seldom needed lies one level down: the
other classes in ``definitions``, ``published`` and ``comparisons``, also under their acronyms (``published.JALCE``);
sums and combinations in ``base``; published parameters in ``presets``; functions in ``functional``.
"""

from __future__ import annotations

from noiseproof.losses import comparisons as _comparisons  # noqa: F401 - puts its losses into the registry
from noiseproof.losses.base import REGISTRY, LabelLoss, Limit, Loss, PowerSumLoss, flag, parameter
from noiseproof.losses.definitions import GeneralizedCrossEntropyLoss
from noiseproof.losses.kernel.probabilities import Probabilities
from noiseproof.losses.linear import linear_loss, linear_statistics
from noiseproof.losses.make import make_loss
from noiseproof.losses.operators import negative, normalized
from noiseproof.losses.published import (
    ActiveNegativeLoss,
    ActivePassiveLoss,
    JointAsymmetricLoss,
    SymmetricCrossEntropyLoss,
)

__all__ = [
    "REGISTRY",
    "ActiveNegativeLoss",
    "ActivePassiveLoss",
    "GeneralizedCrossEntropyLoss",
    "JointAsymmetricLoss",
    "LabelLoss",
    "Limit",
    "Loss",
    "PowerSumLoss",
    "Probabilities",
    "SymmetricCrossEntropyLoss",
    "flag",
    "linear_loss",
    "linear_statistics",
    "make_loss",
    "negative",
    "normalized",
    "parameter",
]
