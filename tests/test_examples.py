"""The scripts in `examples` run and say what they promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from conftest import UNMEASURED

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def test_the_digits_are_learned_in_spite_of_wrong_labels() -> None:
    command = [sys.executable, str(EXAMPLES / "digits.py"), "--budget", "2000 updates"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=UNMEASURED)
    assert "1347 digits, of which 40% have a wrong label" in done.stdout
    plain, fitted = (float(share) for share in re.findall(r"(?:training|fit) +([0-9.]+)%\n", done.stdout))
    assert fitted > plain + 3
