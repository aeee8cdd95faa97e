"""What reaches the terminal: text and nothing else, all of it, and whatever becomes of the terminal."""

from __future__ import annotations

import collections
import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conftest import UNMEASURED
from noiseproof import cli, noise
from noiseproof.cli import _display
from noiseproof.cli._display import GridDisplay, show_rows, show_table
from noiseproof.cli._streams import Stream, complain, say, standard_streams
from noiseproof.formats import TextTable, printable, shortened
from texts import HOSTILE, TEXTS

BORDERS = "─│┼ \n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextlib.contextmanager
def terminal(width: int) -> Iterator[Terminal]:
    """A terminal as standard output that takes colors and a bar."""
    screen = Terminal()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", screen)
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            patch.delenv(name, raising=False)
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", str(width))
        patch.setattr(_display, "console", _display._console())
        yield screen


def plain(screen: Terminal) -> str:
    """What is on it without rich's own colors and movements."""
    return re.sub(r"\x1b\[\??[0-9;]*[a-zA-Z]", "", screen.getvalue())


def shown_rows(rows: list[list[str]], width: int, *, numbers: bool) -> str:
    with terminal(width) as screen:
        show_rows(rows[0], rows[1:], numbers=numbers)
    return plain(screen)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, max_size=4))
@example(list(HOSTILE))
def test_lines_and_errors_have_no_control_characters(capsys: pytest.CaptureFixture[str], texts: list[str]) -> None:
    capsys.readouterr()
    with standard_streams():
        say(*texts)
        for text in texts:
            complain("error: ", text)
    out, err = capsys.readouterr()
    assert out == "".join(f"{printable(text)}\n" for text in texts or [""])
    assert (out + err).replace("\n", "").isprintable()
    # A line break in an error cannot begin a line that looks like another message.
    starts = [line for line in err.split("\n")[:-1] if not line.startswith("  ")]
    assert starts == [f"error: {printable(text.split(chr(10))[0])}" for text in texts]


@settings(max_examples=30)
@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(TEXTS, min_size=n, max_size=n), min_size=1, max_size=4)),
    st.integers(1, 130),
    st.booleans(),
)
@example([["method", *map(str, range(30))], ["x" * 200, *["50.00 ± 1.00"] * 30]], 40, True)
@example([[":warning: [bold]", "[/x]"], ["ce [old]", "list[a].json"]], 80, False)
def test_a_table_is_whole_and_text_at_every_width(rows: list[list[str]], width: int, numbers: bool) -> None:
    shown = shown_rows(rows, width, numbers=numbers)
    assert shown.replace("\n", "").isprintable()
    letters = collections.Counter(shown)
    wanted = collections.Counter("".join(printable(text) for row in rows for text in row))
    for letter in BORDERS:
        del wanted[letter]
    assert wanted <= letters


def test_a_table_that_is_too_wide_goes_on_below_with_its_names() -> None:
    rows = [["method", *[f"noise-{n}" for n in range(12)]], ["JAL-CE", *[f"{n}.00" for n in range(12)]]]
    lines = shown_rows(rows, 60, numbers=True).splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert sum(line.strip().startswith("JAL-CE") for line in lines) == sum("method" in line for line in lines) > 1


def test_tables_show_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["ce [old]", "list[a].json", "[/x]", "[bold red]x", ":smile:"]
    show_table(TextTable("a [b]", ("method", "[n]"), tuple((name, "1") for name in names), ("note [i]",)))
    out = capsys.readouterr().out
    for text in (*names, "a [b]", "[n]", "note [i]"):
        assert text in out


@pytest.mark.parametrize("name", HOSTILE)
def test_progress_shows_any_name(name: str) -> None:
    recipe: Any = SimpleNamespace(method=SimpleNamespace(name=name), seed=1)
    run = SimpleNamespace(epoch=1, epochs=2, last=None)
    progress: Any = SimpleNamespace(number=1, count=1, recipe=recipe, run=run, done=0.5)
    with terminal(200) as screen, GridDisplay() as display:
        assert _display.console.is_terminal
        display(progress)
        display(SimpleNamespace(**{**vars(progress), "run": None, "done": 1.0}))  # type: ignore[arg-type]
    text = plain(screen)
    assert text.replace("\n", "").replace("\r", "").isprintable()
    assert shortened(printable(name), 60) in text


def test_manifests_and_arguments_cannot_command_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = np.arange(20) % 4
    made = noise.symmetric(labels, 0.2, num_classes=4)
    hostile = noise.NoisyLabels(made.labels, made.clean, made.matrix, "\x1b[2J\u202ex", "\x9b5m", 0.2, 1)
    hostile.save(tmp_path / "noisy.json")
    cli.main(["noise", "show", str(tmp_path / "noisy.json")])
    cli.main(["noise", "show", "\x1b]0;title\x07.json"])
    with pytest.raises(SystemExit):
        cli.main(["noise", "show", "a", "\x1b[31m"])
    out, err = capsys.readouterr()
    assert (out + err).replace("\n", "").isprintable()
    assert str(hostile).isprintable()


class Broken(io.StringIO):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


@pytest.mark.parametrize(
    "error", [OSError(28, "full"), OSError(5, "gone"), ValueError("closed"), BrokenPipeError(32, "")]
)
def test_a_stream_that_fails_is_written_to_no_more(error: Exception) -> None:
    stream = Stream(Broken(error))
    assert stream.write("text") == 4
    stream.write("more")
    stream.flush()
    assert stream.lost() is (None if isinstance(error, BrokenPipeError) else error)


def test_what_an_encoding_lacks_is_written_plainly() -> None:
    file = io.BytesIO()
    stream = Stream(io.TextIOWrapper(file, encoding="ascii"))
    stream.write("50.00 ± 1.00 – … ≥ ε \u4e2d ü")
    stream.flush()
    assert file.getvalue() == rb"50.00 +/- 1.00 - ... >= \u03b5 \u4e2d \xfc"


def command(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a script in which $NP is noiseproof."""
    everything = {
        **UNMEASURED,
        **environment,
        "NP": f"{sys.executable} -m noiseproof",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=everything, capture_output=True, encoding="latin-1", check=False
    )


TRAIN = '$NP train digits --set epochs=1 --set \'model="mlp(hidden=8)"\' --set \'method={loss="ce", name="ε ±"}\''


@pytest.mark.parametrize(
    ("script", "status", "told"),
    [
        ("$NP theory --symmetric 0.1 ce > /dev/full", 1, "No space left on device"),
        ("$NP theory --symmetric 0.1 ce >&-", 1, "it is closed"),
        pytest.param(
            "$NP theory --symmetric 0.1 ce --format json > /dev/full",
            1,
            "No space left on device",
            marks=pytest.mark.slow,
        ),
        ("$NP --help > /dev/full", 1, "No space left on device"),
        ("$NP --version > /dev/full", 1, "No space left on device"),
        pytest.param("$NP recipes absent > /dev/full", 2, "absent", marks=pytest.mark.slow),
        ("$NP recipes absent 2> /dev/full", 2, ""),
        ("$NP recipes 2>&-", 0, ""),
        ("$NP recipes <&- >&- 2>&-", 1, ""),
        (f"{TRAIN} > /dev/full", 1, "No space left on device"),
        pytest.param(f"{TRAIN} >&- 2>&-", 1, "", marks=pytest.mark.slow),
        (f"set -o pipefail; {TRAIN} | true", 0, ""),
    ],
)
def test_output_that_is_lost_is_told_and_ends_nothing(script: str, status: int, told: str, tmp_path: Path) -> None:
    done = command(script, tmp_path)
    assert done.returncode == status, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.stderr.count("\n") <= 1
    if "train" in script:
        (record,) = tmp_path.glob("runs/*/record.json")
        assert '"finished"' in record.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"PYTHONIOENCODING": "ascii"}, marks=pytest.mark.slow),
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        pytest.param(
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_commands_work_in_every_encoding(environment: dict[str, str], tmp_path: Path) -> None:
    grid = '[grid]\nmethods = [{loss = "ce", name = "ü ε [x]"}]\nseeds = [1, 2]\n'
    (tmp_path / "grid.toml").write_text(f'extends = "digits"\nepochs = 1\n{grid}', encoding="utf-8")
    script = """$NP bench grid.toml --set 'title="Größe ±"' && $NP methods --explain gce > /dev/null"""
    done = command(script, tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    page = (tmp_path / "report-grid" / "index.html").read_text(encoding="utf-8")
    assert "ü ε [x]" in page
    assert "Größe ±" in page


def test_nothing_is_read_or_written_in_the_encoding_of_the_locale(tmp_path: Path) -> None:
    script = (
        "import sys; from noiseproof.cli import main\n"
        "import torch._dynamo, rich.progress, sklearn.datasets, matplotlib.figure, pydantic\n"
        "import warnings; warnings.simplefilter('error', EncodingWarning)\n"
        "small = ['--set', 'epochs=1', '--set', 'grid.seeds=[1]', '--set', 'grid.methods=[\"ce\"]']\n"
        "sys.exit(main(['bench', 'demo', *small])"
        " or main(['noise', 'symmetric', '--data', 'digits', '--rate', '0.3', '--out', 'n.json'])"
        " or main(['noise', 'show', 'n.json']) or main(['methods', '--disagreements'])"
        " or main(['reproduce', '--help']) or 0)\n"
    )
    (tmp_path / "all.py").write_text(script, encoding="utf-8")
    run = [sys.executable, "-X", "warn_default_encoding", "all.py"]
    environment = {**UNMEASURED, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "noiseproof" not in done.stderr
