"""What PyTorch can do to a function: compile it, map over it, differentiate it twice, export it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from loss_cases import BY_NAME, CASES, case_name, in_time
from noiseproof.losses import Loss, make_loss

pytestmark = pytest.mark.usefixtures("unmeasured")

LOGITS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2
LABELS = torch.arange(6) % 5


def _gradient(function: object, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.clone().requires_grad_()
    value = function(logits, target)  # type: ignore[operator]
    (gradient,) = torch.autograd.grad(value, logits)
    return value.detach(), gradient


def _check_compiled(loss: Loss, dynamic: bool) -> None:
    if loss.name == "bi-tempered" and torch.__version__ < "2.7":
        pytest.skip("PyTorch 2.6's partitioner takes exponential time for a loss of so many operators")
    torch.compiler.reset()
    compiled = torch.compile(loss, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for size in (6, 4) if dynamic else (6,):
        torch.testing.assert_close(
            _gradient(compiled, LOGITS[:size], LABELS[:size]), _gradient(loss, LOGITS[:size], LABELS[:size])
        )


ONE_OF_A_WAY = {"gce", "nnfl", "amse", "fl-eps", "nlnl", "ldr-kl", "ce+lc", "bi-tempered", "jal-ce"}
"""Compiling takes seconds. These call all that the others call; those are left to `slow`."""


@pytest.mark.parametrize("loss", in_time(BY_NAME.values(), lambda loss: loss.name in ONE_OF_A_WAY))
def test_compiles_without_a_graph_break(loss: Loss) -> None:
    _check_compiled(loss, dynamic=True)


@pytest.mark.parametrize("spec", ["ce", "jal-ce", "nfl+agce", "ldr-kl", "bi-tempered"])
def test_compiles_with_static_shapes(spec: str) -> None:
    _check_compiled(make_loss(spec), dynamic=False)


@pytest.mark.parametrize("spec", ["jal-ce", pytest.param("anl-fl", marks=pytest.mark.slow)])
def test_compiles_to_machine_code(spec: str) -> None:
    torch.compiler.reset()
    loss = make_loss(spec, label_smoothing=0.1, ignore_index=3)
    compiled = torch.compile(loss, fullgraph=True, dynamic=True)
    for size in (6, 5):
        torch.testing.assert_close(
            _gradient(compiled, LOGITS[:size].float(), LABELS[:size]),
            _gradient(loss, LOGITS[:size].float(), LABELS[:size]),
        )


@pytest.mark.parametrize("loss", CASES, ids=case_name)
def test_vmap_grad_and_hessian(loss: Loss) -> None:
    each = loss.with_options(reduction="none")
    mapped = torch.func.vmap(lambda z, y: each(z, y))(LOGITS, LABELS)
    torch.testing.assert_close(mapped, each(LOGITS, LABELS))
    gradients = torch.func.vmap(torch.func.grad(lambda z, y: each(z, y)))(LOGITS, LABELS)
    torch.testing.assert_close(gradients, _gradient(loss.with_options(reduction="sum"), LOGITS, LABELS)[1])
    if not __debug__:
        pytest.skip("under python -O PyTorch has no forward derivatives of a softmax's backward")
    functional = torch.func.hessian(lambda z: loss(z, LABELS[:2]))(LOGITS[:2])
    eager = torch.autograd.functional.hessian(lambda z: loss(z, LABELS[:2]), LOGITS[:2])
    assert functional.isfinite().all()
    torch.testing.assert_close(functional, eager)


@pytest.mark.parametrize("loss", BY_NAME.values(), ids=case_name)
def test_exports(loss: Loss) -> None:
    program = torch.export.export(loss, (LOGITS, LABELS))
    torch.testing.assert_close(program.module()(LOGITS, LABELS), loss(LOGITS, LABELS))


def test_a_gradient_of_a_gradient_norm() -> None:
    """What a gradient penalty needs: the closed form gives way to a graph."""
    loss = make_loss("jal-ce(a=5)")
    logits = LOGITS.clone().requires_grad_()
    (first,) = torch.autograd.grad(loss(logits, LABELS), logits, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), logits)
    step = 1e-6 * torch.randn_like(logits)
    norms = [_gradient(loss, LOGITS + sign * step, LABELS)[1].square().sum() for sign in (1, -1)]
    assert (norms[0] - norms[1]).item() / 2 == pytest.approx((second * step).sum().item(), rel=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("loss", BY_NAME.values(), ids=case_name)
def test_cuda_equals_cpu(loss: Loss) -> None:
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 2e-5), (torch.bfloat16, 1e-2)):
        here, there = LOGITS.to(dtype), LOGITS.to("cuda", dtype)
        for mine, theirs in zip(_gradient(loss, here, LABELS), _gradient(loss, there, LABELS.cuda()), strict=True):
            torch.testing.assert_close(theirs.cpu(), mine, rtol=tolerance, atol=tolerance)
