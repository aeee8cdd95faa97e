from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from noiseproof import data
from noiseproof.data import Dataset, Part
from noiseproof.loaders import Inputs, in_order, make_inputs
from noiseproof.train._order import epoch_order

CPU = torch.device("cpu")


def batch_of(
    inputs: Inputs, index: torch.Tensor, augment: Sequence[str] = (), random: torch.Generator | None = None
) -> torch.Tensor:
    ((_, (batch,)),) = inputs.batches([index], augment, random)
    return batch


def image_set(images: np.ndarray) -> Dataset:
    labels = np.arange(len(images)) % 2
    channels = images.shape[3]
    return Dataset("test", Part(images, labels), None, ("a", "b"), (0.0,) * channels, (1.0,) * channels)


def test_plain_batches_are_standardized_and_channels_last() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 5, 3), dtype=np.uint8)
    dataset = Dataset("test", Part(images, np.zeros(6, int)), None, ("a", "b"), (10.0, 20.0, 30.0), (2.0, 4.0, 8.0))
    batch = batch_of(make_inputs(dataset.preprocessing, images, CPU), torch.tensor([4, 1]))
    expected = (images[[4, 1]].astype(float) - [10, 20, 30]) / [2, 4, 8]
    np.testing.assert_allclose(batch.numpy(), expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-5)
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_features_are_standardized() -> None:
    features = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    dataset = Dataset("test", Part(features, np.zeros(5, int)), None, ("a", "b"), (1.0, 0.0, 0.0), (2.0, 1.0, 1.0))
    inputs = make_inputs(dataset.preprocessing, features, CPU)
    assert len(inputs) == 5
    np.testing.assert_allclose(batch_of(inputs, torch.tensor([2]))[0, 0], (features[2, 0] - 1) / 2, rtol=1e-6)


@pytest.mark.parametrize(("side", "padding"), [(32, 4), (16, 2)])
def test_every_image_gets_its_own_crop_and_flip(side: int, padding: int) -> None:
    """Each output is one of the crops of the padded image, flipped or not; all of them occur."""
    image = np.random.default_rng(0).integers(1, 256, (1, side, side, 1), dtype=np.uint8)
    inputs = make_inputs(image_set(image).preprocessing, image, CPU)
    batch = batch_of(inputs, torch.zeros(2000, dtype=torch.int64), ("crop", "flip"), torch.Generator().manual_seed(0))
    padded = np.pad(image[0, :, :, 0], padding)
    possible = {}
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            crop = padded[top : top + side, left : left + side]
            possible[crop.astype(float).tobytes()] = (top, left, 0)
            possible[crop[:, ::-1].astype(float).tobytes()] = (top, left, 1)
    seen = [possible[one[0].double().numpy().tobytes()] for one in batch]
    assert set(seen) == set(possible.values())
    assert 0.45 < np.mean([flipped for *_, flipped in seen]) < 0.55


def test_rotation_turns_by_at_most_twenty_degrees_about_the_center() -> None:
    image = np.zeros((1, 33, 33, 1), np.uint8)
    image[0, 16, 16] = 200  # the center stays
    image[0, 16, 30] = 100  # 14 pixels to the right of it
    inputs = make_inputs(image_set(image).preprocessing, image, CPU)
    batch = batch_of(inputs, torch.zeros(300, dtype=torch.int64), ("rotate",), torch.Generator().manual_seed(0))
    assert (batch[:, 0, 16, 16] == 200).all()
    angles = []
    for one in batch[:, 0]:
        places = (one == 100).nonzero().double()
        if len(places):
            down, right = (places.mean(0) - 16).tolist()
            angles.append(np.degrees(np.arctan2(down, right)))
    assert len(angles) > 250
    rounding = np.degrees(np.arctan2(0.75, 14))  # to whole pixels, at this radius
    assert 18 < max(angles) <= 20 + rounding
    assert -20 - rounding <= min(angles) < -18


def test_rotation_leaves_black_corners() -> None:
    image = np.full((1, 32, 32, 3), 255, np.uint8)
    inputs = make_inputs(image_set(image).preprocessing, image, CPU)
    batch = batch_of(inputs, torch.zeros(64, dtype=torch.int64), ("rotate",), torch.Generator().manual_seed(1))
    assert (batch[:, :, 0, 0] == 0).any()
    assert (batch[:, :, 16, 16] == 255).all()


def test_the_generator_decides() -> None:
    images = data.digits().train.inputs[:50]
    inputs = make_inputs(data.digits().preprocessing, images, CPU)
    index = torch.arange(50)
    one, same, other = (
        batch_of(inputs, index, ("crop", "flip", "rotate"), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


@given(st.integers(1, 200), st.integers(2, 50), st.integers(0, 100))
def test_an_epoch_sees_every_sample_once(size: int, batch_size: int, seed: int) -> None:
    batches = epoch_order(size, batch_size, torch.Generator().manual_seed(seed))
    assert sorted(torch.cat(batches).tolist()) == list(range(size))
    assert all(len(batch) > 1 for batch in batches) or size == 1
    assert all(len(batch) <= batch_size + 1 for batch in batches)
    assert torch.cat(in_order(size, batch_size)).tolist() == list(range(size))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=80), st.integers(2, 9), st.integers(0, 50))
def test_a_balanced_epoch_has_as_many_of_each_label(labels: list[int], batch_size: int, seed: int) -> None:
    known = np.array([0, 1, 2, 3, *labels])
    order = torch.cat(epoch_order(len(known), batch_size, torch.Generator().manual_seed(seed), known)).numpy()
    assert len(set(order.tolist())) == len(order)
    assert (np.bincount(known[order]) == np.bincount(known).min()).all()


def test_balanced_epochs_use_all_samples_in_the_end() -> None:
    labels = np.array([0] * 4 + [1] * 40)
    seen = [
        set(torch.cat(epoch_order(44, 4, torch.Generator().manual_seed(seed), labels)).tolist()) for seed in range(200)
    ]
    assert set.union(*seen) == set(range(44))
    assert len({frozenset(one) for one in seen}) > 50


def test_orders_differ_between_seeds() -> None:
    first, second = (torch.cat(epoch_order(100, 10, torch.Generator().manual_seed(s))) for s in (0, 1))
    assert (first != second).any()


@pytest.mark.gpu
def test_batches_on_a_gpu() -> None:
    images = data.digits().train.inputs[:50]
    inputs = make_inputs(data.digits().preprocessing, images, torch.device("cuda"))
    index = torch.arange(50, device="cuda")
    assert batch_of(inputs, index, ("crop", "flip"), torch.Generator("cuda").manual_seed(1)).device.type == "cuda"
