"""Every check of a loss fails for a loss that breaks its rule, and tells what it found."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
import torch
from torch import Tensor

from noiseproof.errors import CheckError, NoiseproofError, SpecError
from noiseproof.losses import LabelLoss, Loss, make_loss, normalized, parameter
from noiseproof.losses.base import Sum
from noiseproof.losses.definitions import CE, GCE
from noiseproof.losses.kernel.form import Form
from noiseproof.losses.published import NCE
from noiseproof.testing import check_loss
from noiseproof.testing._loss import LOSS_CHECKS


class TwoValues(Loss):
    """Another value where a gradient is wanted."""

    def form(self, rows: Any) -> Form:
        return CE().form(rows) * (1 if rows.with_slope else 2)


class WrongSlope(LabelLoss):
    """Twice the derivative."""

    def value(self, label: Any) -> Tensor:
        return 1 - label.p

    def slope(self, label: Any) -> Tensor:
        return -2 * label.p


class OfTheWholeBatch(LabelLoss):
    """Each sample's loss depends on the others."""

    def value(self, label: Any) -> Tensor:
        return (1 - label.p) * label.p.mean().detach()

    def slope(self, label: Any) -> Tensor:
        return -label.p * label.p.mean()


class AnotherSum(CE):
    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        value = super().forward(input, target, sample_weight)
        return 2 * value if self.reduction == "sum" else value


class CountsIgnored(CE):
    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        hard = not target.is_floating_point()
        return super().forward(input, target.clamp_min(0) if hard else target, sample_weight)


class AnotherUnderClassWeights(CE):
    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return super().forward(input if self.weight is None else 2 * input, target, sample_weight)


class AnotherUnderSmoothing(CE):
    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return super().forward(2 * input if self.label_smoothing else input, target, sample_weight)


class WithoutSampleWeights(CE):
    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return super().forward(input, target)


class AnotherForProbabilities(CE):
    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return super().forward(2 * input if target.is_floating_point() else input, target, sample_weight)


class ZeroForNothing(CE):
    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        value = super().forward(input, target, sample_weight)
        return value.nan_to_num(0.0) if target.numel() == 0 else value


class TakesAnyLabel(CE):
    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        hard = not target.is_floating_point() and self.ignore_index < 0
        largest = input.shape[min(1, input.ndim - 1)] - 1
        return super().forward(input, target.clamp(max=largest) if hard else target, sample_weight)


class AlwaysFloat32(CE):
    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return super().forward(input.float() if input.dtype is torch.bfloat16 else input, target, sample_weight)


class LogarithmOfTheSoftmax(LabelLoss):
    """Underflows."""

    def value(self, label: Any) -> Tensor:
        return -label.p.log()

    def slope(self, label: Any) -> float:
        return -1.0


class CountsRowsOfABlock(Loss):
    """Large batches are walked through in blocks."""

    def form(self, rows: Any) -> Form:
        return CE().form(rows) * (2 if len(rows.logits) >= 600 else 1)


class AnothersText(GCE):
    """A text that another loss has."""

    def text(self, label_smoothing: float) -> str:
        return CE().text(label_smoothing)


class CannotBeCopied(CE):
    def __init__(self, weight: Any = None, **arguments: Any) -> None:
        super().__init__(weight, **arguments)
        self.lock = threading.Lock()


class MovesTheLogits(CE):
    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        value = super().forward(input, target, sample_weight)
        if input.dtype is torch.bfloat16:
            input.data.add_(1.0)
        return value


CALLS = itertools.count()


class NeverTheSame(CE):
    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        value = super().forward(input, target, sample_weight)
        return value * (1 + 1e-6 * (next(CALLS) % 7)) if input.dtype is torch.float32 else value


class TooWideADomain(LabelLoss):
    """Divides by its parameter."""

    width: float = parameter(default=1.0, domain="[0, inf)")

    def value(self, label: Any) -> Tensor:
        return (1 - label.p) / self.width

    def slope(self, label: Any) -> Tensor:
        return -label.p / self.width


class TakesAnything(CE):
    """Swallows parameters that it has not."""

    def __init__(self, weight: Any = None, **arguments: Any) -> None:
        arguments.pop("no_such_parameter", None)
        super().__init__(weight, **arguments)


BROKEN: list[tuple[str, type[Loss], str]] = [
    ("values", TwoValues, r"the value with 2 classes where a gradient is wanted: found [\d.]+, expected [\d.]+"),
    ("the gradient", WrongSlope, "in closed form, against autograd of the plain formula at"),
    ("shapes", OfTheWholeBatch, "the value of row 0 alone, against the batch"),
    ("reductions", AnotherSum, "the value of the sum: found"),
    ("ignored samples", CountsIgnored, "with ignored rows of 0.0 at"),
    ("class weights", AnotherUnderClassWeights, "with class weights at"),
    ("label smoothing", AnotherUnderSmoothing, "against the sum over all labels at"),
    ("weights of samples", WithoutSampleWeights, "with sample_weight, reduction 'none'"),
    ("probability targets", AnotherForProbabilities, "for probabilities of 0 and 1, against labels at"),
    ("batches in which nothing counts", ZeroForNothing, "without samples, .*: found 0, expected nan"),
    ("labels that are no class", TakesAnyLabel, "label 5 of 5 classes: found tensor.*expected LabelError"),
    ("half precision", AlwaysFloat32, "found torch.float32, expected torch.bfloat16"),
    ("huge and masked logits", LogarithmOfTheSoftmax, "the value of huge logits in torch.float64: found inf"),
    ("large batches", CountsRowsOfABlock, "the value of a large batch, against float64: found"),
    ("the text", AnothersText, "the value of make_loss.'ce'.: found"),
    ("copies", CannotBeCopied, "found TypeError .cannot pickle '_thread.lock' object.*expected no error"),
    ("inputs", MovesTheLogits, "the logits after the call at"),
    ("repetition", NeverTheSame, "the value the second time, with the same seed: found .* to the last bit"),
    ("parameters", TooWideADomain, r"with width=0, which \[0, inf\) allows: found"),
    ("parameters", TakesAnything, "no_such_parameter=1: found TakesAnything.*expected SpecError"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "broken", "message"), BROKEN, ids=lambda one: getattr(one, "__name__", None))
def test_each_check_can_fail(check: str, broken: type[Loss], message: str) -> None:
    with pytest.raises(CheckError, match=rf"fails the check of {check}: .*{message}"):
        check_loss(broken, stops_gradient=broken is OfTheWholeBatch)


def test_there_is_a_broken_loss_for_every_check() -> None:
    assert {check for check, _, _ in BROKEN} == set(LOSS_CHECKS)


def test_a_gradient_that_is_no_derivative_has_to_be_said() -> None:
    check_loss("fl", stops_gradient=True)
    with pytest.raises(CheckError, match="the derivative for labels: found another one than by differences"):
        check_loss("fl")


class Unnamed(LabelLoss):
    """No text can name it."""

    def value(self, label: Any) -> Tensor:
        return (1 - label.p) ** 2

    def slope(self, label: Any) -> Tensor:
        return -2 * (1 - label.p) * label.p


@pytest.mark.parametrize("loss", [Unnamed, 0.5 * NCE() + GCE(q=0.5), normalized(GCE()), "negative(ce, p_min=1e-4)"])
def test_losses_of_ones_own_and_expressions_pass(loss: Any) -> None:
    check_loss(loss)


def test_the_random_state_is_left_as_it_was() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    check_loss("nlnl")
    assert torch.equal(torch.rand(2), expected)


def test_errors_are_assertions_and_ours() -> None:
    with pytest.raises(AssertionError) as caught:
        check_loss(Sum([(1.0, WrongSlope())]))
    assert isinstance(caught.value, NoiseproofError)


@pytest.mark.parametrize("wrong", [3, None, torch.nn.CrossEntropyLoss(), int])
def test_what_is_no_loss_is_refused(wrong: Any) -> None:
    with pytest.raises(SpecError, match="cannot check .*: expected a loss, a class of losses or a text"):
        check_loss(wrong)
    with pytest.raises(SpecError, match="unknown loss 'jal-cee'"):
        check_loss("jal-cee")


def test_options_of_the_given_loss_do_not_matter() -> None:
    check_loss(make_loss("gce", reduction="sum", ignore_index=1, label_smoothing=0.1, weight=torch.ones(5)))
