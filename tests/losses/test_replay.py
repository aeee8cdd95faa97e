"""Operations that are recorded once and then repeated."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from loss_cases import CASES, DRAWING, ONE_OF_EACH, in_time
from noiseproof.errors import LabelError
from noiseproof.losses import LabelLoss, Loss, linear_loss, make_loss
from noiseproof.losses.kernel import evaluate, replay

each_loss = pytest.mark.parametrize("loss", in_time([*CASES, DRAWING], lambda loss: loss in ONE_OF_EACH))


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def fresh(loss: Loss) -> Loss:
    """The same loss without recordings."""
    return loss.with_options()


def step(loss: Loss, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    leaf = logits.clone().requires_grad_()
    torch.manual_seed(0)
    value = loss(leaf, labels)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


def recordings(loss: Loss) -> list[Any]:
    return [each for each in loss.__dict__.get(replay.RECORDINGS, {}).values() if each is not replay._ONCE]


@each_loss
@pytest.mark.parametrize("shape", [(6, 5), (4, 600)])
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_third_time_is_as_the_first(loss: Loss, shape: tuple[int, int], reduction: str, dtype: torch.dtype) -> None:
    loss = loss.with_options(reduction=reduction)
    for seed in range(5):
        logits, labels = draw(*shape, seed=seed, dtype=dtype) * 3, (torch.arange(shape[0]) + seed) % shape[1]
        for found, expected in zip(step(loss, logits, labels), step(fresh(loss), logits, labels), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert recordings(loss)


@each_loss
def test_blocks_and_heads_are_repeated_too(loss: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "_BLOCK", 60)
    logits, labels = draw(17, 20), torch.arange(17) % 20
    for _ in range(3):
        found, again = step(loss, logits, labels), step(fresh(loss), logits, labels)
        assert all(torch.equal(*each) for each in zip(found, again, strict=True))
    features, weight = draw(17, 4).requires_grad_(), draw(20, 4, seed=1).requires_grad_()
    monkeypatch.setattr(evaluate, "_BLOCK", 40)
    for _ in range(4):  # written over the scores, and elsewhere, with blocks of one shape
        results = []
        for each in (loss, fresh(loss)):
            torch.manual_seed(0)
            value = linear_loss(features, weight, labels, each, rows=6)
            results.append((value, *torch.autograd.grad(value, (features, weight))))
        assert all(torch.equal(*each) for each in zip(*results, strict=True))


@each_loss
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_recording_gives_way_where_numbers_decide(loss: Loss, reduction: str) -> None:
    loss = loss.with_options(reduction=reduction)
    labels = torch.arange(6) % 5
    for _ in range(3):
        step(loss, draw(6, 5), labels)
    odd = draw(6, 5)
    odd[1, 3] = -math.inf
    odd[2, 2] = -math.inf  # a label that cannot be
    odd[3] = 1e4
    wide = draw(6, 600) * 100
    for logits in (odd, odd * 1e3, wide, torch.full((6, 5), math.nan, dtype=torch.float64)):
        for found, expected in zip(step(loss, logits, labels), step(fresh(loss), logits, labels), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def test_labels_are_still_checked() -> None:
    loss = make_loss("jal-ce")
    logits, labels = draw(6, 5), torch.arange(6) % 5
    for _ in range(3):
        step(loss, logits, labels)
    for wrong in (5, -1, 10**12):
        with pytest.raises(LabelError, match=f"target {wrong} is no class"):
            step(loss, logits, torch.where(labels == 2, wrong, labels))
    ignoring = torch.where(labels == 2, -100, labels)
    for _ in range(3):
        for found, expected in zip(step(loss, logits, ignoring), step(fresh(loss), logits, ignoring), strict=True):
            assert torch.equal(found, expected)
    with pytest.raises(LabelError, match="expected \\(6,\\)"):
        step(loss, logits, labels[:3])


def test_options_that_change_are_followed() -> None:
    loss = make_loss("jal-ce")
    logits, labels = draw(6, 5), torch.arange(6) % 5
    for _ in range(3):
        step(loss, logits, labels)
    for options in ({"label_smoothing": 0.2}, {"reduction": "sum"}, {"ignore_index": 2}, {"weight": torch.rand(5)}):
        for key, value in options.items():
            setattr(loss, key, value)
        for _ in range(3):
            for found, expected in zip(step(loss, logits, labels), step(fresh(loss), logits, labels), strict=True):
                assert torch.equal(found, expected)


def test_a_loss_of_ones_own_is_not_recorded() -> None:
    class Warming(LabelLoss):
        factor = 1.0

        def value(self, label: Any) -> Tensor:
            return -self.factor * label.log

        def slope(self, label: Any) -> float:
            return -self.factor

    loss = Warming()
    logits, labels = draw(6, 5), torch.arange(6) % 5
    for factor in (1.0, 1.0, 1.0, 2.0):
        object.__setattr__(loss, "factor", factor)
        expected = make_loss("ce")(logits, labels) * factor
        torch.testing.assert_close(step(loss, logits, labels)[0], expected)
        torch.testing.assert_close(step(0.5 * make_loss("mae") + 2.0 * loss, logits, labels)[0],
                                   0.5 * make_loss("mae")(logits, labels) + 2 * expected)  # fmt: skip
    assert not recordings(loss)


def test_recordings_are_few_and_stay_where_they_are() -> None:
    loss = make_loss("jal-ce")
    for count in range(1, 200):
        for _ in range(3):
            step(loss, draw(count, 5), torch.arange(count) % 5)
    assert len(loss.__dict__[replay.RECORDINGS]) <= replay._MOST_RECORDINGS
    assert recordings(loss)
    for again in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), copy.copy(loss)):
        assert replay.RECORDINGS not in again.__dict__
        assert again.spec == loss.spec
    assert not loss.state_dict()


def test_numbers_that_are_read_in_another_way_are_noticed() -> None:
    with pytest.raises(replay.UnrepeatableError, match="item"):
        replay.record(lambda logits: (logits * logits.sum().item(),), (draw(2, 2),))


def test_a_gradient_that_is_not_used_as_it_is() -> None:
    loss = make_loss("jal-ce")
    logits, labels = draw(6, 5).requires_grad_(), torch.arange(6) % 5
    (expected,) = torch.autograd.grad(fresh(loss)(logits, labels), logits)
    for _ in range(4):
        value = loss(logits, labels)
        (first,) = torch.autograd.grad(value, logits, retain_graph=True)
        first.mul_(3)
        (second,) = torch.autograd.grad(value * 2, logits)
        torch.testing.assert_close(second, 2 * expected)
        assert torch.autograd.gradgradcheck(lambda z: loss(z, labels), logits)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(value, logits)
