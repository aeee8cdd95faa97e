"""The parts of a fit that need no training: budget and plan, folds, scores, temperature."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from noiseproof.auditing import NoiseBracket
from noiseproof.container import write_document
from noiseproof.data import Dataset, Part
from noiseproof.errors import RecipeError, RunError
from noiseproof.fitting._candidates import FIXED, Candidate, candidates_table, jal_candidates
from noiseproof.fitting._folds import make_folds
from noiseproof.fitting._logistic import Logistic
from noiseproof.fitting._plan import (
    Budget,
    Plan,
    Rung,
    Sizes,
    first_plan,
    opening_within,
    read_plan,
    within,
    write_plan,
)
from noiseproof.fitting._race import Race, Standing, _smoothed
from noiseproof.fitting._temperature import find_temperature
from noiseproof.models import make_model
from noiseproof.run import Machine


@pytest.mark.parametrize(
    ("text", "seconds", "updates"),
    [
        ("10m", 600, math.inf),
        ("30s", 30, math.inf),
        ("1.5h", 5400, math.inf),
        (" 2 d ", 172800, math.inf),
        ("2000 updates", math.inf, 2000),
        ("7updates", math.inf, 7),
    ],
)
def test_budgets(text: str, seconds: float, updates: float) -> None:
    assert Budget.parse(text) == Budget(seconds, updates)


@pytest.mark.parametrize("text", ["", "10", "m", "0m", "-1m", "1.5 updates", "1e3s", "10m 5s", "nan s", 10])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="budget"):
        Budget.parse(text)


def plan_of(samples: int, *, folds: int = 5, is_image: bool = False) -> tuple[Plan, Sizes]:
    sizes = Sizes(samples, samples * (folds - 1) // folds, folds)
    return first_plan(sizes, is_image=is_image, features="", model=None, budget="10m", trees=50), sizes


def counted(plan: Plan, sizes: Sizes, candidates: int) -> int:
    """The updates of a plan, update by update."""
    total, trained = 0, 0
    for number, rung in enumerate(plan.rungs):
        for _ in range(candidates if number == 0 else min(rung.enter, candidates)):
            for _ in range(plan.folds):
                total += (rung.epochs - trained) * len(range(0, sizes.training, plan.batch_size))
        trained = rung.epochs
    return total + plan.members * plan.seeds * trained * len(range(0, sizes.samples, plan.batch_size))


@given(
    st.integers(5, 60_000),
    st.integers(2, 8),
    st.lists(st.integers(1, 3_000_000), min_size=2, max_size=2),
    st.booleans(),
)
def test_a_plan_fits_into_its_updates_and_grows_with_them(
    samples: int, candidates: int, budgets: list[int], is_image: bool
) -> None:
    full, sizes = plan_of(samples, is_image=is_image)
    found = []
    for updates in sorted(budgets):
        try:
            opened = opening_within(full, sizes, candidates, updates)
        except RecipeError:
            shortest = replace(full.opened(1), rungs=(Rung(1, 0),), folds=1, members=1, seeds=1)
            assert counted(shortest, sizes, candidates) > updates
            found.append((0,))
            continue
        plan = within(opened, sizes, candidates, updates)
        assert plan.updates(sizes, candidates) == counted(plan, sizes, candidates) <= updates
        assert plan.rungs[0].epochs == opened.rungs[0].epochs
        shares = plan.shares(sizes, candidates, 0.1)
        assert all(0.1 < one < other for one, other in zip(shares, [*shares[1:], 1.0], strict=True))
        rank = plan.seeds >= 2, plan.folds, plan.seeds, len(plan.rungs), plan.members
        found.append((1, opened.rungs[0].epochs, *rank))
    smaller, larger = found
    assert smaller[:1] <= larger[:1]
    if smaller[:2] == larger[:2]:
        assert smaller <= larger


def test_the_first_rung_alone_may_exceed_what_is_left() -> None:
    full, sizes = plan_of(5000)
    plan = within(full, sizes, 8, 0.0)
    assert plan == replace(full, rungs=(Rung(full.rungs[0].epochs, 8),), members=1, seeds=1, folds=1)


def test_stages_of_a_plan() -> None:
    plan = Plan("1m", "", "mlp(hidden=4)", 10, 1e-3, (), False, 2, (Rung(2, 5), Rung(6, 3)), 2, 3, 0, False)
    sizes = Sizes(100, 75, 4)
    # 8 updates an epoch in the race, 10 on all data.
    assert plan.stages(sizes, 5) == [5 * 2 * 8 * 2, 3 * 4 * 8 * 2, 2 * 3 * 6 * 10]
    assert plan.stages(sizes, 2) == [2 * 2 * 8 * 2, 2 * 4 * 8 * 2, 2 * 3 * 6 * 10]
    assert plan.shares(sizes, 5, 0.5) == pytest.approx([0.5 + 0.5 * 160 / 712, 0.5 + 0.5 * 352 / 712])


@pytest.mark.parametrize(
    "change",
    [
        {"folds": 0},
        {"folds": 6},
        {"rungs": []},
        {"rungs": [{"epochs": 3, "enter": 2}, {"epochs": 3, "enter": 2}]},
        {"rungs": [{"epochs": 0, "enter": 2}]},
        {"rungs": [{"epochs": 1, "enter": -1}]},
        {"members": 0},
        {"seeds": 0},
        {"batch_size": 0},
        {"budget": "soon"},
        {"model": 3},
    ],
)
def test_a_plan_that_is_none_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    plan, _ = plan_of(5000)
    write_plan(path, plan)
    assert read_plan(path) == plan
    values = {"rungs": [{"epochs": 1, "enter": 2}], **{key: getattr(plan, key) for key in vars(plan) if key != "rungs"}}
    path.write_text(write_document("plan", {**values, **change}))
    with pytest.raises(RunError, match=r"cannot read the plan .*plan.json"):
        read_plan(path)


def test_what_will_race_is_said() -> None:
    rows = [row[0] for row in candidates_table(5000, is_table=True).rows]
    assert rows == [*(candidate.name for candidate in FIXED), "JAL-CE (a=…)", "Boosted trees"]
    assert [row[0] for row in candidates_table(100, is_table=False).rows] == [
        "CE",
        "GCE (0.7)",
        "NCE+RCE",
    ]


def test_jal_is_there_for_both_ends_of_the_noise() -> None:
    names = [candidate.name for candidate in jal_candidates(NoiseBracket(0.1, 0.4), 10)]
    assert len(names) == 2
    assert len(jal_candidates(NoiseBracket(0.0, 0.0), 10)) == 1
    assert all(float(one.name[10:-1]) <= 30 for one in jal_candidates(NoiseBracket(0.5, 1.0), 3))


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(4, 60), st.integers(1, 60), st.booleans())
def test_folds(seed: int, classes: int, count: int, groups: int, all_count: bool) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    group = random.integers(0, groups, count) if groups < count else np.arange(count)
    counted = np.ones(count, bool) if all_count else random.random(count) < 0.7
    if not counted.any():
        return
    folds = make_folds(labels, group, 5, seed, counted)
    assert (folds == make_folds(labels, group, 5, seed, counted)).all()
    for name in {*group.tolist()}:
        assert len({*folds[group == name].tolist()}) == 1, "a group is on two sides"
    numbers = sorted({*folds.tolist()} - {-1})
    assert numbers == list(range(len(numbers)))
    assert len(numbers) <= 5
    for number in numbers:
        held_out = folds == number
        assert counted[held_out].any()
        assert {*labels[counted & held_out]} <= {*labels[counted & ~held_out]}, "a class is held out as a whole"
    for label in range(classes):
        own = counted & (labels == label)
        if len({*group[own].tolist()}) == 1:
            assert (folds[own] == -1).all()


def test_folds_are_stratified() -> None:
    labels = np.repeat([0, 1, 2], [500, 100, 25])
    folds = make_folds(labels, np.arange(625), 5, 1, np.ones(625, bool))
    for number in range(5):
        assert np.bincount(labels[folds == number]).tolist() == [100, 20, 5]
    assert (folds != make_folds(labels, np.arange(625), 5, 2, np.ones(625, bool))).any()
    grouped = make_folds(labels, np.arange(625) // 5, 5, 1, np.ones(625, bool))
    assert np.bincount(labels[grouped == 0]).tolist() == pytest.approx([100, 20, 5], abs=10)


@pytest.mark.parametrize(("each", "folds"), [(1, 0), (2, 2), (3, 3), (4, 4), (5, 5), (9, 5)])
def test_few_samples_have_fewer_folds(each: int, folds: int) -> None:
    labels = np.arange(3 * each) % 3
    found = make_folds(labels, np.arange(3 * each), 5, 1, np.ones(3 * each, bool))
    assert len({*found.tolist()} - {-1}) == folds
    if folds:
        assert Sizes.of(found).folds == folds


def race_of(labels: np.ndarray, weight: np.ndarray | None = None, folds: np.ndarray | None = None) -> Race:
    plan, _ = plan_of(5000)
    weight = np.ones(len(labels)) if weight is None else weight
    folds = np.zeros(len(labels), int) if folds is None else folds
    return Race(Path(), Path(), plan, 1, labels, folds, weight, Machine())


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_smoothing_is_a_mean_over_three_epochs(seed: int, epochs: int) -> None:
    hits = np.random.default_rng(seed).random((epochs, 7)) < 0.5
    expected = [hits[max(0, e - 1) : e + 2].mean(0) for e in range(epochs)]
    np.testing.assert_allclose(_smoothed(hits), expected)


def test_the_best_epoch_is_the_best_on_average_around_it() -> None:
    race = race_of(np.zeros(4, int))
    stages = np.zeros((5, 4, 2), np.float32)
    stages[:, :, 1] = 1
    stages[0, :, 0] = 2  # a hit of all once: a third of it and its neighbours, but half at the border
    stages[3:, :3, 0] = 2
    standing = race.standing_of(FIXED[0], stages)
    assert (standing.epoch, standing.score, standing.epochs) == (5, 0.75, 5)
    np.testing.assert_allclose(standing.hits, [1, 1, 1, 0])


def test_a_paired_lead_and_its_standard_error() -> None:
    random = np.random.default_rng(0)
    first, second = random.random((2, 400)) < 0.5
    race = race_of(np.zeros(400, int))
    ahead, error = race.lead(first.astype(float), second.astype(float))
    difference = first.astype(float) - second
    assert ahead == pytest.approx(difference.mean())
    assert error == pytest.approx(difference.std() / 20)
    twice = np.repeat([2.0, 0.0], 200)  # those that do not count
    ahead, error = race_of(np.zeros(400, int), twice).lead(first.astype(float), second.astype(float))
    assert ahead == pytest.approx(difference[:200].mean())
    assert error == pytest.approx(difference[:200].std() / math.sqrt(200))


def test_the_simpler_candidate_is_chosen_within_a_standard_error() -> None:
    race = race_of(np.zeros(100, int))

    def standing(candidate: Candidate, hits: range) -> Standing:
        values = np.isin(np.arange(100), hits).astype(float)
        return Standing(candidate, 1, 1, values.mean(), values, np.zeros((100, 2)))

    hits = range(60), range(78), range(3, 82)
    first, second, third = (standing(one, where) for one, where in zip(FIXED[:3], hits, strict=True))
    assert race.choose([first, second, third]) is second, "the best one is 79 to 78, of seven that differ"
    assert race.choose([first, third]) is third, "60 are too few beside 79"
    assert race.order([first, second, third]) == [third, second, first]
    assert race.survivors([first, second, third], 2) == [FIXED[1], FIXED[2]]
    assert race.order([second, replace(third, score=second.score)])[0] is second, (
        "with equal scores the first one leads"
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.floats(0.3, 4))
def test_the_temperature_is_that_of_a_search_by_scipy(seed: int, count: int, sharpness: float) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, 200)
    members = []
    for _ in range(count):
        logits = sharpness * (random.normal(size=(200, 3)) + 1.5 * np.eye(3)[labels])
        members.append(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
    shares = random.random(count) + 0.1
    weight = random.random(200)

    def risk(octaves: float) -> float:
        powers = [member ** (2.0**-octaves) for member in members]
        average = (
            sum(share * p / p.sum(1, keepdims=True) for share, p in zip(shares, powers, strict=True)) / shares.sum()
        )
        return -np.average(np.log(average[np.arange(200), labels]), weights=weight)

    found = math.log2(find_temperature(members, shares, labels, weight))
    best = minimize_scalar(risk, bounds=(-2, 4), method="bounded").x
    assert abs(found - best) < 0.06 or risk(found) - risk(best) < 1e-6
    assert risk(found) <= risk(0.0) + 1e-12, "the temperature makes the likelihood worse"


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression_is_kept_as_a_network(classes: int) -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(90, 4)).astype(np.float32)
    labels = np.digitize(inputs[:, 0] + random.normal(size=90), np.linspace(-1, 1, classes + 1)[1:-1])
    names = tuple(map(str, range(classes + 1)))  # the last class has no samples
    weight = random.uniform(0.5, 2, 90).astype(np.float32)
    data = Dataset("t", Part(inputs, labels), None, names, (0.0,) * 4, (1.0,) * 4, sample_weight=weight)
    network = make_model("linear", input_shape=(4,), num_classes=classes + 1)
    network.load_state_dict(Logistic(data, inputs).final())
    found = network(torch.from_numpy(inputs)).softmax(1).detach().numpy()
    expected = LogisticRegression(max_iter=2000).fit(inputs, labels, weight).predict_proba(inputs)
    assert found[:, :-1] == pytest.approx(expected, abs=1e-5)
    assert found[:, -1].max() < 1e-20
    held_out = Logistic(data, inputs).held_out(np.arange(90) % 3, 2)
    rest = np.arange(90) % 3 != 0
    first = LogisticRegression(max_iter=2000).fit(inputs[rest], labels[rest], weight[rest])
    assert held_out.shape == (60, classes + 1)
    assert held_out[:30, :-1] == pytest.approx(first.predict_proba(inputs[~rest]), abs=1e-5)
