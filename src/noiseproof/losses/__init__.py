"""Noise-robust losses, as an algebra of definitions, operators and weighted sums.

>>> from noiseproof.losses import AMSE, NCE, make_loss
>>> (NCE() + AMSE(a=30)).spec
'1*nce + 1*amse(a=30, q=2)'
>>> make_loss("jal-ce(a=20)")
JALCE(alpha=1, beta=1, a=20)
"""

from __future__ import annotations

from noiseproof.losses._base import REGISTRY, Combination, LabelLoss, Limit, Loss, PowerSumLoss, Sum, flag, parameter
from noiseproof.losses._rows import Probabilities
from noiseproof.losses.comparisons import (
    CELC,
    LDRKL,
    NLNL,
    BiTempered,
    EpsilonCE,
    EpsilonCEMAE,
    EpsilonFL,
    EpsilonFLMAE,
)
from noiseproof.losses.definitions import AEL, AGCE, AMSE, AUL, CE, FL, GCE, MAE, RCE
from noiseproof.losses.make import loss_classes, make_loss
from noiseproof.losses.operators import OPERATORS, Negative, Normalized, negative, normalized
from noiseproof.losses.presets import (
    DATASETS,
    SOURCES,
    most_specific,
    parameter_origins,
    preset_names,
    published_parameters,
    source_order,
)
from noiseproof.losses.published import (
    AGCEMAE,
    ANLCE,
    ANLFL,
    JALCE,
    JALFL,
    NCE,
    NCEAEL,
    NCEAGCE,
    NCEAUL,
    NCEMAE,
    NCERCE,
    NFL,
    NFLAEL,
    NFLAGCE,
    NFLAUL,
    NFLMAE,
    NFLRCE,
    NNCE,
    NNFL,
    SCE,
)

__all__ = [
    "AEL",
    "AGCE",
    "AGCEMAE",
    "AMSE",
    "ANLCE",
    "ANLFL",
    "AUL",
    "CE",
    "CELC",
    "DATASETS",
    "FL",
    "GCE",
    "JALCE",
    "JALFL",
    "LDRKL",
    "MAE",
    "NCE",
    "NCEAEL",
    "NCEAGCE",
    "NCEAUL",
    "NCEMAE",
    "NCERCE",
    "NFL",
    "NFLAEL",
    "NFLAGCE",
    "NFLAUL",
    "NFLMAE",
    "NFLRCE",
    "NLNL",
    "NNCE",
    "NNFL",
    "OPERATORS",
    "RCE",
    "REGISTRY",
    "SCE",
    "SOURCES",
    "BiTempered",
    "Combination",
    "EpsilonCE",
    "EpsilonCEMAE",
    "EpsilonFL",
    "EpsilonFLMAE",
    "LabelLoss",
    "Limit",
    "Loss",
    "Negative",
    "Normalized",
    "PowerSumLoss",
    "Probabilities",
    "Sum",
    "flag",
    "loss_classes",
    "make_loss",
    "most_specific",
    "negative",
    "normalized",
    "parameter",
    "parameter_origins",
    "preset_names",
    "published_parameters",
    "source_order",
]
