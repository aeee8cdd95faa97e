"""Published parameters, and the functional form."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch.nn import functional

from noiseproof.errors import SpecError
from noiseproof.losses import REGISTRY, make_loss
from noiseproof.losses import functional as F
from noiseproof.losses.presets import DATASETS, SOURCES, preset_names, published_parameters

LOG0 = -9.210340371976182  # log(1e-4), which all published code uses for log 0

# The supplement's Table 2, cell by cell.
TABLE_2 = {
    "fl": ["fl(gamma=0.5, detached=true)", "fl(gamma=0.5, detached=true)", None, None],
    "gce": ["gce(q=0.9)", "gce(q=0.7)", "gce(q=0.7)", "gce(q=0.6)"],
    "sce": [
        "sce(alpha=0.1, beta=1, A=-4)",
        "sce(alpha=6, beta=1, A=-4)",
        "sce(alpha=10, beta=1, A=-4)",
        "sce(alpha=10, beta=1, A=-4)",
    ],
    "nce+rce": [
        "nce+rce(alpha=1, beta=1, A=-4)",
        "nce+rce(alpha=10, beta=0.1, A=-4)",
        "nce+rce(alpha=50, beta=0.1, A=-4)",
        "nce+rce(alpha=10, beta=1, A=-4)",
    ],
    "nce+aul": ["nce+aul(alpha=1, beta=3, a=6.3, p=1.5)", "nce+aul(alpha=10, beta=0.015, a=6, p=3)", None, None],
    "nce+agce": [
        "nce+agce(alpha=10, beta=4, a=6, q=1.5)",
        "nce+agce(alpha=10, beta=0.1, a=1.8, q=3)",
        "nce+agce(alpha=50, beta=0.1, a=2.5, q=3)",
        "nce+agce(alpha=50, beta=0.1, a=2.5, q=3)",
    ],
    "anl-ce": [
        "anl-ce(alpha=5, beta=5, p_min=1e-08)",
        "anl-ce(alpha=10, beta=1, p_min=1e-08)",
        "anl-ce(alpha=20, beta=1, p_min=1e-08)",
        "anl-ce(alpha=5, beta=0.1, p_min=1e-08)",
    ],
    "anl-fl": [
        "anl-fl(alpha=5, beta=5, gamma=0.5, p_min=1e-08)",
        "anl-fl(alpha=10, beta=1, gamma=0.5, p_min=1e-08)",
        "anl-fl(alpha=20, beta=1, gamma=0.5, p_min=1e-08)",
        "anl-fl(alpha=5, beta=0.1, gamma=0.5, p_min=1e-08)",
    ],
    "jal-ce": [
        "jal-ce(alpha=1, beta=1, a=30)",
        "jal-ce(alpha=5, beta=1, a=20)",
        "jal-ce(alpha=50, beta=1, a=30)",
        "jal-ce(alpha=5, beta=0.1, a=5)",
    ],
    "jal-fl": [
        "jal-fl(alpha=1, beta=1, a=30, gamma=0.5)",
        "jal-fl(alpha=5, beta=1, a=20, gamma=0.5)",
        "jal-fl(alpha=50, beta=1, a=30, gamma=0.5)",
        "jal-fl(alpha=5, beta=0.1, a=5, gamma=0.5)",
    ],
}

# Where published code differs from it.
CODE = [
    ("gce", "cifar10", "gce(q=0.7)"),
    ("gce", "cifar100", "gce(q=0.7)"),
    ("gce", "webvision", "gce(q=0.6)"),
    ("gce", "clothing1m", "gce(q=0.6)"),
    ("fl", "webvision", "fl(gamma=0.5, detached=true)"),
    ("sce", "cifar10", f"sce(alpha=0.1, beta=1, A={LOG0})"),
    ("sce", "cifar100", f"sce(alpha=6, beta=0.1, A={LOG0})"),
    ("nce+rce", "clothing1m", f"nce+rce(alpha=10, beta=1, A={LOG0})"),
    ("nce+aul", "cifar10", "nce+aul(alpha=1, beta=4, a=6.3, p=1.5)"),
    ("nce+aul", "cifar100", "nce+aul(alpha=10, beta=0.015, a=6, p=3)"),
    ("nce+agce", "cifar10", "nce+agce(alpha=1, beta=4, a=6, q=1.5)"),
    ("ce-eps+mae", "cifar10", "ce-eps+mae(alpha=0.01, beta=5, m=100000)"),
    ("ce-eps+mae", "cifar10-asymmetric", "ce-eps+mae(alpha=0.02, beta=5, m=1000)"),
    ("ce-eps+mae", "cifar100-symmetric-0.6", "ce-eps+mae(alpha=0.00125, beta=1, m=10000)"),
    ("fl-eps+mae", "cifar10", "fl-eps+mae(alpha=0.01, beta=5, m=100000, gamma=0.1)"),
    ("ldr-kl", "cifar100", "ldr-kl(c=0.1, Lambda=1)"),
    ("ce+lc", "cifar10-symmetric-0.6", "ce+lc(delta=2.5, as_coded=true)"),
    ("ce", "clothing1m", "ce"),
]


@pytest.mark.parametrize("name", TABLE_2)
def test_presets_of_the_paper(name: str) -> None:
    for dataset, expected in zip(DATASETS, TABLE_2[name], strict=True):
        if expected is not None:
            assert make_loss(name, preset=dataset, source="paper").spec == expected


@pytest.mark.parametrize(("name", "preset", "expected"), CODE)
def test_presets_of_published_code(name: str, preset: str, expected: str) -> None:
    assert make_loss(name, preset=preset).spec == expected
    assert make_loss(name, preset=preset, source="code").spec == expected


def test_what_is_more_specific_counts() -> None:
    def alpha(preset: str, source: str) -> float:
        return make_loss("ce-eps+mae", preset=preset, source=source).hyperparameters["alpha"]

    assert alpha("cifar100-symmetric-0.6", "paper") == 0.0125
    assert alpha("cifar100-symmetric-0.4", "paper") == 0.03
    assert alpha("cifar100-instance-0.6", "code") == 0.00125
    assert alpha("cifar10-symmetric-0.6", "code") == 0.01
    assert make_loss("ce+lc", preset="cifar10-symmetric-0.6", source="paper").hyperparameters["delta"] == 1.5


def test_given_parameters_replace_a_preset() -> None:
    assert make_loss("jal-ce(a=5)", preset="cifar100").spec == "jal-ce(alpha=5, beta=1, a=5)"
    assert make_loss("gce", preset="cifar10", reduction="sum").reduction == "sum"


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", [name for name in REGISTRY if preset_names(name)])
def test_every_preset_is_a_loss(name: str, source: str) -> None:
    for dataset in DATASETS:
        try:
            parameters = published_parameters(name, dataset, source)
        except SpecError:
            continue
        assert REGISTRY[name](**parameters).hyperparameters.items() >= parameters.items()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spec": "gce", "preset": "cifar"}, "gce has no published parameters for 'cifar'; did you mean 'cifar10"),
        ({"spec": "gce", "preset": "cifar10", "source": "article"}, "unknown source 'article'"),
        ({"spec": "ce", "preset": "imagenet"}, "unknown preset 'imagenet'"),
        ({"spec": "nce + mae", "preset": "cifar10"}, "not the expression 'nce \\+ mae'"),
        ({"spec": "gcee", "preset": "cifar10"}, "unknown loss 'gcee'"),
        ({"spec": make_loss("gce"), "preset": "cifar10"}, "expected the name of a loss"),
        ({"spec": "bi-tempered(t1=2)", "preset": "cifar10"}, r"t1 must lie in \[0, 1\]"),
    ],
)
def test_bad_presets_are_explained(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_loss(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", REGISTRY)
def test_every_loss_is_a_function(name: str) -> None:
    function = getattr(F, F.function_name(name))
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    target = torch.arange(6) % 5
    weight = torch.rand(5, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    found = function(logits, target, weight=weight, reduction="sum")
    torch.manual_seed(0)
    assert found == make_loss(name, weight=weight, reduction="sum")(logits, target)
    assert list(inspect.signature(function).parameters)[:2] == ["input", "target"]
    assert F.function_name(name) in dir(F)


def test_functions_take_parameters_and_reject_others() -> None:
    logits, target = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0])
    torch.testing.assert_close(F.ce(logits, target), functional.cross_entropy(logits, target))
    assert F.gce(logits, target, q=1.0) == F.gce(logits, target, q=1.0)
    with pytest.raises(SpecError, match="has no parameter 'a'"):
        F.gce(logits, target, a=1.0)
    with pytest.raises(AttributeError, match="has no function 'jal'"):
        _ = F.jal


def test_a_function_compiles() -> None:
    torch.compiler.reset()
    logits, target = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0])
    jal_ce = F.jal_ce
    compiled = torch.compile(lambda z, y: jal_ce(z, y, a=5.0), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(logits, target), F.jal_ce(logits, target, a=5.0))
