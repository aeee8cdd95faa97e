"""How good the networks of a run are, and whether they are numbers."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from noiseproof.errors import RunError
from noiseproof.prediction import outputs_of
from noiseproof.train._record import Epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from noiseproof.loaders import Inputs
    from noiseproof.train._state import RunState


def accuracy(
    networks: Sequence[nn.Module],
    inputs: Inputs,
    labels: Tensor,
    input_shape: tuple[int, ...],
    num_classes: int,
    note: Callable[[Tensor, Tensor], None],
) -> tuple[float | None, float | None, bool]:
    """Top-1 and, with more than five classes, top-5 accuracy over what could be read; and whether all was finite.

    What is said of each batch is noted, by its indices and logits.
    """
    best = min(5, num_classes)
    hits = torch.zeros(best, dtype=torch.int64, device=labels.device)
    finite = torch.ones((), dtype=torch.bool, device=labels.device)
    seen = 0
    for index, outputs in outputs_of(networks, inputs, input_shape):
        note(index, outputs)
        finite &= outputs.isfinite().all()
        hits += (outputs.topk(best).indices == labels[index, None]).sum(0)
        seen += len(index)
    if not seen:
        return None, None, True
    top = hits.cumsum(0).tolist()
    return top[0] / seen, top[4] / seen if num_classes > best else None, bool(finite)


def are_finite(modules: Sequence[nn.Module]) -> bool:
    """Whether all weights and buffers are numbers."""
    tensors = [each for module in modules for each in (*module.parameters(), *module.buffers())]
    values = [tensor.isfinite().all() for tensor in tensors]
    return not values or bool(torch.stack(values).all())


def measure(state: RunState) -> Epoch:
    """What can be said of an epoch whose last step is done."""
    if not state.seen:
        raise RunError(f"no batch of epoch {state.epoch + 1} has two images that can be read")
    agreed, wrong_agreed, wrong = state.agreed.tolist()
    measured: dict[str, dict[str, float | None]] = {}
    for name, (inputs, labels) in state.sets.measured.items():
        note = functools.partial(state.note, name)
        first, fifth, finite = accuracy(state.called, inputs, labels, state.input_shape, state.num_classes, note)
        state.outputs_are_finite &= finite
        measured[name] = {"accuracy": first, "top5": fifth}
    nothing: dict[str, float | None] = {"accuracy": None, "top5": None}
    validation, test = (measured.pop(name, nothing) for name in ("validation", "test"))
    return Epoch(
        epoch=state.epoch + 1,
        lr=state.rate,
        train_loss=float(state.loss_sum) / float(state.weight_sum),
        train_accuracy=agreed / state.seen,
        memorization=wrong_agreed / wrong if wrong else None,
        validation_accuracy=validation["accuracy"],
        test_accuracy=test["accuracy"],
        test_top5=test["top5"],
        extra_tests=measured,
        phase=state.phase,
    )
