from __future__ import annotations

import hashlib
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from conftest import write_small_cifar
from noiseproof import data, models
from noiseproof.errors import DataError, DataWarning, NoiseWarning, RecipeError, RunError, RunWarning
from noiseproof.losses import make_loss
from noiseproof.noise import NoisyLabels, instance_dependent, symmetric
from noiseproof.seeding import torch_stream
from noiseproof.train import Progress, Recipe, RunFolder, load_dataset, make_recipe, prepare, read_record, train
from noiseproof.train import _loop as loop
from noiseproof.train._order import epoch_order

BASE: dict[str, Any] = {
    "data": "digits",
    "noise": {"kind": "symmetric", "rate": 0.4},
    "model": "mlp(hidden=32)",
    "method": "gce",
    "epochs": 2,
    "batch_size": 64,
    "lr": 0.1,
}


def recipe(**changes: Any) -> Recipe:
    return make_recipe({**BASE, **changes})


def test_a_run_learns_and_leaves_its_record(tmp_path: Path) -> None:
    seen: list[Progress] = []
    record = train(recipe(epochs=8, lr=0.3, validation=0.2), tmp_path / "run", watch=seen.append)
    assert record.status == "finished"
    assert [epoch.epoch for epoch in record.epochs] == list(range(1, 9))
    assert record.last is not None
    assert record.last.test_accuracy is not None
    assert record.last.test_accuracy > 0.7
    assert record.last.test_top5 is not None
    assert record.last.test_top5 >= record.last.test_accuracy
    assert record.selected is not None
    assert record.selected.validation_accuracy == max(e.validation_accuracy or 0 for e in record.epochs)
    assert record.epochs[0].train_loss > record.last.train_loss
    assert record.data == {
        "name": "digits",
        "fingerprint": data.digits().fingerprint,
        "classes": 10,
        "train": 961,
        "validation": 240,
        "test": 596,
        "notes": [],
        "class_names": [str(digit) for digit in range(10)],
    }
    assert record.noise is not None
    assert record.noise["requested_rate"] == 0.4
    assert record.noise["rate"] == pytest.approx(0.4, abs=0.001)
    assert record.parameters == 64 * 32 + 32 + 32 * 32 + 32 + 32 * 10 + 10
    environment = record.environments[0]["environment"]
    assert environment["torch"] == torch.__version__
    assert len(seen) == 8 * 15  # 961 = 15 * 64 + 1, and a single sample joins the last step
    assert seen[-1].share == 1
    assert [progress.share for progress in seen] == sorted(progress.share for progress in seen)
    assert read_record(tmp_path / "run") == record
    assert len((tmp_path / "run" / "timing.csv").read_text().splitlines()) == 9
    labels = json.loads((tmp_path / "run" / "noise.json").read_text())
    assert labels["sha256"] == record.noise["checksum"]


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first = train(recipe(), tmp_path / "run")
    steps: list[Progress] = []
    assert train(recipe(), tmp_path / "run", watch=steps.append) == first
    assert not steps


def test_weights_reproduce_the_recorded_accuracy(tmp_path: Path) -> None:
    record = train(recipe(epochs=4, validation=0.2), tmp_path / "run")
    digits = data.digits()
    assert digits.test is not None
    inputs = torch.from_numpy(digits.test.inputs).permute(0, 3, 1, 2).float() / 16
    for name, epoch in (("weights", record.last), ("selected", record.selected)):
        network = models.make_model("mlp(hidden=32)", input_shape=(1, 8, 8), num_classes=10)
        network.load_state_dict(load_file(tmp_path / "run" / f"{name}.safetensors"))
        hits = (network(inputs).argmax(1).numpy() == digits.test.labels).mean()
        assert epoch is not None
        assert hits == epoch.test_accuracy


def test_the_step_is_the_published_one(tmp_path: Path) -> None:
    """Loss and L1 clipped together, SGD with momentum, cosine by epoch: against a loop of ten lines."""
    spec = recipe(
        method={"loss": "jal-ce(a=5)", "l1": 1e-3, "l2": 1e-2}, clip_norm=0.5, epochs=3, noise={"kind": "none"}, seed=4
    )
    train(spec, tmp_path / "run")
    trained = load_file(tmp_path / "run" / "weights.safetensors")

    digits = data.digits()
    inputs = torch.from_numpy(digits.train.inputs).permute(0, 3, 1, 2).float() / 16
    labels = torch.from_numpy(digits.train.labels)
    network = models.make_model(spec.model, input_shape=(1, 8, 8), num_classes=10, seed=4)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-2)
    loss = make_loss("jal-ce(a=5)")
    for epoch in range(3):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 + math.cos(math.pi * epoch / 3)) / 2
        for batch in epoch_order(len(labels), 64, torch_stream(4, "order", epoch)):
            optimizer.zero_grad()
            objective = loss(network(inputs[batch]), labels[batch])
            objective = objective + 1e-3 * torch.cat([p.flatten() for p in network.parameters()]).abs().sum()
            objective.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5)
            optimizer.step()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(trained[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("adam", {"optimizer": "adam", "method": {"loss": "ce", "l2": 1e-2}}),
        ("adamw", {"optimizer": "adamw", "method": {"loss": "ce", "l2": 1e-2}}),
        ("adamw", {"optimizer": "sgd", "method": {"loss": "ce", "l2": 1e-2, "optimizer": "adamw"}}),
    ],
)
def test_the_optimizer_is_the_recipe_s_or_the_method_s_own(tmp_path: Path, kind: str, given: dict[str, Any]) -> None:
    spec = recipe(**given, lr=1e-2, schedule="constant", noise={"kind": "none"})
    train(spec, tmp_path / "run")
    trained = load_file(tmp_path / "run" / "weights.safetensors")

    digits = data.digits()
    inputs = torch.from_numpy(digits.train.inputs).permute(0, 3, 1, 2).float() / 16
    labels = torch.from_numpy(digits.train.labels)
    network = models.make_model(spec.model, input_shape=(1, 8, 8), num_classes=10, seed=1)
    make = torch.optim.Adam if kind == "adam" else torch.optim.AdamW
    optimizer = make(network.parameters(), lr=1e-2, weight_decay=1e-2)
    for epoch in range(2):
        for batch in epoch_order(len(labels), 64, torch_stream(1, "order", epoch)):
            optimizer.zero_grad()
            make_loss("ce")(network(inputs[batch]), labels[batch]).backward()
            optimizer.step()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(trained[name], value, rtol=1e-3, atol=1e-4)


def test_the_step_with_a_head_is_the_published_one(tmp_path: Path) -> None:
    """The margin in training only, the center term in the clipped loss, Adam at its own rate: against a plain loop."""
    method = {"loss": "nce+rce(beta=10)", "head": "student(margin=0.3, center=0.2)", "optimizer": "adam", "lr": 1e-2}
    spec = recipe(method={**method, "l2": 1e-3}, clip_norm=0.05, epochs=2, noise={"kind": "none"}, seed=4)
    record = train(spec, tmp_path / "run")
    trained = load_file(tmp_path / "run" / "weights.safetensors")

    digits = data.digits()
    assert digits.test is not None
    inputs = torch.from_numpy(digits.train.inputs).permute(0, 3, 1, 2).float() / 16
    labels = torch.from_numpy(digits.train.labels)
    head = {"head": "student(margin=0.3, center=0.2)"}
    network = models.make_model(spec.model, input_shape=(1, 8, 8), num_classes=10, seed=4, **head)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2, weight_decay=1e-3)
    loss = make_loss("nce+rce(beta=10)")
    for epoch in range(2):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 + math.cos(math.pi * epoch / 2)) / 2
        for batch in epoch_order(len(labels), 64, torch_stream(4, "order", epoch)):
            optimizer.zero_grad()
            judged = network(inputs[batch], labels[batch])
            (loss(judged.logits, labels[batch]) + judged.penalty).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 0.05)
            optimizer.step()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(trained[name], value, rtol=1e-3, atol=1e-4)
    tested = torch.from_numpy(digits.test.inputs).permute(0, 3, 1, 2).float() / 16
    hits = (network(tested).argmax(1).numpy() == digits.test.labels).mean()
    assert record.last is not None
    assert record.last.test_accuracy == pytest.approx(hits, abs=0.01)


def test_lt_apl_learns_from_wrong_labels_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    spec = recipe(method={"name": "lt-apl", "lr": 0.01}, epochs=12, validation=0.1)
    record = train(spec, tmp_path / "run")
    assert record.last is not None
    assert record.last.test_accuracy is not None
    assert record.last.test_accuracy > 0.7

    def stop(progress: Progress) -> None:
        if progress.epoch == 3:
            raise OSError("stopped")

    with pytest.raises(OSError, match="stopped"):
        train(spec, tmp_path / "stopped", watch=stop)
    assert train(spec, tmp_path / "stopped") == record
    for name in ("weights.safetensors", "selected.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


def test_runs_start_from_the_weights_of_a_file(tmp_path: Path) -> None:
    train(recipe(epochs=4), tmp_path / "before")
    file = tmp_path / "before" / "weights.safetensors"
    record = train(recipe(epochs=1, lr=1e-9, weights=str(file)), tmp_path / "after")
    assert record.weights is not None
    assert record.weights["file"] == "weights.safetensors"
    assert record.weights["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert record.weights["left_out"] == []
    assert read_record(tmp_path / "after") == record
    for key, value in load_file(tmp_path / "after" / "weights.safetensors").items():
        torch.testing.assert_close(value, load_file(file)[key], rtol=0, atol=1e-5)
    other = train(recipe(epochs=1, weights=str(file), method={"loss": "ce", "head": "student"}), tmp_path / "other")
    assert other.weights is not None
    assert other.weights["left_out"] == ["classifier.means", "classifier.roots"]
    with pytest.raises(DataError, match="missing: features.0.weight"):
        train(recipe(epochs=1, weights=str(file), model="small-cnn"), tmp_path / "wrong")


def test_other_weights_under_the_same_recipe_are_refused(tmp_path: Path) -> None:
    torch.save(
        models.make_model("mlp(hidden=32)", input_shape=(1, 8, 8), num_classes=10).state_dict(), tmp_path / "w.pth"
    )
    stopped = recipe(epochs=3, weights=str(tmp_path / "w.pth"))

    def stop(progress: Progress) -> None:
        if progress.epoch == 2:
            raise OSError("stopped")

    with pytest.raises(OSError, match="stopped"):
        train(stopped, tmp_path / "run", watch=stop)
    changed = models.make_model("mlp(hidden=32)", input_shape=(1, 8, 8), num_classes=10, seed=9)
    torch.save(changed.state_dict(), tmp_path / "w.pth")
    with pytest.raises(RunError, match="was begun from other weights"):
        train(stopped, tmp_path / "run")


@pytest.mark.parametrize(
    ("schedule", "factors"), [("cosine", [1, 0.75, 0.25]), ("constant", [1, 1, 1]), (0.5, [1, 0.5, 0.25])]
)
def test_schedules(tmp_path: Path, schedule: object, factors: list[float]) -> None:
    record = train(recipe(epochs=3, schedule=schedule), tmp_path / "run")
    assert [epoch.lr for epoch in record.epochs] == pytest.approx([0.1 * factor for factor in factors])


def test_memorization_is_measured(tmp_path: Path) -> None:
    """With enough passes CE repeats the wrong labels, and the record says so."""
    memorizing = recipe(
        method="ce", model="mlp", epochs=40, batch_size=16, lr=0.05, data={"name": "digits", "train_size": 200}
    )
    record = train(memorizing, tmp_path / "run")
    assert record.epochs[0].memorization is not None
    assert record.last is not None
    assert record.last.memorization is not None
    assert record.epochs[0].memorization < 0.2
    assert record.last.memorization > 0.9


def test_clean_labels_have_no_wrong_ones(tmp_path: Path) -> None:
    record = train(recipe(noise={"kind": "none"}), tmp_path / "run")
    assert record.last is not None
    assert record.last.memorization is None
    assert record.selected is None
    assert not (tmp_path / "run" / "selected.safetensors").exists()


def own_data(path: Path, **more: object) -> str:
    digits = data.digits()
    file = path / "mine.npz"
    np.savez(file, features=digits.train.inputs.reshape(-1, 64), labels=digits.train.labels, **more)  # type: ignore[arg-type]
    return str(file)


def test_own_arrays_without_a_test_set_or_clean_labels(tmp_path: Path) -> None:
    own = recipe(data={"name": "arrays", "path": own_data(tmp_path)}, noise={"kind": "none"}, validation=0.1)
    record = train(own, tmp_path / "run")
    assert record.noise is None
    assert record.last is not None
    assert record.last.test_accuracy is None
    assert record.last.validation_accuracy is not None


def test_class_names_go_from_the_file_to_the_record(tmp_path: Path) -> None:
    digits = data.digits()
    names = np.array([f"digit {label}" for label in range(10)])
    np.savez(tmp_path / "mine.npz", features=digits.train.inputs.reshape(-1, 64), labels=names[digits.train.labels])
    spec = {"kind": "asymmetric", "rate": 0.3, "mapping": {"digit 3": "digit 5"}}
    own = recipe(data={"name": "arrays", "path": str(tmp_path / "mine.npz")}, noise=spec, epochs=1)
    record = train(own, tmp_path / "run")
    assert record.data["class_names"] == names.tolist()
    manifest = json.loads((tmp_path / "run" / "noise.json").read_text(encoding="utf-8"))
    assert "digit 3" in json.dumps(manifest)


def test_own_arrays_with_known_clean_labels(tmp_path: Path) -> None:
    clean = data.digits().train.labels
    file = own_data(tmp_path, clean_labels=(clean + (np.arange(len(clean)) % 4 == 0)) % 10)
    record = train(recipe(data={"name": "arrays", "path": file}, noise={"kind": "none"}), tmp_path / "run")
    assert record.noise is not None
    assert record.noise["rate"] == pytest.approx(0.25, abs=0.01)
    assert record.last is not None
    assert record.last.memorization is not None


def test_a_loss_that_diverges_ends_the_run(tmp_path: Path) -> None:
    record = train(recipe(lr=1e30, method="ce", epochs=5), tmp_path / "run")
    assert record.status == "diverged"
    assert len(record.epochs) < 5
    assert read_record(tmp_path / "run") == record
    assert train(recipe(lr=1e30, method="ce", epochs=5), tmp_path / "run").status == "diverged"


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
@pytest.mark.parametrize("method", ["ce", "jal-ce", "lt-apl"])
def test_precisions(tmp_path: Path, precision: str, method: str) -> None:
    record = train(recipe(precision=precision, method=method, epochs=3), tmp_path / "run")
    assert record.last is not None
    assert record.epochs[0].train_loss > record.last.train_loss


def test_small_cnn_with_augmentation_and_one_sample_left_over(tmp_path: Path) -> None:
    left_over = recipe(model="small-cnn(width=0.25)", augment=["crop"], batch_size=100, data={"name": "digits"})
    assert train(left_over, tmp_path / "run").status == "finished"  # 1201 = 12 * 100 + 1


def test_the_same_run_whatever_ran_before(tmp_path: Path) -> None:
    train(recipe(seed=7), tmp_path / "alone")
    train(recipe(seed=8), tmp_path / "other")
    train(recipe(seed=7), tmp_path / "after")
    for name in ("record.json", "weights.safetensors"):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "after" / name).read_bytes()
        assert (tmp_path / "alone" / name).read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_methods_of_one_seed_see_the_same_noise_split_and_order(tmp_path: Path) -> None:
    tasks = [prepare(recipe(method=m, validation=0.1), data.digits(), tmp_path) for m in ("ce", "jal-ce")]
    assert (tasks[0].labels == tasks[1].labels).all()
    assert (tasks[0].validation == tasks[1].validation).all()
    other = prepare(recipe(validation=0.1, seed=2), data.digits(), tmp_path)
    assert (tasks[0].labels != other.labels).any()
    assert set(other.train) | set(other.validation) == set(range(1201))
    assert not set(other.train) & set(other.validation)


def test_noise_kinds(tmp_path: Path) -> None:
    digits = data.digits()
    np.savetxt(tmp_path / "T.csv", 0.7 * np.eye(10) + 0.03, delimiter=",")
    np.save(tmp_path / "T.npy", 0.7 * np.eye(10) + 0.03)
    for name in ("T.csv", "T.npy"):
        task = prepare(recipe(noise={"kind": "matrix", "path": str(tmp_path / name)}), digits, tmp_path)
        assert task.noise is not None
        assert task.noise.rate == pytest.approx(0.27, abs=0.005)
    task = prepare(recipe(noise={"kind": "asymmetric", "rate": 0.3, "mapping": {3: 5}}), digits, tmp_path)
    assert task.noise is not None
    assert set(task.noise.labels[task.noise.mask]) == {5}
    symmetric(digits.train.labels, 0.2, num_classes=10, seed=5).save(tmp_path / "saved.json")
    task = prepare(recipe(noise={"kind": "file", "path": str(tmp_path / "saved.json")}), digits, tmp_path)
    assert task.noise is not None
    assert task.noise.seed == 5
    part = digits.first_per_class(100)
    taken = prepare(recipe(noise={"kind": "file", "path": str(tmp_path / "saved.json")}), part, tmp_path)
    assert taken.noise is not None
    assert part.source_index is not None
    assert (taken.noise.labels == task.noise.labels[part.source_index]).all()
    NoisyLabels.observed(np.zeros(5, int), np.zeros(5, int), 10, "other").save(tmp_path / "other.json")
    with pytest.raises(DataError, match="are not those of digits"):
        prepare(recipe(noise={"kind": "file", "path": str(tmp_path / "other.json")}), digits, tmp_path)
    with pytest.raises(ValueError, match="cannot read a transition matrix"):
        prepare(recipe(noise={"kind": "matrix", "path": str(tmp_path / "absent.csv")}), digits, tmp_path)


@pytest.mark.parametrize("variant", ["pdn", "fixed-subset"])
def test_instance_noise_is_the_generators(tmp_path: Path, variant: str) -> None:
    digits = data.digits()
    task = prepare(recipe(noise={"kind": "instance", "rate": 0.3, "variant": variant}, seed=4), digits, tmp_path)
    scale = {} if variant == "pdn" else {"mean": digits.mean, "std": digits.std}
    inputs, labels = digits.train.inputs, digits.train.labels
    expected = instance_dependent(inputs, labels, 0.3, num_classes=10, seed=4, variant=variant, **scale)
    assert task.noise is not None
    assert task.noise.checksum == expected.checksum
    assert task.noise.rate == pytest.approx(0.3, abs=0.04)


def test_label_lists_are_found_and_taken_by_position(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digits, folder = data.digits(), tmp_path / "data"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    noisy = symmetric(digits.train.labels, 0.4, num_classes=10, seed=9)
    (folder / "mine.json").write_text(json.dumps({"a": noisy.labels.tolist(), "b": noisy.clean.tolist()}))
    spec = {"kind": "labels", "path": "mine.json", "column": "a"}
    task = prepare(recipe(noise=spec), digits, folder)
    assert (task.labels == noisy.labels).all()
    assert task.noise is not None
    assert str(task.noise).startswith("mine noise, realized 39.97%")
    part = digits.first_per_class(100)
    assert part.source_index is not None
    assert (prepare(recipe(noise=spec), part, folder).labels == noisy.labels[part.source_index]).all()
    Path("mine.json").write_text("[0]")
    with pytest.raises(DataError, match="^mine.json is one list without names"):
        prepare(recipe(noise=spec), digits, folder)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "there is no label list list.json, neither in the working folder nor under"),
        ([0, 1], "list.json holds 2 labels, which do not fit the 1201 training samples of digits"),
        ([10] * 1201, "list.json: label 10 at index 0"),
    ],
)
def test_lists_that_do_not_fit_are_named(tmp_path: Path, labels: list[int] | None, message: str) -> None:
    if labels is not None:
        (tmp_path / "list.json").write_text(json.dumps(labels))
    with pytest.raises(DataError, match=message):
        prepare(recipe(noise={"kind": "labels", "path": "list.json"}), data.digits(), tmp_path)


def test_a_list_too_short_for_the_positions_of_a_part_is_refused(tmp_path: Path) -> None:
    part = data.digits().first_per_class(1000)
    assert part.source_index is not None
    assert part.source_index.max() > 1000
    (tmp_path / "list.json").write_text(json.dumps([0] * 1001))
    with pytest.raises(DataError, match="holds 1001 labels, which do not fit the 1000 training samples"):
        prepare(recipe(noise={"kind": "labels", "path": "list.json"}), part, tmp_path)


def test_a_list_in_another_order_is_warned_of(tmp_path: Path) -> None:
    shuffled = np.random.default_rng(0).permutation(data.digits().train.labels)
    np.save(tmp_path / "list.npy", shuffled)
    with pytest.warns(DataWarning, match=r"agree with the clean ones in \d+.\d%, which is chance"):
        prepare(recipe(noise={"kind": "labels", "path": "list.npy"}), data.digits(), tmp_path)


def test_clean_labels_of_own_arrays_are_what_a_list_is_measured_against(tmp_path: Path) -> None:
    given = data.digits().train.labels
    clean = (given + (np.arange(len(given)) % 4 == 0)) % 10
    np.save(tmp_path / "list.npy", clean)
    own = data.arrays(own_data(tmp_path, clean_labels=clean))
    values = {"name": "arrays", "path": str(tmp_path / "mine.npz")}
    task = prepare(recipe(data=values, noise={"kind": "labels", "path": "list.npy"}), own, tmp_path)
    assert task.noise is not None
    assert task.noise.rate == 0


@pytest.mark.parametrize("under", [".", "published-labels"])
def test_published_lists_of_instance_noise(tmp_path: Path, under: str) -> None:
    write_small_cifar(tmp_path, "cifar10")
    with pytest.warns(DataWarning, match="differ from the published"):
        cifar = data.cifar10(tmp_path)
    spec = {"kind": "instance", "rate": 0.4}
    published = [recipe(data="cifar10", model="cnn8", noise=spec, seed=seed) for seed in (1, 2)]
    with pytest.raises(DataError, match=r"there is neither .*cifar10_dependent_0.4.json nor .*published-labels"):
        prepare(published[0], cifar, tmp_path)
    noisy = symmetric(cifar.train.labels, 0.4, num_classes=10)
    (tmp_path / under).mkdir(exist_ok=True)
    path = tmp_path / under / "cifar10_dependent_0.4.json"
    path.write_text(json.dumps(noisy.labels.tolist()))
    tasks = [prepare(one, cifar, tmp_path) for one in published]
    assert all((task.labels == noisy.labels).all() for task in tasks)
    assert str(tasks[0].noise).startswith("published instance noise, realized 40.00%")
    part = prepare(published[0], cifar.first_per_class(100), tmp_path)
    assert cifar.first_per_class(100).source_index is not None
    assert (part.labels == noisy.labels[cifar.first_per_class(100).source_index]).all()
    path.write_text(json.dumps(noisy.labels[::-1].tolist()))
    with pytest.raises(DataError, match="not 40.00% of the samples: it belongs to other data"):
        prepare(published[0], cifar, tmp_path)


@pytest.mark.data
@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning")
@pytest.mark.parametrize("size", [None, 500])
def test_the_published_list_on_cifar(cifar_dir: Path, size: int | None) -> None:
    spec = recipe(data={"name": "cifar10", "train_size": size}, model="cnn8", noise={"kind": "instance", "rate": 0.4})
    task = prepare(spec, load_dataset(spec.data, cifar_dir), cifar_dir)
    assert task.noise is not None
    assert task.noise.rate == (0.4 if size is None else pytest.approx(0.4, abs=0.1))


def test_published_noise_warns_with_the_rate_it_gives(tmp_path: Path) -> None:
    with pytest.warns(NoiseWarning, match="floor-truncated counts give"):
        prepare(recipe(noise={"kind": "symmetric", "rate": 0.4, "mode": "published"}), data.digits(), tmp_path)


@pytest.mark.data
@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning")
def test_human_labels_on_a_part_of_cifar(cifar_dir: Path, tmp_path: Path) -> None:
    human = recipe(
        data={"name": "cifar10", "train_size": 500},
        model="cnn8(width=0.1)",
        noise={"kind": "human", "column": "worst"},
        epochs=1,
    )
    record = train(human, tmp_path / "run", data_dir=cifar_dir)
    assert record.noise is not None
    assert record.noise["rate"] == pytest.approx(0.4, abs=0.06)
    assert record.data["notes"] == ["cifar10: not the published files, by their checksums"]


def test_other_data_under_the_same_recipe_is_refused(tmp_path: Path) -> None:
    stopped = recipe(epochs=3)

    def stop(progress: Progress) -> None:
        if progress.epoch == 2:
            raise OSError("stopped")

    with pytest.raises(OSError, match="stopped"):
        train(stopped, tmp_path / "run", watch=stop)
    changed = data.digits()
    changed.train.inputs[0, 0, 0, 0] += 1
    with pytest.raises(RunError, match="was begun on other data of the name digits"):
        train(stopped, tmp_path / "run", dataset=changed)


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    train(recipe(), tmp_path / "run")
    with pytest.raises(RunError, match="but this recipe is run"):
        train(recipe(seed=2), tmp_path / "run")


def test_going_on_with_other_versions_is_warned_of_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(progress: Progress) -> None:
        if progress.epoch == 2:
            raise OSError("stopped")

    with pytest.raises(OSError, match="stopped"):
        train(recipe(epochs=3), tmp_path / "run", watch=stop)
    real = loop.environment
    monkeypatch.setattr(loop, "environment", lambda device: {**real(device), "torch": "99"})
    with pytest.warns(RunWarning, match=r"goes on in another environment \(torch '99', before '"):
        record = train(recipe(epochs=3), tmp_path / "run")
    assert [entry["from_epoch"] for entry in record.environments] == [1, 2]


@pytest.mark.parametrize("damage", ["cut", "text", "pickle"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, damage: str) -> None:
    def stop(progress: Progress) -> None:
        if progress.epoch == 2:
            raise OSError("stopped")

    with pytest.raises(OSError, match="stopped"):
        train(recipe(), tmp_path / "run", watch=stop)
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    if damage == "cut":
        checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])
    elif damage == "text":
        checkpoint.write_text("hello")
    else:
        torch.save({"epoch": Path("x")}, checkpoint)
    with pytest.raises(RunError, match=r"cannot read .*checkpoint.pt.*Delete it to run again from the start"):
        train(recipe(), tmp_path / "run")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "noiseproof-run-1"}', '{"format": "0"}'])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.json").write_text(text)
    with pytest.raises(RunError, match=r"record.json"):
        train(recipe(), tmp_path / "run")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot use .* as a run folder"):
        train(recipe(), tmp_path / "file")


def test_devices_and_splits_that_do_not_exist_are_named(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(RunError, match="cannot train on device 'cuda'"):
            train(recipe(), tmp_path / "run", device="cuda")
    with pytest.raises(RecipeError, match="validation: 0.9999 of 1201 samples leaves 1201 for validation and 0"):
        train(recipe(validation=0.9999), tmp_path / "run")


@pytest.mark.filterwarnings("ignore::noiseproof.errors.DataWarning")
def test_datasets_are_loaded_by_name(tmp_path: Path) -> None:
    from conftest import write_small_cifar

    for name in ("cifar10", "cifar100"):
        write_small_cifar(tmp_path, name)
        assert load_dataset(recipe(data=name).data, tmp_path).name == name


def test_in_a_thread_signals_are_left_alone(tmp_path: Path) -> None:
    import threading

    records = []
    worker = threading.Thread(target=lambda: records.append(train(recipe(epochs=1), tmp_path / "run")))
    worker.start()
    worker.join()
    assert records[0].status == "finished"


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_training_on_a_gpu(tmp_path: Path, precision: str) -> None:
    record = train(recipe(precision=precision, epochs=5, augment=["crop"]), tmp_path / "run", device="cuda")
    assert record.last is not None
    assert record.epochs[0].train_loss > record.last.train_loss


def test_short_epochs_do_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    save = RunFolder.save_checkpoint

    def slow(self: RunFolder, state: dict[str, Any]) -> None:
        saved.append(state["epoch"])
        time.sleep(0.2)
        save(self, state)

    monkeypatch.setattr(RunFolder, "save_checkpoint", slow)
    spec = recipe(epochs=12)
    steps = iter(range(1000))
    record = train(spec, tmp_path / "run", should_stop=lambda: next(steps) > 100)
    assert record.status == "running"
    assert saved[0] == 1
    assert len(saved) < 5
    assert len(record.epochs) == saved[-1]
    record = train(spec, tmp_path / "run")
    assert record == train(spec, tmp_path / "whole")
    read = read_record(tmp_path / "run")
    assert read is not None
    assert read.seconds is not None
    assert 0 < read.seconds < 60
