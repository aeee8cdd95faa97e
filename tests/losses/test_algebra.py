"""Names, expressions, sums and the errors of all of them."""

from __future__ import annotations

import contextlib
import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from loss_cases import CASES, case_name
from noiseproof.errors import SpecError
from noiseproof.losses import REGISTRY, LabelLoss, Loss, make_loss, negative, normalized, parameter
from noiseproof.losses.base import Sum
from noiseproof.losses.definitions import AMSE, CE, GCE, MAE
from noiseproof.losses.published import JALCE, NCE

LOGITS = torch.randn(8, 10, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(8)


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
        ("agce(a=600, q=300)", r"the largest value, about 601\^300, is beyond what a float64 holds"),
        ("nce+aul(a=1e9, p=1e3)", "aul.*is beyond what a float64 holds"),
        ("amse(q=-1)", r"amse: q must lie in \(0, inf\)"),
        ("rce(A=4)", r"rce: A must lie in \[-1e30, 0\)"),
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


_PIECES = ["(", ")", ",", "=", "+", "*", "-", " ", "\n", "\0", "\x1b[31m", "٣", "²", "\u00a0", "\ud800", "é", "1e400",
           "-0.0", "9" * 400, "1", "0", "0.5", ".", "true", "nan", "inf", "ce", "nce+mae", "gce(q=0.5)", "jal-ce(a=3)",
           "p_min", "normalized(", "negative(", "label_smoothing=", "weight=", "a=", "__import__('os')"]  # fmt: skip


@given(st.lists(st.sampled_from(_PIECES), max_size=40), st.integers(1, 200))
def test_any_long_text_is_a_loss_or_a_clear_error(pieces: list[str], times: int) -> None:
    for text in ("".join(pieces), "".join(pieces) * times, "".join(piece * times for piece in pieces)):
        with contextlib.suppress(SpecError):
            loss = make_loss(text[:5000])
            assert make_loss(loss.spec).spec == loss.spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(" * 300 + "ce" + ")" * 300, "more than 50 brackets in brackets"),
        ("normalized(" * 300 + "ce" + ")" * 300, "more than 50 brackets in brackets"),
        (f"gce(q={'1' * 400})", "a number beyond what a float holds"),
        (f"gce(q={'1' * 5000})", "a number beyond what a float holds"),
        (f"{'9' * 400}*ce", "a number beyond what a float holds"),
        ("1e25*(1e25*ce)", r"weight 1e\+50 of ce: expected a number in \[0, 1e30\]"),
        ("gce(q=٠.٥)", "cannot read"),
        ("ce\0", "cannot read"),
        ("0*ce", r"0\*ce: all weights are 0, so that nothing is left of the loss"),
        ("0*ce + 2*(0*mae)", "all weights are 0"),
        ("jal-ce(alpha=0, beta=0)", r"jal-ce\(alpha=0, beta=0, a=30\): all weights are 0"),
        ("ce + nce+0*mae + jal-fl(alpha=0, beta=0)", "all weights are 0"),
        ("negative(ce-eps)", "depends on which class is the largest"),
        ("negative(fl-eps, p_min=1e-3)", "depends on which class is the largest"),
        ("negative(amse)", "expected a loss of the label's probability alone"),
        ("normalized(nlnl)", "expected a loss of the label's probability alone"),
        ("normalized(nce)", "expected a loss of the label's probability alone"),
        ("ce(reduction=sum)", r"give it beside the text, make_loss\(…, reduction=…\)"),
        ("gce(q=0.5, weight=2)", "weight has no place in the text"),
        ("negative(ce, ignore_index=0)", "ignore_index has no place in the text"),
        ("ce(label_smoothing=1.1)", r"ce: label_smoothing must lie in \[0, 1\], got 1.1"),
        ("ce(label_smoothing=true)", "label_smoothing must be a number"),
        ("normalized(ce(label_smoothing=0.1), label_smoothing=0.2)", "write it once"),
        ("ce(label_smoothing=0.1) + mae", "different label_smoothing"),
    ],
)
def test_bad_texts_are_explained(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_loss(text)


@pytest.mark.parametrize("value", [10**400, float("nan"), float("inf"), "0.5", None, 1j])
def test_parameters_that_are_no_numbers_of_the_domain(value: object) -> None:
    with pytest.raises(SpecError, match="gce: q "):
        GCE(q=value)  # type: ignore[arg-type]


def test_a_sum_of_nothing_is_refused_where_it_is_called() -> None:
    assert (0 * CE() + MAE()).spec == "0*ce + 1*mae"
    with pytest.raises(SpecError, match="nothing is left of the loss"):
        (0 * CE())(LOGITS, LABELS)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("ce(label_smoothing=0.1)", "ce(label_smoothing=0.1)"),
        ("ce(label_smoothing=0)", "ce"),
        ("GCE(label_smoothing=.5, q=1)", "gce(q=1, label_smoothing=0.5)"),
        ("nce+rce(label_smoothing=0.2)", "nce+rce(alpha=1, beta=1, A=-4, label_smoothing=0.2)"),
        ("normalized(ce(label_smoothing=0.1))", "normalized(ce, label_smoothing=0.1)"),
        ("negative(ce, label_smoothing=0.1)", "negative(ce, p_min=1e-08, label_smoothing=0.1)"),
        ("2*(ce(label_smoothing=1) + nce(label_smoothing=1))", "2*ce(label_smoothing=1) + 2*nce(label_smoothing=1)"),
    ],
)
def test_label_smoothing_is_a_part_of_the_text(text: str, canonical: str) -> None:
    loss = make_loss(text)
    assert loss.spec == canonical
    again = make_loss(canonical)
    assert again.label_smoothing == loss.label_smoothing
    assert again(LOGITS, LABELS) == loss(LOGITS, LABELS)


@given(
    st.lists(st.tuples(st.sampled_from(CASES), st.floats(0, 100)), min_size=1, max_size=3),
    st.sampled_from([0.0, 1e-3, 0.1, 1 / 3, 1.0]),
    st.booleans(),
)
def test_what_is_made_reads_back_from_its_spec(
    terms: list[tuple[Loss, float]], smoothing: float, operated: bool
) -> None:
    losses = [loss for loss, _ in terms]
    if operated:
        losses = [normalized(one) if type(one) in (CE, GCE, MAE) else one for one in losses]
    loss = Sum([(weight, one) for one, (_, weight) in zip(losses, terms, strict=True)])
    if len(terms) == 1:
        loss = losses[0]  # type: ignore[assignment]
    elif not any(weight for _, weight in terms):
        return
    for smoothed in (loss.with_options(label_smoothing=smoothing), make_loss(loss, label_smoothing=smoothing)):
        again = make_loss(smoothed.spec)
        assert again.spec == smoothed.spec
        assert again.label_smoothing == smoothing
        assert again(LOGITS, LABELS) == smoothed(LOGITS, LABELS)
        assert make_loss(smoothed.with_options(reduction="none").spec).spec == smoothed.spec
    assert loss.with_options(label_smoothing=smoothing).with_options(label_smoothing=0).spec == loss.spec


def test_with_parameters_of_expressions() -> None:
    assert (
        normalized(GCE(label_smoothing=0.1)).with_parameters(q=0.3).spec
        == "normalized(gce(q=0.3), label_smoothing=0.1)"
    )
    changed = negative(GCE(reduction="sum")).with_parameters(q=0.3, p_min=1e-3)
    assert changed.spec == "negative(gce(q=0.3), p_min=0.001)"
    assert changed.reduction == "sum"
    assert changed.hyperparameters == {"p_min": 1e-3}
    with pytest.raises(AttributeError, match="cannot be changed"):
        changed.p_min = 0.1
    with pytest.raises(SpecError, match="a sum has no parameter 'a': make it anew"):
        (NCE() + AMSE()).with_parameters(a=3)
    with pytest.raises(SpecError, match="ce has no parameter 'a'"):
        normalized(CE()).with_parameters(a=3)
    with pytest.raises(SpecError, match=r"p_min must lie in \(0, 0.5\)"):
        negative(CE()).with_parameters(p_min=0.5)


@pytest.mark.parametrize("spec", ["nnce", "nnfl", "anl-ce", "anl-fl", "negative(gce(q=0.5), p_min={})"])
def test_p_min_is_compared_with_the_number_of_classes(spec: str) -> None:
    made = [make_loss(spec.format(p) if "{" in spec else f"{spec}(p_min={p})") for p in (0.49, 1 / 3, 0.33)]
    for loss in made[:2]:
        assert loss(torch.zeros(2, 2), LABELS[:2]).isfinite()
        with pytest.raises(SpecError, match=r"p_min must lie below 1/K, got p_min=0\.\d+ with K=3 classes"):
            loss(torch.zeros(2, 3), LABELS[:2])
    assert made[2](torch.zeros(2, 3), LABELS[:2]).isfinite()


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
    with pytest.raises(SpecError, match=r"weight -1.* of nce: expected a number in \[0, 1e30\]"):
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
    again = loss.with_options(reduction="sum")
    assert again.spec == loss.spec
    assert again.hyperparameters == loss.hyperparameters
    assert not list(loss.parameters())
    assert list(inspect.signature(type(loss)).parameters)[-1] == "label_smoothing"
    assert type(loss).__doc__
    assert type(loss).title


def test_weight_moves_with_the_module() -> None:
    assert GCE(weight=torch.ones(3)).double().weight is not None
    assert GCE(weight=torch.ones(3)).double().weight.dtype == torch.float64  # type: ignore[union-attr]


def test_a_loss_of_ones_own_is_registered_and_works() -> None:
    try:

        class Squared(LabelLoss, name="squared-error-of-the-label"):
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

            class Other(LabelLoss, name="squared-error-of-the-label"):
                """Another."""

    finally:
        del REGISTRY["squared-error-of-the-label"]


def test_repr_shows_parameters_and_unusual_options() -> None:
    assert repr(GCE(q=0.5)) == "GeneralizedCrossEntropyLoss(q=0.5)"
    assert repr(GCE(reduction="sum")) == "GeneralizedCrossEntropyLoss(q=0.7, reduction=sum)"
    assert repr(2 * NCE()) == "Sum(2*nce)"
    assert repr(normalized(CE())) == "Normalized(ce)"
