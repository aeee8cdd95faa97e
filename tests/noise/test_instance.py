from __future__ import annotations

import math
import warnings
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noiseproof import data, noise
from noiseproof.errors import DataError, LabelError, NoiseWarning
from noiseproof.noise import _instance as instance
from noiseproof.noise import instance_dependent
from noiseproof.seeding import numpy_stream

RANDOM = np.random.default_rng(7)
IMAGES = RANDOM.integers(0, 256, (300, 4, 4, 3), dtype=np.uint8)
LABELS = RANDOM.integers(0, 5, 300)
VARIANTS = ("pdn", "fixed-subset")


def by_the_definition(
    inputs: np.ndarray, labels: np.ndarray, rate: float, classes: int, seed: int, variant: str
) -> tuple[list[int], np.ndarray]:
    """Sample by sample from the same draws: scores, softmax without the own class, its flip rate, one inversion."""
    random = numpy_stream(seed, "noise", "instance", variant)
    count = len(labels)
    if variant == "pdn":
        normal = NormalDist(rate, 0.1)
        low, high = normal.cdf(0), normal.cdf(1)
        rates = [normal.inv_cdf(low + u * (high - low)) for u in random.random(count)]
        flips = [u < q for u, q in zip(random.random(count), rates, strict=True)]
    else:
        chosen = set(random.permutation(count)[: math.floor(round(rate * count, 6))].tolist())
        flips = [i in chosen for i in range(count)]
        rates = [len(chosen) / count] * count
    draws = random.random(count)
    width = inputs[0].size
    projections = [
        numpy_stream(seed, "noise", "instance", "projection", c).standard_normal((width, classes))
        for c in range(classes)
    ]
    noisy, rows = [], np.zeros((classes, classes))
    for i, own in enumerate(labels.tolist()):
        sample = [float(value) for value in inputs[i].ravel()]
        others = [c for c in range(classes) if c != own]
        scores = {c: math.fsum(x * w for x, w in zip(sample, projections[own][:, c], strict=True)) for c in others}
        top = max(scores.values())
        weights = {c: math.exp(score - top) for c, score in scores.items()}
        shares = {c: weight / sum(weights.values()) for c, weight in weights.items()}
        rows[own, own] += 1 - rates[i]
        for c, share in shares.items():
            rows[own, c] += rates[i] * share
        passed, target = 0.0, others[-1]
        for c in others:
            passed += shares[c]
            if draws[i] < passed:
                target = c
                break
        noisy.append(target if flips[i] else own)
    return noisy, rows / np.bincount(labels, minlength=classes)[:, None]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("scale", [1, 1 / 2048])
def test_it_is_the_definition(variant: noise.InstanceVariant, scale: float) -> None:
    """Raw pixels, whose targets are nearly sure, and small numbers, whose targets are spread."""
    inputs = IMAGES if scale == 1 else IMAGES * scale
    noisy = instance_dependent(inputs, LABELS, 0.3, num_classes=5, seed=4, variant=variant)
    labels, matrix = by_the_definition(inputs, LABELS, 0.3, 5, 4, variant)
    assert noisy.labels.tolist() == labels
    np.testing.assert_allclose(noisy.matrix, matrix, atol=1e-5)
    assert (noisy.kind, noisy.mode, noisy.requested_rate, noisy.seed) == ("instance", variant, 0.3, 4)


# Means of the normal with deviation 0.1 truncated to [0, 1], by numerical integration.
@pytest.mark.parametrize(
    ("rate", "mean"),
    [(0.0, 0.0798), (0.1, 0.1288), (0.2, 0.2055), (0.3, 0.3004), (0.4, 0.4), (0.6, 0.6), (0.8, 0.7945), (1.0, 0.9202)],
)
@pytest.mark.filterwarnings("ignore::noiseproof.errors.NoiseWarning")
def test_pdn_has_the_rate_of_the_truncated_normal(rate: float, mean: float) -> None:
    grid = np.linspace(0, 1, 100_001)
    density = np.exp(-0.5 * ((grid - rate) / 0.1) ** 2)
    assert (grid * density).sum() / density.sum() == pytest.approx(mean, abs=1e-4)
    assert instance._truncated_mean(rate) == pytest.approx(mean, abs=5e-5)
    count = 100_000
    noisy = instance_dependent(RANDOM.normal(size=(count, 2)), np.arange(count) % 3, rate, num_classes=3, seed=1)
    assert noisy.expected_rate == pytest.approx(mean, abs=5 * 0.1 / math.sqrt(count) + 5e-5)
    assert noisy.rate == pytest.approx(noisy.expected_rate, abs=5 * 0.5 / math.sqrt(count))
    assert noisy.requested_rate == rate


def test_draws_of_the_truncated_normal_stay_inside_at_the_ends() -> None:
    ends = np.array([0.0, 0.5, np.nextafter(1, 0)])
    for rate in (0.0, 0.05, 0.5, 1.0):
        drawn = instance._truncated_normal(rate, ends)
        assert (drawn >= 0).all()
        assert (drawn <= 1).all()
        assert (np.diff(drawn) > 0).all()


@settings(max_examples=40)
@given(
    st.integers(1, 60), st.integers(2, 6), st.floats(0, 1), st.integers(0, 2**32), st.sampled_from(VARIANTS), st.data()
)
def test_counts_targets_and_rows(
    count: int, classes: int, rate: float, seed: int, variant: noise.InstanceVariant, given_data: st.DataObject
) -> None:
    labels = np.array(given_data.draw(st.lists(st.integers(0, classes - 1), min_size=count, max_size=count)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoiseWarning)
        noisy = instance_dependent(IMAGES[:count], labels, rate, num_classes=classes, seed=seed, variant=variant)
    np.testing.assert_allclose(noisy.matrix.dense().sum(1), 1, atol=1e-12)
    absent = np.bincount(labels, minlength=classes) == 0
    assert (noisy.matrix.dense()[absent] == np.eye(classes)[absent]).all()
    if variant == "fixed-subset":
        # Every chosen sample is wrong: were the own class ever drawn as a target, one would be missing.
        assert noisy.mask.sum() == math.floor(rate * count + 1e-9)
        assert noisy.expected_rate == pytest.approx(noisy.rate, abs=1e-7)


def test_the_fixed_subset_is_drawn_uniformly() -> None:
    chosen = sum(
        instance_dependent(IMAGES, LABELS, 0.4, num_classes=5, seed=seed, variant="fixed-subset").mask
        for seed in range(200)
    )
    assert np.abs(chosen / 200 - 0.4).max() < 5 * math.sqrt(0.24 / 200)


def test_a_decimal_rate_that_binary_cannot_hold_is_not_cut() -> None:
    noisy = instance_dependent(IMAGES[:100], LABELS[:100], 0.29, num_classes=5, variant="fixed-subset")
    assert 0.29 * 100 < 29
    assert noisy.mask.sum() == 29


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), ((120.0, 110.0, 100.0), (60.0, 61.0, 62.0))])
def test_integers_give_the_same_bytes_however_they_are_batched(
    variant: noise.InstanceVariant, mean: object, std: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for size in (1, 48 * 7, 48 * 64, 2**22):
        monkeypatch.setattr(instance, "_BATCH_NUMBERS", size)
        made.append(instance_dependent(IMAGES, LABELS, 0.4, num_classes=5, seed=2, variant=variant, mean=mean, std=std))
    assert len({noisy.checksum for noisy in made}) == 1


def test_same_seed_same_bytes_other_seed_other_bytes() -> None:
    one, same, other = (instance_dependent(IMAGES, LABELS, 0.4, num_classes=5, seed=s).labels for s in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
    # The stream is fixed for good: results that name a seed can be repeated with later versions.
    with pytest.warns(NoiseWarning, match=r"2 of 12 labels go to classes that no sample has \(4 of 5\)"):
        fixed = [instance_dependent(IMAGES[:12], LABELS[:12], 0.4, num_classes=5, seed=1, variant=v) for v in VARIANTS]
    assert [noisy.labels.tolist() for noisy in fixed] == FIXED


FIXED = [
    [3, 2, 0, 2, 1, 1, 1, 1, 2, 2, 0, 1],
    [1, 2, 2, 4, 2, 3, 1, 1, 4, 1, 0, 1],
]


def test_layout_and_container_do_not_matter() -> None:
    noisy = instance_dependent(IMAGES, LABELS, 0.4, num_classes=5)
    for same in (IMAGES.reshape(300, 48), np.asfortranarray(IMAGES), IMAGES.astype(np.float32), IMAGES.astype(int)):
        assert instance_dependent(same, LABELS, 0.4, num_classes=5).checksum == noisy.checksum


@pytest.mark.filterwarnings("ignore::noiseproof.errors.NoiseWarning")
def test_a_class_has_its_projection_whatever_the_others_are() -> None:
    """Samples of one class get the same targets with and without those of the other classes around them."""
    everything = instance_dependent(IMAGES, LABELS, 1.0, num_classes=5, variant="fixed-subset", std=1e4)
    of_two = LABELS == 2
    alone = instance_dependent(IMAGES[of_two], LABELS[of_two], 1.0, num_classes=5, variant="fixed-subset", std=1e4)
    np.testing.assert_allclose(everything.matrix[2], alone.matrix[2], atol=1e-12)


def test_standardizing_inside_is_standardizing_outside() -> None:
    mean, std = np.array([120.0, 110.0, 100.0]), np.array([60.0, 65.0, 70.0])
    inside = instance_dependent(IMAGES, LABELS, 0.4, num_classes=5, mean=mean, std=std)
    outside = instance_dependent((IMAGES - mean) / std, LABELS, 0.4, num_classes=5)
    assert (inside.labels == outside.labels).all()
    np.testing.assert_allclose(inside.matrix, outside.matrix, atol=1e-4)


@pytest.mark.filterwarnings("ignore::noiseproof.errors.NoiseWarning")
def test_equal_samples_of_a_class_get_equal_targets_where_the_scale_makes_them_sure() -> None:
    twice = instance_dependent(
        np.repeat(IMAGES[:40], 2, 0), np.repeat(LABELS[:40], 2), 1.0, num_classes=5, variant="fixed-subset", std=0.1
    )
    assert (twice.labels[::2] == twice.labels[1::2]).mean() > 0.9


@pytest.mark.parametrize(
    ("inputs", "labels", "keywords", "error", "message"),
    [
        (IMAGES[:2], [0], {}, DataError, "2 inputs for 1 labels"),
        (IMAGES[:0], [], {}, DataError, r"shape \(0, 4, 4, 3\): expected .* at least one sample"),
        (np.zeros((2, 0)), [0, 1], {}, DataError, r"shape \(2, 0\): expected"),
        (np.zeros(2), [0, 1], {}, DataError, r"shape \(2,\): expected \(N, ...\)"),
        ([["a"], ["b"]], [0, 1], {}, DataError, "inputs are <U1: expected numbers"),
        (np.zeros((2, 2), bool), [0, 1], {}, DataError, "inputs are bool"),
        ([[0.0, 1.0], [np.nan, 1.0]], [0, 1], {}, DataError, "inputs of sample 1 .* are not all finite"),
        ([[0.0, np.inf], [0.0, 1.0]], [0, 1], {}, DataError, "inputs of sample 0 .* are not all finite"),
        ([[0.0, 1e308], [0.0, 1.0]], [0, 1], {}, DataError, "inputs of sample 0 are too large"),
        (IMAGES[:2], [0, 3], {}, LabelError, "label 3 at index 1"),
        (IMAGES[:2], [0.0, 1.0], {}, LabelError, "labels are float64"),
        (IMAGES[:2], [0, 1], {"rate": 40}, LabelError, "for 40 % write 0.4"),
        (IMAGES[:2], [0, 1], {"variant": "pnd"}, LabelError, "unknown variant 'pnd'; did you mean 'pdn'"),
        (IMAGES[:2], [0, 1], {"variant": "published"}, LabelError, "unknown variant 'published'"),
        (IMAGES[:2], [0, 1], {"mean": [1.0, 2.0]}, DataError, "do not fit samples of shape"),
        (IMAGES[:2], [0, 1], {"std": 0.0}, DataError, "deviations above 0"),
        (IMAGES[:2], [0, 1], {"mean": np.nan}, DataError, "expected finite numbers"),
    ],
)
def test_bad_input_is_named(
    inputs: object, labels: object, keywords: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        instance_dependent(inputs, labels, **{"rate": 0.4, "num_classes": 3, "seed": 5, **keywords})


@pytest.mark.parametrize("variant", VARIANTS)
def test_most_samples_lost_is_one_warning(variant: noise.InstanceVariant) -> None:
    with pytest.warns(NoiseWarning) as caught:
        noisy = instance_dependent(IMAGES, LABELS, 0.6, num_classes=5, variant=variant)
    (warning,) = caught
    share = 84.1 if variant == "pdn" else 100
    found = float(str(warning.message).split("for ")[1].split("%")[0])
    assert found == pytest.approx(share, abs=6)
    assert warning.filename == __file__
    assert noisy.expected_rate == pytest.approx(0.6, abs=0.02)


def test_a_lost_class_is_warned_of_where_most_samples_are_not() -> None:
    """One class of a few equal samples whose only target is the other class."""
    labels = np.repeat([0, 1], [290, 10])
    rate = 0.45
    seeds = (s for s in range(100) if _rates_of_the_last(s, rate).mean() > 0.51)
    with pytest.warns(NoiseWarning, match="clean labels do not dominate in 1 of 2 classes: class 1"):
        instance_dependent(IMAGES, labels, rate, num_classes=2, seed=next(seeds))


def _rates_of_the_last(seed: int, rate: float) -> np.ndarray:
    draws = numpy_stream(seed, "noise", "instance", "pdn").random(300)
    return instance._truncated_normal(rate, draws)[-10:]


def test_a_rate_that_truncation_moves_is_warned_of() -> None:
    with pytest.warns(NoiseWarning, match=r"around 10.00% that is truncated to \[0, 1\] is 12\.88% on average"):
        noisy = instance_dependent(IMAGES, LABELS, 0.1, num_classes=5)
    assert "requested 10.00%, expected 1" in str(noisy)
    instance_dependent(IMAGES, LABELS, 0.1, num_classes=5, variant="fixed-subset")


def test_a_manifest_reads_back(tmp_path: Path) -> None:
    noisy = instance_dependent(IMAGES, LABELS, 0.3, num_classes=5)
    noisy.save(tmp_path / "noise.json")
    again = noise.load(tmp_path / "noise.json")
    assert again.checksum == noisy.checksum
    assert again.mode == "pdn"


@pytest.mark.data
@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning", "ignore::noiseproof.errors.NoiseWarning")
def test_the_fixed_subset_of_standardized_images_is_like_the_published_lists(cifar_dir: Path) -> None:
    """The most likely wrong label of a class: 0.11 to 0.25 at 0.6 in the lists; raw pixels reach 0.5."""
    cifar = data.cifar10(cifar_dir)
    images, labels = cifar.train.inputs[:20_000], cifar.train.labels[:20_000]

    def targets(**scale: object) -> np.ndarray:
        made = instance_dependent(images, labels, 0.6, num_classes=10, variant="fixed-subset", **scale)
        assert made.rate == 0.6
        return made.matrix.largest_other

    listed = data.label_list(cifar_dir / "published-labels" / "cifar10_dependent_0.6.json")
    published = noise.NoisyLabels.observed(listed, cifar.train.labels, 10, "published").matrix
    spread = published.largest_other
    standardized = targets(mean=cifar.mean, std=cifar.std)
    assert standardized.max() < 0.3
    assert standardized.mean() == pytest.approx(spread.mean(), abs=0.04)
    assert targets().max() > 0.45
