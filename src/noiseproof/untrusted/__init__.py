"""Files from strangers, read without building an object that the file describes, and bounded before memory is taken.

Every format has its one reader here: NumPy's ``.npy`` and ``.npz``, pickles, ``torch.save``'s files, tar archives,
MATLAB's records, JSON and text.
They know numbers, strings, lists, dictionaries and arrays of numbers, and refuse all else. What each may take is in
:mod:`noiseproof.untrusted._bounds` and in the documentation.
"""

from __future__ import annotations

from noiseproof.untrusted._bounds import MOST_VALUES, foreign, open_file, read_bytes
from noiseproof.untrusted._json import parse_json, read_json
from noiseproof.untrusted._mat import read_records
from noiseproof.untrusted._npy import Npz, open_npz, read_npy
from noiseproof.untrusted._pickle import read_pickle
from noiseproof.untrusted._tar import read_tar
from noiseproof.untrusted._text import csv_rows, is_number, read_lines, read_text
from noiseproof.untrusted._torch import StoredTensor, read_torch

__all__ = [
    "MOST_VALUES",
    "Npz",
    "StoredTensor",
    "csv_rows",
    "foreign",
    "is_number",
    "open_file",
    "open_npz",
    "parse_json",
    "read_bytes",
    "read_json",
    "read_lines",
    "read_npy",
    "read_pickle",
    "read_records",
    "read_tar",
    "read_text",
    "read_torch",
]
