"""Boosted trees as a network that is not trained further: arrays of nodes, read and evaluated without their library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from noiseproof.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_ROWS = 1 << 22
"""So many pairs of a row and a tree are looked at together."""


class Trees(nn.Module):
    """A sum of regression trees for each class, and a constant.

    Buffers, for all trees together: of each node ``feature`` and ``threshold`` (left if the feature is at most that),
    ``left`` and ``right`` (a leaf is its own child), and ``value``; of each tree its ``root`` and its ``column``, the
    class that it adds to; and ``constant``, ``(classes,)``. Children come after their parents.

    Args:
        nodes: how many there are.
        trees: how many there are.
        classes: how many there are.
    """

    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    value: Tensor
    root: Tensor
    column: Tensor
    constant: Tensor

    def __init__(self, nodes: int, trees: int, classes: int) -> None:
        super().__init__()
        sizes = {"feature": nodes, "left": nodes, "right": nodes, "root": trees, "column": trees}
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(size, dtype=torch.int64))
        for name, size in {"threshold": nodes, "value": nodes, "constant": classes}.items():
            self.register_buffer(name, torch.zeros(size))

    @classmethod
    def with_sizes_of(cls, shapes: Mapping[str, tuple[int, ...]], classes: int) -> Trees:
        """Trees for buffers of these shapes.

        Raises:
            SpecError: they are not those of trees.
        """
        try:
            (nodes,), (trees,) = shapes["value"], shapes["root"]
        except (KeyError, ValueError) as error:
            raise SpecError("no trees: expected the arrays value and root, each of one dimension") from error
        return cls(nodes, trees, classes)

    @classmethod
    def of_boosting(cls, boosting: Any, iterations: int, classes: NDArray[np.int64], num_classes: int) -> Trees:
        """The first iterations of a fitted :class:`sklearn.ensemble.HistGradientBoostingClassifier` without categories.

        Args:
            boosting: fitted to float32 inputs.
            iterations: how many.
            classes: ``(its classes,)``, which classes they are.
            num_classes: how many there are; those that it has not seen get a constant far below the others.
        """
        predictors = boosting._predictors[:iterations]  # noqa: SLF001 - it has no public way to its trees
        constant = np.full(num_classes, _NEVER, np.float32)
        baseline = np.asarray(boosting._baseline_prediction, np.float64).reshape(-1)  # noqa: SLF001
        is_pair = len(baseline) == 1  # one tree for two classes gives the logit of the second
        constant[classes] = np.array([0.0, baseline[0]]) if is_pair else baseline
        parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ("feature", "left", "right", "threshold", "value")}
        roots, columns, start = [], [], 0
        for trees in predictors:
            for place, tree in enumerate(trees):
                nodes = tree.nodes
                own = start + np.arange(len(nodes))
                leaf = nodes["is_leaf"].astype(bool)
                parts["feature"].append(np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64))
                parts["left"].append(np.where(leaf, own, start + nodes["left"]))
                parts["right"].append(np.where(leaf, own, start + nodes["right"]))
                parts["threshold"].append(_rounded_down(np.where(leaf, 0.0, nodes["num_threshold"])))
                parts["value"].append(nodes["value"].astype(np.float32))
                roots.append(start)
                columns.append(int(classes[1 if is_pair else place]))
                start += len(nodes)
        made = cls(start, len(roots), num_classes)
        arrays = {name: np.concatenate(each) for name, each in parts.items()}
        arrays |= {"root": np.array(roots), "column": np.array(columns), "constant": constant}
        made.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()})
        return made

    def check(self, features: int) -> None:
        """Refuse arrays that are no trees over so many features.

        Raises:
            SpecError: a child before its parent, an index of what there is not, or a value that is no finite number.
        """
        own = torch.arange(len(self.value))
        whole = (self.feature, self.left, self.right, self.root, self.column)
        fits = (
            all(index.dtype == torch.int64 for index in whole)
            and all(each.dtype == torch.float32 for each in (self.threshold, self.value, self.constant))
            and not self.threshold.isnan().any()
            and all(bool(each.isfinite().all()) for each in (self.value, self.constant))
            and len(own)
            and len(self.root)
            and all(bool((child >= own).all()) and int(child.max()) < len(own) for child in (self.left, self.right))
            and _are_within(self.feature, features)
            and _are_within(self.root, len(own))
            and _are_within(self.column, len(self.constant))
        )
        if not fits:
            raise SpecError(f"the arrays are no trees over {features} features")

    def forward(self, inputs: Tensor) -> Tensor:
        """The logits ``(N, classes)`` of ``(N, features)``."""
        logits = self.constant.expand(len(inputs), -1).clone()
        size = max(1, _ROWS // max(1, len(self.root)))
        for start in range(0, len(inputs), size):
            logits[start : start + size] += self._sums(inputs[start : start + size])
        return logits

    def _sums(self, inputs: Tensor) -> Tensor:
        place = self.root.expand(len(inputs), -1)
        while True:
            goes_left = inputs.gather(1, self.feature[place]) <= self.threshold[place]
            following = torch.where(goes_left, self.left[place], self.right[place])
            if torch.equal(following, place):
                break
            place = following
        sums = torch.zeros(len(inputs), len(self.constant), dtype=self.value.dtype, device=inputs.device)
        return sums.index_add_(1, self.column, self.value[place])


_NEVER = -1e4


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """As float32, such that a float32 is at most the one exactly if it is at most the other."""
    near = thresholds.astype(np.float32)
    above = near > thresholds
    lower: NDArray[np.float32] = np.where(above, np.nextafter(near, np.float32(-np.inf)), near)
    return lower


def _are_within(index: Tensor, size: int) -> bool:
    return int(index.min()) >= 0 and int(index.max()) < size
