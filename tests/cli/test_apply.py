"""Corrections put into data by ``noiseproof apply``."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import image_sets
from noiseproof import cli
from noiseproof.auditing._given import labels_checksum
from noiseproof.auditing.corrections import COLUMNS
from noiseproof.correcting import apply
from noiseproof.data import read_cells, rewrite_cells
from noiseproof.errors import DataError, NoiseproofError, RunError
from noiseproof.fitting import Given, look
from noiseproof.formats import csv_text

ROWS = 30
TABLE = "id,color,size,kind\n" + "".join(
    f"n{i},{['red', 'blue'][i % 2]},{i * 37 % 11}.50,{'abc'[i % 3]}\n" for i in range(ROWS)
)


def write_corrections(path: Path, found: Given, decided: Mapping[int, str | None], *, key: str = "") -> Path:
    """Corrections as the page of an audit writes them; a class for a row, or nothing for one that is dropped."""
    labels = [found.dataset.class_names[label] for label in found.dataset.train.labels]
    checksum = labels_checksum(found.keys, labels)
    rows = [
        [
            key or str(found.keys[row]), found.hashes[row, :8].tobytes().hex(), labels[row], new or "",
            "drop" if new is None else "keep" if new == labels[row] else "relabel",
            "suspicious", None, "ann", "2026-01-31T12:00:00.000Z", checksum, "0.1.0",
        ]
        for row, new in decided.items()
    ]  # fmt: skip
    path.write_text(csv_text([COLUMNS, *rows]), encoding="utf-8")
    return path


def log_of(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(out.with_name(f"{out.name}.log.csv").read_text(encoding="utf-8"))))


def run(*arguments: Any, capsys: pytest.CaptureFixture[str], status: int = 0) -> str:
    assert cli.main(["apply", *map(str, arguments)]) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def test_a_table_gets_its_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "wines.csv", tmp_path / "clean" / "wines.csv"
    data.write_text(TABLE, encoding="utf-8")
    before = data.read_bytes()
    found = look(data, label="kind", groups="color")  # apply is not told of the group
    made = write_corrections(tmp_path / "c.csv", found, {0: "b", 1: "d", 2: None, 3: "a"})
    told = run(made, data, "--out", out, capsys=capsys)
    assert "Labels: column kind" in told
    assert "4 corrections applied, 0 there already, 0 refused, 0 in conflict" in told
    assert "2 changed, 1 confirmed, 1 dropped" in told
    lines = TABLE.splitlines()
    lines[1], lines[2] = lines[1][:-1] + "b", lines[2][:-1] + "d"
    del lines[3]
    assert out.read_text(encoding="utf-8").splitlines() == lines
    assert data.read_bytes() == before
    assert [[row[name] for name in ("key", "before", "after", "action", "status")] for row in log_of(out)] == [
        ["0", "a", "b", "relabel", "applied"],
        ["1", "b", "d", "relabel", "applied"],
        ["2", "c", "", "drop", "applied"],
        ["3", "a", "a", "keep", "applied"],
    ]
    # Once more, on the result: nothing changes.
    run(made, out, "--out", tmp_path / "again.csv", capsys=capsys)
    assert (tmp_path / "again.csv").read_bytes() == out.read_bytes()
    assert [row["status"] for row in log_of(tmp_path / "again.csv")] == ["already", "already", "refused", "refused"]


def test_several_files_and_a_column_of_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "wines.csv"
    data.write_text(TABLE, encoding="utf-8")
    found = look(data, label="kind", keys="id", trusted=[True] * ROWS)
    ann = write_corrections(tmp_path / "ann.csv", found, {0: "b", 1: "a"})
    ben = write_corrections(tmp_path / "ben.csv", found, {1: "c", 2: None})
    ben.write_text(ben.read_text(encoding="utf-8").replace(",ann,", ",ben,"), encoding="utf-8")
    told = run(ann, ben, data, "--out", tmp_path / "one.csv", capsys=capsys)
    assert "Keys: column id" in told
    assert "2 in conflict" in told
    assert told.count("n1: ann says a, ben says c") == 1
    run(ben, ann, data, "--out", tmp_path / "two.csv", "--label", "kind", "--key", "id", capsys=capsys)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert "n0,red,0.50,b\nn1,blue,4.50,b\nn3" in (tmp_path / "one.csv").read_text(encoding="utf-8")
    assert [row["status"] for row in log_of(tmp_path / "one.csv")] == ["applied", "conflict", "conflict", "applied"]


def test_rows_without_a_label_keep_their_numbers(tmp_path: Path) -> None:
    data = tmp_path / "t.csv"
    lines = TABLE.splitlines()
    lines[1] = lines[1][:-1]
    data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = look(data, label="kind")
    assert found.keys[0] == 1
    done = apply(write_corrections(tmp_path / "c.csv", found, {0: "a", 1: None}), data, tmp_path / "o.csv")
    assert done.label == "kind"
    assert done.key is None
    lines[2] = lines[2][:-1] + "a"
    del lines[3]
    assert (tmp_path / "o.csv").read_text(encoding="utf-8").splitlines() == lines


def test_every_other_byte_stays(tmp_path: Path) -> None:
    text = (
        "\ufeffid;x;name;quality;note\r\n"
        '10;1.5;"a;""b""";good;\r\n'
        '11;2; "c\r\nd" ; "bad" ;n\r\n'
        "\r\n"
        "12;3; d ;good;x\r\n"
        '13;4;e;"good";y'
    )
    (tmp_path / "t.csv").write_bytes(text.encode())
    found = look(tmp_path / "t.csv", label="quality")
    made = write_corrections(tmp_path / "c.csv", found, {0: "so; so", 1: "good", 3: "bad"})
    apply(made, tmp_path / "t.csv", tmp_path / "o.csv")
    text = (
        text.replace(";good;\r\n1", ';"so; so";\r\n1', 1).replace(' "bad" ', ' "good" ').replace('e;"good"', 'e;"bad"')
    )
    assert (tmp_path / "o.csv").read_bytes() == text.encode()


CELLS = st.text(st.sampled_from("ab ,;\"'\t\n\rä"), max_size=4)


@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.data(),
)
def test_other_cells_are_read_as_before(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], mark: str, end: str, is_quoted: bool, draw: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()

    def quoted(cell: str) -> str:
        needs = is_quoted or any(sign in cell for sign in (mark, '"', "\n", "\r"))
        return '"' + cell.replace('"', '""') + '"' if needs else cell

    text = "".join(mark.join(map(quoted, row)) + end for row in [["h", "i", "j"], *rows])
    (folder / "t.csv").write_bytes(text.encode())
    before = read_cells(folder / "t.csv")
    column = draw.draw(st.integers(0, len(before[0]) - 1))
    rows_below = st.integers(1, max(1, len(before) - 1))
    new = draw.draw(st.dictionaries(rows_below, CELLS.map(str.strip).filter(bool), max_size=2))
    dropped = draw.draw(st.sets(rows_below, max_size=1)) - {*new}
    (folder / "o.csv").write_bytes(rewrite_cells(folder / "t.csv", column, new, dropped))
    expected = [
        [new.get(n, cell) if c == column else cell for c, cell in enumerate(row)] for n, row in enumerate(before)
    ]
    expected = [row for n, row in enumerate(expected) if n not in dropped]
    assert read_cells(folder / "o.csv") == expected
    if not new and not dropped:
        assert (folder / "o.csv").read_bytes() == (folder / "t.csv").read_bytes()


def test_cells_between_white_space(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("x  y kind\n1 2  a\n\n3 \t4 b\n5 6 b\n", encoding="utf-8")
    assert rewrite_cells(tmp_path / "t.txt", 2, {1: "b"}, {3}) == b"x  y kind\n1 2  b\n\n3 \t4 b\n"
    with pytest.raises(DataError, match="white space, which separates"):
        rewrite_cells(tmp_path / "t.txt", 2, {1: "b c"}, set())


def test_parquet_keeps_types_and_metadata(tmp_path: Path) -> None:
    from pyarrow import parquet

    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "x": random.normal(size=ROWS).astype(np.float32),
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(ROWS), "h"),
            "quality": pd.Series(random.integers(1, 4, ROWS), dtype="int16"),
            "kind": pd.Categorical(["a", "b", "c"] * 10),
        }
    )
    data = tmp_path / "t.parquet"
    frame.to_parquet(data, compression="gzip")
    for label, new in (("quality", "7"), ("kind", "d")):
        found = look(data, label=label)
        out = tmp_path / f"{label}.parquet"
        apply(
            write_corrections(tmp_path / "c.csv", found, {0: new, 1: None, 2: found.dataset.class_names[0]}), data, out
        )
        result = pd.read_parquet(out)
        expected = frame.astype({"kind": object}) if label == "kind" else frame.copy()
        expected.loc[0, label] = int(new) if label == "quality" else new
        expected.loc[2, label] = (
            int(found.dataset.class_names[0]) if label == "quality" else found.dataset.class_names[0]
        )
        expected = expected.drop(index=1).reset_index(drop=True).astype({"quality": "int16"})
        if label == "quality":
            assert result.dtypes.tolist() == frame.dtypes.tolist()
        pd.testing.assert_frame_equal(result.astype({"kind": object}), expected.astype({"kind": object}))
        assert parquet.read_schema(out).metadata.keys() == parquet.read_schema(data).metadata.keys()
        assert parquet.ParquetFile(out).metadata.row_group(0).column(0).compression == "GZIP"
    made = write_corrections(tmp_path / "c.csv", look(data, label="quality"), {0: "40000"})
    with pytest.raises(DataError, match="cannot write labels of int16"):
        apply(made, data, tmp_path / "wide.parquet")


@pytest.mark.parametrize(
    ("labels", "names", "new", "expected", "classes"),
    [
        (np.array([0, 1, 2] * 10, np.uint8), None, "3", 3, None),
        (np.array([0, 1, 2] * 10, np.uint8), None, "300", 300, None),
        (np.array(["a", "b", "c"] * 10), None, "longer", "longer", None),
        (np.array([0, 1, 2] * 10), ["a", "b", "c"], "d", 3, ["a", "b", "c", "d"]),
        (np.array(["a", "b", "c"] * 10), ["c", "b", "a"], "d", "d", ["c", "b", "a", "d"]),
        (np.array([0.5, 1, 2] * 10), None, "4", 4.0, None),
        (np.array([True, False] * 15), None, "False", False, None),
    ],
)
@pytest.mark.parametrize("is_image", [False, True])
def test_arrays_get_their_labels(
    labels: Any, names: Any, new: str, expected: Any, classes: Any, is_image: bool, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    inputs = (
        {"images": random.integers(0, 255, (ROWS, 4, 4), np.uint8)}
        if is_image
        else {"features": random.normal(size=(ROWS, 2))}
    )
    more = {} if names is None else {"class_names": np.array(names)}
    save = np.savez_compressed if is_image else np.savez
    save(tmp_path / "t.npz", labels=labels, clean_labels=labels, **inputs, **more)
    made = write_corrections(tmp_path / "c.csv", look(tmp_path / "t.npz"), {0: new, 4: None})
    apply(made, tmp_path / "t.npz", tmp_path / "o.npz")
    with np.load(tmp_path / "o.npz") as out:
        values = labels.tolist()
        values[0] = expected
        del values[4]
        assert out["labels"].tolist() == values
        assert out["labels"].dtype.kind in ("iu" if labels.dtype.kind == "u" else labels.dtype.kind)
        assert len(out["clean_labels"]) == ROWS - 1
        for name, array in inputs.items():
            assert (out[name] == np.delete(array, 4, 0)).all()
        assert classes is None or out["class_names"].tolist() == classes
    look(tmp_path / "o.npz")


def plain_corrections(path: Path, rows: list[list[str]]) -> Path:
    """Of an audit that had no data."""
    path.write_text(csv_text([["key", "given", "decided", "action"], *rows]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("t.csv", "label\ncat\ndog\ncat\n", "label\ncat\ncat\ncat\n"),
        ("t.txt", "cat\ndog\ncat\n", "cat\ncat\ncat\n"),
        ("t.csv", "index,label\n2,cat\n1,dog\n0,cat\n", "index,label\n2,cat\n1,cat\n0,cat\n"),
        ("t.csv", "1,dog\n0,cat\n", "1,cat\n0,cat\n"),
        ("t.json", '["cat", "dog", "cat"]', '["cat", "cat", "cat"]\n'),
    ],
)
def test_lists_get_their_labels(name: str, text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    made = plain_corrections(tmp_path / "c.jsonl", [["1", "dog", "cat", "relabel"]])
    out = (tmp_path / "out").with_suffix(Path(name).suffix)
    done = apply(made, tmp_path / name, out)
    assert len(done.matched.applied) == 1
    assert out.read_text(encoding="utf-8") == expected


def test_lists_of_paths_and_arrays_get_their_labels(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,label\na/1.png,cat\nb/2.png,dog\n", encoding="utf-8")
    made = plain_corrections(tmp_path / "c.csv", [["b/2.png", "dog", "cat", "relabel"]])
    apply(made, tmp_path / "t.csv", tmp_path / "o.csv")
    assert (tmp_path / "o.csv").read_text(encoding="utf-8") == "path,label\na/1.png,cat\nb/2.png,cat\n"
    np.save(tmp_path / "t.npy", np.array([3, 1, 3], np.int8))
    made = plain_corrections(tmp_path / "c.csv", [["1.0", "1.0", "2.0", "relabel"]])
    apply(made, tmp_path / "t.npy", tmp_path / "o.npy")
    assert np.load(tmp_path / "o.npy").tolist() == [3, 2, 3]
    assert np.load(tmp_path / "o.npy").dtype == np.int8


def test_a_class_must_not_become_a_formula(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    made = write_corrections(tmp_path / "c.csv", look(tmp_path / "t.csv", label="kind"), {0: "=1+1", 1: "a"})
    done = apply(made, tmp_path / "t.csv", tmp_path / "o.csv")
    assert [outcome.reason for outcome in done.matched.refused] == [
        "'=1+1' begins as formulas of spreadsheets do, and no label has it yet"
    ]


def photos(root: Path, count: int = 8) -> Path:
    for number in range(count):
        image_sets.write_image(root / f"{'ab'[number % 2]}/{number // 2}.png", number % 2, number)
    return root


def test_a_folder_of_images_is_linked_anew(tmp_path: Path) -> None:
    data, out = photos(tmp_path / "photos"), tmp_path / "clean"
    found = look(data)
    row = {key: place for place, key in enumerate(found.keys)}
    made = write_corrections(
        tmp_path / "c.csv",
        found,
        {row["a/0.png"]: "b", row["a/1.png"]: "c d", row["b/2.png"]: None, row["b/3.png"]: "b"},
    )
    before = {path: path.read_bytes() for path in data.rglob("*.png")}
    done = apply(made, data, out)
    assert {path: path.read_bytes() for path in data.rglob("*.png")} == before
    assert {str(path.relative_to(out)) for path in out.rglob("*.png")} == {
        "a/2.png", "a/3.png", "b/0.png", "b/0-2.png", "b/1.png", "b/3.png", "c d/1.png",
    }  # fmt: skip
    assert (out / "b/0-2.png").is_symlink()
    assert (out / "b/0-2.png").read_bytes() == (data / "a/0.png").read_bytes()
    assert len(done.matched.applied) == 4
    # Moved images are known where they are now.
    given = look(out, corrections=made)
    assert given.dataset.class_names == ("a", "b", "c d")
    trusted = given.dataset.trusted
    assert trusted is not None
    assert {key for key, is_checked in zip(given.keys, trusted, strict=True) if is_checked} == {
        "b/0-2.png",
        "b/3.png",
        "c d/1.png",
    }
    again = apply(made, out, tmp_path / "again")
    assert {str(path.relative_to(tmp_path / "again")) for path in (tmp_path / "again").rglob("*.png")} == {
        str(path.relative_to(out)) for path in out.rglob("*.png")
    }
    assert [len(again.matched.of(status)) for status in ("applied", "already", "refused")] == [1, 2, 1]


def test_images_are_copied_where_links_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = photos(tmp_path / "photos" / "train").parent
    photos(data / "test")
    found = look(data)
    made = write_corrections(tmp_path / "c.csv", found, {0: "b"})

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "symlink", refuse)
    apply(made, data, tmp_path / "clean")
    assert not [path for path in (tmp_path / "clean").rglob("*") if path.is_symlink()]
    assert len(list((tmp_path / "clean" / "test").rglob("*.png"))) == 8
    assert len(list((tmp_path / "clean" / "train" / "b").glob("*.png"))) == 5
    assert look(tmp_path / "clean").dataset.num_classes == 2


@pytest.mark.parametrize("name", ["../x", ".hidden", "a/b", "..", "x" * 300, "a\\b"])
def test_a_class_must_not_lead_out_of_the_folder(name: str, tmp_path: Path) -> None:
    data = photos(tmp_path / "photos")
    made = write_corrections(tmp_path / "c.csv", look(data), {0: name, 1: "b"})
    done = apply(made, data, tmp_path / "clean")
    assert [outcome.status for outcome in done.matched.outcomes].count("refused") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.csv", "clean", "clean.log.csv", "photos"]
    assert sorted(path.name for path in (tmp_path / "clean").iterdir()) == ["a", "b"]


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, made = tmp_path / "t.csv", tmp_path / "c.csv"
    data.write_text(TABLE, encoding="utf-8")
    write_corrections(made, look(data, label="kind"), {0: "b"})
    for out, message in (
        (data, "t.csv or in it"),
        (tmp_path / "sub" / ".." / "t.csv", "t.csv or in it"),
        (tmp_path / "c.csv", "there already"),
        (tmp_path / "t.parquet", "does not end in .csv"),
        (data / "x.csv", "is a file"),
    ):
        assert message in run(made, data, "--out", out, capsys=capsys, status=2)
    (tmp_path / "o.csv.log.csv").write_text("", encoding="utf-8")
    assert "o.csv.log.csv is there already" in run(made, data, "--out", tmp_path / "o.csv", capsys=capsys, status=2)
    assert data.read_text(encoding="utf-8") == TABLE
    assert not (tmp_path / "o.csv").exists()
    folder = photos(tmp_path / "photos")
    made = write_corrections(tmp_path / "d.csv", look(folder), {0: "b"})
    with pytest.raises(RunError, match="photos or in it"):
        apply(made, folder, folder / "new")


def test_where_nothing_applies_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, other = tmp_path / "t.csv", tmp_path / "other.csv"
    data.write_text(TABLE, encoding="utf-8")
    other.write_text(TABLE.replace(".50", ".75"), encoding="utf-8")
    made = write_corrections(tmp_path / "c.csv", look(other, label="kind"), {0: "b"})
    told = run(made, data, "--out", tmp_path / "o.csv", capsys=capsys, status=2)
    assert "no column holds the labels of these corrections" in told
    told = run(made, data, "--out", tmp_path / "o.csv", "--label", "kind", capsys=capsys, status=2)
    assert "no correction applies" in told
    assert "0: the row was changed" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.csv", "other.csv", "t.csv"]
    told = run(data, made, "--out", tmp_path / "o.csv", capsys=capsys, status=2)
    assert "has no key" in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "king"}, "no column 'king'; did you mean 'kind'"),
        ({"label": "kind", "key": "nr"}, "no column 'nr'"),
    ],
)
def test_columns_must_be_there(options: dict[str, str], message: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    made = write_corrections(tmp_path / "c.csv", look(tmp_path / "t.csv", label="kind"), {0: "b"})
    with pytest.raises(DataError, match=message):
        apply(made, tmp_path / "t.csv", tmp_path / "o.csv", **options)


def test_keys_that_could_be_two_columns_must_be_said(tmp_path: Path) -> None:
    lines = [f"{i},{(i + 3) % ROWS},{i % 7},{'abc'[i % 3]}" for i in range(ROWS)]
    (tmp_path / "t.csv").write_text("\n".join(["one,two,x,kind", *lines]) + "\n", encoding="utf-8")
    made = plain_corrections(tmp_path / "c.csv", [["4", "b", "a", "relabel"]])
    with pytest.raises(DataError, match="the numbers of the rows, one, two could be"):
        apply(made, tmp_path / "t.csv", tmp_path / "o.csv", label="kind")
    apply(made, tmp_path / "t.csv", tmp_path / "o.csv", label="kind", key="two")
    assert "1,4,1,a\n" in (tmp_path / "o.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.docx", b"x", "expected a folder of images, or a file"),
        ("t.npz", b"x", "t.npz"),
        ("t.npy", b"x", "t.npy"),
        ("t.json", b'{"a": 1}', "no list of labels"),
        ("t.json", b'[["a"]]', "t.json"),
        ("t.parquet", b"x", "t.parquet"),
        ("t.csv", b"", "t.csv is empty|t.csv"),
        ("missing.csv", None, "missing.csv"),
    ],
)
def test_data_that_cannot_be_corrected_are_refused(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    made = plain_corrections(tmp_path / "c.csv", [["1", "dog", "cat", "relabel"]])
    with pytest.raises(NoiseproofError, match=message):
        apply(made, tmp_path / name, tmp_path / f"o{Path(name).suffix}")


def test_columns_of_what_has_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps(["a", "b"]), encoding="utf-8")
    made = plain_corrections(tmp_path / "c.csv", [["1", "b", "a", "relabel"]])
    with pytest.raises(DataError, match="--label 'x'.*has no columns"):
        apply(made, tmp_path / "t.json", tmp_path / "o.json", label="x")


def test_fit_takes_corrections_of_several_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "t.csv"
    data.write_text(TABLE, encoding="utf-8")
    found = look(data, label="kind")
    ann = write_corrections(tmp_path / "ann.csv", found, {0: "b", 1: "b"})
    ben = write_corrections(tmp_path / "ben.csv", found, {2: None})
    command = ["fit", data, "--label", "kind", "--corrections", ann, "--corrections", ben, "--dry-run"]
    assert cli.main([*map(str, command)]) == 0
    assert "3 corrections applied, 0 there already, 0 refused" in capsys.readouterr().out
