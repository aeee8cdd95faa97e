"""The loss reference, written from the definitions: what a loss says of itself is what the page says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from docutils import nodes
from docutils.statemachine import StringList
from matplotlib.figure import Figure
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

from noiseproof import losses
from noiseproof.losses import REGISTRY, LabelLoss, Loss, PowerSumLoss
from noiseproof.losses.base import Combination
from noiseproof.losses.calls import function_name
from noiseproof.losses.describe import limit_text, parameter_texts, python_arguments, summary
from noiseproof.theory import is_symmetric, largest_pair_rate, largest_symmetric_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

CLASSES = 10


def _section(name: str, loss: type[Loss]) -> Iterator[str]:
    """One loss in reStructuredText."""
    title = f"{loss.title} – ``{name}``"
    yield from [f".. _loss-{name}:", "", title, "-" * len(title), ""]
    yield from summary(loss).splitlines()
    yield ""
    module = "losses" if loss.__name__ in losses.__all__ else loss.__module__.removeprefix("noiseproof.")
    made = f"{module}.{loss.__name__}({python_arguments(loss)})"
    yield f":Python: ``{made}``, ``losses.functional.{function_name(name)}``"
    if issubclass(loss, Combination):
        yield f":Definition: ``{loss().expression().spec}``"
        yield ":Gradient: the sum of its terms'"
    elif issubclass(loss, PowerSumLoss):
        yield rf":Gradient: :math:`s\,(\delta_{{jy}} - p_j) + \tfrac{{q}}{{K}}(p_j^q - p_j\sum_k p_k^q)`, \
            :math:`s = {loss.gradient}`"
    elif issubclass(loss, LabelLoss):
        yield rf":Gradient: :math:`s\,(\delta_{{jy}} - p_j)` with :math:`s = {loss.gradient}`"
    elif loss.gradient:
        yield f":Gradient: :math:`{loss.gradient}`"
    yield from (f":``{key}``: {text}" for key, text in parameter_texts(loss).items())
    if loss.limits:
        yield f":Equals: {'; '.join(map(limit_text, loss.limits))}"
    yield f":Robustness: {_robustness(name)}"
    if loss.citation is not None:
        yield f":Source: {loss.citation}"
    yield ""
    yield from [f".. image:: _generated/{function_name(name)}.svg", f"   :alt: {loss.title} against the probability"]
    yield ""


def _robustness(name: str) -> str:
    symmetric, pair = largest_symmetric_rate(name, CLASSES), largest_pair_rate(name, CLASSES)
    parts = ["symmetric"] if is_symmetric(name, CLASSES) else []
    if symmetric:
        parts.append(
            f"with its defaults and {CLASSES} classes guaranteed up to {symmetric:.1%} symmetric noise "
            f"and {pair:.1%} pair flips"
        )
    else:
        parts.append("no guarantee for any noise")
    return "; ".join(parts)


def _draw(name: str, path: Path) -> None:
    """The loss and the slope at the label, against the label's probability, which the other classes share alike."""
    p = torch.linspace(0.002, 0.998, 250, dtype=torch.float64)
    logits = torch.zeros(len(p), CLASSES, dtype=torch.float64)
    logits[:, 0] = torch.log(p * (CLASSES - 1) / (1 - p))
    logits.requires_grad_()
    loss = REGISTRY[name]()
    if "sampled" in loss.hyperparameters:
        loss = loss.with_parameters(sampled=False)
    values = loss.with_options(reduction="none")(logits, torch.zeros(len(p), dtype=torch.int64))
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    figure = Figure(figsize=(6.4, 2.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(p, values.detach(), color="#0072B2")
    left.set(xlabel="$p_y$", title="loss", xlim=(0, 1))
    right.plot(p, -gradient[:, 0], color="#D55E00")
    right.set(xlabel="$p_y$", title="pull on the label's logit", xlim=(0, 1))
    for axis in (left, right):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(file.getvalue())


class LossReference(SphinxDirective):
    """``.. loss-reference::``: a section per registered loss, terms first."""

    def run(self) -> list[nodes.Node]:
        ordered = sorted(REGISTRY.items(), key=lambda item: (issubclass(item[1], Combination), item[0]))
        for name, _ in ordered:
            _draw(name, Path(self.env.srcdir) / "_generated" / f"{function_name(name)}.svg")
        lines = [line for name, loss in ordered for line in _section(name, loss)]
        container = nodes.section()
        container.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, "loss definitions"), container)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("loss-reference", LossReference)
    return {"parallel_read_safe": True}
