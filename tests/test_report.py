from __future__ import annotations

import csv
import hashlib
import io
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from noiseproof.bench import load_grid, run_grid
from noiseproof.errors import RunError, RunWarning
from noiseproof.formats import printable
from noiseproof.report import write_report
from noiseproof.train import Record
from texts import HOSTILE


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
    assert page.count("<table") >= 2
    assert "&lt;t" not in page  # tables are tables, not their text
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
    tables = ["table.md", "table.tex", "table.csv", "runs.csv"]
    with pytest.warns(RunWarning, match=r"no curves: that needs matplotlib: pip install 'noiseproof\[report\]'"):
        assert write_report("Digits", records, tmp_path) == ["index.html", *tables]
    assert "<img" not in (tmp_path / "index.html").read_text()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with (
        pytest.warns(RunWarning, match="no curves"),
        pytest.warns(RunWarning, match="no page: that needs jinja2"),
    ):
        assert write_report("Digits", records, tmp_path) == tables


def named(record: Record, name: str, **changes: Any) -> Record:
    """The record of a method of this name."""
    recipe = {**record.recipe, "method": {**record.recipe["method"], "name": name}}
    return Record(
        **{
            **vars(record),
            "id": hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:12],
            "recipe": recipe,
            **changes,
        }
    )


class Cells(HTMLParser):
    """The texts of the cells of a page, and all its tags and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for key, value in attrs if key in ("src", "href") or key.startswith("on")]
        if tag in ("td", "th", "h1", "caption"):
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data


def test_names_are_text_in_every_file_of_a_report(records: list[Record], tmp_path: Path) -> None:
    noise = {**(records[0].noise or {}), "description": "\x1b[31m<b>red</b>"}
    runs = [named(records[0], name, noise=noise) for name in HOSTILE if name != "\ud800"]  # which no recipe takes
    title = "<i>$a$</i> \x1b[2J | \\input{x}"
    written = write_report(title, runs, tmp_path)
    assert written[:2] == ["index.html", "curves.png"]
    page = Cells()
    page.feed((tmp_path / "index.html").read_text(encoding="utf-8"))
    rows = (tmp_path / "table.csv").read_text(encoding="utf-8")
    for run in runs:
        assert printable(run.recipe["method"]["name"]) in page.texts
    assert printable("\x1b[31m<b>red</b>") in page.texts
    assert page.texts[0].startswith(printable(title))
    assert not page.tags & {"b", "i", "script"}
    assert page.addresses == ["curves.png"]
    for file in tmp_path.glob("*.[cmth]*"):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", file.read_text(encoding="utf-8")), file
    assert {row["method"].removeprefix("'") for row in csv.DictReader(io.StringIO(rows))} == {
        printable(run.recipe["method"]["name"]) for run in runs
    }


def test_names_are_text_in_pictures(records: list[Record]) -> None:
    """A formula that is none, a name that matplotlib would hide, one it has no letters for, one that is too long."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from noiseproof.report._curves import add_legend, plain_text, png

    names = ["[/x]", "$a$b$c", "$\\frac$", "_hidden", "\u4e2d\u6587", "x" * 500, "a\nb\x1b", "ε ± 1"]
    with plain_text(), mpl.rc_context({"font.size": 8}):
        figure = Figure()
        axis = figure.subplots()
        add_legend(figure, {name: axis.plot([0, 1])[0] for name in names})
        assert png(figure).startswith(b"\x89PNG")
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == [
        "[/x]", "$a$b$c", "$\\frac$", "_hidden", r"\u4e2d\u6587", f"{'x' * 19}…{'x' * 19}", r"a\nb\x1b", "ε ± 1"
    ]  # fmt: skip


def test_a_picture_or_page_that_fails_leaves_the_tables(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no such font")

    monkeypatch.setattr("noiseproof.report._curves.draw_curves", fail)
    with pytest.warns(RunWarning, match="no curves: ValueError: no such font"):
        written = write_report("Digits", records, tmp_path)
    assert written == ["index.html", "table.md", "table.tex", "table.csv", "runs.csv"]
    monkeypatch.setattr("noiseproof.report._write._page", fail)
    with pytest.warns(RunWarning, match="no curves"), pytest.warns(RunWarning, match="no page: ValueError"):
        assert write_report("Digits", records, tmp_path)[0] == "table.md"


def test_a_folder_that_cannot_be_written_is_named(records: list[Record], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot write into"):
        write_report("Digits", records, tmp_path / "file")
