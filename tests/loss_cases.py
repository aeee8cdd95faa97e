"""Every loss of the registry with several parameters: what the tests of losses are parametrised by."""

from __future__ import annotations

from noiseproof.losses import REGISTRY, Loss

# Beyond the defaults: the other published values, and the ends of the domains.
_MORE = {
    "gce": [{"q": 1.0}, {"q": 0.05}],
    "rce": [{"A": -9.210340371976182}],
    "agce": [{"a": 6.0, "q": 1.5}, {"a": 1.8, "q": 3.0}, {"a": 0.0, "q": 0.5}],
    "aul": [{"a": 6.0, "p": 3.0}, {"a": 5.5, "p": 0.5}],
    "ael": [{"a": 1.5}],
    "amse": [{"a": 1.0}, {"a": 5.0, "q": 3.0}, {"a": 20.0, "q": 1.5}, {"a": 2.0, "q": 0.5}, {"a": 3.0, "q": 1.0}],
    "sce": [{"alpha": 6.0, "beta": 0.1}],
    "nce+rce": [{"alpha": 10.0, "beta": 0.1}],
    "jal-ce": [{"alpha": 5.0, "a": 20.0}, {"beta": 0.1, "a": 5.0}],
}

CASES: list[Loss] = [
    loss(**parameters) for name, loss in sorted(REGISTRY.items()) for parameters in [{}, *_MORE.get(name, [])]
]


def case_name(loss: Loss) -> str:
    return loss.spec
