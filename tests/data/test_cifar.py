from __future__ import annotations

import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from conftest import pickle_python2, write_small_cifar
from noiseproof import data
from noiseproof.errors import DataError, DataWarning

LOADERS = {"cifar10": data.cifar10, "cifar100": data.cifar100}
pytestmark = pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning")


@pytest.mark.parametrize("name", LOADERS)
def test_folder_and_archive_give_the_same(tmp_path: Path, name: str) -> None:
    folder = write_small_cifar(tmp_path, name)
    archive = tmp_path / "archives" / {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}[name]
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, folder.name)
    sets = [LOADERS[name](root) for root in (folder, tmp_path, archive, archive.parent)]
    assert len({dataset.fingerprint for dataset in sets}) == 1
    dataset = sets[0]
    assert dataset.input_shape == (3, 32, 32)
    assert dataset.num_classes == len(dataset.class_names) == {"cifar10": 10, "cifar100": 100}[name]
    assert dataset.train.inputs.shape[1:] == (32, 32, 3)


def test_pixels_and_labels_are_in_their_places(tmp_path: Path) -> None:
    folder = write_small_cifar(tmp_path, "cifar10")
    pixels = np.zeros((10, 3072), np.uint8)
    pixels[0, 0 * 1024 + 3 * 32 + 5] = 7  # red, row 3, column 5
    pixels[9, 2 * 1024 + 31 * 32 + 0] = 9  # blue, last row, first column
    (folder / "data_batch_1").write_bytes(pickle_python2({"data": pixels, "labels": list(range(10))}))
    dataset = data.cifar10(folder)
    assert dataset.train.labels[:10].tolist() == list(range(10))
    assert dataset.train.inputs[0, 3, 5, 0] == 7
    assert dataset.train.inputs[9, 31, 0, 2] == 9
    assert dataset.train.inputs[:10].sum() == 16


def test_a_copy_is_used_with_a_warning(tmp_path: Path) -> None:
    write_small_cifar(tmp_path, "cifar100")
    with pytest.warns(DataWarning, match=r"train, test differ from the published cifar100"):
        dataset = data.cifar100(tmp_path)
    assert dataset.notes == ("cifar100: not the published files, by their checksums",)


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch owned",)


@pytest.mark.parametrize("spoil", ["evil", "nested"])
def test_a_malicious_file_is_refused_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_small_cifar(tmp_path, "cifar10")
    content: object = _Evil() if spoil == "evil" else {"data": [_Evil()], "labels": []}
    (folder / "data_batch_3").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=r"data_batch_3 was refused: it wants to call \w+.system"):
        data.cifar10(folder)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("keep", [0, 1, 10, 1000, -1, -100])
def test_a_truncated_file_is_named(tmp_path: Path, keep: int) -> None:
    folder = write_small_cifar(tmp_path, "cifar10")
    whole = (folder / "data_batch_2").read_bytes()
    (folder / "data_batch_2").write_bytes(whole[:keep])
    with pytest.raises(DataError, match="data_batch_2( is damaged or truncated|: the file is empty)"):
        data.cifar10(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}, "expected 2 'labels'"),
        ({"data": np.zeros((2, 3071), np.uint8), "labels": [0, 1]}, r"shape \(N, 3072\)"),
        ({"labels": [0, 1]}, "'data' is not uint8"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [10]}, "training label 10 at index"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [-1]}, "training label -1 at index"),
        ([], "holds a list: expected a dictionary"),
    ],
)
def test_another_layout_is_named(tmp_path: Path, content: object, message: str) -> None:
    folder = write_small_cifar(tmp_path, "cifar10")
    raw = pickle_python2(content) if isinstance(content, dict) else pickle.dumps(content, 2)
    (folder / "data_batch_1").write_bytes(raw)
    with pytest.raises(DataError, match=message):
        data.cifar10(folder)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected the folder cifar-10-batches-py or cifar-10-python.tar.gz"):
        data.cifar10(tmp_path)
    folder = write_small_cifar(tmp_path, "cifar10")
    (folder / "test_batch").unlink()
    with pytest.raises(DataError, match=r"cannot read .*test_batch.*incomplete"):
        data.cifar10(folder)
    write_small_cifar(tmp_path, "cifar100")
    (tmp_path / "cifar-100-python" / "meta").write_bytes(pickle_python2({"fine_label_names": ["one"]}))
    with pytest.raises(DataError, match="has no 100 fine_label_names"):
        data.cifar100(tmp_path)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    archive = tmp_path / "cifar-10-python.tar.gz"
    archive.write_bytes(b"\x1f\x8b" + b"0" * 100)
    with pytest.raises(DataError, match="it is damaged .* get it again"):
        data.cifar10(tmp_path)
    folder = write_small_cifar(tmp_path / "x", "cifar10")
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder / "data_batch_1", "cifar-10-batches-py/data_batch_1")
    with pytest.raises(DataError, match="holds no data_batch_2"):
        data.cifar10(tmp_path)


def test_a_download_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the network replaced by a local file of other content, the checksum refuses it."""
    import pooch

    fetched = []

    def retrieve(url: str, known_hash: str, fname: str, path: Path, progressbar: bool) -> str:
        fetched.append((url, known_hash))
        target = Path(path) / fname
        target.write_bytes(b"not the archive")
        if pooch.file_hash(str(target)) != known_hash.removeprefix("sha256:"):
            target.unlink()
            raise ValueError("SHA256 hash of downloaded file does not match the known hash")
        return str(target)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(DataError, match="could not download .* does not match"):
        data.cifar10(tmp_path, download=True)
    assert fetched == [
        (
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        )
    ]
    assert not list(tmp_path.iterdir())


def test_first_per_class(tmp_path: Path) -> None:
    write_small_cifar(tmp_path, "cifar10", size=50)
    dataset = data.cifar10(tmp_path)
    part = dataset.first_per_class(30)
    assert np.bincount(part.train.labels).tolist() == [3] * 10
    assert part.source_index is not None
    assert (dataset.train.labels[part.source_index] == part.train.labels).all()
    assert (dataset.train.inputs[part.source_index] == part.train.inputs).all()
    assert part.fingerprint != dataset.fingerprint
    for size in (35, 0, 100_000):
        with pytest.raises(DataError, match=f"train_size {size} of cifar10: expected a multiple of 10 classes"):
            dataset.first_per_class(size)


@pytest.mark.data
def test_the_real_labels(cifar_dir: Path) -> None:
    dataset = data.cifar10(cifar_dir)
    assert dataset.train.inputs.shape == (50_000, 32, 32, 3)
    assert np.bincount(dataset.train.labels).tolist() == [5000] * 10
    assert dataset.class_names[:3] == ("airplane", "automobile", "bird")
    mean = dataset.train.inputs.mean((0, 1, 2))
    np.testing.assert_allclose(mean, dataset.mean, atol=1.0)


@pytest.mark.parametrize("protocol", range(6))
def test_batches_saved_anew_are_read(tmp_path: Path, protocol: int) -> None:
    """In any protocol of pickle, with labels as NumPy's integers or as an array, and keys as bytes."""
    folder = write_small_cifar(tmp_path, "cifar10")
    whole = data.cifar10(folder)
    for number, path in enumerate(sorted(folder.glob("data_batch_*"))):
        pixels = whole.train.inputs[40 * number : 40 * number + 40].transpose(0, 3, 1, 2).reshape(40, 3072).copy()
        labels = whole.train.labels[40 * number : 40 * number + 40]
        kept = [list(labels.astype(np.int32)), labels.astype(np.uint8), labels.tolist()][number % 3]
        path.write_bytes(pickle.dumps({b"data": pixels, b"labels": kept, "batch_label": "x"}, protocol))
    names = [name.encode() for name in whole.class_names]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}, protocol))
    again = data.cifar10(folder)
    assert again.class_names == whole.class_names
    assert (again.train.inputs == whole.train.inputs).all()
    assert (again.train.labels == whole.train.labels).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 30\n", "it is a Git LFS pointer"),
        (b"<!DOCTYPE html><title>404</title>", "it is a web page"),
    ],
)
def test_what_a_file_is_instead_is_said(tmp_path: Path, content: bytes, message: str) -> None:
    folder = write_small_cifar(tmp_path, "cifar10")
    (folder / "data_batch_2").write_bytes(content)
    with pytest.raises(DataError, match=f"data_batch_2: {message}"):
        data.cifar10(folder)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "cifar-10-python.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match=f"cifar-10-python.tar.gz: {message}"):
        data.cifar10(tmp_path / "x")


def test_members_that_are_not_needed_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    from noiseproof.untrusted import _tar

    folder = write_small_cifar(tmp_path, "cifar10")
    (tmp_path / "large").write_bytes(b"")
    with (tmp_path / "large").open("r+b") as file:
        file.truncate(400 << 20)
    archive = tmp_path / "a" / "cifar-10-python.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz", compresslevel=1) as file:
        file.add(tmp_path / "large", "cifar-10-batches-py/extra")
        file.add(folder, folder.name)
    whole = data.cifar10(folder).fingerprint
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert data.cifar10(archive).fingerprint == whole
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # KiB
    monkeypatch.setattr(_tar, "_MOST_TOTAL", 100 << 20)
    with pytest.raises(DataError, match="it expands to more than 104,857,600 bytes"):
        data.cifar10(archive)
    monkeypatch.setattr(_tar, "MOST_MEMBER", 1000)
    with tarfile.open(archive, "w:gz", compresslevel=1) as file:
        file.add(folder, folder.name)
    with pytest.raises(DataError, match="its .* has .* bytes: expected at most 1,000"):
        data.cifar10(archive)


def test_a_changed_archive_is_read_or_named(tmp_path: Path) -> None:
    folder = write_small_cifar(tmp_path, "cifar10", size=10)
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as file:
        file.add(folder, folder.name)
    content = archive.read_bytes()
    random = np.random.default_rng(0)
    for place in [*range(0, 1024, 7), *random.integers(0, len(content), 60).tolist()]:
        changed = bytearray(content)
        changed[place] ^= int(random.integers(1, 256))
        archive.write_bytes(changed)
        try:
            data.cifar10(archive)
        except DataError:
            pass
    for length in random.integers(0, len(content) - 2048, 20):
        archive.write_bytes(content[:length])
        with pytest.raises(DataError):
            data.cifar10(archive)
