"""Boosted trees as a candidate for tables: scikit-learn grows them, and they are kept as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from noiseproof.models import Trees
from noiseproof.seeding import derive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from noiseproof.data import Dataset

_MOST_FEATURES = 5000
"""Of a table that trees are grown on."""

_MOST_TREES = 2000
"""Of all classes together: what they cost grows with the classes."""

_MOST_ITERATIONS, STEP = 100, 5
"""Iterations, and after how many of them the trees are looked at."""


@dataclass(frozen=True, eq=False)
class Boosting:
    """Boosted trees on a data set.

    Args:
        dataset: of features.
        inputs: ``(N, features)``, as networks get them.
        seed: of what is drawn.
    """

    dataset: Dataset
    inputs: NDArray[np.float32]
    seed: int

    @property
    def most(self) -> int:
        """How many iterations are worth their time: a multiple of the step; 0 for images and very wide tables."""
        dataset = self.dataset
        if dataset.is_image or dataset.embedding is not None or dataset.input_shape[0] > _MOST_FEATURES:
            return 0
        trees = 1 if self.dataset.num_classes == 2 else self.dataset.num_classes
        return STEP * max(2, min(_MOST_ITERATIONS, _MOST_TREES // trees) // STEP)

    def grow(self, index: NDArray[np.int64], iterations: int) -> Any:
        """Trees from some of the samples."""
        dataset = self.dataset
        weight = None if dataset.sample_weight is None else dataset.sample_weight[index]
        return HistGradientBoostingClassifier(
            max_iter=iterations,
            early_stopping=False,
            random_state=derive(self.seed, "trees") % 2**32,
        ).fit(self.inputs[index], dataset.train.labels[index], weight)

    def stages(self, folds: NDArray[np.int64], count: int, iterations: int) -> NDArray[np.float32]:
        """``(stages, N, classes)``: what trees say, after every five iterations, of samples not learned from.

        They are those of the first folds, one fold after the other, each in the order of the data.
        """
        inputs, found = self.inputs, []
        for fold in range(count):
            held_out = np.flatnonzero(folds == fold)
            grown = self.grow(np.flatnonzero(folds != fold), iterations)
            stages = np.zeros((iterations // STEP, len(held_out), self.dataset.num_classes), np.float32)
            for number, probabilities in enumerate(grown.staged_predict_proba(inputs[held_out]), 1):
                if number % STEP == 0:
                    stages[number // STEP - 1][:, grown.classes_] = probabilities
            found.append(stages)
        return np.concatenate(found, 1)

    def final(self, stage: int) -> Trees:
        """Trees from all samples, as long as the ``stage``-th stage, counted from 1."""
        iterations = stage * STEP
        grown = self.grow(np.arange(len(self.dataset.train)), iterations)
        return Trees.of_boosting(grown, iterations, grown.classes_, self.dataset.num_classes)
