"""Published methods as data: what the literature compares is a loss, its parameters and a regulariser.

>>> resolve_method("gce", "cifar10", source="paper")
Method(name='gce', title='GCE', loss='gce(q=0.9)', l1=5e-05, l2=0.0, source='paper', head='', optimizer=None, lr=None)
>>> resolve_method("jal-ce(a=5)", "digits").loss
'jal-ce(alpha=1, beta=1, a=5)'
>>> resolve_method("CE_eps+MAE", "cifar100", noise="symmetric", rate=0.4).loss
'ce-eps+mae(alpha=0.03, beta=1, m=10000)'
"""

from __future__ import annotations

from noiseproof.literature._disagreements import Disagreement, disagreements
from noiseproof.literature._methods import REGULARISERS, Method, method_names, regularisation, resolve_method
from noiseproof.literature._rows import Description, Row, describe_method, method_rows, published_datasets
from noiseproof.losses import DATASETS, SOURCES

__all__ = [
    "DATASETS",
    "REGULARISERS",
    "SOURCES",
    "Description",
    "Disagreement",
    "Method",
    "Row",
    "describe_method",
    "disagreements",
    "method_names",
    "method_rows",
    "published_datasets",
    "regularisation",
    "resolve_method",
]
