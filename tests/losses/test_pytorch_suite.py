"""PyTorch's own tests of cross-entropy, from its module and operator databases, with noiseproof's in its place.

The databases are private to PyTorch and change with it, so one version of them is meant. What differs on purpose is
listed where it is tested: an error is a :class:`noiseproof.errors.NoiseproofError` whatever type PyTorch's has.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import itertools
import pickle
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._pytree import tree_map

from conftest import unfreeze_flags_of_torch
from noiseproof.errors import NoiseproofError
from noiseproof.losses import functional as F
from noiseproof.losses.definitions import CE

VERSION = "2.13"

pytestmark = pytest.mark.skipif(
    not torch.__version__.startswith(f"{VERSION}."),
    reason=f"the databases of PyTorch {VERSION} are meant, not those of {torch.__version__}",
)

CROSS_ENTROPY = F.ce
DTYPES = {torch.float64: 1e-12, torch.float32: 2e-6, torch.float16: 1e-2, torch.bfloat16: 4e-2}


@pytest.fixture(scope="module")
def databases() -> SimpleNamespace:
    """The entries of cross-entropy; read here, since importing them takes seconds and freezes torch's flags."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        modules = importlib.import_module("torch.testing._internal.common_modules")
        operators = importlib.import_module("torch.testing._internal.common_methods_invocations")
        references = importlib.import_module("torch.testing._internal.common_nn")
        compliance = importlib.import_module("torch.testing._internal.composite_compliance")
    unfreeze_flags_of_torch()
    (module,) = [entry for entry in modules.module_db if entry.module_cls is nn.CrossEntropyLoss]
    (operator,) = [entry for entry in operators.op_db if entry.name == "nn.functional.cross_entropy"]
    return SimpleNamespace(
        module=module,
        operator=operator,
        compliance=compliance,
        reference=references.loss_reference_fns["CrossEntropyLoss"],
        construction=modules.ModuleErrorEnum.CONSTRUCTION_ERROR,
    )


def _module_inputs(databases: SimpleNamespace, dtype: torch.dtype, *, wanted: bool) -> Iterator[Any]:
    torch.manual_seed(0)
    yield from databases.module.module_inputs_func(
        databases.module, device="cpu", dtype=dtype, requires_grad=wanted, training=True
    )


def _samples(databases: SimpleNamespace, dtype: torch.dtype, *, wanted: bool) -> list[Any]:
    torch.manual_seed(0)
    return list(databases.operator.sample_inputs("cpu", dtype, requires_grad=wanted))


def _make(entry: Any) -> CE:
    return CE(*entry.constructor_input.args, **entry.constructor_input.kwargs)


def _gradients(value: Tensor, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(value, inputs, torch.ones_like(value), allow_unused=True)


def _close(found: Any, expected: Any, dtype: torch.dtype) -> None:
    torch.testing.assert_close(found, expected, rtol=DTYPES[dtype], atol=DTYPES[dtype], equal_nan=True)


# The module database: what TestModule does with each entry.


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_modules_equal_the_reference_and_torchs(databases: SimpleNamespace, dtype: torch.dtype) -> None:
    count = 0
    for entry in _module_inputs(databases, dtype, wanted=True):
        loss = _make(entry)
        theirs = nn.CrossEntropyLoss(*entry.constructor_input.args, **entry.constructor_input.kwargs)
        arguments = entry.forward_input.args
        value = loss(*arguments, **entry.forward_input.kwargs)
        assert value.dtype == dtype
        if entry.reference_fn is not None and dtype != torch.float16:  # which PyTorch's formula does not compute
            _close(value, entry.reference_fn(theirs, *[one.detach() for one in arguments]), dtype)
        expected = theirs(*arguments, **entry.forward_input.kwargs)
        _close(value, expected, dtype)
        leaves = [one for one in arguments if one.requires_grad and one.is_leaf]
        for mine, torchs in zip(_gradients(value, leaves), _gradients(expected, leaves), strict=True):
            if value.isnan().all():  # the only sample is ignored: no logit has any influence, where torch has NaN
                assert not mine.any()
            else:
                _close(mine, torchs, dtype)
        count += 1
    assert count == MODULE_INPUTS


MODULE_INPUTS = 105


def test_modules_are_modules(databases: SimpleNamespace) -> None:
    """Copied, pickled, shown, moved to another type, in training and in evaluation, with strided inputs."""
    for entry in _module_inputs(databases, torch.float64, wanted=False):
        loss = _make(entry)
        arguments = entry.forward_input.args
        value = loss(*arguments)
        for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), loss.eval(), loss.train()):
            _same(other(*arguments), value)
        assert repr(loss)
        assert str(loss)
        moved = copy.deepcopy(loss).to(torch.float32)
        converted = [one.float() if one.is_floating_point() else one for one in arguments]
        _close(moved(*converted).double(), value, torch.float32)
        for strided in itertools.product(*[(one, _strided(one)) for one in arguments]):
            _same(loss(*strided), value)
        before = [one.clone() for one in arguments]
        assert all(torch.equal(one, two) for one, two in zip(arguments, before, strict=True))
        if arguments[1].ndim:
            kwargs = {key: getattr(loss, key) for key in ("weight", "ignore_index", "reduction", "label_smoothing")}
            _close(value, databases.reference(*arguments, **kwargs), torch.float64)


def _same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def _strided(tensor: Tensor) -> Tensor:
    """The same numbers with gaps between them."""
    if not tensor.ndim:
        return tensor
    wide = torch.empty((*tensor.shape, 2), dtype=tensor.dtype)
    wide[..., 0] = tensor
    wide[..., 1] = -7
    found = wide[..., 0].detach()
    return found.requires_grad_(tensor.requires_grad)


def test_modules_have_right_derivatives(databases: SimpleNamespace) -> None:
    for entry in _module_inputs(databases, torch.float64, wanted=True):
        loss = _make(entry)
        if max(one.numel() for one in entry.forward_input.args) > 30 or loss(*entry.forward_input.args).isnan().any():
            continue  # the larger ones do nothing else; a mean over nothing has no derivative
        arguments = tuple(one.detach().requires_grad_(one.requires_grad) for one in entry.forward_input.args)
        assert torch.autograd.gradcheck(loss, arguments, check_batched_grad=True)
        assert torch.autograd.gradgradcheck(loss, arguments)


def test_modules_refuse_what_torchs_refuse(databases: SimpleNamespace) -> None:
    """The error is noiseproof's own; an option outside its domain is refused where it is given."""
    refused = 0
    for entry in databases.module.module_error_inputs_func(
        databases.module, device="cpu", dtype=torch.float64, requires_grad=False, training=True
    ):
        case = entry.module_error_input
        theirs = nn.CrossEntropyLoss(*case.constructor_input.args, **case.constructor_input.kwargs)
        with pytest.raises(entry.error_type, match=entry.error_regex):
            theirs(*case.forward_input.args)
        with pytest.raises(NoiseproofError):
            _make(case)(*case.forward_input.args)
        refused += 1
    assert refused == 7


# The operator database.


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_operator_equals_torchs(databases: SimpleNamespace, dtype: torch.dtype) -> None:
    assert dtype in databases.operator.supported_dtypes("cpu")
    samples = _samples(databases, dtype, wanted=True)
    assert len(samples) == 21
    for sample in samples:
        arguments = (sample.input, *sample.args)
        value = CROSS_ENTROPY(*arguments, **sample.kwargs)
        expected = databases.operator.op(*arguments, **sample.kwargs)
        assert value.dtype == expected.dtype
        _close(value, expected, dtype)
        leaves = [one for one in arguments if one.requires_grad]
        for mine, theirs in zip(_gradients(value, leaves), _gradients(expected, leaves), strict=True):
            _close(mine, theirs, dtype)


def test_operator_takes_views(databases: SimpleNamespace) -> None:
    """Inputs with gaps, and those whose sign PyTorch has put off."""
    for sample in _samples(databases, torch.float64, wanted=False):
        value = CROSS_ENTROPY(sample.input, *sample.args, **sample.kwargs)
        other = sample.noncontiguous()
        assert torch.equal(CROSS_ENTROPY(other.input, *other.args, **other.kwargs), value)
        negative = torch._neg_view(-sample.input)
        assert torch.equal(CROSS_ENTROPY(negative, *sample.args, **sample.kwargs), value)


def _differentiable(databases: SimpleNamespace) -> Iterator[tuple[Callable[..., Tensor], tuple[Tensor, ...]]]:
    for sample in _samples(databases, torch.float64, wanted=True):
        yield lambda *inputs, kwargs=sample.kwargs: CROSS_ENTROPY(*inputs, **kwargs), (sample.input, *sample.args)


def test_operator_has_right_gradients_backward_and_forward(databases: SimpleNamespace) -> None:
    assert databases.operator.supports_forward_ad
    for function, inputs in _differentiable(databases):
        assert torch.autograd.gradcheck(
            function,
            inputs,
            check_forward_ad=True,
            check_batched_grad=True,
            check_batched_forward_grad=True,
            check_undefined_grad=True,
        )


@pytest.mark.skipif(not __debug__, reason="under python -O PyTorch has no forward derivatives of a softmax's backward")
def test_operator_has_right_second_derivatives(databases: SimpleNamespace) -> None:
    assert databases.operator.supports_fwgrad_bwgrad
    for function, inputs in _differentiable(databases):
        if inputs[0].numel() <= 12:
            assert torch.autograd.gradgradcheck(function, inputs, check_fwd_over_rev=True, check_batched_grad=True)


def test_operator_is_composite_compliant(databases: SimpleNamespace) -> None:
    for sample in _samples(databases, torch.float64, wanted=True):
        arguments = (sample.input, *sample.args)
        databases.compliance.check_with_mode(CROSS_ENTROPY, arguments, sample.kwargs, torch.testing.assert_close)
        databases.compliance.check_all_permutations(CROSS_ENTROPY, arguments, sample.kwargs, torch.testing.assert_close)
        check: Any
        for check in (databases.compliance.check_backward_formula, databases.compliance.check_forward_ad_formula):
            torch.manual_seed(0)
            check(CROSS_ENTROPY, arguments, sample.kwargs, assert_equal_fn=torch.testing.assert_close)


def test_operator_without_numbers(databases: SimpleNamespace) -> None:
    """On the meta device and with fake tensors: the shapes and types of the real results."""
    fake_tensor = importlib.import_module("torch._subclasses.fake_tensor")
    for dtype in DTYPES:
        for sample in _samples(databases, dtype, wanted=False):
            arguments = [sample.input, sample.args, sample.kwargs]
            value = CROSS_ENTROPY(sample.input, *sample.args, **sample.kwargs)
            mode = fake_tensor.FakeTensorMode()
            for convert, inside in ((lambda one: one.to("meta"), contextlib.nullcontext()), (mode.from_tensor, mode)):
                given = tree_map(lambda one: convert(one) if isinstance(one, Tensor) else one, arguments)  # noqa: B023
                with inside:
                    found = CROSS_ENTROPY(given[0], *given[1], **given[2])
                assert (found.shape, found.dtype) == (value.shape, value.dtype)


def test_operator_under_function_transforms(databases: SimpleNamespace) -> None:
    for sample in _samples(databases, torch.float64, wanted=False):

        def function(z: Tensor, kwargs: dict[str, Any] = sample.kwargs, args: Any = sample.args) -> Tensor:
            return CROSS_ENTROPY(z, *args, **kwargs).sum()

        both = torch.stack([sample.input, -sample.input])
        mapped = torch.func.vmap(function)(both)
        _close(mapped, torch.stack([function(one) for one in both]), torch.float64)
        gradients = torch.func.vmap(torch.func.grad(function))(both)
        theirs = [
            torch.func.grad(lambda z, s=sample: functional.cross_entropy(z, *s.args, **s.kwargs).sum())(one)
            for one in both
        ]
        _close(gradients, torch.stack(theirs), torch.float64)


def test_operator_is_traced(databases: SimpleNamespace) -> None:
    for sample in _samples(databases, torch.float64, wanted=False):
        traced = torch.jit.trace(
            lambda z, y, kwargs=sample.kwargs: CROSS_ENTROPY(z, y, **kwargs), (sample.input, *sample.args)
        )
        _close(
            traced(-sample.input, *sample.args),
            CROSS_ENTROPY(-sample.input, *sample.args, **sample.kwargs),
            torch.float64,
        )
