"""Inputs of a data set on a device, batch by batch: standardised, and augmented where they are learnt from."""

from __future__ import annotations

from noiseproof.loaders._batches import Features, Images, InMemory, Inputs, in_order, make_inputs

__all__ = ["Features", "Images", "InMemory", "Inputs", "in_order", "make_inputs"]
