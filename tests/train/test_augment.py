"""Augmentation of image files against independent arithmetic."""

from __future__ import annotations

import colorsys
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from noiseproof.loaders._augment import jitter, random_boxes, view


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def on_canvas(image: np.ndarray, count: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """``count`` copies of an image, with its last row and column repeated, on a canvas with rubbish elsewhere."""
    canvas = np.full((count, height, width, 3), 77, np.uint8)
    rows, columns = image.shape[:2]
    canvas[:, : rows + 1, : columns + 1] = np.pad(image, ((0, 1), (0, 1), (0, 0)), mode="edge")
    return torch.from_numpy(canvas), torch.tensor([[rows, columns]] * count)


IMAGE = np.random.default_rng(0).integers(0, 256, (14, 19, 3), dtype=np.uint8)


def test_without_augmentation_it_is_the_middle() -> None:
    for size in (1, 9, 14):
        top, left = round((14 - size) / 2), round((19 - size) / 2)
        middle = IMAGE[top : top + size, left : left + size].transpose(2, 0, 1) / 255
        np.testing.assert_allclose(view(*on_canvas(IMAGE, 2, 20, 31), size)[1].numpy(), middle, atol=1e-4)


def test_crops_and_flips_are_those_of_the_image_and_all_occur() -> None:
    result = view(*on_canvas(IMAGE, 3000, 15, 20), 12, ("crop", "flip"), stream())
    crops = {}
    for top, left, flip in itertools.product(range(3), range(8), (1, -1)):
        crops[top, left, flip] = IMAGE[top : top + 12, left : left + 12][:, ::flip].transpose(2, 0, 1)
    keys, stack = list(crops), np.stack(list(crops.values())).reshape(48, -1).astype(np.int16)
    seen: dict[tuple[int, int, int], int] = dict.fromkeys(keys, 0)
    for one in (result * 255).numpy().reshape(3000, -1):
        distance = np.abs(stack - one).max(1)
        assert distance.min() < 0.05
        seen[keys[int(distance.argmin())]] += 1
    assert min(seen.values()) > 3000 / 48 / 2


def test_resized_crops_are_pixel_averages_at_the_right_places() -> None:
    """A ramp shows where each output pixel comes from: the middle of its share of the box."""
    ramp = np.zeros((40, 60, 3), np.uint8)
    ramp[..., 0] = np.arange(40)[:, None] * 4
    ramp[..., 1] = np.arange(60) * 4
    sizes = torch.tensor([[40, 60]] * 500)
    boxes = random_boxes(sizes.float(), stream(3))
    result = view(*on_canvas(ramp, 500, 50, 90), 8, ("resized-crop",), stream(3)) * 255 / 4
    centers = (torch.arange(8) + 0.5) / 8
    rows = (boxes[:, :1] + centers * boxes[:, 2:3] - 0.5).clamp(0, 39)
    columns = (boxes[:, 1:2] + centers * boxes[:, 3:] - 0.5).clamp(0, 59)
    torch.testing.assert_close(result[:, 0], rows[:, :, None].expand(-1, 8, 8), atol=1e-3, rtol=0)
    torch.testing.assert_close(result[:, 1], columns[:, None, :].expand(-1, 8, 8), atol=1e-3, rtol=0)


@settings(max_examples=40)
@given(st.integers(4, 300), st.integers(4, 300), st.integers(0, 1000))
def test_boxes_lie_inside_and_have_the_published_area_and_aspect(height: int, width: int, seed: int) -> None:
    boxes = random_boxes(torch.tensor([[height, width]] * 64).float(), stream(seed)).double().numpy()
    top, left, tall, wide = boxes.T
    assert (boxes == boxes.round()).all()
    assert (tall >= 1).all()
    assert (wide >= 1).all()
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + tall <= height).all()
    assert (left + wide <= width).all()
    slack = 1.01 * (1 + 1 / tall) * (1 + 1 / wide)  # sides are rounded
    assert (wide / tall <= 4 / 3 * slack).all()
    assert (tall / wide <= 4 / 3 * slack).all()


def test_boxes_have_the_distribution_of_the_published_loop() -> None:
    """Against the loop over one image that published code runs, by means and spreads of area and aspect."""
    random = np.random.default_rng(0)
    height, width = 256, 341
    expected = []
    for _ in range(6000):
        for _ in range(10):
            area = height * width * random.uniform(0.08, 1)
            aspect = np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3)))
            w, h = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                top, left = random.integers(0, height - h + 1), random.integers(0, width - w + 1)
                break
        else:
            w, h, top, left = 341, 256, 0, 0
        expected.append((top, left, h, w))
    boxes = random_boxes(torch.tensor([[height, width]] * 6000).float(), stream(1)).numpy()
    for mine, theirs in zip(boxes.T, np.array(expected, float).T, strict=True):
        assert mine.mean() == pytest.approx(theirs.mean(), abs=5 * theirs.std() / np.sqrt(3000))
        assert mine.std() == pytest.approx(theirs.std(), rel=0.05)


@pytest.mark.parametrize(("height", "width", "box"), [(10, 300, (0, 143, 10, 13)), (300, 10, (143, 0, 13, 10))])
def test_images_that_no_box_fits_give_their_middle(height: int, width: int, box: tuple[int, ...]) -> None:
    boxes = random_boxes(torch.tensor([[height, width]] * 200).float(), stream())
    areas = boxes[:, 2] * boxes[:, 3]
    assert (areas <= 130 + 10).all()
    assert list(box) in boxes.int().tolist()


def test_rotation_turns_about_the_middle_and_blackens_what_is_outside_the_crop() -> None:
    image = np.full((40, 40, 3), 200, np.uint8)
    result = view(*on_canvas(image, 200, 41, 41), 24, ("rotate",), stream())
    corners = result[:, 0, 0, 0]
    assert (corners == 0).float().mean() > 0.8  # though the image goes on there
    torch.testing.assert_close(result[:, :, 8:16, 8:16], torch.full((200, 3, 8, 8), 200 / 255))
    dot = np.zeros((33, 33, 3), np.uint8)
    dot[16, 30] = 255
    spots = view(*on_canvas(dot, 300, 34, 34), 33, ("rotate",), stream())[:, 0]
    places = torch.stack([(spots.sum(2) * torch.arange(33)).sum(1), (spots.sum(1) * torch.arange(33)).sum(1)], 1)
    down, right = (places / spots.sum((1, 2))[:, None] - 16).T
    angles = torch.rad2deg(torch.atan2(down, right))
    assert 18.5 < angles.max() < 20.3
    assert -20.3 < angles.min() < -18.5
    torch.testing.assert_close(torch.hypot(down, right), torch.full((300,), 14.0), atol=0.2, rtol=0)


def test_all_at_once_is_one_after_the_other() -> None:
    """Geometry composed into one map, colors after it: the draws come in the same order either way."""
    canvas, sizes = on_canvas(IMAGE, 16, 20, 20)
    together = view(canvas, sizes, 12, ("crop", "flip", "jitter"), stream(2))
    random = stream(2)
    torch.testing.assert_close(together, jitter(view(canvas, sizes, 12, ("crop", "flip"), random), random))


def test_colors_change_as_pillow_changes_them() -> None:
    """Against formulas for a pixel: all four steps, in the order that was drawn."""
    images = torch.rand(5, 3, 4, 3, generator=stream(9)) * 0.8 + 0.1
    result = jitter(images, stream(4))
    random = stream(4)
    factors = (torch.rand((4, 5), generator=random) * 2 - 1).numpy()
    order = torch.randperm(4, generator=random).tolist()
    expected = images.double().numpy().transpose(0, 2, 3, 1).copy()
    gray = np.array([0.299, 0.587, 0.114])
    for number, one in enumerate(expected):
        for step in order:
            factor = 1 + 0.4 * factors[step, number]
            if step == 0:
                one[:] = one * factor
            elif step == 1:
                one[:] = one * factor + (one @ gray).mean() * (1 - factor)
            elif step == 2:
                one[:] = one * factor + (one @ gray)[..., None] * (1 - factor)
            else:
                for place in np.ndindex(4, 3):
                    hue, saturation, value = colorsys.rgb_to_hsv(*one[place])
                    one[place] = colorsys.hsv_to_rgb((hue + 0.2 * factors[3, number]) % 1, saturation, value)
            one[:] = one.clip(0, 1)
    np.testing.assert_allclose(result.numpy(), expected.transpose(0, 3, 1, 2), atol=2e-5)


def test_images_have_draws_of_their_own_and_the_generator_decides() -> None:
    canvas, sizes = on_canvas(IMAGE, 8, 15, 20)
    names = ("resized-crop", "flip", "rotate", "jitter")
    before = torch.get_rng_state()
    one, again, other = (view(canvas, sizes, 10, names, stream(seed)) for seed in (1, 1, 2))
    assert (torch.get_rng_state() == before).all()
    assert (one == again).all()
    assert (one != other).any()
    assert len({image.numpy().tobytes() for image in one}) == 8
    assert ((one >= 0) & (one <= 1)).all()
