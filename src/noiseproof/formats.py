r"""Text as each format shows it: names are data, and nothing in them is a command to what reads the output.

One rule comes first, in every format: a character that cannot be printed (control characters such as escape and line
breaks, marks that change the direction of text, halves of surrogate pairs) is shown as Python writes it, such as
``\x1b`` or ``\n``. What the format itself gives a meaning to is then escaped, so that the reader sees the text.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PROBABILITY = "p:"
"""Before the name of a class, in the name of the column of its probabilities."""

_GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)

_LATEX = {
    "\\": r"\textbackslash{}",
    "#": r"\#",
    "$": r"\$",
    "%": r"\%",
    "&": r"\&",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    # These print other characters in LaTeX's usual fonts, or join with their like.
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    # Signs that LaTeX has in formulas only.
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "−": "$-$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "≈": r"$\approx$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "√": r"$\surd$",
    "²": "$^2$",
    "³": "$^3$",
    # Dashes and dots.
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
} | {letter: rf"$\{name}$" for letter, name in zip(_GREEK, _GREEK_NAMES.split(), strict=True)}

_LATEX_SPACE = re.compile(r"^ |(?<= ) | $")
_LATEX_LIGATURE = re.compile(r"[-–—](?=[-–—])|'(?=')|,(?=,)")

_MARKDOWN = re.compile(
    r"""
    [\\`*\[\]{}<>|~$]           # code, emphasis, links, HTML, the borders of cells, strikethrough, formulas
    | (?<![^\W_])_ | _(?![^\W_])  # emphasis; within a word it is none
    | &(?=\#?\w+;)                # entities
    | :(?=//) | (?<=www)\.        # addresses that become links
    """,
    re.VERBOSE,
)
_MARKDOWN_START = re.compile(r"^(\d*)([#+\-=:.)])")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")
_FORMULA = re.compile(r"\s*[=+\-@'＝＋－＠]")


def printable(text: str) -> str:
    r"""The text on one line, with what cannot be printed as Python writes it.

    >>> print(printable("ce\x1b[2J\n\u202e"))
    ce\x1b[2J\n\u202e
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shortened(text: str, length: int) -> str:
    """The text, or its beginning and its end where it is longer.

    >>> shortened("abcdefghij", 7)
    'abc…hij'
    """
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def latex_text(text: str) -> str:
    r"""The text for LaTeX, for the body of a document: all that has a meaning there is escaped.

    Greek letters and signs become formulas; other letters stay as they are, and what the fonts of pdfLaTeX lack needs
    XeLaTeX or LuaLaTeX.

    >>> print(latex_text(r"\input{x} 50 % ± 1"))
    \textbackslash{}input\{x\} 50 \% $\pm$ 1
    """
    text = printable(text)
    # Placed first, as marks that are no printable characters, since both look at what is beside a character.
    text = _LATEX_LIGATURE.sub("\\g<0>\0", _LATEX_SPACE.sub("\1", text))
    return "".join(_LATEX.get(character, character) for character in text).replace("\0", "{}").replace("\1", "\\ ")


def markdown_text(text: str) -> str:
    r"""The text for GitHub's Markdown, for the inside of a line or the cell of a table.

    >>> print(markdown_text("a|b *c* CE_eps"))
    a\|b \*c\* CE_eps
    """
    return _MARKDOWN.sub(r"\\\g<0>", printable(text))


def markdown_line(text: str) -> str:
    r"""The text for GitHub's Markdown as a paragraph, which nothing at its start makes a list, a heading or code.

    >>> print(markdown_line("# 1"), markdown_line("1. one"))
    \# 1 1\. one
    """
    line = _MARKDOWN_START.sub(r"\1\\\2", markdown_text(text))
    return "&#32;" + line[1:] if line.startswith(" ") else line


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV with quotes where they are needed; ``None`` is an empty cell.

    Spreadsheets run a cell that begins with ``=``, ``+``, ``-`` or ``@`` as a formula. Such a text gets an apostrophe
    before it, and so does one that begins with an apostrophe: a program that reads the file takes off one apostrophe
    at the start of a cell and has the text. Numbers stay numbers, with their signs.

    >>> print(csv_text([["=1+1", "-1.5", -1.5, "a,b", None]]), end="")
    '=1+1,-1.5,-1.5,"a,b",
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([_csv_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _csv_cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


@dataclass(frozen=True)
class TextTable:
    """A table as it is shown: a caption, the heads of the columns, rows of text, and notes below."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The table in GitHub's Markdown, caption first."""
        rule = ("---", *["---:"] * (len(self.head) - 1))
        head, *body = (tuple(map(markdown_text, row)) for row in (self.head, *self.rows))
        lines = ["| " + " | ".join(row) + " |" for row in (head, rule, *body)]
        notes = [f"\n{markdown_line(note)}" for note in self.notes]
        return "\n".join([f"**{markdown_text(self.caption).strip()}**", "", *lines, *notes, ""])

    def latex(self) -> str:
        """The table for LaTeX with the ``booktabs`` package."""
        head, *body = map(_latex_row, (self.head, *self.rows))
        return "\n".join(
            [
                r"\begin{table}",
                r"\centering",
                rf"\caption{{{latex_text(' '.join([self.caption, *self.notes]))}}}",
                rf"\begin{{tabular}}{{l{'r' * (len(self.head) - 1)}}}",
                r"\toprule",
                head,
                r"\midrule",
                *body,
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table}",
                "",
            ]
        )


def _latex_row(cells: Iterable[str]) -> str:
    row = " & ".join(map(latex_text, cells)) + r" \\"
    # The end of the row above would take these as its options.
    return "{}" + row if row.startswith(("[", "*", "(")) else row
