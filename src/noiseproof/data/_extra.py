"""Imported before the kinds of data and noise that recipes name, so that a missing extra is named."""

from noiseproof.extras import need

need("recipes need", "pydantic")
