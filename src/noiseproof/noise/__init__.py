"""Label noise that can be checked: generators, transition matrices and manifests. NumPy only.

>>> import numpy as np
>>> noisy = symmetric(np.arange(1000) % 10, 0.4, num_classes=10, seed=1)
>>> print(noisy)
symmetric noise (exact, seed 1): requested 40.00%, realized 40.00% (400 of 1000 labels are wrong)
"""

from __future__ import annotations

from noiseproof.noise._arrays import check_labels
from noiseproof.noise._files import read_matrix
from noiseproof.noise._generate import Mode, asymmetric, from_matrix, symmetric
from noiseproof.noise._instance import InstanceVariant, instance_dependent
from noiseproof.noise._labels import NoisyLabels, load
from noiseproof.noise._mappings import MAPPED, class_of_mapping, parse_mapping, published_mapping
from noiseproof.noise._matrices import asymmetric_matrix, check_rate, dominated, symmetric_matrix
from noiseproof.noise._transition import MOST_DENSE, TransitionMatrix, check_classes

__all__ = [
    "MAPPED",
    "MOST_DENSE",
    "InstanceVariant",
    "Mode",
    "NoisyLabels",
    "TransitionMatrix",
    "asymmetric",
    "asymmetric_matrix",
    "check_classes",
    "check_labels",
    "check_rate",
    "class_of_mapping",
    "dominated",
    "from_matrix",
    "instance_dependent",
    "load",
    "parse_mapping",
    "published_mapping",
    "read_matrix",
    "symmetric",
    "symmetric_matrix",
]
