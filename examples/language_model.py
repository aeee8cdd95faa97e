"""A small language model of 32,000 hashed words, where one in five of the words that it is to predict is a random one.

python examples/language_model.py [--words 32000] [--quick]

The text are the docstrings of numpy and scikit-learn. A GRU reads the words as they are, and the next ones that it
learns to predict are replaced in one place of five, by words drawn from all. Some files are held out: with such words
too, to fit a temperature on, and as they are, to measure.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.util
import re
import time
import zlib
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from noiseproof.losses import linear_loss, linear_statistics

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH, LENGTH = 128, 64
WRONG = 0.2


def docstrings(package: str) -> Iterator[str]:
    """Those of each file of an installed package."""
    place = importlib.util.find_spec(package)
    if place is None or place.origin is None:
        raise SystemExit(f"{package} is not installed: pip install 'noiseproof[train]'")
    documented = ast.Module, ast.ClassDef, ast.FunctionDef
    for file in sorted(Path(place.origin).parent.rglob("*.py")):
        nodes = (node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, documented))
        yield "\n".join(ast.get_docstring(node) or "" for node in nodes)


def lines_of(texts: list[str], words: int) -> Tensor:
    """Hashed words, ``(lines, LENGTH + 1)``: each line goes on with the last word of the one before."""
    found = chain.from_iterable(re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts)
    stream = torch.tensor([zlib.crc32(word.encode()) % words for word in found])
    return stream.unfold(0, LENGTH + 1, LENGTH)


def with_random_words(target: Tensor, words: int, random: torch.Generator) -> Tensor:
    """The words to predict, some of them replaced."""
    drawn = torch.randint(words, target.shape, generator=random)
    return torch.where(torch.rand(target.shape, generator=random) < WRONG, drawn, target)


class Reader(nn.Module):
    """Features of what comes after each word, and the weights of the words, which are those that it reads with."""

    def __init__(self, words: int, random: torch.Generator) -> None:
        super().__init__()
        self.words = nn.Parameter(0.05 * torch.randn(words, WIDTH, generator=random))
        self.bias = nn.Parameter(torch.zeros(words))
        self.cells = nn.GRU(WIDTH, WIDTH, batch_first=True)
        for weights in self.cells.parameters():
            weights.data.uniform_(-(WIDTH**-0.5), WIDTH**-0.5, generator=random)

    def forward(self, words: Tensor) -> Tensor:
        """``(lines, words)`` to ``(lines, words, WIDTH)``."""
        return self.cells(nn.functional.embedding(words, self.words))[0]


def learn(model: Reader, lines: Tensor, target: Tensor, loss: str, factor: float) -> Reader:
    """A model that has gone on with these lines, 16 at a time."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters())
    began, count = time.perf_counter(), len(lines) // 16
    for step in range(1, count + 1):
        part = slice(16 * step - 16, 16 * step)
        optimizer.param_groups[0]["lr"] = 4e-3 * min(1, step / 20, 2 * (1 - step / (count + 1)))
        features = model(lines[part, :-1])
        value = factor * linear_loss(features, model.words, target[part], loss, bias=model.bias)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % max(1, count // 5) == 0:
            print(f"  {loss}: update {step} of {count}, {time.perf_counter() - began:.0f} s", flush=True)
    return model


@torch.no_grad()
def measure(model: Reader, lines: Tensor, target: Tensor, scale: float = 1.0) -> tuple[float, float]:
    """Accuracy, and cross-entropy in nats."""
    found = linear_statistics(model(lines[:, :-1]), model.words, target, bias=model.bias, scale=scale)
    return float((found.top == target).double().mean()), -float(found.log_p.double().mean())


def main() -> None:
    """Read, learn with each loss, and print what they come to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="some files, 1000 words, 20 updates of each")
    parser.add_argument("--words", type=int, default=32_000, help="that words are hashed to (default: 32000)")
    options = parser.parse_args()
    words, updates, files = (1000, 20, 60) if options.quick else (options.words, 250, 10_000)

    texts = [text for package in ("numpy", "sklearn") for text in islice(docstrings(package), files)]
    random = torch.Generator().manual_seed(0)
    lines = lines_of([text for number, text in enumerate(texts) if number % 10], words)
    lines = lines[torch.randperm(len(lines), generator=random)][: 32 * updates]
    noisy, clean = (lines_of(texts[first::20], words) for first in (0, 10))
    noisy, clean = noisy[torch.randperm(len(noisy), generator=random)[:64]], clean[:512]
    target, noisy_target = (with_random_words(each[:, 1:], words, random) for each in (lines, noisy))
    print(f"{len(texts)} files; {target.numel()} words to learn from, {clean[:, 1:].numel()} to measure", flush=True)

    half = len(lines) // 2
    warm = learn(Reader(words, random), lines[:half], target[:half], "ce", 1.0)
    # The gradient of a normalized loss, and of AMSE, is divided by the number of classes: a factor undoes that.
    for name, loss, factor in (
        ("CE", "ce", 1.0),
        ("JAL", "jal-ce(alpha=10, beta=3, a=2)", float(words)),
        ("CE + AMSE", f"ce + {words}*amse(a=2)", 1.0),
    ):
        model = learn(warm, lines[half:], target[half:], loss, factor)
        scale = min((each / 10 for each in range(2, 13)), key=lambda each: measure(model, noisy, noisy_target, each)[1])
        (accuracy, nats), (_, scaled) = (measure(model, clean, clean[:, 1:], each) for each in (1.0, scale))
        print(f"{name:<10} {accuracy:.1%} of the next words, {nats:.2f} nats, {scaled:.2f} at a temperature of "
              f"{1 / scale:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
