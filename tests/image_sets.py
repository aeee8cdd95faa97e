"""Small image data sets in the exact layouts of the published ones, with real JPEG and PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

WNIDS = [f"n{1440764 + 7 * i:08d}" for i in range(1000)]
"""A thousand names in order; classes 0 … 49 are the first."""

USED = (0, 1, 2, 30, 31, 32, 49)
"""The classes that the small sets have images of."""


def write_image(path: Path, label: int, number: int, size: tuple[int, int] = (40, 34)) -> None:
    """An image whose color and stripes tell its class."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng([label, number])
    pixels = random.integers(0, 60, (size[1], size[0], 3))
    pixels[..., label % 3] += 120
    pixels[:: 2 + label % 5] //= 2
    Image.fromarray(pixels.astype(np.uint8)).save(path, quality=92)


def break_images(folder: Path) -> list[str]:
    """Spoil three images of a folder each in its own way; returns their names."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    truncated, text, bomb = files[1], files[4], files[8]
    truncated.write_bytes(truncated.read_bytes()[:-200])
    text.write_text("<html>404 Not Found</html>")
    Image.new("1", (20000, 10000)).save(bomb, format="PNG")
    return [path.relative_to(folder).as_posix() for path in (truncated, text, bomb)]


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def write_webvision(root: Path, *, lists: bool, each: int = 8, validation: int = 2) -> None:
    """WebVision-mini with its official info folder, or with list files."""
    train, val = [], []
    for label in USED:
        for number in range(each):
            name = f"google/q{label:04d}/image_{number}.jpg"
            write_image(root / name, label, number, (40 + number, 34))
            train.append(f"{name} {label}")
        for number in range(validation):
            name = f"val{len(val) + 1:06d}.jpg"
            write_image(root / "val_images_256" / name, label, 100 + number)
            val.append(f"{name} {label}")
    if lists:
        write_lines(root / "webvision_mini_train.txt", train)
        write_lines(root / "webvision_mini_val.txt", [f"val_images_256/{line}" for line in val])
    else:  # the other 950 classes are in the lists too
        write_lines(
            root / "info/train_filelist_google.txt", [*train, "google/q0999/other.jpg 50", "google/x y.jpg 999"]
        )
        write_lines(root / "info/val_filelist.txt", [*val, "val099999.jpg 500"])
        write_lines(root / "info/synsets.txt", [f"{wnid} name of it, another" for wnid in WNIDS])


def devkit_order() -> list[str]:
    """The WordNet ID of ILSVRC2012_ID 1, 2, …: an order of its own."""
    return [WNIDS[i] for i in np.random.default_rng(5).permutation(1000)]


def write_ilsvrc12(root: Path, layout: str) -> dict[str, int]:
    """ILSVRC12 validation images of the used classes and of one more; returns the expected labels by file name."""
    expected, truth = {}, []
    order = devkit_order()
    for number in range(3 * (len(USED) + 1)):
        label = (*USED, 700)[number % (len(USED) + 1)]
        name = f"ILSVRC2012_val_{number + 1:08d}.JPEG"
        path = {"folders": f"val/{WNIDS[label]}/{name}", "lists": f"val/{name}"}.get(layout, name)
        write_image(root / path, label, 200 + number)
        truth.append(str(order.index(WNIDS[label]) + 1))
        if label < 50:
            expected[name] = label
    if layout == "lists":
        write_lines(root / "imagenet_val.txt", [f"{name} {label}" for name, label in expected.items()])
    if layout == "folders":
        for wnid in WNIDS:
            (root / "val" / wnid).mkdir(exist_ok=True)
    if layout in ("meta", "ids"):
        kit = root / "ILSVRC2012_devkit_t12" / "data"
        write_lines(kit / "ILSVRC2012_validation_ground_truth.txt", truth)
        if layout == "ids":
            write_lines(kit / "ilsvrc2012_ids.txt", [f"{i} {wnid} its_name" for i, wnid in enumerate(order, 1)])
        else:
            fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
            entries = [(i, wnid, "words", 0) for i, wnid in enumerate([*order, "n99999999"], 1)]  # one group of classes
            scipy.io.savemat(kit / "meta.mat", {"synsets": np.array(entries, dtype=fields).reshape(-1, 1)})
    return expected


def write_clothing1m(root: Path, *, keys: bool, classes: int = 14, each: int = 6) -> None:
    """Clothing1M with key lists and label files, or with lists of pairs."""
    parts: dict[str, list[tuple[str, int]]] = {"noisy_train": [], "clean_val": [], "clean_test": []}
    for part, known in parts.items():
        for label in range(classes):
            for number in range(each + label % 3 if part == "noisy_train" else 2):
                name = f"images/{len(part)}/{label:02d}/{number}.jpg"
                write_image(root / name, label, number + 50 * len(part), (38, 50))
                known.append((name, label))
    if not keys:
        for part, known in parts.items():
            write_lines(root / f"{part}.txt", [f"{name} {label}" for name, label in known])
        return
    notes = root / "annotations"
    for part, known in parts.items():
        write_lines(notes / f"{part}_key_list.txt", [name for name, _ in known])
    write_lines(notes / "noisy_label_kv.txt", [*(f"{n} {label}" for n, label in parts["noisy_train"]), "images/x.jpg"])
    clean = [f"{name} {label}" for part in ("clean_val", "clean_test") for name, label in parts[part]]
    write_lines(notes / "clean_label_kv.txt", clean)
