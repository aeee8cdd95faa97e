"""Grids of recipes, the runs that they need, and the tables made from them."""

from __future__ import annotations

from noiseproof.bench._grid import Grid, folder_name, load_grid
from noiseproof.bench._run import GridProgress, grid_status, run_grid
from noiseproof.bench._tables import Cell, Table, make_tables, method_labels, noise_label, runs_csv, tables_csv

__all__ = [
    "Cell",
    "Grid",
    "GridProgress",
    "Table",
    "folder_name",
    "grid_status",
    "load_grid",
    "make_tables",
    "method_labels",
    "noise_label",
    "run_grid",
    "runs_csv",
    "tables_csv",
]
