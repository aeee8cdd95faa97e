"""``noiseproof review``."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import pytest

from noiseproof import cli


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the browser was asked to show."""
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not addresses.append(address))
    return addresses


def test_the_page_is_opened_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], opened: list[str]) -> None:
    folder = tmp_path / "my wines.audit"
    folder.mkdir()
    (folder / "index.html").write_text("<p>")
    assert cli.main(["review", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'index.html'}\n"
    assert opened == [(folder / "index.html").as_uri()]
    assert cli.main(["review", str(folder), "--no-browser"]) == 0
    assert capsys.readouterr().out == f"{folder / 'index.html'}\n"
    assert len(opened) == 1


def test_it_is_said_where_no_browser_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").write_text("<p>")
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    assert cli.main(["review", str(tmp_path)]) == 0
    assert "No browser was found" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", "elsewhere", "a\0b"])
def test_a_folder_without_a_page_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], opened: list[str], name: str
) -> None:
    assert cli.main(["review", str(tmp_path / name)]) == 2
    assert "holds no index.html: expected the folder of an audit" in capsys.readouterr().err
    assert not opened
