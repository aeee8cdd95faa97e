"""The digits with 40 % wrong labels: one `fit`, what raced, and what plain training makes of the same labels.

python examples/digits.py [--rate 0.4] [--budget 60s]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import noiseproof
from noiseproof import noise
from noiseproof.train import train

if TYPE_CHECKING:
    from noiseproof.fitting import FitProgress

PLAIN = {
    "model": "mlp(hidden=256, depth=2)",
    "method": {"name": "CE", "loss": "ce"},
    "epochs": 50,
    "batch_size": 128,
    "optimizer": "adamw",
    "lr": 1e-3,
}


def main() -> None:
    """Fit, train plainly, and print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=0.4, help="of wrong labels (default: 0.4)")
    parser.add_argument("--budget", default="60s", help="of the fit (default: 60s)")
    options = parser.parse_args()

    images, digits = load_digits(return_X_y=True)
    X, X_new, y, y_new = train_test_split(images, digits, test_size=0.25, stratify=digits, random_state=0)
    given = noise.symmetric(y, options.rate, num_classes=10, seed=1).labels
    print(f"{len(given)} digits, of which {np.mean(given != y):.0%} have a wrong label; {len(y_new)} more as a test\n")

    began = time.perf_counter()
    model = noiseproof.fit(X, given, budget=options.budget, watch=Lines())
    print(f"\nfit took {time.perf_counter() - began:.0f} s\n")
    print(model.table().markdown())
    for sentence in model.sentences():
        print(sentence)

    with tempfile.TemporaryDirectory() as folder:
        train(PLAIN, folder, data=(X, given))
        plain = noiseproof.load(folder).predict(X_new)
    print("\naccuracy on right labels, which nothing above has seen:")
    print(f"  plain training  {np.mean(plain == y_new):.1%}")
    print(f"  noiseproof.fit  {np.mean(model.predict(X_new) == y_new):.1%}")


class Lines:
    """A line for each stage of a fit."""

    def __init__(self) -> None:
        self.stage = ""

    def __call__(self, progress: FitProgress) -> None:
        """Print what has just begun."""
        if progress.stage != self.stage:
            print(f"{progress.done:4.0%}  {progress.stage}", flush=True)
        self.stage = progress.stage


if __name__ == "__main__":
    main()
