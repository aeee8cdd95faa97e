"""Options change what they say, whatever their order and spelling, or are refused."""

from __future__ import annotations

import argparse
import itertools
import shlex
from pathlib import Path

import pytest

from noiseproof import cli
from noiseproof.bench import load_grid
from noiseproof.errors import RecipeError
from noiseproof.train import Recipe


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def asked_for(command: str) -> Recipe:
    parser = argparse.ArgumentParser()
    cli.train.add(parser.add_subparsers())
    return cli.train.asked_for(parser.parse_args(["train", *shlex.split(command)])).recipes[0]


def orders(options: str) -> list[str]:
    return [" ".join(order) for order in itertools.permutations(options.replace(", --", ",, --").split(",, "))]


@pytest.mark.parametrize(
    ("options", "name", "l2"),
    [
        ("--method ce, --set method.l2=0.5", "CE", 0.5),
        ("--set method=ce, --set method.l2=.5", "CE", 0.5),
        ("--set method.name=ce, --set method.l2=5e-1", "CE", 0.5),
        ("--set 'method={name = \"ce\"}', --set method.l2=.5", "CE", 0.5),
        ("--set 'method={name = \"ce\", l2 = 0.5}', --method ce", "CE", 0.5),
        ("--set method.l2=.5", "JAL-CE(a=5)", 0.5),
        ("--method ce, --set method=ce, --set method.name=ce", "CE", 0.0),
        ("--set method.loss=ce, --set method.name=mine, --set method.l2=0.5", "mine", 0.5),
    ],
)
def test_options_of_the_method_are_merged(options: str, name: str, l2: float) -> None:
    for order in orders(options):
        method = asked_for(f"digits {order}").method
        assert (method.name, method.l2) == (name, l2), order


@pytest.mark.parametrize(
    ("options", "kind", "rate"),
    [
        ("--noise symmetric, --rate 0.2", "symmetric", 0.2),
        ("--set noise=symmetric, --set noise.rate=0.2", "symmetric", 0.2),
        ("--noise symmetric, --set noise.rate=.2, --rate 0.2", "symmetric", 0.2),
        ("--noise asymmetric, --rate 0.2, --set noise.mapping={3=5}", "asymmetric", 0.2),
        ("--noise asymmetric, --rate 0.2, --set noise.mapping.3=5", "asymmetric", 0.2),
        ("--noise none", "none", 0.0),
    ],
)
def test_options_of_the_noise_are_merged(options: str, kind: str, rate: float) -> None:
    for order in orders(options):
        noise = asked_for(f"digits {order}").noise
        assert (noise.kind, noise.rate) == (kind, rate), order


@pytest.mark.parametrize(
    "options",
    [
        "--noise symmetric, --rate .2, --set noise=none",
        "--noise symmetric, --set noise.kind=asymmetric",
        "--rate .2, --set noise.rate=.3",
        "--method ce, --set method=gce",
        "--method ce, --set method.name=gce",
        "--method ce, --set method.loss=gce",
        "--method ce, --set 'method={name = \"gce\", l2 = 0.5}'",
        "--seed 1, --set seed=2",
        "--set epochs=3, --set epochs.x=4",
        "--set data=digits, --set data.name=cifar10",
        "--set 'noise.mapping={3=5}', --set noise.mapping.3=6",
        "--regularizer l2, --set grid.regularizer=l1",
    ],
)
def test_options_that_contradict_each_other_are_both_named(options: str) -> None:
    for order in orders(options):
        with pytest.raises(RecipeError, match="contradict each other") as caught:
            asked_for(f"digits {order}")
        assert str(caught.value).count("--") == 2


def test_of_a_key_that_is_set_twice_the_last_counts() -> None:
    assert asked_for("digits --set epochs=20 --set epochs=3").epochs == 3
    assert asked_for("digits --method ce --set method.l2=.1 --set method.l2=.5").method.l2 == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--method ce, --set method.l2=0.5, --set method.nosuch=1", r"method: unknown keys \['nosuch'\]"),
        ("--set method.nosuch=1", r"method: unknown keys \['nosuch'\]"),
        ("--set method=ce, --set method.nosuch.l2=1", r"method: unknown keys \['nosuch'\]"),
        ("--set method.loss=ce, --set method.nosuch=1", "method: unknown key 'nosuch'"),
        ("--noise symmetric, --rate 0.2, --set noise.rat=.3", "noise: unknown key 'rat'; did you mean 'rate'"),
        ("--set data.nosuch=1", "data: unknown key 'nosuch'"),
        ("--set schedule.nosuch=1", "schedule"),
        ("--set nosuch.nosuch=1", "unknown key 'nosuch'"),
        ("--set grid.nosuch=1", "unknown axis grid.nosuch"),
        ("--set imports=my_losses", "imports: only a recipe file names modules"),
        ("--rate 0.2", "noise.kind is missing, and labels that stay as they are have no noise.rate: .*--noise symm"),
        ("--rate 0.2, --noise none", "noise.kind is none, and labels that stay as they are have no noise.rate"),
        ("--rate 0.2, --noise human", "noise: rate belongs to kind = 'asymmetric', 'instance', 'symmetric'"),
        ("--set noise.mode=iid", "noise.kind is missing, and labels that stay as they are have no noise.mode"),
        ("--regularizer l1, --set method.regularizer=none", "method.regularizer and grid.regularizer are both given"),
        ("--seed 3, --set grid.seeds=[4]", "seed = 3 and grid.seeds are both given"),
        ("--method ce, --set 'grid.methods=[\"gce\"]'", "grid.methods are both given"),
        ("--noise symmetric, --set 'grid.noise=[\"none\"]'", "grid.noise are both given"),
        ("--rate .2, --noise symmetric, --set grid.rates=[0.3]", "noise.rate and grid.rates are both given"),
        ("--set grid.rates=[0.3]", "grid.rates changes nothing"),
        ("--set grid.rates=[0.3], --noise none", "grid.rates changes nothing"),
        ("--set grid.seeds=[1,1]", "grid.seeds: 1 is there more than once"),
    ],
)
def test_an_option_without_effect_is_refused(options: str, message: str) -> None:
    for order in orders(options):
        with pytest.raises(RecipeError, match=message):
            asked_for(f"digits {order}")


def test_naming_a_method_leaves_nothing_of_the_one_before() -> None:
    Path("a.toml").write_text('extends = "cifar10"\nmethod = {name = "gce", source = "paper", lr = 0.5}\n')
    for option in ("--method gce", "--set method=gce", "--set method.name=gce", "--method gce --set method.l1=0"):
        method = asked_for(f"a.toml {option}").method
        assert (method.source, method.lr, method.loss) == ("code", None, "gce(q=0.7)")
    assert asked_for("a.toml --set method.lr=0.1").method.source == "paper"


GRID = """
extends = "digits"
[grid]
methods = ["ce", {name = "gce", regularizer = "none"}]
noise = ["none", {kind = "asymmetric", mapping = {3 = 5}, rates = [0.1, 0.2]}, "symmetric"]
rates = [0.4, 0.6]
seeds = [1]
"""


def test_changes_reach_a_grid_or_are_refused() -> None:
    Path("grid.toml").write_text(GRID)

    def rates(**changes: object) -> list[float | None]:
        return list(dict.fromkeys(recipe.noise.rate for recipe in load_grid("grid.toml", changes).recipes))

    assert rates() == [0.0, 0.1, 0.2, 0.4, 0.6]
    assert rates(noise={"rate": 0.3}) == [0.0, 0.3]
    assert rates(grid={"rates": [0.5]}) == [0.0, 0.1, 0.2, 0.5]
    assert rates(grid={"noise": ["none"]}) == [0.0]
    assert rates(grid={"noise": [{"kind": "symmetric", "rate": 0.3}, "symmetric"]}) == [0.3, 0.4, 0.6]
    assert rates(grid={"noise": ["symmetric"]}, noise={"mode": "iid"}) == [0.4, 0.6]
    assert load_grid("grid.toml", {"seed": 5}).recipes[0].seed == 5
    only = {"methods": ["ce"], "noise": ["symmetric"]}
    assert [
        r.method.name
        for r in load_grid(
            "grid.toml",
            {"method": "gce", "grid": {"noise": ["none"]}}
            | {"grid": {"noise": ["none"], "methods": ["ce", "mae"]}, "method": {"l2": 0.1}},
        ).recipes
    ] == ["CE", "MAE"]
    assert {r.method.l2 for r in load_grid("grid.toml", {"grid": only, "method": {"l2": 0.1}}).recipes} == {0.1}
    for changes, message in (
        ({"noise": {"kind": "symmetric"}}, "noise = .* changes nothing, as the grid has noise of its own"),
        ({"method": {"name": "gce"}}, "method = .* changes nothing, as the grid has methods of its own"),
        ({"grid": {"rates": [0.1]}, "noise": {"rate": 0.1}}, "both given"),
        ({"grid": {"noise": [{"kind": "symmetric", "rate": 0.3, "rates": [0.1]}]}}, "rate and rates are both given"),
        ({"grid": {"noise": ["none"], "rates": [0.1]}}, "grid.rates changes nothing"),
    ):
        with pytest.raises(RecipeError, match=message):
            load_grid("grid.toml", changes)


def test_a_grid_whose_only_rates_are_in_its_base() -> None:
    Path("grid.toml").write_text('extends = "digits"\nnoise = "symmetric"\n[grid]\nrates = [0.2, 0.4]\n')
    assert [recipe.noise.rate for recipe in load_grid("grid.toml").recipes] == [0.2, 0.4]
    assert asked_for("grid.toml --rate 0.6").noise.rate == 0.6
    assert asked_for("grid.toml --noise none").noise.kind == "none"


def test_one_regularizer_for_all_takes_the_place_of_each_ones_own() -> None:
    Path("grid.toml").write_text(GRID.replace("digits", "cifar10"))
    names = {recipe.method.name for recipe in load_grid("grid.toml", {"grid": {"regularizer": "l1"}}).recipes}
    assert names == {"CE with L1", "GCE with L1"}
    Path("both.toml").write_text(GRID.replace("digits", "cifar10") + 'regularizer = "l1"\n')
    with pytest.raises(RecipeError, match="grid.regularizer is 'l1', and the method .*gce.* has another"):
        load_grid("both.toml")
    names = {r.method.name for r in load_grid("both.toml", {"method": {"regularizer": "l2"}}).recipes}
    assert names == {"CE with L2", "GCE with L2"}
