"""What predictions say of the labels that they were made for: arrays in, arrays out."""

from __future__ import annotations

from noiseproof.auditing.rates import NoiseBracket, confident_joint, noise_bracket

__all__ = ["NoiseBracket", "confident_joint", "noise_bracket"]
