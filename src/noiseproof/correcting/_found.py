"""Data in which corrections have found their rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noiseproof.classes import read_labels
from noiseproof.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from noiseproof.auditing import Matched


@dataclass(frozen=True)
class Found:
    """Labels of some data, what corrections say of them, and how the result is written.

    Attributes:
        labels: ``(N,)``, the given ones as text.
        matched: the corrections, by positions in the labels.
        write: writes the corrected data to a path.
        label: the column of the labels; ``None`` where there are no columns.
        key: the column of the keys; ``None`` where these are no column.
    """

    labels: Sequence[str]
    matched: Matched
    write: Callable[[Path], None]
    label: str | None = None
    key: str | None = None

    @property
    def decided(self) -> dict[int, str]:
        """The new labels by their positions."""
        return {one.row: one.decided for one in self.matched.decisions if one.is_new and one.decided is not None}

    @property
    def dropped(self) -> list[int]:
        """The positions of samples that are left out."""
        return [one.row for one in self.matched.decisions if one.action == "drop"]


def texts_of(values: Any) -> list[str]:
    """``(N,)``: labels as text.

    Raises:
        LabelError: they are none.
    """
    return read_labels(values).listed


def refuse_columns(path: Path, label: str | None, key: str | None) -> None:
    """Refuse names of columns for data that have none.

    Raises:
        DataError: there is one.
    """
    for option, name in (("--label", label), ("--key", key)):
        if name is not None:
            raise DataError(f"{option} {name!r}: {path} has no columns; leave it out")
