"""What is registered goes through the public checks."""

from __future__ import annotations

import pytest

from loss_cases import CASES, DRAWING, ONE_OF_EACH, in_time, is_no_sum, stops_gradient
from noiseproof.losses import Loss
from noiseproof.methods import METHODS
from noiseproof.testing import check_loss, check_method

pytestmark = pytest.mark.usefixtures("unmeasured")

OWN = [name for name, method in METHODS.items() if method.__module__.startswith("noiseproof.")]


def _is_quick(loss: Loss) -> bool:
    return is_no_sum(loss) and loss in ONE_OF_EACH


@pytest.mark.parametrize("loss", in_time([*CASES, DRAWING], _is_quick))
def test_losses(loss: Loss) -> None:
    check_loss(loss, stops_gradient=stops_gradient(loss))


@pytest.mark.parametrize("spec", [*OWN, "elr(beta=0.9, strength=1)", "forward(share=0.5)"])
def test_methods(spec: str) -> None:
    check_method(spec)
