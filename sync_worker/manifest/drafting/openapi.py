"""Operations proposed from an OpenAPI description (2 or 3). Pure; https://spec.openapis.org/oas/.

A proposal only: a description does not say what a filter compares, or how a listing ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sync_worker.manifest.drafting.draft import tree
from sync_worker.manifest.drafting.samples import NAMES, WRAPPERS

RATED = re.compile(r"review|rating|feedback|testimonial", re.IGNORECASE)
VARIABLE = re.compile(r"\{[^{}]+\}")
MAX_REFERENCES = 20
SENT: Mapping[str, dict[str, Any]] = {
    "value": {"from": "rating.value", "as": "int", "required": True},
    "entity": {"from": "entity.external_id", "required": True},
    "email": {"from": "contact.email"},
    "author": {"from": "contact.name", "default": "Customer"},
    "body": {"from": "rating.body"},
    "title": {"from": "rating.title"},
}
SIZE_NAMES = ("per_page", "page_size", "pagesize", "limit", "size", "pagination[pagesize]")


@dataclass(frozen=True, slots=True)
class Proposal:
    """``operations`` as in a manifest; ``collection``: the path that they are about."""

    base_url: str
    collection: str
    operations: dict[str, Any]


def proposed(document: Any) -> Proposal:
    """What a description offers for ratings. Raises ValueError where it has none."""
    if not isinstance(document, Mapping) or not isinstance(document.get("paths"), Mapping):
        raise ValueError("this is no OpenAPI description: it has no paths")
    base_url, before = _server(document)
    collection = _collection(document["paths"])
    if collection is None:
        raise ValueError(
            "no path of the description has review, rating, feedback or testimonial in its name"
        )
    reader = _Reader(document)
    many, one = document["paths"][collection], _one_of(document["paths"], collection)
    operations: dict[str, Any] = {}
    if one is not None:
        path, methods = one
        target = before + VARIABLE.sub("{key.id}", path)
        operations |= _of_one(reader, methods, target)
    operations |= _of_many(reader, many, before + collection)
    order = ("get", "find", "list", "create", "update", "delete")
    return Proposal(
        base_url,
        before + collection,
        {name: operations[name] for name in order if name in operations},
    )


def _server(document: Mapping[str, Any]) -> tuple[str, str]:
    """The address, and the path before all paths."""
    servers = document.get("servers")
    if isinstance(servers, list) and servers and isinstance(servers[0], Mapping):
        parts = _address(str(servers[0].get("url", "")))
    else:
        scheme = next(iter(_list(document.get("schemes"))), "https")
        parts = _address(f"{scheme}://{document.get('host', '')}{document.get('basePath', '')}")
    base = f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return base, parts.path.rstrip("/")


def _address(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise ValueError(f"{text[:100]!r} is no address of a server") from None


def _collection(paths: Mapping[str, Any]) -> str | None:
    """The shortest path without variables whose last part names ratings, best with a POST."""
    found = [
        path
        for path, methods in paths.items()
        if isinstance(path, str)
        and isinstance(methods, Mapping)
        and not VARIABLE.search(path)
        and RATED.search(path.rstrip("/").rpartition("/")[2])
        and isinstance(methods.get("get"), Mapping)
    ]
    return min(found, key=lambda path: ("post" not in paths[path], len(path)), default=None)


def _one_of(paths: Mapping[str, Any], collection: str) -> tuple[str, Mapping[str, Any]] | None:
    """The path of one record, and its methods."""
    wanted = re.compile(re.escape(collection.rstrip("/")) + r"/\{[^{}]+\}/?")
    for path, methods in paths.items():
        if wanted.fullmatch(str(path)) and isinstance(methods, Mapping):
            return path, {name: _mapping(one) for name, one in methods.items()}
    return None


def _of_one(reader: _Reader, methods: Mapping[str, Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "get" in methods:
        found["get"] = {"method": "GET", "path": path, **reader.result(methods["get"])}
    for method in ("patch", "put"):
        if method in methods:
            body = reader.body(methods[method], ("value",))
            found["update"] = {"method": method.upper(), "path": path, "body": body}
            found["update"] |= reader.result(methods[method])
            break
    if "delete" in methods:
        statuses = [
            int(one)
            for one in _mapping(methods["delete"].get("responses"))
            if str(one) in ("200", "202", "204")
        ]
        found["delete"] = {"method": "DELETE", "path": path}
        if statuses == [204]:
            found["delete"]["success"] = statuses
    return found


def _of_many(reader: _Reader, methods: Mapping[str, Any], path: str) -> dict[str, Any]:
    listing = methods["get"]
    parameters = [str(one.get("name")) for one in reader.parameters(listing)]
    items = reader.items(listing)
    found = {"list": {"method": "GET", "path": path, **items, **_pagination(parameters)}}
    query = {}
    for name in ("entity", "email"):
        parameter = next((one for one in parameters if _is_named(one, name)), None)
        if parameter is not None:
            query[parameter] = {**SENT[name], "required": True}
    if query:
        found["find"] = {"method": "GET", "path": path, "query": query, **items}
    # Without a way to look for a record first, a create is not proposed.
    body = reader.body(_mapping(methods.get("post")), tuple(SENT)) if query else {}
    if body:
        found["create"] = {
            "method": "POST",
            "path": path,
            "body": body,
            **reader.result(methods["post"]),
        }
    return found


def _pagination(parameters: list[str]) -> dict[str, Any]:
    by_name = {name.lower(): name for name in parameters}
    size = next((by_name[name] for name in SIZE_NAMES if name in by_name), None)
    sized = {"size_param": size, "size": 100} if size else {}
    for kind, names in {
        "page": ("page", "pagination[page]", "pagenumber"),
        "offset": ("offset", "skip"),
    }.items():
        for name in names:
            if name in by_name:
                return {"pagination": {"kind": kind, "param": by_name[name], **sized}}
    return {}


def _is_named(parameter: str, name: str) -> bool:
    flat = re.sub(r"[^a-z]", "", parameter.lower())
    return any(re.sub(r"[^a-z]", "", known) == flat for known in NAMES[name])


def _mapping(node: Any) -> Mapping[str, Any]:
    """What is no mapping says nothing."""
    return node if isinstance(node, Mapping) else {}


def _list(node: Any) -> list[Any]:
    return node if isinstance(node, list) else []


class _Reader:
    """Looks into schemas; references within the document are followed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def parameters(self, operation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for one in _list(operation.get("parameters")):
            found = self._followed(one)
            if found.get("in") == "query":
                yield found

    def result(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """``result_path``, where the answer wraps its record."""
        wrapper = self._wrapper(self._answer(operation), "object")
        return {"result_path": wrapper} if wrapper else {}

    def items(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """``items_path``, where the answer is no bare list."""
        wrapper = self._wrapper(self._answer(operation), "array")
        return {"items_path": wrapper} if wrapper else {}

    def body(self, operation: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
        """The parts of a body that we have something for."""
        schema = self._sent(operation)
        wrapper = self._wrapper(schema, "object")
        inner = (
            self._followed(_mapping(schema.get("properties")).get(wrapper)) if wrapper else schema
        )
        leaves: dict[str, Any] = {}
        for path in self._paths(inner):
            for name in names:
                if path.lower().replace("_", "") in NAMES[name] and name not in leaves.values():
                    leaves.setdefault(path, SENT[name])
                    break
        filled = tree(leaves)
        return {wrapper: filled} if wrapper else filled

    def _paths(self, schema: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[str]:
        for name, part in _mapping(schema.get("properties")).items():
            path = f"{before}.{name}" if before else name
            inner = self._followed(part)
            if inner.get("properties") and depth < 2:
                yield from self._paths(inner, path, depth + 1)
            else:
                yield path

    def _wrapper(self, schema: Mapping[str, Any], kind: str) -> str:
        """The property that holds the record or the list."""
        for name, part in _mapping(schema.get("properties")).items():
            inner = self._followed(part)
            is_kind = inner.get("type") == kind or ("properties" in inner and kind == "object")
            if name.lower() in WRAPPERS and is_kind:
                return str(name)
        return ""

    def _answer(self, operation: Mapping[str, Any]) -> Mapping[str, Any]:
        for status, answer in _mapping(operation.get("responses")).items():
            if str(status).startswith("2"):
                found = self._followed(answer)
                return self._followed(found.get("schema") or self._of_json(found))
        return {}

    def _sent(self, operation: Mapping[str, Any]) -> Mapping[str, Any]:
        body = self._followed(operation.get("requestBody", {}))
        if body:
            return self._followed(self._of_json(body))
        for one in _list(operation.get("parameters")):
            found = self._followed(one)
            if found.get("in") == "body":
                return self._followed(found.get("schema", {}))
        return {}

    @staticmethod
    def _of_json(holder: Mapping[str, Any]) -> Mapping[str, Any]:
        for kind, content in _mapping(holder.get("content")).items():
            if "json" in str(kind):
                return _mapping(_mapping(content).get("schema"))
        return {}

    def _followed(self, node: Any) -> Mapping[str, Any]:
        """What a reference in this document means; references elsewhere mean nothing."""
        for _ in range(MAX_REFERENCES):
            if not isinstance(node, Mapping):
                return {}
            reference = node.get("$ref")
            if not isinstance(reference, str):
                return node
            node = self._document if reference.startswith("#/") else {}
            for part in reference.removeprefix("#/").split("/"):
                part = part.replace("~1", "/").replace("~0", "~")
                node = node.get(part, {}) if isinstance(node, Mapping) else {}
        return {}
