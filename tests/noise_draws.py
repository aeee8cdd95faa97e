"""Which labels seeds have always drawn: cases, and the checksums that the first version of the generators gave them.

    python tests/noise_draws.py

writes ``noise_draws.json`` anew. That is only right where a change of the draws is meant: results that name a seed rest
on them.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof import noise
from noiseproof.errors import NoiseWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

TABLE = Path(__file__).with_suffix(".json")
_MODES = ("exact", "iid", "published")


def clean_labels(shape: str, count: int, classes: int) -> NDArray[np.int64]:
    """``balanced`` labels in turn, ``random`` ones, ``skewed`` ones with many rare classes, or ``one`` class."""
    random = np.random.default_rng(7)
    if shape == "balanced":
        return np.arange(count) % classes
    if shape == "one":
        return np.full(count, classes - 1)
    if shape == "random":
        return random.integers(0, classes, count)
    return np.minimum(random.geometric(4 / classes, count) - 1, classes - 1)


def matrix_of(classes: int, seed: int) -> NDArray[np.float64]:
    """A random matrix, with zeros and with rows of all kinds."""
    random = np.random.default_rng(seed)
    matrix = random.dirichlet(np.full(classes, 0.3), classes) * (random.random((classes, classes)) < 0.7)
    matrix += random.choice([0.0, 0.5, 3.0], classes)[:, None] * np.eye(classes) + 1e-9 * np.eye(classes)
    matrix[0] = 0
    matrix[0, [0, 1]] = 0.75, 0.25
    return matrix / matrix.sum(1, keepdims=True)


def cases() -> Iterator[dict[str, Any]]:
    """Everything that is pinned, as plain values."""
    sizes = [("balanced", 0, 3), ("balanced", 1, 2), ("balanced", 7, 3), ("one", 40, 4), ("random", 997, 2),
             ("skewed", 1500, 17), ("balanced", 5000, 10), ("random", 5000, 100), ("skewed", 20_000, 300),
             ("random", 30_000, 1000), ("skewed", 12_000, 2000)]  # fmt: skip
    for number, (shape, count, classes) in enumerate(sizes):
        labels = {"shape": shape, "count": count, "classes": classes}
        for mode in _MODES:
            for rate in (0.05, 0.1, 0.37, 0.5, 0.8) if classes < 1000 else (0.1, 0.4):
                for seed in (0, 1, 2**31 + number) if classes < 300 else (number,):
                    yield {"kind": "symmetric", **labels, "rate": rate, "mode": mode, "seed": seed}
            for rate in (0.0, 1 / 3, 0.45, 1.0):
                yield {"kind": "pair", **labels, "rate": rate, "mode": mode, "seed": number}
                yield {"kind": "ring", **labels, "rate": rate, "mode": mode, "seed": number}
            yield {"kind": "matrix", **labels, "rate": 0.0, "mode": mode, "seed": number}
    for name, classes in (("cifar10", 10), ("cifar100", 100), ("cifar100 true", 100)):
        for mode in _MODES:
            for rate in (0.1, 0.2, 0.3, 0.4):
                labels = {"shape": "balanced", "count": 50_000, "classes": classes}
                yield {"kind": name, **labels, "rate": rate, "mode": mode, "seed": 1}
                yield {"kind": "symmetric", **labels, "rate": 2 * rate, "mode": mode, "seed": 1}
    for mode in _MODES:
        labels = {"shape": "random", "count": 2_000_000, "classes": 10}
        yield {"kind": "symmetric", **labels, "rate": 0.4, "mode": mode, "seed": 5}
    for variant in ("pdn", "fixed-subset"):
        labels = {"shape": "random", "count": 600, "classes": 7}
        yield {"kind": "instance", **labels, "rate": 0.4, "mode": variant, "seed": 3}


def drawn(case: dict[str, Any]) -> noise.NoisyLabels:
    """The noisy labels of a case."""
    labels, classes = clean_labels(case["shape"], case["count"], case["classes"]), case["classes"]
    rate, kind = case["rate"], case["kind"]
    common = {"seed": case["seed"], "mode": case["mode"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoiseWarning)
        if kind == "symmetric":
            return noise.symmetric(labels, rate, num_classes=classes, **common)
        if kind in ("pair", "ring"):
            pairs = {1: 0} if kind == "pair" else {label: (label + 1) % classes for label in range(classes)}
            return noise.asymmetric(labels, rate, pairs, num_classes=classes, **common)
        if kind == "matrix":
            return noise.from_matrix(labels, matrix_of(classes, case["seed"]), **common)
        if kind == "instance":
            inputs = np.random.default_rng(1).integers(0, 256, (len(labels), 12), dtype=np.uint8)
            return noise.instance_dependent(
                inputs, labels, rate, num_classes=classes, seed=case["seed"], variant=case["mode"]
            )
        name, _, source = kind.partition(" ")
        return noise.asymmetric(labels, rate, name, source=source or "published", **common)


def digest(noisy: noise.NoisyLabels) -> str:
    """The beginning of the SHA-256 of the labels as int64."""
    return hashlib.sha256(noisy.labels.astype("<i8").tobytes()).hexdigest()[:16]


def pins(case: dict[str, Any]) -> list[str]:
    """What is pinned of a case: the digest of its labels, and for few classes and labels that of its manifest too."""
    noisy = drawn(case)
    small = case["count"] * case["classes"] <= 500_000
    return [digest(noisy), *([noisy.checksum[:16]] if small else [])]


if __name__ == "__main__":
    lines = [json.dumps({**case, "pins": pins(case)}) for case in cases()]
    TABLE.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
