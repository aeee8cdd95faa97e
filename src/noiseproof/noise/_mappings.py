"""The asymmetric maps of the published protocols."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from noiseproof.classes import Classes
from noiseproof.errors import LabelError, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAPPED = ("cifar10", "cifar100")
"""The data sets that have a published map."""

_LONGEST_NAME = 1000

_CIFAR10 = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}
"""truck -> automobile, bird -> airplane, deer -> horse, cat <-> dog."""

_CIFAR100_SUPERCLASSES = (
    (4, 30, 55, 72, 95),  # aquatic mammals
    (1, 32, 67, 73, 91),  # fish
    (54, 62, 70, 82, 92),  # flowers
    (9, 10, 16, 28, 61),  # food containers
    (0, 51, 53, 57, 83),  # fruit and vegetables
    (22, 39, 40, 86, 87),  # household electrical devices
    (5, 20, 25, 84, 94),  # household furniture
    (6, 7, 14, 18, 24),  # insects
    (3, 42, 43, 88, 97),  # large carnivores
    (12, 17, 37, 68, 76),  # large man-made outdoor things
    (23, 33, 49, 60, 71),  # large natural outdoor scenes
    (15, 19, 21, 31, 38),  # large omnivores and herbivores
    (34, 63, 64, 66, 75),  # medium-sized mammals
    (26, 45, 77, 79, 99),  # non-insect invertebrates
    (2, 11, 35, 46, 98),  # people
    (27, 29, 44, 78, 93),  # reptiles
    (36, 50, 65, 74, 80),  # small mammals
    (47, 52, 56, 59, 96),  # trees
    (8, 13, 48, 58, 90),  # vehicles 1
    (41, 69, 81, 85, 89),  # vehicles 2
)


_CLASS = r"""\s*(?:"([^"]*)"|'([^']*)'|([^"',:={}]*[^"',:={}\s]))\s*"""
_PAIR = re.compile(f"{_CLASS}[:=]{_CLASS}(?:,|$)")


def parse_mapping(text: str) -> dict[int | str, int | str]:
    """A map of classes from pairs, as recipes and the command line write them.

    Args:
        text: ``"3=5, 5=3"``, ``"cat:dog,dog:cat"`` or ``"{cat = 'dog', 'sea lion' = 'seal'}"``. Names with commas,
            colons, equality signs or braces are in quotes.

    Raises:
        LabelError: no such pairs, or a class that has two targets.
    """
    inside = re.fullmatch(r"\s*\{(.*)\}\s*", text, re.DOTALL)
    rest = text if inside is None else inside[1]
    mapping: dict[int | str, int | str] = {}
    place = 0
    while place < len(rest) or not mapping:
        pair = _PAIR.match(rest, place)
        if pair is None:
            raise LabelError(f"mapping {text!r:.200}: expected pairs of classes such as 3=5, 5=3 or cat=dog")
        place = pair.end()
        sides = [next(side for side in pair.groups()[at : at + 3] if side is not None) for at in (0, 3)]
        source, target = (class_of_mapping(side) for side in sides)
        if mapping.setdefault(source, target) != target:
            raise LabelError(f"mapping {text!r:.200}: class {source} has two targets")
    return mapping


def class_of_mapping(value: Any) -> int | str:
    """A class as a map names it: a whole number as an integer, however it is spelled, or a name.

    Raises:
        LabelError: another value.
    """
    if isinstance(value, str):
        value = value.strip()
        if re.fullmatch(r"-?[0-9]{1,18}", value):
            return int(value)
        if 0 < len(value) <= _LONGEST_NAME:
            return str(value)
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        return value
    raise LabelError(f"mapping: {value!r:.60} is no class: expected its name or its number")


def published_mapping(name: str, source: str) -> tuple[dict[int, int], int]:
    """The map of a data set and its number of classes.

    Args:
        name: ``"cifar10"`` or ``"cifar100"``.
        source: for CIFAR-100, ``"published"`` is the ring inside blocks of five consecutive label ids, which
            every published figure rests on; ``"true"`` is the ring inside the real super-classes, as papers
            describe it. Of the 100 published flips, 6 stay inside a real super-class.

    Raises:
        LabelError: an unknown name or source.
    """
    if source not in ("published", "true"):
        raise LabelError(f"source {source!r}: expected 'published' or 'true'")
    if name == "cifar10":
        return dict(_CIFAR10), 10
    if name == "cifar100":
        blocks = tuple(tuple(range(start, start + 5)) for start in range(0, 100, 5))
        groups = blocks if source == "published" else _CIFAR100_SUPERCLASSES
        return {group[i]: group[(i + 1) % 5] for group in groups for i in range(5)}, 100
    raise LabelError(f"unknown mapping {name!r}{suggest(name, ['cifar10', 'cifar100'])}")


def by_position(mapping: Mapping[Any, Any], class_names: Sequence[str] | None) -> dict[int, int]:
    """A map of classes as one of positions.

    Args:
        mapping: ``{class: target}``, of names, or of numbers where names are no numbers.
        class_names: one per class; without them classes are positions already.

    Raises:
        LabelError: a class that does not exist, or one that has two targets.
    """
    if class_names is None:
        return dict(mapping)
    classes = Classes(tuple(class_names))
    pairs: dict[int, int] = {}
    for source, target in mapping.items():
        what = f"mapping {source!r} -> {target!r}: class"
        place = classes.position(source, what)
        if place in pairs:
            raise LabelError(f"mapping: class {classes.names[place]!r} has two targets")
        pairs[place] = classes.position(target, what)
        if pairs[place] == place:
            raise LabelError(f"mapping {source} -> {target}: a class cannot be flipped to itself; leave it out")
    return pairs
