"""Methods: what a training step makes of a mini-batch with wrong labels.

A method is a class with declared parameters and a :meth:`~noiseproof.methods.Method.step`. Most published methods are a
loss and nothing else (:class:`RobustLoss`); others keep something for each sample, estimate the noise, or begin again.

>>> make_method("elr(beta=0.9)").spec
'elr(beta=0.9, strength=3)'
"""

from __future__ import annotations

from noiseproof.methods._base import METHODS, Batch, EpochStart, Method, StepOutput, canonical_method, make_method
from noiseproof.methods._elr import EarlyLearningRegularization
from noiseproof.methods._forward import ForwardCorrection, estimate_transition_matrix
from noiseproof.methods._robust_loss import RobustLoss

__all__ = [
    "METHODS",
    "Batch",
    "EarlyLearningRegularization",
    "EpochStart",
    "ForwardCorrection",
    "Method",
    "RobustLoss",
    "StepOutput",
    "canonical_method",
    "estimate_transition_matrix",
    "make_method",
]
