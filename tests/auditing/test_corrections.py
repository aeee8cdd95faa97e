"""Files of corrections, and which of them apply to data."""

from __future__ import annotations

import datetime as dt
import json
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noiseproof.auditing import Correction, Corrections, read_corrections
from noiseproof.auditing._given import labels_checksum
from noiseproof.auditing.corrections import COLUMNS, moved_key
from noiseproof.errors import DataError, LabelError
from noiseproof.formats import csv_text, printable
from texts import TEXTS

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.timezone.utc)
KEYS = ["a", "b", "c", "d"]
GIVEN = ["cat", "dog", "cat", "fox"]
HASHES = np.arange(64, dtype=np.uint8).reshape(4, 16) + 160


def hexed(row: int) -> str:
    return HASHES[row, :8].tobytes().hex()


def correction(row: int = 0, decided: str | None = "dog", action: Any = "relabel", **changes: Any) -> Correction:
    made = Correction(
        KEYS[row], hexed(row), GIVEN[row], decided, action, "suspicious", None, "ann", NOON, "f" * 64, "0.1"
    )
    return replace(made, **changes)


def cells(one: Correction) -> list[Any]:
    time = "" if one.time is None else one.time.isoformat().replace("+00:00", "Z")
    draw = one.draw_probability
    return [
        one.key, one.row_hash, one.given, one.decided, one.action, one.queue, draw, one.reviewer, time,
        one.labels_sha256, one.noiseproof,
    ]  # fmt: skip


def write(path: Path, *ones: Correction) -> Path:
    path.write_text(csv_text([COLUMNS, *map(cells, ones)]), encoding="utf-8")
    return path


def statuses(ones: list[Correction], keys: Any = KEYS, hashes: Any = HASHES, labels: Any = GIVEN) -> list[str]:
    corrections = Corrections.of(ones)
    found = {outcome.correction: outcome.status for outcome in corrections.match(keys, hashes, labels).outcomes}
    return [found[one] for one in ones]


def test_a_file_says_what_was_written(tmp_path: Path) -> None:
    draw = correction(3, "fox", "keep", queue="calibrate 3 of 10", draw_probability=1 / 120)
    ones = [correction(), correction(1, None, "drop", time=None), correction(2, None, "unsure", reviewer=""), draw]
    read = read_corrections(write(tmp_path / "c.csv", *ones))
    assert {*read.rows} == {*ones}
    lines = [json.dumps(dict(zip(COLUMNS, cells(one), strict=True))) for one in ones]
    (tmp_path / "c.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert read_corrections(tmp_path / "c.jsonl") == read
    assert read_corrections([tmp_path / "c.jsonl", str(tmp_path / "c.csv")]) == read
    assert draw.stratum == (3, 10)
    assert ones[0].stratum is None


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=3))
def test_texts_come_back_as_they_are_shown(tmp_path_factory: pytest.TempPathFactory, texts: list[Any]) -> None:
    def shown(text: str) -> str:
        return printable(text).strip() or "x"

    ones = [
        correction(key=printable(key) or "x", given=shown(one) + "1", decided=shown(other) + "2")
        for key, one, other in texts
    ]
    path = write(tmp_path_factory.getbasetemp() / "c.csv", *ones)

    composed = [
        replace(one, given=unicodedata.normalize("NFC", one.given), decided=unicodedata.normalize("NFC", one.decided))
        for one in ones
    ]
    assert {*read_corrections(path).rows} == {*composed}


def test_what_spreadsheets_do_is_understood(tmp_path: Path) -> None:
    text = (
        "\ufeffdecided;KEY note;key;given;action;draw_probability;queue;time;row_hash\r\n"
        '"dog";mine;3.0;"cat ";RELABEL;0,00833333;calibrate 3 of 10;2026-01-31 13:00:00+01:00;1,23457E+15\r\n'
        ";;;;;;;;\r\n"
        "'=x;;'-a;'=y;relabel;;;;\r\n"
    )
    (tmp_path / "c.csv").write_bytes(text.encode())
    one, other = sorted(read_corrections(tmp_path / "c.csv").rows, key=lambda row: row.key, reverse=True)
    assert (one.key, one.given, one.decided, one.action) == ("3.0", "cat", "dog", "relabel")
    assert one.time == NOON
    assert one.stratum == (3, 10)
    assert (other.key, other.given, other.decided) == ("-a", "=y", "=x")
    hashes = HASHES.copy()
    hashes[3, :8] = np.frombuffer(bytes.fromhex("1234567890123456"), np.uint8)
    for value, expected in (("1.23457E+15", "applied"), ("1.23458E+15", "refused"), ("", "applied")):
        found = statuses([replace(one, row_hash=value)], range(4), hashes, ["cat"] * 4)
        assert found == [expected]
    assert statuses([replace(one, row_hash="")], ["0", "1", "2", "3"]) == ["refused"]  # that one is a fox


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("key,given,action\na,b,keep\n", "has no decided"),
        ("key,given,decided,action,key\na,b,c,keep,d\n", "column key twice"),
        ("key,given,decided,action\na,cat,dog,relable\n", "line 2: action 'relable'"),
        ("key,given,decided,action\na,cat,,relabel\n", "line 2: decided is empty"),
        ("key,given,decided,action\n\na,cat,dog,keep\n", "line 3: the label 'cat' is kept, and decided is 'dog'"),
        ("key,given,decided,action\na,cat,dog,drop\n", "line 2: decided is 'dog' and the action drop"),
        ("key,given,decided,action\n,cat,dog,relabel\n", "the key is empty"),
        ("key,given,decided,action\na,,dog,relabel\n", "given is empty"),
        ("key,given,decided,action\na,cat,dog,relabel,more\n", "line 2: 5 cells"),
        ("key,given,decided,action,row_hash\na,cat,dog,relabel,xyz\n", "row_hash 'xyz'"),
        ("key,given,decided,action,row_hash\na,cat,dog,relabel,inf\n", "row_hash 'inf'"),
        ("key,given,decided,action,time\na,cat,dog,relabel,31/01/2026\n", "time '31/01/2026'"),
        ("key,given,decided,action,time\na,cat,dog,relabel,0001-01-01T00:00:00+05:00\n", "time '0001"),
        ("key,given,decided,action,draw_probability\na,cat,dog,relabel,2\n", "draw_probability '2'"),
        ("key,given,decided,action,draw_probability\na,cat,dog,relabel,nan\n", "draw_probability 'nan'"),
        ("key,given,decided,action,queue\na,cat,dog,relabel,calibrate 11 of 10\n", "queue 'calibrate 11 of 10'"),
        ("key,given,decided,action,queue\na,cat,dog,relabel,calibrate 1 of 10\n", "draw_probability is empty"),
        (f"key,given,decided,action\na,cat,{'x' * 1001},relabel\n", "1,000 characters"),
        ('{"key": 1}\n', "line 1 has no given"),
        ('{"key": [1], "given": "a", "decided": "b", "action": "relabel"}\n', "key is a list"),
        ('{"key": 1, "given": "a", "decided": "b", "action": "relabel"}\n[]\n', "line 2 is no object"),
        ("{\n", "line 1 is no JSON"),
    ],
)
def test_what_is_no_correction_is_refused_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_corrections(tmp_path / "c.csv")


def test_no_file_and_too_many_corrections_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="at least one"):
        read_corrections([])
    with pytest.raises(DataError, match="nowhere"):
        read_corrections(tmp_path / "nowhere.csv")
    monkeypatch.setattr("noiseproof.auditing.corrections._MOST", 1)
    with pytest.raises(DataError, match="more than 1 corrections"):
        read_corrections(write(tmp_path / "c.csv", correction(), correction(1, "cat")))


def test_a_correction_applies_where_key_hash_and_label_agree() -> None:
    ones = [
        correction(),
        correction(1, "cat", row_hash=hexed(0)),
        correction(2, "dog", given="fox"),
        correction(3, "cat", key="e"),
        correction(3, "fox", "relabel", given="dog"),
    ]
    matched = Corrections.of(ones).match(KEYS, HASHES, GIVEN)
    told = {outcome.correction: (outcome.status, outcome.reason) for outcome in matched.outcomes}
    assert [told[one] for one in ones] == [
        ("applied", ""),
        ("refused", "the row was changed: its hash is another"),
        ("refused", "the label is cat"),
        ("refused", "there is no such key"),
        ("already", ""),
    ]
    assert [(one.row, one.action, one.decided, one.is_new) for one in matched.decisions] == [
        (0, "relabel", "dog", True),
        (3, "relabel", "fox", False),
    ]
    assert matched.relabeled(GIVEN) == ["dog", "dog", "cat", "fox"]
    assert matched.sentences()[0] == (
        "1 corrections applied, 1 there already, 3 refused, 0 in conflict; labels: 1 changed, 1 confirmed"
    )
    assert "e: there is no such key" in matched.sentences()[1]


def test_keeping_dropping_and_doubting_apply() -> None:
    ones = [correction(0, "cat", "keep"), correction(1, None, "drop"), correction(2, None, "unsure")]
    matched = Corrections.of(ones).match(KEYS, HASHES, GIVEN)
    assert [outcome.status for outcome in matched.outcomes] == ["applied"] * 3
    assert [(one.action, one.decided) for one in matched.decisions] == [
        ("keep", "cat"),
        ("drop", None),
        ("unsure", None),
    ]


def test_the_later_decision_of_one_person_counts() -> None:
    later = NOON + dt.timedelta(hours=1)
    assert statuses([correction(), correction(0, "fox", time=later)]) == ["superseded", "applied"]
    assert statuses([correction(time=None), correction(0, "fox")]) == ["superseded", "applied"]
    assert statuses([correction(), correction(0, "fox")]) == ["conflict", "conflict"]
    # In a second round the label was the one decided on in the first: both say what the sample is.
    second = correction(0, "fox", given="dog", time=later)
    matched = Corrections.of([correction(), second]).match(KEYS, HASHES, GIVEN)
    assert [one.decided for one in matched.decisions] == ["fox"]


def test_people_who_disagree_are_listed() -> None:
    ben = correction(0, "fox", reviewer="ben")
    matched = Corrections.of([correction(), ben]).match(KEYS, HASHES, GIVEN)
    assert [outcome.reason for outcome in matched.conflicts] == ["ann says dog, ben says fox"] * 2
    assert matched.decisions == ()
    assert statuses([correction(), correction(0, "dog", reviewer="ben")]) == ["applied", "applied"]
    assert statuses([correction(), correction(0, None, "unsure", reviewer="ben")]) == ["applied", "superseded"]
    assert statuses([correction(), correction(0, None, "drop", reviewer="ben")]) == ["conflict", "conflict"]
    assert statuses([correction(), correction(0, "cat", "keep", reviewer="")]) == ["conflict", "conflict"]


def test_classes_are_known_in_the_spellings_of_spreadsheets() -> None:
    numbers = [1, 2, 3, 3]
    one = correction(0, "3.0", given="1.0")
    assert Corrections.of([one]).match(KEYS, HASHES, numbers).decisions[0].decided == "3"
    assert Corrections.of([replace(one, decided="4.0")]).match(KEYS, HASHES, numbers).decisions[0].decided == "4"
    for decided in ("cat", "3.5"):
        (outcome,) = Corrections.of([replace(one, decided=decided)]).match(KEYS, HASHES, numbers).outcomes
        assert outcome.reason == f"the labels are whole numbers, and {decided!r} is none"
    truth = correction(0, "FALSE", given="TRUE")
    assert Corrections.of([truth]).match(KEYS, HASHES, [True, False] * 2).decisions[0].decided == "False"
    (outcome,) = Corrections.of([replace(truth, decided="maybe")]).match(KEYS, HASHES, [True, False] * 2).outcomes
    assert "truth values" in outcome.reason
    hostile = correction(0, "b\\x1b", given="a\\n1")
    assert Corrections.of([hostile]).match(KEYS, HASHES, ["a\n1", "b\x1b", "c", "d"]).decisions[0].decided == "b\x1b"


def test_keys_that_come_again_need_the_row() -> None:
    assert statuses([correction(0)], ["a", "a", "a", "b"]) == ["applied"]
    assert statuses([correction(0, row_hash="")], ["a", "a", "a", "b"]) == ["refused"]
    assert statuses([correction(0, row_hash="")], ["a", "a", "b", "b"], None, ["cat", "fox", "fox", "fox"]) == [
        "applied"
    ]
    assert statuses([correction(0)], hashes=None) == ["applied"]


def test_a_moved_image_is_known_where_it_went() -> None:
    one = correction(0, "dog", key="cat/x/1.png", row_hash=hexed(1))
    assert moved_key(one.key, "dog") == "dog/x/1.png"
    assert moved_key(one.key, "dog", 2) == "dog/x/1-2.png"
    assert statuses([one], ["a", "dog/x/1-2.png", "b", "c"]) == ["already"]
    assert statuses([one], ["a", "b", "dog/x/1.png", "c"]) == ["refused"]


def test_labels_and_keys_must_be_as_many() -> None:
    with pytest.raises(LabelError, match="4 labels for 2 keys"):
        Corrections.of([correction()]).match(["a", "b"], None, GIVEN)


def test_rows_that_are_dropped_by_their_numbers_are_those_that_were_audited() -> None:
    labels, hashes = ["cat", "cat", "dog", "fox"], np.zeros((4, 16), np.uint8)
    hashes[2, 7], hashes[3, 7] = 1, 2  # the first two are equal
    later = NOON + dt.timedelta(days=1)

    def round_of(labels: list[str], row: int, decided: str | None, time: dt.datetime = NOON) -> Correction:
        action = "drop" if decided is None else "relabel"
        checksum, row_hash = labels_checksum(range(4), labels), hashes[row, :8].tobytes().hex()
        return correction(
            decided=decided, action=action, key=str(row), row_hash=row_hash, given=labels[row], time=time,
            labels_sha256=checksum,
        )  # fmt: skip

    first = [round_of(labels, 0, None), round_of(labels, 2, "fox")]
    between = ["cat", "cat", "fox", "fox"]
    second = [round_of(between, 1, "owl", later), round_of(between, 3, None, later)]
    for now in (labels, between, ["cat", "owl", "fox", "fox"]):  # whatever fit has made of them
        assert "refused" not in statuses([*first, *second], range(4), hashes, now)
    assert statuses(first, range(3), hashes[1:], ["cat", "fox", "fox"]) == ["refused", "refused"]
    assert statuses(first, range(4), hashes, ["cat", "owl", "dog", "fox"]) == ["refused", "applied"]
    assert statuses(first, [str(row) for row in range(4)], hashes, ["cat", "owl", "dog", "fox"]) == ["applied"] * 2


ACTIONS = st.sampled_from(["relabel", "keep", "drop", "unsure"])


@st.composite
def data_and_corrections(draw: st.DrawFn) -> tuple[list[str], list[int], list[Correction]]:
    """Labels, which of a few kinds rows are, and corrections of several people."""
    count = draw(st.integers(1, 6))
    labels = draw(st.lists(st.sampled_from("xyz"), min_size=count, max_size=count))
    kinds = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    checksum = labels_checksum(range(count), labels)
    ones = []
    for _ in range(draw(st.integers(1, 6))):
        row, action = draw(st.integers(0, count - 1)), draw(ACTIONS)
        given = draw(st.sampled_from(["x", labels[row], labels[row]]))
        decided = draw(st.sampled_from("xyzw")) if action == "relabel" else given if action == "keep" else None
        hashed = draw(st.sampled_from(["", f"{kinds[row]:016x}", f"{kinds[row]:016x}"]))
        known = draw(st.sampled_from([checksum, checksum, "", "0" * 64]))
        time = NOON + dt.timedelta(hours=draw(st.integers(0, 2)))
        ones.append(
            Correction(str(row), hashed, given, decided, action, "", None, draw(st.sampled_from("ab")), time, known)
        )
    return labels, kinds, ones


def applied(
    ones: list[Correction], keys: list[Any], labels: list[str], kinds: list[int]
) -> tuple[list[Any], list[str], list[int]]:
    hashes = np.zeros((len(labels), 16), np.uint8)
    hashes[:, 7] = kinds
    matched = Corrections.of(ones).match(keys, hashes, labels)
    new = matched.relabeled(labels)
    dropped = {one.row for one in matched.decisions if one.action == "drop"}
    kept = [row for row in range(len(labels)) if row not in dropped]
    return [keys[row] for row in kept], [new[row] for row in kept], [kinds[row] for row in kept]


@given(data_and_corrections(), st.booleans())
def test_applying_twice_is_applying_once(
    made: tuple[list[str], list[int], list[Correction]], is_numbered: bool
) -> None:
    labels, kinds, ones = made
    keys: list[Any] = list(range(len(labels))) if is_numbered else [str(row) for row in range(len(labels))]
    once = applied(ones, keys, labels, kinds)
    if not once[1]:
        return
    named = list(range(len(once[0]))) if is_numbered else once[0]
    assert applied(ones, named, *once[1:])[1:] == once[1:]


@given(data_and_corrections(), st.randoms(use_true_random=False))
def test_the_order_of_corrections_does_not_matter(
    made: tuple[list[str], list[int], list[Correction]], random: Any
) -> None:
    labels, _, ones = made
    shuffled = [*ones, *ones[:2]]
    random.shuffle(shuffled)
    one, other = Corrections.of(ones), Corrections.of(shuffled)
    assert one == other
    keys = range(len(labels))
    assert one.match(keys, None, labels) == other.match(keys, None, labels)
