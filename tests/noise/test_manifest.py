from __future__ import annotations

import json
import re
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
    assert again.matrix == noisy.matrix
    for name in ("labels", "clean", "mask"):
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


def test_too_many_classes_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    message = r"10,000 classes: .*100,000,000 numbers; expected at most 2,000 classes"
    with pytest.raises(LabelError, match=message):
        noise.symmetric_matrix(0.2, 10_000).dense()
    with pytest.raises(LabelError, match=message):
        noise.from_matrix([0, 1], np.broadcast_to(1e-4, (10_000, 10_000)))
    with pytest.raises(LabelError, match=message):
        noise.instance_dependent(np.ones((2, 2)), [0, 1], 0.2, num_classes=10_000)
    with pytest.raises(LabelError, match=r"10,000,000,000 classes: expected at most 100,000,000"):
        noise.symmetric([0, 1], 0.2, num_classes=10**10)
    with pytest.raises(LabelError, match=message):
        noise.load(_document(tmp_path, [[1.0] * 10] * 10_000))


def _document(folder: Path, matrix: list[list[float]]) -> Path:
    values = {"kind": "a", "mode": "b", "requested_rate": None, "seed": None, "num_classes": 2, "rate": 0.0}
    text = container.write_document("noise", {**values, "matrix": matrix, "labels": [], "clean": []}, line_per_key=True)
    (folder / "noise.json").write_text(text)
    return folder / "noise.json"


@pytest.mark.parametrize("path", [".", "..", "", "a\0b", "x" * 5_000])
def test_a_manifest_cannot_be_written_to_a_folder_or_an_odd_name(path: str) -> None:
    with pytest.raises(RunError, match="could not write"):
        noise.symmetric([0, 1], 0.0, num_classes=2).save(path)


@pytest.fixture
def in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("noiseproof.noise._labels.MOST_LISTED", 50)
    noisy = noise.asymmetric(np.arange(300) % 300, 0.4, {0: 1, 7: 299}, num_classes=300, mode="iid", seed=9)
    noisy.save(tmp_path / "noise.json")
    return tmp_path / "noise.json"


def test_many_labels_or_classes_are_written_as_bytes(in_bytes: Path, tmp_path: Path) -> None:
    content = in_bytes.read_bytes()
    head = json.loads(content.partition(b"\n")[0])
    assert head["lengths"] == {"labels": 300, "clean": 300, "starts": 301, "columns": 302, "values": 302}
    again = noise.load(in_bytes)
    assert again.manifest() == content
    assert again.checksum == head["sha256"]
    assert again.labels.dtype == again.clean.dtype == np.uint16
    assert (again.kind, again.mode, again.requested_rate, again.seed) == ("asymmetric", "iid", 0.4, 9)
    assert again.matrix == noise.asymmetric_matrix(0.4, {0: 1, 7: 299}, 300)
    named = again.in_classes([f"class {number}" for number in range(300)])
    named.save(tmp_path / "named.json")
    assert noise.load(tmp_path / "named.json").class_names == named.class_names
    assert noise.load(tmp_path / "named.json").checksum == named.checksum != again.checksum
    # More classes than a dense matrix can have, and few labels.
    many = noise.symmetric(np.arange(3_000), 0.4, num_classes=3_000, mode="iid")
    many.save(tmp_path / "many.json")
    assert b"\n" in (tmp_path / "many.json").read_bytes()[:1000]
    assert noise.load(tmp_path / "many.json").checksum == many.checksum
    assert noise.load(tmp_path / "many.json").matrix == many.matrix


def test_a_manifest_in_bytes_that_was_changed_is_refused(in_bytes: Path) -> None:
    content = in_bytes.read_bytes()
    random = np.random.default_rng(0)
    for place in [*random.integers(0, len(content), 200), 0, len(content) - 1, content.index(b"\n")]:
        changed = bytearray(content)
        changed[place] ^= 1 << random.integers(8)
        in_bytes.write_bytes(changed)
        with pytest.raises(LabelError, match=re.escape(str(in_bytes))):
            noise.load(in_bytes)
    for other in (content[:-1], content + b"x", content[:100], content[: content.index(b"\n") + 1]):
        in_bytes.write_bytes(other)
        with pytest.raises(LabelError, match="is no noise manifest that can be read"):
            noise.load(in_bytes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_classes": 200}, "its arrays should have"),
        ({"num_classes": 299}, "no"),
        ({"num_classes": 10**12}, "1,000,000,000,000 classes"),
        ({"num_classes": 1}, "num_classes 1"),
        ({"num_classes": "300"}, "num_classes '300'"),
        ({"num_classes": None}, "num_classes None"),
        ({"constant": 1}, "constant 1"),
        ({"constant": 0.5}, "sums to"),
        ({"constant": -1.0}, "constant"),
        ({"constant": None}, "constant None"),
        ({"lengths": {"labels": 10**15}}, "expected the lengths"),
        ({"lengths": [1, 2, 3, 4, 5]}, "expected the lengths"),
        ({"lengths": {"labels": 10**15, "clean": 300, "starts": 301, "columns": 302, "values": 302}}, "a length"),
        ({"lengths": {"labels": -1, "clean": 300, "starts": 301, "columns": 302, "values": 302}}, "a length"),
        ({"lengths": {"labels": True, "clean": 300, "starts": 301, "columns": 302, "values": 302}}, "a length"),
        (
            {"lengths": {"labels": 299, "clean": 301, "starts": 301, "columns": 302, "values": 302}},
            "noise manifest|299",
        ),
        ({"lengths": {"labels": 300, "clean": 300, "starts": 0, "columns": 302, "values": 603}}, "order of its rows"),
        ({"lengths": None}, "expected the lengths"),
        ({"kind": 3}, "kind 3"),
        ({"seed": 1.5}, "seed"),
        ({"class_names": ["a"]}, "1 class_names for 300 classes"),
    ],
)
def test_a_manifest_in_bytes_of_somebody_elses_making_is_checked(
    in_bytes: Path, change: dict[str, object], message: str
) -> None:
    head, content = container.read_state(in_bytes.read_bytes(), "noise in bytes")
    in_bytes.write_bytes(b"".join(container.write_state("noise in bytes", {**head, **change}, content)))
    with pytest.raises(LabelError, match=message):
        noise.load(in_bytes)


@pytest.mark.parametrize("seed", range(40))
def test_any_bytes_in_the_place_of_a_manifests_are_labels_and_a_matrix_or_refused(in_bytes: Path, seed: int) -> None:
    head, content = container.read_state(in_bytes.read_bytes(), "noise in bytes")
    random = np.random.default_rng(seed)
    changed = bytearray(content)
    for place in random.integers(0, len(changed), 3):
        changed[place] = random.integers(256)
    in_bytes.write_bytes(b"".join(container.write_state("noise in bytes", head, memoryview(changed))))
    try:
        read = noise.load(in_bytes)
    except LabelError:
        return
    assert read.labels.max() < 300
    np.testing.assert_allclose(read.matrix @ np.ones(300), 1, atol=1e-6)
