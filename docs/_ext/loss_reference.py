"""The loss reference, written from the definitions: what a loss says of itself is what the page says."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

from noiseproof.losses import REGISTRY, Combination, Loss
from noiseproof.spec import format_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx


def _section(name: str, loss: type[Loss]) -> Iterator[str]:
    """One loss in reStructuredText."""
    title = f"{loss.title} – ``{name}``"
    yield from [f".. _loss-{name}:", "", title, "-" * len(title), ""]
    yield from inspect.cleandoc(loss.__doc__ or "").splitlines()
    yield ""
    own = ", ".join(f"{key}={format_value(parameter.default)}" for key, parameter in loss.declared.items())
    yield f":Python: ``{loss.__name__}({own})``"
    if issubclass(loss, Combination):
        yield f":Definition: ``{loss().expression().spec}``"
    for key, parameter in loss.declared.items():
        yield f":``{key}``: in {parameter.domain}, default {format_value(parameter.default)}"
    for limit in loss.limits:
        at = ", ".join(f"{key} = {format_value(value)}" for key, value in limit.parameters.items())
        sign = "equals" if limit.tolerance == 0 else "tends to"
        yield f":At {at}: {sign} ``{limit.equals}``"
    if loss.citation is not None:
        yield f":Source: {loss.citation}"
    yield ""


class LossReference(SphinxDirective):
    """``.. loss-reference::``: a section per registered loss, terms first."""

    def run(self) -> list[nodes.Node]:
        ordered = sorted(REGISTRY.items(), key=lambda item: (issubclass(item[1], Combination), item[0]))
        lines = [line for name, loss in ordered for line in _section(name, loss)]
        container = nodes.section()
        container.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, "loss definitions"), container)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("loss-reference", LossReference)
    return {"parallel_read_safe": True}
