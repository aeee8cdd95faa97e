"""Logistic regression beside the networks, on small tables: scikit-learn fits it, and it is kept as a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from noiseproof.data import Dataset

MODEL = "linear"
"""The network that it is kept as."""

_STEPS = 2000
"""Of the solver, at most."""


@dataclass(frozen=True, eq=False)
class Logistic:
    """Logistic regression on a data set.

    Args:
        dataset: of features.
        inputs: ``(N, features)``, as networks get them.
    """

    dataset: Dataset
    inputs: NDArray[np.float32]

    def _fit(self, index: NDArray[np.int64]) -> Any:
        weight = None if self.dataset.sample_weight is None else self.dataset.sample_weight[index]
        solver = LogisticRegression(max_iter=_STEPS)
        return solver.fit(self.inputs[index], self.dataset.train.labels[index], weight)

    def held_out(self, folds: NDArray[np.int64], count: int) -> NDArray[np.float32]:
        """``(N, classes)``: what it says of the samples of the first folds, each not learned from, fold by fold."""
        found = []
        for fold in range(count):
            index = np.flatnonzero(folds == fold)
            fitted = self._fit(np.flatnonzero(folds != fold))
            probabilities = np.zeros((len(index), self.dataset.num_classes), np.float32)
            probabilities[:, fitted.classes_] = fitted.predict_proba(self.inputs[index])
            found.append(probabilities)
        return np.concatenate(found)

    def final(self) -> dict[str, torch.Tensor]:
        """The weights of :data:`MODEL`, from all samples."""
        fitted = self._fit(np.arange(len(self.dataset.train)))
        weight, bias = fitted.coef_, fitted.intercept_
        if len(fitted.classes_) == 2:  # scikit-learn keeps the second of two only
            weight, bias = np.concatenate([np.zeros_like(weight), weight]), np.concatenate([np.zeros(1), bias])
        shape = self.dataset.num_classes, self.inputs.shape[1]
        full = np.zeros(shape, np.float32), np.full(shape[0], _NEVER, np.float32)
        for part, values in zip(full, (weight, bias), strict=True):
            part[fitted.classes_] = values
        return {"classifier.weight": torch.from_numpy(full[0]), "classifier.bias": torch.from_numpy(full[1])}


_NEVER = -100.0
"""The logit of a class without samples."""
