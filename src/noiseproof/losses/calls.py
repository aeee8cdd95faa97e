"""What the functions of ``functional`` have in common: a loss is made once for its arguments, and called."""

from __future__ import annotations

import functools
import inspect
import re
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from noiseproof.losses.base import REGISTRY, Loss
from noiseproof.spec import check_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

OPTIONS = ("ignore_index", "reduction", "label_smoothing")
"""The options that are not ``weight``."""

_F = TypeVar("_F", bound="Callable[..., Tensor]")


def function_name(loss: str) -> str:
    """The name of the function of a loss: ``nce_rce`` for ``nce+rce``."""
    return re.sub(r"\W", "_", loss)


def call(
    loss: type[Loss],
    input: Tensor,  # noqa: A002 - as torch names it
    target: Tensor,
    weight: Tensor | None,
    *values: Any,
    **arguments: Any,
) -> Tensor:
    """The loss of the logits ``input`` for ``target``.

    Args:
        loss: its class.
        input: as for :meth:`Loss.forward`.
        target: as for :meth:`Loss.forward`.
        weight: as for :class:`Loss`.
        values: ``ignore_index``, ``reduction``, ``label_smoothing`` and then the declared parameters, in this order; a
            key of the cache that has no names in it is made sooner.
        arguments: the same by their names, if they are not among ``values``.

    Raises:
        SpecError: an unknown parameter, or a parameter or an option outside its domain.
        LabelError: as for :meth:`Loss.forward`.
    """
    module = None
    # The compiler does not look into caches, and needs none: it makes the module once.
    if not torch.compiler.is_compiling():
        try:
            module = _cached(loss, *values, **arguments)  # type: ignore[arg-type]
        except TypeError:  # what has no hash, such as an array, may still be a number
            module = None
    if module is None:
        module = _module(loss, *values, **arguments)
    if weight is not None:
        module = module.with_options(weight=weight)
    result: Tensor = module(input, target)
    return result


def _module(loss: type[Loss], *values: Any, **arguments: Any) -> Loss:
    return loss(**dict(zip((*OPTIONS, *loss.declared), values, strict=False)), **arguments)


_cached = functools.lru_cache(maxsize=256, typed=True)(_module)


def explained(loss: type[Loss]) -> Callable[[_F], _F]:
    """Let the function of a loss refuse a parameter that the loss has not as the loss itself does."""
    known = frozenset(("input", "target", "weight", *OPTIONS, *loss.declared))

    def decorate(function: _F) -> _F:
        @functools.wraps(function)
        def checked(*inputs: Any, **arguments: Any) -> Tensor:
            for key, value in arguments.items():
                if key not in known:
                    check_parameters(loss.name, loss.declared, {key: value})
            return function(*inputs, **arguments)

        return checked  # type: ignore[return-value]

    return decorate


def function_of(name: str) -> Callable[..., Tensor] | None:
    """The function that has this name, of a loss that somebody registered; ``None`` where there is none."""
    loss = next((loss for key, loss in REGISTRY.items() if function_name(key) == name), None)
    return None if loss is None else _made(name, loss)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=256)
def _made(name: str, loss: type[Loss]) -> Callable[..., Tensor]:
    from noiseproof.losses.describe import describe_function

    def function(
        input: Tensor,  # noqa: A002 - as torch names it
        target: Tensor,
        weight: Tensor | None = None,
        **arguments: Any,
    ) -> Tensor:
        return call(loss, input, target, weight, **arguments)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "noiseproof.losses.functional"
    function.__doc__ = describe_function(loss, run=False)
    inputs = [inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD) for key in ("input", "target")]
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*inputs, *inspect.signature(loss).parameters.values()]
    )
    return function
