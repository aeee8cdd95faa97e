"""Images per second of `noiseproof train` against the plain PyTorch loop that published code has.

    python benchmarks/loop.py --data-dir DIR [--rounds 7] [--steps 6] [--out FILE.json]
    python benchmarks/loop.py --data-dir DIR --device cuda --fast --precision bf16-mixed --workers 8 --workers 16
        --steps 300 [--recipe cifar100]

Both run a recipe of the paper (8-layer CNN or ResNet-34, batch 128, JAL-CE with L1, clipping at 5), each in a process
of its own, and take turns: a few steps of one, then of the other, so that a machine whose speed drifts slows both. The
plain loop has what published code has: float32, contiguous layout, a DataLoader, crops and flips that see one image at
a time (without the rotations of CIFAR-100, in its favor) and a look at every loss; with and without worker processes,
and the fastest counts. Evaluation is outside the timing, unless a turn is so long that an epoch of noiseproof ends in
it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.optim import optimizer as optimizers
from torch.utils.data import DataLoader, Dataset

from noiseproof import losses, models
from noiseproof.bench import load_grid
from noiseproof.provenance import environment
from noiseproof.train import Progress, keep_freed_memory, load_dataset, prepare, train

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_BATCH = 128


class _Turns:
    """The worker's side of taking turns: count steps, report the time of a turn, wait for the next."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.left = 0
        self.model_seconds = 0.0
        self.started = 0.0

    def wait(self) -> bool:
        """Wait for the number of steps of the next turn; false when there is none."""
        self.left = self.pipe.recv()
        self.model_seconds, self.started = 0.0, time.perf_counter()
        return self.left > 0

    def step_done(self) -> bool:
        self.left -= 1
        if self.left:
            return True
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.synchronize()
        self.pipe.send((time.perf_counter() - self.started, self.model_seconds))
        return self.wait()


def _time_model(turns: _Turns) -> None:
    """Add up the time inside the model's forward, the backward and the optimizer's step, from outside the loop."""
    began = [0.0]

    def start(*_: object) -> None:
        began[0] = time.perf_counter()

    def stop(*_: object) -> None:
        turns.model_seconds += time.perf_counter() - began[0]

    hooks.register_module_forward_pre_hook(lambda m, *_: start() if isinstance(m, models.Network) else None)
    hooks.register_module_forward_hook(lambda m, *_: stop() if isinstance(m, models.Network) else None)
    optimizers.register_optimizer_step_pre_hook(start)
    optimizers.register_optimizer_step_post_hook(stop)

    def timed(backward: Any) -> Any:
        def call(*arguments: Any, **keywords: Any) -> None:
            start()
            backward(*arguments, **keywords)
            stop()

        return call

    torch.Tensor.backward = timed(torch.Tensor.backward)  # type: ignore[method-assign]


class _PerImage(Dataset[tuple[Tensor, int]]):
    """Images that are padded, cropped, flipped and standardized one by one, as transforms do it."""

    def __init__(self, images: Any, labels: Any, mean: Tensor, std: Tensor) -> None:
        self.images, self.labels, self.mean, self.std = images, labels, mean, std

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = torch.from_numpy(self.images[index]).permute(2, 0, 1).float() / 255
        image = nn.functional.pad(image, (4, 4, 4, 4))
        top, left = torch.randint(9, (2,)).tolist()
        image = image[:, top : top + 32, left : left + 32]
        if torch.rand(()) < 0.5:
            image = image.flip(2)
        return (image - self.mean) / self.std, int(self.labels[index])


class _EnoughError(Exception):
    """The benchmark has seen enough steps."""


def run_noiseproof(pipe: Connection, options: argparse.Namespace) -> None:
    """A worker that trains as `noiseproof train cifar10` does, allocator setting included."""
    turns = _Turns(pipe)
    _time_model(turns)
    keep_freed_memory()
    (recipe,) = load_grid(options.recipe, {"precision": options.precision}).recipes

    def watch(_: Progress) -> None:
        if not turns.step_done():
            raise _EnoughError

    with tempfile.TemporaryDirectory() as folder:
        turns.wait()
        try:
            train(recipe, folder, data_dir=options.data_dir, device=options.device, fast=options.fast, watch=watch)
        except _EnoughError:
            return


def run_plain(pipe: Connection, options: argparse.Namespace, workers: int) -> None:
    """A worker with the loop of published code."""
    turns = _Turns(pipe)
    _time_model(turns)
    (recipe,) = load_grid(options.recipe).recipes
    device = torch.device(options.device)
    cifar = load_dataset(recipe.data, options.data_dir)
    labels = prepare(recipe, cifar, options.data_dir).labels
    mean = torch.tensor(cifar.mean).view(3, 1, 1) / 255
    std = torch.tensor(cifar.std).view(3, 1, 1) / 255

    loader = DataLoader(
        _PerImage(cifar.train.inputs, labels, mean, std),
        _BATCH,
        shuffle=True,
        num_workers=workers,
        pin_memory=device.type == "cuda",
    )
    network = models.make_model(recipe.model, input_shape=(3, 32, 32), num_classes=cifar.num_classes, seed=1).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=recipe.lr, momentum=0.9)
    criterion = losses.make_loss(recipe.method.loss)
    turns.wait()
    while True:
        for batch in loader:
            images, target = (part.to(device) for part in batch)
            optimizer.zero_grad()
            loss = criterion(network(images), target)
            l1 = 0.0
            for parameter in network.parameters():
                l1 = l1 + parameter.abs().sum()
            (loss + 5e-5 * l1).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            loss.item()
            if not turns.step_done():
                return


def main() -> None:
    """Run the loops in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="where CIFAR-10 is")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each loop that count (default: 7)")
    parser.add_argument("--steps", type=int, default=6, help="steps per turn (default: 6)")
    parser.add_argument("--recipe", default="cifar10", choices=("cifar10", "cifar100"), help="default: cifar10")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="default: cpu")
    parser.add_argument("--fast", action="store_true", help="noiseproof's compiled updates")
    parser.add_argument("--precision", default="32-true", help="of noiseproof (default: 32-true)")
    parser.add_argument(
        "--workers", type=int, action="append", help="of the plain loop's loader; may be repeated (default: 0 and 2)"
    )
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()

    context = multiprocessing.get_context("spawn")
    loops: dict[str, tuple[Any, ...]] = {
        "noiseproof": (run_noiseproof, options),
        **{f"plain loop, {count} workers": (run_plain, options, count) for count in options.workers or (0, 2)},
    }
    pipes = {}
    for name, (target, *arguments) in loops.items():
        pipes[name], theirs = context.Pipe()
        context.Process(target=target, args=(theirs, *arguments)).start()
        theirs.close()  # so that a worker's death is noticed here
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    shares: dict[str, list[float]] = {name: [] for name in loops}
    for round_number in range(-1, options.rounds):  # the first is a warm-up
        for name, pipe in pipes.items():
            pipe.send(options.steps)
            elapsed, in_model = pipe.recv()
            if round_number >= 0:
                seconds[name].append(elapsed)
                shares[name].append(1 - in_model / elapsed)
    for pipe in pipes.values():
        pipe.send(0)

    rates = {name: options.steps * _BATCH / statistics.median(times) for name, times in seconds.items()}
    plain = max(list(rates)[1:], key=rates.__getitem__)
    ratios = [a / b for a, b in zip(seconds[plain], seconds["noiseproof"], strict=True)]
    print(f"{'loop':<24}{'images/s':>10}{'outside the model':>20}")
    for name, rate in rates.items():
        print(f"{name:<24}{rate:>10.1f}{statistics.median(shares[name]):>19.1%}")
    print(
        f"\nnoiseproof / {plain}: {statistics.median(ratios):.3f} times the images per second (median of {len(ratios)} "
        f"pairs, {min(ratios):.3f} to {max(ratios):.3f})"
    )
    if options.out is not None:
        result = {
            "what": f"training steps of the recipe {options.recipe}, batch 128",
            "noiseproof": {"fast": options.fast, "precision": options.precision},
            "environment": environment(torch.device(options.device)),
            "images_per_second": rates,
            "share_outside_model": {name: statistics.median(values) for name, values in shares.items()},
            "baseline": plain,
            "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
