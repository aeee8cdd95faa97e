"""Inputs of a data set on a device, batch by batch: standardized, and augmented where they are learned from."""

from __future__ import annotations

from noiseproof.loaders._batches import Features, Images, InMemory, Inputs, in_order, make_inputs
from noiseproof.loaders._reader import ArrayReader, Reader, default_workers

__all__ = [
    "ArrayReader",
    "Features",
    "Images",
    "InMemory",
    "Inputs",
    "Reader",
    "default_workers",
    "in_order",
    "make_inputs",
]
