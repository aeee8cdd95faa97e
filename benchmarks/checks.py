"""How often the interval for the share of wrong labels holds the truth, and how wide it is: in simulation.

    python benchmarks/checks.py --out results/checks.json

Draws are those of `noiseproof.auditing.checks`, from 50,000 (or 300) samples whose scores are good, weak, useless or
sure of themselves where they are wrong. Each row is 3,000 simulations: 30 data sets, 100 times drawn from. Beside it
stand the figures of drawing uniformly (the same interval, with one stratum) and of active, prediction-powered inference
(normal intervals). A table is written beside the JSON file.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from noiseproof.auditing import checks
from noiseproof.provenance import environment
from noiseproof.seeding import numpy_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOKS = (50, 100, 200)
SETS, DRAWS = 30, 100
Z = 1.959963984540054

MODELS = {"good": 3.25, "weak": 1.1, "useless": None, "overconfident": 3.25}
"""By how many standard deviations the scores of wrong and right labels differ, before the sigmoid."""


@dataclass
class Case:
    """What is simulated.

    Attributes:
        model: whose scores.
        rate: the share of wrong labels.
        size: how many samples there are.
    """

    model: str
    rate: float = 0.09
    size: int = 50_000


CASES = [
    *(Case(model) for model in MODELS),
    *(Case(model, rate) for rate in (0.02, 0.2, 0.4) for model in MODELS),
    *(Case(model, size=300) for model in MODELS),
]


def scores(case: Case, random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Suspicion, and which labels are wrong."""
    wrong = np.arange(case.size) < round(case.rate * case.size)
    apart = MODELS[case.model]
    if apart is None:
        return random.random(case.size), wrong
    found = wrong
    if case.model == "overconfident":  # nearly all scores are 0 or 1, and every seventh wrong label looks right
        found = wrong & (random.random(case.size) > 0.15)
    logits = random.normal(np.where(found, apart**2 / 2, -(apart**2) / 2), apart)
    return 1 / (1 + np.exp(-logits * (4 if case.model == "overconfident" else 1))), wrong


def average_precision(e: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    found = wrong[np.argsort(-e, kind="stable")]
    return float((found.cumsum() / np.arange(1, len(e) + 1))[found].mean())


def drawn(
    e: NDArray[np.float64], wrong: NDArray[np.bool_], times: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sizes of the strata; and counts after each check, `(times, checks, strata, 2)`: checked, wrong."""
    strata = checks.draw_checks(e, 1).sizes
    groups = strata.reshape(checks.GROUPS, -1).sum(1).tolist()
    ordered, stratum = wrong[np.argsort(e, kind="stable")], np.repeat(np.arange(len(strata)), strata)
    places = np.stack([checks.go_round(groups, LOOKS[-1], random)[0] for _ in range(times)])
    hot = stratum[places][..., None] == np.arange(len(strata))
    each = np.stack([hot, hot & ordered[places][..., None]], -1)
    return strata, each.cumsum(1, dtype=np.int16)


def intervals(sizes: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of sizes `(simulations, strata)` and counts `(simulations, strata, 2)`; merged as for one estimate."""
    low, high = np.empty(len(counts)), np.empty(len(counts))
    on = np.arange(len(counts))
    while len(on):
        n, x = np.moveaxis(counts, -1, 0)
        short = checks.too_few(sizes, n) if sizes.shape[1] % 2 == 0 else np.zeros(len(on), bool)
        n, x = n[~short], x[~short]
        low[on[~short]], high[on[~short]] = checks.interval(sizes[~short], n, x, n - x)
        on, sizes, counts = on[short], sizes[short], counts[short]
        if len(on):
            sizes, counts = sizes[:, ::2] + sizes[:, 1::2], counts[:, ::2] + counts[:, 1::2]
    return low, high


def summary(low: Any, high: Any, true: Any, used: Any) -> dict[str, float]:
    """How often intervals hold the truth, and how wide they are."""
    below, above = float((high < true - 1e-9).mean()), float((low > true + 1e-9).mean())
    return {
        "coverage": 1 - below - above,
        "too_low": below,
        "too_high": above,
        "half_width": float((high - low).mean() / 2),
        "checks": float(np.mean(used)),
    }


def stopped(sizes: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
    """Ends and numbers of checks, when the rule first says that it is enough, asked after every check; or after all."""
    low, high, used = (np.zeros(len(counts)) for _ in range(3))
    on = np.arange(len(counts))
    for n in range(checks.ENOUGH_CHECKS, LOOKS[-1] + 1):
        low[on], high[on] = intervals(sizes[on], counts[on, n - 1])
        used[on] = n
        on = on[(high[on] - low[on]) / 2 > checks.ENOUGH_WIDTH]
    return low, high, used


def uniform(wrong: NDArray[np.bool_], count: int, times: int, random: np.random.Generator) -> tuple[Any, Any]:
    """Intervals of so many draws without regard to scores."""
    x = random.hypergeometric(wrong.sum(), (~wrong).sum(), count, times)
    return checks.interval(np.array([len(wrong)]), np.full((times, 1), count), x[:, None], count - x[:, None])


def prediction_powered(
    e: NDArray[np.float64], wrong: NDArray[np.bool_], times: int, random: np.random.Generator
) -> dict[int, tuple[Any, Any]]:
    """Normal intervals of active, prediction-powered inference: half the draws uniform, half by sqrt(e (1 - e))."""
    doubt = np.sqrt(e * (1 - e))
    chance = 0.5 / len(e) + 0.5 * doubt / doubt.sum()
    places = random.choice(len(e), (times, LOOKS[-1]), p=chance)
    each = e.mean() + (wrong[places] - e[places]) / (len(e) * chance[places])
    found = {}
    for n in LOOKS:
        mean, error = each[:, :n].mean(1), each[:, :n].std(1, ddof=1) / np.sqrt(n)
        found[n] = (mean - Z * error, mean + Z * error)
    return found


def simulate(case: Case, *, stop: bool) -> dict[str, Any]:
    """All figures of one case."""
    random = numpy_stream(1, "simulated checks", case.model, str(case.rate), case.size)
    kept: list[tuple[NDArray[Any], ...]] = []
    others: dict[str, list[Any]] = {f"{name} {n}": [] for name in ("uniform", "prediction-powered") for n in LOOKS}
    precision = []
    for _ in range(SETS):
        e, wrong = scores(case, random)
        precision.append(average_precision(e, wrong))
        sizes, counts = drawn(e, wrong, DRAWS, random)
        kept.append((np.broadcast_to(sizes, (DRAWS, len(sizes))), counts))
        powered = prediction_powered(e, wrong, DRAWS, random)
        for n in LOOKS:
            others[f"uniform {n}"].append(uniform(wrong, n, DRAWS, random))
            others[f"prediction-powered {n}"].append(powered[n])
    sizes, counts = (np.concatenate(each) for each in zip(*kept, strict=True))
    true = round(case.rate * case.size) / case.size
    found = {"stratified " + str(n): summary(*intervals(sizes, counts[:, n - 1]), true, n) for n in LOOKS}
    if stop:
        low, high, used = stopped(sizes, counts)
        found["stratified, stopped"] = summary(low, high, true, used)
    for name, each in others.items():
        found[name] = summary(*np.concatenate(each, 1), true, int(name.split()[-1]))
    return {**asdict(case), "average_precision": float(np.mean(precision)), **found}


def table(cases: list[dict[str, Any]]) -> str:
    """Coverage in % and half-widths in points, in Markdown."""
    lines = [
        "Coverage of the interval in %, and its mean half-width in points, after so many checks. *Stopped*:\n"
        "when `is_enough` first says so, asked after every check, or else after 200; in brackets the mean number\n"
        "of checks. Beside it the same after 200 checks, drawn uniformly or by active, prediction-powered inference.\n",
        "| scores | wrong | samples | AP | 50 | 100 | 200 | stopped | uniform | prediction-powered |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for case in cases:
        cells = [case["model"], f"{100 * case['rate']:.0f} %", f"{case['size']:,}", f"{case['average_precision']:.2f}"]
        cells += [_cell(case[f"stratified {n}"]) for n in LOOKS]
        stop = case.get("stratified, stopped")
        cells.append(f"{_cell(stop)} ({stop['checks']:.0f})" if stop else "")
        cells += [_cell(case[f"{name} {LOOKS[-1]}"]) for name in ("uniform", "prediction-powered")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(found: dict[str, float]) -> str:
    return f"{100 * found['coverage']:.1f}, ± {100 * found['half_width']:.1f}"


def main() -> None:
    """Simulate, and write what is found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, metavar="FILE")
    options = parser.parse_args()
    began, cases = time.process_time(), []
    for case in CASES:
        cases.append(simulate(case, stop=case in CASES[: len(MODELS)]))
        print(table(cases[-1:]).splitlines()[-1], flush=True)
    found = {"environment": environment(torch.device("cpu")), "seconds": time.process_time() - began, "cases": cases}
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        options.out.with_suffix(".md").write_text(table(cases), encoding="utf-8")


if __name__ == "__main__":
    main()
