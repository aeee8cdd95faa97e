"""Which labels are wrong, as far as predictions can tell: arrays in, a table out."""

from __future__ import annotations

from noiseproof.auditing._audit import Audit, assemble, audit, score_of_training
from noiseproof.auditing._folder import (
    DESCRIPTION,
    audit_asked,
    check_audit,
    load_audit,
    match_corrections,
    write_audit,
)
from noiseproof.auditing._given import Opinions, check_keys, class_values, read_opinions
from noiseproof.auditing.checks import Draws, RateEstimate, draw_checks, estimate_rate, is_enough
from noiseproof.auditing.corrections import Correction, Corrections, Matched, read_corrections
from noiseproof.auditing.page import Evidence
from noiseproof.auditing.rates import NoiseBracket, confident_joint, noise_bracket, transition_matrix
from noiseproof.auditing.scores import SCORES
from noiseproof.auditing.views import DYNAMICS, Dynamics

__all__ = [
    "DESCRIPTION",
    "DYNAMICS",
    "SCORES",
    "Audit",
    "Correction",
    "Corrections",
    "Draws",
    "Dynamics",
    "Evidence",
    "Matched",
    "NoiseBracket",
    "Opinions",
    "RateEstimate",
    "assemble",
    "audit",
    "audit_asked",
    "check_audit",
    "check_keys",
    "class_values",
    "confident_joint",
    "draw_checks",
    "estimate_rate",
    "is_enough",
    "load_audit",
    "match_corrections",
    "noise_bracket",
    "read_corrections",
    "read_opinions",
    "score_of_training",
    "transition_matrix",
    "write_audit",
]
