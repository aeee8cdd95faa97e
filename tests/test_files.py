from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import UNMEASURED
from noiseproof import files, provenance, seeding
from noiseproof.errors import RunError, suggest
from noiseproof.train import keep_freed_memory


def test_a_failed_write_leaves_the_old_file_and_no_partial_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    files.write_text(path, "old")
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):

        def fail(_: int, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(files.os, "fsync", fail)
        with pytest.raises((RunError, KeyboardInterrupt), match="No space left on device|^$"):
            files.write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_partial_files_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".file.1.partial").touch()
    (tmp_path / "file").touch()
    files.remove_partial_files(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_streams_depend_on_seed_and_name_only() -> None:
    assert seeding.derive(1, "order", 3) == seeding.derive(1, "order", 3)
    seeds = {seeding.derive(s, *names) for s in range(20) for names in [("order", 1), ("order", 2), ("noise",)]}
    assert len(seeds) == 60
    text = hashlib.sha256(b"noiseproof/1/order/3").digest()[:8]
    assert seeding.derive(1, "order", 3) == int.from_bytes(text, "big") >> 1
    draws = [seeding.numpy_stream(s, "x").random() for s in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    again = [torch.rand(3, generator=seeding.torch_stream(s, "x")) for s in (1, 1)]
    assert (again[0] == again[1]).all()


def test_suggestions() -> None:
    assert suggest("gcee", ["gce", "mae"]) == "; did you mean 'gce'? (known: gce, mae)"
    assert suggest("xyz", ["gce"]) == " (known: gce)"


def test_provenance(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = provenance.environment(torch.device("cpu"))
    assert environment["numpy"] == np.__version__
    assert environment["threads"] == torch.get_num_threads()
    monkeypatch.setenv("PATH", "")
    provenance.commit.cache_clear()
    assert provenance.commit() is None
    provenance.commit.cache_clear()


def test_freed_memory_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    code = "from noiseproof.train import keep_freed_memory; print(keep_freed_memory())"
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env=UNMEASURED).stdout
    assert printed in ("True\n", "False\n")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
