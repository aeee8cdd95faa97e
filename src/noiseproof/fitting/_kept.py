"""What a fit keeps of the samples beside its runs: what an audit of their labels needs."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save

from noiseproof.container import write_document
from noiseproof.data import Unlabeled
from noiseproof.errors import DataWarning
from noiseproof.files import write_atomically
from noiseproof.fitted.audits import ARRAYS, SAMPLES
from noiseproof.prediction import load

if TYPE_CHECKING:
    from noiseproof.fitting._asked import Asked


def write_samples(asked: Asked) -> None:
    """Write down what samples are called, where they are, and what the model says of them.

    ================== ============================================================================================
    ``samples.json``   ``keys``: what each is called, ``null`` for the numbers of rows; ``source``: the path of the
                       data and its SHA-256, ``null`` for data in memory; ``label``: the column of the labels, ``null``
                       where they were no column; ``arrays_sha256``
    ``.safetensors``   ``hashes`` ``(N, 16)``, of each row as it was given; ``twins`` ``(N,)``, equal numbers for equal
                       inputs; ``groups`` ``(N,)``, equal numbers for samples that stay together; ``probabilities``
                       ``(N, classes)``, of the model, which has learned from all of them
    ================== ============================================================================================
    """
    given = asked.given
    predictor = load(asked.folder, device=asked.machine.device, features=given.features)
    inputs: Any = asked.dataset.train.inputs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # training told of the images that cannot be read
        probabilities = predictor.probabilities(Unlabeled(inputs, range(len(inputs)), {}))
    content = save(
        {
            "hashes": given.hashes,
            "twins": given.twins,
            "groups": given.groups,
            "probabilities": probabilities.astype(np.float32),
        }
    )
    described = {
        "keys": None if isinstance(given.keys, range) else [*given.keys],
        "source": None if given.source is None else asdict(given.source),
        "label": given.label,
        "arrays_sha256": hashlib.sha256(content).hexdigest(),
    }
    write_atomically(asked.training / ARRAYS, content)
    write_atomically(asked.training / SAMPLES, write_document("samples", described).encode())
