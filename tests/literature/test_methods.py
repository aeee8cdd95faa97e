from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noiseproof.errors import RecipeError, SpecError
from noiseproof.literature import (
    DATASETS,
    REGULARIZERS,
    SOURCES,
    describe_method,
    disagreements,
    method_names,
    method_rows,
    published_datasets,
    resolve_method,
)
from noiseproof.literature._methods import loss_name, table
from noiseproof.losses import REGISTRY, make_loss
from noiseproof.noise import symmetric_matrix
from noiseproof.spec import format_call
from noiseproof.theory import guarantees
from noiseproof.train import make_recipe

LOG0 = -9.210340371976182  # log(1e-4), which all published code uses for log 0

RECIPE = {"model": "mlp", "epochs": 1, "batch_size": 2, "lr": 0.1}

# The supplement's Table 2, typed in by hand: rows by columns CIFAR-10, CIFAR-100, WebVision, Clothing1M.
TABLE_2: dict[str, tuple[tuple[str, ...], list[tuple[float, ...] | None]]] = {
    "CE": ((), [(), (), (), ()]),
    "FL": (("gamma",), [(0.5,), (0.5,), None, None]),
    "GCE": (("q",), [(0.9,), (0.7,), (0.7,), (0.6,)]),
    "SCE": (("alpha", "beta", "A"), [(0.1, 1, -4), (6, 1, -4), (10, 1, -4), (10, 1, -4)]),
    "NCE": ((), [(), (), (), ()]),
    "NCE+RCE": (("alpha", "beta", "A"), [(1, 1, -4), (10, 0.1, -4), (50, 0.1, -4), (10, 1, -4)]),
    "NCE+AUL": (("alpha", "beta", "a", "p"), [(1, 3, 6.3, 1.5), (10, 0.015, 6, 3), None, None]),
    "NCE+AGCE": (
        ("alpha", "beta", "a", "q"),
        [(10, 4, 6, 1.5), (10, 0.1, 1.8, 3), (50, 0.1, 2.5, 3), (50, 0.1, 2.5, 3)],
    ),
    "ANL-CE": (("alpha", "beta"), [(5, 5), (10, 1), (20, 1), (5, 0.1)]),
    "ANL-FL": (("alpha", "beta", "gamma"), [(5, 5, 0.5), (10, 1, 0.5), (20, 1, 0.5), (5, 0.1, 0.5)]),
    "JAL-CE": (("alpha", "beta", "a"), [(1, 1, 30), (5, 1, 20), (50, 1, 30), (5, 0.1, 5)]),
    "JAL-FL": (("alpha", "beta", "a", "gamma"), [(1, 1, 30, 0.5), (5, 1, 20, 0.5), (50, 1, 30, 0.5), (5, 0.1, 5, 0.5)]),
}


def test_label_smoothing_makes_another_method() -> None:
    specs = ["ce", "ce(label_smoothing=0.1)", "ce(label_smoothing=0.9)", "mae(label_smoothing=0.1)",
             "nce+rce(label_smoothing=0.1)", "nce(label_smoothing=0.1) + mae(label_smoothing=0.1)"]  # fmt: skip
    for source in ("code", "anl-code"):  # where MAE is another loss
        methods = [resolve_method(spec, "cifar10", source) for spec in specs]
        for what in ("name", "title", "loss"):
            assert len({getattr(method, what) for method in methods}) == len(specs)
        assert [make_loss(method.loss).label_smoothing for method in methods] == [0, 0.1, 0.9, 0.1, 0.1, 0.1]
    assert methods[1].title == "CE(label_smoothing=0.1)"
    assert methods[3].loss == "0.5*mae(label_smoothing=0.1)"
    with pytest.raises(SpecError, match="reduction has no place in the text"):
        resolve_method("ce(reduction=sum)", "cifar10")


@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize("title", TABLE_2)
def test_the_table_of_the_supplement(title: str, column: int) -> None:
    keys, cells = TABLE_2[title]
    cell, dataset = cells[column], DATASETS[column]
    rows = [row for row in method_rows(dataset=dataset, source="paper") if row.method.title == title]
    if cell is None:
        assert all("paper" not in row.origins.values() for row in rows)
        return
    assert {key: rows[0].parameters[key] for key in keys} == dict(zip(keys, cell, strict=True))
    assert {rows[0].origins[key] for key in keys} <= {"paper"}
    assert make_loss(rows[0].method.loss).hyperparameters.items() >= dict(zip(keys, cell, strict=True)).items()
    assert resolve_method(title, dataset, "paper") == rows[0].method


# What the code of the JAL paper runs, where it differs from that table or says more.
CODE = [
    ("gce", "cifar10", "gce(q=0.7)"),
    ("gce", "cifar100", "gce(q=0.7)"),
    ("gce", "webvision", "gce(q=0.6)"),
    ("gce", "clothing1m", "gce(q=0.6)"),
    ("fl", "clothing1m", "fl(gamma=0.5, detached=true)"),
    ("sce", "cifar10", f"sce(alpha=0.1, beta=1, A={LOG0})"),
    ("sce", "cifar100", f"sce(alpha=6, beta=0.1, A={LOG0})"),
    ("sce", "webvision", f"sce(alpha=10, beta=1, A={LOG0})"),
    ("nce+rce", "cifar100", f"nce+rce(alpha=10, beta=0.1, A={LOG0})"),
    ("nce+rce", "clothing1m", f"nce+rce(alpha=10, beta=1, A={LOG0})"),
    ("nce+mae", "cifar100", "nce+mae(alpha=10, beta=0.1)"),
    ("nfl+rce", "cifar100", f"nfl+rce(alpha=10, beta=0.1, gamma=0.5, A={LOG0})"),
    ("nce+aul", "cifar10", "nce+aul(alpha=1, beta=4, a=6.3, p=1.5)"),
    ("nce+agce", "cifar10", "nce+agce(alpha=1, beta=4, a=6, q=1.5)"),
    ("nce+agce", "webvision", "nce+agce(alpha=50, beta=0.1, a=2.5, q=3)"),
    ("nce+ael", "cifar100", "nce+ael(alpha=10, beta=0.1, a=1.5)"),
    ("agce", "cifar10", "agce(a=0.6, q=0.6)"),
    ("agce", "webvision", "agce(a=1e-05, q=0.5)"),
    ("aul", "cifar10", "aul(a=5.5, p=3)"),
    ("agce+mae-1-10", "cifar10", "agce+mae(alpha=1, beta=10, a=6, q=1.5)"),
    ("anl-ce", "cifar10", "anl-ce(alpha=5, beta=5, p_min=1e-08)"),
    ("anl-fl", "webvision", "anl-fl(alpha=20, beta=1, gamma=0.5, p_min=1e-08)"),
    ("amse", "cifar100", "amse(a=20, q=2)"),
    ("amse", "clothing1m", "amse(a=5, q=2)"),
    ("jal-ce", "webvision", "jal-ce(alpha=50, beta=1, a=30)"),
    ("jal-fl", "clothing1m", "jal-fl(alpha=5, beta=0.1, a=5, gamma=0.5)"),
    ("ldr-kl", "cifar10", "ldr-kl(c=0.1, Lambda=10)"),
    ("ldr-kl", "clothing1m", "ldr-kl(c=0.1, Lambda=1)"),
    ("ce+lc", "cifar100", "ce+lc(delta=0.5, as_coded=true)"),
    ("ce-eps+mae", "webvision", "ce-eps+mae(alpha=0.015, beta=0.3, m=1000)"),
    ("ce-eps+mae", "clothing1m", "ce-eps+mae(alpha=0.012, beta=0.1, m=1000)"),
    ("mae", "cifar10", "mae"),
]


@pytest.mark.parametrize(("name", "dataset", "loss"), CODE)
def test_the_values_of_code(name: str, dataset: str, loss: str) -> None:
    assert resolve_method(name, dataset).loss == loss


@pytest.mark.parametrize(
    ("name", "dataset", "source", "noise", "rate", "loss"),
    [
        ("anl-ce", "cifar10", "anl-code", None, None, "anl-ce(alpha=5, beta=5, p_min=1e-07)"),
        ("mae", "cifar10", "anl-code", None, None, "0.5*mae"),
        ("mae", "cifar100", "apl-code", None, None, "0.5*mae"),
        ("nce+mae", "cifar100", "apl-code", None, None, "nce+mae(alpha=10, beta=1)"),
        ("nce+rce", "cifar100", "apl-code", None, None, f"nce+rce(alpha=10, beta=0.1, A={LOG0})"),
        ("nce+rce", "cifar100", "alf-code", None, None, f"nce+rce(alpha=10, beta=1, A={LOG0})"),
        ("sce", "cifar100", "alf-code", None, None, f"sce(alpha=1, beta=1, A={LOG0})"),
        ("sce", "cifar100", "eps-paper", None, None, "sce(alpha=6, beta=0.1, A=-4)"),
        ("gce", "webvision", "eps-code", None, None, "gce(q=0.7)"),
        ("gce", "cifar100", "eps-paper", "symmetric", 0.8, "gce(q=0.9)"),
        ("gce", "cifar100", "eps-paper", "none", None, "gce(q=0.5)"),
        ("nce+aul", "cifar10", "eps-paper", None, None, "nce+aul(alpha=1, beta=4, a=6.3, p=1.5)"),
        ("nce+agce", "cifar10", "alf-code", None, None, "nce+agce(alpha=1, beta=4, a=6, q=1.5)"),
        ("ce+lc", "cifar10", "paper", "symmetric", 0.6, "ce+lc(delta=1.5, as_coded=true)"),
        ("ce+lc", "cifar10", "code", "symmetric", 0.6, "ce+lc(delta=2.5, as_coded=true)"),
        ("CE_eps+MAE", "cifar10", "code", "symmetric", 0.8, "ce-eps+mae(alpha=0.01, beta=5, m=100000)"),
        ("CE_eps+MAE", "cifar10", "code", "asymmetric", 0.3, "ce-eps+mae(alpha=0.02, beta=5, m=1000)"),
        ("CE_eps+MAE", "cifar10", "code", "instance", 0.3, "ce-eps+mae(alpha=0.045, beta=10, m=100000)"),
        ("CE_eps+MAE", "cifar100", "code", "symmetric", 0.6, "ce-eps+mae(alpha=0.00125, beta=1, m=10000)"),
        ("CE_eps+MAE", "cifar100", "eps-paper", "symmetric", 0.6, "ce-eps+mae(alpha=0.0125, beta=1, m=10000)"),
        ("CE_eps+MAE", "cifar100", "code", "instance", 0.4, "ce-eps+mae(alpha=0.03, beta=1, m=10000)"),
        ("CE_eps+MAE", "cifar100", "code", "none", None, "ce-eps+mae(alpha=0.1, beta=1, m=10000)"),
        ("FL_eps+MAE", "cifar100", "code", "asymmetric", 0.4, "fl-eps+mae(alpha=0.004, beta=1, m=100, gamma=0.1)"),
        ("CE_eps+MAE(m=10)", "cifar100", "code", "symmetric", 0.2, "ce-eps+mae(alpha=0.05, beta=1, m=10)"),
        ("ce-eps+mae", "digits", "code", "asymmetric", 0.3, "ce-eps+mae(alpha=0.01, beta=5, m=100000)"),
    ],
)
def test_values_of_sources_and_noises(
    name: str, dataset: str, source: str, noise: str | None, rate: float | None, loss: str
) -> None:
    assert resolve_method(name, dataset, source, noise=noise, rate=rate).loss == loss


# Which methods have a published figure where, as the collection of published figures names them.
CIFAR = [
    "CE", "CE+LC", "CE_eps+MAE", "FL", "FL_eps+MAE", "GCE", "LDR-KL", "NCE+AEL", "NCE+AGCE", "NCE+AUL", "NCE+MAE",
    "NCE+RCE", "NFL+RCE", "SCE", "ANL-CE", "ANL-FL", "JAL-CE", "JAL-FL", "MAE",
]  # fmt: skip
REAL = ["AGCE", "CE", "CE_eps+MAE", "GCE", "LDR-KL", "NCE+AGCE", "NCE+RCE", "SCE"]
PUBLISHED = [
    *[("cifar10", title) for title in [*CIFAR, "AGCE", "AMSE alone", "NCE"]],
    *[("cifar10", f"AGCE+MAE ({alpha},{beta})") for alpha in (1, 10) for beta in (1, 10)],
    *[("cifar100", title) for title in CIFAR],
    *[(dataset, title) for dataset in ("webvision", "clothing1m") for title in REAL],
]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("dataset", "title"), PUBLISHED)
def test_every_row_with_a_published_figure_resolves_by_its_title(dataset: str, title: str, source: str) -> None:
    method = resolve_method(title, dataset, source)
    assert method.title == title
    assert resolve_method(method.name, dataset, source) == method


# Code regularizes AMSE-type and negative losses by L1 and all others by L2; the text reads as L1 for all on CIFAR.
@pytest.mark.parametrize(
    ("name", "dataset", "source", "l1", "l2"),
    [
        ("ce", "cifar10", "code", 0, 1e-4),
        ("ce", "cifar100", "code", 0, 1e-5),
        ("agce+mae-1-1", "cifar10", "code", 0, 1e-4),
        ("jal-ce", "cifar10", "code", 5e-5, 0),
        ("jal-ce", "cifar100", "code", 5e-6, 0),
        ("anl-ce", "cifar10", "code", 5e-5, 0),
        ("anl-fl", "cifar100", "code", 5e-7, 0),
        ("ce", "cifar10", "paper", 5e-5, 0),
        ("anl-ce", "cifar100", "paper", 5e-6, 0),
        ("nce+rce", "cifar100", "paper", 5e-6, 0),
        ("ce", "cifar100", "eps-paper", 0, 1e-5),
        ("anl-ce", "webvision", "anl-code", 5e-6, 0),
        ("anl-ce", "cifar100", "anl-code", 5e-7, 0),
        ("ce", "webvision", "anl-code", 0, 3e-5),
        ("jal-ce", "cifar100", "anl-code", 5e-6, 0),
        ("lt-apl", "cifar10", "code", 0, 1e-4),
        ("lt-apl", "cifar100", "paper", 0, 1e-5),
        ("jal-ce", "digits", "code", 0, 0),
        ("nce + amse", "cifar10", "code", 0, 1e-4),
        *[(name, "webvision", source, 0, 3e-5) for name in ("ce", "jal-ce", "anl-ce") for source in ("code", "paper")],
        *[(name, "clothing1m", source, 0, 1e-3) for name in ("ce", "jal-ce", "anl-ce") for source in ("code", "paper")],
    ],
)
def test_regularizers(name: str, dataset: str, source: str, l1: float, l2: float) -> None:
    method = resolve_method(name, dataset, source)
    assert (method.l1, method.l2) == (l1, l2)


@pytest.mark.parametrize(
    ("dataset", "source", "regularizer", "l1", "l2"),
    [
        ("cifar10", "code", "l1", 5e-5, 0),
        ("cifar100", "code", "l1", 5e-6, 0),
        ("cifar10", "code", "l2", 1e-4, 0),
        ("cifar100", "paper", "l2", 0, 1e-5),
        ("webvision", "code", "l2", 0, 3e-5),
        ("clothing1m", "paper", "l2", 0, 1e-3),
        ("webvision", "anl-code", "l1", 5e-6, 0),
        ("digits", "code", "none", 0, 0),
    ],
)
@pytest.mark.parametrize("name", ["ce", "anl-ce", "jal-ce", "gce(q=0.5)", "nce + amse"])
def test_all_methods_under_one_regularizer(
    name: str, dataset: str, source: str, regularizer: str, l1: float, l2: float
) -> None:
    own = resolve_method(name, dataset, source)
    method = resolve_method(name, dataset, source, regularizer=regularizer)
    expected = (0, l1) if (dataset, regularizer) == ("cifar10", "l2") else (l1, l2)
    assert (method.l1, method.l2) == expected
    assert method.title == f"{own.title} with {REGULARIZERS[regularizer]}"
    assert method.loss == own.loss


@pytest.mark.parametrize("name", method_names())
def test_every_method_resolves_where_it_is_published_and_nowhere_else(name: str) -> None:
    known = published_datasets(name)
    assert "cifar10" in known
    for dataset in known:
        for source in SOURCES:
            method = resolve_method(name, dataset, source)
            assert (method.name, method.source) == (name, source)
    for dataset in set(DATASETS) - set(known):
        with pytest.raises(SpecError, match=f"no published parameters for '{dataset}'"):
            resolve_method(name, dataset)


def test_lt_apl() -> None:
    method = resolve_method("LT-APL", "cifar10", noise="symmetric", rate=0.4)
    assert method.loss == f"nce+rce(alpha=1, beta=10, A={LOG0})"
    assert (method.optimizer, method.lr, method.l1, method.l2) == ("adam", 1e-3, 0, 1e-4)
    strong, weak = "student(margin=0.1, center=0.05)", "student(margin=0.01, center=0.001)"
    mild = "student(margin=0.05, center=0.05)"
    expected: list[tuple[str, str, float, str]] = [
        ("cifar10", "symmetric", 0.4, strong),
        ("cifar10", "symmetric", 0.8, weak),
        ("cifar10", "asymmetric", 0.4, strong),
        ("cifar100", "symmetric", 0.4, mild),
        ("cifar100", "symmetric", 0.6, weak),
        ("cifar100", "symmetric", 0.8, weak),
        ("cifar100", "asymmetric", 0.4, mild),
    ]
    for dataset, noise, rate, head in expected:
        assert resolve_method("lt-apl", dataset, noise=noise, rate=rate).head == head


@pytest.mark.parametrize("name", REGISTRY)
def test_a_loss_has_one_default_wherever_nothing_is_published(name: str) -> None:
    """On the command line, in recipes, in Python and in theory, whatever the data are called."""
    default = make_loss(name).spec
    assert [resolve_method(name, dataset).loss for dataset in ("digits", "arrays", "folder", "photos", "")] == [
        default
    ] * 5
    own = {"name": "arrays", "path": "x"}
    for data, noise in (("digits", {"kind": "symmetric", "rate": 0.4}), (own, {"kind": "none"})):
        assert make_recipe({**RECIPE, "method": name, "data": data, "noise": noise}).method.loss == default
    assert guarantees(symmetric_matrix(0.4, 3), [name]).rows[0].loss == default


@pytest.mark.parametrize("name", method_names())
def test_methods_on_data_that_nothing_is_published_for(name: str) -> None:
    """Their loss has its defaults, but for what the row itself says, and no regularizer; a source changes nothing."""
    method = resolve_method(name, "photos", noise="symmetric", rate=0.8)
    entry = table()["methods"][name]
    assert method.loss == make_loss(format_call(loss_name(name), entry.get("parameters", {}))).spec
    assert (method.name, method.source, method.l1, method.l2) == (name, "default", 0, 0)
    assert {resolve_method(name, "photos", source).loss for source in SOURCES} == {method.loss}
    with pytest.raises(SpecError, match="unknown source 'papers'"):
        resolve_method(name, "photos", "papers")
    with pytest.raises(RecipeError, match=r"method.source: nothing is published for digits.*leave it out"):
        make_recipe({**RECIPE, "data": "digits", "method": {"name": name, "source": "paper"}})


def test_parameters_replace_the_published_ones() -> None:
    method = resolve_method("jal-ce(a=5)", "cifar100")
    assert method.loss == "jal-ce(alpha=5, beta=1, a=5)"
    assert method.title == "JAL-CE(a=5)"
    assert method.l1 == 5e-6
    assert resolve_method("nce+rce(A=-9)", "photos").loss == "nce+rce(alpha=1, beta=1, A=-9)"
    assert resolve_method("amse(a=5)", "cifar10").title == "AMSE(a=5)"
    assert resolve_method("nce+mae(alpha=50, beta=0.1)", "webvision").loss == "nce+mae(alpha=50, beta=0.1)"
    with pytest.raises(SpecError, match=r"Give all parameters yourself \(beta=… too\)"):
        resolve_method("nce+mae(alpha=50)", "webvision")


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("jalce", {}, "no method and no loss is called 'jalce'; did you mean 'jal-ce'"),
        ("jal-ce(b=1)", {}, "jal-ce has no parameter 'b'"),
        ("gce(q=0)", {}, "gce: q must lie in"),
        ("nce + foo", {}, "unknown loss 'foo'"),
        ("ce", {"source": "article"}, "unknown source 'article'"),
        ("nce + amse", {"source": "article"}, "unknown source 'article'"),
        ("ce", {"regularizer": "l3"}, "unknown regularizer 'l3'"),
        ("ce", {"regularizer": "plain"}, "unknown regularizer 'plain'"),
        ("ce", {"regularizer": "l1", "dataset": "webvision"}, "no strength is published for webvision"),
        ("ce", {"regularizer": "l2", "dataset": "digits"}, "no strength is published for digits"),
        ("mae(x=1)", {"source": "anl-code"}, "takes no parameters"),
    ],
)
def test_bad_methods_are_explained(spec: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        resolve_method(spec, **{"dataset": "cifar10", **options})


@given(
    st.sampled_from(method_names()),
    st.sampled_from(DATASETS),
    st.sampled_from([*SOURCES]),
    st.sampled_from(["none", "symmetric", "asymmetric", "instance", "human", None]),
    st.none() | st.floats(0, 1),
)
def test_any_noise_gives_values_or_a_clear_error(
    name: str, dataset: str, source: str, noise: str | None, rate: float | None
) -> None:
    if dataset in published_datasets(name):
        method = resolve_method(name, dataset, source, noise=noise, rate=rate)
        assert make_loss(method.loss).spec == method.loss


def test_rows_say_everything_once() -> None:
    rows = method_rows()
    keys = [(row.method.name, row.dataset, row.noise, row.rate, row.method.source) for row in rows]
    assert len(set(keys)) == len(keys)
    assert {row.method.name for row in rows} == set(method_names())
    for row in rows:
        known = {*SOURCES, "the row itself"}
        assert row.parameters.keys() == row.origins.keys()
        assert set(row.origins.values()) <= known
        hyperparameters = make_loss(row.method.loss).hyperparameters
        assert all(hyperparameters[key] == value for key, value in row.parameters.items())
        assert row.method == resolve_method(
            row.method.name, row.dataset, row.method.source, noise=row.noise, rate=row.rate
        )
    json.dumps([row.as_json() for row in rows], allow_nan=False)
    with pytest.raises(SpecError, match="did you mean 'cifar10'"):
        method_rows(dataset="cifar")


@pytest.mark.parametrize("name", method_names())
def test_every_method_is_described(name: str) -> None:
    described = describe_method(name)
    assert described.definition
    assert "20" in described.paper or name == "ce"


def test_the_disagreements() -> None:
    entries = disagreements()
    assert len(entries) == 22
    for entry in entries:
        assert set(entry.methods) <= set(method_names())
        assert all([entry.about, entry.text, entry.code, entry.taken, entry.why])
    assert [entry.about for entry in disagreements("gce")] == ["q of GCE"]
    assert len({entry.about for entry in entries}) == 22
