"""Train classifiers on wrong labels.

:func:`fit` makes a good model of labels that are partly wrong, :func:`load` reads what it has saved, and
:func:`audit` says which labels are suspicious. The
sub-packages are imported on first use, so that ``import noiseproof`` is instant:

* :mod:`noiseproof.fitting` – from such data to a model: what :func:`fit` does
* :mod:`noiseproof.fitted` – such a model
* :mod:`noiseproof.auditing` – what predictions say of the labels
* :mod:`noiseproof.correcting` – corrections of labels put into the data
* :mod:`noiseproof.losses` – noise-robust losses as an algebra of definitions and operators (torch)
* :mod:`noiseproof.noise` – label-noise generators and their manifests (NumPy only)
* :mod:`noiseproof.data` – data sets in the layouts that users have on disk
* :mod:`noiseproof.embeddings` – networks that learn nothing and turn images into vectors
* :mod:`noiseproof.models` – the networks of the published protocols
* :mod:`noiseproof.literature` – published methods as data: loss, parameters, regularization, source
* :mod:`noiseproof.methods` – what takes a training step: a loss, or more
* :mod:`noiseproof.train` – recipes and the training loop
* :mod:`noiseproof.prediction` – what was trained, as something that gives predictions
* :mod:`noiseproof.run` – what runs next, and where it is computed: here, in processes, on a cluster
* :mod:`noiseproof.results` – tables of finished runs, and published figures beside them
* :mod:`noiseproof.bench` – grids of recipes, and the runs that they need
* :mod:`noiseproof.report` – plots and pages from finished runs
* :mod:`noiseproof.testing` – checks for losses and methods of one's own
* :mod:`noiseproof.theory` – which losses are proved to tolerate a noise, and with what parameters
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noiseproof import (
        auditing,
        bench,
        correcting,
        data,
        embeddings,
        fitted,
        fitting,
        literature,
        losses,
        methods,
        models,
        noise,
        prediction,
        report,
        results,
        run,
        testing,
        theory,
        train,
    )
    from noiseproof.auditing import audit
    from noiseproof.fitted import load
    from noiseproof.fitting import fit
    from noiseproof.losses import make_loss

__version__ = version("noiseproof")
__all__ = [
    "__version__",
    "audit",
    "auditing",
    "bench",
    "correcting",
    "data",
    "embeddings",
    "fit",
    "fitted",
    "fitting",
    "literature",
    "load",
    "losses",
    "make_loss",
    "methods",
    "models",
    "noise",
    "prediction",
    "report",
    "results",
    "run",
    "testing",
    "theory",
    "train",
]


_FUNCTIONS = {"audit": "auditing", "fit": "fitting", "load": "fitted", "make_loss": "losses"}


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"noiseproof.{_FUNCTIONS[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"noiseproof.{name}")
    raise AttributeError(f"module 'noiseproof' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
