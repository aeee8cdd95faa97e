"""Grids of recipes, the runs that they need, the tables made from them, and published tables beside them."""

from __future__ import annotations

from noiseproof.bench._cells import cell_labels, cells_of
from noiseproof.bench._compare import Comparison, Order
from noiseproof.bench._grid import Grid, load_grid
from noiseproof.bench._grid_runs import check_measures, grid_status, known_runs, read_records, run_grid
from noiseproof.bench._published import PublishedFigure, published_figures
from noiseproof.bench._reproduce import (
    Reproduced,
    Reproduction,
    Target,
    load_reproduction,
    planned_runs,
    reproduced,
    reproductions,
)
from noiseproof.bench._tables import (
    Cell,
    Table,
    make_tables,
    runs_csv,
    tables_csv,
    unreadable_note,
)
from noiseproof.formats import TextTable

__all__ = [
    "Cell",
    "Comparison",
    "Grid",
    "Order",
    "PublishedFigure",
    "Reproduced",
    "Reproduction",
    "Table",
    "Target",
    "TextTable",
    "cell_labels",
    "cells_of",
    "check_measures",
    "grid_status",
    "known_runs",
    "load_grid",
    "load_reproduction",
    "make_tables",
    "planned_runs",
    "published_figures",
    "read_records",
    "reproduced",
    "reproductions",
    "run_grid",
    "runs_csv",
    "tables_csv",
    "unreadable_note",
]
