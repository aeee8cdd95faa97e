"""Recipes and the loop that runs them."""

from __future__ import annotations

from noiseproof.train._loop import Progress, train
from noiseproof.train._memory import keep_freed_memory
from noiseproof.train._prepare import Task, instance_noise, listed_noise, load_dataset, prepare, read_matrix
from noiseproof.train._recipe import (
    DataRecipe,
    Recipe,
    make_recipe,
    merge,
    packaged_recipe_text,
    packaged_recipes,
    read_recipe_file,
)
from noiseproof.train._record import Epoch, Record, RunFolder, read_record

__all__ = [
    "DataRecipe",
    "Epoch",
    "Progress",
    "Recipe",
    "Record",
    "RunFolder",
    "Task",
    "instance_noise",
    "keep_freed_memory",
    "listed_noise",
    "load_dataset",
    "make_recipe",
    "merge",
    "packaged_recipe_text",
    "packaged_recipes",
    "prepare",
    "read_matrix",
    "read_recipe_file",
    "read_record",
    "train",
]
