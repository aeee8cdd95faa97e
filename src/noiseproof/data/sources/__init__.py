"""Where data sets come from: one module per source, with its settings beside what it reads."""

from __future__ import annotations

from noiseproof.data import _extra  # noqa: F401 - the first of them
from noiseproof.data.sources._base import SOURCES, DataSource, read_source
from noiseproof.data.sources._images import ImageSource
from noiseproof.data.sources.arrays import Arrays
from noiseproof.data.sources.cifar import CIFAR10, CIFAR100
from noiseproof.data.sources.digits import Digits
from noiseproof.data.sources.folder import Folder
from noiseproof.data.sources.lists import Lists
from noiseproof.data.sources.memory import Memory
from noiseproof.data.sources.prepared import Prepared, read_prepared, write_prepared
from noiseproof.data.sources.web import Clothing1M, WebVision

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "SOURCES",
    "Arrays",
    "Clothing1M",
    "DataSource",
    "Digits",
    "Folder",
    "ImageSource",
    "Lists",
    "Memory",
    "Prepared",
    "WebVision",
    "read_prepared",
    "read_source",
    "write_prepared",
]
