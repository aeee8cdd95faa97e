from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from noiseproof.errors import SpecError
from noiseproof.models import Trees


def data(classes: int, count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(count, 5)).astype(np.float32)
    inputs[:, 4] = np.round(inputs[:, 4])  # thresholds between equal numbers
    labels = np.digitize(inputs[:, 0] + 0.5 * random.normal(size=count), np.linspace(-1, 1, classes + 1)[1:-1])
    return inputs, labels


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("iterations", [1, 7, 20])
def test_trees_say_what_their_library_says(classes: int, iterations: int) -> None:
    inputs, labels = data(classes)
    grown = HistGradientBoostingClassifier(max_iter=20, early_stopping=False, random_state=1).fit(inputs, labels)
    trees = Trees.of_boosting(grown, iterations, grown.classes_, classes)
    trees.check(5)
    *_, expected = (p for p, _ in zip(grown.staged_predict_proba(inputs), range(iterations), strict=False))
    found = trees(torch.from_numpy(inputs)).softmax(1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.99


@pytest.mark.parametrize("present", [[0, 3], [1, 2, 4]])
def test_classes_that_never_occurred_are_never_predicted(present: list[int]) -> None:
    inputs, labels = data(len(present))
    grown = HistGradientBoostingClassifier(max_iter=5, random_state=1).fit(inputs, np.array(present)[labels])
    found = Trees.of_boosting(grown, 5, grown.classes_, 5)(torch.from_numpy(inputs)).softmax(1).numpy()
    np.testing.assert_allclose(found[:, present], grown.predict_proba(inputs), atol=1e-5)
    assert not found[:, [k for k in range(5) if k not in present]].any()


def test_many_rows_are_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, labels = data(3)
    grown = HistGradientBoostingClassifier(max_iter=5, random_state=1).fit(inputs, labels)
    trees = Trees.of_boosting(grown, 5, grown.classes_, 3)
    whole = trees(torch.from_numpy(inputs))
    monkeypatch.setattr("noiseproof.models._trees._ROWS", 100)
    torch.testing.assert_close(trees(torch.from_numpy(inputs)), whole)
    assert trees(torch.zeros(0, 5)).shape == (0, 3)


def some_trees() -> Trees:
    inputs, labels = data(3)
    grown = HistGradientBoostingClassifier(max_iter=5, random_state=1).fit(inputs, labels)
    return Trees.of_boosting(grown, 5, grown.classes_, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("left", 0),  # a child before its parent, of the second node on: it never ends
        ("left", 10**6),
        ("left", -1),
        ("right", 10**6),
        ("feature", 5),
        ("feature", -1),
        ("root", 10**6),
        ("root", -1),
        ("column", 3),
        ("column", -1),
        ("value", float("nan")),
        ("value", float("inf")),
        ("constant", float("nan")),
        ("threshold", float("nan")),
    ],
)
def test_arrays_that_are_no_trees_are_refused(name: str, value: float) -> None:
    trees = some_trees()
    getattr(trees, name)[-1] = value
    with pytest.raises(SpecError, match="no trees over 5 features"):
        trees.check(5)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("left", torch.int32), ("feature", torch.float32), ("value", torch.float64), ("root", torch.uint8)],
)
def test_arrays_of_other_types_are_refused(name: str, kind: torch.dtype) -> None:
    trees = some_trees()
    trees.load_state_dict({**trees.state_dict(), name: getattr(trees, name).to(kind)}, assign=True)
    with pytest.raises(SpecError, match="no trees"):
        trees.check(5)


@pytest.mark.parametrize("shapes", [{}, {"value": (3, 2), "root": (1,)}, {"value": (3,), "root": ()}])
def test_shapes_that_are_no_trees_are_refused(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(SpecError, match="no trees"):
        Trees.with_sizes_of(shapes, 3)


def test_no_trees_at_all_are_refused() -> None:
    with pytest.raises(SpecError, match="no trees"):
        Trees(0, 0, 3).check(5)
