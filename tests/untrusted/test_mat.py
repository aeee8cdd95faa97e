from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from noiseproof.errors import DataError
from noiseproof.untrusted import read_records

FIELDS = ("ILSVRC2012_ID", "WNID")


def write(path: Path, *, compressed: bool = False) -> list[tuple[float, str]]:
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("children", "O")]
    entries = [(i, f"n{i:08d}", "some words", np.arange(i % 4)) for i in range(1, 60)]
    array = np.array(entries, dtype=fields).reshape(-1, 1)
    scipy.io.savemat(path, {"other": np.eye(3), "synsets": array}, do_compression=compressed)
    return [(float(entry[0]), entry[1]) for entry in entries]


@pytest.mark.parametrize("compressed", [False, True])
def test_records_are_read(tmp_path: Path, compressed: bool) -> None:
    expected = write(tmp_path / "meta.mat", compressed=compressed)
    assert read_records(tmp_path / "meta.mat", "synsets", FIELDS) == expected
    with pytest.raises(DataError, match="no array of structures 'nothing'"):
        read_records(tmp_path / "meta.mat", "nothing", FIELDS)
    with pytest.raises(DataError, match="its structures have no WMD"):
        read_records(tmp_path / "meta.mat", "synsets", ("WMD",))
    with pytest.raises(DataError, match="its children is neither a number nor a short text"):
        read_records(tmp_path / "meta.mat", "synsets", ("children",))


@pytest.mark.parametrize("compressed", [False, True])
def test_changed_files_give_records_or_an_error(tmp_path: Path, compressed: bool) -> None:
    write(tmp_path / "meta.mat", compressed=compressed)
    content = (tmp_path / "meta.mat").read_bytes()
    random = np.random.default_rng(0)
    for place in random.integers(0, len(content), 500):
        changed = bytearray(content)
        changed[place] ^= int(random.integers(1, 256))
        (tmp_path / "meta.mat").write_bytes(changed)
        try:
            read_records(tmp_path / "meta.mat", "synsets", FIELDS)
        except DataError:
            pass
    for length in random.integers(0, len(content), 50):
        (tmp_path / "meta.mat").write_bytes(content[:length])
        with pytest.raises(DataError):
            read_records(tmp_path / "meta.mat", "synsets", FIELDS)


def test_files_that_expand_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "meta.mat"
    body = zlib.compress(struct.pack("<II", 14, 100 << 20) + bytes(100 << 20))
    path.write_bytes(b"MATLAB".ljust(124) + b"\0\1IM" + struct.pack("<II", 15, len(body)) + body)
    with pytest.raises(DataError, match="it expands to more than 64 MiB"):
        read_records(path, "synsets", FIELDS)
    path.write_bytes(b"hello")
    with pytest.raises(DataError, match="it is no file of MATLAB"):
        read_records(path, "synsets", FIELDS)
