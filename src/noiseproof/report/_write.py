"""A report folder: tables in every format, the tidy list of runs, the curves and a page that shows it all."""

from __future__ import annotations

import warnings
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.bench import make_tables, runs_csv, tables_csv
from noiseproof.errors import RunError, RunWarning
from noiseproof.files import write_atomically, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noiseproof.bench import Table
    from noiseproof.train import Record


def write_report(title: str, records: Sequence[Record], folder: str | Path) -> list[str]:
    """Write the report of some runs and return the names of its files.

    ``table.md``, ``table.tex`` and ``table.csv`` hold the tables, ``runs.csv`` a line per run with its provenance; with
    the extra ``report`` installed, ``curves.png`` shows accuracy and memorisation per epoch and ``index.html`` all of
    it on one page.

    Raises:
        RunError: the folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot write a report to {folder}: {error}") from error
    tables = make_tables(title, records)
    texts = {
        "table.md": "\n".join(table.markdown() for table in tables),
        "table.tex": "\n".join(table.latex() for table in tables),
        "table.csv": tables_csv(tables),
        "runs.csv": runs_csv(records),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    try:
        from noiseproof.report._curves import draw_curves

        write_atomically(folder / "curves.png", draw_curves(records))
        write_text(folder / "index.html", _page(title, tables, records))
    except ModuleNotFoundError as error:
        warnings.warn(
            f"no curves and no page, since {error.name} is missing: pip install 'noiseproof[report]' and run again",
            RunWarning,
            stacklevel=2,
        )
        return list(texts)
    return ["index.html", "curves.png", *texts]


def _page(title: str, tables: list[Table], records: Sequence[Record]) -> str:
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(resources.files("noiseproof.report").joinpath("page.html.j2").read_text())
    return template.render(title=title, tables=tables, records=records)
