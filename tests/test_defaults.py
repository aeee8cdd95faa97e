"""The committed figures of the defaults: whole, of these recipes, and above their bars."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("defaults_benchmark", ROOT / "benchmarks" / "defaults.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / "results" / "defaults.json").read_text(encoding="utf-8"))
    return content


def test_the_figures_are_whole_and_the_table_is_theirs(benchmark: ModuleType, figures: dict[str, Any]) -> None:
    assert list(figures["sets"]) == list(benchmark.SETS)
    for found in figures["sets"].values():
        rows = [*found["methods"]["0"].values(), *found["methods"]["0.4"].values()]
        rows += found["ce by learning rate"].values()
        assert len(rows) == 2 * len(benchmark.METHODS) + len(benchmark.TIMES)
        assert all(len(values) == len(benchmark.SEEDS) and all(0 < value <= 100 for value in values) for values in rows)
    written = (ROOT / "results" / "defaults.md").read_text(encoding="utf-8")
    assert written == benchmark.table(figures["sets"])


def test_the_figures_are_of_the_recipes_as_they_are(benchmark: ModuleType, figures: dict[str, Any]) -> None:
    for name, found in figures["sets"].items():
        assert found["settings"] == benchmark.settings_of(name), f"{name}: measure anew, with benchmarks/defaults.py"


def test_every_default_reaches_its_bar(benchmark: ModuleType, figures: dict[str, Any]) -> None:
    missed = {
        (name, noise, method): round(benchmark.missed_by(noise, *apart), 2)
        for name, found in figures["sets"].items()
        for (noise, method), apart in benchmark.differences(found).items()
        if method != "ce" and benchmark.missed_by(noise, *apart)
    }
    assert missed == {}
