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
ADDRESS = re.compile(r"\bcontact\b.*\bemail\b", re.DOTALL)
AUTHOR_ID = re.compile(r"\bauthor\b.*\bid\b", re.DOTALL)
REPLY = re.compile(r"\brating\.reply\b")
RECORD = re.compile(r"\bkey\b")
USUAL = {
    "create": "POST",
    "author.create": "POST",
    "update": "PUT or PATCH",
    "delete": "DELETE",
    "reply": "POST or PUT",
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
    yield from _author(manifest)
    yield from _locks(manifest)


def _locks(manifest: Manifest) -> Iterator[Finding]:
    """What a record says of a write that nobody makes."""
    for name in ("update", "delete"):
        is_said = getattr(manifest.fields, f"can_{name}") is not None
        if is_said and getattr(manifest.operations, name) is None and manifest.plugin is None:
            place = f"fields.can_{name}"
            advice = f"says nothing that counts: there is no operations.{name}"
            yield Finding(place, advice=advice, place=place)


def _author(manifest: Manifest) -> Iterator[Finding]:
    """People who are records of their own: found again by address, and named by the rating."""
    author, create = manifest.operations.author, manifest.operations.create
    if author is None:
        return
    place = "operations.author.create"
    if not _says(author.create, ADDRESS):
        wrong = (
            "does not say the person's address, so nobody is found again, and each rating makes one"
            " more person; send {from: contact.email}"
        )
        yield Finding(place, wrong, place=place)
    place = "operations.author.find"
    if not _says(author.find, ADDRESS):
        advice = "lists everybody at each create; filter by the address, with {from: contact.email}"
        yield Finding(place, advice=advice, place=place)
    place = "operations.create"
    if isinstance(create, OperationSpec) and not _says(create, AUTHOR_ID):
        wrong = (
            "does not name the person whom operations.author finds or makes; send"
            " {from: author.id}, or take operations.author out"
        )
        yield Finding(place, wrong, place=place)


def _says(spec: OperationSpec, what: re.Pattern[str]) -> bool:
    return any(what.search(leaf.source) for leaf in leaves_of(spec, ""))


def _unsaid(manifest: Manifest, name: str, spec: OperationSpec) -> Iterator[str]:
    """What the other side has to know of a call, and the call does not say."""
    if name in ("create", "update") and not _says(spec, MARK):
        wasted = {"create": "a new rating would have no stars"}
        why = wasted.get(name, "an edit would change nothing")
        yield f"carries no mark, so {why}; send one: {{from: rating.value}}"
    if name == "create" and manifest.fields.entity.path is not None and not _says(spec, THING):
        yield "does not say what is rated; send {from: entity.external_id}"
    email = manifest.fields.email
    if (
        name == "create"
        and email is not None
        and email.path is not None
        and not _says(spec, PERSON)
    ):
        yield "does not say who rated; send {from: contact.email}"
    if name == "reply" and not _says(spec, REPLY):
        yield "does not say what the shop answers; send {from: rating.reply}"
    if name in ("get", "update", "delete", "reply") and not (
        _says(spec, RECORD) or _says(spec, THING)
    ):
        part = next(iter(manifest.key))
        yield f"does not say which record is meant; put {{key.{part}}} into its path"


def _method_wrong(name: str, spec: OperationSpec) -> str:
    if name in USUAL:
        is_read = spec.method == "GET"
        return f"GET changes nothing; a {name} is mostly {USUAL[name]}" if is_read else ""
    # The right to write is asked for by whatever method needs it.
    if name != "may_write" and spec.method in ("PUT", "PATCH", "DELETE"):
        return f"{spec.method} may change what it should only read; write GET"
    return ""
