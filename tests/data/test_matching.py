"""A list of labels and the images it is about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import image_sets
from noiseproof.data import Dataset, arrays, image_folder, match_labels, read_label_list
from noiseproof.errors import DataError

COUNT = 12


@pytest.fixture
def pictures(tmp_path: Path) -> Dataset:
    """Two classes of twelve images each, whose names are not in their natural order."""
    for label, name in enumerate(("cat", "dog")):
        for number in range(COUNT):
            image_sets.write_image(tmp_path / "pictures" / "train" / name / f"{name}{number}.png", label, number)
    return image_folder(tmp_path / "pictures")


def listed(dataset: Dataset, path: Path, text: str) -> list[str]:
    path.write_text(text)
    positions = match_labels(read_label_list(path, "label" if "more" in text else None), dataset)
    return [dataset.class_names[position] for position in positions]


def pairs(form: str) -> list[tuple[str, str]]:
    """Every image in its natural order, in one way of naming it, with a label that its number tells."""
    return [
        (form.format(name=name, number=number, root="pictures"), ("cat", "dog")[number % 2])
        for name in ("cat", "dog")
        for number in range(COUNT)
    ]


def wanted(dataset: Dataset) -> list[str]:
    names = dataset.train.inputs.names(np.arange(len(dataset.train)))  # type: ignore[union-attr]
    return [("cat", "dog")[int(name.removesuffix(".png")[7:]) % 2] for name in names]


@pytest.mark.parametrize(
    "form",
    [
        "{name}/{name}{number}.png",
        "./{name}/{name}{number}.png",
        "{name}//{name}{number}.png",
        "{name}\\{name}{number}.png",
        "train/{name}/{name}{number}.png",
        "{root}/train/{name}/{name}{number}.png",
        "/elsewhere/{root}/train/{name}/{name}{number}.png",
        "{name}{number}.png",
        "{name}{number}",
        "{name}/{name}{number}",
    ],
)
@pytest.mark.parametrize("table", ["path,label\n{}", "{}", "more,image,label\n{}"])
def test_names_are_matched_to_the_images(pictures: Dataset, tmp_path: Path, form: str, table: str) -> None:
    rows = [f"{path},{label}" for path, label in pairs(form)]
    rows = [f"1,{row}" for row in rows] if "more" in table else rows
    assert listed(pictures, tmp_path / "a.csv", table.format("\n".join(rows))) == wanted(pictures)
    json = "{" + ", ".join(f'"{path}": "{label}"' for path, label in pairs(form)).replace("\\", "\\\\") + "}"
    assert listed(pictures, tmp_path / "a.json", json) == wanted(pictures)


def test_absolute_paths_of_this_machine_are_matched(pictures: Dataset, tmp_path: Path) -> None:
    root = pictures.train.inputs.root.absolute()  # type: ignore[union-attr]
    rows = [f"{root}/{path},{label}" for path, label in pairs("{name}/{name}{number}.png")]
    assert listed(pictures, tmp_path / "a.csv", "\n".join(rows)) == wanted(pictures)


def test_labels_by_number_and_in_order(pictures: Dataset, tmp_path: Path) -> None:
    labels = wanted(pictures)
    assert listed(pictures, tmp_path / "a.txt", "\n".join(labels)) == labels
    numbers = [str(["cat", "dog"].index(label)) for label in labels]
    assert listed(pictures, tmp_path / "a.txt", "\n".join(numbers)) == labels
    rows = [f"{place},{labels[place]}" for place in np.random.default_rng(0).permutation(len(labels))]
    assert listed(pictures, tmp_path / "a.csv", "index,label\n" + "\n".join(rows)) == labels


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [*rows, ("cat/other.png", "cat")], "1 of its 25 names are no training images .*cat/other.png"),
        (lambda rows: rows[:-2], r"2 of the 24 training images have no label in it \(such as dog/dog10.png, dog/dog11"),
        (lambda rows: [("x" + rows[0][0], "cat"), *rows[1:]], "1 of its 24 names .* and 1 of the 24 training images"),
        (lambda rows: [*rows, ("./" + rows[0][0], "dog")], "two labels for 1 training images .* cat/cat0.png"),
        (lambda rows: [*rows, ("test/cat/cat1.png", "dog")], "1 of its 25 names are no training images"),
        (lambda rows: [(f"a/{n}.png", label) for n, (_, label) in enumerate(rows)], "24 of its 24 names are no"),
        (lambda rows: [(path, "horse") for path, _ in rows], "label 'horse' .* is no class"),
    ],
)
def test_other_samples_are_refused(pictures: Dataset, tmp_path: Path, change: object, message: str) -> None:
    rows = change(pairs("{name}/{name}{number}.png"))  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        listed(pictures, tmp_path / "a.csv", "path,label\n" + "\n".join(f"{path},{label}" for path, label in rows))


def test_base_names_that_are_there_twice_are_refused(tmp_path: Path) -> None:
    for label, name in enumerate(("cat", "dog")):
        for number in range(3):
            image_sets.write_image(tmp_path / "pictures" / name / f"{number}.png", label, number)
    dataset = image_folder(tmp_path / "pictures")
    with pytest.raises(DataError, match="6 of its 6 names are no training images"):
        listed(
            dataset, tmp_path / "a.csv", "file,label\n0.png,cat\n1.png,cat\n2.png,cat\n0.jpg,dog\n1.jpg,dog\n2.jpg,dog"
        )


def test_numbers_that_are_names_of_files(tmp_path: Path) -> None:
    for label, name in enumerate(("cat", "dog")):
        for number in range(8):
            image_sets.write_image(tmp_path / "pictures" / name / f"{8 * label + number + 5}.png", label, number)
    dataset = image_folder(tmp_path / "pictures")
    names = dataset.train.inputs.names(np.arange(16))  # type: ignore[union-attr]
    numbers = [int(name[4:-4]) for name in names]
    rows = [f"{number},{('cat', 'dog')[number % 2]}" for number in range(5, 21)]
    found = listed(dataset, tmp_path / "a.csv", "id,label\n" + "\n".join(rows))
    assert found == [("cat", "dog")[number % 2] for number in numbers]
    for path in sorted((tmp_path / "pictures").rglob("*.png"), key=lambda path: int(path.stem)):
        path.rename(path.with_name(f"{int(path.stem) - 5}.png"))
    rows = [f"{number},cat" for number in range(16)]
    with pytest.raises(DataError, match="could be the order of the training images or their files' names"):
        listed(image_folder(tmp_path / "pictures"), tmp_path / "a.csv", "index,label\n" + "\n".join(rows))


def test_data_without_names_take_numbers_and_no_names(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "mine.npz", features=random.normal(size=(12, 3)), labels=np.resize(["a", "b", "c"], 12))
    dataset = arrays(tmp_path / "mine.npz")
    rows = [f"{place},{'abc'[place % 3]}" for place in random.permutation(12)]
    assert listed(dataset, tmp_path / "a.csv", "id,label\n" + "\n".join(rows)) == ["a", "b", "c"] * 4
    with pytest.raises(DataError, match="names its samples .such as 'x/0.png'., and those of mine have no names"):
        listed(dataset, tmp_path / "a.csv", "path,label\n" + "\n".join(f"x/{place}.png,a" for place in range(12)))
    with pytest.raises(DataError, match="11 labels, which do not fit the 12 training samples"):
        listed(dataset, tmp_path / "a.txt", "a\n" * 11)
    with pytest.raises(DataError, match="its index runs from 1 to 12"):
        listed(dataset, tmp_path / "a.csv", "id,label\n" + "\n".join(f"{place + 1},a" for place in range(12)))
