"""Calls that cannot do what their name says. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sync_worker.manifest.check.findings import Finding
from sync_worker.manifest.check.leaves import leaves_of
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.calls import OperationSpec

MARK = re.compile(r"\brating($|\.(value|attributes|by_name)\b)")
THING = re.compile(r"\bentity\b")
PERSON = re.compile(r"\b(contact|author)\b")
RECORD = re.compile(r"\bkey\b")
USUAL = {
    "create": "POST",
    "author.create": "POST",
    "update": "PUT or PATCH",
    "delete": "DELETE",
}


def check_writes(manifest: Manifest) -> Iterator[Finding]:
    """Every declared call of ``operations``, by what it sends and by its method."""
    for name, spec in manifest.operations.specs:
        place = f"operations.{name}"
        for wrong in _unsaid(manifest, name, spec):
            yield Finding(place, wrong, place=place)
        wrong = _method_wrong(name, spec)
        if wrong:
            yield Finding(f"{place}.method", wrong, place=f"{place}.method")


def _unsaid(manifest: Manifest, name: str, spec: OperationSpec) -> Iterator[str]:
    """What the other side has to know of a call, and the call does not say."""
    sources = [leaf.source for leaf in leaves_of(spec, "")]

    def says(what: re.Pattern[str]) -> bool:
        return any(what.search(source) for source in sources)

    if name in ("create", "update") and not says(MARK):
        wasted = {"create": "a new rating would have no stars"}
        why = wasted.get(name, "an edit would change nothing")
        yield f"carries no mark, so {why}; send one: {{from: rating.value}}"
    if name == "create" and manifest.fields.entity.path is not None and not says(THING):
        yield "does not say what is rated; send {from: entity.external_id}"
    email = manifest.fields.email
    if name == "create" and email is not None and email.path is not None and not says(PERSON):
        yield "does not say who rated; send {from: contact.email}"
    if name in ("get", "update", "delete") and not (says(RECORD) or says(THING)):
        part = next(iter(manifest.key))
        yield f"does not say which record is meant; put {{key.{part}}} into its path"


def _method_wrong(name: str, spec: OperationSpec) -> str:
    if name in USUAL:
        is_read = spec.method == "GET"
        return f"GET changes nothing; a {name} is mostly {USUAL[name]}" if is_read else ""
    if spec.method in ("PUT", "PATCH", "DELETE"):
        return f"{spec.method} may change what it should only read; write GET"
    return ""
