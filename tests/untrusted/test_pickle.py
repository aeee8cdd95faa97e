"""Pickles and files of torch.save: what the machine reads, and what it must not do."""

from __future__ import annotations

import io
import os
import pickle
import resource
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from conftest import pickle_python2
from noiseproof.errors import DataError
from noiseproof.untrusted import read_pickle, read_torch

ARRAYS = st.sampled_from(["?", "u1", "<i2", ">i4", "<u8", "<f2", ">f8"]).flatmap(
    lambda kind: (
        arrays.arrays(kind, arrays.array_shapes(min_dims=0, min_side=0), elements={"allow_nan": False})
        if "f" in kind
        else arrays.arrays(kind, arrays.array_shapes(min_dims=0, min_side=0))
    )
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**100), 2**100)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=300)
    | ARRAYS
    | st.integers(-100, 100).map(np.int64)
    | st.floats(-10, 10).map(np.float64)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5) | st.integers(-(10**9), 10**9), inner, max_size=5)
    ),
    max_leaves=15,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(b, np.ndarray):
        return (
            isinstance(a, np.ndarray) and a.shape == b.shape and a.dtype.kind == b.dtype.kind and bool((a == b).all())
        )
    if isinstance(b, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(b, dict):
        return isinstance(a, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in b)
    return a == b


@given(VALUES, st.integers(0, 5))
def test_plain_values_and_arrays_are_read_as_python_reads_them(value: Any, protocol: int) -> None:
    assert same(read_pickle(pickle.dumps({"x": value}, protocol), "x")["x"], value)


@pytest.mark.parametrize("core", [b"numpy.core.", b"numpy._core."])
@pytest.mark.parametrize("protocol", range(6))
def test_both_names_that_numpy_has_had_are_known(core: bytes, protocol: int) -> None:
    whole = {"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [np.int64(3), np.int32(4)]}
    content = pickle.dumps(whole, protocol)
    own = core if protocol < 4 else b"numpy._core."  # later ones state the length of a name before it
    found = read_pickle(content.replace(b"numpy._core.", own), "x")
    assert same(found, whole)


def test_arrays_of_any_order_are_read() -> None:
    whole = {"f": np.asfortranarray(np.arange(6).reshape(2, 3)), "t": np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2)}
    for protocol in range(6):
        assert same(read_pickle(pickle.dumps(whole, protocol), "x"), whole)


class _Calls:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


def object_array(raw: bytes) -> bytes:
    """An array of Python objects, whose state gives the pointers as bytes."""
    return (
        b"\x80\x02}X\x04\x00\x00\x00datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
        b"(K\x01K\x01\x85cnumpy\ndtype\nX\x01\x00\x00\x00O\x89\x88\x87R(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89C" + bytes([len(raw)]) + raw + b"tbs."
    )


NESTED = b"\x80\x02}X\x01\x00\x00\x00a]q\x00h\x00h\x00\x86q\x01" + b"".join(
    b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(1, 60)
)

HOSTILE = {
    "pointers of the file's choice": object_array(bytes(range(8))),
    "a memo of three gigabytes": b"\x80\x02Nr\xff\xff\xff\x17.",
    "a string of two gigabytes": b"\x80\x04X\xff\xff\xff\x7f.",
    "bytes of 2**62": b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b".",
    "a bytearray of 2**62": b"\x80\x05\x96" + (2**62).to_bytes(8, "little") + b".",
    "an integer of two gigabytes": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "an integer of a million bytes": b"\x80\x02\x8b@B\x0f\x00" + bytes(1_000_000) + b".",
    "a million digits": b"L" + b"9" * 1_000_000 + b"L\n.",
    "a key that takes for ever to hash": NESTED + b"}h<Ns.",
    "a value that takes for ever to print": NESTED + b"s.",
    "a list in itself": b"\x80\x02}X\x01\x00\x00\x00a]q\x00h\x00as.",
    "a dictionary in itself": b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",
    "a hundred thousand levels": b"\x80\x02}X\x01\x00\x00\x00a" + b"]" * 100_000 + b"a" * 99_999 + b"s.",
    "keys that collide": b"\x80\x02}("
    + b"".join(b"\x8a\x0f" + ((2**61 - 1) * i).to_bytes(15, "little") + b"N" for i in range(20_000))
    + b"u.",
    "ten thousand copies of an array": b"\x80\x02}"
    b"X\x01\x00\x00\x00a](cnumpy\ndtype\nX\x02\x00\x00\x00u1\x89\x88\x87Rq\x01"
    + b"0X\xa0\x86\x01\x00"
    + b"x" * 100_000
    + b"q\x020"
    + b"cnumpy.core.multiarray\n_reconstruct\nq\x030cnumpy\nndarray\nq\x040"
    + b"h\x03h\x04K\x00\x85C\x01b\x87R(K\x01J\xa0\x86\x01\x00\x85h\x01\x89h\x02tb" * 10_000
    + b"es.",
    "a shape that does not fit": b"\x80\x02}X\x01\x00\x00\x00a"
    b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
    b"(K\x01J\xff\xff\xff\x7f\x85cnumpy\ndtype\nX\x02\x00\x00\x00u1\x89\x88\x87R\x89C\x01xtbs.",
    "a type with a string of itself": b"\x80\x02}X\x01\x00\x00\x00acnumpy\ndtype\nX\x02\x00\x00\x00V9\x89\x88\x87Rs.",
    "a new object": b"\x80\x02cnumpy\nndarray\nK\x05\x85\x81.",
    "an extension": b"\x80\x02\x82\x01.",
    "a buffer outside": b"\x80\x05\x97.",
    "a name as a value": b"\x80\x02}X\x01\x00\x00\x00acnumpy\nndarray\ns.",
    "a mark as a value": b"\x80\x02(.",
    "nothing": b"\x80\x02.",
    "a call of a string": b"\x80\x02X\x01\x00\x00\x00a)R.",
    "an encoding that imports": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R.",
    "a state for a list": b"\x80\x02]}b.",
    "a persistent ID": b"\x80\x02X\x01\x00\x00\x00aQ.",
}

CHILD = """
import pickle, re, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from noiseproof.errors import DataError
from noiseproof.untrusted import read_pickle
for name, content in pickle.load(sys.stdin.buffer).items():
    start = time.process_time()
    try:
        repr(read_pickle(content, name))
    except DataError as error:
        said = str(error)
    else:
        said = "was read"
    # Not ru_maxrss, which begins with that of the process that started this one.
    peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]
    print(f"{name}|{time.process_time() - start:.1f}|{peak}|{said}")
"""


def test_hostile_pickles_are_refused_in_little_time_and_memory() -> None:
    """In another process, which they might end."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD], input=pickle.dumps(HOSTILE), capture_output=True, check=True, timeout=300
    )
    lines = [line.split("|", 3) for line in done.stdout.decode().splitlines()]
    assert [line[0] for line in lines] == list(HOSTILE)
    for name, seconds, memory, said in lines:
        assert "damaged or truncated" in said or "expected a dictionary" in said, name
        assert float(seconds) < 5, name
        assert int(memory) < 600_000, name  # KiB


@settings(max_examples=300)
@given(st.data())
def test_a_changed_pickle_gives_a_value_or_an_error(data: Any) -> None:
    content = bytearray(
        data.draw(st.sampled_from(SAMPLES)),
    )
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    try:
        repr(read_pickle(bytes(content), "x"))
    except DataError:
        pass


WHOLE = {"data": np.arange(12, dtype=np.uint8).reshape(3, 4), "labels": [0, 1, np.int64(2)], "names": ["a", b"b"]}
SAMPLES = [pickle.dumps(WHOLE, protocol) for protocol in range(6)] + [
    pickle_python2({"data": np.arange(12, dtype=np.uint8).reshape(3, 4), "labels": [0, 1, 2]})
]


def test_what_a_file_is_instead_is_said() -> None:
    for content, message in (
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 1\n", "it is a Git LFS pointer"),
        (b"\n <!DOCTYPE html>\n<html>", "it is a web page"),
        (b"", "the file is empty"),
    ):
        with pytest.raises(DataError, match=f"cannot read batch: {message}"):
            read_pickle(content, "batch")


# --- torch.save


def saved(value: Any, path: Path, *, archive: bool = True) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=archive)
    return path


@pytest.mark.parametrize("archive", [True, False])
def test_tensors_of_both_formats_are_read(tmp_path: Path, archive: bool) -> None:
    base = torch.arange(24.0).reshape(2, 3, 4)
    whole = {
        "a": base,
        "view": base[1, :, ::2],
        "turned": base.transpose(0, 2),
        "one": torch.tensor(5),
        "none": torch.empty(0, 3),
        "flags": torch.tensor([True, False]),
        "small": torch.tensor([1, 255], dtype=torch.uint8),
        "wide": torch.tensor([1, 60_000], dtype=torch.uint16),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "array": np.arange(5),
        "list": [1, 2, 3],
    }
    found = read_torch(saved(OrderedDict(whole), tmp_path / "a.pt", archive=archive), "tensors")
    assert list(found) == list(whole)
    for name, value in whole.items():
        expected = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        assert np.asarray(found[name]).dtype == expected.dtype
        np.testing.assert_array_equal(found[name], expected)


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda: torch.ones(3, 3).to_sparse(), "holds tensors that are not plain and dense"),
        (lambda: torch.empty(10**6, device="meta"), "holds tensors that are not plain and dense"),
        (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "not plain and dense|QInt8Storage"),
        (lambda: {"a": _Calls()}, "holds more than arrays .*system"),
        (lambda: torch.ones(1).expand(1000, 1000, 1000), "repeats 1 elements"),
        (lambda: torch.device("cpu"), "holds tensors that are not plain"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_other_tensors_are_refused(tmp_path: Path, value: Any, message: str, archive: bool) -> None:
    with pytest.raises(DataError, match=message):
        read_torch(saved(value(), tmp_path / "a.pt", archive=archive), "labels")
    assert not Path("owned").exists()


@pytest.mark.parametrize("archive", [True, False])
def test_a_changed_file_gives_values_or_an_error(tmp_path: Path, archive: bool) -> None:
    whole = {"labels": torch.arange(20), "clean": np.arange(20), "view": torch.arange(9.0).reshape(3, 3).t()}
    content = saved(whole, tmp_path / "a.pt", archive=archive).read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "b.pt"
    for place in random.integers(0, len(content), 600):
        changed = bytearray(content)
        changed[place] ^= int(random.integers(1, 256))
        path.write_bytes(changed)
        try:
            read_torch(path, "labels")
        except DataError:
            pass
    for length in random.integers(0, len(content), 60):
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            read_torch(path, "labels")


def test_tensors_beyond_their_storage_and_foreign_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    content = saved(torch.arange(5, dtype=torch.int64), path).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (name,) = (name for name in members if name.endswith("data.pkl"))
    # The shape (5,) and the number of elements are the only small fives of the pickle.
    for old, new in (
        (b"K\x05\x85", b"K\x09\x85"),
        (b"K\x00K\x05\x85", b"K\x03K\x05\x85"),
        (b"K\x01\x85", b"K\x07\x85"),
    ):
        assert members[name].count(old) == 1
        with zipfile.ZipFile(path, "w") as archive:
            for member, raw in members.items():
                archive.writestr(member, raw.replace(old, new) if member == name else raw)
        with pytest.raises(DataError, match="reaches beyond its 40 bytes"):
            read_torch(path, "labels")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/readme", b"")
    with pytest.raises(DataError, match="not one that torch.save writes"):
        read_torch(path, "labels")
    path.write_bytes(b"hello")
    with pytest.raises(DataError, match="torch.save did not write it"):
        read_torch(path, "labels")


def test_memory_is_bounded_by_the_file(tmp_path: Path) -> None:
    """Many tensors on one storage, each as large as all of it."""
    base = torch.zeros(1_000_000, dtype=torch.uint8)
    path = saved([base.view(1_000_000) for _ in range(2_000)], tmp_path / "a.pt")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match="tensors of more bytes than the file has"):
        read_torch(path, "labels")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
