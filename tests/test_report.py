from __future__ import annotations

import sys
from pathlib import Path

import pytest

from noiseproof.bench import load_grid, run_grid
from noiseproof.errors import RunError, RunWarning
from noiseproof.report import write_report
from noiseproof.train import Record


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    small = {
        "epochs": 2,
        "model": "mlp(hidden=8)",
        "batch_size": 256,
        "grid": {"methods": ["ce", "gce"], "seeds": [1, 2]},
    }
    return run_grid(load_grid("demo", small), tmp_path_factory.mktemp("runs"))


def test_a_report_has_tables_curves_and_a_page(records: list[Record], tmp_path: Path) -> None:
    written = write_report("Digits <b>& more", records, tmp_path / "report")
    assert written[0] == "index.html"
    assert sorted(written) == sorted(path.name for path in (tmp_path / "report").iterdir())
    page = (tmp_path / "report" / "index.html").read_text()
    assert "Digits &lt;b&gt;&amp; more" in page
    assert 'src="curves.png"' in page
    for record in records:
        assert record.id in page
        assert record.recipe["method"]["loss"] in page
    png = (tmp_path / "report" / "curves.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert len(png) > 10_000
    assert "CE" in (tmp_path / "report" / "table.md").read_text()


def test_several_noises_are_drawn_in_rows(records: list[Record], tmp_path: Path) -> None:
    from noiseproof.report._curves import draw_curves

    other = Record(**{**vars(records[0]), "recipe": {**records[0].recipe, "noise": {"kind": "none"}}})
    empty = Record(**{**vars(records[0]), "epochs": []})
    assert len(draw_curves([*records, other, empty])) > len(draw_curves(records))


def test_without_matplotlib_the_tables_are_written_all_the_same(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "noiseproof.report._curves", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.warns(RunWarning, match=r"pip install 'noiseproof\[report\]'"):
        assert write_report("Digits", records, tmp_path) == ["table.md", "table.tex", "table.csv", "runs.csv"]


def test_a_folder_that_cannot_be_written_is_named(records: list[Record], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot write a report"):
        write_report("Digits", records, tmp_path / "file")
