"""Running recipes: what runs next, and where it is computed."""

from __future__ import annotations

from noiseproof.run._scheduler import GridProgress, Machine, run_recipes, under_title

__all__ = ["GridProgress", "Machine", "run_recipes", "under_title"]
