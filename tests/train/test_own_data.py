"""The recipes for data of one's own learn from small sets with wrong labels, as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from noiseproof.bench import load_grid
from noiseproof.train import Record, train

_WRONG = 0.2


def run(name: str, tmp_path: Path, data: dict[str, str], **changes: Any) -> Record:
    (recipe,) = load_grid(name, {"data": data, **changes}).recipes
    return train(recipe, tmp_path / "run", device="cpu", workers=0)


def mislabel(labels: np.ndarray, classes: int, random: np.random.Generator) -> np.ndarray:
    noisy = labels.copy()
    wrong = random.permutation(len(labels))[: round(_WRONG * len(labels))]
    noisy[wrong] = (noisy[wrong] + random.integers(1, classes, len(wrong))) % classes
    return noisy


def picture(label: int, side: int, random: np.random.Generator) -> Image.Image:
    """Stripes whose direction and width tell the class, at a random place, of a random color, with noise."""
    rows, columns = np.mgrid[:side, :side] / side
    along = rows if label % 2 else columns
    wave = np.sin(2 * np.pi * ((3 if label < 2 else 7) * along + random.random()))
    pixels = 128 + 60 * wave[..., None] * random.uniform(0.4, 1, 3) + random.normal(0, 30, (side, side, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(("method", "rows", "classes"), [("jal-ce", 100, 2), ("anl-ce", 300, 12)])
def test_own_arrays_are_learned(tmp_path: Path, method: str, rows: int, classes: int) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(rows + 500) % classes
    features = random.normal(size=(rows + 500, 10)) + 3 * random.normal(size=(classes, 10))[labels]
    features = features * 10.0 ** random.uniform(-4, 4, 10) + 1000  # in any units
    held = {"test_features": features[rows:], "test_labels": labels[rows:]}
    path = tmp_path / "own.npz"
    np.savez(path, features=features[:rows], labels=mislabel(labels[:rows], classes, random), **held)
    record = run("arrays", tmp_path, {"path": str(path)}, method=method)
    assert record.selected is not None
    assert record.selected.test_accuracy is not None
    assert record.selected.test_accuracy > 0.85


@pytest.mark.parametrize(("name", "side"), [("folder", 32), ("list", 150)])
def test_own_pictures_are_learned(tmp_path: Path, name: str, side: int) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(200) % 4
    named = {"train": mislabel(labels, 4, random), "test": labels[:40]}
    for part, told in named.items():
        lines = []
        for number, (label, right) in enumerate(zip(told, labels, strict=False)):
            path = tmp_path / "photos" / part / f"kind{label}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture(int(right), side, random).save(path)
            lines.append(f"{path.relative_to(tmp_path / 'photos')} {label}\n")
        (tmp_path / "photos" / f"{part}.txt").write_text("".join(lines))
    data = {"path": str(tmp_path / "photos")}
    if name == "list":
        data = {part: str(tmp_path / "photos" / f"{file}.txt") for part, file in (("path", "train"), ("test", "test"))}
    record = run(name, tmp_path, data, epochs=10)
    assert record.last is not None
    assert record.last.test_accuracy is not None
    assert record.last.test_accuracy > 0.7
