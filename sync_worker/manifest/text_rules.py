"""What a manifest says of the words that travel, each by what reads and writes it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sync_worker.core.values.texts import BODY, REPLY, TITLE, TextRule
from sync_worker.manifest.schema.calls import Hook, Operations, OperationSpec
from sync_worker.manifest.schema.record import Fields, Text

Operation = OperationSpec | Hook | None


def text_rules(text: Text, fields: Fields, operations: Operations) -> dict[str, TextRule]:
    """The rule of each word under ``text.sync``."""
    wanted = {
        TITLE: (text.required_title, text.placeholder_title),
        BODY: (text.required_body, text.placeholder_body),
        REPLY: (False, None),
    }
    rules: dict[str, TextRule] = {}
    for name in text.sync:
        field = getattr(fields, name)
        create, update = calls_with(name, operations)
        is_required, placeholder = wanted[name]
        rules[name] = TextRule(
            is_html=field is not None and field.as_ == "html_text",
            max_length=_smallest(declared_limit(text, name), name, (create, update)),
            can_create=carries(create, name),
            can_update=carries(update, name),
            required=is_required,
            placeholder=placeholder or "",
            # No system has documented a call that takes a reply away.
            can_clear=name != REPLY,
        )
    return rules


def calls_with(name: str, operations: Operations) -> tuple[Operation, Operation]:
    """The calls that write a word of a new record, and of one that is there."""
    if name == REPLY:
        return None, operations.reply
    return operations.create, operations.update


def declared_limit(text: Text, name: str) -> int | None:
    """The longest text that the system takes, as far as the manifest names one."""
    limits = {
        TITLE: text.title_max_length,
        BODY: text.body_max_length,
        REPLY: text.reply_max_length,
    }
    return limits[name]


def carries(operation: Operation, name: str) -> bool:
    """Whether a call sends a word; one that is made by a hook may."""
    if not isinstance(operation, OperationSpec):
        return operation is not None
    return sends(operation, f"rating.{name}")


def sends(operation: OperationSpec, source: str) -> bool:
    """Whether a leaf of the call's body is filled from a source."""
    return any(True for _ in leaves_from(operation.body, source))


def leaves_from(node: Any, source: str) -> Iterator[Mapping[str, Any]]:
    """The leaves of a tree that are filled from a source."""
    if isinstance(node, Mapping):
        if "from" in node:
            root, _, part = source.partition(".")
            # Of several at once, too: `rating.[title, body]`.
            if re.search(rf"\b{root}\b.*\b{part}\b", str(node["from"])):
                yield node
            return
        node = node.values()
    elif not isinstance(node, list | tuple):
        return
    for child in node:
        yield from leaves_from(child, source)


def _smallest(declared: int | None, name: str, operations: tuple[Operation, ...]) -> int | None:
    """The smallest limit: a leaf would cut a longer text."""
    limits = [declared]
    for operation in operations:
        if isinstance(operation, OperationSpec):
            limits += [
                leaf.get("max_length") for leaf in leaves_from(operation.body, f"rating.{name}")
            ]
    return min((limit for limit in limits if limit is not None), default=None)
