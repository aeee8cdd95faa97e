"""Files from strangers, read without building an object that the file describes, and bounded before memory is taken.

Every format has its one reader here: NumPy's ``.npy`` and ``.npz``, pickles and ``torch.save``'s files, JSON and text.
They know numbers, strings, lists, dictionaries and arrays of numbers, and refuse all else. What each may take is in
:mod:`noiseproof.untrusted._bounds` and in the documentation.
"""

from __future__ import annotations

from noiseproof.untrusted._bounds import read_bytes
from noiseproof.untrusted._npy import Npz, open_npz, read_npy

__all__ = ["Npz", "open_npz", "read_bytes", "read_npy"]
