"""What races: losses that theory has a reason for, the simpler ones first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from noiseproof.formats import TextTable
from noiseproof.losses import make_loss
from noiseproof.theory import amse_threshold_asymmetric, amse_threshold_symmetric

if TYPE_CHECKING:
    from noiseproof.auditing import NoiseBracket

_LARGEST_A = 30.0
"""What the JAL paper takes for everything; beyond it the loss hardly differs from MAE."""

_FEW = 400
"""With fewer samples only some candidates can be told apart."""

_SMALL = 1000
"""With fewer samples, but enough for all candidates, three folds are held out, one after another: a single one would
say little."""


@dataclass(frozen=True)
class Candidate:
    """A loss that races.

    Attributes:
        name: in tables.
        loss: its canonical text.
        why: why it is there, in a few words.
    """

    name: str
    loss: str
    why: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", make_loss(self.loss).spec)


FIXED = (
    Candidate("CE", "ce", "the plain loss: best where labels are right"),
    Candidate("CE, smoothed", "ce(label_smoothing=0.1)", "trusts each label a little less"),
    Candidate("GCE (0.5)", "gce(q=0.5)", "between CE and MAE, nearer to CE"),
    Candidate("GCE (0.7)", "gce(q=0.7)", "between CE and MAE"),
    Candidate("NCE+RCE", "nce+rce", "symmetric: tolerates noise that is alike for all classes"),
    Candidate("ANL-CE", "anl-ce", "symmetric, with a part that unlearns"),
)
"""What races whatever the noise may be."""

NEEDED = (FIXED[0], FIXED[3], FIXED[4])
"""What races where there are few labels."""

TREES = Candidate("Boosted trees", "ce", "gradient boosting on tables, part of the average where that helps")
"""What is grown beside the race."""


LINEAR = Candidate("Logistic regression", "ce", "few samples teach a network too little: part of the average")
"""What is fitted beside the race, on small tables."""


def jal_candidates(bracket: NoiseBracket, num_classes: int) -> tuple[Candidate, ...]:
    """JAL with the least ``a`` that theory asks for at both ends of the noise bracket.

    Its condition is that of symmetric noise of this rate, and of pair flips where that asks for more and still allows
    some ``a``.
    """
    found = dict.fromkeys(round(_needed(rate, num_classes), 1) for rate in (bracket.low, bracket.high))
    return tuple(Candidate(f"JAL-CE (a={a:g})", f"jal-ce(a={a:g})", "asymmetric at the noise found") for a in found)


def _needed(rate: float, num_classes: int) -> float:
    symmetric = amse_threshold_symmetric(min(rate, (1 - 1 / num_classes) * 0.999), num_classes)
    pair = amse_threshold_asymmetric(rate) if rate < 0.5 else 1.0
    return min(max(symmetric, pair), _LARGEST_A)


def candidates_table(samples: int, *, is_table: bool) -> TextTable:
    """What will race on so many samples, and what is grown beside it."""
    few = is_short(samples)
    listed = [(candidate.name, candidate.loss, candidate.why) for candidate in (NEEDED if few else FIXED)]
    if not few:
        listed.append(("JAL-CE (a=…)", "jal-ce(a=…)", "asymmetric at the noise found: a from both ends of its bracket"))
    if is_table:
        listed.append((TREES.name, "log loss", TREES.why))
    if is_table and is_small(samples):
        listed.append((LINEAR.name, "log loss", LINEAR.why))
    return TextTable("What will race", ("candidate", "loss", "why"), tuple(listed))


def is_short(samples: int) -> bool:
    """Whether only the candidates race that are needed most, since so few labels tell no more apart."""
    return samples < _FEW


def is_small(samples: int) -> bool:
    """Whether there are so few samples that several folds are held out, and logistic regression helps."""
    return samples < _SMALL
