"""`fit` as an estimator of scikit-learn goes where estimators go."""

from __future__ import annotations

import functools
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from noiseproof.errors import RecipeError
from noiseproof.integrations.sklearn import NoiseproofClassifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

pytestmark = pytest.mark.usefixtures("unmeasured")

EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "mini-batches are drawn: weights and repeated rows are alike on "
    "average only, as test_weights_act_on_average holds"
}


EVERY_CHECK = parametrize_with_checks([NoiseproofClassifier()], expected_failed_checks=lambda _: EXPECTED)


def _in_time(parameters: Any) -> Any:
    """A check. The longest comes in three kinds, of which one is enough for every run of the tests."""
    if isinstance(parameters[1], functools.partial) and parameters[1].func.__name__ == "check_classifiers_train":
        return pytest.param(*parameters, marks=[pytest.mark.slow] if parameters[1].keywords else [])
    return parameters


@pytest.mark.parametrize(EVERY_CHECK.args[0], [_in_time(each) for each in EVERY_CHECK.args[1]], **EVERY_CHECK.kwargs)
@pytest.mark.filterwarnings("ignore")
def test_every_check_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def data() -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(90, 4))
    labels = np.where(inputs[:, 0] + 0.5 * inputs[:, 1] > 0, "yes", "no")
    wrong = random.random(90) < 0.15
    return inputs, np.where(wrong, np.where(labels == "yes", "no", "yes"), labels)


def _right(inputs: NDArray[np.float64]) -> NDArray[np.str_]:
    return np.where(inputs[:, 0] + 0.5 * inputs[:, 1] > 0, "yes", "no")


def test_pipelines_folds_and_grids(data: tuple[NDArray[np.float64], NDArray[np.str_]]) -> None:
    inputs, labels = data
    pipeline = make_pipeline(StandardScaler(), NoiseproofClassifier())
    predicted = cross_val_predict(pipeline, inputs, labels, cv=3)
    assert (predicted == _right(inputs)).mean() > 0.8
    search = GridSearchCV(clone(pipeline), {"noiseproofclassifier__metric": ["accuracy", "balanced accuracy"]}, cv=2)
    assert search.fit(inputs, labels).best_score_ > 0.6


def test_a_pickle_says_the_same(data: tuple[NDArray[np.float64], NDArray[np.str_]]) -> None:
    inputs, labels = data
    estimator = NoiseproofClassifier().fit(inputs, labels)
    copy = pickle.loads(pickle.dumps(estimator))
    assert copy.model_.folder != estimator.model_.folder
    np.testing.assert_array_equal(copy.predict_proba(inputs), estimator.predict_proba(inputs))
    np.testing.assert_array_equal(copy.classes_, ["no", "yes"])
    # Nothing in it is code: the model travels as the files of its folder.
    assert isinstance(estimator.__getstate__()["model_"], bytes)


def test_parameters_are_checked_when_it_is_fitted(data: tuple[NDArray[np.float64], NDArray[np.str_]]) -> None:
    with pytest.raises(RecipeError, match="budget 'soon'"):
        NoiseproofClassifier(budget="soon").fit(*data)


@pytest.mark.slow
def test_weights_act_on_average() -> None:
    """Over 20 seeds: rows that count three times act like rows that are there three times, unlike the bare ones."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(60, 2))
    labels = (inputs[:, 0] + random.normal(size=60) > 0).astype(int)
    heavy = labels == 1
    weight = np.where(heavy, 3.0, 1.0)
    thrice = np.concatenate([np.arange(60), np.flatnonzero(heavy), np.flatnonzero(heavy)])
    shares: dict[str, list[float]] = {"bare": [], "weighted": [], "repeated": []}
    for seed in range(20):
        estimator = NoiseproofClassifier(random_state=seed)
        for name, fitted in (
            ("bare", estimator.fit(inputs, labels)),
            ("weighted", clone(estimator).fit(inputs, labels, sample_weight=weight)),
            ("repeated", clone(estimator).fit(inputs[thrice], labels[thrice])),
        ):
            shares[name].append(fitted.predict_proba(inputs)[:, 1].mean())
    bare, weighted, repeated = (np.mean(values) for values in shares.values())
    assert weighted > bare + 0.1
    assert abs(weighted - repeated) < 0.5 * (weighted - bare)
