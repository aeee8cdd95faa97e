from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from noiseproof import data
from noiseproof.errors import DataError

LABELS = np.arange(12) % 3
FEATURES = np.random.default_rng(0).normal(size=(12, 4)) * [1, 2, 3, 0] + 5
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 6, 3), dtype=np.uint8)


def save(path: Path, **arrays: object) -> Path:
    np.savez(path / "mine.npz", **arrays)
    return path / "mine.npz"


def test_digits() -> None:
    dataset = data.digits()
    assert (len(dataset.train), len(dataset.test or ())) == (1201, 596)
    assert dataset.input_shape == (1, 8, 8)
    assert dataset.train.inputs.max() == 16
    assert dataset.is_image


def test_features_with_everything(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        features=FEATURES,
        labels=LABELS,
        test_features=FEATURES[:3],
        test_labels=LABELS[:3],
        clean_labels=LABELS[::-1],
        class_names=["a", "b", "c"],
    )
    dataset = data.arrays(path)
    assert dataset.name == "mine"
    assert dataset.input_shape == (4,)
    assert not dataset.is_image
    assert dataset.class_names == ("a", "b", "c")
    assert dataset.clean_labels is not None
    assert dataset.std[3] == 1  # a constant feature is not divided by zero
    np.testing.assert_allclose(dataset.mean, FEATURES.mean(0), rtol=1e-6)
    part = dataset.first_per_class(6)
    assert part.clean_labels is not None
    assert len(part.clean_labels) == 6


def test_shrunk_images_are_the_rounded_means_of_squares(tmp_path: Path) -> None:
    dataset = data.arrays(save(tmp_path, images=IMAGES, labels=LABELS, test_images=255 - IMAGES, test_labels=LABELS))
    small = dataset.shrunk(2)
    assert small.input_shape == (3, 4, 3)
    assert small.test is not None
    for part, images in ((small.train, IMAGES), (small.test, 255 - IMAGES)):
        for image, row, column, channel in np.ndindex(part.inputs.shape):
            square = images[image, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, channel]
            assert part.inputs[image, row, column, channel] == int(square.astype(float).mean() + 0.5)
    with pytest.raises(DataError, match="shrink 4 of mine .* multiples of it"):
        dataset.shrunk(4)
    features = data.arrays(save(tmp_path, features=FEATURES, labels=LABELS))
    with pytest.raises(DataError, match="expected images in memory"):
        features.shrunk(2)


@pytest.mark.parametrize("images", [IMAGES, IMAGES[..., 0]])
def test_images_without_a_test_set(tmp_path: Path, images: np.ndarray) -> None:
    dataset = data.arrays(save(tmp_path, images=images, labels=LABELS.astype(np.uint8)))
    assert dataset.test is None
    assert dataset.input_shape == (3 if images.ndim == 4 else 1, 8, 6)
    assert dataset.num_classes == 3
    assert dataset.fingerprint


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": LABELS}, "expected 'images'"),
        ({"features": FEATURES, "images": IMAGES, "labels": LABELS}, "expected 'images'"),
        ({"features": FEATURES}, "expected 'images'"),
        ({"features": FEATURES, "labels": LABELS[:5]}, "12 training inputs but 5 labels"),
        ({"features": FEATURES, "labels": LABELS[:, None]}, r"training labels have shape \(12, 1\)"),
        ({"features": FEATURES[0], "labels": LABELS}, r"shape \(4,\): expected numbers of shape \(N, features\)"),
        ({"features": np.where(FEATURES[1, 2] == FEATURES, np.nan, FEATURES), "labels": LABELS}, r"\[1, 2\] is nan"),
        ({"images": IMAGES.astype(float), "labels": LABELS}, "expected uint8"),
        (
            {"images": IMAGES.transpose(0, 3, 1, 2), "labels": LABELS},
            "channels, last|channels, last|1, 3 or 4 channels",
        ),
        ({"features": FEATURES, "labels": LABELS, "test_labels": LABELS}, "come together"),
        ({"features": FEATURES, "labels": LABELS, "clean_labels": LABELS[:2]}, "2 clean_labels for 12 labels"),
        (
            {"features": FEATURES, "labels": LABELS, "test_features": FEATURES[:, :2], "test_labels": LABELS},
            "test inputs have shape",
        ),
        ({"features": FEATURES, "labels": LABELS, "class_names": ["a", "b"]}, "training label 2"),
        ({"features": FEATURES[:0], "labels": LABELS[:0]}, "there are no training samples"),
        (
            {"features": FEATURES, "labels": LABELS, "test_features": FEATURES[:0], "test_labels": LABELS[:0]},
            "there are no test samples",
        ),
        ({"features": np.array([{}] * 12, object), "labels": LABELS}, "Python objects"),
        ({"features": FEATURES[:, :0], "labels": LABELS}, r"shape \(12, 0\)"),
        ({"images": IMAGES[:, :0], "labels": LABELS}, r"shape \(12, 0, 6, 3\)"),
    ],
)
def test_another_layout_is_named(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        data.arrays(save(tmp_path, **arrays))


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        data.arrays(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match="cannot read|holds one array"):
        data.arrays(tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", FEATURES)
    with pytest.raises(DataError, match="no .npz file, such as numpy.savez writes"):
        data.arrays(tmp_path / "one.npy")
    whole = save(tmp_path, features=FEATURES, labels=LABELS).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:200])
    with pytest.raises(DataError, match="cannot read"):
        data.arrays(tmp_path / "cut.npz")


def test_labels_of_a_part_are_int64_whatever_integers_are_given() -> None:
    for kind in (np.uint8, np.int32, np.int64):
        assert data.Part(np.zeros((3, 2)), np.array([0, 1, 0], kind)).labels.dtype == np.int64
    given = np.array([0, 1, 0])
    assert data.Part(np.zeros((3, 2)), given).labels is given
