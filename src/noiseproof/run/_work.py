"""One run, as any process on any machine can carry it out."""

from __future__ import annotations

import contextlib
import os
import platform
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noiseproof.errors import NoiseproofError, RunError
from noiseproof.provenance import versions
from noiseproof.run._inputs import Inputs
from noiseproof.run._mailbox import Mailbox
from noiseproof.train import keep_freed_memory, make_recipe, train
from noiseproof.user_code import UserModule, defining_modules, import_again

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from noiseproof.train import Identity, Progress, Recipe


@dataclass(frozen=True)
class Order:
    """What is to be run, in plain values.

    Attributes:
        recipe: as a file would hold it.
        modules: of the user, which it is made of.
        folder: of the run.
        working_folder: what relative paths begin at.
        attempt: a name for this attempt at it.
        identity: of the run, which the process must find the same.
        versions: which the process must have.
        threads: what it may use of the CPU; ``None`` leaves that as it is.
        options: keyword arguments of :func:`noiseproof.train.train`.
    """

    recipe: dict[str, Any]
    modules: tuple[UserModule, ...]
    folder: Path
    working_folder: str
    attempt: str
    identity: Identity
    versions: dict[str, Any]
    threads: int | None
    options: dict[str, Any]


def order_of(
    recipe: Recipe, folder: Path, attempt: str, identity: Identity, options: Mapping[str, Any], threads: int | None
) -> Order:
    """The order to run a recipe in a folder.

    Raises:
        RecipeError: it is made of a class of the main module, which no other process imports.
    """
    return Order(
        recipe.model_dump(mode="json"),
        defining_modules(recipe.definitions),
        folder.absolute(),
        os.getcwd(),  # noqa: PTH109 - links stay
        attempt,
        identity,
        versions(),
        threads,
        {**options, "workers": threads if options["workers"] is None else options["workers"]},
    )


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended, as a value that every executor can send; what the run has done is in its folder.

    Attributes:
        error: why it failed, ``None`` if it did not.
        interrupted: whether a signal told its process to end; what it had done is saved.
        warnings: what it warned of, with the categories.
    """

    error: NoiseproofError | None = None
    interrupted: bool = False
    warnings: tuple[tuple[type[Warning], str], ...] = ()


def run_here(
    recipe: Recipe,
    folder: Path,
    inputs: Inputs,
    options: Mapping[str, Any],
    watch: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> Outcome:
    """Train in the scheduler's own process, which has the data and hears of every step."""
    try:
        train(recipe, folder, dataset=inputs.load(recipe.data), watch=watch, should_stop=should_stop, **options)
    except NoiseproofError as error:
        return Outcome(error)
    return Outcome()


def run_order(order: Order) -> Outcome:
    """Train in a process that knows nothing of the scheduler's but the order and the files that both see."""
    mailbox = Mailbox(order.folder, order.attempt)
    error, interrupted = None, False
    with warnings.catch_warnings(record=True) as caught:
        try:
            _train(order, mailbox)
        except NoiseproofError as failure:
            error = failure
        except KeyboardInterrupt:
            interrupted = True
        finally:
            mailbox.end()
    return Outcome(error, interrupted, tuple((each.category, str(each.message)) for each in caught))


def _train(order: Order, mailbox: Mailbox) -> None:
    import torch

    if mailbox.should_stop():
        return
    if order.threads is not None:
        torch.set_num_threads(order.threads)
    keep_freed_memory()
    with contextlib.suppress(OSError):  # what is missing for it is told by its name
        os.chdir(order.working_folder)
    try:
        recipe, inputs = _check(order)
    except NoiseproofError as error:
        raise RunError(f"process {os.getpid()} on {platform.node()} cannot run {order.identity.id}: {error}") from error
    dataset = inputs.load(recipe.data)
    train(recipe, order.folder, dataset=dataset, watch=mailbox.tell, should_stop=mailbox.should_stop, **order.options)


_inputs: dict[tuple[str, str], Inputs] = {}
"""What this process has read, by working folder and ``data_dir``: the next run may need the same."""


def _check(order: Order) -> tuple[Recipe, Inputs]:
    """The recipe and its inputs, if they are what the scheduler has."""
    here = versions()
    other = [f"{key} {here[key]} in place of {order.versions[key]}" for key in here if here[key] != order.versions[key]]
    if other:
        raise RunError(f"it has {' and '.join(other)}. Install what the others have")
    import_again(order.modules)
    recipe = make_recipe(order.recipe)
    place = (order.working_folder, str(order.options["data_dir"]))
    for known in (_inputs.pop(place, None), None):
        inputs = known or Inputs(order.options["data_dir"], download=order.options["download"])
        inputs.keep_only(recipe.data)
        identity = inputs.identity(recipe)
        if identity == order.identity:
            _inputs[place] = inputs
            return recipe, inputs
    raise RunError(f"it has {' and '.join(_other_contents(order.identity, identity))}. Give it the same files")


def _other_contents(wanted: Identity, found: Identity) -> list[str]:
    texts = [] if wanted.settings == found.settings else [f"settings {found.settings} in place of {wanted.settings}"]
    for what, theirs, ours in (("", wanted.inputs, found.inputs), ("module ", wanted.code, found.code)):
        for name in {**theirs, **ours}:
            first, second = (digests.get(name, "none")[:12] for digests in (ours, theirs))
            if first != second:
                texts.append(f"other {what}{name} (SHA-256 {first} in place of {second})")
    return texts
