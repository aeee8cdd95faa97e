"""What `benchmarks/fit.py` holds `fit` against."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from fit_bars import NINE, bits
from noiseproof.data import Dataset, Part, Table, from_table, in_memory
from noiseproof.embeddings import embed
from noiseproof.fitting import look
from noiseproof.prediction import load
from noiseproof.train import train

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fit_sets import Cut


@dataclass(frozen=True)
class Network:
    """How the rivals' network is trained: as `fit` trains its own."""

    model: str
    epochs: int
    lr: float = 1e-3
    augment: tuple[str, ...] = ()

    def recipe(self, loss: str, samples: int) -> dict[str, Any]:
        """The recipe of a run with this loss."""
        return {
            "data": "memory",
            "model": self.model,
            "method": {"name": loss, "loss": loss},
            "epochs": self.epochs,
            "batch_size": 128 if samples >= 500 else 64 if samples >= 250 else 32,
            "optimizer": "adamw",
            "lr": self.lr,
            "schedule": "constant",
            "clip_norm": 5.0,
            "augment": list(self.augment),
            "seed": 1,
        }


TABLES_NETWORK = Network("mlp(hidden=256, depth=2)", 50)
HEADS = Network("mlp(hidden=256, depth=2)", 50, lr=1e-4)
IMAGES_NETWORK = Network("cnn8(width=0.25)", 20, augment=("crop", "flip"))
"""Twenty epochs of 4,000 images are about a minute of one core."""


class Plain(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """(a)'s network with CE as an estimator, for CleanLearning."""

    def __init__(self, network: Network = TABLES_NETWORK) -> None:
        self.network = network

    def fit(self, X: NDArray[Any], y: NDArray[np.int64], sample_weight: Any = None) -> Plain:
        """Train."""
        self.classes_ = np.unique(y)
        weight = None if sample_weight is None else np.asarray(sample_weight, np.float32)
        dataset = as_dataset(X, np.searchsorted(self.classes_, y), len(self.classes_))
        self._folder = tempfile.TemporaryDirectory()
        record = train(
            self.network.recipe("ce", len(y)), self._folder.name, data=replace(dataset, sample_weight=weight)
        )
        self._predictor = load(str(record.folder), epoch="last")
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities."""
        return self._predictor.predict_proba(X).astype(np.float64)

    def predict(self, X: NDArray[Any]) -> NDArray[np.int64]:
        """Classes."""
        found: NDArray[np.int64] = self.classes_[self.predict_proba(X).argmax(1)]
        return found


def as_dataset(inputs: NDArray[Any], labels: NDArray[np.int64], classes: int) -> Dataset:
    if inputs.ndim > 2:
        return in_memory(inputs, labels, class_names=[*map(str, range(classes))])
    width = inputs.shape[1]
    names = tuple(map(str, range(classes)))
    part = Part(np.asarray(inputs, np.float32), labels)
    return Dataset("table", part, None, names, (0.0,) * width, (1.0,) * width)


def rivals(data: Cut, *, with_cleanlab: bool, features: bool | None) -> dict[str, Any]:
    """The accuracies of all rivals on a job: which test rows each gets right, and of the nine losses both halves."""
    inputs, tests, network = _as_fit_has_them(data, features)
    result: dict[str, Any] = {"hits": {}, "nine": {}}
    _nine(inputs, tests, network, data, result)
    estimators: dict[str, tuple[Any, bool]] = {
        "boosting": (HistGradientBoostingClassifier(random_state=0), True),
        "logistic": (LogisticRegression(max_iter=1000), True),
    }
    if with_cleanlab:
        estimators |= _cleanlab(network)
    # Labels without gaps, as all of these take them.
    there, labels = np.unique(data.labels, return_inverse=True)
    for name, (estimator, is_flat) in estimators.items():
        given, asked = (_flat(inputs), _flat(tests)) if is_flat else (inputs, tests)
        try:
            predicted = there[np.asarray(estimator.fit(given, labels).predict(asked), np.int64)]
        except ValueError as error:  # cleanlab wants several samples of every class
            result.setdefault("failed", {})[name] = str(error)[:200]
            continue
        result["hits"][name] = bits(predicted == data.test)
    return result


def _cleanlab(network: Network) -> dict[str, tuple[Any, bool]]:
    """(e), where cleanlab is installed, and whether each takes rows of numbers alone."""
    try:
        from cleanlab.classification import CleanLearning  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        return {}
    boosting = HistGradientBoostingClassifier(random_state=0)
    # Its own processes do not start within those of the measurement.
    options = {"cv_n_folds": 3, "seed": 0, "find_label_issues_kwargs": {"n_jobs": 1}}
    return {
        "cleanlab, network": (CleanLearning(Plain(network), **options), False),
        "cleanlab, boosting": (CleanLearning(boosting, **options), True),
    }


def _as_fit_has_them(data: Cut, features: bool | None) -> tuple[NDArray[Any], NDArray[Any], Network]:
    """The inputs for training and testing as `fit` learns from them, and the network for those."""
    if isinstance(data.inputs, Table):
        encoding = from_table(data.inputs, data.names).encoding
        assert encoding is not None
        assert isinstance(data.tests, Table)
        return encoding.encode(data.inputs), encoding.encode(data.tests), TABLES_NETWORK
    assert not isinstance(data.tests, Table)
    given = look(data.inputs, data.names, features=features)
    frozen = given.features
    if frozen is None:
        return data.inputs, data.tests, IMAGES_NETWORK
    images, device = frozen.embedding(given.dataset.preprocessing).images, torch.device("cpu")
    vectors = [embed(frozen, part, images, device=device).features for part in (data.inputs, data.tests)]
    mean, std = vectors[0].mean(0), vectors[0].std(0)
    inputs, tests = ((part - mean) / np.where(std > 0, std, 1) for part in vectors)
    return inputs, tests, HEADS


def _flat(inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Images as rows of pixels in [0, 1]; features as they are."""
    rows: NDArray[np.float32] = inputs if inputs.ndim == 2 else inputs.reshape(len(inputs), -1) / np.float32(255)
    return rows


def _nine(inputs: NDArray[Any], tests: NDArray[Any], network: Network, data: Cut, result: dict[str, Any]) -> None:
    """The nine losses: the accuracy on both halves of the test rows at the best noisy epoch of each; (a) and (b)."""
    folds = StratifiedKFold(5, shuffle=True, random_state=1)
    held_out = np.sort(next(iter(folds.split(data.labels, data.labels)))[1])
    half = np.arange(len(data.test)) % 2 == 0
    for loss in NINE:
        dataset = replace(as_dataset(inputs, data.labels, data.classes), held_out=held_out)
        with tempfile.TemporaryDirectory() as folder:
            record = train(network.recipe(loss, len(data.labels)), folder, data=dataset)
            ends = {"ce": ("last", "selected"), "gce": ("last", "selected")}.get(loss, ("selected",))
            for epoch in ends:
                hits = load(str(record.folder), epoch=epoch).predict_proba(tests).argmax(1) == data.test  # type: ignore[arg-type]
                if epoch == "selected":
                    result["nine"][loss] = [float(hits[rows].mean()) for rows in (half, ~half)]
                if loss == "ce" or epoch == "last":
                    result["hits"][f"{loss}, {epoch}"] = bits(hits)
