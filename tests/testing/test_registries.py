"""What is registered goes through the public checks."""

from __future__ import annotations

import pytest

from loss_cases import BY_NAME, CASES, case_name, stops_gradient, sums_are_slow
from noiseproof.losses import Loss
from noiseproof.losses.comparisons import NLNL
from noiseproof.methods import METHODS
from noiseproof.testing import check_loss, check_method

pytestmark = pytest.mark.usefixtures("unmeasured")

OWN = [name for name, method in METHODS.items() if method.__module__.startswith("noiseproof.")]


@pytest.mark.parametrize("loss", sums_are_slow([*BY_NAME.values(), NLNL()]))
def test_losses(loss: Loss) -> None:
    check_loss(loss, stops_gradient=stops_gradient(loss))


@pytest.mark.slow
@pytest.mark.parametrize("loss", [loss for loss in CASES if loss not in {*BY_NAME.values()}], ids=case_name)
def test_other_parameters(loss: Loss) -> None:
    test_losses(loss)


@pytest.mark.parametrize("spec", [*OWN, "elr(beta=0.9, strength=1)", "forward(share=0.5)"])
def test_methods(spec: str) -> None:
    check_method(spec)
