"""Which labels are wrong, as far as predictions can tell: arrays in, a table out."""

from __future__ import annotations

from noiseproof.auditing._audit import Audit, audit
from noiseproof.auditing._folder import load_audit
from noiseproof.auditing.rates import NoiseBracket, confident_joint, noise_bracket, transition_matrix
from noiseproof.auditing.scores import SCORES
from noiseproof.auditing.views import Dynamics

__all__ = [
    "SCORES",
    "Audit",
    "Dynamics",
    "NoiseBracket",
    "audit",
    "confident_joint",
    "load_audit",
    "noise_bracket",
    "transition_matrix",
]
