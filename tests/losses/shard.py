"""A process that has some of the classes: what the tests of shards start, once for each."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

from noiseproof.losses import linear_loss, linear_statistics, make_loss
from noiseproof.losses.kernel import evaluate


def main(rank: int, sizes: list[int], folder: Path) -> None:
    """Write what comes out of all losses for the classes of this process."""
    evaluate._BLOCK = 4 * max(sizes)  # two blocks in a chunk
    torch.set_num_threads(1)
    store = distributed.FileStore(str(folder / "store"), len(sizes))
    distributed.init_process_group(
        "gloo", store=store, rank=rank, world_size=len(sizes), timeout=timedelta(seconds=120)
    )
    group = distributed.group.WORLD
    assert group is not None
    given = torch.load(folder / "given.pt", weights_only=True)
    own = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
    features, weight = given["features"], given["weight"][own]
    torch.manual_seed(rank)  # what is drawn must not depend on the process
    found = {}
    for place, (spec, kind) in enumerate(given["cases"]):
        smoothing, class_weight, target = 0.0, None, given["labels"]
        if kind == "soft":
            target = given["soft"][:, own]
        elif kind == "teacher":
            target = (given["teacher"], given["teacher weight"][own])
        elif kind == "ignored, smoothed, with weights":
            target, smoothing, class_weight = given["ignored"], 0.1, given["class weight"]
        loss = make_loss(spec, label_smoothing=smoothing, weight=class_weight, reduction=given["reduction"])
        inputs = (
            features.clone().requires_grad_(),
            weight.clone().requires_grad_(),
            given["bias"][own].clone().requires_grad_(),
        )
        value = linear_loss(*inputs[:2], target, loss, bias=inputs[2], group=group, rows=7)
        gradients = torch.autograd.grad(value.sum(), inputs)
        found[place] = (value.detach(), *gradients)
    statistics = linear_statistics(features, weight, given["ignored"], bias=given["bias"][own], group=group, rows=5)
    torch.save({"found": found, "statistics": tuple(statistics)}, folder / f"{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), [int(size) for size in sys.argv[2].split(",")], Path(sys.argv[3]))
