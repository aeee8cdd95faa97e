"""From a recipe to labels: what a class is, and what noise is measured against."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noiseproof import data, noise
from noiseproof.errors import DataError, DataWarning, LabelError, NoiseWarning, RecipeError
from noiseproof.train import Task, make_recipe, prepare

RANDOM = np.random.default_rng(0)
NAMES = ("cat", "dog", "eel", "fox")


def save(path: Path, count: int = 400, **more: object) -> Path:
    arrays: dict[str, Any] = {"features": RANDOM.normal(size=(count, 3)), "labels": np.resize(NAMES, count), **more}
    np.savez(path / "mine.npz", **arrays)
    return path / "mine.npz"


def prepared(path: Path, noise_of: dict[str, Any] | None = None, **more: Any) -> Task:
    values = {"data": {"name": "arrays", "path": str(path)}, "model": "mlp", "method": "ce", "epochs": 1,
              "batch_size": 32, "lr": 0.1, "noise": noise_of or {"kind": "none"}, **more}  # fmt: skip
    return prepare(make_recipe(values), data.arrays(path), path.parent)


def test_labels_that_nobody_checked_have_no_rate(tmp_path: Path) -> None:
    assert prepared(save(tmp_path)).noise is None


def test_data_say_themselves_what_is_held_out(tmp_path: Path) -> None:
    dataset = data.arrays(save(tmp_path))
    held_out = np.array([3, 7, 399])
    told = dataclasses.replace(dataset, held_out=held_out)
    values = {"data": "digits", "model": "mlp", "method": "ce", "epochs": 1, "batch_size": 32, "lr": 0.1}
    task = prepare(make_recipe(values), told, tmp_path)
    assert task.validation.tolist() == [3, 7, 399]
    assert task.train.tolist() == [row for row in range(400) if row not in (3, 7, 399)]
    with pytest.raises(RecipeError, match=r"says itself which samples are held out: leave 0\.1 out"):
        prepare(make_recipe({**values, "validation": 0.1}), told, tmp_path)
    assert told.fingerprint != dataset.fingerprint
    few = dataclasses.replace(told, sample_weight=np.arange(400, dtype=np.float32), trusted=np.arange(400) < 5)
    kept = few.first_per_class(20)
    assert kept.held_out is not None
    assert kept.sample_weight is not None
    assert kept.trusted is not None
    assert kept.held_out.tolist() == [3, 7]
    assert kept.sample_weight.tolist() == [*range(20)]
    assert kept.trusted.sum() == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"held_out": []}, "held_out must be places"),
        ({"held_out": [3, 3]}, "in ascending order"),
        ({"held_out": [5, 3]}, "in ascending order"),
        ({"held_out": [-1]}, "held_out must be places"),
        ({"held_out": [400]}, "held_out must be places"),
        ({"held_out": [*range(400)]}, "some but not all"),
        ({"sample_weight": np.ones(399, np.float32)}, r"sample_weight has shape \(399,\)"),
        ({"sample_weight": np.full(400, -1, np.float32)}, "sample_weight is -1 at 0"),
        ({"sample_weight": np.full(400, np.inf, np.float32)}, "sample_weight is inf at 0"),
        ({"sample_weight": np.zeros(400, np.float32)}, "nothing but 0"),
        ({"trusted": np.zeros((400, 1), bool)}, r"trusted has shape \(400, 1\)"),
    ],
)
def test_what_cannot_be_said_of_samples_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    if "held_out" in changes:
        changes = {"held_out": np.array(changes["held_out"], np.int64)}
    with pytest.raises(DataError, match=message):
        dataclasses.replace(data.arrays(save(tmp_path)), **changes)


def test_noise_on_wrong_labels_is_measured_against_the_clean_ones(tmp_path: Path) -> None:
    clean = np.resize(NAMES, 400)
    given = np.where(RANDOM.random(400) < 0.4, np.roll(clean, 1), clean)
    path = save(tmp_path, labels=given, clean_labels=clean)
    for kind in ({"kind": "symmetric"}, {"kind": "instance", "variant": "pdn"}, {"kind": "symmetric", "mode": "iid"}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NoiseWarning)
            task = prepared(path, {"rate": 0.2, **kind})
        assert task.noise is not None
        assert task.wrong is not None
        names = np.array(task.dataset.class_names)
        assert task.noise.rate == task.wrong.mean() == (names[task.labels] != clean).mean() > 0.4
        assert "given + " in str(task.noise)
    written = noise.symmetric(data.arrays(path).train.labels, 0.2, num_classes=4)
    written.save(tmp_path / "a.json")
    task = prepared(path, {"kind": "file", "path": str(tmp_path / "a.json")})
    assert task.noise is not None
    assert task.noise.rate == (np.array(task.dataset.class_names)[task.labels] != clean).mean()


def test_manifests_are_read_by_the_names_of_classes(tmp_path: Path) -> None:
    path = save(tmp_path)
    labels = data.arrays(path).train.labels
    other = np.array([3, 1, 0, 2])[labels]
    noisy = noise.symmetric(other, 0.2, num_classes=4, class_names=("eel", "dog", "fox", "cat"))
    noisy.save(tmp_path / "a.json")
    task = prepared(path, {"kind": "file", "path": str(tmp_path / "a.json")})
    assert task.noise is not None
    assert task.noise.class_names == NAMES
    assert [NAMES[label] for label in task.labels] == [noisy.name(label) for label in noisy.labels]
    noise.symmetric(labels, 0.2, num_classes=4, class_names=("a", "b", "c", "d")).save(tmp_path / "a.json")
    with pytest.raises(DataError, match="belongs to other data than mine: class 'a'"):
        prepared(path, {"kind": "file", "path": str(tmp_path / "a.json")})


def test_lists_of_names_are_read(tmp_path: Path) -> None:
    path = save(tmp_path)
    noisy = noise.symmetric(data.arrays(path).train.labels, 0.2, num_classes=4)
    (tmp_path / "names.txt").write_text("label\n" + "\n".join(NAMES[label] for label in noisy.labels))
    (tmp_path / "numbers.txt").write_text("\n".join(map(str, noisy.labels)))
    for name in ("names.txt", "numbers.txt"):
        task = prepared(path, {"kind": "labels", "path": str(tmp_path / name)})
        assert (task.labels == noisy.labels).all()
    (tmp_path / "names.txt").write_text("label\n" + "gnu\n" * 400)
    with pytest.raises(DataError, match="names.txt: label 'gnu' at index 0 .and 399 more. is no class"):
        prepared(path, {"kind": "labels", "path": str(tmp_path / "names.txt")})


@pytest.mark.parametrize(
    "mapping", [{"cat": "dog"}, "cat=dog", "{'cat' = \"dog\"}", " cat : dog", {0: 1}, "0=1", {"0": "dog"}]
)
def test_maps_may_name_their_classes(tmp_path: Path, mapping: object) -> None:
    task = prepared(save(tmp_path), {"kind": "asymmetric", "rate": 0.4, "mapping": mapping})
    assert task.noise is not None
    assert {(NAMES[a], NAMES[b]) for a, b in zip(task.noise.clean, task.labels, strict=True) if a != b} == {
        ("cat", "dog")
    }


def test_numbers_in_maps_are_names_where_names_are_numbers(tmp_path: Path) -> None:
    path = save(tmp_path, labels=np.resize([1, 10, 2], 400))
    task = prepared(path, {"kind": "asymmetric", "rate": 0.4, "mapping": {"10": 1}})
    assert task.noise is not None
    assert {*task.labels[task.noise.mask].tolist()} == {0}
    for mapping, message in (
        ({0: 1}, "class 0 is no class .the 3 classes are 1, 2, 10"),
        ({"a": 1}, "class 'a' is no"),
    ):
        with pytest.raises(LabelError, match=message):
            prepared(path, {"kind": "asymmetric", "rate": 0.4, "mapping": mapping})
    for mapping in ({True: 1}, {"": 1}, {0: None}, "0-1", "", {}, {0: 1.5}, "cat=dog, cat=eel", "a=b,,"):
        with pytest.raises(RecipeError, match="mapping"):
            prepared(path, {"kind": "asymmetric", "rate": 0.4, "mapping": mapping})
    one, other = (
        make_recipe({"data": "digits", "model": "mlp", "method": "ce", "epochs": 1, "batch_size": 2, "lr": 1.0,
                     "noise": {"kind": "asymmetric", "rate": 0.1, "mapping": mapping}})
        for mapping in ({3: 5}, {"3": "5"})
    )  # fmt: skip
    assert one.id == other.id


MATRIX = np.array([[0.7, 0.3, 0, 0], [0, 1, 0, 0], [0, 0, 0.8, 0.2], [0, 0, 0, 1.0]])


def table(order: list[int], *, over: bool, before: bool, corner: str = "") -> str:
    cells = [[f"{MATRIX[row, column]}" for column in order] for row in order]
    if before:
        cells = [[NAMES[row], *line] for row, line in zip(order, cells, strict=True)]
    head = [[*([corner] if before else []), *(NAMES[column] for column in order)]] if over else []
    return "\n".join(",".join(line) for line in [*head, *cells])


@pytest.mark.parametrize(("over", "before", "corner"), [(True, False, ""), (False, True, ""), (True, True, ""),
                                                        (True, True, "true\\noisy")])  # fmt: skip
def test_matrices_may_name_their_classes(tmp_path: Path, over: bool, before: bool, corner: str) -> None:
    path = save(tmp_path)
    (tmp_path / "T.csv").write_text(table([2, 0, 3, 1], over=over, before=before, corner=corner))
    task = prepared(path, {"kind": "matrix", "path": str(tmp_path / "T.csv")})
    assert task.noise is not None
    np.testing.assert_array_equal(task.noise.matrix, MATRIX)
    (tmp_path / "T.csv").write_text(table([0, 1, 2, 3], over=over, before=before).replace("eel", "cat"))
    with pytest.raises(LabelError, match="'cat' is there twice"):
        prepared(path, {"kind": "matrix", "path": str(tmp_path / "T.csv")})
    (tmp_path / "T.csv").write_text(table([0, 1, 2, 3], over=over, before=before).replace("eel", "gnu"))
    with pytest.raises(LabelError, match="class 'gnu' .*is no class"):
        prepared(path, {"kind": "matrix", "path": str(tmp_path / "T.csv")})


def test_matrices_without_names(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "T.csv", MATRIX, delimiter=",")
    np.save(tmp_path / "T.npy", MATRIX)
    for name in ("T.csv", "T.npy"):
        np.testing.assert_array_equal(noise.read_matrix(tmp_path / name, NAMES), MATRIX)
    (tmp_path / "T.csv").write_text("0,10\n0.9,0.1\n0.2,0.8\n")
    np.testing.assert_array_equal(noise.read_matrix(tmp_path / "T.csv", ("0", "10")), [[0.9, 0.1], [0.2, 0.8]])
    for text, message in (
        ("", "cannot read a transition matrix"),
        ("1,0\n1\n", "rows of 1, 2 cells"),
        ("1,x\n0,1\n", "could not convert"),
        ("a,b\n1,0\n0,1\n", "it has 2 classes, and the data 4"),
    ):
        (tmp_path / "T.csv").write_text(text)
        with pytest.raises(LabelError, match=message):
            noise.read_matrix(tmp_path / "T.csv", NAMES)


def test_every_class_keeps_a_training_sample(tmp_path: Path) -> None:
    labels = np.resize(["a", "b"], 60).astype("U8")
    rare = [f"rare {number}" for number in range(6)]
    labels[:6] = rare
    path = save(tmp_path, 60, labels=labels)
    for seed in range(8):
        task = prepared(path, validation=0.5, seed=seed)
        assert {*task.labels[task.train].tolist()} == {*task.labels.tolist()}
        assert len(task.validation) == 30
        assert sorted([*task.train.tolist(), *task.validation.tolist()]) == list(range(60))
    # Where every class keeps one by itself, the split is what it always was.
    task = prepared(save(tmp_path), validation=0.1, seed=1)
    from noiseproof.seeding import numpy_stream

    assert task.validation.tolist() == sorted(numpy_stream(1, "split").permutation(400)[:40].tolist())
    with pytest.raises(RecipeError, match="too few for one of every class"):
        prepared(save(tmp_path, 16, labels=np.arange(16) // 2), validation=0.75)


def test_nine_rows_are_said(tmp_path: Path) -> None:
    with pytest.warns(DataWarning, match="mine has 9 training samples"):
        prepared(save(tmp_path, 9))
