"""When a loss can be trusted with noisy labels: thresholds, asymmetry, and where the noisy risk is least.

Everything is in float64 and follows from the definitions of :mod:`noiseproof.losses`. Weights say how likely each
noisy label is: a row of the transition matrix ``T[true, noisy]``, or the posterior of one sample.

>>> round(amse_threshold_symmetric(0.8, num_classes=10), 9)
9.0
>>> print(is_asymmetric("gce", [0.6, 0.4]))
not asymmetric: the risk falls on the way from the heaviest class to another
"""

from __future__ import annotations

from noiseproof.theory._amse import (
    MatrixThresholds,
    amse_threshold,
    amse_threshold_asymmetric,
    amse_threshold_matrix,
    amse_threshold_symmetric,
)
from noiseproof.theory._asymmetry import (
    Verdict,
    asymmetry_ratio,
    guaranteed,
    is_asymmetric,
    is_symmetric,
    largest_pair_rate,
    largest_symmetric_rate,
    needed_a,
)
from noiseproof.theory._guarantees import Guarantee, Guarantees, guarantees, part_dependent_share
from noiseproof.theory._risk import RiskMinimum, noisy_risk, risk_minimizer

__all__ = [
    "Guarantee",
    "Guarantees",
    "MatrixThresholds",
    "RiskMinimum",
    "Verdict",
    "amse_threshold",
    "amse_threshold_asymmetric",
    "amse_threshold_matrix",
    "amse_threshold_symmetric",
    "asymmetry_ratio",
    "guaranteed",
    "guarantees",
    "is_asymmetric",
    "is_symmetric",
    "largest_pair_rate",
    "largest_symmetric_rate",
    "needed_a",
    "noisy_risk",
    "part_dependent_share",
    "risk_minimizer",
]
