"""A typed tree part by part: where each stands, and whose it is. Pure; made once for each call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Place = tuple[str, ...]
ADDRESS = re.compile(r"(?<![\w.])(key|conn|page)(?=[.\[]|$)|\brating\.revision\b")
THEIRS = re.compile(r"(contact|entity|sync)\.[\w.]+|rating\.(state|created_at)")
KNOWN = re.compile(r"contact\.email|entity\.\w+|rating\.(value|by_name\.\w+|attributes\b.*)")


class Owner(StrEnum):
    """Whose a leaf is."""

    ADDRESS = "address"  # says which record is meant
    THEIRS = "theirs"  # no change of ours can change it
    PERHAPS_OURS = "perhaps_ours"  # it may change with the values that we change


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf of a tree, or a fixed value in it.

    ``source``: where a leaf is filled from. ``explains``: the leaves that a fixed value stands
    beside.
    """

    place: Place
    node: Any
    is_fixed: bool = False
    source: str = ""
    owner: Owner = Owner.PERHAPS_OURS
    is_required: bool = False
    explains: frozenset[Place] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether the ledger tells what belongs there, whatever the record shows."""
        return KNOWN.fullmatch(self.source) is not None

    @property
    def is_list_of_attributes(self) -> bool:
        return "rating.attributes" in self.source


def outline_of(tree: Any) -> tuple[Part, ...] | None:
    """The parts, leaves first; ``None`` for what is no mapping of parts."""
    if not isinstance(tree, Mapping) or "from" in tree:
        return None
    parts = list(_parts(tree, (), frozenset()))
    return tuple(sorted(parts, key=lambda part: part.is_fixed))


def _parts(node: Any, place: Place, explains: frozenset[Place]) -> Iterator[Part]:
    if isinstance(node, Mapping) and node and "from" not in node:
        # The nearest leaves: those in this mapping, else those further out.
        inside = frozenset(_leaves(node, place)) or explains
        for key, child in node.items():
            yield from _parts(child, (*place, str(key)), inside)
    elif not any(True for _ in _leaves(node, place)):
        yield Part(place, node, is_fixed=True, explains=explains)
    else:
        yield _leaf(node, place)


def _leaves(node: Any, place: Place) -> Iterator[Place]:
    """The places of the leaves in a node; a list with leaves in it counts as one."""
    if isinstance(node, Mapping):
        if "from" in node:
            yield place
            return
        for key, child in node.items():
            yield from _leaves(child, (*place, str(key)))
    elif isinstance(node, list | tuple) and any(True for _ in _leaves_in_items(node)):
        yield place


def _leaves_in_items(items: list[Any] | tuple[Any, ...]) -> Iterator[Place]:
    for item in items:
        yield from _leaves(item, ())


def _leaf(node: Any, place: Place) -> Part:
    if not isinstance(node, Mapping):
        return Part(place, node)
    source = str(node["from"])
    owner = Owner.PERHAPS_OURS
    if ADDRESS.search(source):
        owner = Owner.ADDRESS
    elif THEIRS.fullmatch(source):
        owner = Owner.THEIRS
    return Part(place, node, False, source, owner, bool(node.get("required")))
