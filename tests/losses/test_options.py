"""Options mean what they mean for torch.nn.functional.cross_entropy."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional

from loss_cases import CASES, case_name
from noiseproof.errors import LabelError
from noiseproof.losses import Loss, make_loss
from noiseproof.losses.definitions import AMSE, CE
from noiseproof.losses.published import NCE

WEIGHT = torch.tensor([0.5, 2.0, 1.0, 0.0, 1.5])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignored", [-100, 2])
@pytest.mark.parametrize("shape", [(5,), (6, 5), (4, 5, 3), (2, 5, 3, 2)])
def test_ce_equals_pytorch(
    shape: tuple[int, ...], ignored: int, weighted: bool, smoothing: float, reduction: str
) -> None:
    options = {"ignore_index": ignored, "label_smoothing": smoothing, "reduction": reduction}
    weight = WEIGHT if weighted else None
    logits = torch.randn(shape, requires_grad=True)
    rest = shape[:1] + shape[2:] if len(shape) > 1 else ()
    labels = torch.arange(max(1, torch.Size(rest).numel())).reshape(rest) % 5 if rest else torch.tensor(1)
    if ignored < 0 and rest:
        labels = labels.clone()
        labels[0] = ignored
    ours = CE(weight=weight, **options)(logits, labels)
    theirs = functional.cross_entropy(logits, labels, weight=weight, **options)
    torch.testing.assert_close(ours, theirs)
    for output in (ours, theirs):
        assert output.shape == theirs.shape
    (mine,) = torch.autograd.grad(ours.sum(), logits)
    (torchs,) = torch.autograd.grad(theirs.sum(), logits)
    torch.testing.assert_close(mine, torchs)


@pytest.mark.parametrize(
    ("smoothing", "weighted", "reduction"), list(itertools.product([0, 0.2], [0, 1], ["mean", "none"]))
)
def test_ce_equals_pytorch_with_probability_targets(smoothing: float, weighted: int, reduction: str) -> None:
    logits = torch.randn(4, 5, 3, requires_grad=True)
    target = torch.softmax(torch.randn(4, 5, 3), 1)
    options = {"label_smoothing": smoothing, "reduction": reduction, "weight": WEIGHT if weighted else None}
    ours, theirs = CE(**options)(logits, target), functional.cross_entropy(logits, target, **options)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(torch.autograd.grad(ours.sum(), logits), torch.autograd.grad(theirs.sum(), logits))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_ce_equals_pytorch_at_the_edges(weighted: bool, reduction: str) -> None:
    """No samples, no samples that count, a masked logit, huge logits, probability targets without a batch."""
    masked = torch.randn(3, 5)
    masked[:, 3] = -torch.inf
    batches = [
        (torch.randn(0, 5), torch.zeros(0, dtype=torch.int64)),
        (torch.randn(0, 5, 2), torch.zeros(0, 2, dtype=torch.int64)),
        (torch.randn(4, 5), torch.full((4,), -100)),
        (masked, torch.tensor([0, 1, 2])),
        (masked, torch.tensor([0, 1, 3])),
        (torch.tensor([[1e4, -1e4, 0.0, 0.0, 9e3]]), torch.tensor([1])),
        (torch.randn(5), torch.softmax(torch.randn(5), 0)),
        (torch.randn(3, 5).bfloat16(), torch.tensor([0, 1, 2])),
        (torch.randn(3, 5).double(), torch.tensor([0, 1, 2])),
    ]
    for logits, target in batches:
        weight = WEIGHT.to(logits.dtype) if weighted else None
        results = []
        for function in (CE, functional.cross_entropy):
            leaf = logits.clone().requires_grad_()
            own = {"weight": weight, "reduction": reduction}
            value = CE(**own)(leaf, target) if function is CE else functional.cross_entropy(leaf, target, **own)
            (gradient,) = torch.autograd.grad(value.sum(), leaf)
            results.append((value.detach(), gradient))
        ours, theirs = results
        torch.testing.assert_close(ours[0], theirs[0], equal_nan=True)
        if theirs[1].isfinite().all():
            torch.testing.assert_close(ours[1], theirs[1])


@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_weights_ignored_samples_and_dense_inputs(loss: Loss) -> None:
    logits = torch.randn(3, 5, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.arange(12).reshape(3, 4) % 5
    labels[0, 1] = -100
    weight = WEIGHT.double()
    plain = loss.with_options(reduction="none")
    flat, kept = logits.movedim(1, -1).reshape(-1, 5), labels.reshape(-1) >= 0
    each = plain(flat[kept], labels.reshape(-1)[kept]) * weight[labels.reshape(-1)[kept]]
    mean = loss.with_options(weight=weight)(logits, labels)
    torch.testing.assert_close(mean, each.sum() / weight[labels.reshape(-1)[kept]].sum())
    (gradient,) = torch.autograd.grad(mean, logits)
    (expected,) = torch.autograd.grad(each.sum() / weight[labels.reshape(-1)[kept]].sum(), logits)
    torch.testing.assert_close(gradient, expected)
    unreduced = loss.with_options(reduction="none", weight=weight)(logits, labels)
    assert unreduced.shape == labels.shape
    assert unreduced[0, 1] == 0


def test_target_that_needs_a_gradient_gets_one() -> None:
    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    target = torch.softmax(torch.randn(3, 4, dtype=torch.float64), -1).requires_grad_()
    assert torch.autograd.gradcheck(NCE() + AMSE(a=5), (logits, target))


def test_no_gradient_without_need() -> None:
    with torch.no_grad():
        assert not NCE()(torch.randn(2, 3, requires_grad=True), torch.tensor([0, 1])).requires_grad


@pytest.mark.parametrize(
    ("logits", "target", "message"),
    [
        (torch.zeros(2, 3), torch.tensor([0, 3]), r"target 3 is no class: expected 0 … 2"),
        (torch.zeros(2, 3), torch.tensor([0, -1]), r"target -1 is no class"),
        (torch.zeros(2, 3), torch.tensor([0, 1, 2]), r"shape \(3,\): expected \(2,\)"),
        (torch.zeros(2, 3), torch.tensor([0.0, 1.0]), "class indices must be integers, not torch.float32"),
        (torch.zeros(2, 3), torch.tensor([True, False]), "expected class indices"),
        (torch.zeros(2, 3, dtype=torch.int64), torch.tensor([0, 1]), "expected floating-point scores"),
        (torch.zeros(2, 1), torch.tensor([0, 0]), "at least two classes"),
        (torch.tensor(1.0), torch.tensor(0), "at least two classes"),
    ],
)
@pytest.mark.parametrize("spec", ["ce", "nce", "jal-ce"])
def test_bad_targets_are_named(spec: str, logits: torch.Tensor, target: torch.Tensor, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        make_loss(spec)(logits.requires_grad_() if logits.is_floating_point() else logits, target)


def test_labels_of_other_integer_types() -> None:
    logits = torch.randn(3, 4)
    for dtype in (torch.int32, torch.uint8, torch.int16):
        assert NCE()(logits, torch.tensor([0, 1, 3], dtype=dtype)) == NCE()(logits, torch.tensor([0, 1, 3]))
