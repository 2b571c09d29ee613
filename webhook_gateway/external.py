"""A webhook of an external system: a request and a manifest in, deliveries out; no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sync_worker.core import exact_json
from sync_worker.core.errors import Permanent
from sync_worker.core.values import Change, NewDelivery, Side, unusable_id
from sync_worker.core.words import MAX_ID, is_usable_id, with_stand_ins
from sync_worker.manifest.conditions import applies
from sync_worker.manifest.expressions import fits
from sync_worker.manifest.field_values import search
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_keys import joined_id
from sync_worker.manifest.record_reader import read_subject
from sync_worker.manifest.schema.webhook import DeliveryIdPart, EventRule, Handshake, Webhook
from sync_worker.manifest.signatures import Received, Verified, verified
from sync_worker.manifest.source.stands import at_path, kind_of
from webhook_gateway.wix import Ignored, Rejected

MAX_DEDUPE_LENGTH = 500
MAX_HANDSHAKE_BYTES = 4096
MAX_ITEMS = 500


@dataclass(frozen=True, slots=True)
class Greeted:
    """A handshake: the sender only wants to know whether we answer."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Verified, but not what the manifest says.

    ``deliveries``: of a batch, what could be read. ``words``: which key of the manifest leads to
    what; no value of the event stands in them.
    """

    reason: str
    deliveries: Sequence[NewDelivery] = ()
    words: str = ""


Reading = Sequence[NewDelivery] | Greeted | Ignored | Rejected | Unreadable


def read_deliveries(
    manifest: Manifest,
    body: bytes,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    now: float,
    packed: bytes | None = None,
) -> Reading:
    """What a request says, if one of the manifest's signatures holds.

    ``now``: seconds since 1970. ``packed``: the body as it came, where it came compressed.
    """
    webhook = manifest.webhook
    if webhook is None:
        return Rejected("no_webhook")
    request = Received(body, {name.lower(): value for name, value in headers.items()}, query, now)
    proof = _proof_of(webhook, request, packed)
    if proof is None:
        # Some systems send their handshake unsigned.
        if any(_greets(handshake, request) for handshake in webhook.handshake):
            return Greeted()
        return Rejected("bad_signature")
    if not body and greets_empty(manifest):
        return Greeted()
    try:
        payload = exact_json.loads(body)
    except ValueError:
        return Unreadable("no_json")
    return _deliveries(_Reader(manifest, webhook, request, proof, payload))


def _proof_of(webhook: Webhook, request: Received, packed: bytes | None) -> Verified | None:
    """What the first of the manifest's signatures that holds has verified."""
    # Some senders sign what they send, others what they packed: both take the secret.
    sent = [] if packed is None else [replace(request, body=packed)]
    for signed in [*sent, request]:
        for scheme in webhook.verify:
            proof = verified(scheme, signed)
            if proof is not None:
                return proof
    return None


def greets_empty(manifest: Manifest) -> bool:
    """Whether an empty body may be this system's handshake."""
    if manifest.webhook is None:
        return False
    return any(handshake.empty_body for handshake in manifest.webhook.handshake)


def _greets(handshake: Handshake, request: Received) -> bool:
    if handshake.empty_body:
        return not request.body
    if handshake.content_type is not None:
        given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if given != handshake.content_type.lower():
            return False
    if len(request.body) > MAX_HANDSHAKE_BYTES or not request.body.isascii():
        return False
    return fits(handshake.body_regex or "", request.body.decode("ascii"))


@dataclass(frozen=True, slots=True)
class _Reader:
    """One verified request."""

    manifest: Manifest
    webhook: Webhook
    request: Received
    proof: Verified
    payload: Any


def _deliveries(reader: _Reader) -> Sequence[NewDelivery] | Ignored | Unreadable:
    """What can be read of a batch is not lost with what cannot."""
    items = _items(reader.webhook, reader.payload)
    if isinstance(items, Unreadable):
        return items
    is_batch = reader.webhook.items_path is not None
    numbers = range(len(items)) if is_batch else [None]
    readings = [_read(reader, item, number) for item, number in zip(items, numbers, strict=True)]
    deliveries = [reading for reading in readings if isinstance(reading, NewDelivery)]
    unreadable = [reading for reading in readings if isinstance(reading, Unreadable)]
    if unreadable:
        return Unreadable("malformed", deliveries, unreadable[0].words)
    if deliveries:
        return deliveries
    ignored = [reading for reading in readings if isinstance(reading, Ignored)]
    return ignored[0] if ignored else Ignored("empty_batch")


def _items(webhook: Webhook, payload: Any) -> list[Any] | Unreadable:
    """The events in a request, if it is a list of them, and not too long a one."""
    if webhook.items_path is None:
        return [payload]
    try:
        items = search(webhook.items_path, payload)
    except Permanent as error:
        return _misread("items_path", error.message)
    if not isinstance(items, list):
        words = at_path(webhook.items_path, payload, "the event")
        due = "" if words.startswith("nothing") else ", where a list is due"
        return _misread("items_path", f"{words}{due}")
    if len(items) > MAX_ITEMS:
        return _misread("items_path", f"{len(items)} items; a delivery has {MAX_ITEMS} at most")
    return items


def _misread(key: str, words: str) -> Unreadable:
    return Unreadable("malformed", words=f"webhook.{key}: {words}")


def _read(reader: _Reader, item: Any, number: int | None) -> NewDelivery | Ignored | Unreadable:
    if not (isinstance(item, Mapping) or (number is not None and _is_bare_key(item))):
        return _no_object(reader.webhook, item, number)
    try:
        return _delivery(reader, item, number)
    except Permanent as error:
        return Unreadable("malformed", words=error.message)
    except UnicodeError:
        return Unreadable("malformed", words="the event has characters that are none")


def _no_object(webhook: Webhook, item: Any, number: int | None) -> Unreadable:
    if number is None:
        words = f"{kind_of(item)} is in the body, where an object is due"
        return Unreadable("malformed", words=words)
    what = f"item {number} at `{webhook.items_path}` is {kind_of(item)}"
    return _misread("items_path", f"{what}, where an object or a key is due")


def _is_bare_key(item: Any) -> bool:
    """Whether an item of a batch is a key alone: ``{"keys": [1, 2]}``, as Directus sends."""
    return isinstance(item, str | int) and not isinstance(item, bool)


def _delivery(reader: _Reader, item: Any, number: int | None) -> NewDelivery | Ignored:
    webhook = reader.webhook
    rule = _rule(reader, item)
    if isinstance(rule, Ignored):
        return rule
    sequence = _number(search(webhook.sequence, item)) if webhook.sequence is not None else None
    has_revisions = reader.manifest.fields.revision is not None
    payload = item if isinstance(item, Mapping) else {"key": item}
    if rule.change == "create_failed":
        payload = _of_failed(reader, item)
    return NewDelivery(
        side=Side.EXTERNAL,
        source=reader.manifest.source,
        dedupe_id=_dedupe_id(reader, item, number),
        change=Change(rule.change),
        remote_id=_remote_id(reader, rule, item),
        payload=payload,
        revision=sequence if has_revisions else None,
        sequence=sequence,
    )


def _rule(reader: _Reader, item: Any) -> EventRule | Ignored:
    name = _event_name(reader, item)
    rules = [rule for rule in reader.manifest.event_rules if rule.match == name]
    if not rules:
        return Ignored("unknown_event_type", None if name is None else str(name))
    headers = reader.request.headers
    fitting = [rule for rule in rules if applies(rule, item, headers)]
    if not fitting or fitting[0].change == "ignore":
        return Ignored("ignored_event_type", None if name is None else str(name))
    return fitting[0]


def _of_failed(reader: _Reader, item: Any) -> Mapping[str, Any]:
    """What was told of a create that was not carried out, and whose it was."""
    path = reader.webhook.record_path
    record = search(path, item) if path is not None else item
    entity, email = read_subject(reader.manifest, record)
    whose = [entity.entity_id, entity.group] if entity else None
    return {"told": item, "entity": whose, "email": email}


def _event_name(reader: _Reader, item: Any) -> Any:
    name = _given_name(reader, item)
    return reader.webhook.event.default if name in (None, "") else name


def _given_name(reader: _Reader, item: Any) -> Any:
    event, request = reader.webhook.event, reader.request
    if event.header is not None:
        return request.headers.get(event.header.lower())
    if event.query is not None:
        return request.query.get(event.query)
    if event.claim is not None:
        return reader.proof.claims.get(event.claim)
    if event.path is None:
        return event.const
    return search(event.path, reader.payload if event.at == "request" else item)


def _remote_id(reader: _Reader, rule: EventRule, item: Any) -> str:
    """The record's id; for ``parent_changed`` the parent's.

    A failed create may have none: then the body's digest.
    """
    parts = {name: search(path, item) for name, path in (rule.key or reader.webhook.key).items()}
    if rule.change == "create_failed" and None in parts.values():
        return f"failed:{hashlib.sha256(reader.request.body).hexdigest()[:32]}"
    for name, found in parts.items():
        if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
            raise _no_key(name, (rule.key or reader.webhook.key)[name], item)
    # What is signed is stored, whatever it is about: an id that names no record is held.
    remote_id = joined_id(parts)
    return remote_id if is_usable_id(remote_id, MAX_ID) else unusable_id(remote_id)


def _no_key(name: str, path: str, item: Any) -> Permanent:
    words = f"webhook.key.{name}: {at_path(path, item, 'the event')}"
    return Permanent(words, reason="malformed_delivery")


def _dedupe_id(reader: _Reader, item: Any, number: int | None) -> str | None:
    """The sender's id of this delivery; its parts are joined so that none can run into the next."""
    if not reader.webhook.drops_repeats:
        return None
    parts = [_id_part(reader, part, item) for part in reader.webhook.delivery_id]
    is_of_request = not any(part.path and part.at == "item" for part in reader.webhook.delivery_id)
    if number is not None and is_of_request:
        # Its items are told apart by their place.
        parts.append(str(number))
    dedupe_id = parts[0] if len(parts) == 1 else exact_json.dumps(parts)
    if len(dedupe_id) > MAX_DEDUPE_LENGTH:
        return "sha256:" + hashlib.sha256(dedupe_id.encode()).hexdigest()
    return dedupe_id


def _id_part(reader: _Reader, part: DeliveryIdPart, item: Any) -> str:
    """One part of a delivery's id: from the event, a header, or the body's digest."""
    root = reader.payload if part.at == "request" else item
    found = search(part.path, root) if part.path else None
    if part.header is not None:
        found = reader.request.headers.get(part.header.lower())
    elif part.body_sha256:
        found = hashlib.sha256(reader.request.body).hexdigest()
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        where = f"the header {part.header}" if part.header else f"`{part.path}`"
        words = f"webhook.delivery_id: nothing in {where}"
        raise Permanent(words, reason="malformed_delivery")
    # A header is no JSON: its words are guarded here.
    return str(with_stand_ins(str(found)))


def _number(value: Any) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return value if is_whole else None
