"""Names are data in every format: what a reader of the format gets is the text, or the text with visible escapes."""

from __future__ import annotations

import csv
import html
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from noiseproof.formats import TextTable, csv_text, latex_text, markdown_line, markdown_text, printable
from noiseproof.results import Cell, Table, tables_csv
from texts import HOSTILE, TEXTS


@given(TEXTS)
@example("\x1b[31m")
def test_printable_text_is_printable_and_what_was_is_unchanged(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown == "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@given(st.lists(st.lists(TEXTS, min_size=1, max_size=4), max_size=4))
@example([list(HOSTILE)])
def test_csv_is_read_back_and_holds_no_formulas(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(csv_text(rows), newline="")))
    for row, cells in zip(rows, read, strict=True):
        assert [cell.removeprefix("'") for cell in cells] == [printable(text) for text in row]
        for cell in cells:
            assert not re.match(r"\s*[=+\-@＝＋－＠]", cell) or re.fullmatch(r"[-+][\d.]+(e[-+]?\d+)?%?", cell, re.I)


@pytest.mark.parametrize("number", [-1.5, 3, "-1.5", "+0.33", "-1e-05", "+.5", "12.00"])
def test_numbers_in_csv_stay_numbers(number: float | str) -> None:
    assert csv_text([[number]]) == f"{number}\n"


def test_names_in_the_csv_of_tables_are_no_formulas() -> None:
    table = Table("=t", ("@c",), (("=HYPERLINK(1)", (Cell((1.0,)),)),))
    _, row = csv.reader(io.StringIO(tables_csv([table])))
    assert row[:3] == ["'=t", "'=HYPERLINK(1)", "'@c"]


def unescaped(markdown: str) -> str:
    """Inline Markdown as a reader shows it, if nothing in it is a command."""
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", lambda match: f"&#{ord(match[1])};", markdown))


@given(TEXTS)
def test_markdown_shows_the_text_and_nothing_in_it_is_a_command(text: str) -> None:
    for shown in (markdown_text(text), markdown_line(text)):
        assert unescaped(shown) == printable(text)
        bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", shown)
        assert not re.search(r"[`*\[\]{}<>|~$\\]|://|www\.", bare)
        assert not re.search(r"(?<![^\W_])_|_(?![^\W_])", re.sub(r"\\_", "", re.sub(r"\\[^_]", "x", shown)))
    assert not re.match(r"[ #>+\-=:]|\d+[.)]", markdown_line(text))


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), min_size=1, max_size=3))
def test_a_markdown_table_has_its_cells(rows: list[list[str]]) -> None:
    table = TextTable("caption", ("a", "b"), tuple(map(tuple, rows)), ("note",)).markdown()
    lines = [line for line in table.split("\n") if line.startswith("|")]
    assert len(lines) == len(rows) + 2
    for row, line in zip(rows, lines[2:], strict=True):
        _, *cells, _ = re.split(r"(?<!\\)\|", re.sub(r"\\[^|]", lambda m: f"&#92;&#{ord(m[0][1])};", line))
        texts = [re.sub(r"&#92;&#(\d+);", lambda m: "\\" + chr(int(m[1])), cell) for cell in cells]
        assert [unescaped(text.strip()) for text in texts] == [printable(text).strip() for text in row]


MATH = {r"\pm": "±", r"\times": "×", r"\cdot": "·", "-": "−", r"\leq": "≤", r"\geq": "≥", r"\neq": "≠",
        r"\approx": "≈", r"\to": "→", r"\infty": "∞", r"\surd": "√", "^2": "²", "^3": "³"}  # fmt: skip
WORDS = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">",
         "textbar": "|", "textasciigrave": "`", "ldots": "…"}  # fmt: skip
GREEK = dict(
    zip(
        re.findall(r"\w+", "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
                           "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"),
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ",
        strict=True,
    )
)  # fmt: skip


def typeset(latex: str) -> str:
    """What TeX prints of a text; a command that is not one of those of :mod:`noiseproof.formats` is an error."""
    out, rest = "", latex
    while rest:
        if match := re.match(r"\\([a-zA-Z]+)\{\}", rest):
            out += WORDS[match[1]]
        elif match := re.match(r"\$([^$]*)\$", rest):
            out += MATH.get(match[1]) or GREEK[match[1][1:]]
        elif match := re.match(r"\\([#$%&_{} ])", rest):
            out += match[1]
        elif match := re.match(r"\{\}", rest):
            pass
        elif match := re.match(r"---?", rest):
            out += "—" if len(match[0]) == 3 else "–"
        else:
            match = re.match(r"[^\\#$%&_{}~^<>|`]", rest)
            assert match, rest
            assert not rest.startswith(("  ", "''", ",,")), rest
            out += match[0]
        rest = rest[match.end() :]
    return out


@given(TEXTS)
@example("---x – — '' ,, ?` a   b ")
def test_latex_typesets_the_text(text: str) -> None:
    assert typeset(latex_text(text)) == printable(text)


@pytest.mark.parametrize("name", ["[2ex] x", "*x", "(lr) x", "a"])
def test_a_row_in_latex_gives_no_options_to_the_row_above(name: str) -> None:
    lines = TextTable("c", (name, "b"), ((name, "1"),)).latex().splitlines()
    for line in (lines[lines.index(r"\toprule") + 1], lines[lines.index(r"\midrule") + 1]):
        assert not re.match(r"[\[*(]", line)
        assert typeset(line.partition(" & ")[0]) == name


def test_titles_with_mathematics_keep_rendering() -> None:
    assert latex_text("CE_ε + AMSE, a ≥ 5 ± 1") == r"CE\_$\epsilon$ + AMSE, a $\geq$ 5 $\pm$ 1"
