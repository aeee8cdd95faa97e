from __future__ import annotations

import pytest

from noiseproof.errors import SpecError
from noiseproof.methods import DATASETS, SOURCES, method_names, resolve_method

LOG0 = -9.210340371976182  # log(1e-4), which all published code uses for log 0

# The supplement's Table 2, and published code where it differs.
TABLE = [
    ("gce", "cifar10", "paper", "gce(q=0.9)"),
    ("gce", "cifar10", "code", "gce(q=0.7)"),
    ("gce", "cifar100", "paper", "gce(q=0.7)"),
    ("gce", "cifar100", "code", "gce(q=0.7)"),
    ("sce", "cifar10", "paper", "sce(alpha=0.1, beta=1, A=-4)"),
    ("sce", "cifar10", "code", f"sce(alpha=0.1, beta=1, A={LOG0})"),
    ("sce", "cifar100", "paper", "sce(alpha=6, beta=1, A=-4)"),
    ("sce", "cifar100", "code", f"sce(alpha=6, beta=0.1, A={LOG0})"),
    ("nce+rce", "cifar10", "paper", "nce+rce(alpha=1, beta=1, A=-4)"),
    ("nce+rce", "cifar100", "paper", "nce+rce(alpha=10, beta=0.1, A=-4)"),
    ("nce+rce", "cifar100", "code", f"nce+rce(alpha=10, beta=0.1, A={LOG0})"),
    ("nce+mae", "cifar100", "code", "nce+mae(alpha=10, beta=0.1)"),
    ("amse", "cifar100", "paper", "amse(a=20, q=2)"),
    ("jal-ce", "cifar10", "code", "jal-ce(alpha=1, beta=1, a=30)"),
    ("jal-ce", "cifar100", "paper", "jal-ce(alpha=5, beta=1, a=20)"),
]


@pytest.mark.parametrize(("name", "dataset", "source", "loss"), TABLE)
def test_parameters(name: str, dataset: str, source: str, loss: str) -> None:
    assert resolve_method(name, dataset, source).loss == loss


# Code regularises AMSE-type losses by L1 and all others by L2; the text reads as L1 for all.
@pytest.mark.parametrize(
    ("name", "dataset", "source", "l1", "l2"),
    [
        ("ce", "cifar10", "code", 0, 1e-4),
        ("ce", "cifar100", "code", 0, 1e-5),
        ("jal-ce", "cifar10", "code", 5e-5, 0),
        ("jal-ce", "cifar100", "code", 5e-6, 0),
        ("ce", "cifar10", "paper", 5e-5, 0),
        ("nce+rce", "cifar100", "paper", 5e-6, 0),
        ("jal-ce", "digits", "code", 0, 0),
        ("nce + amse", "cifar10", "code", 0, 1e-4),
    ],
)
def test_regularisers(name: str, dataset: str, source: str, l1: float, l2: float) -> None:
    method = resolve_method(name, dataset, source)
    assert (method.l1, method.l2) == (l1, l2)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("dataset", [*DATASETS, "digits"])
@pytest.mark.parametrize("name", method_names())
def test_every_method_resolves(name: str, dataset: str, source: str) -> None:
    method = resolve_method(name, dataset, source)
    assert method.name == name
    assert method.source == source


def test_parameters_replace_the_published_ones() -> None:
    method = resolve_method("jal-ce(a=5)", "cifar100")
    assert method.loss == "jal-ce(alpha=5, beta=1, a=5)"
    assert method.title == "JAL-CE(a=5)"
    assert method.l1 == 5e-6


@pytest.mark.parametrize(
    ("spec", "source", "message"),
    [
        ("jalce", "code", "no method and no loss is called 'jalce'; did you mean 'jal-ce'"),
        ("jal-ce(b=1)", "code", "jal-ce has no parameter 'b'"),
        ("gce(q=0)", "code", "gce: q must lie in"),
        ("nce + foo", "code", "unknown loss 'foo'"),
        ("ce", "article", "unknown source 'article'"),
    ],
)
def test_bad_methods_are_explained(spec: str, source: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        resolve_method(spec, "cifar10", source)
