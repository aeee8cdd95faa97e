"""100,000 identities, as in face recognition, with 30 % wrong labels: JAL beside cross-entropy, without all logits.

python examples/identities.py [--people 100000] [--quick]

A person is a point on a sphere, and a photo a nonlinear view of it together with as much of pose. A small network makes
32 features of a photo; a logit is their cosine with the weights of a person, times 32. Both losses start from the same
network, which knows some of the people, and from the mean features of the photos that are said to show each person.
"""

from __future__ import annotations

import argparse
import copy
import math
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize

from noiseproof.losses import linear_loss, linear_statistics
from noiseproof.train import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable

POINT, POSE, PIXELS, WIDTH = 16, 8, 64, 32
PHOTOS, WRONG = 3, 0.3
SCALE = 32.0
JAL = "jal-ce(alpha=10, beta=3, a=2)"


class Album:
    """Photos of people, and who they are said to show."""

    def __init__(self, people: int, photos: int, wrong: float, seed: int) -> None:
        world, self.random = torch.Generator().manual_seed(0), torch.Generator().manual_seed(seed)
        self.points = normalize(torch.randn(people, POINT, generator=world)) * POINT**0.5
        self.lens = torch.randn(POINT + POSE, 2 * PIXELS, generator=world) / (POINT + POSE) ** 0.5
        self.screen = torch.randn(2 * PIXELS, PIXELS, generator=world) / (2 * PIXELS) ** 0.5
        self.person = torch.arange(people).repeat(photos)
        self.pose = torch.randn(len(self.person), POSE, generator=self.random)
        anybody = torch.randint(people, self.person.shape, generator=self.random)
        is_wrong = torch.rand(self.person.shape, generator=self.random) < wrong
        self.label = torch.where(is_wrong, anybody, self.person)

    def pixels(self, index: Tensor) -> Tensor:
        """``(N, PIXELS)``, each time with other noise of the camera."""
        seen = torch.tanh(torch.cat([self.points[self.person[index]], self.pose[index]], 1) @ self.lens) @ self.screen
        return seen + 0.1 * torch.randn(seen.shape, generator=self.random)

    @torch.no_grad()
    def features(self, network: nn.Module, count: int) -> Tensor:
        """Those of the first photos."""
        return torch.cat([normalize(network(self.pixels(part))) for part in torch.arange(count).split(10_000)])  # type: ignore[no-untyped-call]

    def means(self, network: nn.Module) -> Tensor:
        """Of the features of the photos that are said to show each person; nearly 0 where there are none."""
        own = 0.01 * torch.randn(len(self.points), WIDTH, generator=self.random)
        return normalize(own.index_add_(0, self.label, self.features(network, len(self.label))))


def new_network(random: torch.Generator) -> nn.Sequential:
    """Three layers."""
    first, second, last = nn.Linear(PIXELS, 256), nn.Linear(256, 256), nn.Linear(256, WIDTH)
    network = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)
    for weights in network.parameters():
        weights.data.uniform_(-(weights.shape[-1] ** -0.5), weights.shape[-1] ** -0.5, generator=random)
    return network


def learn(
    network: nn.Module, head: Tensor, album: Album, index: Tensor, loss: str, factor: float, passes: int, batch: int
) -> tuple[nn.Module, Tensor]:
    """The network and the head after some passes through some photos."""
    network, head = copy.deepcopy(network), head.clone().requires_grad_()
    # The weights of a person go as far as they are long at most, whatever the batch and the scale.
    slow, fast = torch.optim.Adam(network.parameters()), torch.optim.SGD([head])
    random = torch.Generator().manual_seed(0)
    parts = [part for _ in range(passes) for part in index[torch.randperm(len(index), generator=random)].split(batch)]  # type: ignore[no-untyped-call]
    began = time.perf_counter()
    for step, part in enumerate(parts, 1):
        pace = min(1, step / 10) * (1 - step / (len(parts) + 1))
        slow.param_groups[0]["lr"], fast.param_groups[0]["lr"] = 1e-3 * pace, batch / SCALE * pace
        features = normalize(network(album.pixels(part)))
        value = factor * linear_loss(features, normalize(head), album.label[part], loss, scale=SCALE)
        slow.zero_grad()
        fast.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        slow.step()
        fast.step()
        if step % max(1, len(parts) // 10) == 0:
            print(f"  {loss}: update {step} of {len(parts)}, {time.perf_counter() - began:.0f} s", flush=True)
    return network, head.detach()


def report(name: str, network: nn.Module, head: Tensor, album: Album, new: Album) -> None:
    """Print how many new photos are recognized, by the head and by the nearest mean of the album."""
    count = min(10_000, len(new.person))
    found = []
    for weights in (normalize(head), album.means(network)):
        tops = linear_statistics(new.features(network, count), weights, new.person[:count]).top
        found.append(float((tops == new.person[:count]).double().mean()))
    print(f"{name:<6} recognizes {found[0]:6.1%} of new photos by its head, {found[1]:6.1%} by the means", flush=True)


def cost(value: Callable[..., Tensor], people: int, batch: int) -> tuple[float, float]:
    """CPU seconds of a second step, and the megabytes that the first takes beyond what was there before it."""
    keep_freed_memory()
    torch.set_num_threads(1)  # the seconds of those that wait for others would count
    random = torch.Generator().manual_seed(0)
    target = torch.randint(people, (batch,), generator=random)
    features, head = (normalize(torch.randn(count, WIDTH, generator=random)) for count in (batch, people))
    value(features[:8].requires_grad_(), head[:99].requires_grad_(), target[:8] % 99).backward()  # type: ignore[no-untyped-call] # loads what it needs
    before = peak(anew=True)
    value(features.requires_grad_(), head.requires_grad_(), target).backward()  # type: ignore[no-untyped-call]
    more, began = peak() - before, time.process_time()
    value(features, head, target).backward()  # type: ignore[no-untyped-call]
    return time.process_time() - began, more


def peak(*, anew: bool = False) -> float:
    """The most megabytes that this process took since it was asked anew; NaN where the system is not Linux."""
    if not Path("/proc/self/clear_refs").exists():
        return math.nan
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def with_all_logits(features: Tensor, head: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy."""
    return cross_entropy(linear(SCALE * features, head), target)


def in_chunks(features: Tensor, head: Tensor, target: Tensor) -> Tensor:
    """JAL."""
    return linear_loss(features, head, target, JAL, scale=SCALE)


def main() -> None:
    """Learn with both losses, and print what it costs and what comes out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000, help="how many (default: 100000)")
    parser.add_argument("--factor", type=float, help="what JAL is multiplied by (default: the number of people)")
    parser.add_argument("--quick", action="store_true", help="2000 people")
    options = parser.parse_args()
    people = 2000 if options.quick else options.people
    batch = max(64, people // 50)

    for name, value in (("F.cross_entropy of all logits", with_all_logits), ("linear_loss, JAL", in_chunks)):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
            seconds, more = fresh.submit(cost, value, people, batch).result()
        print(f"{name}: {seconds:.2f} s of CPU and {more:.0f} MB for a step of {batch} photos", flush=True)

    album, new = Album(people, PHOTOS, WRONG, seed=1), Album(people, 1, 0.0, seed=2)
    share = float((album.label != album.person).double().mean())
    print(f"{people} people, {len(album.label)} photos, of which {share:.1%} have a wrong label", flush=True)
    random, first = torch.Generator().manual_seed(0), min(2000, people // 2)
    of_first = (album.label < first).nonzero().squeeze(1)
    head = torch.randn(first, WIDTH, generator=random)
    network, _ = learn(new_network(random), head, album, of_first, "ce", 1.0, passes=10, batch=128)
    head, every = album.means(network), torch.arange(len(album.label))
    report("start", network, head, album, new)
    # The gradient of JAL is divided by the number of classes, and a factor undoes that.
    for name, loss, factor in (("CE", "ce", 1.0), ("JAL", JAL, options.factor or float(people))):
        report(name, *learn(network, head, album, every, loss, factor, passes=2, batch=batch), album, new)


if __name__ == "__main__":
    main()
