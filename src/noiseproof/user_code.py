"""Modules of the user, which define losses of their own.

Only what somebody names is imported: with ``--import``, or at the top of a recipe file. A run folder never is a reason
to import anything.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import importlib.machinery
import keyword
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from noiseproof.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

HINT = "one of your own is known once its module is imported (--import MODULE, or imports in the recipe file)"
"""What an error about an unknown name may add."""


@dataclass(frozen=True)
class UserModule:
    """A module that was imported.

    Attributes:
        name: as Python imports it.
        folder: where it was found; ``None`` on Python's own path.
    """

    name: str
    folder: str | None


_contents: dict[str, str] = {}
"""The SHA-256 of the file of each module as it was imported, by the module's name."""


def import_modules(names: Iterable[str], beside: Path | None = None) -> tuple[UserModule, ...]:
    """Import modules by name, each from the working folder, or ``beside``, or Python's path.

    A module whose file has changed since it was imported is imported anew.

    Args:
        names: such as ``"my_losses"`` or ``"my_package.losses"``.
        beside: the folder of the recipe file that names them.

    Raises:
        RecipeError: a text that is no module's name, no such module, or one that fails; the message says where.
    """
    folders = list(dict.fromkeys(os.path.abspath(folder) for folder in (Path(), beside) if folder is not None))  # noqa: PTH100 - links stay
    return tuple(_import(name, folders) for name in names)


def import_again(modules: Iterable[UserModule]) -> None:
    """Import in this process what :func:`import_modules` found in another one.

    Raises:
        RecipeError: as there.
    """
    for module in modules:
        _import(module.name, [] if module.folder is None else [module.folder])


def defining_modules(classes: Iterable[type]) -> tuple[UserModule, ...]:
    """The modules that define some classes, but for those of noiseproof, as another process can import them.

    Raises:
        RecipeError: a class of the main module (a script, a notebook, a console), which no other process imports.
    """
    found = {}
    for cls in classes:
        module = sys.modules.get(cls.__module__)
        if cls.__module__.partition(".")[0] == "noiseproof" or module is None:
            continue
        file = getattr(module, "__file__", None)
        if cls.__module__ in ("__main__", "__mp_main__"):
            where = "a notebook or a console" if file is None else "the script that is run"
            raise RecipeError(
                f"{cls.__qualname__} was defined in {where}, which other processes do not import: put it into a file "
                "of its own and import that, or use one job"
            )
        depth = cls.__module__.count(".") + (Path(file or "").stem == "__init__")
        folder = None if file is None else str(Path(file).absolute().parents[depth])
        found[cls.__module__] = UserModule(cls.__module__, folder)
    return tuple(found.values())


def not_in_module(name: str) -> str:
    """What to say of a dotted path into an imported module that has nothing of that name; empty of any other text."""
    path, _, attribute = name.rpartition(".")
    module = sys.modules.get(path)
    if module is None or hasattr(module, attribute):
        return ""
    near = difflib.get_close_matches(attribute, [each for each in vars(module) if not each.startswith("_")], n=2)
    meant = f"; did you mean {' or '.join(f'{path}.{each}' for each in near)}?" if near else ""
    return f"there is no {attribute} in the module {path}{meant}"


def contents_at_import(name: str) -> str | None:
    """The SHA-256 that the file of a module had when the user had it imported; ``None`` for other modules."""
    return _contents.get(name) or None


def is_reloaded(before: type, now: type) -> bool:
    """Whether two classes are the same definition, of a module that was executed again, perhaps under another name."""
    files = [getattr(sys.modules.get(cls.__module__), "__file__", None) for cls in (before, now)]
    real = [None if file is None else os.path.realpath(file) for file in files]
    same_module = before.__module__ == now.__module__ or (real[0] is not None and real[0] == real[1])
    return same_module and before.__qualname__ == now.__qualname__


def _import(name: str, folders: list[str]) -> UserModule:
    words = name.split(".")
    if not all(word.isidentifier() and not keyword.iskeyword(word) for word in words) or words[1:] == ["py"]:
        raise RecipeError(
            f"cannot import {name!r}: expected the name of a module without an ending, such as my_losses for the file "
            "my_losses.py in the working folder or beside the recipe file"
        )
    top, _, inside = name.partition(".")
    folder = next((each for each in folders if _is_in(top, each, package=bool(inside))), None)
    if folder is not None:
        _refuse_another(top, folder)
    try:
        with _first_on_path(folder):
            module = importlib.import_module(name)
            if name in _contents and _contents[name] != _sha256(module):
                module = importlib.reload(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the module's own code may raise anything, SystemExit too
        sys.modules.pop(name, None)
        raise RecipeError(_why(name, error, folders)) from error
    _contents[name] = _sha256(module)
    return UserModule(name, folder)


def _is_in(top: str, folder: str, *, package: bool) -> bool:
    """Whether a folder has a module; one that only holds others counts where one of those is meant."""
    importlib.invalidate_caches()
    spec = importlib.machinery.PathFinder.find_spec(top, [folder])
    return spec is not None and (package or spec.has_location)


def _refuse_another(top: str, folder: str) -> None:
    """Raise if another module has the name already, such as one of Python's own."""
    loaded = sys.modules.get(top)
    places = [] if loaded is None else [*getattr(loaded, "__path__", []), getattr(loaded, "__file__", None) or "/"]
    if loaded is not None and not any(Path(place).resolve().is_relative_to(Path(folder).resolve()) for place in places):
        raise RecipeError(
            f"cannot import {top} from {folder}: another module of this name is in use "
            f"({getattr(loaded, '__file__', None) or 'a part of Python'}). Rename yours"
        )


@contextlib.contextmanager
def _first_on_path(folder: str | None) -> Iterator[None]:
    """Let a module import its neighbors while it is imported; later they come last, so that they hide nothing."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # by its time alone an old copy may pass for new
    if folder is not None:
        sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
        if folder is not None:
            with contextlib.suppress(ValueError):
                sys.path.remove(folder)
            if folder not in sys.path:
                sys.path.append(folder)


def _sha256(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    try:
        return hashlib.sha256(Path(file or "").read_bytes()).hexdigest()
    except OSError:
        return ""


def _why(name: str, error: BaseException, folders: list[str]) -> str:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen ") and Path(frame.filename).name != Path(__file__).name
    ]
    frames = [frame for frame in frames if f"{os.sep}importlib{os.sep}" not in frame.filename]
    absent = error.name if isinstance(error, ModuleNotFoundError) else None
    if absent and f"{name}.".startswith(f"{absent}.") and not frames:
        known = {entry.stem for folder in folders for entry in Path(folder).glob("*.py")}
        near = difflib.get_close_matches(name, sorted(known), n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        looked = ", ".join([*folders, "Python's path"])
        return f"there is no module {absent}{hint} (looked in {looked})"
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{error.filename}, line {error.lineno}"
    else:
        own = [frame for frame in frames if any(frame.filename.startswith(folder) for folder in folders)] or frames
        place = f"{own[-1].filename}, line {own[-1].lineno}" if own else name
    text = str(error.msg if isinstance(error, SyntaxError) else error)
    return f"cannot import {name}: {type(error).__name__}{': ' if text else ''}{text} ({place})"
