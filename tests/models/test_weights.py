from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from noiseproof.errors import DataError, SpecError
from noiseproof.models import MODELS, ModelKind, Network, make_model, read_weights

SHAPE = (3, 8, 8)


def network(classes: int = 4, seed: int = 0, head: str = "") -> Network:
    return make_model("small-cnn(width=0.1)", input_shape=SHAPE, num_classes=classes, seed=seed, head=head)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Weights of 4 classes that the small network declares, under a name with their checksum."""
    torch.save(network(seed=5).state_dict(), tmp_path / "new.pth")
    digits = hashlib.sha256((tmp_path / "new.pth").read_bytes()).hexdigest()[:8]
    path = (tmp_path / "new.pth").rename(tmp_path / f"small-{digits}.pth")
    kind = MODELS["small-cnn"]
    declared = ModelKind(kind.build, kind.parameters, kind.smallest_image, {"imagenet-v1": path.name})
    monkeypatch.setitem(MODELS, "small-cnn", declared)
    return path


def test_published_weights_are_found_by_name(published: Path) -> None:
    weights = read_weights("small-cnn", "imagenet-v1", published.parent)
    assert weights.file == published.name
    assert weights.sha256 == hashlib.sha256(published.read_bytes()).hexdigest()
    target = network()
    assert weights.load_into(target) == ()
    assert all(torch.equal(value, network(seed=5).state_dict()[key]) for key, value in target.state_dict().items())


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_another_classifier_starts_anew(tmp_path: Path, ending: str) -> None:
    state = network(classes=4, seed=5).state_dict()
    save = torch.save if ending == ".pth" else save_file
    save(state, tmp_path / f"w{ending}")
    weights = read_weights("small-cnn", str(tmp_path / f"w{ending}"), tmp_path)
    for target, fresh in ((network(classes=9), network(classes=9)), (network(head="student"), network(head="student"))):
        left_out = weights.load_into(target)
        assert left_out == tuple(key for key in fresh.state_dict() if key.startswith("classifier."))
        for key, value in target.state_dict().items():
            source = fresh.state_dict() if key in left_out else state
            assert torch.equal(value, source[key])


def test_counters_that_old_files_lack_may_be_missing(tmp_path: Path) -> None:
    state = {key: value for key, value in network().state_dict().items() if not key.endswith("num_batches_tracked")}
    assert len(state) < len(network().state_dict())
    torch.save(state, tmp_path / "w.pth")
    assert read_weights("small-cnn", str(tmp_path / "w.pth"), tmp_path).load_into(network(seed=1)) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features.0.weight": None}, "missing: features.0.weight"),
        ({"module.x": torch.zeros(2)}, "unknown: module.x"),
        ({"features.0.bias": torch.zeros(2)}, r"of another shape: features.0.bias \(2,\) instead of \(3,\)"),
    ],
)
def test_other_networks_are_refused_with_their_keys(
    tmp_path: Path, change: dict[str, torch.Tensor | None], message: str
) -> None:
    state = {key: value for key, value in {**network().state_dict(), **change}.items() if value is not None}
    torch.save(state, tmp_path / "w.pth")
    target = network(seed=3)
    with pytest.raises(DataError, match=message):
        read_weights("small-cnn", str(tmp_path / "w.pth"), tmp_path).load_into(target)
    assert all(torch.equal(value, network(seed=3).state_dict()[key]) for key, value in target.state_dict().items())


class _Anything:
    """What a file of weights must not hold."""


@pytest.mark.parametrize("content", ["text", "pickle", "list", "cut", "nested"])
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_damaged_and_foreign_files_are_refused(tmp_path: Path, content: str, ending: str) -> None:
    path = tmp_path / f"w{ending}"
    if content == "text":
        path.write_text("hello")
    else:
        whole = {"pickle": {"a": _Anything()}, "list": [torch.zeros(2)], "nested": {"model": {"a": torch.zeros(2)}}}
        torch.save(whole.get(content, network().state_dict()), path)
        if content == "cut":
            path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"w\.(pth|safetensors)"):
        read_weights("small-cnn", str(path), tmp_path)


def test_the_checksum_in_the_name_counts(published: Path) -> None:
    published.write_bytes(published.read_bytes() + b"x")
    with pytest.raises(DataError, match=f"its SHA-256 begins with .*, not {published.stem[-8:]}"):
        read_weights("small-cnn", "imagenet-v1", published.parent)
    with pytest.raises(DataError, match="Delete it and get it again"):
        read_weights("small-cnn", str(published), published.parent)


def test_the_download_is_opt_in_and_verified(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from noiseproof.models import _weights

    shelf, data = tmp_path / "shelf", tmp_path / "data"
    shelf.mkdir()
    published.rename(shelf / published.name)
    monkeypatch.setattr(_weights, "_HUB", f"{shelf.as_uri()}/")
    with pytest.raises(DataError, match="or allow the download"):
        read_weights("small-cnn", "imagenet-v1", data)
    weights = read_weights("small-cnn", "imagenet-v1", data, download=True)
    assert (data / published.name).read_bytes() == (shelf / published.name).read_bytes()
    assert weights.sha256.startswith(published.stem[-8:])
    (data / published.name).unlink()
    (shelf / published.name).write_bytes(b"other")
    with pytest.raises(DataError, match="could not download"):
        read_weights("small-cnn", "imagenet-v1", data, download=True)
    assert not (data / published.name).exists()


def test_weights_that_do_not_exist_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="weights 'imagenet-v1': cnn8 has no published weights"):
        read_weights("cnn8", "imagenet-v1", tmp_path)
    with pytest.raises(SpecError, match="resnet50 has imagenet-v1, imagenet-v2; expected one of these"):
        read_weights("resnet50", "imagenet", tmp_path)
    with pytest.raises(DataError, match=r"no weights at .*absent.pth"):
        read_weights("cnn8", str(tmp_path / "absent.pth"), tmp_path)
    with pytest.raises(DataError, match=r"no resnet50-11ad3fa6.pth in"):
        read_weights("resnet50", "imagenet-v2", tmp_path)


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("features.0.weight", lambda w: w.to(torch.int8), "of another type: features.0.weight torch.int8 instead of"),
        ("features.0.weight", lambda w: w.to(torch.complex64), "of another type: features.0.weight torch.complex64"),
        ("features.0.weight", lambda w: w > 0, "of another type: features.0.weight torch.bool"),
        ("features.0.weight", lambda w: w * float("nan"), "not finite: features.0.weight"),
        ("features.0.weight", lambda w: w.double() + 1e300, "not finite: features.0.weight"),
        ("classifier.weight", lambda w: w.to(torch.int8), "of another type: classifier.weight"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*complex")
def test_weights_of_another_kind_are_refused(
    tmp_path: Path, ending: str, key: str, value: Callable[[torch.Tensor], torch.Tensor], message: str
) -> None:
    state = network(seed=5).state_dict()
    (torch.save if ending == ".pth" else save_file)({**state, key: value(state[key])}, tmp_path / f"w{ending}")
    target = network(seed=3)
    with pytest.raises(DataError, match=message):
        read_weights("small-cnn", str(tmp_path / f"w{ending}"), tmp_path).load_into(target)
    assert all(torch.equal(value, network(seed=3).state_dict()[key]) for key, value in target.state_dict().items())


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_of_every_precision_and_format_are_taken(tmp_path: Path, dtype: torch.dtype, archive: bool) -> None:
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in network(seed=5).state_dict().items()}
    turned = {key: value.t().contiguous().t() if value.ndim == 2 else value for key, value in state.items()}
    torch.save(turned, tmp_path / "w.pth", _use_new_zipfile_serialization=archive)
    target = network()
    read_weights("small-cnn", str(tmp_path / "w.pth"), tmp_path).load_into(target)
    for key, value in target.state_dict().items():
        assert torch.equal(value, state[key].to(value.dtype))


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: {1: torch.zeros(2)}, "holds no state dictionary: expected tensors by their names"),
        (lambda: {None: torch.zeros(2)}, "damaged|cannot read|holds no state"),
        (lambda: {("a", "b"): torch.zeros(2)}, "a tuple as a key"),
        (lambda: {b"a": torch.zeros(2)}, "holds no state dictionary"),
        (lambda: {"a": torch.zeros(2, device="meta")}, "not plain and dense"),
        (lambda: {"a": torch.eye(3).to_sparse()}, "not plain and dense"),
        (lambda: {"a": torch.eye(3).to_sparse_csr()}, "not plain and dense"),
        (lambda: {"a": 3.0}, "holds no state dictionary"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_odd_keys_and_tensors_are_refused(
    tmp_path: Path, content: Callable[[], object], message: str, archive: bool
) -> None:
    torch.save(content(), tmp_path / "w.pth", _use_new_zipfile_serialization=archive)
    with pytest.raises(DataError, match=message):
        read_weights("small-cnn", str(tmp_path / "w.pth"), tmp_path)
