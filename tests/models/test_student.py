"""The Student head against its published formulas, written out sample by sample in plain floating point."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from noiseproof.errors import SpecError
from noiseproof.models import MODELS, Judged, ModelKind, Network, StudentHead, canonical_head, make_model


def reference(
    features: list[list[float]], means: list[list[float]], roots: list[float], labels: list[int] | None, margin: float
) -> tuple[list[list[float]], float]:
    """The logits, and the mean distance to the labeled class."""

    def unit(vector: list[float]) -> list[float]:
        norm = math.sqrt(sum(x * x for x in vector))
        return [x / norm for x in vector]

    size = math.log(len(means[0]))
    logits, own = [], 0.0
    for index, feature in enumerate(features):
        scores = []
        for k, mean in enumerate(means):
            distance = 0.5 * sum((a - b) ** 2 for a, b in zip(unit(feature), unit(mean), strict=True))
            if labels is not None and labels[index] == k:
                own += distance / len(features)
                distance *= 1 + margin
            nu = roots[k] ** 2 + 0.1
            front = math.gamma((nu + size) / 2) / (math.gamma(nu / 2) * nu ** (size / 2))
            scores.append(front * (1 + distance / nu) ** (-(nu + size) / 2))
        norm = math.sqrt(sum(score**2 for score in scores))
        logits.append([score / norm for score in scores])
    return logits, own


@settings(max_examples=50)
@given(
    st.integers(2, 7),
    st.integers(2, 40),
    st.floats(0, 2),
    st.floats(0, 2),
    st.floats(0.01, 4),
    st.integers(0, 2**32),
)
def test_the_head_is_the_published_one(
    classes: int, size: int, margin: float, center: float, spread: float, seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    head = StudentHead(size, classes, margin=margin, center=center).double()
    with torch.no_grad():
        head.means.copy_(torch.randn(classes, size, generator=random, dtype=torch.float64))
        head.roots.copy_(spread * torch.randn(classes, 1, generator=random, dtype=torch.float64))
    features = torch.randn(5, size, generator=random, dtype=torch.float64)
    labels = torch.randint(classes, (5,), generator=random)
    plain = [features.tolist(), head.means.tolist(), head.roots[:, 0].tolist()]
    expected, own = reference(*plain, labels.tolist(), margin)
    judged = head(features, labels)
    assert isinstance(judged, Judged)
    torch.testing.assert_close(judged.logits, torch.tensor(expected, dtype=torch.float64))
    assert judged.penalty.item() == pytest.approx(center * own, rel=1e-9, abs=1e-12)
    tested, _ = reference(*plain, None, margin)
    torch.testing.assert_close(head(features), torch.tensor(tested, dtype=torch.float64))
    torch.testing.assert_close(head(features).norm(dim=-1), torch.ones(5, dtype=torch.float64))


def test_gradients_are_those_of_the_formula() -> None:
    head = StudentHead(6, 4, margin=0.3, center=0.2).double()
    features = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 3])

    def objective(features: torch.Tensor, means: torch.Tensor, roots: torch.Tensor) -> torch.Tensor:
        judged = torch.func.functional_call(head, {"means": means, "roots": roots}, (features, labels))
        return functional.cross_entropy(judged.logits, labels) + judged.penalty

    assert torch.autograd.gradcheck(objective, (features, head.means, head.roots))


def test_extreme_values_stay_finite() -> None:
    head = StudentHead(512, 10, margin=0.1, center=0.05)
    with torch.no_grad():
        head.roots[:5] = 0.0
        head.roots[5:] = 100.0
    features = (1e20 * head.means.detach()[:3] / 10).requires_grad_()
    judged = head(features, torch.tensor([0, 1, 2]))
    (judged.logits.sum() + judged.penalty).backward()
    assert judged.logits.isfinite().all()
    assert features.grad is not None
    assert features.grad.isfinite().all()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in head.parameters())


def test_half_precision_is_computed_in_single() -> None:
    head = StudentHead(16, 4, margin=0.1, center=0.05)
    features = torch.randn(8, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = head(features.bfloat16())
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, head(features.bfloat16().float()))


@pytest.mark.parametrize(("model", "shape"), [("mlp", (5,)), ("resnet18(width=0.05)", (3, 32, 32))])
def test_networks_take_the_head_in_place_of_their_classifier(model: str, shape: tuple[int, ...]) -> None:
    plain = make_model(model, input_shape=shape, num_classes=7, seed=1)
    network = make_model(model, input_shape=shape, num_classes=7, seed=1, head="student(margin=0.2)")
    assert isinstance(network.classifier, StudentHead)
    assert (network.classifier.margin, network.classifier.center) == (0.2, 0.05)
    own = {key: value for key, value in network.state_dict().items() if not key.startswith("classifier.")}
    assert own.keys() == {key for key in plain.state_dict() if not key.startswith("classifier.")}
    assert all(torch.equal(value, plain.state_dict()[key]) for key, value in own.items())
    inputs = torch.randn(4, *shape)
    assert network(inputs).shape == (4, 7)
    judged = network(inputs, torch.tensor([0, 1, 2, 3]))
    (judged.logits.square().sum() + judged.logits.amax() + judged.penalty).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_resnet50_takes_the_head_under_the_name_of_its_classifier() -> None:
    network = make_model("resnet50", input_shape=(3, 32, 32), num_classes=3, head="student")
    assert "fc.means" in network.state_dict()
    assert "fc.weight" not in network.state_dict()
    assert network(torch.randn(2, 3, 32, 32)).shape == (2, 3)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("studnet", "unknown head 'studnet'; did you mean 'student'"),
        ("student(margin=-1)", r"student: margin must lie in \[0, inf\)"),
        ("student(centre=1)", "student has no parameter 'centre'; did you mean 'center'"),
    ],
)
def test_bad_heads_are_explained(head: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        canonical_head(head)


@pytest.mark.parametrize("has", ["nothing", "another layer", "a layer, and takes no labels"])
def test_a_network_without_a_linear_classifier_takes_no_head(has: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Network if has == "another layer" else torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            if has != "nothing":
                self.classifier = torch.nn.Linear(4, 3) if has != "another layer" else torch.nn.Identity()

    kind = ModelKind(lambda shape, classes: Own(), {}, smallest_image=None)
    monkeypatch.setitem(MODELS, "own", kind)
    with pytest.raises(SpecError, match="the head 'student' takes the place of the linear layer .* own has no such"):
        make_model("own", input_shape=(4,), num_classes=3, head="student")
    assert make_model("own", input_shape=(4,), num_classes=3)
