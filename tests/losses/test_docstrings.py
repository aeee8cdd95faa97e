"""What ``help()`` and editors show of the losses, and the functions that are written from their definitions."""

from __future__ import annotations

import doctest
import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import write_docstrings
from conftest import UNMEASURED
from noiseproof.errors import SpecError
from noiseproof.losses import REGISTRY, LabelLoss, Limit, Loss, flag, parameter
from noiseproof.losses import functional as F
from noiseproof.losses.base import Combination
from noiseproof.losses.definitions import CE, GCE
from noiseproof.losses.describe import describe, describe_function, meanings, summary
from noiseproof.losses.papers import ghosh_2017

OWN = {name: loss for name, loss in REGISTRY.items() if loss.__module__.startswith("noiseproof.")}
OPTIONS = ["weight", "ignore_index", "reduction", "label_smoothing"]

each_loss = pytest.mark.parametrize("loss", OWN.values(), ids=list(OWN))


@pytest.mark.parametrize("path", write_docstrings.written(), ids=lambda path: path.name)
def test_the_source_has_what_the_definitions_give(path: Path) -> None:
    expected = write_docstrings.written()[path]
    assert path.read_text(encoding="utf-8") == expected, "run: python docs/write_docstrings.py"


def test_a_changed_definition_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GCE.declared, "q", parameter(default=0.5, domain="(0, 2]"))
    written = {path.name: text for path, text in write_docstrings.written().items()}
    for module in ("definitions.py", "functional.py"):
        assert "whose label is improbable; in (0, 2], 0.5 by default.\n" in written[module]
    assert "    q: float = 0.5,\n    ignore_index" in written["functional.py"]
    assert "arange(8), q=0.5).item(), 3)\n        1.368\n" in written["functional.py"]


@each_loss
def test_a_loss_says_what_one_needs_to_know(loss: type[Loss]) -> None:
    text = inspect.getdoc(loss)
    assert text is not None
    assert ":math:`" in summary(loss)
    for title in ("Args:", "Shape:", "Example:", *(["References:"] if loss is not CE else [])):
        assert f"\n\n{title}\n    " in text
    assert loss is CE or (loss.citation is not None and loss.citation.title in " ".join(text.split()))
    assert meanings(loss).keys() == loss.declared.keys(), "say below Args: what each parameter means"
    assert re.findall(r"^    (\w+): ", text, re.MULTILINE) == [*loss.declared, *OPTIONS]
    for limit in loss.limits:
        assert f"``{limit.equals}`` at" in text


@each_loss
def test_digits_of_examples_hold_on_every_machine(loss: type[Loss]) -> None:
    """Rounding in other places moves the last digits of a float32."""
    logits, labels = torch.zeros(8, 10), torch.arange(8)
    value = loss()(logits.double(), labels).item()
    shown = {round(value * (1 + error), 3) for error in (-1e-6, 0.0, 1e-6)}
    assert shown == {round(loss()(logits, labels).item(), 3)}


@each_loss
def test_a_function_is_written_out(loss: type[Loss]) -> None:
    name = F.function_name(loss.name)
    function = vars(F)[name]
    keys = inspect.signature(function).parameters
    assert list(keys) == ["input", "target", "weight", *loss.declared, *OPTIONS[1:]]
    for key, entry in loss.declared.items():
        assert keys[key].default == entry.default
        assert keys[key].annotation == ("bool" if entry.domain is None else "float")
        assert keys[key].kind is inspect.Parameter.KEYWORD_ONLY
    assert keys["reduction"].annotation == "Literal['mean', 'sum', 'none']"
    options = inspect.signature(loss).parameters
    assert [keys[key].default for key in OPTIONS] == [options[key].default for key in OPTIONS]
    assert function.__name__ == name
    assert pickle.loads(pickle.dumps(function)) is function


def test_a_function_hands_on_all_that_it_gets() -> None:
    """The order of its parameters is that of the definition."""
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(6, 5, generator=generator, dtype=torch.float64), torch.arange(6) % 5
    for name, loss in OWN.items():
        others = {
            key: not entry.default if entry.domain is None else entry.default * (1 - 0.02 * place)
            for place, (key, entry) in enumerate(loss.declared.items(), 1)
        }
        options = {"ignore_index": 2, "reduction": "sum", "label_smoothing": 0.25}
        function = getattr(F, F.function_name(name))
        for _ in range(2):
            torch.manual_seed(0)
            found = function(logits, labels, **others, **options)
            torch.manual_seed(0)
            assert found == loss(**others, **options)(logits, labels), name


def test_an_unknown_parameter_is_refused_as_by_the_loss() -> None:
    with pytest.raises(SpecError, match="nce\\+rce has no parameter 'alfa'; did you mean 'alpha'"):
        F.nce_rce(torch.zeros(1, 3), torch.tensor([0]), alfa=2.0)  # type: ignore[call-arg]


# Losses of one's own.


@pytest.mark.usefixtures("definitions_as_before")
def test_a_loss_of_ones_own_has_the_same_sections() -> None:
    class Taylor(LabelLoss, name="taylor-of-docs"):
        r"""Cross-entropy's series in :math:`1 - p_y`, cut after two terms.

        A second paragraph.
        """

        citation = ghosh_2017("Eq. 1")
        limits = (Limit({"second": 0.0}, "0.5*mae", tolerance=1e-3),)

        second: float = parameter(default=0.5, domain="[0, inf)")
        squared: bool = flag(default=True)

        def value(self, label):  # type: ignore[no-untyped-def]
            return (1 - label.p) + self.second * (1 - label.p) ** 2

        def slope(self, label):  # type: ignore[no-untyped-def]
            return -label.p * (1 + 2 * self.second * (1 - label.p))

    text = inspect.getdoc(Taylor)
    assert text is not None
    assert text.startswith(
        "Cross-entropy's series in :math:`1 - p_y`, cut after two terms.\n\nA second paragraph.\n\nArgs:"
    )
    assert (
        "\n    second: in [0, inf), 0.5 by default.\n    squared: True or False, True by default.\n    weight: " in text
    )
    assert "\n    - nearly ``0.5*mae`` at second = 0 (relative difference: 0.001)\n" in text
    assert text.endswith("Noise for Deep Neural Networks. AAAI 2017, Eq. 1.")
    assert not doctest.DocTestParser().get_examples(text), "nothing of it is run by anybody's tests"
    example = inspect.cleandoc(text.partition("Example::")[2].partition("References:")[0])
    exec(example, {"Taylor": Taylor})
    assert summary(Taylor).endswith("A second paragraph.")

    function = F.taylor_of_docs
    assert F.taylor_of_docs is function
    assert pickle.loads(pickle.dumps(function)) is function
    assert "\n    second: in [0, inf), 0.5 by default.\n" in (function.__doc__ or "")
    exec(inspect.cleandoc((function.__doc__ or "").partition("Example::")[2].partition("References:")[0]), {})


@pytest.mark.usefixtures("definitions_as_before")
def test_what_an_author_says_stays() -> None:
    class Said(LabelLoss, name="said"):
        """A loss.

        Args:
            a: what I say.
        """

        a: float = parameter(default=0.5, domain="[0, inf)")

    assert inspect.getdoc(Said) == "A loss.\n\nArgs:\n    a: what I say."
    assert "\n    a: what I say; in [0, inf), 0.5 by default.\n" in describe(Said, run=False)

    class Nothing(LabelLoss, name="says-nothing"):
        title = "My loss"

    assert (Nothing.__doc__ or "").startswith("My loss.\n\nArgs:\n    weight: ")

    class WithoutTitle(LabelLoss, name="says-nothing-more"):
        pass

    assert (WithoutTitle.__doc__ or "").startswith("The loss ``says-nothing-more``.\n\nArgs:")

    class Unnamed(LabelLoss):
        """A base of others."""

    assert Unnamed.__doc__ == "A base of others."


@pytest.mark.usefixtures("definitions_as_before")
def test_nothing_of_a_loss_is_run_when_its_class_is_made() -> None:
    class Broken(Combination, name="broken-combination"):
        """It cannot be made."""

        def expression(self) -> Loss:
            raise RuntimeError

    assert "    loss.parts.spec  # the other losses" in (Broken.__doc__ or "")


def test_without_docstrings_there_are_none() -> None:
    code = "from noiseproof.losses import REGISTRY; print({loss.__doc__ for loss in REGISTRY.values()})"
    command = [sys.executable, "-OO", "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True, env=UNMEASURED).stdout == "{None}\n"


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30), min_size=1, max_size=40))
def test_what_an_author_says_is_read_back(words: list[str]) -> None:
    said = " ".join(words)

    class Described(LabelLoss):
        a: float = parameter(default=0.5, domain="[0, inf)")
        b: bool = flag(default=True)
        c: float = parameter(default=-2.0, domain="(-inf, 0]")

    Described.__doc__ = f"One.\n\nArgs:\n    a: {said}\n    b: {said}."
    for _ in range(2):
        Described.__doc__ = describe(Described, run=False)
        assert summary(Described) == "One."
        assert meanings(Described) == {"a": said, "b": said}
        assert all(len(line) <= 116 for line in Described.__doc__.splitlines())
    assert describe(Described, run=False) == Described.__doc__
    assert "c: in (-inf, 0], -2 by default." in describe_function(Described, run=False)
