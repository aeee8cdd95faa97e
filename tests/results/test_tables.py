from __future__ import annotations

import csv
import dataclasses
import io
import math
import statistics
from pathlib import Path
from typing import Any

import pytest

from noiseproof.errors import RunError
from noiseproof.results import Cell, Table, make_tables, runs_csv, tables_csv
from noiseproof.results._cells import noise_label
from noiseproof.train import Epoch, Record, make_recipe, merge


def record(
    method: str | dict[str, str] = "ce",
    rate: float = 0.6,
    seed: int = 1,
    accuracy: float = 0.5,
    status: str = "finished",
    **data: object,
) -> Record:
    recipe = make_recipe(
        {
            "data": "digits",
            "noise": {"kind": "symmetric", "rate": rate},
            "model": "mlp",
            "method": method,
            "epochs": 2,
            "batch_size": 16,
            "lr": 0.1,
            "validation": 0.2,
            "seed": seed,
        }
    )
    epochs = [
        Epoch(1, 0.1, 2.0, 0.3, 0.1, 0.4, accuracy + 0.2, 0.9),
        Epoch(2, 0.1, 1.0, 0.4, 0.8, 0.3, accuracy, 0.9),
    ]
    environment = {"noiseproof": "0", "commit": "abc", "torch": "2", "device": "cpu", "threads": 2}
    return Record(
        recipe.id,
        recipe.model_dump(mode="json"),
        status,
        [{"from_epoch": 1, "environment": environment}],
        {"name": "digits", "fingerprint": "f" * 64, "notes": [], **data},
        {"requested_rate": rate, "rate": rate + 0.001, "description": "noise"},
        5,
        epochs,
    )


def test_cells_have_the_sample_standard_deviation() -> None:
    cell = Cell((80.0, 82.0, 90.0))
    assert cell.mean == pytest.approx(84.0)
    assert cell.std == pytest.approx(math.sqrt((16 + 4 + 36) / 2))
    assert str(cell) == "84.00 ± 5.29"
    assert str(Cell((80.0,))) == "80.00"
    assert Cell((80.0,)).std is None
    assert str(Cell()) == "–"
    assert str(Cell((80.0, 82.0), diverged=1)) == "81.00 ± 1.41 (1 diverged)"


def test_one_noise_gives_one_table_of_all_measures() -> None:
    records = [record(m, seed=s, accuracy=a) for m, a in (("ce", 0.4), ("gce", 0.7)) for s in (1, 2, 3)]
    (table,) = make_tables("Title", records)
    assert [name for name, _ in table.rows] == ["CE", "GCE"]
    assert len(table.columns) == 3
    last, chosen, learned = table.rows[0][1]
    assert last.mean == pytest.approx(40)
    assert chosen.mean == pytest.approx(60)
    assert learned.mean == pytest.approx(80)
    assert "over 3 seeds (1, 2, 3)" in table.caption
    assert "20% noisy validation part" in table.caption
    assert table.text().rows[0][-1] == "3"
    assert table.notes == ("symmetric noise 60%: 60.10% of the training labels are wrong (realized).",)


@pytest.mark.parametrize(
    ("noise", "label"),
    [
        ({"kind": "instance", "rate": 0.4, "variant": "published"}, "instance noise 40% (published)"),
        ({"kind": "labels", "path": "a/b.csv", "column": None}, "labels from a/b.csv"),
        ({"kind": "labels", "path": "b.csv", "column": "noisy"}, "labels from b.csv, noisy"),
    ],
)
def test_noises_have_names(noise: dict[str, object], label: str) -> None:
    assert noise_label({"noise": noise}) == label


def test_several_noises_give_a_table_per_measure() -> None:
    records = [record(m, rate) for m in ("ce", "gce") for rate in (0.2, 0.6)]
    tables = make_tables("Title", records)
    assert len(tables) == 3
    assert tables[0].columns == ("symmetric noise 20%", "symmetric noise 60%")
    assert "test accuracy, last epoch (%)" in tables[0].caption


def test_missing_and_diverged_runs_are_shown_and_not_averaged() -> None:
    records = [
        record("ce", seed=1),
        record("ce", seed=2, status="diverged", accuracy=0.0),
        record("gce", seed=1, status="running"),
    ]
    (table,) = make_tables("Title", records)
    assert table.text().rows[0][1:] == ("50.00 (1 diverged)", "70.00 (1 diverged)", "80.00 (1 diverged)", "1")
    assert table.text().rows[1][1:] == ("–", "–", "–", "0")


def test_unequal_numbers_of_seeds_are_shown_in_each_cell() -> None:
    table = Table("t", ("a", "b"), (("m", (Cell((1.0, 2.0)), Cell((3.0,)))),))
    assert table.text().rows[0] == ("m", "1.50 ± 0.71 (n=2)", "3.00 (n=1)", "1–2")


def test_notes_name_data_that_are_not_the_published_ones() -> None:
    (table,) = make_tables("Title", [record(notes=["a JPEG copy"])])
    assert "Data: a JPEG copy." in table.notes


def test_formats() -> None:
    (table,) = make_tables("A & B_1", [record(seed=s, accuracy=0.4 + 0.02 * s) for s in (1, 2)])
    markdown = table.text().markdown()
    assert "| CE | 43.00 ± 1.41 | 63.00 ± 1.41 | 80.00 ± 0.00 | 2 |" in markdown
    latex = table.text().latex()
    assert r"CE & 43.00 $\pm$ 1.41 & 63.00 $\pm$ 1.41" in latex
    assert r"\caption{A \& B\_1" in latex
    assert "%" not in latex.replace(r"\%", "")
    rows = list(csv.DictReader(io.StringIO(tables_csv([table]))))
    assert rows[0]["method"] == "CE"
    assert float(rows[0]["mean"]) == pytest.approx(43.0)
    assert float(rows[0]["std"]) == pytest.approx(statistics.stdev([42, 44]), abs=1e-4)
    assert rows[0]["n"] == "2"


def test_runs_have_their_provenance() -> None:
    (row,) = csv.DictReader(io.StringIO(runs_csv([record("jal-ce(a=5)", seed=3)])))
    assert row["run"]
    assert row["loss"] == "jal-ce(alpha=1, beta=1, a=5)"
    assert (row["seed"], row["commit"], row["torch"], row["device"], row["threads"]) == ("3", "abc", "2", "cpu", "2")
    assert (row["last_test"], row["chosen_epoch"], row["chosen_test"]) == ("0.500000", "1", "0.700000")
    assert (row["requested_rate"], row["rate"]) == ("0.6", "0.601000")
    running = record(status="running")
    running.epochs = []
    (row,) = csv.DictReader(io.StringIO(runs_csv([running])))
    assert row["last_test"] == ""


def test_methods_of_one_name_are_told_apart() -> None:
    paper = {"name": "GCE", "loss": "gce(q=0.9)", "source": "paper"}
    records = [record("gce", accuracy=0.4), record(paper, accuracy=0.6), record("ce")]
    (table,) = make_tables("Title", records)
    names = [name for name, _ in table.rows]
    assert names == ["GCE (default)", "GCE (paper)", "CE"]
    assert [cells[0].values for _, cells in table.rows] == [(40.0,), (60.0,), (50.0,)]


def test_a_method_that_follows_the_noise_is_one_row() -> None:
    records = []
    for rate in (0.2, 0.6):
        one = record("ce-eps+mae", rate=rate)
        one.recipe["method"]["loss"] = f"ce-eps+mae(alpha={rate})"
        records.append(one)
    assert [name for name, _ in make_tables("Title", records)[0].rows] == ["CE_eps+MAE"]


def of(name: str = "CE", seed: int = 1, accuracy: float = 0.5, status: str = "finished", **changes: Any) -> Record:
    """A run of digits whose recipe has these changes."""
    one = record("ce", seed=seed, accuracy=accuracy, status=status)
    values = merge(one.recipe, {"method": {"name": name, **changes.pop("method", {})}, **changes})
    recipe = make_recipe(values)
    return dataclasses.replace(one, id=recipe.id, recipe=recipe.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("one", "other", "labels"),
    [
        ({"lr": 0.1}, {"lr": 1e-4}, ("lr 0.1", "lr 0.0001")),
        ({"method": {"lr": 0.1}}, {"method": {"lr": 1e-4}}, ("lr 0.1", "lr 0.0001")),
        ({"optimizer": "sgd"}, {"optimizer": "adam"}, ("sgd", "adam")),
        (
            {"method": {"head": ""}},
            {"method": {"head": "student"}},
            ("head none", "head student(margin=0.1, center=0.05)"),
        ),
        ({"method": {"l2": 0}}, {"method": {"l2": 1e-3}}, ("L2 0", "L2 0.001")),
        ({"epochs": 2}, {"epochs": 3}, ("epochs 2", "epochs 3")),
        ({"data": {"train_size": 100}}, {"data": {"train_size": 200}}, ("train_size 100", "train_size 200")),
        ({"model": "mlp"}, {"model": "small-cnn"}, ("mlp(hidden=256, depth=2)", "small-cnn(width=1)")),
        ({"augment": []}, {"augment": ["crop", "flip"]}, ("augment none", "augment crop+flip")),
        ({"balanced": False}, {"balanced": True}, ("balanced no", "balanced yes")),
    ],
)
def test_what_is_trained_otherwise_is_another_row(one: Any, other: Any, labels: tuple[str, str]) -> None:
    records = [of(seed=seed, accuracy=a, **changes) for changes, a in ((one, 0.4), (other, 0.6)) for seed in (1, 2)]
    (table,) = make_tables("t", records)
    assert [name for name, _ in table.rows] == [f"CE ({label})" for label in labels]
    assert [cells[0].values for _, cells in table.rows] == [(40.0, 40.0), (60.0, 60.0)]


@pytest.mark.parametrize(
    ("one", "other", "labels"),
    [
        ({"mode": "exact"}, {"mode": "iid"}, ("symmetric noise 60% (exact)", "symmetric noise 60% (iid)")),
        ({"rate": 0.4}, {"rate": 0.40000001}, ("symmetric noise 40%", "symmetric noise 40.000001%")),
        ({"rate": 0.3}, {"rate": 0.1 + 0.2}, ("symmetric noise 30% (rate 0.3)",
                                              "symmetric noise 30% (rate 0.30000000000000004)")),
        (
            {"kind": "asymmetric", "rate": 0.4, "mapping": {3: 5}},
            {"kind": "asymmetric", "rate": 0.4, "mapping": {5: 3}},
            ("asymmetric noise 40% (3→5)", "asymmetric noise 40% (5→3)"),
        ),
    ],
)  # fmt: skip
def test_another_noise_is_another_column(one: Any, other: Any, labels: tuple[str, str]) -> None:
    records = [of(accuracy=a, noise=noise) for noise, a in ((one, 0.4), (other, 0.6))]
    table = make_tables("t", records)[0]
    assert table.columns == labels
    assert [[cell.values for cell in cells] for _, cells in table.rows] == [[(40.0,), (60.0,)]]


def test_losses_of_one_name_and_runs_on_other_data_are_told_apart() -> None:
    losses = [of(method={"name": "mine", "loss": f"gce(q={q})"}) for q in (0.5, 0.7)]
    (table,) = make_tables("t", losses)
    assert [name for name, _ in table.rows] == ["mine (gce(q=0.5))", "mine (gce(q=0.7))"]
    before, now = (dataclasses.replace(of(), id=f"x-{d}", inputs={"data": 12 * d}) for d in "ab")
    (table,) = make_tables("t", [before, now])
    assert [name for name, _ in table.rows] == ["CE (data aaaaaaaa)", "CE (data bbbbbbbb)"]
    # A name that looks like what another row would be called stays another row.
    several = [of(lr=0.1), of(lr=0.2), of(method={"name": "CE (lr 0.1)", "loss": "ce"}, lr=0.3)]
    (table,) = make_tables("t", several)
    assert [name for name, _ in table.rows] == ["CE (lr 0.1)", "CE (lr 0.2)", "CE (lr 0.1) (another)"]


def test_two_runs_of_one_seed_are_refused() -> None:
    twins = [dataclasses.replace(of(), folder=Path(name)) for name in ("one", "two")]
    with pytest.raises(RunError, match=r"CE, symmetric noise 60%: one and two have the same seed \(1\)"):
        make_tables("t", twins)
    (table,) = make_tables("t", [twins[0], twins[0]])
    assert table.rows[0][1][0].values == (50.0,)


def test_without_a_test_set_noisy_validation_is_the_measure() -> None:
    one = of()
    one.epochs = [dataclasses.replace(epoch, test_accuracy=None, test_top5=None) for epoch in one.epochs]
    (table,) = make_tables("t", [one])
    assert table.columns[0] == "accuracy on noisy validation, last epoch (%)"
    assert table.rows[0][1][0].values == (30.0,)
    one.epochs = [dataclasses.replace(e, validation_accuracy=None, memorization=None) for e in one.epochs]
    (table,) = make_tables("t", [one])
    assert table.text().rows == (("CE", "–", "0"),)
