"""Recipes and the loop that runs them."""

from __future__ import annotations

from noiseproof.train import _extra  # noqa: F401 - the first of them
from noiseproof.train._folder import RunFolder
from noiseproof.train._identity import Identity, identify, noise_fingerprint, reads_noise
from noiseproof.train._loop import Progress, train
from noiseproof.train._memory import keep_freed_memory
from noiseproof.train._prepare import Task, load_dataset, make_noise, prepare
from noiseproof.train._recipe import Recipe, make_recipe, protocol_of
from noiseproof.train._recipe_file import (
    as_table,
    import_dotted,
    is_recipe_file,
    merge,
    names_another,
    packaged_recipe_text,
    packaged_recipes,
    plain_table,
    read_recipe_file,
)
from noiseproof.train._record import RECORD, Epoch, Record, read_record
from noiseproof.train._runs import Runs, ended_without_inputs, folder_name, name_missing_module, several_runs
from noiseproof.train._samples import SampleRecord, SampleSums, read_samples
from noiseproof.train._signals import stop_signals

__all__ = [
    "RECORD",
    "Epoch",
    "Identity",
    "Progress",
    "Recipe",
    "Record",
    "RunFolder",
    "Runs",
    "SampleRecord",
    "SampleSums",
    "Task",
    "as_table",
    "ended_without_inputs",
    "folder_name",
    "identify",
    "import_dotted",
    "is_recipe_file",
    "keep_freed_memory",
    "load_dataset",
    "make_noise",
    "make_recipe",
    "merge",
    "name_missing_module",
    "names_another",
    "noise_fingerprint",
    "packaged_recipe_text",
    "packaged_recipes",
    "plain_table",
    "prepare",
    "protocol_of",
    "read_recipe_file",
    "read_record",
    "read_samples",
    "reads_noise",
    "several_runs",
    "stop_signals",
    "train",
]
