"""The number of workers on devices of known behaviour."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from noiseproof.bench._filling import Filling
from noiseproof.bench._workers import Memory, Report
from noiseproof.train import Progress, make_recipe

RECIPES = [
    make_recipe(
        {"data": "digits", "model": "mlp", "method": "ce", "epochs": 9, "batch_size": 100, "lr": 0.1, "seed": seed}
    )
    for seed in range(16)
]


def settle(most: int, rate: Callable[[int], float], memory: Memory, *, loading: float = 3.0) -> list[int]:
    """How many workers there were in each second, where so many do ``rate`` samples a second together.

    A worker says nothing while it loads its data, and begins in the middle of its run.
    """
    now = 0.0
    filling = Filling(most, window=10.0, clock=lambda: now)
    began: list[float] = []
    steps: list[float] = []
    history = []
    for second in range(300):
        now = float(second)
        began += [now] * (filling.workers - len(began))
        steps += [5.0] * (filling.workers - len(steps))
        running = [worker for worker in range(filling.workers) if now - began[worker] >= loading]
        for worker in running:
            steps[worker] += rate(len(running)) / len(running) / 100
            progress = Progress(int(steps[worker]), 10**6, 1, 9, None)
            filling.note(Report(worker, RECIPES[worker], progress, memory))
        history.append(filling.workers)
    return history


def test_workers_are_added_while_they_get_more_done() -> None:
    history = settle(8, lambda count: 1000 * min(count, 3), Memory(1, 1000))
    assert max(history) == 4  # one more was tried
    assert history[-1] == 3
    assert history.count(4) < 30


def test_there_are_never_more_than_may_be() -> None:
    assert settle(2, lambda count: 1000 * count, Memory(1, 1000))[-1] == 2
    assert set(settle(1, lambda count: 1000 * count, Memory(1, 1000))) == {1}


@pytest.mark.parametrize(("used", "expected"), [(100, 8), (300, 3), (460, 1)])
def test_memory_is_kept_for_others(used: int, expected: int) -> None:
    assert max(settle(8, lambda count: 1000 * count, Memory(used, 1000))) == expected


def test_a_device_that_is_full_with_one_run_keeps_one() -> None:
    history = settle(8, lambda _: 1000, Memory(1, 1000))
    assert max(history) == 2
    assert history[-1] == 1


def test_a_given_number_stays() -> None:
    filling = Filling(4, begin_with=4)
    for step in range(100):
        filling.note(Report(0, RECIPES[0], Progress(step, 1000, 1, 9, None), Memory(1, 1000)))
    assert filling.workers == 4
