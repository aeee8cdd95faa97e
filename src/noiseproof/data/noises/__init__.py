"""Label noise as recipes name it: one module per kind, with its settings beside the labels that it makes."""

from __future__ import annotations

from noiseproof.data import _extra  # noqa: F401 - the first of them
from noiseproof.data.noises._base import NOISES, NoiseKind, read_noise
from noiseproof.data.noises.asymmetric import AsymmetricNoise
from noiseproof.data.noises.given import FileNoise, HumanNoise
from noiseproof.data.noises.instance import InstanceNoise, instance_noise
from noiseproof.data.noises.listed import LabelsNoise, listed_noise
from noiseproof.data.noises.matrix import MatrixNoise
from noiseproof.data.noises.none import NoNoise
from noiseproof.data.noises.symmetric import SymmetricNoise

__all__ = [
    "NOISES",
    "AsymmetricNoise",
    "FileNoise",
    "HumanNoise",
    "InstanceNoise",
    "LabelsNoise",
    "MatrixNoise",
    "NoNoise",
    "NoiseKind",
    "SymmetricNoise",
    "instance_noise",
    "listed_noise",
    "read_noise",
]
