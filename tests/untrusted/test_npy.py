from __future__ import annotations

import io
import os
import resource
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from noiseproof.errors import DataError
from noiseproof.untrusted import _zip, open_npz, read_npy

KINDS = ["?", "u1", "<i2", ">i4", "<u8", "<f2", ">f8", "<c16", "<U5", ">U3", "S4"]


def saved(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=array.dtype.hasobject)
    return file.getvalue()


def npz(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def read_all(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with open_npz(path) as file:
        return {name: file.read(name) for name in file.names}


@given(st.data())
def test_every_plain_array_is_read_as_numpy_reads_it(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    folder = tmp_path_factory.getbasetemp()
    kind = data.draw(st.sampled_from(KINDS))
    array = data.draw(arrays.arrays(kind, arrays.array_shapes(min_dims=0, min_side=0)))
    array = np.asfortranarray(array) if data.draw(st.booleans()) else array
    np.save(folder / "a.npy", array)
    data.draw(st.sampled_from([np.savez, np.savez_compressed]))(folder / "a.npz", first=array, second=array.ravel())
    found = read_npy(folder / "a.npy")
    both = read_all(folder / "a.npz")
    assert list(both) == ["first", "second"]
    for result in (found, both["first"]):
        assert result.shape == array.shape
        assert result.dtype == array.dtype.newbyteorder("=")
        assert result.dtype.isnative
        assert result.tobytes() == array.astype(result.dtype).tobytes()


HEAD = b"\x93NUMPY\x01\x00"


def with_header(text: str, body: bytes = b"") -> bytes:
    return HEAD + struct.pack("<H", len(text)) + text.encode() + body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"3\n4\n5\n", "it is no array that numpy.save wrote"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "it is a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "it is a web page"),
        (b"PK\x03\x04" + bytes(60), "an archive of arrays"),
        (saved(np.array([None, 1], object)), "it holds Python objects, which could run code"),
        (saved(np.zeros(3, [("a", "i4"), ("b", "f8")])), "it is a structured array"),
        (saved(np.array(["2020-01-01"], "M8[D]")), "it holds values of type '<M8"),
        (saved(np.arange(5))[:-1], "the array is cut off: int64 of shape .5,. has 40 bytes, and 39 are there"),
        (saved(np.arange(5)) + b"x", "the array is followed by something else"),
        (saved(np.arange(5))[:20], "its header is cut off"),
        (with_header("{'descr': '<i8', 'fortran_order': False, 'shape': (10**9,), }"), "numpy.save does not write"),
        (with_header("{'descr': '<i8', 'fortran_order': False, 'shape': (99999999999,), }"), "the array is cut off"),
        (with_header("{'descr': '<U99999999', 'fortran_order': False, 'shape': (1,), }"), "the array is cut off"),
        (with_header("{'descr': '<i8', 'fortran_order': False, 'shape': (0, 999999999999999999, 999), }"), "damaged"),
        (with_header("{'descr': '<i8', 'fortran_order': False}"), "numpy.save does not write"),
        (with_header("{'descr': '<i8', 'fortran_order': False, 'shape': (1 2,), }", bytes(8)), r"its shape is \(1 2"),
        (with_header("(" * 9000), "numpy.save does not write"),
        (with_header("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", b"\x01\x02"), "other than 0 and 1"),
        (with_header("{'descr': '<U1', 'fortran_order': False, 'shape': (), }", b"\xff" * 4), "do not exist"),
        (with_header("{'descr': '<U0', 'fortran_order': False, 'shape': (9,), }"), "values of type '<U0'"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31), "its header has 2,147,483,648 bytes"),
    ],
)
def test_what_is_no_plain_array_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match=f"a.npy: .*{message}"):
        read_npy(tmp_path / "a.npy")
    if content:
        npz(tmp_path / "a.npz", {"a.npy": content})
        with pytest.raises(DataError, match="cannot read 'a.npy' in .*a.npz: "):
            read_all(tmp_path / "a.npz")


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    odd = (tmp_path, tmp_path / "absent.npy", Path("a\0b"), Path("x" * 5000))
    for path in (tmp_path / "pipe.npy", Path("/dev/zero"), *odd):
        for read in (read_npy, read_all):
            with pytest.raises(DataError, match="cannot read "):
                read(path)


def test_what_is_no_archive_of_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for content, message in (
        (b"", "the file is empty"),
        (b"hello", "it is no .npz file"),
        (saved(np.arange(3)), "it is no .npz file, such as numpy.savez writes"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"cannot read .*a.npz: {message}"):
            read_all(path)
    npz(path, {"a.npy": saved(np.arange(3)), "readme.txt": b"hello"})
    with open_npz(path) as file:
        assert file.names == ("a", "readme.txt")
        assert file.read("a").tolist() == [0, 1, 2]
        with pytest.raises(DataError, match="'readme.txt' in .*: it is no array that numpy.save wrote"):
            file.read("readme.txt")
        with pytest.raises(DataError, match="no 'b' in .*known: a.npy, readme.txt"):
            file.read("b")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a.npy", saved(np.arange(4)))
    with pytest.raises(DataError, match="two files of one name"):
        read_all(path)
    npz(path, {"a.npy": saved(np.arange(3))}, zipfile.ZIP_BZIP2)
    with pytest.raises(DataError, match="compressed in a way"):
        read_all(path)
    content = bytearray(npz(path, {"a.npy": saved(np.arange(3))}).read_bytes())
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="it is encrypted"):
        read_all(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive_gives_the_right_arrays_or_an_error(tmp_path: Path, save: Any) -> None:
    """Each byte of the file is changed in turn."""
    random = np.random.default_rng(0)
    whole = {"x": random.integers(0, 9, (20, 3)), "labels": np.array(["cat", "dog"] * 4)}
    save(tmp_path / "a.npz", **whole)
    content = (tmp_path / "a.npz").read_bytes()
    read = 0
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= int(random.integers(1, 256))
        (tmp_path / "b.npz").write_bytes(changed)
        try:
            found = read_all(tmp_path / "b.npz")
        except DataError:
            continue
        assert all(name not in whole or (array == whole[name]).all() for name, array in found.items())
        read += 1
    assert read < len(content) / 2


def bomb(path: Path, claimed: int, actual: int) -> Path:
    """An archive whose member says that it has ``claimed`` zeros and has ``actual``, in a deflate stream."""
    head = with_header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({claimed},), }}")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = packer.compress(head + bytes(actual)) + packer.flush()
    size, crc = len(head) + claimed, zlib.crc32(head + bytes(actual))
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(stream), size, 5, 0) + b"a.npy" + stream
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(stream), size, 5, 0, 0, 0, 0, 0, 0)
    entry += b"a.npy"
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local), 0)
    path.write_bytes(local + entry + end)
    return path


def test_archives_that_expand_beyond_the_bound_are_refused_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fair = read_all(bomb(tmp_path / "fair.npz", 1_000_000, 1_000_000))["a"]
    assert fair.shape == (1_000_000,)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match="the archive says"):
        read_all(bomb(tmp_path / "lie.npz", 3_000_000_000, 100))
    with pytest.raises(DataError, match="it is damaged|cut off"):
        read_all(bomb(tmp_path / "short.npz", 1_000_000, 999_999))
    monkeypatch.setattr(_zip, "EXPANDED", 100_000_000)
    with pytest.raises(DataError, match=r"would take 200,000,075 bytes, with .* times the archive.s size"):
        read_all(bomb(tmp_path / "big.npz", 200_000_000, 200_000_000))
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    )  # KiB, of which the test takes 200,000 to make a file


def test_a_directory_of_absurd_size_is_refused(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", {"a.npy": saved(np.arange(3))})
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\5\6") + 12
    content[place : place + 4] = struct.pack("<I", 2**31)
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read_all(path)
