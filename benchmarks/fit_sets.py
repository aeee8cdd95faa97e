"""The data of `benchmarks/fit.py`: real sets, noise on their training labels, and clean test rows."""

from __future__ import annotations

import gzip
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split

from noiseproof import noise
from noiseproof.data import Table, cifar10, cifarn, read_table, table_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from noiseproof.fitted import Model

FOLDS = ("soybean", "vehicle", "pima", "breastcancer", "housevotes84", "glass", "ionosphere")
"""Tables so small that every row is tested once."""

TABLES = {
    "letter": ("letterrecognition", "lettr", 3000),
    "spam": ("spam", "type", None),
    "dna": ("dna", "Class", None),
    "income": ("income", "INCOME", 4000),
    "digits": ("", "", None),
    "soybean": ("soybean", "Class", None),
    "vehicle": ("vehicle", "Class", None),
    "pima": ("pimaindiansdiabetes2", "diabetes", None),
    "imbalanced": ("letterrecognition", "lettr", 3000),
}
FURTHER = {
    "breastcancer": ("breastcancer", "Class", None),
    "housevotes84": ("housevotes84", "Class", None),
    "glass": ("glass", "Type", None),
    "ionosphere": ("ionosphere", "Class", None),
}
NOISES = ("none", "symmetric .4", "asymmetric .3", "instance .3")

IMAGES = {
    "cifar10": ("none", "symmetric .4", "human worst"),
    "fashion": ("symmetric .4",),
}
"""Sets of images, and their noises."""

IMAGE_FOLDERS = {"cifar10": "cifar-10-batches-py", "fashion": "fashion-mnist"}
IMAGE_ROWS = 5000
RARE = 0.05
"""Of one class in ten of the imbalanced set, so much is kept."""


@dataclass(frozen=True)
class Job:
    """One fit and its rivals: a set, a noise, and which rows are the test."""

    name: str
    noise: str
    part: int

    @property
    def id(self) -> str:
        """For the name of its file."""
        return f"{self.name}-{self.noise.replace(' ', '')}-{self.part}"


@dataclass(frozen=True, eq=False)
class Cut:
    """A job's data. ``labels`` are noisy, and ``test`` are clean ones of ``tests``."""

    inputs: Table | NDArray[np.uint8]
    labels: NDArray[np.int64]
    tests: Table | NDArray[np.uint8]
    test: NDArray[np.int64]
    classes: int

    @property
    def names(self) -> list[str]:
        """The given labels as text."""
        return class_names(self.labels)


def class_names(labels: NDArray[np.int64]) -> list[str]:
    """Labels as text, so that nothing takes them for numbers."""
    return [f"class {label:02d}" for label in labels]


def class_numbers(model: Model) -> NDArray[np.int64]:
    """``(classes,)``: the numbers that :func:`class_names` made a model's classes of."""
    return np.array([int(name.split()[1]) for name in model.predictor.class_names])


def read(name: str, folder: Path) -> tuple[Table, NDArray[np.int64]]:
    """A set: its table without labels, and its clean labels as numbers."""
    if name == "digits":
        digits = load_digits()
        return table_of(digits.data), digits.target.astype(np.int64)
    file, label, rows = {**TABLES, **FURTHER}[name]
    table = read_table(folder / f"{file}.parquet", as_text=[label])
    labels = np.unique(table[label], return_inverse=True)[1].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(table))
    if name == "imbalanced":
        rare = labels % 10 == 0
        order = order[~rare[order] | (np.random.default_rng(1).random(len(order)) < RARE)]
    index = np.sort(order[:rows])
    named = [label, *(["rownames"] if "rownames" in table.columns else [])]
    kept = table.without(named).take(index)
    return kept, np.unique(labels[index], return_inverse=True)[1].astype(np.int64)


def cut(job: Job, tables: Path | None, images: Path | None) -> Cut:
    """The job's data, with noise on the training labels."""
    if job.name in IMAGES:
        assert images is not None
        return _cut_images(job, images)
    assert tables is not None
    table, clean = read(job.name, tables)
    rows = np.arange(len(clean))
    if job.name in FOLDS:
        folds = StratifiedKFold(4, shuffle=True, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a class with fewer rows than folds
            train_rows, test_rows = list(folds.split(rows, clean))[job.part]
    else:
        train_rows, test_rows = train_test_split(rows, test_size=0.25, stratify=clean, random_state=job.part)
    classes = int(clean.max()) + 1
    labels = noisy(job, table, clean, classes)[train_rows]
    return Cut(table.take(train_rows), labels, table.take(test_rows), clean[test_rows], classes)


def _cut_images(job: Job, folder: Path) -> Cut:
    """Some of the published training images, and all published test images."""
    human = None
    if job.name == "fashion":
        (images, clean), (tests, test) = (_idx_pair(folder / "fashion-mnist", kind) for kind in ("train", "t10k"))
    else:
        data = cifar10(folder)
        assert data.test is not None
        (images, clean), (tests, test) = ((np.asarray(part.inputs), part.labels) for part in (data.train, data.test))
        human = cifarn(folder / "CIFAR-10_human.pt", "worst").labels.astype(np.int64) if "human" in job.noise else None
    index = np.sort(np.random.default_rng(0).permutation(len(clean))[:IMAGE_ROWS])
    labels = clean if job.noise == "none" else _symmetric(job, clean, 10) if human is None else human
    return Cut(images[index], labels[index], tests, test, 10)


def _idx_pair(folder: Path, kind: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images and labels in the format that MNIST was published in."""
    images = gzip.decompress((folder / f"{kind}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{kind}-labels-idx1-ubyte.gz").read_bytes())
    sides = np.frombuffer(images, ">u4", 3, 4)
    return (
        np.frombuffer(images, np.uint8, offset=16).reshape(sides),
        np.frombuffer(labels, np.uint8, offset=8).astype(np.int64),
    )


def noisy(job: Job, table: Table, clean: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """The labels of a table with the job's noise on all of them."""
    kind, _, rate = job.noise.partition(" ")
    seed = 100 + job.part
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "none":
            return clean
        if kind == "symmetric":
            return _symmetric(job, clean, classes)
        if kind == "asymmetric":
            mapping = {k: (k + 1) % classes for k in range(classes)}
            return noise.asymmetric(clean, float(rate), mapping, num_classes=classes, seed=seed).labels.astype(np.int64)
        return noise.instance_dependent(
            _plain(table), clean, float(rate), num_classes=classes, seed=seed, variant="pdn"
        ).labels.astype(np.int64)


def _symmetric(job: Job, clean: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    rate = float(job.noise.split()[1])
    return noise.symmetric(clean, rate, num_classes=classes, seed=100 + job.part).labels.astype(np.int64)


def _plain(table: Table) -> NDArray[np.float64]:
    """Standardized numbers, categories as one column each, gaps 0: what instance-dependent noise depends on."""
    columns = []
    for values in table.columns.values():
        if values.dtype == object:
            columns += [(values == value).astype(float) for value in sorted({*values.tolist()} - {None})]
        else:
            spread = np.nanstd(values)
            columns.append(np.nan_to_num((values - np.nanmean(values)) / (spread or 1.0)))
    return np.stack(columns, 1)
