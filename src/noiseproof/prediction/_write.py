"""Predictions as a table in a file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.errors import RunError
from noiseproof.extras import need
from noiseproof.files import check_folder, write_atomically
from noiseproof.formats import PROBABILITY, csv_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from noiseproof.prediction._predictor import Predictor


def check_output(path: Path, *, force: bool = False) -> None:
    """See, before any work is done, that predictions can be written to ``path``.

    Raises:
        RunError: there is a file already, its ending is neither ``.csv`` nor ``.parquet``, or it cannot be written.
        DataError: Parquet is asked for and pyarrow is missing.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise RunError(f"{path}: expected the name of a .csv or .parquet file")
    if path.exists() and not force:
        raise RunError(f"{path} is there already: give --force to write it anew, or another --out")
    check_folder(path.parent)
    if path.suffix.lower() == ".parquet":
        _arrow()


def write_predictions(
    path: Path,
    keys: Sequence[str | int],
    probabilities: NDArray[Any],
    predictor: Predictor,
    *,
    min_probability: float = 0.0,
    force: bool = False,
) -> int:
    """Write a row for each input: ``key``, ``prediction``, ``probability``, and ``p:CLASS`` for each class.

    Args:
        path: a ``.csv`` or a ``.parquet`` file.
        keys: what each input is called.
        probabilities: ``(N, classes)``; a row of NaN has no prediction and no numbers.
        predictor: what gave them.
        min_probability: below it, no prediction is given.
        force: whether a file that is there is written over.

    Returns:
        How many inputs got a prediction.

    Raises:
        RunError, DataError: as for :func:`check_output`.
    """
    check_output(path, force=force)
    names = predictor.class_names
    best = np.where(np.isnan(probabilities), -1.0, probabilities).argmax(1)
    highest = probabilities[np.arange(len(probabilities)), best] if len(probabilities) else np.zeros(0)
    answers = [
        names[place] if value >= min_probability else None for place, value in zip(best, highest.tolist(), strict=True)
    ]
    head = ["key", "prediction", "probability", *(f"{PROBABILITY}{name}" for name in names)]
    if path.suffix.lower() == ".csv":

        def rows() -> Iterator[list[object]]:
            yield list(head)
            for key, answer, value, row in zip(keys, answers, highest.tolist(), probabilities, strict=True):
                known = [None if one != one else _short(one) for one in (value, *row.tolist())]
                yield [key, answer, *known]

        write_atomically(path, csv_text(rows()).encode("utf-8", "surrogateescape"))
    else:
        arrow, parquet = _arrow()
        empty = np.isnan(highest)
        columns = [
            arrow.array([_text(key) if isinstance(key, str) else key for key in keys]),
            arrow.array(answers, arrow.string()),
            *(arrow.array(values, mask=empty) for values in (highest, *probabilities.T)),
        ]
        buffer = io.BytesIO()
        parquet.write_table(arrow.table(columns, names=head), buffer)
        write_atomically(path, buffer.getvalue())
    return sum(answer is not None for answer in answers)


def _short(value: float) -> float:
    return float(f"{value:.7g}")


def _text(value: str) -> str:
    """A path as UTF-8, where it may have bytes that are none."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _arrow() -> tuple[Any, Any]:
    need("a .parquet file needs", "pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pa, pq


def default_output(path: Path) -> Path:
    """Where the predictions for ``path`` are written if nothing is said."""
    path = path if path.name else path.resolve()
    return path.with_name(f"{path.name}.predictions.csv")
