"""What was learned from a table with gaps and categories gives predictions for files, data frames and arrays."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import noiseproof
from noiseproof import cli, data
from noiseproof.container import write_document
from noiseproof.errors import DataError, DataWarning, RunError
from noiseproof.prediction import PREDICTOR, Predictor
from noiseproof.train import train

RECIPE = {"extends": "arrays", "data": "memory", "model": "mlp(hidden=16)", "epochs": 20, "validation": 0.0}


def _wines(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Wines whose quality is seen in their color, their age and whether their acidity was measured."""
    random = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    frame = pd.DataFrame(
        {
            "bottle": [f"B{number:04}" for number in range(rows)],
            "age": 3.0 * labels + random.normal(size=rows),
            "acidity": np.where(labels == 1, np.nan, random.normal(size=rows)),
            "color": np.array(["red", "white", "rosé"], object)[np.where(random.random(rows) < 0.9, labels, 0)],
            "organic": random.random(rows) < 0.5,
            "pressed": pd.to_datetime("2020-09-01") + pd.to_timedelta(random.integers(0, 900, rows), unit="D"),
        }
    )
    frame.loc[random.random(rows) < 0.1, "color"] = None
    return frame, np.array(["bad", "fair", "good"])[labels]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wines") / "run"
    frame, labels = _wines(150, seed=0)
    with pytest.warns(DataWarning, match="nothing is learned from free text, or names of rows, as bottle has"):
        dataset = data.from_table(data.table_of(frame, "wines"), labels, name="wines")
    train(RECIPE, folder, data=dataset, device="cpu")
    return folder


@pytest.fixture
def predictor(trained: Path) -> Predictor:
    return noiseproof.load(trained, device="cpu")


def test_files_and_data_frames_get_the_same_predictions(predictor: Predictor, tmp_path: Path) -> None:
    frame, labels = _wines(90, seed=1)
    expected = predictor.predict_proba(frame)
    assert (predictor.predict(frame) == labels).mean() > 0.9
    frame.to_csv(tmp_path / "new.csv", index=False)
    frame.to_csv(tmp_path / "new.tsv", index=False, sep="\t")
    frame.assign(quality=labels, remark="none").to_parquet(tmp_path / "new.parquet")
    for inputs in (
        tmp_path / "new.csv",
        tmp_path / "new.tsv",
        str(tmp_path / "new.parquet"),
        pa.Table.from_pandas(frame),
        frame[frame.columns[::-1]].drop(columns="bottle"),
        data.table_of(frame),
    ):
        np.testing.assert_array_equal(predictor.predict_proba(inputs), expected)
    # Row by row, as a service would ask.
    alone = [predictor.predict_proba(frame.iloc[[row]]) for row in range(10)]
    np.testing.assert_allclose(np.concatenate(alone), expected[:10], atol=1e-6)
    assert predictor.predict_proba(frame.iloc[:0]).shape == (0, 3)


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("key", [None, "bottle", "order"])
def test_the_command_names_rows(
    trained: Path, predictor: Predictor, tmp_path: Path, form: str, key: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    frame, _ = _wines(6, seed=2)
    frame["order"] = 2**60 + np.arange(6)
    path = tmp_path / f"new.{form}"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    options = [] if key is None else ["--key", key]
    assert cli.main(["predict", str(trained), str(path), "--device", "cpu", *options]) == 0
    assert "6 of 6 inputs have a prediction" in capsys.readouterr().out
    with (tmp_path / f"new.{form}.predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = range(6) if key is None else frame[key]
    assert [row["key"] for row in rows] == [str(value) for value in expected]
    assert [row["prediction"] for row in rows] == predictor.predict(frame).tolist()


def test_what_is_new_is_said(predictor: Predictor) -> None:
    frame, _ = _wines(6, seed=2)
    frame["color"] = frame["color"].where(frame.index != 2, "orange")
    frame.loc[3, "age"] = np.nan
    with pytest.warns(DataWarning) as caught:
        found = predictor.predict_proba(frame)
    texts = "".join(str(one.message) for one in caught)
    assert "inputs: values that are new to the network tell it nothing (color: 1 rows, 'orange')" in texts
    assert "inputs: gaps in columns that had none in training are filled (age: 1 rows)" in texts
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("age,color,organic,pressed\n1,red,True,2020-01-01\n", "lacks the columns acidity of the training table"),
        ("age,acidty,color,organic,pressed\n1,1,red,True,2020-01-01\n", r"acidity .*; did you mean 'acidty'\?"),
        (
            "age,acidity,color,organic,pressed\n1,1,red,True,2020-01-01\nold,1,red,True,2020-01-01\n",
            "age is 'old' in row 1",
        ),
        ("age,acidity,color,organic,pressed\n1,1,red,True,now\n", "pressed is 'now' in row 0: expected a date"),
        ("1.5,1,red,True,2020-01-01\n", "expected the names of the columns"),
    ],
)
def test_other_tables_are_refused(predictor: Predictor, tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "new.csv").write_text(text)
    with pytest.raises(DataError, match=why):
        predictor.predict(tmp_path / "new.csv")


def test_other_inputs_are_refused(predictor: Predictor, tmp_path: Path) -> None:
    frame, _ = _wines(6, seed=2)
    np.savez(tmp_path / "new.npz", features=np.zeros((2, 6)))
    frame.to_csv(tmp_path / "new.csv", index=False)
    for inputs, why in (
        (frame.to_numpy(), "inputs has 6 columns without names, .*: give a data frame"),
        (tmp_path / "new.npz", "features has 6 columns without names"),
        (tmp_path, "is a folder, and the network takes tables"),
        (tmp_path / "new.doc", r"\(.csv, .tsv, .txt, .parquet\)"),
    ):
        with pytest.raises(DataError, match=why):
            predictor.predict(inputs)
    with pytest.raises(DataError, match="has no column 'bottel'; did you mean 'bottle'"):
        data.read_unlabeled(tmp_path / "new.csv", predictor.preprocessing, key="bottel")


def test_a_network_of_an_array_takes_arrays(tmp_path: Path) -> None:
    frame, labels = _wines(150, seed=0)
    array = frame.drop(columns=["bottle", "pressed"]).to_numpy()
    train(RECIPE, tmp_path / "run", data=data.from_table(data.table_of(array), labels), device="cpu")
    predictor = noiseproof.load(tmp_path / "run", device="cpu")
    np.testing.assert_array_equal(predictor.predict(array.tolist()), predictor.predict(array))
    assert (predictor.predict(array) == labels).mean() > 0.8
    np.save(tmp_path / "new.npy", np.zeros((2, 3)))
    with pytest.raises(DataError, match=r"new.npy has 3 columns without names, .*: give 4 columns in this order"):
        predictor.predict(tmp_path / "new.npy")


def test_the_encoding_is_kept_with_the_network(trained: Path) -> None:
    frame, labels = _wines(150, seed=0)
    table = data.table_of(frame.drop(columns="bottle"))
    described = json.loads((trained / PREDICTOR).read_text())["preprocessing"]["encoding"]["columns"]
    assert [column["kind"] for column in described] == ["left out", "number", "number", "category", "category", "date"]
    read = noiseproof.load(trained, device="cpu").preprocessing.encoding
    assert read is not None
    assert replace(read, columns=read.columns[1:]) == data.from_table(table, labels).encoding


@pytest.mark.parametrize(
    "change",
    [
        {"columns": []},
        {"columns": [{"name": "a", "reason": "id", "kind": "left out"}]},
        {"columns": [{"name": "a", "values": ["x", "y"], "rare": False, "gaps": False, "kind": "category"}]},
        {"columns": [{"name": "a", "values": ["x", "y"], "rare": False, "gaps": False, "kind": "number"}]},
        {"columns": "x"},
    ],
)
def test_an_encoding_that_cannot_be_is_refused(trained: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    described = json.loads((trained / PREDICTOR).read_text())
    contents = {key: value for key, value in described.items() if key not in ("format", "holds", "sha256")}
    contents["preprocessing"]["encoding"] = change
    (tmp_path / PREDICTOR).write_text(write_document("predictor", contents))
    with pytest.raises(RunError, match="cannot read"):
        noiseproof.load(tmp_path, device="cpu")
