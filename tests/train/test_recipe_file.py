"""What a recipe file may hold, and what is said of anything else."""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noiseproof.bench import load_grid
from noiseproof.errors import RecipeError
from noiseproof.losses import REGISTRY
from noiseproof.train import Recipe, make_recipe, read_recipe_file

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = """
data = "digits"
model = "mlp"
method = "gce"
epochs = 3
batch_size = 16
lr = 0.1
"""


pytestmark = pytest.mark.usefixtures("definitions_as_before")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str | bytes, name: str = "r.toml") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("noise = 0.4", "r.toml: noise: expected a table, got 0.4"),
        ("noise = [1]", r"r.toml: noise: expected a table, got \[1\]"),
        ("noise = true", "noise: expected a table"),
        ("grid = 3", "r.toml: grid: expected a table, got 3"),
        ("grid = [1]", "grid: expected a table"),
        ("grid = {methods = 3}", "grid.methods: expected a list"),
        ("grid = {methods = [3]}", "method"),
        ("grid = {methods = [[]]}", "method"),
        ("grid = {noise = [3]}", r"grid.noise\[0\]: expected a table, got 3"),
        ("grid = {noise = [{kind = 3}]}", "noise: kind is 3: expected one of"),
        ("grid = {noise = [{kind = 'symmetric', rates = 0.4}]}", r"grid.noise\[0\].rates: expected a list"),
        ("grid = {noise = ['symmetric'], rates = ['much']}", "noise.rate: rate 'much'"),
        ("grid = {noise = ['symmetric'], rates = [[0.1]]}", "noise.rate"),
        ("grid = {seeds = ['one']}", "seed: expected a number"),
        ("grid = {seeds = [1.5]}", "seed"),
        ("grid = {seeds = [true]}", "seed: expected a number"),
        ("grid = {regularizer = 3}", "regularizer"),
        ("extends = 5", "r.toml: extends: expected the name of a recipe or the path of a file, got 5"),
        ("extends = ['digits']", "extends: expected the name"),
        ("extends = ''", "no recipe is called ''"),
        ("extends = 'absent.toml'", "cannot read the recipe 'absent.toml'"),
        ('extends = "a\\u0000.toml"', "cannot read the recipe"),
        ("title = 3", "title: expected text, got 3"),
        ("title = 1979-05-27", "title: .* date"),
        ("imports = 'my_losses'", "r.toml: imports: expected a list of names of modules"),
        ("imports = [3]", "imports: expected a list"),
        ("method = {name = 3}", "method.name: expected text, got 3"),
        ("method = {loss = 3}", "method.loss: expected text, got 3"),
        ("method = {name = 'gce', source = 3}", "method.source: expected text, got 3"),
        ("method = {name = 'gce', source = []}", "method.source: expected text"),
        ("method = {name = 'gce', l2 = true}", "method.l2: expected a number"),
        ("method = {name = 'gce', lr = nan}", "method.lr"),
        ("method = {name = '', loss = 'ce'}", "method.name"),
        ("method = ['gce']", "method"),
        ("data = 3", "data"),
        ("data = {}", "data: name is missing"),
        ("data = {name = 'arrays', path = ''}", "data.path: expected a path"),
        ('data = {name = "arrays", path = "a\\u0000b"}', "data.path: expected a path"),
        (f"data = {{name = 'arrays', path = '{'a' * 5000}'}}", "data.path: expected a path"),
        ("data = {name = 'arrays', path = 3}", "data.path"),
        (f"noise = {{kind = 'labels', path = '{'a' * 5000}'}}", "noise.path: expected a path"),
        ('noise = {kind = "matrix", path = "a\\u0000"}', "noise.path: expected a path"),
        (f"weights = '{'a' * 5000}.pth'", "weights: expected a path"),
        ("noise = {kind = 'symmetric', rate = true}", "noise.rate"),
        ("noise = {kind = 'symmetric', rate = nan}", "noise.rate"),
        (f"batch_size = {10**30}", "r.toml: batch_size: a whole number of 100 bits"),
        (f"batch_size = {2**40}", "batch_size: Input should be less than"),
        (f"epochs = {2**63 - 1}", "epochs: Input should be less than"),
        (f"seed = {10**30}", "seed: a whole number of"),
        (f"seed = 0x{'f' * 5000}", "seed: a whole number of"),
        (f"lr = {'9' * 5000}", "no valid TOML"),
        ("lr = 1979-05-27T07:32:00Z", "lr: .* datetime"),
        ("epochs = 1979-05-27", "epochs: .* date"),
        ("lr = inf", "lr"),
        ("lr = true", "lr: expected a number"),
        ("lr = '0.1'", "lr: expected a number"),
        ("epochs = true", "epochs: expected a number"),
        ("epochs = '3'", "epochs: expected a number"),
        ("nesterov = 1", "nesterov: expected true or false"),
        ("balanced = 'yes'", "balanced: expected true or false"),
        ("schedule = true", "schedule"),
        ("schedule = {factor = true, after = [1]}", "schedule"),
        ("schedule = {factor = 0.1, after = [true]}", "schedule"),
        ("augment = 'flip'", "augment"),
        ("clip_norm = false", "clip_norm: expected a number"),
        ("epochs = 3\nepochs = 4", "no valid TOML: .*overwrite"),
        ("\nx = " + "[" * 5000 + "]" * 5000, "inside each other"),
        ("\nx = " + "{a = " * 100 + "1" + "}" * 100, "x: more than 16 tables and lists inside each other"),
        ("\n[" + ".".join("a" * 200) + "]\nb = 1", "a key of more than 16 parts"),
        ("\nx = {a = 1, " + " . ".join("a" * 200_000) + " = 1}", "a key of more than 16 parts"),
        ("\n" + ".".join("a" * 17) + " = 1", "a key of more than 16 parts"),
        ("\n" + "#" * 2**20, "has .* bytes: expected at most 1,048,576"),
    ],
)
def test_wrong_values_are_named(text: str, message: str) -> None:
    key = text.split(" ")[0]
    lines = [line for line in BASE.strip().splitlines() if line.split(" ")[0] != key]
    write("\n".join([text.split("\n")[0], *lines, *text.split("\n")[1:]]))
    with pytest.raises(RecipeError, match=message):
        load_grid("r.toml")


def test_files_that_are_no_recipes() -> None:
    write("")
    with pytest.raises(RecipeError, match="data: Field required"):
        make_recipe("r.toml")
    write('title = "Tübingen"\nextends = "digits"\n'.encode("latin-1"))
    with pytest.raises(RecipeError, match="r.toml is not UTF-8: byte 0xfc in line 1. Save it as UTF-8"):
        make_recipe("r.toml")
    write('\n\ntitle = "x"'.encode("utf-16"))
    with pytest.raises(RecipeError, match="r.toml is not UTF-8: byte 0xff in line 1"):
        make_recipe("r.toml")
    write(b"\xef\xbb\xbf" + 'title = "Tübingen"\nextends = "digits"\n'.encode())
    assert load_grid("r.toml").title == "Tübingen"
    Path("folder.toml").mkdir()
    for name in ("folder.toml", "a\0.toml", "a" * 5000 + ".toml", "absent.toml"):
        with pytest.raises(RecipeError, match="cannot read the recipe"):
            load_grid(name)
    os.mkfifo("pipe.toml")
    with pytest.raises(RecipeError, match="cannot read the recipe .*no regular file"):
        load_grid("pipe.toml")
    for nothing in (3, None, ["digits"], b"digits"):
        with pytest.raises(RecipeError, match="expected the path of a .toml file"):
            load_grid(nothing)  # type: ignore[arg-type]


def test_recipes_are_taken_as_files_names_and_tables() -> None:
    path = write(BASE)
    same = make_recipe({"data": "digits", "model": "mlp", "method": "gce", "epochs": 3, "batch_size": 16, "lr": 0.1})
    for given_ in (path, str(path), same, same.model_dump(), same.model_dump(mode="json")):
        assert make_recipe(given_) == same
        assert load_grid(given_).recipes == (same,)
    assert make_recipe("digits") == load_grid("digits").recipes[0] == make_recipe({"extends": "digits"})
    numbers = {"epochs": np.int64(3), "lr": np.float64(0.1), "nesterov": np.bool_(False), "seed": np.uint8(1)}
    assert make_recipe({**same.model_dump(), **numbers}) == same
    own = {"extends": "digits", "data": {"name": "arrays", "path": Path("x.npz")}}
    assert make_recipe(own).data.path == "x.npz"
    with pytest.raises(RecipeError, match="demo: a grid of several runs"):
        make_recipe("demo")
    assert len(load_grid({"extends": "digits", "grid": {"seeds": [1, 2]}}).recipes) == 2


@pytest.mark.parametrize(
    "value", [dt.date(2026, 1, 1), object(), {1, 2}, b"x", 1j, np.zeros(2), {"a": {None: 1}}, "\udcfc"]
)
def test_what_no_file_can_hold_is_refused(value: Any) -> None:
    with pytest.raises(RecipeError, match="lr"):
        make_recipe({"extends": "digits", "lr": value})


def test_tables_that_hold_themselves_are_refused() -> None:
    circle: dict[str, Any] = {"extends": "digits"}
    circle["data"] = circle
    with pytest.raises(RecipeError, match="data: more than 16 tables"):
        make_recipe(circle)


def test_paths_are_relative_to_the_file_that_says_them() -> None:
    paths = 'path = "a/train.txt"\ntest = "test.txt"\nclasses = "/x/classes"\nroot = "."'
    write(f'[data]\nname = "list"\n{paths}\n', "far/data.toml")
    noise = '[noise]\nkind = "file"\npath = "n.json"'
    write(f'extends = "../far/data.toml"\nweights = "w.pth"\n{noise}\n', "near/r.toml")
    values = read_recipe_file("near/r.toml")
    assert {key: os.path.normpath(value) for key, value in values["data"].items()} == {
        "name": "list",
        "path": "far/a/train.txt",
        "test": "far/test.txt",
        "classes": "/x/classes",
        "root": "far",
    }
    assert values["noise"]["path"] == "near/n.json"
    assert values["weights"] == "near/w.pth"
    grid = 'extends = "digits"\n[grid]\nnoise = ["none", {kind = "matrix", path = "T.csv"}]\n'
    write(grid, "near/g.toml")
    assert [getattr(r.noise, "path", None) for r in load_grid("near/g.toml").recipes] == [None, "near/T.csv"]
    changes = {"noise": {"kind": "matrix", "path": "T.csv"}, "grid": {}}
    assert load_grid("digits", changes).recipes[0].noise.model_dump()["path"] == "T.csv"
    write('extends = "cifar10"\nmodel = "resnet50"\nweights = "imagenet-v2"\n', "near/w.toml")
    assert read_recipe_file("near/w.toml")["weights"] == "imagenet-v2"


def test_a_label_list_may_lie_beside_the_file_or_in_the_data_folder() -> None:
    write('noise = {kind = "labels", path = "l.csv"}\n', "near/r.toml")
    assert read_recipe_file("near/r.toml")["noise"]["path"] == "l.csv"
    write("0\n", "near/l.csv")
    assert read_recipe_file("near/r.toml")["noise"]["path"] == "near/l.csv"


OWN = 'from noiseproof.losses.definitions import CE\nclass Own(CE, name="{name}"):\n    """Mine."""\n'


def test_a_file_names_modules_that_are_imported() -> None:
    write(OWN.format(name="own-a"), "near/own_in_file.py")
    write(OWN.format(name="own-b"), "own_in_parent.py")
    write('extends = "digits"\nimports = ["own_in_parent"]\n', "p.toml")
    write('extends = "../p.toml"\nimports = ["own_in_file"]\nmethod = "own-a"\n', "near/r.toml")
    recipe = make_recipe("near/r.toml")
    assert recipe.method.loss == "own-a"
    assert {"own-a", "own-b"} <= REGISTRY.keys()
    assert "imports" not in recipe.model_dump()
    write('extends = "digits"\nimports = ["own_absent"]\n', "q.toml")
    with pytest.raises(RecipeError, match="there is no module own_absent"):
        make_recipe("q.toml")


def test_tables_import_nothing() -> None:
    """Those of a run's record are read by the same function."""
    write('raise SystemExit("imported")\n', "own_effect.py")
    write('extends = "digits"\nimports = ["own_effect"]\n', "r.toml")
    for tables in ({"extends": "digits", "imports": ["own_effect"]}, {"extends": "r.toml"}):
        with pytest.raises(RecipeError, match="only a recipe file|only files extend"):
            make_recipe(tables)
        with pytest.raises(RecipeError, match="only a recipe file|only files extend"):
            load_grid(tables)
    assert "own_effect" not in sys.modules


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["ce", "gce(q=0.5)", "digits", "arrays", "symmetric", "none", "l1", "x.npz", "user", "published"])
)
known_keys = (
    "name loss kind rate rates path mapping l1 l2 head optimizer lr source mode regularizer methods noise seeds"
)
keys = st.sampled_from(known_keys.split()) | st.text(max_size=4)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=8
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([*Recipe.model_fields, "grid", "title", "extends", "x"]), anything, max_size=5))
def test_any_tables_are_recipes_or_a_clear_error(changes: dict[str, Any]) -> None:
    recipe = _read_or_refuse(lambda: make_recipe({"extends": "digits", **changes}))
    if recipe is not None:
        assert make_recipe(recipe.model_dump(mode="json")).id == recipe.id
    _read_or_refuse(lambda: load_grid({"extends": "digits", **changes}))
    _read_or_refuse(lambda: load_grid("demo", changes))


def _read_or_refuse(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except RecipeError:
        return None
