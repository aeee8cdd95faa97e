"""Data to learn from, with what people decided about labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from noiseproof.classes import Classes, read_labels, sort_names
from noiseproof.data import Dataset, Part

if TYPE_CHECKING:
    from noiseproof.auditing import Matched


def relabeled(dataset: Dataset, matched: Matched) -> Dataset:
    """A data set with the decided labels, which may be of classes that it had not."""
    decided = {one.row: one.decided for one in matched.decisions if one.is_new and one.decided is not None}
    if not decided:
        return dataset
    before = dataset.class_names
    every = (*before, *sorted({text for text in decided.values() if not dataset.classes.has(text)}))
    classes = Classes(tuple(sort_names(every)) if before == tuple(sort_names(before)) else every)
    places = classes.encode(read_labels(list(before)))
    labels = places[dataset.train.labels]
    labels[list(decided)] = classes.encode(read_labels(list(decided.values())))
    clean = dataset.clean_labels
    return replace(
        dataset,
        train=Part(dataset.train.inputs, labels),
        test=None if dataset.test is None else Part(dataset.test.inputs, places[dataset.test.labels]),
        extra_tests={name: Part(part.inputs, places[part.labels]) for name, part in dataset.extra_tests.items()},
        clean_labels=None if clean is None else places[clean],
        class_names=classes.names,
    )


def checked(dataset: Dataset, matched: Matched) -> Dataset:
    """A data set in which labels that a person decided on are trusted, and dropped samples count for nothing."""
    count = len(dataset.train)
    trusted = np.zeros(count, np.bool_) if dataset.trusted is None else dataset.trusted.copy()
    trusted[[one.row for one in matched.decisions if one.decided is not None]] = True
    weight = dataset.sample_weight
    dropped = [one.row for one in matched.decisions if one.action == "drop"]
    if dropped:
        weight = np.ones(count, np.float32) if weight is None else weight.copy()
        weight[dropped] = 0
    return replace(dataset, trusted=trusted if trusted.any() else dataset.trusted, sample_weight=weight)
