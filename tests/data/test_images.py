"""Image files: decoding, lists, folders and the published layouts, with what is malformed in them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import image_sets
from noiseproof.data import Dataset, ImageFiles, _files, clothing1m, image_folder, image_lists, webvision_mini
from noiseproof.data._decode import Unreadable, decode, decode_batch, try_decode
from noiseproof.errors import DataError, DataWarning

GRADIENT = np.stack(np.broadcast_arrays(np.arange(60)[:, None] * 4, np.arange(80) * 3, 90), 2).astype(np.uint8)


def names(files: object) -> list[str]:
    assert isinstance(files, ImageFiles)
    return files.names(np.arange(len(files)))


# Decoding


@pytest.mark.parametrize(
    ("mode", "ending"),
    [("RGB", "png"), ("RGB", "jpg"), ("L", "png"), ("L", "jpg"), ("1", "png"), ("P", "png"), ("P", "gif"),
     ("LA", "png"), ("RGBA", "png"), ("RGBA", "webp"), ("CMYK", "jpg"), ("I;16", "png"), ("I;16", "tiff"),
     ("RGB", "bmp"), ("YCbCr", "jpg"), ("I", "tiff")],
)  # fmt: skip
def test_every_kind_of_image_becomes_rgb_bytes(tmp_path: Path, mode: str, ending: str) -> None:
    image = Image.fromarray(GRADIENT)
    if mode == "I;16":
        image = Image.fromarray((np.asarray(image.convert("L")).astype(np.uint16) << 8) + 7)
    elif mode == "I":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.int32) * 257)
    else:
        image = image.convert(mode)
    path = tmp_path / f"image.{ending}"
    image.save(path)
    pixels = decode(path, 30, square=False)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (30, 40, 3)
    gray = Image.fromarray(GRADIENT).convert("L").resize((40, 30), Image.Resampling.BILINEAR)
    got = Image.fromarray(pixels).convert("L")
    assert np.abs(np.asarray(got, float) - np.asarray(gray, float)).mean() < (60 if mode == "1" else 6)


def test_a_16_bit_image_that_is_dark_stays_dark(tmp_path: Path) -> None:
    Image.fromarray(np.full((20, 20), 200, np.uint16)).save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", 10, square=False).max() == 0


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[10:, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    palette = Image.fromarray(np.repeat([[0], [1]], 10, 0).repeat(20, 1).astype(np.uint8), "L").convert("P")
    palette.putpalette([9, 9, 9, 0, 0, 0])
    palette.save(tmp_path / "b.png", transparency=0)
    for name in ("a.png", "b.png"):
        decoded = decode(tmp_path / name, 20, square=False)
        assert (decoded[:9] == 255).all()
        assert (decoded[11:] == 0).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    upright = Image.fromarray(GRADIENT)
    # What a camera held this way stores, so that its tag leads back to the upright image.
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # FLIP_LEFT_RIGHT, ROTATE_180, FLIP_TOP_BOTTOM, …
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.jpg", exif=exif, quality=95)
    pixels = decode(tmp_path / "a.jpg", 30, square=False)
    expected = np.asarray(upright.resize((40, 30), Image.Resampling.BILINEAR), float)
    assert pixels.shape == (30, 40, 3)
    assert np.abs(pixels - expected).mean() < 3


def test_reduction_smooths_and_large_jpegs_keep_twice_what_is_needed(tmp_path: Path) -> None:
    stripes = np.zeros((640, 900, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "a.png")
    assert np.abs(decode(tmp_path / "a.png", 64, square=False).astype(int) - 127).max() < 8
    random = np.random.default_rng(0)
    smooth = Image.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8)).resize((2000, 1600))
    smooth.save(tmp_path / "b.jpg", quality=95)
    whole = np.asarray(smooth.resize((80, 64), Image.Resampling.BILINEAR), float)
    assert np.abs(decode(tmp_path / "b.jpg", 64, square=False) - whole).mean() < 2


@pytest.mark.parametrize(
    ("size", "square", "shape"),
    [((90, 60), False, (32, 48)), ((60, 91), False, (48, 32)), ((90, 60), True, (32, 32)), ((10, 8), False, (32, 40)),
     ((500, 10), False, (32, 96)), ((1, 400), False, (96, 32)), ((500, 10), True, (32, 32))],
)  # fmt: skip
def test_sizes(tmp_path: Path, size: tuple[int, int], square: bool, shape: tuple[int, int]) -> None:
    Image.new("RGB", size, "red").save(tmp_path / "a.png")
    pixels = decode(tmp_path / "a.png", 32, square=square)
    assert pixels.shape == (*shape, 3)
    assert (pixels == [255, 0, 0]).all()


def test_damaged_metadata_do_not_cost_an_image(tmp_path: Path) -> None:
    image_sets.write_image(tmp_path / "a.jpg", 0, 0)
    Image.open(tmp_path / "a.jpg").save(tmp_path / "b.jpg", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff\x00")
    assert not isinstance(try_decode(tmp_path / "b.jpg", 16, square=False), Unreadable)


def test_unreadable_files_say_why(tmp_path: Path) -> None:
    image_sets.write_image(tmp_path / "good.png", 0, 0)
    (tmp_path / "text.jpg").write_text("<html>")
    (tmp_path / "short.png").write_bytes((tmp_path / "good.png").read_bytes()[:-300])
    Image.new("1", (20000, 10000)).save(tmp_path / "bomb.png")
    Image.new("F", (20, 20)).save(tmp_path / "float.tiff")
    (tmp_path / "program.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    listed = ["good.png", "text.jpg", "short.png", "bomb.png", "float.tiff", "program.eps", "absent.png"]
    read, canvas, sizes, failed = decode_batch(tmp_path, listed, 16, square=False)
    assert read == [0]
    assert canvas.shape == (1, 17, 19, 3)
    assert sizes.tolist() == [[16, 18]]
    reasons = dict(failed)
    assert [reasons[position].gone for position in range(1, 7)] == [False] * 5 + [True]
    for position, text in enumerate(
        ["no image in a known", "truncated", "decompression bomb", "floating-point", "no image in a known",
         "No such file"],
        1,
    ):  # fmt: skip
        assert text in reasons[position].why


def test_a_canvas_repeats_the_edges_once(tmp_path: Path) -> None:
    Image.fromarray(GRADIENT[:20, :20]).save(tmp_path / "a.png")
    Image.fromarray(GRADIENT[:20, :30]).save(tmp_path / "b.png")
    _, canvas, sizes, _ = decode_batch(tmp_path, ["a.png", "b.png"], 20, square=False)
    assert sizes.tolist() == [[20, 20], [20, 30]]
    assert canvas.shape == (2, 21, 31, 3)
    np.testing.assert_array_equal(
        canvas[0, :21, :21], np.pad(GRADIENT[:20, :20], ((0, 1), (0, 1), (0, 0)), mode="edge")
    )


# Folders and lists


def write_folders(root: Path, parts: tuple[str, ...] = ("train", "test", "val")) -> None:
    for part in parts:
        for label, name in enumerate(("cat", "dog")):
            for number in range(3):
                image_sets.write_image(root / part / name / f"{number}.png", label, number)
        (root / part / "dog" / ".notes.txt").write_text("no image")


def test_image_folder(tmp_path: Path) -> None:
    write_folders(tmp_path)
    dataset = image_folder(tmp_path, image_size=16, resize=20)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.input_shape == (3, 16, 16)
    assert names(dataset.train.inputs) == [f"{name}/{i}.png" for name in ("cat", "dog") for i in range(3)]
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert list(dataset.test_parts) == ["test", "val"]
    assert image_folder(tmp_path / "train", image_size=16, resize=20).test is None


def test_image_folder_takes_val_as_the_test_set_if_there_is_no_other(tmp_path: Path) -> None:
    write_folders(tmp_path, ("train", "val"))
    dataset = image_folder(tmp_path)
    assert dataset.input_shape == (3, 224, 224)
    assert list(dataset.test_parts) == ["test"]


def test_image_folder_refuses_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read the image folder .*nowhere: No such file or directory$"):
        image_folder(tmp_path / "nowhere")
    write_folders(tmp_path)
    (tmp_path / "test" / "horse").mkdir()
    with pytest.raises(DataError, match=r"horse is no class of .*train, which has cat, dog"):
        image_folder(tmp_path)
    (tmp_path / "train" / "bird").mkdir()
    with pytest.raises(DataError, match="bird holds no images"):
        image_folder(tmp_path)
    with pytest.raises(DataError, match="holds 0 folders"):
        image_folder(tmp_path / "train" / "cat")


def test_class_folders_are_the_same_however_an_accent_is_stored(tmp_path: Path) -> None:
    for place in ("train/e\u0301", "train/b", "test/\u00e9"):
        image_sets.write_image(tmp_path / place / "0.png", 0, 0, (40, 30))
    dataset = image_folder(tmp_path)
    assert dataset.class_names == ("b", "\u00e9")
    assert names(dataset.train.inputs) == ["b/0.png", "e\u0301/0.png"]
    assert dataset.test is not None  # without a folder for b
    assert dataset.test.labels.tolist() == [1]
    (tmp_path / "train" / "b ").mkdir()
    with pytest.raises(DataError, match=r"train: the class name 'b' is there twice"):
        image_folder(tmp_path)


def test_numbered_classes_are_in_numeric_order(tmp_path: Path) -> None:
    for label in range(12):
        for number in range(2):
            image_sets.write_image(tmp_path / str(label) / f"{number}.png", label, number)
    dataset = image_folder(tmp_path)
    assert dataset.class_names == tuple(map(str, range(12)))
    assert [name.split("/")[0] for name in names(dataset.train.inputs)[::2]] == list(dataset.class_names)
    (tmp_path / "02").mkdir()
    image_sets.write_image(tmp_path / "02" / "0.png", 0, 0)
    with pytest.raises(DataError, match="'2' is the number '02' in another spelling"):
        image_folder(tmp_path)


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        (("train", "valid"), ["test"]),
        (("train", "validation"), ["test"]),
        (("Train", "Test"), ["test"]),
        (("TRAIN", "VAL", "TEST"), ["test", "val"]),
        (("training", "testing"), ["test"]),
        (("training_set", "test_set"), ["test"]),
        (("TrainSet", "eval"), ["test"]),
        (("train2017", "val2017"), ["test"]),
        (("train-images", "dev", "testdata"), ["test", "val"]),
        (("train", "__MACOSX"), []),
        (("train", ".cache"), []),
    ],
)
def test_parts_of_a_data_set_are_known_by_many_names(tmp_path: Path, parts: tuple[str, ...], found: list[str]) -> None:
    write_folders(tmp_path, parts)
    dataset = image_folder(tmp_path)
    assert dataset.class_names == ("cat", "dog")
    assert list(dataset.test_parts) == found
    assert names(dataset.train.inputs)[0] == "cat/0.png"
    assert dataset.train.inputs.root == tmp_path / parts[0]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("test", "val"), "test, val are called like parts of a data set, not like classes, and none is for training"),
        (("my_train", "my_test"), "are called like parts of a data set"),
        (("train", "training"), "both train and training could be its train set"),
        (("train", "val", "valid"), "both val and valid could be its val set"),
        (("train", "plane"), "train looks like its training set, and what plane is beside it is not clear"),
        (("train", "test_of_others"), "what test_of_others is beside it is not clear"),
        (("data",), r"data the data set\?"),
    ],
)
def test_folders_that_may_be_parts_or_classes_are_refused(tmp_path: Path, parts: tuple[str, ...], message: str) -> None:
    write_folders(tmp_path, parts)
    with pytest.raises(DataError, match=message):
        image_folder(tmp_path)


def test_classes_called_like_parts_hold_no_folders(tmp_path: Path) -> None:
    for label, name in enumerate(("train", "plane", "car")):
        for number in range(2):
            image_sets.write_image(tmp_path / name / f"{number}.png", label, number)
    assert image_folder(tmp_path).class_names == ("car", "plane", "train")
    for name in ("test", "val"):
        image_sets.write_image(tmp_path / "flat" / name / "0.png", 0, 0)
    with pytest.raises(DataError, match="test, val are called like parts of a data set"):
        image_folder(tmp_path / "flat")
    write_folders(tmp_path / "years", ("2019", "2020"))
    with pytest.warns(DataWarning, match=r"classes 2019, 2020 hold the same folders \(cat, dog\)"):
        image_folder(tmp_path / "years")
    write_folders(tmp_path / "kaggle", ("train",))
    image_sets.write_image(tmp_path / "kaggle" / "test" / "0.png", 0, 0)
    with pytest.warns(DataWarning, match="test is left out beside train"):
        assert image_folder(tmp_path / "kaggle").test is None


def test_image_lists_with_names_of_classes(tmp_path: Path) -> None:
    write_lists(tmp_path)
    kinds = ("golden retriever", "cat", "2nd")
    image_sets.write_lines(tmp_path / "named.txt", [f"images/image {i}.png {kinds[i % 3]}" for i in range(6)])
    dataset = image_lists(tmp_path / "named.txt", test=tmp_path / "named.txt")
    assert dataset.class_names == ("2nd", "cat", "golden retriever")
    assert dataset.train.labels.tolist() == [2, 1, 0] * 2
    image_sets.write_lines(tmp_path / "classes.txt", kinds)
    for lists in ("named.txt", "train.txt"):
        dataset = image_lists(tmp_path / lists, classes=tmp_path / "classes.txt")
        assert dataset.class_names == kinds
        assert dataset.train.labels.tolist() == [0, 1, 2] * 2
    image_sets.write_lines(tmp_path / "gaps.txt", [f"images/image {i}.png {10**12 * (i % 3)}" for i in range(6)])
    assert image_lists(tmp_path / "gaps.txt").class_names == ("0", "1000000000000", "2000000000000")
    image_sets.write_lines(tmp_path / "classes.txt", ["cat", "dog", "cat"])
    with pytest.raises(DataError, match="'cat' is there twice"):
        image_lists(tmp_path / "train.txt", classes=tmp_path / "classes.txt")
    image_sets.write_lines(tmp_path / "classes.txt", ["a", "b", "c", "d"])
    with pytest.warns(DataWarning, match="no training label is 'd'"):
        image_lists(tmp_path / "train.txt", classes=tmp_path / "classes.txt")
    image_sets.write_lines(tmp_path / "twice.txt", ["images/image 0.png 0", "images/image 0.png 1"])
    with pytest.warns(DataWarning, match="training inputs are there before with another label .such as images/image 0"):
        image_lists(tmp_path / "twice.txt")


def write_lists(root: Path, count: int = 6) -> None:
    for number in range(count):
        image_sets.write_image(root / "images" / f"image {number}.png", number % 3, number)
    image_sets.write_lines(root / "train.txt", [f"images/image {i}.png {i % 3}" for i in range(count)])


def test_image_lists(tmp_path: Path) -> None:
    write_lists(tmp_path)
    image_sets.write_lines(tmp_path / "lists/test.txt", ["image 1.png 1", "", "./image 2.png 2"])
    image_sets.write_lines(tmp_path / "classes.txt", ["a cat", "a dog", "a bird"])
    dataset = image_lists(tmp_path / "train.txt")
    assert dataset.class_names == ("0", "1", "2")
    assert names(dataset.train.inputs)[:2] == ["images/image 0.png", "images/image 1.png"]
    image_sets.write_lines(tmp_path / "lists/train.txt", [f"image {i}.png {i % 3}" for i in range(6)])
    dataset = image_lists(
        tmp_path / "lists/train.txt",
        test=tmp_path / "lists/test.txt",
        classes=tmp_path / "classes.txt",
        root=tmp_path / "images",
    )
    assert dataset.class_names == ("a cat", "a dog", "a bird")
    assert dataset.test is not None
    assert dataset.test.labels.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("images/image 0.png", r"line 7: 'images/image 0.png': expected 'relative/path label'"),
        ("3", "expected 'relative/path label'"),
        ("a.png 1.0", "'1.0' is the number '1' in another spelling"),
        ("/etc/a.png 1", "expected a path inside the data set's folder"),
        ("x/../../a.png 1", "expected a path inside the data set's folder"),
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    write_lists(tmp_path)
    with (tmp_path / "train.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=message):
        image_lists(tmp_path / "train.txt")


def test_labels_beyond_the_named_classes_are_refused(tmp_path: Path) -> None:
    write_lists(tmp_path)
    image_sets.write_lines(tmp_path / "classes.txt", ["a", "b"])
    with pytest.raises(DataError, match=r"train.txt: label 2 at index 2 \(and 1 more\) is no class"):
        image_lists(tmp_path / "train.txt", classes=tmp_path / "classes.txt")


def test_lists_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read .*train.txt"):
        image_lists(tmp_path / "train.txt")
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no UTF-8 text"):
        image_lists(tmp_path / "train.txt")
    (tmp_path / "train.txt").write_text("\n")
    with pytest.raises(DataError, match="names no training images"):
        image_lists(tmp_path / "train.txt")


def test_a_few_missing_images_are_left_out_and_many_are_an_error(tmp_path: Path) -> None:
    write_lists(tmp_path, 200)
    whole = image_lists(tmp_path / "train.txt")
    (tmp_path / "images" / "image 5.png").unlink()
    (tmp_path / "images" / "image 9.png").write_bytes(b"")
    with pytest.warns(DataWarning, match="2 of 200 training images .*image 5.png: missing, .*image 9.png: empty"):
        dataset = image_lists(tmp_path / "train.txt")
    assert len(dataset.train) == 198
    assert dataset.source_index is not None
    assert sorted({*range(200)} - {*dataset.source_index.tolist()}) == [5, 9]
    assert dataset.missing == {"train": (("images/image 5.png", "missing"), ("images/image 9.png", "empty"))}
    assert dataset.fingerprint != whole.fingerprint
    first = dataset.first_per_class(30)
    assert np.bincount(first.train.labels).tolist() == [10, 10, 10]
    assert first.source_index is not None
    assert names(first.train.inputs) == [f"images/image {i}.png" for i in first.source_index]
    for number in range(10, 19):
        (tmp_path / "images" / f"image {number}.png").unlink()
    with pytest.raises(DataError, match=r"11 of 200 training images .*at most 10 may be"):
        image_lists(tmp_path / "train.txt")


def test_the_fingerprint_follows_paths_contents_and_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lists(tmp_path)

    def fingerprint() -> str:
        return image_lists(tmp_path / "train.txt").fingerprint

    found = [fingerprint()]
    assert fingerprint() == found[0]
    image = tmp_path / "images" / "image 0.png"
    image_sets.write_image(image, 0, 0, (41, 35))
    found.append(fingerprint())
    content = bytearray(image.read_bytes())
    content[-20] ^= 1
    image.write_bytes(content)  # of the same size
    found.append(fingerprint())
    text = (tmp_path / "train.txt").read_text()
    (tmp_path / "train.txt").write_text(text.replace("0.png 0", "0.png 1"))
    found.append(fingerprint())
    monkeypatch.setattr(_files, "MOST_HASHED", 1000)
    found.append(fingerprint())
    assert len({*found}) == len(found)
    image.write_bytes(bytes(len(content)))
    assert fingerprint() == found[-1]  # of very many images, sizes have to do


def test_sizes_must_fit(tmp_path: Path) -> None:
    write_lists(tmp_path)
    with pytest.raises(DataError, match="image_size 64: expected at least 1, and at most resize"):
        image_lists(tmp_path / "train.txt", image_size=64, resize=32)


# WebVision and ILSVRC12


def small(dataset: Any, root: Path, **keywords: Any) -> Dataset:
    return dataset(root, image_size=16, resize=20, **keywords)


@pytest.mark.parametrize("lists", [True, False], ids=["lists", "official"])
@pytest.mark.parametrize("layout", ["lists", "folders", "meta", "ids"])
def test_webvision_layouts(tmp_path: Path, lists: bool, layout: str) -> None:
    image_sets.write_webvision(tmp_path / "webvision", lists=lists, each=2)
    expected = image_sets.write_ilsvrc12(tmp_path / "imagenet", layout)
    dataset = small(webvision_mini, tmp_path)
    assert dataset.num_classes == 50
    assert dataset.notes == ()
    assert len(dataset.train) == 14
    assert dataset.test is not None
    assert sorted(set(dataset.test.labels.tolist())) == sorted(image_sets.USED)
    part = dataset.extra_tests["ilsvrc12"]
    found = zip(names(part.inputs), part.labels.tolist(), strict=True)
    assert {Path(name).name: label for name, label in found} == expected
    if not lists:
        assert dataset.class_names == tuple(image_sets.WNIDS[:50])


def test_webvision_trains_without_its_validation_sets_and_says_so(tmp_path: Path) -> None:
    image_sets.write_webvision(tmp_path, lists=True, each=2)
    (tmp_path / "webvision_mini_val.txt").unlink()
    with pytest.warns(DataWarning) as caught:
        dataset = small(webvision_mini, tmp_path)
    assert dataset.notes == (
        "WebVision without the WebVision validation set, which is not there",
        "WebVision without the ILSVRC12 validation set, which is not there",
    )
    assert len(caught) == 2
    assert dataset.test is None
    assert not dataset.extra_tests


def test_ilsvrc12_classes_are_never_guessed(tmp_path: Path) -> None:
    web, imagenet = tmp_path / "webvision", tmp_path / "imagenet"
    image_sets.write_webvision(web, lists=True, each=2)
    image_sets.write_ilsvrc12(imagenet, "meta")
    kit = imagenet / "ILSVRC2012_devkit_t12" / "data"
    meta = (kit / "meta.mat").read_bytes()

    def refuse(message: str) -> None:
        with pytest.raises(DataError, match=message):
            small(webvision_mini, tmp_path)

    (kit / "meta.mat").write_bytes(meta[:1000])
    refuse("cannot read .*meta.mat")
    (kit / "meta.mat").unlink()
    refuse("numbers the classes by ILSVRC2012_ID, which is not the order of their names")
    order = image_sets.devkit_order()
    image_sets.write_lines(kit / "ilsvrc2012_ids.txt", ["one n01440764"])
    refuse("ilsvrc2012_ids.txt, line 1: .*expected 'ID wnid'")
    image_sets.write_lines(kit / "ilsvrc2012_ids.txt", [f"1 {wnid}" for wnid in order])
    refuse("gives an ID or a WordNet ID twice")
    image_sets.write_lines(kit / "ilsvrc2012_ids.txt", [f"{i} {wnid}" for i, wnid in enumerate(order[:60], 1)])
    refuse("has 60 classes: without info/synsets.txt of WebVision all 1000 are needed")
    image_sets.write_lines(kit / "ilsvrc2012_ids.txt", [f"{i} {wnid}" for i, wnid in enumerate(order, 1)])
    image_sets.write_lines(kit / "ILSVRC2012_validation_ground_truth.txt", ["5", "1001"])
    refuse("ground_truth.txt, line 2: '1001': expected an ILSVRC2012_ID")
    for path in sorted(kit.iterdir()):
        path.unlink()
    refuse("no ILSVRC12 validation images in")
    (imagenet / "val" / image_sets.WNIDS[3]).mkdir(parents=True)
    refuse("has 1 classes: without info/synsets.txt")
    with pytest.raises(DataError, match="no ILSVRC12 validation images in .*elsewhere"):
        small(webvision_mini, tmp_path, ilsvrc12=tmp_path / "elsewhere")


def test_malformed_webvision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no WebVision under .*webvision_mini_train.txt or info/train_filelist_google"):
        small(webvision_mini, tmp_path)
    image_sets.write_webvision(tmp_path, lists=False, each=2)
    synsets = tmp_path / "info" / "synsets.txt"
    for lines, message in (
        (["tench"], r"synsets.txt, line 1: 'tench': expected a WordNet ID"),
        (["n01440764 tench"], "has 1 classes"),
    ):
        image_sets.write_lines(synsets, lines)
        with pytest.raises(DataError, match=message):
            small(webvision_mini, tmp_path)
    synsets.unlink()
    (tmp_path / "val_images_256").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="but none of the folders val_images_256, val_images and val"):
        small(webvision_mini, tmp_path)
    image_sets.write_lines(tmp_path / "webvision_mini_train.txt", ["google/q0000/image_0.jpg 50"])
    with pytest.raises(DataError, match="label 50: expected 0 … 49"):
        small(webvision_mini, tmp_path)


# Clothing1M


@pytest.mark.parametrize("keys", [True, False], ids=["key lists", "pairs"])
def test_clothing1m_layouts(tmp_path: Path, keys: bool) -> None:
    image_sets.write_clothing1m(tmp_path, keys=keys, each=1)
    dataset = small(clothing1m, tmp_path)
    assert dataset.num_classes == 14
    assert list(dataset.test_parts) == ["test", "clean-validation"]
    assert np.bincount(dataset.train.labels).tolist() == [1 + label % 3 for label in range(14)]
    assert isinstance(dataset.train.inputs, ImageFiles)
    assert dataset.train.inputs.square
    assert len(dataset.notes) == keys  # one line of the label file has a single field
    part = dataset.extra_tests["clean-validation"]
    assert part.inputs.shape == (28, 16, 16, 3)
    for name, label in zip(names(part.inputs), part.labels, strict=True):
        assert f"/{label:02d}/" in name


def test_clothing1m_trains_without_its_clean_sets_and_says_so(tmp_path: Path) -> None:
    image_sets.write_clothing1m(tmp_path, keys=False, each=1)
    (tmp_path / "clean_val.txt").unlink()
    with pytest.warns(DataWarning, match="clean validation set, which is not there"):
        dataset = small(clothing1m, tmp_path)
    assert dataset.notes == ("Clothing1M without its clean validation set, which is not there",)


def test_malformed_clothing1m_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no Clothing1M under"):
        small(clothing1m, tmp_path)
    image_sets.write_clothing1m(tmp_path, keys=True, each=1)
    kv = tmp_path / "annotations" / "noisy_label_kv.txt"
    text = kv.read_text()

    def refuse(message: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            with pytest.raises(DataError, match=message):
                small(clothing1m, tmp_path)

    kv.write_text(text.replace(" 13", " 14"))
    refuse(r"noisy_label_kv.txt, line \d+: label '14': expected 0 … 13")
    kv.write_text("\n".join(text.splitlines()[1:]))
    refuse(r"noisy_train_key_list.txt, line 1: .* has no label in noisy_label_kv.txt")
    kv.unlink()
    refuse("cannot read .*noisy_label_kv.txt")
    kv.write_text("../x.jpg 1\n")
    image_sets.write_lines(kv.parent / "noisy_train_key_list.txt", ["../x.jpg"])
    refuse("expected a path inside")
