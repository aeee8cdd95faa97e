"""Grids of recipes, published tables among them, and the runs that they need."""

from __future__ import annotations

from noiseproof.bench._grid import Grid, load_grid
from noiseproof.bench._grid_runs import check_measures, grid_status, known_runs, read_records, run_grid
from noiseproof.bench._reproduce import load_reproduction

__all__ = [
    "Grid",
    "check_measures",
    "grid_status",
    "known_runs",
    "load_grid",
    "load_reproduction",
    "read_records",
    "run_grid",
]
