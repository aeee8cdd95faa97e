"""Losses over classes that several processes share."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed
from torch.nn import functional

from loss_cases import BY_NAME
from noiseproof.errors import LabelError
from noiseproof.losses import __file__ as PACKAGE
from noiseproof.losses import linear_loss, linear_statistics, make_loss

ROWS, WIDTH = 13, 6

KINDS = ("hard", "ignored, smoothed, with weights", "soft", "teacher")

HUGE = ["1e4*ce + amse", "ce-eps(m=10)", "amse(a=5, q=3)", "normalized(fl(gamma=20))", "negative(gce)"]
"""These take other ways through the rows."""


def given(classes: int, reduction: str, kinds: tuple[str, ...] = KINDS) -> dict[str, Any]:
    random = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64)

    labels = torch.randint(classes, (ROWS,), generator=random)
    return {
        "features": draw(ROWS, WIDTH),
        "weight": draw(classes, WIDTH),
        "bias": draw(classes),
        "labels": labels,
        "ignored": torch.where(torch.arange(ROWS) % 4 == 2, -100, labels),
        "soft": draw(ROWS, classes).softmax(1),
        "teacher": draw(ROWS, 3),
        "teacher weight": draw(classes, 3),
        "class weight": draw(classes).abs(),
        "reduction": reduction,
        "cases": [(spec, kind) for spec in [*(loss.spec for loss in BY_NAME.values()), *HUGE] for kind in kinds],
    }


@pytest.mark.skipif(not distributed.is_available() or not distributed.is_gloo_available(), reason="needs gloo")
@pytest.mark.parametrize(
    ("sizes", "reduction", "kinds"), [([23, 37], "mean", KINDS), ([20, 3, 717], "none", ("hard", "soft"))]
)
def test_every_loss_is_the_same_over_shards(
    sizes: list[int], reduction: str, kinds: tuple[str, ...], tmp_path: Path
) -> None:
    data = given(sum(sizes), reduction, kinds)
    torch.save(data, tmp_path / "given.pt")
    command = [sys.executable, str(Path(__file__).with_name("shard.py"))]
    processes = [
        subprocess.Popen(
            [*command, str(rank), ",".join(map(str, sizes)), str(tmp_path)], stderr=subprocess.PIPE, text=True
        )
        for rank in range(len(sizes))
    ]
    errors = [process.communicate(timeout=300)[1] for process in processes]
    assert not any(process.returncode for process in processes), errors[0]
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(len(sizes))]
    inputs = tuple(data[name].clone().requires_grad_() for name in ("features", "weight", "bias"))
    for place, (spec, kind) in enumerate(data["cases"]):
        options: dict[str, Any] = {"reduction": reduction}
        target = data["labels"]
        if kind == "soft":
            target = data["soft"]
        elif kind == "teacher":
            target = (data["teacher"] @ data["teacher weight"].T).softmax(1)
        elif kind != "hard":
            target = data["ignored"]
            options |= {"label_smoothing": 0.1, "weight": data["class weight"]}
        value = make_loss(spec, **options)(functional.linear(*inputs), target)
        expected = (value.detach(), *torch.autograd.grad(value.sum(), inputs))
        for part in parts:
            for found, wanted in zip(part["found"][place][:2], expected[:2], strict=True):
                torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9, msg=f"{spec}, {kind}")
        for number, wanted in enumerate(expected[2:], 2):
            found = torch.cat([part["found"][place][number] for part in parts])
            torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9, msg=f"{spec}, {kind}")
    expected = linear_statistics(data["features"], data["weight"], data["ignored"], bias=data["bias"])
    for part in parts:
        for found, wanted in zip(part["statistics"], expected, strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9, equal_nan=True)


@pytest.mark.skipif(not distributed.is_available() or not distributed.is_gloo_available(), reason="needs gloo")
def test_drawn_labels_are_the_same_everywhere(tmp_path: Path) -> None:
    data = {**given(60, "mean"), "cases": [("nlnl", "hard")]}
    torch.save(data, tmp_path / "given.pt")
    command = [sys.executable, str(Path(__file__).with_name("shard.py"))]
    processes = [subprocess.Popen([*command, str(rank), "23,37", str(tmp_path)]) for rank in range(2)]
    assert not any(process.wait(timeout=120) for process in processes)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True)["found"][0] for rank in range(2))
    torch.testing.assert_close(first[0], second[0], rtol=0, atol=0)
    # Weights of all classes together are pulled as far as they are pushed.
    assert (first[2].sum() + second[2].sum()).abs() < 1e-12


def test_a_group_of_one_and_what_it_cannot_do(tmp_path: Path) -> None:
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        data = given(60, "mean")
        features, weight = data["features"].requires_grad_(), data["weight"]
        value = linear_loss(features, weight, data["labels"], "jal-ce", group=distributed.group.WORLD)
        torch.testing.assert_close(value, linear_loss(features, weight, data["labels"], "jal-ce"))
        with pytest.raises(LabelError, match="a second derivative of linear_loss over shards"):
            torch.autograd.grad(value, features, create_graph=True)
        with pytest.raises(LabelError, match="where something looks through its operations"):
            torch.func.grad(lambda x: linear_loss(x, weight, data["labels"], "ce", group=distributed.group.WORLD))(
                features
            )
        with pytest.raises(LabelError, match="target 60 is no class"):
            linear_loss(features, weight, data["labels"].fill_(60), "ce", group=distributed.group.WORLD)
    finally:
        distributed.destroy_process_group()


REDUCTIONS = {
    "sum", "mean", "amax", "amin", "max", "min", "argmax", "argmin", "norm", "vector_norm", "logsumexp", "softmax",
    "log_softmax", "cumsum", "prod", "topk", "sort", "gather", "scatter", "scatter_", "scatter_add", "scatter_add_",
}  # fmt: skip
"""What goes across the classes of a row, or picks one of them, under its names in torch."""


@pytest.mark.parametrize(
    "name",
    [
        "definitions.py",
        "operators.py",
        "comparisons.py",
        "published.py",
        "base.py",
        "kernel/leading.py",
        "kernel/form.py",
    ],
)
def test_definitions_ask_one_object_for_what_goes_across_the_classes(name: str) -> None:
    tree = ast.parse((Path(PACKAGE).parent / name).read_text(encoding="utf-8"))
    wrong = [
        f"{name}:{node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in REDUCTIONS
        and not ast.unparse(node.func.value).endswith("classes")
    ]
    assert not wrong
