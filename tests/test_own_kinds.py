"""Kinds of a user's own count as much as the package's: by import, dotted path and entry point, everywhere."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import noiseproof
from conftest import UNMEASURED
from noiseproof import cli
from noiseproof.errors import DataError, RecipeError, RunError, SpecError
from noiseproof.losses import REGISTRY, make_loss
from noiseproof.models import MODELS, make_model
from noiseproof.train import make_recipe, read_record, train

MODULE = Path(__file__).with_name("own_kinds.py")
RECIPE = """
imports = ["own_kinds"]
data = "own-spots"
model = "own-linear(bias=false)"
epochs = 2
batch_size = 16
lr = 0.1
validation = 0.2

[grid]
methods = ["own-half(share=0.25)", "own-plain", "ce"]
noise = ["none", {kind = "own-next", every = 4}]
seeds = [1]
"""

pytestmark = pytest.mark.usefixtures("definitions_as_before")


@pytest.fixture(autouse=True)
def _in_a_folder_with_own_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(MODULE, "own_kinds.py")


def run(*arguments: str, capsys: pytest.CaptureFixture[str], status: int = 0) -> str:
    assert cli.main(list(arguments)) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def test_one_of_each_from_a_recipe_file_to_a_table_with_two_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.toml").write_text(RECIPE)
    out = run("bench", "own.toml", "--jobs", "2", "--device", "cpu", capsys=capsys)
    assert "own-half" in out
    assert "own-plain" in out
    records = [read_record(folder) for folder in Path("runs").iterdir()]
    assert len(records) == 6
    for record in records:
        assert record is not None
        assert record.status == "finished"
        assert list(record.code) == ["own_kinds"]
        assert record.last is not None
        assert record.last.test_accuracy is not None
    executed = run("bench", "own.toml", "--runs", "own", "--executor", "own-processes", "--jobs", "2", capsys=capsys)
    assert "own-half" in executed
    names = " ".join(folder.name for folder in Path("runs").iterdir())
    assert "own-spots-own-next-every4-own-plain-seed1" in names
    # In this process there are the same weights.
    run("bench", "own.toml", "--runs", "again", "--device", "cpu", capsys=capsys)
    for folder in Path("runs").iterdir():
        weights, *others = (
            load_file(place / folder.name / "weights.safetensors") for place in map(Path, ("runs", "again", "own"))
        )
        assert all(torch.equal(value, other[name]) for other in others for name, value in weights.items())


def test_options_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "digits", "--import", "own_kinds", "--set", "data=own-spots", "--set", "epochs=1"]
    out = run(*command, "--method", "own-half", "--noise", "own-next", "--set", "model=own-linear", capsys=capsys)
    assert "own-half" in out
    err = run(*command, "--set", "noise={kind='own-next', evry=2}", capsys=capsys, status=2)
    assert "unknown key 'evry'" in err
    err = run(*command, "--set", "model=own-linear(bais=true)", capsys=capsys, status=2)
    assert "own-linear has no parameter 'bais'" in err


def test_dotted_paths_need_no_import_option(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "digits", "--set", "epochs=1", "--device", "cpu"]
    command += ["--set", "data=own_kinds.Spots", "--set", "noise.kind=own_kinds.NextClass"]
    own = ["--method", "own_kinds.HalfLoss(share=0.75)", "--set", "model=own_kinds.Unnamed(width=3)"]
    run(*command, *own, capsys=capsys)
    (folder,) = Path("runs").iterdir()
    record = read_record(folder)
    assert record is not None
    assert record.recipe["model"] == "own_kinds.Unnamed(width=3)"
    assert record.recipe["method"]["loss"] == "own-half(share=0.75)"
    assert record.recipe["data"]["name"] == "own-spots"
    assert record.recipe["noise"] == {"kind": "own-next", "every": 3}
    predictor = noiseproof.load(folder, device="cpu")
    assert predictor.predict([[0.0, 0.0], [8.0, 8.0]]).shape == (2,)
    run(*command, "--executor", "own_kinds.OwnProcesses", "--set", "seed=2", capsys=capsys)
    for method in ("own_kinds.HalfLos", "nce + own_kinds.HalfLos"):
        err = run(*command, "--method", method, capsys=capsys, status=2)
        assert "there is no HalfLos in the module own_kinds; did you mean own_kinds.HalfLoss" in err
    err = run(*command, "--method", "own_kinds.np", capsys=capsys, status=2)
    assert "no method and no loss is called 'own_kinds.np'" in err
    err = run(*command, "--method", "own_kind.HalfLoss", capsys=capsys, status=2)
    assert "there is no module own_kind; did you mean own_kinds?" in err


def test_a_folder_imports_nothing_and_says_what_it_needs() -> None:
    Path("own.toml").write_text(RECIPE)
    code = "import sys; from noiseproof import cli; sys.exit(cli.main(sys.argv[1:]))"
    for command in (
        ["bench", "own.toml"],
        ["train", "digits", "--set", "model=own_kinds.Unnamed", "--set", "epochs=1"],
    ):
        subprocess.run([sys.executable, "-c", code, *command], check=True, env=UNMEASURED, capture_output=True)
    folders = {read_record(path).recipe["model"]: path for path in Path("runs").iterdir()}  # type: ignore[union-attr]
    for model in ("own-linear(bias=false)", "own_kinds.Unnamed(width=4)"):
        with pytest.raises(RunError, match=r"unknown model .*It came from own_kinds: import that, or give the network"):
            noiseproof.load(folders[model])
    record = read_record(folders["own-linear(bias=false)"])
    assert record is not None
    with pytest.raises(RecipeError, match="took it from own_kinds: give --import own_kinds"):
        train(record.recipe, folders["own-linear(bias=false)"])
    assert "own_kinds" not in sys.modules


def test_installed_packages_bring_kinds_by_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    points = {
        "noiseproof.losses": ("installed-loss", "own_kinds:HalfLoss"),
        "noiseproof.models": ("installed-net", "own_kinds:Unnamed"),
        "noiseproof.methods": ("installed-method", "own_kinds:Plain"),
        "noiseproof.noises": ("installed-noise", "own_kinds:NextClass"),
        "noiseproof.data": ("installed-data", "own_kinds:Spots"),
    }

    def entry_points(*, group: str, name: str) -> list[importlib.metadata.EntryPoint]:
        known, value = points.get(group, ("", ""))
        return [importlib.metadata.EntryPoint(name, value, group)] if name == known else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    assert make_loss("installed-loss(share=0.1)").spec == "own-half(share=0.1)"
    recipe = make_recipe(
        {
            "extends": "digits",
            "data": "installed-data",
            "model": "installed-net(width=2)",
            "method": "installed-method",
            "noise": {"kind": "installed-noise", "every": 2},
            "epochs": 1,
        }
    )
    assert train(recipe, "run", device="cpu").status == "finished"
    assert recipe.noise.kind == "own-next"
    with pytest.raises(SpecError, match="unknown model 'installed-nat'"):
        make_model("installed-nat", input_shape=(2,), num_classes=2)


def test_names_are_taken_once() -> None:
    import own_kinds  # noqa: F401

    with pytest.raises(SpecError, match=r"a model called 'own-linear' exists already \(own_kinds.Linear\)"):
        noiseproof.models.model("own-linear")(lambda input_shape, num_classes: nn.Identity())
    with pytest.raises(SpecError, match="no model can be called 'Own Linear'"):
        noiseproof.models.model("Own Linear")(nn.Identity)
    with pytest.raises(SpecError, match="its argument 'depth' has the default 'deep'"):
        noiseproof.models.model("own-deep")(lambda input_shape, num_classes, depth="deep": nn.Identity())
    assert "own-half" in REGISTRY
    assert "own-linear" in MODELS


def test_other_code_of_a_network_a_noise_or_data_is_another_run() -> None:
    import own_kinds  # noqa: F401

    tables: dict[str, Any] = {"extends": "digits", "epochs": 1, "model": "own-linear", "data": "own-spots"}
    first = train(tables, "runs/a", device="cpu")
    assert list(first.code) == ["own_kinds"]
    source = Path("own_kinds.py")
    source.write_text(source.read_text().replace("4 * labels", "5 * labels"))
    code = f"import own_kinds; from noiseproof.train import train; train({tables!r}, 'runs/a', device='cpu')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=UNMEASURED, check=False)
    assert "was begun on other data" in done.stderr
    assert "with other code of its" in done.stderr


# What is in memory.


class Frame:
    """What a data frame has of one."""

    def __init__(self, array: np.ndarray) -> None:
        self.columns = ["width", "height"]
        self._array = array

    def to_numpy(self) -> np.ndarray:
        return self._array


class Pairs(torch.utils.data.Dataset):
    """A data set of pairs."""

    def __init__(self, inputs: Any, labels: Any) -> None:
        self.inputs, self.labels = inputs, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Any, Any]:
        return self.inputs[place], self.labels[place]


LABELS = np.arange(60) % 3
FEATURES = np.random.default_rng(0).normal(size=(60, 2)) + 4 * LABELS[:, None]
IMAGES = (np.random.default_rng(0).integers(0, 80, (60, 3, 8, 8)) + 80 * LABELS[:, None, None, None]).astype(np.uint8)
CHANGES = {"extends": "digits", "epochs": 2, "model": "mlp(hidden=4)", "method": "ce"}


@pytest.mark.parametrize(
    "data",
    [
        (FEATURES, LABELS),
        (torch.from_numpy(FEATURES), torch.from_numpy(LABELS)),
        (Frame(FEATURES), ["x", "y", "z"] * 20),
        (IMAGES.transpose(0, 2, 3, 1), LABELS),
        Pairs(torch.from_numpy(FEATURES), LABELS),
        Pairs(torch.from_numpy(IMAGES), LABELS),
        Pairs(torch.from_numpy(IMAGES) / 255, torch.from_numpy(LABELS)),
    ],
    ids=["arrays", "tensors", "frame", "images", "pairs", "pairs of bytes", "pairs of floats"],
)
def test_data_in_memory_go_into_train(data: Any) -> None:
    record = train(CHANGES, "run", data=data, device="cpu")
    assert record.status == "finished"
    assert record.recipe["data"]["name"] == "memory"
    predictor = noiseproof.load("run", device="cpu")
    if isinstance(data, tuple):
        assert set(predictor.predict(data[0])) <= set(predictor.classes)
    assert train(CHANGES, "run", data=data, device="cpu") == record
    with pytest.raises(RunError, match="was begun on other data"):
        train(CHANGES, "run", data=(FEATURES + 1, LABELS), device="cpu")


def test_images_in_memory_are_the_same_however_they_are_given() -> None:
    kinds = [Pairs(torch.from_numpy(IMAGES), LABELS), Pairs(torch.from_numpy(IMAGES) / 255, LABELS)]
    expected = noiseproof.data.in_memory(IMAGES.transpose(0, 2, 3, 1), LABELS)
    for kind in kinds:
        assert noiseproof.data.in_memory(kind).fingerprint == expected.fingerprint
    assert expected.preprocessing.shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ((FEATURES, LABELS[:9]), "9 labels for 60 inputs"),
        ((FEATURES[:, :, None, None], LABELS), "expected uint8"),
        (FEATURES, "labels are missing"),
        (Pairs(torch.randn(60, 3, 8, 8), LABELS), "no bytes divided by 255"),
        (Pairs([np.zeros(2), np.zeros(3)], [0, 1]), r"input 1 has shape \(3,\), the first one \(2,\)"),
        ((np.where(FEATURES[3, 1] == FEATURES, np.nan, FEATURES), LABELS), r"inputs\[3, 1\] is nan"),
        ((FEATURES, [None, *LABELS[1:]]), "label 0 is None"),
    ],
)
def test_what_is_no_data_is_refused(data: Any, why: str) -> None:
    with pytest.raises(DataError, match=why):
        train(CHANGES, "run", data=data)
    assert not Path("run").exists()


def test_a_network_in_memory_goes_into_train(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 3))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    record = train(CHANGES, "run", data=(FEATURES, LABELS), network=network, device="cpu")
    assert record.status == "finished"
    assert record.inputs.keys() == {"data", "network"}
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    with pytest.raises(RunError, match=r"the network is in the memory .*noiseproof.load\(folder, network=…\)"):
        noiseproof.load("run")
    predictor = noiseproof.load("run", network=nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 3)), device="cpu")
    assert (predictor.predict(FEATURES) == LABELS).mean() > 0.5
    with pytest.raises(RunError, match="was begun with another network"):
        train(CHANGES, "run", data=(FEATURES, LABELS), network=nn.Sequential(nn.Linear(2, 3)), device="cpu")
    stopped = train(
        {**CHANGES, "epochs": 9}, "b", data=(FEATURES, LABELS), network=network, device="cpu", should_stop=lambda: True
    )
    assert stopped.status == "running"
    again = train({**CHANGES, "epochs": 9}, "b", data=(FEATURES, LABELS), network=network, device="cpu")
    whole = train({**CHANGES, "epochs": 9}, "c", data=(FEATURES, LABELS), network=network, device="cpu")
    assert again.epochs == whole.epochs
    assert (
        json.loads(Path("b/record.json").read_text())["files"] == json.loads(Path("c/record.json").read_text())["files"]
    )
    err = run("train", "digits", "--set", "data=memory", capsys=capsys, status=2)
    assert "the data are in the memory of the process that made them" in err
    err = run("train", "digits", "--set", "model=memory", "--jobs", "2", capsys=capsys, status=2)
    assert "put its class into a module, and name it by its dotted path" in err
