"""Every loss is called as torch.nn.CrossEntropyLoss is, and nothing that can be given to it is silently misread."""

from __future__ import annotations

import copy
import inspect
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.nn import functional
from torch.testing._internal.composite_compliance import check_backward_formula, check_with_mode

from conftest import unfreeze_flags_of_torch
from loss_cases import CASES, ONE_OF_EACH, case_name, in_time
from noiseproof.errors import LabelError, SpecError
from noiseproof.losses import (
    REGISTRY,
    JointAsymmetricLoss,
    LabelLoss,
    Loss,
    make_loss,
    negative,
    normalized,
    parameter,
)
from noiseproof.losses import functional as F
from noiseproof.losses.definitions import CE, GCE
from noiseproof.losses.kernel import evaluate
from noiseproof.losses.kernel.form import Form
from noiseproof.losses.published import JALCE, NCE
from reference_losses import REFERENCES, value_and_gradient

unfreeze_flags_of_torch()

WEIGHT = torch.tensor([0.5, 2.0, 1.0, 0.25, 1.5], dtype=torch.float64)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"reduction": "sum"},
    {"reduction": "none"},
    {"label_smoothing": 0.2},
    {"weight": WEIGHT},
    {"weight": WEIGHT, "label_smoothing": 0.2, "reduction": "none"},
]

each_loss = pytest.mark.parametrize("loss", ONE_OF_EACH, ids=case_name)
each_loss_in_time = pytest.mark.parametrize("loss", in_time(ONE_OF_EACH))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Walk through small inputs as through large ones."""
    monkeypatch.setattr(evaluate, "_BLOCK", 100)
    monkeypatch.setattr(evaluate, "_SMALL", 200)


def _logits(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape or (6, 5), generator=torch.Generator().manual_seed(3), dtype=dtype)


def _step(loss: Any, logits: Tensor, target: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """The value and the gradient; with the same draws each time."""
    torch.manual_seed(0)
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, target)
    (gradient,) = torch.autograd.grad(value.sum() * scale, leaf)
    return value.detach(), gradient


@pytest.mark.parametrize("logits", [np.zeros((2, 3)), [[0.0] * 3] * 2, None])
def test_what_is_no_tensor_is_named(logits: Any) -> None:
    with pytest.raises(
        LabelError, match=f"logits are a {type(logits).__name__} and targets a Tensor: expected tensors"
    ):
        make_loss("ce")(logits, torch.tensor([0, 1]))
    with pytest.raises(LabelError, match="and targets a list: expected tensors"):
        make_loss("ce")(torch.zeros(2, 3), [0, 1])


# Ignored rows.


@each_loss
@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf])
def test_an_ignored_row_may_hold_anything(loss: Loss, garbage: float) -> None:
    logits = _logits()
    spoilt = logits.clone()
    spoilt[1] = garbage
    spoilt[4, 2] = garbage
    labels = torch.tensor([0, -100, 2, 3, -100, 1])
    for options in OPTIONS:
        own = loss.with_options(**options)
        value, gradient = _step(own, spoilt, labels)
        expected, expected_gradient = _step(own, logits, labels)
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
        assert not value.isnan().any()
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-12, atol=0)
        assert not gradient[labels < 0].any()
        # without a gradient, under a transform, twice differentiated
        torch.manual_seed(0)
        torch.testing.assert_close(own(spoilt, labels), expected, rtol=1e-12, atol=0)
        torch.manual_seed(0)
        plain = torch.func.grad(lambda z: own(z, labels).sum())(spoilt)  # noqa: B023
        torch.testing.assert_close(plain, expected_gradient, rtol=1e-9, atol=1e-12)
        leaf = spoilt.clone().requires_grad_()
        (first,) = torch.autograd.grad(own(leaf, labels).sum(), leaf, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), leaf)
        assert first.isfinite().all()
        assert second.isfinite().all()
        assert not second[labels < 0].any()


@each_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_ignored_rows_of_large_inputs(loss: Loss, dtype: torch.dtype, small_blocks: None) -> None:
    logits = _logits(70, 10, dtype=dtype)
    labels = torch.arange(70) % 10
    labels[::7] = -100
    spoilt = logits.clone()
    spoilt[::7] = math.nan
    value, gradient = _step(loss, spoilt, labels)
    expected, expected_gradient = _step(loss, logits, labels)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, expected_gradient)
    assert not gradient[::7].any()
    assert gradient[1].any()


@each_loss
@pytest.mark.parametrize("label", [5, 7, -1, -4, 10**12])
def test_a_label_that_is_no_class_is_refused(loss: Loss, label: int) -> None:
    labels = torch.tensor([0, 1, label, -100])
    for options in OPTIONS:
        own = loss.with_options(**options)
        for wanted in (True, False):
            with pytest.raises(LabelError, match=f"target {label} is no class"):
                own(_logits(4, 5).requires_grad_(wanted), labels)
        with pytest.raises(LabelError, match=f"target {label} is no class"):
            torch.func.grad(lambda z: own(z, labels).sum())(_logits(4, 5))  # noqa: B023
    many = torch.full((600,), label if label < 0 else label + 5000)
    with pytest.raises(LabelError, match="is no class"):
        loss(_logits(600, 5000, dtype=torch.float32).requires_grad_(), many)
    if abs(label) < 10:
        with pytest.raises((RuntimeError, IndexError)):  # mapped over, labels cannot be read
            torch.func.vmap(lambda z, y: loss(z[None], y[None]))(_logits(4, 5), labels)


def test_a_loss_that_does_not_look_its_label_up_refuses_it_too() -> None:
    class Constant(LabelLoss):
        """The same for all labels."""

        def value(self, label: Any) -> float:
            return 1.0

        def slope(self, label: Any) -> float:
            return 0.0

    assert _step(Constant(), _logits(), torch.arange(6) % 5)[0] == 1
    with pytest.raises(LabelError, match="target 9 is no class"):
        Constant()(_logits(), torch.tensor([0, 1, 2, 3, 4, 9]))
    with pytest.raises(RuntimeError):
        torch.func.vmap(lambda z, y: Constant()(z[None], y[None]))(_logits(), torch.tensor([0, 1, 2, 3, 4, 9]))


@each_loss
def test_probability_targets_cannot_be_ignored(loss: Loss) -> None:
    target = torch.softmax(_logits(), 1)
    with pytest.raises(LabelError, match="ignore_index=2 with probability targets"):
        loss.with_options(ignore_index=2)(_logits(), target)
    assert loss(_logits(), target).isfinite()


# Options.


@each_loss
@pytest.mark.parametrize("size", [1, 3, 6])
def test_weight_has_one_number_for_each_class(loss: Loss, size: int) -> None:
    own = loss.with_options(weight=torch.ones(size))
    with pytest.raises(LabelError, match=f"weight has {size} numbers.* 5 classes"):
        own(_logits(), torch.arange(6) % 5)
    with pytest.raises(LabelError, match=f"weight has {size} numbers.* 5 classes"):
        own.with_options(reduction="none")(_logits().requires_grad_(), torch.softmax(_logits(), 1))


def test_a_parameter_without_its_name_is_no_weight() -> None:
    with pytest.raises(SpecError, match=r"given by its name, as in JointAsymmetricLoss\(a=5\)"):
        JointAsymmetricLoss(5)  # type: ignore[arg-type]


@each_loss
def test_options_can_be_set_and_are_checked_then_too(loss: Loss) -> None:
    logits, labels = _logits(), torch.arange(6) % 5
    own = copy.deepcopy(loss)
    for key, wrong in (
        ("reduction", "average"),
        ("reduction", None),
        ("label_smoothing", 1.5),
        ("label_smoothing", math.nan),
        ("label_smoothing", "0.1"),
        ("ignore_index", 1.5),
        ("ignore_index", None),
        ("ignore_index", 2**70),
        ("weight", torch.ones(2, 2)),
        ("weight", ["a", "b"]),
        ("weight", torch.ones(2, dtype=torch.int64)),
    ):
        with pytest.raises(SpecError, match=key):
            setattr(own, key, wrong)
        with pytest.raises(SpecError, match=key):
            loss.with_options(**{key: wrong})
    assert own.options == loss.options
    options = {"reduction": "sum", "label_smoothing": 0.1, "ignore_index": 3, "weight": WEIGHT}
    for key, value in options.items():
        setattr(own, key, value)
    for first, second in zip(
        _step(own, logits, labels), _step(loss.with_options(**options), logits, labels), strict=True
    ):
        assert torch.equal(first, second)
    assert own.with_options(ignore_index=-100).options["reduction"] == "sum"
    own.weight = None
    assert own.state_dict() == {}


def test_a_module_with_weights_moves_and_is_saved() -> None:
    loss = GCE(WEIGHT)
    assert loss.float().weight is not None
    assert loss.weight is not None
    assert loss.weight.dtype == torch.float32
    other = GCE(torch.ones(5))
    other.load_state_dict(loss.state_dict())
    assert torch.equal(other.weight, loss.weight)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "weight",
    [
        [1, 2, 3],
        (1.0, 2.0, 3.0),
        np.array([1, 2, 3]),
        np.array([1.0, 2.0, 3.0]),
        np.array([1, 2, 3], dtype=np.float16),
        np.array([1, 2, 3], dtype=">f8"),
        np.array([3, 2, 1])[::-1],
        [np.float64(1), np.float32(2), np.int64(3)],
    ],
)
def test_weight_may_be_a_list_or_an_array(weight: Any) -> None:
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    expected = functional.cross_entropy(logits, labels, weight=torch.tensor([1.0, 2.0, 3.0]))
    for value in (
        CE(weight)(logits, labels),
        CE(weight=weight)(logits, labels),
        make_loss("ce", weight=weight)(logits, labels),
        F.ce(logits, labels, weight),
    ):
        torch.testing.assert_close(value, expected)
    assert (NCE(weight) + GCE(weight)).weight is not None


def test_parameters_may_be_numbers_of_numpy() -> None:
    """As a grid search over an array hands them on."""
    for a in (np.int64(5), np.float32(5), np.float64(5), np.uint8(5), np.array(5)):
        assert JALCE(a=a).spec == JALCE(a=5).spec
        assert JALCE().with_parameters(a=a).spec == JALCE(a=5).spec
        logits = torch.zeros(1, 10)
        assert F.jal_ce(logits, torch.tensor([0]), a=a) == F.jal_ce(logits, torch.tensor([0]), a=5)
    for factor in (np.int64(2), np.float32(2), np.float64(2)):
        assert (factor * NCE()).spec == (2 * NCE()).spec == (NCE() * factor).spec
    assert not make_loss("fl").with_parameters(detached=np.bool_(False)).hyperparameters["detached"]
    options = GCE(ignore_index=np.int64(3), label_smoothing=np.float32(0.5), reduction=np.str_("sum")).options
    assert options == {"weight": None, "ignore_index": 3, "label_smoothing": 0.5, "reduction": "sum"}
    for wrong in ([5], "5", np.array([5.0]), torch.tensor(5.0, requires_grad=True)):
        with pytest.raises(SpecError, match="a must be a number"):
            JALCE(a=wrong)
        with pytest.raises(SpecError, match="a must be a number"):
            F.jal_ce(torch.zeros(1, 3), torch.tensor([0]), a=wrong)


def test_a_flag_is_no_number_of_the_same_size() -> None:
    logits, labels = torch.zeros(1, 3), torch.tensor([0])
    F.gce(logits, labels, q=1)
    with pytest.raises(SpecError, match="q must be a number"):
        F.gce(logits, labels, q=True)


@each_loss
def test_a_weight_that_requires_a_gradient_gets_one(loss: Loss) -> None:
    logits, labels = _logits(), torch.arange(6) % 5
    for options in ({}, {"label_smoothing": 0.2}, {"reduction": "none"}):
        weight = WEIGHT.clone().requires_grad_()
        values = []
        for shift in (1e-6, -1e-6, 0.0):
            torch.manual_seed(0)
            moved = weight + shift * torch.eye(5, dtype=torch.float64)[1] if shift else weight
            values.append(loss.with_options(weight=moved, **options)(logits, labels).sum())
        (gradient,) = torch.autograd.grad(values[2], weight)
        assert gradient[1].item() == pytest.approx((values[0] - values[1]).item() / 2e-6, rel=1e-4, abs=1e-8)


# Half precision.


def _relative_error(found: Tensor, true: Tensor) -> float:
    return ((found.double() - true.double()).norm() / true.double().norm()).item()


@each_loss_in_time
@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_as_exact_as_converting_first(loss: Loss, dtype: torch.dtype, small_blocks: None) -> None:
    """Whatever scale arrives: the gradient is rounded once, when it leaves."""
    batches = [
        (_logits(8, 10, dtype=dtype), torch.arange(8) % 10),
        (_logits(64, 10, dtype=dtype), torch.arange(64) % 10),  # in blocks
        (_logits(2, 10, 5, 5, dtype=dtype), torch.arange(2 * 5 * 5).reshape(2, 5, 5) % 10),
    ]
    choices = ({}, {"reduction": "none"}, {"weight": torch.linspace(0.5, 2, 10)}, {"label_smoothing": 0.1})
    for (logits, labels), options in itertools.product(batches, choices):
        own = loss.with_options(**options)
        for scale in (1.0, 4096.0, 65536.0, 1000.0):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                value, gradient = _step(own, logits, labels, scale)
                converted, expected = _step(lambda z, y: own(z.float(), y), logits, labels, scale)  # noqa: B023
            assert value.dtype == torch.float32
            assert gradient.dtype == dtype
            assert torch.equal(value, converted)
            assert torch.equal(gradient, expected)


def test_half_precision_of_large_inputs() -> None:
    logits, labels = _logits(600, 1000, dtype=torch.bfloat16), torch.arange(600) % 1000
    for scale in (1.0, 3000.0):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            _, gradient = _step(JALCE(), logits, labels, scale)
            _, expected = _step(lambda z, y: JALCE()(z.float(), y), logits, labels, scale)
        assert torch.equal(gradient, expected)


def test_loss_scaling_loses_no_gradient() -> None:
    logits, labels = _logits(4096, 1000, dtype=torch.float16), torch.arange(4096) % 1000
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, true = _step(NCE(), logits.double(), labels, 65536.0)
        _, found = _step(NCE(), logits, labels, 65536.0)
    assert _relative_error(found, true) < 1e-3


@each_loss_in_time
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_what_half_precision_expects_changes_no_bit(loss: Loss, dtype: torch.dtype, small_blocks: None) -> None:
    """A large gradient is rounded for the scale of the last steps; every other scale finds it computed anew."""
    logits, labels = _logits(64, 10, dtype=dtype), torch.arange(64) % 10
    for options in ({}, {"reduction": "none"}, {"weight": torch.linspace(0.5, 2, 10)}):
        own = loss.with_options(**options)
        for scale in (1.0, 1000.0, 1000.0, 1000.0, 1000.0, 3.0, 1.0, 65536.0, 65536.0, 65536.0, 1e-3):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                _, gradient = _step(own, logits, labels, scale)
                drawn = torch.rand(())
                _, expected = _step(lambda z, y: own(z.float(), y), logits, labels, scale)  # noqa: B023
                assert torch.equal(drawn, torch.rand(()))
            assert torch.equal(gradient, expected)


def test_half_precision_waits_in_half_precision_for_what_came_last_time() -> None:
    loss = JALCE()
    logits, labels = _logits(600, 1000, dtype=torch.bfloat16).requires_grad_(), torch.arange(600)

    def waiting(scale: float) -> list[torch.dtype]:
        types: list[torch.dtype] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: types.append(t.dtype) or t, lambda t: t):
            value = loss(logits, labels)
        torch.autograd.grad(value * scale, logits)
        return types[:2]  # the logits and the gradient

    half, single = [torch.bfloat16, torch.bfloat16], [torch.bfloat16, torch.float32]
    assert [waiting(scale) for scale in (1.0, 1.0, 1024.0, 1024.0, 1024.0)] == [half, half, half, single, half]


def test_a_gradient_that_is_computed_anew_needs_its_targets() -> None:
    labels = torch.arange(600)
    logits = _logits(600, 1000, dtype=torch.float16).requires_grad_()
    value = CE()(logits, labels)
    labels += 1
    with pytest.raises(RuntimeError, match="changed in place"):
        (value * 2).backward()


def test_float32_is_not_kept_twice() -> None:
    """What waits for the backward is one array of the logits' size."""
    sizes = []
    logits = torch.randn(600, 1000, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
        JALCE()(logits, torch.arange(600))
    assert sizes == [600_000, 600_000]  # the logits, which are there anyway, and the gradient


# A user's own losses.


def test_the_sum_over_the_classes_is_the_same_with_and_without_a_gradient() -> None:
    try:

        class Others(Loss, name="mean-of-the-others"):
            """The mean over the other labels of the cross-entropy."""

            def form(self, rows: Any) -> Form:
                parts = (lambda label: 2 - label.log), (lambda label: -1.0)
                return (rows.over_classes(*parts).times(rows.mass) - rows.of_label(*parts)) / (rows.num_classes - 1)

        logits, labels = _logits(), torch.arange(6) % 5
        log = torch.log_softmax(logits, 1)
        expected = 2 - (log.sum(1) - log[torch.arange(6), labels]).mean() / 4
        torch.testing.assert_close(Others()(logits, labels), expected)
        torch.testing.assert_close(_step(Others(), logits, labels)[0], expected)
        assert torch.autograd.gradcheck(Others(), (logits.requires_grad_(), labels))
        assert torch.autograd.gradcheck(Others(label_smoothing=0.2), (logits, labels))
    finally:
        del REGISTRY["mean-of-the-others"]


def test_a_slope_that_is_a_number_leaves_a_constant_in_the_value() -> None:
    class Shifted(CE):
        """1 - 2 log p."""

        start: float = parameter(default=1.0, domain="[0, inf)")

        def value(self, label: Any) -> Tensor:
            return self.start - 2 * label.log

        def slope(self, label: Any) -> int:
            return -2

    logits, labels = _logits().requires_grad_(), torch.arange(6) % 5
    log = torch.log_softmax(logits, 1)
    every = 1 - 2 * log
    expected = (every[torch.arange(6), labels] / every.sum(1)).mean()
    for loss in (normalized(Shifted()), negative(Shifted()), Shifted()):
        assert torch.autograd.gradcheck(loss, (logits, labels))
        torch.testing.assert_close(loss(logits.detach(), labels), _step(loss, logits.detach(), labels)[0])
    torch.testing.assert_close(normalized(Shifted())(logits, labels), expected)


# The borders of the numbers.


AUTOGRAD_HAS_NO_LIMIT = {
    "agce(a=0, q=0.5)",
    "amse(a=2, q=0.5)",
    "ce-eps(m=0, floor=0)",
    "fl(gamma=0.5, detached=false)",
    "fl(gamma=2, detached=false)",
    "nfl(gamma=0.5, detached=false)",
}
"""Where the plain formula, differentiated under a transform, multiplies infinity with 0; the closed form does not."""


@pytest.mark.parametrize("loss", CASES, ids=case_name)
@pytest.mark.parametrize("classes", [5, 600])
def test_a_row_whose_own_label_is_masked_has_the_limit(loss: Loss, classes: int) -> None:
    logits = _logits(2, classes)
    logits[:, 1] = -math.inf
    labels = torch.tensor([1, 1])
    value, gradient = _step(loss.with_options(reduction="none"), logits, labels)
    plain = torch.func.grad(lambda z: loss.with_options(reduction="sum")(z, labels))(logits)
    assert gradient.isfinite().all()
    if loss.spec not in AUTOGRAD_HAS_NO_LIMIT:
        others = torch.arange(classes) != 1  # a logit that is -inf cannot move
        torch.testing.assert_close(gradient[:, others], plain[:, others], rtol=1e-9, atol=1e-12)
    soft, soft_gradient = _step(
        loss.with_options(reduction="none"), logits, functional.one_hot(labels, classes).double()
    )
    torch.testing.assert_close(soft, value)
    torch.testing.assert_close(soft_gradient, gradient)
    assert not value.isnan().any()
    if classes < 10:
        for row in range(2):
            true, slopes = value_and_gradient(loss.name, loss.hyperparameters, logits[row].tolist(), 1)
            if abs(true) < 1e3:  # the reference has a large number there
                assert value[row].item() == pytest.approx(float(true), rel=1e-9)
            else:
                assert value[row] == math.inf
            if loss.name in REFERENCES and abs(true) < 1e3:
                found = torch.tensor([float(slope) for slope in slopes], dtype=torch.float64)
                found[1] = gradient[row, 1]  # by the masked logit itself: the other logits' sum with the sign changed
                torch.testing.assert_close(gradient[row], found, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_limit_in_other_types(dtype: torch.dtype) -> None:
    logits = torch.tensor([[1.0, -math.inf, 2.0], [1.0, 0.0, -math.inf]], dtype=dtype)
    for spec, expected in (("nce", [1.0, 0.0]), ("nfl", [1.0, 0.0]), ("normalized(ce)", [1.0, 0.0])):
        value, gradient = _step(make_loss(spec, reduction="none"), logits, torch.tensor([1, 1]))
        assert value.tolist() == pytest.approx(expected)
        assert not gradient.any()
    smoothed, _ = _step(make_loss("nce", label_smoothing=0.3, reduction="none"), logits, torch.tensor([1, 1]))
    assert smoothed.tolist() == pytest.approx([0.8, 0.1], rel=1e-3)


# What autograd, tracing and subclasses do with it.


@each_loss
def test_traces(loss: Loss) -> None:
    drawn = loss.hyperparameters.get("sampled")

    class Net(nn.Module):
        def __init__(self, criterion: nn.Module) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 5, dtype=torch.float64)
            self.criterion = criterion

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.criterion(self.layer(x), y)

    for options in ({}, {"reduction": "none"}, {"weight": WEIGHT, "label_smoothing": 0.1}):
        net = Net(loss.with_options(**options))
        traced = torch.jit.trace(
            net, (torch.randn(6, 4, dtype=torch.float64), torch.arange(6) % 5), check_trace=not drawn
        )
        for x, y in (
            (torch.randn(3, 4, dtype=torch.float64), torch.tensor([4, 0, -100])),
            (torch.randn(8, 4, dtype=torch.float64), torch.arange(8) % 5),
        ):
            torch.manual_seed(0)
            expected = net(x, y)
            torch.manual_seed(0)
            torch.testing.assert_close(traced(x, y), expected)
            if not drawn:
                traced(x, y).sum().backward()


@each_loss_in_time
@pytest.mark.usefixtures("unmeasured")
def test_subclasses_of_tensors(loss: Loss) -> None:
    """As torch tests its own functions for compliance: nothing reads a number, or writes through a subclass."""
    if loss.hyperparameters.get("sampled"):
        pytest.skip("draws its labels anew at each call")
    labels = torch.tensor([0, 1, 2])
    for options in OPTIONS:
        own = loss.with_options(**options)
        for target in (labels, torch.softmax(_logits(3, 5), 1)):
            arguments = (_logits(3, 5).requires_grad_(), target)
            check_with_mode(own, arguments, {}, torch.testing.assert_close)
            check_backward_formula(own, arguments, {}, assert_equal_fn=torch.testing.assert_close)


@each_loss_in_time
@pytest.mark.usefixtures("unmeasured")
def test_forward_mode(loss: Loss) -> None:
    detached = loss.hyperparameters.get("detached") or "fl" in loss.name or loss.hyperparameters.get("sampled")
    labels = torch.arange(6) % 5
    tangent = torch.randn(6, 5, dtype=torch.float64)
    for target in (labels, torch.softmax(_logits(), 1)):
        for options in OPTIONS:
            own = loss.with_options(**options)
            _, gradient = _step(own, _logits(), target)
            for wanted in (True, False):
                torch.manual_seed(0)
                with forward_ad.dual_level():
                    dual = forward_ad.make_dual(_logits().requires_grad_(wanted), tangent)
                    slope = forward_ad.unpack_dual(own(dual, target)).tangent
                torch.testing.assert_close(slope.sum(), (gradient * tangent).sum())
            torch.manual_seed(0)
            _, slope = torch.func.jvp(lambda z: own(z, target).sum(), (_logits(),), (tangent,))  # noqa: B023
            torch.testing.assert_close(slope, (gradient * tangent).sum())
        if not detached:
            assert torch.autograd.gradcheck(
                loss, (_logits()[:2].requires_grad_(), target[:2]), check_forward_ad=True, check_batched_grad=True
            )


@each_loss
def test_batched_gradients_of_large_inputs(loss: Loss) -> None:
    logits = _logits(200, 100).requires_grad_()
    value = loss(logits, torch.arange(200) % 100)
    (one,) = torch.autograd.grad(value, logits, retain_graph=True)
    (both,) = torch.autograd.grad(value, logits, torch.tensor([1.0, 2.0], dtype=torch.float64), is_grads_batched=True)
    torch.testing.assert_close(both, torch.stack([one, 2 * one]))


@each_loss
def test_without_numbers(loss: Loss) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        for options in ({}, {"reduction": "none"}, {"label_smoothing": 0.1}, {"weight": WEIGHT.float()}):
            own = copy.deepcopy(loss.with_options(**options)).to("meta")
            logits = torch.empty(400, 5, device="meta", dtype=dtype, requires_grad=True)
            labels = torch.empty(400, device="meta", dtype=torch.int64)
            value = own(logits, labels)
            value.sum().backward()
            assert value.dtype == dtype
            assert value.shape == ((400,) if own.reduction == "none" else ())
            assert logits.grad is not None
            assert logits.grad.shape == logits.shape
            assert logits.grad.dtype == dtype
    with FakeTensorMode():
        fake = torch.randn(200, 1000, requires_grad=True)
        loss(fake, torch.zeros(200, dtype=torch.int64)).backward()
        assert fake.grad is not None


@each_loss
def test_arguments_are_those_of_cross_entropy(loss: Loss) -> None:
    logits, labels = _logits(), torch.arange(6) % 5
    expected, _ = _step(loss, logits, labels)
    value, _ = _step(lambda z, y: loss(input=z, target=y), logits, labels)
    assert torch.equal(value, expected)
    function = getattr(F, dict(zip(REGISTRY, map(F.function_name, REGISTRY), strict=True))[loss.name])
    torch.manual_seed(0)
    assert torch.equal(function(input=logits, target=labels, **loss.hyperparameters), expected)
    weighted, _ = _step(type(loss)(WEIGHT, **loss.hyperparameters), logits, labels)
    expected, _ = _step(loss.with_options(weight=WEIGHT), logits, labels)
    assert torch.equal(weighted, expected)
    torch.manual_seed(0)
    assert torch.equal(function(logits, labels, WEIGHT, **loss.hyperparameters), expected)
    theirs = list(inspect.signature(functional.cross_entropy).parameters)[:3]
    assert theirs == ["input", "target", "weight"]
    assert list(inspect.signature(function).parameters)[:3] == theirs
    assert next(iter(inspect.signature(type(loss)).parameters)) == "weight"
