"""Which labels are wrong, as far as predictions can tell: arrays in, a table out."""

from __future__ import annotations

from noiseproof.auditing._audit import Audit, audit
from noiseproof.auditing.corrections import Correction, Corrections, Matched, read_corrections
from noiseproof.auditing.rates import NoiseBracket, confident_joint, noise_bracket, transition_matrix
from noiseproof.auditing.scores import SCORES

__all__ = [
    "SCORES",
    "Audit",
    "Correction",
    "Corrections",
    "Matched",
    "NoiseBracket",
    "audit",
    "confident_joint",
    "noise_bracket",
    "read_corrections",
    "transition_matrix",
]
