"""What was trained, as something that gives predictions."""

from __future__ import annotations

from noiseproof.prediction import _extra  # noqa: F401 - the first of them
from noiseproof.prediction._combine import Beside, combine
from noiseproof.prediction._outputs import mean_logits, outputs_of
from noiseproof.prediction._predictor import (
    PREDICTOR,
    TREES,
    Description,
    Member,
    Predictor,
    WeightsFile,
    description_text,
    load,
)
from noiseproof.prediction._write import check_output, default_output, write_predictions

__all__ = [
    "PREDICTOR",
    "TREES",
    "Beside",
    "Description",
    "Member",
    "Predictor",
    "WeightsFile",
    "check_output",
    "combine",
    "default_output",
    "description_text",
    "load",
    "mean_logits",
    "outputs_of",
    "write_predictions",
]
