"""Audits of what a fit, a run, a frozen network or somebody else says of labels."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import noiseproof
from noiseproof import cli
from noiseproof.auditing import load_audit
from noiseproof.errors import DataError, DataWarning, NoiseproofError, RunError
from noiseproof.fitted import audits
from noiseproof.fitting import audited_files, audited_folder, fit
from noiseproof.train import make_recipe, train

BUDGET = "400 updates"


def wines(count: int = 240, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """A table of which every sixth label is wrong, and which ones."""
    random = np.random.default_rng(seed)
    sugar, acid = random.normal(size=(2, count))
    color = random.choice(["red", "white"], count)
    good = sugar + 2 * (color == "red") > acid + 1
    wrong = np.arange(count) % 6 == 0
    frame = pd.DataFrame({"sugar": sugar, "acid": acid, "color": color})
    frame["quality"] = np.where(good != wrong, "good", "bad")
    return frame, wrong


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of a file of wines."""
    folder = tmp_path_factory.mktemp("wines")
    wines()[0].to_csv(folder / "wines.csv", index=False)
    fit(folder / "wines.csv", label="quality", budget=BUDGET, folder=folder / "wines.model", jobs=1, device="cpu")
    return folder


def page_of(folder: Path) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


def test_a_model_finds_wrong_labels(fitted: Path) -> None:
    _, wrong = wines()
    found = noiseproof.load(fitted / "wines.model").audit()  # type: ignore[union-attr]
    assert wrong[found.order[:20]].mean() >= 0.9
    table = found.table
    assert table["given"].tolist() == wines()[0]["quality"].tolist()
    assert table["key"].tolist() == [*range(240)]
    assert {"doubt", "epochs_wrong", "neighbor_1", "duplicates"} <= {*table}
    assert table["epochs_wrong"][wrong].mean() > table["epochs_wrong"][~wrong].mean()
    assert 0 < found.noise_rate.low <= found.noise_rate.high < 0.6
    assert found.per_class["given"].sum() == 240
    assert found.hashes is not None
    assert found.hashes.shape == (240, 16)


def test_an_audit_is_kept_and_read_back(fitted: Path, tmp_path: Path) -> None:
    found = noiseproof.load(fitted / "wines.model").audit()  # type: ignore[union-attr]
    names = found.save(tmp_path / "a", title="Wines")
    assert sorted(names) == sorted(path.name for path in (tmp_path / "a").iterdir())
    read = load_audit(tmp_path / "a")
    assert [*read.table] == [*found.table]
    for name, column in found.table.items():
        assert read.table[name].tolist() == column.tolist(), name
    assert read.labels_sha256 == found.labels_sha256
    assert read.noise_rate == found.noise_rate
    assert (read.transition_matrix == found.transition_matrix).all()
    assert read.per_class["suggested"].tolist() == found.per_class["suggested"].tolist()
    rows = pd.read_csv(tmp_path / "a" / "table.csv")
    assert rows["rank"].tolist() == found.table["rank"].tolist()
    assert rows["score"].to_numpy() == pytest.approx(found.table["score"], rel=1e-5)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    found.save(tmp_path / "a")
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    with pytest.raises(RunError, match="holds an audit of other labels or with other options"):
        noiseproof.load(fitted / "wines.model").audit(score="self-confidence").save(tmp_path / "a")  # type: ignore[union-attr]


def test_a_changed_file_of_an_audit_is_refused(fitted: Path, tmp_path: Path) -> None:
    noiseproof.load(fitted / "wines.model").audit().save(tmp_path / "a")  # type: ignore[union-attr]
    path = tmp_path / "a" / "audit.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(RunError, match=r"audit.safetensors was changed"):
        load_audit(tmp_path / "a")
    with pytest.raises(RunError, match="is no audit: there is no audit.json"):
        load_audit(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="is there already and is no audit"):
        noiseproof.load(fitted / "wines.model").audit().save(tmp_path / "b")  # type: ignore[union-attr]


def test_the_command_audits_a_model(
    fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["audit", str(fitted / "wines.model")]) == 0
    out = capsys.readouterr().out
    assert "The most suspicious of 240 labels" in out
    assert "of the labels may be wrong. This is no estimate" in out
    assert "noiseproof review wines.audit" in out
    again = (tmp_path / "wines.audit" / "index.html").stat().st_mtime_ns
    assert cli.main(["audit", str(fitted / "wines.model")]) == 0
    assert capsys.readouterr().out == out
    assert (tmp_path / "wines.audit" / "index.html").stat().st_mtime_ns == again
    assert cli.main(["audit", str(fitted / "wines.model"), "--score", "self-confidence"]) == 2
    assert "choose another folder (--out)" in capsys.readouterr().err


def test_what_is_checked_is_left_out(fitted: Path, tmp_path: Path) -> None:
    found = noiseproof.load(fitted / "wines.model").audit()  # type: ignore[union-attr]
    rows = found.order[:5].tolist()
    lines = ["key,row_hash,given,decided,action,queue"]
    assert found.hashes is not None
    for row in rows:
        table = found.table
        hashed = found.hashes[row, :8].tobytes().hex()
        lines.append(f"{row},{hashed},{table['given'][row]},{table['suggested'][row]},relabel,suspicious")
    (tmp_path / "corrections.csv").write_text("\n".join(lines) + "\n")
    found.save(tmp_path / "a")
    found.save(tmp_path / "b", corrections=tmp_path / "corrections.csv")
    assert page_of(tmp_path / "a") != page_of(tmp_path / "b")
    assert "data-before" not in page_of(tmp_path / "a")
    assert "data-before" in page_of(tmp_path / "b")


def test_a_model_without_its_training_cannot_be_audited(fitted: Path, tmp_path: Path) -> None:
    model = noiseproof.load(fitted / "wines.model")
    model.save(tmp_path / "small.model", training=False)  # type: ignore[union-attr]
    with pytest.raises(RunError, match="has nothing to audit labels by"):
        noiseproof.load(tmp_path / "small.model").audit()  # type: ignore[union-attr]


def test_data_that_changed_since_are_not_shown(fitted: Path, tmp_path: Path) -> None:
    path = fitted / "wines.csv"
    before = path.read_bytes()
    found = noiseproof.load(fitted / "wines.model").audit()  # type: ignore[union-attr]
    try:
        path.write_bytes(before + b"1,2,red,good\n")
        with pytest.warns(UserWarning, match="was changed since the fit: the page shows labels and probabilities"):
            found.save(tmp_path / "a")
    finally:
        path.write_bytes(before)
    found.save(tmp_path / "b")
    assert len(page_of(tmp_path / "b")) > len(page_of(tmp_path / "a")) + 1000


def test_data_in_memory_are_shown(tmp_path: Path) -> None:
    frame, _ = wines(80)
    model = fit(frame, label="quality", budget="30 updates", jobs=1, device="cpu")
    found = model.audit()
    found.save(tmp_path / "frame")
    images = np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8)
    labels = np.arange(40) % 2
    images[labels == 1, :4] //= 3
    small: dict[str, Any] = {"budget": "10 updates", "jobs": 1, "device": "cpu", "features": False}
    fit(images, labels, **small).audit().save(tmp_path / "images")
    assert (tmp_path / "images" / "index.html").stat().st_size > 20_000


DIGITS: dict[str, Any] = {"extends": "digits", "epochs": 3, "data": {"name": "digits", "train_size": 200}}


@pytest.mark.parametrize("validation", [0, 0.1])
def test_a_run_that_kept_its_samples(tmp_path: Path, validation: float) -> None:
    more = {"samples": "scores", "validation": validation, "noise": {"kind": "symmetric", "rate": 0.2}}
    record = train(make_recipe({**DIGITS, **more}), tmp_path)
    assert record.folder is not None
    found = audited_folder(record.folder).audit("log-margin", False)
    assert len(found) == 200
    assert found.classes.tolist() == [*range(10)]
    found.save(tmp_path / "a")
    assert cli.main(["audit", str(record.folder), "--out", str(tmp_path / "b")]) == 0
    assert load_audit(tmp_path / "b").table["score"].tolist() == found.table["score"].tolist()


def test_a_run_that_kept_nothing(tmp_path: Path) -> None:
    record = train(make_recipe({**DIGITS, "epochs": 1}), tmp_path)
    assert record.folder is not None
    with pytest.raises(RunError, match="kept nothing of each sample"):
        audited_folder(record.folder).audit("log-margin", False)


def photos(folder: Path, count: int = 24) -> list[str]:
    """Two folders of images by color, with one image in each that belongs into the other; their paths."""
    random = np.random.default_rng(0)
    for place in range(count):
        is_red = place % 2 == 0
        pixels = random.integers(0, 60, (24, 24, 3))
        pixels[..., 0 if is_red else 2] += 180
        moved = place in (4, 7)
        path = folder / ("red" if is_red != moved else "blue") / f"{place:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return ["blue/04.png", "red/07.png"]


@pytest.mark.filterwarnings("always:.*cannot be read")
def test_images_without_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    monkeypatch.chdir(tmp_path)
    moved = photos(tmp_path / "photos")
    (tmp_path / "photos" / "red" / "99.png").write_bytes(b"no image")
    assert cli.main(["audit", "photos", "--features", "--device", "cpu"]) == 0
    assert "warning: 1 image cannot be read" in capsys.readouterr().err
    found = load_audit("photos.audit")
    assert sorted(found.table["key"][found.order[:2]].tolist()) == moved
    assert found.table["score"][found.table["key"] == "red/99.png"].tolist() == [0.5]
    assert "../photos" in page_of(Path("photos.audit"))
    assert cli.main(["audit", "photos"]) == 2


def test_neither_model_nor_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no"):
        audited_folder(tmp_path / "nothing")
    with pytest.raises(DataError, match="is no folder of a model or of a run. Fit a model of the data first"):
        audited_folder(tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Labels and probabilities of six samples, in two orders, with keys that join them."""
    (tmp_path / "labels.csv").write_text("id,label,site\na,cat,x\nb,dog,x\nc,cat,y\nd,owl,y\ne,dog,z\nf,cat,z\n")
    probs = pd.DataFrame({"p:cat": [0.1, 0.9, 0.9, 0.1, 0.1, 0.9], "p:dog": [0.9, 0.1, 0.1, 0.1, 0.9, 0.1]})
    probs.insert(0, "id", ["e", "f", "c", "d", "b", "a"])
    probs.loc[5, ["p:cat", "p:dog"]] = 0.1, 0.9
    probs.to_parquet(tmp_path / "probs.parquet")
    return tmp_path / "labels.csv", tmp_path / "probs.parquet"


def test_somebodys_labels_and_predictions(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    labels, probs = map(str, files)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert cli.main(["audit", "--labels", labels, "--probs", probs, "--key", "id", "--out", "x.audit"]) == 0
    assert "1 of 6 labels have no column of probabilities (owl)" in capsys.readouterr().err
    table = load_audit("x.audit").table
    assert table["key"].tolist() == [*"abcdef"]
    assert table["given"].tolist() == ["cat", "dog", "cat", "owl", "dog", "cat"]
    assert table["p_given"].tolist() == pytest.approx([0.1, 0.9, 0.9, 0, 0.9, 0.9])
    assert load_audit("x.audit").hashes is not None
    with pytest.raises(NoiseproofError):  # rows in two orders, and labels that no column has
        audited_files(files[0], tmp_path / "labels.csv", label="label").audit("log-margin", False)


def test_rows_in_two_orders_are_not_taken_for_one(files: tuple[Path, Path], tmp_path: Path) -> None:
    probs = pd.read_parquet(files[1])
    with pytest.raises(DataError, match=r"probs.parquet: row 0 has the id 'e', and that of the labels 'a': --key id"):
        audited_files(*files).audit("log-margin", False)
    probs.sort_values("id").rename(columns=lambda name: name.removeprefix("p:")).to_csv(tmp_path / "p.csv", index=False)
    with pytest.warns(DataWarning):
        found = audited_files(files[0], tmp_path / "p.csv").audit("log-margin", False)
    assert found.classes.tolist() == ["cat", "dog", "owl"]  # and no class "id"
    (tmp_path / "labels.csv").write_text("id,label\n2,cat\n1,dog\n")
    (tmp_path / "p.csv").write_text("id,cat,dog\n1,0.1,0.9\n2,0.8,0.2\n")
    with pytest.raises(DataError, match=r"row 0 has the id '1', and that of the labels '2'"):
        audited_files(tmp_path / "labels.csv", tmp_path / "p.csv").audit("log-margin", False)


@pytest.mark.parametrize("file", [0, 1])
def test_a_file_that_is_not_there_and_keys_that_are_empty(file: int, tmp_path: Path) -> None:
    paths = [tmp_path / "labels.csv", tmp_path / "p.csv"]
    texts = ["id,label\na,cat\nb,dog\n", "id,cat,dog\na,0.1,0.9\nb,0.8,0.2\n"]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    paths[file].write_text(texts[file].replace("\nb,", "\n,"))
    with pytest.raises(DataError, match=rf"{paths[file].name}: row 1 has no id: give every row its own"):
        audited_files(*paths, key="id").audit("log-margin", False)
    paths[file].unlink()
    with pytest.raises(DataError, match=rf"cannot read .*{paths[file].name}: No such file"):
        audited_files(*paths)


def test_a_list_that_names_its_samples_is_joined(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps({"a": "cat", "b": "dog"}))
    (tmp_path / "p.csv").write_text("key,cat,dog\nb,0.2,0.8\na,0.9,0.1\n")
    found = audited_files(tmp_path / "labels.json", tmp_path / "p.csv").audit("self-confidence", False)
    assert found.table["p_given"].tolist() == pytest.approx([0.9, 0.8])


def test_lists_and_arrays(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps([0, 1, 1]))
    np.save(tmp_path / "p.npy", np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]]))
    found = audited_files(tmp_path / "labels.json", tmp_path / "p.npy").audit("self-confidence", False)
    assert found.table["score"].tolist() == pytest.approx([0.1, 0.8, 0.1])
    assert found.table["key"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "lable"], "no column 'lable'; did you mean 'label'"),
        (["--key", "ids"], "no column 'ids'; did you mean 'id'"),
        (["--key", "site"], "has no column 'site'"),
    ],
)
def test_columns_that_there_are_not(
    arguments: list[str], message: str, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["audit", "--labels", str(files[0]), "--probs", str(files[1]), "--out", str(tmp_path / "x")]
    assert cli.main([*given, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_keys_that_are_not_joined(files: tuple[Path, Path], tmp_path: Path) -> None:
    twice = pd.concat([pd.read_parquet(files[1]), pd.read_parquet(files[1])[:1]])
    twice.to_csv(tmp_path / "twice.csv", index=False)
    with pytest.raises(DataError, match="has the key 'e' twice"):
        audited_files(files[0], tmp_path / "twice.csv", key="id").audit("log-margin", False)
    pd.read_parquet(files[1])[1:].to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(DataError, match="has no row for 1 of 6 keys, such as 'e'"):
        audited_files(files[0], tmp_path / "few.csv", key="id").audit("log-margin", False)


@pytest.mark.parametrize("arguments", [[], ["x", "--labels", "y"], ["--labels", "y"], ["--probs", "y"]])
def test_nothing_to_audit(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["audit", *arguments]) == 2
    assert "what is to be audited?" in capsys.readouterr().err


def test_classes_that_were_not_followed_share_what_is_left() -> None:
    sums = np.array([[1.2, 0.4], [0.0, 0.0]], np.float32)
    found = audits._spread(sums, np.array([2, 0]), np.array([[1, 3], [1, 3]]), 4)
    assert found[0].tolist() == pytest.approx([0.1, 0.6, 0.1, 0.2])
    assert found[1].tolist() == [0.25] * 4
