"""Data sets handed to other processes."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from image_sets import write_image
from noiseproof import data
from noiseproof.errors import RunError
from noiseproof.run._shared import SharedDataset, receive_dataset


def handed_over(dataset: data.Dataset, times: int = 1) -> list[data.Dataset]:
    ours, theirs = multiprocessing.Pipe()
    shared = SharedDataset(dataset)
    for _ in range(times):
        shared.send(ours, os.getpid())
    shared.close()
    return [receive_dataset(theirs) for _ in range(times)]


def test_what_arrives_is_what_was_sent(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", features=np.eye(7), labels=np.arange(7), test_features=np.eye(3, 7)[:, ::-1],
             test_labels=np.arange(3), clean_labels=np.arange(7)[::-1])  # fmt: skip
    for dataset in (data.digits(), data.arrays(tmp_path / "mine.npz")):
        (arrived,) = handed_over(dataset)
        assert arrived.fingerprint == dataset.fingerprint
        assert (arrived.name, arrived.class_names, arrived.mean) == (dataset.name, dataset.class_names, dataset.mean)
        np.testing.assert_equal(arrived.clean_labels, dataset.clean_labels)


def test_image_files_arrive_as_paths(tmp_path: Path) -> None:
    for number in range(6):
        write_image(tmp_path / f"class{number % 2}" / f"{number}.png", number % 2, number)
    dataset = data.image_folder(tmp_path, image_size=16, resize=16)
    (arrived,) = handed_over(dataset)
    assert arrived.fingerprint == dataset.fingerprint


def test_writing_to_one_leaves_the_others_alone() -> None:
    first, second = handed_over(data.digits(), times=2)
    first.train.inputs[:] = 0  # type: ignore[index]
    assert np.any(np.asarray(second.train.inputs) != 0)


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def tell(self) -> int:
            return 0

        def write(self, _: object) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            pass

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(RunError, match=r"cannot share digits .* No space left on device.*TMPDIR"):
        SharedDataset(data.digits())
