"""A small run in a process of its own that dies at a chosen moment.

    python killable_run.py FOLDER DATA.npz [MOMENT]
    python killable_run.py

Without arguments it reads lines of JSON, the name of a file for the errors and these arguments, and answers each with
the exit status of a process forked for it: to import PyTorch takes longer than such a run does.

MOMENT is ``step:N`` (killed after N steps of this process), ``write:N`` (in the middle of its N-th file), ``rename:N``
(before the N-th renaming: a file is whole but has not its name yet), ``renamed:N`` (right after), ``interrupt:N``
(Ctrl-C after N steps), ``hup:N`` (its terminal is closed after N steps), ``hang:N`` (says "hanging" after N steps and
waits), or ``disk:BYTES`` (no file can be larger).
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any

import torch

import noiseproof.files
from noiseproof import container
from noiseproof.errors import RunError
from noiseproof.train import Progress, make_recipe, train
from noiseproof.train import _loop as loop

RECIPE = {
    "data": {"name": "arrays"},
    "noise": {"kind": "symmetric", "rate": 0.4},
    "model": "small-cnn(width=0.5)",
    "method": {"loss": "jal-ce(a=5)", "l1": 1e-5, "l2": 0.0},
    "epochs": 4,
    "batch_size": 16,
    "lr": 0.05,
    "clip_norm": 5.0,
    "augment": ["crop", "flip", "rotate"],
    "validation": 0.2,
}


def read_state(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint holds."""
    head, content = container.read_state(checkpoint.read_bytes(), "checkpoint")
    assert {"run", "recipe", "environments"} == head.keys()
    state: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True)
    return state


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arrange(moment: str) -> dict[str, int]:
    kind, _, number = moment.partition(":")
    at = {kind: int(number or 0)}
    counts = {"write": 0, "rename": 0}
    sync, replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        counts["write"] += not stat.S_ISDIR(os.fstat(descriptor).st_mode)
        if counts["write"] == at.get("write"):
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            kill()
        sync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        counts["rename"] += 1
        if counts["rename"] == at.get("rename"):
            kill()
        result = replace(self, target)
        if counts["rename"] == at.get("renamed"):
            kill()
        return result

    noiseproof.files.os.fsync = fsync
    Path.replace = rename  # type: ignore[method-assign]
    if "disk" in at:
        resource.setrlimit(resource.RLIMIT_FSIZE, (at["disk"], resource.RLIM_INFINITY))
    return at


def serve() -> None:
    for line in sys.stdin:
        errors, *arguments = json.loads(line)
        child = os.fork()
        if not child:
            os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT), 2)
            sys.exit(main(arguments))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def main(arguments: list[str]) -> int:
    folder, data, *moment = arguments
    at = arrange(moment[0] if moment else "")
    loop._WORK_PER_SAVING = 0  # a checkpoint after every epoch, however short: moments are counted in files
    steps = 0

    def watch(_: Progress) -> None:
        nonlocal steps
        steps += 1
        if steps == at.get("step"):
            kill()
        if steps == at.get("interrupt"):
            os.kill(os.getpid(), signal.SIGINT)
        if steps == at.get("hup"):
            os.kill(os.getpid(), signal.SIGHUP)
        if steps == at.get("hang"):
            print("hanging", flush=True)
            time.sleep(600)

    recipe = make_recipe({**RECIPE, "data": {"name": "arrays", "path": data}})
    try:
        train(recipe, folder, watch=watch)
    except KeyboardInterrupt:
        return 130
    except RunError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else serve())
