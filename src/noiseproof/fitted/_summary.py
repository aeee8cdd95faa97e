"""How a model came to be, as plain values: what ``fit.json`` holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from noiseproof.container import ContainerError, read_document
from noiseproof.errors import RunError

if TYPE_CHECKING:
    from pathlib import Path


class CandidateSummary(TypedDict):
    """A candidate: its loss, how long it was trained, its best epoch and score, and how far behind the best it is.

    ``status`` is "stayed", "dropped" (out of the race), "beside" (trees) or "diverged", of which nothing is known.
    """

    name: str
    loss: str
    epochs: int | None
    epoch: int | None
    score: float | None
    behind: float | None
    standard_error: float | None
    status: Literal["stayed", "dropped", "beside", "diverged"]


class MemberSummary(TypedDict):
    """A network of the model."""

    name: str
    epoch: int
    seed: int


class TreesSummary(TypedDict):
    """The trees of the model: how many iterations, and how much they count beside all networks together."""

    iterations: int
    share: float


class LinearSummary(TypedDict):
    """The logistic regression of the model: how much it counts beside all networks together."""

    share: float


class BracketSummary(TypedDict):
    """Between what the share of wrong labels may lie."""

    low: float
    high: float


class HeldOutSummary(TypedDict):
    """What the model says of held-out samples: agreement with the given labels, by the metric and for each class."""

    samples: int
    accuracy: float
    score: float
    recall: dict[str, float | None]


class Summary(TypedDict):
    """How a model came to be."""

    id: str
    metric: str
    seed: int
    samples: int
    found: list[str]
    certain_errors: int
    unreadable: int
    class_counts: dict[str, int]
    bracket: BracketSummary
    candidates: Annotated[list[CandidateSummary], Field(min_length=1)]
    chosen: str
    members: Annotated[list[MemberSummary], Field(min_length=1)]
    trees: TreesSummary | None
    linear: LinearSummary | None
    temperature: float
    held_out: HeldOutSummary


_SUMMARIES = TypeAdapter(Summary)


def read_summary(path: Path, class_names: tuple[str, ...]) -> Summary:
    """What a ``fit.json`` says of a model of these classes.

    Raises:
        RunError: there is none, or it was changed.
    """
    try:
        summary = _SUMMARIES.validate_python(read_document(path, "fit"), strict=True)
        if not set(class_names) == summary["class_counts"].keys() == summary["held_out"]["recall"].keys():
            raise ContainerError("its classes are not those of the model")
    except (OSError, ContainerError, ValidationError) as error:
        raise RunError(f"cannot read {path}: {error}. Restore the file, or fit again.") from error
    return summary
