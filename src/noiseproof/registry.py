"""Kinds by name: losses, methods, noises, data sources, models, executors, each with its settings beside what it does.

A user's kind counts as much as the package's. It is known by its name once its module is imported, by its dotted path
(``my_module.MyKind``) likewise, or through an entry point of an installed package::

    [project.entry-points."noiseproof.models"]
    my-net = "my_package.nets:MyNet"
"""

from __future__ import annotations

import importlib.metadata
import sys
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from noiseproof.errors import SpecError, suggest
from noiseproof.spec import check_name
from noiseproof.user_code import HINT, is_reloaded, not_in_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_K = TypeVar("_K")


class Registry(dict[str, _K], Generic[_K]):
    """The kinds of one sort, by name.

    Args:
        what: what one is called in errors, such as ``"loss"``.
        group: the group of entry points, such as ``"losses"``, which stands behind ``noiseproof.``.
        adopt: takes a name and what a dotted path or an entry point leads to, which may be anything, and returns the
            kind that it is, or makes it one; ``None`` for what is none.
    """

    def __init__(self, what: str, group: str, adopt: Callable[[str, Any], _K | None]) -> None:
        super().__init__()
        self.what = what
        self.group = f"noiseproof.{group}"
        self._adopt = adopt
        self._definitions: dict[str, Any] = {}

    @classmethod
    def of_classes(cls, what: str, group: str, base: Callable[[], type]) -> Registry[Any]:
        """A registry of the subclasses of a class.

        Args:
            what: what one is called in errors.
            group: the group of entry points.
            base: gives the class, which need not be there yet. A subclass whose ``name`` is empty takes the name by
                which it is found, so that its text can be read back.
        """

        def adopt(name: str, found: Any) -> Any:
            if not isinstance(found, type) or not issubclass(found, base()):
                return None
            if getattr(found, "name", None) == "":
                found.name = name  # type: ignore[attr-defined]
                registry.add(name, found)
            return found

        registry: Registry[Any] = cls(what, group, adopt)
        return registry

    @classmethod
    def of_functions(cls, what: str, group: str) -> Registry[Callable[..., Any]]:
        """A registry of functions: whatever can be called is one.

        Args:
            what: what one is called in errors.
            group: the group of entry points.
        """

        def adopt(name: str, found: Any) -> Callable[..., Any] | None:  # noqa: ARG001 - a registry gives the name
            return found if callable(found) else None

        registry: Registry[Callable[..., Any]] = cls(what, group, adopt)  # type: ignore[assignment,arg-type]
        return registry

    def add(self, name: str, kind: _K, definition: Any = None) -> None:
        """Know a kind by a name from now on; a module that is imported again brings its own again.

        Args:
            name: the name.
            kind: the kind.
            definition: the class or function that defines it, where it is none itself.

        Raises:
            SpecError: the name is taken by another kind, or is none.
        """
        if "." not in name:
            check_name(name, self.what)
        definition = kind if definition is None else definition
        before = self._definitions.get(name, definition) if name in self else definition
        if before is not definition and not is_reloaded(before, definition):
            raise SpecError(f"a {self.what} called {name!r} exists already ({before.__module__}.{before.__qualname__})")
        self._definitions[name] = definition
        self[name] = kind

    def has(self, name: str) -> bool:
        """Whether a kind is known by a name, a dotted path into a module that was imported, or an entry point."""
        return self._find(name) is not None

    def find(self, name: str, others: Iterable[str] = ()) -> _K:
        """The kind of a name, a dotted path into a module that was imported, or an entry point.

        Args:
            name: which one.
            others: further names that an error may suggest.

        Raises:
            SpecError: there is none.
        """
        found = self._find(name)
        if found is None:
            raise self.unknown(name, others)
        return found

    def unknown(self, name: str, others: Iterable[str] = ()) -> SpecError:
        """The error about a name that is no kind's."""
        known = suggest(name[:100], [*self, *others])
        return SpecError(not_in_module(name) or f"unknown {self.what} {name!r:.100}{known}; {HINT}")

    def definition(self, name: str) -> Any:
        """The class or function that defines a kind."""
        return self._definitions[name]

    def _find(self, name: str) -> _K | None:
        if name in self:
            return self[name]
        module, _, attribute = name.rpartition(".")
        if module:
            found = getattr(sys.modules.get(module), attribute, None)
            return None if found is None else self._adopt(name, found)
        for entry in importlib.metadata.entry_points(group=self.group, name=name):
            kind = self._adopt(name, entry.load())
            if kind is not None:
                return self.setdefault(name, kind)
        return None
