"""A webhook of an external system as a delivery: bytes, headers and a manifest in, a value out. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jmespath.exceptions import JMESPathError

from sync_worker import exact_json
from sync_worker.connector.manifest import Manifest
from sync_worker.connector.reading import remote_id_of
from sync_worker.connector.signatures import is_signed
from sync_worker.errors import Permanent
from sync_worker.model import NewDelivery, Side
from webhook_gateway.wix import Ignored, Rejected

MAX_DEDUPE_LENGTH = 500


def read_delivery(
    manifest: Manifest, body: bytes, headers: Mapping[str, str], now: float
) -> NewDelivery | Ignored | Rejected:
    """What a request says, if the manifest's signature holds. ``now``: seconds since 1970."""
    lower = {name.lower(): value for name, value in headers.items()}
    if not any(is_signed(scheme, body, lower, now) for scheme in manifest.webhook.verify):
        return Rejected("bad_signature")
    try:
        payload = exact_json.loads(body)
    except ValueError:
        return Rejected("no_json")
    if not isinstance(payload, Mapping):
        return Rejected("no_object")
    try:
        return _delivery(manifest, payload, lower)
    except (Permanent, JMESPathError, UnicodeError):
        return Rejected("malformed")


def _delivery(manifest: Manifest, payload: Mapping[str, Any], headers: Mapping[str, str]) -> NewDelivery | Ignored:
    webhook = manifest.webhook
    change = _change(manifest, payload, headers)
    if change is None or change == "ignore":
        return Ignored("unknown_event_type" if change is None else "ignored_event_type")
    sequence = _number(webhook.sequence.search(payload)) if webhook.sequence is not None else None
    return NewDelivery(
        side=Side.EXTERNAL,
        source=manifest.id,
        dedupe_id=_dedupe_id(manifest, payload, headers),
        change=change,
        remote_id=remote_id_of(manifest, webhook.key, payload),
        payload=payload,
        revision=sequence if manifest.fields.revision is not None else None,
        sequence=sequence,
    )


def _change(manifest: Manifest, payload: Mapping[str, Any], headers: Mapping[str, str]) -> str | None:
    event = manifest.webhook.event
    name: Any = event.const
    if event.header is not None:
        name = headers.get(event.header.lower())
    elif event.path is not None:
        name = event.path.search(payload)
    return next((rule.change for rule in manifest.webhook.events if rule.match == name), None)


def _dedupe_id(manifest: Manifest, payload: Mapping[str, Any], headers: Mapping[str, str]) -> str | None:
    """The sender's id of this delivery; its parts are joined so that none can run into the next."""
    if manifest.webhook.dedup == "coalesce":
        return None
    parts = []
    for part in manifest.webhook.delivery_id:
        found = headers.get(part.header.lower()) if part.header else part.path.search(payload) if part.path else None
        if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
            raise Permanent("the delivery has no id", reason="malformed_delivery")
        parts.append(str(found))
    dedupe_id = parts[0] if len(parts) == 1 else exact_json.dumps(parts)
    if len(dedupe_id) > MAX_DEDUPE_LENGTH or "\x00" in dedupe_id:
        raise Permanent("the delivery id is too long or has a NUL in it", reason="malformed_delivery")
    dedupe_id.encode()  # lone surrogates have no place in a database
    return dedupe_id


def _number(value: Any) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return value if is_whole else None
