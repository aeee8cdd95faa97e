"""How good a model is on labels that can be trusted and that chose nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.classes import Classes, read_labels
from noiseproof.data import TABLES, arrays, image_folder, missing, read_table
from noiseproof.errors import DataError, LabelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from noiseproof.prediction import Predictor


def score_file(predictor: Predictor, path: str | Path, label: str | None, metric: str) -> tuple[float, int]:
    """The metric on the labels of a table, of arrays or of a folder of images, and how many there are.

    Raises:
        DataError: there are no labels, or some of classes that the model does not know.
    """
    path = Path(path)
    classes = Classes(predictor.class_names)
    try:
        if path.suffix.lower() in TABLES:
            if label is None:
                raise DataError(f"{path}: which column are the labels? (--label COLUMN)")
            column = read_table(path, as_text=[label])[label]
            known = np.flatnonzero(~missing(column))
            found = classes.encode(read_labels(column[known].tolist()), label)
            probabilities = predictor.predict_proba(path)[known]
        else:
            dataset = image_folder(path) if path.is_dir() else arrays(path)
            names = np.array(dataset.class_names, object)[dataset.train.labels]
            found = classes.encode(read_labels(names.tolist()), "label")
            probabilities = predictor.predict_proba(path if path.is_dir() else dataset.train.inputs)
    except LabelError as error:
        raise DataError(f"{path}: {error}") from error
    return metric_of(probabilities, found, metric), len(found)


def metric_of(probabilities: NDArray[Any], labels: NDArray[np.int64], metric: str) -> float:
    """Accuracy, or balanced accuracy: the mean over the classes that occur of the share that is predicted."""
    hits = probabilities.argmax(1) == labels
    if metric == "accuracy":
        return float(hits.mean())
    return float(np.mean([hits[labels == place].mean() for place in np.unique(labels)]))
