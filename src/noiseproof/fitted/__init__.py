"""What ``fit`` returns and saves: a classifier, and how it came to be."""

from __future__ import annotations

from noiseproof.fitted._model import PLAN, SUMMARY, TRAINING, Model, load
from noiseproof.fitted._score import read_scored
from noiseproof.fitted._summary import Summary

__all__ = ["PLAN", "SUMMARY", "TRAINING", "Model", "Summary", "load", "read_scored"]
