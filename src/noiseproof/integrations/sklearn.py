"""``fit`` as an estimator of scikit-learn."""

from __future__ import annotations

import io
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from noiseproof.errors import DataWarning
from noiseproof.fitted import Model
from noiseproof.fitting import fit
from noiseproof.prediction import Predictor, load

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self


class NoiseproofClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that is made of labels of which some are wrong; see :func:`noiseproof.fit`.

    Args:
        budget: the most that a fit may take, such as ``"10m"`` or ``"2000 updates"``.
        metric: ``"accuracy"`` or ``"balanced accuracy"``.
        model: the network, as in recipes; by default one that fits the data.
        jobs: how many networks are trained at once; by default as many as there are cores, where that is worth it.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        random_state: an integer, of everything that is drawn.

    Attributes:
        classes_: ``(classes,)``, the labels that occurred.
        model_: the :class:`noiseproof.fitted.Model`.
        n_features_in_: the number of features.
        feature_names_in_: their names, where ``X`` has some.
    """

    def __init__(
        self,
        budget: str = "10m",
        *,
        metric: str = "accuracy",
        model: str | None = None,
        jobs: int | None = None,
        device: str = "auto",
        random_state: int = 1,
    ) -> None:
        self.budget = budget
        self.metric = metric
        self.model = model
        self.jobs = jobs
        self.device = device
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = False
        return tags

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        trusted: ArrayLike | None = None,
    ) -> Self:
        """Make a model of ``X`` ``(N, features)``, numbers with gaps, and ``y`` ``(N,)``, the given labels.

        Args:
            X: the features.
            y: the labels.
            sample_weight: ``(N,)``, how much each sample counts.
            groups: ``(N,)``, what belongs together.
            trusted: ``(N,)``, which labels are known to be right.

        Raises:
            ValueError: what cannot be learned from.
        """
        features, labels = validate_data(
            self, X, y, dtype="numeric", ensure_all_finite="allow-nan", ensure_min_samples=2
        )
        check_classification_targets(labels)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, features)
        self.classes_, encoded = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Classifier can't train when only one class is present: {self.classes_[0]!r}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            self.model_ = fit(
                features,
                encoded,
                budget=self.budget,
                metric=self.metric,
                groups=groups,
                trusted=trusted,
                sample_weight=weight,
                seed=int(self.random_state),
                network=self.model,
                jobs=self.jobs,
                device=self.device,
            )
        self.model_.predictor = _exact(self.model_.folder, self.device)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """``(N, classes)``, the probability of each of :attr:`classes_`."""
        check_is_fitted(self)
        features = validate_data(self, X, dtype="numeric", ensure_all_finite="allow-nan", reset=False)
        found: NDArray[np.float64] = self.model_.predict_proba(features).astype(np.float64)
        return found / found.sum(1, keepdims=True)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """``(N,)``, the likeliest of :attr:`classes_`."""
        best = self.predict_proba(X).argmax(1)
        found: NDArray[Any] = self.classes_[best]
        return found

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = _packed(state["model_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "model_" in state:
            state = {**state, "model_": _unpacked(state["model_"], state["device"])}
        super().__setstate__(state)


def _packed(model: Model) -> bytes:
    """The files that predictions need, as one."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(model.folder.iterdir()):
            if path.is_file():
                # With a date of their own, equal models would not have equal bytes.
                archive.writestr(zipfile.ZipInfo(path.name), path.read_bytes())
    return file.getvalue()


def _unpacked(content: bytes, device: str) -> Model:
    folder = Path(tempfile.mkdtemp(prefix="noiseproof-"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            (folder / Path(name).name).write_bytes(archive.read(name))
    model = Model(folder, device=device, is_temporary=True)
    model.predictor = _exact(folder, device)
    return model


def _exact(folder: Path, device: str) -> Predictor:
    """The model's predictor in float64: what it says of a row does not depend on which rows are beside it."""
    return load(folder, device=device, precision="64-true")
