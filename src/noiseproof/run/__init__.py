"""Running recipes: one scheduler decides what runs next, and an executor computes it, here or elsewhere."""

from __future__ import annotations

from noiseproof.run._machine import Machine
from noiseproof.run._scheduler import GridProgress, run_recipes, under_title
from noiseproof.run.executors import EXECUTORS, ExecutorSettings, Inline, Processes, Ray, executor_named

__all__ = [
    "EXECUTORS",
    "ExecutorSettings",
    "GridProgress",
    "Inline",
    "Machine",
    "Processes",
    "Ray",
    "executor_named",
    "run_recipes",
    "under_title",
]
