"""Where a result comes from: versions, machine and commit."""

from __future__ import annotations

import functools
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import noiseproof

if TYPE_CHECKING:
    import torch


def versions() -> dict[str, Any]:
    """What a run is computed with."""
    import numpy as np
    import torch

    return {
        "noiseproof": noiseproof.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def environment(device: torch.device) -> dict[str, Any]:
    """What a run's bytes may depend on besides its recipe."""
    import torch

    return {
        **versions(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
    }


@functools.cache
def _cpu() -> str:
    """The model of the CPU, as far as the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return named[0] if named else platform.machine()


@functools.cache
def commit() -> str | None:
    """The commit of the checkout that noiseproof runs from, with ``+changes`` if files differ from it.

    ``None`` where it is installed as a package: its version says it all then.
    """
    here = Path(__file__).parent
    if _git(here, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None  # perhaps in somebody else's checkout, whose commit says nothing about noiseproof
    revision = _git(here, "rev-parse", "HEAD")
    if revision is None:
        return None
    changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return revision[:12] + ("+changes" if changed else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the user's git
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
