"""Names, expressions, sums and the errors of all of them."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from loss_cases import CASES, case_name
from noiseproof.errors import SpecError
from noiseproof.losses import (
    AMSE,
    CE,
    GCE,
    JALCE,
    MAE,
    NCE,
    REGISTRY,
    Active,
    Loss,
    Sum,
    make_loss,
    normalized,
    parameter,
)

LOGITS = torch.randn(8, 10, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(8)


@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_spec_reads_back(loss: Loss) -> None:
    again = make_loss(loss.spec)
    assert again.spec == loss.spec
    assert again(LOGITS, LABELS) == loss(LOGITS, LABELS)


@pytest.mark.parametrize(
    ("spec", "canonical"),
    [
        ("jal-ce", "jal-ce(alpha=1, beta=1, a=30)"),
        ("JAL-CE(a=5)", "jal-ce(alpha=1, beta=1, a=5)"),
        ("jal-ce(alpha=1, beta=1, a=30)", "jal-ce(alpha=1, beta=1, a=30)"),
        ("nce + 0.5*amse(a=10)", "1*nce + 0.5*amse(a=10, q=2)"),
        ("nce+amse", "1*nce + 1*amse(a=30, q=2)"),
        ("2*(ce + 3*mae)", "2*ce + 6*mae"),
        ("normalized(ce) + rce(A=-1e-3)", "1*normalized(ce) + 1*rce(A=-0.001)"),
        ("nce+rce", "nce+rce(alpha=1, beta=1, A=-4)"),
        (" nce+mae ( beta = 2 ) ", "nce+mae(alpha=1, beta=2)"),
        ("nce + rce", "1*nce + 1*rce(A=-4)"),
    ],
)
def test_spellings(spec: str, canonical: str) -> None:
    assert make_loss(spec).spec == canonical
    assert make_loss(canonical).spec == canonical


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gcee", "unknown loss 'gcee'; did you mean 'gce'"),
        ("nce + foo", "unknown loss 'foo'"),
        ("gce(q=0)", r"gce: q must lie in \(0, 1\], got 0"),
        ("gce(q=1.5)", r"q must lie in \(0, 1\]"),
        ("aul(a=1)", r"aul: a must lie in \(1, inf\), got 1"),
        ("amse(a=0.5)", r"amse: a must lie in \[1, inf\)"),
        ("amse(q=-1)", r"amse: q must lie in \(0, inf\)"),
        ("rce(A=4)", r"rce: A must lie in \(-inf, 0\)"),
        ("jal-ce(aa=3)", "jal-ce has no parameter 'aa'; did you mean 'a'"),
        ("nce(q=1)", "nce has no parameter 'q'; it has none"),
        ("gce(q=true)", "q must be a number"),
        ("gce(q=1, q=1)", "takes q once"),
        ("gce(ce)", "takes parameters by name"),
        ("normalized(ce, mae)", "takes one loss"),
        ("normalized(amse)", "expected a loss of the label's probability alone"),
        ("normalized(ce + mae)", "expected a loss of the label's probability alone"),
        ("nce +", "at the end: expected a name"),
        ("nce - mae", "expected '\\+' or the end"),
        ("0.5 nce", r"expected '\*'"),
        ("", "at the end: expected a name"),
        ("nce + mae", "two ways: 'nce\\+mae', without spaces, is the published combination 1\\*nce \\+ 0.5\\*mae"),
        ("__import__('os')", "cannot read"),
    ],
)
def test_bad_specs_are_explained(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_loss(spec)


@given(st.text(max_size=30))
def test_any_text_is_a_loss_or_a_clear_error(text: str) -> None:
    try:
        make_loss(text)
    except SpecError:
        pass


def test_sums_in_python() -> None:
    loss = 0.5 * NCE() + AMSE(a=10) * 2 + 3 * (CE() + MAE())
    assert loss.spec == "0.5*nce + 2*amse(a=10, q=2) + 3*ce + 3*mae"
    parts = 0.5 * NCE()(LOGITS, LABELS) + 2 * AMSE(a=10)(LOGITS, LABELS) + 3 * (CE() + MAE())(LOGITS, LABELS)
    torch.testing.assert_close(loss(LOGITS, LABELS), parts)
    with pytest.raises(TypeError):
        NCE() + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        NCE() * "2"  # type: ignore[operator]


def test_jal_is_its_expression() -> None:
    jal = JALCE(alpha=5, beta=1, a=20)
    expression = 5 * normalized(CE()) + AMSE(a=20)
    torch.testing.assert_close(jal(LOGITS, LABELS), expression(LOGITS, LABELS))


def test_published_nce_mae_has_half_of_mae() -> None:
    torch.testing.assert_close(make_loss("nce+mae")(LOGITS, LABELS), (NCE() + 0.5 * MAE())(LOGITS, LABELS))


def test_options_of_a_sum() -> None:
    assert (NCE(reduction="sum") + MAE(reduction="sum")).reduction == "sum"
    with pytest.raises(SpecError, match="different reduction"):
        NCE(reduction="sum") + MAE()
    weight = torch.ones(10)
    loss = make_loss("ce + gce", weight=weight, reduction="none")
    assert loss(LOGITS, LABELS).shape == (8,)
    assert loss.weight is weight
    with pytest.raises(SpecError, match=r"weight -1.* of nce: expected a number in \[0, inf\)"):
        Sum([(-1.0, NCE())])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reduction": "average"}, "expected 'mean', 'sum' or 'none'"),
        ({"label_smoothing": 1.5}, r"expected a share in \[0, 1\]"),
        ({"weight": torch.ones(2, 2)}, "expected floating-point numbers of shape"),
        ({"weight": torch.ones(2, dtype=torch.int64)}, "expected floating-point numbers"),
    ],
)
def test_bad_options_are_explained(options: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        GCE(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_losses_are_modules_and_values(loss: Loss) -> None:
    for again in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), loss.with_options(reduction="sum")):
        assert again.spec == loss.spec
        assert again.hyperparameters == loss.hyperparameters
    assert not list(loss.parameters())
    for key in loss.hyperparameters:
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(loss, key, 2.0)
    assert list(inspect.signature(type(loss)).parameters)[-1] == "label_smoothing"
    assert type(loss).__doc__
    assert type(loss).title


def test_weight_moves_with_the_module() -> None:
    assert GCE(weight=torch.ones(3)).double().weight is not None
    assert GCE(weight=torch.ones(3)).double().weight.dtype == torch.float64  # type: ignore[union-attr]


def test_a_loss_of_ones_own_is_registered_and_works() -> None:
    try:

        class Squared(Active, name="squared-error-of-the-label"):
            """(1 - p_y)^power."""

            power: float = parameter(default=2.0, domain="[1, inf)")

            def value(self, label):  # type: ignore[no-untyped-def]
                return (1 - label.p) ** self.power

            def slope(self, label):  # type: ignore[no-untyped-def]
                return -self.power * (1 - label.p) ** (self.power - 1) * label.p

        loss = make_loss("nce + squared-error-of-the-label(power=3)")
        logits = LOGITS.double().requires_grad_()
        assert torch.autograd.gradcheck(loss, (logits, LABELS))
        with pytest.raises(SpecError, match="exists already"):

            class Other(Active, name="squared-error-of-the-label"):
                """Another."""

    finally:
        del REGISTRY["squared-error-of-the-label"]


def test_repr_shows_parameters_and_unusual_options() -> None:
    assert repr(GCE(q=0.5)) == "GCE(q=0.5)"
    assert repr(GCE(reduction="sum")) == "GCE(q=0.7, reduction=sum)"
    assert repr(2 * NCE()) == "Sum(2*nce)"
    assert repr(normalized(CE())) == "Normalized(ce)"
