"""What a class is, wherever labels come from."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from noiseproof import data
from noiseproof.classes import Classes, read_labels, sort_names
from noiseproof.errors import DataError, DataWarning, LabelError
from noiseproof.loaders import make_inputs

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(60, 3))


def save(path: Path, **arrays: object) -> Path:
    np.savez(path / "mine.npz", **arrays)  # type: ignore[arg-type]
    return path / "mine.npz"


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1, 2, 3], ("1", "2", "3")),
        ([0, 20, 10], ("0", "10", "20")),
        ([0, 2, 5], ("0", "2", "5")),
        ([-1, 1], ("-1", "1")),
        ([3 * 10**12, 1 * 10**12], ("1000000000000", "3000000000000")),
        (np.array([2**63, 1], np.uint64), ("1", "9223372036854775808")),
        (np.array([3, 1], np.int8), ("1", "3")),
        ([1.0, 2.0], ("1", "2")),
        ([0.5, 10.0, -0.0, 0.0], ("0", "0.5", "10")),
        (np.array([0.1, 0.2], np.float32), ("0.1", "0.2")),
        ([1e-5, 2.0, 0.5], ("1e-05", "0.5", "2")),
        ([True, False], ("False", "True")),
        (["dog", "cat", " cat "], ("cat", "dog")),
        ([b"dog", b"cat"], ("cat", "dog")),
        (["10", "9", "1"], ("1", "9", "10")),
        (["010", "009"], ("009", "010")),
        (["2.5", "10", "-3"], ("-3", "2.5", "10")),
        (["10", "9", "b"], ("10", "9", "b")),
        (["e\u0301", "\u00e9"], ("\u00e9",)),
    ],
)
def test_classes_are_the_values_that_occur(tmp_path: Path, values: object, names: tuple[str, ...]) -> None:
    labels = read_labels(values)  # type: ignore[arg-type]
    classes = Classes.of(labels)
    assert classes.names == names
    assert [names[label] for label in classes.encode(labels)] == [labels.texts[place] for place in labels.index]
    if len(names) > 1:
        array = np.resize(np.asarray(values), 60)
        dataset = data.arrays(save(tmp_path, features=FEATURES, labels=array))
        assert dataset.class_names == names
        assert dataset.train.labels.dtype == np.int64


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", "01"], "'1' is the number '01' in another spelling|'01' is the number '1'"),
        (["1", "1.0"], "in another spelling"),
        ([1.0, float("nan")], "label 1 is nan: expected a class; leave samples without a label out"),
        ([1.0, float("inf")], "label 1 is inf"),
        (["a", ""], "label 1 is empty"),
        (["a", None], "label 1 is None"),
        ([[1], [2]], "label 0 is .* one for each sample"),
        ([True, 1], "some are not: expected one kind"),
        (np.zeros((3, 1)), r"labels have shape \(3, 1\)"),
        (np.array([1, 2], "M8[s]"), "labels are datetime64"),
        (np.arange(60), "60 different labels for 60 samples .* perhaps numbers of samples, or quantities"),
        (np.arange(60) // 1.5, "different labels for 60 samples"),
        (RANDOM.normal(size=60), "quantities to be estimated"),
    ],
)
def test_what_is_no_class_is_refused(values: object, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        Classes.of(read_labels(values))  # type: ignore[arg-type]


def test_a_number_is_a_name_where_names_are_numbers_and_a_position_elsewhere() -> None:
    animals, numbers, mixed = Classes(("cat", "dog", "eel")), Classes(("1", "02", "10")), Classes(("1", "cat"))
    assert animals.resolve(read_labels([2, 0])).tolist() == [2, 0]
    assert animals.resolve(read_labels(["eel", "cat"])).tolist() == [2, 0]
    assert numbers.resolve(read_labels([10, 2])).tolist() == [2, 1]
    assert mixed.resolve(read_labels(["cat", "1"])).tolist() == [1, 0]
    assert animals.position("1") == 1
    assert numbers.position("1.0") == 0
    for classes, values, message in (
        (animals, ["do"], "label 'do' is no class; did you mean 'dog'"),
        (animals, [0, 3, 3], r"label 3 at index 1 \(and 1 more\) is no class .* or their numbers 0 … 2"),
        (animals, [1, "cat"], "label 1 at index 0"),
        (animals, [1, "do"], "label 'do' at index 1"),
        (numbers, [0], r"label 0 is no class \(the 3 classes are 1, 02, 10\)"),
        (mixed, [1], "could be the class of this name or the class number 1"),
        (mixed, [2], "label 2 is no class"),
    ):
        with pytest.raises(LabelError, match=message):
            classes.resolve(read_labels(values))


def test_names_that_are_numbers_are_in_numeric_order() -> None:
    assert sort_names(str(number) for number in range(11, -1, -1)) == [str(number) for number in range(12)]
    assert sort_names(["10", "9", "x"]) == ["10", "9", "x"]


def test_class_names_of_arrays(tmp_path: Path) -> None:
    def read(labels: object, names: object) -> data.Dataset:
        return data.arrays(save(tmp_path, features=FEATURES, labels=np.resize(labels, 60), class_names=names))

    counted = read([0, 1, 2], ["b", "a", "c"])
    assert counted.class_names == ("b", "a", "c")
    assert counted.train.labels[:3].tolist() == [0, 1, 2]
    named = read(["a", "b"], ["b", "a"])
    assert named.train.labels[:2].tolist() == [1, 0]
    assert read([10, 30], [30, 10]).train.labels[:2].tolist() == [1, 0]
    assert read([0, 1, 2], [1, 2, 3]).train.labels[:3].tolist() == [0, 1, 2]  # 0 is no name: they are counted
    assert read([False, True], ["no", "yes"]).train.labels[:2].tolist() == [0, 1]
    for labels, names, message in (
        ([0, 1], ["a", "a"], "class name 'a' is there twice"),
        ([0, 1], ["a", "b", " a"], "there twice"),
        ([0, 3], ["a", "b", "c"], "training label 3 at index 1"),
        (["a", "d"], ["a", "b", "c"], "training label 'd' .* is no class"),
        ([1, 2], [1, 2, 3], "could be class_names .* or count them from 0"),
        ([0, 1], [["a", "b"]], r"class_names have shape \(1, 2\)"),
        ([0, 0], ["a"], "has 1 class"),
    ):
        with pytest.raises(DataError, match=message):
            read(labels, names)
    with pytest.warns(DataWarning, match="no training label is 'c': nothing can be learned"):
        assert read([0, 1], ["a", "b", "c"]).num_classes == 3


def test_test_and_clean_labels_have_the_same_classes(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        features=FEATURES,
        labels=np.resize(["b", "c"], 60),
        test_features=FEATURES[:4],
        test_labels=["c", "a", "a", "b"],
        clean_labels=np.resize(["b", "c", "c"], 60),
    )
    with pytest.warns(DataWarning, match="no training label is 'a', though 2 samples of test have"):
        dataset = data.arrays(path)
    assert dataset.class_names == ("a", "b", "c")
    assert dataset.test is not None
    assert dataset.test.labels.tolist() == [2, 0, 0, 1]
    assert dataset.clean_labels is not None
    assert dataset.clean_labels[:3].tolist() == [1, 2, 2]


@pytest.mark.parametrize("labels", [np.zeros(60, int), np.full(60, "cat")])
def test_one_class_is_refused(tmp_path: Path, labels: np.ndarray) -> None:
    with pytest.raises(DataError, match="expected at least two"):
        data.arrays(save(tmp_path, features=FEATURES, labels=labels))
    with pytest.raises(DataError, match="all 60 training labels are"):
        data.arrays(save(tmp_path, features=FEATURES, labels=labels, class_names=["cat", "dog"]))


def test_one_input_with_two_labels_is_said(tmp_path: Path) -> None:
    twice = np.concatenate([FEATURES, FEATURES[:5]])
    labels = np.concatenate([np.arange(60) % 2, [1, 1, 0, 1, 1]])
    with pytest.warns(DataWarning, match="2 training inputs are there before with another label .such as 0 and 60"):
        data.arrays(save(tmp_path, features=twice, labels=labels))


@pytest.mark.parametrize("labels", [[-1, 0, 1], ["nan", "a", "b"]])
def test_marks_for_missing_labels_are_said(tmp_path: Path, labels: list[object]) -> None:
    with pytest.warns(DataWarning, match="of 20 samples: if it marks missing labels, leave them out"):
        data.arrays(save(tmp_path, features=FEATURES, labels=np.resize(labels, 60)))


@pytest.mark.parametrize("other", ["Rosé sec", " ROSÉ SEC", "rosé  sec"])
def test_two_spellings_of_a_class_are_said(tmp_path: Path, other: str) -> None:
    labels = np.array([other, *np.resize(["rosé sec", "red"], 59)])
    with pytest.warns(DataWarning, match=r"the classes .*(30|1) samples.* differ in capital letters or spaces only"):
        dataset = data.arrays(save(tmp_path, features=FEATURES, labels=labels))
    assert dataset.num_classes == 3


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("test_feature", "test_features"),
        ("val_features", "test_features"),
        ("label", "labels"),
        ("test_images", "test_"),
    ],
)
def test_arrays_that_mean_nothing_are_named(tmp_path: Path, key: str, near: str) -> None:
    with pytest.raises(DataError, match=f"holds an array '{key}', which has no meaning here; did you mean .*{near}"):
        data.arrays(save(tmp_path, features=FEATURES, labels=np.arange(60) % 3, **{key: FEATURES}))


@pytest.mark.parametrize(
    "scale",
    [
        (1e8, 1e-3),
        (1.7e9, 1.0),
        (1.7e9, 0.0),
        (0.0, 1e30),
        (0.0, 1e60),
        (1e60, 1e58),
        (0.0, 1e-200),
        (-5.0, 1e-9),
    ],
)
def test_features_are_standardized_before_they_are_rounded(tmp_path: Path, scale: tuple[float, float]) -> None:
    shift, factor = scale
    moved = shift + factor * FEATURES
    path = save(
        tmp_path, features=moved, labels=np.arange(60) % 3, test_features=moved[:9], test_labels=np.arange(9) % 3
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error" if 0 < factor < 1e20 else "ignore", DataWarning)
        dataset = data.arrays(path)
    wanted = (FEATURES - FEATURES.mean(0)) / FEATURES.std(0) if factor else np.zeros_like(FEATURES)
    assert dataset.test is not None
    for inputs, expected in ((dataset.train.inputs, wanted), (dataset.test.inputs, wanted[:9])):
        made = make_inputs(dataset.preprocessing, inputs, torch.device("cpu"))
        ((_, (batch,)),) = made.batches([torch.arange(len(inputs))])
        assert batch.dtype == torch.float32
        np.testing.assert_allclose(batch.numpy(), expected, atol=2e-4)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int8, np.uint8, np.int64, np.uint64, np.bool_])
def test_features_keep_their_type_until_they_are_standardized(tmp_path: Path, kind: type) -> None:
    values = RANDOM.integers(0, 2, (60, 4)).astype(kind)
    labels = np.arange(60) % 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # of equal rows
        dataset = data.arrays(save(tmp_path, features=values, labels=labels))
    assert dataset.train.inputs.nbytes == values.nbytes  # type: ignore[union-attr]
    assert not dataset.is_image
    np.testing.assert_allclose(dataset.mean, values.astype(float).mean(0), rtol=1e-12)
    np.testing.assert_allclose(dataset.std, values.astype(float).std(0), rtol=1e-12)


def test_moments_are_those_of_numpy_for_many_blocks(tmp_path: Path) -> None:
    values = np.random.default_rng(3).normal(3, 2, (1_200_000, 2))
    values[:, 1] = 7.1
    dataset = data.arrays(save(tmp_path, features=values, labels=np.arange(len(values)) % 5))
    np.testing.assert_allclose(dataset.mean, [values[:, 0].mean(), 7.1], rtol=1e-12)
    np.testing.assert_allclose(dataset.std, [values[:, 0].std(), 1.0], rtol=1e-12)
    images = np.random.default_rng(3).integers(0, 256, (2500, 4, 4, 3), dtype=np.uint8)
    dataset = data.arrays(save(tmp_path, images=images, labels=np.arange(len(images)) % 5))
    np.testing.assert_allclose(dataset.mean, images.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(dataset.std, images.std((0, 1, 2)), rtol=1e-12)


def test_numbers_that_cannot_be_standardized_are_refused(tmp_path: Path) -> None:
    labels = np.arange(60) % 3
    with pytest.warns(DataWarning, match=r"column 1 holds numbers of 1e\+20 or more"):
        data.arrays(save(tmp_path, features=FEATURES * [1, 1e30, 1], labels=labels))
    for values, message in (
        (FEATURES * [1, 1e101, 1], r"\[\d+, 1\] is .*: expected numbers up to 1e\+100"),
        (2**62 + RANDOM.integers(0, 40, (60, 2)), "too large to tell them apart in float64: subtract 4611686018427"),
        (np.where(FEATURES > 2, np.inf, FEATURES), r"\] is inf"),
    ):
        with pytest.raises(DataError, match=message):
            data.arrays(save(tmp_path, features=values, labels=labels))
    far = {"test_features": FEATURES * 1e60, "test_labels": labels}
    with pytest.warns(DataWarning, match="1e.20"), pytest.raises(DataError, match="too far to be standardized"):
        data.arrays(save(tmp_path, features=FEATURES, labels=labels, **far))
    nanoseconds = 1_700_000_000 * 10**9 + RANDOM.integers(0, 10**15, (60, 2))
    assert data.arrays(save(tmp_path, features=nanoseconds, labels=labels)).std[0] > 1e14
