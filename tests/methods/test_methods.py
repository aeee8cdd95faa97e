"""Methods that are more than a loss: against plain loops, resumed, in tables, and from outside the package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from noiseproof import data, models
from noiseproof.bench import load_grid, run_grid
from noiseproof.errors import RecipeError, RunError, SpecError
from noiseproof.losses import make_loss
from noiseproof.methods import (
    METHODS,
    Batch,
    EpochStart,
    ForwardCorrection,
    Method,
    RobustLoss,
    StepOutput,
    canonical_method,
    estimate_transition_matrix,
    make_method,
)
from noiseproof.results import make_tables
from noiseproof.seeding import torch_stream
from noiseproof.train import Progress, Recipe, make_recipe, train
from noiseproof.train._order import epoch_order

BASE: dict[str, Any] = {
    "data": "digits",
    "noise": {"kind": "symmetric", "rate": 0.4},
    "model": "mlp(hidden=16)",
    "epochs": 4,
    "batch_size": 64,
    "lr": 0.1,
    "seed": 3,
}


def recipe(**changes: Any) -> Recipe:
    return make_recipe({**BASE, **changes})


def digits() -> tuple[Tensor, Tensor]:
    digits = data.digits()
    inputs = torch.from_numpy(digits.train.inputs).permute(0, 3, 1, 2).float() / 16
    return inputs, torch.from_numpy(digits.train.labels)


def new_network(seed: int = 3) -> nn.Module:
    return models.make_model("mlp(hidden=16)", input_shape=(1, 8, 8), num_classes=10, seed=seed)


def order_of(epoch: int, count: int) -> list[Tensor]:
    return epoch_order(count, 64, torch_stream(3, "order", epoch))


def weights_of(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "weights.safetensors")


def assert_same_weights(network: nn.Module, folder: Path) -> None:
    trained = weights_of(folder)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(trained[name], value, rtol=1e-3, atol=1e-4)


def a_batch(*, weight: Tensor | None = None, trusted: Tensor | None = None) -> Batch:
    inputs, labels = digits()
    return Batch((inputs[:12],), labels[:12], torch.arange(12), weight, trusted)


def test_samples_without_weight_are_as_if_they_were_not_there() -> None:
    network, method = new_network(), RobustLoss(make_loss("gce(q=0.7)"))
    weight = torch.tensor([1.0, 0, 2, 0, 3, 1, 0, 0, 1, 1, 0, 4])
    output = method.step([network], a_batch(weight=weight))
    counted = weight > 0
    batch = a_batch()
    kept = Batch((batch.views[0][counted],), batch.labels[counted], torch.arange(7), weight[counted])
    few = method.step([network], kept)
    torch.testing.assert_close(output.loss / output.weight, few.loss / few.weight)


def test_checked_labels_have_cross_entropy_and_others_the_loss() -> None:
    network, method = new_network(), RobustLoss(make_loss("gce(q=0.7)"))
    trusted, weight = torch.arange(12) % 3 == 0, torch.arange(12) + 1.0
    output = method.step([network], a_batch(weight=weight, trusted=trusted))
    logits, labels = network(a_batch().views[0]), a_batch().labels
    expected = 0.0
    for row in range(12):
        p = logits[row].softmax(0)[labels[row]].item()
        expected += float(weight[row]) * (-np.log(p) if trusted[row] else (1 - p**0.7) / 0.7)
    assert output.loss.item() == pytest.approx(expected, rel=1e-5)
    assert float(output.weight) == 78
    alone = method.step([network], a_batch(trusted=trusted))
    assert float(alone.weight) == 12
    everyone = method.step([network], a_batch(trusted=torch.ones(12, dtype=torch.bool)))
    torch.testing.assert_close(everyone.loss, nn.functional.cross_entropy(logits, labels, reduction="sum"))


def test_early_learning_regularization_is_the_published_update(tmp_path: Path) -> None:
    """The targets move before they are used, without a gradient; the term's gradient goes through p."""
    train(recipe(method="elr(beta=0.6, strength=2)", noise={"kind": "none"}, schedule="constant"), tmp_path / "run")
    inputs, labels = digits()
    network = new_network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    targets = torch.zeros(len(labels), 10)
    for epoch in range(4):
        for batch in order_of(epoch, len(labels)):
            logits = network(inputs[batch])
            p = torch.clamp(torch.softmax(logits, dim=1), 1e-4, 1.0 - 1e-4)
            detached = p.detach()
            for row, sample in enumerate(batch.tolist()):
                targets[sample] = 0.6 * targets[sample] + 0.4 * detached[row] / detached[row].sum()
            regularizer = (1 - (targets[batch] * p).sum(dim=1)).log().mean()
            objective = nn.functional.cross_entropy(logits, labels[batch]) + 2 * regularizer
            optimizer.zero_grad()
            objective.backward()
            optimizer.step()
    assert_same_weights(network, tmp_path / "run")


def test_forward_correction_is_the_published_method(tmp_path: Path) -> None:
    """CE for a share of the epochs, T from the surest samples, then a new network under T, each with its schedule."""
    record = train(recipe(method="forward(share=0.5)", noise={"kind": "none"}), tmp_path / "run")
    assert [epoch.phase for epoch in record.epochs] == [1, 1, 2, 2]
    assert [epoch.lr for epoch in record.epochs] == pytest.approx([0.1, 0.05, 0.1, 0.05])
    inputs, labels = digits()
    matrix = torch.eye(10)
    for phase in range(2):
        network = new_network(3 if phase == 0 else _second_seed())
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
        for within in range(2):
            optimizer.param_groups[0]["lr"] = 0.1 if within == 0 else 0.05
            for batch in order_of(2 * phase + within, len(labels)):
                p = torch.softmax(network(inputs[batch]), dim=1)
                of_noisy = torch.stack([(matrix[:, label] * row).sum() for row, label in zip(p, labels[batch])])  # noqa: B905
                optimizer.zero_grad()
                (-of_noisy.log().mean()).backward()
                optimizer.step()
        if phase == 0:
            with torch.no_grad():
                said = torch.softmax(network(inputs), dim=1)
            matrix = torch.stack([said[int(said[:, k].argmax())] for k in range(10)])
    assert_same_weights(network, tmp_path / "run")


def _second_seed() -> int:
    from noiseproof.seeding import derive

    return derive(3, "network", 1)


def test_a_transition_matrix_is_read_off_the_surest_samples() -> None:
    said = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    assert torch.equal(estimate_transition_matrix(said), torch.tensor([[0.9, 0.1], [0.2, 0.8]]))
    sure = estimate_transition_matrix(torch.eye(3))
    assert (sure > 0).all()
    torch.testing.assert_close(sure.sum(1), torch.ones(3))


def test_the_estimate_is_near_the_noise(tmp_path: Path) -> None:
    """On separable data whose labels were flipped by a matrix, the estimated one is near it."""
    random = np.random.default_rng(0)
    true = np.repeat(np.arange(3), 400)
    features = 8 * np.eye(3)[true] + random.normal(size=(1200, 3))
    matrix = np.array([[0.7, 0.3, 0.0], [0.0, 0.8, 0.2], [0.1, 0.0, 0.9]])
    noisy = np.array([random.choice(3, p=matrix[label]) for label in true])
    np.savez(tmp_path / "own.npz", features=features, labels=noisy)
    found: list[Tensor] = []

    class Spy(ForwardCorrection, name="spied-forward"):
        def start_epoch(self, state: EpochStart) -> None:
            super().start_epoch(state)
            found.append(self.matrix.clone())

    try:
        train(
            make_recipe(
                {
                    "data": {"name": "arrays", "path": str(tmp_path / "own.npz")},
                    "model": "mlp(hidden=8, depth=1)",
                    "method": {"kind": "spied-forward(share=0.5)"},
                    "optimizer": "adamw",
                    "epochs": 20,
                    "batch_size": 64,
                    "lr": 0.01,
                }
            ),
            tmp_path / "run",
        )
    finally:
        del METHODS["spied-forward"]
    assert np.abs(found[-1].numpy() - matrix).max() < 0.2


METHODS_TO_STOP = ["elr", "forward(share=0.5)", "lt-apl", "jal-ce", {"kind": "two-of-a-kind"}]


class TwoOfAKind(Method, name="two-of-a-kind"):
    """Two networks that learn from two views, with a weight per sample and an order of its own in what it keeps."""

    networks, views = 2, 2

    seen: Tensor

    def begin(self, num_samples: int, num_classes: int) -> None:
        self.register_buffer("seen", torch.zeros(num_samples, dtype=torch.int64))
        self.trust = nn.Parameter(torch.zeros(num_samples))

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.trust], "weight_decay": 0.1}]

    def step(self, networks: Sequence[nn.Module], batch: Batch) -> StepOutput:
        outputs = [network(view) for network, view in zip(networks, batch.views, strict=True)]
        each = sum(nn.functional.cross_entropy(logits, batch.labels, reduction="none") for logits in outputs)
        weight = torch.sigmoid(self.trust[batch.index])
        self.seen[batch.index] += 1
        return StepOutput((each * weight).sum(), weight.detach().sum(), outputs[0])


@pytest.mark.parametrize("method", METHODS_TO_STOP, ids=str)
def test_methods_go_on_where_they_stopped(tmp_path: Path, method: Any) -> None:
    spec = recipe(method=method, augment=["crop"], model="small-cnn(width=0.25)", validation=0.1, lr=0.02)
    whole = train(spec, tmp_path / "whole")
    steps = len(range(0, 1081, 64))
    for stop in (1, steps - 1, steps, 2 * steps, 2 * steps + 1, 3 * steps + 5):
        asked = iter(range(10_000))
        train(spec, tmp_path / str(stop), should_stop=lambda: next(asked) >= stop)  # noqa: B023
        assert train(spec, tmp_path / str(stop)) == whole
        for file in (tmp_path / "whole").glob("*.safetensors"):
            assert (tmp_path / str(stop) / file.name).read_bytes() == file.read_bytes()
        assert (tmp_path / str(stop) / "record.json").read_bytes() == (tmp_path / "whole" / "record.json").read_bytes()


def test_a_method_of_two_networks_leaves_both(tmp_path: Path) -> None:
    train(recipe(method={"kind": "two-of-a-kind"}, validation=0.1), tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").glob("*.safetensors")}
    assert names == {f"{name}{which}.safetensors" for name in ("weights", "selected") for which in ("", "-2")}


def test_methods_have_rows_in_tables(tmp_path: Path) -> None:
    grid = load_grid("digits", {"epochs": 4, "lr": 0.1, "grid": {"methods": ["ce", "elr", "forward"]}})
    table = make_tables("", run_grid(grid, tmp_path))[0]
    assert [name for name, _ in table.rows] == ["CE", "ELR", "Forward"]


def test_published_parameters_follow_the_noise() -> None:
    cifar: dict[str, Any] = {"data": "cifar10", "method": "elr"}
    symmetric = recipe(**cifar).method
    assert (symmetric.kind, symmetric.loss, symmetric.l2) == ("elr(beta=0.7, strength=3)", "ce", 1e-3)
    asymmetric = recipe(**cifar, noise={"kind": "asymmetric", "rate": 0.4}).method
    assert asymmetric.kind == "elr(beta=0.9, strength=1)"
    assert recipe(method="elr(beta=0.5)").method.kind == "elr(beta=0.5, strength=3)"


def test_kinds_are_a_part_of_the_identity_and_take_any_loss() -> None:
    plain, elr = recipe(method="ce"), recipe(method={"kind": "elr", "loss": "gce"})
    assert plain.id != recipe(method="elr").id
    assert elr.method.loss == make_loss("gce").spec
    assert elr.method.name == "elr"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("elrr", "unknown method 'elrr'; did you mean 'elr'"),
        ("elr(beta=1)", r"elr: beta must lie in \[0, 1\)"),
        ("forward(quantile=0.9)", "forward has no parameter 'quantile'"),
    ],
)
def test_unknown_methods_and_parameters_are_named(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_method(spec)
    with pytest.raises(RecipeError, match=message):
        recipe(method={"kind": spec})


def test_specs_are_canonical() -> None:
    for spec in ("loss", "elr(strength=1)", "forward"):
        assert canonical_method(canonical_method(spec)) == canonical_method(spec)
    assert canonical_method(" ELR( beta = .90 ) ") == "elr(beta=0.9, strength=3)"


def test_names_are_taken_once() -> None:
    with pytest.raises(SpecError, match="a method called 'elr' exists already"):

        class Another(Method, name="elr"):
            """Of the same name."""


def test_only_losses_are_compiled(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--fast is for methods that are a loss alone"):
        train(recipe(method="elr"), tmp_path / "run", fast=True)


@pytest.mark.parametrize("method", ["elr", "forward"])
@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_methods_in_other_precisions(tmp_path: Path, method: str, precision: str) -> None:
    record = train(recipe(method=method, precision=precision), tmp_path / "run")
    assert record.status == "finished"


def test_a_method_sees_its_epoch_and_its_labels(tmp_path: Path) -> None:
    seen: list[tuple[int, int, int]] = []

    class Watcher(RobustLoss, name="watcher"):
        def start_epoch(self, state: EpochStart) -> None:
            probabilities = state.probabilities()
            torch.testing.assert_close(probabilities.sum(1), torch.ones(len(state.labels)))
            seen.append((state.epoch, state.epochs, len(state.labels)))

    try:
        train(recipe(method={"kind": "watcher"}, epochs=2, validation=0.1), tmp_path / "run", watch=_nothing)
    finally:
        del METHODS["watcher"]
    assert seen == [(0, 2, 1081), (1, 2, 1081)]


def _nothing(_: Progress) -> None:
    pass
