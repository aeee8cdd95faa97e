"""Published methods as data: what the literature compares is a loss, its parameters and a regularizer.

>>> gce = resolve_method("gce", "cifar10", source="paper")
>>> gce.loss, gce.l1, gce.l2
('gce(q=0.9)', 5e-05, 0.0)
>>> resolve_method("elr", "cifar10", noise="asymmetric").kind
'elr(beta=0.9, strength=1)'
>>> resolve_method("jal-ce(a=5)", "digits").loss
'jal-ce(alpha=1, beta=1, a=5)'
>>> resolve_method("CE_eps+MAE", "cifar100", noise="symmetric", rate=0.4).loss
'ce-eps+mae(alpha=0.03, beta=1, m=10000)'
"""

from __future__ import annotations

from noiseproof.literature._disagreements import Disagreement, disagreements
from noiseproof.literature._figures import PublishedFigure, check_source, published_figure, published_figures
from noiseproof.literature._methods import REGULARIZERS, Method, method_names, regularization, resolve_method
from noiseproof.literature._reproductions import reproduction_table, reproductions
from noiseproof.literature._rows import Description, Row, describe_method, method_rows, published_datasets
from noiseproof.losses.presets import DATASETS, SOURCES

__all__ = [
    "DATASETS",
    "REGULARIZERS",
    "SOURCES",
    "Description",
    "Disagreement",
    "Method",
    "PublishedFigure",
    "Row",
    "check_source",
    "describe_method",
    "disagreements",
    "method_names",
    "method_rows",
    "published_datasets",
    "published_figure",
    "published_figures",
    "regularization",
    "reproduction_table",
    "reproductions",
    "resolve_method",
]
