"""Which samples are held out together: parts of the data in which every class is as frequent as in all of them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from noiseproof.seeding import derive

if TYPE_CHECKING:
    from numpy.typing import NDArray


def make_folds(
    labels: NDArray[np.int64], groups: NDArray[np.int64], count: int, seed: int, counted: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """In which of at most ``count`` folds each sample is held out, from 0 on; -1 for a sample that always trains.

    There are fewer folds where no class has as many samples, and none where nothing can be held out. Samples of a group
    are never apart. Whichever fold is held out, every class is in the rest: held out altogether, it would be unknown to
    whoever is to predict it.

    Args:
        labels: ``(N,)``, the given ones.
        groups: ``(N,)``, equal numbers for samples that belong together, such as equal ones.
        count: how many folds.
        seed: of the draw.
        counted: ``(N,)``, which samples have a weight above 0. The others are where their group is.
    """
    folds = np.full(len(labels), -1, np.int64)
    known = np.flatnonzero(counted)
    pairs = np.unique(np.stack([labels[known], groups[known]], 1), axis=0)
    spread = np.bincount(pairs[:, 0], minlength=int(labels.max()) + 1)
    # A group with a sample of a class that is in no other group stays with it.
    free = known[~np.isin(groups[known], groups[known][spread[labels[known]] == 1])]
    count = min(count, len(np.unique(groups[free])), int(np.bincount(labels[free], minlength=1).max()))
    if count < 2:  # one part alone is all of them
        return folds
    alone = len(np.unique(groups[free])) == len(free)
    kind = StratifiedKFold if alone else StratifiedGroupKFold
    splitter = kind(n_splits=count, shuffle=True, random_state=derive(seed, "folds") % 2**32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # it is then not in every fold
        for number, (_, part) in enumerate(
            splitter.split(np.zeros(len(free)), labels[free], None if alone else groups[free])
        ):
            folds[free[part]] = number
    of_groups = np.full(int(groups.max()) + 1, -1)
    of_groups[groups[known]] = folds[known]
    for label in np.unique(labels[free]):
        own = groups[known][labels[known] == label]
        if of_groups[own[0]] >= 0 and len(np.unique(of_groups[own])) == 1:
            # It would be held out as a whole: its smallest group always trains.
            names, sizes = np.unique(own, return_counts=True)
            of_groups[names[sizes.argmin()]] = -1
    folds = of_groups[groups]
    held_out = folds >= 0
    folds[held_out] = np.unique(folds[held_out], return_inverse=True)[1]
    return folds
