from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import UNMEASURED
from noiseproof.data.noises import NoNoise
from noiseproof.errors import RecipeError
from noiseproof.train import Recipe, make_recipe, merge, packaged_recipes, read_recipe_file

BASE: dict[str, Any] = {
    "data": "digits",
    "noise": {"kind": "symmetric", "rate": 0.4},
    "model": "mlp",
    "method": "gce",
    "epochs": 3,
    "batch_size": 16,
    "lr": 0.1,
}


def test_names_are_expanded() -> None:
    recipe = make_recipe({**BASE, "data": "cifar10", "model": "cnn8", "method": {"name": "gce", "source": "paper"}})
    assert recipe.data.name == "cifar10"
    assert recipe.model == "cnn8(width=1)"
    assert recipe.method.loss == "gce(q=0.9)"
    assert recipe.method.l1 == 5e-5
    own = make_recipe({**BASE, "method": {"loss": "nce + amse(a=3)", "l2": 1e-3, "name": "mine"}})
    assert (own.method.name, own.method.loss, own.method.l2) == ("mine", "1*nce + 1*amse(a=3, q=2)", 1e-3)
    assert make_recipe({**BASE, "method": {"name": "jal-ce", "l1": 0.5}}).method.l1 == 0.5


@pytest.mark.parametrize(
    ("data", "noise", "loss"),
    [
        ("cifar10", {"kind": "symmetric", "rate": 0.8}, "ce-eps+mae(alpha=0.01, beta=5, m=100000)"),
        ("cifar10", {"kind": "asymmetric", "rate": 0.2}, "ce-eps+mae(alpha=0.02, beta=5, m=1000)"),
        ("cifar10", {"kind": "none"}, "ce-eps+mae(alpha=0.01, beta=5, m=100000)"),
        ("cifar10", {"kind": "human", "column": "worst"}, "ce-eps+mae(alpha=0.01, beta=5, m=100000)"),
        ("cifar100", {"kind": "symmetric", "rate": 0.4}, "ce-eps+mae(alpha=0.03, beta=1, m=10000)"),
        ("cifar100", {"kind": "symmetric", "rate": 0.8}, "ce-eps+mae(alpha=0.0075, beta=1, m=10000)"),
        ("cifar100", NoNoise(), "ce-eps+mae(alpha=0.1, beta=1, m=10000)"),
    ],
)
def test_the_noise_decides_where_parameters_depend_on_it(data: str, noise: Any, loss: str) -> None:
    recipe = make_recipe({**BASE, "data": data, "model": "cnn8", "noise": noise, "method": "ce-eps+mae"})
    assert recipe.method.loss == loss
    assert recipe.method.name == "CE_eps+MAE"
    assert make_recipe(recipe.model_dump(mode="json")) == recipe


def test_regularizers_can_be_exchanged() -> None:
    base = {**BASE, "data": "cifar10", "model": "cnn8"}
    method = make_recipe({**base, "method": {"name": "jal-ce", "regularizer": "l2"}}).method
    assert (method.name, method.l1, method.l2) == ("JAL-CE with L2", 0, 1e-4)
    own = make_recipe({**base, "method": {"loss": "nce + amse(a=3)", "name": "mine", "regularizer": "l1"}}).method
    assert (own.name, own.l1, own.l2) == ("mine with L1", 5e-5, 0)
    for wrong, message in (
        ({"name": "ce", "regularizer": "l1", "l2": 0.1}, "regularizer stands for the published l1 and l2"),
        ({"name": "ce", "regularizer": "l4"}, "unknown regularizer 'l4'"),
        ({"name": "ce", "regularizer": ["l1"]}, "unknown regularizer"),
    ):
        with pytest.raises(RecipeError, match=message):
            make_recipe({**base, "method": wrong})


def test_lt_apl_brings_its_head_and_optimizer() -> None:
    recipe = make_recipe({**BASE, "data": "cifar100", "model": "resnet34", "method": "lt-apl"})
    assert recipe.method.head == "student(margin=0.05, center=0.05)"
    assert (recipe.method.optimizer, recipe.method.lr, recipe.method.l2) == ("adam", 1e-3, 1e-5)
    own = make_recipe({**BASE, "method": {"loss": "ce", "head": "student", "optimizer": "adam", "lr": 0.01}})
    assert own.method.head == "student(margin=0.1, center=0.05)"
    assert own.id != make_recipe({**BASE, "method": {"loss": "ce"}}).id


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": "imagenet-v2"}, "mlp has no published weights"),
        ({"weights": "imagenet", "model": "resnet50"}, "resnet50 has imagenet-v1, imagenet-v2"),
        ({"method": {"loss": "ce", "head": "teacher"}}, "unknown head 'teacher'"),
        ({"method": {"loss": "ce", "optimizer": "lion"}}, "method.optimizer"),
        ({"method": {"loss": "ce", "lr": 0}}, "method.lr"),
        (
            {"data": "cifar10", "method": {"name": "gce", "source": "apl"}},
            "unknown source 'apl'; did you mean 'apl-code'",
        ),
    ],
)
def test_bad_heads_and_weights_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make_recipe({**BASE, **changes})


# These hashes name finished runs on people's disks: a change here makes them run everything again.
@pytest.mark.parametrize(
    ("changes", "identity"),
    [
        ({}, "d15ceddc6ccb"),
        ({"noise": {"kind": "none"}, "schedule": 0.97, "nesterov": True}, "dd829cecc6b6"),
        (
            {"data": "cifar10", "model": "cnn8", "augment": ["crop", "flip"], "method": "jal-ce", "clip_norm": 5.0},
            "ec8d565923cb",
        ),
    ],
)
def test_identities_are_stable(changes: dict[str, object], identity: str) -> None:
    assert make_recipe({**BASE, **changes}).id == identity


def test_the_same_recipe_written_differently_has_the_same_identity() -> None:
    spelled_out = make_recipe(make_recipe(BASE).model_dump(mode="json"))
    assert spelled_out == make_recipe(BASE)
    assert spelled_out.id == make_recipe(BASE).id
    assert make_recipe({**BASE, "model": "mlp(depth=2, hidden=256)", "momentum": 0.9}).id == make_recipe(BASE).id
    assert make_recipe({**BASE, "seed": 2}).id != make_recipe(BASE).id


def test_the_identity_is_the_same_in_another_process() -> None:
    code = f"from noiseproof.train import make_recipe; print(make_recipe({BASE!r}).id)"
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env=UNMEASURED).stdout
    assert printed.strip() == make_recipe(BASE).id


def test_recipes_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make_recipe(BASE).epochs = 5


def test_replace_validates() -> None:
    recipe = make_recipe(BASE)
    assert recipe.replace(noise={"rate": 0.2}).noise.rate == 0.2
    assert recipe.replace(noise={"kind": "none"}).noise.kind == "none"
    assert recipe.replace(method="ce").method.loss == "ce"
    with pytest.raises(RecipeError, match="epochs"):
        recipe.replace(epochs=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": 3}, "unknown key 'epoch'; did you mean 'epochs'"),
        ({"noise": {"kind": "symmetric", "rat": 0.4}}, "noise: unknown key 'rat'; did you mean 'rate'"),
        ({"noise": {"kind": "symetric", "rate": 0.4}}, "noise: unknown noise 'symetric'; did you mean 'symmetric'"),
        ({"noise": {"kind": "symmetric"}}, "noise.rate: Field required"),
        ({"noise": {"kind": "symmetric", "rate": 40}}, r"noise.rate: rate 40: .* for 40 % write 0.4"),
        ({"noise": {"kind": "symmetric", "rate": "much"}}, "rate 'much': expected a number"),
        ({"noise": {"kind": "human", "column": "worst"}}, "belongs to cifar10, not digits"),
        ({"noise": {"kind": "asymmetric", "rate": 0.3}}, "noise.mapping is missing"),
        ({"data": "cifar"}, "data: unknown data source 'cifar'; did you mean 'cifar10'"),
        ({"noise": {"kind": "instance", "rate": 0.4}}, "has lists for cifar10 and cifar100, not digits: use 'fixed-"),
        ({"noise": {"kind": "instance", "rate": 0.4, "variant": "pnd"}}, "noise.variant: Input should be 'pdn'"),
        ({"noise": {"kind": "instance", "variant": "pdn"}}, "noise.rate: Field required"),
        ({"noise": {"kind": "labels"}}, "noise.path: Field required"),
        ({"noise": {"kind": "label", "path": "x"}}, "unknown noise 'label'; did you mean 'labels'"),
        ({"data": {"name": "arrays"}}, "path is missing: the .npz file .* train arrays --set data.path=my.npz"),
        ({"data": "folder"}, "path is missing: the folder .* train folder --set data.path="),
        ({"data": "list"}, "path is missing: the list"),
        ({"data": {"name": "arrays", "pth": "my.npz"}}, "data: unknown key 'pth'; did you mean 'path'"),
        ({"data": {"name": "digits", "path": "x"}}, "path belongs to name = 'arrays'"),
        ({"data": {"name": "digits", "train_size": 0}}, "data.train_size"),
        ({"model": "cnn9"}, "model: unknown model 'cnn9'"),
        ({"method": "jalce"}, "no method and no loss is called 'jalce'"),
        ({"method": "gce(q=2)"}, "gce: q must lie in"),
        ({"method": {"loss": "foo"}}, "method.loss: unknown loss 'foo'"),
        ({"method": {"name": "gce", "q": 0.5}}, "method: unknown keys \\['q'\\]"),
        ({"method": {"loss": "ce", "l1": -1}}, "method.l1"),
        ({"method": None}, "method"),
        ({"epochs": 0}, r"epochs: .*greater than 0 \(got 0\)"),
        ({"epochs": "many"}, "epochs"),
        ({"lr": float("nan")}, "lr"),
        ({"lr": float("inf")}, "lr"),
        ({"batch_size": 1}, "batch_size"),
        ({"momentum": 1.0}, "momentum"),
        ({"momentum": 0.0, "nesterov": True}, "nesterov needs a momentum"),
        ({"schedule": "linear"}, "schedule"),
        ({"schedule": 1.5}, "schedule"),
        ({"augment": ["flop"]}, "augment"),
        ({"validation": 1.0}, "validation"),
        ({"precision": "8-true"}, "precision"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_values_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make_recipe({**BASE, **changes})


@given(st.dictionaries(st.sampled_from([*BASE, "seed", "x"]), st.none() | st.integers() | st.text(max_size=5)))
def test_anything_is_a_recipe_or_a_clear_error(changes: dict[str, object]) -> None:
    try:
        assert isinstance(make_recipe({**BASE, **changes}), Recipe)
    except RecipeError:
        pass


@pytest.mark.parametrize("name", [name for name in packaged_recipes() if name not in ("arrays", "folder", "list")])
def test_packaged_recipes_are_valid(name: str) -> None:
    values = read_recipe_file(name)
    values.pop("grid", None)
    values.pop("title", None)
    make_recipe(values)


def test_the_published_protocols() -> None:
    ten, hundred = (make_recipe(read_recipe_file(name)) for name in ("cifar10", "cifar100"))
    assert (ten.epochs, ten.batch_size, ten.lr, ten.momentum, ten.clip_norm) == (120, 128, 0.01, 0.9, 5.0)
    assert (hundred.epochs, hundred.batch_size, hundred.lr, hundred.clip_norm) == (200, 128, 0.1, 5.0)
    assert ten.augment == ("crop", "flip")
    assert hundred.augment == ("crop", "flip", "rotate")
    for recipe in (ten, hundred):
        assert recipe.schedule == "cosine"
        assert recipe.validation == 0
        assert recipe.noise.kind == "symmetric"


def test_files_can_extend_others(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "digits"\nepochs = 7\nnoise = {kind = "symmetric", rate = 0.2}')
    (tmp_path / "b.toml").write_text('extends = "a.toml"\nnoise = {rate = 0.3}')
    recipe = make_recipe(read_recipe_file(tmp_path / "b.toml"))
    assert (recipe.epochs, recipe.noise.rate, recipe.data.name) == (7, 0.3, "digits")


@pytest.mark.parametrize(
    ("text", "message"),
    [("epochs = ", "is no valid TOML"), ('extends = "c.toml"', "in a circle"), ('extends = "digit"', "did you mean")],
)
def test_bad_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        read_recipe_file(tmp_path / "c.toml")


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        read_recipe_file(tmp_path / "absent.toml")
    with pytest.raises(RecipeError, match="no recipe is called 'cifar'; did you mean 'cifar10'"):
        read_recipe_file("cifar")


def test_merge_replaces_a_noise_of_another_kind_whole() -> None:
    base = {"noise": {"kind": "symmetric", "rate": 0.4}, "method": {"name": "gce"}, "data": {"name": "digits"}}
    assert merge(base, {"noise": {"kind": "none"}})["noise"] == {"kind": "none"}
    assert merge(base, {"noise": {"rate": 0.1}})["noise"] == {"kind": "symmetric", "rate": 0.1}
    assert merge(base, {"method": {"loss": "ce"}})["method"] == {"loss": "ce"}
    assert merge(base, {"data": {"train_size": 5}})["data"] == {"name": "digits", "train_size": 5}
    assert merge(base, {"data": {"name": "cifar10"}})["data"] == {"name": "cifar10"}
    named = {"data": "cifar10", "method": "jal-ce"}
    assert merge(named, {"data": {"train_size": 5}})["data"] == {"name": "cifar10", "train_size": 5}
    assert merge(named, {"method": {"source": "paper"}})["method"] == {"name": "jal-ce", "source": "paper"}
    assert merge(named, {"method": "gce"})["method"] == "gce"
    assert base["noise"]["rate"] == 0.4
