"""What ``look`` says of data before anything is trained, and what it refuses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import image_sets
from noiseproof.auditing._given import labels_checksum
from noiseproof.data import in_memory, read_table, row_hashes
from noiseproof.errors import DataError, LabelError, NoiseproofError
from noiseproof.fitting import Given, look
from noiseproof.fitting._given import _together, certain_errors
from noiseproof.formats import csv_text

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.array(["a", "b", "c"])[np.arange(60) % 3]


def write(path: Path, rows: list[str], head: str = "x,z,kind,person,sure,weight,name") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def rows(kind: Callable[[int], str] = lambda i: "ab"[i % 2], sure: str = "yes") -> list[str]:
    return [f"{i * 0.37 % 1:.3f},{i * 0.71 % 1:.3f},{kind(i)},{i // 2},{sure},{1 + i % 3},n{i}" for i in range(40)]


def test_a_table_is_described(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", rows(lambda i: "" if i in (3, 7) else "ab"[i % 2]))
    given = look(path, label="kind", groups="person", trusted="sure", sample_weight="weight", keys="name")
    assert given.dataset.class_names == ("a", "b")
    assert len(given.dataset.train) == len(given.groups) == len(given.keys) == 38
    assert given.keys == [f"n{i}" for i in range(40) if i not in (3, 7)]
    assert given.dataset.trusted is not None
    assert given.dataset.trusted.all()
    assert given.dataset.sample_weight is not None
    assert given.dataset.sample_weight[:4].tolist() == [1, 2, 3, 2]
    assert given.dataset.encoding is not None
    assert given.dataset.encoding.column_names == ("x", "z")
    assert given.found[0] == "38 samples of 2 classes: a (20), b (18)"
    assert any("2 rows have no kind and are left out" in text for text in given.found)


def test_what_is_given_beside_a_table_loses_the_rows_that_it_loses(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", rows(lambda i: "" if i == 0 else "ab"[i % 2]))
    given = look(path, label="kind", groups=[*range(40)], sample_weight=np.arange(40), keys=[*"x" * 39, "last"])
    assert given.dataset.sample_weight is not None
    assert given.dataset.sample_weight.tolist() == [*range(1, 40)]
    assert given.keys[-1] == "last"
    assert look(path, label="kind").keys == [*range(1, 40)]
    with pytest.raises(DataError, match="groups have shape"):
        look(path, label="kind", groups=[*range(38)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "which column are the labels"),
        ({"label": "kinds"}, "no column 'kinds'; did you mean 'kind'"),
        ({"label": "kind", "groups": "persons"}, "no column 'persons'; did you mean 'person'"),
        ({"label": "kind", "y": [0] * 40}, "both given"),
        ({"label": "name"}, "40 different labels"),
        ({"label": "sure"}, "yes"),
        ({"label": "kind", "trusted": "x"}, "trusted is '0.0+' at 0|trusted is .* expected yes or no"),
        ({"label": "kind", "sample_weight": "name"}, "sample_weight is .*expected numbers"),
        ({"label": "kind", "sample_weight": [-1.0] + [1.0] * 39}, "sample_weight is -1 at 0"),
        ({"label": "kind", "sample_weight": [0.0] * 40}, "nothing but 0"),
        ({"label": "kind", "sample_weight": [float("nan")] + [1.0] * 39}, "sample_weight is nan at 0"),
        ({"label": "kind", "sample_weight": [1.0] * 41}, r"of shape \(41,\)"),
        ({"label": "kind", "keys": ["a"]}, "keys: 1 for 40 samples"),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_an_error(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises((DataError, LabelError), match=message):
        look(write(tmp_path / "t.csv", rows()), **options)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (X, Y[:59], "60|59"),
        (X, np.arange(60), "60 different labels"),
        (X[:10], np.arange(10), "10 different labels"),
        (X, np.zeros(60, int), "at least two classes|expected at least two"),
        (X[:1], Y[:1], "one|two|1 "),
        (X[:0], Y[:0], "no rows|no samples|none|shape"),
        (X, [None, *Y[1:].tolist()], "label 0"),
        (X, None, "labels"),
        (X[:, 0], Y, "shape"),
        ("nowhere.csv", None, "nowhere.csv"),
        ("nowhere", None, "there is no nowhere"),
        (in_memory((X * 9).round(), Y), Y, "labels of their own"),
        (object(), Y, "object"),
    ],
)
@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning")
def test_arrays_that_cannot_be_learned_from_are_an_error(inputs: Any, labels: Any, message: str) -> None:
    with pytest.raises(NoiseproofError, match=message):
        look(inputs, labels)


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(DataError, match="expected a table"):
        look(tmp_path / "a.docx")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["yes", "no", "Yes ", "NO", None, ""] * 10, [1, 0, 1, 0, 0, 0]),
        ([True, False, True, False, False, False] * 10, [1, 0, 1, 0, 0, 0]),
        ([1, 0, 1, 0, 0, 0] * 10, [1, 0, 1, 0, 0, 0]),
        ([1.0, np.nan, 1.0, 0.0, np.nan, 0.0] * 10, [1, 0, 1, 0, 0, 0]),
        (["true", "False", "1", "0", "n", "nan"] * 10, [1, 0, 1, 0, 0, 0]),
    ],
)
def test_trusted_is_said_in_many_ways(values: list[Any], expected: list[int]) -> None:
    trusted = look(X, Y, trusted=values).dataset.trusted
    assert trusted is not None
    assert trusted.tolist() == [bool(each) for each in expected] * 10


def test_trusted_by_half_is_refused() -> None:
    with pytest.raises(DataError, match="trusted is .*0.5.* at 2: expected yes or no"):
        look(X, Y, trusted=[0.0, 1.0, 0.5] * 20)


def test_weights_of_a_data_set_stay() -> None:
    dataset = look(X, Y, sample_weight=np.arange(60), trusted=[True] * 60).dataset
    again = look(dataset).dataset
    assert again.sample_weight is dataset.sample_weight
    assert again.trusted is dataset.trusted


def test_labels_of_any_type_are_classes() -> None:
    for labels, names in (
        ([10, 20, 30] * 20, ("10", "20", "30")),
        ([True, False, False] * 20, ("False", "True")),
        ([1.5, 2.5, 0.5] * 20, ("0.5", "1.5", "2.5")),
        (["ß", "a", "é"] * 20, ("a", "ß", "é")),
    ):
        assert look(X, labels).dataset.class_names == names


def test_equal_inputs_are_counted() -> None:
    inputs, labels = np.concatenate([X, X[:10]]), np.concatenate([Y, Y[:4], ["c", "a", "b", "c", "a", "b"]])
    given = look(inputs, labels)
    assert (given.twins[60:] == given.twins[:10]).all()
    wrong = (Y[4:10] != labels[64:]).sum()
    assert "10 inputs are there before: equal ones stay on one side of every split" in given.found
    assert f"At least {wrong} labels are certainly wrong: equal inputs have different ones" in given.found
    assert not [text for text in given.found if "there before with another label" in text]


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(2, 4))
def test_certain_errors_are_those_of_plain_loops(seed: int, count: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    twins, labels = random.integers(0, max(1, count // 2), count), random.integers(0, classes, count)
    expected = 0
    for group in {*twins.tolist()}:
        own = [label for twin, label in zip(twins, labels, strict=True) if twin == group]
        expected += len(own) - max(own.count(label) for label in own)
    assert certain_errors(twins, labels, classes) == expected


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_groups_and_equal_inputs_hold_together(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    twins = np.unique(random.integers(0, count, count), return_inverse=True)[1]
    groups = [None if random.random() < 0.2 else f"g{random.integers(0, count)}" for _ in range(count)]
    parts = [{i} for i in range(count)]
    for i in range(count):
        for j in range(i):
            if twins[i] == twins[j] or (groups[i] is not None and groups[i] == groups[j]):
                one, other = (next(part for part in parts if k in part) for k in (i, j))
                if one is not other:
                    parts.remove(other)
                    one |= other
    found = _together(twins, groups, count)
    assert {frozenset(np.flatnonzero(found == each)) for each in found} == {frozenset(part) for part in parts}


def test_imbalance_is_said() -> None:
    found = look(np.random.default_rng(1).normal(size=(110, 2)), ["a"] * 100 + ["b"] * 10).found
    assert any("10 times as frequent as b (10)" in text for text in found)


def test_only_warnings_about_the_data_are_findings() -> None:
    class Odd(np.ndarray):
        def __array_finalize__(self, other: object) -> None:
            warnings.warn("soon gone", FutureWarning, stacklevel=2)

    with pytest.warns(FutureWarning, match="soon gone"):
        given = look(X.view(Odd), Y)
    assert not [text for text in given.found if "soon gone" in text]


def test_folders_of_images_are_named_by_their_paths(tmp_path: Path) -> None:
    for number in range(8):
        image_sets.write_image(tmp_path / f"photos/{'ab'[number % 2]}/{number // 2}.png", number % 2, number // 4)
    given = look(tmp_path / "photos")
    assert given.dataset.class_names == ("a", "b")
    assert given.keys[0] == "a/0.png"
    assert len(given.keys) == 8
    with pytest.raises(DataError):
        look(tmp_path)


def test_features_are_learned_from_alike_however_they_are_given(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    inputs, labels = random.normal(size=(60, 3)), random.integers(0, 3, 60)
    np.savez(tmp_path / "data.npz", features=inputs, labels=labels)
    pairs = torch.utils.data.TensorDataset(torch.from_numpy(inputs), torch.from_numpy(labels))
    fingerprints = {
        look(inputs, labels).dataset.fingerprint,
        look(tmp_path / "data.npz").dataset.fingerprint,
        look(pairs).dataset.fingerprint,
    }
    assert len(fingerprints) == 1
    np.savez(tmp_path / "tested.npz", features=inputs, labels=labels, test_features=inputs[:9], test_labels=labels[:9])
    tested = look(tmp_path / "tested.npz")
    assert tested.dataset.test is None
    assert "Left out: test (9 samples)" in "".join(tested.found)


def corrections_of(path: Path, given: Given, rows: dict[int, tuple[str, str]]) -> Path:
    """A file of corrections: by row, the action and the class."""
    names = [given.dataset.class_names[label] for label in given.dataset.train.labels]
    checksum = labels_checksum(given.keys, names)
    lines = [["key", "row_hash", "given", "decided", "action", "labels_sha256"]]
    for row, (action, decided) in rows.items():
        hashed = given.hashes[row, :8].tobytes().hex()
        lines.append([str(given.keys[row]), hashed, names[row], decided, action, checksum])
    path.write_text(csv_text(lines), encoding="utf-8")
    return path


CORRECTED = {0: ("relabel", "b"), 1: ("keep", "b"), 2: ("drop", ""), 3: ("unsure", ""), 4: ("relabel", "d")}


def images(tmp_path: Path) -> Path:
    for number in range(24):
        image_sets.write_image(tmp_path / f"photos/{'abc'[number % 3]}/{number}.png", number % 3, number)
    return tmp_path / "photos"


@pytest.mark.parametrize("kind", ["file", "frame", "array", "npz", "named npz", "npz of images", "images", "dataset"])
def test_what_people_decided_is_trusted(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 200, (60, 4, 4, 3), dtype=np.uint8)
    path = tmp_path / "data.npz"
    options: dict[str, Any] = {}
    data: Any = X
    if kind == "file":
        data = write(tmp_path / "t.csv", rows(lambda i: "abc"[i % 3]))
        options = {"label": "kind", "groups": "person"}
    elif kind == "frame":
        data, options = pd.DataFrame(X, columns=["x", "y", "z"]).assign(label=Y), {"label": "label"}
    elif kind == "images":
        data, options = images(tmp_path), {"features": False}
    elif kind == "dataset":
        data = in_memory((X * 9).round(), Y)
    elif kind == "array":
        options = {"y": Y, "trusted": np.arange(60) == 9}
    else:
        more = {"feature_names": np.array(["x", "y", "z"])} if kind == "named npz" else {}
        np.savez(path, labels=Y, **({"images": pixels} if kind == "npz of images" else {"features": X}), **more)
        data = path
    before = look(data, **options)
    given = [before.dataset.class_names[label] for label in before.dataset.train.labels]
    wanted = {row: (action, given[row] if action == "keep" else name) for row, (action, name) in CORRECTED.items()}
    if given[0] == "b":
        wanted[0] = ("relabel", "a")
    after = look(data, **options, corrections=[corrections_of(tmp_path / "c.csv", before, wanted)])
    new = [after.dataset.class_names[label] for label in after.dataset.train.labels]
    expected = list(given)
    expected[0], expected[4] = wanted[0][1], "d"
    assert new == expected
    assert after.dataset.class_names == ("a", "b", "c", "d")
    trusted, weight = after.dataset.trusted, after.dataset.sample_weight
    assert trusted is not None
    assert weight is not None
    assert np.flatnonzero(trusted).tolist() == [0, 1, 4] + ([9] if kind == "array" else [])
    assert np.flatnonzero(weight == 0).tolist() == [2]
    assert after.dataset.fingerprint != before.dataset.fingerprint
    assert (after.hashes == before.hashes).all()
    told = "5 corrections applied, 0 there already, 0 refused, 0 in conflict; labels: 2 changed, 1 confirmed, 1 dropped"
    assert f"{told}, 1 unsure" in after.found


def test_corrections_that_do_not_fit_are_said(tmp_path: Path) -> None:
    before = look(X, Y)
    made = corrections_of(tmp_path / "c.csv", before, CORRECTED)
    changed = X.copy()
    changed[0] += 1
    after = look(changed, Y, corrections=made)
    assert any("0: the row was changed" in text for text in after.found)
    assert after.dataset.class_names == ("a", "b", "c", "d")
    kept = look(X, Y, corrections=corrections_of(tmp_path / "d.csv", before, {3: ("unsure", "")}))
    assert kept.dataset.fingerprint == before.dataset.fingerprint
    with pytest.raises(DataError, match="has no key"):
        look(X, Y, corrections=write(tmp_path / "t.csv", rows()))


def test_a_class_can_vanish(tmp_path: Path) -> None:
    labels = ["a", "b"] * 29 + ["c", "c"]
    before = look(X, labels)
    made = corrections_of(tmp_path / "c.csv", before, {58: ("relabel", "a"), 59: ("relabel", "b")})
    assert look(X, labels, corrections=made).dataset.class_names == ("a", "b")


def test_a_row_is_known_whatever_is_asked_of_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", rows(lambda i: "abc"[i % 3]))
    plain = look(path, label="kind").hashes
    asked = look(path, label="kind", groups="person", trusted="sure", sample_weight="weight", keys="name").hashes
    frame = pd.read_csv(path)
    assert (plain == asked).all()
    assert (plain == look(frame, label="kind", keys="person").hashes).all()
    assert (plain == row_hashes(read_table(path).without(["kind"]))).all()
    assert (plain == look(frame.drop(columns="kind"), frame["kind"]).hashes).all()
