"""How well scores find wrong labels: what `benchmarks/audit.py` measures of ours and of cleanlab's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.metrics import average_precision_score, roc_auc_score

from noiseproof import audit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLEANLABS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


def measured(wrong: NDArray[np.bool_], score: NDArray[Any]) -> dict[str, float]:
    """AP and AUROC of a score ``(N,)`` that is high for wrong labels."""
    return {"ap": float(average_precision_score(wrong, score)), "auroc": float(roc_auc_score(wrong, score))}


def rival_scores(
    p: NDArray[Any], labels: NDArray[np.int64], wrong: NDArray[np.bool_], seconds: float
) -> dict[str, Any]:
    """What cleanlab's three scores of probabilities ``(N, classes)`` find, and what our log-margin of them does."""
    from cleanlab.rank import get_label_quality_scores  # type: ignore[import-untyped]

    scores = {name: measured(wrong, 1 - get_label_quality_scores(labels, p, method=name)) for name in CLEANLABS}
    ours = audit(labels, probabilities=p, classes=range(p.shape[1])).table["score"]
    return {"scores": scores, "log-margin": measured(wrong, ours), "seconds": seconds}


def best_of_three(rival: dict[str, Any], measure: str) -> float:
    """Of cleanlab's scores."""
    return max(float(each[measure]) for each in rival["scores"].values())
