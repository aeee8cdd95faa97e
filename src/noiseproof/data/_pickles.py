"""Pickles of NumPy arrays from strangers, read without running their code."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from noiseproof.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


class _ArraysOnly(pickle.Unpickler):
    """Plain containers, strings, numbers and NumPy arrays; any other global is refused before it is imported."""

    _ALLOWED: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy", "ndarray"): np.ndarray,
        # Python 2 wrote the two flags as integers, which NumPy no longer takes.
        ("numpy", "dtype"): lambda kind, align=0, copy=1: np.dtype(kind, bool(align), bool(copy)),
        ("_codecs", "encode"): lambda text, encoding: _latin1(text, encoding),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self._ALLOWED:
            return self._ALLOWED[module, name]
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return _empty_array
        raise pickle.UnpicklingError(f"it wants to call {module}.{name}")


def _empty_array(kind: type, shape: tuple[int, ...], code: bytes | str) -> np.ndarray[Any, Any]:
    if kind is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError(f"an array of type {kind!r} and shape {shape!r}")
    return np.ndarray(shape, np.dtype(code if isinstance(code, str) else code.decode("latin1")))


def _latin1(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"a string in {encoding!r}")
    return text.encode("latin1")


def load_arrays(content: bytes, where: str) -> dict[str, Any]:
    """The dictionary in a pickle that holds only containers, strings, numbers and arrays.

    Raises:
        DataError: the pickle is truncated, holds anything else, or is no dictionary.
    """
    try:
        value = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
    except pickle.UnpicklingError as error:
        if "wants to call" in str(error):
            raise DataError(
                f"{where} was refused: {error}, which a data file has no reason to do. It may be malicious; "
                "get the file from its publisher."
            ) from error
        raise DataError(f"{where} is damaged or truncated: {error}. Get the file again.") from error
    except Exception as error:  # a damaged pickle can fail in any way
        raise DataError(f"{where} is damaged or truncated: {type(error).__name__}: {error}. Get it again.") from error
    if not isinstance(value, dict):
        raise DataError(f"{where} holds a {type(value).__name__}: expected a dictionary of arrays")
    return {key.decode("latin1") if isinstance(key, bytes) else str(key): entry for key, entry in value.items()}


def load_torch(path: Path, what: str) -> Any:
    """What is in a file that ``torch.save`` wrote, if it is only tensors, arrays, containers, strings and numbers.

    Args:
        path: the file.
        what: what it should hold, for errors.

    Raises:
        DataError: the file is missing, damaged, or holds anything else.
    """
    try:
        with torch.serialization.safe_globals(_numpy_globals()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path} was refused: it holds more than arrays, and could run code. Get it from its publisher."
        ) from error
    except Exception as error:  # a damaged pickle can fail in any way
        raise DataError(f"cannot read {what} from {path}: {type(error).__name__}: {error}") from error


def _numpy_globals() -> list[Any]:
    """What label files call to make their arrays, under the names of NumPy 1, as published, and of NumPy 2."""
    reconstruct = np.array(0).__reduce__()[0]
    names = [(reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    kinds = ("b1", "u1", "i1", "i2", "i4", "i8", "f4", "f8")
    return [*names, np.ndarray, np.dtype, *(type(np.dtype(kind)) for kind in kinds)]
