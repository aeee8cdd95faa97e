"""How good a model is on labels that can be trusted and that chose nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from noiseproof.classes import Classes, read_labels
from noiseproof.data import (
    TABLES,
    Unlabeled,
    arrays,
    image_folder,
    missing,
    read_table,
    read_unlabeled,
    unlabeled_arrays,
)
from noiseproof.errors import DataError, LabelError
from noiseproof.metrics import metric_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from noiseproof.data import Preprocessing
    from noiseproof.prediction import Predictor


def score_file(predictor: Predictor, path: str | Path, label: str | None, metric: str) -> tuple[float, int]:
    """The metric on the labels of a table, of arrays or of a folder of images, and how many there are.

    Raises:
        DataError: there are no labels, or some of classes that the model does not know.
    """
    given, labels = read_scored(path, label, predictor.class_names, predictor.preprocessing)
    return metric_of(predictor.probabilities(given), labels, metric), len(labels)


def read_scored(
    path: str | Path, label: str | None, class_names: Sequence[str], preprocessing: Preprocessing
) -> tuple[Unlabeled, NDArray[np.int64]]:
    """Inputs and labels that a model of these classes and inputs is scored on.

    Args:
        path: a table, arrays (``.npz``) or a folder of images with a folder for each class.
        label: the column of a table that holds the labels. Rows without one do not count.
        class_names: of the model.
        preprocessing: of its inputs.

    Raises:
        DataError: there are no labels, some of other classes, or inputs of another kind or with other columns.
    """
    path, classes = Path(path), Classes(tuple(class_names))
    try:
        if path.suffix.lower() in TABLES:
            if preprocessing.is_image or preprocessing.embedding is not None:
                raise DataError(f"{path} is a table, and the model takes images: expected a folder of them, or a .npz")
            if label is None:
                raise DataError(f"{path}: which column are the labels? (--label COLUMN)")
            column = read_table(path, as_text=[label])[label]
            known = np.flatnonzero(~missing(column))
            found = classes.encode(read_labels(column[known].tolist()), label)
            given = read_unlabeled(path, preprocessing)
            keys = [given.keys[row] for row in known.tolist()]
            return Unlabeled(given.inputs[known], keys, {}), found
        dataset = image_folder(path) if path.is_dir() else arrays(path, gaps=True)
        names = np.array(dataset.class_names, object)[dataset.train.labels]
        found = classes.encode(read_labels(names.tolist()), "label")
    except LabelError as error:
        raise DataError(f"{path}: {error}") from error
    inputs = dataset.train.inputs
    given = read_unlabeled(path, preprocessing) if path.is_dir() else unlabeled_arrays(inputs, preprocessing, str(path))
    return given, found
