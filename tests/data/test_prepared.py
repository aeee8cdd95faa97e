"""What ``fit`` keeps of its data."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

import image_sets
from noiseproof.container import read_document, write_document
from noiseproof.data import Dataset, from_table, image_folder, in_memory, table_of
from noiseproof.data._prepared import read_prepared, write_prepared
from noiseproof.data.sources import read_source
from noiseproof.errors import DataError

FOLDS = np.arange(20) % 3 - 1


def features() -> Dataset:
    random = np.random.default_rng(0)
    dataset = in_memory(random.normal(size=(20, 3)), np.array(["a", "b"])[np.arange(20) % 2])
    return dataclasses.replace(
        dataset, sample_weight=random.random(20).astype(np.float32), trusted=random.random(20) < 0.5
    )


def table() -> Dataset:
    columns = [[None if row == 3 else row * 0.7 % 3, "xyz"[row % 3]] for row in range(20)]
    return from_table(table_of(columns), [10, 7] * 10, name="t")


def images() -> Dataset:
    random = np.random.default_rng(0)
    return in_memory(random.integers(0, 255, (20, 4, 4, 3), dtype=np.uint8), np.arange(20) % 2)


def files(place: Path) -> Dataset:
    for number in range(20):
        image_sets.write_image(place / f"photos/{'ab'[number % 2]}/é {number}.png", number % 2, number)
    return image_folder(place / "photos", image_size=32, resize=36)


@pytest.mark.parametrize("kind", ["features", "table", "images", "files"])
def test_what_was_written_is_read(kind: str, tmp_path: Path) -> None:
    dataset = files(tmp_path) if kind == "files" else {"features": features, "table": table, "images": images}[kind]()
    write_prepared(tmp_path, dataset, FOLDS)
    again = read_prepared(tmp_path)
    assert again.fingerprint == dataset.fingerprint
    assert (again.preprocessing, again.class_names, again.name, again.held_out) == (
        dataset.preprocessing,
        dataset.class_names,
        dataset.name,
        None,
    )
    first = read_source({"name": "prepared", "fold": 1}).load(tmp_path)
    assert first.held_out is not None
    assert first.held_out.tolist() == np.flatnonzero(FOLDS == 1).tolist()
    before = (tmp_path / "data.safetensors").read_bytes(), (tmp_path / "data.json").read_bytes()
    write_prepared(tmp_path, again, FOLDS)
    assert before == ((tmp_path / "data.safetensors").read_bytes(), (tmp_path / "data.json").read_bytes())


def test_a_fold_that_there_is_not(tmp_path: Path) -> None:
    write_prepared(tmp_path, features(), FOLDS)
    with pytest.raises(DataError, match="there is no fold 2; expected one of 0 to 1"):
        read_prepared(tmp_path, 2)
    with pytest.raises(DataError, match="cannot read the data in"):
        read_prepared(tmp_path / "nowhere")


def rewrite(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]], **described: Any) -> None:
    """Other arrays, with the hashes of these."""
    content = save(change(load((folder / "data.safetensors").read_bytes())))
    (folder / "data.safetensors").write_bytes(content)
    values = {**read_document(folder / "data.json", "data"), "arrays_sha256": hashlib.sha256(content).hexdigest()}
    (folder / "data.json").write_text(write_document("data", {**values, **described}))


ARRAYS: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
    lambda _: {},
    lambda arrays: {**arrays, "labels": arrays["labels"][:-1]},
    lambda arrays: {**arrays, "labels": arrays["labels"] + 5},
    lambda arrays: {**arrays, "labels": -arrays["labels"]},
    lambda arrays: {**arrays, "labels": arrays["labels"].astype(np.float32)},
    lambda arrays: {**arrays, "labels": arrays["labels"].astype(np.int32)},
    lambda arrays: {**arrays, "labels": arrays["labels"][:, None]},
    lambda arrays: {**arrays, "folds": arrays["folds"][:-1]},
    lambda arrays: {**arrays, "folds": arrays["folds"] - 5},
    lambda arrays: {**arrays, "folds": arrays["folds"].astype(np.float64)},
    lambda arrays: {**arrays, "inputs": arrays["inputs"][:, :-1]},
    lambda arrays: {**arrays, "inputs": arrays["inputs"][..., None, None]},
    lambda arrays: {**arrays, "sample_weight": -arrays["sample_weight"]},
    lambda arrays: {**arrays, "sample_weight": arrays["sample_weight"][:-1]},
    lambda arrays: {**arrays, "trusted": arrays["trusted"][:-1]},
    lambda arrays: {key: array for key, array in arrays.items() if key != "inputs"},
    lambda arrays: {key: np.zeros((), np.float32) for key in arrays},
]


@pytest.mark.parametrize("change", ARRAYS)
def test_arrays_that_do_not_fit_are_refused(change: Callable[[dict[str, Any]], dict[str, Any]], tmp_path: Path) -> None:
    write_prepared(tmp_path, features(), FOLDS)
    rewrite(tmp_path, change)
    with pytest.raises(DataError, match="cannot read the data in .* Restore the files, or fit again"):
        read_prepared(tmp_path)


@pytest.mark.parametrize(
    "described",
    [{"class_names": ["a"]}, {"class_names": ["a", "a"]}, {"class_names": 3}, {"preprocessing": {}}, {"name": None}],
)
def test_descriptions_that_do_not_fit_are_refused(described: dict[str, Any], tmp_path: Path) -> None:
    write_prepared(tmp_path, features(), FOLDS)
    rewrite(tmp_path, lambda arrays: arrays, **described)
    with pytest.raises(DataError, match="cannot read the data in"):
        read_prepared(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: {**arrays, "inputs": arrays["inputs"].astype(np.float32)},
        lambda arrays: {**arrays, "inputs": arrays["inputs"].reshape(20, -1)},
    ],
)
def test_images_that_are_none_are_refused(change: Callable[[dict[str, Any]], dict[str, Any]], tmp_path: Path) -> None:
    write_prepared(tmp_path, images(), FOLDS)
    rewrite(tmp_path, change)
    with pytest.raises(DataError, match="cannot read the data in"):
        read_prepared(tmp_path)


def paths_of(*names: bytes) -> np.ndarray:
    width = max(map(len, names))
    return np.frombuffer(b"".join(name.ljust(width, b"\0") for name in names), np.uint8).reshape(len(names), width)


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: {**arrays, "paths": paths_of(*[b"../secret.png"] * 20)},
        lambda arrays: {**arrays, "paths": paths_of(*[b"/etc/passwd"] * 20)},
        lambda arrays: {**arrays, "paths": arrays["paths"][:, 0]},
        lambda arrays: {**arrays, "paths": arrays["paths"].astype(np.int64)},
        lambda arrays: {**arrays, "sizes": arrays["sizes"][:-1]},
    ],
)
def test_paths_out_of_the_folder_are_refused(
    change: Callable[[dict[str, Any]], dict[str, Any]], tmp_path: Path
) -> None:
    write_prepared(tmp_path, files(tmp_path), FOLDS)
    rewrite(tmp_path, change)
    with pytest.raises(DataError):
        read_prepared(tmp_path)


@pytest.mark.parametrize("name", ["data.json", "data.safetensors"])
def test_a_byte_that_was_changed_is_noticed(name: str, tmp_path: Path) -> None:
    write_prepared(tmp_path, features(), FOLDS)
    content = bytearray((tmp_path / name).read_bytes())
    content[-8] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"was changed|expected|cannot read"):
        read_prepared(tmp_path)
    (tmp_path / name).write_bytes(content[:10])
    with pytest.raises(DataError):
        read_prepared(tmp_path)
