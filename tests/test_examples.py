"""The scripts in `examples` run and say what they promise."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

from conftest import UNMEASURED

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def test_the_digits_are_learned_in_spite_of_wrong_labels() -> None:
    command = [sys.executable, str(EXAMPLES / "digits.py"), "--budget", "600 updates"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=UNMEASURED)
    assert "1347 digits, of which 40% have a wrong label" in done.stdout
    plain, fitted = (float(share) for share in re.findall(r"(?:training|fit) +([0-9.]+)%\n", done.stdout))
    assert fitted > plain + 3


def test_identities_are_recognized_better_with_jal() -> None:
    command = [sys.executable, str(EXAMPLES / "identities.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=UNMEASURED)
    assert "2000 people, 6000 photos, of which 29.1% have a wrong label" in done.stdout
    assert re.search(r"linear_loss, JAL: [0-9.]+ s of CPU", done.stdout)
    found = re.findall(r"^(\w+) +recognizes +([0-9.]+)% .* head, +([0-9.]+)%", done.stdout, re.MULTILINE)
    start, plain, robust = ([float(share) for share in shares] for _, *shares in found)
    assert robust[0] > plain[0] + 3 > start[0] + 3
    assert robust[1] > plain[1] + 2


def test_a_language_model_learns_and_is_measured() -> None:
    command = [sys.executable, str(EXAMPLES / "language_model.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=UNMEASURED)
    found = re.findall(r"^(CE|JAL|CE \+ AMSE) +([0-9.]+)% .* ([0-9.]+) nats, ([0-9.]+) at", done.stdout, re.MULTILINE)
    assert [name for name, *_ in found] == ["CE", "JAL", "CE + AMSE"]
    accuracy, nats, scaled = (float(figure) for figure in found[0][1:])
    assert accuracy > 8
    assert max(nats, scaled) < math.log(1000) - 1
