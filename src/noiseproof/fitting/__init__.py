"""From data whose labels are partly wrong to a good model, with nothing to choose."""

from __future__ import annotations

from noiseproof.fitting._asked import check_plan
from noiseproof.fitting._audited import audited_files, audited_folder
from noiseproof.fitting._candidates import candidates_table
from noiseproof.fitting._fit import fit
from noiseproof.fitting._given import Given, look
from noiseproof.fitting._plan import read_plan
from noiseproof.fitting._progress import FitProgress

__all__ = [
    "FitProgress",
    "Given",
    "audited_files",
    "audited_folder",
    "candidates_table",
    "check_plan",
    "fit",
    "look",
    "read_plan",
]
