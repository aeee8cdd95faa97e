from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noiseproof import container, noise
from noiseproof.errors import LabelError, RunError


@settings(max_examples=25)
@given(st.integers(2, 7), st.floats(0, 1), st.integers(0, 2**31), st.sampled_from(["exact", "iid"]))
def test_a_manifest_reads_back(
    tmp_path_factory: pytest.TempPathFactory, classes: int, rate: float, seed: int, mode: noise.Mode
) -> None:
    import warnings

    path = tmp_path_factory.mktemp("manifest") / "noise.json"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        noisy = noise.symmetric(np.arange(60) % classes, rate, num_classes=classes, seed=seed, mode=mode)
    noisy.save(path)
    again = noise.load(path)
    for name in ("labels", "clean", "matrix", "mask"):
        assert (getattr(again, name) == getattr(noisy, name)).all()
    for name in ("kind", "mode", "requested_rate", "rate", "seed", "checksum"):
        assert getattr(again, name) == getattr(noisy, name)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    noise.symmetric(np.arange(100) % 5, 0.2, num_classes=5).save(tmp_path / "noise.json")
    return tmp_path / "noise.json"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 7}, "was changed after it was written"),
        ({"labels": [0] * 100}, "was changed after it was written"),
        ({"rate": 0.3}, "was changed after it was written"),
        ({"labels": "abc"}, "was changed after it was written"),
        ({"format": "noiseproof-noise-1"}, "is of format 'noiseproof-noise-1', and this version of noiseproof reads"),
        ({"holds": "record"}, "it holds 'record': expected 'noise'"),
        ({"sha256": None}, "was changed after it was written"),
    ],
)
def test_a_changed_manifest_is_refused(manifest: Path, change: dict[str, object], message: str) -> None:
    values = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**values, **change}))
    with pytest.raises(LabelError, match=message):
        noise.load(manifest)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [9] * 100}, "label 9 at index 0"),
        ({"labels": [0]}, "1 noisy labels for 100 clean ones"),
        ({"labels": "abc"}, "labels are"),
        ({"labels": [10**400] * 100}, "an integer of 401 digits"),
        ({"matrix": [[1.0]]}, "shape"),
        ({"matrix": [[10**99]]}, "transition matrix"),
        ({"matrix": None}, "shape"),
        ({"seed": "7"}, "seed"),
    ],
)
def test_a_manifest_of_somebody_elses_making_is_checked(
    manifest: Path, change: dict[str, object], message: str
) -> None:
    values = container.read_document(manifest, "noise", line_per_key=True)
    manifest.write_text(container.write_document("noise", {**values, **change}, line_per_key=True))
    with pytest.raises(LabelError, match=message):
        noise.load(manifest)


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "list").write_text("[]")
    (tmp_path / "empty").write_text("{}")
    for name in ("text", "list", "empty"):
        with pytest.raises(LabelError, match="is no noise manifest"):
            noise.load(tmp_path / name)
    with pytest.raises(LabelError, match="cannot read"):
        noise.load(tmp_path / "absent")
    with pytest.raises(RunError, match="could not write"):
        noise.symmetric([0, 1], 0.0, num_classes=2).save(tmp_path / "no" / "such" / "folder")


def test_observed_noise_has_the_counted_matrix() -> None:
    noisy = noise.NoisyLabels.observed([0, 1, 1, 0], [0, 0, 1, 1], 3, "human")
    np.testing.assert_array_equal(noisy.matrix, [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]])
    assert noisy.rate == 0.5
    assert str(noisy) == "human noise, realized 50.00% (2 of 4 labels are wrong)"
    with pytest.raises(LabelError, match="2 noisy labels for 1 clean ones"):
        noise.NoisyLabels.observed([0, 1], [0], 3, "human")
    taken = noisy.take(np.array([1, 3]))
    assert taken.labels.tolist() == [1, 0]


def test_noise_needs_no_torch() -> None:
    code = "import sys, noiseproof.noise; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 10**400), ("seed", "1"), ("seed", True), ("labels", [10**30] * 100), ("labels", [10**400] * 100),
        ("labels", [[0]] * 100), ("labels", {}), ("labels", [0.5] * 100), ("matrix", [[10**400] * 5] * 5),
        ("matrix", [[10**99] * 5] * 5), ("matrix", [[{}] * 5] * 5), ("matrix", None), ("matrix", [[1], [1, 2]]),
        ("kind", 3), ("kind", None), ("mode", []), ("requested_rate", "x"), ("requested_rate", [0.1]), ("format", [1]),
    ],
)  # fmt: skip
def test_manifests_with_odd_values_are_refused(manifest: Path, key: str, value: object) -> None:
    values = {**json.loads(manifest.read_text()), key: value}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "set_int_max_str_digits", None, raising=False)
        manifest.write_text(json.dumps(values))
    with pytest.raises(LabelError, match=str(manifest)):
        noise.load(manifest)


@pytest.mark.parametrize(
    "text",
    ["null", "3", '"x"', "[" * 100_000, '{"a":' * 50_000, "", "\ufeff{}", "NaN", '{"format": 1, "format": 1}', "\0"],
)
def test_json_of_another_form_is_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "noise.json").write_text(text, encoding="utf-8")
    with pytest.raises(LabelError, match="noise.json"):
        noise.load(tmp_path / "noise.json")


def test_noise_over_very_many_classes_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    labels = np.arange(10_000)
    message = r"10,000 classes: .*100,000,000 numbers; expected at most 2,000 classes"
    with pytest.raises(LabelError, match=message):
        noise.symmetric(labels, 0.2, num_classes=10_000)
    with pytest.raises(LabelError, match=message):
        noise.asymmetric(labels, 0.2, {0: 1}, num_classes=10_000)
    with pytest.raises(LabelError, match=message):
        noise.NoisyLabels.observed(labels, labels, 10_000, "given")
    with pytest.raises(LabelError, match=r"10,000,000,000 classes"):
        noise.symmetric([0, 1], 0.2, num_classes=10**10)
    noisy = noise.symmetric(np.arange(2_000), 0.0, num_classes=2_000)
    noisy.save(tmp_path / "noise.json")
    assert noise.load(tmp_path / "noise.json").checksum == noisy.checksum


@pytest.mark.parametrize("path", [".", "..", "", "a\0b", "x" * 5_000])
def test_a_manifest_cannot_be_written_to_a_folder_or_an_odd_name(path: str) -> None:
    with pytest.raises(RunError, match="could not write"):
        noise.symmetric([0, 1], 0.0, num_classes=2).save(path)
