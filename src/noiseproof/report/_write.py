"""A report folder: tables in every format, the tidy list of runs, the curves and a page that shows it all."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.errors import NoiseproofError, RunWarning
from noiseproof.extras import missing
from noiseproof.files import make_folder, write_atomically, write_text
from noiseproof.formats import printable
from noiseproof.results import make_tables, runs_csv, tables_csv

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from noiseproof.formats import TextTable
    from noiseproof.results import Reproduced
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
    "on noisy validation data. A loss that learns the wrong labels memorizes them, and its test accuracy falls."
)
_CURVES_OF_A_REPRODUCTION = (
    "Lines are means over seeds, shades and bars their spread. Marks are the published figures, where they compare."
)


def write_report(title: str, records: Sequence[Record], folder: str | Path) -> list[str]:
    """Write the report of some runs and return the names of its files.

    ``table.md``, ``table.tex`` and ``table.csv`` hold the tables, ``runs.csv`` a line per run with its provenance; with
    the extra ``report`` installed, ``curves.png`` shows accuracy and memorization per epoch and ``index.html`` all of
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
    make_folder(folder)
    texts = {
        "table.md": "\n".join(table.markdown() for table in tables),
        "table.tex": "\n".join(table.latex() for table in tables),
        "table.csv": table_csv,
        "runs.csv": runs_csv(records),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    pages: list[str] = []
    pictures: list[str] = []
    with _told("no curves"):
        from noiseproof.report import _curves, _figures

        picture = _curves.draw_curves(records) if result is None else _figures.draw(result)
        if picture is not None:
            write_atomically(folder / "curves.png", picture)
            pictures.append("curves.png")
    with _told("no page"):
        legend = _CURVES_OF_A_GRID if result is None else _CURVES_OF_A_REPRODUCTION
        page = _page(
            title=title, introduction=introduction, legend=legend, tables=tables, records=records, pictures=pictures
        )
        write_text(folder / "index.html", page)
        pages.append("index.html")
    return [*pages, *pictures, *texts]


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Warn of what fails: the tables, which are written by then, must not be lost with their picture."""
    try:
        yield
    except ModuleNotFoundError as error:
        text = f"{what}: {missing('that needs', error.name or '')} and run again"
        warnings.warn(text, RunWarning, stacklevel=5)
    except NoiseproofError:
        raise  # it cannot be written, and the user is to know why
    except Exception as error:  # noqa: BLE001 - whatever it is that a library of pictures and pages does not take
        warnings.warn(f"{what}: {type(error).__name__}: {error}. The tables are written", RunWarning, stacklevel=5)


def _page(**content: object) -> str:
    return render_page("page.html.j2", **content)


def render_page(template: str, **content: object) -> str:
    """A page from one of the package's templates, as HTML that loads nothing.

    Raises:
        ModuleNotFoundError: Jinja2 is missing.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
        loader=jinja2.PackageLoader("noiseproof.report", "."),
    )
    return environment.get_template(template).render(**content)


def _shown(value: object) -> object:
    # What has a method of its own for HTML is a part of a page already.
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
