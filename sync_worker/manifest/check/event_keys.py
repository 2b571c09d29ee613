"""Keys of webhooks that name one record where an event may be about several. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

from sync_worker.core import exact_json
from sync_worker.manifest.check.findings import Finding
from sync_worker.manifest.manifest import Manifest

ONE_OF_MANY = frozenset({"max", "min", "max_by", "min_by", "join", "sum"})


def check_event_keys(manifest: Manifest) -> Iterator[Finding]:
    """Each path of ``webhook.key``, and of the rules that have keys of their own."""
    webhook = manifest.webhook
    if webhook is None:
        return
    keys = {f"webhook.key.{name}": path for name, path in webhook.key.items()}
    for number, rule in enumerate(webhook.events):
        for name, path in (rule.key or {}).items():
            keys[f"webhook.events.{number}.key.{name}"] = path
    for place, path in keys.items():
        lists = list(_lists_cut(jmespath.compile(path).parsed))
        if not lists or _is_proved(manifest, lists):
            continue
        wrong = (
            f"`{path}` takes one of a list: an event about several records loses the others; name"
            " the list in webhook.items_path, so that each is a delivery. If it is no list of"
            " records, show one in a sample under examples.deliveries"
        )
        yield Finding(place, wrong, place=place)


def _lists_cut(node: Any) -> Iterator[Any]:
    """The parts of a path of which one item is taken, as nodes of its tree."""
    if not isinstance(node, Mapping):
        return
    children = node["children"]
    inside = [child for child in children if isinstance(child, Mapping)]
    if node["type"] == "index_expression":
        yield children[0]
    elif node["type"] == "pipe" and children[1]["type"] == "index_expression":
        yield children[0]
        inside = inside[:1]
    elif node["type"] == "function_expression" and node["value"] in ONE_OF_MANY:
        yield inside[-1] if node["value"] == "join" else inside[0]
    for child in inside:
        yield from _lists_cut(child)


def _is_proved(manifest: Manifest, lists: list[Any]) -> bool:
    """Whether a sample shows such a list with several items, and expects one delivery of it."""
    for example in manifest.examples.deliveries:
        if isinstance(example.expect, str) or len(example.expect) != 1:
            continue
        if any(_is_long(node, example.body) for node in lists):
            return True
    return False


def _is_long(node: Any, body: str) -> bool:
    try:
        found = TreeInterpreter().visit(node, exact_json.loads(body.encode()))
    except (ValueError, JMESPathError, TypeError):
        return False
    return isinstance(found, list) and len(found) > 1
