"""Audits for other tools, and from them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from noiseproof.auditing import Audit, audit
from noiseproof.auditing.exports import audit_csv, from_cleanlab, label_studio_tasks, to_cleanlab
from noiseproof.errors import DataError, LabelError

NAMES = ["=cat", "dog", "fox"]


def sample(count: int = 40) -> tuple[np.ndarray, np.ndarray, Audit]:
    """Labels as numbers, probabilities that mostly agree, and the audit of the labels by name."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, count)
    logits = random.normal(size=(count, 3))
    logits[np.arange(count), labels] += 1.5
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return labels, p, audit([NAMES[label] for label in labels], probabilities=p, classes=NAMES)


def test_the_table_is_plain_csv() -> None:
    _, _, made = sample()
    head, *rows = csv.reader(io.StringIO(audit_csv(made)))
    assert head == list(made.table)
    assert len(rows) == 40
    assert [row[head.index("given")].removeprefix("'") for row in rows] == made.table["given"].tolist()
    assert [float(row[head.index("score")]) for row in rows] == pytest.approx(made.table["score"].tolist(), rel=1e-6)
    two = audit([0, 1], probabilities=np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert [row[3] for row in csv.reader(io.StringIO(audit_csv(two)))] == ["second", "", ""]


def test_tasks_are_as_label_studio_reads_them() -> None:
    _, _, made = sample()
    tasks = label_studio_tasks(made, images=[f"/data/{row}.png" for row in range(40)], values={"x": np.arange(40) / 2})
    tasks = json.loads(json.dumps(tasks, allow_nan=False))
    assert [task["data"]["key"] for task in tasks] == np.argsort(made.table["rank"]).tolist()
    row = tasks[0]["data"]["key"]
    assert tasks[0]["data"] == {
        "key": row,
        "given": made.table["given"][row],
        "image": f"/data/{row}.png",
        "x": row / 2,
    }
    (prediction,) = tasks[0]["predictions"]
    assert prediction["score"] == pytest.approx(made.table["p_suggested"][row])
    assert prediction["result"] == [
        {
            "from_name": "label",
            "to_name": "sample",
            "type": "choices",
            "value": {"choices": [made.table["suggested"][row]]},
        }
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"texts": ["a"]}, "text: 1 values for 40 samples"),
        ({"values": {"key": range(40)}}, "'key' is there twice"),
    ],
)
def test_fields_of_tasks_must_fit(options: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        label_studio_tasks(sample()[2], **options)


def test_cleanlabs_columns_are_those_that_cleanlab_makes(tmp_path: Path) -> None:
    cleanlab = pytest.importorskip("cleanlab.classification")
    labels, p, made = sample()
    issues = cleanlab.CleanLearning(low_memory=False).find_label_issues(labels=labels, pred_probs=p)
    ours = pd.DataFrame(to_cleanlab(made))
    assert list(ours.columns) == list(issues.columns)
    assert [kind.kind for kind in ours.dtypes] == [kind.kind for kind in issues.dtypes]
    for name in ("given_label", "predicted_label"):
        assert ours[name].tolist() == issues[name].tolist()
    issues.to_csv(tmp_path / "issues.csv")
    for found in (from_cleanlab(issues, NAMES), from_cleanlab(tmp_path / "issues.csv", NAMES)):
        assert list(found) == list(made.table)
        assert found["given"].tolist() == made.table["given"].tolist()
        assert found["suggested"].tolist() == [NAMES[label] for label in issues["predicted_label"]]
        assert found["score"] == pytest.approx(1 - issues["label_quality"].to_numpy(), abs=1e-6)
        assert found["key"].tolist() == list(range(40))
        assert found["rank"][issues["label_quality"].argmin()] == 1
        assert np.isnan(found["p_given"]).all()


def test_cleanlabs_columns_come_back() -> None:
    _, _, made = sample()
    columns = to_cleanlab(made)
    assert columns["is_label_issue"].sum() == round(made.noise_rate.low * 40) > 0
    assert made.table["score"][columns["is_label_issue"]].min() >= made.table["score"][~columns["is_label_issue"]].max()
    found = from_cleanlab(columns, NAMES)
    assert found["rank"].tolist() == made.table["rank"].tolist()
    assert found["given"].tolist() == made.table["given"].tolist()
    named = from_cleanlab(pd.DataFrame(columns, index=[f"k{row}" for row in range(40)]))
    assert named["key"][0] == "k0"
    assert named["given"].tolist() == columns["given_label"].tolist()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", DataError, "is empty"),
        ("a,b\n1,2\n", DataError, "no column is_label_issue"),
        (",is_label_issue,label_quality,given_label,predicted_label\n0,True,x,0,1\n", DataError, "line 2: a label_qu"),
        (",is_label_issue,label_quality,given_label,predicted_label\n0,True,1.5,0,1\n", DataError, "is 1.5 in row 0"),
        (",is_label_issue,label_quality,given_label,predicted_label\n0,True,1\n", DataError, "line 2: 3 cells"),
        (",is_label_issue,label_quality,given_label,predicted_label\n0,True,1,0,3\n", LabelError, "3 classes"),
    ],
)
def test_what_cleanlab_did_not_write_is_refused(text: str, error: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "issues.csv").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=message):
        from_cleanlab(tmp_path / "issues.csv", NAMES)
