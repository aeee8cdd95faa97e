from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from noiseproof.errors import RecipeError, RunError, SpecError
from noiseproof.losses import REGISTRY, LabelLoss, make_loss
from noiseproof.losses.definitions import CE
from noiseproof.losses.make import loss_classes
from noiseproof.train import make_recipe, train
from noiseproof.user_code import defining_modules, import_again, import_modules

if TYPE_CHECKING:
    pass

LOSS = """
from noiseproof.losses import LabelLoss, parameter
from {name}_helper import FACTOR

class Twice(LabelLoss, name="twice-ce"):
    factor: float = parameter(default=FACTOR, domain="(0, inf)")

    def value(self, label):
        return -self.factor * label.log

    def slope(self, label):
        return -self.factor
"""


pytestmark = pytest.mark.usefixtures("definitions_as_before")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a module of its own and one beside a recipe."""
    (tmp_path / "beside").mkdir()
    for place, name in ((tmp_path, "own_a"), (tmp_path / "beside", "own_b")):
        (place / f"{name}.py").write_text(LOSS.format(name=name))
        (place / f"{name}_helper.py").write_text("FACTOR = 2.0\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_module_is_found_in_the_working_folder_and_beside_the_recipe(folder: Path) -> None:
    (module,) = import_modules(["own_a"])
    assert make_loss("nce + twice-ce").spec == "1*nce + 1*twice-ce(factor=2)"
    assert module.folder == str(folder)
    assert not list(folder.glob("__pycache__"))
    with pytest.raises(RecipeError, match="there is no module own_b; did you mean own_a"):
        import_modules(["own_b"])
    with pytest.raises(RecipeError, match=r"a loss called 'twice-ce' exists already \(own_a.Twice\)"):
        import_modules(["own_b"], folder / "beside")


def test_another_process_imports_what_defines_a_loss(folder: Path) -> None:
    import_modules(["own_b"], folder / "beside")
    modules = defining_modules(loss_classes("nce + normalized(twice-ce(factor=3))"))
    assert [module.name for module in modules] == ["own_b"]
    assert defining_modules(loss_classes("nce + 2*mae")) == ()
    del sys.modules["own_b"], REGISTRY["twice-ce"]
    import_again(modules)
    assert "twice-ce" in REGISTRY


def test_a_changed_module_is_imported_anew(folder: Path) -> None:
    import_modules(["own_a"])
    text = (folder / "own_a.py").read_text()
    (folder / "own_a.py").write_text(text.replace("default=FACTOR", "default=FACTOR + 1"))
    import_modules(["own_a"])
    assert make_loss("twice-ce").spec == "twice-ce(factor=3)"


def test_no_run_belongs_to_code_that_it_does_not_run(folder: Path) -> None:
    import_modules(["own_a"])
    spec = {"data": "digits", "model": "mlp(hidden=8)", "epochs": 1, "batch_size": 64, "lr": 0.1, "method": "twice-ce"}
    recipe = make_recipe(spec)
    (folder / "own_a.py").write_text((folder / "own_a.py").read_text().replace("default=FACTOR", "default=FACTOR + 1"))
    with pytest.raises(RunError, match=r"own_a.py was changed after own_a had been imported from it"):
        train(recipe, folder / "run")
    assert not (folder / "run").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ny = 1 / 0\n", r"ZeroDivisionError: division by zero \(.*failing.py, line 2\)"),
        ("def f(:\n", r"SyntaxError: .* \(.*failing.py, line 1\)"),
        ("import absent_module\n", r"No module named 'absent_module' \(.*failing.py, line 1\)"),
        ("raise SystemExit(3)\n", r"SystemExit: 3 \(.*failing.py, line 1\)"),
        ("from noiseproof.losses import make_loss\nmake_loss('gce(q=3)')\n", r"q must lie in .*failing.py, line 2\)"),
    ],
)
def test_a_module_that_fails_is_told_with_its_line(folder: Path, text: str, message: str) -> None:
    (folder / "failing.py").write_text(text)
    with pytest.raises(RecipeError, match=f"cannot import failing: .*{message}"):
        import_modules(["failing"])
    (folder / "failing.py").write_text("x = 1\n")
    import_modules(["failing"])


@pytest.mark.parametrize("name", ["own_a.py", "./own_a", "own a", "", "a..b", "class", "beside/own_b"])
def test_what_is_no_name_of_a_module_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(RecipeError, match="expected the name of a module without an ending"):
        import_modules([name])


def test_a_module_of_python_is_not_mistaken_for_ones_own(folder: Path) -> None:
    (folder / "random.py").write_text("")
    with pytest.raises(RecipeError, match="another module of this name is in use"):
        import_modules(["random"])


def test_a_built_in_loss_is_not_replaced() -> None:
    namespace = {"__module__": __name__, "__qualname__": CE.__qualname__}
    with pytest.raises(SpecError, match="'ce' exists already"):
        type("CE", (LabelLoss,), namespace, name="ce")  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ["My-loss", "my loss", "2nd", "loss-2", "a(b", "a*b", "ü"])
def test_a_loss_has_a_name_that_can_be_written(name: str) -> None:
    with pytest.raises(SpecError, match="no loss can be called"):
        type("Own", (LabelLoss,), {}, name=name)  # type: ignore[call-overload]
