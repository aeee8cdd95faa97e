"""Every check of a method fails for a method that breaks its rule, and tells what it found."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from noiseproof.errors import CheckError, SpecError
from noiseproof.losses import make_loss, parameter
from noiseproof.methods import Batch, EpochStart, Method, RobustLoss, StepOutput
from noiseproof.testing import check_method
from noiseproof.testing._method import METHOD_CHECKS


class LossesInPlaceOfTheirSum(RobustLoss):
    def step(self, networks: Sequence[nn.Module], batch: Batch) -> StepOutput:
        output = super().step(networks, batch)
        output.loss = output.loss * torch.ones(len(batch.labels)) / len(batch.labels)
        return output


class LogarithmOfTheSoftmax(RobustLoss):
    def criterion_of(self, logits: Tensor, batch: Batch) -> Tensor:
        return -logits.softmax(1).log().gather(1, batch.labels[:, None]).sum()


class ForgetsAll(RobustLoss):
    """Lets what is kept of every sample fade at each step."""

    def begin(self, num_samples: int, num_classes: int) -> None:
        self.register_buffer("kept", torch.ones(num_samples))

    def step(self, networks: Sequence[nn.Module], batch: Batch) -> StepOutput:
        self.kept *= 0.9
        return super().step(networks, batch)


class Means(RobustLoss):
    def step(self, networks: Sequence[nn.Module], batch: Batch) -> StepOutput:
        output = super().step(networks, batch)
        return StepOutput(output.loss / output.weight, 1.0, output.logits)


class WithoutWeights(RobustLoss):
    def criterion_of(self, logits: Tensor, batch: Batch) -> Tensor:
        return self.criterion(logits, batch.labels)


class AnEmptyPhase(RobustLoss):
    def phases(self, epochs: int) -> tuple[int, ...]:
        return epochs, 0


class MovesTheInputs(RobustLoss):
    def step(self, networks: Sequence[nn.Module], batch: Batch) -> StepOutput:
        batch.views[0].mul_(2)
        return super().step(networks, batch)


STEPS = itertools.count()


class NeverTheSame(RobustLoss):
    def criterion_of(self, logits: Tensor, batch: Batch) -> Tensor:
        return super().criterion_of(logits, batch) * (1 + (logits.dtype is torch.float32) * next(STEPS))


class NotAllSaved(RobustLoss):
    """Counts epochs beside the checkpoint."""

    epochs = 0

    def start_epoch(self, state: EpochStart) -> None:
        self.epochs += 1

    def criterion_of(self, logits: Tensor, batch: Batch) -> Tensor:
        return super().criterion_of(logits, batch) * self.epochs


class AnothersText(RobustLoss, name="has-anothers-text"):
    @property
    def spec(self) -> str:
        return "loss"


class TakesAnything(RobustLoss):
    share: float = parameter(default=0.5, domain="[0, 1]")

    def __init__(self, *arguments: Any, **parameters: Any) -> None:
        super().__init__(*arguments, share=min(1.0, max(0.0, float(parameters.get("share", 0.5)))))


BROKEN: list[tuple[str, type[Method], str]] = [
    ("what a step returns", LossesInPlaceOfTheirSum, r"the shape of the loss: found \(12,\), expected \(\)"),
    ("gradients", LogarithmOfTheSoftmax, "with huge logits in torch.float64: found nan, expected finite numbers"),
    ("state of samples", ForgetsAll, r"kept of the samples that were not in the batch at \(0,\): found .* expected"),
    ("sums", Means, "the loss of two parts of a mini-batch together: found"),
    ("weights of samples", WithoutWeights, "the loss per weight with 2.5 times the weights: found"),
    ("phases", AnEmptyPhase, r"the phases of 1 epochs: found \(1, 0\), expected whole numbers"),
    ("inputs", MovesTheInputs, "the batch's view 0 after a step at"),
    ("repetition", NeverTheSame, "the loss the second time, with the same seed: found"),
    ("resumption", NotAllSaved, "the loss of a run that was stopped after 1 steps: found 0, expected"),
    ("the text", AnothersText, "found RobustLoss 'loss', expected AnothersText"),
    ("parameters", TakesAnything, "no_such_parameter=1: found TakesAnything"),
]


@pytest.mark.parametrize(("check", "broken", "message"), BROKEN, ids=lambda one: getattr(one, "__name__", None))
def test_each_check_can_fail(check: str, broken: type[Method], message: str) -> None:
    with pytest.raises(CheckError, match=rf"(?s)fails the check of {check}: .*{message}"):
        check_method(broken)


def test_there_is_a_broken_method_for_every_check() -> None:
    assert {check for check, _, _ in BROKEN} == set(METHOD_CHECKS)


class SmallHalf(RobustLoss):
    """Learns from the half of a mini-batch whose loss is smaller."""

    def step(self, networks: Sequence[nn.Module], batch: Batch) -> StepOutput:
        logits = networks[0](batch.views[0])
        weight = torch.ones(len(batch.labels), dtype=logits.dtype) if batch.weight is None else batch.weight
        each = self.criterion.with_options(reduction="none")(logits, batch.labels)
        small = each.argsort()[: len(each) // 2]
        return StepOutput((each * weight)[small].sum(), weight[small].sum(), logits, per_sample=each)


def test_a_method_may_look_at_whole_batches() -> None:
    check_method(SmallHalf, whole_batches=True)
    with pytest.raises(CheckError, match="SmallHalf fails the check of sums"):
        check_method(SmallHalf)


class TwoNetworks(Method):
    """Two networks that learn from two views, with an L1 norm and a trust in each sample that is learned too."""

    networks, views = 2, 2

    def begin(self, num_samples: int, num_classes: int) -> None:
        self.trust = nn.Parameter(torch.zeros(num_samples))

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.trust], "weight_decay": 0.1}]

    def step(self, networks: Sequence[nn.Module], batch: Batch) -> StepOutput:
        outputs = [network(view) for network, view in zip(networks, batch.views, strict=True)]
        each = sum(nn.functional.cross_entropy(logits, batch.labels, reduction="none") for logits in outputs)
        weight = torch.sigmoid(self.trust[batch.index]) * (1.0 if batch.weight is None else batch.weight)
        return StepOutput((each * weight).sum(), weight.detach().sum(), outputs[0], self.penalty(networks))


@pytest.mark.parametrize("method", [TwoNetworks(l1=1e-3), RobustLoss(make_loss("jal-ce"), l1=0.1), "elr(beta=0)"])
def test_methods_of_ones_own_pass(method: Any) -> None:
    check_method(method)


@pytest.mark.parametrize("wrong", [3, None, nn.Linear(2, 2), int])
def test_what_is_no_method_is_refused(wrong: Any) -> None:
    with pytest.raises(SpecError, match="cannot check .*: expected a method, a class of methods or a text"):
        check_method(wrong)
