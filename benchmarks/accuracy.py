"""A random search over logits and parameters for losses that miss the accuracy bar.

    python benchmarks/accuracy.py [--loss NAME ...] [--minutes 10] [--seed 0] [--out FILE.json]

Values and slopes are compared with formulas of 60 digits or more (`reference_losses.py`). The bar is that of the tests:
the error of the naive formula in the same type (`naive_losses.py`) plus a few roundings of the true number, or of 1 or
the weight of a term if that is larger, for every true number that the type holds. To what is above, the bar adds the
most that the true number changes when a logit moves by a rounding: no formula can tell the two logits apart. Logits
reach to ±1e4, with ties, leading, trailing and masked labels; parameters go to the ends of their domains, and one
rounding from them.

The command prints how many bars the worst case of each loss reaches. Above 1 is a miss, which is written so that it can
be tried again, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from naive_losses import NAIVE
from noiseproof.errors import SpecError
from noiseproof.losses import REGISTRY, Loss
from noiseproof.provenance import environment
from reference_losses import OF_LOGITS, REFERENCES, value_and_slopes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from noiseproof.spec import Parameter

TOLERANCE = {torch.float64: 4e-15, torch.float32: 2e-6}
"""A few roundings of numbers of size 1."""

AMPLIFIES = {"nlnl": 8.0, "ldr-kl": 8.0}
"""These divide a difference from 1 into something, or multiply what nearly cancels by Lambda = 10."""


@dataclass(frozen=True)
class Case:
    """One row of logits, and a loss to try on it."""

    loss: Loss
    logits: Tensor
    label: int

    def __str__(self) -> str:
        return f"{self.loss.spec} in {self.logits.dtype} at {self.logits.tolist()}, label {self.label}"


_NOTHING = 1e-300
"""Weights below this leave nothing of a loss."""


def draw_case(name: str, draw: random.Random) -> Case:
    """A random loss of a name, with random logits."""
    loss = REGISTRY[name]
    classes = draw.choice((2, 3, 3, 10, 10, 37))
    parameters = {key: draw_parameter(entry, draw) for key, entry in loss.declared.items()}
    for key in {"alpha", "beta", "A"} & parameters.keys():
        parameters[key] = min(max(parameters[key], -1e9), 1e9)  # whose products fit into a float32
    while parameters.get("p_min", 0.0) * classes >= 1:
        parameters["p_min"] = draw_parameter(loss.declared["p_min"], draw)
    if parameters.get("alpha", 1.0) < _NOTHING and parameters.get("beta", 1.0) < _NOTHING:
        parameters["alpha"] = 1.0
    if "sampled" in parameters:
        parameters["sampled"] = False  # its mean has one value
    dtype = draw.choice((torch.float64, torch.float32))
    logits, label = draw_logits(classes, draw)
    try:
        made = loss(**parameters, reduction="none")
    except SpecError as error:
        if "is beyond what a float64 holds" not in str(error):
            raise
        return draw_case(name, draw)
    return Case(made, torch.tensor(logits, dtype=torch.float64).to(dtype), label)


def draw_parameter(entry: Parameter, draw: random.Random) -> float:
    """A value of a parameter: its default, anywhere between the ends of its domain, or at one of them."""
    if entry.domain is None:
        return draw.random() < 0.5
    low, high = entry.domain.bounds
    candidates = [entry.default] * 3
    for end, inwards in ((low, 1.0), (high, -1.0)):
        if math.isfinite(end):
            candidates += [end, math.nextafter(end, end + inwards), end + inwards * 10.0 ** draw.uniform(-16, 0)]
    if high > 1e3:
        candidates += [low + 10.0 ** draw.uniform(-6, 6)] * 3 + [low + 10.0 ** draw.uniform(-20, 20)]
        candidates += [float(draw.randint(1, 60)), *([1e300] if high == math.inf else [])]
    elif low < -1e3:
        candidates += [-(10.0 ** draw.uniform(-6, 6))] * 3 + [-(10.0 ** draw.uniform(-20, 20))]
    else:
        candidates += [draw.uniform(low, high)] * 3
    while True:
        value = draw.choice(candidates)
        if value in entry.domain:
            return value


def draw_logits(classes: int, draw: random.Random) -> tuple[list[float], int]:
    """A row of logits with a label."""
    scale = 10.0 ** draw.uniform(-1, 4) if draw.random() < 0.5 else draw.uniform(0.5, 8)
    row = [draw.gauss(0, 1) * scale for _ in range(classes)]
    label = draw.randrange(classes)
    kind = draw.choice(("plain", "plain", "leading", "trailing", "tied", "masked", "own masked", "shifted"))
    if kind == "leading":
        row[label] = max(row) + 10.0 ** draw.uniform(-2, 2.5)
    elif kind == "trailing":
        row[label] = min(row) - 10.0 ** draw.uniform(-2, 2.5)
    elif kind == "tied":
        row = [float(round(logit)) for logit in row]
    elif kind == "shifted":
        row = [logit + draw.choice((-1e4, 1e4)) for logit in row[:1]] * 1 + [logit + 9e3 for logit in row[1:]]
    row = [min(max(logit, -1e4), 1e4) for logit in row]
    if kind == "own masked":
        row[label] = -math.inf
    elif kind == "masked" and classes > 2:
        row[(label + 1) % classes] = -math.inf
    return row, label


def bars(case: Case) -> float:
    """How many bars the worst error of a case is; infinite for what is not finite and should be."""
    name, logits = case.loss.name, case.logits
    places = sorted({case.label, int(logits.argmax()), int(logits.argmin()), len(logits) // 2})
    places = [place for place in places if logits[place] > -math.inf]  # the slope there is no limit
    largest = torch.finfo(logits.dtype).max
    try:
        true = _true(case, logits.tolist(), places)
    except OverflowError:  # more digits than even mpmath can count
        return 0.0
    ours = _numbers(case.loss, case, places)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            naive = _numbers(lambda z, y: NAIVE[name](z, y, **case.loss.hyperparameters), case, places)
        except (OverflowError, ZeroDivisionError):
            naive = true
    tolerance = TOLERANCE[logits.dtype] * AMPLIFIES.get(name, 1.0)
    size = max(1.0, *(case.loss.hyperparameters.get(key, 0.0) for key in ("alpha", "beta")))
    worst = 0.0
    for part in (slice(0, 1), slice(1, None)):
        if not true[part].abs().max() <= largest:
            continue  # the type has no such numbers
        bar = tolerance * max(size, true[part].abs().max().item())
        error = _error(ours[part], true[part])
        excess = error - _error(naive[part], true[part]) if math.isfinite(error) else math.inf
        if bar < excess < math.inf:
            bar += _change(case, places, true)[part].max().item()
        worst = max(worst, 0.0 if math.isnan(excess) else excess / bar)
    return worst


def _true(case: Case, logits: list[float], places: list[int]) -> Tensor:
    value, slopes = value_and_slopes(case.loss.name, case.loss.hyperparameters, logits, case.label, places)
    return torch.tensor([float(value), *map(float, slopes)], dtype=torch.float64)


def _change(case: Case, places: list[int], true: Tensor) -> Tensor:
    """How much the true numbers change, at most, when a logit moves by a rounding without passing another one."""
    logits = case.logits.tolist()
    finite = [logit for logit in logits if logit > -math.inf]
    rounding = torch.finfo(case.logits.dtype).eps * (1 + max(finite) - min(finite))
    change = torch.zeros_like(true)
    for place in {case.label, logits.index(max(logits))} & set(places):
        for step in (rounding, -rounding):
            moved = [*logits[:place], logits[place] + step, *logits[place + 1 :]]
            if moved.index(max(moved)) != logits.index(max(logits)):
                continue
            change = torch.maximum(change, (_true(case, moved, places) - true).abs())
    return change


def _error(found: Tensor, true: Tensor) -> float:
    error = (found - true).abs().max().item()
    return error if math.isfinite(error) else math.inf


def _numbers(loss: Callable[[Tensor, Tensor], Tensor], case: Case, places: list[int]) -> Tensor:
    logits = case.logits.clone().unsqueeze(0).requires_grad_()
    value = loss(logits, torch.tensor([case.label]))
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    return torch.cat([value.detach().double(), gradient[0, places].double()])


def search(name: str, draw: random.Random) -> Iterator[tuple[float, Case]]:
    """Cases without end, each with its :func:`bars`."""
    while True:
        case = draw_case(name, draw)
        yield bars(case), case


def main() -> None:
    """Search, and print the worst case of each loss."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loss", action="append", metavar="NAME", help="may be repeated (default: all)")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all of them together (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write what was found as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = options.loss or sorted({*REFERENCES, *OF_LOGITS})
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        worst, count, began = (-1.0, ""), 0, time.monotonic()
        for number, case in search(name, random.Random(f"{options.seed} {name}")):  # noqa: S311
            count += 1
            worst = max(worst, (number, str(case)))
            if time.monotonic() - began > 60 * options.minutes / len(names):
                break
        found[name] = {"cases": count, "bars": worst[0], "worst": worst[1]}
        print(f"{name:<14}{count:>8} cases, worst {worst[0]:.3g} bars", flush=True)
        if worst[0] > 1:
            print(f"    {worst[1]}", flush=True)
    if options.out is not None:
        content = {
            "environment": environment(torch.device("cpu")),
            "seed": options.seed,
            "minutes": options.minutes,
            "cases": sum(one["cases"] for one in found.values()),
            "losses": found,
        }
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(one["bars"] > 1 for one in found.values()))


if __name__ == "__main__":
    main()
