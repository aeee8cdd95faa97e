"""The race: candidates are trained longer and longer, and those that the held-out labels speak against drop out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noiseproof.errors import RunError
from noiseproof.run import run_recipes
from noiseproof.train import make_recipe, read_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from noiseproof.fitting._candidates import Candidate
    from noiseproof.fitting._plan import Plan
    from noiseproof.run import GridProgress, Machine
    from noiseproof.train import Recipe, Record

_SMOOTHED = 3
"""The accuracy of an epoch is the mean over so many around it: single ones go up and down by chance."""


@dataclass(frozen=True, eq=False)
class Standing:
    """Where a candidate stands.

    Attributes:
        candidate: which one.
        epochs: how long it was trained.
        epoch: the epoch with the best score, counted from 1.
        score: the share of held-out labels that it agrees with then, by the metric.
        hits: ``(N,)``, whether it agrees with each; the mean over three epochs.
        sums: ``(N, classes)``, the probabilities that it gave to the held-out samples: the mean over all epochs, or of
            trees those at their best.
        seconds: what training it took.
        folders: of its runs, by fold; none of trees.
    """

    candidate: Candidate
    epochs: int
    epoch: int
    score: float
    hits: NDArray[np.float64]
    sums: NDArray[np.float64]
    seconds: float = 0.0
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True, eq=False)
class Race:
    """The candidates' runs on the held-out folds.

    Args:
        data: the folder of the prepared data.
        runs: the folder of the runs.
        plan: what is run.
        seed: of the networks.
        labels: ``(N,)``, the given ones.
        folds: ``(N,)``, in which fold each sample is held out; -1 for one that always trains.
        weight: ``(N,)``, how much each label counts in the score.
        machine: where runs are computed.
        weights: where networks start from; ``None`` for what is drawn.
    """

    data: Path
    runs: Path
    plan: Plan
    seed: int
    labels: NDArray[np.int64]
    folds: NDArray[np.int64]
    weight: NDArray[np.float64]
    machine: Machine
    weights: str | None = None

    @property
    def parts(self) -> list[NDArray[np.int64]]:
        """The places of the held-out samples of each fold."""
        return [np.flatnonzero(self.folds == fold) for fold in range(self.plan.folds)]

    @property
    def index(self) -> NDArray[np.int64]:
        """The places of all held-out samples, fold by fold."""
        return np.concatenate(self.parts)

    def run(
        self, candidates: Sequence[Candidate], epochs: int, watch: Callable[[GridProgress], None]
    ) -> tuple[list[Standing], list[Candidate]]:
        """Train candidates up to a number of epochs; ``watch`` is called as runs go on.

        Returns:
            Where those stand that learned, and the others, whose numbers became infinite.

        Raises:
            RunError: as :func:`noiseproof.train.train`, or no candidate learned.
        """
        recipes = {
            candidate.name: [self.recipe(candidate, epochs, fold) for fold in range(self.plan.folds)]
            for candidate in candidates
        }
        records = self.train([recipe for each in recipes.values() for recipe in each], watch)
        standings: list[Standing] = []
        diverged: list[Candidate] = []
        for candidate in candidates:
            found = [records[recipe.id] for recipe in recipes[candidate.name]]
            if all(record.status == "finished" for record in found):
                standings.append(self._standing(candidate, found))
            else:
                diverged.append(candidate)
        if not standings:
            raise RunError(
                f"no candidate learned: the numbers of {', '.join(one.name for one in diverged)} became infinite. Look "
                f"for very large values in the data, or give another network than {self.plan.model}"
            )
        return standings, diverged

    def train(self, recipes: Sequence[Recipe], watch: Callable[[GridProgress], None]) -> dict[str, Record]:
        """Run recipes on the prepared data; the records by the recipes' ids."""
        return run_recipes(recipes, self.runs, replace(self.machine, data_dir=self.data.absolute()), watch=watch)

    def recipe(
        self, candidate: Candidate, epochs: int, fold: int | None, seed: int = 0, *, features: bool = False
    ) -> Recipe:
        """The recipe of a candidate's run, on all data where no fold is held out.

        With ``features`` it keeps what the network makes of each sample before its classifier.
        """
        return make_recipe(
            {
                "data": {"name": "prepared", **({} if fold is None else {"fold": fold})},
                "model": self.plan.model,
                "method": {"name": candidate.name, "loss": candidate.loss},
                "epochs": epochs,
                "batch_size": self.plan.batch_size,
                "optimizer": "adamw",
                "lr": self.plan.lr,
                "schedule": "constant",
                "clip_norm": 5.0,
                "augment": list(self.plan.augment),
                "samples": "features" if features else "scores",
                **({} if self.weights is None else {"weights": self.weights}),
                "seed": self.seed + seed,
            }
        )

    def _standing(self, candidate: Candidate, records: Sequence[Record]) -> Standing:
        folders = [Path(str(record.folder)) for record in records]
        found = [read_samples(folder)["validation"] for folder in folders]
        best, score, hits = self._best(np.concatenate([part.predictions for part in found], 1))
        sums = np.concatenate([part.sums.probabilities / part.epochs for part in found]).astype(np.float64)
        seconds = sum(record.seconds or 0.0 for record in records)
        return Standing(candidate, found[0].epochs, best + 1, score, hits, sums, seconds, tuple(folders))

    def standing_of(self, candidate: Candidate, stages: NDArray[np.float32]) -> Standing:
        """Where a candidate stands by its ``(stages, N, classes)`` probabilities for the held-out samples."""
        best, score, hits = self._best(stages.argmax(2))
        return Standing(candidate, len(stages), best + 1, score, hits, stages[best].astype(np.float64))

    def _best(self, predictions: NDArray[np.integer[Any]]) -> tuple[int, float, NDArray[np.float64]]:
        """The best of the epochs, its score, and which labels it agrees with, smoothed."""
        smooth = _smoothed(predictions == self.labels[self.index])
        scores = smooth @ self._shares
        best = int(scores.argmax())
        return best, float(scores[best]), smooth[best]

    def score(self, probabilities: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The score of probabilities for the held-out samples, and which labels they agree with."""
        hits = (probabilities.argmax(1) == self.labels[self.index]).astype(np.float64)
        return float(self._shares @ hits), hits

    @property
    def _shares(self) -> NDArray[np.float64]:
        weight = self.weight[self.index]
        shares: NDArray[np.float64] = weight / weight.sum()
        return shares

    def lead(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float]:
        """By how much hits are above others, and the standard error of that over the held-out samples."""
        shares, difference = self._shares, first - second
        mean = float(shares @ difference)
        return mean, float(np.sqrt(((shares * (difference - mean)) ** 2).sum()))

    def order(self, standings: Sequence[Standing]) -> list[Standing]:
        """Standings from the best score down; with equal ones the one that comes first in the race."""
        return sorted(standings, key=lambda standing: -standing.score)

    def choose(self, standings: Sequence[Standing]) -> Standing:
        """The first candidate of the race that the best one is not more than a standard error above."""
        best = self.order(standings)[0]
        for standing in standings:
            ahead, error = self.lead(best.hits, standing.hits)
            if ahead <= error:
                return standing
        return best

    def survivors(self, standings: Sequence[Standing], count: int) -> list[Candidate]:
        """The candidates that go on: so many of the best, in the order of the race."""
        kept = {standing.candidate.name for standing in self.order(standings)[:count]}
        return [standing.candidate for standing in standings if standing.candidate.name in kept]


def _smoothed(hits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``(epochs, N)``: means over three epochs, fewer at the ends."""
    width = _SMOOTHED // 2
    sums = np.cumsum(np.concatenate([np.zeros((1, hits.shape[1])), hits]), 0)
    places = np.arange(len(hits))
    low, high = np.maximum(places - width, 0), np.minimum(places + width + 1, len(hits))
    means: NDArray[np.float64] = (sums[high] - sums[low]) / (high - low)[:, None]
    return means
