"""What finished runs amount to: tables of them, and published figures beside them."""

from __future__ import annotations

from noiseproof.formats import TextTable
from noiseproof.results._cells import cell_labels, cells_of
from noiseproof.results._compare import Comparison, Order, compare_order
from noiseproof.results._reproduced import Reproduced, Reproduction, Target, planned_runs, reproduced
from noiseproof.results._tables import Cell, Table, data_notes, make_tables, runs_csv, tables_csv, unreadable_note

__all__ = [
    "Cell",
    "Comparison",
    "Order",
    "Reproduced",
    "Reproduction",
    "Table",
    "Target",
    "TextTable",
    "cell_labels",
    "cells_of",
    "compare_order",
    "data_notes",
    "make_tables",
    "planned_runs",
    "reproduced",
    "runs_csv",
    "tables_csv",
    "unreadable_note",
]
