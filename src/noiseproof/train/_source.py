"""The source of losses that are defined outside noiseproof: with other code, a run is another run."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sysconfig
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from noiseproof.errors import RunError
from noiseproof.user_code import contents_at_import

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NOT_THE_USERS = ("noiseproof", "torch", "pydantic", "builtins", "typing", "abc")


def source_hashes(definitions: Iterable[Any]) -> dict[str, str]:
    """The SHA-256 of the source that defines some classes and functions, by module; nothing for noiseproof's own.

    With each module come those beside it, in the same folder or package, that it imports. Nothing is imported for that.

    Raises:
        RunError: a module that the user named was changed after it was imported.
    """
    found: dict[str, str] = {}
    for cls in dict.fromkeys(base for each in definitions for base in getattr(each, "__mro__", (each,))):
        if cls.__module__.partition(".")[0] in _NOT_THE_USERS or cls.__module__ in found:
            continue
        try:
            _add_module(cls.__module__, Path(inspect.getfile(cls)).resolve(), found)
        except (OSError, TypeError):  # typed into a notebook or a console
            found[cls.__module__] = sha256(_typed_in(cls))
    return {("__main__" if name == "__mp_main__" else name): digest for name, digest in sorted(found.items())}


def _add_module(name: str, file: Path, found: dict[str, str]) -> None:
    source = file.read_bytes()
    found[name] = sha256(source)
    if contents_at_import(name) not in (None, found[name]):
        raise RunError(
            f"{file} was changed after {name} had been imported from it, so that what would run is not what is there: "
            "run the same command again"
        )
    words = [] if name in ("__main__", "__mp_main__") else name.split(".")
    is_package = file.name == "__init__.py"
    root = file.parents[max(0, len(words) - 1 + is_package)]
    package = words if is_package else words[:-1]
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # changed since it was imported, or no text
    for imported in _imported(tree, package):
        parts = imported.split(".")
        if root in _installed() and parts[0] != (words or [""])[0]:
            continue  # beside each other, but they have nothing to do with each other
        for length in range(1, len(parts) + 1):
            base = root.joinpath(*parts[:length])
            near = (base / "__init__.py", base.with_name(f"{base.name}.py"))
            reached = ".".join(parts[:length])
            beside = next((each for each in near if each.is_file()), None)
            if beside is not None and reached not in found:
                _add_module(reached, beside, found)


def _installed() -> set[Path]:
    """The folders that hold what is installed."""
    return {Path(place).resolve() for key, place in sysconfig.get_paths().items() if key.endswith("lib")} | {
        Path(place).resolve() for place in (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    }


def _imported(tree: ast.AST, package: list[str]) -> Iterator[str]:
    """The full names of all modules, and perhaps of what is in them, that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = [*above, *([node.module] if node.module else [])]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def _typed_in(cls: Any) -> bytes:
    """A class by its text, where that is kept as notebooks do, or by its functions."""
    try:
        return inspect.getsource(cls).encode()
    except (OSError, TypeError):
        inside = {cls.__name__: cls} if inspect.isfunction(cls) else vars(cls)
        codes = [(key, value.__code__) for key, value in sorted(inside.items()) if inspect.isfunction(value)]
        return repr([(key, _code(code)) for key, code in codes]).encode()


def _code(code: CodeType) -> tuple[object, ...]:
    constants = [_code(each) if isinstance(each, CodeType) else each for each in code.co_consts]
    return code.co_code, code.co_names, constants


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
