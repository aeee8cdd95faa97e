from __future__ import annotations

import math
from dataclasses import replace

import pytest

from noiseproof.errors import DataError
from noiseproof.literature import PublishedFigure, check_source, published_figure, published_figures
from noiseproof.results import Cell, Comparison, compare_order

FIGURE = PublishedFigure("cifar10", "symmetric", 0.8, "M", "top1", 55.0, 2.0, 3, "last", "somewhere", "jal")


def comparison(values: tuple[float, ...], mean: float = 55.0, std: float | None = 2.0, row: str = "M") -> Comparison:
    return Comparison(row, "c", Cell(values), replace(FIGURE, mean=mean, std=std))


def test_a_difference_is_in_points_and_in_standard_errors() -> None:
    one = comparison((50.0, 52.0, 54.0))
    assert one.difference == pytest.approx(-3.0)
    assert one.error == pytest.approx(math.sqrt(2**2 / 3 + 2**2 / 3))
    assert one.errors == pytest.approx(-3.0 / math.sqrt(8 / 3))
    assert one.verdict == "agrees"
    assert comparison((48.0, 49.0, 50.0)).verdict == "differs"


def test_the_spread_of_one_side_stands_in_for_that_of_the_other() -> None:
    single = comparison((52.0,))
    assert single.error == pytest.approx(math.sqrt(2**2 / 1 + 2**2 / 3))
    unprinted = comparison((52.0, 53.0), std=None)
    assert unprinted.error == pytest.approx(math.sqrt(0.5 / 2 + 0.5 / 3))


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (Comparison("M", "c", Cell(), FIGURE), "not run"),
        (Comparison("M", "c", Cell((), diverged=2), FIGURE), "differs"),
        (Comparison("M", "c", Cell((50.0, 51.0)), None), "open"),
        (comparison((50.0,), std=None), "open"),
        (replace(comparison((10.0, 11.0)), comparable=False), "open"),
    ],
)
def test_what_cannot_be_judged_is_not_judged(one: Comparison, verdict: str) -> None:
    assert one.verdict == verdict


def test_the_order_counts_pairs_that_are_apart() -> None:
    rows = [
        comparison((60.0, 60.2), mean=60.0, std=0.3, row="best"),
        comparison((50.0, 50.2), mean=55.0, std=0.3, row="second"),
        comparison((51.0, 51.2), mean=50.0, std=0.3, row="third"),
        comparison((40.0, 40.2), mean=49.9, std=0.3, row="tied with the third"),
        comparison((40.1, 40.3), mean=30.0, std=0.3, row="last"),
        Comparison("not run", "c", Cell(), FIGURE),
    ]
    order = compare_order("c", rows)
    assert order is not None
    assert order.tied == 1
    assert order.reversed == (("third", "second"),)
    assert order.close == (("last", "tied with the third"),)
    assert order.same == 7
    text = str(order)
    assert "7 of 9 pairs" in text
    assert "third above second" in text
    assert compare_order("c", rows[:1]) is None


def test_published_figures_are_those_of_the_sources() -> None:
    figures = published_figures()
    assert len(figures) == 445
    assert len({(f.source, f.dataset, f.noise, f.rate, f.method, f.metric) for f in figures}) == 445
    table_1 = [figure for figure in figures if figure.source == "JAL supplement, Table 1"]
    assert len(table_1) == 32
    found = published_figure(("JAL supplement, Table 1",), "cifar10", "symmetric", 0.8, "AGCE+MAE (1,10)", "top1")
    assert (found.mean, found.std, found.trials) == (39.44, 0.71, 3)  # type: ignore[union-attr]
    preferred = ("JAL paper, quoted second-hand", "eps-softmax (NeurIPS 2024)")
    assert published_figure(preferred, "cifar10", "symmetric", 0.8, "CE", "top1").mean == 19.74  # type: ignore[union-attr]
    assert published_figure(preferred, "cifar10", "symmetric", 0.8, "FL", "top1").mean == 19.47  # type: ignore[union-attr]
    assert published_figure(preferred, "cifar10", "symmetric", 0.8, "nobody", "top1") is None
    assert all(0 < figure.mean < 100 for figure in figures)
    assert {figure.epoch for figure in figures if "ResNet" in figure.protocol or "resnet" in figure.protocol} == {
        "best"
    }


def test_an_unknown_source_is_named() -> None:
    with pytest.raises(DataError, match="no published figure comes from 'hearsay'"):
        check_source("hearsay")
