"""The tables of docs/api.md that say which command answers as which endpoint, and by which keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync_console.api.document import document

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
SECTION = PAGE.partition("## The same by command")[2].partition("\n## ")[0]
NAMED = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Pair:
    """``inside``: the key under which the command answers as the endpoint; empty: all of it.

    ``each``: the key of the endpoint's list, of which the command's list has the rows.
    ``more``: keys that only the command has, dotted where they are inside of one.
    """

    method: str
    path: str
    each: str
    inside: str
    more: frozenset[str]

    @property
    def is_act(self) -> bool:
        return self.method == "POST"

    @property
    def schema(self) -> Mapping[str, Any]:
        """What the document says of one answer, or of one row of it."""
        answers = document()["paths"][self.path][self.method.lower()]["responses"]
        schema: Mapping[str, Any] = answers["200"]["content"]["application/json"]["schema"]
        return _resolved(schema)["properties"][self.each]["items"] if self.each else schema

    def of(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """What of the command's answer is as the endpoint's."""
        if self.inside:
            return dict(told[self.inside])
        kept = dict(told)
        for place in self.more:
            first, _, inner = place.partition(".")
            assert first in told, "people's scripts read these"
            if inner:
                kept[first] = {name: one for name, one in kept[first].items() if name != inner}
            else:
                del kept[first]
        return kept


def _rows(header: str) -> Iterator[list[str]]:
    table = SECTION.partition(f"\n{header}")[2].partition("\n\n")[0]
    yield from (line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| `"))


def _pairs() -> dict[str, Pair]:
    found: dict[str, Pair] = {}
    for commands, endpoint, more in _rows("| `ratings-sync …` | endpoint |"):
        inside = re.search(r"\(in `(\w+)`\)", commands)
        method, path, each = re.fullmatch(
            r"\s*`(\w+) ([^?`]+)[^`]*`(?:, each of `(\w+)`)?\s*", endpoint
        ).groups("")  # type: ignore[union-attr]  # a row of another form fails here
        names = frozenset(NAMED.findall(re.sub(r"\([^)]*\)", "", more)))
        for command in NAMED.findall(re.sub(r"\(in [^)]*\)", "", commands)):
            found[command] = Pair(method, path, each, inside[1] if inside else "", names)
    return found


PAIRS = _pairs()
# What no endpoint answers: the keys of one answer, or of one row of it.
ALONE = {
    (command, inside[1] if (inside := re.search(r"\(each of `(\w+)`\)", commands)) else ""): (
        frozenset(NAMED.findall(keys))
    )
    for commands, keys in _rows("| `ratings-sync …` | keys |")
    for command in NAMED.findall(re.sub(r"\([^)]*\)", "", commands))
}


def breaches(told: Any, schema: Mapping[str, Any], place: str = "") -> list[str]:
    """Where an answer has other keys than the document says, or another type."""
    schema = _resolved(schema)
    if choices := schema.get("anyOf"):
        return min((breaches(told, one, place) for one in choices), key=len)
    if isinstance(told, dict) and "properties" in schema:
        known = schema["properties"]
        found = [f"{place}{name}: one has it" for name in sorted(set(told) ^ set(known))]
        for name in set(told) & set(known):
            found += breaches(told[name], known[name], f"{place}{name}.")
        return found
    if isinstance(told, list) and "items" in schema:
        return [one for row in told for one in breaches(row, schema["items"], f"{place}[].")]
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    kinds |= {"integer": int, "number": (int, float)}  # type: ignore[dict-item]  # of isinstance
    kind = kinds.get(schema.get("type", ""), object)
    return [] if isinstance(told, kind) else [f"{place}: {told!r} is no {schema['type']}"]


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return document()["components"]["schemas"][name] if name else schema
