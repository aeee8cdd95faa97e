"""What the formulas of research code give where they fail, beside what noiseproof gives: computed with the page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from noiseproof.losses import make_loss

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from naive_losses import NAIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx
    from torch import Tensor

_CASES = (
    ("ANL-CE, float16, a logit of 30 in another class", "anl-ce", torch.float16, [0.0, 30.0, 0.0]),
    ("NCE, float32, a masked logit", "nce", torch.float32, [0.5, 1.0, float("-inf")]),
    ("GCE, float32, label at a probability of 1e-9", "gce", torch.float32, [0.0, 20.7, 0.0]),
    ("AMSE with q = 1.5, float32", "amse(q=1.5)", torch.float32, [0.5, 1.0, 0.0]),
)


def _row(what: str, spec: str, dtype: torch.dtype, logits: list[float]) -> list[str]:
    loss = make_loss(spec)
    naive = NAIVE[loss.name]
    cells = [what]
    for function in (lambda z, y: naive(z, y, **loss.hyperparameters).sum(), loss):
        cells += _evaluate(function, torch.tensor([logits], dtype=dtype))
    return cells


def _evaluate(function: Callable[[Tensor, Tensor], Tensor], logits: Tensor) -> list[str]:
    logits.requires_grad_()
    value = function(logits, torch.tensor([0]))
    (gradient,) = torch.autograd.grad(value, logits)
    return [f"{value.item():.4g}", f"{gradient[0, 0].item():.3g}"]


class FailureTable(SphinxDirective):
    """``.. failure-table::``: a row per case."""

    def run(self) -> list[nodes.Node]:
        lines = [".. list-table::", "   :header-rows: 1", ""]
        header = ["case", "research code", "its gradient at the label", "noiseproof", "its gradient at the label"]
        for row in [header, *(_row(*case) for case in _CASES)]:
            lines += [f"   {'* -' if number == 0 else '  -'} {cell}" for number, cell in enumerate(row)]
        container = nodes.container()
        self.state.nested_parse(StringList(lines, "failure table"), self.content_offset, container)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("failure-table", FailureTable)
    return {"parallel_read_safe": True}
