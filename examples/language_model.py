"""A small language model of 32,000 hashed words, where one in five of the words that it is to predict is a random one.

python examples/language_model.py [--quick]

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
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn

from noiseproof.losses import linear_loss, linear_statistics

WIDTH, LENGTH = 128, 64
WRONG = 0.2


def docstrings(package: str) -> list[str]:
    """Those of each file of an installed package."""
    place = importlib.util.find_spec(package)
    if place is None or place.origin is None:
        raise SystemExit(f"{package} is not installed: pip install 'noiseproof[train]'")
    documented = ast.Module, ast.ClassDef, ast.FunctionDef
    texts = []
    for file in sorted(Path(place.origin).parent.rglob("*.py")):
        nodes = (node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, documented))
        texts.append("\n".join(ast.get_docstring(node) or "" for node in nodes))
    return texts


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


def learn(model: Reader, lines: Tensor, target: Tensor, loss: str, lr: float, factor: float = 1.0) -> Reader:
    """A model that has gone on with these lines, in 16 at a time."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    began = time.perf_counter()
    count = len(lines) // 16
    for step in range(count):
        part = slice(16 * step, 16 * step + 16)
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1, (step + 1) / 20, 2 * (1 - step / count))
        features = model(lines[part, :-1])
        value = factor * linear_loss(features, model.words, target[part], loss, bias=model.bias)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if step % 50 == 49:
            print(f"  {loss}: update {step + 1} of {count}, {time.perf_counter() - began:.0f} s", flush=True)
    return model
