"""What a connector carries besides the stars, in words for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sync_worker.core.values.texts import BODY, REPLY, TITLE, TextRule
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.calls import Hook, OperationSpec
from sync_worker.manifest.schema.record import FieldPath
from sync_worker.manifest.text_rules import sends

NAMES = {TITLE: "title", BODY: "text", REPLY: "reply of the shop"}


def describe_words(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Ability → what it means here: the words, then what a new record is given with them."""
    rules = manifest.capabilities.words
    if rules:
        yield "words", "with Wix Reviews; Wix Ratings carry none"
    for name, shown in NAMES.items():
        rule = rules.get(name)
        field = getattr(manifest.fields, name)
        if rule is not None:
            yield shown, _of_rule(name, rule)
        elif field is not None:
            yield shown, "not kept in step: text.sync does not name it"
        else:
            yield shown, "no"
    create = manifest.operations.create
    yield "name of the author", _at_creation(manifest.fields.author, create, "contact.name")
    yield (
        "day it was written",
        _at_creation(manifest.fields.created_at, create, "rating.created_at"),
    )
    yield "pictures", _of_pictures(manifest)


def _of_rule(name: str, rule: TextRule) -> str:
    parts = [_written(name, rule), "HTML" if rule.is_html else "plain text"]
    if rule.max_length is not None:
        parts.append(f"at most {rule.max_length} characters")
    if rule.required:
        parts.append(f"never empty: {rule.placeholder!r} stands for no {NAMES[name]}")
    return "; ".join(parts)


def _written(name: str, rule: TextRule) -> str:
    if name == REPLY:
        return "both ways, by a call of its own" if rule.can_update else "to Wix only"
    if rule.can_create and rule.can_update:
        return "both ways"
    if rule.can_create:
        return "to Wix, and outwards with a new rating only"
    if rule.can_update:
        return "both ways, not with a new rating"
    return "to Wix only"


def _of_pictures(manifest: Manifest) -> str:
    if not manifest.capabilities.media:
        return "no"
    return "to Wix Reviews, with a new review only, where policy pictures=to_wix asks for it"


def _at_creation(field: FieldPath | None, create: Any, source: str) -> str:
    is_read = field is not None
    # What a hook sends nobody knows.
    is_written = isinstance(create, Hook) or (
        isinstance(create, OperationSpec) and sends(create, source)
    )
    if is_read and is_written:
        return "both ways, with a new rating"
    if is_written:
        return "outwards, with a new rating"
    return "to Wix, with a new rating" if is_read else "no"
