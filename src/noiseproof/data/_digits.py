"""The handwritten digits that come with scikit-learn."""

from __future__ import annotations

import numpy as np

from noiseproof.data._dataset import Dataset, Part
from noiseproof.extras import need


def digits() -> Dataset:
    """1,797 digits of 8 x 8 pixels: within each class every third one is for testing, 1,201 are for training.

    Needs neither a network nor a file: the images come with scikit-learn.
    """
    need("the digits come with", "sklearn")
    from sklearn.datasets import load_digits  # here: it takes a second, and only the digits need it

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int64)
    rank = np.zeros(len(labels), np.int64)
    for label in range(10):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    test = rank % 3 == 2
    return Dataset(
        "digits",
        Part(images[~test], labels[~test]),
        Part(images[test], labels[test]),
        tuple(str(label) for label in range(10)),
        (0.0,),
        (16.0,),
    )
