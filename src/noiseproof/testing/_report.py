"""How checks are run, what they compare, and how a miss is told."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NoReturn

import torch
from torch import Tensor

from noiseproof.errors import CheckError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from noiseproof.spec import Domain, Parameter

SEED = 20
"""Before everything that may draw numbers."""

ABSENT = "no_such_parameter"


class UnmetError(Exception):
    """What a check found and what it expected; :func:`run_checks` says of what."""


def run_checks(owner: str, checks: Mapping[str, Callable[[], None]]) -> None:
    """Run checks one after another, each with the same draws; the caller's random state stays as it was.

    Raises:
        CheckError: one is not met, or raises; the message names the owner and the check.
    """
    for name, check in checks.items():
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(SEED)
            try:
                check()
            except UnmetError as unmet:
                raise CheckError(f"{owner} fails the check of {name}: {unmet}") from unmet.__cause__
            except Exception as error:  # the code that is checked may raise anything
                raise CheckError(
                    f"{owner} fails the check of {name}: found {type(error).__name__} ({error}), expected no error"
                ) from error


def unmet(what: str, found: object, expected: object) -> NoReturn:
    """Say that something is not as expected.

    Raises:
        UnmetError: always.
    """
    raise UnmetError(f"{what}: found {found}, expected {expected}")


def close(what: str, found: Tensor, expected: Tensor, *, rtol: float = 1e-7, atol: float = 1e-9) -> None:
    """Compare two tensors, of which NaN in the same place counts as equal.

    Raises:
        UnmetError: another shape, or numbers that are further apart; the first of them are shown.
    """
    if found.shape != expected.shape:
        unmet(f"the shape of {what}", tuple(found.shape), tuple(expected.shape))
    pair = found.detach().double(), expected.detach().double()
    off = ~torch.isclose(*pair, rtol=rtol, atol=atol, equal_nan=True)
    if off.any():
        place = tuple(off.nonzero()[0].tolist())
        where = f" at {place}" if place else ""
        bound = f" (up to {rtol:g} of it plus {atol:g})" if rtol or atol else " to the last bit"
        unmet(what + where, f"{pair[0][place].item():.10g}", f"{pair[1][place].item():.10g}{bound}")


def same(what: str, found: Tensor, expected: Tensor) -> None:
    """Compare two tensors to the last bit.

    Raises:
        UnmetError: another type, another shape, or another number.
    """
    if found.dtype != expected.dtype:
        unmet(f"the type of {what}", found.dtype, expected.dtype)
    close(what, found, expected, rtol=0, atol=0)


def finite(what: str, found: Tensor) -> None:
    """See that all numbers of a tensor are finite.

    Raises:
        UnmetError: one is not.
    """
    if not found.isfinite().all():
        unmet(what, f"{found.detach().double()[~found.isfinite()][0].item():g}", "finite numbers")


def refused(what: str, make: Callable[[], object], error: type[Exception]) -> None:
    """See that something is refused with an error of the right kind.

    Raises:
        UnmetError: nothing is raised, or another error.
    """
    try:
        made = make()
    except error:
        return
    except Exception as other:
        raise UnmetError(f"{what}: found {type(other).__name__} ({other}), expected {error.__name__}") from other
    unmet(what, repr(made), error.__name__)


def check_parameters(declared: Mapping[str, Parameter], make: Callable[..., object]) -> None:
    """See that parameters outside their domain, of another kind or with an unknown name are refused.

    Args:
        declared: the parameters by name.
        make: takes some of them by name, and makes what they are the parameters of.

    Raises:
        UnmetError: something of this kind is accepted.
    """
    refused(f"{ABSENT}=1", lambda: make(**{ABSENT: 1.0}), SpecError)
    for key, one in declared.items():
        others: tuple[object, ...] = (0.5, 2) if one.domain is None else (float("nan"), True, *_outside(one.domain))
        for value in ("1", None, [1.0], *others):
            refused(f"{key}={value!r}", functools.partial(make, **{key: value}), SpecError)


def _outside(domain: Domain) -> Iterator[float]:
    """The nearest numbers that do not belong to an interval."""
    for end, direction in zip(domain.bounds, (float("-inf"), float("inf")), strict=True):
        if end not in domain:
            yield end
        else:
            yield torch.nextafter(*torch.tensor([end, direction], dtype=torch.float64)).item()


def inside(domain: Domain) -> Iterator[float]:
    """The ends of an interval, or numbers near those that do not belong to it; for an infinite end a moderate one."""
    low, high = domain.bounds
    start = low if low > -1e6 else min(high, 1.0) - 4
    width = min(high - start, 4.0)
    for end, toward in ((start, 1), (start + width, -1)):
        yield end if end in domain else end + toward * 1e-3 * width
