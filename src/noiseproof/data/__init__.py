"""Data sets in the layouts that users have on disk. Nothing here runs code from a data file."""

from __future__ import annotations

from noiseproof.data._arrays import arrays
from noiseproof.data._cifar import cifar10, cifar100
from noiseproof.data._dataset import Dataset, Part
from noiseproof.data._digits import digits
from noiseproof.data._human import cifarn
from noiseproof.data._label_list import label_list

__all__ = ["Dataset", "Part", "arrays", "cifar10", "cifar100", "cifarn", "digits", "label_list"]
