from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from noiseproof.data.noises import NOISES
from noiseproof.data.sources import SOURCES
from noiseproof.losses import REGISTRY
from noiseproof.methods import METHODS
from noiseproof.models import MODELS
from noiseproof.run import EXECUTORS

collect_ignore = ["own_kinds.py"]
"""A user's module: importing it brings its kinds in."""

ROOT = Path(__file__).resolve().parent.parent

# Where the tests run in the background of a shell Ctrl-C is ignored, and what they start would ignore it too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of the machine and its other work than of the code.
settings.register_profile("noiseproof", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("noiseproof")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


UNMEASURED = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
"""The environment of a process whose coverage is not measured: it starts sooner, and may be killed, where a broken
file of coverage would be left."""


@pytest.fixture
def unmeasured() -> Iterator[None]:
    """Measure no coverage: all Python code, ours or not, takes two to three times as long under its tracing."""
    tracing = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracing)


@pytest.fixture
def definitions_as_before() -> Iterator[None]:
    """Forget the kinds and modules that a test brought in."""
    registries: list[dict[str, Any]] = [REGISTRY, METHODS, MODELS, NOISES, SOURCES, EXECUTORS]
    before, modules, path = [dict(registry) for registry in registries], set(sys.modules), list(sys.path)
    yield
    for registry, known in zip(registries, before, strict=True):
        registry.clear()
        registry.update(known)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        # What is installed stays: not all of it can be imported twice.
        file = Path(getattr(sys.modules[name], "__file__", None) or sys.prefix)
        if not any(file.is_relative_to(place) for place in (sys.prefix, sys.base_prefix, ROOT / "src")):
            del sys.modules[name]


@pytest.fixture(scope="session")
def cifar_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with CIFAR-10 and the human labels in their published layouts, unpacked once per test run."""
    source = Path(os.environ.get("NOISEPROOF_TEST_DATA", ROOT.parent / "shared" / "data"))
    prepare = source / "prepare.py"
    if not prepare.is_file():
        pytest.skip(f"no development data at {source}: set NOISEPROOF_TEST_DATA to the folder that holds prepare.py")
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "cifar"
    with filelock.FileLock(base / "cifar.lock"):
        if not (folder / "complete").exists():
            subprocess.run([sys.executable, str(prepare), str(folder)], check=True)
            (folder / "complete").touch()
    return folder


def pickle_python2(arrays: dict[str, object]) -> bytes:
    """A pickle as Python 2 and NumPy 1 wrote the CIFAR files: 8-bit strings, old module names, integer flags."""

    def string(text: bytes) -> bytes:
        return b"T" + len(text).to_bytes(4, "little") + text

    def value(entry: object) -> bytes:
        if isinstance(entry, np.ndarray):
            shape = b"".join(b"J" + int(n).to_bytes(4, "little") for n in entry.shape)
            return (
                b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01("
                + shape
                + b"tcnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
                + string(entry.tobytes())
                + b"tb"
            )
        assert isinstance(entry, list)
        items = (
            string(e.encode()) if isinstance(e, str) else b"J" + int(e).to_bytes(4, "little", signed=True)
            for e in entry
        )
        return b"](" + b"".join(items) + b"e"

    body = b"".join(string(key.encode()) + value(entry) for key, entry in arrays.items())
    return b"\x80\x02}(" + body + b"u."


def write_small_cifar(folder: Path, name: str, size: int = 40) -> Path:
    """A small data set in the exact published layout of CIFAR-10 or CIFAR-100."""
    random = np.random.default_rng(0)
    if name == "cifar10":
        inside, train, test, meta = "cifar-10-batches-py", [f"data_batch_{i}" for i in range(1, 6)], "test_batch", None
        labels_key, classes, meta = "labels", 10, ("batches.meta", "label_names")
    else:
        inside, train, test = "cifar-100-python", ["train"], "test"
        labels_key, classes, meta = "fine_labels", 100, ("meta", "fine_label_names")
    target = folder / inside
    target.mkdir(parents=True)
    for file in [*train, test]:
        labels = [int(label) for label in random.permutation(np.arange(max(size, classes)) % classes)]
        pixels = random.integers(0, 256, (len(labels), 3072), dtype=np.uint8)
        (target / file).write_bytes(pickle_python2({"data": pixels, labels_key: labels}))
    (target / meta[0]).write_bytes(pickle_python2({meta[1]: [f"class{i}" for i in range(classes)]}))
    return target


def unfreeze_flags_of_torch() -> None:
    """Undo what importing PyTorch's own tests does to the process: flags of its backends cannot be set any more."""
    torch.backends.flags_frozen.__globals__["__allow_nonbracketed_mutation_flag"] = True
    assert not torch.backends.flags_frozen()
