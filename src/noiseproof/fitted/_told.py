"""What a fit has found, raced and made, in words and tables: the same for terminal and page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from noiseproof.auditing.rates import NoiseBracket
from noiseproof.formats import TextTable
from noiseproof.metrics import BALANCED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noiseproof.fitted._summary import Summary

_POOR = 0.5
"""A class of which less than this share of the mean is found is named."""

_NOISY = 0.1
"""From such a share of wrong labels on, checking some helps."""

_FEW = 100
"""Samples of a class."""

_STATUS = {
    "stayed": "stayed",
    "dropped": "dropped out",
    "beside": "grown beside it",
    "diverged": "dropped out: its numbers became infinite",
}


def candidates_table(summary: Summary) -> TextTable:
    """What raced."""
    metric = summary["metric"]
    rows = []
    for each in summary["candidates"]:
        if each["score"] is None or each["behind"] is None or each["standard_error"] is None:
            rows.append((each["name"], "–", "–", "–", _STATUS[each["status"]]))
            continue
        behind = f"{100 * each['behind']:.1f} ± {100 * each['standard_error']:.1f}" if each["behind"] else "–"
        score, epoch = f"{100 * each['score']:.1f}", f"{each['epoch']} of {each['epochs']}"
        rows.append((each["name"], score, behind, epoch, _STATUS[each["status"]]))
    held_out = summary["held_out"]["samples"]
    return TextTable(
        "What raced",
        ("candidate", f"{metric}, held-out given labels (%)", "behind the best", "best epoch", "race"),
        tuple(rows),
        (
            f"On {held_out:,} held-out labels as they were given, of which some are wrong: this orders candidates, and "
            "is no estimate of how often they are right. Epochs chosen as the best are a little too good.",
        ),
    )


def summary_sentences(summary: Summary) -> list[str]:
    """What was made, and how sure the choice is."""
    members = summary["members"]
    names = list(dict.fromkeys(member["name"] for member in members))
    best = summary["candidates"][0]["name"]
    chosen = summary["chosen"]
    if chosen == best:
        choice = f"{chosen} agrees best with the held-out labels"
    else:
        choice = f"{chosen} is as good as {best}, which agrees best with the held-out labels, and simpler"
    others = {"boosted trees": summary["trees"], "logistic regression": summary["linear"]}
    shares = [
        f"{name} ({100 * each['share']:.0f} % of what all networks count)" for name, each in others.items() if each
    ]
    beside = f", and {' and '.join(shares)}" if shares else ""
    if len(members) == 1:
        made = f"The model is a network of {names[0]}"
    else:
        made = f"The model averages {len(members)} networks of {', '.join(names)}"
    return [
        f"{choice}. {made}, trained on all data{beside}",
        *_about_unreadable(summary),
        NoiseBracket(**summary["bracket"]).sentence(),
        _about_accuracy(summary),
        *_about_chance(summary),
        *_about_classes(summary),
    ]


def clean_range(summary: Summary) -> tuple[float, float]:
    """Between what the metric on right labels lies if the noise lies in its bracket and is alike for all samples."""
    score = summary["held_out"]["score"]
    rates = (summary["bracket"]["low"], summary["bracket"]["high"])
    found = [min(1.0, score / max(1 - rate, 1e-9)) for rate in rates]
    return min(score, *found), max(found)


def _about_unreadable(summary: Summary) -> list[str]:
    count = summary["unreadable"]
    if not count:
        return []
    return [f"{count} image{'s'[: count > 1]} cannot be read: nothing is learned from {'them' if count > 1 else 'it'}"]


def _about_accuracy(summary: Summary) -> str:
    low, high = clean_range(summary)
    score = summary["held_out"]["score"]
    return (
        f"{score:.1%} of the held-out labels{_as_counted(summary)} are predicted as given. If the noise is in the "
        f"range above and alike for all samples, that is {low:.0%} to {high:.0%} of right labels; labels that are "
        "wrong in a way that the networks learn make it less"
    )


def _as_counted(summary: Summary) -> str:
    return " of a class, on average over the classes," if summary["metric"] == BALANCED else ""


def _about_chance(summary: Summary) -> list[str]:
    """Whether the model knows more than which class is the most frequent."""
    counts, held_out = summary["class_counts"], summary["held_out"]
    most = max(counts, key=lambda name: counts[name])
    share = counts[most] / sum(counts.values())
    if held_out["accuracy"] > share + (share * (1 - share) / held_out["samples"]) ** 0.5:
        return []
    return [
        f"The model agrees with held-out labels in {held_out['accuracy']:.0%}, no more than who always says {most} "
        f"({share:.0%}): it has learned next to nothing. Is this the right column of labels, and do the inputs tell it?"
    ]


def _about_classes(summary: Summary) -> list[str]:
    recall = {name: value for name, value in summary["held_out"]["recall"].items() if value is not None}
    never = [name for name, value in recall.items() if value == 0]
    mean = sum(recall.values()) / max(1, len(recall))
    poor = [name for name, value in recall.items() if 0 < value < _POOR * mean]
    told = []
    if never:
        told.append(f"Never predicted for a held-out sample: {', '.join(never)}")
    if poor:
        told.append(f"Recognized less than half as often as classes are on average: {', '.join(poor)}")
    return told


def advice(summary: Summary) -> list[str]:
    """What would help most."""
    counts = summary["class_counts"]
    small = [name for name, count in counts.items() if count < _FEW]
    bracket, held_out = summary["bracket"], summary["held_out"]
    told = []
    if summary["certain_errors"]:
        told.append(f"Look at equal inputs with different labels: {summary['certain_errors']} are wrong for sure")
    recall = {name: value for name, value in held_out["recall"].items() if value is not None}
    if small:
        told.append(f"More samples of {', '.join(small)}: fewer than {_FEW} are hard to learn from")
    if bracket["high"] > _NOISY and recall:
        # Of few classes, naming most would say nothing.
        worst = sorted(recall, key=lambda name: recall[name])[: max(1, min(3, len(recall) // 3))]
        told.append(f"Check labels of {', '.join(worst)} first: there labels and predictions differ most")
    if not told:
        told.append("Labels and predictions agree well: more data of the kinds that will be met is what would help")
    return told


def recall_rows(summary: Summary) -> list[tuple[str, str, float, str]]:
    """Of each class: its name, how many samples it has, and which share of the held-out ones is found."""
    rows = []
    for name, value in summary["held_out"]["recall"].items():
        share = 0.0 if value is None else 100 * value
        text = "none held out" if value is None else f"{share:.0f} %"
        rows.append((name, f"{summary['class_counts'][name]:,} samples", share, text))
    return rows


def page_content(summary: Summary, notes: Sequence[str]) -> dict[str, Any]:
    """What the page shows; ``notes`` are further sentences of the account."""
    return {
        "title": f"A model of {len(summary['class_counts'])} classes from {summary['samples']:,} samples",
        "summary": [*notes, *summary_sentences(summary)],
        "found": summary["found"],
        "candidates": candidates_table(summary),
        "recall": recall_rows(summary),
        "about_recall": "Which share of the held-out samples of each given label is predicted as that label.",
        "advice": advice(summary),
    }
