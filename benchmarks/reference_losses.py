"""The losses as their papers write them, for one sample, with 60 decimal digits.

They share nothing with the library, which works in log space with hand-written slopes. They take complex numbers, so
that a complex step gives their gradient to rounding; ``still`` keeps a factor out of it, as published code detaches
it. The probabilities come as a list, and what is left of 1 is summed from the other ones, so that no digits are lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
from mpmath import mp

DIGITS = 60
mp.dps = DIGITS
STEP = mp.mpf(10) ** -40
MASKED = -(mp.mpf(10) ** 1000)
"""What stands for a logit of minus infinity: the formulas then give the limit."""

Number = Any
Vector = Sequence[Number]


def softmax(logits: Vector) -> list[Number]:
    highest = max(mp.re(logit) for logit in logits)
    powers = [mp.exp(logit - highest) for logit in logits]
    return [power / mp.fsum(powers) for power in powers]


def still(number: Number) -> Number:
    return mp.re(number)


def rest(p: Vector, y: int) -> Number:
    return mp.fsum(p[k] for k in range(len(p)) if k != y)


def log(p: Vector, y: int) -> Number:
    return mp.log1p(-rest(p, y)) if mp.re(p[y]) > 0.5 else mp.log(p[y])


def power(p: Vector, y: int, exponent: float) -> Number:
    return mp.exp(exponent * log(p, y)) if exponent else mp.mpf(1)


def rest_power(p: Vector, y: int, exponent: float) -> Number:
    return rest(p, y) ** exponent if exponent else mp.mpf(1)


def ce(p: Vector, y: int) -> Number:
    return -log(p, y)


def fl(p: Vector, y: int, gamma: float, detached: bool = True) -> Number:
    weight = rest_power(p, y, gamma)
    return (still(weight) if detached else weight) * ce(p, y)


def mae(p: Vector, y: int) -> Number:
    return rest(p, y) + mp.fsum(p[k] for k in range(len(p)) if k != y)


def half_mae(p: Vector, y: int) -> Number:
    return rest(p, y)


def gce(p: Vector, y: int, q: float) -> Number:
    return -mp.expm1(q * log(p, y)) / q


def rce(p: Vector, y: int, A: float) -> Number:
    return -mp.fsum(p[k] * (0 if k == y else A) for k in range(len(p)))


def agce(p: Vector, y: int, a: float, q: float) -> Number:
    # ((a + 1)^q - (a + p)^q) / q, where 1 - p may have its first digit behind the last one of a
    highest = a + mp.mpf(1)
    ratio = mp.log1p(-rest(p, y) / highest) if mp.re(p[y]) > 0.5 else mp.log((a + p[y]) / highest)
    return -(highest**q) * mp.expm1(q * ratio) / q


def aul(p_: Vector, y: int, a: float, p: float) -> Number:
    # ((a - p)^p - (a - 1)^p) / p, likewise
    return (a - mp.mpf(1)) ** p * mp.expm1(p * mp.log1p(rest(p_, y) / (a - mp.mpf(1)))) / p


def ael(p: Vector, y: int, a: float) -> Number:
    return mp.exp(-p[y] / a)


def amse(p: Vector, y: int, a: float, q: float) -> Number:
    own = rest_power(p, y, q) if a == 1 else (a - p[y]) ** q  # the distance from 1 is what is left of it
    return (own + mp.fsum(power(p, k, q) for k in range(len(p)) if k != y)) / len(p)


def nfl(p: Vector, y: int, gamma: float, detached: bool = True) -> Number:
    return fl(p, y, gamma, detached) / mp.fsum(fl(p, k, gamma, detached) for k in range(len(p)))


def nce(p: Vector, y: int) -> Number:
    return nfl(p, y, 0.0)


def nnfl(p: Vector, y: int, gamma: float, p_min: float, detached: bool = True) -> Number:
    floor = mp.mpf(p_min)

    def shortfall(k: int) -> Number:
        below = mp.re(p[k]) < floor
        weight = (1 - floor if below else rest(p, k)) ** gamma if gamma else mp.mpf(1)
        log_p = mp.log(floor) if below else log(p, k)
        return -((1 - floor) ** gamma) * mp.log(floor) + (still(weight) if detached else weight) * log_p

    return 1 - shortfall(y) / mp.fsum(shortfall(k) for k in range(len(p)))


def nnce(p: Vector, y: int, p_min: float) -> Number:
    return nnfl(p, y, 0.0, p_min)


def epsilon(p: Vector, m: float) -> list[Number]:
    top = max(range(len(p)), key=lambda k: (mp.re(p[k]), -k))
    return [(p[k] + (m if k == top else 0)) / (1 + mp.mpf(m)) for k in range(len(p))]


def ce_eps(p: Vector, y: int, m: float, floor: float = 1e-8) -> Number:
    sharpened = epsilon(p, m)[y]
    return -mp.log(floor) if mp.re(sharpened) < floor else -mp.log(sharpened)


def fl_eps(p: Vector, y: int, m: float, gamma: float, floor: float = 1e-8) -> Number:
    raised = mp.re(epsilon(p, m)[y])
    sharpened = max(raised, mp.mpf(floor))
    left = rest(p, y) / (1 + mp.mpf(m)) if raised == sharpened > 0.5 else 1 - sharpened
    return still(left) ** gamma * ce_eps(p, y, m, floor) if gamma else ce_eps(p, y, m, floor)


def nlnl(p: Vector, y: int, floor: float, sampled: bool) -> Number:
    assert not sampled, "the mean over the complementary labels"
    others = [k for k in range(len(p)) if k != y]

    def one(k: int) -> Number:
        left = rest(p, k)
        return -mp.log(floor) if mp.re(left) < floor else -mp.log(left)

    return mp.fsum(one(k) for k in others) / len(others)


# Losses of the logits themselves.


def softplus(z: Number) -> Number:
    return z + mp.log1p(mp.exp(-z)) if mp.re(z) > 0 else mp.log1p(mp.exp(z))


def ldr_kl(z: Vector, y: int, c: float, Lambda: float) -> Number:
    # log1p rounds away e^z below the digits carried, so there softplus is e^z itself
    scores = [mp.exp(one) if mp.re(one) < -140 else softplus(one) for one in z]
    mean = mp.fsum(scores) / len(z)
    scores = [score / mean for score in scores]
    terms = [mp.exp(((c if k != y else 0) + scores[k] - scores[y]) / Lambda) for k in range(len(z))]
    return Lambda * mp.log(mp.fsum(terms) / len(z))


def ce_lc(z: Vector, y: int, delta: float, as_coded: bool) -> Number:
    norm = mp.sqrt(mp.fsum(one * one for one in z if mp.re(one) != MASKED))
    if mp.re(norm) > (1 / mp.mpf(delta) if as_coded else delta):
        z = [one if mp.re(one) == MASKED else one * delta / norm for one in z]
    return ce(softmax(z), y)


def bi_tempered(z: Vector, y: int, t1: float, t2: float) -> Number:
    def log_t(x: Number, t: float) -> Number:
        return mp.log(x) if t == 1 else (x ** (1 - mp.mpf(t)) - 1) / (1 - mp.mpf(t))

    p = softmax(z) if t2 == 1 else tempered(z, t2)
    e = [int(k == y) for k in range(len(z))]
    # Heavy tails leave something of what stands for a masked label's probability, which is 0.
    no_label = -MASKED if t1 == 1 else 1 / (1 - mp.mpf(t1))
    bits = [no_label if z[y] == MASKED and t2 > 1 else -log_t(p[y], t1)]
    powers = [(e[k] - p[k] ** (2 - mp.mpf(t1))) / (2 - mp.mpf(t1)) for k in range(len(z))]
    return mp.fsum(bits) - mp.fsum(powers)


def tempered(z: Vector, t: float) -> list[Number]:
    """By Newton's method, from the left of the root: the sum is convex there, so that no step goes too far."""
    t = mp.mpf(t)

    def powers(normalizer: Number, z: Vector) -> tuple[list[Number], Number]:
        """The probabilities, and how fast their sum falls with the normalizer."""
        bases = [1 + (1 - t) * (one - normalizer) for one in z]
        p = [base ** (1 / (1 - t)) for base in bases]
        return p, mp.fsum(one / base for one, base in zip(p, bases, strict=True))

    real = [mp.re(one) for one in z]
    normalizer: Number = max(real)
    step = mp.inf
    while abs(step) > mp.mpf(10) ** -30:
        p, slope = powers(normalizer, real)
        step = (mp.fsum(p) - 1) / slope
        normalizer += step
    for _ in range(3):  # for the last digits and the imaginary part
        p, slope = powers(normalizer, z)
        normalizer += (mp.fsum(p) - 1) / slope
    return powers(normalizer, z)[0]


def both(first: Callable[..., Number], second: Callable[..., Number], shared: str = "") -> Callable[..., Number]:
    """``alpha`` times the first and ``beta`` times the second; what is not the second's own is the first's."""

    def combined(p: Vector, y: int, /, alpha: float, beta: float, **parameters: float) -> Number:
        own = second.__code__.co_varnames[2 : second.__code__.co_argcount]
        to_second = {key: value for key, value in parameters.items() if key in own}
        to_first = {key: value for key, value in parameters.items() if key not in own or key == shared}
        return alpha * first(p, y, **to_first) + beta * second(p, y, **to_second)

    return combined


def amse_2(p: Vector, y: int, a: float) -> Number:
    return amse(p, y, a, 2.0)


REFERENCES: dict[str, Callable[..., Number]] = {
    "ce": ce,
    "fl": fl,
    "mae": mae,
    "gce": gce,
    "rce": rce,
    "sce": both(ce, rce),
    "agce": agce,
    "aul": aul,
    "ael": ael,
    "amse": amse,
    "nce": nce,
    "nfl": nfl,
    "nnce": nnce,
    "nnfl": nnfl,
    "nce+rce": both(nce, rce),
    "nce+mae": both(nce, half_mae),
    "nfl+rce": both(nfl, rce),
    "nfl+mae": both(nfl, half_mae),
    "nce+aul": both(nce, aul),
    "nce+ael": both(nce, ael),
    "nce+agce": both(nce, agce),
    "nfl+aul": both(nfl, aul),
    "nfl+ael": both(nfl, ael),
    "nfl+agce": both(nfl, agce),
    "agce+mae": both(agce, half_mae),
    "anl-ce": both(nce, nnce),
    "anl-fl": both(nfl, nnfl, shared="gamma"),
    "jal-ce": both(nce, amse_2),
    "jal-fl": both(nfl, amse_2),
    "ce-eps": ce_eps,
    "fl-eps": fl_eps,
    "ce-eps+mae": both(ce_eps, mae),
    "fl-eps+mae": both(fl_eps, mae),
    "nlnl": nlnl,
}
OF_LOGITS: dict[str, Callable[..., Number]] = {"ldr-kl": ldr_kl, "ce+lc": ce_lc, "bi-tempered": bi_tempered}


def value_and_gradient(
    name: str, parameters: dict[str, float], logits: Sequence[float], label: int
) -> tuple[Number, list[Number]]:
    """The loss of one sample and its derivative by the logits, to 30 digits or more."""
    return value_and_slopes(name, parameters, logits, label, range(len(logits)))


def value_and_slopes(
    name: str, parameters: dict[str, float], logits: Sequence[float], label: int, places: Sequence[int]
) -> tuple[Number, list[Number]]:
    """The loss of one sample and its derivative by some of the logits, to 30 digits or more."""
    # A parameter of 1e-300 is lost beside 1 in fewer digits.
    extreme = max((abs(math.log10(abs(one))) for one in parameters.values() if one), default=0.0)
    # So is the rest of a leading probability, unless the powers that multiply it are counted too.
    exponent = parameters.get("q", parameters.get("p", 0.0))
    extreme += min(exponent * math.log10(parameters.get("a", 0.0) + 1), 400)
    with mp.workdps(DIGITS + math.ceil(extreme)):
        exact = [MASKED if logit == -mpmath.inf else mp.mpf(float(logit)) for logit in logits]

        def formula(z: Vector) -> Number:
            if name in OF_LOGITS:
                return OF_LOGITS[name](z, label, **parameters)
            return REFERENCES[name](softmax(z), label, **parameters)

        slopes = []
        for place in places:
            if exact[place] == MASKED:
                slopes.append(mp.mpf(0))
                continue
            moved: list[Number] = [*exact[:place], mp.mpc(exact[place], STEP), *exact[place + 1 :]]
            slopes.append(mp.im(formula(moved)) / STEP)
        return mp.re(formula(exact)), slopes
