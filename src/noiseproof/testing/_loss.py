"""What every loss has to keep: the rules of ``torch.nn.CrossEntropyLoss``, and those of the algebra of losses."""

from __future__ import annotations

import copy
import functools
import math
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from noiseproof.errors import LabelError, SpecError
from noiseproof.losses import Loss, make_loss
from noiseproof.testing._report import SEED, check_parameters, close, finite, inside, refused, run_checks, same, unmet

if TYPE_CHECKING:
    from collections.abc import Callable

_CLASSES = 5
_WEIGHT = torch.tensor([0.5, 2.0, 1.0, 0.25, 1.5], dtype=torch.float64)
_SMOOTHING = 0.3


def check_loss(loss: str | Loss | type[Loss], *, stops_gradient: bool = False) -> None:
    """Check all that the package's own losses are checked for, and that does not depend on what the loss is.

    These are: one value with and without a gradient; the gradient against automatic differentiation of the plain
    formula and against differences, in float64, once and twice; all shapes; reductions; ignored samples; class weights;
    label smoothing; weights of samples; probability targets; batches in which nothing counts; labels that are no
    class; half precision; huge and masked logits; large batches; the text; copies; inputs that are left alone;
    repetition; parameters outside their domain.

    Args:
        loss: a loss, whose options do not matter; a class of losses that can be made without arguments; or a text for
            :func:`~noiseproof.losses.make_loss`.
        stops_gradient: whether the definition takes a factor for a constant where it is differentiated, as published
            focal losses do: then the gradient is no derivative, and differences say nothing about it.

    Raises:
        CheckError: the first check that is not met: its name, what was found and what was expected.
        SpecError: ``loss`` is no loss.

    Example:
        >>> from noiseproof.losses.definitions import GCE
        >>> check_loss(GCE)
        >>> check_loss("jal-fl(a=5)", stops_gradient=True)
    """
    plain = _as_loss(loss).with_options(weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0)
    subject = _Subject(plain, stops_gradient)
    owner = subject.loss.spec if _has_text(subject.loss) else type(subject.loss).__name__
    run_checks(owner, {name: functools.partial(check, subject) for name, check in LOSS_CHECKS.items()})


def _as_loss(loss: object) -> Loss:
    if isinstance(loss, str):
        return make_loss(loss)
    made = loss() if isinstance(loss, type) and issubclass(loss, Loss) else loss
    if not isinstance(made, Loss):
        raise SpecError(f"cannot check {loss!r}: expected a loss, a class of losses or a text such as 'jal-ce(a=5)'")
    return made


def _has_text(loss: Loss) -> bool:
    """Whether the loss has a name, or is made of losses by something that writes its own text."""
    return bool(loss.name) or type(loss).text is not Loss.text


@dataclass(frozen=True)
class _Subject:
    loss: Loss
    stops_gradient: bool

    def having(self, **options: Any) -> Loss:
        """The loss with options."""
        return self.loss.with_options(**options)

    @property
    def draws(self) -> bool:
        """Whether a call draws numbers, so that two parts of a batch differ from the whole."""
        before = torch.get_rng_state()
        self.loss(*_batch())
        return not torch.equal(torch.get_rng_state(), before)

    def of_each_label(self, logits: Tensor) -> Tensor:
        """``(N, classes)``: what the loss would be for every label."""
        each = self.having(reduction="none")
        labels = torch.arange(logits.shape[1])[:, None].expand(-1, len(logits))
        return torch.stack([each(logits, label) for label in labels], 1)


def _batch(*shape: int, dtype: torch.dtype = torch.float64, scale: float = 2.0) -> tuple[Tensor, Tensor]:
    """Ordinary logits of a shape, and labels of all classes."""
    shape = shape or (6, _CLASSES)
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(SEED), dtype=torch.float64) * scale
    rest = (*shape[:1], *shape[2:])
    return logits.to(dtype), (torch.arange(math.prod(rest)) % shape[1]).reshape(rest)


def _random(*shape: int) -> Tensor:
    """Positive numbers."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(SEED + 1), dtype=torch.float64) + 0.1


def _call(loss: Loss, logits: Tensor, *others: Any) -> Tensor:
    """The value, with the same draws each time."""
    torch.manual_seed(SEED)
    value: Tensor = loss(logits, *others)
    return value


def _step(loss: Loss, logits: Tensor, *others: Any, up: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
    """The value, and the gradient by the logits of its sum times ``up``."""
    leaf = logits.detach().clone().requires_grad_()
    value = _call(loss, leaf, *others)
    (gradient,) = torch.autograd.grad((value * up).sum(), leaf)
    return value.detach(), gradient


def _both(what: str, found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor], **tolerance: float) -> None:
    """Compare values and gradients."""
    close(f"the value {what}", found[0], expected[0], **tolerance)
    close(f"the gradient {what}", found[1], expected[1], **tolerance)


def _values(subject: _Subject) -> None:
    for classes in (2, _CLASSES, 600):
        logits, labels = _batch(6, classes)
        with torch.no_grad():
            plain = _call(subject.loss, logits, labels)
        if plain.shape != torch.Size() or plain.dtype != torch.float64:
            unmet("the mean", f"{plain.dtype} of shape {tuple(plain.shape)}", "one torch.float64")
        finite(f"the value with {classes} classes", plain)
        value, gradient = _step(subject.loss, logits, labels)
        close(f"the value with {classes} classes where a gradient is wanted", value, plain, rtol=1e-9, atol=1e-12)
        finite(f"the gradient with {classes} classes", gradient)


def _gradient(subject: _Subject) -> None:
    for classes in (_CLASSES, 600):
        logits, labels = _batch(8, classes, scale=3.0)
        for kind, target in (("labels", labels), ("probabilities", _batch(8, classes)[0].softmax(-1))):
            _, closed = _step(subject.loss, logits, target)
            torch.manual_seed(SEED)
            plain = torch.func.grad(subject.loss)(logits, target)
            what = f"the gradient for {kind}, {classes} classes, in closed form, against autograd of the plain formula"
            close(what, closed, plain, rtol=1e-9, atol=1e-12)
            if classes > _CLASSES or subject.stops_gradient:
                continue

            def value(z: Tensor, target: Tensor = target) -> Tensor:
                return _call(subject.loss, z, target)

            leaf = logits.requires_grad_()
            _by_differences(f"the derivative for {kind}", torch.autograd.gradcheck, value, leaf)
            if not subject.draws:
                _by_differences(f"the second derivative for {kind}", torch.autograd.gradgradcheck, value, leaf)


def _by_differences(what: str, compare: Callable[..., bool], value: Callable[..., Tensor], logits: Tensor) -> None:
    try:
        compare(value, (logits,))
    except RuntimeError as error:  # torch says where, and with which numbers
        unmet(what, f"another one than by differences ({' '.join(str(error).split())[:500]})", "the same")


def _shapes(subject: _Subject) -> None:
    each = subject.having(reduction="none")
    for shape in ((3, _CLASSES, 4), (2, _CLASSES, 3, 2)):
        logits, labels = _batch(*shape)
        flat = logits.movedim(1, -1).reshape(-1, _CLASSES)
        value, gradient = _step(each, logits, labels)
        flat_value, flat_gradient = _step(each, flat, labels.reshape(-1))
        moved = gradient.movedim(1, -1).reshape(-1, _CLASSES)
        _both(f"of logits {shape}, against all rows", (value, moved), (flat_value.reshape(labels.shape), flat_gradient))
    logits, labels = _batch()
    whole, whole_gradient = _step(each, logits, labels)
    for row in range(len(logits)):
        single = _step(each, logits[row], labels[row])
        if subject.draws:
            close("the shape of one sample's value", torch.zeros(single[0].shape), torch.zeros(()))
        else:
            _both(f"of row {row} alone, against the batch", single, (whole[row], whole_gradient[row]))


def _reductions(subject: _Subject) -> None:
    logits, labels = _batch()
    for options in ({}, {"weight": _WEIGHT}, {"label_smoothing": _SMOOTHING}):
        each, slopes = _step(subject.having(reduction="none", **options), logits, labels)
        counts = _WEIGHT[labels].sum() if "weight" in options else torch.tensor(float(len(labels)))
        total = _step(subject.having(reduction="sum", **options), logits, labels)
        _both("of the sum", total, (each.sum(), slopes))
        mean = _step(subject.having(**options), logits, labels)
        _both("of the mean", mean, (each.sum() / counts, slopes / counts))
        up = _random(len(labels)) - 0.5
        _, scaled = _step(subject.having(reduction="none", **options), logits, labels, up=up)
        close("the gradient of values that are weighed later", scaled, slopes * up[:, None])


def _ignored(subject: _Subject) -> None:
    logits, labels = _batch()
    kept = torch.tensor([True, False, True, True, False, True])
    ignoring = torch.where(kept, labels, -100)
    full, slopes = _step(subject.having(reduction="none"), logits, labels)
    expected = torch.where(kept, full, 0.0), torch.where(kept[:, None], slopes, 0.0)
    for garbage in (0.0, math.nan, math.inf, -math.inf):
        spoilt = torch.where(kept[:, None], logits, garbage)
        _both(f"with ignored rows of {garbage}", _step(subject.having(reduction="none"), spoilt, ignoring), expected)
        mean = _step(subject.loss, spoilt, ignoring)
        _both(f"of the mean with ignored rows of {garbage}", mean, (full[kept].mean(), expected[1] / kept.sum()))
    for index in (2, 255):  # a class, and what data sets of dense labels have
        relabeled = torch.where(kept, torch.where(labels == index, 1, labels), index)
        other = _step(subject.having(ignore_index=index), logits, relabeled)
        usual = _step(subject.loss, logits, torch.where(kept, relabeled, -100))
        _both(f"with ignore_index={index}, against -100", other, usual)


def _class_weights(subject: _Subject) -> None:
    logits, labels = _batch()
    weight = _WEIGHT[labels]
    each, slopes = _step(subject.having(reduction="none"), logits, labels)
    found = _step(subject.having(reduction="none", weight=_WEIGHT), logits, labels)
    _both("with class weights", found, (each * weight, slopes * weight[:, None]))
    mean = _step(subject.having(weight=_WEIGHT), logits, labels)
    expected = (each * weight).sum() / weight.sum(), slopes * weight[:, None] / weight.sum()
    _both("of the mean with class weights", mean, expected)
    for size in (1, _CLASSES + 1):
        wrong = subject.having(weight=torch.ones(size))
        refused(f"{size} class weights for {_CLASSES} classes", functools.partial(wrong, logits, labels), LabelError)


def _label_smoothing(subject: _Subject) -> None:
    logits, labels = _batch()
    for weight in (None, _WEIGHT):
        smooth = subject.having(reduction="none", weight=weight, label_smoothing=_SMOOTHING)
        value, gradient = _step(smooth, logits, labels)
        finite("the gradient with label smoothing", gradient)
        if subject.draws:
            continue
        share = (1 - _SMOOTHING) * functional.one_hot(labels, _CLASSES) + _SMOOTHING / _CLASSES
        counts = share if weight is None else share * weight
        expected = (counts * subject.of_each_label(logits)).sum(1)
        what = "with label smoothing" + ("" if weight is None else " and class weights")
        close(f"the value {what}, against the sum over all labels", value, expected)
        torch.manual_seed(SEED)
        plain = torch.func.grad(lambda z, loss=smooth: loss(z, labels).sum())(logits)
        close(f"the gradient {what}, against autograd of the plain formula", gradient, plain)


def _sample_weights(subject: _Subject) -> None:
    logits, labels = _batch()
    labels = torch.where(torch.arange(6) == 3, -100, labels)
    own = _random(6) * (torch.arange(6) != 1)
    for options in ({}, {"weight": _WEIGHT}, {"label_smoothing": _SMOOTHING}):
        each, slopes = _step(subject.having(reduction="none", **options), logits, labels)
        counts = own * (labels >= 0) * (_WEIGHT[labels.clamp_min(0)] if "weight" in options else 1.0)
        each, slopes = each * own, slopes * own[:, None]
        expected = {
            "none": (each, slopes),
            "sum": (each.sum(), slopes),
            "mean": (each.sum() / counts.sum(), slopes / counts.sum()),
        }
        for reduction, wanted in expected.items():
            found = _step(subject.having(reduction=reduction, **options), logits, labels, own)
            _both(
                f"with sample_weight, reduction {reduction!r} and {list(options) or 'no other option'}", found, wanted
            )
    refused("sample_weight of another shape", lambda: subject.loss(logits, labels, own[:3]), LabelError)


def _probabilities(subject: _Subject) -> None:
    logits, labels = _batch()
    refused(
        "ignore_index=2 with probabilities",
        lambda: subject.having(ignore_index=2)(logits, logits.softmax(1)),
        LabelError,
    )
    each = subject.having(reduction="none")
    mixed = _batch(6, _CLASSES, scale=1.0)[0].flip(0).softmax(1)
    found, gradient = _step(each, logits, mixed)
    finite("the gradient for probabilities", gradient)
    if subject.draws:
        return
    hard = functional.one_hot(labels, _CLASSES).double()
    _both("for probabilities of 0 and 1, against labels", _step(each, logits, hard), _step(each, logits, labels))
    of_each = subject.of_each_label(logits)
    close("the value for probabilities, against the expected value", found, (mixed * of_each).sum(1))


def _nothing_counts(subject: _Subject) -> None:
    nothing = torch.full((3,), -100)
    for what, logits, labels in (
        ("without samples", torch.zeros(0, _CLASSES), torch.zeros(0, dtype=torch.int64)),
        ("without positions", torch.zeros(2, _CLASSES, 0), torch.zeros(2, 0, dtype=torch.int64)),
        ("of ignored samples", _batch(3, _CLASSES)[0], nothing),
    ):
        for reduction in ("mean", "sum", "none"):
            value, gradient = _step(subject.having(reduction=reduction), logits, labels)
            expected = functional.cross_entropy(logits, labels, reduction=reduction)
            _both(
                f"of a batch {what}, against CrossEntropyLoss", (value, gradient), (expected, torch.zeros_like(logits))
            )


def _no_class(subject: _Subject) -> None:
    logits, labels = _batch()
    for label in (_CLASSES, -1, 10**12):
        wrong = torch.where(torch.arange(6) == 2, label, labels)
        for wanted in (False, True):
            call = functools.partial(subject.loss, logits.clone().requires_grad_(wanted), wrong)
            refused(f"label {label} of {_CLASSES} classes", call, LabelError)


def _half_precision(subject: _Subject) -> None:
    for dtype in (torch.float16, torch.bfloat16):
        logits, labels = _batch(8, 10, dtype=dtype)
        true = _step(subject.loss, logits.double(), labels)
        value, gradient = _step(subject.loss, logits, labels)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            exact, _ = _step(subject.loss, logits, labels)
        for what, found, wanted in (
            ("the value", value, dtype),
            ("the gradient", gradient, dtype),
            ("the value under autocast", exact, torch.float32),
        ):
            if found.dtype != wanted:
                unmet(f"the type of {what} of {dtype} logits", found.dtype, wanted)
        # What half precision does not hold is infinite there.
        wanted_value, wanted_gradient = (each.to(dtype).double() for each in true)
        rounding = 2 * torch.finfo(dtype).eps
        close(f"the value of {dtype} logits, against float64", value, wanted_value, rtol=rounding, atol=rounding)
        size = float(wanted_gradient.abs().nan_to_num(0.0, 0.0, 0.0).max())
        close(f"the gradient of {dtype} logits, against float64", gradient, wanted_gradient, rtol=rounding,
              atol=rounding * size)  # fmt: skip
        close(f"the value of {dtype} logits under autocast", exact, true[0].float(), rtol=1e-4, atol=1e-5)


def _extreme_logits(subject: _Subject) -> None:
    logits = torch.zeros(6, _CLASSES, dtype=torch.float64)
    logits[0, 0] = logits[1, 3] = 1e4
    logits[2] = 1e4
    logits[3, 3], logits[3, 0] = 90.0, -90.0
    logits[4, 2] = -math.inf
    logits[5, 0] = -math.inf
    labels = torch.arange(6) % _CLASSES
    each = subject.having(reduction="none")
    true, _ = _step(each, logits, labels)
    for dtype in (torch.float64, torch.float32):
        value, gradient = _step(each, logits.to(dtype), labels)
        finite(f"the value of huge logits in {dtype}", value[:4])
        if value.isnan().any():
            unmet(f"the value of a masked label in {dtype}", "nan", "its limit, which may be infinite")
        finite(f"the gradient of huge and masked logits in {dtype}", gradient)
        close(f"the value of huge and masked logits in {dtype}", value, true, rtol=1e-4, atol=1e-4)
    logits, labels = _batch()
    logits[2, 1] = math.nan
    for value in (_call(subject.loss, logits, labels), _step(subject.loss, logits, labels)[0]):
        if not value.isnan():
            unmet("the value where a logit that counts is NaN", value.item(), "nan")


def _large_batches(subject: _Subject) -> None:
    logits, labels = _batch(600, 1000, dtype=torch.float32)
    value, gradient = _step(subject.loss, logits, labels)
    finite("the gradient of a large batch", gradient)
    if subject.draws:
        return
    exact = logits.double()
    close("the value of a large batch, against float64", value, subject.loss(exact, labels), rtol=2e-5, atol=1e-6)
    plain = torch.func.grad(subject.loss)(exact, labels)
    size = float(plain.abs().max())
    close("the gradient of a large batch, against float64", gradient, plain, rtol=2e-5, atol=2e-5 * size)


def _text(subject: _Subject) -> None:
    if not _has_text(subject.loss):
        return  # a class without a name: no text can name it
    logits, labels = _batch()
    for smoothing in (0.0, _SMOOTHING):
        loss = subject.having(label_smoothing=smoothing)
        again = make_loss(loss.spec, **{**loss.options, "label_smoothing": make_loss(loss.spec).label_smoothing})
        if again.spec != loss.spec:
            unmet(f"the text of make_loss({loss.spec!r})", repr(again.spec), repr(loss.spec))
        same(f"the value of make_loss({loss.spec!r})", _call(again, logits, labels), _call(loss, logits, labels))


def _copies(subject: _Subject) -> None:
    logits, labels = _batch()
    for options in ({}, {"weight": _WEIGHT, "reduction": "sum", "ignore_index": 3, "label_smoothing": _SMOOTHING}):
        loss = subject.having(**options)
        expected = _step(loss, logits, labels)
        for what, again in (
            ("copy.deepcopy", copy.deepcopy(loss)),
            ("pickle", pickle.loads(pickle.dumps(loss))),  # noqa: S301 - of what was pickled in this line
            ("with_options", loss.with_options()),
        ):
            for name, found, wanted in zip(("value", "gradient"), _step(again, logits, labels), expected, strict=True):
                same(f"the {name} of a copy by {what}", found, wanted)
            if again.hyperparameters != loss.hyperparameters:
                unmet(f"the parameters of a copy by {what}", again.hyperparameters, loss.hyperparameters)


def _inputs(subject: _Subject) -> None:
    for dtype, shape in ((torch.float64, (6, _CLASSES)), (torch.bfloat16, (300, 100)), (torch.float32, (600, 1000))):
        logits, labels = _batch(*shape, dtype=dtype)
        soft = logits.double().softmax(1)
        given = [logits.requires_grad_(), labels, soft, _random(shape[0]), _random(shape[1])]
        before = [each.detach().clone() for each in given]
        loss = subject.having(weight=given[4])
        for target in (labels, soft):
            value = _call(loss, logits, target, given[3])
            (first,) = torch.autograd.grad(value, logits, retain_graph=True)
            handed_out = first.clone()
            first.mul_(3)
            (second,) = torch.autograd.grad(value, logits)
            same("the gradient after that of an earlier backward was changed in place", second, handed_out)
        names = ("the logits", "the labels", "the probabilities", "sample_weight", "weight")
        for name, found, wanted in zip(names, given, before, strict=True):
            same(f"{name} after the call", found.detach(), wanted)


def _repetition(subject: _Subject) -> None:
    for shape in ((6, _CLASSES), (600, 1000)):
        logits, labels = _batch(*shape, dtype=torch.float32)
        first, second = _step(subject.loss, logits, labels), _step(subject.loss, logits, labels)
        same("the value the second time, with the same seed", second[0], first[0])
        same("the gradient the second time, with the same seed", second[1], first[1])


def _parameters(subject: _Subject) -> None:
    loss = subject.loss
    check_parameters(loss.declared, loss.with_parameters)
    logits, labels = _batch()
    for key, declared in loss.declared.items():
        refused(f"changing {key} of a loss", functools.partial(setattr, loss, key, declared.default), AttributeError)
        for value in [True, False] if declared.domain is None else inside(declared.domain):
            try:
                moved = loss.with_parameters(**{key: value})
                results = _step(moved, logits, labels)
            except SpecError:
                continue  # with the others, or with so many classes, it is refused
            for what, found in zip(("value", "gradient"), results, strict=True):
                finite(f"the {what} with {key}={value:g}, which {declared.domain or 'a flag'} allows", found)


LOSS_CHECKS: dict[str, Callable[[_Subject], None]] = {
    "values": _values,
    "the gradient": _gradient,
    "shapes": _shapes,
    "reductions": _reductions,
    "ignored samples": _ignored,
    "class weights": _class_weights,
    "label smoothing": _label_smoothing,
    "weights of samples": _sample_weights,
    "probability targets": _probabilities,
    "batches in which nothing counts": _nothing_counts,
    "labels that are no class": _no_class,
    "half precision": _half_precision,
    "huge and masked logits": _extreme_logits,
    "large batches": _large_batches,
    "the text": _text,
    "copies": _copies,
    "inputs": _inputs,
    "repetition": _repetition,
    "parameters": _parameters,
}
"""In the order in which they are run."""
