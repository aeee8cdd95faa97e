"""What a fit is asked for, and the folder that it is kept in."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import filelock
import numpy as np

from noiseproof.container import ContainerError, read_document, write_document
from noiseproof.data import standardized
from noiseproof.data.sources import write_prepared
from noiseproof.errors import FolderInUseError, NoiseproofError, RecipeError, RunError
from noiseproof.files import make_folder, write_atomically
from noiseproof.fitted import PLAN, SUMMARY, TRAINING
from noiseproof.fitting._boosting import Boosting
from noiseproof.fitting._features import drop_blocks, embedded
from noiseproof.fitting._folds import make_folds
from noiseproof.fitting._logistic import Logistic
from noiseproof.fitting._plan import FOLDS, Budget, Plan, read_plan, write_plan
from noiseproof.metrics import BALANCED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from noiseproof.data import Dataset
    from noiseproof.fitting._given import Given
    from noiseproof.fitting._progress import Teller
    from noiseproof.run import Machine

BEGUN = "begun.json"

_HALF = 32
"""Hexadecimal digits for the data, and as many for the options."""

_EMBEDDING = 0.3
"""The share of a fit that the vectors of images are taken for."""

_FEWEST_TRUSTED = 50
"""From so many on, labels that were checked say more about which candidate is better than the others do."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What a fit is asked for.

    Attributes:
        given: the data.
        folder: where the model is kept.
        budget: the text of it.
        metric: what rules the choice.
        seed: of everything that is drawn.
        network: the network; ``None`` for one that fits the data.
        weights: where it starts from, as in recipes; ``None`` for what is drawn.
        plan: the plan to repeat; ``None`` for one of its own.
        machine: where networks are trained.
        tell: who is told where it stands.
    """

    given: Given
    folder: Path
    budget: str
    metric: str
    seed: int
    network: str | None
    weights: str | None
    plan: Plan | None
    machine: Machine
    tell: Teller

    @property
    def training(self) -> Path:
        """Where the data and the runs are."""
        return self.folder / TRAINING

    @property
    def labels(self) -> NDArray[np.int64]:
        """``(N,)``, the given ones."""
        return self.given.dataset.train.labels

    @cached_property
    def dataset(self) -> Dataset:
        """What is learned from: the data as they were given, or vectors of their images."""
        given, network = self.given.dataset, self.given.features
        if network is None:
            return given
        tell = self.tell.of_images(_EMBEDDING, len(given.train))
        return embedded(given, network, self.training, self.machine.device, tell)

    @property
    def features(self) -> str:
        """See :func:`frozen_name`."""
        return frozen_name(self.given)

    @cached_property
    def boosting(self) -> Boosting:
        """What grows trees on the data."""
        return Boosting(self.dataset, self._inputs, self.seed)

    @cached_property
    def logistic(self) -> Logistic:
        """What fits logistic regression to the data."""
        return Logistic(self.dataset, self._inputs)

    @cached_property
    def _inputs(self) -> NDArray[np.float32]:
        """``(N, features)``, as networks get them; none of images."""
        dataset = self.dataset
        if dataset.is_image:
            return np.zeros((0, 0), np.float32)
        return standardized(dataset.train.inputs, np.array(dataset.mean), np.array(dataset.std))  # type: ignore[arg-type]

    @cached_property
    def id(self) -> str:
        """What the result is known by: half of it stands for the data, half for the options, but for the plan."""
        given = self.given
        data = [given.dataset.fingerprint, given.groups.tolist(), [*map(str, given.keys)]]
        frozen = None if given.features is None else given.features.sha256
        options = [self.metric, self.seed, self.network, self.weights, frozen]
        return "".join(hashlib.sha256(json.dumps(each).encode()).hexdigest()[:_HALF] for each in (data, options))

    @cached_property
    def sample_weight(self) -> NDArray[np.float64]:
        """``(N,)``, how much each sample counts."""
        weight = self.dataset.sample_weight
        return np.ones(len(self.labels)) if weight is None else weight.astype(np.float64)

    @cached_property
    def score_weight(self) -> NDArray[np.float64]:
        """``(N,)``, how much each label counts in the score."""
        dataset, weight = self.dataset, self.sample_weight
        if self.metric == BALANCED:
            totals = np.bincount(self.labels, weights=weight, minlength=dataset.num_classes)[self.labels]
            weight = np.divide(weight, totals, out=np.zeros_like(weight), where=totals > 0)
        if dataset.trusted is not None and dataset.trusted.sum() >= _FEWEST_TRUSTED:
            # Wrong labels shrink every difference, here to two thirds: that is what a label of unknown worth counts.
            weight = np.where(dataset.trusted, weight, weight * 2 / 3)
        return weight

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """``(N,)``, in which fold each sample is held out; -1 for one that always trains.

        Raises:
            RunError: nothing can be held out.
        """
        folds = make_folds(self.labels, self.given.groups, FOLDS, self.seed, self.sample_weight > 0)
        if not (folds >= 0).any():
            raise RunError(
                "nothing can be held out so that every class is on both sides: expected classes with at least two "
                "samples that differ, in at least two groups; give more samples or groups"
            )
        return folds

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes out of the folder.

        Raises:
            FolderInUseError: another one is at it.
        """
        make_folder(self.training)
        path = self.training / ".lock"
        lock = filelock.FileLock(path)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise FolderInUseError(
                f"{self.folder} is in use: another process fits into it. Wait for its end, or choose another folder"
            ) from error
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            lock.release()
            with contextlib.suppress(OSError):  # it holds something, as a rule
                self.training.rmdir()

    def is_finished(self) -> bool:
        """Whether the folder holds the result of this very fit.

        Raises:
            RunError: it holds something else.
        """
        for path in (self.folder / SUMMARY, self.training / BEGUN):
            if not path.exists():
                continue
            try:
                found = read_document(path, "fit")["id"]
            except (OSError, ContainerError, KeyError) as error:
                raise RunError(f"cannot read {path}: {error}. Remove {self.folder}, and fit again") from error
            if found != self.id:
                is_data = str(found)[:_HALF] != self.id[:_HALF]
                raise self._differs(
                    "of other data: inputs, labels, groups, weights, keys or trusted labels differ"
                    if is_data
                    else "with other options: metric, seed, network, weights to start from or features"
                )
            self._check_plan()
            return path.name == SUMMARY
        if self.folder.exists() and not (self.folder.is_dir() and not any(self.folder.iterdir())):
            raise RunError(f"{self.folder} is there already and is no model: choose another folder")
        return False

    def _check_plan(self) -> None:
        """Refuse to go on by another plan, or with another budget."""
        found = self.planned
        if found is None:
            return
        if self.plan is not None and found != self.plan:
            raise self._differs("with another plan")
        if self.plan is None and Budget.parse(found.budget) != Budget.parse(self.budget):
            raise self._differs(f"with a budget of {found.budget} in place of {self.budget}")

    def _differs(self, how: str) -> RunError:
        return RunError(f"{self.folder} holds a fit {how}: choose another folder, or remove this one")

    @property
    def planned(self) -> Plan | None:
        """The plan that the fit goes by, if it has one already."""
        path = self.folder / PLAN
        return read_plan(path) if path.exists() else None

    def keep_plan(self, plan: Plan) -> None:
        """Write down what the fit goes by from now on."""
        write_plan(self.folder / PLAN, plan)

    def begin(self) -> None:
        """Write down what is fitted, so that it can be gone on with.

        Raises:
            RecipeError: a plan that is not for these data, or has another network.
        """
        if self.plan is not None:
            check_plan(self.plan, self.given, self.network)
        begun = self.training / BEGUN
        write_atomically(begun, write_document("fit", {"id": self.id}).encode())
        try:
            folds = self.folds
            if self.plan is not None and self.plan.folds > folds.max() + 1:
                raise RecipeError(f"the plan has {self.plan.folds} folds, and these data have {folds.max() + 1}")
        except NoiseproofError:  # what cannot be fitted must not be in the way of what can
            begun.unlink()
            drop_blocks(self.training)
            raise
        write_prepared(self.training, self.dataset, folds)
        drop_blocks(self.training)
        if self.plan is not None:
            self.keep_plan(self.plan)


def frozen_name(given: Given) -> str:
    """The frozen network by its name, or by its SHA-256 where it has none; empty for none."""
    network = given.features
    return "" if network is None else network.name or network.sha256


def check_plan(plan: Plan, given: Given, network: str | None) -> None:
    """See that a plan is one for these data.

    Raises:
        RecipeError: it has another network, or other features.
    """
    if network not in (None, plan.model):
        raise RecipeError(f"the plan has the network {plan.model}, not {network}: leave one of them out")
    features = frozen_name(given)
    if plan.features != features:
        had, has = (name or "none" for name in (plan.features, features))
        raise RecipeError(f"the plan has features of the frozen network {had}, and here it is {has}")
