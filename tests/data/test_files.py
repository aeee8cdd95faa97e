"""Which files of a disk are a data set's, and what lists of them may say."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from noiseproof.data import ImageFiles, image_folder, image_lists
from noiseproof.data._decode import decode_batch
from noiseproof.data._files import IMAGE_ENDINGS, Inside, folder_images, read_pairs
from noiseproof.errors import DataError, DataWarning


def picture(path: Path | bytes, value: int = 0) -> None:
    path = Path(os.fsdecode(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        Image.new("RGB", (24, 24), (value, 0, 0)).save(file, "PNG")


def pairs(path: Path, text: str | bytes, root: Path | None = None) -> list[tuple[str, str]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(line.path, line.label) for line in read_pairs(path, path.parent if root is None else root)]


@pytest.mark.parametrize(
    "text",
    [
        "a/x.png 0\na/y z.jpg 1\n",
        "\ufeffa/x.png 0\na/y z.jpg 1\n",
        "a/x.png\t0\r\na/y z.jpg\t1\r\n",
        "a/x.png,0\na/y z.jpg,1",
        "a/x.png, 0\ra/y z.jpg, 1\r",
        "a/x.png;0\n\n  a/y z.jpg ; 1  \n",
        '"a/x.png",0\n"a/y z.jpg","1"\n',
        '"a/x.png" 0\n"a/y z.jpg" 1\n',
        "path,label\na/x.png,0\na/y z.jpg,1\n",
        "filename\tclass\na/x.png\t0\na/y z.jpg\t1\n",
        "./a//x.png 0\na/b/../y z.jpg 1\n",
        "a\\x.png 0\na\\y z.jpg 1\n",
    ],
)
def test_lists_are_read_however_they_are_written(tmp_path: Path, text: str) -> None:
    assert pairs(tmp_path / "list", text) == [("a/x.png", "0"), ("a/y z.jpg", "1")]


def test_labels_may_have_spaces_and_paths_commas(tmp_path: Path) -> None:
    found = pairs(tmp_path / "list", 'a, b.jpg,golden retriever\na b.JPG cat\nx y 3\n"a ""b"".png",y\nc.png y\n')
    assert found == [
        ("a, b.jpg", "golden retriever"),
        ("a b.JPG", "cat"),
        ("x y", "3"),
        ('a "b".png', "y"),
        ("c.png", "y"),
    ]
    assert pairs(tmp_path / "list", "a.png y\nb.png n\n") == [("a.png", "y"), ("b.png", "n")]
    found = pairs(tmp_path / "list", '# by hand\na.png cat, tabby\nb.png\tcat, tabby\nc.png,"cat, tabby"\n#d.png cat\n')
    assert found == [*((name, "cat, tabby") for name in ("a.png", "b.png", "c.png")), ("#d.png", "cat")]


@pytest.mark.parametrize("text", ["a.png,cat,0.3\n", "path;label;split\na.png;cat;train\n", "a.png\tcat\t1\n"])
def test_lists_with_more_columns_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"more than a path and a label between '[,;\\t]+': leave the other"):
        pairs(tmp_path / "list", text)


def test_absolute_paths_below_the_root_are_taken(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for base in (tmp_path / "real", tmp_path / "link"):
        text = f"{tmp_path}/real/a.png 0\n{base}//b/./c.png 1\n"
        assert pairs(tmp_path / "list", text, tmp_path / base) == [("a.png", "0"), ("b/c.png", "1")]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/hostname",
        "//etc/hostname",
        "./../etc/hostname",
        "..",
        "a/../../x.png",
        "a/./../..//x.png",
        "..\\x.png",
        "a\\..\\..\\x.png",
        "C:\\x.png",
        "c:/x.png",
        "ROOT/../x.png",
        "ROOTx/y.png",
        "ROOT",
        "a\0b.png",
    ],
)
def test_paths_out_of_the_root_are_refused(tmp_path: Path, path: str) -> None:
    root = tmp_path / "data"
    with pytest.raises(
        DataError, match="line 2: .*(expected a path inside the data set's folder|zero bytes)|zero bytes"
    ):
        pairs(tmp_path / "list", f"a.png 0\n{path.replace('ROOT', str(root))} 1\n", root)


@given(st.lists(st.sampled_from(["..", ".", "", "a", "etc", "\\", "/", "C:", "\udcff"]), max_size=8))
def test_no_path_leads_out(parts: list[str]) -> None:
    root = Path("/some/data")
    try:
        found = Inside(root).path("/".join(parts), "here")
    except DataError:
        return
    assert os.path.normpath(root / found).startswith("/some/data/")


def test_a_path_with_detours_is_read_where_it_was_checked(tmp_path: Path) -> None:
    """``.//etc/hostname`` is ``etc/hostname`` in the folder of the data."""
    root = tmp_path / "data"
    for number in range(4):
        picture(root / f"{number}.png")
    (root / "list.txt").write_text("0.png 0\n1.png 1\n2.png 0\n.//3.png 1\n")
    assert image_lists(root / "list.txt").train.inputs.names(np.arange(4))[3] == "3.png"  # type: ignore[union-attr]
    (root / "list.txt").write_text("0.png 0\n1.png 1\n2.png 0\n.//etc/hostname 1\n")
    with pytest.warns(DataWarning, match="1 of 4 training images .*etc/hostname: missing"):
        image_lists(root / "list.txt")


ODD = [b"caf\xe9.png", "na\u00efve.png".encode(), b"new\nline.png", b"\xff\xfe.png", "\U0001f600.png".encode()]


def test_names_that_are_no_utf_8_are_read(tmp_path: Path) -> None:
    for value, name in enumerate(ODD):
        picture(os.fsencode(tmp_path / "cat") + b"/" + name, 10 * value)
        picture(os.fsencode(tmp_path / "dog") + b"/" + name, 10 * value)
    dataset = image_folder(tmp_path, image_size=16, resize=16)
    files = dataset.train.inputs
    assert isinstance(files, ImageFiles)
    assert sorted(files.paths.tolist()) == sorted(f.encode() + b"/" + name for f in ("cat", "dog") for name in ODD)
    read, _, _, failed = decode_batch(files.root, files.names(np.arange(len(files))), 16, square=False)
    assert len(read) == 10
    assert not failed
    assert len(dataset.fingerprint) == 64
    lines = b"".join(b"cat/" + name + b" 0\ndog/" + name + b" 1\n" for name in ODD if b"\n" not in name)
    (tmp_path / "list.txt").write_bytes(lines)
    listed = image_lists(tmp_path / "list.txt", image_size=16, resize=16).train.inputs
    assert isinstance(listed, ImageFiles)
    assert len(listed) == 8
    assert set(listed.paths.tolist()) < set(files.paths.tolist())


def test_hidden_folders_and_those_of_systems_do_not_count_at_any_depth(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        picture(tmp_path / name / "1.png")
        picture(tmp_path / name / "more" / "deep" / "2.JPEG")
        for extra in (".hidden", "__MACOSX", "more/.ipynb_checkpoints", "more/deep/@eaDir", "more/__MACOSX/x"):
            picture(tmp_path / name / extra / "3.png")
        picture(tmp_path / name / "._1.png")
        (tmp_path / name / "Thumbs.db").touch()
        (tmp_path / name / "more" / ".DS_Store").touch()
        (tmp_path / name / "desktop.ini").touch()
    for extra in (".git", "__MACOSX", ".ipynb_checkpoints"):
        picture(tmp_path / extra / "1.png")
    dataset = image_folder(tmp_path)
    assert dataset.class_names == ("cat", "dog")
    files = dataset.train.inputs
    assert isinstance(files, ImageFiles)
    assert files.names(np.arange(2)) == ["cat/1.png", "cat/more/deep/2.JPEG"]
    assert len(files) == 4


def test_links_to_folders_are_followed_and_no_folder_counts_twice(tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere" / "deep" / "2.png")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "cat")
    picture(tmp_path / "cat" / "1.png")
    for name in ("more", "same"):
        (tmp_path / "cat" / name).symlink_to(tmp_path / "elsewhere")
    assert folder_images(tmp_path, "cat") == ["cat/1.png", "cat/more/deep/2.png"]


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cat", "dog"):
        picture(tmp_path / name / "1.png")
        picture(tmp_path / name / "closed" / "2.png")
    read = os.scandir

    def scandir(path: str | Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match=r"cannot read the image folder .*cat/closed: Permission denied"):
        image_folder(tmp_path)


def test_files_that_are_left_out_are_named_and_counted(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        picture(tmp_path / name / "1.png")
        for number in range(3):
            (tmp_path / name / f"{number}.HEIC").touch()
    (tmp_path / "dog" / "notes").touch()
    picture(tmp_path / "loose.png")
    with pytest.warns(DataWarning) as caught:
        image_folder(tmp_path)
    texts = [str(warning.message) for warning in caught]
    assert any("1 images are left out, since they are in no class's folder (loose.png)" in text for text in texts)
    assert any("7 files are left out" in text and "6 .heic, 1 without an ending" in text for text in texts)
    assert any("cat/0.HEIC" in text for text in texts)


def test_every_ending_of_the_formats_that_are_read_is_known(tmp_path: Path) -> None:
    for ending in (".jpg", ".jpe", ".jfif", ".pgm", ".pbm", ".pnm", ".dib", ".apng", ".TIF"):
        assert ending.lower() in IMAGE_ENDINGS
        picture(tmp_path / "cat" / f"x{ending}")
    assert len(folder_images(tmp_path, "cat")) == 9


@pytest.mark.parametrize(
    ("total", "lost", "allowed"), [(200, 10, True), (200, 11, False), (8, 2, True), (8, 3, False), (2000, 20, True)]
)
def test_a_few_images_of_a_small_set_may_be_missing(tmp_path: Path, total: int, lost: int, allowed: bool) -> None:
    picture(tmp_path / "one.png")
    content = (tmp_path / "one.png").read_bytes()
    for number in range(lost, total):
        (tmp_path / f"{number}.png").write_bytes(content)
    (tmp_path / "list.txt").write_text("".join(f"{number}.png {number % 2}\n" for number in range(total)))
    if allowed:
        with pytest.warns(DataWarning, match=f"{lost} of {total} training images .*left out"):
            assert len(image_lists(tmp_path / "list.txt").train) == total - lost
    else:
        with pytest.raises(DataError, match=f"{lost} of {total} .*data.unreadable in a recipe allows another share"):
            image_lists(tmp_path / "list.txt")


def test_links_that_lead_nowhere_are_missing(tmp_path: Path) -> None:
    for number in range(4):
        picture(tmp_path / f"{number}.png")
    (tmp_path / "4.png").symlink_to("nowhere.png")
    (tmp_path / "5.png").symlink_to("5.png")
    (tmp_path / "6.png").symlink_to("0.png")
    (tmp_path / "list.txt").write_text("".join(f"{number}.png {number % 2}\n" for number in (*range(7), 0, 1)))
    with pytest.warns(DataWarning, match="2 of 9 training images .*4.png: missing, 5.png: missing"):
        assert len(image_lists(tmp_path / "list.txt").train) == 7
