"""What somebody gives to ``fit``, looked at before anything is trained."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from noiseproof.auditing import check_keys, read_corrections
from noiseproof.data import (
    TABLES,
    Dataset,
    ImageFiles,
    Table,
    arrays,
    duplicates,
    from_table,
    image_folder,
    in_memory,
    missing,
    read_table,
    row_hashes,
    table_of,
)
from noiseproof.errors import DataError, DataWarning, shorten
from noiseproof.files import file_sha256
from noiseproof.fitting._corrected import checked, relabeled
from noiseproof.fitting._features import features_of
from noiseproof.fitting._plan import Budget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from noiseproof.auditing import Matched
    from noiseproof.embeddings import FrozenNetwork

_IMAGE_SIZE, _RESIZE = 32, 36
"""Sides of photos as networks get them, cut out of somewhat larger ones."""

_IMBALANCED = 10
"""By how much the largest class may be as frequent as the smallest before that is said."""

_SHOWN = 12
"""Classes that are listed with their sizes."""


@dataclass(frozen=True)
class Source:
    """Where data are.

    Attributes:
        path: absolute.
        sha256: of the file; of a folder of images, of its list of names, sizes and contents.
    """

    path: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Given:
    """Data to learn from.

    Attributes:
        dataset: inputs and labels, with the weights of samples and which labels are trusted.
        keys: what each sample is called.
        groups: ``(N,)``, equal numbers for samples that stay together.
        twins: ``(N,)``, equal numbers for equal inputs.
        found: what was found in the data, in sentences.
        hashes: ``(N, 16)``, of each row as it was given, with all of its columns but the label.
        source: where the data are; ``None`` where they are in memory.
        label: the column of the labels; ``None`` where they were no column.
        features: what makes the vectors of images that are learned from; ``None`` where inputs are taken as they are.
    """

    dataset: Dataset
    keys: Sequence[Any]
    groups: NDArray[np.int64]
    twins: NDArray[np.int64]
    found: tuple[str, ...]
    hashes: NDArray[np.uint8]
    source: Source | None
    label: str | None
    features: FrozenNetwork | None = None


def look(
    X: Any,
    y: Any = None,
    *,
    label: str | None = None,
    groups: Any = None,
    trusted: Any = None,
    sample_weight: Any = None,
    keys: Any = None,
    corrections: str | Path | Sequence[str | Path] | None = None,
    features: Any = None,
    network: str | None = None,
    budget: str = "10m",
) -> Given:
    """Read data and look at them: what :func:`noiseproof.fit` does first, with the same arguments.

    Raises:
        DataError, LabelError: what cannot be learned from.
        RecipeError, SpecError: a budget or a frozen network that there is not.
    """
    asked = {"groups": groups, "trusted": trusted, "sample_weight": sample_weight, "keys": keys}
    if label is not None and y is not None:
        raise DataError(f"label {label!r} and y are both given: the labels are in one of them")
    read = None if corrections is None else read_corrections(corrections)
    matched: Matched | None = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        table = _table(X, label, asked)
        if table is None:
            _refuse_columns(X, label, asked)
            dataset, rows = _of_inputs(X, y, label), None
            hashes = row_hashes(dataset.train.inputs)
            named = _keys(asked["keys"], dataset.train.inputs, None)
            if read is not None:
                matched = read.match(named, hashes, np.array(dataset.class_names, object)[dataset.train.labels])
                dataset = relabeled(dataset, matched)
            left_out = [f"{name} ({len(part):,} samples)" for name, part in dataset.test_parts.items()]
            if not (dataset.is_image or dataset.feature_names or isinstance(X, Dataset)):
                table, dataset = _as_table(dataset)
        else:
            left_out = []
            whole = _without_label(X, table, label, asked)
            table, y, asked, rows = _columns(table, y, label, asked)
            hashes = row_hashes(whole.take(rows))
            named = _keys(asked["keys"], table, rows)
            if read is not None:
                matched = read.match(named, hashes, y)
                y = matched.relabeled(y)
            dataset = from_table(table, y, name=Path(table.source).name)
    _refuse_ids(dataset)
    count = len(dataset.train)
    if asked["sample_weight"] is not None:
        dataset = replace(dataset, sample_weight=_weights(asked["sample_weight"], count))
    if asked["trusted"] is not None:
        dataset = replace(dataset, trusted=_yes_or_no(asked["trusted"], count))
    if matched is not None:
        matched.refuse_others()
        dataset = checked(dataset, matched)
    twins = _twins(dataset, table)
    found = [
        *_about_classes(dataset),
        *(() if matched is None else matched.sentences()),
        *_about_tests(left_out),
        *_about_columns(dataset, table),
        *_about_twins(dataset, twins),
    ]
    told = []
    for each in caught:
        if not issubclass(each.category, DataWarning):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        elif not any(text in str(each.message) for text in _TOLD):
            told.append(str(each.message))
    if features is None and network is not None:
        features = False  # a network that is asked for gets the inputs
    frozen, about = features_of(dataset, features, Budget.parse(budget))
    found += [about] if about else []
    return Given(
        dataset,
        named,
        _together(twins, asked["groups"], count),
        twins,
        (*found, *told),
        hashes,
        _source(X, dataset),
        label,
        frozen,
    )


def _table(X: Any, label: str | None, asked: dict[str, Any]) -> Table | None:
    """The table that was given, if it is one; columns of labels and names are read as text."""
    text = [name for name in (label, asked["keys"], asked["groups"]) if isinstance(name, str)]
    if isinstance(X, Table):
        return X
    if isinstance(X, str | Path) and Path(X).suffix.lower() in TABLES:
        return read_table(X, as_text=text)
    if hasattr(X, "columns") and not isinstance(X, str | Path):
        return table_of(X, as_text=text)
    if not isinstance(X, str | Path | Dataset) and _dimensions(X) == 2:
        return table_of(X)
    return None


def _without_label(X: Any, table: Table, label: str | None, asked: dict[str, Any]) -> Table:
    """All columns but the label, each as it is read if nothing is asked of it: what a row is known by later."""
    as_text = [] if label is None else [label]
    if any(isinstance(asked[what], str) for what in ("keys", "groups")):
        table = read_table(X, as_text=as_text) if isinstance(X, str | Path) else table_of(X, as_text=as_text)
    return table if label is None else table.without(as_text)


def _dimensions(X: Any) -> int:
    """Of an array, a tensor or nested lists; 0 of anything else, such as a data set of pairs."""
    if hasattr(X, "ndim"):
        return int(X.ndim)
    if isinstance(X, list | tuple):
        return int(np.asarray(X, dtype=object).ndim)
    return 0


def _columns(
    table: Table, y: Any, label: str | None, asked: dict[str, Any]
) -> tuple[Table, Any, dict[str, Any], NDArray[np.int64]]:
    """The columns to learn from, the labels, what was asked for by the name of a column, and which rows are used."""
    named = {what: name for what, name in {"label": label, **asked}.items() if isinstance(name, str)}
    if label is None and y is None:
        raise DataError(
            f"{table.source}: which column are the labels? (--label COLUMN, or label=…; it has "
            f"{shorten(list(table.columns))})"
        )
    values = {what: table[name] for what, name in named.items()}
    rest = table.without({*named.values()}) if named else table
    rows = np.arange(len(table))
    if label is not None:
        gaps = missing(values["label"])
        if gaps.all():
            raise DataError(f"{table.source}: the column {label!r} is empty: expected labels")
        if gaps.any():
            warnings.warn(
                f"{table.source}: {gaps.sum()} rows have no {label} and are left out", DataWarning, stacklevel=2
            )
            rows = np.flatnonzero(~gaps)
            rest, values = rest.take(rows), {what: column[rows] for what, column in values.items()}
        y = _plain(values["label"])
    given = {what: _plain(values[what]) if what in values else each for what, each in asked.items()}
    if len(rows) < len(table):  # of what was given beside the table, as well
        given = {
            what: np.asarray(each)[rows] if what not in values and _counts(each) == len(table) else each
            for what, each in given.items()
        }
    return rest, y, given, rows


_OPTIONS = {"groups": "--group", "sample_weight": "--weight", "trusted": "--trusted", "keys": "--key"}


def _refuse_columns(X: Any, label: str | None, asked: dict[str, Any]) -> None:
    """Refuse names of columns where there are none."""
    named = {f"{what} ({_OPTIONS[what]})": name for what, name in asked.items() if isinstance(name, str)}
    if label is not None:
        named["label (--label)"] = label
    for what, name in named.items():
        where = Path(X).name if isinstance(X, str | Path) else "the data"
        raise DataError(f"{what} {name!r}: {where} has no columns: expected a table, or one value for each sample")


def _as_table(dataset: Dataset) -> tuple[Table, Dataset]:
    """Features as the table that they are: what is learned from them does not depend on how they were given."""
    table = table_of(dataset.train.inputs, dataset.name)
    names = np.array(dataset.class_names, object)[dataset.train.labels].tolist()
    return table, from_table(table, names, name=dataset.name, class_names=dataset.class_names)


def _counts(values: Any) -> int | None:
    return len(values) if hasattr(values, "__len__") else None


def _plain(column: NDArray[Any]) -> Any:
    return column.tolist() if column.dtype == object else column


def _of_inputs(X: Any, y: Any, label: str | None) -> Dataset:
    """Arrays, data sets, files of arrays, and folders of images."""
    if y is not None and (isinstance(X, str | Path | Dataset)):
        raise DataError("y is given beside data that have labels of their own: leave it out")
    if isinstance(X, Dataset):
        return X
    if not isinstance(X, str | Path):
        if label is not None:
            raise DataError(f"label {label!r}: there are no columns; give the labels as y")
        return in_memory(X, y)
    path = Path(X)
    if path.is_dir():
        return image_folder(path, image_size=_IMAGE_SIZE, resize=_RESIZE)
    if path.suffix.lower() == ".npz":
        return arrays(path, gaps=True)
    if not path.exists():
        raise DataError(f"there is no {path}")
    raise DataError(
        f"cannot learn from {path}: expected a table ({', '.join(TABLES)}), arrays (.npz), or a folder of images "
        "with a folder for each class"
    )


def _refuse_ids(dataset: Dataset) -> None:
    count, classes = len(dataset.train), dataset.num_classes
    if classes == count or classes > max(10, count / 2):
        raise DataError(
            f"{dataset.name} has {classes} different labels in {count} samples: expected a few classes with several "
            "samples each. Is the column an id, or a number to be predicted?"
        )


def _weights(values: Any, count: int) -> NDArray[np.float32]:
    array = np.asarray(values)
    if array.shape != (count,) or array.dtype.kind not in "biuf":
        raise DataError(f"sample_weight is {array.dtype} of shape {array.shape}: expected numbers, ({count},)")
    return array.astype(np.float32)


_TOLD = ("there before with another label", "nothing is learned from free text")
"""Warnings about what is said already in other words."""

_TRUTH = {
    **dict.fromkeys(("true", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "no", "n", "0", "0.0", "", "none", "nan"), False),
}


def _yes_or_no(values: Any, count: int) -> NDArray[np.bool_]:
    """Truth values from those, numbers or words; a gap is no."""
    array = np.asarray(values)
    if array.shape != (count,):
        raise DataError(f"trusted has shape {array.shape}: expected yes or no for each of {count} samples")
    found = [_TRUTH.get(str(value).strip().casefold()) for value in array.tolist()]
    if None in found:
        place = found.index(None)
        raise DataError(f"trusted is {array[place]!r:.60} at {place}: expected yes or no (or true, false, 1, 0)")
    return np.array(found, np.bool_)


def _keys(keys: Any, inputs: Any, rows: NDArray[np.int64] | None) -> Sequence[Any]:
    """What samples are called: by their key, their path, or the number of their row."""
    count = len(inputs)
    if keys is not None:
        check_keys(np.asarray(keys, object).tolist())
        named = [key if isinstance(key, int | str) else str(key) for key in np.asarray(keys, object).tolist()]
        if len(named) != count:
            raise DataError(f"keys: {len(named)} for {count} samples: expected one for each")
        return named
    if isinstance(inputs, ImageFiles):
        return inputs.names(np.arange(count))
    return range(count) if rows is None else rows.tolist()


def _twins(dataset: Dataset, table: Table | None) -> NDArray[np.int64]:
    inputs = dataset.train.inputs
    if table is not None and dataset.encoding is not None:
        return duplicates(dataset.encoding.select(table))
    if isinstance(inputs, ImageFiles):
        keys = inputs.paths if inputs.hashes is None else inputs.hashes
        return np.unique(keys, return_inverse=True)[1].astype(np.int64)
    return duplicates(inputs)


def _source(X: Any, dataset: Dataset) -> Source | None:
    if not isinstance(X, str | Path):
        return None
    path = Path(X).absolute()
    if path.is_dir():
        return Source(str(path), dataset.fingerprint)
    return Source(str(path), file_sha256(path))


_GAPS = ("nan", "NaT", "<NA>")


def _together(twins: NDArray[np.int64], groups: Any, count: int) -> NDArray[np.int64]:
    """Numbers that are equal where inputs are, or where groups are, or where a chain of both leads."""
    if groups is None:
        return twins
    array = np.asarray(groups)
    if array.shape != (count,):
        raise DataError(f"groups have shape {array.shape}: expected one for each of {count} samples")
    own = np.unique(array.astype(str), return_inverse=True)[1].astype(np.int64) + twins.max() + 1
    none = np.flatnonzero([value is None or str(value) in _GAPS for value in array.tolist()])
    own[none] = own.max() + 1 + np.arange(len(none))  # a gap is no group that samples share
    size = int(own.max()) + 1
    links = coo_array((np.ones(count), (twins, own)), shape=(size, size))
    parts: NDArray[np.int64] = connected_components(links, directed=False)[1].astype(np.int64)
    return parts[twins]


def _about_classes(dataset: Dataset) -> list[str]:
    counts = np.bincount(dataset.train.labels, minlength=dataset.num_classes)
    order = np.argsort(-counts, kind="stable")
    shown = [f"{dataset.class_names[place]} ({counts[place]:,})" for place in order[:_SHOWN]]
    more = f" and {len(order) - _SHOWN} more" if len(order) > _SHOWN else ""
    found = [f"{len(dataset.train):,} samples of {dataset.num_classes} classes: {', '.join(shown)}{more}"]
    fewest = counts[counts > 0].min()
    if counts.max() >= _IMBALANCED * fewest:
        small = dataset.class_names[int(np.where(counts == fewest)[0][0])]
        found.append(
            f"The largest class is {counts.max() / fewest:.0f} times as frequent as {small} ({fewest}): accuracy says "
            "little about small classes; the metric 'balanced accuracy' counts all classes alike"
        )
    return found


def _about_tests(left_out: Sequence[str]) -> list[str]:
    if not left_out:
        return []
    return [f"Left out: {', '.join(left_out)}. A test set chooses nothing; one of its own can be scored at the end"]


def _about_columns(dataset: Dataset, table: Table | None) -> list[str]:
    if table is None or dataset.encoding is None:
        return []
    columns = dataset.encoding.columns
    words = {"number": "numbers", "category": "categories", "date": "dates"}
    kinds: Counter[str] = Counter(column.kind for column in columns)
    used = [f"{kinds[kind]} of {word}" for kind, word in words.items() if kinds[kind]]
    found = [f"Columns: {', '.join(used)}"]
    left_out = [f"{column.name} ({column.reason}: {column.note})" for column in columns if column.kind == "left out"]
    if left_out:
        found.append(f"Columns that nothing is learned from: {', '.join(left_out)}")
    gaps = {name: int(missing(column).sum()) for name, column in dataset.encoding.select(table).columns.items()}
    gaps = {name: count for name, count in gaps.items() if count}
    if gaps:
        worst = sorted(gaps, key=lambda name: -gaps[name])
        shown = shorten([f"{name}: {gaps[name]:,}" for name in worst])
        found.append(
            f"Values are missing (empty, NA, none and the like) in {len(gaps)} columns ({shown}): that is kept as "
            "information"
        )
    return found


def _about_twins(dataset: Dataset, twins: NDArray[np.int64]) -> list[str]:
    count = len(twins)
    groups = int(twins.max()) + 1
    if groups == count:
        return []
    found = [f"{count - groups:,} inputs are there before: equal ones stay on one side of every split"]
    wrong = certain_errors(twins, dataset.train.labels, dataset.num_classes)
    if wrong:
        found.append(f"At least {wrong:,} labels are certainly wrong: equal inputs have different ones")
    return found


def certain_errors(twins: NDArray[np.int64], labels: NDArray[np.int64], num_classes: int) -> int:
    """How many labels must be wrong because equal inputs have others: all but the most frequent one of each group."""
    pairs, counts = np.unique(twins * num_classes + labels, return_counts=True)
    most = np.zeros(int(twins.max()) + 1, np.int64)
    np.maximum.at(most, pairs // num_classes, counts)
    return len(twins) - int(most.sum())
