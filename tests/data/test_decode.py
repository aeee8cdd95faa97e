"""Images of unusual depths, and images that are made to take memory."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from noiseproof.data import ImageFiles, image_folder
from noiseproof.data._decode import Unreadable, decode, try_decode
from noiseproof.errors import DataWarning


def png(path: Path, width: int, height: int, bits: int, color: int, rows: bytes) -> Path:
    """A PNG file with whatever it says in its head."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def write_depth(root: Path, bits: int, ending: str = "png", kind: str = "<u2") -> None:
    """Two classes of gray images whose values fill so many bits; dark ones among them."""
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for number in range(6):
            brightest = ((1 << bits) - 1) // (1 + number)
            ramp = np.linspace(0, brightest, 24 * 24).reshape(24, 24).astype(kind)
            Image.fromarray(ramp).save(root / name / f"{number}.{ending}")


def decoded(root: Path) -> list[np.ndarray]:
    files = image_folder(root, image_size=16, resize=24).train.inputs
    assert isinstance(files, ImageFiles)
    every = files.names(np.arange(len(files)))
    return [decode(root / name, 24, square=False, depth=files.depth) for name in every]


@pytest.mark.parametrize(
    ("bits", "ending", "kind"),
    [(8, "png", "<u2"), (10, "tiff", "<u2"), (12, "png", "<u2"), (14, "tiff", "<u2"), (12, "tiff", "<i4"),
     (31, "tiff", "<i4")],
)  # fmt: skip
def test_deep_images_are_scaled_by_the_bits_that_the_set_uses(
    tmp_path: Path, bits: int, ending: str, kind: str
) -> None:
    write_depth(tmp_path, bits, ending, kind)
    depth = 32 if bits == 31 else bits
    with pytest.warns(DataWarning, match=f"use {depth} bits .*is taken for white in all of them"):
        pixels = decoded(tmp_path)
    full = 255 if bits < 31 else 127
    # One scale for all: the image with half the values has half the brightness.
    assert [image.max() for image in pixels[:6]] == [pytest.approx(full / (1 + number), abs=2) for number in range(6)]


def test_16_bits_stay_as_they_are_and_an_image_that_does_not_fit_says_so(tmp_path: Path) -> None:
    write_depth(tmp_path / "whole", 16)
    assert decoded(tmp_path / "whole")[0].max() == 255  # no warning
    bright = tmp_path / "whole" / "cat" / "0.png"
    found = try_decode(bright, 24, square=False, depth=12)
    assert isinstance(found, Unreadable)
    assert "values up to 65,535: more than the 12 bits that the images looked at first have" in found.why
    Image.fromarray(np.full((20, 20), -5, np.int32)).save(tmp_path / "negative.tiff")
    found = try_decode(tmp_path / "negative.tiff", 24, square=False)
    assert isinstance(found, Unreadable)
    assert "negative values" in found.why


def test_pgm_files_are_scaled_by_their_own_maximum(tmp_path: Path) -> None:
    """It is stated in the file, and says nothing of others."""
    ramp = np.linspace(0, 4095, 24 * 24).reshape(24, 24).astype(">u2")
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.pgm").write_bytes(b"P5\n24 24\n4095\n" + ramp.tobytes())
        (tmp_path / name / "1.pgm").write_bytes(b"P5\n24 24\n65535\n" + (ramp // 20).astype(">u2").tobytes())
    bright, dark = decoded(tmp_path)[:2]
    assert bright.max() == 255
    assert dark.max() == 0


def test_colors_whose_used_bits_cannot_be_read_are_warned_of(tmp_path: Path) -> None:
    row = b"\0" + np.full(24 * 3, 3000, ">u2").tobytes()
    for name in ("cat", "dog"):
        png(tmp_path / name / "0.png", 24, 24, 16, 2, row * 24)
    with pytest.warns(DataWarning, match="colors of the 2 16-bit images .*nearly black. Convert them to 8 bits"):
        image_folder(tmp_path)


BOMBS = """
import resource, sys
from pathlib import Path
from noiseproof.data._decode import try_decode
Image = __import__("PIL.Image").Image
Image.init()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    found = try_decode(Path(path), 64, square=False)
    print(Path(path).name, found.why if isinstance(found, tuple) else found.shape, sep="|")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_images_are_bounded_by_the_bytes_they_take(tmp_path: Path) -> None:
    side = 9000
    deep = png(tmp_path / "deep.png", side, side, 16, 0, bytes((1 + 2 * side) * side))  # 81 million pixels
    alpha = png(tmp_path / "alpha.png", 6000, 6000, 8, 6, bytes((1 + 4 * 6000) * 6000))
    Image.new("L", (12000, 9000)).save(tmp_path / "large.jpg")
    Image.new("RGB", (10_000, 10_000)).save(tmp_path / "scans.jpg", progressive=True)
    tiles = tmp_path / "tiles.tiff"
    # Width, height, bits, deflate, black is zero, one channel; and tiles far larger than the image.
    tags = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: 60_000, 323: 60_000, 324: 8, 325: 20}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    content = struct.pack("<2sHI20s", b"II", 42, 28, zlib.compress(bytes(64)).ljust(20, b"\0"))
    tiles.write_bytes(content + struct.pack("<H", len(tags)) + entries + bytes(4))
    big = tmp_path / "big.png"
    with big.open("wb") as file:
        file.truncate(300 << 20)
    paths = [deep, alpha, tmp_path / "large.jpg", tmp_path / "scans.jpg", tiles, big]
    done = subprocess.run(
        [sys.executable, "-c", BOMBS, *map(str, paths)], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    *lines, memory = done.stdout.splitlines()
    said = dict(line.split("|") for line in lines)
    for name in ("deep.png", "alpha.png", "scans.jpg", "tiles.tiff"):
        assert "MiB to decode, of 512 at most: perhaps a decompression bomb" in said[name], name
    assert said["large.jpg"] == "(64, 85, 3)"  # decoded at an eighth of its size
    assert "a file of more than 256 MiB" in said["big.png"]
    assert int(memory) < 100


def test_what_a_file_is_instead_is_said(tmp_path: Path) -> None:
    for content, text in (
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer"),
        (b"<!DOCTYPE html>", "it is a web page"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "it is HEIC, AVIF or a film"),
        (b"hello", "no image in a known format"),
    ):
        (tmp_path / "a.jpg").write_bytes(content)
        found = try_decode(tmp_path / "a.jpg", 16, square=False)
        assert isinstance(found, Unreadable)
        assert text in found.why
        assert not found.gone


def test_damaged_images_cost_nothing_else(tmp_path: Path) -> None:
    """Bytes changed at random give pixels or a reason."""
    random = np.random.default_rng(0)
    picture = Image.fromarray(random.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    path = tmp_path / "a"
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"):
        picture.save(path, kind)
        content = path.read_bytes()
        for _ in range(60):
            changed = bytearray(content)
            for place in random.integers(0, min(len(content), 400), 3):
                changed[place] = int(random.integers(256))
            path.write_bytes(changed)
            found = try_decode(path, 16, square=False)
            assert isinstance(found, Unreadable) or found.dtype == np.uint8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4_000_000
