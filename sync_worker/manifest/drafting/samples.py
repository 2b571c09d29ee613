"""A sample record of a system: which of its parts are what we keep. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_DEPTH = 6
MAX_STARS, MAX_MARK = 5, 10
# What systems call what we keep, the surest name first; compared in small letters, without dashes.
NAMES: Mapping[str, Sequence[str]] = {
    "id": ("documentid", "id", "_id", "uuid", "guid", "reviewid", "ratingid", "key"),
    "value": ("stars", "rating", "score", "value", "mark", "grade", "ratingvalue"),
    "entity": (
        "productid", "externalproductid", "sku", "product.id", "product.sku", "subject.id",
        "product", "itemid", "item.id", "subject", "entityid", "item", "productsku",
    ),
    "email": (
        "author.email", "customer.email", "reviewer.email", "user.email", "email", "revieweremail",
        "customeremail", "authoremail", "useremail",
    ),
    "author": (
        "author.name", "author.displayname", "customer.name", "reviewer.name", "user.name",
        "reviewer", "authorname", "customername", "displayname", "name", "author", "nickname",
    ),
    "body": ("text", "body", "content", "comment", "review", "message", "description"),
    "title": ("title", "headline", "heading", "subject", "summary"),
    "state": ("status", "state", "visibility", "moderationstatus"),
    "created_at": ("createdat", "created", "datecreated", "datecreatedgmt", "createdon", "date"),
    "updated_at": ("updatedat", "updated", "modified", "dateupdated", "modifiedat", "updatedon"),
}  # fmt: skip
WRAPPERS = ("data", "review", "reviews", "rating", "ratings", "items", "results", "result", "rows")
PUBLISHED = ("published", "approved", "public", "live", "active", "visible")
KNOWN_STATES = {
    **dict.fromkeys(PUBLISHED, "published"),
    **dict.fromkeys(("pending", "draft", "waiting", "hold", "unapproved"), "pending"),
    **dict.fromkeys(("rejected", "refused", "blocked", "declined"), "rejected"),
    **dict.fromkeys(("spam",), "spam"),
    **dict.fromkeys(("trash", "deleted", "removed", "archived"), "deleted"),
}
_PLAIN = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Sample:
    """What a sample record shows. ``wrapper``: the path of the record inside the sample.

    ``paths``: by our name for it; ``missing``: what was not found and a manifest needs.
    """

    record: Mapping[str, Any]
    wrapper: str = ""
    is_list: bool = False
    paths: Mapping[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        return [name for name in ("id", "entity", "value", "email") if name not in self.paths]

    def value_at(self, name: str) -> Any:
        """What stands where a part is; ``None`` if it was not found."""
        return dict(leaves(self.record)).get(self.paths.get(name, ""))


def sample_of(document: Any, named: Mapping[str, str] | None = None) -> Sample:
    """The record in a sample. ``named``: paths that a person has given.

    Raises ValueError where there is no record in it.
    """
    record, wrapper, is_list = _unwrapped(document)
    found = dict(leaves(record))
    paths: dict[str, str] = {}
    for name in NAMES:
        path = (named or {}).get(name) or _found(name, found, set(paths.values()))
        if path is not None:
            paths[name] = path
    return Sample(record, wrapper, is_list, paths)


def leaves(node: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every value that is no mapping, by its path; lists count as one value."""
    for key, value in node.items():
        name = str(key)
        part = name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '\\"') + '"'
        path = f"{before}.{part}" if before else part
        if isinstance(value, Mapping) and depth < MAX_DEPTH:
            yield from leaves(value, path, depth + 1)
        else:
            yield path, value


def scale_of(value: Any) -> dict[str, Any]:
    """The scale that a mark is likely to be on: 1 to 5, 1 to 10 or 0 to 100."""
    number = number_in(value)
    if number is None or 0 <= number <= MAX_STARS:
        is_half = number is not None and number != number.to_integral_value()
        return {"min": 0.5, "max": 5, "step": 0.5} if is_half else {"min": 1, "max": 5, "step": 1}
    if number <= MAX_MARK:
        return {"min": 1, "max": 10, "step": 1}
    return {"min": 0, "max": 100, "step": 1}


def number_in(value: Any) -> Decimal | None:
    """A value as a number, if it is one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value)[:20])
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def states_of(word: Any) -> dict[str, Any]:
    """The section ``states`` for the word of the sample, most likely the one of what is shown."""
    if not isinstance(word, str) or not word:
        return {}
    ours = KNOWN_STATES.get(word.lower(), "published")
    read = {word: ours}
    return {"read": read, "write": {"published": word}} if ours == "published" else {"read": read}


def _unwrapped(document: Any) -> tuple[Mapping[str, Any], str, bool]:
    """The record, the path to it, and whether it was the first of a list."""
    wrapper: list[str] = []
    is_list = False
    while True:
        if isinstance(document, list) and document:
            document, is_list = document[0], True
        elif isinstance(document, Mapping) and (name := _wrapper_in(document)) is not None:
            wrapper.append(name)
            document = document[name]
        else:
            break
    is_record = isinstance(document, Mapping) and not all(
        isinstance(value, list) for _, value in leaves(document)
    )
    if not is_record:
        raise ValueError("the sample holds no record: it is one JSON object, or a list of them")
    return document, ".".join(wrapper), is_list


def _wrapper_in(document: Mapping[str, Any]) -> str | None:
    """The key that holds the record, where the document itself is none."""
    if any(_flat(str(key)) in NAMES["value"] and number_in(document[key]) for key in document):
        return None
    return next(
        (
            name
            for name in WRAPPERS
            if isinstance(document.get(name), dict | list) and document[name]
        ),
        None,
    )


def _found(name: str, found: Mapping[str, Any], taken: set[str]) -> str | None:
    """The path whose name says that it is this part, and whose value may be one."""
    by_name: dict[str, str] = {}
    for path in found:
        by_name.setdefault(_flat(path), path)
    # An address may stand anywhere: nothing else is called so.
    if name == "email":
        for path in found:
            by_name.setdefault(_flat(path.rpartition(".")[2]), path)
    for known in NAMES[name]:
        candidate = by_name.get(known)
        if candidate is not None and candidate not in taken and _may_be(name, found[candidate]):
            return candidate
    return None


def _may_be(name: str, value: Any) -> bool:
    match name:
        case "value":
            return number_in(value) is not None
        case "email":
            return value is None or (isinstance(value, str) and "@" in value)
        case "id" | "entity":
            return isinstance(value, int | str) and not isinstance(value, bool) and value != ""
        case _:
            return value is None or isinstance(value, str | int)


def _flat(path: str) -> str:
    return path.lower().replace("_", "").replace("-", "").replace('"', "")
