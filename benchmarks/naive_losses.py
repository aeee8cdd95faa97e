"""The losses as research code writes them: the baselines of the accuracy bar and of the timings.

Probabilities first, floors of 1e-8 where published code has them, one-hot labels, and autograd for the gradient. Each
takes logits ``(N, K)`` and labels ``(N,)`` and gives ``(N,)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Naive = Callable[..., Tensor]


def _one_hot(logits: Tensor, y: Tensor) -> Tensor:
    return functional.one_hot(y, logits.shape[1]).to(logits.dtype)


def _p(logits: Tensor) -> Tensor:
    return functional.softmax(logits, dim=1)


def _p_y(logits: Tensor, y: Tensor) -> Tensor:
    return (_one_hot(logits, y) * _p(logits)).sum(1)


def _focal(logits: Tensor, gamma: float, detached: bool) -> Tensor:
    log_p = functional.log_softmax(logits, dim=1)
    weight = (1 - log_p.exp()) ** gamma
    return -(weight.detach() if detached else weight) * log_p


def ce(logits: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(logits, y, reduction="none")


def fl(logits: Tensor, y: Tensor, gamma: float, detached: bool = True) -> Tensor:
    return _focal(logits, gamma, detached).gather(1, y[:, None]).squeeze(1)


def mae(logits: Tensor, y: Tensor) -> Tensor:
    return 2 * (1 - _p_y(logits, y))


def half_mae(logits: Tensor, y: Tensor) -> Tensor:
    return 1 - _p_y(logits, y)


def gce(logits: Tensor, y: Tensor, q: float) -> Tensor:
    p = _p(logits).clamp(min=1e-8, max=1.0)
    return (1 - (_one_hot(logits, y) * p).sum(1) ** q) / q


def rce(logits: Tensor, y: Tensor, A: float) -> Tensor:
    p = _p(logits).clamp(min=1e-8, max=1.0)
    return -(p * (1 - _one_hot(logits, y)) * A).sum(1)


def agce(logits: Tensor, y: Tensor, a: float, q: float) -> Tensor:
    return ((a + 1) ** q - (a + _p_y(logits, y)) ** q) / q


def aul(logits: Tensor, y: Tensor, a: float, p: float) -> Tensor:
    return ((a - _p_y(logits, y)) ** p - (a - 1) ** p) / p


def ael(logits: Tensor, y: Tensor, a: float) -> Tensor:
    return torch.exp(-_p_y(logits, y) / a)


def amse(logits: Tensor, y: Tensor, a: float, q: float = 2.0) -> Tensor:
    return ((_p(logits) - a * _one_hot(logits, y)) ** q).abs().mean(1)


def nce(logits: Tensor, y: Tensor) -> Tensor:
    log_p = functional.log_softmax(logits, dim=1)
    return (_one_hot(logits, y) * log_p).sum(1) / log_p.sum(1)


def nfl(logits: Tensor, y: Tensor, gamma: float, detached: bool = True) -> Tensor:
    terms = _focal(logits, gamma, detached)
    return (_one_hot(logits, y) * terms).sum(1) / terms.sum(1)


def nnce(logits: Tensor, y: Tensor, p_min: float) -> Tensor:
    left = -math.log(p_min) + _p(logits).clamp(min=p_min, max=1.0).log()
    return 1 - (_one_hot(logits, y) * left).sum(1) / left.sum(1)


def nnfl(logits: Tensor, y: Tensor, gamma: float, p_min: float, detached: bool = True) -> Tensor:
    log_floor = torch.tensor(p_min).log()
    highest = -((1 - p_min) ** gamma) * log_floor
    log_p = functional.log_softmax(logits, dim=1).clamp(min=log_floor)
    weight = (1 - log_p.exp()) ** gamma
    left = highest + (weight.detach() if detached else weight) * log_p
    return 1 - (_one_hot(logits, y) * left).sum(1) / left.sum(1)


def _sharpened(logits: Tensor, y: Tensor, m: float, floor: float) -> Tensor:
    p = _p(logits)
    top = functional.one_hot(p.argmax(1), logits.shape[1])
    sharpened = ((p + m * top) / (1 + m)).clamp(min=floor)
    return sharpened.gather(1, y[:, None]).squeeze(1)


def ce_eps(logits: Tensor, y: Tensor, m: float, floor: float = 1e-8) -> Tensor:
    return -_sharpened(logits, y, m, floor).log()


def fl_eps(logits: Tensor, y: Tensor, m: float, gamma: float, floor: float = 1e-8) -> Tensor:
    p = _sharpened(logits, y, m, floor)
    return -((1 - p.detach()) ** gamma) * p.log()


def nlnl(logits: Tensor, y: Tensor, floor: float, sampled: bool) -> Tensor:
    left = -(1 - _p(logits)).clamp(min=floor).log()
    if sampled:
        other = (y + torch.randint_like(y, 1, logits.shape[1])) % logits.shape[1]
        return left.gather(1, other[:, None]).squeeze(1)
    return (left * (1 - _one_hot(logits, y))).sum(1) / (logits.shape[1] - 1)


def ldr_kl(logits: Tensor, y: Tensor, c: float, Lambda: float) -> Tensor:
    scores = functional.softplus(logits)
    scores = scores / scores.mean(1, keepdim=True)
    margin = c * (1 - _one_hot(logits, y)) + scores - scores.gather(1, y[:, None])
    return Lambda * (margin / Lambda).exp().mean(1).log()


def ce_lc(logits: Tensor, y: Tensor, delta: float, as_coded: bool) -> Tensor:
    norm = logits.norm(p=2, dim=1, keepdim=True) + 1e-7
    clipped = torch.where(norm > (1 / delta if as_coded else delta), logits / norm * delta, logits)
    return functional.cross_entropy(clipped, y, reduction="none")


def bi_tempered(logits: Tensor, y: Tensor, t1: float, t2: float) -> Tensor:
    if t2 == 1:
        p = _p(logits)
    else:  # fixed-point iteration on the partition function
        highest = logits.max(1, keepdim=True)[0]
        shifted = first = logits - highest

        def exp_t(x: Tensor) -> Tensor:
            return (1 + (1 - t2) * x).relu() ** (1 / (1 - t2))

        for _ in range(20):
            shifted = first * exp_t(shifted).sum(1, keepdim=True) ** (1 - t2)
        total = exp_t(shifted).sum(1, keepdim=True)
        normalizer = (total ** (t2 - 1) - 1) / (t2 - 1) + highest
        p = exp_t(logits - normalizer)
    e = _one_hot(logits, y)
    log_t1 = p.clamp(min=1e-10).log() if t1 == 1 else (p ** (1 - t1) - 1) / (1 - t1)
    return (-e * log_t1 - (e - p ** (2 - t1)) / (2 - t1)).sum(1)


def _sum(first: Naive, second: Naive, *second_takes: str, shared: str = "") -> Naive:
    def combined(logits: Tensor, y: Tensor, /, alpha: float, beta: float, **parameters: float) -> Tensor:
        to_second = {key: value for key, value in parameters.items() if key in second_takes}
        to_first = {key: value for key, value in parameters.items() if key not in second_takes or key == shared}
        return alpha * first(logits, y, **to_first) + beta * second(logits, y, **to_second)

    return combined


NAIVE: dict[str, Naive] = {
    "ce": ce,
    "fl": fl,
    "mae": mae,
    "gce": gce,
    "rce": rce,
    "sce": _sum(ce, rce, "A"),
    "agce": agce,
    "aul": aul,
    "ael": ael,
    "amse": amse,
    "nce": nce,
    "nfl": nfl,
    "nnce": nnce,
    "nnfl": nnfl,
    "nce+rce": _sum(nce, rce, "A"),
    "nce+mae": _sum(nce, half_mae),
    "nfl+rce": _sum(nfl, rce, "A"),
    "nfl+mae": _sum(nfl, half_mae),
    "nce+aul": _sum(nce, aul, "a", "p"),
    "nce+ael": _sum(nce, ael, "a"),
    "nce+agce": _sum(nce, agce, "a", "q"),
    "nfl+aul": _sum(nfl, aul, "a", "p"),
    "nfl+ael": _sum(nfl, ael, "a"),
    "nfl+agce": _sum(nfl, agce, "a", "q"),
    "agce+mae": _sum(agce, half_mae),
    "anl-ce": _sum(nce, nnce, "p_min"),
    "anl-fl": _sum(nfl, nnfl, "gamma", "p_min", shared="gamma"),
    "jal-ce": _sum(nce, amse, "a"),
    "jal-fl": _sum(nfl, amse, "a"),
    "ce-eps": ce_eps,
    "fl-eps": fl_eps,
    "ce-eps+mae": _sum(ce_eps, mae),
    "fl-eps+mae": _sum(fl_eps, mae),
    "nlnl": nlnl,
    "ldr-kl": ldr_kl,
    "ce+lc": ce_lc,
    "bi-tempered": bi_tempered,
}
