from __future__ import annotations

import html
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize

import checks as simulation
from noiseproof.auditing import checks
from noiseproof.auditing.checks import Draws, RateEstimate, Stratum, draw_checks, estimate_rate, is_enough
from noiseproof.errors import LabelError

PAGE = Path(checks.__file__).parent / "page" / "rate.js"

counts = st.tuples(st.integers(1, 400), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(
    lambda drawn: (
        drawn[0],
        checked := round(drawn[1] ** 2 * drawn[0]),
        wrong := round(drawn[2] * checked),
        round(drawn[3] ** 4 * (checked - wrong)),
    )
)


def test_every_sample_is_drawn_once_and_belongs_to_its_stratum() -> None:
    scores = np.random.default_rng(0).random(1000) ** 3
    draws = draw_checks(scores, 1000, seed=3)
    assert sorted(draws.rows) == list(range(1000))
    np.testing.assert_array_equal(np.bincount(draws.stratum, minlength=24), draws.sizes)
    # by score, one stratum after another
    tops = [scores[draws.rows[draws.stratum == h]].max() for h in range(24)]
    lows = [scores[draws.rows[draws.stratum == h]].min() for h in range(24)]
    assert all(top <= low for top, low in zip(tops[:-1], lows[1:], strict=True))
    assert draws.probability.sum() == pytest.approx(1)


def test_few_draws_are_the_first_of_many_and_go_round_the_groups() -> None:
    scores = np.random.default_rng(1).random(5000)
    many, few = draw_checks(scores, 300), draw_checks(scores, 47)
    np.testing.assert_array_equal(many.rows[:47], few.rows)
    for n in range(1, 300):
        in_groups = np.bincount(many.stratum[:n] // 8, minlength=3)
        assert in_groups.max() - in_groups.min() <= 1
    assert set(draw_checks(scores, 47, seed=2).rows) != set(few.rows)


def test_draws_are_uniform_within_a_group() -> None:
    scores = np.linspace(0, 1, 30)
    hits = np.zeros(30)
    for seed in range(1500):
        draws = draw_checks(scores, 1, seed=seed)
        hits[draws.rows[0]] += 1 / draws.probability[0]
    np.testing.assert_allclose(hits / 1500, 1, atol=0.7)  # each is a mean of 1,500 with a deviation of 5.4


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_useless_scores_make_equal_groups(value: float) -> None:
    draws = draw_checks(np.full(240, value), 10)
    assert draws.sizes.sum() == 240
    assert abs(draws.sizes - 10).max() <= 1


@pytest.mark.parametrize("count", [1, 2, 3, 7, 25])
def test_few_samples_are_all_drawn(count: int) -> None:
    draws = draw_checks(np.linspace(0, 1, count))
    assert sorted(draws.rows) == list(range(count))
    found = estimate_rate(draws.strata(["wrong" if row == 0 else "right" for row in draws.rows]))
    assert found == RateEstimate(pytest.approx(1 / count), 1 / count, 1 / count, count, 1, 0)


@pytest.mark.parametrize(
    ("scores", "count", "message"),
    [
        ([], 5, "expected numbers"),
        ([[0.1]], 5, "expected numbers"),
        (["a"], 5, "expected numbers"),
        ([0.1, float("nan")], 5, "score nan at 1"),
        ([1.5, 0.1], 5, "score 1.5 at 0"),
        ([0.1], 0, "0 checks: expected at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(scores: list, count: int, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        draw_checks(np.array(scores), count)


def test_verdicts_are_counted() -> None:
    draws = Draws(np.arange(4), np.array([0, 2, 2, 2]), 3, np.full(4, 0.1), np.array([5, 6, 7]))
    assert draws.strata(["wrong", "unsure", None, "right"]) == [(5, 1, 1, 0), (6, 0, 0, 0), (7, 2, 0, 1)]
    with pytest.raises(LabelError, match="3 verdicts for 4 draws"):
        draws.strata(["wrong"] * 3)
    with pytest.raises(LabelError, match="verdict 'maybe'"):
        draws.strata(["maybe"] * 4)


def least_by_optimization(strata: list[tuple[int, int, int]]) -> float:
    """The smallest share that is not rejected: the likelihood maximized under the constraint by a general optimizer."""
    size, n, x = np.array(strata, float).T
    weight = size / size.sum()
    fitted = max(((x > 0) & (x < n)).sum() - 1, 0)
    sample = n * (size - 1) / (size - n) * (1 - fitted / n.sum())

    def statistic(theta: float) -> float:
        def loss(t: np.ndarray) -> float:
            t = np.clip(t, 1e-12, 1 - 1e-12)
            return -float((sample * (x / n * np.log(t) + (1 - x / n) * np.log(1 - t))).sum())

        best = minimize(
            loss,
            np.clip(x / n * theta / (weight @ (x / n)), 1e-6, 1 - 1e-6),
            bounds=[(1e-9, 1 - 1e-9)] * len(x),
            constraints={"type": "eq", "fun": lambda t: weight @ t - theta},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        t = np.clip(best.x, 1e-12, 1 - 1e-12)
        observed = np.stack([sample * x / n, sample * (1 - x / n)])
        expected = np.stack([sample * t, sample * (1 - t)])
        power = 2 / 3
        return 2 / (power * (power + 1)) * float((observed * ((observed / expected) ** power - 1)).sum())

    return float(brentq(lambda theta: statistic(theta) - 1.959963984540054**2, 1e-5, weight @ (x / n) - 1e-9))


@pytest.mark.parametrize(
    "strata",
    [
        [(10**9, 100, 9)],
        [(10**9, 50, 1)],
        [(4 * 10**8, 20, 1), (3 * 10**8, 30, 12), (2 * 10**8, 15, 14)],
        [(4000, 100, 3), (500, 200, 120), (900, 60, 12)],
        [(6 * 10**8, 16, 2), (10**8, 17, 5), (10**8, 16, 9), (2 * 10**8, 17, 3), (10**8, 25, 4)],
    ],
)
def test_the_ends_are_those_of_a_general_optimizer(strata: list[tuple[int, int, int]]) -> None:
    found = estimate_rate([(*each, 0) for each in strata])
    assert found is not None
    total = sum(size for size, _, _ in strata)
    assert found.low == pytest.approx(least_by_optimization(strata), abs=2e-6 + 1 / total)
    other = least_by_optimization([(size, n, n - x) for size, n, x in strata])
    assert found.high == pytest.approx(1 - other, abs=2e-6 + 1 / total)


@pytest.mark.parametrize(
    ("n", "x", "near"), [(50, 1, 0.2), (100, 9, 0.1), (200, 80, 0.01), (400, 400, 0.4), (60, 0, 0.4)]
)
def test_one_large_stratum_has_nearly_wilsons_interval(n: int, x: int, near: float) -> None:
    found = estimate_rate([(10**9, n, x, 0)])
    assert found is not None
    p, z = x / n, 1.959963984540054
    middle, half = (
        (p + z**2 / 2 / n) / (1 + z**2 / n),
        z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / 4 / n**2),
    )
    assert found.rate == p
    assert found.low == pytest.approx(middle - half, abs=near * half)
    assert found.high == pytest.approx(middle + half, abs=near * half)


@given(st.lists(counts, min_size=1, max_size=13))
def test_estimates_lie_in_their_interval_and_right_is_wrong_mirrored(strata: list[tuple[int, int, int, int]]) -> None:
    found = estimate_rate(strata)
    if found is None:
        assert all(unsure == checked for _, checked, _, unsure in strata)
        return
    assert -1e-9 <= found.low <= found.rate + 1e-9
    assert found.rate - 1e-9 <= found.high <= 1
    mirrored = estimate_rate([(size, n, n - x - u, u) for size, n, x, u in strata])
    assert mirrored is not None
    assert (mirrored.low, mirrored.high) == (pytest.approx(1 - found.high), pytest.approx(1 - found.low))
    # what is known for sure is never outside
    total = sum(size for size, *_ in strata)
    assert found.low <= 1 - sum(n - x - u for _, n, x, u in strata) / total + 1e-9
    assert found.high >= sum(x for _, _, x, _ in strata) / total - 1e-9


@given(st.lists(counts, min_size=1, max_size=5))
def test_unsure_checks_widen_by_the_worst_case(strata: list[tuple[int, int, int, int]]) -> None:
    found = estimate_rate(strata)
    if found is None:
        return
    as_right = estimate_rate([(size, n, x, 0) for size, n, x, _ in strata])
    as_wrong = estimate_rate([(size, n, x + u, 0) for size, n, x, u in strata])
    assert as_right is not None
    assert as_wrong is not None
    assert (found.low, found.high) == (as_right.low, as_wrong.high)


def test_what_is_wholly_checked_is_known() -> None:
    found = estimate_rate([(50, 50, 5, 0), (30, 30, 30, 0), (20, 20, 0, 0)])
    assert found == RateEstimate(pytest.approx(0.35), 0.35, 0.35, 100, 35, 0)
    found = estimate_rate([(50, 50, 5, 10), (50, 50, 0, 0), (0, 0, 0, 0)])
    assert found is not None
    assert (found.low, found.high) == (0.05, 0.15)


def test_a_group_without_checks_may_be_right_or_wrong() -> None:
    found = estimate_rate([(500, 500, 0, 0), (300, 300, 300, 0), (200, 0, 0, 0)])
    assert found is not None
    assert (found.low, found.high) == (0.3, 0.5)


def test_without_decisions_there_is_no_estimate() -> None:
    assert estimate_rate([]) is None
    assert estimate_rate([(10, 0, 0, 0)]) is None
    assert estimate_rate([(10, 3, 0, 3), (5, 0, 0, 0)]) is None


@pytest.mark.parametrize("stratum", [(5, 6, 0, 0), (5, 4, 3, 2), (5, 4, -1, 0)])
def test_counts_that_cannot_be_are_refused(stratum: tuple[int, int, int, int]) -> None:
    with pytest.raises(LabelError, match="stratum 1 has"):
        estimate_rate([(5, 1, 0, 0), stratum])


def test_it_is_enough_by_width_and_number() -> None:
    assert not is_enough(None)
    assert not is_enough(RateEstimate(0.01, 0.0, 0.02, 99, 0, 0))
    assert is_enough(RateEstimate(0.01, 0.0, 0.02, 100, 0, 0))
    assert not is_enough(RateEstimate(0.05, 0.01, 0.08, 150, 9, 0))
    assert f"{checks.ENOUGH_CHECKS} labels" in checks.ENOUGH
    assert f"{100 * checks.ENOUGH_WIDTH:.0f} points" in checks.ENOUGH


@pytest.mark.parametrize("model", ["good", "weak", "useless"])
def test_the_interval_holds_the_truth_as_often_as_it_says(model: str) -> None:
    found = simulation.simulate(simulation.Case(model, size=10_000), stop=False)
    for n in simulation.LOOKS:
        assert 0.93 <= found[f"stratified {n}"]["coverage"] <= 0.97, n
    assert found["stratified 200"]["half_width"] < (0.024 if model == "good" else 0.041)


def test_the_simulation_has_the_estimates_own_intervals() -> None:
    random = np.random.default_rng(0)
    e, wrong = simulation.scores(simulation.Case("good", size=3000), random)
    sizes, found = simulation.drawn(e, wrong, 3, random)
    for n in (3, 40, 200):
        low, high = simulation.intervals(np.broadcast_to(sizes, (3, len(sizes))), found[:, n - 1])
        for i in range(3):
            one = estimate_rate(
                [Stratum(int(size), *map(int, each), 0) for size, each in zip(sizes, found[i, n - 1], strict=True)]
            )
            assert one is not None
            assert (one.low, one.high, one.checks) == (low[i], high[i], n)


def _run(script: str, folder: Path) -> list:
    """What JavaScript says, in Node or a browser without a window."""
    if node := shutil.which("node"):
        (folder / "run.js").write_text(script + "\nconsole.log(JSON.stringify(result));", encoding="utf-8")
        done = subprocess.run([node, str(folder / "run.js")], capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("neither Node nor Chromium is installed")
    page = (
        f"<pre id=r></pre><script>{script}\ndocument.getElementById('r').textContent = JSON.stringify(result);</script>"
    )
    (folder / "run.html").write_text(page, encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [*command, "--dump-dom", (folder / "run.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r'<pre id="r">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stdout
    return json.loads(html.unescape(found[1]))


def test_the_page_has_the_same_numbers(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    cases = [[], [(10, 2, 0, 2)], [(1, 1, 1, 0)], [(0, 0, 0, 0), (4, 4, 1, 1)]]
    for _ in range(200):
        size = random.integers(0, random.choice([4, 60, 10**4, 10**6]), random.choice([1, 2, 3, 6, 24, 24]))
        n = np.minimum(size, random.integers(0, random.choice([3, 40]), len(size)))
        wrong = random.binomial(n, random.random(len(size)) ** 2)
        cases.append(np.stack([size, n, wrong, random.binomial(n - wrong, random.choice([0, 0.1]))], 1).tolist())
    script = (
        PAGE.read_text(encoding="utf-8")
        + f"""
    const cases = {json.dumps(cases)};
    const result = cases.map((strata) => estimateRate(
      strata.map(([size, checked, wrong, unsure]) => ({{size, checked, wrong, unsure}}))));
    """
    )
    for case, there in zip(cases, _run(script, tmp_path), strict=True):
        here = estimate_rate(case)
        if here is None:
            assert there is None
        else:
            assert there == pytest.approx(vars(here), abs=1e-12)
