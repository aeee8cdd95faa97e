"""The transition matrices of the usual noises, and whether clean labels dominate in them."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.errors import LabelError, NoiseWarning
from noiseproof.noise._transition import TransitionMatrix, check_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


def symmetric_matrix(rate: float, num_classes: int) -> TransitionMatrix:
    """``1 - rate`` on the diagonal, ``rate / (num_classes - 1)`` elsewhere: the own class is excluded.

    Raises:
        LabelError: a rate outside [0, 1], or a number of classes that is none or too large.
    """
    rate, size = check_rate(rate), check_classes(num_classes)
    return TransitionMatrix.of_parts(np.full(size, 1 - rate), constant=rate / (size - 1))


def asymmetric_matrix(rate: float, mapping: Mapping[Any, Any], num_classes: int) -> TransitionMatrix:
    """Each class of ``mapping`` becomes its target with probability ``rate``; the others keep their label.

    Raises:
        LabelError: a rate outside [0, 1], or a mapping that names no class or maps one to itself.
    """
    rate, size = check_rate(rate), check_classes(num_classes)
    for source, target in mapping.items():
        for label in (source, target):
            if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < size:
                raise LabelError(f"mapping {source!r} -> {target!r}: expected classes 0 … {size - 1}")
        if source == target:
            raise LabelError(f"mapping {source} -> {target}: a class cannot be flipped to itself; leave it out")
    sources, targets = (np.fromiter(side, np.int64, len(mapping)) for side in (mapping.keys(), mapping.values()))
    diagonal = np.ones(size)
    diagonal[sources] = 1 - rate
    return TransitionMatrix.of_parts(diagonal, rows=sources, columns=targets, values=np.full(len(mapping), rate))


def check_rate(rate: float) -> float:
    """``rate`` as a float in [0, 1].

    Raises:
        LabelError: it is none.
    """
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.number):
        raise LabelError(f"rate {rate!r}: expected a number in [0, 1]")
    value = float(rate)
    if math.isnan(value) or not 0 <= value <= 1:
        hint = f"; for {value:g} % write {value / 100:g}" if 1 < value <= 100 else ""
        raise LabelError(f"rate {value:g}: expected a share in [0, 1]{hint}")
    return value


def dominated(matrix: TransitionMatrix) -> NDArray[np.bool_]:
    """``(classes,)``: whether a class's true label is likelier than every other noisy one."""
    return matrix.diagonal > matrix.largest_other


def warn_if_not_dominant(
    matrix: TransitionMatrix, counts: NDArray[np.int64], names: Sequence[str] | None = None
) -> None:
    """Warn about classes whose true label is not the most likely noisy one: no loss can be relied on there."""
    lost = np.flatnonzero(~dominated(matrix) & (counts > 0))
    if len(lost):
        worst = int(lost[0])
        others = matrix[worst]
        own, others[worst] = others[worst], -np.inf
        target = int(others.argmax())
        own_name, target_name = (str(label) if names is None else names[label] for label in (worst, target))
        warnings.warn(
            f"clean labels do not dominate in {len(lost)} of {len(matrix)} classes: class {own_name} keeps its label "
            f"with probability {own:.3g} but becomes {target_name} with {others[target]:.3g}. "
            "No loss is guaranteed to learn those classes from these labels.",
            NoiseWarning,
            stacklevel=4,
        )
