"""Updates per second of small networks that train side by side on a CPU, by how they share it.

    python benchmarks/together.py [--rounds 7] [--updates 24] [--out FILE.json]

The network is that of the recipe cifar10-lite, an update its forward and backward pass with JAL-CE and SGD, on random
images that are there already: what a run does besides is left out, so that only the ways are compared. They take turns:

- one network after another, on all threads;
- a process per core, each with a network and one thread;
- a thread per core in one process, each with a network and one thread of PyTorch's;
- stacked weights: several networks as one, with grouped convolutions, batched products and all threads.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from noiseproof.bench import load_grid
from noiseproof.losses import make_loss
from noiseproof.models import make_model
from noiseproof.provenance import environment
from noiseproof.train import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

_CORES = os.cpu_count() or 1
_STACKS = (2, 8)
_BATCH, _CLASSES, _SHAPE = 128, 10, (3, 16, 16)


def _network(seed: int) -> nn.Module:
    (recipe,) = load_grid("cifar10-lite").recipes
    return make_model(recipe.model, input_shape=_SHAPE, num_classes=_CLASSES, seed=seed)


class Stacked(nn.Module):
    """Networks of one architecture as one: their channels side by side, each convolution within its own network."""

    def __init__(self, networks: list[nn.Module]) -> None:
        super().__init__()
        self.count = len(networks)
        pairs = [[*network.features, network.classifier] for network in networks]  # type: ignore[union-attr, misc]
        self.layers = nn.ModuleList(self._layer(list(layers)) for layers in zip(*pairs, strict=True))

    def _layer(self, layers: list[Any]) -> nn.Module:
        first = layers[0]
        if isinstance(first, nn.Conv2d):
            conv = nn.Conv2d(
                self.count * first.in_channels, self.count * first.out_channels, 3, padding=1, groups=self.count
            )
            with torch.no_grad():
                conv.weight.copy_(torch.cat([layer.weight for layer in layers]))
                conv.bias.copy_(torch.cat([layer.bias for layer in layers]))  # type: ignore[union-attr]
            return conv
        if isinstance(first, nn.BatchNorm2d | nn.BatchNorm1d):
            return type(first)(self.count * first.num_features)
        if isinstance(first, nn.Linear):
            return _StackedLinear(layers)
        return nn.Flatten(2) if isinstance(first, nn.Flatten) else first

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(count, N, classes)`` of images ``(N, count * channels, height, width)``."""
        values = images
        for layer in self.layers:
            if isinstance(layer, nn.Flatten):
                values = layer(values.unflatten(1, (self.count, -1))).transpose(0, 1)
            elif isinstance(layer, nn.BatchNorm1d):
                flat = layer(values.transpose(0, 1).flatten(1))
                values = flat.unflatten(1, (self.count, -1)).transpose(0, 1)
            else:
                values = layer(values)
        return values


class _StackedLinear(nn.Module):
    def __init__(self, layers: list[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach()[None] for layer in layers]))

    def forward(self, values: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, values, self.weight)


def _updates(network: nn.Module, count: int = 1) -> Callable[[int], None]:
    """What updates a network, or a stack of ``count``, as often as it is told."""
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, fused=True)
    criterion = make_loss("jal-ce")
    random = torch.Generator().manual_seed(count)
    images = torch.randn(_BATCH, count * _SHAPE[0], *_SHAPE[1:], generator=random)
    images = images.to(memory_format=torch.channels_last)
    target = torch.randint(_CLASSES, (count * _BATCH,), generator=random)

    def update(times: int) -> None:
        for _ in range(times):
            optimizer.zero_grad()
            # The mean over all of a stack, times their number, is the sum of the means of its networks.
            (count * criterion(network(images).reshape(-1, _CLASSES), target)).backward()
            optimizer.step()

    return update


def _check_stacking() -> None:
    """Hold a stack against its networks."""
    networks = [_network(seed) for seed in range(3)]
    images = torch.randn(8, 3, *_SHAPE, generator=torch.Generator().manual_seed(0))
    apart = torch.stack([network(images[:, number]) for number, network in enumerate(networks)])
    torch.testing.assert_close(Stacked(networks)(images.flatten(1, 2)), apart, rtol=1e-4, atol=1e-4)


def _serve(pipe: Connection, seed: int) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    update = _updates(_network(seed))
    while times := pipe.recv():
        update(times)
        pipe.send(None)


def _in_processes() -> tuple[Callable[[int], None], Callable[[], None]]:
    context = multiprocessing.get_context("spawn")
    pipes = []
    for seed in range(_CORES):
        ours, theirs = context.Pipe()
        context.Process(target=_serve, args=(theirs, seed), daemon=True).start()
        pipes.append(ours)

    def update(times: int) -> None:
        for pipe in pipes:
            pipe.send(times)
        for pipe in pipes:
            pipe.recv()

    def stop() -> None:
        for pipe in pipes:
            pipe.send(0)

    return update, stop


def _in_threads(pool: ThreadPoolExecutor) -> Callable[[int], None]:
    updates = [_updates(_network(seed)) for seed in range(_CORES)]

    def run(one: Callable[[int], None], times: int) -> None:
        torch.set_num_threads(1)  # of this thread
        one(times)

    def update(times: int) -> None:
        for future in [pool.submit(run, one, times) for one in updates]:
            future.result()

    return update


def main() -> None:
    """Time the ways in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each way that count (default: 7)")
    parser.add_argument("--updates", type=int, default=24, help="of each network in a turn (default: 24)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures to this JSON file")
    options = parser.parse_args()

    keep_freed_memory()
    _check_stacking()
    in_processes, stop = _in_processes()
    with ThreadPoolExecutor(_CORES) as pool:
        ways: dict[str, tuple[int, Callable[[int], None]]] = {
            "one after another": (1, _updates(_network(0))),
            f"{_CORES} processes": (_CORES, in_processes),
            f"{_CORES} threads": (_CORES, _in_threads(pool)),
            **{f"{n} stacked": (n, _updates(Stacked([_network(seed) for seed in range(n)]), n)) for n in _STACKS},
        }
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(-1, options.rounds):  # the first is a warm-up
            for way, (networks, update) in ways.items():
                began = time.perf_counter()
                update(options.updates)
                if turn >= 0:
                    rates[way].append(networks * options.updates / (time.perf_counter() - began))
        stop()
    alone = rates["one after another"]
    ratios = {way: statistics.median(a / b for a, b in zip(rates[way], alone, strict=True)) for way in ways}
    print(f"{'way':<20}{'updates/s':>10}{'times as fast':>15}")
    for way in ways:
        print(f"{way:<20}{statistics.median(rates[way]):>10.1f}{ratios[way]:>15.3f}")
    if options.out is not None:
        result = {
            "what": f"updates of cifar10-lite's network, batch {_BATCH}",
            "environment": environment(torch.device("cpu")),
            "updates_per_second": rates,
            "ratio": ratios,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
