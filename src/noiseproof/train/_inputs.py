"""What a run is made from: its recipe, its data with noise on them, its weights, and the identity of them all."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from noiseproof import models
from noiseproof.data import Dataset, ImageFiles, in_memory
from noiseproof.errors import DataError, LabelError, RecipeError
from noiseproof.loaders import Reader, default_workers
from noiseproof.seeding import derive
from noiseproof.train._identity import Identity, identify, is_of_settings, noise_fingerprint
from noiseproof.train._prepare import Task, load_dataset, prepare
from noiseproof.train._recipe import Recipe, make_recipe
from noiseproof.train._recipe_file import merge, read_recipe_file
from noiseproof.train._record import Record, read_record
from noiseproof.train._runs import ended_without_inputs, name_missing_module

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import nn


@dataclass(frozen=True, eq=False)
class RunInputs:
    """What a run is made from."""

    recipe: Recipe
    task: Task
    weights: models.Weights | None
    identity: Identity


def gather_inputs(
    recipe: Recipe | Mapping[str, Any] | str | Path,
    folder: Path,
    data_dir: Path,
    download: bool,
    dataset: Dataset | None,
    data: Any,
    network: nn.Module | None,
) -> RunInputs | Record:
    """All that :func:`noiseproof.train.train` needs before it trains.

    It is the record where the run has ended and its inputs are gone.

    Raises:
        RecipeError, DataError, LabelError, RunError: as there.
    """
    if data is not None:
        dataset = data if isinstance(data, Dataset) else in_memory(*(data if isinstance(data, tuple) else (data,)))
    try:
        recipe = make_recipe(_with_memory(recipe, data=data is not None, network=network is not None))
    except RecipeError as error:
        raise name_missing_module(error, [folder]) from error
    try:
        dataset = dataset or load_dataset(recipe.data, data_dir, download=download)
        task = prepare(recipe, dataset, data_dir)
        weights = None
        if recipe.weights is not None:
            weights = models.read_weights(recipe.model, recipe.weights, data_dir, download=download)
    except (DataError, LabelError) as error:
        record = read_record(folder)
        known = [record] if record is not None and is_of_settings(record, recipe) else []
        return ended_without_inputs(recipe, known, error)
    identity = identify(
        recipe,
        dataset.fingerprint,
        noise_fingerprint(recipe, task.noise),
        None if weights is None else weights.sha256,
        network,
    )
    return RunInputs(recipe, task, weights, identity)


def _with_memory(recipe: Any, *, data: bool, network: bool) -> Any:
    """A recipe whose data or network are those in memory."""
    changes = {**({"data": "memory"} if data else {}), **({"model": "memory"} if network else {})}
    if not changes:
        return recipe
    return merge(recipe.model_dump(mode="json") if isinstance(recipe, Recipe) else read_recipe_file(recipe), changes)


@contextlib.contextmanager
def reader_of(dataset: Dataset, workers: int | None, device: torch.device) -> Iterator[Reader | None]:
    """What decodes image files, if the data are files."""
    if not isinstance(dataset.train.inputs, ImageFiles):
        yield None
        return
    reader = Reader(default_workers() if workers is None else workers, device)
    try:
        yield reader
    finally:
        reader.close()


@contextlib.contextmanager
def own_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Give layers that draw from torch's global generators (dropout) the run's own; the caller's stay as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derive(seed, "layers"))
        yield
