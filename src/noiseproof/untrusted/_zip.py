"""Zip archives, as ``.npz`` files and those of ``torch.save`` are."""

from __future__ import annotations

import contextlib
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from noiseproof.errors import DataError, suggest
from noiseproof.untrusted._bounds import EXPANDED, EXPANSION, MiB, Wrong, foreign, open_file, reason, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Deflate makes at most so many bytes of one.
_DEFLATE = 1032


class Zip:
    """An open archive; :func:`open_zip` makes it.

    Attributes:
        names: of the files in it, in its order.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, size: int) -> None:
        self._path = path
        self._archive = archive
        files = [info for info in archive.infolist() if not info.is_dir()]
        self._members = {info.filename: info for info in files}
        self.names = tuple(self._members)
        self._left = max(EXPANDED, EXPANSION * size)
        if len(files) > len(self.names):
            raise DataError(f"cannot read {path}: it holds two files of one name")

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[tuple[BinaryIO, int]]:
        """A file of the archive and its size, which counts against the archive's bound.

        Raises:
            DataError: there is none, or it is damaged, encrypted or too large; or the block inside raised
                :class:`~noiseproof.untrusted._bounds.Wrong` or whatever zipfile raises on a damaged file.
        """
        where = f"{name!r} in {self._path}"
        if name not in self._members:
            raise DataError(f"no {where}{suggest(name, self.names[:20])}")
        info = self._members[name]
        try:
            if info.flag_bits & 1:
                raise Wrong("it is encrypted")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Wrong("it is compressed in a way that numpy.savez_compressed does not use")
            if info.file_size > _DEFLATE * info.compress_size + 100:
                raise Wrong(f"it cannot have the {info.file_size:,} bytes that the archive says")
            if info.file_size > self._left:
                raise Wrong(
                    f"it would take {info.file_size:,} bytes, with {self._left:,} left: what a compressed archive "
                    f"expands to may have {EXPANDED >> 30} GiB, or {EXPANSION} times the archive's size if that is "
                    "more; one that is not compressed, such as numpy.savez writes, has no such bound"
                )
            self._left -= info.file_size
            with self._archive.open(info) as file:
                yield cast("BinaryIO", file), info.file_size
        except Exception as error:  # zipfile fails in many ways on a damaged file
            raise DataError(f"cannot read {where}: {reason(error)}") from error

    def read(self, name: str) -> bytes:
        """All of a file; see :meth:`member`."""
        with self.member(name) as (file, size):
            content = file.read(size)
            if len(content) != size or file.read(1):
                raise Wrong("it has another size than the archive says")
            return content


@contextlib.contextmanager
def open_zip(path: Path, what: str) -> Iterator[Zip]:
    """A zip archive, whose files are read when they are asked for.

    Args:
        path: the file.
        what: what it should be, for errors.

    Raises:
        DataError: the file is missing, damaged, or no archive.
    """
    with open_file(path) as file:
        head = file.read(200)
        file.seek(0)
        try:
            archive = zipfile.ZipFile(cast("Any", _Bounded(file)))
        except Exception as error:  # zipfile fails in many ways on a damaged file
            cut = "it is damaged or was cut off" if head.startswith(b"PK") else f"it is no {what}"
            raise DataError(f"cannot read {path}: {foreign(head) or f'{cut} ({error})'}") from error
        with archive:
            yield Zip(path, archive, size_of(file))


class _Bounded:
    """A file of which nobody reads more than a piece at once: zipfile takes the size of its directory on trust."""

    _MOST = 64 * MiB

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable, self.close = file.seek, file.tell, file.seekable, lambda: None

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(self._MOST + 1 if size < 0 else min(size, self._MOST + 1))
        if len(piece) > self._MOST:
            raise ValueError(f"a piece of more than {self._MOST:,} bytes")
        return piece
