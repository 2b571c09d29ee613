"""Which key of a manifest to look at after an error, and how a person is shown. Pure."""

from __future__ import annotations

import re

from sync_worker.core.errors import RateLimited, SyncError, Unauthorized
from sync_worker.core.values import Person

PLACE = re.compile(r"\boperations\.\w+(\.\w+)*")
UNREACHED = ("could not connect", "no whole answer")
BY_STATUS = {
    400: "operations.{name}.query and its body",
    404: "base_url and operations.{name}.path",
    405: "operations.{name}.method",
    410: "base_url and operations.{name}.path",
    415: "operations.{name}.encoding",
    422: "operations.{name}.query and its body",
    501: "operations.{name}.method",
}


def key_after(error: SyncError, name: str) -> str:
    """The key, or the two, where a call of ``operations`` is most likely wrong."""
    if isinstance(error, Unauthorized):
        return "auth"
    if isinstance(error, RateLimited):
        return "http.budget"
    reason = getattr(error, "reason", "")
    if reason == "redirected" or error.message.startswith(UNREACHED):
        return "base_url"
    if error.facts.status in BY_STATUS:
        return BY_STATUS[error.facts.status].format(name=name)
    if "no JSON" in error.message:
        return BY_STATUS[404].format(name=name)
    return ""


def in_words(error: SyncError, name: str) -> str:
    """An error, and the key to check where its words do not name one."""
    key = key_after(error, name)
    named = "check " in error.message or "operations." in error.message
    return f"{error}; check {key}" if key and not named else str(error)


def place_after(error: SyncError, name: str) -> str:
    """The place in the manifest: the one that the words of an error name, else by its kind."""
    named = PLACE.search(error.message)
    if named is not None:
        return named.group()
    key = key_after(error, name).partition(" ")[0]
    return key or f"operations.{name}"


def masked(person: Person) -> str:
    """Who somebody is, for a line that is pasted anywhere."""
    if person.email:
        local, _, domain = person.email.partition("@")
        return f"{local[:1]}…@{domain[:1]}…"
    return f"{person.name[:1]}… (no address)" if person.name else "nobody"
