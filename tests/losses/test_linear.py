"""Losses behind a linear layer, without its logits."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from loss_cases import BY_NAME, case_name
from noiseproof.errors import LabelError
from noiseproof.losses import LabelLoss, Loss, linear_loss, linear_statistics, make_loss
from noiseproof.losses.comparisons import NLNL
from noiseproof.losses.kernel import evaluate
from noiseproof.losses.kernel.head import Products

ROWS, WIDTH = 13, 6

each_loss = pytest.mark.parametrize("loss", list(BY_NAME.values()), ids=case_name)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks in a chunk."""
    monkeypatch.setattr(evaluate, "_BLOCK", 120)


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def data(classes: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features, weights, bias and labels."""
    labels = torch.randint(classes, (ROWS,), generator=torch.Generator().manual_seed(5))
    return (
        draw(ROWS, WIDTH, dtype=dtype),
        draw(classes, WIDTH, seed=1, dtype=dtype),
        draw(classes, seed=2, dtype=dtype),
        labels,
    )


def step(value: Tensor, inputs: tuple[Tensor, ...], up: Tensor | None = None) -> tuple[Tensor, ...]:
    return (value.detach(), *torch.autograd.grad(value, inputs, up))


def both(
    loss: Loss, classes: int, target: Any, up: Tensor | None = None, **options: Any
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Value and gradients in chunks of five rows, and those of all logits."""
    features, weight, bias, _ = data(classes)
    inputs = tuple(each.requires_grad_() for each in (features, weight, bias))
    ours = linear_loss(features, weight, target, loss, bias=bias, rows=5, **options)
    own = {key: value for key, value in options.items() if key == "sample_weight"}
    logits = functional.linear(features, weight, bias) * options.get("scale", 1.0)
    if "softcap" in options:
        logits = torch.tanh(logits / options["softcap"]) * options["softcap"]
    return step(ours, inputs, up), step(loss(logits, target, **own), inputs, up)


def agree(found: tuple[Tensor, ...], expected: tuple[Tensor, ...], tolerance: float = 1e-10) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)


@each_loss
@pytest.mark.parametrize("classes", [50, 700])
@pytest.mark.parametrize("kind", ["hard", "ignored", "class weights", "soft", "smoothed"])
def test_every_loss_is_that_of_all_logits(loss: Loss, classes: int, kind: str) -> None:
    _, _, _, target = data(classes)
    options: dict[str, Any] = {}
    if kind == "ignored":
        target = torch.where(torch.arange(ROWS) % 4 == 1, -100, target)
    elif kind == "class weights":
        options["weight"] = torch.rand(classes, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    elif kind == "soft":
        target = draw(ROWS, classes, seed=4).softmax(1)
    elif kind == "smoothed":
        options["label_smoothing"] = 0.1
    agree(*both(loss.with_options(**options), classes, target))


@pytest.mark.parametrize("name", ["ce", "jal-ce", "anl-fl", "bi-tempered"])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize(
    "options", [{}, {"scale": 3.0}, {"softcap": 2.0, "scale": 0.5}, {"sample_weight": draw(ROWS, seed=8).abs()}]
)
def test_reductions_scales_and_weights(name: str, reduction: str, options: dict[str, Any]) -> None:
    loss = make_loss(name, reduction=reduction)
    target = torch.where(torch.arange(ROWS) == 2, -100, data(50)[3])
    up = draw(ROWS, seed=9) if reduction == "none" else torch.tensor(0.3, dtype=torch.float64)
    agree(*both(loss, 50, target, up, **options))


def test_without_gradients_none_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    features, weight, bias, labels = data(50)
    expected = linear_loss(features, weight, labels, "jal-ce", bias=bias)
    monkeypatch.setattr(Products, "take_back", None)
    with torch.no_grad():
        found = linear_loss(features.requires_grad_(), weight.requires_grad_(), labels, "jal-ce", bias=bias)
    torch.testing.assert_close(found, expected)
    with pytest.raises(LabelError, match="targets are a tuple"):
        linear_statistics(features, weight, (features, weight))  # type: ignore[arg-type]


def test_many_dimensions_and_a_method() -> None:
    features, weight, bias, labels = data(50)
    features, labels = features[:12].reshape(2, 3, 2, WIDTH), labels[:12].reshape(2, 3, 2)
    found = make_loss("jal-ce", reduction="none").linear(features, weight, labels, bias, scale=2.0)
    logits = functional.linear(features, weight, bias).movedim(-1, 1) * 2
    agree((found,), (make_loss("jal-ce", reduction="none")(logits, labels),))
    soft = draw(2, 3, 2, 50).softmax(-1)
    found = linear_loss(features, weight, soft, "gce")
    agree((found,), (make_loss("gce")(functional.linear(features, weight).movedim(-1, 1), soft.movedim(-1, 1)),))


def test_a_loss_of_ones_own() -> None:
    class Own(LabelLoss):
        def value(self, label: Any) -> Tensor:
            return (1 - label.p) ** 2

        def slope(self, label: Any) -> Tensor:
            return -2 * (1 - label.p) * label.p

    agree(*both(Own(), 50, data(50)[3]))


def test_soft_targets_of_a_teacher() -> None:
    features, weight, _, _ = data(50)
    teacher = draw(ROWS, 4, seed=11), draw(50, 4, seed=12)
    soft = functional.linear(*teacher).softmax(1)
    for name in ("ce", "gce", "jal-ce"):
        found, expected = (
            step(linear_loss(features.requires_grad_(), weight, target, name, rows=4), (features,))
            for target in (teacher, soft)
        )
        agree(found, expected)


@pytest.mark.parametrize(
    "wanted", [(True, False, False), (False, True, False), (False, False, True), (False, True, True)]
)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_only_gradients_that_are_wanted(wanted: tuple[bool, ...], reduction: str) -> None:
    features, weight, bias, labels = data(50)
    inputs = [each.requires_grad_(wants) for each, wants in zip((features, weight, bias), wanted, strict=True)]
    loss = make_loss("jal-ce", reduction=reduction)
    linear_loss(features, weight, labels, loss, bias=bias, rows=5).sum().backward()
    assert [each.grad is not None for each in inputs] == list(wanted)
    again = [each.detach().clone().requires_grad_() for each in inputs]
    loss(functional.linear(again[0], again[1], again[2]), labels).sum().backward()
    for one, other in zip(inputs, again, strict=True):
        if one.grad is not None:
            torch.testing.assert_close(one.grad, other.grad)
    assert not linear_loss(features.detach(), weight.detach(), labels, loss).requires_grad


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_derivatives_of_all_kinds(reduction: str) -> None:
    features, weight, bias, labels = data(10)
    labels = torch.where(torch.arange(ROWS) == 4, -100, labels % 10)
    loss = make_loss("jal-ce", reduction=reduction)

    def value(*inputs: Tensor) -> Tensor:
        return linear_loss(inputs[0], inputs[1], labels, loss, bias=inputs[2], rows=5, softcap=4.0)

    inputs = tuple(each.requires_grad_() for each in (features, weight, bias))
    assert torch.autograd.gradcheck(value, inputs)
    assert torch.autograd.gradgradcheck(value, inputs)
    by_function = torch.func.grad(lambda *each: value(*each).sum(), argnums=(0, 1, 2))(*inputs)
    agree(by_function, torch.autograd.grad(value(*inputs).sum(), inputs))
    up = draw(ROWS, WIDTH, seed=3)
    _, forward = torch.func.jvp(lambda x: value(x, weight, bias).sum(), (features,), (up,))
    agree((forward.detach(),), ((by_function[0] * up).sum().detach(),))


def test_a_graph_that_is_used_twice() -> None:
    features, weight, _, labels = data(50)
    value = linear_loss(features.requires_grad_(), weight, labels, "jal-ce", rows=5)
    (first,) = torch.autograd.grad(value, features, retain_graph=True)
    kept = first.clone()
    first.mul_(3)
    (second,) = torch.autograd.grad(value, features)
    torch.testing.assert_close(second, kept, rtol=0, atol=0)


def test_drawn_labels_are_drawn_again_for_the_gradient_of_each_value() -> None:
    features, weight, _, labels = data(50)
    loss = NLNL(reduction="none")
    torch.manual_seed(0)
    value = linear_loss(features.requires_grad_(), weight, labels, loss, rows=5)
    torch.rand(7)
    (found,) = torch.autograd.grad(value.sum(), features)
    torch.manual_seed(0)
    (expected,) = torch.autograd.grad(linear_loss(features, weight, labels, NLNL(reduction="sum"), rows=5), features)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("ignored", [math.nan, math.inf])
def test_ignored_rows_may_hold_anything(ignored: float) -> None:
    features, weight, _, labels = data(50)
    kept = torch.arange(ROWS) % 3 > 0
    features[~kept] = ignored
    inputs = features.requires_grad_(), weight.requires_grad_()
    value, *gradients = step(linear_loss(*inputs, torch.where(kept, labels, -100), "jal-ce", rows=5), inputs)
    expected = step(linear_loss(features[kept].detach(), weight, labels[kept], "jal-ce"), (weight,))
    agree((value, gradients[1]), expected)
    assert not gradients[0][~kept].any()


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_batches_in_which_nothing_counts(count: int, reduction: str) -> None:
    features, weight = draw(count, WIDTH).requires_grad_(), draw(50, WIDTH).requires_grad_()
    labels = torch.full((count,), -100)
    found = step(
        linear_loss(features, weight, labels, make_loss("jal-ce", reduction=reduction)).sum(), (features, weight)
    )
    expected = functional.cross_entropy(functional.linear(features, weight), labels, reduction=reduction).sum().detach()
    agree(found, (expected, torch.zeros_like(features), torch.zeros_like(weight)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("bias", [False, True])
def test_half_precision_and_autocast(dtype: torch.dtype, bias: bool) -> None:
    features, weight, of_classes, labels = data(50)
    rounded = tuple(each.to(dtype).requires_grad_() for each in (features, weight, of_classes))
    exact = tuple(each.detach().double().requires_grad_() for each in rounded)
    used = 3 if bias else 2
    found = step(
        linear_loss(*rounded[:2], labels, "jal-ce", bias=rounded[2] if bias else None, rows=5) * 1000, rounded[:used]
    )
    expected = step(linear_loss(*exact[:2], labels, "jal-ce", bias=exact[2] if bias else None) * 1000, exact[:used])
    for one, other in zip(found, expected, strict=True):
        assert one.dtype is dtype
        torch.testing.assert_close(one.double(), other, rtol=0.03, atol=0.03 * float(other.abs().max()))
    if dtype is torch.bfloat16:
        single = tuple(each.detach().float().requires_grad_() for each in rounded)
        with torch.autocast("cpu", dtype=dtype):
            value = linear_loss(*single[:2], labels, "jal-ce", bias=single[2] if bias else None, rows=5) * 1000
        for one, other in zip(step(value, single[:used]), expected, strict=True):
            assert one.dtype is torch.float32
            torch.testing.assert_close(one.double(), other, rtol=0.03, atol=0.03 * float(other.abs().max()))


def test_small_gradients_of_half_precision_do_not_vanish() -> None:
    count = 4096
    features, weight = draw(count, 8, dtype=torch.float16).requires_grad_(), draw(20, 8, dtype=torch.float16)
    labels = torch.arange(count) % 20
    (found,) = torch.autograd.grad(linear_loss(features, weight, labels, "ce") * 4096, features)
    exact = features.detach().double().requires_grad_()
    (expected,) = torch.autograd.grad(linear_loss(exact, weight.double(), labels, "ce") * 4096, exact)
    torch.testing.assert_close(found.double(), expected, rtol=0.01, atol=0.005)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_compiled_it_is_one_operator(reduction: str) -> None:
    features, weight, bias, labels = data(50)
    labels = torch.where(torch.arange(ROWS) == 4, -100, labels)
    loss = NLNL(reduction=reduction)
    inputs = tuple(each.requires_grad_() for each in (features, weight, bias))

    def value(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        whole = linear_loss(x * 2, w, labels, loss, bias=b, rows=5) + linear_loss(x, w.detach(), labels, "jal-ce")
        return whole.sum()

    results = []
    for function in (value, torch.compile(value, fullgraph=True, backend="aot_eager")):
        torch.manual_seed(0)
        results.append(step(function(*inputs), inputs))
    agree(*results)
    with torch.no_grad():
        torch.compile(value, fullgraph=True, backend="aot_eager")(*inputs)


def test_statistics() -> None:
    features, weight, bias, labels = data(50)
    labels[3] = -100
    for options in ({}, {"scale": 2.0, "softcap": 3.0}):
        logits = functional.linear(features, weight, bias) * options.get("scale", 1.0)
        logits = torch.tanh(logits / 3) * 3 if "softcap" in options else logits
        log = logits.log_softmax(1)
        found = linear_statistics(features, weight, labels, bias=bias, rows=5, **options)
        expected = log.gather(1, labels.clamp(min=0)[:, None])[:, 0]
        torch.testing.assert_close(found.log_p[labels >= 0], expected[labels >= 0])
        assert found.log_p[3].isnan()
        torch.testing.assert_close(found.logsumexp, logits.logsumexp(1))
        torch.testing.assert_close(found.entropy, torch.distributions.Categorical(logits=logits).entropy())
        assert torch.equal(found.top, logits.argmax(1))
    bias[7] = -math.inf  # a class that cannot be
    assert linear_statistics(features, weight, labels, bias=bias).entropy.isfinite().all()
    nothing = linear_statistics(features[:0], weight, labels[:0])
    assert [each.shape for each in nothing] == [(0,)] * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": torch.zeros(3, 5)}, "expected \\(..., D\\)"),
        ({"features": torch.zeros(3, WIDTH).double()}, "expected one floating-point type"),
        ({"features": [1.0]}, "features are a list"),
        ({"bias": torch.zeros(3)}, "a number for each of 50 classes"),
        ({"target": torch.tensor([1, 50, 2])}, "target 50 is no class"),
        ({"target": torch.tensor([1, 2])}, "expected \\(3,\\)"),
        ({"target": torch.zeros(3, 49)}, "probability targets"),
        ({"target": (torch.zeros(3, 2), torch.zeros(49, 2))}, "a teacher has 49 classes"),
        ({"target": (torch.zeros(2, 2), torch.zeros(50, 2))}, "a teacher's features"),
        ({"scale": 0.0}, "scale 0.0"),
        ({"softcap": -1.0}, "softcap -1.0"),
        ({"rows": 0}, "rows 0"),
        ({"rows": 64.5}, "rows 64.5"),
        ({"rows": True}, "rows True"),
        ({"scale": torch.tensor(2.0)}, "scale tensor"),
        ({"softcap": "2"}, "softcap '2'"),
        ({"group": "all"}, "group is a str"),
        ({"loss": torch.nn.CrossEntropyLoss()}, "loss is a CrossEntropyLoss"),
        ({"target": (torch.zeros(3, 2), torch.zeros(50, 2).double())}, "a teacher's features are"),
        ({"target": (torch.zeros(3, 2).long(), torch.zeros(50, 2).long())}, "a teacher's features are"),
        ({"target": [1, 2, 3]}, "targets are a list"),
        ({"loss": make_loss("ce", weight=torch.ones(7))}, "weight has 7 numbers"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "features": torch.zeros(3, WIDTH),
        "weight": torch.zeros(50, WIDTH),
        "target": torch.tensor([1, 2, 3]),
        "loss": "ce",
    }
    with pytest.raises(LabelError, match=message):
        linear_loss(**arguments | change)
