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

    from noiseproof.bench import Reproduced
    from noiseproof.formats import TextTable
    from noiseproof.train import Record

_OF_A_GRID = (
    "Mean ± sample standard deviation over seeds. The test set chooses nothing: figures are those of the last epoch, "
    "and of the epoch chosen on the noisy validation part where there is one."
)
_OF_A_REPRODUCTION = (
    "Mean ± sample standard deviation over seeds, last epoch, beside what was published. The test set chooses nothing."
)

_CURVES_OF_A_GRID = (
    "Lines are means over seeds, shades reach from the lowest to the highest. A dot is the epoch chosen for one seed "
    "on noisy validation data. A loss that learns the wrong labels memorises them, and its test accuracy falls."
)
_CURVES_OF_A_REPRODUCTION = (
    "Lines are means over seeds, shades and bars their spread. Marks are the published figures, where they compare."
)


def write_report(title: str, records: Sequence[Record], folder: str | Path) -> list[str]:
    """Write the report of some runs and return the names of its files.

    ``table.md``, ``table.tex`` and ``table.csv`` hold the tables, ``runs.csv`` a line per run with its provenance; with
    the extra ``report`` installed, ``curves.png`` shows accuracy and memorisation per epoch and ``index.html`` all of
    it on one page.

    Raises:
        RunError: the folder cannot be written.
    """
    tables = make_tables(title, records)
    texts = [table.text() for table in tables]
    return _write(Path(folder), title, _OF_A_GRID, texts, tables_csv(tables), records, None)


def write_reproduction(result: Reproduced, folder: str | Path) -> list[str]:
    """Write the report of a reproduction and return the names of its files.

    They are those of :func:`write_report`; the drawing is the published figure's where there is one.

    Raises:
        RunError: the folder cannot be written.
    """
    tables = [result.overview(), result.details()]
    title = result.reproduction.title
    return _write(Path(folder), title, _OF_A_REPRODUCTION, tables, result.csv(), result.records, result)


def _write(
    folder: Path,
    title: str,
    introduction: str,
    tables: Sequence[TextTable],
    table_csv: str,
    records: Sequence[Record],
    result: Reproduced | None,
) -> list[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot write a report to {folder}: {error}") from error
    texts = {
        "table.md": "\n".join(table.markdown() for table in tables),
        "table.tex": "\n".join(table.latex() for table in tables),
        "table.csv": table_csv,
        "runs.csv": runs_csv(records),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    try:
        from noiseproof.report import _curves, _figures

        picture = _curves.draw_curves(records) if result is None else _figures.draw(result)
        pictures = [] if picture is None else ["curves.png"]
        if picture is not None:
            write_atomically(folder / "curves.png", picture)
        legend = _CURVES_OF_A_GRID if result is None else _CURVES_OF_A_REPRODUCTION
        page = _page(
            title=title, introduction=introduction, legend=legend, tables=tables, records=records, pictures=pictures
        )
        write_text(folder / "index.html", page)
    except ModuleNotFoundError as error:
        warnings.warn(
            f"no curves and no page, since {error.name} is missing: pip install 'noiseproof[report]' and run again",
            RunWarning,
            stacklevel=3,
        )
        return list(texts)
    return ["index.html", *pictures, *texts]


def _page(**content: object) -> str:
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(
        resources.files("noiseproof.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    )
    return template.render(**content)
