"""The Python in the documentation runs; a page's blocks run one after another, as a reader would type them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from noiseproof.data.noises import NOISES
from noiseproof.data.sources import SOURCES
from noiseproof.losses import REGISTRY
from noiseproof.methods import METHODS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.usefixtures("definitions_as_before")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    registries: list[dict[str, Any]] = [REGISTRY, METHODS]
    for registry in registries:
        for name in [name for name, made in registry.items() if not made.__module__.startswith("noiseproof.")]:
            del registry[name]  # of another test
    monkeypatch.setitem(sys.modules, "page", module := ModuleType("page"))  # where pickle looks for its classes
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        exec(compile(block, str(page), "exec"), vars(module))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_toml_blocks_are_recipes(page: Path, tmp_path: Path) -> None:
    from noiseproof.bench import load_grid

    for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        (tmp_path / "block.toml").write_text(block)
        assert load_grid(tmp_path / "block.toml").recipes


def test_every_key_of_a_recipe_is_documented() -> None:
    from noiseproof.bench._grid import _AXES
    from noiseproof.train import _recipe

    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    tables = page.split("### Every key")[1].split("## Protocols")[0]
    models = [value for value in vars(_recipe).values() if isinstance(value, type) and hasattr(value, "model_fields")]
    models += [*SOURCES.values(), *NOISES.values()]
    keys = {key for model in models for key in model.model_fields} | {"extends", "imports", "title", "grid", *_AXES}
    keys |= {"rates", "regularizer"}
    assert not [key for key in sorted(keys) if not re.search(rf"\b{key}\b", tables)]
    assert len(models) > 10
