"""Inputs of a data set on a device, batch by batch: standardized, and augmented where they are learned from."""

from __future__ import annotations

from noiseproof.loaders._batches import Features, Images, InMemory, Inputs, in_order, make_inputs
from noiseproof.loaders._once import read_once, warn_of_unreadable
from noiseproof.loaders._reader import Reader, default_workers

__all__ = [
    "Features",
    "Images",
    "InMemory",
    "Inputs",
    "Reader",
    "default_workers",
    "in_order",
    "make_inputs",
    "read_once",
    "warn_of_unreadable",
]
