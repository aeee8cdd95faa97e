"""Which samples are held out together: parts of the data in which every class is as frequent as in all of them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from noiseproof.seeding import derive

if TYPE_CHECKING:
    from numpy.typing import NDArray


def make_folds(labels: NDArray[np.int64], groups: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """In which of ``count`` folds each sample is held out; -1 for a sample that always trains.

    Samples of a group are never apart. Samples of a class that is all in one group always train: held out, it would be
    unknown to whoever is to predict it.

    Args:
        labels: ``(N,)``, the given ones.
        groups: ``(N,)``, equal numbers for samples that belong together, such as equal ones.
        count: how many folds.
        seed: of the draw.
    """
    folds = np.full(len(labels), -1, np.int64)
    in_groups = np.unique(np.stack([labels, groups], 1), axis=0)
    spread = np.bincount(in_groups[:, 0], minlength=int(labels.max()) + 1)
    free = np.flatnonzero(spread[labels] > 1)
    # A group with a sample of such a class stays with it.
    free = free[~np.isin(groups[free], groups[spread[labels] == 1])]
    alone = len(np.unique(groups[free])) == len(free)
    kind = StratifiedKFold if alone else StratifiedGroupKFold
    splitter = kind(n_splits=count, shuffle=True, random_state=derive(seed, "folds") % 2**32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # it is then not in every fold
        for number, (_, held_out) in enumerate(
            splitter.split(np.zeros(len(free)), labels[free], None if alone else groups[free])
        ):
            folds[free[held_out]] = number
    return folds
