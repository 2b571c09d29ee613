"""Leaves of a call that nothing can ever fill. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath

from sync_worker.core.nearest import nearest
from sync_worker.manifest.check.findings import Finding
from sync_worker.manifest.manifest import PARENT, Manifest
from sync_worker.manifest.record_writer import VARIABLE
from sync_worker.manifest.schema.calls import OperationSpec

ANYTHING: Any = object()  # what a path may find is not known
PARTS = ("query", "headers", "body")
RATING: Mapping[str, Any] = {
    "value": ANYTHING,
    "attributes": [{"name": ANYTHING, "value": ANYTHING}],
    "by_name": ANYTHING,
    **dict.fromkeys(("state", "title", "body", "reply", "revision", "created_at"), ANYTHING),
}
ENTITY = dict.fromkeys(("external_id", "group"), ANYTHING)
CONTACT = dict.fromkeys(("email", "name", "wix_id"), ANYTHING)
SYNC = dict.fromkeys(("wix_id", "idempotency_key"), ANYTHING)
PAGE = dict.fromkeys(("number", "offset", "cursor", "size"), ANYTHING)
HOOK = dict.fromkeys(("url", "topic", "id", "secret"), ANYTHING)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf of a call, or one variable of its path: where it stands, what it is filled from."""

    place: str
    source: str


def leaves_of(spec: OperationSpec, place: str) -> Iterator[Leaf]:
    """Every leaf of a call that is declared at ``place``."""
    for source in VARIABLE.findall(spec.path):
        yield Leaf(f"{place}.path", source)
    for part in PARTS:
        yield from _leaves(getattr(spec, part), f"{place}.{part}")


def _leaves(node: Any, place: str) -> Iterator[Leaf]:
    if isinstance(node, Mapping) and "from" in node:
        yield Leaf(place, str(node["from"]))
    elif isinstance(node, Mapping):
        for key, child in node.items():
            yield from _leaves(child, f"{place}.{key}")
    elif isinstance(node, list | tuple):
        for number, child in enumerate(node):
            yield from _leaves(child, f"{place}.{number}")


def check_leaves(manifest: Manifest) -> Iterator[Finding]:
    """Leaves whose paths lead to nothing that their call knows."""
    for place, spec in manifest.specs:
        known, call = _context(manifest, place), place.partition(".")[2]
        for leaf in leaves_of(spec, place):
            for why in Unfilled(known, call).in_path(leaf.source):
                yield Finding(leaf.place, f"`{leaf.source}` is never filled: {why}", "", leaf.place)


def _context(manifest: Manifest, place: str) -> Mapping[str, Any]:
    """The shape of what a call is filled from."""
    conn = {"conn": dict.fromkeys(manifest.conn, ANYTHING)}
    if place.startswith("webhook."):
        return {**conn, "hook": HOOK, "page": PAGE}
    if place.startswith("operations.author."):
        return {**conn, "contact": CONTACT, "page": PAGE}
    key = {"key": dict.fromkeys(manifest.key, ANYTHING), **_of_key(manifest)}
    known: dict[str, Any]
    match place.partition(".")[2]:
        case "create":
            known = {"rating": RATING, "entity": ENTITY, "contact": CONTACT, "sync": SYNC}
            if manifest.operations.author is not None:
                known["author"] = {"id": ANYTHING}
        case "update":
            known = {"rating": RATING, "contact": CONTACT, "sync": SYNC, **key, "entity": ENTITY}
        case "reply":
            known = {"rating": {"reply": ANYTHING}, **key}
        case "delete":
            known = {"rating": {"revision": ANYTHING}, **key}
        case "get":
            known = {**key}
        case "find":
            known = {"entity": ENTITY, "contact": CONTACT, "page": PAGE}
        case "list" if manifest.lists_by_parent:
            known = {"entity": ENTITY, "page": PAGE}
        case _:
            known = {"page": PAGE}
    return {**conn, **known}


def _of_key(manifest: Manifest) -> Mapping[str, Any]:
    """What of a key came from a request comes back as the context of the next one."""
    contexts = [str(part.context) for part in manifest.key.values() if part.context is not None]
    return {context.partition(".")[0]: ANYTHING for context in contexts if "." in context} | (
        {"entity": ENTITY} if PARENT in contexts else {}
    )


@dataclass(slots=True)
class Unfilled:
    """Follows a path through the shape of what is known; ``call``: the operation's name."""

    known: Mapping[str, Any]
    call: str
    found: list[str] = field(default_factory=list)

    def in_path(self, source: str) -> list[str]:
        """Why it finds nothing; empty if it may find something."""
        self._follow(jmespath.compile(source).parsed, self.known, "")
        return self.found

    def _follow(self, node: Mapping[str, Any], shape: Any, name: str) -> Any:
        children = node["children"]
        match node["type"]:
            case "field":
                return self._field(str(node["value"]), shape, name)
            case "identity" | "current":
                return shape
            case "subexpression" | "pipe":
                return self._chain(children, shape, name)
            case "projection" | "filter_projection":
                inside = self._follow(children[0], shape, name)
                return self._follow(children[1], _item(inside), "an item")
            case "flatten":
                return self._follow(children[0], shape, name)
            case "index_expression":
                return _item(self._follow(children[0], shape, name))
            case "multi_select_dict" | "multi_select_list" | "function_expression":
                for child in children:
                    self._follow(child, shape, name)
            case "or_expression" | "and_expression" | "not_expression" | "comparator":
                for child in children:
                    self._follow(child, shape, name)
            case "key_val_pair":
                return self._follow(children[0], shape, name)
            case _:  # a literal, or what a function is handed
                pass
        return ANYTHING

    def _chain(self, nodes: list[Any], shape: Any, name: str) -> Any:
        for node in nodes:
            shape = self._follow(node, shape, name)
            name = str(node["value"]) if node["type"] == "field" else name
        return shape

    def _field(self, part: str, shape: Any, name: str) -> Any:
        if not isinstance(shape, Mapping):
            return ANYTHING
        if part in shape:
            return shape[part]
        meant = nearest(part, shape)
        if not name and meant is None:
            self.found.append(f"a {self.call} knows no {part}; it knows {_listed(shape)}")
        elif meant is not None:
            self.found.append(f"{name or self.call} has no {part}; did you mean `{meant}`?")
        else:
            self.found.append(f"{name} has no {part}; it has {_listed(shape)}")
        return ANYTHING


def _item(shape: Any) -> Any:
    return shape[0] if isinstance(shape, list) else ANYTHING


def _listed(shape: Mapping[str, Any]) -> str:
    return ", ".join(sorted(shape)) or "nothing"
