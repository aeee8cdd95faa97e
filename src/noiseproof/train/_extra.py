"""Imported before anything else of the package, so that a missing extra is named."""

from noiseproof.extras import need

need("training needs", "pydantic", "filelock", "safetensors")
