"""Time and memory of losses behind a linear layer, from the committed run of ``benchmarks/head.py``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_FIGURES = Path(__file__).resolve().parents[2] / "results" / "head.json"


def _lines() -> list[str]:
    if not _FIGURES.exists():
        return ["``results/head.json`` is yet to be measured."]
    rows = json.loads(_FIGURES.read_text(encoding="utf-8"))["rows"]
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    found = {(row["name"], row["shape"]): row for row in rows}
    header = ["step", *(f"{' × '.join(shape.split(','))}: {what}" for shape in shapes for what in ("time", "memory"))]
    table = [header]
    for name in dict.fromkeys(row["name"] for row in rows):
        cells = [name]
        for shape in shapes:
            row = found.get((name, shape))
            cells += ["–", "–"] if row is None else [f"{row['ratio']:.2f}", f"{row['memory_ratio']:.2f}"]
        table.append(cells)
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for cells in table:
        lines += [f"   {'* -' if number == 0 else '  -'} {cell}" for number, cell in enumerate(cells)]
    return lines


class HeadTable(SphinxDirective):
    """``.. head-table::``: a row per step, and time and memory of each shape."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(_FIGURES))
        container = nodes.container()
        self.state.nested_parse(StringList(_lines(), "head table"), self.content_offset, container)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("head-table", HeadTable)
    return {"parallel_read_safe": True}
