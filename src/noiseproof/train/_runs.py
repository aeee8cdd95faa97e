"""A folder of runs: where each of them is, by its recipe and by what it reads."""

from __future__ import annotations

import contextlib
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiseproof.errors import NoiseproofError, RecipeError, RunError, RunWarning, shorten
from noiseproof.train._identity import differences, inputs_are_gone, places, settings_id
from noiseproof.train._recipe import make_recipe
from noiseproof.train._record import Record, read_record
from noiseproof.train._schedule import can_be_made_longer, learning_rates

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from noiseproof.train._identity import Identity
    from noiseproof.train._recipe import Recipe


class Runs:
    """The folder that holds a folder per run, for a recipe wherever its inputs are.

    The folder of a run has a name to read and ends with the run's id.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def of(self, recipe: Recipe) -> list[Record]:
        """The records of all runs of a recipe: of one, or of several if what it reads was changed in between.

        Raises:
            RunError: a record is damaged, or of an older version.
        """
        wanted = places(recipe.model_dump(mode="json"))
        return [record for record in self._of_settings(recipe) if places(record.recipe) == wanted]

    def with_identity(self, recipe: Recipe, identity: Identity) -> Record | None:
        """The record of a run of this identity, if there is one.

        Raises:
            RunError: as for :meth:`of`.
        """
        return next((record for record in self._of_settings(recipe) if record.id == identity.id), None)

    def has(self, recipe: Recipe) -> bool:
        """Whether there may be a run of this recipe, on its inputs or on others.

        Raises:
            RunError: there is a folder of it of an older version.
        """
        return bool(self._folders(recipe))

    def place(self, recipe: Recipe, identity: Identity) -> Path:
        """The folder of the run of this identity: the one that is there, or a new one.

        Raises:
            RunError: a run of the same recipe with other inputs is not finished, or a folder is of an older version.

        Warns:
            RunWarning: the recipe's inputs differ from those of a finished run.
        """
        known = [folder for folder in self._folders(recipe) if folder.name.endswith(f"-{identity.id}")]
        if known:
            return known[0]
        for record in self.of(recipe):
            change = differences(record, identity)
            if record.status == "running":
                raise RunError(
                    f"{record.folder} is not finished and was begun {change}. Restore what it was begun with, and the "
                    "same command goes on; or delete the folder (or move it elsewhere), and the same command trains "
                    "anew."
                )
            warnings.warn(
                f"{record.folder} was begun {change}: this is another run, and is trained anew. Both are kept.",
                RunWarning,
                stacklevel=3,
            )
        return self.path / f"{_readable_name(recipe)}-{identity.id}"

    def _of_settings(self, recipe: Recipe) -> list[Record]:
        records = []
        for folder in self._folders(recipe):
            record = read_record(folder)
            if record is None:
                continue
            if not folder.name.endswith(f"-{record.id}"):
                raise RunError(
                    f"{folder / 'record.json'} is the record of run {record.id}, as the folder's name is not: it was "
                    "copied here, or the folder renamed. Delete the folder, or give it its name back."
                )
            records.append(record)
        return records

    def _folders(self, recipe: Recipe) -> list[Path]:
        ending = re.compile(rf"-{settings_id(recipe)}-[0-9a-f]{{8}}$")
        older = re.compile(rf"{re.escape(_readable_name(recipe))}-[0-9a-f]{{12}}$")
        try:
            folders = sorted(self.path.iterdir()) if self.path.is_dir() else []
        except OSError as error:
            raise RunError(f"cannot read the folder of runs {self.path}: {error}") from error
        old = [folder.name for folder in folders if older.fullmatch(folder.name)]
        if old:
            raise RunError(
                f"{self.path} holds a folder of an older version of noiseproof ({shorten(old)}), whose results are not "
                "read any more: move it elsewhere, delete it, or choose another --runs"
            )
        return [folder for folder in folders if ending.search(folder.name)]


def longest_beginning(folder: Path, recipe: Recipe, identity: Identity) -> Record | None:
    """The longest finished run beside ``folder`` that this one begins as: it differs in nothing but its length.

    Its inputs and code are the same, and so is the learning rate of each of its epochs.
    """
    rates = learning_rates(recipe)
    found = None
    for path in sorted(folder.parent.glob(f"{_readable_name(recipe)}-*-*")):
        if path == folder:
            continue
        with contextlib.suppress(RunError, RecipeError, OSError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            record = read_record(path)
            if record is None or record.status != "finished" or record.inputs != identity.inputs:
                continue
            other = make_recipe(record.recipe)
            if (
                other.epochs < recipe.epochs
                and (found is None or other.epochs > found.epochs[-1].epoch)
                and learning_rates(other) == rates[: other.epochs]
                and can_be_made_longer(other)
                and settings_id(other.replace(epochs=recipe.epochs, schedule=_plain(recipe))) == identity.settings
                and record.code == identity.code
            ):
                found = record
    return found


def _plain(recipe: Recipe) -> Any:
    """The schedule as plain values."""
    return recipe.model_dump(mode="json")["schedule"]


def ended_without_inputs(recipe: Recipe, known: Sequence[Record], error: NoiseproofError) -> Record:
    """The one of the known runs of a recipe that has ended, where its inputs are not there any more, as ``error`` says.

    Raises:
        NoiseproofError: ``error``, where none has ended, or where the inputs are there and something else is the
            matter with them.
        RunError: several have ended, with different inputs.

    Warns:
        RunWarning: that the inputs could not be compared.
    """
    ended = [record for record in known if record.status != "running"]
    if not ended or not inputs_are_gone(recipe):
        raise error
    if len(ended) > 1:
        raise RunError(f"{several_runs(ended)}, and which of them is meant cannot be seen: {error}") from error
    warnings.warn(
        f"{ended[0].folder} has ended, and whether what it was trained on is still the same could not be seen: {error}",
        RunWarning,
        stacklevel=3,
    )
    return ended[0]


def several_runs(records: Sequence[Record]) -> str:
    """That there are several runs of one recipe, as the beginning of an error."""
    folders = ", ".join(str(record.folder) for record in records)
    return f"there are several runs of one recipe on different inputs ({folders})"


def folder_name(recipe: Recipe) -> str:
    """How the names of the folders of a recipe's runs begin; what a run reads adds eight more digits."""
    return f"{_readable_name(recipe)}-{settings_id(recipe)}"


def _readable_name(recipe: Recipe) -> str:
    """What a person reads in the name of a run's folder."""
    noise = recipe.noise
    parts: list[str] = [recipe.data.name, noise.kind]
    parts += [f"{noise.known_rate:g}"] if noise.known_rate else []
    parts += map(_for_a_path, noise.name_parts)
    return "-".join([*parts, _for_a_path(recipe.method.name), f"seed{recipe.seed}"])


def _for_a_path(text: str) -> str:
    return re.sub(r"[^a-z0-9+.-]+", "_", text.lower()).strip("_")[:40]


def name_missing_module(error: RecipeError, folders: Iterable[Path]) -> RecipeError:
    """An error about an unknown kind with the module that it came from, where a run says so; nothing is imported.

    Args:
        error: what was raised.
        folders: of runs.
    """
    unknown = re.search(r"(?:unknown (?:loss|method|model|noise|data source)|no loss is called) '([^']+)'", str(error))
    modules: dict[str, None] = {}
    for folder in folders if unknown is not None else ():
        with contextlib.suppress(RunError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            record = read_record(folder)
            if unknown is None or record is None:
                continue
            recipe = record.recipe
            kinds = [recipe["method"]["kind"], recipe["method"]["loss"], recipe["model"]]
            if unknown[1] in " ".join([*kinds, recipe["data"]["name"], recipe["noise"]["kind"]]):
                modules |= dict.fromkeys(record.code)
    if not modules:
        return error
    options = " ".join(f"--import {module}" for module in modules)
    return RecipeError(f"{error}. The runs that are there took it from {', '.join(modules)}: give {options}")
