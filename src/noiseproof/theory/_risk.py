"""Where the risk under noisy labels is least, over everything that a classifier could answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from noiseproof.errors import LabelError, SpecError
from noiseproof.losses import Loss, make_loss
from noiseproof.theory._separable import Separable, curvatures, separable
from noiseproof.theory._weights import Weights, check_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MOST_SEARCHED = 10_000
"""Over so many classes a least risk is searched for where it does not follow from the definition of the loss."""

_FAR = (25.0, 100.0, 600.0)
"""How far below the heaviest class the other logits are where a risk at a vertex is looked at."""


@dataclass(frozen=True)
class RiskMinimum:
    """The least noisy risk and where it is.

    Attributes:
        p: ``(classes,)``, the probabilities there.
        risk: the sum over the labels of their weights times their losses.
        exact: whether ``p`` is the minimum to rounding (the loss is a sum of convex or of concave functions of one
            probability each), or the best that a search from many starts has found.
    """

    p: NDArray[np.float64]
    risk: float
    exact: bool


def noisy_risk(loss: Loss | str, p: ArrayLike, weights: ArrayLike) -> float:
    """The sum over the labels of their weights times their losses, where a classifier answers ``p``.

    Args:
        loss: a loss, or a text that :func:`noiseproof.losses.make_loss` reads.
        p: ``(classes,)``, probabilities; zeros are taken as the limit in which all of them vanish alike.
        weights: ``(classes,)``, how likely each noisy label is.
    """
    point = np.asarray(p, dtype=np.float64)[None]
    loss, array = expected(loss, check_weights(weights))
    return float(risks(loss, _logits_of(point), array))


def risk_minimizer(loss: Loss | str, weights: ArrayLike) -> RiskMinimum:
    r"""The probabilities at which the noisy risk :math:`\sum_k w_k L(p, k)` is least.

    For AMSE with q = 2 this is sparsemax(a w / W): the projection of the weights, stretched by ``a``, on the simplex.

    Args:
        loss: a loss, or a text that :func:`noiseproof.losses.make_loss` reads. A weight that published code detaches
            from the graph is counted as part of the value, and a random complementary label by its mean.
        weights: ``(classes,)``, how likely each noisy label is.

    Raises:
        LabelError: weights that are none, or more than 10,000 for a loss whose least risk has to be searched for.
    """
    loss, array = expected(loss, check_weights(weights))
    function = separable(loss, len(array))
    if function is not None:
        shapes = curvatures(function, Weights.of(array))
        if shapes <= {"convex", "linear"}:
            p = _fill(function, array)
            return RiskMinimum(p, float(risks(loss, _logits_of(p[None]), array)), exact=True)
        if shapes <= {"concave", "linear"}:
            # The risk at a vertex is linear in the weight of its class.
            corners = np.zeros((2, len(array)))
            corners[[0, 1], [array.argmax(), array.argmin()]] = 1.0
            found = risks(loss, _logits_of(corners), array)
            best = int(found.argmin())
            return RiskMinimum(corners[best], found[best].item(), exact=True)
    if len(array) > MOST_SEARCHED:
        raise LabelError(
            f"{len(array):,} weights: the least risk of {loss.spec} has to be searched for, which is done over at most "
            f"{MOST_SEARCHED:,} classes"
        )
    logits, risk = search(loss, array)
    for vertex in np.unique(array, return_index=True)[1].tolist():  # classes of one weight have the same risk
        ways = _ways_to(vertex, array)
        at_vertex = risks(loss, ways, array)
        if at_vertex.min() < risk:
            logits, risk = ways[at_vertex.argmin()], at_vertex.min().item()
    return RiskMinimum(torch.softmax(logits, -1).numpy(), risk, exact=False)


def expected(loss: Loss | str, weights: NDArray[np.float64]) -> tuple[Loss, NDArray[np.float64]]:
    """The loss of each prediction, as theory has it, and the weights of the labels that it meets.

    Label smoothing is a noise of its own: it takes a share of each label's weight and gives it to all labels alike.

    Raises:
        SpecError: the text is no loss, or the loss has class weights or ignores a class.
    """
    plain, share = _without_smoothing(loss)
    return plain, (1 - share) * weights + share * weights.mean() if share else weights


def expected_of_any_order(loss: Loss | str, weights: Weights) -> tuple[Loss, Weights]:
    """As :func:`expected`, where it does not matter which label has which weight."""
    plain, share = _without_smoothing(loss)
    return plain, weights.smoothed(share) if share else weights


def _without_smoothing(loss: Loss | str) -> tuple[Loss, float]:
    made = make_loss(loss)
    if made.weight is not None or made.ignore_index >= 0:
        raise SpecError(
            f"{made.spec}: theory takes a loss without class weights and without an ignored class; "
            "multiply the weights of the labels by them instead"
        )
    return made.with_options(reduction="none", label_smoothing=0.0), made.label_smoothing


def risks(loss: Loss, logits: Tensor, weights: NDArray[np.float64]) -> Tensor:
    """The noisy risk at each of several logits, ``(points, classes)``: the loss for the weights as probabilities."""
    return loss(logits, torch.tensor(weights).expand_as(logits))


def _logits_of(p: NDArray[np.float64]) -> Tensor:
    return torch.tensor(np.log(np.maximum(p, 1e-300)))


def vertex_risk(loss: Loss, weights: NDArray[np.float64], heaviest: int) -> float:
    """The least risk on several ways toward the heaviest class alone."""
    return float(risks(loss, _ways_to(heaviest, weights), weights).min())


def _ways_to(vertex: int, weights: NDArray[np.float64]) -> Tensor:
    """Logits that are nearly all one class's: with all others alike, and with the lightest of them far beyond.

    Normalized losses reward the latter: their sum over the labels is then all the lightest one's.
    """
    lightest = min((k for k in range(len(weights)) if k != vertex), key=lambda k: float(weights[k]))
    ways = []
    for far in _FAR:
        for further in (far, 1e8):
            way = torch.full((len(weights),), -far, dtype=torch.float64)
            way[lightest] = -further
            way[vertex] = 0.0
            ways.append(way)
    return torch.stack(ways)


def search(loss: Loss, weights: NDArray[np.float64], steps: int = 400) -> tuple[Tensor, float]:
    """The best logits that gradient descent finds from many starts, with their risk."""
    size = len(weights)
    random = torch.Generator().manual_seed(0)
    share = torch.tensor(weights / weights.sum()).clamp(min=1e-6)
    ahead = torch.nn.functional.one_hot(share.argmax(), size)
    starts = [share.log() * power for power in (0.0, 0.5, 1.0, 2.0, 5.0)]
    starts += [ahead * by for by in (1.0, 3.0, 6.0, 12.0)]
    starts += list(torch.randn(11, size, generator=random, dtype=torch.float64) * 3)
    logits = torch.stack(starts).double().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1)
    best, least = logits.detach()[0].clone(), float("inf")
    for _ in range(steps):
        values = risks(loss, logits, weights)
        lowest = int(values.argmin())
        if values[lowest].item() < least:
            best, least = logits.detach()[lowest].clone(), values[lowest].item()
        (gradient,) = torch.autograd.grad(values.sum(), logits)
        logits.grad = gradient
        optimizer.step()
    return best, least


def _fill(function: Separable, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The minimum of a sum of convex functions on the simplex: all slopes there are one number, found by bisection."""
    total = float(weights.sum())
    distinct, place, number = np.unique(weights, return_inverse=True, return_counts=True)
    w, counts = torch.tensor(distinct), torch.tensor(number, dtype=torch.float64)

    def levels(marks: Tensor) -> Tensor:
        """For each mark, the largest probabilities with slopes up to it."""
        low = torch.zeros(len(marks), len(w), dtype=torch.float64)
        high = torch.ones_like(low)
        for _ in range(60):
            middle = (low + high) / 2
            below = function.slope(middle, w, total) <= marks.unsqueeze(1)
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        full = function.slope(torch.ones_like(low), w, total) <= marks.unsqueeze(1)
        return torch.where(full, 1.0, low)

    # The largest probability is at least 1/K, which bounds the common slope from below.
    between = torch.tensor([[1 / len(weights)], [1.0]], dtype=torch.float64).expand(2, len(w))
    ends = function.slope(between, w, total)
    low, high = ends[0].min().item() - 1e-9, ends[1].max().item() + 1e-9
    for _ in range(11):
        marks = torch.linspace(low, high, 33, dtype=torch.float64)
        reached = int((levels(marks) @ counts >= 1).double().argmax())
        low, high = marks[max(reached - 1, 0)].item(), marks[reached].item()
    below, above = levels(torch.tensor([low, high], dtype=torch.float64))
    missing, gained = 1 - below @ counts, (above - below) @ counts
    p = below + (above - below) * (missing / gained if gained > 0 else 0.0)
    found: NDArray[np.float64] = (p / (p @ counts)).numpy()[place]
    return found
