"""``noiseproof predict``: what may be given, what is written, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import noiseproof
from noiseproof import cli
from noiseproof.train import make_recipe, train

NAMES = ["=1+1", "cat", 'ümlaut, "quoted"']


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on a table and one on images, and data to predict for."""
    folder = tmp_path_factory.mktemp("predict")
    random = np.random.default_rng(0)
    labels = np.arange(40) % 3
    features = random.normal(size=(40, 3)) + 3 * labels[:, None]
    np.savez(folder / "table.npz", features=features, labels=np.array(NAMES)[labels])
    images = (random.integers(0, 80, (40, 8, 8, 3)) + 80 * labels[:, None, None, None]).astype(np.uint8)
    np.savez(folder / "images.npz", images=images, labels=labels)
    for name in ("table", "images"):
        recipe = {"extends": "arrays", "data": {"path": str(folder / f"{name}.npz")}, "model": "mlp(hidden=8)"}
        train(make_recipe({**recipe, "epochs": 3}), folder / f"run-{name}", device="cpu", workers=0)
    for number in range(4):
        path = folder / "photos" / ("a b" if number else "") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[number]).save(path)
    np.savez(folder / "new.npz", features=features[:5], labels=labels[:5], customer=np.array(list("vwxyz")), other=[1])
    np.save(folder / "new.npy", features[:5])
    rows = [[f"c{n}", *row, label, "text"] for n, (row, label) in enumerate(zip(features[:5], labels, strict=False))]
    head = ["customer", "u", "v", "w", "label", "comment"]
    with (folder / "new.csv").open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    (folder / "bare.txt").write_text("\n".join(" ".join(map(str, row)) for row in features[:5].tolist()))
    return folder


def run(*arguments: Any, status: int = 0, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["predict", *map(str, arguments), "--device", "cpu"]) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("name", ["new.npz", "new.npy", "new.csv", "bare.txt"])
def test_a_table_in_every_form(trained: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(trained / "run-table", trained / name, "--out", tmp_path / "out.csv", capsys=capsys)
    assert out == f"5 of 5 inputs have a prediction: {tmp_path / 'out.csv'}\n"
    head, *rows = rows_of(tmp_path / "out.csv")
    assert head == ["key", "prediction", "probability", *(f"p:{name}" for name in sorted(NAMES))]
    predictor = noiseproof.load(trained / "run-table", device="cpu")
    inputs = np.load(trained / "new.npy")
    expected = predictor.predict_proba(inputs)
    np.testing.assert_allclose(np.array([row[3:] for row in rows], float), expected, rtol=1e-5, atol=1e-12)
    # A spreadsheet would run a name that begins with =; the apostrophe before it is no part of the name.
    assert [row[1].removeprefix("'") for row in rows] == predictor.predict(inputs).tolist()
    assert [float(row[2]) for row in rows] == pytest.approx(expected.max(1).tolist(), rel=1e-5)
    assert [row[0] for row in rows] == list("01234")


@pytest.mark.parametrize(("name", "keys"), [("new.npz", list("vwxyz")), ("new.csv", ["c0", "c1", "c2", "c3", "c4"])])
def test_keys_come_from_a_column(
    trained: Path, tmp_path: Path, name: str, keys: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = [trained / "run-table", trained / name, "--out", tmp_path / "out.csv", "--key"]
    run(*command, "customer", capsys=capsys)
    assert [row[0] for row in rows_of(tmp_path / "out.csv")[1:]] == keys
    assert "customr" in run(*command, "customr", "--force", status=2, capsys=capsys)


def test_a_prediction_can_be_withheld(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(
        trained / "run-table",
        trained / "new.csv",
        "--out",
        tmp_path / "out.csv",
        "--min-probability",
        "1",
        capsys=capsys,
    )
    assert out.startswith("0 of 5 inputs have a prediction")
    assert all(row[1] == "" and float(row[2]) > 0 for row in rows_of(tmp_path / "out.csv")[1:])


def test_nothing_is_written_over(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = tmp_path / "new.csv"
    given.write_bytes((trained / "new.csv").read_bytes())
    run(trained / "run-table", given, capsys=capsys)
    out = tmp_path / "new.csv.predictions.csv"
    before = out.read_bytes()
    out.write_text("precious")
    assert "is there already: give --force" in run(trained / "run-table", given, status=2, capsys=capsys)
    assert out.read_text() == "precious"
    run(trained / "run-table", given, "--force", capsys=capsys)
    assert out.read_bytes() == before


def test_parquet(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    run(
        trained / "run-table",
        trained / "new.csv",
        "--out",
        tmp_path / "out.parquet",
        "--key",
        "customer",
        capsys=capsys,
    )
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.column_names == ["key", "prediction", "probability", *(f"p:{name}" for name in sorted(NAMES))]
    predictor = noiseproof.load(trained / "run-table", device="cpu")
    inputs = np.load(trained / "new.npy")
    assert table["prediction"].to_pylist() == predictor.predict(inputs).tolist()
    assert table["key"].to_pylist() == ["c0", "c1", "c2", "c3", "c4"]
    np.testing.assert_allclose(table["p:cat"].to_numpy(), predictor.predict_proba(inputs)[:, 1], rtol=1e-6)


def test_images_in_every_form(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = ["0.png", "a b/1.png", "a b/2.png", "a b/3.png"]
    lists = {
        "plain.txt": "".join(f"{path}\n" for path in paths),
        "labels.txt": "".join(f"{path} {n}\n" for n, path in enumerate(paths)),
        "table.csv": "id,image,label\n" + "".join(f"{n},{path},cat\n" for n, path in enumerate(paths)),
    }
    predictor = noiseproof.load(trained / "run-images", device="cpu")
    expected = predictor.predict_proba(np.load(trained / "images.npz")["images"][:4])
    monkeypatch.chdir(trained / "photos")
    for name, text in {"folder": "", **lists}.items():
        given = Path()
        if text:
            given = tmp_path / name
            given.write_text(text)
        out = tmp_path / f"{name}.out.csv"
        run(trained / "run-images", given, "--root", ".", "--out", out, capsys=capsys)
        rows = rows_of(out)[1:]
        assert [row[0] for row in rows] == paths, name
        np.testing.assert_allclose(np.array([row[3:] for row in rows], float), expected, rtol=1e-5)
    run(trained / "run-images", "a b/1.png", "--out", tmp_path / "one.csv", capsys=capsys)
    assert rows_of(tmp_path / "one.csv")[1][0] == "a b/1.png"
    run(trained / "run-images", tmp_path / "table.csv", "--root", ".", "--key", "id", "--out", tmp_path / "k.csv",
        capsys=capsys)  # fmt: skip
    assert [row[0] for row in rows_of(tmp_path / "k.csv")[1:]] == list("0123")


def test_a_folder_is_named_beside_itself(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "1.png").write_bytes((trained / "photos/0.png").read_bytes())
    run(trained / "run-images", f"{folder}/", capsys=capsys)
    assert (tmp_path / "photos.predictions.csv").is_file()


@pytest.mark.filterwarnings("default::noiseproof.errors.DataWarning")
def test_a_feature_may_be_called_as_labels_are(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "xyz.csv").write_text("x,y,z\n1,2,3\n")
    command = ["predict", str(trained / "run-table"), str(tmp_path / "xyz.csv"), "--device", "cpu"]
    assert cli.main(command) == 0
    assert "y is taken for a feature" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("a,b\n1,2,3\n", "3 cells where 2 were expected"),
        ("a,b,c,d\n1,2,3,4\n", "has 4 columns of numbers (a, b, c, d) and the network takes 3 features"),
        ("a,b,c\n1,2,\n", "row 0: c is ''"),
        ("a,b,c\n1,x,3\n4,5,6\n", "row 0: b is 'x': expected a number"),
        ("a,b,c\n", "has no rows below its header"),
        ("a,b,c\n1,2,nan\n", "is nan: expected finite numbers"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    trained: Path, tmp_path: Path, text: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text(text)
    assert why in run(trained / "run-table", tmp_path / "bad.csv", status=2, capsys=capsys)
    assert not (tmp_path / "bad.csv.predictions.csv").exists()


def test_other_inputs_are_refused(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for given, why in (
        (tmp_path / "none.csv", "No such file"),
        (tmp_path / "model.pt", "cannot read inputs from"),
        (trained / "images.npz", "has no array 'features'"),
        (trained / "photos", "is a folder, and the network takes tables of 3 features"),
    ):
        assert why in run(trained / "run-table", given, "--out", tmp_path / "o.csv", status=2, capsys=capsys)
    text = run(trained / "run-images", trained / "new.csv", "--out", tmp_path / "o.csv", status=2, capsys=capsys)
    assert "names no images" in text
    (tmp_path / "out.txt").write_text("../../../etc/passwd.png\n")
    text = run(trained / "run-images", tmp_path / "out.txt", "--out", tmp_path / "o.csv", status=2, capsys=capsys)
    assert "expected a path inside" in text
    text = run(trained / "run-table", trained / "new.csv", "--out", tmp_path / "o.xls", status=2, capsys=capsys)
    assert "expected the name of a .csv or .parquet file" in text
