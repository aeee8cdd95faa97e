from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from noiseproof import data
from noiseproof.errors import DataError

LABELS = np.arange(20) % 10


def save(path: Path, **columns: object) -> Path:
    torch.save(columns, path / "CIFAR-10_human.pt")
    return path


def test_a_small_file(tmp_path: Path) -> None:
    save(tmp_path, clean_label=LABELS, worse_label=LABELS[::-1].copy())
    noisy = data.cifarn(tmp_path, "worst")
    assert noisy.labels.tolist() == LABELS[::-1].tolist()
    assert noisy.clean.tolist() == LABELS.tolist()
    assert noisy.mode == "observed"
    assert noisy.requested_rate is None


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


def test_bad_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="unknown human labels 'worse'; did you mean 'worst'"):
        data.cifarn(tmp_path, "worse")
    with pytest.raises(DataError, match=r"cannot read .*CIFAR-10_human.pt: No such file"):
        data.cifarn(tmp_path, "worst")
    save(tmp_path, clean_label=LABELS)
    with pytest.raises(DataError, match="has no 'aggre_label'"):
        data.cifarn(tmp_path, "aggre")
    save(tmp_path, clean_label=LABELS, worse_label=_Evil())
    with pytest.raises(DataError, match="was refused: it holds more than arrays"):
        data.cifarn(tmp_path, "worst")
    assert not (tmp_path / "owned").exists()
    torch.save([1, 2], tmp_path / "CIFAR-10_human.pt")
    with pytest.raises(DataError, match="holds a list"):
        data.cifarn(tmp_path, "worst")
    (tmp_path / "CIFAR-10_human.pt").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(DataError, match=r"cannot read .*CIFAR-10_human.pt: it is damaged or was cut off"):
        data.cifarn(tmp_path, "worst")


# Shares of wrong labels, measured on the published files.
@pytest.mark.data
@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning")
@pytest.mark.parametrize(
    ("column", "rate"),
    [
        ("aggre", 0.0901),
        ("random1", 0.17234),
        ("random2", 0.18122),
        ("random3", 0.1764),
        ("worst", 0.40208),
        ("noisy", 0.4020),
    ],
)
def test_published_rates(cifar_dir: Path, column: str, rate: float) -> None:
    noisy = data.cifarn(cifar_dir, column)
    assert noisy.rate == pytest.approx(rate, abs=1e-12)
    if column == "aggre":
        assert (noisy.clean == data.cifar10(cifar_dir).train.labels).all()
