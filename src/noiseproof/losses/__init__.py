"""Noise-robust losses, as an algebra of definitions, operators and weighted sums.

>>> from noiseproof.losses import AMSE, NCE, make_loss
>>> (NCE() + AMSE(a=30)).spec
'1*nce + 1*amse(a=30, q=2)'
>>> make_loss("jal-ce(a=20)")
JALCE(alpha=1, beta=1, a=20)
"""

from __future__ import annotations

from noiseproof.losses._base import REGISTRY, Active, Combination, Limit, Loss, Passive, Sum, parameter
from noiseproof.losses._rows import Probabilities
from noiseproof.losses.definitions import AEL, AGCE, AMSE, AUL, CE, GCE, MAE, RCE
from noiseproof.losses.make import make_loss
from noiseproof.losses.operators import Normalized, normalized
from noiseproof.losses.published import JALCE, NCE, NCEMAE, NCERCE, SCE

__all__ = [
    "AEL",
    "AGCE",
    "AMSE",
    "AUL",
    "CE",
    "GCE",
    "JALCE",
    "MAE",
    "NCE",
    "NCEMAE",
    "NCERCE",
    "RCE",
    "REGISTRY",
    "SCE",
    "Active",
    "Combination",
    "Limit",
    "Loss",
    "Normalized",
    "Passive",
    "Probabilities",
    "Sum",
    "make_loss",
    "normalized",
    "parameter",
]
