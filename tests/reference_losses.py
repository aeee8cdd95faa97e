"""The losses as their papers write them: plain formulas of the probabilities, in float64, for one sample.

They share nothing with the library, which works in log space with hand-written slopes. They take complex numbers, so
that a complex step gives their gradient to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def softmax(logits: Array) -> Array:
    shifted = np.exp(logits - logits.real.max())
    return shifted / shifted.sum()


def one_hot(label: int, size: int) -> Array:
    return (np.arange(size) == label).astype(float)


def ce(p: Array, y: int) -> Any:
    return -(one_hot(y, len(p)) * np.log(p)).sum()


def mae(p: Array, y: int) -> Any:
    e = one_hot(y, len(p))
    return ((e - p) * np.where(e == 1, 1, -1)).sum()


def gce(p: Array, y: int, q: float) -> Any:
    return (1 - p[y] ** q) / q


def rce(p: Array, y: int, A: float) -> Any:
    return -(p * np.where(one_hot(y, len(p)) == 1, 0.0, A)).sum()


def agce(p: Array, y: int, a: float, q: float) -> Any:
    return ((a + 1) ** q - (a + p[y]) ** q) / q


def aul(p_: Array, y: int, a: float, p: float) -> Any:
    return ((a - p_[y]) ** p - (a - 1) ** p) / p


def ael(p: Array, y: int, a: float) -> Any:
    return np.exp(-p[y] / a)


def amse(p: Array, y: int, a: float, q: float) -> Any:
    e = one_hot(y, len(p))
    return np.where(e == 1, (a - p) ** q, p**q).sum() / len(p)


def nce(p: Array, y: int) -> Any:
    return ce(p, y) / sum(ce(p, k) for k in range(len(p)))


def sce(p: Array, y: int, alpha: float, beta: float, A: float) -> Any:
    return alpha * ce(p, y) + beta * rce(p, y, A)


def nce_rce(p: Array, y: int, alpha: float, beta: float, A: float) -> Any:
    return alpha * nce(p, y) + beta * rce(p, y, A)


def nce_mae(p: Array, y: int, alpha: float, beta: float) -> Any:
    return alpha * nce(p, y) + beta * (1 - p[y])


def jal_ce(p: Array, y: int, alpha: float, beta: float, a: float) -> Any:
    return alpha * nce(p, y) + beta * amse(p, y, a, 2.0)


REFERENCES = {
    "ce": ce,
    "mae": mae,
    "gce": gce,
    "rce": rce,
    "agce": agce,
    "aul": aul,
    "ael": ael,
    "amse": amse,
    "nce": nce,
    "sce": sce,
    "nce+rce": nce_rce,
    "nce+mae": nce_mae,
    "jal-ce": jal_ce,
}


def value_and_gradient(name: str, parameters: dict[str, float], logits: Array, label: int) -> tuple[float, Array]:
    """The loss of one sample and its derivative by the logits, exact to rounding."""
    formula = REFERENCES[name]
    step = 1e-30
    gradient = np.empty(len(logits))
    for j in range(len(logits)):
        moved = logits.astype(complex)
        moved[j] += step * 1j
        gradient[j] = formula(softmax(moved), label, **parameters).imag / step
    return float(formula(softmax(logits), label, **parameters)), gradient
