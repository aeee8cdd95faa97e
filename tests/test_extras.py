"""What each use needs of other packages, and what is said where one is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import UNMEASURED
from noiseproof import extras
from noiseproof.errors import MissingPackageError, NoiseproofError

ROOT = Path(__file__).resolve().parent.parent
OPTIONAL = sorted(package for packages in extras._EXTRAS.values() for package in packages)


def python(code: str, blocked: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code where some packages cannot be imported."""
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked}))\n{code}"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=UNMEASURED, capture_output=True, text=True, check=False)


def noiseproof(arguments: list[str], blocked: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return python(f"from noiseproof.cli import main; sys.exit(main({arguments}))", blocked, folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "labels.txt").write_text("\n".join(str(label % 3) for label in range(300)))
    (tmp_path / "T.csv").write_text("0.8,0.2,0\n0,0.9,0.1\n0.1,0.1,0.8\n")
    return tmp_path


def test_a_loss_needs_torch_and_numpy_alone(tmp_path: Path) -> None:
    code = (
        "import torch, noiseproof\n"
        "from noiseproof.losses import make_loss\n"
        "from noiseproof.testing import check_loss\n"
        "from noiseproof.theory import is_asymmetric\n"
        "loss = make_loss('nce + 0.5*amse(a=10)', preset=None)\n"
        "logits = torch.zeros(4, 10, requires_grad=True)\n"
        "loss(logits, torch.arange(4)).backward()\n"
        "check_loss(loss)\n"
        "print(logits.grad is not None, is_asymmetric('mae', [0.6, 0.4]).asymmetric, noiseproof.make_loss('gce').spec)"
    )
    done = python(code, OPTIONAL, tmp_path)
    assert done.stdout == "True True gce(q=0.7)\n", done.stderr


def test_noise_needs_numpy_alone(folder: Path) -> None:
    commands = [
        ["symmetric", "--labels", "labels.txt", "--rate", "0.4", "--out", "noisy.json"],
        ["show", "noisy.json"],
        ["asymmetric", "--labels", "labels.txt", "--rate", "0.3", "--mapping", "0=1,1=0"],
        ["matrix", "--labels", "labels.txt", "--matrix", "T.csv"],
    ]
    for arguments in commands:
        done = noiseproof(["noise", *arguments], ["torch", *OPTIONAL], folder)
        assert done.returncode == 0, done.stderr
        assert "300 labels are wrong" in done.stdout


def test_noise_of_a_data_set_needs_no_torch(tmp_path: Path) -> None:
    arguments = ["noise", "instance", "--data", "digits", "--rate", "0.4"]
    code = f"from noiseproof.cli import main; main({arguments}); print('torch' in sys.modules)"
    assert python(code, [], tmp_path).stdout.splitlines()[-1] == "False"


def test_theory_needs_torch_and_numpy_alone(folder: Path) -> None:
    done = noiseproof(["theory", "--matrix", "T.csv", "--format", "json", "mae"], OPTIONAL, folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "blocked", "message"),
    [
        (["train", "digits"], OPTIONAL, "recipes need pydantic: pip install 'noiseproof[train]'"),
        (["predict", "run", "y.npz"], ["safetensors"], "predictions need safetensors: pip install 'noiseproof[train]'"),
        (["train", "digits"], ["sklearn"], "the digits come with scikit-learn: pip install 'noiseproof[train]'"),
        (["theory", "--matrix", "T.csv"], OPTIONAL, "a table on the terminal needs rich: pip install"),
        (["theory", "--symmetric", "0.4", "--plots", "p", "mae"], ["matplotlib"], "--plots needs matplotlib: pip"),
    ],
)  # fmt: skip
def test_a_missing_extra_is_named(folder: Path, arguments: list[str], blocked: list[str], message: str) -> None:
    done = noiseproof(arguments, blocked, folder)
    assert done.returncode == 2
    assert f"error: {message}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_extra_is_named_in_python_too(tmp_path: Path) -> None:
    for module, message in (("train", "training needs filelock"), ("bench", "recipes need pydantic")):
        done = python(f"import noiseproof.{module}", message.split()[-1:], tmp_path)
        assert f"MissingPackageError: {message}: pip install 'noiseproof[train]'" in done.stderr


def test_a_package_of_no_extra_is_named_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "colorsys", None)
    with pytest.raises(MissingPackageError, match="colors need colorsys: pip install 'colorsys'") as caught:
        extras.need("colors need", "json", "colorsys")
    assert isinstance(caught.value, NoiseproofError)
    assert caught.value.name == "colorsys"


def test_extras_are_those_of_the_project_file() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra, packages in extras._EXTRAS.items():
        listed = re.search(rf"^{extra} = \[(.*)\]$", text, re.MULTILINE)
        assert listed is not None, extra
        names = {re.split(r"[>=\[]", name.strip(' "'))[0].lower() for name in listed[1].split(", ")} - {"noiseproof"}
        assert names == {extras._DISTRIBUTIONS.get(package, package).lower() for package in packages}
