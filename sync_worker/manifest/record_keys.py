"""The id by which we keep a record, and the parts of a key that the system knows it by. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_worker.core import exact_json
from sync_worker.core.errors import Permanent
from sync_worker.core.words import MAX_ID
from sync_worker.manifest.field_values import malformed
from sync_worker.manifest.manifest import Manifest


def remote_id_of(parts: Mapping[str, Any]) -> str:
    """The id by which we keep a record: the one key part, or all of them as JSON.

    Raises Permanent.
    """
    remote_id = joined_id(parts)
    if len(remote_id) > MAX_ID or not remote_id.isprintable():
        raise malformed(
            "the id is longer than 500 characters or has a character that cannot be printed"
        )
    return remote_id


def joined_id(parts: Mapping[str, Any]) -> str:
    """The parts of a key as one text, whatever they say. Raises Permanent for a missing one."""
    for name, value in parts.items():
        # To Python True is a number; as an id it is none.
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise malformed(f"the key part {name!r} is missing")
    texts = {name: str(value) for name, value in parts.items()}
    if len(texts) == 1:
        return next(iter(texts.values()))
    # Sorted: the same parts make the same id in any order.
    return exact_json.dumps(dict(sorted(texts.items())))


def key_of(manifest: Manifest, remote_id: str) -> dict[str, str]:
    """The key parts of an id that ``remote_id_of`` made. Raises Permanent for any other."""
    if len(manifest.key) == 1:
        return {next(iter(manifest.key)): remote_id}
    try:
        key = exact_json.loads_own(remote_id)
    except ValueError:
        key = None
    if not isinstance(key, dict) or set(key) != set(manifest.key):
        raise Permanent(
            f"the id has not the parts {sorted(manifest.key)}", reason="malformed_record"
        )
    return key


def context_of(manifest: Manifest, remote_id: str) -> dict[str, Any]:
    """What the request for one record knows: its key, and what of the key came from a request."""
    key = key_of(manifest, remote_id)
    context: dict[str, Any] = {"key": key}
    for name, part in manifest.key.items():
        if part.context is not None:
            root, _, leaf = str(part.context).rpartition(".")
            context.setdefault(root, {})[leaf] = key[name]
    return context
