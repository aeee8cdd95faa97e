"""Files of ``torch.save``, without PyTorch: its archive, and the form that it had before 1.6."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.errors import DataError
from noiseproof.untrusted._bounds import GiB, Wrong, foreign, open_file, read_bytes, reason
from noiseproof.untrusted._pickle import Machine, Name, Refused, checked_shape
from noiseproof.untrusted._zip import open_zip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

MOST_TORCH = 8 * GiB
"""The size of a file of torch.save."""

_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY = b"\x80\x02\x8a\x0a" + _MAGIC.to_bytes(10, "little")
_STORAGES = {
    "Float": "f4", "Double": "f8", "Half": "f2", "BFloat16": "bfloat16", "Byte": "u1", "Char": "i1", "Short": "i2",
    "Int": "i4", "Long": "i8", "Bool": "b1", "ComplexFloat": "c8", "ComplexDouble": "c16",
}  # fmt: skip
_DTYPES = {"uint16": "u2", "uint32": "u4", "uint64": "u8"}
_NAMES = {
    "f4": "float32", "f8": "float64", "f2": "float16", "c8": "complex64", "c16": "complex128", "b1": "bool",
    "u1": "uint8", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64", "u2": "uint16", "u4": "uint32",
    "u8": "uint64", "bfloat16": "bfloat16",
}  # fmt: skip


@dataclass(eq=False)
class _Storage:
    """The memory of one or several tensors. Its bytes are known when all pickles of the file have been read."""

    code: str | None
    """NumPy's code of its type, or ``"bfloat16"``; ``None`` for plain bytes."""
    count: int
    raw: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A dense tensor of a file.

    Attributes:
        dtype: PyTorch's name of its type, such as ``"float32"``.
        shape: its shape.
        stride: how many elements lie between neighbors along each axis.
        offset: the element that it begins with.
    """

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    _code: str
    _storage: _Storage

    @property
    def raw(self) -> NDArray[np.uint8]:
        """The bytes of its storage, in native byte order; tensors may share it."""
        assert self._storage.raw is not None  # noqa: S101 - the file was read to its end
        return self._storage.raw

    def array(self) -> NDArray[Any]:
        """The tensor as an array.

        Raises:
            Wrong: NumPy has no such type, or the tensor repeats its elements so often that it grows beyond the file.
        """
        if self._code == "bfloat16":
            raise Wrong("a tensor of bfloat16")
        values = self.raw.view(self._code)
        if math.prod(self.shape) > len(values):
            raise Wrong(f"a tensor of shape {self.shape} that repeats {len(values):,} elements")
        if self._code == "b1" and self.raw.max(initial=0) > 1:
            raise Wrong("truth values other than 0 and 1")
        strides = tuple(values.itemsize * step for step in self.stride)
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides).copy()

    def check(self) -> None:
        """Raises Wrong if the tensor reaches beyond its storage."""
        size = 2 if self._code == "bfloat16" else np.dtype(self._code).itemsize
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        if 0 not in self.shape and (last + 1) * size > len(self.raw):
            raise Wrong(f"a tensor of shape {self.shape} reaches beyond its {len(self.raw):,} bytes")
        if len(self.raw) % size or self.offset * size > len(self.raw):
            raise Wrong("a tensor that lies beside its bytes")


def read_torch(path: Path, what: str, *, tensors: bool = False) -> Any:
    """What is in a file that ``torch.save`` wrote: dictionaries, lists, numbers, strings, arrays and dense tensors.

    Args:
        path: the file.
        what: what it should hold, for errors.
        tensors: whether tensors are given as :class:`StoredTensor` rather than as arrays.

    Raises:
        DataError: the file is missing, damaged, or holds anything else.
    """
    with open_file(path) as file:
        head = file.read(200)
    try:
        if head.startswith(b"PK"):
            value, made = _read_archive(path)
        elif head.startswith(_LEGACY):
            value, made = _read_legacy(read_bytes(path, MOST_TORCH))
        else:
            raise Wrong("torch.save did not write it")
        for tensor in made:
            tensor.check()
        return value if tensors else _Arrays(4 * path.stat().st_size).of(value)
    except DataError:
        raise
    except Refused as error:
        held = "tensors that are not plain and dense" if error.name.startswith("torch") else "more than arrays"
        raise DataError(
            f"{path} was refused: it holds {held} ({error.name}) and could run code. Save {what} as plain tensors, or "
            "get the file from its publisher."
        ) from error
    except Exception as error:
        raise DataError(f"cannot read {what} from {path}: {foreign(head) or reason(error)}") from error


def _read_archive(path: Path) -> tuple[Any, list[StoredTensor]]:
    with open_zip(path, "file of torch.save") as archive:
        pickles = [name for name in archive.names if name.endswith("/data.pkl")]
        if len(pickles) != 1 or any("/code/" in name for name in archive.names):
            raise Wrong("it is an archive, but not one that torch.save writes of data")
        folder = pickles[0].removesuffix("data.pkl")
        order = archive.read(f"{folder}byteorder") if f"{folder}byteorder" in archive.names else b"little"
        reader = _Reader(archive.read(pickles[0]))
        value = reader.machine.load()
        for key, storage in reader.storages.items():
            reader.fill(storage, archive.read(f"{folder}data/{key}"), swap=order == b"big")
    return value, reader.tensors


def _read_legacy(content: bytes) -> tuple[Any, list[StoredTensor]]:
    reader = _Reader(content)
    machine = reader.machine
    magic, version, system = machine.load(), machine.load(), machine.load()
    if magic != _MAGIC or version != 1001 or not isinstance(system, dict):
        raise Wrong("a version of PyTorch's format that nobody wrote")
    value, keys = machine.load(), machine.load()
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(reader.storages):
        raise Wrong("the list of its storages is another one than that of its tensors")
    for key in keys:
        storage = reader.storages[str(key)]
        count = int.from_bytes(machine.take(8), "little")
        if count != storage.count:
            raise Wrong(f"a storage of {count:,} elements in the place of one of {storage.count:,}")
        raw = machine.take(count * reader.width(storage))
        reader.fill(storage, raw, swap=system.get("little_endian") is False)
    return value, reader.tensors


class _Reader:
    """The tensors and storages that a file's pickles speak of."""

    def __init__(self, content: bytes) -> None:
        self.storages: dict[str, _Storage] = {}
        self.tensors: list[StoredTensor] = []
        names: dict[Name, Callable[..., Any] | None] = {Name("torch", f"{name}Storage"): None for name in _STORAGES}
        names |= {Name("torch", name): None for name in _DTYPES}
        names |= {
            Name("torch.storage", "UntypedStorage"): None,
            Name("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            Name("torch._utils", "_rebuild_tensor_v3"): self._typed_tensor,
            Name("torch._utils", "_rebuild_parameter"): self._parameter,
        }
        self.machine = Machine(content, names, self._storage)

    def _storage(self, identity: Any) -> _Storage:
        """The storage of a persistent ID: ``('storage', type, key, location, count)``; older files add a view."""
        if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
            raise Wrong("a persistent ID that is no storage")
        _, kind, key, _, count, *view = identity
        if not isinstance(kind, Name) or type(count) is not int or count < 0 or not isinstance(key, str):
            raise Wrong("a storage with an odd description")
        if view not in ([], [None]):
            raise Wrong("a storage that is a part of another: save the tensors anew")
        code = _STORAGES.get(kind.name.removesuffix("Storage"))
        if code is None and kind.name != "UntypedStorage":
            raise Wrong(f"a storage of {kind}")
        known = self.storages.setdefault(key, _Storage(code, count))
        if (known.code, known.count) != (code, count):
            raise Wrong(f"the storage {key[:50]!r} in two forms")
        return known

    def _tensor(self, storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> StoredTensor:
        return self._make(storage, offset, shape, stride, storage.code if isinstance(storage, _Storage) else None)

    def _typed_tensor(self, storage: Any, offset: Any, shape: Any, stride: Any, *rest: Any) -> StoredTensor:
        dtype = rest[2]  # after whether it needs a gradient, and its hooks
        return self._make(storage, offset, shape, stride, _DTYPES.get(dtype.name) if isinstance(dtype, Name) else None)

    def _make(self, storage: Any, offset: Any, shape: Any, stride: Any, code: str | None) -> StoredTensor:
        if not isinstance(storage, _Storage) or code is None or type(offset) is not int or offset < 0:
            raise Wrong("a tensor without a type or a storage")
        if len(checked_shape(shape)) != len(checked_shape(stride)):
            raise Wrong("a tensor with another number of strides than sides")
        self.tensors.append(StoredTensor(_NAMES[code], shape, stride, offset, code, storage))
        return self.tensors[-1]

    def _parameter(self, tensor: Any, *_: Any) -> StoredTensor:
        if not isinstance(tensor, StoredTensor):
            raise Wrong("a parameter that is no tensor")
        return tensor

    @staticmethod
    def width(storage: _Storage) -> int:
        """The bytes of an element."""
        if storage.code is None:
            return 1
        return 2 if storage.code == "bfloat16" else np.dtype(storage.code).itemsize

    def fill(self, storage: _Storage, raw: bytes, *, swap: bool) -> None:
        """Give a storage its bytes."""
        width = self.width(storage)
        if len(raw) != storage.count * width:
            raise Wrong(f"a storage of {storage.count:,} elements of {width} bytes has {len(raw):,}")
        storage.raw = np.frombuffer(bytearray(raw), np.uint8)
        if swap:
            if storage.code is None:
                raise Wrong("numbers of unknown width in the byte order of another machine")
            part = width // 2 if storage.code.startswith("c") else width
            storage.raw = storage.raw.view(f"u{part}").byteswap().view(np.uint8) if part > 1 else storage.raw


class _Arrays:
    """Puts arrays in the place of tensors, in a tree of bounded size: each tensor once, and ``most`` bytes in all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._made: dict[int, NDArray[Any]] = {}

    def of(self, value: Any) -> Any:
        if isinstance(value, StoredTensor):
            if id(value) not in self._made:
                self._made[id(value)] = array = value.array()
                self._most -= array.nbytes
                if self._most < 0:
                    raise Wrong("tensors of more bytes than the file has")
            return self._made[id(value)]
        if isinstance(value, dict):
            return {key: self.of(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self.of, value))
        return value
