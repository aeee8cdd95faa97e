"""What ``fit`` returns: a classifier, and how it came to be."""

from __future__ import annotations

import shutil
import uuid
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiseproof.errors import RunError
from noiseproof.extras import need
from noiseproof.files import make_folder, write_text
from noiseproof.fitted._score import score_file
from noiseproof.fitted._summary import read_summary
from noiseproof.fitted._told import candidates_table, page_content, summary_sentences
from noiseproof.formats import csv_text
from noiseproof.prediction import PREDICTOR, Predictor
from noiseproof.prediction import load as load_predictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import nn

    from noiseproof.auditing import Audit
    from noiseproof.fitted._summary import CandidateSummary
    from noiseproof.formats import TextTable

SUMMARY, PLAN, TRAINING = "fit.json", "plan.json", "training"


class Model:
    """A classifier that was made of labels of which some are wrong.

    :func:`noiseproof.fit` makes it, and :func:`noiseproof.load` reads what :meth:`save` wrote.

    Attributes:
        folder: where it is kept; until :meth:`save` is called that may be a folder that goes with the object.
        predictor: what gives the predictions.
        summary: how it came to be, in plain values.
        data: what it was fitted on, where that was in memory; ``None`` for a model from a folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "auto",
        features: Any = None,
        data: Any = None,
        is_temporary: bool = False,
    ) -> None:
        self.folder, self.data = folder, data
        self.predictor: Predictor = load_predictor(folder, device=device, features=features)
        self.summary = read_summary(folder / SUMMARY, self.predictor.class_names)
        if is_temporary:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    @property
    def classes(self) -> NDArray[Any]:
        """``(classes,)``, in the order of the probabilities: numbers where all names are such, text otherwise."""
        return self.predictor.classes

    @property
    def candidates(self) -> list[CandidateSummary]:
        """What raced, the best first: name, loss, epochs, the chosen epoch, score, and how far behind the best."""
        return self.summary["candidates"]

    def predict(self, inputs: Any) -> NDArray[Any]:
        """The likeliest class of each input, ``(N,)``; see :meth:`noiseproof.prediction.Predictor.predict`."""
        return self.predictor.predict(inputs)

    def predict_proba(self, inputs: Any) -> NDArray[Any]:
        """The probability of each class, ``(N, classes)``; see :class:`noiseproof.prediction.Predictor`."""
        return self.predictor.predict_proba(inputs)

    def table(self) -> TextTable:
        """What raced, as a table to show."""
        return candidates_table(self.summary)

    def sentences(self) -> list[str]:
        """What was made and how sure that is, in words."""
        return summary_sentences(self.summary)

    def score_file(self, path: str | Path, *, label: str | None = None) -> tuple[float, int]:
        """The metric on the labels of a file or folder that chose nothing, and how many there are.

        Args:
            path: a table, arrays (``.npz``) or a folder of images with a folder for each class.
            label: the column of a table that holds the labels. Rows without one do not count.

        Raises:
            DataError: there are no labels, or some of classes that the model does not know.
        """
        return score_file(self.predictor, path, label, self.summary["metric"])

    def audit(self, *, score: str = "log-margin", adjust: bool = False) -> Audit:
        """Say which of the labels that the model was fitted on are suspicious.

        Args:
            score: see :func:`noiseproof.audit`.
            adjust: likewise.

        Raises:
            RunError: the model was saved without what this needs.
            SpecError: a score that there is not.
        """
        from noiseproof.fitted._audit import audit_model  # which brings what predictions do without

        return audit_model(self.folder, self.data, score=score, adjust=adjust)

    def report(self, folder: str | Path, *, notes: Sequence[str] = ()) -> list[str]:
        """Write a page that tells what was found, what raced and what came out.

        Args:
            folder: where; ``index.html`` and ``candidates.csv`` are written into it.
            notes: sentences that stand first, such as the accuracy on labels that chose nothing.

        Returns:
            The names of the files.

        Raises:
            RunError: the folder cannot be written.
            MissingPackageError: the page needs ``noiseproof[report]``.
        """
        need("a report needs", "jinja2")
        from noiseproof.report import render_page  # which brings a lot that predictions do without

        folder = Path(folder)
        make_folder(folder)
        write_text(folder / "index.html", render_page("fit.html.j2", **page_content(self.summary, notes)))
        rows = [[*self.candidates[0]], *([*each.values()] for each in self.candidates)]
        write_text(folder / "candidates.csv", csv_text(rows))
        return ["index.html", "candidates.csv"]

    def save(self, path: str | Path, *, training: bool = True) -> Path:
        """Write the model into a new folder.

        Args:
            path: the folder, such as ``wines.model``.
            training: whether what an audit needs goes with it; predictions do without.

        Raises:
            RunError: there is something already, or it cannot be written.
        """
        path = Path(path)
        if path.exists():
            raise RunError(f"{path} is there already: choose another name, or remove it")
        ignore = None if training else shutil.ignore_patterns(TRAINING)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # In two steps, so that a copy that breaks off does not look like a model.
            partial = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
            shutil.copytree(self.folder, partial, ignore=ignore)
            partial.rename(path)
        except OSError as error:
            raise RunError(f"cannot write {path}: {error}") from error
        return path

    def __repr__(self) -> str:
        chosen = self.summary["chosen"]
        count = len(self.summary["members"])
        return f"<Model of {len(self.classes)} classes: {chosen}, {count} network{'s'[: count > 1]}>"


def load(
    folder: str | Path,
    *,
    epoch: str | None = None,
    device: str = "auto",
    network: nn.Module | Sequence[nn.Module] | None = None,
    features: Any = None,
) -> Model | Predictor:
    """The classifier in a folder: a :class:`Model` that ``fit`` made, or what a run has trained.

    Args:
        folder: of a model, or of a run.
        epoch: of a run: see :func:`noiseproof.prediction.load`.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        network: of a run: see :func:`noiseproof.prediction.load`.
        features: the frozen network that makes the features of images, where it has no name.

    Raises:
        RunError: there is none, its files were changed, or it has no such epoch or network.
    """
    folder = Path(folder)
    if epoch is None and network is None and (folder / SUMMARY).exists() and (folder / PREDICTOR).exists():
        return Model(folder, device=device, features=features)
    return load_predictor(
        folder,
        epoch=epoch,  # type: ignore[arg-type]
        device=device,
        network=network,
        features=features,
    )
