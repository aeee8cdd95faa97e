"""What people decided about labels: files of corrections, and which of them apply to data."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiseproof.auditing._correction import COLUMNS, Correction, read_file
from noiseproof.auditing._decisions import Decision, Matched, Names, Outcome, Rows, decide, moved_key
from noiseproof.auditing._given import plain
from noiseproof.classes import read_labels
from noiseproof.errors import DataError, LabelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "COLUMNS",
    "Correction",
    "Corrections",
    "Decision",
    "Matched",
    "Outcome",
    "moved_key",
    "read_corrections",
]

_MOST = 1_000_000
_WHOLE = re.compile(r"(?<=[0-9])\.0+$")
"""What a spreadsheet adds to a whole number."""


@dataclass(frozen=True)
class Corrections:
    """Corrections of several people and rounds, each once, in an order that does not depend on that of the files.

    Attributes:
        rows: the corrections.
    """

    rows: tuple[Correction, ...]

    @classmethod
    def of(cls, rows: Iterable[Correction]) -> Corrections:
        """Corrections in any order, perhaps with equal ones."""
        return cls(tuple(sorted({*rows}, key=lambda row: tuple(map(str, astuple(row))))))

    def __len__(self) -> int:
        return len(self.rows)

    def match(
        self,
        keys: Sequence[Any],
        hashes: NDArray[np.uint8] | None,
        given: Any,
        refuse: Callable[[str], str] = lambda _: "",
    ) -> Matched:
        """What applies to data: corrections whose key, row hash and given label agree with a row.

        Of several decisions of one person about a sample the latest counts. Where people disagree, nothing is applied;
        "unsure" contradicts nobody. What is applied already changes nothing when it is applied again.

        Args:
            keys: ``(N,)``, what rows are called: numbers or text.
            hashes: ``(N, 16)``, of the rows; ``None`` where there are only labels, and keys must do.
            given: ``(N,)``, their labels.
            refuse: why a class that no label has yet cannot be one; empty if it can.

        Raises:
            LabelError: labels that are none, or more or fewer of them than keys.
        """
        labels = read_labels(plain(given))
        if len(labels) != len(keys):
            raise LabelError(f"{len(labels)} labels for {len(keys)} keys: expected one for each")
        names = Names(labels, refuse)
        found = Rows(keys, hashes, labels, names, self.rows)
        outcomes: dict[Correction, Outcome] = {}
        by_row: dict[int, list[Correction]] = defaultdict(list)
        for one in self.rows:
            row = found.row(one)
            if isinstance(row, Outcome):
                outcomes[one] = row
            else:
                by_row[row].append(one)
        decisions, doubts = [], found.doubts(by_row)
        for row, ones in sorted(by_row.items()):
            told, decision = decide(row, ones, names, int(labels.index[row]), doubts.get(row, ""))
            outcomes |= told
            decisions += [decision] if decision is not None else []
        return Matched(tuple(outcomes[one] for one in self.rows), tuple(decisions))


def read_corrections(paths: str | Path | Sequence[str | Path]) -> Corrections:
    """Corrections from files of several people and rounds, in any order; equal ones count once.

    A file is CSV with the columns :data:`COLUMNS`, of which ``key``, ``given``, ``decided`` and ``action`` are needed,
    or JSON Lines with these keys. What spreadsheets make of a CSV file is understood: a mark at its beginning,
    semicolons or tabs, columns in another order or more of them, ``3.0`` for 3, and an apostrophe before a cell.

    Args:
        paths: one file or several.

    Raises:
        DataError: a file that cannot be read, without these columns, or a line that is no correction.
    """
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    if not listed:
        raise DataError("no file of corrections: expected at least one")
    rows: list[Correction] = []
    for path in map(Path, listed):
        for one in read_file(path):
            rows.append(one)
            if len(rows) > _MOST:
                raise DataError(f"{path}: more than {_MOST:,} corrections: expected at most as many, of all files")
    return Corrections.of(rows)
