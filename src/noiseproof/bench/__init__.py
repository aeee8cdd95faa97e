"""Grids of recipes, published tables among them, and the runs that they need."""

from __future__ import annotations

from noiseproof.bench._grid import Grid, load_grid
from noiseproof.bench._grid_runs import check_measures, grid_status, known_runs, read_records, run_grid
from noiseproof.bench._reproduce import (
    Reproduced,
    Reproduction,
    Target,
    load_reproduction,
    planned_runs,
    reproduced,
    reproductions,
)

__all__ = [
    "Grid",
    "Reproduced",
    "Reproduction",
    "Target",
    "check_measures",
    "grid_status",
    "known_runs",
    "load_grid",
    "load_reproduction",
    "planned_runs",
    "read_records",
    "reproduced",
    "reproductions",
    "run_grid",
]
