"""The package as a whole: its layers, its imports, and what is in the wheel."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import noiseproof
from conftest import UNMEASURED

SOURCE = Path(noiseproof.__file__).parent
ROOT = Path(__file__).resolve().parent.parent

BASE = {
    "classes",
    "container",
    "errors",
    "extras",
    "files",
    "formats",
    "metrics",
    "processes",
    "provenance",
    "registry",
    "seeding",
    "settings",
    "spec",
    "untrusted",
    "user_code",
}
LAYERS = {
    "losses": BASE,
    "noise": BASE,
    "models": BASE,
    "literature": BASE | {"losses"},
    "data": BASE | {"noise"},
    "theory": BASE | {"losses", "noise"},
    "methods": BASE | {"losses"},
    "testing": BASE | {"losses", "methods"},
    "loaders": BASE | {"data"},
    "embeddings": BASE | {"data", "loaders"},
    "prediction": BASE | {"data", "embeddings", "loaders", "models"},
    "train": BASE | {"losses", "methods", "noise", "models", "literature", "data", "loaders", "prediction", "recipes"},
    "run": BASE | {"train", "data", "models", "noise"},
    "results": BASE | {"data", "literature", "train"},
    "bench": BASE | {"data", "literature", "results", "run", "train"},
    "report": BASE | {"literature", "losses", "results", "theory", "train"},
    "auditing": BASE,
    "correcting": BASE | {"auditing", "data"},
    "fitted": BASE | {"auditing", "data", "prediction", "report", "train"},
    "fitting": BASE
    | {
        "auditing",
        "data",
        "embeddings",
        "fitted",
        "loaders",
        "losses",
        "models",
        "prediction",
        "report",
        "run",
        "theory",
        "train",
    },
    "integrations": BASE | {"fitted", "fitting", "prediction"},
    "cli": BASE
    | {
        "auditing",
        "correcting",
        "train",
        "run",
        "bench",
        "report",
        "results",
        "noise",
        "literature",
        "theory",
        "data",
        "prediction",
        "fitted",
        "fitting",
    },
    "recipes": set(),
    "classes": {"errors"},
    "errors": set(),
    "extras": {"errors"},
    "formats": set(),
    "container": {"errors", "untrusted"},
    "spec": {"errors"},
    "settings": {"errors"},
    "registry": {"errors", "spec", "user_code"},
    "files": {"errors"},
    "untrusted": {"errors"},
    "metrics": set(),
    "seeding": set(),
    "processes": set(),
    "provenance": set(),
    "user_code": {"errors"},
}


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("noiseproof.")}
    return found - {"__version__"}


def _imported(path: Path, *, at_once: bool) -> set[str]:
    """What a module imports of noiseproof, by dotted names: all of it, or what importing it imports at once."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if at_once and isinstance(child, ast.FunctionDef):
                continue
            if at_once and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.ImportFrom) and (child.module or "").startswith("noiseproof"):
                found.update(f"{child.module}.{alias.name}" for alias in child.names)
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def test_no_file_needs_another_packages_private_names() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for name in _imported(path, at_once=False):
            _, package, *rest = name.split(".")
            assert package in (own, "__version__") or not any(part.startswith("_") for part in rest), f"{path}: {name}"


def test_there_is_no_circle_of_imports() -> None:
    names = {
        "noiseproof." + ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCE.rglob("*.py")
    }
    needs = {
        name: {each if each in names else each.rpartition(".")[0] for each in _imported(path, at_once=True)} & {*names}
        for name, path in names.items()
    }
    while ready := {name for name, needed in needs.items() if not needed}:
        needs = {name: needed - ready for name, needed in needs.items() if name not in ready}
    assert not needs, f"these import each other: {sorted(needs)}"


def test_imports_go_one_way() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        part = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if part not in ("__init__", "__main__"):
            assert imports_of(path) <= LAYERS[part] | {part}, path


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("noiseproof", ("torch", "sklearn", "matplotlib", "pydantic", "rich", "ray")),
        ("noiseproof.cli", ("torch._dynamo", "matplotlib", "ray")),
    ],
)
def test_importing_brings_nothing_that_takes_long_and_is_not_needed_yet(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True, env=UNMEASURED).stdout == "[]\n"


def test_sub_packages_are_there_on_first_use() -> None:
    assert noiseproof.losses.make_loss("ce").spec == "ce"
    assert "noise" in dir(noiseproof)
    with pytest.raises(AttributeError, match="no attribute 'lossses'"):
        _ = noiseproof.lossses


def test_everything_that_is_exported_exists_and_is_documented() -> None:
    for name in noiseproof.__all__[1:]:
        module = getattr(noiseproof, name)
        assert module.__doc__
        for public in getattr(module, "__all__", ()):
            value = getattr(module, public)
            if inspect.isclass(value) or inspect.isroutine(value):
                assert value.__doc__, f"{name}.{public}"


def test_wheel_and_sdist_run_outside_the_checkout(tmp_path: Path) -> None:
    """Both are built, and the wheel (built from the sdist) runs from an empty folder."""
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    assert sdist.stat().st_size < 2_000_000
    target = tmp_path / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(wheel),
    ]
    subprocess.run(pip, check=True)
    for needed in (
        "py.typed",
        "recipes/demo.toml",
        "literature/methods.toml",
        "literature/disagreements.toml",
        "report/page.html.j2",
        "auditing/page/page.html",
        "auditing/page/page.css",
        "auditing/page/page.js",
        "auditing/page/rate.js",
    ):
        assert (target / "noiseproof" / needed).is_file(), needed
    (tmp_path / "empty").mkdir()
    command = [sys.executable, "-m", "noiseproof", "train", "digits", "--set", "epochs=1"]
    environment = {**UNMEASURED, "PYTHONPATH": str(target)}
    done = subprocess.run(command, cwd=tmp_path / "empty", env=environment, capture_output=True, text=True, check=True)
    (record,) = (tmp_path / "empty" / "runs").glob("*/record.json")
    assert '"commit": null' in record.read_text()
    assert "last epoch" in done.stdout
    where = "import noiseproof; print(noiseproof.__file__)"
    printed = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert printed.stdout.startswith(str(target))


TEXT_OR_BYTES = {"open", "fdopen", "read_text", "write_text"}
BYTES_ONLY = {"os", "tarfile", "zipfile", "archive", "_archive", "Image", "webbrowser"}


def texts_without_encoding(path: Path) -> list[int]:
    """The lines on which a file is read or written as text in whatever encoding the environment says."""
    lines = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        texts = [*node.args, *([keywords["mode"]] if "mode" in keywords else [])]
        binary = any(isinstance(a, ast.Constant) and re.fullmatch(r"[rwxab+]*b[rwxab+]*", str(a.value)) for a in texts)
        of = getattr(node.func, "value", None)
        owner = getattr(of, "attr", getattr(of, "id", ""))
        ours = isinstance(node.func, ast.Name) and called != "open"  # noiseproof.files.write_text
        if called in TEXT_OR_BYTES and owner not in BYTES_ONLY and not ours and not binary:
            lines += [node.lineno] * ("encoding" not in keywords)
        if {"text", "universal_newlines"} & keywords.keys() and "encoding" not in keywords:
            lines.append(node.lineno)
    return lines


def test_files_are_utf_8_whatever_the_locale_says() -> None:
    paths = [path for folder in (SOURCE, ROOT / "benchmarks", ROOT / "docs") for path in folder.rglob("*.py")]
    found = {str(path.relative_to(ROOT)): lines for path in paths if (lines := texts_without_encoding(path))}
    assert not found


def only_narrows(test: ast.expr) -> bool:
    """Whether it tells the type checker what a value is, and nothing else."""
    if isinstance(test, ast.BoolOp):
        return all(map(only_narrows, test.values))
    if isinstance(test, ast.Compare):
        named = isinstance(test.left, ast.Name | ast.Attribute)
        return named and isinstance(test.ops[0], ast.IsNot) and ast.unparse(test.comparators[0]) == "None"
    return isinstance(test, ast.Call) and ast.unparse(test.func) == "isinstance"


def test_assertions_can_be_left_out() -> None:
    """Under ``python -O`` they are: nothing that somebody may get wrong is checked by one."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not isinstance(node, ast.Assert) or only_narrows(node.test), f"{path}:{node.lineno}"
            caught = isinstance(node, ast.ExceptHandler) and node.type is not None and ast.unparse(node.type)
            assert not (isinstance(node, ast.Name) and node.id == "__debug__"), path
            assert not (caught and "AssertionError" in caught), path


def test_tests_run_under_optimization(tmp_path: Path) -> None:
    """Those in test modules hold there too."""
    (tmp_path / "test_one.py").write_text(
        "def test_one():\n    assert not __debug__\ndef test_two():\n    assert False\n"
    )
    pytest_ = [sys.executable, "-O", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    done = subprocess.run([*pytest_, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
