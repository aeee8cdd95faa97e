"""The Python in the documentation runs; a page's blocks run one after another, as a reader would type them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from noiseproof.losses import REGISTRY

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known = dict(REGISTRY)
    scope: dict[str, object] = {}
    try:
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            exec(compile(block, str(page), "exec"), scope)
    finally:
        REGISTRY.clear()
        REGISTRY.update(known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_toml_blocks_are_recipes(page: Path, tmp_path: Path) -> None:
    from noiseproof.bench import load_grid

    for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        (tmp_path / "block.toml").write_text(block)
        assert load_grid(tmp_path / "block.toml").recipes
