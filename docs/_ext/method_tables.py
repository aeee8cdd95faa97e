"""The methods, their sources and the disagreements about them, written from noiseproof's own tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from noiseproof.literature import DATASETS, SOURCES, disagreements, method_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx


class _Table(SphinxDirective):
    def _parse(self, lines: list[str]) -> list[nodes.Node]:
        container = nodes.container()
        self.state.nested_parse(StringList(lines, self.name), self.content_offset, container)
        return container.children


def _table(rows: Iterable[list[str]], title: str = "") -> list[str]:
    lines = [f".. list-table:: {title}".rstrip(), "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {'* -' if number == 0 else '  -'} {cell}" for number, cell in enumerate(row)]
    return [*lines, ""]


class MethodSources(_Table):
    """``.. method-sources::``: who the values come from."""

    def run(self) -> list[nodes.Node]:
        return self._parse(_table([["source", "what it is"], *([f"``{who}``", what] for who, what in SOURCES.items())]))


class MethodTables(_Table):
    """``.. method-tables::``: a table per data set."""

    def run(self) -> list[nodes.Node]:
        lines = []
        for dataset in DATASETS:
            rows = [["method", "name", "noise", "loss", "regularizer"]]
            for row in method_rows(dataset=dataset, source="code"):
                own = f"``{row.method.loss}``" + (f", head ``{row.method.head}``" if row.method.head else "")
                rows.append([row.method.title, f"``{row.method.name}``", row.noise_text, own, row.regularizer])
            lines += _table(rows, dataset)
        return self._parse(lines)


class MethodDisagreements(_Table):
    """``.. method-disagreements::``: a row per place where sources differ."""

    def run(self) -> list[nodes.Node]:
        rows = [["about", "text", "code", "taken here", "why"]]
        rows += [[entry.about, entry.text, entry.code, entry.taken, entry.why] for entry in disagreements()]
        return self._parse(_table(rows))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("method-sources", MethodSources)
    app.add_directive("method-tables", MethodTables)
    app.add_directive("method-disagreements", MethodDisagreements)
    return {"parallel_read_safe": True}
