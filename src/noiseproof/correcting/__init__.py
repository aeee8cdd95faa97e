"""Corrections put into data: a corrected table, list of labels, file of arrays or folder of images."""

from __future__ import annotations

from noiseproof.correcting._apply import Applied, apply

__all__ = ["Applied", "apply"]
