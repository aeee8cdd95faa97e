"""What ``fit`` returns and saves: a classifier, and how it came to be."""

from __future__ import annotations

from noiseproof.fitted._model import PLAN, SUMMARY, TRAINING, Model, load

__all__ = ["PLAN", "SUMMARY", "TRAINING", "Model", "load"]
