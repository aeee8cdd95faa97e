from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from noiseproof.data import cifar10, label_list
from noiseproof.errors import DataError
from noiseproof.noise import NoisyLabels, published_mapping
from noiseproof.theory import amse_threshold_matrix

LABELS = [3, 0, 2, 2, 1]
SHUFFLED = "4,1\n0,3\n2,2\n1,0\n3,2\n"


@pytest.mark.parametrize(
    ("name", "text", "column"),
    [
        ("a.json", json.dumps(LABELS), None),
        ("A.JSON", json.dumps(LABELS), None),
        ("a.json", json.dumps({"noisy": LABELS, "clean": [0] * 5}), "noisy"),
        ("a.json", json.dumps({"noisy": LABELS}), None),
        ("a.txt", "3\n0\n2\n2\n1\n", None),
        ("a.txt", "\ufeff# made by hand\n3\n0\n\n2\n 2 \n1", None),
        ("a.csv", "label\n3\n0\n2\n2\n1\n", None),
        ("a.csv", "label\n3\n0\n2\n2\n1\n", "label"),
        ("a.csv", SHUFFLED, None),
        ("a.csv", SHUFFLED.replace(",", ";"), None),
        ("a.txt", SHUFFLED.replace(",", "\t"), None),
        ("a.txt", SHUFFLED.replace(",", "  "), None),
        ("a.csv", "index,label\n" + SHUFFLED, None),
        ("a.csv", "Index,label\n" + SHUFFLED, "label"),
        ("a.csv", ",label\n" + SHUFFLED, "label"),
        ("a.csv", "file,label\na.png,3\nb.png,0\nc.png,2\nd.png,2\ne.png,1\n", "label"),
        ("a.csv", '"clean", "noisy"\n0, 3\n0, 0\n0, 2\n0, 2\n0, 1\n', "noisy"),
        ("a.csv", "label\r\n3\r\n0\r\n2\r\n2\r\n1\r\n", None),
    ],
)
def test_text_formats(tmp_path: Path, name: str, text: str, column: str | None) -> None:
    (tmp_path / name).write_text(text, newline="")
    labels = label_list(tmp_path / name, column)
    assert labels.tolist() == LABELS
    assert labels.dtype == np.int64


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "dog\ncat\ncat\ndog\n"),
        ("a.csv", "label\ndog\ncat\ncat\n"),
        ("a.csv", "path,species\na/2.jpg,dog\na/10.jpg,cat\nb/1.jpg,cat\n"),
        ("a.json", '{"2": "cat", "0": "dog", "1": "cat"}'),
        ("a.csv", "path,label\na/2.jpg,dog\na/10.jpg,cat\nb/1.jpg,cat\n"),
        ("a.csv", "a/2.jpg,dog\na/10.jpg,cat\nb/1.jpg,cat\n"),
        ("a.csv", "dog,a/2.jpg\ncat,a/10.jpg\ncat,b/1.jpg\n"),
        ("a.csv", "2,cat\n0,dog\n1,cat\n"),
        ("a.csv", ",label\n2,cat\n0,dog\n1,cat\n"),
        ("a.csv", "id;label\n2;cat\n0;dog\n1;cat\n"),
        ("a.csv", '"image","label","split"\n"a, b.png","dog","x"\n"c.png","cat","x"\n"d.png","cat","x"\n'),
        ("a.txt", "name\ndog\ncat\ncat\n"),
        ("a.json", '["dog", "cat", "cat"]'),
        ("a.json", '{"a.png": "dog", "b.png": "cat", "c.png": "cat"}'),
        ("a.json", '[{"file": "a.png", "y": "dog"}, {"file": "b.png", "y": "cat"}, {"file": "c.png", "y": "cat"}]'),
    ],
)  # fmt: skip
def test_labels_are_names_of_classes_too(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert label_list(tmp_path / name, "label" if "split" in text else None).tolist()[:3] == ["dog", "cat", "cat"]
    (tmp_path / "a.csv").write_text("y\nn\nn\ny\n")
    assert label_list(tmp_path / "a.csv").tolist() == ["y", "n", "n", "y"]
    (tmp_path / "a.csv").write_text("y\nred fox\nred cat\nred fox\n")
    assert label_list(tmp_path / "a.csv").tolist() == ["red fox", "red cat", "red fox"]
    (tmp_path / "a.csv").write_text("species\ndog\ncat\n")
    assert label_list(tmp_path / "a.csv", "species").tolist() == ["dog", "cat"]


def test_arrays_of_names_and_other_values(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array(["dog", "cat"]))
    assert label_list(tmp_path / "a.npy").tolist() == ["dog", "cat"]
    torch.save(["dog", "cat"], tmp_path / "a.pt")
    assert label_list(tmp_path / "a.pt").tolist() == ["dog", "cat"]
    for text, labels in (
        ("[1, 2.0]", [1, 2]),
        ("[true, false]", ["True", "False"]),
        ("[-1, 1]", [-1, 1]),
        (f"[{2**70}, 1]", [str(2**70), "1"]),
        ("[0.5, 1]", ["0.5", "1"]),
    ):
        (tmp_path / "a.json").write_text(text)
        assert label_list(tmp_path / "a.json").tolist() == labels


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.int16, np.uint8])
def test_arrays(tmp_path: Path, kind: type) -> None:
    array = np.array(LABELS, kind)
    np.save(tmp_path / "a.npy", array)
    torch.save(torch.from_numpy(array), tmp_path / "tensor.pt")
    torch.save(array, tmp_path / "array.pth")
    torch.save(LABELS, tmp_path / "list.pt")
    torch.save({"worse_label": array, "clean_label": LABELS}, tmp_path / "columns.pt")
    for name in ("a.npy", "tensor.pt", "array.pth", "list.pt"):
        assert label_list(tmp_path / name).tolist() == LABELS
    for column in ("worse_label", "clean_label"):
        assert label_list(str(tmp_path / "columns.pt"), column).tolist() == LABELS


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


@pytest.mark.parametrize("content", [_Evil(), [_Evil()], {"label": _Evil()}, np.array([_Evil()], object)])
def test_nothing_in_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, "a.pt")
    np.save("a.npy", np.array([content], object), allow_pickle=True)
    for name in ("a.pt", "a.npy"):
        with pytest.raises(
            DataError,
            match="refused: it holds more than arrays|cannot read (labels from )?a.(npy|pt): .*(objects|'O8')",
        ):
            label_list(name)
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    ("name", "text", "column", "message"),
    [
        ("a.mat", "", None, r"a.mat is no label list that can be read: expected .json \(a list of labels"),
        ("a", "", None, "is no label list"),
        ("a.json", "[1, 2", None, "a.json is no JSON: "),
        ("a.json", "[" * 100_000, None, "a.json is no JSON that can be read: it is nested too deep"),
        ("a.json", "[]", None, "holds no labels"),
        ("a.json", "3", None, "holds a int"),
        ("a.json", "[true, 1]", None, "some are not: expected one kind|truth values"),
        ("a.json", "[1, null]", None, "label 1 is None"),
        ("a.json", "[[1, 2]]", None, r"label 0 is \[1, 2\]"),
        ("a.json", '[{"a": 1}, {"b": 1}]', None, "objects with different keys"),
        ("a.json", "[1]", "noisy", "is one list without names: column 'noisy' cannot be chosen"),
        ("a.json", '{"noisy": [1], "clean": [1]}', None, "holds the columns clean, noisy: name the one to read"),
        ("a.json", '{"noisy": [1], "clean": [1]}', "nosy", "has no column 'nosy'; did you mean 'noisy'"),
        ("a.json", json.dumps({f"n{i}": [0] for i in range(99)}), None, "and 79 more: name the one"),
        ("a.txt", "dog\ncat\ncat\n", None, "first line, 'dog', could be a label or the name of a column"),
        ("a.csv", "a,dog\nb,cat\nc,cat\n", None, "first line, 'a, dog', could be"),
        ("a.txt", "", None, "holds no labels"),
        ("a.txt", "# nothing\n", None, "holds no labels"),
        ("a.csv", "label\n", None, "holds no labels"),
        ("a.csv", "1\n2\n", "label", "has no header: column 'label' cannot be chosen"),
        ("a.csv", "1,2,3\n", None, "3 columns and no header"),
        ("a.csv", "file,label\na.png,\nb.png,1\n", None, "label 0 is empty"),
        ("a.csv", "1,5\n2,6\n", None, "index runs from 1 to 2 over 2 rows; expected each of 0 … 1 once"),
        ("a.csv", "0,5\n0,6\n", None, "index runs from 0 to 0"),
        ("a.csv", "index,label\n0,5\n7,6\n", None, "index runs from 0 to 7"),
        ("a.csv", "index,label\n0,5\nx,6\n", None, "line 3: 'x' is no integer"),
        ("a.csv", "clean,noisy\n0,5\n7\n", None, "line 3: 1 fields where the first line has 2"),
        ("a.csv", "a,a\n0,5\n", None, "names a column twice"),
        ("a.csv", "clean,noisy\n0,5\n", None, "holds the columns clean, noisy"),
        ("a.txt", "red fox\nred cat\nred fox\n", None, "'red' and 'fox' could be a sample's name and its label"),
        ("a.csv", "1\n" + "9" * 200_000 + "\n", None, "cannot read labels from"),
    ],
)
def test_bad_text_is_named(tmp_path: Path, name: str, text: str, column: str | None, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        label_list(tmp_path / name, column)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.tensor([1.0, float("nan")]), "label 1 is nan"),
        (torch.zeros(3, dtype=torch.bfloat16), "a tensor of bfloat16"),
        (torch.zeros((3, 1), dtype=torch.long), r"labels have shape \(3, 1\)"),
        (torch.tensor(3), r"labels have shape \(\)"),
        (torch.zeros(0), "holds no labels"),
        ("text", "holds a str"),
        (np.zeros((2, 2), int), r"labels have shape \(2, 2\)"),
    ],
)
def test_bad_arrays_are_named(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(DataError, match=message):
        label_list(tmp_path / "a.pt")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    for name in ("a.json", "a.pt", "a.npy", "a.csv"):
        with pytest.raises(DataError, match="cannot read .*absent"):
            label_list(tmp_path / f"absent{name}")
        (tmp_path / name).write_bytes(b"\xff\xfePK\x03\x04")
        with pytest.raises(DataError, match=rf"cannot read .*{name}|{name} was refused|{name} is no "):
            label_list(tmp_path / name)
    np.savez(tmp_path / "b.npz", a=LABELS)
    (tmp_path / "b.npz").rename(tmp_path / "b.npy")
    with pytest.raises(DataError, match="is an archive of arrays"):
        label_list(tmp_path / "b.npy")


@given(st.binary(max_size=60), st.sampled_from(["json", "csv", "txt", "npy", "pt"]))
def test_anything_is_labels_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, ending: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{ending}"
    path.write_bytes(content)
    try:
        assert len(label_list(path))
    except DataError:
        pass


def clean_labels(folder: Path, classes: int) -> np.ndarray:
    return label_list(folder / f"CIFAR-{classes}_human.pt", "clean_label")


# The largest threshold of a over the classes, from the lists behind published figures.
@pytest.mark.data
@pytest.mark.parametrize(
    ("classes", "rate", "needed"),
    [(10, 0.2, 1.39), (10, 0.4, 2.35), (10, 0.6, 6.48), (100, 0.2, 1.43), (100, 0.4, 2.45), (100, 0.6, 12.8)],
)
def test_the_published_lists_flip_exactly_their_rate(cifar_dir: Path, classes: int, rate: float, needed: float) -> None:
    labels = label_list(cifar_dir / "published-labels" / f"cifar{classes}_dependent_{rate}.json")
    noisy = NoisyLabels.observed(labels, clean_labels(cifar_dir, classes), classes, "published")
    assert noisy.mask.sum() == round(rate * 50_000)
    assert amse_threshold_matrix(noisy.matrix).overall == pytest.approx(needed, rel=5e-3)
    assert np.abs(noisy.class_rates - rate).max() < (0.02 if classes == 10 else 0.1)


@pytest.mark.data
@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning")
def test_the_clean_labels_are_those_of_the_images(cifar_dir: Path) -> None:
    assert (clean_labels(cifar_dir, 10) == cifar10(cifar_dir).train.labels).all()


@pytest.mark.data
def test_the_superclass_map_is_that_of_the_coarse_labels(cifar_dir: Path) -> None:
    """The true map is the ring over each coarse class; six published flips stay inside one."""
    fine = clean_labels(cifar_dir, 100)
    coarse = label_list(cifar_dir / "CIFAR-100_human.pt", "clean_coarse_label")
    pairs = set(zip(fine.tolist(), coarse.tolist(), strict=True))
    assert len(pairs) == 100
    coarse_of = dict(pairs)
    rings = {}
    for group in range(20):
        members = sorted(label for label, of in coarse_of.items() if of == group)
        assert len(members) == 5
        rings |= dict(zip(members, [*members[1:], members[0]], strict=True))
    true, classes = published_mapping("cifar100", "true")
    assert classes == 100
    assert true == rings
    published, _ = published_mapping("cifar100", "published")
    inside = {label for label, target in published.items() if coarse_of[label] == coarse_of[target]}
    # bee -> beetle, cattle -> camel, leopard -> lion, porcupine -> possum, telephone -> television, tractor -> tank
    assert inside == {6, 19, 42, 63, 86, 89}
    assert {label: published[label] for label in inside} == {6: 7, 19: 15, 42: 43, 63: 64, 86: 87, 89: 85}
